"""However many hooks fire, few drains start, one works at a time, and none keeps anybody waiting."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
import types
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import Repo
from recording import Recording, faults, records, standing, wait_until

from mgit_hooks import boot, log, meter
from mgit_hooks.errors import MgitError
from mgit_hooks.git import library
from mgit_hooks.installer.install import boot_path, install
from mgit_hooks.journal import reader
from mgit_hooks.layout import locate
from mgit_hooks.lock import exclusive
from mgit_hooks.operation import DRAIN, Operation
from mgit_hooks.record import Record
from mgit_hooks.recorder import alive, awaited, gathering, state
from mgit_hooks.recorder import drain as drain_module
from mgit_hooks.recorder.drain import drain


class Counting:
    """A repository whose stubs start real drains, each of which is counted."""

    def __init__(self, repo: Repo, folder: Path) -> None:
        self.repo = repo
        self.location = locate(repo.path)
        self.calls = folder / "calls"
        self.calls.touch()
        python = folder / "python"
        python.write_text(f'#!/bin/sh\necho + >>{self.calls}\n{sys.executable} "$@"\necho - >>{self.calls}\n')
        python.chmod(0o700)
        install(self.location, python=str(python), boot=boot_path())
        drain(self.location, wait=10.0)

    def starts(self) -> int:
        return self.calls.read_text().count("+")

    def at_once(self) -> int:
        """How many ran at the same time."""
        running = [0]
        for line in self.calls.read_text().splitlines():
            running.append(running[-1] + (1 if line == "+" else -1))
        return max(running)

    def told(self, event: str) -> list[Record]:
        return [record for record in standing(records(self.location.journal_dir)) if record.event == event]

    def rests(self) -> bool:
        return not any(os.path.exists(os.path.join(self.location.mgit_dir, name)) for name in ("draining", "starting"))


@pytest.fixture
def counting(repo: Repo, tmp_path: Path) -> Counting:
    repo.commit("base")
    return Counting(repo, tmp_path)


def test_commits_in_a_loop_share_their_drains(counting: Counting) -> None:
    loop = "for n in $(seq 60); do git commit -q --allow-empty -m $n || exit; done"
    subprocess.run(["sh", "-c", loop], cwd=counting.repo.path, check=True)
    wait_until(lambda: len(counting.told("commit")) == 60 and counting.rests(), seconds=120.0)
    assert counting.at_once() <= 3  # one that works, one that has ended and is still there, one that was too late
    assert counting.starts() < 60
    assert faults(counting.location) == []


def test_fifty_hooks_at_once_start_hardly_more_than_one(counting: Counting) -> None:
    hook = Path(counting.repo.path, ".git/hooks/post-commit")
    processes = [subprocess.Popen([hook], cwd=counting.repo.path) for _ in range(50)]
    assert [process.wait() for process in processes] == [0] * 50
    wait_until(lambda: counting.starts() and counting.rests() and not faults(counting.location), seconds=120.0)
    assert counting.starts() <= 10


def test_a_mark_that_a_kill_left_holds_no_drain_off(counting: Counting) -> None:
    process = subprocess.Popen(["true"])
    process.wait()
    Path(counting.location.mgit_dir, "starting").write_text(f"{process.pid}\n")
    counting.repo.commit("one")
    wait_until(lambda: len(counting.told("commit")) == 1 and counting.rests())


def test_a_rebase_is_one_append(repo: Repo, tmp_path: Path) -> None:
    repo.commit("base", {"base": "0"})
    repo.git("branch", "upstream")
    for number in range(40):
        repo.commit(f"topic {number}", {f"f{number}": str(number)})
    repo.git("checkout", "-q", "upstream")
    repo.commit("upstream", {"base": "1"})
    repo.git("checkout", "-q", "main")
    counting = Counting(repo, tmp_path)
    before = list(reader.blocks(counting.location.journal_dir))
    repo.git("rebase", "-q", "upstream")
    wait_until(lambda: len(counting.told("rebase")) == 40 and counting.rests())
    added = list(reader.blocks(counting.location.journal_dir))[len(before) :]
    assert all(record.replaces for record in counting.told("rebase"))
    assert counting.starts() == 1
    assert len(added) <= 2


@pytest.mark.skipif(not hasattr(os, "getpriority"), reason="there is no niceness")
def test_a_drain_is_nice(counting: Counting) -> None:
    """On Linux its input and output are then, too: the kernel goes by the niceness."""
    script = (
        "import os, sys\n"
        "from mgit_hooks import boot\n"
        "from mgit_hooks.recorder import drain\n"
        "drain.drain = lambda *args, **options: sys.exit(os.getpriority(os.PRIO_PROCESS, 0))\n"
        "boot.main(['drain', '--background', '--git-dir', sys.argv[1]])\n"
    )
    done = subprocess.run([sys.executable, "-c", script, counting.location.common_dir])
    assert done.returncode == min(os.getpriority(os.PRIO_PROCESS, 0) + 10, 19)


# A drain that is stopped, as by a machine that goes to sleep, and goes on


def stopped_at(location_dir: str, step: int) -> subprocess.Popen[bytes]:
    """A drain that stops itself before its nth call that changes a file; it may have ended before."""
    script = (
        "import os, signal, sys\n"
        "left = int(sys.argv[2])\n"
        "def counting(call):\n"
        "    def counted(*args, **options):\n"
        "        global left\n"
        "        left -= 1\n"
        "        if left == 0: os.kill(os.getpid(), signal.SIGSTOP)\n"
        "        return call(*args, **options)\n"
        "    return counted\n"
        "for name in ('write', 'rename', 'replace', 'unlink', 'fsync'):\n"
        "    setattr(os, name, counting(getattr(os, name)))\n"
        "from mgit_hooks.recorder.drain import main\n"
        "sys.exit(main(['--background', '--git-dir', sys.argv[1]]))\n"
    )
    return subprocess.Popen([sys.executable, "-c", script, location_dir, str(step)])


@pytest.fixture
def work(repo: Repo) -> Recording:
    return Recording(repo)


@pytest.fixture
def stopped(work: Recording, request: pytest.FixtureRequest) -> Iterator[subprocess.Popen[bytes]]:
    work.commit("one")
    process = stopped_at(work.location.common_dir, request.param)
    wait_until(lambda: os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOHANG | os.WNOWAIT) is not None)
    yield process
    process.send_signal(signal.SIGCONT)
    process.wait()


@pytest.mark.parametrize("stopped", [5, 13], indirect=True)
def test_nobody_waits_long_for_a_drain_that_stands_still(
    work: Recording, stopped: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    began = time.monotonic()
    work.commit("two")
    assert time.monotonic() - began < 8.0  # of two git commands, on a machine with much else to do
    began = time.monotonic()
    told = subprocess.run(
        [sys.executable, "-m", "mgit_hooks", "log", "--json"], cwd=work.path, capture_output=True, text=True
    )
    assert time.monotonic() - began < 35.0
    assert told.returncode == 0
    assert "another process is still recording" in told.stderr
    stopped.send_signal(signal.SIGCONT)
    assert stopped.wait() == 0
    work.check()
    assert work.made() == ["commit one", "commit two"]


# A commit that went round the hooks is not waited for


def waits(work: Recording, monkeypatch: pytest.MonkeyPatch) -> bool:
    slept: list[float] = []
    monkeypatch.setattr(gathering.time, "sleep", lambda seconds: slept.append(seconds))
    work.drain()
    return bool(slept)


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="there is no /proc")
def test_no_hook_is_waited_for_once_git_has_ended(
    work: Recording, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "proc/1").mkdir(parents=True)  # what else runs on this machine is not ours to say
    (tmp_path / "proc/1/comm").write_text("init\n")
    monkeypatch.setattr(awaited, "_PROC", str(tmp_path / "proc"))
    work.git("-c", "core.hooksPath=/dev/null", "commit", "-q", "--allow-empty", "-m", "around")
    assert not waits(work, monkeypatch)
    assert work.made() == ["commit around"]


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="there is no /proc")
def test_a_hook_is_waited_for_while_git_runs(work: Recording, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    running = subprocess.Popen(["git", "cat-file", "--batch"], cwd=work.path, stdin=subprocess.PIPE)
    work.git("-c", "core.hooksPath=/dev/null", "commit", "-q", "--allow-empty", "-m", "around")
    assert waits(work, monkeypatch)
    running.communicate()
    assert running.returncode == 0


def test_a_hook_that_spoke_while_its_process_was_looked_for(work: Recording, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says its line after the spool was read and ends before the look: the line is read all the same."""
    work.commit("one")
    spool, aside = Path(work.location.spool_dir), Path(work.path).parent / "aside"
    spool.rename(aside)

    def it_ends(common_dir: str) -> bool:
        if aside.exists():
            aside.rename(spool)
        return False

    monkeypatch.setattr(awaited, "may_come", it_ends)
    (record,) = [r for r in work.all() if r.event == "commit"]
    assert not aside.exists()
    assert (record.source, record.gate.status) == ("hook", "none")


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="there is no /proc")
def test_whose_hook_may_come(repo: Repo, bare: Repo, tmp_path: Path) -> None:
    repo.commit("one")
    tree = str(tmp_path / "tree")
    repo.git("worktree", "add", "-q", tree)
    common = f"{repo.path}/.git"
    for folder, here in ((repo.path, True), (tree, True), (bare.path, False), (str(tmp_path), True)):
        running = subprocess.Popen(["git", f"--git-dir={common}", "cat-file", "--batch"], cwd=folder, stdin=-1)
        wait_until(lambda pid=running.pid: Path(f"/proc/{pid}/comm").read_text() == "git\n")  # type: ignore[misc]
        assert awaited._may_be_here(f"/proc/{running.pid}", os.path.realpath(common)) is here, folder
        running.communicate()


# One object that cannot be read


@pytest.mark.skipif(not shutil.which("strace"), reason="strace is not installed")
@pytest.mark.parametrize("error", ["EACCES", "EIO"])
def test_one_unreadable_commit_stops_nothing(work: Recording, error: str) -> None:
    work.commit("before")
    work.drain()
    bad = work.commit("bad")
    work.git("checkout", "-q", "--orphan", "other")
    good = work.commit("good")
    path = str(Path(work.location.common_dir, "objects", bad[:2], bad[2:]))
    command = [sys.executable, "-m", "mgit_hooks", "drain"]
    done = subprocess.run(
        ["strace", "-f", "-o", "/dev/null", "-P", path, "-e", f"inject=openat:error={error}", *command],
        cwd=work.path, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told = {r.commit.hash for r in records(work.location.journal_dir) if r.commit is not None}
    assert good in told
    assert bad not in told
    log = Path(work.location.mgit_dir, "logs", "mgit.log").read_text()
    assert bad in log
    work.commit("after")
    assert bad in {r.commit.hash for r in work.all() if r.commit is not None}
    work.check()


def test_what_a_drain_could_not_read_is_told_though_it_was_killed_before_it_said_so(work: Recording) -> None:
    work.commit("before")
    work.drain()
    kept = {name: Path(work.location.mgit_dir, name).read_bytes() for name in ("state.json", "looked.sqlite")}
    bad = work.commit("bad")
    path = Path(work.location.common_dir, "objects", bad[:2], bad[2:])
    aside = path.with_name("aside")
    path.rename(aside)
    work.drain()
    assert bad not in {r.commit.hash for r in records(work.location.journal_dir) if r.commit is not None}
    for name, content in kept.items():
        Path(work.location.mgit_dir, name).write_bytes(content)
    aside.rename(path)
    (told,) = [r for r in work.all() if r.commit is not None and r.commit.hash == bad]
    assert told.event == "commit"
    work.check()


# A large index


def test_a_commit_of_very_many_parents_that_are_not_there(work: Recording) -> None:
    work.commit("before")
    work.drain()
    parents = [f"{number:040x}" for number in range(1, 50_001)]
    lines = [f"tree {work.git('write-tree')}", *(f"parent {oid}" for oid in parents)]
    lines += ["author A <a@b> 1 +0000", "committer A <a@b> 1 +0000", "", "many\n"]
    made = work.git("hash-object", "-t", "commit", "-w", "--stdin", "--literally", stdin="\n".join(lines).encode())
    work.git("update-ref", "--create-reflog", "refs/heads/many", made)
    began = time.process_time()
    work.drain()
    assert time.process_time() - began < 9  # each looked for among all the others: minutes
    assert made in {r.commit.hash for r in work.records() if r.commit is not None}
    log = Path(work.location.mgit_dir, "logs", "mgit.log").read_text()
    assert log.count("tried again later") == 50
    assert "50000" in log.splitlines()[-1]


@pytest.mark.parametrize("count", [40, 120])
def test_however_many_could_not_be_read_they_are_told_later(
    work: Recording, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    """More than are remembered, too: then all is read anew once one of them can be read."""
    monkeypatch.setattr(state, "UNREADABLE", 50)
    base, tree = work.commit("before"), work.git("rev-parse", "HEAD^{tree}")
    work.drain()
    made = {work.git("commit-tree", "-p", base, "-m", f"number {number}", tree) for number in range(count)}
    lines = "".join(f"create refs/heads/{oid} {oid}\n" for oid in made)
    work.git("update-ref", "--create-reflog", "--stdin", stdin=lines.encode())
    objects = [Path(work.location.common_dir, "objects", oid[:2], oid[2:]) for oid in made]
    for path in objects:
        path.rename(path.with_suffix(".away"))
    work.drain()
    assert made.isdisjoint(told(work))
    assert f"{count} commits" in doctored(work)
    for path in objects:
        path.with_suffix(".away").rename(path)
    drain(work.location, wait=60.0, thorough=True)
    assert made <= {record.commit.hash for record in records(work.location.journal_dir) if record.commit is not None}
    work.check()
    assert "could not give" not in doctored(work)


def told(work: Recording) -> set[str]:
    return {record.commit.hash for record in work.all() if record.commit is not None}


def doctored(work: Recording) -> str:
    command = [sys.executable, "-m", "mgit_hooks", "-C", work.path, "doctor"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def test_attributes_are_looked_up_without_reading_a_large_index(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    repo.commit("one", {".gitattributes": "*.x binary\n", "a.x": "text\n"})
    opened = library.Library(f"{repo.path}/.git")
    assert opened.attribute(b"a.x") is False
    monkeypatch.setattr(library, "_LARGE_INDEX", 0)
    Path(repo.path, ".git/index").write_bytes(b"DIRC" + b"\xff" * 100)  # whoever reads it fails
    before = dict(os.environ)
    opened = library.Library(f"{repo.path}/.git")
    assert opened.attribute(b"a.x") is False
    assert opened._attributed is not opened._repository
    assert dict(os.environ) == before


# Commands that follow each other, and a push


def test_what_comes_during_a_drain_may_grow_before_the_next_pass(
    work: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Meanwhile stubs see that a drain will come, and nobody is kept from the lock."""
    mgit_dir = work.location.mgit_dir
    seen: list[tuple[float, int, bool]] = []
    real = drain_module._drain

    def meanwhile(*args: object) -> object:
        done = real(*args)  # type: ignore[arg-type]
        if not seen:
            work.commit("two")
        return done

    def rest(seconds: float) -> None:
        with exclusive(os.path.join(mgit_dir, "drain.lock"), wait=0.0) as free:
            seen.append((seconds, int(Path(mgit_dir, "starting").read_text()), free))

    monkeypatch.setattr(drain_module, "_drain", meanwhile)
    monkeypatch.setattr(meter, "rest", rest)
    work.commit("one")
    drain(work.location, wait=0.0, pause=0.2)
    assert seen == [(0.2, os.getpid(), True)]
    assert not os.path.exists(os.path.join(mgit_dir, "starting"))
    assert work.made() == ["commit one", "commit two"]
    drain(work.location, wait=0.0, pause=0.2)
    assert len(seen) == 1


def test_a_repository_that_was_deleted_meanwhile_is_not_made_again(
    work: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor a folder for the log of what failed."""
    location = work.location
    work.commit("one")
    real = drain_module._drain

    def meanwhile(*args: object) -> object:
        done = real(*args)  # type: ignore[arg-type]
        work.commit("two")
        return done

    monkeypatch.setattr(drain_module, "_drain", meanwhile)
    monkeypatch.setattr(meter, "rest", lambda _: shutil.rmtree(work.path))
    with pytest.raises((MgitError, OSError)) as told:
        drain(location, wait=0.0, pause=0.2)
    log.exception(location.mgit_dir, "drain failed", told.value)
    assert not os.path.exists(work.path)


def test_a_pause_is_no_part_of_what_a_drain_takes(tmp_path: Path) -> None:
    with Operation(DRAIN, "drain", str(tmp_path)) as operation:
        meter.rest(0.3)
    assert operation.seconds < 0.2


def test_the_drain_of_a_push_waits_for_its_end(work: Recording) -> None:
    push = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
    work.commit("one")
    command = [sys.executable, "-I", boot_path(), "drain", "--git-dir", work.location.common_dir]
    process = f"{push.pid}.{alive.started(push.pid)}"
    waiting = subprocess.Popen([*command, "--after", process.removesuffix(".None")])
    time.sleep(0.7)
    assert waiting.poll() is None
    push.communicate(b"\n")
    assert waiting.wait() == 0
    assert work.made() == ["commit one"]


@pytest.mark.parametrize("process", ["{pid}.{started}", "{pid}", "{pid}.1", "", "what", "1.x"])
def test_no_drain_waits_for_ever(work: Recording, monkeypatch: pytest.MonkeyPatch, process: str) -> None:
    """Nor at all for what is no process any more, or was none."""
    monkeypatch.setattr(boot, "PATIENCE", 0.3)
    monkeypatch.setattr(os, "nice", lambda _: 0)
    slept: list[float] = []
    monkeypatch.setattr(alive, "time", types.SimpleNamespace(monotonic=lambda: len(slept) * 0.1, sleep=slept.append))
    work.commit("one")
    git_dir = work.location.common_dir
    given = process.format(pid=os.getpid(), started=alive.started(os.getpid()) or 0)
    assert boot.main(["drain", "--background", "--git-dir", git_dir, "--after", given]) == 0
    assert len(slept) == (3 if given.partition(".")[0] == str(os.getpid()) and process != "{pid}.1" else 0)
    assert work.made() == ["commit one"]
