"""What takes more than one command to go wrong: gaps between reflogs, pushes that look alike, times that lie."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import Repo
from recording import Recording

from mgit_hooks.installer.install import boot_path
from mgit_hooks.record import Oid
from mgit_hooks.recorder import spool
from mgit_hooks.recorder.event import HookEvent


@pytest.fixture
def work(repo: Repo) -> Recording:
    return Recording(repo)


def test_a_branch_deleted_and_made_again(work: Recording) -> None:
    one = work.commit("one")
    work.git("branch", "topic")
    work.drain()
    two = work.commit("two")
    work.git("branch", "-D", "topic")
    work.git("branch", "topic", two)
    assert [move for move in work.refs() if move[0] == "refs/heads/topic"] == [
        ("refs/heads/topic", None, one),
        ("refs/heads/topic", one, None),
        ("refs/heads/topic", None, two),
    ]
    work.check()


def test_a_renamed_branch(work: Recording) -> None:
    work.commit("one")
    two = work.commit("two")
    work.drain()
    work.git("branch", "-m", "main", "trunk")
    told = work.refs()
    assert ("refs/heads/trunk", None, two) in told
    assert ("refs/heads/main", two, None) in told
    assert len([move for move in told if move[0] == "refs/heads/trunk"]) == 1
    three = work.commit("three")
    assert work.of(three).branch == "trunk"
    work.check()


def test_a_merge_that_was_fast_forwarded_to_was_not_made_here(work: Recording, tmp_path: Path) -> None:
    work.commit("one")
    other = Repo(tmp_path / "other")
    work.git("clone", "-q", work.path, other.path)
    other.git("checkout", "-q", "-b", "side")
    other.commit("side", {"side": "x"})
    other.git("checkout", "-q", "main")
    other.commit("theirs", {"theirs": "x"})
    other.git("merge", "-q", "-m", "join", "side")
    work.git("pull", "-q", "--ff-only", other.path, "main")
    assert sorted(work.made()) == ["commit one", "import join", "import side", "import theirs"]
    work.check()


def test_times_of_the_past_on_a_new_branch(work: Recording, tmp_path: Path) -> None:
    work.commit("one")
    work.drain()
    work.git("worktree", "add", "-q", "-b", "topic", str(tmp_path / "w"))
    work.git(
        "-C", str(tmp_path / "w"), "commit", "-q", "--allow-empty", "-m", "long ago",
        GIT_COMMITTER_DATE="1000000000 +0000",
    )  # fmt: skip
    record = work.of(work.head("topic"))
    assert (record.event, record.branch, record.occurred_at) == ("commit", "topic", "2001-09-09T01:46:40+00:00")


def test_commits_that_another_worktree_merged_in_the_same_second(work: Recording, tmp_path: Path) -> None:
    """The merge stands first in the first HEAD's reflog; the commits are told as their own reflog has them."""
    other = str(tmp_path / "w")
    when = {"GIT_COMMITTER_DATE": "1988150400 +0000"}
    work.commit("one", **when)
    work.git("worktree", "add", "-q", "-b", "topic", other, **when)
    for name in ("a", "b"):
        work.git("-C", other, "commit", "-q", "--allow-empty", "-m", name, **when)
    work.git("merge", "-q", "--no-ff", "-m", "join", "topic", **when)
    assert work.made() == ["commit one", "commit a", "commit b", "merge join"]
    assert {r.worktree for r in work.records("commit")} == {"main-worktree", "worktrees/w"}
    work.check()


@pytest.mark.parametrize("every", [True, False])
def test_an_outcome_belongs_to_the_push_that_was_taken(repo: Repo, bare: Repo, every: bool) -> None:
    work = Recording(repo, every=every)
    work.git("remote", "add", "origin", bare.path)
    work.commit("one")
    refuse = Path(bare.path, "hooks", "pre-receive")
    refuse.write_text("#!/bin/sh\nexit 1\n")
    refuse.chmod(0o755)
    work.fails("push", "-q", "origin", "main")
    refuse.unlink()
    work.git("push", "-q", "origin", "main")
    one = work.head()
    work.commit("two")
    work.git("push", "-q", "origin", "main")
    work.git("push", "-q", "--force", "origin", f"{one}:refs/heads/main")
    pushes = [record.seq for record in work.pushes()]
    outcomes = [(record.detail or {})["push"] for record in work.records("push-outcome") if record.refs]
    # Where all of it is drained at once, nothing tells which of two that look alike the remote took.
    assert outcomes == (pushes[1:] if every else [None, *pushes[2:]])
    told = {r.detail["push"]: r.push.confirmed for r in work.records("push-outcome") if r.detail and r.push}
    taken = dict.fromkeys(pushes[1 if every else 2 :], True)
    assert {seq: said for seq, said in told.items() if seq} == {**({pushes[0]: False} if every else {}), **taken}
    work.check()


def test_a_record_waits_for_the_hook_of_a_fresh_commit(work: Recording) -> None:
    """A drain that runs between a commit's reflog entry and its hook does not take the commit for unobserved."""
    hook = Path(work.path, ".git/hooks/post-commit")
    stub = hook.read_bytes()
    hook.write_bytes(stub.replace(b"\nhook=post-commit\n", b"\nhook=post-commit\nsleep 0.4\n", 1))
    work.write("a", "x\n")
    work.git("add", "a")
    committing = subprocess.Popen(["git", "-C", work.path, "commit", "-q", "-m", "slow"])
    while not Path(work.path, ".git/logs/HEAD").exists():
        time.sleep(0.005)
    drained = subprocess.run([sys.executable, "-I", boot_path(), "drain", "--git-dir", os.path.join(work.path, ".git")])
    assert committing.wait() == drained.returncode == 0
    record = work.of(work.head())
    assert (record.source, record.gate.status) == ("hook", "none")


def test_a_rewrite_map_that_comes_late(work: Recording) -> None:
    first = work.commit("first")
    old = work.commit("one")
    work.git("checkout", "-q", "--detach", first)
    work.commit("base")
    work.drain()
    spooled = Path(work.location.spool_dir, "now")
    work.git("rebase", "-q", "HEAD", "main")
    lines = spooled.read_bytes().splitlines(keepends=True)
    spooled.write_bytes(b"".join(line for line in lines if b"\tpost-rewrite\t" not in line))
    assert work.of(work.head()).replaces is None
    with spooled.open("ab") as file:
        file.write(next(line for line in lines if b"\tpost-rewrite\t" in line))
    record = work.of(work.head())
    assert (record.event, record.replaces) == ("rebase", (old,))
    assert record.supersedes is not None
    assert record.refs
    work.check()


def test_thousands_of_lines_at_once(work: Recording) -> None:
    """What one drain does grows with what waits, not with its square."""
    one = work.commit("one")
    stream = b"".join(
        b"commit refs/heads/many\ncommitter A <a@b> %d +0000\ndata 2\nc\n%s\n"
        % (1_700_000_000 + n, b"from refs/heads/main^0\n" if n == 0 else b"")
        for n in range(3000)
    )
    subprocess.run(["git", "-C", work.path, "fast-import", "--quiet"], input=stream, check=True)
    for oid in work.git("rev-list", "--reverse", "main..many").splitlines():
        said = HookEvent("post-commit", 999_999, "o", "main-worktree", Oid(oid), ())
        spool.append(work.location.spool_dir, said, sync=False)
    started = time.process_time()
    work.drain()
    assert time.process_time() - started < 20
    assert work.of(one).event == "commit"
    assert len(work.made()) == 3001
    work.check()


def test_our_own_refs_are_not_told(work: Recording) -> None:
    work.commit("one")
    work.git("update-ref", "--create-reflog", "refs/mgit/checkpoint", "HEAD")
    assert not any(name.startswith("refs/mgit/") for name, _, _ in work.refs())
    assert not any(record.refs and record.refs[0].name.startswith("refs/mgit/") for record in work.records())


def test_the_movement_that_made_a_commit_tells_it_though_a_later_one_bears_an_earlier_time(work: Recording) -> None:
    """A squash runs a git of its own, whose clock is a second ahead of the rebase's that ends after it."""
    work.commit("base")
    work.git("checkout", "-q", "-b", "topic")
    work.commit("one")
    work.commit("two")
    work.drain()
    work.git("rebase", "-q", "-i", "HEAD~2", GIT_SEQUENCE_EDITOR="sed -i -e 2s/pick/squash/", GIT_EDITOR="true")
    log = Path(work.path, ".git/logs/HEAD")
    *before, squashed, finished = log.read_text().splitlines()
    head, _, message = squashed.partition("\t")
    seconds = int(head.split(" ")[-2])
    later = head.replace(f" {seconds} ", f" {seconds + 1} ")
    log.write_text("\n".join([*before, f"{later}\t{message}", finished, ""]))
    record = work.of(work.head())
    assert record.event == "rebase"
    assert [(m.name, m.reason) for m in record.refs or ()] == [("HEAD", "rebase (squash): one")]
    work.check()
