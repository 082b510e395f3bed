"""Packing sealed segments anew: blocks of 64 records, in zstd, with every record and every chain id as it was.

A segment is taken only where nothing is wrong with it, its new form is read back and held against the old one,
record by record, and only then swapped in (``swap``). It then says format version 2, by which it is known as
compacted.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from mgit_hooks import compress
from mgit_hooks.errors import DamageError, JournalError
from mgit_hooks.files import open_to_read
from mgit_hooks.journal import swap
from mgit_hooks.journal.blockformat import BLOCK_TARGET, MAX_RECORDS, Entry, block_frame, frame_cursor
from mgit_hooks.journal.format import (
    BLOCK,
    CURSOR,
    FOOTER,
    GENESIS,
    HEADER_LENGTH,
    SEGMENT,
    VERSION,
    ChainId,
    Cursor,
    FormatError,
    Frame,
    JournalId,
    NewerFormat,
    SegmentInfo,
    cursor_frame,
    segment_frame,
    segment_info,
    unpack_frame,
)
from mgit_hooks.journal.reader import Block, journal_ids, open_block
from mgit_hooks.journal.segment import Damage, newer_format, scan, segment_names
from mgit_hooks.journal.verify import walk
from mgit_hooks.record import Json, Seq


class Compacted(NamedTuple):
    """What became, or under ``dry_run`` would become, of one segment; lengths are the file's, in bytes."""

    segment: str
    records: int
    before: int
    after: int


class Outcome(NamedTuple):
    """``refused``: segments in which something is wrong, left as they are. ``left``: those there was no time for."""

    done: tuple[Compacted, ...] = ()
    refused: tuple[DamageError, ...] = ()
    left: int = 0

    def to_json(self) -> Json:
        return {
            "segments": len(self.done),
            "records": sum(each.records for each in self.done),
            "before": sum(each.before for each in self.done),
            "after": sum(each.after for each in self.done),
            "refused": [
                {"segment": e.segment, "offset": e.offset, "length": e.length, "kind": e.kind} for e in self.refused
            ],
        }


def waiting(journal_dir: str) -> list[str]:
    """The sealed segments that are not compacted, oldest first; those whose header cannot be read are among them.

    Raises LaterFormatError where one was written by a later version.
    """
    return [name for name in segment_names(journal_dir)[:-1] if not _is_compacted(journal_dir, name)]


def _is_compacted(journal_dir: str, name: str) -> bool:
    try:
        return _header(journal_dir, name).version >= VERSION
    except DamageError:
        return False


def compact(
    journal_dir: str, names: list[str], *, dry_run: bool = False, seconds: float = float("inf"), wait: float = 60.0
) -> Outcome:
    """Compact the segments ``names``. Call it under ``swap.maintenance``.

    None is begun once ``seconds`` have passed; an append is waited for no longer than ``wait``. Raises JournalError
    where that is not enough, and where the disk will not take one: those before it are done, that one is as it was.
    """
    journals = journal_ids(journal_dir)
    deadline = time.monotonic() + seconds
    done: list[Compacted] = []
    refused: list[DamageError] = []
    for number, name in enumerate(names):
        if time.monotonic() >= deadline:
            return Outcome(tuple(done), tuple(refused), len(names) - number)
        try:
            done.append(compact_segment(journal_dir, name, journals, dry_run=dry_run, wait=wait))
        except DamageError as error:
            refused.append(error)
    return Outcome(tuple(done), tuple(refused))


def compact_segment(
    journal_dir: str, name: str, journals: Sequence[JournalId], *, dry_run: bool = False, wait: float = 60.0
) -> Compacted:
    """Compact one sealed segment. Raises DamageError, with nothing changed, where something is wrong with it."""
    old = swap.source(journal_dir, name)
    journal = _header(journal_dir, name).journal
    if journal not in journals:
        raise DamageError(name, 0, 0, "foreign")
    records = _require_whole(journal_dir, name, journal)
    frames = _repacked(journal_dir, name, journal)
    if dry_run:
        return Compacted(name, records, old.size, sum(frame.length for frame in frames))

    def check(new: str) -> None:
        swap.require_same(journal_dir, name, new, [journal])

    return Compacted(name, records, old.size, swap.swap(journal_dir, old, frames, journal, check, wait=wait))


def _header(journal_dir: str, name: str) -> SegmentInfo:
    with open_to_read(os.path.join(journal_dir, name)) as file:
        start = file.read(4 * HEADER_LENGTH)
    try:
        return segment_info(unpack_frame(start, 0, ()))
    except NewerFormat as error:
        raise newer_format(name, error.version) from error
    except FormatError as error:
        raise DamageError(name, 0, 0, error.kind) from error


def _require_whole(journal_dir: str, name: str, journal: JournalId) -> int:
    """The number of records in the segment; DamageError for the first thing that verify would find wrong in it.

    Numbers that are missing are no damage: what repair took out stays out, and its hole stays where it is.
    """
    state = walk(scan(journal_dir, name, [journal]))
    state.end(None)
    if state.damaged:
        first = min(state.damaged, key=lambda damage: damage.offset)
        raise DamageError(name, first.offset, first.length, first.kind)
    if not state.chain_intact:
        raise DamageError(name, 0, 0, "broken-chain")
    if not state.sealed:
        raise DamageError(name, os.path.getsize(os.path.join(journal_dir, name)), 0, "no-footer")
    return state.records


# Packing


def _repacked(journal_dir: str, name: str, journal: JournalId) -> Iterator[Frame]:
    """The frames of the segment's new form."""
    packer = _Packer()
    for item in scan(journal_dir, name, [journal]):
        if isinstance(item, Damage):
            raise JournalError(f"{name} was changed by another process meanwhile", "run the command again")
        frame = item.frame
        if frame.kind == SEGMENT:
            info = segment_info(frame)._replace(version=VERSION)
            yield segment_frame(info, frame.first_seq, frame.previous)
        elif frame.kind == BLOCK:
            yield from packer.take(open_block(item), frame_cursor(frame))
        elif frame.kind == CURSOR:
            yield from packer.take_cursor(frame)
        elif frame.kind == FOOTER:
            yield from packer.end()
            yield frame


class _Packer:
    """Records on their way from blocks as they were appended into blocks that are full.

    A cursor goes into the block that ends with the last record it may count with, or a later one: where the end of
    the segment is lost, no cursor that is left counts records that went with it. A cursor frame behind a hole
    stays as it is: where another hole follows, it alone tells that there are two.
    """

    def __init__(self) -> None:
        self._next_seq = Seq(0)
        self._head: ChainId = GENESIS
        self.cursor: Cursor | None = None
        self._told: Cursor | None = None  # the newest cursor that was given out
        self._entries: list[Entry] = []
        self._size = 0
        self._first_seq = Seq(0)
        self._previous: ChainId = GENESIS

    def go_to(self, next_seq: Seq, head: ChainId) -> Iterator[Frame]:
        if self._entries and next_seq != self._next_seq:
            yield self._block()  # a hole: no block can span it
        self._next_seq, self._head = next_seq, head

    def take_cursor(self, frame: Frame) -> Iterator[Frame]:
        is_behind_hole = frame.first_seq != self._next_seq  # or the first of the segment
        yield from self.go_to(frame.first_seq, frame.previous)
        self.cursor = frame_cursor(frame)
        if is_behind_hole:
            yield frame
            self._told = self.cursor

    def take(self, block: Block, cursor: Cursor | None) -> Iterator[Frame]:
        yield from self.go_to(block.first_seq, block.previous)
        for entry, id in zip(block.entries, block.ids, strict=True):
            if self._entries and self._is_full(entry):
                yield self._block()
            if not self._entries:
                self._first_seq, self._previous = self._next_seq, self._head
            self._entries.append(entry)
            self._size += entry.payload_length
            self._next_seq, self._head = Seq(self._next_seq + 1), id
        self.cursor = cursor or self.cursor

    def end(self) -> Iterator[Frame]:
        if self._entries:
            yield self._block()
        yield from self._cursor()

    def _is_full(self, entry: Entry) -> bool:
        return len(self._entries) == MAX_RECORDS or self._size + entry.payload_length > BLOCK_TARGET

    def _block(self) -> Frame:
        cursor = self.cursor if self.cursor != self._told else None
        frame = block_frame(self._entries, self._first_seq, self._previous, cursor, compress.ZSTD)
        self._told = self.cursor
        self._entries, self._size = [], 0
        return frame

    def _cursor(self) -> Iterator[Frame]:
        if self.cursor is not None and self.cursor != self._told:
            yield cursor_frame(self.cursor, self._next_seq, self._head)
            self._told = self.cursor
