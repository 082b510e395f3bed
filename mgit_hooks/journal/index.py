"""The SQLite index: which records there are, by commit and by ref movement. Derived from the journal alone.

Deleting it costs nothing but the time to read the journal once. It is advanced by whoever reads, in one
transaction, from the place where it left off; where that place no longer holds what it held, the index
starts anew.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from typing import Any, Final, NamedTuple

from mgit_hooks.errors import DamageError
from mgit_hooks.journal import reader
from mgit_hooks.journal.format import GENESIS, JournalId
from mgit_hooks.journal.reader import Block, Stored
from mgit_hooks.journal.segment import segment_names
from mgit_hooks.record import COMMIT_EVENTS, Json, Oid, RefMovement, Seq

VERSION: Final = 3
TABLES: Final = """
CREATE TABLE IF NOT EXISTS meta (
    version INTEGER, segment TEXT, offset INTEGER, next_seq INTEGER, head BLOB, before BLOB
);
CREATE TABLE IF NOT EXISTS record (
    seq INTEGER PRIMARY KEY, event TEXT, hash TEXT, branch TEXT, author TEXT, occurred_at TEXT,
    segment TEXT, offset INTEGER, superseded_by INTEGER
);
CREATE TABLE IF NOT EXISTS movement (key BLOB PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS ref (name TEXT PRIMARY KEY, oid TEXT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS baseline (oid TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS outcome (push INTEGER PRIMARY KEY, confirmed INTEGER);
"""
_INDEXES: Final = """
CREATE INDEX IF NOT EXISTS record_hash ON record (hash) WHERE hash IS NOT NULL;
CREATE INDEX IF NOT EXISTS record_event ON record (event);
"""


class Row(NamedTuple):
    """Where a record is and what it is about."""

    seq: Seq
    event: str
    hash: Oid | None
    branch: str | None
    segment: str
    offset: int


def reflog_time(value: Json) -> str | None:
    return value["occurred_at"] if value["occurred_from"] == "reflog" else None


def movement_key(worktree: str | None, movement: RefMovement, occurred_at: str | None) -> bytes:
    """A ref movement's identity: (worktree, ref, old, new, reflog time, ordinal), in 16 bytes.

    The worktree counts only for refs of its own (HEAD); every other ref is the repository's.
    """
    own = worktree if not movement.name.startswith("refs/") else ""
    parts = (own, movement.name, movement.old_oid, movement.new_oid, occurred_at, movement.ordinal or 0)
    text = "\0".join(map(str, parts))
    return sha256(text.encode("utf-8", "surrogateescape")).digest()[:16]


class Index:
    """An open index. Make it with ``database.open_index``."""

    def __init__(self, database: sqlite3.Connection, journal_dir: str, file: int | None) -> None:
        self._db = database
        self.file = file  # the inode that it was opened as
        self._journal_dir = journal_dir
        self._journals: list[JournalId] | None = None

    def close(self) -> None:
        self._db.close()

    def advance(self) -> None:
        """Take in what the journal has and the index has not."""
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            segment, offset, next_seq, head, before = self._place()
            if segment and not self._still_there(segment, offset, next_seq, head, before):
                for table in ("meta", "record", "movement", "ref", "baseline", "outcome"):
                    self._db.execute(f"DELETE FROM {table}")  # noqa: S608
                segment, offset, next_seq = "", 0, 1
            last: Block | None = None
            for block in reader.blocks(self._journal_dir, segment, offset):
                if isinstance(block, Block) and block.first_seq >= next_seq:
                    self._take(block)
                    last, next_seq = block, block.next_seq
            if last is not None:
                self._db.execute("DELETE FROM meta")
                before = _fingerprint(self._journal_dir, last.segment)
                place = (VERSION, last.segment, last.offset, last.next_seq, last.ids[-1], before)
                self._db.execute("INSERT INTO meta VALUES (?,?,?,?,?,?)", place)
            self._db.executescript(_INDEXES) if last is not None and not segment else None

    def seq_of(self, commit: Oid) -> Seq | None:
        """The record of a commit, the newest where an earlier one was superseded."""
        row = self._db.execute(
            "SELECT max(seq) FROM record WHERE hash = ? AND superseded_by IS NULL", (commit,)
        ).fetchone()
        return None if row[0] is None else Seq(row[0])

    def knows(self, commit: Oid) -> bool:
        return self.seq_of(commit) is not None

    def known_commits(self) -> set[Oid]:
        return {row[0] for row in self._db.execute("SELECT hash FROM record WHERE hash IS NOT NULL")}

    def has_movement(self, key: bytes) -> bool:
        return self._db.execute("SELECT 1 FROM movement WHERE key = ?", (key,)).fetchone() is not None

    def last_oid(self, ref: str) -> tuple[Oid | None] | None:
        """Where the newest record about ``ref`` left it; None where there is none."""
        row = self._db.execute("SELECT oid FROM ref WHERE name = ?", (ref,)).fetchone()
        return None if row is None else (row[0],)

    def live_refs(self) -> set[str]:
        return {row[0] for row in self._db.execute("SELECT name FROM ref WHERE oid IS NOT NULL")}

    def baseline(self) -> list[Oid]:
        """Where refs and HEADs stood when recording began."""
        return [row[0] for row in self._db.execute("SELECT oid FROM baseline ORDER BY oid")]

    def began(self) -> str | None:
        """When recording began: the time of the first snapshot; None before any."""
        # A snapshot with a hash is a minimal record: it stands for a commit (strategy fallback).
        query = "SELECT occurred_at FROM record WHERE event = 'snapshot' AND hash IS NULL ORDER BY seq"
        row = self._db.execute(query).fetchone()
        return None if row is None else row[0]

    def confirmed(self, push: Seq) -> bool | None:
        """What an outcome record said of the push ``push``; None where there is none."""
        row = self._db.execute("SELECT confirmed FROM outcome WHERE push = ?", (push,)).fetchone()
        return None if row is None or row[0] is None else bool(row[0])

    def count(self) -> int:
        return int(self._db.execute("SELECT count(*) FROM record").fetchone()[0])

    def next_seq(self) -> int:
        return self._place()[2]

    def by_prefix(self, prefix: str) -> list[Row]:
        """The records of commits whose hash begins with ``prefix`` (hexadecimal, lower case)."""
        return self._rows("WHERE hash >= ? AND hash < ? ORDER BY seq", prefix, prefix + "g")

    def by_seq(self, seq: int) -> Row | None:
        return next(iter(self._rows("WHERE seq = ?", seq)), None)

    def within(self, first_seq: int, last_seq: int) -> list[Row]:
        return self._rows("WHERE seq BETWEEN ? AND ? ORDER BY seq", first_seq, last_seq)

    def newest(
        self,
        *,
        events: Sequence[str] = (),
        branch: str | None = None,
        author: str | None = None,
        superseded: bool = False,
    ) -> Iterator[Row]:
        """Rows from the highest seq down, as the filters have it."""
        clauses: list[str] = []
        values: list[str] = []
        if events:
            clauses.append(f"event IN ({','.join('?' * len(events))})")
            values += events
        if branch is not None:
            clauses.append("branch = ?")
            values.append(branch)
        if author is not None:
            clauses.append("author LIKE ? ESCAPE '\\'")
            values.append("%" + author.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%")
        if not superseded:
            clauses.append("superseded_by IS NULL")
        where = f"WHERE {' AND '.join(clauses)} " if clauses else ""
        yield from self._stream(f"{where}ORDER BY seq DESC", *values)

    def read(self, row: Row) -> Stored:
        """The record itself, from its block. Raises DamageError where the block no longer holds."""
        return next(iter(self.read_many([row])))

    def read_many(self, rows: Iterable[Row], damaged: list[DamageError] | None = None) -> Iterator[Stored]:
        """The records of ``rows``, each block read once where its rows stand together.

        A block that no longer holds raises DamageError, or, where ``damaged`` is given, is put there and
        passed over.
        """
        place: tuple[str, int] | None = None
        held: dict[int, Stored] = {}
        for row in rows:
            if place != (row.segment, row.offset):
                place = (row.segment, row.offset)
                try:
                    held = self._block(row)
                except DamageError as error:
                    if damaged is None:
                        raise
                    damaged.append(error)
                    held = {}
            if row.seq in held:
                yield held[row.seq]

    def _block(self, row: Row) -> dict[int, Stored]:
        if self._journals is None:
            self._journals = reader.journal_ids(self._journal_dir)
        block = reader.block_at(self._journal_dir, row.segment, row.offset, self._journals)
        held: dict[int, Stored] = {stored.seq: stored for stored in block.stored()}
        if row.seq not in held:
            raise DamageError(row.segment, row.offset, 0, "missing-record")
        return held

    def _place(self) -> tuple[str, int, int, bytes, bytes]:
        row = self._db.execute("SELECT segment, offset, next_seq, head, before FROM meta").fetchone()
        return row if row is not None else ("", 0, 1, GENESIS, b"")

    def _still_there(self, segment: str, offset: int, next_seq: int, head: bytes, before: bytes) -> bool:
        if _fingerprint(self._journal_dir, segment) != before:
            return False
        try:
            block = reader.block_at(self._journal_dir, segment, offset, reader.journal_ids(self._journal_dir))
        except (DamageError, OSError):
            return False
        return block.next_seq == next_seq and block.ids[-1] == head

    def _take(self, block: Block) -> None:
        rows: list[tuple[Any, ...]] = []
        keys: list[tuple[bytes]] = []
        refs: list[tuple[str, str | None]] = []
        for stored in block.stored():
            value = _value(stored.payload)
            told = _told(value)
            commit = told.get("commit") or {}
            hash = _hash(told)
            author = f"{commit['author_name']} <{commit['author_email']}>" if commit else None
            place = (block.segment, block.offset, None)
            rows.append(
                (
                    stored.seq,
                    value["event"],
                    hash,
                    told.get("branch"),
                    author,
                    told.get("occurred_at"),
                    *place,
                )
            )
            # What stands in for an earlier record repeats that one's movements: the refs have gone on since.
            moved = () if value.get("supersedes") else told.get("refs") or ()
            for movement in map(RefMovement.from_json, moved):
                keys.append((movement_key(told["worktree"], movement, reflog_time(told)),))
                if movement.name.startswith("refs/"):
                    refs.append((movement.name, movement.new_oid))
            if told["event"] == "snapshot":
                refs += told["detail"]["refs"].items()
                tips = {(oid,) for oid in (*told["detail"]["refs"].values(), *told["detail"]["heads"])}
                self._db.executemany("INSERT OR IGNORE INTO baseline VALUES (?)", tips)
            if told["event"] == "push-outcome" and told["detail"]["push"] is not None:
                outcome = (told["detail"]["push"], told["push"]["confirmed"])
                self._db.execute("INSERT OR REPLACE INTO outcome VALUES (?,?)", outcome)
            if value.get("supersedes"):
                self._db.execute("UPDATE record SET superseded_by = ? WHERE seq = ?", (stored.seq, value["supersedes"]))
        self._db.executemany("INSERT OR REPLACE INTO record VALUES (?,?,?,?,?,?,?,?,?)", rows)
        self._db.executemany("INSERT OR IGNORE INTO movement VALUES (?)", keys)
        self._db.executemany("INSERT OR REPLACE INTO ref VALUES (?,?)", refs)

    def _rows(self, clause: str, *values: Any) -> list[Row]:
        return list(self._stream(clause, *values))

    def _stream(self, clause: str, *values: Any) -> Iterator[Row]:
        query = f"SELECT seq, event, hash, branch, segment, offset FROM record {clause}"  # noqa: S608
        return map(Row._make, self._db.execute(query, values))


def _value(payload: bytes | None) -> Json:
    """A record's JSON; of one that was erased, or is no record of ours, just that it is there."""
    try:
        value = None if payload is None else json.loads(payload)
    except ValueError:
        value = None
    return value if isinstance(value, dict) and "event" in value else {"event": None}


def _told(value: Json) -> Json:
    """What happened, as the recorder saw it: of a minimal record (strategy fallback), what it stands for.

    Else the commit and the movements that it stands for would pass for unknown, and be recorded again.
    """
    original = value.get("original")
    return original if isinstance(original, dict) and "event" in original else value


def _hash(told: Json) -> Oid | None:
    return (told.get("commit") or {}).get("hash") if told["event"] in COMMIT_EVENTS else None


def _fingerprint(journal_dir: str, segment: str) -> bytes:
    """Of the segments before ``segment``: where one of them was mended, its records lie elsewhere now."""
    sizes = []
    for name in segment_names(journal_dir):
        if name < segment:
            sizes.append(f"{name} {os.path.getsize(os.path.join(journal_dir, name))}")
    return sha256("\n".join(sizes).encode()).digest()


def commit_of(payload: bytes | None) -> Oid | None:
    """The commit that a record is about, as the index has it."""
    return _hash(_told(_value(payload)))
