"""Reflogs of a reftable, by git's commands: what files would hold, to the letter where git tells it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from conftest import Repo
from recording import Recording

from kinds.gits import second_git
from kinds.making import REFTABLE, filled, run
from mgit_hooks.errors import RepositoryError
from mgit_hooks.git import reflog, reftable
from mgit_hooks.git.reflog import Entry
from mgit_hooks.git.twin import Twin

FILES = "--ref-format=files"


@pytest.fixture(autouse=True)
def newer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    second_git().use(monkeypatch, tmp_path)
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_DATE", "2026-03-02T10:00:00+0130")
    monkeypatch.setenv("GIT_COMMITTER_NAME", "Grace  'G' Hopper é")


def busy(path: Path, ref_format: str) -> Repo:
    repo = filled(path, ref_format)
    repo.git("config", "log.date", "iso")
    repo.git("config", "i18n.logOutputEncoding", "ISO-8859-1")
    repo.git("checkout", "-q", "-b", "topic/é", "HEAD~2")
    repo.commit("Äther, and 'quotes'\n\nand more", {"é": "é\n"})
    repo.git("rebase", "-q", "main")
    repo.git("reset", "-q", "--hard", "HEAD~1")
    repo.git("reset", "-q", "--hard", "HEAD@{1}")
    repo.git("update-ref", "refs/heads/silent", "HEAD")
    repo.write("README", "stashed\n")
    repo.git("stash", "-q")
    repo.git("branch", "gone")
    repo.git("branch", "-q", "-D", "gone")
    repo.git("worktree", "add", "-q", "-b", "linked", str(path.parent / f"{path.name}-linked"))
    Repo(path.parent / f"{path.name}-linked").git("commit", "-q", "--allow-empty", "-m", "In a worktree")
    repo.git("update-ref", "refs/mgit/anchor", "HEAD")
    return repo


def entries(repo: Repo) -> dict[str, list[Entry]]:
    # Which git writes a reflog that is empty, and which none, is not the same.
    return {log.key: found for log in reflog.every(f"{repo.path}/.git") if (found := log.read(None)[0])}


def test_symbolic_refs_are_left_out(tmp_path: Path) -> None:
    repo = filled(tmp_path / "tables", REFTABLE)
    before = entries(repo)
    repo.git("symbolic-ref", "-m", "made", "refs/heads/alias", "refs/heads/main")
    repo.git("update-ref", "--create-reflog", "-m", "moved", "refs/heads/alias", "HEAD~1")
    assert reftable.has_reflog(f"{repo.path}/.git", "refs/heads/alias")
    assert entries(repo).keys() == before.keys()


def test_as_files_have_it(tmp_path: Path) -> None:
    files, tables = busy(tmp_path / "files", FILES), busy(tmp_path / "tables", REFTABLE)
    assert reftable.is_used(f"{tables.path}/.git")
    assert not reftable.is_used(f"{files.path}/.git")
    told, expected = entries(tables), entries(files)
    linked = {"worktrees/files-linked/logs/HEAD": "worktrees/tables-linked/logs/HEAD"}
    renamed = {
        linked.get(key, key): [
            entry._replace(worktree=entry.worktree and entry.worktree.replace("files", "tables")) for entry in log
        ]
        for key, log in expected.items()
    }
    assert told.keys() == renamed.keys()
    for key, log in renamed.items():
        assert told[key] == log, key
    assert reflog.of_head(f"{tables.path}/.git", "main-worktree") == told["logs/HEAD"]
    assert reflog.exists(f"{tables.path}/.git", "refs/heads/silent")
    assert not reflog.exists(f"{tables.path}/.git", "refs/heads/gone")


def test_an_unborn_branch(tmp_path: Path) -> None:
    run("git", "init", "-q", REFTABLE, tmp_path / "repo")
    assert reftable.reflogs(str(tmp_path / "repo" / ".git")) == {}


def test_what_git_cannot_read_is_no_silence(tmp_path: Path) -> None:
    repo = filled(tmp_path / "repo", REFTABLE)
    folder = Path(repo.path, ".git", "reftable")
    for table in folder.glob("*.ref"):
        table.write_bytes(b"no table")
    with pytest.raises(RepositoryError, match="cannot read the reftables"):
        reftable.reflogs(f"{repo.path}/.git")
    with pytest.raises(RepositoryError):
        Twin(f"{repo.path}/.git").references()


@pytest.mark.parametrize(("before", "after"), [(FILES, "reftable"), (REFTABLE, "files")])
def test_a_migration_is_no_movement(tmp_path: Path, before: str, after: str) -> None:
    """Reading goes on in the other format where it left off in the first."""
    work: Any = Recording(filled(tmp_path / "repo", before))
    first = work.commit("one")
    work.drain()
    count = len(work.all())
    work.repo.git("refs", "migrate", f"--ref-format={after}")
    assert len(work.all()) == count
    second = work.commit("two")
    work.git("tag", "mark")
    work.check()
    assert [work.of(oid).event for oid in (first, second)] == ["commit", "commit"]
    assert work.refs("ref-update") == [("refs/tags/mark", None, second)]


def test_a_chain_of_fixups_that_a_conflict_stopped(tmp_path: Path) -> None:
    """What it has made so far is told by HEAD's reflog, which is in no file here."""
    work = Recording(filled(tmp_path / "tables", REFTABLE))
    base = work.head()
    olds = []
    for number in range(3):
        work.write("same", f"{number}\n")
        work.git("add", "same")
        olds.append(work.commit(f"part {number}", "--no-edit"))
    work.git("checkout", "-q", "-b", "elsewhere", base)
    work.commit("elsewhere")
    work.git("checkout", "-q", "main")
    work.drain()
    # the third before the second, which then clashes with it
    edit = "-e '2s/^pick/fixup/' -e '3s/^pick/fixup/' -e '2{h;d}' -e '3{G}'"
    work.fails("rebase", "-i", "elsewhere", GIT_SEQUENCE_EDITOR=f"sed -i {edit}")
    work.git("checkout", "-q", "--theirs", "same")
    work.git("add", "same")
    work.fails("rebase", "--continue", GIT_EDITOR="true")
    record = work.of(work.head())
    assert record.event == "rebase"
    assert {olds[0], olds[2]} <= set(record.replaces or ())
    work.git("checkout", "-q", "--theirs", "same")
    work.git("add", "same")
    work.git("rebase", "--continue", GIT_EDITOR="true")
    work.check()
