"""The oldest records go into a file elsewhere: provable, readable there, and never recorded again here."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from conftest import Repo
from kills import killed_at
from losses import lived_in
from recording import Recording, records

from mgit_hooks import archiving
from mgit_hooks.journal import database
from mgit_hooks.journal.segment import segment_names
from mgit_hooks.journal.verify import verify
from mgit_hooks.layout import locate
from mgit_hooks.record import Record


@pytest.fixture
def work(repo: Repo, bare: Repo) -> Recording:
    return lived_in(repo, bare)


def events(journal_dir: str) -> list[tuple[int | None, str | None, str]]:
    return [(record.seq, record.id, record.event) for record in records(journal_dir)]


def sound(work: Recording, true: list[Record]) -> None:
    """What is left is what it was, the beginning is declared, and nothing is recorded twice."""
    report = verify(work.location.journal_dir)
    assert report.is_clean
    (hole,) = report.archived
    assert (hole.first_seq, hole.after) == (1, true[hole.last_seq - 1].id)
    left = records(work.location.journal_dir)
    assert left[: len(true) - hole.last_seq] == true[hole.last_seq :]
    database.remove(work.location.mgit_dir)
    Path(work.location.mgit_dir, "state.json").unlink(missing_ok=True)
    assert work.drain() == 0


def test_the_oldest_go_and_the_chain_stays_provable(work: Recording, mgit: Any, tmp_path: Path) -> None:
    true = records(work.location.journal_dir)
    names = segment_names(work.location.journal_dir)
    told = mgit("-C", work.path, "archive", str(tmp_path / "away"), "--keep-size", "9k", "--json")
    assert told.code == 0, told.err
    value = told.json[0]["archived"]
    assert 0 < value["last_seq"] < len(true)
    assert set(segment_names(work.location.journal_dir)) < {*names, "0"} | set(names)
    sound(work, true)
    assert f"archived: records 1 to {value['last_seq']}" in mgit("-C", work.path, "verify").out
    assert mgit("-C", work.path, "backfill").out.startswith("0 commits recorded")
    gone = next(record.commit.hash for record in true if record.commit)
    for what in (gone, gone[:9]):
        shown = mgit("-C", work.path, "show", what)
        assert (shown.code, os.path.basename(value["file"]) in shown.err) == (1, True)
    work.commit("later")
    work.drain()
    assert work.made()[-1] == "commit later"


def test_an_archive_can_be_read_elsewhere(work: Recording, mgit: Any, tmp_path: Path) -> None:
    true = records(work.location.journal_dir)
    done = archiving.archive(work.location, str(tmp_path / "away"), keep_size=9000)
    assert done is not None
    subprocess.run(["git", "init", "-q", "-b", "main", tmp_path / "reader"], check=True)
    reader = str(tmp_path / "reader")
    assert mgit("-C", reader, "import", "--dry-run", done.checked.path).code == 0
    assert mgit("-C", reader, "import", done.checked.path).code == 0
    last = done.checked.manifest.last_seq
    assert records(locate(reader).journal_dir)[:last] == true[:last]


def test_twice_and_a_generation_after_it(work: Recording, mgit: Any, tmp_path: Path) -> None:
    true = records(work.location.journal_dir)
    first = archiving.archive(work.location, str(tmp_path / "away"), keep_size=12000)
    second = archiving.archive(work.location, str(tmp_path / "away"), keep_size=6000)
    assert first is not None
    assert second is not None
    assert second.checked.manifest.first_seq == first.checked.manifest.last_seq + 1
    assert second.checked.manifest.before == first.checked.manifest.head
    report = verify(work.location.journal_dir)
    assert report.is_clean
    assert [(hole.first_seq, hole.last_seq) for hole in report.archived] == [(1, second.checked.manifest.last_seq)]
    assert mgit("-C", work.path, "backfill").out.startswith("0 commits recorded")
    gone = next(record.commit.hash for record in true if record.commit)
    assert os.path.basename(first.checked.path) in mgit("-C", work.path, "show", gone).err
    assert mgit("-C", work.path, "checkpoint").code == 0
    assert mgit("-C", work.path, "repair").out == "nothing to mend\n"


def test_what_is_new_stays(work: Recording, mgit: Any, tmp_path: Path) -> None:
    before = events(work.location.journal_dir)
    assert mgit("-C", work.path, "archive", str(tmp_path / "x"), "--keep-newer", "1h").out == "nothing to archive\n"
    assert mgit("-C", work.path, "archive", str(tmp_path / "x"), "--keep-size", "1g").out == "nothing to archive\n"
    assert events(work.location.journal_dir) == before
    for wrong in ((), ("--keep-newer", "soon"), ("--keep-size", "5x"), ("--keep-size", "-1")):
        assert mgit("-C", work.path, "archive", str(tmp_path / "x"), *wrong).code == 2


def test_without_the_sidecar_nothing_is_recorded_until_it_is_made_again(
    work: Recording, mgit: Any, tmp_path: Path
) -> None:
    done = archiving.archive(work.location, str(tmp_path / "away"), keep_size=9000)
    assert done is not None
    path = Path(work.location.journal_dir, "beginning")
    kept = path.read_bytes()
    for spoil in (path.unlink, lambda: path.write_bytes(kept[:-1]), lambda: path.write_bytes(b"x" + kept[1:])):
        spoil()
        database.remove(work.location.mgit_dir)
        before = events(work.location.journal_dir)
        told = mgit("-C", work.path, "backfill")
        assert (told.code, "archived records is lost" in told.err) == (128, True)
        assert events(work.location.journal_dir) == before
        assert mgit("-C", work.path, "repair", "--from", done.checked.path).code == 0
        assert path.read_bytes() == kept
        assert mgit("-C", work.path, "backfill").out.startswith("0 commits recorded")


def test_killed_anywhere_the_next_one_ends_it(work: Recording, tmp_path: Path) -> None:
    true = records(work.location.journal_dir)
    shutil.copytree(work.location.mgit_dir, tmp_path / "before", symlinks=True)
    step, killed = 0, True
    while killed:
        killed = killed_at(step := step + 1, archiving.archive, work.location, str(tmp_path / "away"), keep_size=9000)
        archiving.archive(work.location, str(tmp_path / "away"), keep_size=9000)
        sound(work, true)
        shutil.rmtree(work.location.mgit_dir)
        shutil.rmtree(tmp_path / "away")
        shutil.copytree(tmp_path / "before", work.location.mgit_dir, symlinks=True)
    assert step > 20


def test_what_a_restore_brought_back_from_before_the_archive_stays(work: Recording, mgit: Any, tmp_path: Path) -> None:
    true = records(work.location.journal_dir)
    (made,) = mgit("-C", work.path, "checkpoint", "--to", str(tmp_path / "copies"), "--json").json
    assert archiving.archive(work.location, str(tmp_path / "away"), keep_size=9000) is not None
    shutil.rmtree(tmp_path / "away")  # the archive is lost: this is why it is restored
    restored = mgit("-C", work.path, "restore", "--from", made["file"])
    assert restored.code == 0, restored.err
    for command in (("repair",), ("archive", str(tmp_path / "away"), "--keep-size", "1g"), ("verify",)):
        assert mgit("-C", work.path, *command).code == 0
    assert records(work.location.journal_dir)[: len(true)] == true


def test_segments_go_only_where_the_record_is_of_them(work: Recording, tmp_path: Path, mgit: Any) -> None:
    (made,) = mgit("-C", work.path, "checkpoint", "--to", str(tmp_path / "copies"), "--json").json
    assert archiving.archive(work.location, str(tmp_path / "away"), keep_size=6000) is not None
    assert mgit("-C", work.path, "restore", "--from", made["file"]).code == 0
    before = segment_names(work.location.journal_dir)
    # Killed before the record of the second archive is written: the one that is there is of the first.
    step = 0
    while not Path(work.location.journal_dir, "beginning").exists():
        killed_at(step := step + 1, archiving.archive, work.location, str(tmp_path / "away"), keep_size=12000)
    assert mgit("-C", work.path, "repair").code == 0
    assert segment_names(work.location.journal_dir)[: len(before)] == before
