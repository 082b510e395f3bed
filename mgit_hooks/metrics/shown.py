"""Figures as people read them in a terminal."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence

from mgit_hooks.metrics.figures import BUCKETS, Figures, sparkline
from mgit_hooks.metrics.history import History
from mgit_hooks.metrics.running import Running


def _wide(names: Iterable[str]) -> int:
    return max((len(name) for name in names), default=0)


def summary(found: Sequence[Figures]) -> Iterator[str]:
    """A line for all of it, and one for each operation."""
    count, failed = sum(each.runs for each in found), sum(each.failed for each in found)
    yield f"{count} operations, {100 * (count - failed) / count:.1f} % succeeded"
    wide = _wide(("operation", *(each.name for each in found)))
    yield f"{'operation':<{wide}} {'count':>7} {'ok %':>6} {'p50':>8} {'p95':>8} {'p99':>8}  throughput"
    for each in found:
        figures = f"{each.runs:>7} {each.success_percent:>6.1f} {_times(each)}"
        yield f"{each.name:<{wide}} {figures}  {throughput(each)}".rstrip()


def detailed(found: Sequence[Figures]) -> Iterator[str]:
    """The summary, and a paragraph for each operation."""
    yield from summary(found)
    for each in found:
        yield ""
        yield f"{each.name} ({each.type}), last {moment(each.last)}"
        yield f"  took        {duration(each.seconds)} in all, {duration(each.longest)} at most"
        memory = "" if each.memory is None else f", {size(each.memory)} of memory at most"
        yield f"  used        {duration(each.cpu)} of the processor{memory}"
        if each.items or each.bytes:
            yield f"  worked off  {throughput(each)}, {each.items} items, {size(each.bytes)}"
        if each.errors:
            yield f"  failed      {_counted(each.errors)}"
        if each.counts:
            yield f"  counted     {_counted(each.counts)}"
        if each.phases:
            slowest = ", ".join(f"{phase.name} {100 * phase.share:.0f} %" for phase in each.phases[:3])
            yield f"  slowest     {slowest}"
        yield f"  bottleneck  {each.bottleneck}"
        yield f"  to do       {each.advice}"


def history(of: History) -> Iterator[str]:
    """A line for each operation: how many on each day, and how long they took."""
    days = of.dates
    yield f"{len(days)} days, {of.first} to {days[-1]} (UTC)" if days else "nothing on these days"
    if days:
        name = _wide(("operation", *(row.name for row in of.rows)))
        wide = max(len(days), 4)
        yield f"{'operation':<{name}} {'count':>7} {'failed':>6} {'p95':>9}  {'runs':<{wide}}  p95"
    for row in of.rows:
        p95 = "more" if row.p95_of_all == math.inf else f"<{duration(row.p95_of_all)}"
        longest = 2 * BUCKETS[-1]
        bars = f"{sparkline(row.runs):<{wide}}  {sparkline([min(each, longest) for each in row.p95])}".rstrip()
        yield f"{row.name:<{name}} {sum(row.runs):>7} {sum(row.failed):>6} {p95:>9}  {bars}"
    if of.later:
        yield f"{of.later} operations say that they began later: the clock was ahead"


def going(each: Running) -> str:
    """One that has not ended."""
    done = f"{each.items}/{each.total} items" if each.total else f"{each.items} items"
    done = size(each.bytes) if each.bytes and not each.items else done
    return f"{each.name}: under way for {duration(max(time.time() - each.started, 0))}, {done}"


def _times(each: Figures) -> str:
    return " ".join(f"{duration(seconds):>8}" for seconds in (each.p50, each.p95, each.p99))


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items())


def throughput(each: Figures) -> str:
    told = [] if each.items_per_second is None else [f"{each.items_per_second:,.0f} items/s"]
    told += [] if each.bytes_per_second is None else [f"{size(each.bytes_per_second)}/s"]
    return ", ".join(told)


def duration(seconds: float) -> str:
    if seconds >= 120:
        minutes, rest = divmod(round(seconds), 60)
        hours, minutes = divmod(minutes, 60)
        return f"{hours}h{minutes:02d}m" if hours else f"{minutes}m{rest:02d}s"
    if seconds >= 1:
        return f"{seconds:.2f} s"
    return f"{seconds * 1e3:.1f} ms" if seconds >= 1e-4 else f"{seconds * 1e6:.0f} us"


def size(count: float) -> str:
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"


def moment(seconds: float) -> str:
    """As ``log`` shows times: where it is read, to the second."""
    try:
        return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))
    except (OverflowError, ValueError, OSError):  # a clock that was far off
        return f"@{seconds:.0f}"
