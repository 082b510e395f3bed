"""Clocks ten years off, in both directions, between any two steps: only numbers order, and nothing is lost."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import pytest
from conftest import Repo
from journal.making import append
from journal.making import records as stored
from recording import Recording, records
from test_drain import is_whole

from mgit_hooks.cli import main
from mgit_hooks.journal import bundling, generations, reader, writer
from mgit_hooks.journal.format import SEGMENT, segment_info
from mgit_hooks.journal.segment import Located
from mgit_hooks.journal.verify import verify
from mgit_hooks.recorder import spool
from mgit_hooks.recorder.drain import drain
from mgit_hooks.recorder.event import HookEvent

TEN_YEARS = 10 * 365 * 86400
_TIME, _TIME_NS = time.time, time.time_ns

# The how manieth time that a drain asks what time it is.
JUMPS = (1, 2, 3, 5, 8)

Clock = Callable[[int], None]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Sets what this process takes for the time, and git with it, to so many seconds from now."""

    def to(offset: int) -> None:
        monkeypatch.setattr(time, "time", lambda: _TIME() + offset)
        monkeypatch.setattr(time, "time_ns", lambda: _TIME_NS() + offset * 10**9)
        for role in ("AUTHOR", "COMMITTER"):
            monkeypatch.setenv(f"GIT_{role}_DATE", f"{int(_TIME()) + offset} +0000")

    return to


@pytest.fixture
def work(repo: Repo) -> Recording:
    return Recording(repo)


def test_appends(tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "SEGMENT_TARGET", 600)
    journal = str(tmp_path / "mgit" / "journal")
    chance = Random(1)
    for number in range(60):
        clock(chance.choice([-TEN_YEARS, 0, TEN_YEARS]))
        (item,) = append(journal, [b"%d" % number * 20])
        assert item.seq == number + 1
    assert [each.payload for each in stored(journal)] == [b"%d" % number * 20 for number in range(60)]
    assert verify(journal).is_clean
    frames = [item.frame for item in reader.frames(journal) if isinstance(item, Located)]
    made = [segment_info(frame).created for frame in frames if frame.kind == SEGMENT]
    assert made != sorted(made), "the clock went back between two segments"


def a_day(work: Recording, number: int) -> None:
    work.commit(f"{number} one")
    work.commit(f"{number} two")
    work.git("commit", "-q", "--amend", "-m", f"{number} better")
    work.git("push", "-q", "origin", f"HEAD:refs/heads/b{number}")
    work.git("checkout", "-q", "-b", f"branch-{number}")


@pytest.mark.parametrize("offsets", [(0, 1, -1, 0), (1, 0, -1, 1), (-1, 1, 0, -1), (1, -1, 1, -1)])
@pytest.mark.parametrize("lost", ["", "state.json", "index.sqlite"])
def test_days_that_are_out_of_order(
    work: Recording, bare: Repo, clock: Clock, offsets: tuple[int, ...], lost: str
) -> None:
    work.git("remote", "add", "origin", bare.path)
    for number, offset in enumerate(offsets):
        clock(offset * TEN_YEARS)
        a_day(work, number)
        if lost:
            Path(work.location.mgit_dir, lost).unlink(missing_ok=True)
        is_whole(work)
    told = [record.push.refs[0].remote_ref for record in work.pushes() if record.push is not None]
    assert told == [f"refs/heads/b{number}" for number in range(4)]
    assert len(work.records("amend")) == 4
    assert len(work.records("checkout")) == 4
    order = [name for name in work.made() if name.endswith(" one")]
    assert order == [f"commit {number} one" for number in range(4)]


@pytest.mark.parametrize("offset", [TEN_YEARS, -TEN_YEARS])
def test_a_clock_that_jumps_in_the_middle_of_a_drain(
    work: Recording, bare: Repo, monkeypatch: pytest.MonkeyPatch, offset: int
) -> None:
    """At some of the moments at which a drain asks for the time, each in its turn; before the next it is set right."""
    work.git("remote", "add", "origin", bare.path)
    asked = 0
    for number, at in enumerate(JUMPS):
        asked = 0

        def now(at: int = at) -> int:
            nonlocal asked
            asked += 1
            return _TIME_NS() + (offset * 10**9 if asked >= at else 0)

        work.commit(f"{number} one")
        work.git("push", "-q", "origin", f"HEAD:refs/heads/b{number}")
        work.git("tag", f"t{number}")
        with monkeypatch.context() as patch:
            patch.setattr(time, "time", lambda: now() / 10**9)
            patch.setattr(time, "time_ns", now)
            drain(work.location, wait=60.0)
        before = len(work.all())
        is_whole(work)
        assert len(work.all()) == before, "what was told is told again"
    assert asked >= JUMPS[-1], "the last jump was after the end"
    assert [name for name in work.made() if name.endswith(" one")] == [f"commit {n} one" for n in range(len(JUMPS))]
    assert len(work.pushes()) == len(JUMPS)


@pytest.mark.parametrize("offset", [TEN_YEARS, -TEN_YEARS])
def test_recording_that_began_by_a_wrong_clock(repo: Repo, clock: Clock, offset: int) -> None:
    """The state is lost, and when recording began tells nothing of which reflog entries are new: none may be left out.

    One from before may be told too, where recording began by a clock that was behind.
    """
    repo.commit("before recording")
    clock(offset)
    work = Recording(repo)
    clock(0)
    work.commit("one")
    work.git("commit", "-q", "--amend", "-m", "better")
    Path(work.location.mgit_dir, "state.json").unlink()
    work.check()
    assert work.made()[-2:] == ["commit one", "amend better"]


@pytest.mark.parametrize("offset", [TEN_YEARS, -TEN_YEARS])
def test_a_spool_that_is_rotated(work: Recording, clock: Clock, monkeypatch: pytest.MonkeyPatch, offset: int) -> None:
    monkeypatch.setattr(spool, "ROTATE_AT", 1)
    folder = work.location.spool_dir
    clock(offset)
    for number in range(5):
        line = f"refs/heads/main {'1' * 40} refs/heads/b{number} {'0' * 40}\n"
        said = HookEvent("pre-push", 999_999, "o", "main-worktree", None, ("origin", "url", line))
        spool.append(folder, said, sync=False)
        work.drain()
    assert len(work.pushes()) == 5
    assert [name for name in os.listdir(folder) if name != "now"] == [], "a file of the spool stays for ten years"


def newest(work: Recording, clock: Clock) -> tuple[list[int], list[int]]:
    """The last seqs of the generations that were made, and of those that retention left; the clock goes back."""
    folder = generations.folder(work.location.mgit_dir)
    made = []
    for number, offset in enumerate((TEN_YEARS, 0, -TEN_YEARS)):
        clock(offset)
        work.commit(f"number {number}")
        work.drain()
        with bundling.still(work.location.mgit_dir):
            checked = generations.make(work.location.journal_dir, folder)
        generations.prune(folder, os.path.basename(checked.path), 2)
        made.append(checked.manifest.last_seq)
    return made, [each.last_seq for each in generations.listed(folder)]


def test_retention_keeps_what_goes_furthest(work: Recording, clock: Clock) -> None:
    made, left = newest(work, clock)
    assert left == [made[2], made[1]]


def test_retention_planted_by_time_is_caught(work: Recording, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generations, "_order", lambda name: (name.split("-")[2], 0))
    made, left = newest(work, clock)
    assert left != [made[2], made[1]]


def test_log_is_by_number(work: Recording, clock: Clock, capsysbinary: Any) -> None:
    for offset in (TEN_YEARS, -TEN_YEARS, 0):
        clock(offset)
        work.commit(f"at {offset}")
        work.drain()
    assert main(["-C", work.path, "log", "--json"]) == 0
    out = capsysbinary.readouterr().out
    import json

    told = [json.loads(line)["seq"] for line in out.splitlines()]
    assert told == sorted(told, reverse=True)
    written = [record.recorded_at for record in records(work.location.journal_dir)]
    assert any(earlier > later for earlier, later in pairwise(written)), "the clock went back between two records"
