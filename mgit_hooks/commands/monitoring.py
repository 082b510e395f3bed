"""``monitoring``: what the operations of the tool cost, and what they did; each part a module of its own."""

from __future__ import annotations

import argparse
from importlib import import_module
from types import ModuleType

from mgit_hooks.cli import add_common
from mgit_hooks.output import Output

# Each module has ``configure(parser)`` and ``run(args, out)``, as those of commands have.
PARTS = {
    "pipeline-stats": ("how many operations, how fast, and what took the time", "stats"),
    "audit": ("what ran, and what was refused, skipped, repaired, by which policy", "audit"),
    "export": ("operations as spans of OpenTelemetry (extra 'otel')", "monitoringexport"),
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
