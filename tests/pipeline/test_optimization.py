"""The public names of optimization, and that every number of a plan does something."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from bulk import doing

import mgit_hooks.pipeline
from mgit_hooks import bulk
from mgit_hooks.bulk import ItemError, Outcome, Plan, starting
from mgit_hooks.changesets import ChangesetStorage
from mgit_hooks.changesets.shapes import ChangesetCollection
from mgit_hooks.pipeline import OptimizationStrategy, PerformanceProfile, PipelineOptimizer, ResourceLimits
from mgit_hooks.pipeline.optimization import resource_limits
from mgit_hooks.pipeline.profiles import Seen, added, bottlenecks, recommendations

MIB = 1 << 20
TWO = ResourceLimits(2, 1 << 30)


def test_the_names_are_exported() -> None:
    for name in ("OptimizationStrategy", "ResourceLimits", "PerformanceProfile", "PipelineOptimizer"):
        assert getattr(mgit_hooks.pipeline, name) is getattr(mgit_hooks.pipeline.optimization, name)
        assert name in mgit_hooks.pipeline.__all__


@pytest.mark.parametrize("strategy", [*OptimizationStrategy, *map(str, OptimizationStrategy)])
def test_each_strategy_does_all_items_in_order(strategy: OptimizationStrategy | str) -> None:
    optimizer = PipelineOptimizer(strategy, TWO)
    found = list(optimizer.optimize_operation(doing.double, range(30)))
    assert [each.value for each in found] == [2 * item for item in range(30)]
    assert optimizer.strategy == strategy


def test_an_unknown_strategy_is_refused_before_anything_runs() -> None:
    with pytest.raises(ValueError, match="balanced, performance"):
        PipelineOptimizer("fastest")
    with pytest.raises(ValueError, match="balanced, performance"):
        PipelineOptimizer(limits=TWO).optimize_operation(doing.double, [1], "fastest")


def test_partial_success_is_told_and_counted() -> None:
    optimizer = PipelineOptimizer("throughput", TWO._replace(timeout=0.5, attempts=2))
    kinds = ["fine", "raise", "kill", "hang", "busy", "also fine"]
    found = list(optimizer.optimize_operation(doing.misbehave, kinds, operation_type="mixed"))
    assert [each.value for each in found] == ["fine", None, None, None, None, "also fine"]
    told = optimizer.get_optimization_statistics()
    assert (told["runs"], told["items"], told["failed"], told["retried"]) == (1, 6, 4, 1)
    assert told["runs_by_strategy"] == {"throughput": 1}
    mixed = told["operations"]["mixed"]
    assert mixed["kinds"] == {"ValueError": 1, "died": 1, "timeout": 1, "OSError": 1}
    advised = {each.number for each in optimizer.get_optimization_recommendations("mixed")}
    assert advised >= {"timeout", "max_workers", "attempts"}
    assert optimizer.get_optimization_recommendations("never run") == []
    shares = optimizer.analyze_performance_bottlenecks()
    assert {each.where for each in shares} == {"items", "caller", "idle"}
    assert [each.share for each in shares] == sorted((each.share for each in shares), reverse=True)


def test_the_next_run_is_planned_by_what_the_last_one_took() -> None:
    optimizer = PipelineOptimizer("throughput", ResourceLimits(8, None))
    before = optimizer.plan_for("nap", 50)
    assert dict(before.reasons)["batch"] == "nothing is measured yet"
    list(optimizer.optimize_operation(doing.nap, [0.02] * 6, operation_type="nap"))
    after = optimizer.plan_for("nap", 50)
    assert after.batch < before.batch
    assert "of work at 0.0" in dict(after.reasons)["batch"]
    profile = optimizer.profile("nap")
    assert isinstance(profile, PerformanceProfile)
    assert (profile.runs, profile.items, profile.failed) == (1, 6, 0)
    assert 0.02 <= (profile.percentile(0.5) or 0) < 1
    assert profile.result == 21  # bytes of a pickled number
    assert 0 < profile.throughput < 400


def test_the_async_api_awaits_the_same_work() -> None:
    optimizer = PipelineOptimizer("latency", TWO)

    async def main() -> list[Outcome]:
        found = []
        async for outcome in optimizer.optimize_async_operation(doing.double_later, [1, 2, 3], operation_type="later"):
            found.append(outcome)
        return found

    assert [each.value for each in asyncio.run(main())] == [2, 4, 6]
    assert optimizer.get_optimization_statistics()["operations"]["later"]["items"] == 3


def test_a_run_that_is_left_early_is_counted_as_far_as_it_came() -> None:
    optimizer = PipelineOptimizer("balanced", TWO)
    run = optimizer.optimize_operation(doing.double, range(100), operation_type="left")
    assert next(run).value == 0
    run.close()  # type: ignore[attr-defined]
    assert optimizer.profile("left").items == 1


def test_limits_are_the_machines_where_none_are_given() -> None:
    given = resource_limits(max_workers=3, timeout=5)
    assert 1 <= given.processors <= len(os.sched_getaffinity(0))
    assert (given.max_workers, given.timeout) == (3, 5)
    assert PipelineOptimizer().limits.processors == given.processors


def seen(**numbers: Any) -> PerformanceProfile:
    plan = Plan(workers=2, batch=8, timeout=5, memory=200 * MIB)
    base = Seen(plan, 10, {}, 0, 1.0, 1.0, 0.0, 1.0, [100], [0.1] * 10)
    return added(PerformanceProfile("some"), base._replace(**numbers))


# What was seen, and the numbers that are advised on: with two workers and eight processors.
ADVICE: list[tuple[dict[str, Any], set[str]]] = [
    ({}, set()),
    ({"failures": {"timeout": 2}}, {"timeout"}),
    ({"failures": {"memory": 1}}, {"memory"}),
    ({"failures": {"died": 1}}, {"max_workers"}),
    ({"retried": 3}, {"attempts"}),
    ({"work": 1.9}, {"strategy"}),
    ({"work": 1.9, "caller": 0.8}, set()),
    ({"times": [0.01] * 27 + [0.9] * 3}, {"batch_size"}),
    ({"times": [0.01] * 9 + [0.9]}, set()),
    ({"times": [0.0001] * 10, "outcomes": 5000}, {"batch_size"}),
]


@pytest.mark.parametrize(("numbers", "advised"), ADVICE)
def test_what_is_advised(numbers: dict[str, Any], advised: set[str]) -> None:
    plan = Plan(workers=2, batch=8, timeout=5, memory=200 * MIB)
    assert {each.number for each in recommendations(seen(**numbers), plan, 8)} == advised


@pytest.mark.parametrize(
    ("numbers", "where"),
    [({"work": 1.9}, "items"), ({"work": 0.1, "caller": 0.9}, "caller"), ({"work": 0.1}, "idle")],
)
def test_the_bottleneck_is_named_first(numbers: dict[str, Any], where: str) -> None:
    assert bottlenecks(seen(**numbers))[0].where == where
    assert bottlenecks(PerformanceProfile("none")) == []


# Each number of a plan, shown by what it does. Workers, time-out, memory, attempts, niceness: tests/bulk/test_run.py.


def taken_before_the_first(plan: Plan) -> int:
    """How many items a run has taken from their iterator by the first outcome."""
    taken = 0

    def items() -> Iterator[float]:
        nonlocal taken
        for _ in range(100):
            taken += 1
            yield 0.2

    run = bulk.run(items(), doing.nap, plan, how="fork")
    next(run)
    run.close()
    return taken


def test_the_batch_is_what_a_worker_is_handed_at_once() -> None:
    assert taken_before_the_first(Plan(batch=1, prefetch=50)) == 2  # one is done, and the next one is handed out
    assert taken_before_the_first(Plan(batch=10, prefetch=50)) == 10


def test_prefetch_bounds_what_is_taken_ahead() -> None:
    assert taken_before_the_first(Plan(batch=10, prefetch=3)) == 3


@pytest.mark.parametrize(("gradual", "started"), [(True, 1), (False, 3)])
def test_a_gradual_run_starts_one_worker_before_the_first_outcome(gradual: bool, started: int) -> None:
    running: list[int] = []
    start = starting.start

    def watched(*given: Any) -> Any:
        made = start(*given)
        running.append(made[0].pid)
        return made

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(starting, "start", watched)
        run = bulk.run([0.01] * 6, doing.nap, Plan(workers=3, prefetch=6, gradual=gradual), how="fork")
        next(run)
        assert len(running) == started
        assert [each.value for each in run] == [0.01] * 5
    assert len(running) == 3


def test_a_gradual_run_waits_no_longer_than_so_for_a_slow_first_one() -> None:
    plan = Plan(workers=2, prefetch=6, gradual=True)
    found = list(bulk.run([1.0, 0.0, 0.0], doing.nap_and_tell, plan, how="fork"))
    assert found[0].value != found[1].value == found[2].value


def test_processors_are_shared_by_the_workers() -> None:
    free = len(os.sched_getaffinity(0))
    for processors, count in ((None, free), (1, 1)):
        plan = Plan(workers=2, processors=processors, prefetch=4)
        found = [each.value for each in bulk.run([0.1] * 4, doing.processors, plan, how="fork")]
        assert {len(each) for each in found} == {count}
        assert len(set(found)) == 1


@pytest.mark.parametrize("how", ["fork", "spawn"])
def test_the_cache_is_what_git_objects_may_take(how: str) -> None:
    """From the item on that comes after the one which loads the library, where that is not loaded before all."""
    found = list(bulk.run([None, None], doing.object_cache, Plan(cache=3 * MIB), how=how))
    assert found[1].value == 3 * MIB


def test_codec_and_quality_are_how_a_collection_is_stored(tmp_path: Path) -> None:
    """Strategies differ in what they store: here by the size of the file."""
    text = {path.name: path.read_text() for path in sorted(Path(__file__).parent.glob("*.py"))}
    sizes = {}
    for strategy in ("balanced", "throughput", "latency"):
        plan = PipelineOptimizer(strategy, TWO).last_plan
        storage = ChangesetStorage(str(tmp_path / strategy), method=plan.codec, quality=plan.quality)
        storage.save_changeset_collection(ChangesetCollection("c", "2026-01-01T00:00:00Z", "", {}, text))
        sizes[strategy] = (tmp_path / strategy / "c.mgitc").stat().st_size
    assert sizes["balanced"] < sizes["throughput"] < sizes["latency"]


def test_a_partial_is_an_operation_and_is_named_by_its_function() -> None:
    optimizer = PipelineOptimizer(limits=TWO)
    found = list(optimizer.optimize_operation(partial(pow, 2), [3, 4]))
    assert [each.value for each in found] == [8, 16]
    assert list(optimizer.get_optimization_statistics()["operations"]) == ["builtins.pow"]


class Doubling:
    def __call__(self, number: int) -> int:
        return 2 * number


def test_an_object_that_can_be_called_is_an_operation_and_is_named_by_its_class() -> None:
    optimizer = PipelineOptimizer(limits=TWO)
    found = list(optimizer.optimize_operation(Doubling(), [3, 4]))
    assert [each.value for each in found] == [6, 8]
    assert list(optimizer.get_optimization_statistics()["operations"]) == [f"{__name__}.Doubling"]


def test_a_ceiling_that_was_asked_for_holds() -> None:
    optimizer = PipelineOptimizer("performance", TWO._replace(max_memory=200 * MIB))
    found = list(optimizer.optimize_operation(doing.allocate, [MIB, 500 * MIB, 2 * MIB]))
    assert [each.value for each in found] == [MIB, None, 2 * MIB]
    assert isinstance(found[1].error, ItemError)
    assert found[1].error.kind == "memory"
    assert {each.number for each in optimizer.get_optimization_recommendations()} == {"memory"}
