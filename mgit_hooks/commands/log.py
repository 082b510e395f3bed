"""``mgit-hooks log``: the records, newest first."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from itertools import islice

from mgit_hooks import report
from mgit_hooks.errors import DamageError, UsageError
from mgit_hooks.git.reflog import ref_text
from mgit_hooks.journal.index import Index
from mgit_hooks.output import Output
from mgit_hooks.pager import paged
from mgit_hooks.record import EVENTS, Record, readable
from mgit_hooks.session import reading


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-n", "--max-count", type=int, metavar="N", help="at most N records")
    parser.add_argument(
        "--event", action="append", default=[], metavar="EVENT", help="only this event; may be repeated"
    )
    parser.add_argument("--branch", help="only what happened on this branch")
    parser.add_argument("--author", metavar="TEXT", help="only commits whose author has TEXT in name or e-mail")
    parser.add_argument("--invalid", action="store_true", help="only records with errors among their issues")
    parser.add_argument("--bypassed", action="store_true", help="only commits and pushes that went round an armed gate")
    parser.add_argument("--superseded", action="store_true", help="also records that a later one stands in for")


def run(args: argparse.Namespace, out: Output) -> int:
    for event in args.event:
        if event not in EVENTS:
            raise UsageError(f"'{event}' is not an event", f"one of: {', '.join(sorted(EVENTS))}")
    if args.max_count is not None and args.max_count < 0:
        raise UsageError("-n takes a number from 0", "for example: mgit-hooks log -n 20")
    most = None if args.max_count is None else min(args.max_count, sys.maxsize)
    damaged: list[DamageError] = []
    with reading(args.directory, out) as session, paged(out, disabled=args.no_pager):
        for record in islice(_chosen(session.index, args, damaged), most):
            if args.json:
                out.json(record.to_json())
            else:
                out.line(report.one_line(record, out.style))
                if out.verbose:
                    out.lines(f"        {line.strip()}" for line in report.judged(record))
    for place in damaged:
        out.note(f"mgit-hooks: records passed over: {place.message}")
    if damaged:
        out.note("hint: run 'mgit-hooks repair'")
    return 1 if damaged else 0


def _chosen(index: Index, args: argparse.Namespace, damaged: list[DamageError]) -> Iterator[Record]:
    # As records hold bytes that are no UTF-8: in a ref's name escaped, in a person's replaced.
    branch = None if args.branch is None else ref_text(args.branch)
    author = None if args.author is None else readable(os.fsencode(args.author))[0]
    rows = index.newest(events=args.event, branch=branch, author=author, superseded=args.superseded)
    for stored in index.read_many(rows, damaged):
        record = stored.record()
        if record is None:
            continue
        if args.invalid and record.validation.is_valid:
            continue
        if args.bypassed and record.gate.status != "bypassed":
            continue
        yield folded(index, record)


def folded(index: Index, record: Record) -> Record:
    """A push with its outcome, which is a record of its own."""
    if record.event != "push" or record.push is None or record.seq is None:
        return record
    return record._replace(push=record.push._replace(confirmed=index.confirmed(record.seq)))
