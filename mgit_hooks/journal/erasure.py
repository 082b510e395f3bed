"""Taking payloads out of frames: a record loses salt and payload; its place, digest and chain id stay."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence, Set
from typing import NamedTuple

from mgit_hooks.display import escape
from mgit_hooks.errors import LaterFormatError
from mgit_hooks.files import open_to_read
from mgit_hooks.journal import quarantine, reader, swap
from mgit_hooks.journal.blockformat import block_frame, block_payloads, frame_cursor
from mgit_hooks.journal.format import (
    BLOCK,
    MASKED,
    SEGMENT,
    ChainId,
    FormatError,
    Frame,
    JournalId,
    pack_frame,
    segment_info,
)
from mgit_hooks.journal.reader import Stored, open_block
from mgit_hooks.journal.segment import Damage, Located, scan
from mgit_hooks.journal.wanted import Wanted, value_of
from mgit_hooks.record import Oid


def without(item: Located, is_wanted: Callable[[int, ChainId, bytes], bool]) -> Frame:
    """The block frame without the payloads that are wanted. Raises FormatError where it is no block."""
    block = open_block(item)
    entries = []
    for position, (entry, id) in enumerate(zip(block.entries, block.ids, strict=True)):
        if entry.payload is not None and is_wanted(block.first_seq + position, id, entry.payload):
            entry = entry._replace(payload=None, salt=None)
        entries.append(entry)
    if tuple(entries) == block.entries:
        return item.frame
    frame = item.frame
    return block_frame(entries, frame.first_seq, frame.previous, frame_cursor(frame), frame.codec & ~MASKED)


class Said(NamedTuple):
    """A record as a search reads it, its place in the chain apart; ``payload`` is None where it was erased."""

    seq: int
    payload: bytes | None
    segment: str


def said(journal_dir: str) -> Iterator[Said]:
    """Every record, oldest first. Several times as fast as ``reader.records``: no digest is computed on the way."""
    for item in reader.frames(journal_dir):
        if isinstance(item, Located) and item.frame.kind == BLOCK:
            for seq, payload in enumerate(block_payloads(item.frame), item.frame.first_seq):
                yield Said(seq, payload, item.segment)


def chosen(journal_dir: str, seqs: Set[int]) -> Iterator[Stored]:
    """The records of these seqs, with their ids. Only the blocks that they stand in are opened."""
    for item in reader.frames(journal_dir):
        if isinstance(item, Located) and item.frame.kind == BLOCK:
            first = item.frame.first_seq
            if not seqs.isdisjoint(range(first, first + item.frame.records)):
                yield from (stored for stored in open_block(item).stored() if stored.seq in seqs)


def segments_with(journal_dir: str, seqs: Set[int]) -> dict[str, set[int]]:
    """Where those of ``seqs`` lie that still have their payload, by segment."""
    found: dict[str, set[int]] = {}
    for each in said(journal_dir):
        if each.seq in seqs and each.payload is not None:
            found.setdefault(each.segment, set()).add(each.seq)
    return found


def erase_segment(journal_dir: str, name: str, seqs: set[int]) -> None:
    """Rewrite a sealed segment without the payloads of ``seqs``, under ``swap.maintenance``.

    Killed anywhere, the segment is as it was or as it shall be. Raises JournalError where it cannot be rewritten.
    """
    journals = reader.journal_ids(journal_dir)
    old = swap.source(journal_dir, name)
    swap.swap(
        journal_dir,
        old,
        erased_frames(journal_dir, name, journals, seqs),
        journal_of(journal_dir, name, journals),
        lambda new: swap.require_same(journal_dir, name, new, journals, erased=seqs),
    )


def erased_frames(journal_dir: str, name: str, journals: Sequence[JournalId], seqs: set[int]) -> Iterator[Frame]:
    for item in scan(journal_dir, name, journals):
        if isinstance(item, Located):
            yield without(item, lambda seq, *_: seq in seqs) if item.frame.kind == BLOCK else item.frame


def journal_of(journal_dir: str, name: str, journals: Sequence[JournalId]) -> JournalId:
    first = next(iter(scan(journal_dir, name, journals)))
    if isinstance(first, Damage) or first.frame.kind != SEGMENT:
        raise FormatError("no-segment-header")
    return segment_info(first.frame).journal


# Quarantine


def erase_quarantined(folder: str, journals: Sequence[JournalId], wanted: Wanted) -> list[str]:
    """Take what is wanted out of every file of the quarantine; the names of those that were changed.

    A whole block loses the payloads. Of bytes that are no whole frame nobody can tell what they hold: they
    become zeros, in their place and number. Journals that others took the place of are there as folders.
    """
    changed = []
    for parent, folders, names in os.walk(folder):
        folders.sort()
        known = list(dict.fromkeys((*journals, *reader.journal_ids(parent))))
        for name in sorted(names):
            path = os.path.join(parent, name)
            if not name.endswith((".bin", ".seg")):
                continue
            with open_to_read(path) as file:
                before = file.read()
            after = _cleaned(parent, name, len(before), known, wanted)
            if after != before:
                quarantine.put(path, after)
                changed.append(os.path.relpath(path, folder))
    return changed


def _cleaned(folder: str, name: str, size: int, journals: Sequence[JournalId], wanted: Wanted) -> bytes:
    parts = []
    try:
        for item in scan(folder, name, journals):
            if isinstance(item, Damage):
                parts.append(bytes(item.length))
                continue
            try:
                frame = item.frame
                if frame.kind == BLOCK:
                    frame = without(item, lambda _, id, payload: wanted.is_met_by(id, payload))
                parts.append(_bytes(folder, item) if frame is item.frame else _packed(folder, item, frame, journals))
            except FormatError:
                parts.append(bytes(item.frame.length))
    except LaterFormatError:
        return bytes(size)
    return b"".join(parts)


def _bytes(folder: str, item: Located) -> bytes:
    with open_to_read(os.path.join(folder, item.segment)) as file:
        file.seek(item.offset)
        return file.read(item.frame.length)


def _packed(folder: str, item: Located, frame: Frame, journals: Sequence[JournalId]) -> bytes:
    """``frame`` under the journal whose checksum the frame that it comes from has."""
    stored = _bytes(folder, item)
    journal = next(each for each in journals if pack_frame(item.frame, each) == stored)
    return pack_frame(frame, journal)


# What erase records say


class Declared(NamedTuple):
    """Who erased a record, when and why, as the erase record ``by_seq`` says."""

    by_seq: int
    by: str
    reason: str
    at: str
    commit: Oid | None
    movements: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """Safe to print: ``erased on … by …``."""
        return escape(f"erased on {self.at[:10]} by {self.by}: {self.reason} (record {self.by_seq})")


def declared(journal_dir: str) -> dict[int, Declared]:
    """Every record that an erase record names."""
    found: dict[int, Declared] = {}
    for each in said(journal_dir):
        if each.payload is not None and each.payload.startswith(b'{"event":"erase"'):
            value = value_of(each.payload)
            detail = value.get("detail") or {}
            for one in detail.get("erased") or ():
                told = Declared(each.seq, detail["by"], detail["reason"], value["recorded_at"], one["commit"])
                told = told._replace(movements=tuple(one.get("movements") or ()))
                found.setdefault(int(one["seq"]), told)
    return found
