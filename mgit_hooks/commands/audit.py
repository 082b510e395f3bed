"""``monitoring audit``: what ran, and what was refused, skipped, repaired or recovered, newest first."""

from __future__ import annotations

import argparse
import heapq
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from itertools import islice
from typing import Final

from mgit_hooks.commands.stats import location_of, moment, remark
from mgit_hooks.display import escape
from mgit_hooks.errors import DamageError
from mgit_hooks.journal.index import Filter, Index
from mgit_hooks.journal.verify import exists
from mgit_hooks.metrics import audit, places, shown
from mgit_hooks.metrics.audit import Entry
from mgit_hooks.metrics.places import Place
from mgit_hooks.output import Output
from mgit_hooks.session import reading

_DAYS: Final = 30
_MOST: Final = 50
_STYLES: Final = {"failed": "red", "refused": "red", "bypassed": "yellow", "skipped": "yellow", "invalid": "yellow"}


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--since", metavar="DATE", help=f"from DATE on, as git reads it (default: {_DAYS} days ago)")
    parser.add_argument("-n", "--max-count", type=_number, default=_MOST, metavar="N", help=f"default: {_MOST}; 0: all")
    parser.add_argument(
        "--kind",
        action="append",
        choices=audit.KINDS,
        metavar="KIND",
        help=f"only these; may be given again: {', '.join(audit.KINDS)}",
    )


def run(args: argparse.Namespace, out: Output) -> int:
    since = time.time() - _DAYS * 86400 if args.since is None else moment(args.directory, args.since)
    kinds = frozenset(args.kind or audit.KINDS)
    damaged: list[DamageError] = []
    with ExitStack() as stack:
        found = stack.enter_context(places.opened(args.directory))
        remark(found, out)
        told = [_operations(found, since)]
        location = location_of(args.directory)
        if location is not None and exists(location.journal_dir):
            session = stack.enter_context(reading(args.directory, out))
            told.append(_records(session.index, since, damaged))
        entries = (each for each in heapq.merge(*told, key=lambda each: -each.at) if each.kind in kinds)
        for each in islice(entries, args.max_count or None):
            if out.as_json:
                out.json(each.to_json())
            else:
                out.line(_line(each, out))
    for place in damaged:
        out.note(f"mgit-hooks: records passed over: {place.message}")
    return 1 if damaged else 0


def _operations(found: Sequence[Place], since: float) -> Iterator[Entry]:
    noted = [each for place in found for each in place.store.noted(since)]
    return map(audit.of_operation, sorted(noted, key=lambda each: -each.started))


def _records(index: Index, since: float, damaged: list[DamageError]) -> Iterator[Entry]:
    """By when they were recorded, which goes down with their numbers wherever no clock was set."""
    for stored in index.read_many(index.newest(Filter(since=int(since)), superseded=True), damaged):
        record = stored.record()
        if record is not None:
            yield from audit.of_record(record)


def _line(each: Entry, out: Output) -> str:
    kind = f"{each.kind:<9}"
    style = _STYLES.get(each.kind)
    told = [shown.moment(each.at), out.style(kind, style) if style else kind, escape(each.what)]
    if each.seq is not None:
        told.append(f"record {each.seq}" + (f" {each.commit[:10]}" if each.commit else ""))
    if each.seconds is not None:
        told.append(f"in {shown.duration(each.seconds)}")
    if each.by:
        told.append(escape(f"({each.by})" if each.kind == "failed" else f"by {each.by}"))
    return "  ".join(told)


def _number(text: str) -> int:
    if not text.isascii() or not text.isdecimal():
        raise argparse.ArgumentTypeError(f"'{text}' is not a number from 0")
    return int(text[:18])
