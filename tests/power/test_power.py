"""The power goes at any moment: what was reported is there, nothing is false, and recording goes on.

The real operation runs under strace; of what it asked of the kernel every state is made that a disk may hold after
a cut (tests/power/disk.py says which those are), and each is judged as the next process would find it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from journal.making import small
from reliability import Tally

from mgit_hooks.layout import Location
from power import judging, plants
from power.disk import Disk
from power.states import put, states
from power.trace import Recording, content, is_possible, record

pytestmark = pytest.mark.skipif(not is_possible(), reason="strace is not here, or may not trace")

_TESTS = Path(__file__).resolve().parents[1]
MODES = pytest.mark.parametrize("strict", [False, True], ids=["ordered", "strict"])
APPENDS = ("append", "group", "rotate", "first", "adopt")


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory, where there is one: ten thousand states are made and thrown away in it."""
    if not os.access("/dev/shm", os.W_OK):
        yield tmp_path
        return
    made = Path(tempfile.mkdtemp(prefix="mgit-power-", dir="/dev/shm"))
    yield made
    shutil.rmtree(made)


def act(name: str, root: Path, log: Path, *arguments: str) -> Recording:
    """What ``power.acts`` does to the files under ``root``, checked against what it left there."""
    command = [sys.executable, "-m", "power.acts", name, *arguments]
    made = record(str(root), command, log, {"PYTHONPATH": str(_TESTS)})
    disk = Disk(made, strict=True)
    for op in made.ops:
        disk.take(op)
    now = {path: found.data if found else None for path, found in disk.now().items()}
    there = content(str(root))
    assert {path: data for path, data in now.items() if not path.endswith("-shm")} == {
        path: data for path, data in there.items() if not path.endswith("-shm")
    }
    return made


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


@MODES
@pytest.mark.parametrize("name", APPENDS)
def test_an_append(memory: Path, tally: Tally, name: str, strict: bool) -> None:
    judge_appends(memory, name, tally, strict=strict, seed=0, at_most=6)
    tally.check()
    assert tally.cases > 10


@pytest.mark.full
@MODES
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", APPENDS)
def test_an_append_in_full(memory: Path, tally: Tally, name: str, seed: int, strict: bool) -> None:
    judge_appends(memory, name, tally, strict=strict, seed=seed, at_most=150)
    tally.check()


@pytest.mark.parametrize(
    ("plant", "name"),
    [
        ("append-without-sync", "append"),
        ("segment-without-folder-sync", "rotate"),
        ("head-before-sync", "append"),
    ],
)
def test_a_planted_bug_is_caught(memory: Path, tally: Tally, plant: str, name: str) -> None:
    assert plants.PLANTS[plant].__doc__
    judge_appends(memory, name, tally, strict=True, seed=0, at_most=20, plant=plant)
    assert tally.lost or tally.silent
