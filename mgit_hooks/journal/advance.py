"""Bringing the index up to date: what the journal has and the index has not, in one transaction."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from sqlite3 import Connection, DatabaseError
from typing import Final

from mgit_hooks.errors import JournalError
from mgit_hooks.journal import beginning, places, reader
from mgit_hooks.journal.blockformat import block_payloads
from mgit_hooks.journal.format import BLOCK, FOOTER, FormatError
from mgit_hooks.journal.indexing import Taker
from mgit_hooks.journal.places import Place, Span, Stamp
from mgit_hooks.journal.segment import Damage, Located, segment_name
from mgit_hooks.journal.tables import INDEXES, VERSION, are_there, make_tables

# A compaction that swaps segments under us ends some time: each try begins with the files as they are then.
_ATTEMPTS: Final = 20


class _Moved(Exception):
    """A file is not what it was a moment ago, when it was looked at."""


def advance(database: Connection, journal_dir: str) -> None:
    """Take in what the journal has and the index has not. Killed anywhere, it leaves the index as it was.

    Only for who holds the lock on the index's file, or has it in memory.

    Raises JournalError for a later format version, and sqlite3.DatabaseError where the index is damaged, or is
    that of another state of the journal.
    """
    for _ in range(_ATTEMPTS):
        try:
            with database:
                database.execute("BEGIN IMMEDIATE")
                make_tables(database)
                _advance(database, journal_dir, places.stamps(journal_dir))
            return
        except (_Moved, FileNotFoundError):
            continue
    raise JournalError("the journal's files are changed again and again", "try again in a moment")


def is_current(database: Connection, journal_dir: str) -> bool:
    """Whether there is nothing to take in, as far as a look at the files can tell. It writes nothing."""
    try:
        return are_there(database) and places.is_current(database, journal_dir, places.stamps(journal_dir))
    except FileNotFoundError:
        return False


def _advance(database: Connection, journal_dir: str, found: dict[int, Stamp]) -> None:
    at = places.still_there(database, journal_dir, found)
    if at is None:
        raise DatabaseError("the journal is no more the one that was indexed")
    database.execute("DELETE FROM segment WHERE number > ?", (at.segment,))
    known = at != Place() or beginning.load(database, journal_dir)
    run = _Run(database, journal_dir, at)
    with _without_collector():
        for number in sorted(found):
            if number >= at.segment:
                run.take_segment(number, found[number])
        run.end()
    if not known and run.archived:
        raise JournalError(
            "what is known of archived records is lost", "run 'mgit-hooks repair --from ARCHIVE': it is made again"
        )
    # Sorted at once after the rows they cost half of what they cost row by row: the first time there are none yet.
    for statement in INDEXES:
        database.execute(statement)


@contextmanager
def _without_collector() -> Iterator[None]:
    """Records make no cycles: to look for some among a million of them takes a tenth of the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


class _Run:
    """The state that is carried from segment to segment."""

    def __init__(self, database: Connection, journal_dir: str, at: Place) -> None:
        self._db = database
        self._dir = journal_dir
        self._at = at
        self._next_seq = at.next_seq
        self._last: Located | None = None
        self._spans: list[Span] = []
        self._taker = Taker(database)
        self._starts_at_one = False

    def take_segment(self, number: int, stamp: Stamp) -> None:
        resumed = number == self._at.segment
        first_seq, head = self._next_seq, None
        start = self._at.offset if resumed else 0
        expected = 0 if resumed else self._next_seq
        for item in reader.frames_of(self._dir, segment_name(number), expected, start):
            if resumed and self._last is None:
                # The block that was found here a moment ago: else the file was swapped since.
                self._require_end(item)
            if isinstance(item, Damage):
                continue
            if item.frame.kind == FOOTER:
                head = item.frame.previous
            elif item.frame.kind == BLOCK:
                self._take(number, item)
        if resumed:
            if self._last is None:
                raise _Moved
            row = self._db.execute("SELECT first_seq FROM segment WHERE number = ?", (number,)).fetchone()
            first_seq = row[0]
        self._db.execute(
            "INSERT OR REPLACE INTO segment VALUES (?,?,?,?,?,?,?)", (number, *stamp, first_seq, self._next_seq, head)
        )

    def _require_end(self, item: Located | Damage) -> None:
        if isinstance(item, Damage) or item.offset != self._at.offset or item.frame.kind != BLOCK:
            raise _Moved
        known_as = places.block_of(self._db, self._at.next_seq - 1)
        if known_as is None or known_as[:2] != (item.frame.first_seq, item.frame.records):
            raise _Moved
        if not places.has_end(reader.open_block(item), self._at):
            raise _Moved
        self._last = item

    def _take(self, number: int, item: Located) -> None:
        frame = item.frame
        span = Span(frame.first_seq, frame.records, number, item.offset)
        fresh = span.first_seq >= self._next_seq
        self._starts_at_one |= span.first_seq == 1
        # A block that holds what is indexed already and more was put together by a compaction since.
        if not fresh and not (item is self._last and span.next_seq > self._next_seq):
            return
        try:
            payloads = block_payloads(frame)
        except FormatError:
            return
        self._taker.take(max(span.first_seq, self._next_seq), payloads[max(self._next_seq - span.first_seq, 0) :])
        self._spans.append(span)
        self._last, self._next_seq = item, span.next_seq

    @property
    def archived(self) -> bool:
        """Whether a record says that records before the first one here are in an archive, and they are not here."""
        return self._taker.archived and not self._starts_at_one

    def end(self) -> None:
        self._taker.flush()
        self._db.executemany("INSERT OR REPLACE INTO block VALUES (?,?,?,?)", self._spans)
        if self._last is None:
            return
        block = reader.open_block(self._last)
        place = (self._next_seq, block.ids[-1], int(self._last.segment[:8]), self._last.offset)
        self._db.execute("DELETE FROM meta")
        self._db.execute("INSERT INTO meta VALUES (?,?,?,?,?)", (VERSION, *place))
