"""A journal of which a few bytes are changed at a time, and the judgement on each change.

Judging a change by reading and verifying the whole journal takes milliseconds, too many for a million of them. A
scan of a segment keeps nothing but its place in the file: from the first frame on that it takes behind the
change, it gives what it gave before. So ``Trial`` scans no more than the frames around a change, and asks the real
reader and ``verify`` once for each different outcome of that (``_known``), always for changes in a segment's first
frame (which also say whose journal it is), and for one in ``sample`` of all others, to see that the answer is the
same. ``test_mutants.py`` holds the short way to the long one.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from reliability import Tally
from second_reader import read as read_again

from journal.making import records
from mgit_hooks import compress
from mgit_hooks.journal import reader
from mgit_hooks.journal.blockformat import SALT_LENGTH
from mgit_hooks.journal.findings import Report
from mgit_hooks.journal.format import BLOCK, ChainId
from mgit_hooks.journal.reader import Stored, open_block
from mgit_hooks.journal.segment import Damage, Located, scan, segment_names
from mgit_hooks.journal.verify import verify
from mgit_hooks.record import Seq

# Of an entry, what is not payload: its length, its flags, its salt (docs/format.md).
ENTRY_OVERHEAD = 4 + 1 + SALT_LENGTH


class Verdict(NamedTuple):
    """What reader and verify made of a change.

    ``false``: records that nobody wrote, that are given out twice, or that only one of the two readers reads.
    ``lost``: records that the change did not touch, and that are gone.
    """

    silent: bool
    false: tuple[Stored, ...]
    lost: tuple[int, ...]

    def count(self, tally: Tally, where: str) -> None:
        tally.cases += 1
        if self.silent:
            tally.silent.append(where)
        if self.false:
            tally.false.append(f"{where}: {self.false[:2]}")
        if self.lost:
            tally.lost.append(f"{where}: {self.lost[:5]}")


class Trial:
    """``journal`` as it is now is the truth; ``judge`` says what became of it after a change."""

    def __init__(self, journal: str, *, sample: int = 500, seed: int = 1) -> None:
        self.journal = journal
        self.true = records(journal)
        self.names = segment_names(journal)
        self.data = {name: Path(journal, name).read_bytes() for name in self.names}
        self.asked = 0  # how often reader and verify read the whole journal
        self._journals = reader.journal_ids(journal)
        self._frames = {name: self._scan(name) for name in self.names}
        self._known: dict[object, Verdict] = {}
        self._sample = sample
        self._dice = random.Random(seed)

    def frames(self, name: str) -> list[Located]:
        return self._frames[name]

    def judge(self, name: str, start: int, end: int, gone: Sequence[str] = ()) -> Verdict:
        """The bytes of ``name`` from ``start`` to ``end`` are others now, or no more; so are the segments ``gone``."""
        place = self._place(name, start)
        touched = {name: (start, end), **{other: (0, len(self.data[other])) for other in gone}}
        if not place:
            return self.ask(touched)
        key = (name, place, self._outcome(name, place, end), self._blocks(name, start, end), tuple(gone))
        known = self._known.get(key)
        if known is None or not self._dice.randrange(self._sample):
            asked = self.ask(touched)
            assert known in (None, asked), f"the short way is wrong: {name}, {start} to {end}"
            known = self._known[key] = asked
        return known

    def ask(self, touched: dict[str, tuple[int, int]]) -> Verdict:
        """Read and verify the whole journal. ``touched``: by segment, the first byte changed and the one after."""
        self.asked += 1
        report = verify(self.journal)
        read = records(self.journal)
        again = {Stored(Seq(seq), ChainId(bytes.fromhex(id)), data) for seq, id, data in read_again(self.journal)}
        may_go = {
            seq
            for name, (start, end) in touched.items()
            for item in self._blocks(name, start, end)
            for seq in range(item.frame.first_seq, item.frame.first_seq + item.frame.records)
        }
        twice = [stored for stored, times in Counter(read).items() if times > 1]
        false = tuple({*twice, *(set(read) - set(self.true)), *(set(read) ^ again)})
        there = {stored.seq for stored in read}
        lost = tuple(stored.seq for stored in self.true if stored.seq not in there and stored.seq not in may_go)
        return Verdict(report.is_clean and not self._told_as_tail(report), false, lost)

    def _told_as_tail(self, report: Report) -> bool:
        """Whether verify names bytes behind the reported end as a torn tail: no damage, and not passed over."""
        tail = report.torn_tail
        return tail is not None and tail.offset >= len(self.data[tail.segment])

    def _scan(self, name: str) -> list[Located]:
        found = list(scan(self.journal, name, self._journals))
        assert all(isinstance(item, Located) for item in found)
        return [item for item in found if isinstance(item, Located)]

    def _place(self, name: str, at: int) -> int:
        """Of the frame in which the byte lies."""
        frames = self._frames[name]
        low, high = 0, len(frames) - 1
        while low < high:
            middle = (low + high) // 2
            low, high = (low, middle) if at < frames[middle].end else (middle + 1, high)
        return low

    def _outcome(self, name: str, place: int, end: int) -> tuple[object, ...]:
        """What the scan gives now from that frame to the first one that is as it was, with nothing changed after.

        Of damage, what it is and where it begins: its length is that of the change, which differs with every cut.
        """
        whole = {item.offset: item for item in self._frames[name][place:] if item.offset >= end}
        found: list[object] = []
        for item in scan(self.journal, name, self._journals, self._frames[name][place].offset):
            if whole.get(item.offset) == item:
                found.append(item.offset)
                break
            found.append((item.offset, item.kind, item.at_end) if isinstance(item, Damage) else item)
        return tuple(found)

    def _blocks(self, name: str, start: int, end: int) -> tuple[Located, ...]:
        return tuple(
            item for item in self._frames[name] if item.frame.kind == BLOCK and item.offset < end and start < item.end
        )


def flip_bits(trial: Trial, name: str, tally: Tally, *, step: int = 1) -> None:
    """Each bit of a segment (of every ``step``th byte), one at a time."""
    data = trial.data[name]
    with open(os.path.join(trial.journal, name), "r+b", buffering=0) as file:
        for at in range(0, len(data), step):
            for bit in range(8):
                os.pwrite(file.fileno(), bytes((data[at] ^ 1 << bit,)), at)
                trial.judge(name, at, at + 1).count(tally, f"bit {bit} of byte {at} of {name}")
            os.pwrite(file.fileno(), data[at : at + 1], at)


def cut(trial: Trial, name: str, tally: Tally, *, with_rest: bool = False) -> None:
    """The segment cut at every offset; ``with_rest``: and no segment after it, as where the whole tail is gone."""
    data = trial.data[name]
    path = os.path.join(trial.journal, name)
    gone = [later for later in trial.names if with_rest and later > name]
    for later in gone:
        os.unlink(os.path.join(trial.journal, later))
    try:
        for length in reversed(range(len(data))):
            os.truncate(path, length)
            trial.judge(name, length, len(data), gone).count(tally, f"{name} cut at {length}")
    finally:
        for changed in (name, *gone):
            Path(trial.journal, changed).write_bytes(trial.data[changed])


def boundaries(trial: Trial, name: str) -> list[int]:
    """Where each frame begins and ends, and each record inside a block that is stored as it is."""
    found = {0}
    for item in trial.frames(name):
        found.add(item.end)
        if item.frame.kind == BLOCK and item.frame.codec == compress.NONE:
            at = item.end
            for entry in reversed(open_block(item).entries):
                at -= ENTRY_OVERHEAD + entry.payload_length
                found.add(at)
    return sorted(found)


def bad_sectors(trial: Trial, name: str, tally: Tally, size: int, fill: bytes, *, step: int = 1) -> None:
    """``size`` bytes over and between the others, before, across and after every boundary (every ``step``th)."""
    data = trial.data[name]
    path = Path(trial.journal, name)
    for at in boundaries(trial, name)[::step]:
        for start in {max(at - size, 0), max(at - size // 2, 0), at}:
            end = min(start + size, len(data))
            path.write_bytes(data[:start] + fill[: end - start] + data[end:])
            if start < end and data[start:end] != fill[: end - start]:
                trial.judge(name, start, end).count(tally, f"{size} bytes of {fill[:1]!r} over {name} at {start}")
        path.write_bytes(data[:at] + fill + data[at:])
        trial.ask({name: (at, at)}).count(tally, f"{size} bytes of {fill[:1]!r} put into {name} at {at}")
    path.write_bytes(data)
