"""The numbers of each strategy, and what changes them."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

from mgit_hooks.bulk import Plan
from mgit_hooks.bulk.outcomes import require
from mgit_hooks.pipeline.planning import OptimizationStrategy, ResourceLimits, Workload, plan, words

MIB = 1 << 20
GIB = 1 << 30
ALL = list(OptimizationStrategy)
EIGHT = ResourceLimits(8, 16 * GIB)


def of(strategy: str, workload: Workload | None = None, **limits: Any) -> Plan:
    return plan(strategy, workload or Workload(), EIGHT._replace(**limits))


def test_the_five_strategies_by_their_names() -> None:
    assert [str(each) for each in ALL] == ["balanced", "performance", "efficiency", "throughput", "latency"]
    with pytest.raises(ValueError, match="none of balanced, performance, efficiency, throughput, latency"):
        of("fastest")


# Eight processors, 16 GiB free, nothing measured.
NUMBERS = {
    "balanced": (4, 8, 64, 300, 1024 * MIB, 3, 0, None, 16 * MIB, "zstd", "balanced", False),
    "performance": (9, 1, 72, 300, 12 * GIB // 9, 3, 0, None, 32 * MIB, "zstd", "fast", False),
    "efficiency": (1, 4, 4, 600, 512 * MIB, 3, 10, 1, 2 * MIB, "zstd", "fast", False),
    "throughput": (9, 32, 1152, 300, 1024 * MIB, 3, 0, None, 16 * MIB, "zstd", "fast", False),
    "latency": (8, 1, 16, 60, 1024 * MIB, 2, 0, None, 16 * MIB, "snappy", "fast", True),
}


@pytest.mark.parametrize("strategy", ALL)
def test_the_numbers_of_each_strategy(strategy: str) -> None:
    assert of(strategy)[:-1] == NUMBERS[strategy]


@pytest.mark.parametrize("strategy", ALL)
def test_each_number_has_its_reason_and_is_told(strategy: str) -> None:
    chosen = of(strategy, Workload(200))
    assert [name for name, _ in chosen.reasons] == [name for name in Plan._fields if name != "reasons"]
    assert all(reason for _, reason in chosen.reasons)
    said = words(strategy, chosen)
    assert said[0].startswith(f"strategy {strategy}: ")
    assert [line.split()[0] for line in said[1:]] == [name for name, _ in chosen.reasons]


# What is known or allowed, the number that it changes, to what, and a word of the reason.
CHANGES = [
    ("throughput", Workload(items=3), {}, "workers", 3, "than there are items"),
    ("throughput", Workload(items=100, seconds=0.0006), {}, "workers", 3, "longer to start than it saves"),
    ("throughput", Workload(items=100, seconds=0.0001), {}, "workers", 1, "longer to start than it saves"),
    ("throughput", Workload(items=100, seconds=1), {}, "workers", 9, "8 processors, and 1 while"),
    ("throughput", Workload(), {"memory": 256 * MIB}, "workers", 3, "256 MiB are free"),
    ("throughput", Workload(), {"max_workers": 2}, "workers", 2, "allowed"),
    ("throughput", Workload(), {"cpu_share": 0.5}, "workers", 4, "4 of 8 processors"),
    ("throughput", Workload(), {"cpu_share": 0.5}, "processors", 4, "50% of 8"),
    ("throughput", Workload(), {"cpu_share": 0.01}, "workers", 1, "1 of 8 processors"),
    ("performance", Workload(), {"cpu_share": 0.5}, "workers", 4, "4 of 8 processors"),
    ("performance", Workload(), {}, "workers", 9, "waits for the disk"),
    ("balanced", Workload(), {"processors": 2}, "workers", 1, "1 of 2 processors"),
    ("balanced", Workload(), {"processors": 1}, "workers", 1, "1 of 1 processors"),
    ("throughput", Workload(seconds=0.001), {}, "batch", 200, "0.2 s of work at 0.001 s"),
    ("throughput", Workload(seconds=0), {}, "batch", 1024, "0.2 s of work"),
    ("throughput", Workload(seconds=5), {}, "batch", 1, "0.2 s of work at 5 s"),
    ("latency", Workload(seconds=0.001), {}, "batch", 1, "behind another"),
    ("latency", Workload(), {"batch_size": 200}, "batch", 200, "asked for"),
    ("throughput", Workload(), {"memory": GIB}, "memory", 768 * MIB // 9, "75% of the 1,024 MiB"),
    ("throughput", Workload(), {"max_memory": 70 * MIB}, "memory", 70 * MIB, "allowed"),
    ("throughput", Workload(), {"memory": None}, "memory", GIB, "beyond what it begins with"),
    ("efficiency", Workload(need=800 * MIB), {}, "memory", 800 * MIB, "known to take"),
    ("efficiency", Workload(need=80 * MIB), {}, "memory", 512 * MIB, "of one worker"),
    ("throughput", Workload(need=800 * MIB), {"memory": 4 * GIB}, "workers", 3, "4,096 MiB are free"),
    ("throughput", Workload(result=4 * MIB), {}, "prefetch", 64, "quarter of a worker's ceiling"),
    ("throughput", Workload(result=GIB), {}, "prefetch", 9, "quarter of a worker's ceiling"),
    ("latency", Workload(longest=10), {}, "timeout", 200.0, "20 times the 10 s"),
    ("latency", Workload(longest=1), {}, "timeout", 60, "no longer worth"),
    ("latency", Workload(longest=10), {"timeout": 5}, "timeout", 5, "asked for"),
    ("latency", Workload(), {"attempts": 1}, "attempts", 1, "asked for"),
]  # fmt: skip


@pytest.mark.parametrize(("strategy", "workload", "limits", "number", "value", "reason"), CHANGES)
def test_what_is_known_and_what_is_allowed_change_the_numbers(
    strategy: str, workload: Workload, limits: dict[str, Any], number: str, value: Any, reason: str
) -> None:
    chosen = of(strategy, workload, **limits)
    assert getattr(chosen, number) == value
    assert reason in dict(chosen.reasons)[number]


def test_every_plan_makes_sense_and_stays_below_what_is_free() -> None:
    loads = (Workload(), Workload(0, 0, 0, 0), Workload(10**6, 1e-7, 100, 10**10))
    memories = (None, 1, MIB, 100 * MIB, 64 * GIB)
    for strategy, workload, memory, processors in product(ALL, loads, memories, (1, 2, 3, 64)):
        chosen = require(plan(strategy, workload, ResourceLimits(processors, memory)))
        assert chosen.workers <= processors + (strategy in ("performance", "throughput"))
        assert chosen.memory is not None
        assert memory is None or chosen.workers * chosen.memory <= memory


@pytest.mark.parametrize(
    "limits",
    [{"cpu_share": 0}, {"cpu_share": 1.1}, {"timeout": 0}, {"batch_size": 0}, {"max_workers": 0}, {"max_memory": 0},
     {"processors": 0}, {"attempts": 0}],
)  # fmt: skip
def test_limits_that_make_no_sense_are_refused(limits: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(limits))):
        of("balanced", **limits)
