"""The power goes at any moment: what was reported is there, nothing is false, and recording goes on.

The real operation runs under strace; of what it asked of the kernel every state is made that a disk may hold after
a cut (tests/power/disk.py says which those are), and each is judged as the next process would find it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from journal.making import small
from reliability import Tally

from mgit_hooks.journal import compaction, swap
from mgit_hooks.layout import Location
from power import judging, plants
from power.running import MODES, act
from power.states import put, states
from power.trace import Recording, is_possible

pytestmark = pytest.mark.skipif(not is_possible(), reason="strace is not here, or may not trace")

APPENDS = ("append", "group", "rotate", "first", "adopt")


def appends(memory: Path, name: str, plant: str = "") -> tuple[Recording, set[str]]:
    """One of the operations on a journal alone, and every record that it left."""
    work = memory / "work"
    work.mkdir()
    if name != "first":
        small(memory / "before", 20, target=3000)
        # A journal that was moved is itself; one that was copied is another.
        move = shutil.copytree if name == "adopt" else os.rename
        move(memory / "before" / "mgit", work / "mgit")
    journal_dir = work / "mgit" / "journal"
    made = act(name, work, memory / "log", str(journal_dir), *([plant] if plant else []))
    return made, judging.read(str(journal_dir))


def judge_appends(
    memory: Path, name: str, tally: Tally, *, strict: bool, seed: int, at_most: int, plant: str = ""
) -> None:
    made, ever = appends(memory, name, plant)
    repository = memory / "repository"
    subprocess.run(["git", "init", "-q", repository], check=True)
    location = Location(str(repository / ".git"), str(repository / ".git"), str(repository))
    for state in states(made, strict=strict, seed=seed, at_most=at_most):
        put(state.tree, made, location.common_dir, only="mgit")
        verdict = judging.judge_journal(location, state.reported, ever)
        tally.cases += 1
        tally.lost += [f"cut {state.cut}: {each}" for each in verdict.lost]
        tally.silent += [f"cut {state.cut}: {each}" for each in verdict.wrong]
        if plant and (tally.lost or tally.silent):
            return


@MODES
@pytest.mark.parametrize("name", APPENDS)
def test_an_append(memory: Path, tally: Tally, name: str, strict: bool) -> None:
    judge_appends(memory, name, tally, strict=strict, seed=0, at_most=6)
    tally.check()
    assert tally.cases > 10


@pytest.mark.full
@MODES
@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("name", APPENDS)
def test_an_append_in_full(memory: Path, tally: Tally, name: str, seed: int, strict: bool) -> None:
    judge_appends(memory, name, tally, strict=strict, seed=seed, at_most=150)
    tally.check()


def judge_compaction(memory: Path, tally: Tally, *, strict: bool, seed: int, at_most: int, plant: str = "") -> None:
    """The old segment or the new one: every record is there at any moment, and nothing is ever wrong."""
    small(memory / "before", 60, target=1500)
    work = memory / "work"
    work.mkdir()
    os.rename(memory / "before" / "mgit", work / "mgit")
    journal_dir = work / "mgit" / "journal"
    all_along = judging.read(str(journal_dir))
    made = act("compact", work, memory / "log", str(journal_dir), *([plant] if plant else []))
    ever = judging.read(str(journal_dir))
    assert len(ever) == 61
    location = Location(str(memory / "state"), str(memory / "state"), None)
    os.makedirs(location.common_dir)
    for state in states(made, strict=strict, seed=seed, at_most=at_most):
        put(state.tree, made, location.common_dir)
        verdict = judging.judge_journal(location, [*all_along, *state.reported], ever)
        with swap.maintenance(location.journal_dir) as held:
            assert held
            again = compaction.compact(location.journal_dir, compaction.waiting(location.journal_dir))
        gone = ever.intersection(all_along) - judging.read(location.journal_dir)
        tally.cases += 1
        tally.lost += [f"cut {state.cut}: {each}" for each in (*verdict.lost, *gone)]
        tally.silent += [f"cut {state.cut}: {each}" for each in (*verdict.wrong, *again.refused)]
        if plant and tally.lost:
            return


@MODES
def test_a_compaction(memory: Path, tally: Tally, strict: bool) -> None:
    judge_compaction(memory, tally, strict=strict, seed=0, at_most=3)
    tally.check()
    assert tally.cases > 10


@pytest.mark.full
@MODES
@pytest.mark.parametrize("seed", range(2))
def test_a_compaction_in_full(memory: Path, tally: Tally, seed: int, strict: bool) -> None:
    judge_compaction(memory, tally, strict=strict, seed=seed, at_most=40)
    tally.check()


def test_a_planted_bug_of_a_swap_is_caught(memory: Path, tally: Tally) -> None:
    judge_compaction(memory, tally, strict=True, seed=0, at_most=10, plant="new-file-without-sync")
    assert tally.lost


@pytest.mark.parametrize(
    ("plant", "name"),
    [
        ("append-without-sync", "append"),
        ("segment-without-folder-sync", "rotate"),
        ("head-before-sync", "append"),
        ("cursor-without-its-records", "group"),
    ],
)
def test_a_planted_bug_is_caught(memory: Path, tally: Tally, plant: str, name: str) -> None:
    assert plants.PLANTS[plant].__doc__
    judge_appends(memory, name, tally, strict=True, seed=0, at_most=200, plant=plant)
    assert tally.lost or tally.silent
