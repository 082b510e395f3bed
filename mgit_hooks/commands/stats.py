"""``monitoring pipeline-stats``, ``pipeline stats`` and ``stats``: what operations cost, by name."""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from typing import Final

from mgit_hooks.commands.pipelinepaths import below
from mgit_hooks.display import escape
from mgit_hooks.errors import RepositoryError, UsageError
from mgit_hooks.git import plumbing
from mgit_hooks.layout import Location, locate
from mgit_hooks.metrics import alerts, figures, history, places, shown
from mgit_hooks.metrics.alerts import Alert
from mgit_hooks.metrics.places import Place
from mgit_hooks.output import Output
from mgit_hooks.record import Json
from mgit_hooks.report import counted

DAYS: Final = 30


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--detailed", action="store_true", help="of each operation all figures, and its bottleneck")
    parser.add_argument("--since", metavar="DATE", help="only what began at DATE or later, as git reads it")
    parser.add_argument("--history", action="store_true", help=f"day by day; without --since the last {DAYS} days")
    parser.add_argument("--prometheus", action="store_true", help="all that was ever counted, as Prometheus reads it")
    parser.add_argument(
        "--textfile", metavar="PATH", help="write that to PATH, for node-exporter's textfile collector (NAME.prom)"
    )


def run(args: argparse.Namespace, out: Output) -> int:
    if args.prometheus and out.as_json:
        raise UsageError("--prometheus and --json are two forms of the same", "give one of them")
    since = 0.0 if args.since is None else moment(args.directory, args.since)
    given = alerts.thresholds(args.directory)
    with places.opened(args.directory) as found:
        remark(found, out)
        operations = figures.of(each for place in found for each in place.store.noted(since))
        beyond = list(alerts.beyond(given, operations, location_of(args.directory))) if given else []
        if args.prometheus or args.textfile is not None:
            _expose(args, found, out)
        elif out.as_json:
            out.json(_json(operations, found, since, beyond, args))
        else:
            _show(operations, found, since, args, out)
    for alert in beyond:
        if out.as_json or args.prometheus or args.textfile is not None:
            out.note(f"mgit-hooks: alert: {escape(alert.message)}")
        else:
            out.line(f"{out.style('ALERT', 'red')} {escape(alert.message)}")
    return 1 if beyond else 0


def _show(
    operations: Sequence[figures.Figures], found: Sequence[Place], since: float, args: argparse.Namespace, out: Output
) -> None:
    if not operations:
        out.line("no operation is counted" + (" since then" if since else " yet"))
    elif args.history:
        out.lines(shown.history(_history(found, since)))
    else:
        out.lines(shown.detailed(operations) if args.detailed else shown.summary(operations))
    out.lines(shown.going(each) for place in found for each in place.running())


def _json(
    operations: Sequence[figures.Figures],
    found: Sequence[Place],
    since: float,
    beyond: Sequence[Alert],
    args: argparse.Namespace,
) -> Json:
    told: Json = {
        "since": since or None,
        "folders": [place.folder for place in found],
        "cut_lines": sum(place.store.cut for place in found),
        "count": sum(each.runs for each in operations),
        "operations": [each.to_json() for each in operations],
        "running": [each.to_json() for place in found for each in place.running()],
        "alerts": [each.to_json() for each in beyond],
    }
    return told | ({"history": _history(found, since).to_json()} if args.history else {})


def _history(found: Sequence[Place], since: float) -> history.History:
    last = int(time.time() // 86400)
    first = int(since // 86400) if since else last - DAYS + 1
    return history.of((day for place in found for day in place.store.days(first)), first, last)


def _expose(args: argparse.Namespace, found: Sequence[Place], out: Output) -> None:
    from mgit_hooks.metrics import exposed

    text = exposed.text(found)
    if args.textfile is not None:
        exposed.write(below(args.directory, args.textfile), text)
    if args.prometheus:
        out.part(text)


def location_of(directory: str) -> Location | None:
    try:
        return locate(directory)
    except RepositoryError:
        return None


def remark(found: Sequence[Place], out: Output) -> None:
    for place in found:
        if place.store.damaged:
            told = f"{place.folder}/metrics.sqlite was damaged: it is set aside, and counting begins anew"
            out.note(f"mgit-hooks: {escape(told)}")
        if place.store.cut:
            told = f"{counted(place.store.cut, 'line')} in {place.folder} cut: not counted"
            out.detail(f"mgit-hooks: {escape(told)}")


def moment(directory: str, date: str) -> float:
    """Seconds since 1970 of a date as git reads it, in a repository or out of any. Raises UsageError."""
    asked = ("config", "--type=expiry-date", "--default", date, "--get", "mgit.alert.no-such-key")
    told = plumbing.run(asked, directory=directory)
    said = told.stdout.strip()
    if told.status or not said.isdigit():
        raise UsageError(f"git does not read '{date}' as a date", "for example: --since=2.weeks or --since=2026-03-01")
    return min(float(said), time.time())
