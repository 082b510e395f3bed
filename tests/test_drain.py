"""The drain under kills, beside others, and in repositories that are not as they should be."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from base64 import b64decode
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from random import Random
from typing import Any

import pytest
from conftest import Repo
from recording import Recording, faults, named, records, standing
from reliability import Tally

from mgit_hooks import log
from mgit_hooks.installer.install import boot_path, install
from mgit_hooks.journal.writer import Appender
from mgit_hooks.layout import locate
from mgit_hooks.lock import exclusive
from mgit_hooks.record import COMMIT_EVENTS
from mgit_hooks.recorder import appending, spool
from mgit_hooks.recorder.drain import drain
from mgit_hooks.recorder.event import HookEvent


@pytest.fixture
def work(repo: Repo) -> Recording:
    return Recording(repo)


def start_drain(path: str) -> subprocess.Popen[bytes]:
    git_dir = os.path.join(path, ".git")
    return subprocess.Popen([sys.executable, "-I", boot_path(), "drain", "--background", "--git-dir", git_dir])


def is_whole(work: Recording) -> None:
    """After one drain: each commit that git names is on record once, and nothing else is amiss."""
    now = named(work.location.common_dir, work.repo.git)
    work.check()
    told = Counter(r.commit.hash for r in work.records() if r.commit is not None and r.event in COMMIT_EVENTS)
    assert now <= told.keys()
    assert set(told.values()) <= {1}


def some_work(work: Recording, number: int) -> None:
    work.commit(f"{number} one")
    work.git("commit", "-q", "--amend", "-m", f"{number} better")
    work.git("push", "-q", "origin", f"HEAD:refs/heads/b{number}")
    work.git("tag", f"t{number}")


# Kills


def kill_often(work: Recording, times: int) -> None:
    chance = Random(times)
    for number in range(times):
        some_work(work, number)
        process = start_drain(work.path)
        time.sleep(chance.uniform(0.05, 0.35))
        process.send_signal(signal.SIGKILL)
        process.wait()
    is_whole(work)
    assert len(work.pushes()) == times
    assert len(work.records("amend")) == times


def test_killed_at_any_moment(work: Recording, bare: Repo) -> None:
    work.git("remote", "add", "origin", bare.path)
    kill_often(work, 30)


@pytest.mark.full
def test_killed_at_many_moments(work: Recording, bare: Repo, tally: Tally) -> None:
    work.git("remote", "add", "origin", bare.path)
    kill_often(work, 500)
    tally.seed, tally.cases = 500, 500


class _Stepped:
    """Ends this process, as a kill would, before the nth call that changes a file."""

    NAMES = ("write", "rename", "replace", "unlink", "fsync", "truncate", "ftruncate", "mkdir")

    def __init__(self, at: int) -> None:
        self._left = at
        for name in self.NAMES:
            setattr(os, name, self._counting(getattr(os, name)))

    def _counting(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*args: Any, **options: Any) -> Any:
            self._left -= 1
            if self._left == 0:
                if call.__name__ == "write":
                    call(args[0], args[1][: len(args[1]) // 2])  # a write that was cut off
                os._exit(9)
            return call(*args, **options)

        return counted


def dies_at(work: Recording, step: int) -> bool:
    """Whether a drain that ends at its nth step got so far."""
    location = work.location
    pid = os.fork()
    if pid == 0:
        try:
            _Stepped(step)
            drain(location, wait=5.0)
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 9


def test_killed_at_every_step(work: Recording, bare: Repo) -> None:
    work.git("remote", "add", "origin", bare.path)
    for step in range(1, 200):
        some_work(work, step)
        if not dies_at(work, step):
            break
        if step % 3:  # else the next one is killed too, over what this one left
            is_whole(work)
    assert step > 5
    is_whole(work)
    assert len(work.pushes()) == step
    assert len(work.records("amend")) == step


def test_killed_between_the_blocks_of_one_drain(work: Recording) -> None:
    """More pushes than one block holds: the cursor stands in the last block only."""
    commit = work.commit("one")
    for number in range(150):
        line = f"refs/heads/main {commit} refs/heads/b{number} {'0' * 40}\n"
        said = HookEvent("pre-push", 999_999, "o", "main-worktree", commit, ("origin", "url", line))
        spool.append(work.location.spool_dir, said, sync=False)
    step = 1
    while dies_at(work, step):
        step += 1
        assert step < 100
    told = Counter(ref.remote_ref for record in work.pushes() for ref in record.push.refs)  # type: ignore[union-attr]
    assert len(told) == 150
    assert set(told.values()) == {1}
    is_whole(work)


@pytest.mark.parametrize("strategy", ["ignore", "fallback"])
def test_a_push_that_a_killed_drain_told_is_not_told_again(
    work: Recording, strategy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor where a minimal record stands for it: that one says what it stands for."""
    rule = "schema = { properties = { push = { properties = { remote_name = { maxLength = 2 } } } } }"
    work.write(".mgit-hooks.toml", f'[[rules]]\nid = "no"\nmessage = "No."\nevents = ["push"]\n{rule}\n')
    work.git("config", "mgit.strategy", strategy)
    commit = work.commit("one")
    work.drain()
    for number in range(2):
        line = f"refs/heads/main {commit} refs/heads/b{number} {'0' * 40}\n"
        said = HookEvent("pre-push", 999_999, "o", "main-worktree", commit, ("origin", "url", line))
        spool.append(work.location.spool_dir, said, sync=False)
    append, calls = Appender.append, iter(range(2))

    def killed(self: Appender, *arguments: Any) -> Any:
        if next(calls):
            raise KeyboardInterrupt
        return append(self, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(appending, "_CHUNK", 1)
        patch.setattr(Appender, "append", killed)
        with pytest.raises(KeyboardInterrupt):
            work.drain()
    told = [record.original or record.to_json() for record in work.all()]
    pushed = [each["push"]["refs"][0]["remote_ref"] for each in told if each["event"] == "push"]
    assert pushed == ["refs/heads/b0", "refs/heads/b1"]
    assert any(record.original for record in work.all()) == (strategy == "fallback")
    work.check()


def syncs_of_a_rebase(work: Recording, count: int, monkeypatch: pytest.MonkeyPatch) -> int:
    """How often the drain after a rebase of so many commits waits for the disk."""
    base = work.commit("base")
    stream = b"".join(
        b"commit refs/heads/topic\ncommitter A <a@b> %d +0000\ndata 2\nc\n%sM 100644 inline f%d\ndata 2\nx\n\n"
        % (1_700_000_000 + n, b"" if n else f"from {base}\n".encode(), n)
        for n in range(count)
    )
    subprocess.run(["git", "-C", work.path, "fast-import", "--quiet"], input=stream, check=True)
    work.commit("two")
    work.drain()
    work.git("rebase", "-q", "main", "topic")
    real = os.fsync
    calls: list[int] = []

    def fsync(descriptor: int) -> None:
        calls.append(descriptor)
        real(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fsync)
        assert work.drain() > count
    work.check()
    return len(calls)


def test_a_rebase_is_not_synced_commit_by_commit(work: Recording, monkeypatch: pytest.MonkeyPatch) -> None:
    assert syncs_of_a_rebase(work, 70, monkeypatch) < 15


def test_planted_a_drain_that_syncs_each_record_is_caught(work: Recording, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(appending, "_CHUNK", 1)
    assert syncs_of_a_rebase(work, 20, monkeypatch) > 20


def test_a_killed_drain_leaves_no_lock(work: Recording) -> None:
    work.commit("one")
    process = start_drain(work.path)
    time.sleep(0.1)
    process.kill()
    process.wait()
    Path(work.location.mgit_dir, "draining").write_text(f"{process.pid}\n")
    assert not drain(work.location, wait=0.0).busy
    is_whole(work)


# What was not yet written when it was killed, or got lost since


@pytest.mark.parametrize("lost", ["state.json", "index.sqlite", "journal/head", "held.json", "draining"])
def test_what_is_derived_may_be_lost(work: Recording, bare: Repo, lost: str) -> None:
    work.git("remote", "add", "origin", bare.path)
    for number in range(3):
        some_work(work, number)
        work.drain()
        if number == 1:
            Path(work.location.mgit_dir, lost).unlink(missing_ok=True)
    before = len(work.all())
    Path(work.location.mgit_dir, lost).unlink(missing_ok=True)
    assert len(work.all()) == before
    is_whole(work)


def test_where_the_state_is_lost_the_index_is_not_believed(work: Recording) -> None:
    """A bit may have flipped in it, which sqlite does not see."""
    work.commit("one")
    work.commit("two")
    before = len(work.all())
    Path(work.location.mgit_dir, "state.json").unlink()
    with closing(sqlite3.connect(Path(work.location.mgit_dir, "index.sqlite"))) as index, index:
        index.execute("DELETE FROM movement")
    work.commit("three")
    assert len(work.all()) == before + 1


@pytest.mark.parametrize(
    "garbage", [b"", b"{", b"[]", b'{"reflogs": 1}', b"null", b'{"reflogs":{"a":[1,2]}}', b"\xff\0"]
)
def test_a_state_that_is_no_state(work: Recording, garbage: bytes) -> None:
    work.commit("one")
    before = len(work.all())
    Path(work.location.mgit_dir, "state.json").write_bytes(garbage)
    Path(work.location.mgit_dir, "held.json").write_bytes(garbage)
    assert len(work.all()) == before
    work.commit("two")
    is_whole(work)


def test_an_older_state_doubles_nothing(work: Recording, bare: Repo) -> None:
    """As after a drain that was killed between the journal and its state."""
    work.git("remote", "add", "origin", bare.path)
    some_work(work, 1)
    work.drain()
    state = Path(work.location.mgit_dir, "state.json").read_bytes()
    some_work(work, 2)
    before = len(work.all())
    Path(work.location.mgit_dir, "state.json").write_bytes(state)
    assert len(work.all()) == before
    is_whole(work)


# Several at once


def test_two_drains_never_run_at_once(work: Recording) -> None:
    with exclusive(os.path.join(work.location.mgit_dir, "drain.lock"), wait=0.0):
        work.commit("one")
        assert drain(work.location, wait=0.0).busy
    assert work.made() == ["commit one"]


def test_five_drains_at_once(work: Recording) -> None:
    for number in range(5):
        work.commit(f"commit {number}")
        processes = [start_drain(work.path) for _ in range(5)]
        assert [process.wait() for process in processes] == [0] * 5
    is_whole(work)
    assert len(work.made()) == 5


def test_ten_worktrees_commit_at_once(work: Recording, tmp_path: Path) -> None:
    """With the stubs' own drains in the background."""
    work.commit("base")
    install(locate(work.path))
    script = 'for n in 1 2 3 4 5; do echo $n >f$1; git add f$1; git commit -q -m "$1 $n" || exit; done'
    processes = []
    for number in range(10):
        path = str(tmp_path / f"w{number}")
        work.git("worktree", "add", "-q", "-b", f"b{number}", path)
        processes.append(subprocess.Popen(["sh", "-c", script, "sh", str(number)], cwd=path))
    assert [process.wait() for process in processes] == [0] * 10
    assert not drain(work.location, wait=60.0).busy
    is_whole(work)
    made = [r for r in work.records("commit") if r.commit and r.commit.message != "base\n"]
    assert Counter(r.worktree for r in made) == {f"worktrees/w{number}": 5 for number in range(10)}
    assert all(r.branch == f"b{(r.worktree or '')[-1]}" for r in made)


def test_a_line_that_comes_while_a_drain_ends_is_not_left(work: Recording) -> None:
    """A stub that sees a drain run starts none: the drain looks again after it has given up its lock."""
    install(locate(work.path))
    for number in range(10):
        work.commit(f"commit {number}")
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        told = [r for r in standing(records(work.location.journal_dir)) if r.event == "commit"]
        if len(told) == 10 and not Path(work.location.mgit_dir, "draining").exists():
            break
        time.sleep(0.05)
    assert len(told) == 10  # without a drain that anyone asked for
    is_whole(work)


# Repositories that are not as they should be


def test_without_reflogs(work: Recording) -> None:
    work.git("config", "core.logAllRefUpdates", "false")
    one = work.commit("one")
    work.git("checkout", "-q", "-b", "topic")
    two = work.commit("two")
    work.git("commit", "-q", "--amend", "-m", "better")
    better = work.head()
    work.git("checkout", "-q", "main")
    work.commit("three")
    work.git("merge", "-q", "-m", "join", "topic")
    assert not Path(work.path, ".git/logs/refs/heads/main").exists()
    is_whole(work)
    assert sorted(work.made()) == sorted(["commit one", "commit two", "amend better", "commit three", "merge join"])
    assert work.of(better).replaces == (two,)
    assert (work.of(one).source, work.of(one).worktree, work.of(one).branch) == ("hook", "main-worktree", None)
    assert ("refs/heads/topic", None, better) in work.refs()
    work.git("branch", "-D", "topic")
    assert work.refs()[-1] == ("refs/heads/topic", better, None)


def test_expired_reflogs_and_collected_garbage(work: Recording) -> None:
    work.commit("one")
    work.git("commit", "-q", "--amend", "-m", "better")
    work.git("stash", "list")
    work.drain()
    before = work.all()
    work.git("reflog", "expire", "--expire=now", "--expire-unreachable=now", "--all")
    work.git("gc", "-q", "--prune=now")
    assert [r.seq for r in work.all()] == [r.seq for r in before]
    work.commit("two")
    work.git("pack-refs", "--all")
    work.commit("three")
    is_whole(work)
    assert work.made() == ["commit one", "amend better", "commit two", "commit three"]


@pytest.mark.parametrize("kept", [0, 1, 3])
def test_a_reflog_cut_at_its_beginning(work: Recording, kept: int) -> None:
    for number in range(4):
        work.commit(f"commit {number}")
    before = len(work.all())
    for name in ("HEAD", "refs/heads/main"):
        path = Path(work.path, ".git/logs", name)
        path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[4 - kept :]))
    assert len(work.all()) == before
    work.commit("more")
    is_whole(work)
    assert len(work.made()) == 5


def test_packed_refs(work: Recording) -> None:
    one = work.commit("one")
    work.git("branch", "a")
    work.git("tag", "t")
    work.drain()
    before = len(work.all())
    work.git("pack-refs", "--all", "--prune")
    assert len(work.all()) == before
    two = work.commit("two")
    work.git("branch", "-D", "a")
    work.git("update-ref", "refs/tags/t", two)
    assert work.refs()[-2:] == [("refs/tags/t", one, two), ("refs/heads/a", one, None)]
    is_whole(work)


def test_an_unborn_branch(work: Recording) -> None:
    assert [record.event for record in work.records()] == ["snapshot"]
    work.git("checkout", "-q", "-b", "other")
    assert work.made() == []
    work.commit("one")
    work.git("checkout", "-q", "--orphan", "root")
    work.drain()
    second = work.commit("again")
    assert work.of(second).branch == "root"
    is_whole(work)


def test_a_bare_repository_that_is_pushed_to(work: Recording, bare: Repo) -> None:
    there = Recording(bare)
    work.git("remote", "add", "origin", bare.path)
    one = work.commit("one")
    work.git("push", "-q", "origin", "main")
    assert there.made() == ["import one"]
    assert there.refs() == [("refs/heads/main", None, one)]
    two = work.commit("two")
    work.git("push", "-q", "origin", "main", "main:other")
    assert there.refs()[1:] == [("refs/heads/main", one, two), ("refs/heads/other", None, two)]
    assert there.all()[0].repository_name == "remote"
    there.check()


def test_a_repository_that_is_moved(work: Recording, tmp_path: Path) -> None:
    work.commit("one")
    work.drain()
    moved = str(tmp_path / "moved")
    shutil.move(work.path, moved)
    work.path = work.repo.path = moved
    work.commit("two")
    assert work.made() == ["commit one", "commit two"]
    assert [r.event for r in work.records("adopted")] == []
    assert work.records()[-1].repository_name == "moved"
    is_whole(work)


def test_a_copied_repository_goes_on_under_an_id_of_its_own(work: Recording, tmp_path: Path) -> None:
    one = work.commit("one")
    work.drain()
    subprocess.run(["cp", "-a", work.path, str(tmp_path / "copy")], check=True)
    copy = Repo(tmp_path / "copy")
    copy.commit("in the copy")
    beside = Recording(copy)
    assert beside.made() == ["commit one", "commit in the copy"]
    assert len(beside.records("adopted")) == 1
    assert beside.of(one).commit is not None
    beside.check()
    work.commit("two")
    assert work.made() == ["commit one", "commit two"]
    is_whole(work)


def test_a_clone_has_no_journal(work: Recording, tmp_path: Path) -> None:
    work.commit("one")
    work.drain()
    work.git("clone", "-q", work.path, str(tmp_path / "clone"))
    assert not (tmp_path / "clone/.git/mgit").exists()


def test_git_dir_and_work_tree_in_the_environment(work: Recording, tmp_path: Path) -> None:
    git_dir, tree = str(tmp_path / "elsewhere.git"), tmp_path / "tree"
    tree.mkdir()
    subprocess.run(["git", "init", "-q", "-b", "main", "--bare", git_dir], check=True)
    subprocess.run(["git", "-C", git_dir, "config", "core.bare", "false"], check=True)
    place = {"GIT_DIR": git_dir, "GIT_WORK_TREE": str(tree)}
    environment = {**os.environ, **place}
    program = [sys.executable, "-m", "mgit_hooks"]
    subprocess.run([*program, "install", "-q"], cwd=tree, env=environment, check=True, capture_output=True)
    subprocess.run([*program, "drain", "-q"], cwd=tree, env=environment, check=True, capture_output=True)
    (tree / "a").write_text("x\n")
    for command in (["git", "add", "a"], ["git", "commit", "-q", "-m", "there"]):
        subprocess.run(command, cwd=tmp_path, env=environment, check=True)
    told = subprocess.run([*program, "log", "--json"], cwd=tree, env=environment, check=True, capture_output=True)
    events = [json.loads(line) for line in told.stdout.splitlines()]
    assert [(value["event"], value["source"]) for value in events if "commit" in value] == [("commit", "hook")]
    assert work.made() == []


def test_a_commit_whose_object_is_gone(work: Recording) -> None:
    one = work.commit("one")
    lost = work.commit("lost")
    work.git("reset", "-q", "--hard", one)
    after = work.commit("after")
    Path(work.path, ".git/objects", lost[:2], lost[2:]).unlink()
    assert work.made() == ["commit one", "commit after"]
    assert ("refs/heads/main", one, lost) in work.refs()
    assert ("refs/heads/main", lost, one) in work.refs()
    assert lost in Path(log.path(work.location.mgit_dir)).read_text()
    assert work.of(after).event == "commit"
    work.check()


def test_a_commit_whose_parent_is_gone(work: Recording) -> None:
    work.commit("one")
    lost = work.commit("two")
    work.commit("three")
    Path(work.path, ".git/objects", lost[:2], lost[2:]).unlink()
    assert work.made() == ["commit one", "commit three"]
    third = work.records("commit")[-1].commit
    assert third is not None
    assert (third.files, third.missing) == (None, (lost,))
    work.check()


def test_garbled_lines_are_logged_and_skipped(work: Recording) -> None:
    with open(os.path.join(work.location.spool_dir, "now"), "ab") as file:
        file.write(b"garbage\n\xff\xfe\0\n1\tpost-commit\tx\n2\tpost-commit\t1\to\tmain-worktree\t-\n\n")
        file.write(b"1\tgate\t77\ta\tmain-worktree\t-\tnot json\n")
        file.write(b"1\tpre-push\t77\to\tmain-worktree\t-\torigin\turl\tnot a push line\n")
        file.write(b"1\tpost-rewrite\t77\to\tmain-worktree\t-\tamend\t@x.7.7\n")
        file.write(b"1\tpost-commit\t77\to\tmain-worktree\tnothex\n")
        file.write(b"1\tpost-rewrite\t77\to\tmain-worktree\t-\tamend\tone two\n")
    one = work.commit("one")
    assert drain(work.location, wait=60.0).garbled >= 5
    assert work.of(one).source == "hook"
    assert "garbage" in Path(log.path(work.location.mgit_dir)).read_text()
    is_whole(work)


def test_a_line_without_its_newline_waits_for_the_rest(work: Recording) -> None:
    one = work.commit("one")
    now = Path(work.location.spool_dir, "now")
    whole = now.read_bytes()
    now.write_bytes(whole[:-1])
    assert drain(work.location, wait=0.0).garbled == 0
    now.write_bytes(whole)
    assert work.of(one).event == "commit"
    is_whole(work)


def test_bytes_that_are_no_utf8_come_through(work: Recording) -> None:
    name = b"caf\xe9-\x1b[31m\n.txt"
    Path(os.fsdecode(os.fsencode(work.path) + b"/" + name)).write_text("x\n")
    work.git("add", "-A")
    raw = b"Caf\xe9 \x1b[31mred\n\nbody \xff\n"
    # `git commit` itself would take the bytes for Latin-1; other tools write what they are given.
    who = "Ada <ada@example.org> 1700000000 +0000"
    head = f"tree {work.git('write-tree')}\nauthor {who}\ncommitter {who}\n\n".encode()
    oid = work.git("hash-object", "-t", "commit", "-w", "--stdin", stdin=head + raw)
    work.git("update-ref", "-m", "commit (initial): raw", "HEAD", oid)
    commit = work.of(work.head()).commit
    assert commit is not None
    assert b64decode(commit.message_bytes or "") == raw
    assert "�" in commit.message
    change = (commit.files or ())[0]
    assert b64decode(change.filename_bytes or "") == name
    branch = b"refs/heads/caf\xe9"
    Path(os.fsdecode(os.fsencode(work.path) + b"/.git/" + branch)).write_text(work.head() + "\n")
    assert any(
        ref.name.startswith("refs/heads/caf") for record in work.records("ref-update") for ref in record.refs or ()
    )
    work.git("checkout", "-q", os.fsdecode(b"caf\xe9"))
    work.commit("on it")
    is_whole(work)


def test_ten_thousand_files_in_one_commit(work: Recording) -> None:
    for number in range(10_000):
        folder = os.path.join(work.path, f"d{number % 100}")
        if number < 100:
            os.mkdir(folder)
        with open(os.path.join(folder, str(number)), "w") as file:
            file.write(f"{number}\n")
    work.git("add", "-A")
    oid = work.commit("many", "--allow-empty")
    commit = work.of(oid).commit
    assert commit is not None
    assert len(commit.files or ()) == 10_000
    work.check()


def test_ten_thousand_files_renamed(work: Recording) -> None:
    os.mkdir(os.path.join(work.path, "a"))
    for number in range(2_000):
        Path(work.path, "a", str(number)).write_text(f"{number}\n" * 5)
    work.git("add", "-A")
    work.commit("many", "--allow-empty")
    work.git("mv", "a", "b")
    oid = work.commit("moved", "--allow-empty")
    commit = work.of(oid).commit
    assert commit is not None
    assert Counter(change.change_type for change in commit.files or ()) == {"renamed": 2_000}


# Where recording begins


def test_older_history_is_not_recorded_by_a_drain(repo: Repo) -> None:
    old = [repo.commit(f"old {number}", {"a": str(number)}) for number in range(4)]
    repo.git("branch", "aside", old[1])
    work = Recording(repo)
    work.git("checkout", "-q", old[0])
    work.git("checkout", "-q", "aside")
    new = work.commit("new")
    work.git("merge", "-q", "--ff-only", old[1])
    work.git("checkout", "-q", "-B", "again", old[2])
    work.git("merge", "-q", "--ff-only", old[3])
    work.git("reset", "-q", "--hard", old[1])
    assert work.made() == ["commit new"]
    assert work.of(new).commit.parents == (old[1],)  # type: ignore[union-attr]
    work.check()


def test_the_first_commit_after_install_is_recorded(repo: Repo) -> None:
    """Recording begins with install, not with the first drain."""
    repo.commit("old")
    subprocess.run(
        [sys.executable, "-m", "mgit_hooks", "-C", repo.path, "install", "-q"], check=True, capture_output=True
    )
    new = repo.commit("new")
    drain(locate(repo.path), wait=60.0)
    told = [r for r in records(locate(repo.path).journal_dir) if r.commit is not None]
    assert [(r.commit.hash, r.branch, r.occurred_from) for r in told if r.commit] == [(new, "main", "reflog")]


@pytest.mark.parametrize("older", [0, 3])
def test_a_hook_manager_is_the_first_contact(repo: Repo, older: int) -> None:
    for number in range(older):
        repo.commit(f"old {number}")
    new = repo.commit("new")
    program = [sys.executable, "-m", "mgit_hooks", "-C", repo.path, "drain", "--framework"]
    subprocess.run(program, check=True, capture_output=True)
    told = records(locate(repo.path).journal_dir)
    assert [(r.event, r.source) for r in told if r.commit is not None] == [("commit", "framework")]
    assert [r.commit.hash for r in told if r.commit is not None] == [new]
    later = repo.commit("later")
    subprocess.run(program, check=True, capture_output=True)
    told = records(locate(repo.path).journal_dir)
    assert [r.commit.hash for r in told if r.commit is not None] == [new, later]
    assert faults(locate(repo.path)) == []


# Where nothing can be written


@contextmanager
def mounted(kind: list[str], path: Path) -> Iterator[None]:
    if subprocess.run(["mount", *kind, str(path)], capture_output=True).returncode:
        pytest.skip("mounting is not possible here")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(path)], check=True)


def test_a_git_directory_that_may_only_be_read(work: Recording, tmp_path: Path) -> None:
    """What was recorded stays readable; git itself fails there, so that nothing new is to be recorded."""
    work.commit("one")
    work.drain()
    work.commit("waits")
    git_dir = Path(work.path, ".git")
    with mounted(["--bind", "-o", "ro", str(git_dir)], git_dir):
        if subprocess.run(["mount", "-o", "remount,bind,ro", str(git_dir)], capture_output=True).returncode:
            pytest.skip("mounting read-only is not possible here")
        program = [sys.executable, "-m", "mgit_hooks", "-C", work.path]
        told = subprocess.run([*program, "log"], capture_output=True, text=True)
        assert told.returncode == 0
        assert "one" in told.stdout
        assert "not recorded yet" in told.stderr
        drained = subprocess.run([*program, "drain"], capture_output=True, text=True)
        assert drained.returncode == 128
        assert "Traceback" not in drained.stderr
    assert work.made() == ["commit one", "commit waits"]
    is_whole(work)


def test_our_folder_may_not_be_written(work: Recording) -> None:
    """git commit goes on, without a line in the spool; its reflog tells the drain all the same."""
    work.commit("one")
    work.drain()
    mgit = Path(work.location.mgit_dir)
    with mounted(["--bind", "-o", "ro", str(mgit)], mgit):
        if subprocess.run(["mount", "-o", "remount,bind,ro", str(mgit)], capture_output=True).returncode:
            pytest.skip("mounting read-only is not possible here")
        two = work.commit("two")
    record = work.of(two)
    assert (record.event, record.source, record.gate.status) == ("commit", "reconcile", "unobserved")
    is_whole(work)


def test_a_full_disk(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    with mounted(["-t", "tmpfs", "-o", "size=8m", "tmpfs"], disk):
        subprocess.run(["git", "init", "-q", "-b", "main", str(disk / "repo")], check=True)
        work = Recording(Repo(disk / "repo"))
        work.commit("one")
        work.drain()
        for number in range(20):
            work.commit(f"waits {number}")
        filler = disk / "filler"
        with open(filler, "wb", buffering=0) as file:
            try:
                while True:
                    file.write(b"x" * 4096)
            except OSError:
                pass
        program = [sys.executable, "-m", "mgit_hooks", "-C", work.path]
        drained = subprocess.run([*program, "drain"], capture_output=True, text=True)
        assert drained.returncode == 128
        assert "Traceback" not in drained.stderr
        assert drained.stderr.count("\n") == 2, drained.stderr
        told = subprocess.run([*program, "log", "--no-pager"], capture_output=True, text=True)
        assert "Traceback" not in told.stderr
        filler.unlink()
        assert len(work.made()) == 21
        is_whole(work)


def test_somebody_elses_repository(work: Recording) -> None:
    work.commit("one")
    try:
        for folder, _, files in os.walk(work.path):
            for name in (".", *files):
                os.lchown(os.path.join(folder, name), 65534, 65534)
    except PermissionError:
        pytest.skip("only root can give files away")
    for command in (["log"], ["drain"], ["verify"], ["show"], ["export"], ["backfill"], ["init"]):
        told = subprocess.run(
            [sys.executable, "-m", "mgit_hooks", "-C", work.path, *command], capture_output=True, text=True
        )
        assert told.returncode == 128
        assert "dubious ownership" in told.stderr
        assert f"safe.directory {work.path}\n" in told.stderr
