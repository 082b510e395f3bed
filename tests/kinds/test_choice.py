"""Who serves whom: libgit2 an ordinary repository, alone; git's commands what it refuses, with the same records."""

from __future__ import annotations

import gc
import signal
from pathlib import Path
from typing import Any

import pytest
from conftest import Repo
from recording import Recording, records

from kinds.making import filled
from mgit_hooks.capture import rawcommit
from mgit_hooks.errors import RepositoryError
from mgit_hooks.git import asking, conversation, twin
from mgit_hooks.git.backend import MissingObject, Refused
from mgit_hooks.git.library import Library
from mgit_hooks.layout import locate
from mgit_hooks.record import Oid, Record
from mgit_hooks.recorder.backfill import backfill

# What one and the same act cannot have twice.
VARYING = ("recorded_at", "id")


def refuse(*_: object, **__: object) -> Any:
    raise Refused("libgit2 is not to be used", "use git")


def fail(*_: object, **__: object) -> Any:
    raise AssertionError("git's commands are not to be used")


def recorded(path: Path) -> list[Record]:
    """What is on record of a day in the repository at ``path``, and of the history that was there before it."""
    repo = Repo(path)
    backfill(locate(repo.path), lambda done, total: None, workers=1)
    work = Recording(repo)
    work.commit("one")
    work.commit("two", "--amend")
    work.git("checkout", "-q", "-b", "topic")
    work.commit("three")
    work.git("rebase", "-q", "main")
    work.git("update-ref", "refs/tags/mark", "HEAD")
    work.check()
    return records(work.location.journal_dir)


def without_varying(found: list[Record]) -> list[dict[str, Any]]:
    plain = [record.to_json() for record in found]
    for record in plain:
        for key in (*VARYING, "occurred_at", "repository_name"):
            record.pop(key, None)
    return plain


@pytest.fixture
def dated(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same commits twice have the same ids."""
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_DATE", "2026-03-02T10:00:00+00:00")


def test_an_ordinary_repository_is_served_by_libgit2_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "repo"
    filled(path)
    monkeypatch.setattr(twin, "Twin", fail)
    for name in ("staged_changes", "is_ancestor"):
        monkeypatch.setattr(asking, name, fail)
    assert len(recorded(path)) > 8


@pytest.mark.usefixtures("dated")
def test_where_libgit2_refuses_the_records_are_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a", "b"):
        filled(tmp_path / name / "repo")
    by_library = recorded(tmp_path / "a" / "repo")
    monkeypatch.setattr(Library, "__init__", refuse)
    by_git = recorded(tmp_path / "b" / "repo")
    assert without_varying(by_git) == without_varying(by_library)


def test_what_neither_can_read(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    repo.commit()
    monkeypatch.setattr(Library, "__init__", refuse)
    Path(repo.path, ".git", "HEAD").unlink()
    with pytest.raises(RepositoryError, match="git cannot read"):
        twin.Twin(f"{repo.path}/.git")


def test_nothing_that_was_started_is_left(repo: Repo) -> None:
    """A git process that was killed is begun anew; none outlives the last reference to its twin."""
    oid = Oid(repo.commit("One", {"a": "1\n"}))
    one = twin.Twin(f"{repo.path}/.git")
    assert one.changes(None, rawcommit.parse(one.read_commit(oid), oid).tree)
    started = [talk._process for talk in (one._objects, one._trees) if talk is not None]
    assert [process.poll() for process in started] == [None, None]
    started[0].kill()
    with pytest.raises(MissingObject):
        one.read_commit(oid)
    assert one.read_commit(oid).startswith(b"tree ")
    assert one._objects is not None
    started.append(one._objects._process)
    del one
    gc.collect()
    assert None not in [process.returncode for process in started]


def test_a_git_that_does_not_answer_is_given_up(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    oid = Oid(repo.commit("One", {"a": "1\n"}))
    one = twin.Twin(f"{repo.path}/.git")
    one.read_commit(oid)
    assert one._objects is not None
    process = one._objects._process
    process.send_signal(signal.SIGSTOP)
    monkeypatch.setattr(conversation, "SILENCE", 0.2)
    with pytest.raises(RepositoryError, match="has not answered"):
        one.read_commit(oid)
    assert process.returncode == -signal.SIGKILL


def test_diff_tree_is_begun_anew_before_it_holds_too_much(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(twin, "_PAIRS", 2)
    oid = Oid(repo.commit("One", {"a": "1\n"}))
    one = twin.Twin(f"{repo.path}/.git")
    tree = rawcommit.parse(one.read_commit(oid), oid).tree
    pids = []
    for _ in range(5):
        assert [change.path for change in one.changes(None, tree)] == [b"a"]
        assert one._trees is not None
        pids.append(one._trees._process.pid)
    assert [pids.count(pid) for pid in dict.fromkeys(pids)] == [2, 2, 1]
