"""Whole frames in a wrong place: a copied block, or a stretch of the disk that was written somewhere else.

Such a frame may be ahead of its place. Taken for what comes next, it would make repetitions of all records up to
it, though nothing touched them. So where the numbers jump ahead, what follows in the segment says which of its
frames are in turn: those that leave the most records, none of them beyond where the next segment begins. Where that
one's header is lost its blocks are judged along: the lowest of them may itself be the one in a wrong place.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

from mgit_hooks.journal.format import BLOCK, CURSOR, FOOTER, SEGMENT, FormatError, footer_info
from mgit_hooks.journal.segment import Damage, Located


class Span(NamedTuple):
    """The numbers that a frame says it holds: from ``first`` to before ``next``; none in a frame without records."""

    first: int
    next: int


class After(NamedTuple):
    """What stands after a segment: the blocks that are judged along with its frames, and where the rest begins."""

    blocks: Sequence[Span] = ()
    limit: int | None = None


def in_turn(
    items: Iterator[Located | Damage], expected: int, after: Callable[[str, int], After]
) -> Iterator[Located | Damage]:
    """The same items, but a frame that is ahead of its place is the damage ``out-of-turn``.

    ``expected``: the first item's seq, 0 where it is not known. ``after``: what stands after the named segment, at a
    seq or above; asked only after a jump, and the rest of the segment is in memory then.
    """
    for name, segment in groupby(items, key=lambda item: item.segment):
        for item in segment:
            span = _span(item)
            if span is not None and 0 < expected < span.first:
                rest = [item, *segment]  # noqa: B031 - the loop ends with it
                judged, expected = _judged(rest, expected, after(name, expected))
                yield from judged
            else:
                expected = max(expected, span.next if span is not None else 0)
                yield item


def _span(item: Located | Damage) -> Span | None:
    if isinstance(item, Damage):
        return None
    frame = item.frame
    if frame.kind == FOOTER:
        try:
            after = footer_info(frame).last_seq + 1
        except FormatError:
            return None
        return Span(after, after)
    if frame.kind in (BLOCK, CURSOR) or (frame.kind == SEGMENT and not item.offset):
        return Span(frame.first_seq, frame.first_seq + frame.records)
    return None


def _judged(items: Sequence[Located | Damage], expected: int, after: After) -> tuple[list[Located | Damage], int]:
    kept = _most([*map(_span, items), *after.blocks], expected, after.limit)
    judged: list[Located | Damage] = []
    for place, item in enumerate(items):
        span = _span(item)
        if span is None or isinstance(item, Damage) or span.first < expected:
            judged.append(item)  # what goes back repeats what was read: the caller's to judge
        elif place in kept:
            judged.append(item)
            expected = span.next
        else:
            judged.append(Damage(item.segment, item.offset, item.frame.length, "out-of-turn"))
    return judged, expected


class _Run(NamedTuple):
    """Frames in turn up to one of them: where their numbers end, and how much they are worth."""

    next: int
    worth: int
    place: int
    before: _Run | None


def _most(spans: Sequence[Span | None], expected: int, limit: int | None) -> set[int]:
    """The places of the frames that, taken in turn, leave the most records; among equals, of the most frames."""
    # Sorted by ``next``, each worth more than the one before it: a run that ends later and is worth less is no use.
    runs = [_Run(expected, 0, -1, None)]
    for place, span in enumerate(spans):
        if span is None or span.first < expected or (limit is not None and span.next > limit):
            continue
        before = runs[bisect_right(runs, span.first, key=lambda run: run.next) - 1]
        run = _Run(span.next, before.worth + (span.next - span.first) * len(spans) + 1, place, before)
        at = bisect_right(runs, run.next, key=lambda run: run.next)
        if runs[at - 1].worth >= run.worth:
            continue
        start = at - 1 if runs[at - 1].next == run.next else at
        end = at
        while end < len(runs) and runs[end].worth <= run.worth:
            end += 1
        runs[start:end] = [run]
    kept = set()
    last: _Run | None = runs[-1]
    while last is not None:
        kept.add(last.place)
        last = last.before
    return kept
