"""Nothing of ours ever fetches what a partial clone left out: the promisor remote would notice."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from conftest import Repo

from kinds.gits import second_git
from kinds.making import KINDS
from kinds.test_matrix import RULE, ours, settle
from mgit_hooks.capture.capturer import Capturer
from mgit_hooks.gatekeeper import staged
from mgit_hooks.git import plumbing
from mgit_hooks.git.library import Library
from mgit_hooks.git.twin import Twin
from mgit_hooks.record import Oid


class Watched:
    """A partial clone whose remote leaves a mark when it is asked for anything."""

    def __init__(self, kind: str, folder: Path) -> None:
        self.repo: Repo = KINDS[kind].make(folder)
        self._mark = folder / "fetched"
        wrapper = folder / "upload-pack"
        wrapper.write_text(f'#!/bin/sh\necho "$@" >>"{self._mark}"\nexec git-upload-pack "$@"\n')
        wrapper.chmod(0o755)
        self.repo.git("config", "remote.origin.uploadpack", str(wrapper))

    @property
    def was_asked(self) -> bool:
        return self._mark.exists()

    def missing(self) -> list[str]:
        told = self.repo.git("rev-list", "--objects", "--all", "--missing=print")
        return [line[1:] for line in told.splitlines() if line.startswith("?")]


@pytest.fixture(params=["system", "second"])
def git(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """git 2.39 does not know GIT_NO_LAZY_FETCH; the second git does."""
    if request.param == "second":
        second_git().use(monkeypatch, tmp_path)
    which: str = request.param
    return which


@pytest.mark.usefixtures("git")
def test_the_mark_is_left_by_a_fetch(tmp_path: Path) -> None:
    """Else the other tests here would show nothing."""
    watched = Watched("partial", tmp_path)
    lost = watched.missing()
    assert lost
    watched.repo.git("cat-file", "-e", lost[0])
    assert watched.was_asked


@pytest.mark.usefixtures("git")
@pytest.mark.parametrize("kind", ["partial", "treeless"])
def test_neither_libgit2_nor_git_fetches(tmp_path: Path, kind: str) -> None:
    watched = Watched(kind, tmp_path)
    lost = watched.missing()
    git_dir = f"{watched.repo.path}/.git"
    told = []
    for open_git in (Library, Twin):
        capturer = Capturer(git_dir, open_git)
        oids = capturer.new_commits(capturer.references().values(), lambda _: False)
        commits = [capturer.commit(oid) for oid in oids]
        told.append((commits, capturer.is_ancestor(oids[0], oids[-1]), capturer.staged({})))
    assert told[0] == told[1]
    assert any(commit.missing for commit in told[1][0])
    backend = Twin(git_dir)
    assert [oid for oid in lost if oid in backend] == []  # type: ignore[operator]
    assert not watched.was_asked
    assert watched.missing() == lost


@pytest.mark.usefixtures("git")
def test_no_command_fetches(tmp_path: Path) -> None:
    """Recording, and a gate that judges what changed against what was never fetched."""
    watched = Watched("partial", tmp_path)
    repo = watched.repo
    lost = watched.missing()
    assert ours(repo, "init").code == 0
    settle(repo)
    rules = tmp_path / "rules.toml"
    rules.write_text(RULE)
    repo.git("config", "mgit.rules", str(rules))
    # The gate has git compare it with what it may have come from: with a file whose content is only promised.
    repo.git("rm", "-q", "--cached", "README")
    repo.write("src/new.c", "n\n")
    repo.git("add", "src/new.c")
    repo.git("commit", "-q", "-m", "New")
    settle(repo)
    for command in (
        ("log", "--json"),
        ("verify",),
        ("backfill",),
        ("repair", "--records"),
        ("show", "HEAD"),
        ("status",),
    ):
        assert ours(repo, *command).code == 0
    assert not watched.was_asked
    assert set(watched.missing()) >= set(lost)


@pytest.mark.usefixtures("git")
def test_the_gate_judges_by_what_is_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file goes whose content was never fetched, and one comes that could be it under another name."""
    watched = Watched("partial", tmp_path)
    repo = watched.repo
    old = repo.git("rev-parse", "HEAD~1")
    repo.git("update-ref", "refs/heads/main", old)
    repo.git("read-tree", old)  # the index alone: no content of that commit is wanted
    repo.git("rm", "-q", "--cached", "README")
    repo.write("READ.ME", "hullo\n")
    repo.git("add", "READ.ME")
    assert repo.git("ls-tree", old, "README").split()[2] in watched.missing()
    monkeypatch.chdir(repo.path)
    found = staged.files(Oid(old), counts=True, sizes=True)
    assert [(file.filename, file.index_status, file.size_bytes) for file in found] == [
        ("READ.ME", "A", 6),
        ("README", "D", None),
    ]
    assert not watched.was_asked


def test_what_every_command_of_ours_runs_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_ALLOW_PROTOCOL", "file:https")
    env = plumbing.environment()
    assert env["GIT_ALLOW_PROTOCOL"] == ""
    assert env["GIT_NO_LAZY_FETCH"] == "1"
    assert os.environ["GIT_ALLOW_PROTOCOL"] == "file:https"
