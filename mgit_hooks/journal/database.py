"""The index's file: opened and brought up to date, made anew where it is damaged, removed.

Any number of processes may find it damaged at once; each removes only the file that it found so.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final
from urllib.parse import quote

from mgit_hooks.errors import JournalError
from mgit_hooks.journal.index import Index
from mgit_hooks.journal.tables import TABLES, VERSION
from mgit_hooks.layout import make_private_dir
from mgit_hooks.lock import exclusive
from mgit_hooks.record import Oid

_ATTEMPTS: Final = 10


@contextmanager
def open_index(mgit_dir: str, journal_dir: str) -> Iterator[Index]:
    """The index, up to date with the journal. One that cannot be read is made anew without a question."""
    path = os.path.join(mgit_dir, "index.sqlite")
    if not os.access(mgit_dir if os.path.isdir(mgit_dir) else os.path.dirname(mgit_dir), os.W_OK):
        path = ":memory:"  # a repository that may only be read is read all the same
    else:
        make_private_dir(mgit_dir)
    index = _open_or_remake(path, journal_dir)
    try:
        yield index
    except sqlite3.DatabaseError as error:
        # Damage shows where a query meets it, which may be long after the index was opened.
        _raise_if_busy(error)
        _remove_damaged(path, index.file)
        raise JournalError("the index was damaged, and is removed", "run the command again: it is made anew") from error
    finally:
        index.close()


def _open_or_remake(path: str, journal_dir: str) -> Index:
    """Open the index, made anew where it is damaged. Another process may be making it anew as well: then the
    file that this one opened is no longer there, and it looks again."""
    for attempt in range(_ATTEMPTS):
        file = _file_id(path)
        try:
            return _open(path, journal_dir)
        except (sqlite3.DatabaseError, TypeError, ValueError) as error:
            _raise_if_busy(error)
            failure = error
        _remove_damaged(path, file)
        time.sleep(0.01 * attempt)
    raise JournalError(f"cannot write the index: {failure}", "make room on the disk and try again") from failure


def _remove_damaged(path: str, file: int | None) -> None:
    """Remove the index if it is still the file that was found damaged, and not one made anew since."""
    if path == ":memory:":
        return
    mgit_dir = os.path.dirname(path)
    with exclusive(os.path.join(mgit_dir, "index.lock"), wait=10.0):
        if file is None or _file_id(path) == file:
            remove(mgit_dir)


def _file_id(path: str) -> int | None:
    try:
        return os.stat(path).st_ino
    except OSError:
        return None


def _open(path: str, journal_dir: str) -> Index:
    database = _connect(path)
    try:
        index = Index(database, journal_dir, _file_id(path))
        index.advance()
    except BaseException:
        database.close()
        raise
    return index


def _raise_if_busy(error: Exception) -> None:
    if isinstance(error, sqlite3.OperationalError) and "locked" in str(error):
        raise JournalError("the index is in use by another process", "try again in a moment") from error


def lost_commits(mgit_dir: str, ranges: Sequence[tuple[int, int]]) -> list[Oid] | None:
    """The commits whose records had the seqs of ``ranges``, as the index on file still has it.

    None where it cannot tell: there is none, it cannot be read, or it never came that far.
    """
    path = os.path.join(mgit_dir, "index.sqlite")
    if not os.path.exists(path):
        return None
    found: list[Oid] = []
    try:
        database = sqlite3.connect(f"file:{quote(path)}?mode=ro", uri=True)
        try:
            for first, last in ranges:
                rows = database.execute(
                    "SELECT hash FROM record WHERE seq BETWEEN ? AND ? ORDER BY seq", (first, last)
                ).fetchall()
                if len(rows) != last - first + 1:
                    return None
                found += [Oid(row[0].hex()) for row in rows if row[0] is not None]
        finally:
            database.close()
    except sqlite3.DatabaseError:
        return None
    return found


def remove(mgit_dir: str) -> None:
    for suffix in ("", "-journal"):
        try:
            os.unlink(os.path.join(mgit_dir, f"index.sqlite{suffix}"))
        except FileNotFoundError:
            continue


def _connect(path: str) -> sqlite3.Connection:
    if path != ":memory:" and not os.path.exists(path):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    database = sqlite3.connect(path, timeout=30, isolation_level=None)
    try:
        _prepare(database)
    except BaseException:
        database.close()
        raise
    return database


def _prepare(database: sqlite3.Connection) -> None:
    # A power cut may cost the index, but must not leave a false one: the drain asks it what is recorded.
    database.execute("PRAGMA synchronous = NORMAL")
    # What was erased leaves the file, not just the tables.
    database.execute("PRAGMA secure_delete = ON")
    database.execute("PRAGMA cache_size = -16384")
    tables = database.execute("SELECT count(*) FROM sqlite_master WHERE name = 'meta'").fetchone()[0]
    if not tables:
        database.executescript("BEGIN IMMEDIATE;" + TABLES + "COMMIT;")
        return
    version = database.execute("SELECT version FROM meta").fetchone()
    if version is not None and version[0] != VERSION:
        raise sqlite3.DatabaseError("another version of the index")
