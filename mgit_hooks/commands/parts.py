"""A command of parts, each a command of its own in a module of its own, with ``configure(parser)`` and
``run(args, out)`` as those of commands have. Only the part that is asked for runs."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from importlib import import_module
from types import ModuleType
from typing import TypeAlias

from mgit_hooks.cli import add_common
from mgit_hooks.output import Output

Parts: TypeAlias = Mapping[str, tuple[str, str]]
"""By the part's name: what it is for, and its module in this package."""


def configure(parser: argparse.ArgumentParser, parts: Parts) -> None:
    added = parser.add_subparsers(dest="part", metavar="PART", required=True)
    for name, (summary, module) in parts.items():
        part = added.add_parser(name, help=summary, description=summary[0].upper() + summary[1:] + ".")
        add_common(part, suppressed=True)
        _module(module).configure(part)


def run(args: argparse.Namespace, out: Output, parts: Parts) -> int:
    code: int = _module(parts[args.part][1]).run(args, out)
    return code


def _module(name: str) -> ModuleType:
    return import_module(f"mgit_hooks.commands.{name}")
