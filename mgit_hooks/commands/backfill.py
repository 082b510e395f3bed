"""``mgit-hooks backfill``: record the history that is already there."""

from __future__ import annotations

import argparse

from mgit_hooks.commands import policyoptions
from mgit_hooks.layout import locate
from mgit_hooks.output import Output
from mgit_hooks.progress import progress
from mgit_hooks.recorder.backfill import backfill
from mgit_hooks.report import counted, unrecorded
from mgit_hooks.session import drain_first


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--workers",
        type=_processes,
        metavar="N",
        help="processes that read commits (default: one a core, at most 4)",
    )
    policyoptions.configure(parser)


def _processes(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text)):
        raise argparse.ArgumentTypeError(f"'{text}' is not a number of processes from 1")
    return int(text)


def run(args: argparse.Namespace, out: Output) -> int:
    location = locate(args.directory)
    with progress("recording", out) as show:
        done = backfill(location, show, workers=args.workers, overrides=policyoptions.overrides(args))
    drain_first(location, out)  # what came meanwhile: its own drain found the lock taken
    if args.json:
        out.json(done._asdict())
    else:
        out.line(f"{counted(done.recorded, 'commit')} recorded, {done.already} on record before")
    for line in unrecorded(done.missing):
        out.note(line)
    return 1 if done.missing else 0
