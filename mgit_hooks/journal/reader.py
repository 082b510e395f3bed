"""Reading the journal: records in order, one block at a place, and where bytes are not what was written."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import NamedTuple

from mgit_hooks.encoding import decode
from mgit_hooks.errors import DamageError
from mgit_hooks.files import open_to_read
from mgit_hooks.journal import identity
from mgit_hooks.journal.blockformat import Entry, block_entries, chain_ids, frame_cursor
from mgit_hooks.journal.format import (
    BLOCK,
    CURSOR,
    HEADER_LENGTH,
    SEGMENT,
    ChainId,
    Cursor,
    FormatError,
    JournalId,
    NewerFormat,
    declared_length,
    segment_info,
    unpack_frame,
)
from mgit_hooks.journal.segment import Damage, Located, known_journals, scan, segment_names, segment_number
from mgit_hooks.journal.turns import After, Span, in_turn
from mgit_hooks.record import Record, Seq


class Stored(NamedTuple):
    """A record as stored: ``payload`` is None where it was erased."""

    seq: Seq
    id: ChainId
    payload: bytes | None

    def record(self) -> Record | None:
        return None if self.payload is None else decode(self.payload, self.seq, self.id.hex())


class Block(NamedTuple):
    segment: str
    offset: int
    first_seq: Seq
    previous: ChainId
    entries: tuple[Entry, ...]
    ids: tuple[ChainId, ...]

    @property
    def next_seq(self) -> Seq:
        return Seq(self.first_seq + len(self.entries))

    def stored(self) -> Iterator[Stored]:
        for position, (entry, id) in enumerate(zip(self.entries, self.ids, strict=True)):
            yield Stored(Seq(self.first_seq + position), id, entry.payload)


def journal_ids(journal_dir: str) -> list[JournalId]:
    own = identity.read(journal_dir)
    return known_journals(journal_dir, segment_names(journal_dir), own)


def frames(journal_dir: str, first_segment: str = "", start: int = 0) -> Iterator[Located | Damage]:
    """Every frame of every segment from ``first_segment`` (from byte ``start`` of it) on.

    A frame ahead of its place is damage too (``turns``).
    """
    journals = journal_ids(journal_dir)
    names = segment_names(journal_dir)

    def scanned() -> Iterator[Located | Damage]:
        for name in names:
            if name >= first_segment:
                yield from scan(journal_dir, name, journals, start if name == first_segment else 0)

    return _placed(scanned(), journal_dir, names, journals, 0 if first_segment else 1)


def frames_of(journal_dir: str, name: str, expected: int, start: int = 0) -> Iterator[Located | Damage]:
    """The frames of one segment from byte ``start`` on, as ``frames`` gives them. ``expected``: the first one's seq,
    0 where it is not known."""
    journals = journal_ids(journal_dir)
    names = segment_names(journal_dir)
    return _placed(scan(journal_dir, name, journals, start), journal_dir, names, journals, expected)


def _placed(
    items: Iterator[Located | Damage],
    journal_dir: str,
    names: Sequence[str],
    journals: Sequence[JournalId],
    expected: int,
) -> Iterator[Located | Damage]:
    return in_turn(items, expected, lambda name, expected: _after(journal_dir, names, name, journals, expected))


def _after(journal_dir: str, names: Sequence[str], name: str, journals: Sequence[JournalId], expected: int) -> After:
    """What stands after ``name``: where the next segment that tells a seq from ``expected`` on begins.

    By its header, where that says that it stands in its own place; where it is damaged by the lowest of its blocks.
    The very next segment tells nothing where its header is damaged: its blocks are judged along instead.
    """
    along: Sequence[Span] = ()
    following = [later for later in names if later > name]
    for later in following:
        header, blocks = _beginning(journal_dir, later, journals)
        if header is not None:
            starts = [header.frame.first_seq] if _is_at_home(header) else []
        elif later == following[0]:
            along, starts = blocks, []
        else:
            starts = [Seq(span.first) for span in blocks]
        told = [start for start in starts if start >= expected]
        if told:
            return After(along, min(told))
    return After(along)


def _beginning(journal_dir: str, name: str, journals: Sequence[JournalId]) -> tuple[Located | None, list[Span]]:
    """The header of a segment; where it is damaged none, and the segment's blocks."""
    blocks: list[Span] = []
    with closing(scan(journal_dir, name, journals)) as items:
        for item in items:
            if isinstance(item, Damage):
                continue
            if item.frame.kind == SEGMENT and not item.offset:
                return item, []
            if item.frame.kind == BLOCK:
                blocks.append(Span(item.frame.first_seq, item.frame.first_seq + item.frame.records))
    return None, blocks


def _is_at_home(header: Located) -> bool:
    try:
        return segment_info(header.frame).number == segment_number(header.segment)
    except (FormatError, NewerFormat):
        return False


def open_block(item: Located) -> Block:
    """The records of a block frame; FormatError where a valid checksum covers bytes that are no block."""
    frame = item.frame
    entries = tuple(block_entries(frame))
    ids = tuple(chain_ids(frame.previous, frame.first_seq, entries))
    return Block(item.segment, item.offset, frame.first_seq, frame.previous, entries, ids)


def blocks(journal_dir: str, first_segment: str = "", start: int = 0) -> Iterator[Block | Damage]:
    """Every block, and every damage, from a place on. Stops at nothing; the caller judges the chain."""
    for item in frames(journal_dir, first_segment, start):
        if isinstance(item, Damage):
            yield item
        elif item.frame.kind == BLOCK:
            try:
                yield open_block(item)
            except FormatError as error:
                yield Damage(item.segment, item.offset, item.frame.length, error.kind)


def records(journal_dir: str) -> Iterator[Stored]:
    """Every record that can be read, oldest first, each seq once."""
    expected = 1
    for block in blocks(journal_dir):
        if isinstance(block, Block) and block.first_seq >= expected:
            expected = block.next_seq
            yield from block.stored()


def block_at(journal_dir: str, segment: str, offset: int, journals: list[JournalId]) -> Block:
    """The one block at a place, read alone. Raises DamageError where there is none any more."""
    try:
        with open_to_read(os.path.join(journal_dir, segment)) as file:
            file.seek(offset)
            head = file.read(HEADER_LENGTH)
            length = declared_length(head, 0)
            data = head + file.read(max(length - HEADER_LENGTH, 0))
    except FileNotFoundError:
        raise DamageError(segment, offset, 0, "missing-segment") from None
    try:
        frame = unpack_frame(data, 0, journals)
        if frame.kind != BLOCK:
            raise FormatError("bad-block")
        return open_block(Located(segment, offset, frame))
    except FormatError as error:
        raise DamageError(segment, offset, length, error.kind) from error


def last_cursor(journal_dir: str) -> Cursor | None:
    """How far the spool has been taken into the journal: the newest cursor on file.

    Reads from the newest segment back, and stops at the first segment that has one.
    """
    journals = journal_ids(journal_dir)
    names = segment_names(journal_dir)
    for name in reversed(names):
        found: Cursor | None = None
        expected = 0
        for item in _placed(scan(journal_dir, name, journals), journal_dir, names, journals, 0):
            # A frame that repeats what was read has an old cursor.
            if isinstance(item, Damage) or item.frame.kind not in (BLOCK, CURSOR) or item.frame.first_seq < expected:
                continue
            expected = item.frame.first_seq + item.frame.records
            try:
                found = frame_cursor(item.frame) or found
            except FormatError:
                continue
        if found is not None:
            return found
    return None
