"""Folding: each operation once, whatever is read twice, killed or damaged."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from conftest import Repo
from metering import ended
from recording import Recording

from mgit_hooks import meter, operation
from mgit_hooks.metrics import folded, rows, spooled
from mgit_hooks.metrics.figures import BUCKETS
from mgit_hooks.metrics.rows import Day
from mgit_hooks.recorder import drain as background

DAY = 86400


def fold(folder: Path) -> tuple[list[spooled.Noted], list[Day], int]:
    with folded.opened(str(folder)) as store:
        assert store is not None
        return list(store.noted()), list(store.days()), store.cut


def put(folder: Path, *names: str, **given: Any) -> None:
    for name in names:
        assert operation.note(str(folder), ended(name, **given))


def test_nothing_is_there_where_nothing_was_noted(tmp_path: Path) -> None:
    with folded.opened(str(tmp_path)) as store:
        assert store is None
    assert list(tmp_path.iterdir()) == []


def test_operations_by_number_and_by_day(tmp_path: Path) -> None:
    put(tmp_path, "log", "log", started=DAY * 3.5, seconds=0.003, items=2, bytes=5, cpu=0.5)
    put(tmp_path, "log", started=DAY * 3.9, seconds=9999.0, error="OSError")
    put(tmp_path, "log", started=DAY * 4.0, seconds=0.0005)
    noted, days, cut = fold(tmp_path)
    assert ([each.started / DAY for each in noted], cut) == ([3.5, 3.5, 3.9, 4.0], 0)
    (third, fourth) = days
    assert (third.day, third.name, third.runs, third.failed, third.items, third.bytes) == (3, "log", 3, 1, 4, 10)
    assert (third.seconds, third.cpu) == (pytest.approx(9999.006), pytest.approx(1.0))
    assert third.buckets == (*(2 * (bound == 0.005) for bound in BUCKETS), 1)
    assert (fourth.day, fourth.runs, fourth.buckets[0]) == (4, 1, 1)


def test_folding_again_gives_the_same(tmp_path: Path) -> None:
    put(tmp_path, "log", "show", "log")
    assert fold(tmp_path) == fold(tmp_path)
    assert len(fold(tmp_path)[0]) == 3


def doubled(folder: Path) -> int:
    """A fold that was killed after it had written and before it took the lines away: what the next one counts twice."""
    put(folder, "log", "show")
    (folder / "metrics" / "now").write_bytes((folder / "metrics" / "now").read_bytes() + b"\x1ecut")
    shutil.copytree(folder / "metrics", folder / "before")
    noted, days, cut = fold(folder)
    shutil.copyfile(folder / "before" / "now", folder / "metrics" / "now.7")
    again, again_days, _ = fold(folder)
    assert cut == 1
    return len(again) - len(noted) + sum(day.runs for day in again_days) - sum(day.runs for day in days)


def test_what_is_read_twice_counts_once(tmp_path: Path) -> None:
    assert doubled(tmp_path) == 0


def test_planted_bug_without_the_id_it_counts_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "TABLES", rows.TABLES.replace(" UNIQUE", ""))
    assert doubled(tmp_path) == 4


def test_a_cut_line_is_counted_once_and_for_good(tmp_path: Path) -> None:
    put(tmp_path, "log")
    with open(tmp_path / "metrics" / "now", "ab") as file:
        file.write(b"\x1ecut")
    assert [fold(tmp_path)[2] for _ in range(2)] == [1, 1]
    for path in (tmp_path / "metrics").glob("now.*"):
        os.utime(path, (5, 5))
    assert [fold(tmp_path)[2] for _ in range(2)] == [1, 1]
    assert list((tmp_path / "metrics").glob("now*")) == []


def test_who_had_the_file_open_by_then_loses_nothing(tmp_path: Path) -> None:
    put(tmp_path, "first")
    held = os.open(tmp_path / "metrics" / "now", os.O_WRONLY | os.O_APPEND)
    assert len(fold(tmp_path)[0]) == 1
    os.write(held, ended("late").line())
    assert [each.name for each in fold(tmp_path)[0]] == ["first", "late"]
    for path in (tmp_path / "metrics").glob("now.*"):
        os.utime(path, (5, 5))
    os.write(held, ended("later").line())
    os.close(held)
    assert [each.name for each in fold(tmp_path)[0]] == ["first", "late", "later"]


def test_planted_bug_deleted_at_once_what_was_open_by_then_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spooled, "GRACE", -1.0)
    put(tmp_path, "first")
    held = os.open(tmp_path / "metrics" / "now", os.O_WRONLY | os.O_APPEND)
    fold(tmp_path)
    os.write(held, ended("late").line())
    os.close(held)
    assert [each.name for each in fold(tmp_path)[0]] == ["first"]


class Killer:
    """A database that takes so many statements, and then the process is gone."""

    def __init__(self, database: sqlite3.Connection, left: int) -> None:
        self._database, self._left = database, left

    def execute(self, *words: Any) -> Any:
        self._left -= 1
        if not self._left:
            os.kill(os.getpid(), signal.SIGKILL)
        return self._database.execute(*words)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._database, name)


class Full(Killer):
    """A database on a disk that is full after so many statements."""

    def execute(self, *words: Any) -> Any:
        self._left -= 1
        if self._left < 0:
            raise sqlite3.OperationalError("database or disk is full")
        return self._database.execute(*words)


@pytest.mark.parametrize("left", [0, 3, 6, 9])
def test_a_disk_that_is_full_while_it_folds_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, left: int
) -> None:
    put(tmp_path, "log", "show", "log")
    connect = folded._connect
    monkeypatch.setattr(folded, "_connect", lambda path: Full(connect(path), left))
    with folded.opened(str(tmp_path)) as store:
        assert store is not None
        assert (len(list(store.noted())), store.durable) == (3, False)
    monkeypatch.undo()
    noted, days, cut = fold(tmp_path)
    assert (len(noted), sum(day.runs for day in days), cut) == (3, 3, 0)


def killed(folder: Path, at: int) -> bool:
    """Whether a fold in a process of its own was killed at its statement number ``at``."""
    child = os.fork()
    if not child:
        was = folded._connect
        folded._connect = lambda path: Killer(was(path), at)  # type: ignore[assignment,return-value]
        with folded.opened(str(folder)):
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


def test_killed_at_any_statement_each_counts_once(tmp_path: Path) -> None:
    for at in range(1, 100):
        folder = tmp_path / str(at)
        folder.mkdir()
        put(folder, "log", "show", "log")
        was_killed = killed(folder, at)
        noted, days, cut = fold(folder)
        assert (len(noted), sum(day.runs for day in days), cut) == (3, 3, 0)
        if not was_killed:
            assert at > 8  # it was killed at each of them
            return
    raise AssertionError("it has no end")


def test_only_so_many_are_kept_one_by_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folded, "KEPT", 3)
    monkeypatch.setattr(folded, "_MARGIN", 0)
    put(tmp_path, "a", "b", "c", "d", "e")
    for _ in range(2):  # as long as their lines may be read again, all are
        assert [each.name for each in fold(tmp_path)[0]] == ["a", "b", "c", "d", "e"]
    for path in (tmp_path / "metrics").glob("now.*"):
        os.utime(path, (5, 5))
    fold(tmp_path)
    noted, days, _ = fold(tmp_path)
    assert [each.name for each in noted] == ["c", "d", "e"]
    assert sum(day.runs for day in days) == 5


@pytest.mark.parametrize(
    "data", [b"", b"no database at all, and longer than a header has to be" * 10, b"SQLite format 3\0" + b"\xff" * 4000]
)
def test_a_damaged_file_is_set_aside_and_counting_begins_anew(tmp_path: Path, data: bytes) -> None:
    put(tmp_path, "log")
    file = tmp_path / "metrics" / "metrics.sqlite"
    file.write_bytes(data)
    with folded.opened(str(tmp_path)) as store:
        assert store is not None
        assert [each.name for each in store.noted()] == ["log"]
        assert store.damaged is bool(data)
    assert (tmp_path / "metrics" / "metrics.sqlite.damaged").exists() is bool(data)
    with folded.opened(str(tmp_path)) as store:
        assert store is not None
        assert not store.damaged


@pytest.mark.parametrize("change", ["DROP TABLE file", "PRAGMA user_version = 0"])
def test_a_database_of_other_tables_is_set_aside(tmp_path: Path, change: str) -> None:
    put(tmp_path, "log")
    fold(tmp_path)
    with sqlite3.connect(tmp_path / "metrics" / "metrics.sqlite") as database:
        database.execute(change)
    put(tmp_path, "show")
    assert {each.name for each in fold(tmp_path)[0]} == {"log", "show"}
    assert (tmp_path / "metrics" / "metrics.sqlite.damaged").exists()


def test_a_table_whose_name_is_damaged_is_set_aside(tmp_path: Path) -> None:
    """Of which SQLite says so in words with that byte in them."""
    put(tmp_path, "log")
    fold(tmp_path)
    file = tmp_path / "metrics" / "metrics.sqlite"
    file.write_bytes(file.read_bytes().replace(b"CREATE TABLE day", b"CREATE T\xccBLE day"))
    assert [each.name for each in fold(tmp_path)[0]] == ["log"]


DAMAGE = [
    "UPDATE operation SET phases = '{\"read\": 0.1' WHERE name = 'show'",
    "UPDATE operation SET counts = '[]' WHERE name = 'show'",
    "UPDATE operation SET phases = '{\"read\": NaN}' WHERE name = 'show'",
    "UPDATE operation SET name = CAST(x'73ff' AS TEXT) WHERE name = 'show'",
    "UPDATE operation SET name = char(27) || '[2J' WHERE name = 'show'",
    "UPDATE operation SET items = 'many' WHERE name = 'show'",
    "UPDATE operation SET seconds = 9e999 WHERE name = 'show'",
    "UPDATE day SET buckets = '[1, 2' WHERE name = 'show'",
    "UPDATE day SET buckets = '[]' WHERE name = 'show'",
    "UPDATE day SET count = x'01' WHERE name = 'show'",
    "INSERT INTO kept VALUES ('cut', 'x')",
]


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_row_that_is_damaged_is_passed_over_and_the_others_count(tmp_path: Path, damage: str) -> None:
    """SQLite finds none of these. Every view reads them, and what comes next is counted."""
    put(tmp_path, "log", "show", "log", started=DAY * 3.5)
    fold(tmp_path)
    with sqlite3.connect(tmp_path / "metrics" / "metrics.sqlite") as database:
        assert database.execute(damage).rowcount == 1
    put(tmp_path, "show", "log", started=DAY * 3.6)
    noted, days, cut = fold(tmp_path)
    expected = Counter(log=3, show=2 - damage.startswith("UPDATE operation"))
    assert (Counter(each.name for each in noted), cut) == (expected, 0)
    assert {day.name: day.runs for day in days} == {"log": 3, "show": 2 - damage.startswith("UPDATE day")}


def test_a_file_of_a_later_version_is_set_aside(tmp_path: Path) -> None:
    put(tmp_path, "log")
    fold(tmp_path)
    with sqlite3.connect(tmp_path / "metrics" / "metrics.sqlite") as database:
        database.execute("PRAGMA user_version = 9")
    put(tmp_path, "show")
    assert {each.name for each in fold(tmp_path)[0]} == {"log", "show"}  # both lines are still there


def test_where_nothing_can_be_written_all_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path, "log")
    fold(tmp_path)
    put(tmp_path, "show")
    before = {path.name: path.read_bytes() for path in (tmp_path / "metrics").iterdir()}

    def refuse(*_: Any, **__: Any) -> Any:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(folded, "exclusive", refuse)  # root may write everywhere: what a read-only folder answers
    with folded.opened(str(tmp_path)) as store:
        assert store is not None
        assert ([each.name for each in store.noted()], store.durable) == (["log", "show"], False)
    assert {path.name: path.read_bytes() for path in (tmp_path / "metrics").iterdir()} == before


def test_a_link_in_the_place_of_the_database_is_not_written_to(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"")
    put(tmp_path, "log")
    (tmp_path / "metrics" / "metrics.sqlite").symlink_to(victim)
    assert [each.name for each in fold(tmp_path)[0]] == ["log"]
    assert victim.read_bytes() == b""


def test_a_drain_folds_what_nobody_reads(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    work = Recording(repo)
    folder = Path(work.location.mgit_dir)
    put(folder, "log")
    monkeypatch.setattr(background, "_detach", lambda _: work.location)
    assert background.main([]) == 0
    assert not (folder / "metrics" / "metrics.sqlite").exists()
    monkeypatch.setattr(meter, "MUCH", 10)
    assert background.main([]) == 0
    assert not (folder / "metrics" / "now").exists()
    assert [each.name for each in fold(folder)[0]] == ["log"]


def test_times_far_off_break_nothing(tmp_path: Path) -> None:
    put(tmp_path, "log", started=0.0)
    put(tmp_path, "log", started=1e15, seconds=1e12, items=(1 << 61))
    put(tmp_path, "log", started=1e15, items=(1 << 61), bytes=(1 << 61))
    put(tmp_path, "log", started=1e15, items=(1 << 61), bytes=(1 << 61))
    noted, days, _ = fold(tmp_path)
    assert (len(noted), [day.runs for day in days]) == (4, [1, 3])
