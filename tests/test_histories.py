"""Every commit of whole histories, captured through libgit2 and told by git: the same, to the line."""

from __future__ import annotations

import os
import subprocess
from base64 import b64decode
from collections.abc import Callable
from pathlib import Path

import gitlog
import histories
import pytest
from reliability import Tally

from mgit_hooks.capture.capturer import Capturer
from mgit_hooks.journal import reader
from mgit_hooks.layout import locate
from mgit_hooks.record import Commit, FileChange, Oid
from mgit_hooks.recorder.backfill import backfill

CHECKOUT = Path(__file__).resolve().parent.parent
REPLAY = CHECKOUT.parent / "shared" / "histories" / "replay"


def original(text: str | None, raw: str | None) -> bytes | None:
    if raw is not None:
        return b64decode(raw)
    return None if text is None else text.encode()


def as_git_tells(change: FileChange) -> gitlog.GitFile:
    path = original(change.filename, change.filename_bytes)
    assert path is not None
    assert change.binary is not None
    return gitlog.GitFile(
        change.old_mode or "000000",
        change.new_mode or "000000",
        change.old_oid or "0" * len(change.new_oid or ""),
        change.new_oid or "0" * len(change.old_oid or ""),
        change.index_status,
        original(change.old_filename, change.old_filename_bytes),
        path,
        change.additions,
        change.deletions,
        change.binary,
    )


def commit_as_git_tells(commit: Commit) -> gitlog.GitCommit:
    """Names and messages as git re-encodes them to UTF-8."""

    def text(readable: str, raw: str | None) -> bytes:
        known = commit.encoding is not None and "\ufffd" not in readable
        return readable.encode() if known or raw is None else b64decode(raw)

    assert commit.files is not None
    return gitlog.GitCommit(
        commit.hash,
        commit.parents,
        commit.tree,
        (
            text(commit.author_name, commit.author_name_bytes),
            text(commit.author_email, commit.author_email_bytes),
            commit.date,
        ),
        (
            text(commit.committer_name, commit.committer_name_bytes),
            text(commit.committer_email, commit.committer_email_bytes),
            commit.committer_date,
        ),
        text(commit.message, commit.message_bytes),
        tuple(map(as_git_tells, commit.files)),
    )


def assert_same(path: str) -> int:
    """Capture tells of each commit what git tells; how many there are."""
    git_dir = subprocess.check_output(("git", "-C", path, "rev-parse", "--absolute-git-dir"), text=True).strip()
    return assert_told(path, Capturer(git_dir).commit)


def assert_recorded(path: str, folder: Path) -> int:
    """After ``backfill`` of a copy, the journal tells of each commit what git tells; how many there are."""
    copy = str(folder / "copy.git")
    subprocess.run(("git", "clone", "-q", "--mirror", path, copy), check=True)
    location = locate(copy)
    done = backfill(location, lambda recorded, total: None)
    stored = (each.record() for each in reader.records(location.journal_dir))
    commits = {each.commit.hash: each.commit for each in stored if each is not None and each.commit is not None}
    told = assert_told(copy, commits.__getitem__)
    assert done.recorded == len(commits) >= told
    return told


def assert_told(path: str, ours: Callable[[Oid], Commit]) -> int:
    told = list(gitlog.read(path, "--exclude=refs/mgit/*", "--all"))  # anchors are no commits of the user's
    differences = [
        f"{commit.hash}: git {theirs}\nwe {said}"
        for commit in reversed(told)
        for said, theirs in zip(commit_as_git_tells(ours(Oid(commit.hash))), commit, strict=True)
        if said != theirs
    ]
    assert not differences, f"{len(differences)} differences\n" + "\n".join(differences[:20])
    return len(told)


def written(history: histories.History, path: Path) -> str:
    subprocess.run(("git", "init", "-q", "--bare", str(path)), check=True)
    history.write(str(path))
    return str(path)


def test_every_kind_of_change(tmp_path: Path) -> None:
    assert assert_same(written(histories.every_kind(), tmp_path / "kinds.git")) > 45


def test_every_kind_of_change_after_backfill(tmp_path: Path) -> None:
    assert assert_recorded(written(histories.every_kind(), tmp_path / "kinds.git"), tmp_path) > 45


@pytest.mark.parametrize("seed", range(6))
def test_renames(tmp_path: Path, seed: int) -> None:
    assert assert_same(written(histories.renames(seed), tmp_path / "renames.git")) == 61


@pytest.mark.full
@pytest.mark.parametrize("seed", range(100, 160))
def test_many_renames(tmp_path: Path, seed: int, tally: Tally) -> None:
    assert_same(written(histories.renames(seed, commits=150), tmp_path / "renames.git"))
    tally.cases += 1


def test_too_many_to_compare(tmp_path: Path) -> None:
    """Beyond 1,000 by 1,000 git pairs only the same content and the same lone basename."""
    history = histories.History()
    old = {b"old/%d" % number: (histories.REGULAR, b"%d\nsame\nsame\n" % number) for number in range(1003)}
    new = {b"new/%dx" % number: (histories.REGULAR, b"%d\nsame\nsame\nmore\n" % number) for number in range(1001)}
    new[b"new/1001"] = (histories.REGULAR, b"1001\nsame\nsame\n\n")
    new[b"new/moved"] = old[b"old/1002"]
    first = history.commit(old)
    history.commit(new, parents=[first])
    path = written(history, tmp_path / "many.git")
    assert_same(path)
    tip = next(gitlog.read(path))
    assert [(file.old_path, file.path) for file in tip.files if file.status == "R"] == [
        (b"old/1001", b"new/1001"),
        (b"old/1002", b"new/moved"),
    ]


def test_span_after_the_last_newline(tmp_path: Path) -> None:
    """All that the two share comes after their last newline: git counts it from 2.44 on."""
    history = histories.History()
    first = history.commit({b"old": (histories.REGULAR, b"one line\n" + b"y" * 60)})
    history.commit({b"new": (histories.REGULAR, b"another line\n" + b"y" * 60)}, parents=[first])
    path = written(history, tmp_path / "span.git")
    tip = next(gitlog.read(path))
    files = Capturer(path).commit(Oid(tip.hash)).files
    assert files is not None
    assert [file.index_status for file in files] == ["A", "D"]
    version = subprocess.check_output(("git", "version"), text=True).split()[2].split(".")
    assert [file.status for file in tip.files] == (
        ["A", "D"] if (int(version[0]), int(version[1])) < (2, 44) else ["R"]
    )


def test_this_repository() -> None:
    if not (CHECKOUT / ".git").exists():
        pytest.skip("not run from a git checkout")
    assert assert_same(str(CHECKOUT)) > 0


def test_this_repository_after_backfill(tmp_path: Path) -> None:
    if not (CHECKOUT / ".git").exists():
        pytest.skip("not run from a git checkout")
    assert assert_recorded(str(CHECKOUT), tmp_path) > 0


@pytest.mark.parametrize("name", ["small", pytest.param("medium", marks=pytest.mark.full)])
def test_replayed_history_after_backfill(name: str, pytestconfig: pytest.Config, tmp_path: Path) -> None:
    assert assert_recorded(replayed(name, pytestconfig), tmp_path) > 2000


def replayed(name: str, config: pytest.Config) -> str:
    """The replay is the same at every run, so it is made once and kept in pytest's cache."""
    if not REPLAY.exists():
        pytest.skip(f"{REPLAY} is not here")
    kept = config.cache.mkdir("histories") / name  # type: ignore[union-attr]
    if not kept.exists():
        fresh = f"{kept}.{os.getpid()}"
        subprocess.run((str(REPLAY), str(REPLAY.parent / f"{name}.jsonl.gz"), fresh), check=True, capture_output=True)
        try:
            os.rename(fresh, kept)
        except OSError:  # another worker was faster
            pass
    return str(kept)
