"""``mgit-hooks log``: the records, newest first."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from itertools import islice

from mgit_hooks import report
from mgit_hooks.cli import COUNTED
from mgit_hooks.credentials import strip
from mgit_hooks.dates import local
from mgit_hooks.display import escape
from mgit_hooks.errors import DamageError, UsageError
from mgit_hooks.git import plumbing
from mgit_hooks.git.reflog import ref_text
from mgit_hooks.journal.index import Filter, Index
from mgit_hooks.layout import Location
from mgit_hooks.output import Output
from mgit_hooks.pager import paged
from mgit_hooks.record import EVENTS, Record, readable
from mgit_hooks.recorder import pushing
from mgit_hooks.recorder.memory import outcomes
from mgit_hooks.session import reading


def configure(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(**{COUNTED: True})
    parser.add_argument("-n", "--max-count", type=int, metavar="N", help="at most N records; -N is the same")
    parser.add_argument(
        "--event",
        action="append",
        default=[],
        metavar="EVENT",
        help=f"only this event; may be given again: {', '.join(sorted(EVENTS))}",
    )
    parser.add_argument("--branch", metavar="BRANCH", help="only what happened on this branch")
    parser.add_argument("--author", metavar="TEXT", help="only commits whose author has TEXT in name or e-mail")
    parser.add_argument(
        "--since", "--after", metavar="DATE", help="only what happened at DATE or later, as git reads it"
    )
    parser.add_argument("--until", "--before", metavar="DATE", help="only what happened at DATE or before")
    parser.add_argument("--invalid", action="store_true", help="only records with errors among their issues")
    parser.add_argument("--bypassed", action="store_true", help="only commits and pushes that went round an armed gate")
    parser.add_argument("--superseded", action="store_true", help="also records that a later one stands in for")
    parser.add_argument(
        "--rewrites", metavar="HASH", help="one commit's whole life: what it was before, and what became of it"
    )
    parser.add_argument(
        "paths", nargs="*", metavar="PATH", help="only commits that changed this file, or a file in this folder"
    )


_NO_KEY = "mgit.no-such-key"

# What narrows a search down; of a commit's life all is shown.
_FILTERS = (
    "max_count", "event", "branch", "author", "since", "until", "invalid", "bypassed", "superseded", "paths",
)  # fmt: skip


def run(args: argparse.Namespace, out: Output) -> int:
    if args.rewrites is not None:
        from mgit_hooks.commands import lifeof

        if any(getattr(args, name) not in (None, False, []) for name in _FILTERS):
            raise UsageError("--rewrites shows all of one commit's life", "give it without filters and paths")
        return lifeof.run(args, out)
    for event in args.event:
        if event not in EVENTS:
            raise UsageError(f"'{event}' is not an event", f"one of: {', '.join(sorted(EVENTS))}")
    if args.max_count is not None and args.max_count < 0:
        raise UsageError("-n takes a number from 0", "for example: mgit-hooks log -n 20")
    most = None if args.max_count is None else min(args.max_count, sys.maxsize)
    damaged: list[DamageError] = []
    with reading(args.directory, out) as session, paged(out, disabled=args.no_pager):
        records = _chosen(session.index, session.location, args, damaged)
        found = False
        for record in islice(records, most):
            found = True
            if args.json:
                out.json(record.to_json())
            else:
                out.line(report.one_line(record, out.style, local, who=args.bypassed))
                if out.verbose:
                    out.lines(f"        {line.strip()}" for line in report.judged(record))
    if not found and most != 0:
        _nothing(args, out)
    for place in damaged:
        out.note(f"mgit-hooks: records passed over: {place.message}")
    if damaged:
        out.note("hint: run 'mgit-hooks repair'")
    return 1 if damaged else 0


def _nothing(args: argparse.Namespace, out: Output) -> None:
    """What was named, and may be misspelt: there is no record of it."""
    named = [*args.paths, *([] if args.branch is None else [f"branch {args.branch}"])]
    if named:
        out.note(f"mgit-hooks: no record tells of {', '.join(escape(strip(each)) for each in named)}")
    if args.paths:
        out.note("hint: a PATH is a file or a folder; a branch is named with --branch")


def _chosen(index: Index, location: Location, args: argparse.Namespace, damaged: list[DamageError]) -> Iterator[Record]:
    rows = index.newest(_filter(location, args), superseded=args.superseded)
    for stored in index.read_many(rows, damaged):
        record = stored.record()
        if record is not None:
            yield folded(index, record)


def _filter(location: Location, args: argparse.Namespace) -> Filter:
    """What was asked for, as records hold bytes that are no UTF-8: in a ref's name escaped, in a person's replaced."""
    return Filter(
        events=args.event,
        branch=None if args.branch is None else ref_text(args.branch),
        author=None if args.author is None else readable(os.fsencode(args.author))[0],
        paths=_in_repository(location, args.directory, args.paths),
        since=None if args.since is None else _second(args.directory, "since", args.since),
        until=None if args.until is None else _second(args.directory, "until", args.until),
        invalid=args.invalid,
        bypassed=args.bypassed,
    )


def _second(directory: str, side: str, date: str) -> int:
    """The second since 1970 of a date, as ``git log`` reads it; but that takes whatever it does not know for now."""
    known = plumbing.run(("config", "--type=expiry-date", "--default", date, "--get", _NO_KEY), directory=directory)
    said = plumbing.run(("rev-parse", f"--{side}={date}"), directory=directory).stdout.decode().strip()
    number = said.rpartition("=")[2]  # --max-age=1700000000, --min-age=1700000000
    if known.status or not number.isdecimal():
        raise UsageError(f"git does not read '{date}' as a date", "for example: --since=2.weeks or --since=2026-03-01")
    return int(number)


def _in_repository(location: Location, directory: str, paths: Sequence[str]) -> tuple[bytes, ...]:
    """The paths from the top of the worktree, as records have them; none where one of them is all of it."""
    top = location.root
    here = os.path.realpath(directory)
    found = []
    for path in paths:
        inside = os.path.normpath(path) if top is None else os.path.relpath(os.path.join(here, path), top)
        if inside == os.curdir:
            return ()
        if os.path.isabs(inside) or inside.split(os.sep)[0] == os.pardir:
            raise UsageError(f"'{path}' is outside of the repository", "name a file or folder of this worktree")
        found.append(os.fsencode(inside.replace(os.sep, "/")))
    return tuple(found)


def folded(index: Index, record: Record) -> Record:
    """A push with its outcome, which is a record of its own."""
    if record.event != "push" or record.push is None or record.seq is None:
        return record
    return record._replace(push=pushing.folded(record.push, outcomes(index, record.seq)))
