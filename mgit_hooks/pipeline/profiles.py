"""What operations have been seen to take, and what that says about their next run. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

from mgit_hooks.bulk.outcomes import Outcome, Plan
from mgit_hooks.pipeline.planning import Workload

KEPT: Final = 1000
"""So many times of single items are kept, the newest."""

_ENOUGH: Final = 20  # items, before they are said to be uneven


class PerformanceProfile(NamedTuple):
    """An operation's runs, added up.

    Seconds: ``wall`` of the runs, ``work`` of the items in their workers, ``capacity`` those that all workers had
    together, ``caller`` those in which the caller held an outcome, ``processor`` those of the workers' processors.
    ``times`` are of the newest items. ``result`` is the bytes of a result, on average of those that were looked at.
    """

    operation: str
    runs: int = 0
    items: int = 0
    failed: int = 0
    retried: int = 0
    kinds: tuple[tuple[str, int], ...] = ()  # of failures, and how many
    wall: float = 0.0
    work: float = 0.0
    capacity: float = 0.0
    caller: float = 0.0
    processor: float = 0.0
    result: int | None = None
    times: tuple[float, ...] = ()

    @property
    def throughput(self) -> float:
        """Items a second, while the runs lasted."""
        return self.items / self.wall if self.wall else 0.0

    def percentile(self, part: float) -> float | None:
        """Seconds that so large a part of the newest items took at most; None where there were none."""
        ordered = sorted(self.times)
        return ordered[min(len(ordered) - 1, int(part * len(ordered)))] if ordered else None

    def workload(self, items: int | None) -> Workload:
        """What it lets expect of so many items more."""
        mean = self.work / self.items if self.items else None
        return Workload(items, mean, self.percentile(0.95), self.result)

    def to_json(self) -> dict[str, Any]:
        told = {**self._asdict(), "kinds": dict(self.kinds), "throughput": self.throughput}
        del told["times"]
        return told | {f"p{part}": self.percentile(part / 100) for part in (50, 95, 99)}


class Seen(NamedTuple):
    """One run: its outcomes, and its seconds as in PerformanceProfile."""

    plan: Plan
    outcomes: int
    failures: dict[str, int]
    retried: int
    wall: float
    work: float
    caller: float
    processor: float
    results: list[int]
    times: Sequence[float]


def kind_of(outcome: Outcome) -> str | None:
    """Of an ItemError its kind, of another error the name of its type; None of a value."""
    error = outcome.error
    return None if error is None else getattr(error, "kind", type(error).__name__)


def added(profile: PerformanceProfile, seen: Seen) -> PerformanceProfile:
    kinds = dict(profile.kinds)
    for kind, count in seen.failures.items():
        kinds[kind] = kinds.get(kind, 0) + count
    result = sum(seen.results) // len(seen.results) if seen.results else profile.result
    return profile._replace(
        runs=profile.runs + 1,
        items=profile.items + seen.outcomes,
        failed=profile.failed + sum(seen.failures.values()),
        retried=profile.retried + seen.retried,
        kinds=tuple(sorted(kinds.items())),
        wall=profile.wall + seen.wall,
        work=profile.work + seen.work,
        capacity=profile.capacity + seen.wall * seen.plan.workers,
        caller=profile.caller + seen.caller,
        processor=profile.processor + seen.processor,
        result=result,
        times=(*profile.times, *seen.times)[-KEPT:],
    )


class Bottleneck(NamedTuple):
    """``share`` is of the time that the runs took, 0 to 1; ``where`` is ``items``, ``caller`` or ``idle``."""

    operation: str
    where: str
    share: float
    advice: str


_ADVICE: Final = {
    "items": "the items' own work: more workers (throughput, performance), or less work for each",
    "caller": "whoever takes the outcomes holds each for long: do less with each, or more after the run",
    "idle": "workers without work: smaller batches for uneven items, larger ones for tiny ones",
}


def bottlenecks(profile: PerformanceProfile) -> list[Bottleneck]:
    """Where the time went, the largest part first."""
    if not profile.wall:
        return []
    items = min(1.0, profile.work / profile.capacity)
    caller = min(1.0, profile.caller / profile.wall)
    shares = {"items": items, "caller": caller, "idle": max(0.0, 1 - items - caller)}
    found = [Bottleneck(profile.operation, where, share, _ADVICE[where]) for where, share in shares.items()]
    return sorted(found, key=lambda each: -each.share)


class Recommendation(NamedTuple):
    """``number`` is the one of a Plan, or of ResourceLimits, that ``advice`` is about."""

    operation: str
    number: str
    advice: str


def recommendations(profile: PerformanceProfile, plan: Plan, processors: int) -> Iterator[Recommendation]:
    """What its last run, by ``plan``, and those before it say; nothing where nothing is to be gained."""
    kinds = dict(profile.kinds)

    def say(number: str, advice: str) -> Recommendation:
        return Recommendation(profile.operation, number, advice)

    if kinds.get("timeout"):
        yield say("timeout", f"{kinds['timeout']} items took more than {plan.timeout:g} s: allow more, or find out why")
    if kinds.get("memory"):
        ceiling = (plan.memory or 0) // (1 << 20)
        yield say("memory", f"{kinds['memory']} items needed more than {ceiling:,} MiB: allow more, with fewer workers")
    if kinds.get("died"):
        yield say(
            "max_workers", f"{kinds['died']} workers died: where memory ran out, fewer workers leave more for each"
        )
    if profile.retried:
        yield say("attempts", f"{profile.retried} items were tried again: something else holds what they need")
    if not profile.wall:
        return
    busy = profile.work / profile.capacity
    if busy > 0.8 and plan.workers < processors and profile.caller < profile.wall / 2:
        yield say("strategy", f"workers are busy {busy:.0%} of the time and processors are free: try throughput")
    median, slow = profile.percentile(0.5), profile.percentile(0.95)
    several = plan.workers > 1 and plan.batch > 1 and len(profile.times) >= _ENOUGH
    if several and median and slow and slow > 10 * median and busy < 0.8:
        yield say("batch_size", "a few items take ten times as long as most: hand out fewer at once (performance)")
    if median is not None and median < 0.0005 and plan.batch < 32 and profile.items > 1000:
        yield say("batch_size", "items are tiny: hand out more at once (throughput)")
