"""Repositories that are copied, cloned, moved or merged with their ``.git``: what the commands say, and do."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from conftest import Repo
from recording import Recording

from mgit_hooks.journal import identity
from mgit_hooks.journal.reader import records as stored_records
from mgit_hooks.layout import locate


@pytest.fixture
def work(repo: Repo) -> Recording:
    made = Recording(repo)
    for name in ("one", "two", "three"):
        made.commit(name)
        made.drain()
    return made


def journal_dir(path: Path | str) -> str:
    return locate(str(path)).journal_dir


def logged(mgit: Any, path: Path | str) -> list[tuple[int, str, str]]:
    return [(record["seq"], record["id"], record["event"]) for record in mgit("-C", str(path), "log", "--json").json]


def held(path: Path | str) -> list[tuple[int, str]]:
    """What is on file, without the drain that a reading command begins with."""
    return [(stored.seq, stored.id.hex()) for stored in stored_records(journal_dir(path))]


def other(work: Recording, path: Path) -> Recording:
    subprocess.run(["cp", "-a", work.path, path], check=True)
    made = Recording.__new__(Recording)
    made.repo, made.path, made.every, made.boot = Repo(path), str(path), False, work.boot
    return made


def test_a_copied_repository_goes_on_as_another(work: Recording, mgit: Any, tmp_path: Path) -> None:
    before, own = logged(mgit, work.path), identity.read(journal_dir(work.path))
    copy = other(work, tmp_path / "copy")
    copy.commit("four")
    copy.drain()
    after = logged(mgit, copy.path)
    assert after[-len(before) :] == before
    assert "adopted" in [event for _, _, event in after[: -len(before)]]
    assert "commit" in [event for _, _, event in after[: -len(before)]]
    assert mgit("-C", copy.path, "verify").code == 0
    theirs = identity.read(journal_dir(copy.path))
    assert own is not None
    assert theirs is not None
    assert theirs.journal != own.journal
    assert theirs.lineage == (own.journal, theirs.journal)
    assert logged(mgit, work.path) == before


def test_a_moved_repository_stays_itself(work: Recording, mgit: Any, tmp_path: Path) -> None:
    before, own = logged(mgit, work.path), identity.read(journal_dir(work.path))
    os.rename(work.path, tmp_path / "moved")
    moved = tmp_path / "moved"
    assert logged(mgit, moved) == before
    subprocess.run(["git", "-C", moved, "commit", "-q", "--allow-empty", "-m", "four"], check=True)
    assert [event for _, _, event in logged(mgit, moved)[: -len(before)]] == ["commit"]
    assert identity.read(journal_dir(moved)) == own
    assert mgit("-C", str(moved), "verify").code == 0


def test_a_clone_carries_no_journal(work: Recording, tmp_path: Path) -> None:
    subprocess.run(["git", "clone", "-q", work.path, tmp_path / "clone"], check=True)
    assert not os.path.exists(journal_dir(tmp_path / "clone"))


@pytest.mark.parametrize("which", ["newest", "oldest", "ours, and what is only theirs", "theirs"])
def test_merged_folders_are_told_and_mended(work: Recording, mgit: Any, tmp_path: Path, which: str) -> None:
    """As ``rsync -a``, with ``--update``, ``--existing`` or ``--ignore-existing``, does it."""
    copy = other(work, tmp_path / "copy")
    for number in range(3):
        work.commit(f"ours {number}")
        work.drain()
    copy.commit("theirs")
    copy.drain()
    mine, theirs = held(work.path), held(copy.path)
    merge(Path(copy.location.mgit_dir), Path(work.location.mgit_dir), which)
    read = held(work.path)
    told = mgit("-C", work.path, "verify", "--json")
    # Each record is one that either of them wrote, as it wrote it; where not all of ours is there, verify says so.
    assert set(read) <= {*mine, *theirs}
    if set(read) not in (set(mine), set(theirs)):
        assert told.code == 1
    assert mgit("-C", work.path, "repair").code == 0
    after = mgit("-C", work.path, "verify", "--json")
    assert (after.code, after.json[0]["damaged"], after.json[0]["missing_seq"]) == (0, [], [])
    assert set(read) <= set(held(work.path))
    work.commit("goes on")
    work.drain()
    assert logged(mgit, work.path)[0][2] == "commit"
    assert mgit("-C", work.path, "verify").code == 0


def merge(source: Path, target: Path, which: str) -> None:
    for path in sorted(source.rglob("*")):
        there = target / path.relative_to(source)
        if path.is_dir():
            there.mkdir(exist_ok=True)
            continue
        if there.exists():
            newer = path.stat().st_mtime_ns > there.stat().st_mtime_ns
            if which.startswith("ours") or (which == "newest" and not newer) or (which == "oldest" and newer):
                continue
        fresh = there.with_name(f".{there.name}.fresh")  # as rsync: another inode in its place
        shutil.copy2(path, fresh)
        os.replace(fresh, there)
