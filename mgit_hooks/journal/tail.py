"""How a segment ends, and the journal: what an append must know before it goes on there."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from typing import NamedTuple

from mgit_hooks.journal import identity
from mgit_hooks.journal.blockformat import frame_cursor
from mgit_hooks.journal.format import (
    BLOCK,
    CURSOR,
    FOOTER,
    GENESIS,
    ChainId,
    Cursor,
    FormatError,
    JournalId,
    footer_info,
)
from mgit_hooks.journal.reader import open_block
from mgit_hooks.journal.segment import Damage, Located, scan
from mgit_hooks.record import Seq


class Tail(NamedTuple):
    """How a segment ends. ``frame_offset`` is that of its last frame; ``end`` the first byte after it."""

    first_seq: Seq
    next_seq: Seq
    head: ChainId
    sealed: bool
    frame_offset: int
    end: int
    torn: Damage | None
    damaged: bool
    cursor: Cursor | None


class End(NamedTuple):
    """Where the journal ends, and the spool's cursor there.

    ``tail`` is the newest segment's; ``half_open``: a crash came between its header and the cursor that it begins with.
    """

    next_seq: Seq
    head: ChainId
    cursor: Cursor | None
    tail: Tail
    half_open: bool


def read_end(journal_dir: str, names: Sequence[str], journals: Sequence[JournalId], hint: identity.Head | None) -> End:
    """The end of a journal of these segments, in their order."""
    tail = read_tail(journal_dir, names[-1], journals, hint)
    half_open = bool(tail.end) and not tail.frame_offset and tail.cursor is None
    end = End(tail.next_seq, tail.head, tail.cursor, tail, half_open)
    if tail.damaged or not tail.end or half_open:
        # The last segment alone no longer says where the journal and the spool's cursor stand.
        return _looked_back(journal_dir, names[:-1], journals, end)
    return end


def _looked_back(journal_dir: str, names: Sequence[str], journals: Sequence[JournalId], end: End) -> End:
    for name in reversed(names):
        before = read_tail(journal_dir, name, journals, None)
        end = end._replace(cursor=end.cursor or before.cursor)
        if before.next_seq > end.next_seq:
            end = end._replace(next_seq=before.next_seq, head=before.head)
        if end.cursor is not None and end.next_seq > 1:
            break
    return end


def read_tail(journal_dir: str, name: str, journals: Sequence[JournalId], hint: identity.Head | None) -> Tail:
    """How the segment ends. Where ``hint`` still holds, only what follows it is read; else all of it."""
    if hint is not None and hint.segment == name and _holds(journal_dir, hint, journals):
        state = Tail(
            Seq(hint.first_seq),
            Seq(hint.seq + 1),
            ChainId(hint.id),
            False,
            hint.offset,
            hint.end,
            None,
            False,
            Cursor(*hint.cursor) if hint.cursor else None,
        )
        return _read_on(journal_dir, name, journals, state)
    return _read_on(journal_dir, name, journals, Tail(Seq(0), Seq(1), GENESIS, False, 0, 0, None, False, None))


def _holds(journal_dir: str, hint: identity.Head, journals: Sequence[JournalId]) -> bool:
    """Whether the frame that the hint names lies there, and ends the journal with the id that it names."""
    with closing(scan(journal_dir, hint.segment, journals, hint.offset)) as found:
        item = next(found, None)
    if not isinstance(item, Located) or item.end != hint.end or item.frame.kind == FOOTER:
        return False
    if item.frame.kind == BLOCK:
        try:
            block = open_block(item)
        except FormatError:
            return False
        return (block.next_seq, block.ids[-1]) == (hint.seq + 1, hint.id)
    return (item.frame.first_seq, item.frame.previous) == (hint.seq + 1, hint.id)


def _read_on(journal_dir: str, name: str, journals: Sequence[JournalId], state: Tail) -> Tail:
    for item in scan(journal_dir, name, journals, state.end):
        if isinstance(item, Damage):
            if item.kind == "torn-tail":
                return state._replace(torn=item)
            # Damage that is not an ordinary end stays where it is, for repair: appends go on after it.
            state = state._replace(damaged=True, end=item.end)
            continue
        try:
            state = _after(state, item)
        except FormatError:
            state = state._replace(damaged=True, end=item.end)
    return state


def _after(state: Tail, item: Located) -> Tail:
    frame = item.frame
    if not state.first_seq:
        # Of a segment whose own header is damaged, the first frame that is whole says where it begins.
        state = state._replace(first_seq=frame.first_seq, next_seq=frame.first_seq, head=frame.previous)
    if frame.kind != FOOTER and frame.first_seq > state.next_seq:
        # Blocks before it are gone; it knows their numbers all the same, a cursor frame too.
        state = state._replace(next_seq=frame.first_seq, head=frame.previous)
    if (footer_info(frame).last_seq + 1 if frame.kind == FOOTER else frame.first_seq) < state.next_seq:
        # A copied frame: its numbers were read already, and its cursor is an old one.
        return state._replace(damaged=True, end=item.end)
    if frame.kind == BLOCK:
        block = open_block(item)
        state = state._replace(next_seq=block.next_seq, head=block.ids[-1])
    elif frame.kind == FOOTER:
        state = state._replace(next_seq=Seq(footer_info(frame).last_seq + 1), head=frame.previous)
    cursor = frame_cursor(frame) if frame.kind in (BLOCK, CURSOR) else None
    return state._replace(
        sealed=state.sealed or frame.kind == FOOTER,
        frame_offset=item.offset,
        end=item.end,
        cursor=cursor or state.cursor,
    )
