"""In which order trailers stand: the keys that a rule names at the end, in its order; all else as it is."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from mgit_hooks.judging.trailers import Trailer

_PAIR: Final = ("co-developed-by", "signed-off-by")


def ranks(trailers: Sequence[Trailer], order: Sequence[str]) -> list[int]:
    """For each trailer where it belongs: the lower, the earlier; equal ones stay as they stand.

    A ``Co-developed-by`` goes with the ``Signed-off-by`` of the same person that follows at once: so the kernel has it
    (Documentation/process/submitting-patches.rst).
    """
    places = {key.casefold(): number for number, key in enumerate(order, 1)}
    found = [places.get(each.key.casefold(), 0) for each in trailers]
    for number, (one, next_one) in enumerate(pairwise(trailers)):
        if (one.key.casefold(), next_one.key.casefold()) == _PAIR and one.value == next_one.value:
            found[number] = found[number + 1]
    return found


def misplaced(trailers: Sequence[Trailer], order: Sequence[str]) -> list[str]:
    """The keys of those that stand behind one that they belong before."""
    highest = 0
    found = []
    for trailer, rank in zip(trailers, ranks(trailers, order), strict=True):
        if rank < highest:
            found.append(trailer.key)
        highest = max(highest, rank)
    return found
