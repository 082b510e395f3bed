"""``monitoring pipeline-stats``, ``pipeline stats`` and ``stats``: what operations cost, by name."""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence

from mgit_hooks.display import escape
from mgit_hooks.errors import UsageError
from mgit_hooks.git import plumbing
from mgit_hooks.metrics import figures, places, shown
from mgit_hooks.metrics.places import Place
from mgit_hooks.output import Output
from mgit_hooks.record import Json


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--detailed", action="store_true", help="of each operation all figures, and its bottleneck")
    parser.add_argument("--since", metavar="DATE", help="only what began at DATE or later, as git reads it")


def run(args: argparse.Namespace, out: Output) -> int:
    since = 0.0 if args.since is None else moment(args.directory, args.since)
    with places.opened(args.directory) as found:
        remark(found, out)
        noted = [each for place in found for each in place.store.noted(since)]
        operations = figures.of(noted)
        going = [each for place in found for each in place.running()]
        if out.as_json:
            out.json(_json(operations, found, since) | {"running": [each.to_json() for each in going]})
        elif not noted:
            out.line("no operation is counted" + (" since then" if since else " yet"))
        else:
            out.lines(shown.detailed(operations) if args.detailed else shown.summary(operations))
            out.lines(map(shown.going, going))
    return 0


def _json(operations: Sequence[figures.Figures], found: Sequence[Place], since: float) -> Json:
    return {
        "since": since or None,
        "folders": [place.folder for place in found],
        "cut_lines": sum(place.store.cut for place in found),
        "count": sum(each.runs for each in operations),
        "operations": [each.to_json() for each in operations],
    }


def remark(found: Sequence[Place], out: Output) -> None:
    for place in found:
        if place.store.damaged:
            told = f"{place.folder}/metrics.sqlite was damaged: it is set aside, and counting begins anew"
            out.note(f"mgit-hooks: {escape(told)}")
        if place.store.cut:
            out.detail(f"mgit-hooks: {place.store.cut} lines in {escape(place.folder)} were cut, and do not count")


def moment(directory: str, date: str) -> float:
    """Seconds since 1970 of a date as git reads it, in a repository or out of any. Raises UsageError."""
    asked = ("config", "--type=expiry-date", "--default", date, "--get", "mgit.alert.no-such-key")
    told = plumbing.run(asked, directory=directory)
    said = told.stdout.strip()
    if told.status or not said.isdigit():
        raise UsageError(f"git does not read '{date}' as a date", "for example: --since=2.weeks or --since=2026-03-01")
    return min(float(said), time.time())
