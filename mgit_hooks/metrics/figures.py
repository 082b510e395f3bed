"""From operations to figures: how many, how fast, what took the time, and what to do about it."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from mgit_hooks.record import Json

if TYPE_CHECKING:
    from mgit_hooks.metrics.spooled import Noted

BUCKETS: Final = (
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0,
)  # fmt: skip
"""Seconds: the upper bounds by which durations are counted for ever."""
_BARS: Final = "▁▂▃▄▅▆▇█"
_MUCH: Final = 0.4
"""The share of an operation's time from which on one part of it is its bottleneck."""
_BUSY, _IDLE = 0.8, 0.4  # processor seconds for each second


class Phase(NamedTuple):
    name: str
    seconds: float
    share: float
    """Of the time of all operations of that name."""


class Figures(NamedTuple):
    """All operations of one type and name. Seconds, bytes; so many per cent took no longer than ``p50`` and its like.
    ``memory`` is the most that one held; ``items_per_second`` is None where nothing was counted."""

    type: str
    name: str
    runs: int
    failed: int
    p50: float
    p95: float
    p99: float
    longest: float
    seconds: float
    cpu: float
    memory: int | None
    items: int
    bytes: int
    phases: tuple[Phase, ...]
    errors: Mapping[str, int]
    counts: Mapping[str, int]
    last: float

    @property
    def success_percent(self) -> float:
        return 100.0 * (self.runs - self.failed) / self.runs

    @property
    def items_per_second(self) -> float | None:
        return self.items / self.seconds if self.items and self.seconds else None

    @property
    def bytes_per_second(self) -> float | None:
        return self.bytes / self.seconds if self.bytes and self.seconds else None

    @property
    def bottleneck(self) -> str:
        """The name of the phase that takes the most, else ``processor``, ``waiting`` or ``none``."""
        if self.phases and self.phases[0].share >= _MUCH:
            return self.phases[0].name
        if not self.seconds:
            return "none"
        return "processor" if self.cpu / self.seconds >= _BUSY else self._waiting

    @property
    def _waiting(self) -> str:
        return "waiting" if self.cpu / self.seconds <= _IDLE else "none"

    @property
    def advice(self) -> str:
        """What to do about it, in one line."""
        if self.failed and self.success_percent < 99:
            most = max(self.errors, key=self.errors.__getitem__, default="an error")
            return f"most that fail end with {most}: 'mgit-hooks monitoring audit --kind failed' lists them"
        if self.bottleneck == "processor" and self.name not in _OVER_MANY:
            return _NOTHING
        return _ADVICE.get(self.bottleneck, _NOTHING if self.bottleneck == "none" else _ITS_WORK)

    def to_json(self) -> Json:
        told = {
            **self._asdict(),
            "count": self.runs,
            "success_percent": self.success_percent,
            "items_per_second": self.items_per_second,
        }
        told |= {"bytes_per_second": self.bytes_per_second, "bottleneck": self.bottleneck, "advice": self.advice}
        del told["runs"]
        return {**told, "phases": [each._asdict() for each in self.phases]}


_OVER_MANY: Final = ("diff", "pipeline compress")
"""What takes --optimization-strategy."""
_NOTHING: Final = "nothing: no part of it takes much more than the others"
_ITS_WORK: Final = "nothing: that is the work it was asked to do"
_ADVICE: Final = {
    "read": "reading the journal takes the most: every byte of it is looked at",
    "policy": "reading the policy takes the most: fewer rule files and sets ('mgit-hooks config --show-sources')",
    "judge": "judging takes the most: see which rules ask for facts, and switch off those nobody needs (docs/rules.md)",
    "write": "the disk takes the most: a verdict is synced before git goes on",
    "load": "loading the libraries takes the most; git does not wait for it",
    "drain": "taking in what waits takes the most: see 'mgit-hooks doctor' for hooks that start no drain",
    "record": "making records takes the most; git does not wait for it",
    "upkeep": "packing sealed segments takes the most: 'git config mgit.compact false' leaves it to 'compact'",
    "recording": "making records takes the most: it runs once, over the whole history",
    "processor": "it computes without a pause: for work over many repositories, --optimization-strategy throughput",
    "waiting": "it waits, for the disk, for git or for a lock: see 'mgit-hooks doctor' for room and other processes",
}


def of(noted: Iterable[Noted]) -> list[Figures]:
    """By type and name, in that order."""
    groups: dict[tuple[str, str], list[Noted]] = {}
    for each in noted:
        groups.setdefault((each.type, each.name), []).append(each)
    return [_of_one(*key, groups[key]) for key in sorted(groups)]


def _of_one(type: str, name: str, noted: Sequence[Noted]) -> Figures:
    took = sorted(each.seconds for each in noted)
    total = math.fsum(took)
    phases: Counter[str] = Counter()
    counts: Counter[str] = Counter()
    for each in noted:
        phases.update(each.phases)
        counts.update(each.counts)
    told = [Phase(phase, seconds, min(seconds / total, 1.0) if total else 0.0) for phase, seconds in phases.items()]
    return Figures(
        type, name, len(noted), sum(not each.success for each in noted),
        percentile(took, 50), percentile(took, 95), percentile(took, 99), took[-1], total,
        math.fsum(each.cpu for each in noted),
        max((each.memory for each in noted if each.memory is not None), default=None),
        sum(each.items for each in noted), sum(each.bytes for each in noted),
        tuple(sorted(told, key=lambda each: (-each.seconds, each.name))),
        dict(Counter(each.error or f"exit {each.code}" for each in noted if not each.success).most_common()),
        dict(sorted(counts.items())), max(each.started for each in noted),
    )  # fmt: skip


def percentile(ordered: Sequence[float], percent: float) -> float:
    """The smallest value that ``percent`` of them do not exceed (nearest rank): one that was really seen."""
    return ordered[max(math.ceil(len(ordered) * percent / 100) - 1, 0)]


def bucket(seconds: float) -> int:
    """Which of BUCKETS holds it: the first that is no shorter; one more than the last where none is."""
    return bisect_left(BUCKETS, seconds)


def from_buckets(counts: Sequence[int], percent: float) -> float:
    """A percentile of durations of which only the buckets are left: the upper bound of its bucket."""
    rank, seen = math.ceil(sum(counts) * percent / 100), 0
    for bound, count in zip((*BUCKETS, math.inf), counts, strict=True):
        seen += count
        if seen >= rank and seen:
            return bound
    return 0.0


def sparkline(values: Sequence[float]) -> str:
    """A bar a value, the highest in full; a blank where there is nothing."""
    most = max(values, default=0)
    return "".join(" " if value <= 0 else _BARS[math.ceil(value / most * len(_BARS)) - 1] for value in values)
