"""The numbers of a run, by strategy, workload and machine, each with its reason. A pure function: ``plan``."""

from __future__ import annotations

from enum import StrEnum
from math import ceil
from typing import Final, NamedTuple

from mgit_hooks.bulk.outcomes import Plan

MIB: Final = 1 << 20


class OptimizationStrategy(StrEnum):
    """What a run is best at: a bit of all; the shortest time for the whole; the least processor time and memory; the
    most items a second; the first result soonest."""

    BALANCED = "balanced"
    PERFORMANCE = "performance"
    EFFICIENCY = "efficiency"
    THROUGHPUT = "throughput"
    LATENCY = "latency"


class Workload(NamedTuple):
    """What is known of the items; None where it is not. ``seconds`` and ``result`` (bytes) are of one item, measured;
    ``longest`` is the time of the slowest of 20. ``need`` is bytes of memory that an item is known to take."""

    items: int | None = None
    seconds: float | None = None
    longest: float | None = None
    result: int | None = None
    need: int | None = None


class ResourceLimits(NamedTuple):
    """What may be taken. ``processors`` and ``memory`` (bytes) are the machine's; the others are the user's, and None
    where the strategy decides. ``cpu_share`` is of the processors, above 0 to 1; ``timeout`` seconds of an item."""

    processors: int = 1
    memory: int | None = None
    cpu_share: float = 1.0
    max_workers: int | None = None
    max_memory: int | None = None  # bytes of one worker
    timeout: float | None = None
    batch_size: int | None = None
    attempts: int | None = None


class _Row(NamedTuple):
    """A strategy.

    ``share`` is of the processors, ``more`` the workers beyond those; ``work`` the seconds of work that a worker is
    handed at once (0: one item), ``batch`` the items where nothing is measured, ``ahead`` how many batches of all
    workers may wait; ``memory`` the part of what is free that all workers may take, ``ceiling`` what one may at most.
    """

    share: float
    more: int
    work: float
    batch: int
    ahead: int
    memory: float
    ceiling: int
    cache: int
    codec: str
    quality: str
    timeout: float
    attempts: int
    niceness: int
    pinned: bool


_ROWS: Final = {
    OptimizationStrategy.BALANCED: _Row(
        0.5, 0, 0.05, 8, 2, 0.5, 1024 * MIB, 16 * MIB, "zstd", "balanced", 300, 3, 0, False
    ),
    OptimizationStrategy.PERFORMANCE: _Row(
        1, 1, 0.02, 1, 8, 0.75, 2048 * MIB, 32 * MIB, "zstd", "fast", 300, 3, 0, False
    ),
    OptimizationStrategy.EFFICIENCY: _Row(
        0, 0, 0.1, 4, 1, 0.25, 512 * MIB, 2 * MIB, "zstd", "fast", 600, 3, 10, True
    ),
    OptimizationStrategy.THROUGHPUT: _Row(
        1, 1, 0.2, 32, 4, 0.75, 1024 * MIB, 16 * MIB, "zstd", "fast", 300, 3, 0, False
    ),
    OptimizationStrategy.LATENCY: _Row(
        1, 0, 0, 1, 2, 0.5, 1024 * MIB, 16 * MIB, "snappy", "fast", 60, 2, 0, False
    ),
}  # fmt: skip
_LEAST: Final = 64 * MIB
"""Bytes that a worker needs whatever it works on; where there are fewer for each, there are fewer workers."""
_START: Final = 0.02
"""Seconds that a worker takes to start: a second one pays where it saves more."""
_MOST: Final = 1024  # items in a batch
_PATIENCE: Final = 20
"""A time-out is so many times what the slow ones have been seen to take, where that is more than the strategy's."""


def plan(strategy: OptimizationStrategy | str, workload: Workload, limits: ResourceLimits) -> Plan:
    """Raises ValueError on an unknown strategy and on limits that make no sense, with what would make some."""
    known = [str(each) for each in OptimizationStrategy]
    if strategy not in known:
        raise ValueError(f"the strategy {str(strategy)!r} is none of {', '.join(known)}")
    _require(limits)
    named = OptimizationStrategy(strategy)
    row = _ROWS[named]
    why: dict[str, str] = {}
    workers = _workers(row, workload, limits, why)
    batch = _batch(row, workload, limits, why)
    memory = _ceiling(row, workload, limits, workers, why)
    prefetch = _prefetch(row, workload, workers, batch, memory, why)
    timeout = _timeout(row, workload, limits, why)
    processors = _processors(row, limits, workers, why)
    niceness = row.niceness
    why["niceness"] = "others come first" if niceness else "as any other program"
    why["cache"] = f"git objects that a worker keeps once they were read ({named})"
    why["codec"] = why["quality"] = _CODECS[row.codec, row.quality]
    gradual = named is OptimizationStrategy.LATENCY
    why["gradual"] = "the first result before other workers" if gradual else "all workers at once"
    attempts = row.attempts if limits.attempts is None else limits.attempts
    why["attempts"] = "of what may pass: a lock, a shortage" if limits.attempts is None else "as it was asked for"
    return Plan(
        workers,
        batch,
        prefetch,
        timeout,
        memory,
        attempts,
        niceness,
        processors,
        row.cache,
        row.codec,
        row.quality,
        gradual,
        tuple((name, why[name]) for name in Plan._fields if name in why),
    )


_CODECS: Final = {
    ("zstd", "balanced"): "small for its time, both ways",
    ("zstd", "fast"): "a quarter of balanced's time for a few percent more bytes",
    ("snappy", "fast"): "the least time that packing takes at all",
}


def _require(limits: ResourceLimits) -> None:
    if not 0 < limits.cpu_share <= 1:
        raise ValueError(f"cpu_share is {limits.cpu_share}, and must be above 0, to 1")
    for name in ("processors", "max_workers", "max_memory", "batch_size", "attempts"):
        value = getattr(limits, name)
        if value is not None and value < 1:
            raise ValueError(f"{name} is {value}, and must be 1 or more")
    if limits.timeout is not None and limits.timeout <= 0:
        raise ValueError(f"timeout is {limits.timeout}, and must be more than 0 seconds")


def _workers(row: _Row, workload: Workload, limits: ResourceLimits, why: dict[str, str]) -> int:
    most = max(1, int(limits.processors * min(row.share, limits.cpu_share)))
    reasons = [(most, f"{most} of {limits.processors} processors")]
    if row.more and limits.cpu_share == 1:
        reasons = [(most + row.more, f"{limits.processors} processors, and {row.more} while one waits for the disk")]
    if workload.items is not None:
        reasons.append((max(1, workload.items), "no more than there are items"))
        if workload.seconds is not None:
            pays = max(1, int(workload.items * workload.seconds / _START))
            reasons.append((pays, "another one would take longer to start than it saves"))
    if limits.memory is not None:
        room = max(1, int(limits.memory * row.memory) // max(_LEAST, workload.need or 0))
        reasons.append((room, f"{limits.memory // MIB:,} MiB are free"))
    if limits.max_workers is not None:
        reasons.append((limits.max_workers, "as many as were allowed"))
    workers, why["workers"] = min(reasons, key=lambda reason: reason[0])
    return workers


def _batch(row: _Row, workload: Workload, limits: ResourceLimits, why: dict[str, str]) -> int:
    if limits.batch_size is not None:
        why["batch"] = "as it was asked for; fewer towards the end, so that all workers end together"
        return limits.batch_size
    if row.work == 0:
        why["batch"] = "one at a time, so that none waits behind another"
        return 1
    if workload.seconds is None:
        why["batch"] = "nothing is measured yet"
        return row.batch
    why["batch"] = f"about {row.work:g} s of work at {workload.seconds:.2g} s an item"
    return max(1, min(_MOST, round(row.work / max(workload.seconds, 1e-9))))


def _ceiling(row: _Row, workload: Workload, limits: ResourceLimits, workers: int, why: dict[str, str]) -> int:
    """Together the workers never take more than the row's part of what is free."""
    ceiling, reason = row.ceiling, "of one worker, beyond what it begins with"
    if workload.need is not None and workload.need > ceiling:
        ceiling, reason = workload.need, "what an item is known to take"
    if limits.memory is not None and int(limits.memory * row.memory) // workers < ceiling:
        ceiling = max(int(limits.memory * row.memory) // workers, 1)
        reason = f"a worker's part of {row.memory:.0%} of the {limits.memory // MIB:,} MiB that are free"
    if limits.max_memory is not None and limits.max_memory < ceiling:
        ceiling, reason = limits.max_memory, "as much as was allowed"
    why["memory"] = reason
    return ceiling


def _prefetch(row: _Row, workload: Workload, workers: int, batch: int, memory: int, why: dict[str, str]) -> int:
    ahead = workers * batch * row.ahead
    why["prefetch"] = f"{row.ahead} times what all workers are handed at once"
    if workload.result and ahead * workload.result > memory // 4:
        ahead = memory // 4 // workload.result
        why["prefetch"] = f"results of {workload.result:,} bytes in a quarter of a worker's ceiling"
    return max(ahead, workers, 2)


def _timeout(row: _Row, workload: Workload, limits: ResourceLimits, why: dict[str, str]) -> float:
    if limits.timeout is not None:
        why["timeout"] = "as it was asked for"
        return limits.timeout
    if workload.longest is not None and workload.longest * _PATIENCE > row.timeout:
        why["timeout"] = f"{_PATIENCE} times the {workload.longest:.2g} s that slow ones take"
        return float(ceil(workload.longest * _PATIENCE))
    why["timeout"] = "seconds of one item, after which it is no longer worth waiting for"
    return row.timeout


def _processors(row: _Row, limits: ResourceLimits, workers: int, why: dict[str, str]) -> int | None:
    if row.pinned:
        why["processors"] = "what the items start (git's own threads) shares it"
        return workers
    if limits.cpu_share < 1:
        why["processors"] = f"{limits.cpu_share:.0%} of {limits.processors}, whatever the items start"
        return max(1, int(limits.processors * limits.cpu_share))
    why["processors"] = "any that are free"
    return None


def words(strategy: OptimizationStrategy | str, chosen: Plan) -> list[str]:
    """The plan for people: a line for each number, with its reason."""
    said = [f"strategy {strategy!s}: {_MEANING[OptimizationStrategy(strategy)]}"]
    for name, reason in chosen.reasons:
        said.append(f"{name} {_told(name, getattr(chosen, name))}: {reason}")
    return said


_MEANING: Final = {
    OptimizationStrategy.BALANCED: "half of the processors, the rest stays free",
    OptimizationStrategy.PERFORMANCE: "the shortest time for the whole",
    OptimizationStrategy.EFFICIENCY: "the least processor time and memory",
    OptimizationStrategy.THROUGHPUT: "the most items a second",
    OptimizationStrategy.LATENCY: "the first result soonest",
}


def _told(name: str, value: object) -> str:
    if name in ("memory", "cache") and isinstance(value, int):
        return f"{value / MIB:,.0f} MiB"
    if name == "timeout":
        return f"{value:g} s"
    return "any" if value is None else str(value)
