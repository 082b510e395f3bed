"""``erase``: the text is gone from every file of ours, the chain is what it was, and who, when and why is on record."""

from __future__ import annotations

import errno
import io
import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import losses
import pytest
import seeking
from journal import forging
from kills import killed_at
from recording import Recording
from reliability import Tally

from mgit_hooks import erasing, log
from mgit_hooks.commands import erase as command
from mgit_hooks.erasing import Target
from mgit_hooks.errors import UsageError
from mgit_hooks.journal import bundle, bundling, database, erasemark, erasure, reader
from mgit_hooks.journal.format import BLOCK
from mgit_hooks.journal.segment import Located, segment_names
from mgit_hooks.journal.verify import verify
from mgit_hooks.record import Oid
from mgit_hooks.recorder import traces
from mgit_hooks.recorder.intake import journal_of

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


@pytest.mark.parametrize("told", [True, False])
def test_an_erasure_whose_record_is_lost_is_declared_with_its_commit(
    work: Recording, mgit: Any, erase: Any, told: bool
) -> None:
    """As far as an index tells of both: else nobody knows whether it was an erasure, and git may give it back."""
    work.commit(f"with {SECRET}")
    work.commit("three")
    commit = work.head("HEAD~1")
    assert erase("3").json[0]["record"] == 5
    assert mgit("-C", work.path, "log").code == 0  # takes the record of it into the index
    journal = work.location.journal_dir
    (lost,) = (block for block in losses.blocks(journal) if block.frame.first_seq == 5)
    losses.flip(journal, lost)
    Path(f"{journal}.erased").unlink()
    if not told:
        database.remove(work.location.mgit_dir)
    assert verify(journal).undeclared == (3,)
    assert mgit("-C", work.path, "repair").code == 0
    assert verify(journal).is_clean
    (said,) = (each for each in mgit("-C", work.path, "log", "--json").json if each["event"] == "repair")
    assert said["detail"]["erased"] == [{"seq": 3, "commit": commit} if told else {"seq": 3}]
    database.remove(work.location.mgit_dir)
    assert mgit("-C", work.path, "backfill").code == 0
    assert any(SECRET.encode() in (each.payload or b"") for each in reader.records(journal)) is not told


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
        with bundling.still(str(mgit_dir)):
            bundling.write(work.location.journal_dir, str(path))
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
    Path(work.location.mgit_dir, "state.json").unlink(missing_ok=True)
    for name in ("journal-5-x.mgit",):
        os.unlink(Path(work.location.mgit_dir, "checkpoints", name))
    work.repo.git("tag", "-d", f"v-{SECRET}")
    for line in ("backfill", "drain", "repair --records", "repair", "log", "export", "backfill"):
        told = mgit("-C", work.path, *line.split())
        assert told.code == 0, (line, told.err)
        assert SECRET not in told.out, line
    assert verify(work.location.journal_dir).erased == kept.erased
    assert seeking.holding(work.location.mgit_dir, SECRET.encode()) == []


# What is refused


@pytest.mark.parametrize(
    ("options", "secret", "code", "word"),
    [
        ((), None, 2, "name records or commits"),
        (("2",), SECRET, 2, "name records or commits"),
        ((), "abc", 2, "4 are the least"),
        ((), "a slip", 2, "holds the very text"),
        (("--by", f"me, {SECRET}"), SECRET, 2, "holds the very text"),
        (("99",), None, 1, "is no record"),
        (("nonsense",), None, 1, "is no record"),
        (("--also", "nowhere", "2"), None, 1, "nowhere"),
    ],
)
def test_what_is_refused_changes_nothing(
    work: Recording, erase: Any, options: tuple[str, ...], secret: str | None, code: int, word: str
) -> None:
    work.drain()
    before = forging.kept(work.location.journal_dir)
    told = erase(*options, secret=secret)
    assert (told.code, word in told.err, told.err.count("\n")) == (code, True, 2), told.err
    assert forging.kept(work.location.journal_dir) == before


def test_an_erasure_has_to_say_why_and_a_dry_run_needs_not(work: Recording, mgit: Any) -> None:
    work.drain()
    told = mgit("-C", work.path, "erase", "2")
    assert (told.code, "--reason" in told.err) == (2, True)
    before = forging.kept(work.location.journal_dir)
    told = mgit("-C", work.path, "erase", "2", "--dry-run")
    assert (told.code, told.out) == (0, f"would erase record 2  commit {work.head()[:10]}\n")
    assert forging.kept(work.location.journal_dir) == before


def test_what_explains_the_chain_is_kept(work: Recording, erase: Any) -> None:
    assert erase("2", reason="the chain of reasons").code == 0
    told = erase("3")
    assert (told.code, "record 3 (erase) is one that cannot be erased" in told.err) == (2, True)
    told = erase(secret="chain of reasons", reason="x")
    assert (told.code, "record 3 (erase) holds it, and cannot be erased" in told.err) == (2, True)


def test_the_beginning_of_two_commits_names_none() -> None:
    candidates = [Target(seq, "", "commit", Oid(f"abcd{seq}".ljust(40, "0"))) for seq in (1, 2)]
    with pytest.raises(UsageError, match="the beginning of 2 commits"):
        command._meant(command._Asked("abcd", None, "abcd", None), candidates)
    assert command._meant(command._Asked("abcd2", None, "abcd2", None), candidates) == {2}


def test_erasing_twice_says_so_and_changes_nothing(work: Recording, erase: Any) -> None:
    assert erase("2").code == 0
    before = verify(work.location.journal_dir)
    again = erase("2")
    assert (again.code, again.json[0]["already"], again.json[0]["record"]) == (0, [2], None)
    assert "record 2 was erased before" in again.err
    assert (verify(work.location.journal_dir), again.json[0]["actions"]) == (before, [])
    nothing = erase(secret=SECRET)
    assert (nothing.code, nothing.json[0]["erased"]) == (1, [])


@pytest.mark.parametrize("forgotten", ["logs/refs/heads/main", "refs/heads/main", "mgit/looked.sqlite"])
def test_a_ref_stands_where_an_erased_record_left_it(work: Recording, erase: Any, forgotten: str) -> None:
    """A drain that looks at it anew does not say that it came from nowhere, then or when it moves on."""
    assert erase("2").code == 0
    path = Path(work.location.common_dir, forgotten)
    path.unlink() if forgotten.startswith("mgit") else os.utime(path, (1, 1))
    assert told(work)[1:] == [("erase", {})]
    first, second = work.head(), work.commit("two")
    assert told(work)[2:] == [("commit", {"refs/heads/main": (first, second)})]
    Path(work.location.common_dir, "logs/refs/heads/main").unlink()
    work.git("-c", "core.logAllRefUpdates=false", "update-ref", "refs/heads/main", first)
    assert ("ref-update", {"refs/heads/main": (second, first)}) in told(work)[3:]


def told(work: Recording) -> list[tuple[str, dict[str, tuple[Oid | None, Oid | None]]]]:
    """The event and the refs' movements of every record that has not been erased."""
    work.drain()
    stored = (each for block in reader.blocks(work.location.journal_dir) for each in block.stored())  # type: ignore[union-attr]
    found = [record for each in stored if (record := each.record()) is not None]
    return [(r.event, {m.name: (m.old_oid, m.new_oid) for m in r.refs or () if m.name != "HEAD"}) for r in found]


def test_a_damaged_journal_is_repaired_first(work: Recording, erase: Any, mgit: Any) -> None:
    for number in range(3):
        work.commit(f"more {number}")
        work.drain()
    segment = Path(work.location.journal_dir, "00000001.seg")
    raw = bytearray(segment.read_bytes())
    raw[len(raw) // 2] ^= 1
    segment.write_bytes(raw)
    told = erase("2")
    assert (told.code, "run 'mgit-hooks repair'" in told.err) == (1, True)
    assert mgit("-C", work.path, "repair").code == 0
    assert erase("2").code == 0
    assert verify(work.location.journal_dir).is_clean


# The options that every command has


@pytest.mark.parametrize("command", [("erase", "2", "--dry-run"), ("erase", "2", "--reason", "x")])
def test_the_common_options(work: Recording, mgit: Any, command: tuple[str, ...], tmp_path: Path) -> None:
    work.commit("two")
    quiet = mgit("-q", "-C", work.path, *command)
    assert (quiet.code, quiet.err) == (0, "")
    assert "erase record 2" in quiet.out or "erased record 2" in quiet.out
    for options in ((), ("--json",)):
        plain = mgit("-C", work.path, *command, *options).raw
        ended = mgit(*command, "-C", work.path, *options, "-z").raw
        assert b"\n" not in ended
        assert ended.count(b"\0") == plain.count(b"\n")
    assert list(mgit("-C", work.path, *command, "--json").json[0]) == ["erased", "already", "record", "actions"]
    assert "erase took " in mgit("-C", work.path, *command, "-v").err
    outside = mgit("-C", str(tmp_path), *command)
    assert (outside.code, outside.err.count("\n")) == (128, 2)


# Forms in which a secret stands in records


@pytest.mark.parametrize(
    "message",
    [
        f'a "quoted" {SECRET}',
        f"tab\t{SECRET}\n\nand\nmore",
        f"ünï {SECRET} \\ ☃",
    ],
)
def test_a_secret_is_found_as_it_is_written_not_as_it_is_encoded(work: Recording, erase: Any, message: str) -> None:
    work.commit("x", "--allow-empty")
    work.repo.git("commit", "-q", "--amend", "--allow-empty", "-m", message)
    told = erase(secret=message)
    assert [each["event"] for each in told.json[0]["erased"]] == ["amend"]
    assert seeking.holding(work.location.mgit_dir, SECRET.encode()) == []


def test_a_secret_that_is_no_utf8(work: Recording, erase: Any) -> None:
    raw = work.repo.git("cat-file", "commit", "HEAD").encode() + b"\nwith \xe9\xff secret\n"
    commit = work.repo.git("hash-object", "-t", "commit", "-w", "--stdin", stdin=raw)
    work.repo.git("reset", "-q", "--hard", commit)
    told = erase(secret=b"with \xe9\xff secret")
    assert [each["commit"] for each in told.json[0]["erased"]] == [commit]


def test_in_a_path_a_branch_and_a_refusal(work: Recording, erase: Any, mgit: Any) -> None:
    work.repo.git("config", "mgit.strategy", "abort")
    assert mgit("-C", work.path, "config").code == 0
    work.git("checkout", "-q", "-b", f"b-{SECRET}")
    work.write(f"dir/{SECRET}", "1\n")
    work.commit("a file", "--allow-empty")
    work.repo.git("add", "-A")
    work.git("commit", "-q", "-m", "the file")
    work.git("checkout", "-q", "main")
    work.git("branch", "-q", "-D", f"b-{SECRET}")
    told = erase(secret=SECRET)
    assert len(told.json[0]["erased"]) >= 3
    assert seeking.holding(work.location.mgit_dir, SECRET.encode()) == []


def test_the_snapshot_that_recording_begins_with(repo: Any, mgit: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its branch is gone from git: recording begins anew, and goes on."""
    repo.commit("before")
    repo.git("branch", f"b-{SECRET}")
    work = Recording(repo)
    work.commit("one")
    repo.git("branch", "-q", "-D", f"b-{SECRET}")
    work.drain()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(SECRET.encode())))
    assert mgit("-C", work.path, "erase", "--containing", "--reason", "x").code == 0
    assert seeking.holding(work.location.mgit_dir, SECRET.encode()) == []
    commit = work.commit("two")
    assert work.drain() == 1
    told = mgit("-C", work.path, "log", "--json").json
    assert told[0]["commit"]["hash"] == commit
    assert [each["event"] for each in told].count("snapshot") == 1


def test_a_compacted_journal_and_compaction_after_it(work: Recording, erase: Any, mgit: Any) -> None:
    for number in range(3):
        work.commit(f"{SECRET} {number}", "--allow-empty")
    work.commit("last", "--allow-empty")
    work.drain()
    with journal_of(work.location) as journal:
        journal.roll()
    assert mgit("-C", work.path, "compact").code == 0
    before = ids(work.location.journal_dir)
    assert erase(secret=SECRET).code == 0
    for _ in range(2):
        assert erased(work.location.journal_dir) == [3, 4, 5]
        assert ids(work.location.journal_dir)[: len(before)] == before
        assert verify(work.location.journal_dir).is_clean
        assert seeking.holding(work.location.mgit_dir, SECRET.encode()) == []
        with journal_of(work.location) as journal:
            journal.roll()
        assert mgit("-C", work.path, "compact").code == 0


@pytest.mark.parametrize("word", ["message", "reconcile", "standard", "valid", "modified", "recorded_at", "reflog"])
def test_a_word_of_the_form_itself_is_in_no_record(work: Recording, erase: Any, word: str) -> None:
    """Only what somebody wrote counts: else one such word would erase the whole journal."""
    work.write("one", "2\n")
    work.git("commit", "-q", "-am", "two")
    assert erase(secret=word, reason="x").json[0]["erased"] == []


@pytest.mark.parametrize("with_generation", [True, False])
@pytest.mark.parametrize("what", ["the erased record", "the erase record"])
def test_what_damage_takes_after_it_is_not_brought_back(
    work: Recording, erase: Any, mgit: Any, what: str, with_generation: bool
) -> None:
    """Neither a generation nor git gives back what was erased, be its place or the erase record lost."""
    for message in (f"with {SECRET}", "three", "four"):
        work.commit(message)
        work.drain()
    assert erase(secret=SECRET).code == 0
    if with_generation:
        assert mgit("-C", work.path, "checkpoint").code == 0
    work.commit("last")
    work.drain()
    seq = 3 if what == "the erased record" else 6
    frames = reader.frames(work.location.journal_dir)
    (frame,) = (
        item
        for item in frames
        if isinstance(item, Located)
        and item.frame.kind == BLOCK
        and item.frame.first_seq <= seq < item.frame.first_seq + item.frame.records
    )
    path = Path(work.location.journal_dir, frame.segment)
    raw = bytearray(path.read_bytes())
    raw[frame.end - 1] ^= 1
    path.write_bytes(raw)
    os.unlink(Path(work.location.mgit_dir, "index.sqlite"))
    for line in ("repair", "backfill", "drain", "repair"):
        assert mgit("-C", work.path, *line.split()).code == 0, line
    assert verify(work.location.journal_dir).is_clean
    assert seeking.holding(work.location.mgit_dir, SECRET.encode()) == []


@pytest.mark.parametrize("before", [True, False])
def test_a_restore_brings_nothing_of_it_back(work: Recording, erase: Any, mgit: Any, before: bool) -> None:
    """From a generation of before the erasure, which has the record's place, or of before the record itself."""
    if not before:
        work.commit(f"with {SECRET}")
    assert mgit("-C", work.path, "checkpoint").code == 0
    (generation,) = Path(work.location.mgit_dir, "checkpoints").iterdir()
    if before:
        work.commit(f"with {SECRET}")
    work.commit("three")
    assert erase(secret=SECRET).code == 0
    told = mgit("-C", work.path, "restore", "--force", "--from", str(generation))
    assert told.code == 0, told.err
    for line in ("verify", "backfill", "drain", "repair", "verify"):
        told = mgit("-C", work.path, *line.split())
        assert told.code == 0, (line, told.out, told.err)
    assert seeking.holding(work.location.mgit_dir, SECRET.encode()) == []
    assert work.head()[:10] in mgit("-C", work.path, "log").out


def test_a_restore_from_a_copy_that_the_erasure_did_not_reach_erases_anew(
    work: Recording, erase: Any, mgit: Any, tmp_path: Path
) -> None:
    work.commit(f"with {SECRET}")
    assert mgit("-C", work.path, "checkpoint", "--to", str(tmp_path / "there")).code == 0
    work.commit("three")
    assert erase(secret=SECRET).code == 0
    (there,) = (tmp_path / "there").iterdir()
    told = mgit("-C", work.path, "restore", "--force", "--from", str(there))
    assert told.code == 0, told.err
    assert seeking.holding(work.location.mgit_dir, SECRET.encode()) == []
    assert verify(work.location.journal_dir).is_clean


def test_a_generation_is_still_one(work: Recording, erase: Any, mgit: Any, tmp_path: Path) -> None:
    """Made by ``checkpoint``, here and elsewhere; it says itself which of its records were erased."""
    work.commit(f"with {SECRET}")
    assert mgit("-C", work.path, "checkpoint").code == 0
    assert mgit("-C", work.path, "checkpoint", "--to", str(tmp_path / "there")).code == 0
    (there,) = (tmp_path / "there").iterdir()
    assert erase("--also", str(there), secret=SECRET).code == 0
    for path in (*Path(work.location.mgit_dir, "checkpoints").iterdir(), there):
        assert bundle.check(str(path), str(tmp_path / "scratch")).manifest.erased == (3,)
    assert mgit("-C", work.path, "checkpoint", "--list").code == 0
    assert seeking.holding(tmp_path / "there", SECRET.encode()) == []
    assert mgit("-C", work.path, "checkpoint").code == 0
    newest = max(Path(work.location.mgit_dir, "checkpoints").iterdir())
    assert bundle.check(str(newest), str(tmp_path / "scratch")).manifest.erased == ()


def test_an_anchor_holds_after_an_erasure(work: Recording, erase: Any, mgit: Any) -> None:
    """No id changes; so an anchor that was made before it vouches for what is left."""
    work.commit(f"with {SECRET}")
    work.commit("three")
    assert mgit("-C", work.path, "anchor", "--file", "../anchor").code == 0
    assert erase(secret=SECRET).code == 0
    told = mgit("-C", work.path, "verify", "--anchor", "../anchor", "--json")
    assert (told.code, told.json[0]["erased"], told.json[0]["anchors"][0]["status"]) == (0, 1, "holds")


# Killed anywhere


# Where only the text itself is looked for: a repair that ends a killed erasure does not have it.
_BY_TEXT: Final = ("logs/", "looked.sqlite", "state.json")


def kills(work: Recording, mgit: Any, erase: Any, tmp_path: Path, every: int, tally: Tally) -> None:
    """Before each change of a file; then half the time the same command again, half the time ``repair``."""
    everywhere(work, mgit, tmp_path)
    also = tmp_path / "elsewhere.mgit"
    mgit_dir, bundled = work.location.mgit_dir, also.read_bytes()
    folders = forging.kept(mgit_dir)
    before = ids(work.location.journal_dir)
    step = 0
    while True:
        step += every
        for name in os.listdir(mgit_dir):  # what the last round left
            if name.endswith((".new", ".erasing", ".checked")):
                path = Path(mgit_dir, name)
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        forging.put_back(mgit_dir, folders)
        also.write_bytes(bundled)
        was_killed = kills_at(step, lambda: erase("--also", str(also), secret=SECRET))
        report = verify(work.location.journal_dir)
        left = seeking.holding(mgit_dir, SECRET.encode())
        assert not report.damaged, (step, report.damaged)
        if erasure.declared(work.location.journal_dir) and left and not report.unerased:
            tally.silent.append(f"killed before change {step}: {left} hold it, and verify is clean")
        if report.unerased and step % 2:
            told = mgit("-C", work.path, "repair")
            assert told.code == 0, (step, told.err)
            left = [path for path in seeking.holding(mgit_dir, SECRET.encode()) if not path.startswith(_BY_TEXT)]
        else:
            told = erase("--also", str(also), secret=SECRET)
            assert told.code in (0, 1), (step, told.err)
            left = seeking.holding(mgit_dir, SECRET.encode()) + seeking.holding(also, SECRET.encode())
        if left:
            tally.lost.append(f"killed before change {step} and gone on: {left} hold it still")
        report = verify(work.location.journal_dir)
        assert report.is_clean, (step, report)
        assert ids(work.location.journal_dir)[: len(before)] == before
        tally.cases += 1
        if not was_killed:
            return


class Failing:
    """A system call that fails the n-th time, for want of room."""

    def __init__(self, real: Callable[..., Any], number: int) -> None:
        self._real = real
        self.left = number

    def __call__(self, *args: Any, **given: Any) -> Any:
        self.left -= 1
        if self.left == 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return self._real(*args, **given)


@pytest.mark.parametrize("call", ["fsync", "replace", "unlink"])
def test_a_disk_that_fails_once_leaves_what_the_next_run_ends(
    work: Recording, mgit: Any, erase: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    """At every few calls: an error in two lines, a journal without damage, and the same command does the rest."""
    everywhere(work, mgit, tmp_path)
    folders = forging.kept(work.location.mgit_dir)
    real, failed = getattr(os, call), True
    number = 0
    while failed:
        number += 5
        forging.put_back(work.location.mgit_dir, folders)
        failing = Failing(real, number)
        monkeypatch.setattr(os, call, failing)
        told = erase(secret=SECRET)
        monkeypatch.setattr(os, call, real)
        failed = failing.left <= 0
        assert told.code == 0 or (told.code in (1, 128) and told.err.count("\n") == 2), told.err
        assert not verify(work.location.journal_dir).damaged
        assert erase(secret=SECRET).code in (0, 1)
        assert seeking.holding(work.location.mgit_dir, SECRET.encode()) == []
        assert verify(work.location.journal_dir).is_clean


def kills_at(step: int, work: Callable[[], Any]) -> bool:
    def told() -> None:
        assert work().code == 0

    return killed_at(step, told)


def test_a_mark_is_for_the_record_of_that_id_only(work: Recording, mgit: Any) -> None:
    """A restore put another record under the number: nobody wanted that one erased."""
    work.drain()
    erasemark.begin(work.location.journal_dir, {2: "00" * 32})
    told = mgit("-C", work.path, "verify")
    assert (told.code, "unerased: record 2" in told.out) == (1, True)
    assert "1 erasure not ended" in mgit("-C", work.path, "doctor").out
    assert mgit("-C", work.path, "repair").code == 0
    assert verify(work.location.journal_dir).is_clean
    assert erased(work.location.journal_dir) == []


@pytest.mark.parametrize("damage", [b"", b"{}", b"\0" * 40, None])
def test_a_mark_that_does_not_hold_is_no_end_of_an_erasure(
    work: Recording, mgit: Any, erase: Any, damage: bytes | None
) -> None:
    work.commit(f"with {SECRET}")
    assert erase(secret=SECRET).code == 0
    (seq,) = erased(work.location.journal_dir)
    erasemark.begin(work.location.journal_dir, {1: "00" * 32})
    mark = Path(f"{work.location.journal_dir}.erasing")
    mark.write_bytes(mark.read_bytes().replace(b'"1"', b'"7"') if damage is None else damage)
    assert verify(work.location.journal_dir).unerased == (seq,)
    assert mgit("-C", work.path, "repair").code == 0
    assert verify(work.location.journal_dir).is_clean
    assert not mark.exists()


def test_what_was_erased_is_forgotten_for_no_flipped_bit(work: Recording, erase: Any) -> None:
    """Not read as another commit than the one that was erased."""
    work.commit(f"with {SECRET}")
    assert erase(secret=SECRET).code == 0
    memory = Path(f"{work.location.journal_dir}.erased")
    (commit,) = erasemark.remembered(work.location.journal_dir).commits
    memory.write_bytes(memory.read_bytes().replace(commit[:1].encode(), b"x", 1))
    assert not erasemark.remembered(work.location.journal_dir).commits


def test_writes_that_take_a_part_leave_nothing_of_it(
    work: Recording, mgit: Any, erase: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    log.warning(work.location.mgit_dir, f"it said {SECRET} and more")
    work.commit(f"with {SECRET}")
    write, pwrite = os.write, os.pwrite
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:5]))
        patch.setattr(os, "pwrite", lambda descriptor, data, at: pwrite(descriptor, data[:5], at))
        assert erase(secret=SECRET).code == 0
    assert seeking.holding(work.location.mgit_dir, SECRET[5:].encode()) == []


def test_killed_before_any_change_it_goes_on(
    work: Recording, mgit: Any, erase: Any, tmp_path: Path, tally: Tally
) -> None:
    kills(work, mgit, erase, tmp_path, 23, tally)
    tally.check()


@pytest.mark.full
def test_killed_before_every_change_it_goes_on(
    work: Recording, mgit: Any, erase: Any, tmp_path: Path, tally: Tally
) -> None:
    kills(work, mgit, erase, tmp_path, 1, tally)
    tally.check()


def test_an_erasure_without_its_mark_would_be_caught(
    work: Recording, mgit: Any, erase: Any, tmp_path: Path, tally: Tally, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erasemark, "begin", lambda *_: None)
    monkeypatch.setattr(erasing, "_carry_out", journal_first(erasing._carry_out))
    kills(work, mgit, erase, tmp_path, 11, tally)
    assert tally.silent


def journal_first(real: Any) -> Any:
    """An order in which the journal is done with before the other places are."""

    def carry_out(location: Any, seqs: set[int], *others: Any) -> Any:
        yield from erasing._segments(location, seqs)
        yield from real(location, seqs, *others)

    return carry_out


@pytest.mark.parametrize(
    ("module", "name", "empty"),
    [
        (erasure, "erase_quarantined", []),
        (erasing, "_generations", []),
        (traces, "erase_logs", 0),
        (traces, "erase_spool", 0),
        (traces, "erase_copies", []),
        (traces, "erase_leftovers", None),
        (erasure, "segments_with", {}),
        (database, "remove", None),
    ],
)
def test_a_place_that_is_forgotten_would_be_caught(
    work: Recording,
    mgit: Any,
    erase: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    module: Any,
    name: str,
    empty: Any,
) -> None:
    everywhere(work, mgit, tmp_path)
    monkeypatch.setattr(module, name, lambda *_: empty)
    erase(secret=SECRET)
    assert seeking.holding(work.location.mgit_dir, SECRET.encode()) != []


def test_a_text_without_end_is_not_read_to_it(work: Recording, erase: Callable[..., Any]) -> None:
    told = erase(secret=b"x" * (command._MOST + 1))
    assert (told.code, "more than" in told.err) == (2, True)


def test_records_that_repeat_the_subject_are_named(work: Recording, erase: Any, mgit: Any) -> None:
    """A reflog has it too, and so may a record of a ref's movement."""
    work.commit("The password is swordfish")
    commit = work.head()
    work.git("commit", "--amend", "-q", "--allow-empty", "-m", "The password is swordfish, once more")
    work.commit("Something else altogether")
    work.drain()
    numbers = [
        record.seq
        for record in work.all()
        if "swordfish" in json.dumps(record.to_json()) and (record.commit is None or record.commit.hash != commit)
    ]
    told = erase(commit)
    assert (told.code, bool(numbers)) == (0, True)
    assert f"with the same subject: {', '.join(map(str, numbers))}" in told.err
    assert "--containing" in told.err
    assert "same subject" not in erase(work.head()).err
