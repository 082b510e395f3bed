"""SIGKILL at every system call that touches our files: nothing reported is lost, nothing is false or doubled."""

from __future__ import annotations

import pytest
from reliability import Tally

from faults.harness import Bench, Call, spread
from faults.scenes import CHANGED_BY, Scene, set_up

PARTS = 4


def kill_at(bench: Bench, scene: Scene, calls: list[Call], tally: Tally) -> None:
    """A child killed on entering each of the calls. A planned one that did not come to pass is not counted."""
    for call in calls:
        ended = bench.kill(call, *scene.operation)
        where = f"killed at {call.name} {call.nth} of {call.path}"
        if ended.status != -9:
            tally.skipped.append(where)
            continue
        tally.cases += 1
        tally.lost += [f"{where}: {what}" for what in scene.judge(bench, ended)]


@pytest.mark.parametrize("name", CHANGED_BY)
def test_killed_at_some_calls_of_each_kind(traced: Bench, name: str) -> None:
    tally = Tally()
    scene = set_up(traced, name)
    kill_at(traced, scene, spread(traced.calls(*scene.operation), 10), tally)
    tally.check()
    assert tally.cases >= 8
    assert tally.skipped == []


@pytest.mark.full
@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("name", CHANGED_BY)
def test_killed_at_every_call(traced: Bench, name: str, part: int, tally: Tally) -> None:
    scene = set_up(traced, name)
    every = traced.calls(*scene.operation)
    calls = every[part::PARTS]
    tally.whole = (name, len(every))
    kill_at(traced, scene, calls, tally)
    tally.check()
    assert len(tally.skipped) <= len(calls) // 50


@pytest.mark.parametrize(("name", "bug"), [("append", "tells before writing"), ("install", "writes hooks in place")])
def test_a_planted_bug_is_caught(traced: Bench, name: str, bug: str) -> None:
    tally = Tally()
    scene = set_up(traced, name)
    traced.more["plant"] = bug
    calls = traced.calls(*scene.operation)
    writes = [call for call in calls if call.name == "write" and call.path.endswith((".seg", ".seg.new", "-commit"))]
    kill_at(traced, scene, writes[:12], tally)
    assert [what for what in tally.lost if "LOST" in what or "half a hook" in what]
