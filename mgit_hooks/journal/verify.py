"""Judging the whole journal: every byte, every link of the chain, every number."""

from __future__ import annotations

import json
import os
from bisect import bisect_left
from collections.abc import Iterator, Set

from mgit_hooks.files import is_folder
from mgit_hooks.journal import erasemark, identity
from mgit_hooks.journal.blockformat import frame_cursor
from mgit_hooks.journal.findings import Hole, Report
from mgit_hooks.journal.format import (
    BLOCK,
    CURSOR,
    FOOTER,
    GENESIS,
    SEGMENT,
    ChainId,
    FormatError,
    footer_info,
    segment_info,
)
from mgit_hooks.journal.reader import Block, frames, open_block
from mgit_hooks.journal.segment import Damage, Located, segment_names, segment_number
from mgit_hooks.record import Seq

# The events whose records speak about the journal itself (docs/format.md).
_DECLARING = tuple(b'{"event":"%s"' % event for event in (b"repair", b"checkpoint", b"erase"))


class _Walk:
    """The state that is carried from frame to frame."""

    def __init__(self, watch: Set[int] = frozenset()) -> None:
        self.seq = Seq(1)
        self.head: ChainId = GENESIS
        self.records = 0
        self.erased: set[int] = set()
        self.declared_erased: set[int] = set()
        self.archived: set[Hole] = set()
        self._watch = sorted(watch)
        self.watched: dict[int, str] = {}
        self.damaged: list[Damage] = []
        self.holes: list[Hole] = []
        self.declared: set[Hole] = set()
        self.chain_intact = True
        self._last: Located | None = None  # the frame that was last linked
        self._break: tuple[Located | None, Located] | None = None  # a link that does not hold, not yet blamed
        self.segment = ""
        self.sealed = False
        self._entered = Seq(1)  # where the segment begins at the earliest
        self._end = 0  # of the last thing seen in the segment, and whether that was damage
        self._ends_damaged = False

    def take(self, item: Located | Damage) -> None:
        if item.segment != self.segment:
            self._enter(item.segment)
        self._end, self._ends_damaged = item.end, isinstance(item, Damage)
        if isinstance(item, Damage):
            self.damaged.append(item)
        elif self.sealed and not self._goes_on(item):
            self._blame(item, "after-footer")
        elif item.offset and item.frame.kind == SEGMENT:
            self._blame(item, "duplicate")
        else:
            if not item.offset and item.frame.kind != SEGMENT:
                self.damaged.append(Damage(item.segment, 0, 0, "no-segment-header"))
            try:
                self._frame(item)
            except FormatError as error:
                # Its checksum holds, and yet no writer of this version made it.
                self._blame(item, error.kind)

    def _goes_on(self, item: Located) -> bool:
        """Whether what stands behind a footer goes on from there: the footer does not belong there, then.

        Records that were not read before count for more than a footer, which may have been copied there.
        """
        frame = item.frame
        if frame.kind not in (BLOCK, CURSOR) or frame.first_seq < self.seq:
            return False
        if frame.kind == CURSOR and frame.first_seq == self.seq and frame.previous != self.head:
            return False
        if self._last is not None:
            self._blame(self._last, "bad-footer")
        self.sealed = False
        return True

    def _enter(self, name: str) -> None:
        if self.segment and not self.sealed and not self._ends_damaged:
            # Only the newest segment may end without one: here it was cut off.
            self.damaged.append(Damage(self.segment, self._end, 0, "no-footer"))
        self.segment, self.sealed, self._entered = name, False, self.seq

    def _frame(self, item: Located) -> None:
        if item.frame.kind == SEGMENT:
            self._segment(item)
        elif item.frame.kind == BLOCK:
            self._block(item)
        elif item.frame.kind == CURSOR:
            frame_cursor(item.frame)
            self._link(item)
        elif item.frame.kind == FOOTER:
            self._footer(item)
        else:
            raise FormatError("bad-kind")

    def _segment(self, item: Located) -> None:
        if segment_info(item.frame).number != segment_number(self.segment):
            self._blame(item, "misplaced-segment")
        self._link(item)

    def _block(self, item: Located) -> None:
        block = open_block(item)
        if not self._link(item):
            return
        self.seq, self.head = block.next_seq, block.ids[-1]
        self.records += len(block.entries)
        self._read(block)

    def _read(self, block: Block) -> None:
        for seq, entry in enumerate(block.entries, block.first_seq):
            if entry.payload is None:
                self.erased.add(seq)
            elif entry.payload.startswith(_DECLARING):
                self._declare(entry.payload)
        first, last = bisect_left(self._watch, block.first_seq), bisect_left(self._watch, block.next_seq)
        for seq in self._watch[first:last]:
            self.watched[seq] = block.ids[seq - block.first_seq].hex()

    def _declare(self, payload: bytes) -> None:
        try:
            detail = json.loads(payload)["detail"]
            self.declared.update(map(Hole.from_json, detail.get("holes", ())))
            self.archived.update(map(Hole.from_json, detail.get("archived", ())))
            self.declared_erased.update(int(each["seq"]) for each in detail.get("erased", ()))
        except (ValueError, KeyError, TypeError, AttributeError):
            return  # not the record it looks like: it declares nothing

    def _footer(self, item: Located) -> None:
        info = footer_info(item.frame)
        # One that is not this segment's (a copied frame) does not seal it: what follows is as good as before.
        if info.records != info.last_seq - item.frame.first_seq + 1 or info.last_seq < self.seq - 1:
            raise FormatError("bad-footer")
        if item.frame.first_seq < self._entered:
            raise FormatError("bad-footer")
        self.sealed = True
        if info.last_seq >= self.seq:
            # Blocks before the footer are gone; it still says how far the segment went.
            self._gap(Seq(info.last_seq + 1), item.frame.previous)
        else:
            self._hold(item)
        self._last = item

    def _link(self, item: Located) -> bool:
        """Hold a frame against the chain so far; False where it repeats what was already read."""
        frame = item.frame
        if frame.first_seq < self.seq:
            self._blame(item, "duplicate")
            return False
        if frame.first_seq > self.seq:
            self._gap(frame.first_seq, frame.previous)
        else:
            self._hold(item)
        self._last = item
        return True

    def _hold(self, item: Located) -> None:
        """One of two frames is false where a link does not hold; the next link tells which.

        Changed records break only the link after them; a changed link breaks the one after it too.
        """
        holds = item.frame.previous == self.head
        if self._break is not None:
            before, after = self._break
            self._false(before if holds else after)
            self._break = None
        elif not holds:
            self._break = (self._last, item)
        self.head = item.frame.previous

    def end(self, reported: tuple[int, bytes] | None) -> None:
        """Close the chain against the seq and id that were last reported, where that is known."""
        at_head = reported is not None and reported == (self.seq - 1, self.head)
        if reported is not None and self.watched.get(reported[0], reported[1].hex()) != reported[1].hex():
            self.chain_intact = False  # written anew, and gone on from: no frame contradicts it, the head does
        if self._break is not None:
            before, after = self._break
            self._false(after if reported is not None and not at_head else before)
        elif reported is not None and reported[0] == self.seq - 1 and not at_head:
            self._false(self._last)

    def _false(self, item: Located | None) -> None:
        self.chain_intact = False
        if item is not None:
            self._blame(item, "broken-chain")

    def watch_holes(self) -> None:
        """Of a record that is gone, only the last of a hole's has its id on file: in what follows it."""
        for hole in self.holes:
            if hole.last_seq in self._watch:
                self.watched[hole.last_seq] = hole.after
            if hole.first_seq - 1 in self._watch:
                self.watched.setdefault(hole.first_seq - 1, hole.before)

    def _gap(self, next_seq: Seq, after: ChainId) -> None:
        self.holes.append(Hole(self.seq, next_seq - 1, self.head.hex(), after.hex()))
        self.seq, self.head = next_seq, after

    def _blame(self, item: Located, kind: str) -> None:
        self.damaged.append(Damage(item.segment, item.offset, item.frame.length, kind))


def walk(items: Iterator[Located | Damage], watch: Set[int] = frozenset()) -> _Walk:
    state = _Walk(watch)
    for item in items:
        state.take(item)
    return state


def verify(journal_dir: str, watch: Set[int] = frozenset()) -> Report:
    """Read every byte of the journal and say what is wrong with it. Changes nothing.

    ``watch``: seqs whose chain ids the report is to give. Raises JournalError for a later format version.
    """
    names = segment_names(journal_dir)
    # Read first: what is appended meanwhile comes after it, and nothing that it names is missing for that.
    hint = identity.read_head(journal_dir)
    state = walk(frames(journal_dir), watch | {hint.seq} if hint is not None else watch)
    state.end((hint.seq, hint.id) if hint is not None else None)
    if hint is not None and hint.seq >= state.seq:
        # Reported as recorded once, and gone from the end: no ordinary end, however clean the cut.
        state.holes.append(Hole(state.seq, hint.seq, state.head.hex(), hint.id.hex()))
    torn = _end_of_file(journal_dir, names[-1], state, hint) if names else None
    own = identity.read(journal_dir)
    state.watch_holes()
    known = state.declared | state.archived
    marked = erasemark.pending(journal_dir)
    return Report(
        journal=own.journal.hex() if own else None,
        records=state.records,
        segments=len(names),
        damaged=tuple(state.damaged),
        holes=tuple(hole for hole in state.holes if hole not in known),
        mended=tuple(hole for hole in state.holes if hole in state.declared),
        chain_intact=state.chain_intact,
        head_seq=state.seq - 1,
        head_id=state.head.hex(),
        torn_tail=torn,
        erased=len(state.erased),
        archived=tuple(hole for hole in state.holes if hole in state.archived - state.declared),
        unerased=tuple(sorted({*_unerased(state), *(state.declared_erased if marked is None else marked)})),
        undeclared=tuple(sorted(state.erased - state.declared_erased)),
        watched=state.watched,
    )


def _unerased(state: _Walk) -> Iterator[int]:
    """What is declared as erased and still has its payload; not what is missing as a whole."""
    missing = [range(hole.first_seq, hole.last_seq + 1) for hole in state.holes]
    for seq in state.declared_erased - state.erased:
        if seq < state.seq and not any(seq in gone for gone in missing):
            yield seq


def _end_of_file(journal_dir: str, name: str, state: _Walk, hint: identity.Head | None) -> Damage | None:
    """The torn tail, where that is all that is wrong with the end of the newest segment.

    Bytes that the head reported were synced: where they are no more, that is damage.
    """
    reported_end = hint.end if hint is not None and hint.segment == name else 0
    last = state.damaged[-1] if state.damaged else None
    if last is not None and last.segment == name and last.kind == "torn-tail":
        return state.damaged.pop() if last.offset >= reported_end else None
    size = os.path.getsize(os.path.join(journal_dir, name))
    if size < reported_end and not state.holes:
        state.damaged.append(Damage(name, size, reported_end - size, "cut-short"))
    return None


def exists(journal_dir: str) -> bool:
    return is_folder(journal_dir) and bool(segment_names(journal_dir))
