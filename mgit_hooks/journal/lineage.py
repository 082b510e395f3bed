"""What became of a commit, and of what it came: all commits that records link by ``replaces``."""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from typing import NamedTuple

from mgit_hooks.journal.index import Index
from mgit_hooks.record import Oid


class Kin(NamedTuple):
    """One commit among those that it is linked with."""

    commit: Oid
    replaces: tuple[Oid, ...]
    replaced_by: tuple[Oid, ...]


def lineage(index: Index, commit: Oid) -> list[Kin]:
    """All commits that are linked with this one, however far: what was replaced stands before what replaced it.

    Else they are in the order of their first records; those without one come first. Links that run in a circle, which
    no history makes but a journal can hold, are cut where the first of their records is.
    """
    found: dict[Oid, Kin] = {}
    waiting = [commit]
    while waiting:
        each = waiting.pop()
        if each not in found:
            found[each] = Kin(each, tuple(index.replaces(each)), tuple(index.replaced_by(each)))
            waiting += (*found[each].replaces, *found[each].replaced_by)
    return [found[each] for each in _in_order(found, {each: _first_seq(index, each) for each in found})]


def _first_seq(index: Index, commit: Oid) -> int:
    """The number of a commit's first record, which later ones may stand in for; 0 where there is none."""
    return next((row.seq for row in index.by_prefix(commit)), 0)


def _in_order(found: dict[Oid, Kin], seqs: dict[Oid, int]) -> list[Oid]:
    left = {each: len(set(kin.replaces) - {each}) for each, kin in found.items()}
    ready = [(seqs[each], each) for each, count in left.items() if not count]
    heapify(ready)
    rest = sorted((seq, each) for each, seq in seqs.items())
    order: dict[Oid, None] = {}
    at = 0
    while len(order) < len(found):
        if ready:
            each = heappop(ready)[1]
        else:  # a circle
            each = rest[at][1]
            at += 1
        if each in order:
            continue
        order[each] = None
        for new in set(found[each].replaced_by) - {each}:
            left[new] -= 1
            if not left[new]:
                heappush(ready, (seqs[new], new))
    return list(order)
