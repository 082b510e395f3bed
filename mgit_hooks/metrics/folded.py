"""Operations folded into SQLite: the newest one by one, all of them by day.

What is lost here is figures, and no more. So a file that is damaged is set aside and begun anew, and nothing waits for
the disk. One process at a time writes, under ``metrics/lock``; who may not write reads all the same.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from typing import Final, NamedTuple
from urllib.parse import quote

from mgit_hooks.files import is_file
from mgit_hooks.lock import exclusive
from mgit_hooks.metrics import rows, running, spooled
from mgit_hooks.metrics.figures import BUCKETS, bucket
from mgit_hooks.metrics.rows import Day
from mgit_hooks.metrics.spooled import Noted

KEPT: Final = 20_000
"""So many of the newest operations are kept one by one."""
_MARGIN: Final = 1000  # operations that were killed have no line
_PATIENCE: Final = 10.0
_VERSION: Final = 1


class _File(NamedTuple):
    """A file of lines as it was when it was folded: its bytes, and how many of its lines were whole, how many cut."""

    size: int
    lines: int
    cut: int


class Store:
    """The operations of one folder, as they were when it was opened."""

    def __init__(self, database: sqlite3.Connection, cut: int, *, damaged: bool = False, durable: bool = True) -> None:
        self._database = database
        self.cut = cut
        self.damaged = damaged
        self.durable = durable
        """False where this folder cannot be written: what is kept here is gone with the process."""

    def noted(self, since: float = 0.0) -> Iterator[Noted]:
        """In the order in which they were folded."""
        query = f"SELECT {rows.OPERATION} FROM operation WHERE started >= ? ORDER BY number"  # noqa: S608 - our own words
        return filter(None, map(rows.noted, self._database.execute(query, (since,))))

    def days(self, first: int = 0) -> Iterator[Day]:
        found = self._database.execute("SELECT * FROM day WHERE day >= ? ORDER BY day", (first,))
        return filter(None, map(rows.day, found))

    def after(self, number: int) -> Iterator[tuple[int, Noted]]:
        """The operations with a greater number, each with its own: for who passes them on, once each."""
        query = f"SELECT number, {rows.OPERATION} FROM operation WHERE number > ? ORDER BY number"  # noqa: S608 - our own words
        for at, *values in self._database.execute(query, (number,)):
            if (each := rows.noted(values)) is not None:
                yield at, each

    def kept(self, name: str) -> int:
        return _kept(self._database, name)

    def keep(self, name: str, value: int) -> None:
        self._database.execute("INSERT OR REPLACE INTO kept VALUES (?, ?)", (name, value))


@contextmanager
def opened(folder: str) -> Iterator[Store | None]:
    """All that was noted in ``folder`` until now; None where nothing ever was. Raises OSError."""
    database, cut, damaged, durable = _open(folder)
    if database is None:
        yield None
        return
    with closing(database):
        yield Store(database, cut, damaged=damaged, durable=durable)


def fold(folder: str) -> None:
    """For who wants no figures: nothing is raised."""
    with suppress(OSError, sqlite3.Error), opened(folder):
        pass


def _open(folder: str) -> tuple[sqlite3.Connection | None, int, bool, bool]:
    place = spooled.folder_of(folder)
    path = os.path.join(place, "metrics.sqlite")
    if not is_file(path) and not spooled.waiting(folder) and not any(running.listed(folder)):
        return None, 0, False, True
    try:
        with exclusive(os.path.join(place, "lock"), wait=_PATIENCE) as got:
            if got:
                return _folded(folder, path)
    except (OSError, sqlite3.OperationalError):  # read-only, full, or a path that is too long for SQLite
        pass
    database = _in_memory(path)
    return database, _take_in(database, folder), False, False


def _folded(folder: str, path: str) -> tuple[sqlite3.Connection, int, bool, bool]:
    damaged = False
    try:
        database = _connect(path)
    except sqlite3.OperationalError:
        raise
    except sqlite3.DatabaseError:
        os.replace(path, f"{path}.damaged")
        with suppress(FileNotFoundError):
            os.unlink(f"{path}-journal")
        damaged, database = True, _connect(path)
    try:
        spooled.set_aside(folder)
        cut = _take_in(database, folder)
        _tidy(database, folder)
        _bury(database, folder)
        return database, cut, damaged, True
    except BaseException:
        database.close()
        raise


def _connect(path: str) -> sqlite3.Connection:
    """Raises sqlite3.DatabaseError where what is there is damaged, and OSError where it is none of ours."""
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    os.close(os.open(path, flags, 0o600))
    database = sqlite3.connect(f"file:{quote(os.fsencode(path))}?mode=rw", uri=True, timeout=30, isolation_level=None)
    try:
        database.execute("PRAGMA synchronous = OFF")
        return _prepared(database)
    except UnicodeDecodeError as error:  # SQLite's words about a damaged table have its bytes in them
        database.close()
        raise sqlite3.DatabaseError("not as it was written") from error
    except BaseException:
        database.close()
        raise


def _prepared(database: sqlite3.Connection) -> sqlite3.Connection:
    database.text_factory = rows.text
    (version,) = database.execute("PRAGMA user_version").fetchone()
    made = {sql for (sql,) in database.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL")}
    if not version and not made:
        database.executescript(f"BEGIN; {rows.TABLES} PRAGMA user_version = {_VERSION}; COMMIT;")
    elif (
        version != _VERSION
        or made != rows.statements()
        or database.execute("PRAGMA quick_check(1)").fetchone() != ("ok",)
    ):
        raise sqlite3.DatabaseError("not as it was written")
    return database


def _in_memory(path: str) -> sqlite3.Connection:
    """A copy of what is there that goes with the process; of what cannot be read, an empty one."""
    database = sqlite3.connect(":memory:", isolation_level=None)
    with suppress(sqlite3.Error, UnicodeDecodeError):
        source = sqlite3.connect(f"file:{quote(os.fsencode(path))}?mode=ro&immutable=1", uri=True)
        with closing(source):
            source.backup(database)
            return _prepared(database)
    database.close()
    return _prepared(sqlite3.connect(":memory:", isolation_level=None))


def _take_in(database: sqlite3.Connection, folder: str) -> int:
    """Fold every line that waits, each once, however often it is read; how many of all so far were cut."""
    cut = lines = 0
    for path in spooled.waiting(folder):
        try:
            seen = _seen(database, path) or _read(database, path)
        except OSError:  # a link or a pipe that somebody has put there
            continue
        cut += seen.cut
        lines += seen.lines
    # Those whose lines are still there, which are the newest, are known by their ids when they are read again.
    kept = max(KEPT, lines + _MARGIN)
    database.execute("DELETE FROM operation WHERE number <= (SELECT max(number) FROM operation) - ?", (kept,))
    return cut + _kept(database, "cut")


def _seen(database: sqlite3.Connection, path: str) -> _File | None:
    """What is known of a file that has not grown since it was folded: it need not be read again. Raises OSError."""
    row = database.execute("SELECT size, lines, cut FROM file WHERE name = ?", (os.path.basename(path),)).fetchone()
    return _File._make(row) if row is not None and row[0] == os.stat(path, follow_symlinks=False).st_size else None


def _read(database: sqlite3.Connection, path: str) -> _File:
    """Raises OSError."""
    found = spooled.read(path)
    file = _File(found.size, len(found.noted), found.cut)
    _insert(database, found.noted, (os.path.basename(path), *file))
    return file


def _insert(database: sqlite3.Connection, noted: Iterable[Noted], file: Sequence[object] = ()) -> None:
    """In one transaction: a kill leaves all of them to be folded again, or none. ``file``: what is then known of it."""
    database.execute("BEGIN IMMEDIATE")
    try:
        new = [each for each in noted if _is_new(database, each)]
        for key, of_day in _by_day(new).items():
            _add(database, key, of_day)
        if file:
            database.execute("INSERT OR REPLACE INTO file VALUES (?, ?, ?, ?)", file)
        database.execute("COMMIT")
    except BaseException:
        database.execute("ROLLBACK")
        raise


def _is_new(database: sqlite3.Connection, each: Noted) -> bool:
    marks = ", ".join("?" * 13)
    query = f"INSERT OR IGNORE INTO operation ({rows.OPERATION}) VALUES ({marks})"  # noqa: S608 - our own words
    return database.execute(query, rows.of_noted(each)).rowcount == 1


def _by_day(noted: Iterable[Noted]) -> dict[tuple[int, str, str], list[Noted]]:
    found: dict[tuple[int, str, str], list[Noted]] = {}
    for each in noted:
        found.setdefault((int(each.started // 86400), each.type, each.name), []).append(each)
    return found


def _add(database: sqlite3.Connection, key: tuple[int, str, str], noted: list[Noted]) -> None:
    row = database.execute("SELECT * FROM day WHERE day = ? AND type = ? AND name = ?", key).fetchone()
    before = (row and rows.day(row)) or Day(*key, 0, 0, 0.0, 0.0, 0, 0, (0,) * (len(BUCKETS) + 1))
    more = (
        len(noted), sum(not each.success for each in noted), sum(each.seconds for each in noted),
        sum(each.cpu for each in noted), sum(each.items for each in noted), sum(each.bytes for each in noted),
    )  # fmt: skip
    buckets = Counter(bucket(each.seconds) for each in noted)
    totals = (min(a + b, 1 << 62) for a, b in zip(before[3:9], more, strict=True))
    day = Day._make((*key, *totals, tuple(count + buckets[at] for at, count in enumerate(before.buckets))))
    database.execute("INSERT OR REPLACE INTO day VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows.of_day(day))


def _tidy(database: sqlite3.Connection, folder: str) -> None:
    """Delete what was set aside long ago, and is folded; what somebody who had it open has written since is too."""
    for path in spooled.waiting(folder):
        with suppress(OSError):
            known = _seen(database, path)
            if path.endswith("now") or known is None or time.time() - os.stat(path).st_mtime < spooled.GRACE:
                continue
            # First: another file may come to have this name, and is not to be taken for this one.
            database.execute("BEGIN IMMEDIATE")
            database.execute("DELETE FROM file WHERE name = ?", (os.path.basename(path),))
            database.execute(
                "INSERT INTO kept VALUES ('cut', ?) ON CONFLICT (name) DO UPDATE SET value = value + excluded.value",
                (known.cut,),
            )
            database.execute("COMMIT")
            _insert(database, spooled.removed(path, known.size))


def _bury(database: sqlite3.Connection, folder: str) -> None:
    """Count what was killed: an operation that ended by itself has taken its file away."""
    for each, alive in running.listed(folder):
        if not alive:
            _insert(database, [each.killed])
            running.forget(folder, each)


def _kept(database: sqlite3.Connection, name: str) -> int:
    row = database.execute("SELECT value FROM kept WHERE name = ?", (name,)).fetchone()
    return row[0] if row is not None and isinstance(row[0], int) else 0
