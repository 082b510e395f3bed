"""What copies of the journal can give back of it, and the proof that it is the very same.

A chain id commits to every record before it. So where a copy runs without a break from a lost record to one whose
id this journal still knows, and has that id too, nothing in between can be another record. Nothing is taken from a
copy without such a proof, whatever its name or its manifest say.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from mgit_hooks import restored
from mgit_hooks.journal import reader
from mgit_hooks.journal.findings import Hole
from mgit_hooks.journal.format import GENESIS
from mgit_hooks.journal.reader import Block, Stored
from mgit_hooks.journal.segment import Damage

_DECLARING: Final = tuple(b'{"event":"%s"' % event for event in (b"repair", b"checkpoint", b"erase", b"adopted"))
_REPAIR: Final = b'{"event":"repair"'
_REBUILT: Final = b'{"event":"rebuilt"'


class Copy(NamedTuple):
    """A journal to take from: a bundle that was unpacked, or a folder that was moved aside."""

    name: str
    sha256: str | None
    directory: str
    related: bool  # it says that it is of this journal: enough for nothing but the end of a copy, see ``Proven``


class Proven(NamedTuple):
    """Seqs of a copy that are the journal's. ``proof`` is the seq whose id both have.

    That is one at or after ``last_seq``; or, where what the copy has ends within the hole, the one before it: then
    it goes on from the journal's own chain, under the journal's own id, and no more can be known.
    """

    first_seq: int
    last_seq: int
    proof: int


class Wanted:
    """The lost numbers that nothing has been found for, a bit for each: there may be a million."""

    def __init__(self, holes: Iterable[Hole]) -> None:
        self._spans = [(hole.first_seq, hole.last_seq) for hole in holes]
        self._missing = [bytearray(b"\1") * (last - first + 1) for first, last in self._spans]

    def __contains__(self, seq: int) -> bool:
        place = self._place(seq)
        return place is not None and bool(place[0][place[1]])

    def __len__(self) -> int:
        return sum(sum(missing) for missing in self._missing)

    def discard(self, seq: int) -> None:
        place = self._place(seq)
        if place is not None:
            place[0][place[1]] = 0

    def ranges(self) -> Iterator[tuple[int, int]]:
        """First and last of each stretch of them."""
        for (start, _), missing in zip(self._spans, self._missing, strict=True):
            at = missing.find(1)
            while at >= 0:
                end = missing.find(0, at)
                end = len(missing) if end < 0 else end
                yield start + at, start + end - 1
                at = missing.find(1, end)

    def _place(self, seq: int) -> tuple[bytearray, int] | None:
        for (first, last), missing in zip(self._spans, self._missing, strict=True):
            if first <= seq <= last:
                return missing, seq - first
        return None


class Survey(NamedTuple):
    """What the journal's own records say about lost ones."""

    ids: dict[int, str]  # of records, whether they are there or not
    erased: set[int]  # never to be brought back
    commits: set[str]  # of those, nor from git
    rebuilt: int  # records rebuilt from git by a repair that was killed before it declared what they are for


class _Said:
    def __init__(self, wanted: Wanted | None) -> None:
        self.ids: dict[int, str] = {}
        self.erased: set[int] = set()
        self.commits: set[str] = set()
        self.rebuilt = 0
        self._wanted = wanted

    def take(self, payload: bytes) -> None:
        if payload.startswith(_DECLARING):
            self._declared(payload)
        elif payload.startswith(_REBUILT):
            self.rebuilt += 1
        if self._wanted is not None and restored.MARK in payload:
            for seq in _origins(payload):
                self._wanted.discard(seq)

    def _declared(self, payload: bytes) -> None:
        if payload.startswith(_REPAIR):
            self.rebuilt = 0
        try:
            detail = json.loads(payload)["detail"]
            for key in ("id", "head"):  # of a checkpoint, of an adopted journal
                if isinstance(detail.get(key), str):
                    self.ids[int(detail["last_seq"])] = detail[key]
            for each in (*detail.get("holes", ()), *detail.get("archived", ())):
                self.ids[int(each["first_seq"]) - 1] = str(each["before"])
                self.ids[int(each["last_seq"])] = str(each["after"])
            for each in detail.get("erased", ()):
                self.erased.add(int(each["seq"]))
                if each.get("commit"):
                    self.commits.add(str(each["commit"]))
        except (ValueError, KeyError, TypeError, AttributeError):
            return  # not the record it looks like: it says nothing

    def told(self) -> Survey:
        return Survey(self.ids, self.erased, self.commits, self.rebuilt)


def survey(journal_dir: str, holes: Sequence[Hole], wanted: Wanted) -> Survey:
    """Read what the journal's own records say of the ids around ``holes``, and of what was done about them.

    What a repair that was killed has restored already is no more ``wanted``.
    """
    said = _Said(wanted)
    for block in _whole_blocks(journal_dir):
        for entry in block.entries:
            if entry.payload is not None:
                said.take(entry.payload)
    for hole in holes:
        said.ids[hole.first_seq - 1] = hole.before
        said.ids[hole.last_seq] = hole.after
    said.ids[0] = GENESIS.hex()
    return said.told()


def prove(copy: Copy, holes: Sequence[Hole], known: Survey) -> tuple[list[Proven], int]:
    """What of ``holes`` the copy holds for certain, and its last seq.

    What its own records say was erased is added to ``known``, unless it may be of any journal.
    """
    found: list[Proven] = []
    said = _Said(None)
    run = _Run(known.ids)
    for block in _whole_blocks(copy.directory):
        for entry in block.entries:
            if entry.payload is not None and entry.payload.startswith(_DECLARING):
                said.take(entry.payload)
        if not run.continues(block):
            found += run.proven(holes, joined=copy.related)
            run = _Run(known.ids)
        run.take(block)
    found += run.proven(holes, joined=copy.related)
    if found or copy.related:
        known.erased.update(said.erased)
        known.commits.update(said.commits)
    return found, run.last_seq


class _Run:
    """Blocks of a copy that follow one another without a break."""

    def __init__(self, ids: Mapping[int, str]) -> None:
        self._ids = ids
        self._first = 0
        self._next = 0
        self._head = b""
        self._same: list[int] = []  # seqs whose id is the journal's, in order
        self._other: list[int] = []  # seqs whose id is not

    @property
    def last_seq(self) -> int:
        return self._next - 1

    def continues(self, block: Block) -> bool:
        return not self._next or (block.first_seq, block.previous) == (self._next, self._head)

    def take(self, block: Block) -> None:
        if not self._next:
            self._first = block.first_seq
            self._compare(block.first_seq - 1, block.previous)
        for seq, id in enumerate(block.ids, block.first_seq):
            if seq in self._ids:
                self._compare(seq, id)
        self._next, self._head = block.next_seq, block.ids[-1]

    def _compare(self, seq: int, id: bytes) -> None:
        if seq in self._ids:
            (self._same if self._ids[seq] == id.hex() else self._other).append(seq)

    def proven(self, holes: Sequence[Hole], *, joined: bool) -> Iterator[Proven]:
        """The parts of ``holes`` that this run holds. ``joined``: what goes on from the journal's chain counts."""
        for hole in holes:
            first, last = max(hole.first_seq, self._first), min(hole.last_seq, self._next - 1)
            if first > last:
                continue
            after = next((seq for seq in reversed(self._same) if seq >= first), None)
            if after is not None:
                yield Proven(first, min(last, after), after)
            upto = after if after is not None else hole.first_seq - 1
            if joined and last < hole.last_seq and upto < last and self._goes_on(upto):
                yield Proven(max(first, upto + 1), last, upto)

    def _goes_on(self, seq: int) -> bool:
        return seq in self._same and not any(other > seq for other in self._other)


def taken(copy: Copy, ranges: Sequence[Proven]) -> Iterator[tuple[Stored, Proven]]:
    """The records of a copy in ``ranges``, those that were erased left out."""
    for block in _whole_blocks(copy.directory):
        for each in ranges:
            if each.first_seq < block.next_seq and block.first_seq <= each.last_seq:
                for stored in block.stored():
                    if each.first_seq <= stored.seq <= each.last_seq and stored.payload is not None:
                        yield stored, each


def _whole_blocks(journal_dir: str) -> Iterator[Block]:
    expected = 1
    for block in reader.blocks(journal_dir):
        if not isinstance(block, Damage) and block.first_seq >= expected:
            expected = block.next_seq
            yield block


def _origins(payload: bytes) -> Iterable[int]:
    try:
        return restored.origins(json.loads(payload))
    except (ValueError, AttributeError, RecursionError):
        return ()
