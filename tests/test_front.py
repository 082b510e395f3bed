"""A hooks folder of ours before one that others use: ``install --in-front``."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from conftest import Repo
from reliability import Tally
from test_install import killed_at, plant, snapshot
from test_stubs import SHELLS

from mgit_hooks.errors import MgitError, UsageError
from mgit_hooks.installer import front, hookfiles, stubs
from mgit_hooks.installer.install import install, uninstall
from mgit_hooks.layout import Location, locate
from mgit_hooks.recorder import spool

COMMITTED = ["pre-commit", "prepare-commit-msg", "commit-msg", "post-commit"]


class Shared:
    """A repository whose hooks are in its worktree; each tells, by its own name, that it ran and where."""

    def __init__(self, repo: Repo, folder: str = ".githooks", hooks: tuple[str, ...] = tuple(COMMITTED)) -> None:
        self.repo = repo
        self.ran = Path(repo.path).parent / "ran"
        for hook in hooks:
            self.add(folder, hook)
        repo.git("config", "core.hooksPath", folder)
        self.config = Path(repo.path, ".git/config")
        self.before = (self.config.read_bytes(), files(Path(repo.path, ".git")))

    def add(self, folder: str, hook: str) -> None:
        path = Path(self.repo.path, folder, hook)
        path.parent.mkdir(parents=True, exist_ok=True)
        plant(path, f"#!/bin/sh\necho ${{0##*/}} >>'{self.ran}'\n".encode())

    def install(self) -> None:
        install(locate(self.repo.path), in_front=True, python="/nothing", boot="/nothing")

    def commits(self, **env: str) -> tuple[list[str], list[str]]:
        """The hooks of theirs that a commit runs, and those of ours that leave a line."""
        location = locate(self.repo.path)
        self.ran.unlink(missing_ok=True)
        before = len(spool.read(location.spool_dir, None).events)
        self.repo.commit("x", **env)
        told = self.ran.read_text().split() if self.ran.exists() else []
        return told, [event.hook for event in spool.read(location.spool_dir, None).events[before:]]


def files(folder: Path) -> set[str]:
    """But for what git itself makes, and our records."""
    found = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    return {name for name in found if not name.startswith(("mgit/", "objects/", "logs/", "index", "COMMIT_", "refs/"))}


@pytest.fixture
def shared(repo: Repo) -> Shared:
    return Shared(repo)


def test_theirs_and_ours_run_and_nobody_else_sees_it(shared: Shared) -> None:
    assert shared.commits() == (COMMITTED, [])
    shared.install()
    status = shared.repo.git("status", "--porcelain", "--ignored")
    assert shared.commits() == (COMMITTED, ["post-commit"])
    assert shared.repo.git("status", "--porcelain", "--ignored") == status == ""
    assert shared.repo.git("config", "--local", "core.hooksPath") == ".githooks"
    uninstall(locate(shared.repo.path))
    assert (shared.config.read_bytes(), files(Path(shared.repo.path, ".git"))) == shared.before
    assert shared.commits() == (COMMITTED, [])


@pytest.mark.parametrize("shell", SHELLS)
def test_in_every_shell(shared: Shared, shell: str) -> None:
    program, option = SHELLS[shell]
    if program is None:
        pytest.skip(f"there is no {shell}")
    shared.install()
    for path in Path(front.folder(locate(shared.repo.path))).iterdir():
        path.write_bytes(path.read_bytes().replace(b"#!/bin/sh\n", f"#!{program}{option}\n".encode(), 1))
    (Path(shared.repo.path, ".git/mgit-hooks/behind")).unlink()  # it asks git, and writes the answer down
    assert shared.commits() == (COMMITTED, ["post-commit"])
    assert Path(shared.repo.path, ".git/mgit-hooks/behind").read_text() == ".githooks\n"
    shared.add("other hooks", "post-commit")
    shared.repo.git("config", "core.hooksPath", "other hooks")
    assert shared.commits() == (["post-commit"], ["post-commit"])
    shared.repo.git("config", "--unset", "core.hooksPath")
    assert shared.commits() == ([], ["post-commit"])
    shared.add(".git/hooks", "commit-msg")
    assert shared.commits() == (["commit-msg"], ["post-commit"])


def test_git_is_asked_again_only_when_the_configuration_has_changed(shared: Shared) -> None:
    shared.install()
    behind = Path(shared.repo.path, ".git/mgit-hooks/behind")
    os.utime(shared.config, (1_000_000_000, 1_000_000_000))
    before = behind.stat()
    shared.commits()
    assert (behind.stat().st_ino, behind.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    later = before.st_mtime + 10
    os.utime(shared.config, (later, later))
    shared.commits()
    # Not by its inode alone, which a file system may give to the next file.
    assert (behind.stat().st_ino, behind.stat().st_mtime_ns) != (before.st_ino, before.st_mtime_ns)


def test_what_they_refuse_is_refused(shared: Shared) -> None:
    shared.install()
    plant(Path(shared.repo.path, ".githooks/pre-commit"), b"#!/bin/sh\nexit 3\n")
    assert shared.repo.run("commit", "--allow-empty", "-m", "x", check=False).returncode != 0
    plant(Path(shared.repo.path, ".githooks/pre-commit"), mode=0o644)
    assert shared.commits()[0] == COMMITTED[1:]


def test_a_rebase_runs_the_hooks_that_it_ran_without_us(shared: Shared) -> None:
    for _ in range(3):
        shared.commits()

    def rebased() -> list[str]:
        shared.ran.unlink(missing_ok=True)
        shared.repo.git("rebase", "-q", "--force-rebase", "HEAD~2")
        return sorted(shared.ran.read_text().split())

    before = rebased()
    shared.install()
    assert rebased() == before
    assert len(before) > 1


def test_in_a_linked_worktree_too(shared: Shared, tmp_path: Path) -> None:
    shared.commits()
    shared.install()
    shared.repo.git("worktree", "add", "-q", str(tmp_path / "linked"))
    there = Repo(tmp_path / "linked")
    shared.ran.unlink(missing_ok=True)
    there.git("commit", "-q", "--allow-empty", "-m", "there")
    assert shared.ran.read_text().split() == COMMITTED
    assert spool.read(locate(shared.repo.path).spool_dir, None).events[-1].worktree == "worktrees/linked"
    shutil.rmtree(tmp_path / "linked" / ".githooks")
    shared.ran.unlink()
    there.git("commit", "-q", "--allow-empty", "-m", "as git has it, relative to the worktree")
    assert not shared.ran.exists()


def test_stubs_of_before_move_there(repo: Repo) -> None:
    mine = plant(Path(repo.path, ".git/hooks/post-commit"), b"#!/bin/sh\n")
    before = snapshot(mine.parent)
    location = locate(repo.path)
    install(location, python="/nothing", asked_for=["reference-transaction"])
    shared = Shared(repo)
    assert shared.commits() == (COMMITTED, [])
    install(location, in_front=True, python="/nothing")
    assert snapshot(mine.parent) == before
    assert hookfiles.inspect(hookfiles.hooks_dir(location), "reference-transaction").state == "installed"
    assert shared.commits() == (COMMITTED, ["reference-transaction", "post-commit"])


def test_a_stub_of_ours_behind_does_not_run_as_well(repo: Repo) -> None:
    """Such a one is there where somebody installed while the include said nothing, as in a repository moved away."""
    location = locate(repo.path)
    install(location, python="/nothing")
    kept = {hook: Path(repo.path, ".git/hooks", hook).read_bytes() for hook in stubs.HOOKS}
    shared = Shared(repo, ".git/hooks", hooks=())
    repo.git("config", "--unset", "core.hooksPath")
    install(location, in_front=True, python="/nothing")
    for hook, content in kept.items():
        plant(Path(repo.path, ".git/hooks", hook), content)
    shared.add(".git/hooks", "post-commit.mgit-chained")
    assert shared.commits() == (["post-commit.mgit-chained"], ["post-commit"])


@pytest.mark.parametrize("name", ['it\'s a "place"', "a*b?c[d]", "back\\slash", "tab\tand ünï"])
def test_whatever_the_folder_is_called(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    path = tmp_path / name / "repo"
    subprocess.run(["git", "init", "-q", "-b", "main", path], check=True)
    shared = Shared(Repo(path))
    shared.ran = tmp_path / "ran"
    for hook in COMMITTED:
        shared.add(".githooks", hook)
    shared.install()
    assert shared.commits() == (COMMITTED, ["post-commit"])
    uninstall(locate(str(path)))
    assert (shared.config.read_bytes(), files(path / ".git")) == shared.before


def test_a_newline_in_its_name_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "new\nline"
    subprocess.run(["git", "init", "-q", "-b", "main", path], check=True)
    shared = Shared(Repo(path), hooks=())
    with pytest.raises(MgitError, match="newline"):
        shared.install()
    assert (shared.config.read_bytes(), files(path / ".git")) == shared.before


@pytest.mark.parametrize("how", ["moved", "copied"])
def test_elsewhere_git_goes_by_what_the_others_set(shared: Shared, tmp_path: Path, mgit: Any, how: str) -> None:
    shared.commits()
    shared.install()
    (shutil.move if how == "moved" else shutil.copytree)(shared.repo.path, tmp_path / "there")
    there = shared.repo = Repo(tmp_path / "there")
    assert shared.commits() == (COMMITTED, [])
    told = mgit("-C", there.path, "doctor")
    assert (told.code, "no hook of ours is in" in told.out) == (1, True)
    assert mgit("-C", there.path, "doctor", "--fix").code == 0
    assert shared.commits()[0] == COMMITTED
    assert Path(hookfiles.hooks_dir(locate(there.path))) == tmp_path / "there/.git/mgit-hooks"
    assert (tmp_path / "there/.git/config").read_text().count("includeIf") == 2
    uninstall(locate(there.path))
    assert "includeIf" not in (tmp_path / "there/.git/config").read_text()


def test_what_wins_over_the_repositorys_own_configuration_is_said(shared: Shared) -> None:
    shared.repo.git("config", "extensions.worktreeConfig", "true")
    shared.repo.git("config", "--worktree", "core.hooksPath", ".githooks")
    before = shared.config.read_bytes()
    with pytest.raises(MgitError, match=r"git goes on to run hooks from .*\.githooks"):
        shared.install()
    assert (shared.config.read_bytes(), Path(shared.repo.path, ".git/mgit-hooks").exists()) == (before, False)


def test_a_rare_hook_that_comes_to_stand_behind_is_noticed(shared: Shared, mgit: Any) -> None:
    shared.install()
    shared.add(".githooks", "reference-transaction")
    told = mgit("-C", shared.repo.path, "doctor")
    assert (told.code, "that git does not find: reference-transaction" in told.out) == (1, True)
    assert shared.commits()[0] == COMMITTED
    assert mgit("-C", shared.repo.path, "doctor", "--fix").code == 0
    assert "reference-transaction" in shared.commits()[0]
    install(locate(shared.repo.path), python="/nothing", asked_for=["reference-transaction"])
    assert "reference-transaction" in shared.commits()[1]


def test_a_hook_that_a_tool_writes_there_runs_and_goes_behind_when_we_go(shared: Shared, tmp_path: Path) -> None:
    """Such a tool has asked git for the hooks folder."""
    shared.install()
    hook = plant(
        Path(shared.repo.path, ".git/mgit-hooks/post-merge"), f"#!/bin/sh\necho tool >>{tmp_path}/ran\n".encode()
    )
    content = hook.read_bytes()
    install(locate(shared.repo.path), python="/nothing")
    subprocess.run([hook, "0"], cwd=shared.repo.path, check=True)
    assert shared.ran.read_text() == "tool\n"
    uninstall(locate(shared.repo.path))
    assert Path(shared.repo.path, ".githooks/post-merge").read_bytes() == content
    assert not Path(shared.repo.path, ".git/mgit-hooks").exists()


def test_status_says_where_the_hooks_go_on_to(shared: Shared, mgit: Any) -> None:
    assert mgit("-C", shared.repo.path, "status", "--json").json[0]["behind"] is None
    shared.install()
    assert mgit("-C", shared.repo.path, "status", "--json").json[0]["behind"] == ".githooks"
    assert "\nthen      .githooks\n" in mgit("-C", shared.repo.path, "status").out


def test_in_huskys_folder_nothing_is_ever_written(repo: Repo) -> None:
    shared = Shared(repo, ".husky/_")
    Path(repo.path, ".husky/_/h").write_text("#!/usr/bin/env sh\n# husky\n")
    for allow in (False, True):
        with pytest.raises(UsageError, match="is husky's") as refused:
            install(locate(repo.path), allow_shared=allow)
        assert "--in-front" in refused.value.remedy
    shared.install()
    assert shared.commits() == (COMMITTED, ["post-commit"])


def before_theirs(location: Location) -> None:
    install(location, in_front=True)


def killed_and_mended(shared: Shared, first: Any, then: Any, stride: int) -> int:
    """At every moment git finds the hooks of the others, by way of ours or not. How often it was killed."""
    location = locate(shared.repo.path)
    step, kills, killed = 1, 0, True
    while killed:
        if first is uninstall:
            shared.install()
        killed = killed_at(step, first, location)
        directory = Path(hookfiles.hooks_dir(location))
        assert directory == Path(shared.repo.path, ".githooks") or (directory / "prepare-commit-msg").exists()
        then(location)
        if then is before_theirs:
            assert {hookfiles.inspect(front.folder(location), hook).state for hook in stubs.HOOKS} == {"installed"}
            uninstall(location)
        assert (shared.config.read_bytes(), files(Path(shared.repo.path, ".git"))) == shared.before
        step, kills = step + stride, kills + killed
    return kills


@pytest.mark.parametrize("name", ["pre-applypatch", "commit-msg", "config", "behind"])
def test_what_a_kill_left_of_a_file_being_written_is_nobody_elses(shared: Shared, name: str) -> None:
    shared.install()
    Path(hookfiles.scratch_name(str(Path(shared.repo.path, ".git", front.NAME, name)))).write_bytes(b"#!/bin/sh\n# ha")
    uninstall(locate(shared.repo.path))
    assert not Path(shared.repo.path, ".git", front.NAME).exists()
    assert not list(Path(shared.repo.path, ".githooks").glob("*.mgit-tmp"))


@pytest.mark.parametrize("first", [before_theirs, uninstall])
def test_a_run_that_is_killed_is_mended_by_the_next(shared: Shared, first: Any) -> None:
    assert killed_and_mended(shared, first, before_theirs, 13) > 1


@pytest.mark.full
@pytest.mark.parametrize("first", [before_theirs, uninstall])
@pytest.mark.parametrize("then", [before_theirs, uninstall])
def test_a_run_that_is_killed_anywhere_is_mended_by_the_next(
    shared: Shared, tally: Tally, first: Any, then: Any
) -> None:
    tally.cases += killed_and_mended(shared, first, then, 1)
    assert tally.cases > 10


def test_another_account_finds_the_hooks_behind(shared: Shared) -> None:
    """The folder is open to it, though our records are not."""
    shared.install()
    for path in (Path(shared.repo.path, ".git/mgit-hooks"), *Path(shared.repo.path, ".git/mgit-hooks").iterdir()):
        assert path.stat().st_mode & 0o044 == 0o044, path
        assert not path.is_dir() or path.stat().st_mode & 0o011 == 0o011
    assert os.access(Path(shared.repo.path, ".git/mgit-hooks/pre-rebase"), os.X_OK)
