"""Where in the segments the index found its records, and whether they still are there.

A sealed segment may be rewritten at any time by another process (compaction): the same records, in other blocks. Then
its blocks are found again, and nothing else of the index changes. Where a segment no longer holds what it held
(repair, a restored copy, another journal), the index starts anew.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from sqlite3 import Connection
from typing import NamedTuple

from mgit_hooks.errors import DamageError
from mgit_hooks.journal import reader
from mgit_hooks.journal.format import BLOCK, FOOTER, GENESIS, FormatError
from mgit_hooks.journal.reader import Block
from mgit_hooks.journal.segment import Damage, Located, headers, scan, segment_name, segment_names, segment_number


class Place(NamedTuple):
    """Where the index left off: at the block that holds the record before ``next_seq``, whose chain id is ``head``."""

    next_seq: int = 1
    head: bytes = GENESIS
    segment: int = 0
    offset: int = 0


class Span(NamedTuple):
    """A block: where it is, and which records it holds."""

    first_seq: int
    records: int
    segment: int
    offset: int

    @property
    def next_seq(self) -> int:
        return self.first_seq + self.records


class Stamp(NamedTuple):
    """What differs where a file was changed."""

    size: int
    mtime: int  # nanoseconds
    inode: int


class _Segment(NamedTuple):
    number: int
    stamp: Stamp
    first_seq: int
    next_seq: int
    head: bytes | None  # as its footer has it


def stamps(journal_dir: str) -> dict[int, Stamp]:
    """Of each segment. FileNotFoundError where one is taken away meanwhile."""
    found = {}
    for name in segment_names(journal_dir):
        status = os.stat(os.path.join(journal_dir, name))
        found[segment_number(name)] = Stamp(status.st_size, status.st_mtime_ns, status.st_ino)
    return found


def place(database: Connection) -> Place:
    row = database.execute("SELECT next_seq, head, segment, offset FROM meta").fetchone()
    return Place() if row is None else Place(*row)


def is_current(database: Connection, journal_dir: str, found: dict[int, Stamp]) -> bool:
    """Whether the index has all that the journal has, as far as a look at the files can tell."""
    at = place(database)
    if _known(database) != found:
        return False
    return not found or _end(journal_dir, at) is not None


def still_there(database: Connection, journal_dir: str, found: dict[int, Stamp]) -> Place | None:
    """Where to go on from, with every block that was moved found again; None where the index must start anew."""
    at = place(database)
    known = _known(database)
    before = {number for number in known if number <= at.segment}
    if before != {number for number in found if number <= at.segment}:
        return None
    for number in sorted(before - {at.segment}):
        if known[number] != found[number] and not _found_again(database, journal_dir, number, found[number]):
            return None
    if at.segment:
        block = _end(journal_dir, at)
        known_as = block_of(database, at.next_seq - 1)
        # A larger one may begin at the very place where the one that is known was.
        if (
            block is None
            or known_as is None
            or (block.first_seq, block.next_seq) != (known_as.first_seq, known_as.next_seq)
        ):
            return _end_found_again(database, journal_dir, at)
    return at


def find(journal_dir: str, segment: int, seq: int) -> Block | None:
    """The block of a segment that holds record ``seq``, wherever in it that lies now."""
    name = segment_name(segment)
    journals = reader.journal_ids(journal_dir)
    try:
        for claim in headers(journal_dir, name):
            if claim.kind == BLOCK and claim.first_seq <= seq < claim.first_seq + claim.records:
                return reader.block_at(journal_dir, name, claim.offset, journals)
    except (DamageError, FileNotFoundError):
        pass  # what a header claims does not hold: only a search of all the bytes can tell
    try:
        for item in scan(journal_dir, name, journals):
            if isinstance(item, Located) and item.frame.kind == BLOCK and _holds(item, seq):
                return reader.open_block(item)
    except (FormatError, FileNotFoundError):
        return None
    return None


def _holds(item: Located, seq: int) -> bool:
    return item.frame.first_seq <= seq < item.frame.first_seq + item.frame.records


def _known(database: Connection) -> dict[int, Stamp]:
    rows = database.execute("SELECT number, size, mtime, inode FROM segment")
    return {row[0]: Stamp(*row[1:]) for row in rows.fetchall()}


def _end(journal_dir: str, at: Place) -> Block | None:
    """The block there, if it holds the record that the index ends with; later ones may follow it in that block."""
    try:
        block = reader.block_at(journal_dir, segment_name(at.segment), at.offset, reader.journal_ids(journal_dir))
    except (DamageError, OSError):
        return None
    return block if has_end(block, at) else None


def has_end(block: Block, at: Place) -> bool:
    last = at.next_seq - 1
    return block.first_seq <= last < block.next_seq and block.ids[last - block.first_seq] == at.head


def _found_again(database: Connection, journal_dir: str, number: int, now: Stamp) -> bool:
    row = database.execute("SELECT first_seq, next_seq, head FROM segment WHERE number = ?", (number,)).fetchone()
    before = _Segment(number, now, *row)
    old = _blocks(database, before.first_seq, before.next_seq)
    new, head, damaged = _scanned(journal_dir, number, before.first_seq)
    if damaged:
        # Not rewritten, but harmed. What is gone stays in the index: who reads it is told, and repair asks for it.
        if not set(new) <= set(old):
            return False
    elif _ranges(old) != _ranges(new) or (before.head is not None and head != before.head):
        return False
    else:
        _replace(database, before.first_seq, before.next_seq, new)
    database.execute("UPDATE segment SET size = ?, mtime = ?, inode = ? WHERE number = ?", (*now, number))
    return True


def _end_found_again(database: Connection, journal_dir: str, at: Place) -> Place | None:
    """As ``still_there``, where the segment that the index ended in was sealed and rewritten since."""
    row = database.execute("SELECT first_seq FROM segment WHERE number = ?", (at.segment,)).fetchone()
    old = _blocks(database, row[0], at.next_seq)
    scanned, _, damaged = _scanned(journal_dir, at.segment, row[0])
    new = [span for span in scanned if span.first_seq < at.next_seq]
    if damaged or not new:
        return None
    clipped = [*new[:-1], new[-1]._replace(records=min(new[-1].next_seq, at.next_seq) - new[-1].first_seq)]
    moved = at._replace(offset=new[-1].offset)
    if _ranges(old) != _ranges(clipped) or _end(journal_dir, moved) is None:
        return None
    _replace(database, row[0], at.next_seq, new)
    return moved


def _scanned(journal_dir: str, number: int, first_seq: int) -> tuple[list[Span], bytes | None, bool]:
    """The blocks of a segment as it is now, its footer's chain id, and whether there is damage in it."""
    spans: list[Span] = []
    head: bytes | None = None
    expected = first_seq
    damaged = False
    for item in reader.frames_of(journal_dir, segment_name(number), first_seq):
        if isinstance(item, Damage):
            damaged = True
        elif item.frame.kind == FOOTER:
            head = item.frame.previous
        elif item.frame.kind == BLOCK and item.frame.first_seq >= expected:
            spans.append(Span(item.frame.first_seq, item.frame.records, number, item.offset))
            expected = spans[-1].next_seq
    return spans, head, damaged


def _blocks(database: Connection, first_seq: int, next_seq: int) -> list[Span]:
    query = "SELECT first_seq, records, segment, offset FROM block WHERE first_seq >= ? AND first_seq < ? ORDER BY 1"
    return list(map(Span._make, database.execute(query, (first_seq, next_seq)).fetchall()))


def _replace(database: Connection, first_seq: int, next_seq: int, spans: Sequence[Span]) -> None:
    database.execute("DELETE FROM block WHERE first_seq >= ? AND first_seq < ?", (first_seq, next_seq))
    database.executemany("INSERT INTO block VALUES (?,?,?,?)", spans)


def _ranges(spans: Sequence[Span]) -> list[tuple[int, int]]:
    """The seqs that the blocks hold, whichever way they are cut."""
    merged: list[tuple[int, int]] = []
    for span in spans:
        if merged and merged[-1][1] == span.first_seq:
            merged[-1] = (merged[-1][0], span.next_seq)
        else:
            merged.append((span.first_seq, span.next_seq))
    return merged


def block_of(database: Connection, seq: int) -> Span | None:
    """Where the record ``seq`` was when the index was last advanced."""
    query = "SELECT first_seq, records, segment, offset FROM block WHERE first_seq <= ? ORDER BY first_seq DESC LIMIT 1"
    row = database.execute(query, (seq,)).fetchall()
    span = Span._make(row[0]) if row else None
    return span if span is not None and seq < span.next_seq else None
