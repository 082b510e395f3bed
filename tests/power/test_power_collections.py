"""The power goes while a collection is saved: the last one that was reported is there, or the one under way."""

from __future__ import annotations

from pathlib import Path

import pytest
from reliability import Tally

from mgit_hooks.changesets import ChangesetCollection, ChangesetStorage, ChangesetStorageError
from mgit_hooks.errors import ChangesetDamageError, ChangesetMissingError
from mgit_hooks.pipeline import ChangesetRecoveryManager
from power.running import MODES, act
from power.states import put, states
from power.trace import is_possible

pytestmark = pytest.mark.skipif(not is_possible(), reason="strace is not here, or may not trace")


def judge_saves(memory: Path, tally: Tally, *, strict: bool, seed: int, at_most: int, plant: str = "") -> None:
    work, state_dir = memory / "work", memory / "state"
    work.mkdir()
    state_dir.mkdir()
    made = act("save", work, memory / "log", str(work), *([plant] if plant else []))
    for state in states(made, strict=strict, seed=seed, at_most=at_most):
        put(state.tree, made, str(state_dir))
        store = ChangesetStorage(state_dir / "deep" / "kept")
        tally.cases += 1
        last = max(map(int, state.reported), default=-1)
        for generation, least in (("mgitc", last), ("backup", last - 1)):
            try:
                found = _number(store, generation)
            except ChangesetStorageError as error:
                tally.silent.append(f"cut {state.cut}: {error.message}")
                continue
            if not least <= found <= last + 1:
                tally.lost.append(f"cut {state.cut}: {generation} {found} in place of {least}")
        store.save_changeset_collection(ChangesetCollection("work", "t", "t", {}, {"n": 9}))
        if _number(store, "mgitc") != 9:
            tally.lost.append(f"cut {state.cut}: the next save is not there")
        if plant and (tally.lost or tally.silent):
            return


def _number(store: ChangesetStorage, generation: str) -> int:
    try:
        return int((store.load_changeset_collection("work", generation).metadata or {})["n"])
    except ChangesetMissingError:
        return -1


def judge_recovery(memory: Path, tally: Tally, *, strict: bool, at_most: int, plant: str = "") -> None:
    """Wherever it is cut, what was reported is there, and the damaged file is in its place or beside it."""
    work, state_dir = memory / "work", memory / "state"
    work.mkdir()
    state_dir.mkdir()
    made = act("recover", work, memory / "log", str(work), *([plant] if plant else []))
    for state in states(made, strict=strict, seed=0, at_most=at_most):
        if "damaged" not in state.reported:
            continue
        put(state.tree, made, str(state_dir))
        folder = state_dir / "kept"
        tally.cases += 1
        names = [path for path in folder.iterdir() if path.name.startswith(("work.mgitc", "work.damaged"))]
        if not any(path.read_bytes().startswith(b"damaged") for path in names if path.suffix != ".new"):
            tally.lost.append(f"cut {state.cut}: the damaged file")
        manager = ChangesetRecoveryManager(ChangesetStorage(folder), folder=state_dir / "recovery")
        try:
            found = _number(manager.storage, "mgitc")
        except ChangesetDamageError:
            found = None
        if "recovered" in state.reported and found != 0:
            tally.lost.append(f"cut {state.cut}: what was reported as recovered")
        result = manager.recover_storage_operation("work", "load")
        if not result.recovery_successful or _number(manager.storage, "mgitc") != 0:
            tally.lost.append(f"cut {state.cut}: recovery does not go on")
        if plant and tally.lost:
            return


@MODES
def test_a_recovery(memory: Path, tally: Tally, strict: bool) -> None:
    judge_recovery(memory, tally, strict=strict, at_most=6)
    tally.check()
    assert tally.cases > 10


@pytest.mark.parametrize("plant", ["new-file-without-sync", "save-without-folder-sync"])
def test_a_planted_bug_of_a_recovery_is_caught(memory: Path, tally: Tally, plant: str) -> None:
    judge_recovery(memory, tally, strict=True, at_most=100, plant=plant)
    assert tally.lost


@MODES
def test_a_save(memory: Path, tally: Tally, strict: bool) -> None:
    judge_saves(memory, tally, strict=strict, seed=0, at_most=6)
    tally.check()
    assert tally.cases > 20


@pytest.mark.full
@MODES
@pytest.mark.parametrize("seed", range(3))
def test_a_save_in_full(memory: Path, tally: Tally, seed: int, strict: bool) -> None:
    judge_saves(memory, tally, strict=strict, seed=seed, at_most=100)
    tally.check()


@pytest.mark.parametrize("plant", ["new-file-without-sync", "save-without-folder-sync", "folder-without-its-name"])
def test_a_planted_bug_of_a_save_is_caught(memory: Path, tally: Tally, plant: str) -> None:
    judge_saves(memory, tally, strict=True, seed=0, at_most=100, plant=plant)
    assert tally.lost or tally.silent
