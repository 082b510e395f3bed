"""log, show, export, verify, drain, init and backfill as commands: output, options, exit codes."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import Repo
from recording import Recording
from terminal import on_a_terminal

from mgit_hooks.journal.segment import segment_names

PROGRAM = [sys.executable, "-m", "mgit_hooks"]


def run(path: str, *args: str, **options: Any) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([*PROGRAM, "-C", path, *args], capture_output=True, **options)


def said(path: str, *args: str) -> str:
    done = run(path, *args)
    assert done.returncode == 0, done.stderr
    return done.stdout.decode()


def lines(path: str, *args: str) -> list[Any]:
    return [json.loads(line) for line in said(path, *args).splitlines()]


@pytest.fixture
def work(repo: Repo) -> Recording:
    made = Recording(repo)
    made.commit("one")
    made.commit("two")
    made.git("commit", "-q", "--amend", "-m", "better")
    made.git("checkout", "-q", "-b", "topic")
    return made


# log


def test_log_drains_first_and_shows_the_newest_first(work: Recording) -> None:
    told = lines(work.path, "log", "--json")
    assert [value["seq"] for value in told] == sorted((value["seq"] for value in told), reverse=True)
    assert {value["event"] for value in told} == {"snapshot", "commit", "amend", "checkout", "ref-update"}
    always = {
        "seq", "id", "event", "source", "recorded_at", "occurred_at", "occurred_from", "repository_name",
        "worktree", "branch", "gate", "validation", "recovery", "supersedes",
    }  # fmt: skip
    assert all(always <= value.keys() for value in told)
    assert all(len(value["id"]) == 64 for value in told)


@pytest.mark.parametrize(
    ("options", "subjects"),
    [
        (("--event", "amend"), ["better"]),
        (("--event", "amend", "--event", "commit"), ["better", "two", "one"]),
        (("-n", "1", "--event", "commit"), ["two"]),
        (("-n", "0"), []),
        (("--event", "commit", "-1"), ["two"]),
        (("-1", "--", "-2"), []),
        (("--author", "lovelace", "-n", "2", "--event", "commit"), ["two", "one"]),
        (("--author", "nobody"), []),
        (("--branch", "main", "--event", "commit"), ["two", "one"]),
        (("--branch", "other"), []),
        (("--invalid",), []),
        (("--bypassed",), []),
    ],
)
def test_log_filters(work: Recording, options: tuple[str, ...], subjects: list[str]) -> None:
    told = [value["commit"]["message"].strip() for value in lines(work.path, "log", "--json", *options)]
    assert told == subjects


def test_log_for_people(work: Recording) -> None:
    told = said(work.path, "log")
    assert "better" in told
    assert "\x1b" not in told
    assert "\x1b[" in said(work.path, "log", "--color", "always")


def test_log_shows_all_times_in_one_zone_and_hashes_in_one_length(work: Recording) -> None:
    """A commit's time is recorded with the committer's offset, what a hook saw with UTC's."""
    oid = work.git("rev-parse", "HEAD").strip()
    work.git("update-ref", "-m", f"moved onto {oid}", "refs/heads/moved", oid, "--create-reflog")
    work.git("commit", "-q", "--allow-empty", "-m", "far", GIT_COMMITTER_DATE="1700000000 +0900")
    told = run(work.path, "log", "-n", "3", "--branch", "none such", env=os.environ | {"TZ": "EST5"})
    assert (told.stdout, b"no record tells of branch none such" in told.stderr) == (b"", True)
    told = run(work.path, "log", "-n", "3", env=os.environ | {"TZ": "EST5"})
    assert "2023-11-14 17:13" in told.stdout.decode()
    assert f"moved onto {oid[:10]}\n" in told.stdout.decode()


def test_log_ends_lines_with_nul(work: Recording) -> None:
    raw = run(work.path, "log", "--json", "-z").stdout
    assert raw.endswith(b"\0")
    assert [json.loads(part)["event"] for part in raw.split(b"\0")[:-1]][-1] == "snapshot"


def test_what_a_terminal_could_obey_is_escaped(work: Recording) -> None:
    work.write("\x1b[2Jname\n", "x\n")
    work.git("add", "-A")
    work.git("commit", "-q", "-m", "red \x1b[31m \u202eevil\r\x07")
    for told in (said(work.path, "log"), said(work.path, "show", "HEAD")):
        assert "\\x1b[31m" in told
        assert not set(told) & set("\x1b\r\x07\u202e")
    assert lines(work.path, "log", "--json", "-n", "1")[0]["commit"]["message"] == "red \x1b[31m \u202eevil\r\x07\n"


@pytest.mark.parametrize(
    ("args", "word"),
    [
        (("log", "--event", "comit"), "is not an event"),
        (("log", "-n", "-1"), "-n"),
        (("log", "-n", "x"), "-n"),
        (("log", "--since", "nonsense"), "git does not read 'nonsense' as a date"),
        (("log", "--nonsense"), "nonsense"),
        (("lgo",), "did you mean"),
        (("show", "nothing-like-it"), "neither a record nor a revision"),
    ],
)
def test_usage_errors(work: Recording, args: tuple[str, ...], word: str) -> None:
    done = run(work.path, *args)
    assert (done.returncode, done.stdout) == (2, b"")
    assert word in done.stderr.decode()
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize("command", ["log", "show", "export", "verify"])
def test_where_nothing_is_recorded(repo: Repo, command: str) -> None:
    repo.commit("one")
    done = run(repo.path, command)
    assert done.returncode == 128
    assert b"nothing is recorded" in done.stderr
    assert b"hint: " in done.stderr
    assert not Path(repo.path, ".git/mgit").exists()


@pytest.mark.parametrize("command", ["log", "show", "export", "verify", "drain", "backfill", "init"])
def test_outside_a_repository(tmp_path: Path, command: str) -> None:
    done = run(str(tmp_path), command)
    assert done.returncode == 128
    assert b"is not in a git repository" in done.stderr
    assert done.stderr.count(b"\n") == 2


def test_the_directory_may_stand_before_or_after_the_command(work: Recording, tmp_path: Path) -> None:
    os.mkdir(os.path.join(work.path, "below"))
    for args in (["-C", work.path, "log"], ["log", "-C", work.path], ["-C", os.path.join(work.path, "below"), "log"]):
        done = subprocess.run([*PROGRAM, *args], capture_output=True, cwd=tmp_path)
        assert done.returncode == 0
        assert b"better" in done.stdout


def test_a_reader_that_leaves(work: Recording) -> None:
    for number in range(30):
        work.commit(f"commit {number}")
    for options in ([], ["--json"]):
        script = '{ "$@"; echo $? >&2; } | head -n 1 >/dev/null'
        args = [*PROGRAM, "-C", work.path, "log", *options]
        done = subprocess.run(["sh", "-c", script, "sh", *args], capture_output=True)
        assert b"Traceback" not in done.stderr
        assert b"rror" not in done.stderr
        assert done.stderr.strip() in (b"0", b"141")


def test_the_pager_starts_on_a_terminal_only(work: Recording) -> None:
    assert b"paged: " in on_a_terminal(work.path, "log", GIT_PAGER="sed 's/^/paged: /'")
    assert b"paged: " not in on_a_terminal(work.path, "log", "--no-pager", GIT_PAGER="sed 's/^/paged: /'")
    assert b"paged" not in run(work.path, "log", env={**os.environ, "GIT_PAGER": "sed 's/^/paged: /'"}).stdout


# show


def test_show_takes_a_number_a_hash_or_a_revision(work: Recording) -> None:
    head = work.head()
    by_number = next(value for value in lines(work.path, "log", "--json") if value["event"] == "amend")
    for what in ([], ["HEAD"], [head], [head[:8]], [str(by_number["seq"])], ["topic"], ["HEAD~0"]):
        assert lines(work.path, "show", "--json", *what) == [by_number]
    assert lines(work.path, "show", "--json", "HEAD~1")[0]["commit"]["message"] == "one\n"


def test_show_for_people(work: Recording) -> None:
    told = said(work.path, "show")
    for word in ("amend", work.head(), "replaces", "Ada Lovelace", "better"):
        assert word in told
    assert re.search(r"^  A +\+1 -0  two$", told, re.MULTILINE)


def test_show_what_is_not_recorded(repo: Repo) -> None:
    repo.commit("old")
    work = Recording(repo)
    done = run(work.path, "show", "HEAD")
    assert done.returncode == 1
    assert b"mgit-hooks backfill" in done.stderr


# export


def test_export_is_the_journal_oldest_first(work: Recording, tmp_path: Path) -> None:
    told = lines(work.path, "export")
    assert [value["seq"] for value in told] == list(range(1, len(told) + 1))
    assert told == lines(work.path, "export", "--json") == lines(work.path, "log", "--json", "--superseded")[::-1]
    target = tmp_path / "export.jsonl"
    assert said(work.path, "export", "-o", str(target)) == ""
    assert [json.loads(line) for line in target.read_text().splitlines()] == told
    assert target.stat().st_mode & 0o777 == 0o600
    done = run(work.path, "export", "-o", str(target))
    assert done.returncode == 2
    assert b"is there already" in done.stderr
    assert [json.loads(line) for line in target.read_text().splitlines()] == told


# verify


def test_verify_clean(work: Recording) -> None:
    told = lines(work.path, "verify", "--json")[0]
    assert {"journal", "records", "segments", "damaged", "missing_seq", "mended", "chain_intact", "head"} <= told.keys()
    assert (told["damaged"], told["missing_seq"], told["chain_intact"]) == ([], [], True)
    assert said(work.path, "verify").splitlines()[-1] == "clean"


def test_verify_damage(work: Recording) -> None:
    said(work.path, "log")
    journal = work.location.journal_dir
    segment = Path(journal, segment_names(journal)[0])
    raw = bytearray(segment.read_bytes())
    raw[len(raw) // 2] ^= 0xFF
    segment.write_bytes(raw)
    done = run(work.path, "verify", "--json")
    told = json.loads(done.stdout)
    assert done.returncode == 1
    assert told["damaged"]
    assert {"segment", "offset", "length", "kind"} <= told["damaged"][0].keys()
    assert run(work.path, "export").returncode == 1
    for command in ("log", "show"):
        assert b"Traceback" not in run(work.path, command).stderr


# drain, backfill, init


def test_drain_says_what_it_did(work: Recording) -> None:
    assert lines(work.path, "drain", "--json")[0]["records"] > 0
    assert said(work.path, "drain") == "0 recorded\n"
    work.commit("more")
    assert said(work.path, "drain", "--framework") == ""


def test_drain_waits_for_another_one(work: Recording) -> None:
    from mgit_hooks.lock import exclusive

    with exclusive(os.path.join(work.location.mgit_dir, "drain.lock")):
        done = run(work.path, "drain", "--wait", "0.1")
        assert done.returncode == 128
        assert b"still running" in done.stderr


def test_init_sets_everything_up(repo: Repo) -> None:
    for number in range(3):
        repo.commit(f"old {number}", {"a": str(number)})
    told = said(repo.path, "init")
    assert "3 commits recorded" in told
    assert "verified" in told
    assert "mgit-hooks log" in told
    assert [value["event"] for value in lines(repo.path, "log", "--json")] == ["import"] * 3 + ["snapshot"]
    again = lines(repo.path, "init", "--json")[0]
    assert (again["backfill"]["recorded"], again["backfill"]["already"]) == (0, 3)
    assert again["verify"]["chain_intact"]
    repo.commit("new")
    assert lines(repo.path, "log", "--json", "-n", "1")[0]["event"] == "commit"


def test_init_in_an_empty_repository(repo: Repo) -> None:
    assert "0 commits recorded" in said(repo.path, "init")
    repo.commit("first")
    assert [v["event"] for v in lines(repo.path, "log", "--json")] == ["commit", "snapshot"]


def test_quiet_says_no_more_than_the_data(repo: Repo) -> None:
    repo.commit("old")
    done = run(repo.path, "init", "-q")
    assert (done.stderr, done.stdout.count(b"\n")) == (b"", 3)


@pytest.mark.parametrize("command", ["log", "show", "export", "verify", "drain", "backfill", "init"])
def test_help(command: str, tmp_path: Path) -> None:
    done = run(str(tmp_path), command, "--help")
    assert done.returncode == 0
    assert f"mgit-hooks {command}".encode() in done.stdout
