"""``pipeline``: the parts of the changeset pipeline, each a command of its own in a module of its own."""

from __future__ import annotations

import argparse

from mgit_hooks.commands import parts
from mgit_hooks.output import Output

PARTS: parts.Parts = {
    "checkpoint": ("keep a copy of a saved collection", "pipelinecheckpoint"),
    "compress": ("pack a file", "pipelinecompress"),
    "decompress": ("bring a packed file back", "pipelinedecompress"),
    "recover": ("bring a saved collection back", "pipelinerecover"),
    "stats": ("how many operations, how fast, and what took the time", "stats"),
    "validate": ("judge a saved collection, or the records on file", "pipelinevalidate"),
}


def configure(parser: argparse.ArgumentParser) -> None:
    parts.configure(parser, PARTS)


def run(args: argparse.Namespace, out: Output) -> int:
    return parts.run(args, out, PARTS)
