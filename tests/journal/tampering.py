"""Whole frames and records deleted, doubled, swapped and changed by someone who puts the checksums right.

``Hand`` holds the frames of a journal. An edit gives a new list of them; ``put`` writes it with right checksums,
and, as far as its ``reach`` goes, with right numbers and chain ids in the frames after the edit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from journal.making import frames, segment_bytes
from mgit_hooks.journal import blockformat, format, identity, reader
from mgit_hooks.journal.blockformat import Entry
from mgit_hooks.journal.format import BLOCK, FOOTER, SEGMENT, ChainId, Frame
from mgit_hooks.record import Seq

Edit = Callable[[list[Entry], int], list[Entry]]


def _deleted(entries: list[Entry], at: int) -> list[Entry]:
    return entries[:at] + entries[at + 1 :]


def _doubled(entries: list[Entry], at: int) -> list[Entry]:
    return entries[: at + 1] + entries[at:]


def _swapped(entries: list[Entry], at: int) -> list[Entry]:
    other = (at + 1) % len(entries)
    made = list(entries)
    made[at], made[other] = made[other], made[at]
    return made


def _with(entries: list[Entry], at: int, entry: Entry) -> list[Entry]:
    return [*entries[:at], entry, *entries[at + 1 :]]


def _changed(entries: list[Entry], at: int) -> list[Entry]:
    """The payload, as long as before."""
    old = entries[at]
    payload = bytes(byte ^ 1 for byte in old.payload or b"") or b"x"
    return _with(entries, at, blockformat.new_entry(payload, old.salt or bytes(16)))


def _resalted(entries: list[Entry], at: int) -> list[Entry]:
    old = entries[at]
    return _with(
        entries, at, blockformat.new_entry(old.payload or b"", bytes(byte ^ 1 for byte in old.salt or bytes(16)))
    )


def _erased(entries: list[Entry], at: int) -> list[Entry]:
    return _with(entries, at, entries[at]._replace(payload=None, salt=None))


def _erased_longer(entries: list[Entry], at: int) -> list[Entry]:
    old = entries[at]
    return _with(entries, at, old._replace(payload=None, salt=None, payload_length=old.payload_length + 1))


EDITS: dict[str, Edit] = {
    name.__name__.strip("_"): name
    for name in (_deleted, _doubled, _swapped, _changed, _resalted, _erased, _erased_longer)
}
# How many frames after the edited block are written anew, to agree with it; ALL: to the end, and head with them.
ALL = 10**9


class Place(NamedTuple):
    segment: str
    frame: Frame


class Hand:
    def __init__(self, journal: str) -> None:
        self.journal = journal
        self.before = segment_bytes(journal)
        self.head = Path(journal, "head").read_bytes()
        self.places = [Place(item.segment, item.frame) for item in frames(journal)]
        self._journal = reader.journal_ids(journal)[-1]

    def blocks(self) -> list[int]:
        return [number for number, place in enumerate(self.places) if place.frame.kind == BLOCK]

    def put(self, places: Sequence[Place]) -> None:
        made = dict.fromkeys(self.before, b"")
        for segment, frame in places:
            made[segment] += format.pack_frame(frame, self._journal)
        for name, data in made.items():
            Path(self.journal, name).write_bytes(data)

    def restore(self) -> None:
        for name, data in self.before.items():
            Path(self.journal, name).write_bytes(data)
        Path(self.journal, "head").write_bytes(self.head)

    def edited(self, number: int, at: int, edit: Edit, reach: int) -> list[Place] | None:
        """The frames with record ``at`` of block ``number`` edited; None where that changes nothing."""
        segment, frame = self.places[number]
        before = blockformat.block_entries(frame)
        entries = edit(before, at)
        if entries == before or len(entries) > blockformat.MAX_RECORDS:
            return None
        start = Seq(frame.first_seq), frame.previous
        made = [Place(segment, again(frame, entries, *start))] if entries else []
        next_seq, head = end_of(entries, *start)
        return [*self.places[:number], *made, *_joined(self.places[number + 1 :], next_seq, head, reach)]

    def write_head(self, places: Sequence[Place]) -> None:
        """The head as a writer of these frames would have left it, its place in the file too."""
        hint = identity.read_head(self.journal)
        assert hint is not None
        next_seq, head = Seq(1), format.GENESIS
        for _, frame in places:
            if frame.kind == BLOCK:
                next_seq, head = end_of(blockformat.block_entries(frame), frame.first_seq, frame.previous)
        own = [frame for segment, frame in places if segment == hint.segment]
        lengths = [frame.length for frame in own]
        place = {"offset": sum(lengths[:-1]), "end": sum(lengths), "first_seq": own[0].first_seq}
        identity.write_head(self.journal, hint._replace(seq=next_seq - 1, id=head, **place))


def again(frame: Frame, entries: Sequence[Entry], first_seq: Seq, previous: ChainId) -> Frame:
    codec = frame.codec & ~format.MASKED
    return blockformat.block_frame(entries, first_seq, previous, blockformat.frame_cursor(frame), codec)


def end_of(entries: Sequence[Entry], seq: Seq, head: ChainId) -> tuple[Seq, ChainId]:
    for entry in entries:
        head, seq = blockformat.chain(head, seq, entry), Seq(seq + 1)
    return seq, head


def _joined(places: Sequence[Place], seq: Seq, head: ChainId, reach: int) -> Iterator[Place]:
    """The frames with the first ``reach`` of them made to follow on ``seq`` and ``head``."""
    segment_first: dict[str, Seq] = {}
    for number, (segment, frame) in enumerate(places):
        if number >= reach:
            yield Place(segment, frame)
        elif frame.kind == FOOTER:
            # Of a segment whose header stands before the edit the first number is as it was.
            first = segment_first.get(segment, frame.first_seq)
            yield Place(segment, format.footer_frame(seq - first, first, Seq(seq - 1), head))
        elif frame.kind == BLOCK:
            entries = blockformat.block_entries(frame)
            yield Place(segment, again(frame, entries, seq, head))
            seq, head = end_of(entries, seq, head)
        else:
            if frame.kind == SEGMENT:
                segment_first[segment] = seq
            yield Place(segment, frame._replace(first_seq=seq, previous=head))
