"""``pipeline``: the parts of the changeset pipeline, each a command of its own in a module of its own."""

from __future__ import annotations

import argparse
from importlib import import_module
from types import ModuleType

from mgit_hooks.cli import add_common
from mgit_hooks.output import Output

# Each module has ``configure(parser)`` and ``run(args, out)``, as those of commands have.
PARTS = {
    "checkpoint": ("keep a copy of a saved collection", "pipelinecheckpoint"),
    "compress": ("pack a file", "pipelinecompress"),
    "decompress": ("bring a packed file back", "pipelinedecompress"),
    "recover": ("bring a saved collection back", "pipelinerecover"),
    "stats": ("how many operations, how fast, and what took the time", "stats"),
    "validate": ("judge a saved collection, or the records on file", "pipelinevalidate"),
}


def configure(parser: argparse.ArgumentParser) -> None:
    parts = parser.add_subparsers(dest="part", metavar="PART", required=True)
    for name, (summary, _) in PARTS.items():
        part = parts.add_parser(name, help=summary, description=summary[0].upper() + summary[1:] + ".")
        add_common(part, suppressed=True)
        _module(name).configure(part)


def run(args: argparse.Namespace, out: Output) -> int:
    code: int = _module(args.part).run(args, out)
    return code


def _module(part: str) -> ModuleType:
    return import_module(f"mgit_hooks.commands.{PARTS[part][1]}")
