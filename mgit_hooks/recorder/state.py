"""Where reconcile left off. A hint: without it every reflog is read again, and the index knows what is new.

``state.json`` says how far the journal was; ``looked.sqlite`` what the last look saw of each folder of refs, and how
far each reflog was read. In a repository with 100,000 refs that is megabytes, of which a drain touches the rows of the
folders that changed. Killed between the two, the older one tells of less, and the index knows the rest.
"""

from __future__ import annotations

import json
import os
import time
from array import array
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import quote

from mgit_hooks.errors import JournalError
from mgit_hooks.files import exists, open_to_read, replacing
from mgit_hooks.git.reflog import Place
from mgit_hooks.layout import make_private_dir
from mgit_hooks.record import Oid
from mgit_hooks.recorder.looking import Look
from mgit_hooks.recorder.stamps import Stamp
from mgit_hooks.recorder.watch import FILES

if TYPE_CHECKING:
    from sqlite3 import Connection

_VERSION: Final = 1
_TABLES: Final = """
CREATE TABLE folder (path BLOB PRIMARY KEY, stamp INTEGER, files INTEGER, refs BLOB);
CREATE TABLE reflogs (path BLOB PRIMARY KEY, files INTEGER, logs BLOB);
CREATE TABLE place (log BLOB PRIMARY KEY, size INTEGER, tail TEXT) WITHOUT ROWID;
CREATE TABLE packed (content BLOB)
"""
# All that holds names of refs.
_NAMES: Final = (
    "SELECT path, refs FROM folder",
    "SELECT path, logs FROM reflogs",
    "SELECT log FROM place",
    "SELECT content FROM packed",
)
_FILE: Final = "looked.sqlite"
UNREADABLE: Final = 1000
"""So many commits that could not be read are tried again at each drain."""


class State:
    """What is remembered. ``known`` is false where nothing is.

    ``next_seq`` and ``cursor`` are the journal's after that drain: where the next one finds records past the one and
    not the other, a drain was killed between its blocks. ``looked_at`` is when each file was looked at and every ref
    was listed last (seconds since 1970), ``files`` how many files there were, ``unwritten``
    the places of reflogs that are not on file yet. ``unreadable`` are commits that git could not give, the newest of
    them where they were many: ``left_out`` says how many more there were.
    """

    def __init__(
        self,
        mgit_dir: str | None = None,
        head: Mapping[str, Any] | None = None,
        folders: Mapping[str, Stamp] | None = None,
        places: Mapping[str, Place] | None = None,
    ) -> None:
        self.known = head is not None or places is not None
        head = head or {}
        self.next_seq: int | None = head.get("next_seq")
        cursor = head.get("cursor")
        self.cursor: tuple[int, int] | None = tuple(cursor) if cursor else None
        self.looked_at = float(head.get("looked_at") or 0.0)
        self.files = int(head.get("files") or 0)
        self.unreadable: tuple[Oid, ...] = tuple(map(Oid, head.get("unreadable") or ()))
        self.left_out = int(head.get("left_out") or 0)
        self.singles: Mapping[str, Stamp] = dict(head.get("singles") or {})
        self.folders: Mapping[str, Stamp] = folders or {}
        self._mgit_dir = mgit_dir
        self.unwritten = dict(places or {})
        self._read: dict[tuple[str, str], Mapping[str, Stamp]] = {}
        self._database: Connection | None = None

    def refs(self, path: str) -> Mapping[str, Stamp]:
        """The refs that were in a folder."""
        return self._listed("SELECT refs FROM folder WHERE path = ?", path)

    def logs(self, path: str) -> Mapping[str, Stamp]:
        """The reflogs that belonged to a folder."""
        return self._listed("SELECT logs FROM reflogs WHERE path = ?", path)

    def logged(self, path: str) -> int:
        """How many they were."""
        row = self._one("SELECT files FROM reflogs WHERE path = ?", os.fsencode(path)) if self.folders else None
        return 0 if row is None else int(row[0])

    def _listed(self, query: str, path: str) -> Mapping[str, Stamp]:
        if path not in self.folders:
            return {}
        if (query, path) not in self._read:
            row = self._one(query, os.fsencode(path))
            self._read[query, path] = _unpacked(row[0]) if row is not None else {}
        return self._read[query, path]

    def place(self, log: str) -> Place | None:
        """How far a reflog was read, by its path below the common directory."""
        if log in self.unwritten:
            return self.unwritten[log]
        row = self._one("SELECT size, tail FROM place WHERE log = ?", os.fsencode(log))
        return Place(row[0], tuple(row[1].split())) if row is not None else None

    def packed(self) -> bytes | None:
        """What was in ``packed-refs``."""
        row = self._one("SELECT content FROM packed")
        return None if row is None else row[0]

    def _one(self, query: str, *values: object) -> tuple[Any, ...] | None:
        from sqlite3 import DatabaseError

        if self._mgit_dir is None:
            return None
        try:
            if self._database is None:
                self._database = _connect(self._mgit_dir)
            row: tuple[Any, ...] | None = self._database.execute(query, values).fetchone()
        except (DatabaseError, FileNotFoundError) as error:
            forget(self._mgit_dir)
            remedy = "run the command again: every reflog is read anew"
            raise JournalError("how far the reflogs were read was damaged, and is removed", remedy) from error
        return row

    def close(self) -> None:
        if self._database is not None:
            self._database.close()
            self._database = None


EMPTY: Final = State()


class Read(NamedTuple):
    """What a drain looked at and read: the places are those of the reflogs that it read, ``unreadable`` the commits
    that git could not give it."""

    look: Look
    how: str
    places: Mapping[str, Place]
    unreadable: Sequence[Oid] = ()


def of_places(places: Mapping[str, Place]) -> State:
    """A state in which nothing was looked at, and the reflogs were read so far."""
    return State(places=places)


def read(mgit_dir: str) -> State:
    from sqlite3 import DatabaseError

    try:
        with open_to_read(os.path.join(mgit_dir, "state.json")) as file:
            head = json.load(file)
        with closing(_connect(mgit_dir)) as database:
            if database.execute("PRAGMA user_version").fetchone() != (_VERSION,):
                return EMPTY
            rows = database.execute("SELECT path, stamp FROM folder").fetchall()
        return State(mgit_dir, head, {os.fsdecode(path): stamp for path, stamp in rows}, {})
    except (FileNotFoundError, DatabaseError, ValueError, KeyError, TypeError, AttributeError):
        return EMPTY


def write(mgit_dir: str, before: State, done: Read, next_seq: int, cursor: tuple[int, int] | None) -> None:
    """Remember what was looked at and read, after the journal has it."""
    from sqlite3 import DatabaseError

    make_private_dir(mgit_dir)
    before.close()
    try:
        if not before.folders:
            _create(mgit_dir)
        with closing(_connect(mgit_dir)) as database, database:
            files = _change(database, before, done)
    except DatabaseError:
        forget(mgit_dir)
        return
    whole = done.how == FILES and done.look.refs is None
    head = {
        "next_seq": next_seq,
        "cursor": cursor,
        "looked_at": time.time() if whole else before.looked_at,
        "files": files,
        "singles": done.look.singles,
        "unreadable": done.unreadable[-UNREADABLE:],
        "left_out": max(len(done.unreadable) - UNREADABLE, before.left_out),
    }
    write_json(os.path.join(mgit_dir, "state.json"), head)


def _change(database: Connection, before: State, done: Read) -> int:
    """How many files there are by now."""
    look = done.look
    database.executemany("DELETE FROM place WHERE log = ?", [(os.fsencode(f"logs/{name}"),) for name in look.dropped])
    for table in ("folder", "reflogs"):
        database.executemany(f"DELETE FROM {table} WHERE path = ?", [(os.fsencode(path),) for path in look.gone])  # noqa: S608
    database.executemany(
        "INSERT OR REPLACE INTO folder VALUES (?,?,?,?)",
        [(os.fsencode(path), each.stamp, len(each.refs), _packed(each.refs)) for path, each in look.folders.items()],
    )
    listed = [(path, each.logs) for path, each in look.folders.items() if each.logs is not None]
    database.executemany(
        "INSERT OR REPLACE INTO reflogs VALUES (?,?,?)",
        [(os.fsencode(path), len(logs), _packed(logs)) for path, logs in listed],
    )
    database.executemany(
        "INSERT OR REPLACE INTO place VALUES (?,?,?)",
        [(os.fsencode(log), size, " ".join(tail)) for log, (size, tail) in {**before.unwritten, **done.places}.items()],
    )
    if look.packed is not None:
        database.execute("DELETE FROM packed")
        database.execute("INSERT INTO packed VALUES (?)", (look.packed,))
    both = "SELECT files FROM folder UNION ALL SELECT files FROM reflogs"
    return int(database.execute(f"SELECT coalesce(sum(files), 0) FROM ({both})").fetchone()[0])  # noqa: S608


def _packed(stamps: Mapping[str, Stamp]) -> bytes:
    """How many, the stamps, and the names, none of which holds a NUL; in the machine's own byte order: it is a hint."""
    return array("q", [len(stamps), *stamps.values()]).tobytes() + os.fsencode("\0".join(stamps))


def _unpacked(data: bytes) -> dict[str, Stamp]:
    """Raises ValueError where the bytes are not of that form."""
    count = array("q", data[:8])[0]
    names = os.fsdecode(data[8 + 8 * count :]).split("\0") if count else []
    return dict(zip(names, array("q", data[8 : 8 + 8 * count]), strict=True))


def forget(mgit_dir: str) -> None:
    """The next drain reads every reflog again."""
    for name in ("state.json", _FILE, f"{_FILE}-journal"):
        with suppress(FileNotFoundError):
            os.unlink(os.path.join(mgit_dir, name))


def names(mgit_dir: str, is_wanted: Callable[[bytes], bool]) -> bool:
    """Whether a ref's name that is remembered is one of the wanted; what cannot be read counts as such."""
    from sqlite3 import DatabaseError

    try:
        with open_to_read(os.path.join(mgit_dir, "state.json")) as file:
            if is_wanted(file.read()):
                return True
        with closing(_connect(mgit_dir)) as database:
            return any(is_wanted(text) for query in _NAMES for row in database.execute(query) for text in row)
    except FileNotFoundError:
        return exists(os.path.join(mgit_dir, _FILE))
    except DatabaseError:
        return True


def _connect(mgit_dir: str) -> Connection:
    """Raises FileNotFoundError, and sqlite3.DatabaseError where it is another version's or none."""
    import sqlite3

    path = os.path.join(mgit_dir, _FILE)
    open_to_read(path).close()  # a pipe in its place would hold us up
    database = sqlite3.connect(f"file:{quote(os.fsencode(path))}?mode=rw", uri=True, timeout=5)
    # A power cut may cost it, but must not leave rows of two drains: a reflog would seem to be read where it was not.
    database.execute("PRAGMA synchronous = NORMAL")
    database.execute("PRAGMA secure_delete = ON")
    return database


def _create(mgit_dir: str) -> None:
    forget(mgit_dir)
    os.close(os.open(os.path.join(mgit_dir, _FILE), os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    with closing(_connect(mgit_dir)) as database, database:
        for statement in _TABLES.split(";\n"):
            database.execute(statement)
        database.execute(f"PRAGMA user_version = {_VERSION}")


def write_json(path: str, value: object) -> None:
    """Replace a small file of ours; a crash leaves the old one or the new one."""
    make_private_dir(os.path.dirname(path))
    with replacing(path, sync=False) as file:
        file.write(json.dumps(value).encode())


def stamp(path: str) -> list[int] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return [status.st_size, status.st_mtime_ns, status.st_ino]
