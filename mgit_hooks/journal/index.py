"""The SQLite index: which records there are, by commit, author, path, branch, event, time and ref movement.

Derived from the journal alone: deleting it costs nothing but the time to read the journal once. It is advanced by
whoever reads, in one transaction, from the place where it left off.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, NamedTuple

from mgit_hooks.errors import DamageError
from mgit_hooks.journal import places, postings, reader
from mgit_hooks.journal.advance import advance, is_current
from mgit_hooks.journal.contents import AUTHOR, BRANCH, BYPASSED, EVENT, INVALID, PATH, TRAIT, place_key
from mgit_hooks.journal.contents import commit_of as commit_of
from mgit_hooks.journal.contents import movement_key as movement_key
from mgit_hooks.journal.erasemark import Remembered, remembered
from mgit_hooks.journal.format import JournalId
from mgit_hooks.journal.places import Span
from mgit_hooks.journal.postings import AnyOf, Between, Every, Walk
from mgit_hooks.journal.reader import Block, Stored
from mgit_hooks.journal.segment import segment_name
from mgit_hooks.record import Oid, Seq

# Rows are fetched by so many: a statement that stays open would keep the next drain from writing.
_PAGE = 256
_FIRST, _LAST = -(2**63), 2**63 - 1


Alone = Callable[[], AbstractContextManager[None]]
"""Held while the index is written: nobody else writes then, or takes the file away."""


class Row(NamedTuple):
    """A record, and what it is about. ``event`` is None of one that was erased, or is no record of ours."""

    seq: Seq
    event: str | None
    hash: Oid | None


class Filter(NamedTuple):
    """Which records are asked for: those that every field allows which is given.

    ``events`` and ``paths``: one of them; of a path that is a folder, what lies in it. ``author``: a part of
    ``name <email>``, upper and lower case alike. ``since`` and ``until``: seconds since 1970, both included, held
    against ``occurred_at``, or against ``recorded_at`` of a record that has no other time.
    """

    events: Sequence[str] = ()
    branch: str | None = None
    author: str | None = None
    paths: Sequence[bytes] = ()
    since: int | None = None
    until: int | None = None
    invalid: bool = False
    bypassed: bool = False


class Index:
    """An open index. Make it with ``database.open_index``."""

    def __init__(self, database: sqlite3.Connection, journal_dir: str, alone: Alone) -> None:
        self._db = database
        self._journal_dir = journal_dir
        self._alone = alone
        self._journals: list[JournalId] | None = None
        self._events: dict[int, str] = {}
        self._erased: Remembered | None = None

    def close(self) -> None:
        self._db.close()

    def advance(self) -> None:
        """Take in what the journal has and the index has not."""
        if not is_current(self._db, self._journal_dir):
            with self._alone():
                advance(self._db, self._journal_dir)
        self._journals = None

    # Of commits, refs and pushes: what the recorder asks

    def seq_of(self, commit: Oid) -> Seq | None:
        """The record of a commit, the newest where an earlier one was superseded."""
        row = self._one("SELECT max(seq) FROM record WHERE hash = ? AND superseded_by IS NULL", _raw(commit))
        return None if row is None or row[0] is None else Seq(row[0])

    def knows(self, commit: Oid) -> bool:
        """Whether a record is about this commit, be it erased since."""
        query = "SELECT 1 FROM record WHERE hash = ?1 UNION ALL SELECT 1 FROM archived WHERE hash = ?1 LIMIT 1"
        known = self._one(query, _raw(commit)) is not None
        return known or commit in self._remembered().commits

    def knows_any(self) -> bool:
        """Whether there is a commit that ``knows`` is true of."""
        query = "SELECT 1 FROM record WHERE hash IS NOT NULL UNION ALL SELECT 1 FROM archived LIMIT 1"
        return self._one(query) is not None or bool(self._remembered().commits)

    def archived(self, prefix: str) -> Seq | None:
        """The number of a record in an archive, of a commit whose hash begins so (hexadecimal, lower case)."""
        row = self._one("SELECT max(seq) FROM archived WHERE hash >= ? AND hash < ?", *_bounds(prefix))
        return None if row is None or row[0] is None else Seq(row[0])

    def archived_commits(self, prefix: str) -> list[tuple[Seq, Oid]]:
        """The records in archives of every commit whose hash begins so, each with its commit."""
        rows = self._all("SELECT seq, hash FROM archived WHERE hash >= ? AND hash < ? ORDER BY seq", *_bounds(prefix))
        return [(Seq(seq), Oid(hash.hex())) for seq, hash in rows]

    def replaced_by(self, old: Oid) -> list[Oid]:
        """The commits that, as a record says that none supersedes, took the place of ``old``; the first first."""
        return self._replacing("new", "old", old)

    def replaces(self, new: Oid) -> list[Oid]:
        """The commits whose place ``new`` took, as ``replaced_by`` has it."""
        return self._replacing("old", "new", new)

    def _replacing(self, wanted: str, given: str, commit: Oid) -> list[Oid]:
        rows = self._all(
            f"SELECT {wanted} FROM replacement JOIN record USING (seq)"  # noqa: S608
            f" WHERE {given} = ? AND superseded_by IS NULL GROUP BY {wanted} ORDER BY min(seq), {wanted}",
            _raw(commit),
        )
        return [Oid(row[0].hex()) for row in rows]

    def replaced_by_prefix(self, prefix: str) -> list[Oid]:
        """The commits that were replaced whose hash begins so, recorded or not."""
        rows = self._all("SELECT DISTINCT old FROM replacement WHERE old >= ? AND old < ?", *_bounds(prefix))
        return [Oid(row[0].hex()) for row in rows]

    @property
    def connection(self) -> sqlite3.Connection:
        """For who writes down what is in it."""
        return self._db

    def commits(self) -> int:
        """How many commits are on record."""
        row = self._one("SELECT count(DISTINCT hash) FROM record WHERE hash IS NOT NULL")
        return 0 if row is None else int(row[0])

    def has_movement(self, key: bytes) -> bool:
        known = self._one("SELECT 1 FROM movement WHERE key = ?", key) is not None
        return known or key.hex() in self._remembered().movements

    def _remembered(self) -> Remembered:
        """What was erased, and is known for it though the journal has lost the record that says so."""
        if self._erased is None:
            self._erased = remembered(self._journal_dir)
        return self._erased

    def last_oid(self, ref: str) -> tuple[Oid | None] | None:
        """Where the newest record about ``ref`` left it; None where there is none."""
        row = self._one("SELECT oid FROM ref WHERE name = ?", ref)
        return None if row is None else (row[0],)

    def was_left(self, ref: str, oid: Oid | None) -> bool:
        """Whether a record that is erased by now left ``ref`` there, and none since has told of it."""
        query = "SELECT 1 FROM place WHERE key = ? AND seq > coalesce((SELECT seq FROM ref WHERE name = ?), 0)"
        return self._one(query, place_key(ref, oid), ref) is not None

    def refs(self) -> dict[str, Oid | None]:
        """Where the newest record about each ref left it."""
        return dict(self._all("SELECT name, oid FROM ref"))

    def baseline(self) -> list[Oid]:
        """Where refs and HEADs stood when recording began."""
        return [row[0] for row in self._all("SELECT oid FROM baseline ORDER BY oid")]

    def began(self) -> str | None:
        """When recording began: the time of the first snapshot; None before any."""
        row = self._one("SELECT occurred_at FROM beginning ORDER BY seq LIMIT 1")
        return None if row is None else row[0]

    def outcomes(self, push: Seq) -> list[Row]:
        """The records that say what came of the push ``push``, oldest first."""
        query = "SELECT record FROM outcome WHERE push IN (?1, (SELECT origin FROM standin WHERE seq = ?1))"
        rows = [self.by_seq(row[0]) for row in self._all(f"{query} ORDER BY push, record", push)]
        return [row for row in rows if row is not None]

    def erasure(self, seq: int) -> Seq | None:
        """The record that says that record ``seq`` was erased, be it here or in an archive."""
        query = "SELECT erased_by FROM record WHERE seq = ?1 UNION ALL SELECT erased_by FROM erased WHERE seq = ?1"
        row = self._one(query, min(seq, _LAST))
        return None if row is None or row[0] is None else Seq(row[0])

    def count(self) -> int:
        row = self._one("SELECT count(*) FROM record")
        return 0 if row is None else int(row[0])

    def next_seq(self) -> int:
        return places.place(self._db).next_seq

    # Rows

    def by_prefix(self, prefix: str) -> list[Row]:
        """The records of commits whose hash begins with ``prefix`` (hexadecimal, lower case)."""
        return self._rows("hash >= ? AND hash < ? ORDER BY seq", *_bounds(prefix))

    def by_seq(self, seq: int) -> Row | None:
        return next(iter(self._rows("seq = ?", min(seq, _LAST))), None)

    def within(self, first_seq: int, last_seq: int) -> list[Row]:
        return self._rows("seq BETWEEN ? AND ? ORDER BY seq", first_seq, last_seq)

    def newest(self, wanted: Filter | None = None, *, superseded: bool = False) -> Iterator[Row]:
        """Rows from the highest seq down, as the filter has it. No more of them is read than is asked for."""
        walks = None if wanted is None else self._walks(wanted)
        also = "" if superseded else " AND superseded_by IS NULL"
        if walks:
            for seq in postings.walked(Every(walks)):
                yield from self._rows(f"seq = ?{also}", seq)
            return
        below = _LAST
        while page := self._rows(f"seq < ?{also} ORDER BY seq DESC LIMIT {_PAGE}", below):
            yield from page
            below = page[-1].seq

    def _walks(self, wanted: Filter) -> list[Walk]:
        """A walk for each thing that is asked for."""
        walks: list[Walk] = []
        if wanted.events:
            walks.append(self._any(EVENT, wanted.events))
        if wanted.branch is not None:
            walks.append(self._any(BRANCH, (wanted.branch,)))
        for asked, trait in ((wanted.invalid, INVALID), (wanted.bypassed, BYPASSED)):
            if asked:
                walks.append(self._any(TRAIT, (trait,)))
        if wanted.author is not None:
            part = wanted.author.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
            query = "SELECT id, last FROM term WHERE kind = ? AND name LIKE ? ESCAPE '\\'"
            walks.append(self._any_of(self._all(query, AUTHOR, f"%{part}%")))
        if wanted.paths:
            walks.append(self._any(PATH, wanted.paths))
        if wanted.since is not None or wanted.until is not None:
            since = _FIRST if wanted.since is None else wanted.since
            walks.append(Between(self._db, since, _LAST if wanted.until is None else wanted.until))
        return walks

    def _any(self, kind: int, names: Sequence[str | bytes]) -> Walk:
        query = "SELECT id, last FROM term WHERE kind = ? AND name = ?"
        return self._any_of([row for name in dict.fromkeys(names) for row in self._all(query, kind, name)])

    def _any_of(self, terms: list[tuple[Any, ...]]) -> Walk:
        return AnyOf(self._db, terms)

    # Records

    def read(self, row: Row) -> Stored:
        """The record itself, from its block. Raises DamageError where the block no longer holds."""
        return next(iter(self.read_many([row])))

    def read_many(self, rows: Iterable[Row], damaged: list[DamageError] | None = None) -> Iterator[Stored]:
        """The records of ``rows``, each block read once where its rows stand together.

        A block that no longer holds raises DamageError, or, where ``damaged`` is given, is put there and
        passed over.
        """
        held: dict[int, Stored] = {}
        lost: Span | None = None
        for row in rows:
            if row.seq not in held:
                span = places.block_of(self._db, row.seq)
                if span is None:
                    raise sqlite3.DatabaseError("a record without a block")
                if span == lost:
                    continue
                try:
                    block = self._block(span, row.seq)
                except DamageError as error:
                    if damaged is None:
                        raise
                    damaged.append(error)
                    lost = span
                    continue
                held = {stored.seq: stored for stored in block.stored()}
            stored = held[row.seq]
            if row.hash is not None and stored.payload is not None and commit_of(stored.payload) != row.hash:
                raise sqlite3.DatabaseError("a record of another commit")
            yield stored

    def _block(self, span: Span, seq: int) -> Block:
        """The block that holds a record: where the index has it, or, moved since, anywhere in that segment."""
        if self._journals is None:
            self._journals = reader.journal_ids(self._journal_dir)
        try:
            block = reader.block_at(self._journal_dir, segment_name(span.segment), span.offset, self._journals)
            if block.first_seq <= seq < block.next_seq:
                return block
            failure = DamageError(block.segment, block.offset, 0, "missing-record")
        except DamageError as error:
            failure = error
        moved = places.find(self._journal_dir, span.segment, seq)
        if moved is None:
            raise failure
        return moved

    # The tables

    def _rows(self, where: str, *values: int | bytes) -> list[Row]:
        rows = self._all(f"SELECT seq, event, hash FROM record WHERE {where}", *values)  # noqa: S608
        try:
            return [
                Row(Seq(seq), self._event(event), None if hash is None else Oid(hash.hex()))
                for seq, event, hash in rows
            ]
        except AttributeError as error:  # a flipped bit makes a number of a text, or of bytes
            raise sqlite3.DatabaseError("a row of another type than was written") from error

    def _event(self, key: int | None) -> str | None:
        if key is None:
            return None
        if key not in self._events:
            row = self._one("SELECT name FROM term WHERE id = ?", key)
            if row is None:
                raise sqlite3.DatabaseError("an event without a name")
            self._events[key] = row[0]
        return self._events[key]

    def _one(self, query: str, *values: object) -> tuple[Any, ...] | None:
        return next(iter(self._all(query, *values)), None)

    def _all(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        return self._db.execute(query, values).fetchall()


def _bounds(prefix: str) -> tuple[bytes, bytes]:
    low, high = (bytes.fromhex(prefix + digit * (len(prefix) % 2)) for digit in "0f")
    return low, high + b"\xff" * 33


def _raw(commit: Oid) -> bytes:
    return bytes.fromhex(commit)
