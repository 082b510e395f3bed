"""A day's work with recording on: every commit that git knew of at a drain has its record, once, and it is true."""

from __future__ import annotations

import subprocess
from pathlib import Path
from random import Random

import gitlog
import pytest
from day import Day
from recording import faults, named, records, standing, wait_until
from reliability import Tally
from test_histories import commit_as_git_tells

from mgit_hooks.installer.install import install
from mgit_hooks.layout import locate
from mgit_hooks.record import COMMIT_EVENTS, Commit, Record
from mgit_hooks.recorder.drain import drain

OPERATIONS = 200
ZERO = "0" * 40
# The hook that was there before ours: an independent witness of what was pushed.
WITNESS = """#!/bin/sh
{ echo push; cat; } >>"$(git rev-parse --path-format=absolute --git-common-dir)/../../pushes"
"""


def settled(path: str) -> None:
    """Drain until no background drain runs either."""
    location = locate(path)
    wait_until(lambda: not drain(location, wait=60.0).busy and not Path(location.mgit_dir, "draining").exists())


def commits_of(journal_dir: str) -> dict[str, list[Record]]:
    found: dict[str, list[Record]] = {}
    for record in standing(records(journal_dir)):
        if record.commit is not None and record.event in COMMIT_EVENTS:
            found.setdefault(record.commit.hash, []).append(record)
    return found


def untold(path: str, oids: list[Commit]) -> list[str]:
    """Commits whose record is not what git says of them."""
    said = {commit.hash: commit for commit in gitlog.read(path, *(commit.hash for commit in oids))}
    return [commit.hash for commit in oids if commit_as_git_tells(commit) != said[commit.hash]]


def work(seed: int, folder: Path) -> None:
    day = Day(seed, folder)
    chance = Random(-seed - 1)
    hook = Path(day.path, ".git/hooks/pre-push")
    hook.write_text(WITNESS)
    hook.chmod(0o755)
    Path(folder, "pushes").touch()
    install(locate(day.path))
    location = locate(day.path)
    drain(location, wait=60.0)
    day.begin()

    def ask(*args: str, stdin: bytes = b"") -> str:
        return subprocess.run(["git", "-C", day.path, *args], input=stdin, capture_output=True).stdout.decode()

    seen: set[str] = set()
    for number in range(OPERATIONS):
        day.step()
        if chance.random() < 0.06 or number == OPERATIONS - 1:
            now = named(location.common_dir, ask)
            before = ask("status", "--porcelain=v1", "-z"), Path(location.git_dir, "index").read_bytes()
            assert not drain(location, wait=60.0).busy
            assert (ask("status", "--porcelain=v1", "-z"), Path(location.git_dir, "index").read_bytes()) == before
            seen |= now
            told = commits_of(location.journal_dir)
            missing = now - told.keys()
            assert not missing, f"seed {seed}, after {number + 1} operations: {sorted(missing)} have no record"
            assert {oid: len(found) for oid, found in told.items() if len(found) != 1} == {}
    settled(day.path)
    found = standing(records(location.journal_dir))
    assert faults(location) == [], f"seed {seed}"
    told = commits_of(location.journal_dir)
    assert seen <= told.keys()
    there = [held[0].commit for oid, held in told.items() if ask("cat-file", "-t", oid).strip() == "commit"]
    assert untold(day.path, [commit for commit in there if commit is not None]) == []
    assert told_pushes(found) == Path(day.path, "../pushes").read_text().split("push\n")[1:]
    assert subprocess.run(["git", "-C", day.path, "fsck", "--strict"], capture_output=True).returncode == 0
    assert ask("for-each-ref", "refs/mgit") == ""


def told_pushes(found: list[Record]) -> list[str]:
    """What each push on record was told to do, as git tells its hook."""
    pushes = [record.push for record in found if record.event == "push" and record.push is not None]
    return [
        "".join(
            f"{ref.local_ref or '(delete)'} {ref.local_oid or ZERO} {ref.remote_ref} {ref.remote_oid or ZERO}\n"
            for ref in push.refs
        )
        for push in pushes
    ]


@pytest.mark.parametrize("seed", range(3))
def test_a_day(seed: int, tmp_path: Path) -> None:
    work(seed, tmp_path)


@pytest.mark.full
@pytest.mark.parametrize("seed", range(3, 25))
def test_more_days(seed: int, tmp_path: Path, tally: Tally) -> None:
    work(seed, tmp_path)
    tally.cases += 1


def test_the_same_seed_does_the_same(tmp_path: Path) -> None:
    ends = []
    for name in ("a", "b"):
        day = Day(7, tmp_path / name)
        day.begin()
        done = [day.step() for _ in range(60)]
        ends.append((done, day.ask("for-each-ref")))
    assert ends[0] == ends[1]
