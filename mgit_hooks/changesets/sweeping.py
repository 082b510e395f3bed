"""Many repositories of a ``diff``, bounded: what each shows, in the order of the paths."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final

from mgit_hooks import dates
from mgit_hooks.changesets import working
from mgit_hooks.changesets.looking import Seen, Wanted, load, look

if TYPE_CHECKING:
    from mgit_hooks.bulk import Outcome, Plan

WORKERS: Final = 5
_QUICKLY: Final = 0.25
"""Seconds of work that one process does by itself before it starts others: many small repositories take no longer."""


def sweep(paths: Sequence[str], wanted: Wanted, workers: int | None, batch: int | None = None) -> Iterator[Seen]:
    """At most ``workers`` at a time, in processes of their own where it is not done at once; each is handed at most
    ``batch`` repositories at once. Where nothing is said, as many as there are processors and one, at most WORKERS:
    one waits for the disk now and then."""
    workers = workers or min(WORKERS, _processors() + 1)
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
        each = batch or 1
        yield from sweep_by(waiting[::-1], wanted, Plan(workers=count, batch=each, prefetch=4 * count * each))


def sweep_by(paths: Sequence[str], wanted: Wanted, plan: Plan) -> Iterator[Seen]:
    """As ``sweep``, by the numbers of ``plan``. What ends a worker, or takes too long, costs its repository only."""
    load(wanted)
    yield from map(_seen, running(paths, partial(look, wanted=wanted), plan))


def running(paths: Sequence[str], function: Callable[[str], Seen], plan: Plan) -> Iterator[Outcome]:
    from mgit_hooks import bulk  # for one repository none of it is loaded

    return bulk.run(paths, function, plan)


def _seen(outcome: Outcome) -> Seen:
    if outcome.error is None:
        seen: Seen = outcome.value
        return seen
    why = f"{outcome.error}" or type(outcome.error).__name__
    hint = getattr(outcome.error, "remedy", "")
    return Seen(working.failed(outcome.item, dates.now(), why, hint), {}, keeps=False, fine=False)


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
