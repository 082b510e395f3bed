"""Blocks that got out of their place: whole, of records that stand nowhere else, after frames of higher numbers or
before frames of lower ones.

As where a stretch was written over the next segment's beginning, and then the original was lost, or where two blocks
stand in each other's place. Where the chain fits, repair puts such a block back: its records would go with it to
quarantine otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence, Set
from typing import Final, NamedTuple

from mgit_hooks.journal import identity
from mgit_hooks.journal.findings import Hole
from mgit_hooks.journal.format import BLOCK, FOOTER, FormatError, JournalId, footer_info
from mgit_hooks.journal.reader import Block, frames, open_block
from mgit_hooks.journal.segment import Damage, Located, scan
from mgit_hooks.journal.verify import walk

_MISPLACED: Final = ("duplicate", "out-of-turn")


class Astray(NamedTuple):
    """A block and where it belongs: in ``item.segment``, before the frame that lies ``before`` now.

    Where that one is in the next segment, or there is none, it belongs at the end of its own.
    """

    item: Located
    before: tuple[str, int] | None


def left(journal_dir: str, damaged: Iterable[Damage], strays: Sequence[Astray] = ()) -> Iterator[Located | Damage]:
    """What there will be once the damages are taken out and the strays are back."""
    cut = {(damage.segment, damage.offset) for damage in damaged if damage.length}
    for item in frames(journal_dir):
        place = (item.segment, item.offset)
        if place not in cut:
            yield from (stray.item for stray in strays if stray.before == place)
            yield item
    yield from (stray.item for stray in strays if stray.before is None)


def holes_left(
    journal_dir: str, damaged: Iterable[Damage], strays: Sequence[Astray] = ()
) -> tuple[list[Hole], Set[Hole]]:
    """The holes in what will be left, the records at the end among them that were reported; and what it declares."""
    state = walk(left(journal_dir, damaged, strays))
    holes = list(state.holes)
    hint = identity.read_head(journal_dir)
    if hint is not None and hint.seq >= state.seq:
        holes.append(Hole(state.seq, hint.seq, state.head.hex(), hint.id.hex()))
    return holes, state.declared | state.archived


def astray(journal_dir: str, damaged: Sequence[Damage], journals: Sequence[JournalId]) -> list[Astray]:
    """The blocks among the damages that repeat nothing which will be left; the first of each number.

    One that belongs in a later segment than it lies in stays where it is: a repair that was killed between the two
    would have taken it out, and not put it back.
    """
    found = sorted(_misplaced(journal_dir, damaged, journals), key=lambda pair: pair[1].first_seq)
    if not found:
        return []
    fitting = _fitting(found, holes_left(journal_dir, damaged)[0])
    strays: list[Astray] = []
    last: Located | None = None
    for item in left(journal_dir, damaged) if fitting else ():
        if isinstance(item, Damage):
            continue
        while fitting and _first(item) >= fitting[0].frame.first_seq + fitting[0].frame.records:
            stray = fitting.pop(0)
            if last is not None and not (item.segment != last.segment and last.frame.kind == FOOTER):
                home = item.segment if item.offset else last.segment
                if home <= stray.segment:
                    strays.append(Astray(stray._replace(segment=home), (item.segment, item.offset)))
        last = item
    if last is not None and last.frame.kind != FOOTER:
        name = last.segment
        strays += (Astray(stray._replace(segment=name), None) for stray in fitting if name <= stray.segment)
    return strays


def _misplaced(
    journal_dir: str, damaged: Sequence[Damage], journals: Sequence[JournalId]
) -> Iterator[tuple[Located, Block]]:
    places = {(damage.segment, damage.offset) for damage in damaged if damage.kind in _MISPLACED}
    for name in sorted({segment for segment, _ in places}):
        for item in scan(journal_dir, name, journals):
            if isinstance(item, Located) and item.frame.kind == BLOCK and (name, item.offset) in places:
                try:
                    yield item, open_block(item)
                except FormatError:
                    continue


def _fitting(found: Iterable[tuple[Located, Block]], holes: Sequence[Hole]) -> list[Located]:
    """Those that lie in a hole as a whole, beside each other, with the chain ids that adjoin."""
    fitting: list[Located] = []
    ends: dict[Hole, tuple[int, str]] = {hole: (hole.first_seq, hole.before) for hole in holes}
    for item, block in found:
        hole = next((each for each in holes if each.first_seq <= block.first_seq <= each.last_seq), None)
        if hole is None or block.next_seq > hole.last_seq + 1 or block.first_seq < ends[hole][0]:
            continue
        if block.first_seq == ends[hole][0] and block.previous.hex() != ends[hole][1]:
            continue
        if block.next_seq > hole.last_seq and block.ids[-1].hex() != hole.after:
            continue
        ends[hole] = (block.next_seq, block.ids[-1].hex())
        fitting.append(item)
    return fitting


def _first(item: Located) -> int:
    return footer_info(item.frame).last_seq + 1 if item.frame.kind == FOOTER else item.frame.first_seq
