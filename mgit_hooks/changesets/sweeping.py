"""Many repositories of a ``diff``, bounded: what each shows, in the order of the paths."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final

from mgit_hooks import dates
from mgit_hooks.changesets.looking import Seen, Wanted, look
from mgit_hooks.changesets.shapes import RepositoryChangeset
from mgit_hooks.git.place import Place

if TYPE_CHECKING:
    from mgit_hooks.bulk import Outcome, Plan

_QUICKLY: Final = 0.25
"""Seconds of work that one process does by itself before it starts others: many small repositories take no longer."""


def sweep(paths: Sequence[str], wanted: Wanted, workers: int) -> Iterator[Seen]:
    """At most ``workers`` at a time, in processes of their own where it is not done at once."""
    waiting = list(reversed(paths))
    left = _QUICKLY
    while waiting and (left > 0 or workers == 1 or len(waiting) == 1):
        began = time.monotonic()
        seen = look(waiting.pop(), wanted)
        left -= time.monotonic() - began
        yield seen
    if waiting:
        from mgit_hooks.bulk import Plan

        count = min(workers, len(waiting))
        yield from sweep_by(waiting[::-1], wanted, Plan(workers=count, prefetch=4 * count))


def sweep_by(paths: Sequence[str], wanted: Wanted, plan: Plan) -> Iterator[Seen]:
    """As ``sweep``, by the numbers of ``plan``. What ends a worker, or takes too long, costs its repository only."""
    yield from map(_seen, running(paths, partial(look, wanted=wanted), plan))


def running(paths: Sequence[str], function: Callable[[str], Seen], plan: Plan) -> Iterator[Outcome]:
    from mgit_hooks import bulk  # for one repository none of it is loaded

    return bulk.run(paths, function, plan)


def _seen(outcome: Outcome) -> Seen:
    if outcome.error is None:
        seen: Seen = outcome.value
        return seen
    place = Place(outcome.item, "")
    failed = RepositoryChangeset(
        place.path, place.name, dates.now(), False, "error", error=f"{outcome.error}" or type(outcome.error).__name__
    )
    return Seen(failed, {}, False, False)
