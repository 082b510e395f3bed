"""The history that is already there: recorded whole, once, and from where it was stopped."""

from __future__ import annotations

import json
import os
import pty
import random
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from conftest import Repo
from recording import Recording, faults, records

from mgit_hooks.encoding import encode
from mgit_hooks.layout import locate, make_private_dir
from mgit_hooks.record import COMMIT_EVENTS, Oid
from mgit_hooks.recorder.backfill import Summary, backfill, imported
from mgit_hooks.recorder.drain import drain
from mgit_hooks.recorder.drainpass import Done, Pass
from mgit_hooks.recorder.intake import Intake

PROGRAM = [sys.executable, "-m", "mgit_hooks"]


def fill(path: str) -> Summary:
    return backfill(locate(path), lambda done, total: None)


def hashes(path: str) -> list[str]:
    found = records(locate(path).journal_dir)
    return [r.commit.hash for r in found if r.commit is not None and r.event in COMMIT_EVENTS]


def test_all_that_a_ref_or_a_reflog_names(repo: Repo) -> None:
    kept = [repo.commit("one"), repo.commit("two")]
    repo.git("checkout", "-q", "-b", "topic")
    kept.append(repo.commit("on topic"))
    repo.git("checkout", "-q", "main")
    repo.git("branch", "-q", "-D", "topic")  # HEAD's reflog still names it
    kept.append(repo.commit("amended away"))
    repo.git("commit", "-q", "--allow-empty", "--amend", "-m", "amended")
    kept.append(repo.git("rev-parse", "HEAD"))
    repo.git("tag", "-a", "-m", "tag", "t")
    done = fill(repo.path)
    assert (done.recorded, done.already, done.missing) == (5, 0, ())
    assert sorted(hashes(repo.path)) == sorted(kept)
    found = [r for r in records(locate(repo.path).journal_dir) if r.commit is not None]
    assert {(r.event, r.source, r.replaces, r.occurred_from, r.gate.status) for r in found} == {
        ("import", "backfill", None, "commit", "none")
    }
    places = {oid: number for number, oid in enumerate(hashes(repo.path))}
    assert all(places[p] < places[r.commit.hash] for r in found if r.commit for p in r.commit.parents)
    assert faults(locate(repo.path)) == []


def test_twice_is_once(repo: Repo) -> None:
    repo.commit("one")
    fill(repo.path)
    assert fill(repo.path) == Summary(0, 1, ())
    repo.commit("two")
    assert fill(repo.path) == Summary(0, 2, ())  # its drain has told it before
    assert len(hashes(repo.path)) == 2


def test_what_was_recorded_as_it_happened_stays_so(repo: Repo) -> None:
    old = repo.commit("old")
    work = Recording(repo)
    new = work.commit("new")
    work.drain()
    assert fill(repo.path).recorded == 1
    assert {r.commit.hash: r.event for r in work.records() if r.commit} == {old: "import", new: "commit"}
    work.check()


def test_recording_after_backfill_goes_on(repo: Repo) -> None:
    repo.commit("old")
    fill(repo.path)
    new = repo.commit("new")
    drain(locate(repo.path), wait=60.0)
    assert hashes(repo.path).count(new) == 1
    assert faults(locate(repo.path)) == []


def grown(repo: Repo, count: int) -> None:
    stream = b"".join(
        b"commit refs/heads/main\ncommitter A <a@b> %d +0000\ndata 2\nc\nM 100644 inline f%d\ndata 2\nx\n\n"
        % (1_700_000_000 + n, n % 50)
        for n in range(count)
    )
    subprocess.run(["git", "-C", repo.path, "fast-import", "--quiet"], input=stream, check=True)


def family(path: str) -> list[int]:
    """The process ids of ``path``'s backfill: the one that records, and its workers."""
    found = []
    for folder in Path("/proc").iterdir():
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if path.encode() in words and b"backfill" in words:
            found.append(int(folder.name))
    return found


@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.full), pytest.param(3, marks=pytest.mark.full)])
def test_killed_at_any_moment_and_run_again(repo: Repo, seed: int) -> None:
    """The whole family, or one worker of it, by SIGKILL: afterwards every commit once, parents before children."""
    grown(repo, 3000)
    chance = random.Random(seed)
    left = set()
    for _ in range(6):
        process = subprocess.Popen(
            [*PROGRAM, "-C", repo.path, "backfill", "-q", "--workers", "2"],
            start_new_session=True,
            stderr=subprocess.DEVNULL,
        )
        time.sleep(chance.uniform(0.05, 1.2))
        workers = [pid for pid in family(repo.path) if pid != process.pid]
        if workers and chance.random() < 0.5:
            with suppress(ProcessLookupError):
                os.kill(chance.choice(workers), signal.SIGKILL)
        else:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        left.add(process.wait(60))
        assert not alive(repo.path)  # a worker without a reader ends by itself
    fill(repo.path)
    holds_all(repo, 3000)
    assert left - {0}  # at least one of them was really stopped


def holds_all(repo: Repo, count: int) -> None:
    told = hashes(repo.path)
    assert set(Counter(told).values()) == {1}
    assert len(told) == count
    places = {oid: number for number, oid in enumerate(told)}
    found = [r.commit for r in records(locate(repo.path).journal_dir) if r.commit is not None]
    assert all(places[parent] < places[commit.hash] for commit in found for parent in commit.parents)
    assert faults(locate(repo.path)) == []


def test_planted_a_backfill_that_begins_anew_is_caught(repo: Repo) -> None:
    """After a kill it would record once more what is on record."""
    plant = (
        "import sys; from mgit_hooks.cli import main; from mgit_hooks.journal.index import Index\n"
        "Index.knows_any = lambda self: False\n"
        "sys.exit(main(sys.argv[1:]))"
    )
    grown(repo, 10)
    fill(repo.path)
    holds_all(repo, 10)
    subprocess.run([sys.executable, "-c", plant, "-C", repo.path, "backfill", "-q"], check=True)
    with pytest.raises(AssertionError, match="2"):
        holds_all(repo, 10)


def alive(path: str) -> list[int]:
    for _ in range(100):
        found = family(path)
        if not found:
            break
        time.sleep(0.05)
    return found


def on_a_terminal(path: str, *options: str) -> bytes:
    """What a backfill writes to a terminal that is its standard error."""
    terminal, end = pty.openpty()
    with open(end, "wb", buffering=0) as stderr:
        done = subprocess.Popen([*PROGRAM, "-C", path, "backfill", *options], stdout=subprocess.PIPE, stderr=stderr)
    written = b""
    with suppress(OSError):  # Linux says EIO at the end
        while some := os.read(terminal, 65536):
            written += some
    os.close(terminal)
    done.communicate()
    assert done.returncode == 0
    return written


def test_the_bar_is_for_a_terminal(repo: Repo) -> None:
    grown(repo, 2500)
    drawn = on_a_terminal(repo.path)
    assert re.search(rb"recording \[#+\.*\] [0-9]+/2500", drawn)
    assert drawn.endswith(b"\r\x1b[K")  # and is gone in the end


@pytest.mark.parametrize("options", [("-q",), ("-q", "--workers", "1")])
def test_no_bar_for_who_wants_none(repo: Repo, options: tuple[str, ...]) -> None:
    grown(repo, 1500)
    assert b"recording [" not in on_a_terminal(repo.path, *options)


def test_no_bar_where_nobody_sees_it(repo: Repo) -> None:
    grown(repo, 1500)
    done = subprocess.run([*PROGRAM, "-C", repo.path, "backfill"], capture_output=True, check=True)
    assert b"recording [" not in done.stderr
    assert b"\r" not in done.stderr


def test_a_missing_commit_is_named(repo: Repo) -> None:
    repo.commit("one")
    lost = repo.commit("two")
    repo.commit("three")
    Path(repo.path, ".git/objects", lost[:2], lost[2:]).unlink()
    done = subprocess.run([*PROGRAM, "-C", repo.path, "backfill", "--json"], capture_output=True)
    assert done.returncode == 1
    told = json.loads(done.stdout)
    assert told["missing"] == [lost]
    assert lost in done.stderr.decode()
    assert told["recorded"] == 2


def test_a_shallow_clone_is_not_missing_anything(repo: Repo, tmp_path: Path) -> None:
    for number in range(3):
        repo.commit(f"commit {number}", {"a": str(number)})
    subprocess.run(["git", "clone", "-q", "--depth", "1", f"file://{repo.path}", str(tmp_path / "s")], check=True)
    done = fill(str(tmp_path / "s"))
    assert (done.recorded, done.missing) == (1, ())
    commit = next(r.commit for r in records(locate(str(tmp_path / "s")).journal_dir) if r.commit)
    assert (commit.boundary, commit.files) == (True, None)


def test_backfill_while_git_goes_on(repo: Repo) -> None:
    """Commits made meanwhile are the drain's: none is lost, none is told twice."""
    grown(repo, 2000)
    repo.git("reset", "-q", "--hard")
    Recording(repo)
    process = subprocess.Popen([*PROGRAM, "-C", repo.path, "backfill", "-q"], stdout=subprocess.DEVNULL)
    made = [repo.commit(f"meanwhile {number}") for number in range(10)]
    assert process.wait() == 0
    drain(locate(repo.path), wait=60.0)
    told = Counter(hashes(repo.path))
    assert set(told.values()) == {1}
    assert set(made) <= told.keys()
    of_drains = [r for r in records(locate(repo.path).journal_dir) if r.commit is not None and r.event == "commit"]
    assert {r.commit.hash for r in of_drains if r.commit} >= set(made[:1])
    assert faults(locate(repo.path)) == []


def test_what_is_committed_after_backfills_look_is_the_next_drains(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    repo.commit("old")
    work = Recording(repo)
    run, made = Pass.run, []

    def run_and_commit(self: Pass) -> Done:
        done = run(self)
        made.append(work.commit("meanwhile"))
        return done

    monkeypatch.setattr("mgit_hooks.recorder.backfill.Pass.run", run_and_commit)
    assert fill(repo.path).recorded == 1
    monkeypatch.undo()
    (record,) = [r for r in work.all() if r.commit is not None and r.commit.hash in made]
    assert (record.event, record.source) == ("commit", "hook")


def test_what_waits_is_told_before(repo: Repo) -> None:
    repo.commit("old")
    work = Recording(repo)
    new = work.commit("new")
    assert fill(repo.path).recorded == 1
    assert work.of(new).event == "commit"
    work.check()


@pytest.mark.parametrize("level", ["basic", "strict"])
@pytest.mark.parametrize("strategy", ["ignore", "fallback", "repair"])
def test_what_is_judged_is_what_is_encoded(repo: Repo, level: str, strategy: str) -> None:
    """The payload that is made in passing is, byte for byte, that of the judged record: of a clean one, and of
    one that recovery made another of."""
    repo.commit("one", {"a\nb": "text\n", "data": "\0"})
    oid = repo.commit("two", {"data": "\0\0"})
    location = locate(repo.path)
    make_private_dir(location.mgit_dir)
    intake = Intake(location, {"level": level, "strategy": strategy})
    clean = imported(location, intake.capturer.commit(Oid(oid)), "import", "backfill")
    assert clean.commit is not None
    commits = (clean.commit, clean.commit._replace(tree=Oid("no id")), clean.commit._replace(message=""))
    told = set()
    for commit in commits:
        record = clean._replace(commit=commit)
        judged = intake.judge(record)
        told.add(judged.validation.is_valid)
        # What recovery says of the time that it took differs from call to call; nothing else may.
        assert timeless(intake.judged(record)) == timeless(encode(judged))
    assert told == {True, False} or (level, strategy) != ("strict", "ignore")


def timeless(payload: bytes) -> bytes:
    return re.sub(rb'"[0-9T:.-]+\+00:00"', b"", payload)


def test_a_commit_of_a_hundred_thousand_parents_that_are_not_there(repo: Repo, mgit: Any) -> None:
    repo.commit("one")
    parents = [f"{number:040x}" for number in range(1, 100_001)]
    lines = [f"tree {repo.git('write-tree')}", *(f"parent {oid}" for oid in parents)]
    lines += ["author A <a@b> 1 +0000", "committer A <a@b> 1 +0000", "", "m\n"]
    made = repo.git("hash-object", "-t", "commit", "-w", "--stdin", "--literally", stdin="\n".join(lines).encode())
    Path(repo.path, ".git/refs/heads/many").write_text(f"{made}\n")
    told = mgit("-C", repo.path, "backfill")
    assert (told.code, told.out) == (1, "2 commits recorded, 0 on record before\n")
    assert told.err.count("no longer in git") == 10
    assert "so are 99990 more" in told.err
