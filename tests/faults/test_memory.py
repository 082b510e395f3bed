"""A limit on the address space: what does not fit fails in words, and harms nothing."""

from __future__ import annotations

import pytest
from reliability import Tally

from faults.harness import Bench
from faults.scenes import CHANGED_BY, READ_BY, Scene, set_up

SCENES = [*CHANGED_BY, *READ_BY]


def limit_memory(bench: Bench, scene: Scene, limits: range, tally: Tally) -> int:
    """The number of children that did not get what they needed."""
    failed = 0
    for limit in limits:
        bench.restore()
        ended = bench.run(*scene.operation, memory=limit)
        tally.cases += 1
        failed += ended.status != 0
        tally.lost += [f"{limit} more bytes of memory: {what}" for what in scene.judge(bench, ended)]
    return failed


@pytest.mark.parametrize("name", SCENES)
def test_little_memory(bench: Bench, name: str) -> None:
    tally = Tally()
    limit_memory(bench, set_up(bench, name), range(0, 4 << 20, 2 << 20), tally)
    tally.check()


@pytest.mark.full
@pytest.mark.parametrize("name", SCENES)
def test_each_amount_of_memory(bench: Bench, name: str, tally: Tally) -> None:
    limit_memory(bench, set_up(bench, name), range(0, 6 << 20, 64 << 10), tally)
    tally.check()


def test_the_limit_is_felt(bench: Bench) -> None:
    assert limit_memory(bench, set_up(bench, "verify"), range(0, 1 << 20, 256 << 10), Tally()) > 0
