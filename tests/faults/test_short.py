"""Writes that take only a part, limits on a file's size, and signals that interrupt."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from reliability import Tally

from faults.adverse import SHORT
from faults.harness import Bench
from faults.scenes import Scene, set_up

WRITING = ["append", "rotate", "drain", "compact", "repair"]


def shorten_each(bench: Bench, scene: Scene, stride: int, tally: Tally) -> None:
    """A child for every ``stride``th write, each way to shorten it, once and from then on."""
    for how in SHORT:
        for for_good in (False, True):
            nth = 1
            while True:
                bench.restore()
                ended = bench.run(*scene.operation, short=[how, nth, for_good], **bench.more)
                if "SHORT" not in ended.err:
                    break
                tally.cases += 1
                where = f"{how} of write {nth}{' and of all later ones' if for_good else ''}"
                tally.lost += [f"{where}: {what}" for what in scene.judge(bench, ended)]
                if ended.status:
                    tally.lost.append(f"{where}: a short write is no failure: {ended}")
                nth += stride


@pytest.mark.parametrize("name", WRITING)
def test_short_writes(bench: Bench, name: str) -> None:
    tally = Tally()
    shorten_each(bench, set_up(bench, name), 6, tally)
    tally.check()
    assert tally.cases >= 6


@pytest.mark.full
@pytest.mark.parametrize("name", WRITING)
def test_each_write_short(bench: Bench, name: str, tally: Tally) -> None:
    shorten_each(bench, set_up(bench, name), 1, tally)
    tally.check()
    assert tally.cases >= 6


def test_a_short_write_that_is_taken_for_whole_is_caught(bench: Bench) -> None:
    tally = Tally()
    scene = set_up(bench, "append")
    bench.more["plant"] = "takes short writes for whole"
    shorten_each(bench, scene, 2, tally)
    assert [what for what in tally.lost if "LOST" in what]


def limit_file_size(bench: Bench, scene: Scene, limits: Iterator[int], tally: Tally) -> None:
    """Under a limit the kernel takes what still fits of a write, and fails the next."""
    for limit in limits:
        bench.restore()
        ended = bench.run(*scene.operation, file_size=limit, **bench.more)
        tally.cases += 1
        tally.lost += [f"files of at most {limit} bytes: {what}" for what in scene.judge(bench, ended)]


@pytest.mark.parametrize("name", WRITING)
def test_limits_on_the_size_of_a_file(bench: Bench, name: str) -> None:
    tally = Tally()
    limit_file_size(bench, set_up(bench, name), iter(range(0, 6000, 750)), tally)
    tally.check()


@pytest.mark.full
@pytest.mark.parametrize("name", WRITING)
def test_every_limit_on_the_size_of_a_file(bench: Bench, name: str, tally: Tally) -> None:
    limits = (*range(0, 6000, 11), *range(6000, 120_000, 1021))
    limit_file_size(bench, set_up(bench, name), iter(limits), tally)
    tally.check()


def take_a_part_then_fail(bench: Bench, name: str, tally: Tally) -> None:
    """Half of each write is taken, and the other half meets a disk that is full for a moment."""
    scene = set_up(bench, name)
    writes = [call for call in bench.calls(*scene.operation) if call.name == "write"]
    for call in writes:
        bench.more["short"] = ["half", call.nth, False]
        rest = call._replace(nth=call.nth + 1)
        ended = bench.fail(rest, "ENOSPC", (), "once", *scene.operation)
        where = f"half of write {call.nth} of {call.path}"
        if not ended.hits:
            tally.skipped.append(where)
            continue
        tally.cases += 1
        tally.lost += [f"{where}: {what}" for what in scene.judge(bench, ended)]


@pytest.mark.parametrize("name", ["append", "rotate"])
def test_a_part_is_written_and_then_no_more(traced: Bench, name: str) -> None:
    tally = Tally()
    take_a_part_then_fail(traced, name, tally)
    tally.check()
    assert tally.cases >= 6


def test_a_part_that_is_left_behind_is_caught(traced: Bench) -> None:
    tally = Tally()
    traced.more["plant"] = "leaves what was written"
    take_a_part_then_fail(traced, "append", tally)
    assert [what for what in tally.lost if "not clean" in what]


@pytest.mark.parametrize("name", WRITING)
def test_signals_all_the_time(bench: Bench, name: str) -> None:
    """Python calls again what a signal interrupts; nothing of it may show."""
    scene = set_up(bench, name)
    for _ in range(3):
        bench.restore()
        ended = bench.run(*scene.operation, signals=0.0003)
        assert ended.status == 0, ended
        assert scene.judge(bench, ended) == []
