"""Bulk work by a strategy: the public names of the pipeline's optimization.

What is worked on, and how it is bounded, is mgit_hooks.bulk; which numbers a strategy means, pipeline.planning.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterable, Iterator, Sized
from typing import TYPE_CHECKING, Any, Final

from mgit_hooks.pipeline.planning import OptimizationStrategy, ResourceLimits, Workload, plan, words
from mgit_hooks.pipeline.profiles import (
    KEPT,
    Bottleneck,
    PerformanceProfile,
    Recommendation,
    Seen,
    added,
    bottlenecks,
    kind_of,
    recommendations,
)

if TYPE_CHECKING:
    from mgit_hooks.bulk.outcomes import Outcome, Plan

__all__ = [
    "Bottleneck",
    "OptimizationStrategy",
    "PerformanceProfile",
    "PipelineOptimizer",
    "Recommendation",
    "ResourceLimits",
    "Workload",
    "plan",
    "resource_limits",
    "words",
]

_LOOKED_AT: Final = 64  # one in so many results is measured


def resource_limits(**limits: Any) -> ResourceLimits:
    """What the machine and its control groups grant, and what the user allows of that by name."""
    from mgit_hooks.machine import machine

    granted = machine()
    return ResourceLimits(granted.processors, granted.memory)._replace(**limits)


class PipelineOptimizer:
    """Runs operations over many items by a strategy, and learns from each run what the next one's numbers should be.

    ``limits`` are the machine's where none are given. Raises ValueError on an unknown strategy and on limits that make
    no sense.
    """

    def __init__(
        self,
        strategy: OptimizationStrategy | str = OptimizationStrategy.BALANCED,
        limits: ResourceLimits | None = None,
    ) -> None:
        self.limits = resource_limits() if limits is None else limits
        self.last_plan = plan(strategy, Workload(), self.limits)
        self.strategy = OptimizationStrategy(strategy)
        self._profiles: dict[str, PerformanceProfile] = {}
        self._runs: dict[str, int] = {}

    def plan_for(
        self, operation_type: str, items: int | None, strategy: OptimizationStrategy | str | None = None
    ) -> Plan:
        """The numbers for so many items (None: unknown), after what earlier runs of that type have shown."""
        known = self._profiles.get(operation_type)
        workload = Workload(items) if known is None else known.workload(items)
        return plan(self.strategy if strategy is None else strategy, workload, self.limits)

    def optimize_operation(
        self,
        operation: Callable[[Any], Any],
        items: Iterable[Any],
        strategy: OptimizationStrategy | str | None = None,
        *,
        operation_type: str | None = None,
    ) -> Iterator[Outcome]:
        """What comes of ``operation`` for each item, in their order, as soon as it is there.

        Those that fail are outcomes with an error; the others are done. ``operation`` is one at the top of a module (or
        a functools.partial of one), and may be a coroutine function. Runs of one ``operation_type`` (the operation's
        name, where none is given) are measured together. Raises as ``mgit_hooks.bulk.run``.
        """
        from mgit_hooks import bulk

        watch = self._begin(operation, items, strategy, operation_type)
        return self._watched(bulk.run(items, operation, watch.plan), watch)

    def optimize_async_operation(
        self,
        operation: Callable[[Any], Any],
        items: Iterable[Any],
        strategy: OptimizationStrategy | str | None = None,
        *,
        operation_type: str | None = None,
    ) -> AsyncIterator[Outcome]:
        """As ``optimize_operation``, for ``async for``: the event loop goes on meanwhile."""
        from mgit_hooks import bulk

        watch = self._begin(operation, items, strategy, operation_type)
        return self._awaited(bulk.arun(items, operation, watch.plan), watch)

    def get_optimization_recommendations(self, operation_type: str | None = None) -> list[Recommendation]:
        """What would serve the operations seen so far better, of one type or of all; [] where nothing would."""
        return [
            found
            for profile in self._chosen(operation_type)
            for found in recommendations(profile, self.last_plan, self.limits.processors)
        ]

    def analyze_performance_bottlenecks(self, operation_type: str | None = None) -> list[Bottleneck]:
        """Where the time of the operations seen so far went; of each, the largest part first."""
        return [found for profile in self._chosen(operation_type) for found in bottlenecks(profile)]

    def get_optimization_statistics(self) -> dict[str, Any]:
        profiles = self._profiles.values()
        return {
            "strategy": str(self.strategy),
            "runs": sum(self._runs.values()),
            "runs_by_strategy": dict(self._runs),
            "items": sum(profile.items for profile in profiles),
            "failed": sum(profile.failed for profile in profiles),
            "retried": sum(profile.retried for profile in profiles),
            "limits": self.limits._asdict(),
            "operations": {name: profile.to_json() for name, profile in self._profiles.items()},
        }

    def profile(self, operation_type: str) -> PerformanceProfile:
        """What is known of it; a profile of no runs where nothing is."""
        return self._profiles.get(operation_type, PerformanceProfile(operation_type))

    def _chosen(self, operation_type: str | None) -> list[PerformanceProfile]:
        return list(self._profiles.values()) if operation_type is None else [self.profile(operation_type)]

    def _begin(
        self,
        operation: Callable[[Any], Any],
        items: Iterable[Any],
        strategy: OptimizationStrategy | str | None,
        operation_type: str | None,
    ) -> _Watch:
        inner = getattr(operation, "func", operation)
        named = inner if hasattr(inner, "__qualname__") else type(inner)
        name = operation_type or f"{named.__module__}.{named.__qualname__}"
        chosen = self.strategy if strategy is None else strategy
        self.last_plan = self.plan_for(name, len(items) if isinstance(items, Sized) else None, chosen)
        return _Watch(name, str(chosen), self.last_plan)

    def _watched(self, outcomes: Generator[Outcome], watch: _Watch) -> Iterator[Outcome]:
        try:
            for outcome in outcomes:
                watch.take(outcome)
                yield outcome
                watch.goes_on()
        finally:
            outcomes.close()
            self._end(watch)

    async def _awaited(self, outcomes: AsyncGenerator[Outcome], watch: _Watch) -> AsyncIterator[Outcome]:
        try:
            async for outcome in outcomes:
                watch.take(outcome)
                yield outcome
                watch.goes_on()
        finally:
            await outcomes.aclose()
            self._end(watch)

    def _end(self, watch: _Watch) -> None:
        self._profiles[watch.operation] = added(self.profile(watch.operation), watch.seen())
        self._runs[watch.strategy] = self._runs.get(watch.strategy, 0) + 1


class _Watch:
    """One run as it goes."""

    def __init__(self, operation: str, strategy: str, chosen: Plan) -> None:
        self.operation, self.strategy, self.plan = operation, strategy, chosen
        self._began = self._given = time.monotonic()
        self._processor = _of_children()
        self._caller = 0.0
        self._items = self._retried = 0
        self._failures: dict[str, int] = {}
        self._results: list[int] = []
        self._times: deque[float] = deque(maxlen=KEPT)
        self._work = 0.0

    def take(self, outcome: Outcome) -> None:
        kind = kind_of(outcome)
        if kind is not None:
            self._failures[kind] = self._failures.get(kind, 0) + 1
        elif self._items % _LOOKED_AT == 0:
            import pickle

            self._results.append(len(pickle.dumps(outcome.value, 5)))
        self._items += 1
        self._retried += outcome.attempts > 1
        self._times.append(outcome.seconds)
        self._work += outcome.seconds
        self._given = time.monotonic()

    def goes_on(self) -> None:
        self._caller += time.monotonic() - self._given

    def seen(self) -> Seen:
        wall = time.monotonic() - self._began
        processor = _of_children() - self._processor
        return Seen(
            self.plan, self._items, self._failures, self._retried, wall, self._work, self._caller, processor,
            self._results, tuple(self._times),
        )  # fmt: skip


def _of_children() -> float:
    import resource

    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
