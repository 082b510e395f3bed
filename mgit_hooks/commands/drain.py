"""``mgit-hooks drain``: turn what the hooks spooled into records now."""

from __future__ import annotations

import argparse
import os

from mgit_hooks.commands import policyoptions
from mgit_hooks.errors import JournalError
from mgit_hooks.files import is_folder
from mgit_hooks.layout import locate
from mgit_hooks.output import Output
from mgit_hooks.recorder.drain import drain
from mgit_hooks.session import require_journal


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--wait", type=_seconds, default=60.0, metavar="SECONDS", help="for another drain to end (default 60)"
    )
    parser.add_argument("--framework", action="store_true", help="started by a hook manager (records say so)")
    policyoptions.configure(parser)


def run(args: argparse.Namespace, out: Output) -> int:
    location = locate(args.directory)
    if not args.framework and not is_folder(location.mgit_dir):
        require_journal(location)
    if args.framework:
        from mgit_hooks.gatekeeper import witness

        witness.testify(location, os.environ)
    done = drain(
        location,
        wait=args.wait,
        source="framework" if args.framework else "hook",
        overrides=policyoptions.overrides(args),
        thorough=not args.framework,
    )
    if done.busy:
        raise JournalError(f"another drain is still running after {args.wait:g} s", "try again in a moment")
    if args.json:
        out.json({"records": done.records, "garbled": done.garbled})
    elif not args.framework:
        out.line(f"{done.records} recorded")
    if done.garbled:
        out.note(f"mgit-hooks: {done.garbled} lines of the spool were not of its form; the log has them")
    return 0


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise argparse.ArgumentTypeError(f"'{text}' is not a number of seconds from 0")
    return value
