"""``install``: write the hooks of this repository."""

from __future__ import annotations

import argparse

from mgit_hooks.display import escape
from mgit_hooks.installer import stubs
from mgit_hooks.installer.install import install
from mgit_hooks.layout import locate
from mgit_hooks.output import Output
from mgit_hooks.session import drain_first, require_readable


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--shared",
        action="store_true",
        help="write even to a hooks folder that others use too",
    )
    parser.add_argument(
        "--with",
        action="append",
        default=[],
        choices=stubs.ASKED_FOR,
        dest="asked_for",
        help="write this hook as well: what it tells and what it costs is in docs/sources.md",
        metavar="HOOK",
    )


def run(args: argparse.Namespace, out: Output) -> int:
    location = locate(args.directory)
    require_readable(location)
    report = install(location, allow_shared=args.shared, asked_for=args.asked_for)
    drain_first(location, out)  # recording begins now: with where all refs stand, not after the first commit
    if args.json:
        out.json(report.to_json())
        return 0
    for change in report.hooks:
        out.line(f"{change.action:<9} {change.hook}" + (", then the hook that was here" if change.chained else ""))
    for note in report.notes:
        out.note(escape(note))
    out.note(f"hooks are in {escape(report.hooks_dir)}; 'mgit-hooks uninstall' takes them out again")
    return 0
