"""``monitoring``: what the operations of the tool cost, and what they did; each part a module of its own."""

from __future__ import annotations

import argparse

from mgit_hooks.commands import parts
from mgit_hooks.output import Output

PARTS: parts.Parts = {
    "pipeline-stats": ("how many operations, how fast, and what took the time", "stats"),
    "audit": ("what ran, and what was refused, skipped, repaired, by which policy", "audit"),
    "export": ("operations as spans of OpenTelemetry (extra 'otel')", "monitoringexport"),
}


def configure(parser: argparse.ArgumentParser) -> None:
    parts.configure(parser, PARTS)


def run(args: argparse.Namespace, out: Output) -> int:
    return parts.run(args, out, PARTS)
