"""``erase`` of records that were moved to an archive: gone from it as well, and the journal says who, when and why."""

from __future__ import annotations

import io
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import seeking
from conftest import Repo
from journal import forging
from kills import killed_at
from recording import Recording
from reliability import Tally

from mgit_hooks import archives, archiving, erasing
from mgit_hooks.journal import beginning, bundle, bundling, database, erasemark, erasure, reader, writer
from mgit_hooks.journal.verify import verify
from mgit_hooks.layout import locate

SECRET = "hunter2-correct-horse"


@pytest.fixture
def work(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> Recording:
    """A record in one of the first segments holds the secret."""
    monkeypatch.setattr(writer, "SEGMENT_TARGET", 1500)
    made = Recording(repo, every=True)
    made.commit("one")
    made.commit(f"with {SECRET}")
    for number in range(8):
        made.commit(f"later {number}")
    made.drain()
    return made


@pytest.fixture
def erase(work: Recording, mgit: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    def run(*options: str, secret: str | None = None) -> Any:
        if secret is not None:
            monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(secret.encode())))
            options = ("--containing", *options)
        return mgit("-C", work.path, "erase", "--json", "--reason", "a slip", *options)

    return run


def archive(work: Recording, folder: Path, keep: int = 4000) -> Path:
    done = archiving.archive(work.location, str(folder), keep_size=keep)
    assert done is not None
    return Path(done.checked.path)


def target(work: Recording) -> tuple[int, str, str]:
    """Number, chain id and commit of the record that holds the secret."""
    for stored in reader.records(work.location.journal_dir):
        record = stored.record()
        if record is not None and record.commit is not None and SECRET in record.commit.message:
            return stored.seq, stored.id.hex(), record.commit.hash
    raise AssertionError


def held(work: Recording, *paths: Path) -> list[str]:
    found = seeking.holding(work.location.mgit_dir, SECRET.encode())
    return [*found, *(str(path) for path in paths if any(SECRET.encode() in data for data in seeking.contents(path)))]


def backfilled(work: Recording, mgit: Any) -> str:
    """What is recorded when nothing but the journal can tell what is on record already."""
    database.remove(work.location.mgit_dir)
    Path(work.location.mgit_dir, "state.json").unlink(missing_ok=True)
    assert work.drain() == 0
    return str(mgit("-C", work.path, "backfill").out)


@pytest.mark.parametrize("moved", [False, True])
@pytest.mark.parametrize("what", ["number", "commit", "prefix", "revision", "containing"])
def test_a_record_in_an_archive(work: Recording, mgit: Any, erase: Any, tmp_path: Path, what: str, moved: bool) -> None:
    seq, id, commit = target(work)
    path = archive(work, tmp_path / "away")
    if moved:
        path = path.rename(tmp_path / "elsewhere.mgit")
    assert held(work, path) == [str(path)]
    also = ("--also", str(path)) if moved else ()
    if what == "containing":
        told = erase(*also, secret=SECRET)
    else:
        word = {"number": str(seq), "commit": commit, "prefix": commit[:8], "revision": "HEAD~8"}[what]
        told = erase(word, *also)
    assert told.code == 0, told.err
    assert told.json[0]["erased"] == [{"seq": seq, "id": id, "event": "commit", "commit": commit}]
    assert "was not searched" not in told.err
    assert held(work, path) == []
    assert verify(work.location.journal_dir).is_clean
    assert not Path(f"{work.location.journal_dir}.erasing").exists()
    (said,) = (each for each in mgit("-C", work.path, "log", "--json").json if each["event"] == "erase")
    (one,) = said["detail"]["erased"]
    assert (one["seq"], one["id"], one["commit"]) == (seq, id, commit)
    assert one["movements"] != []
    for word in (str(seq), commit, commit[:9]):
        shown = mgit("-C", work.path, "show", word)
        assert (shown.code, f"record {seq} was erased on " in shown.err, "a slip" in shown.err) == (1, True, True)
    # The archive is as good as it was, and says what is missing in it.
    assert mgit("-C", work.path, "import", "--dry-run", str(path)).code == 0
    assert bundle.check(str(path), str(tmp_path / "scratch")).manifest.erased == (seq,)
    assert backfilled(work, mgit).startswith("0 commits recorded")
    again = erase(str(seq), *also)
    assert (again.code, again.json[0]["already"], again.json[0]["record"]) == (0, [seq], None)


def test_of_several_archives_each_proves_the_one_before_it(
    work: Recording, mgit: Any, erase: Any, tmp_path: Path
) -> None:
    """The second has taken the record that names the first with it, and the third the second's."""
    seq, *_ = target(work)
    paths = [archive(work, tmp_path / "away", 5000)]
    for round in range(2):
        for number in range(10):
            work.commit(f"more {round} {number}")
        work.drain()
        paths.append(archive(work, tmp_path / "away", 2000))
    assert paths[0].name not in [each.file for each in archives.known(work.location.journal_dir)]
    assert erase(str(seq)).code == 0
    assert held(work, *paths) == []
    assert verify(work.location.journal_dir).is_clean
    assert backfilled(work, mgit).startswith("0 commits recorded")


@pytest.mark.parametrize("what", ["number", "commit"])
def test_an_archive_that_is_not_found_is_named_and_nothing_is_written(
    work: Recording, erase: Any, tmp_path: Path, what: str
) -> None:
    seq, _, commit = target(work)
    path = archive(work, tmp_path / "away")
    moved = path.rename(tmp_path / "elsewhere.mgit")
    work.drain()
    before = forging.kept(work.location.journal_dir)
    told = erase(str(seq) if what == "number" else commit)
    assert told.code != 0
    assert f"record {seq} is in the archive {path.name}" in told.err
    assert "--also" in told.err
    assert told.err.count("\n") == 2
    assert forging.kept(work.location.journal_dir) == before
    assert not Path(f"{work.location.journal_dir}.erasing").exists()
    # A text is looked for in what there is, and the rest is named.
    told = erase(secret="later 7")
    assert (told.code, f"the archive {path.name} was not searched" in told.err) == (0, True)
    assert held(work, moved) == [str(moved)]


def test_an_archive_of_another_journal_proves_nothing(work: Recording, erase: Any, tmp_path: Path, mgit: Any) -> None:
    """The numbers are the same; not one id is."""
    seq, *_ = target(work)
    path = archive(work, tmp_path / "away")
    other = tmp_path / "other"
    shutil.copytree(work.path, other)
    shutil.rmtree(other / ".git" / "mgit")
    assert mgit("-C", str(other), "backfill").code == 0
    bundling.write(locate(str(other)).journal_dir, str(tmp_path / "other.mgit"))
    path.unlink()
    told = erase(str(seq), "--also", str(tmp_path / "other.mgit"))
    assert (told.code != 0, f"record {seq} is in the archive" in told.err) == (True, True)


def test_a_number_is_one_record_and_the_others_of_the_archive_stay(work: Recording, erase: Any, tmp_path: Path) -> None:
    path = archive(work, tmp_path / "away")
    kept = bundle.check(str(path), str(tmp_path / "scratch")).report.records
    assert erase("2", "--also", str(path)).code == 0
    report = bundle.check(str(path), str(tmp_path / "scratch")).report
    assert (report.records, report.erased) == (kept, 1)


@pytest.mark.parametrize("apart", [False, True])
def test_who_erased_a_record_is_in_an_archive_too(
    work: Recording, mgit: Any, erase: Any, tmp_path: Path, apart: bool
) -> None:
    """In the same one as the record or in a later one; then the record that names that archive is moved as well."""
    seq, _, commit = target(work)
    if apart:
        archive(work, tmp_path / "away")
    said = erase(commit).json[0]["record"]
    for name in ("later", "last"):
        for number in range(8):
            work.commit(f"{name}, {number}")
        file = archive(work, tmp_path / "away", 0).name
        database.remove(work.location.mgit_dir)
        where = f"the archive {file}" if name == "later" else "an archive"
        for word in (str(seq), commit, commit[:9]):
            shown = mgit("-C", work.path, "show", word)
            told = f"mgit-hooks: record {seq} was erased; record {said}, in {where}, tells of it"
            assert (shown.code, shown.err.splitlines()[0]) == (1, told)


def test_the_sidecar_is_made_again_from_an_archive_that_was_erased_from(
    work: Recording, mgit: Any, erase: Any, tmp_path: Path
) -> None:
    """Its SHA-256 is not the one that the record of its making tells, and the commit is no more in it."""
    seq, _, commit = target(work)
    path = archive(work, tmp_path / "away")
    (made,) = archives.known(work.location.journal_dir)
    assert erase(commit).code == 0
    assert bundle.check(str(path), str(tmp_path / "scratch")).manifest.last_seq == made.last_seq
    Path(work.location.journal_dir, "beginning").unlink()
    Path(f"{work.location.journal_dir}.erased").unlink()
    database.remove(work.location.mgit_dir)
    assert mgit("-C", work.path, "repair", "--from", str(path)).code == 0
    assert beginning.holds(work.location.journal_dir)
    assert backfilled(work, mgit).startswith("0 commits recorded")
    assert f"record {seq} was erased" in mgit("-C", work.path, "show", commit).err
    later = archive(work, tmp_path / "away", 0)
    assert backfilled(work, mgit).startswith("0 commits recorded")
    assert held(work, path, later) == []


def test_the_name_of_a_branch_that_the_sidecar_tells_of(work: Recording, mgit: Any, erase: Any, tmp_path: Path) -> None:
    work.git("branch", f"b-{SECRET}")
    work.git("branch", "-D", "-q", f"b-{SECRET}")
    for number in range(8):
        work.commit(f"still later {number}")
    work.drain()
    paths = [archive(work, tmp_path / "away", 5000), archive(work, tmp_path / "away", 2000)]
    assert "journal/beginning" in held(work, *paths)
    assert mgit("-C", work.path, "checkpoint").code == 0
    assert erase(secret=SECRET).code == 0
    assert held(work, *paths) == []
    assert verify(work.location.journal_dir).is_clean
    assert beginning.holds(work.location.journal_dir)
    for path in paths:
        assert mgit("-C", work.path, "import", "--dry-run", str(path)).code == 0
    assert backfilled(work, mgit).startswith("0 commits recorded")


# Killed anywhere


def kills(work: Recording, mgit: Any, erase: Any, tmp_path: Path, every: int, tally: Tally, *options: str) -> None:
    """Before each change of a file; then ``repair``, which finds the archive where it was put, or the command again."""
    seq, *_ = target(work)
    path = archive(work, tmp_path / "away")
    mgit_dir, bundled = work.location.mgit_dir, path.read_bytes()
    folders = forging.kept(mgit_dir)
    step = 0
    while True:
        step += every
        for name in os.listdir(mgit_dir):
            if name.endswith((".new", ".erasing", ".erased", ".checked")):
                left = Path(mgit_dir, name)
                shutil.rmtree(left) if left.is_dir() else left.unlink()
        forging.put_back(mgit_dir, folders)
        path.write_bytes(bundled)

        def told() -> None:
            assert erase(str(seq)).code == 0

        was_killed = killed_at(step, told)
        report = verify(work.location.journal_dir)
        assert not report.damaged, (step, report.damaged)
        declared = seq in erasure.declared(work.location.journal_dir)
        if declared and held(work, path) and not report.unerased:
            tally.silent.append(f"killed before change {step}: {held(work, path)} hold it, and verify is clean")
        command = ("repair",) if report.unerased and step // every % 2 else ("erase", str(seq), "--reason", "again")
        ended = mgit("-C", work.path, *command)
        assert ended.code == 0, (step, command, ended.err)
        if command[0] == "repair" and not declared:
            assert erase(str(seq)).code == 0
        if held(work, path):
            tally.lost.append(f"killed before change {step} and gone on: {held(work, path)} hold it still")
        assert verify(work.location.journal_dir).is_clean, step
        assert bundle.check(str(path), str(tmp_path / "scratch")).manifest.erased == (seq,)
        said = [one for one in erasure.said(work.location.journal_dir) if (one.payload or b"").startswith(ERASE)]
        assert len(said) == 1, (step, said)
        tally.cases += 1
        if not was_killed:
            return


ERASE = b'{"event":"erase"'


def test_killed_before_any_change_it_goes_on(
    work: Recording, mgit: Any, erase: Any, tmp_path: Path, tally: Tally
) -> None:
    kills(work, mgit, erase, tmp_path, 9, tally)
    tally.check()


@pytest.mark.full
def test_killed_before_every_change_it_goes_on(
    work: Recording, mgit: Any, erase: Any, tmp_path: Path, tally: Tally
) -> None:
    kills(work, mgit, erase, tmp_path, 1, tally)
    tally.check()


def test_an_erasure_that_is_declared_before_it_is_marked_would_be_caught(
    work: Recording, mgit: Any, erase: Any, tmp_path: Path, tally: Tally, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erasing, "_mark_ahead", lambda *_: None)
    monkeypatch.setattr(erasemark, "begin", lambda *_: None)
    kills(work, mgit, erase, tmp_path, 5, tally)
    assert tally.silent


def test_an_archive_that_cannot_be_found_leaves_the_erasure_open(
    work: Recording, mgit: Any, erase: Any, tmp_path: Path
) -> None:
    """Killed, and the archive taken away since: repair says which, and the same command with --also ends it."""
    seq, *_ = target(work)
    path = archive(work, tmp_path / "away")
    bundled, step = path.read_bytes(), 0
    while not erasure.declared(work.location.journal_dir):
        path.write_bytes(bundled)
        assert killed_at(step := step + 1, lambda: erase(str(seq)))
    path.unlink()
    moved = tmp_path / "elsewhere.mgit"
    moved.write_bytes(bundled)
    for _ in range(2):
        told = mgit("-C", work.path, "repair")
        assert (told.code, path.name in told.out + told.err) == (1, True), told.out
        assert verify(work.location.journal_dir).unerased == (seq,)
    assert erase(str(seq), "--also", str(moved)).code == 0
    assert held(work, moved) == []
    assert verify(work.location.journal_dir).is_clean
