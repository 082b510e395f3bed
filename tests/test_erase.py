"""``erase``: the text is gone from every file of ours, the chain is what it was, and who, when and why is on record."""

from __future__ import annotations

import io
import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import seeking
from recording import Recording

from mgit_hooks import log
from mgit_hooks.journal import bundle, reader
from mgit_hooks.journal.segment import segment_names
from mgit_hooks.journal.verify import verify

SECRET = "hunter2-correct-horse"
RULE = """
[[rules]]
id = "short"
severity = "error"
strategy = "%s"
message = "Keep it short."
events = ["commit"]
schema = { properties = { commit = { properties = { message = { maxLength = 30 } } } } }
"""


@pytest.fixture
def work(repo: Any) -> Recording:
    made = Recording(repo)
    made.commit("one")
    return made


@pytest.fixture
def erase(work: Recording, mgit: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    def run(*options: str, secret: str | bytes | None = None, reason: str = "a slip", path: str = "") -> Any:
        if secret is not None:
            raw = secret if isinstance(secret, bytes) else secret.encode()
            monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(raw + b"\n")))
            options = ("--containing", *options)
        return mgit("-C", path or work.path, "erase", "--json", "--reason", reason, *options)

    return run


def ids(journal_dir: str) -> list[str]:
    return [stored.id.hex() for stored in reader.records(journal_dir)]


def erased(journal_dir: str) -> list[int]:
    return [stored.seq for stored in reader.records(journal_dir) if stored.payload is None]


def test_a_record_loses_its_text_and_keeps_its_place(work: Recording, mgit: Any, erase: Any) -> None:
    work.commit(f"with {SECRET}")
    work.commit("three")
    work.drain()
    before = ids(work.location.journal_dir)
    commit = work.head("HEAD~1")
    told = erase("3", "--by", "Grace Hopper")
    assert told.code == 0
    assert told.json[0]["erased"] == [{"seq": 3, "id": before[2], "event": "commit", "commit": commit}]
    assert told.json[0]["record"] == 5
    report = verify(work.location.journal_dir)
    assert (report.is_clean, report.erased, report.head_seq) == (True, 1, 5)
    assert ids(work.location.journal_dir)[:4] == before
    assert seeking.holding(work.location.mgit_dir, SECRET.encode()) == []
    assert "git still has 1 commit" in told.err
    assert "gc --prune=now" in told.err


def test_who_when_and_why_is_told(work: Recording, mgit: Any, erase: Any) -> None:
    work.commit(f"with {SECRET}")
    assert erase("3", "--by", "Grace Hopper", reason="a password \x1b[31m").code == 0
    at = mgit("-C", work.path, "log", "--json").json[0]["recorded_at"][:10]
    words = f"erased on {at} by Grace Hopper: a password \\x1b[31m (record 4)"
    assert words in mgit("-C", work.path, "verify", "-v").err
    assert "erased: 1 record" in mgit("-C", work.path, "verify").out
    shown = mgit("-C", work.path, "show", "3")
    assert (shown.code, words in shown.err) == (1, True)
    page = mgit("-C", work.path, "show", "4").out
    assert "Grace Hopper" in page
    assert f"record 3, commit {work.head()}" in page
    assert "1 record erased by Grace Hopper" in mgit("-C", work.path, "log").out


def test_who_is_by_default_whom_git_commits_as(work: Recording, mgit: Any, erase: Any) -> None:
    assert erase("2").code == 0
    (record,) = (each for each in mgit("-C", work.path, "log", "--json").json if each["event"] == "erase")
    assert record["detail"]["by"] == "Ada Lovelace <ada@example.org>"


@pytest.mark.parametrize("what", ["full", "short", "HEAD~1", "number"])
def test_what_can_be_named(work: Recording, erase: Any, what: str) -> None:
    commit = work.commit(f"with {SECRET}")
    work.commit("three")
    word = {"full": commit, "short": commit[:8].upper(), "number": "3"}.get(what, what)
    assert [each["seq"] for each in erase(word).json[0]["erased"]] == [3]


def test_a_commit_is_all_its_records_and_a_number_is_one(work: Recording, mgit: Any, erase: Any) -> None:
    """The record that was mended, and the mended one that stands in for it."""
    work.write(".mgit-hooks.toml", RULE % "ignore")
    commit = work.commit(f"much too long, with {SECRET}", "--allow-empty")
    work.drain()
    os.unlink(Path(work.path, ".mgit-hooks.toml"))
    assert mgit("-C", work.path, "repair", "--records", "--json").json[0]["mended"] == 1
    one = erase("3")
    assert "record 4 is about" in one.err
    assert seeking.holding(work.location.mgit_dir, SECRET.encode()) == ["journal/00000001.seg"]
    both = erase(commit[:10])
    assert ([each["seq"] for each in both.json[0]["erased"]], both.json[0]["already"]) == ([4], [3])
    assert seeking.holding(work.location.mgit_dir, SECRET.encode()) == []
    assert verify(work.location.journal_dir).is_clean


def everywhere(work: Recording, mgit: Any, tmp_path: Path) -> None:
    """The secret in every place where one can come to stand."""
    mgit_dir = Path(work.location.mgit_dir)
    work.repo.git("config", "mgit.strategy", "checkpoint")
    work.write(".mgit-hooks.toml", RULE % "checkpoint")
    work.commit(f"much too long, and with {SECRET} in it", "--allow-empty")  # a copy by strategy checkpoint
    work.drain()
    os.unlink(Path(work.path, ".mgit-hooks.toml"))
    work.commit(f"again {SECRET}", "--allow-empty")
    work.repo.git("tag", "-a", "-m", "x", f"v-{SECRET}")
    work.drain()
    log.warning(str(mgit_dir), f"about {SECRET}", more=[SECRET])
    log.warning(str(mgit_dir), "about nothing")
    segment = Path(work.location.journal_dir, segment_names(work.location.journal_dir)[-1])
    quarantine = mgit_dir / "quarantine"
    quarantine.mkdir(exist_ok=True)
    (quarantine / "00000001-0000000064-duplicate.bin").write_bytes(segment.read_bytes())
    raw = bytearray(segment.read_bytes())
    raw[-3] ^= 1
    (quarantine / "00000009-0000000000-bad-checksum.bin").write_bytes(raw)
    (quarantine / "00000009-0000000064-foreign.bin").write_bytes(b"junk " + SECRET.encode())
    old = quarantine / "journal-1"
    shutil.copytree(work.location.journal_dir, old)
    (mgit_dir / "checkpoints").mkdir(exist_ok=True)
    for path in (mgit_dir / "checkpoints" / "journal-5-x.mgit", tmp_path / "elsewhere.mgit"):
        with bundle.still(str(mgit_dir)):
            bundle.write(work.location.journal_dir, str(path))
    damaged = bytearray((tmp_path / "elsewhere.mgit").read_bytes())
    damaged[len(damaged) // 2] ^= 1
    (mgit_dir / "checkpoints" / "journal-6-x.mgit").write_bytes(damaged)
    for leftover in ("journal/00000001.seg.new", "state.json.new", "checkpoints/x.new", "quarantine/x.bin.new"):
        (mgit_dir / leftover).write_text(SECRET)
    (mgit_dir / "unpacked.new").mkdir()
    (mgit_dir / "unpacked.new" / "00000001.seg").write_text(SECRET)
    assert mgit("-C", work.path, "log", "--author", "Ada").code == 0  # an index
    (mgit_dir / "spool" / "x.1").write_text(f"HEAD^{{/{SECRET}}} {work.head()} refs/heads/x {'0' * 40}\n")
    place = f"99999999\to\t{work.location.worktree}\t-"
    with open(mgit_dir / "spool" / "now", "a") as spool:
        spool.write(f"1\tskip\t{place}\tcommit\t{SECRET} %25\n1\tpre-push\t{place}\torigin\t/x\t@x.1\n")
    held = seeking.holding(mgit_dir, SECRET.encode())
    assert len(held) >= 12, held


def test_it_is_gone_from_everywhere(work: Recording, mgit: Any, erase: Any, tmp_path: Path) -> None:
    everywhere(work, mgit, tmp_path)
    before = ids(work.location.journal_dir)
    told = erase("--also", str(tmp_path / "elsewhere.mgit"), secret=SECRET)
    assert told.code == 0, told.err
    assert seeking.holding(work.location.mgit_dir, SECRET.encode()) == []
    assert seeking.holding(tmp_path / "elsewhere.mgit", SECRET.encode()) == []
    assert seeking.holding(tmp_path, SECRET.encode()) == [
        path for path in seeking.holding(tmp_path, SECRET.encode()) if "/.git/" in path and "/mgit/" not in path
    ]
    report = verify(work.location.journal_dir)
    assert report.is_clean
    assert ids(work.location.journal_dir)[: len(before)] == before
    for path in (str(tmp_path / "elsewhere.mgit"), f"{work.location.mgit_dir}/checkpoints/journal-5-x.mgit"):
        checked = bundle.check(path, str(tmp_path / "scratch"))
        assert checked.report.erased > 0
    assert "about nothing" in Path(log.path(work.location.mgit_dir)).read_text()
    for line in Path(log.path(work.location.mgit_dir)).read_text().splitlines():
        json.loads(line)


def test_nothing_brings_it_back(work: Recording, mgit: Any, erase: Any, tmp_path: Path) -> None:
    everywhere(work, mgit, tmp_path)
    assert erase(secret=SECRET).code == 0
    kept = verify(work.location.journal_dir)
    os.unlink(Path(work.location.mgit_dir, "state.json"))
    for name in ("journal-5-x.mgit",):
        os.unlink(Path(work.location.mgit_dir, "checkpoints", name))
    work.repo.git("tag", "-d", f"v-{SECRET}")
    for command in ("backfill", "drain", "repair --records", "repair", "log", "export", "backfill"):
        told = mgit("-C", work.path, *command.split())
        assert told.code == 0, (command, told.err)
        assert SECRET not in told.out, command
    assert verify(work.location.journal_dir).erased == kept.erased
    assert seeking.holding(work.location.mgit_dir, SECRET.encode()) == []
