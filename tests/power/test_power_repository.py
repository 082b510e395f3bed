"""The power goes while a repository is recorded, and while its journal is repaired."""

from __future__ import annotations

import subprocess
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest
from conftest import Repo
from recording import Recording as Recorded
from recording import faults, named, records
from reliability import Tally

from mgit_hooks.errors import MgitError
from mgit_hooks.journal import reader, writer
from mgit_hooks.journal.cursor import Cursor
from mgit_hooks.journal.segment import segment_names
from mgit_hooks.journal.verify import verify
from mgit_hooks.layout import Location, locate
from mgit_hooks.mend import repair
from mgit_hooks.record import COMMIT_EVENTS
from mgit_hooks.recorder import spool
from mgit_hooks.recorder.drain import drain
from mgit_hooks.recorder.event import push_lines
from power import judging
from power.running import MODES, act
from power.states import put, states
from power.trace import is_possible

pytestmark = pytest.mark.skipif(not is_possible(), reason="strace is not here, or may not trace")


def repository(memory: Path) -> Recorded:
    """A repository that is recorded, with a remote, and nothing in it yet."""
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", memory / "remote.git"], check=True)
    subprocess.run(["git", "init", "-q", "-b", "main", memory / "repo"], check=True)
    made = Recorded(Repo(memory / "repo"))
    made.git("remote", "add", "origin", str(memory / "remote.git"))
    return made


# Recording


def told_pushes(location: Location) -> Counter[str]:
    """How often the journal tells of a push, by the ref that was pushed."""
    return Counter(
        ref.remote_ref
        for stored in reader.records(location.journal_dir)
        if (record := stored.record()) is not None and record.event == "push" and record.push is not None
        for ref in record.push.refs
    )


def spooled_pushes(location: Location) -> set[str]:
    """The refs of every push whose line is on the disk, whole."""
    return {
        line.remote_ref
        for said in spool.read(location.spool_dir, Cursor(1, 0)).events
        if said.hook == "pre-push"
        for line in push_lines_or_none(said.fields[2])
    }


def push_lines_or_none(stdin: str) -> Iterator[object]:
    try:
        yield from push_lines(stdin)
    except ValueError:
        return


def judge_recording(
    memory: Path,
    tally: Tally,
    name: str = "record",
    *,
    strict: bool,
    seed: int,
    at_most: int,
    every: int = 1,
    first: int = 0,
    plant: str = "",
) -> None:
    """``first``: no earlier cut than that one is judged; ``every``: that of so many states, one is."""
    work = repository(memory)
    location = locate(work.path)
    made = act(name, Path(location.mgit_dir), memory / "log", work.path, *([plant] if plant else []))
    ever = judging.read(location.journal_dir)
    commits = named(location.common_dir, work.repo.git)
    pushed = set(told_pushes(location))
    assert len(pushed) == (2 if name == "push" else 41)
    found = (state for state in states(made, strict=strict, seed=seed, at_most=at_most) if state.cut >= first)
    for state in islice(found, 0, None, every):
        put(state.tree, made, location.mgit_dir)
        lost, wrong = judge_drain(location, state.reported, ever, commits, pushed)
        tally.cases += 1
        tally.lost += [f"cut {state.cut}: {each}" for each in lost]
        tally.silent += [f"cut {state.cut}: {each}" for each in wrong]
        if plant and (tally.lost or tally.silent):
            return


def judge_drain(
    location: Location, reported: list[str], ever: set[str], commits: set[str], pushed: set[str]
) -> tuple[list[str], list[str]]:
    found = judging.read(location.journal_dir)
    lost = [f"gone: {line}" for line in reported if line not in found]
    wrong = [f"false: {line}" for line in found - ever]
    there = set(told_pushes(location)) | spooled_pushes(location) if segment_names(location.journal_dir) else set()
    try:
        assert not drain(location, wait=0.0).busy
    except (MgitError, OSError, ValueError) as error:
        return lost, [*wrong, f"the next drain: {error!r}"]
    after = judging.read(location.journal_dir)
    lost += [f"gone after the next drain: {line}" for line in reported if line not in after]
    wrong += faults(location)
    told = told_pushes(location)
    lost += [f"the push of {ref} was on the disk, and is not told" for ref in there - told.keys()]
    wrong += [f"the push of {ref} is told {count} times" for ref, count in told.items() if count > 1]
    wrong += [f"a push of {ref!r} never was" for ref in told.keys() - pushed]
    made = {r.commit.hash for r in records(location.journal_dir) if r.commit is not None and r.event in COMMIT_EVENTS}
    lost += [f"commit {oid} is not on record" for oid in commits - made]
    return lost, wrong


@MODES
def test_recording(memory: Path, tally: Tally, strict: bool) -> None:
    judge_recording(memory, tally, strict=strict, seed=0, at_most=2, every=40)
    tally.check()
    assert tally.cases > 5


@pytest.mark.full
@MODES
@pytest.mark.parametrize("seed", range(2))
def test_recording_in_full(memory: Path, tally: Tally, seed: int, strict: bool) -> None:
    judge_recording(memory, tally, strict=strict, seed=seed, at_most=3, every=2)
    tally.check()


def test_a_planted_bug_of_recording_is_caught(memory: Path, tally: Tally) -> None:
    judge_recording(memory, tally, "push", strict=True, seed=0, at_most=6, first=170, plant="spool-without-sync")
    assert tally.lost or tally.silent


# Repair


def damaged(memory: Path) -> Recorded:
    """A journal of several segments with a block changed in two of them, and a header and a footer gone."""
    work = repository(memory)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(writer, "SEGMENT_TARGET", 1000)
        for number in range(6):
            work.commit(f"number {number}")
            work.git("push", "-q", "origin", f"HEAD:refs/heads/b{number}")
            work.drain()
    journal_dir = work.location.journal_dir
    names = segment_names(journal_dir)
    assert len(names) > 3
    for name, place in ((names[0], 700), (names[1], 10), (names[2], -20), (names[3], 300)):
        path = Path(journal_dir, name)
        data = bytearray(path.read_bytes())
        data[place] ^= 0xFF
        path.write_bytes(data)
    return work


def judge_repair(
    memory: Path, tally: Tally, *, strict: bool, seed: int, at_most: int, every: int = 1, plant: str = ""
) -> None:
    work = damaged(memory)
    location = locate(work.path)
    before = verify(location.journal_dir)
    assert len(before.damaged) == 4
    whole = judging.read(location.journal_dir)
    pieces = [Path(location.journal_dir, each.segment).read_bytes()[each.offset : each.end] for each in before.damaged]
    commits = named(location.common_dir, work.repo.git)
    made = act("repair", Path(location.mgit_dir), memory / "log", work.path, *([plant] if plant else []))
    ever = judging.read(location.journal_dir)
    assert whole < ever
    for state in islice(states(made, strict=strict, seed=seed, at_most=at_most), 0, None, every):
        put(state.tree, made, location.mgit_dir)
        lost, wrong = judge_second_repair(location, state.reported, whole, ever)
        kept = [path.read_bytes() for path in Path(location.mgit_dir, "quarantine").glob("*.bin")]
        lost += ["damaged bytes are in no quarantine" for piece in pieces if not any(piece in each for each in kept)]
        told = Counter(r.commit.hash for r in records(location.journal_dir) if r.commit is not None)
        lost += [f"commit {oid} is not on record" for oid in commits - told.keys()]
        wrong += [f"commit {oid} is on record {count} times" for oid, count in told.items() if count > 1]
        tally.cases += 1
        tally.lost += [f"cut {state.cut}: {each}" for each in lost]
        tally.silent += [f"cut {state.cut}: {each}" for each in wrong]
        if plant and (tally.lost or tally.silent):
            return


def judge_second_repair(
    location: Location, reported: list[str], whole: set[str], ever: set[str]
) -> tuple[list[str], list[str]]:
    found = judging.read(location.journal_dir)
    lost = [f"gone: {line}" for line in (*whole, *reported) if line not in found]
    wrong = [f"false: {line}" for line in found - ever]
    try:
        outcome = repair(location)
    except (MgitError, OSError, ValueError) as error:
        return lost, [*wrong, f"the second repair: {error!r}"]
    if not outcome.clean:
        wrong.append("the second repair left something to mend")
    after = judging.read(location.journal_dir)
    lost += [f"gone after the second repair: {line}" for line in found - after]
    wrong += [f"after the second repair: {each}" for each in judging.findings(verify(location.journal_dir))]
    if (third := repair(location)).actions:
        wrong.append(f"a third repair found something to do: {third.actions}")
    return lost, wrong


@MODES
def test_a_repair(memory: Path, tally: Tally, strict: bool) -> None:
    judge_repair(memory, tally, strict=strict, seed=0, at_most=1, every=8)
    tally.check()
    assert tally.cases > 5


@pytest.mark.full
@MODES
@pytest.mark.parametrize("seed", range(2))
def test_a_repair_in_full(memory: Path, tally: Tally, seed: int, strict: bool) -> None:
    judge_repair(memory, tally, strict=strict, seed=seed, at_most=15)
    tally.check()


@pytest.mark.parametrize("plant", ["new-file-without-sync", "quarantine-without-sync"])
def test_a_planted_bug_of_a_repair_is_caught(memory: Path, tally: Tally, plant: str) -> None:
    judge_repair(memory, tally, strict=True, seed=0, at_most=4, plant=plant)
    assert tally.lost
