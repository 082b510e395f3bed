"""The index's file: opened and brought up to date, made anew where it is damaged, removed.

Any number of processes may find it damaged at once; each removes only the file that it found so. It is written and
removed under ``index.lock`` alone: a database that was removed while it is written leaves, under a name that the next
one would take for its own, the pages that it wanted to put back.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, nullcontext, suppress
from functools import partial
from typing import Final
from urllib.parse import quote

from mgit_hooks.errors import JournalError
from mgit_hooks.files import exists, is_folder
from mgit_hooks.journal.commitset import CommitSet
from mgit_hooks.journal.index import Index
from mgit_hooks.layout import make_private_dir
from mgit_hooks.lock import required
from mgit_hooks.record import Oid

_ATTEMPTS: Final = 10
_MEMORY: Final = ":memory:"
# Bytes of a path that SQLite opens (MAX_PATHNAME of its os_unix.c), less the ending that its journal's has.
_LONGEST_PATH: Final = 512 - len("-journal")
# Seconds. A million records are taken in within half a minute, on a busy machine within a few.
_WAIT: Final = 300.0


@contextmanager
def open_index(mgit_dir: str, journal_dir: str, wait: float = _WAIT) -> Iterator[Index]:
    """The index, up to date with the journal. One that cannot be read is made anew without a question.

    ``wait`` is how long, in seconds, another process that writes it is waited for. Raises JournalError after that.
    """
    path = os.path.join(mgit_dir, "index.sqlite")
    if not os.access(mgit_dir if is_folder(mgit_dir) else os.path.dirname(mgit_dir), os.W_OK):
        path = _MEMORY  # a repository that may only be read is read all the same
    else:
        make_private_dir(mgit_dir)
        if len(os.fsencode(os.path.realpath(path))) >= _LONGEST_PATH:
            path = _MEMORY
    index, file = _open_or_remake(path, journal_dir, wait)
    try:
        yield index
    except sqlite3.DatabaseError as error:
        # Damage shows where a query meets it, which may be long after the index was opened.
        _raise_if_busy(error)
        _remove_damaged(path, file)
        raise JournalError("the index was damaged, and is removed", "run the command again: it is made anew") from error
    finally:
        index.close()


def _open_or_remake(path: str, journal_dir: str, wait: float) -> tuple[Index, int | None]:
    """Open the index, made anew where it is damaged. Another process may be making it anew as well: then the
    file that this one opened is no longer there, and it looks again."""
    for attempt in range(_ATTEMPTS):
        file = _present(path)
        try:
            return _open(path, journal_dir, file, wait), file
        except (sqlite3.DatabaseError, TypeError, ValueError) as error:
            _raise_if_busy(error)
            failure = error
        _remove_damaged(path, file)
        time.sleep(0.01 * attempt)
    raise JournalError(f"cannot write the index: {failure}", "make room on the disk and try again") from failure


def _open(path: str, journal_dir: str, file: int | None, wait: float) -> Index:
    database = _connect(path)
    try:
        index = Index(database, journal_dir, nullcontext if path == _MEMORY else partial(_alone, path, file, wait))
        index.advance()
    except BaseException:
        database.close()
        raise
    return index


@contextmanager
def _alone(path: str, file: int | None, wait: float) -> Iterator[None]:
    """The right to write the index that was opened as the inode ``file``, as long as that is still the one there."""
    with required(_lock(os.path.dirname(path)), "the index", wait=wait):
        if _file_id(path) != file:
            raise sqlite3.DatabaseError("the index was removed meanwhile")
        yield


def _lock(mgit_dir: str) -> str:
    return os.path.join(mgit_dir, "index.lock")


def _remove_damaged(path: str, file: int | None) -> None:
    """Remove the index if it is still the file that was found damaged, and not one made anew since."""
    if path == _MEMORY:
        return
    mgit_dir = os.path.dirname(path)
    with required(_lock(mgit_dir), "the index"):
        if _file_id(path) == file:
            _unlink(mgit_dir)


def _present(path: str) -> int | None:
    """The inode of the index, which is made, empty, where there is none."""
    if path == _MEMORY:
        return None
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    return _file_id(path)


def _file_id(path: str) -> int | None:
    try:
        return os.stat(path).st_ino
    except OSError:
        return None


def _raise_if_busy(error: Exception) -> None:
    if isinstance(error, sqlite3.OperationalError) and "locked" in str(error):
        raise JournalError("the index is in use by another process", "try again in a moment") from error


@contextmanager
def lost_commits(mgit_dir: str, ranges: Sequence[tuple[int, int]]) -> Iterator[CommitSet | None]:
    """The commits whose records had the seqs of ``ranges``, as the index on file still has it; it may go meanwhile.

    None where it cannot tell: there is none, it cannot be read, or it never came that far. Raises JournalError where
    there is no room to keep them.
    """
    with CommitSet() as found:
        yield found if _look_up(mgit_dir, ranges, found) else None


def erased_commits(mgit_dir: str, seqs: Iterable[int]) -> dict[int, Oid]:
    """The commits of those of ``seqs`` that the index on file has from a record that says who erased them."""
    path = os.path.join(mgit_dir, "index.sqlite")
    found: dict[int, Oid] = {}
    if not exists(path):
        return found
    query = "SELECT hash FROM record WHERE seq = ? AND erased_by IS NOT NULL AND hash IS NOT NULL"
    with suppress(sqlite3.DatabaseError), closing(_connect_to_read(path)) as database:
        for seq in seqs:
            for row in database.execute(query, (seq,)).fetchall():
                found[seq] = Oid(_hash(row).hex())
    return found


def _connect_to_read(path: str) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{quote(os.fsencode(path))}?mode=ro", uri=True)


def _look_up(mgit_dir: str, ranges: Sequence[tuple[int, int]], found: CommitSet) -> bool:
    path = os.path.join(mgit_dir, "index.sqlite")
    if not exists(path):
        return False
    try:
        with closing(_connect_to_read(path)) as database:
            for first, last in ranges:
                within = "FROM record WHERE seq BETWEEN ? AND ?"
                count = database.execute(f"SELECT count(*) {within}", (first, last)).fetchone()[0]
                if count != last - first + 1:
                    return False
                rows = database.execute(f"SELECT hash {within} AND hash IS NOT NULL ORDER BY seq", (first, last))
                found.update(map(_hash, rows))
    except sqlite3.DatabaseError:
        return False
    return True


def _hash(row: tuple[object]) -> bytes:
    if not isinstance(row[0], bytes):
        raise sqlite3.DatabaseError("a row of another type than was written")
    return row[0]


def remove(mgit_dir: str) -> None:
    """Remove the index: the next reader makes it anew. Raises JournalError where another process keeps writing it."""
    if exists(os.path.join(mgit_dir, "index.sqlite")):
        with required(_lock(mgit_dir), "the index"):
            _unlink(mgit_dir)


def _unlink(mgit_dir: str) -> None:
    for suffix in ("", "-journal"):
        try:
            os.unlink(os.path.join(mgit_dir, f"index.sqlite{suffix}"))
        except FileNotFoundError:
            continue


def _connect(path: str) -> sqlite3.Connection:
    # Not made where it is gone by now: it would be open to others.
    place = path if path == _MEMORY else f"file:{quote(os.fsencode(path))}?mode=rw"
    database = sqlite3.connect(place, timeout=30, isolation_level=None, uri=True)
    try:
        # A power cut may cost the index, but must not leave a false one: the drain asks it what is recorded.
        database.execute("PRAGMA synchronous = NORMAL")
        # What was erased leaves the file, not just the tables.
        database.execute("PRAGMA secure_delete = ON")
        database.execute("PRAGMA cache_size = -16384")
    except BaseException:
        database.close()
        raise
    return database
