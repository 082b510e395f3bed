"""A bound on how long one repository may take: a pipe where git expects a file holds up whoever opens it, for ever."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import NoReturn

LONGEST = 300.0  # seconds: of one repository, be it on a slow disk


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """Raise TimeoutError in the block after so long, and again each second: what is in there may take the first for a
    file that cannot be read. In another thread than the main one, and where there are no alarms, there is no bound; in
    a block of this kind that has less time left, that one's holds.
    """

    def ring(number: int, frame: FrameType | None) -> NoReturn:
        raise TimeoutError(f"it took more than {seconds:g} seconds")

    left, again = signal.getitimer(signal.ITIMER_REAL) if hasattr(signal, "getitimer") else (0.0, 0.0)
    before = None
    if not 0 < left <= seconds:
        with suppress(ValueError, AttributeError):
            before = signal.signal(signal.SIGALRM, ring)
    if before is None:
        yield
        return
    begun = time.monotonic()
    try:
        signal.setitimer(signal.ITIMER_REAL, seconds, 1)
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        if left:
            signal.setitimer(signal.ITIMER_REAL, max(left - (time.monotonic() - begun), 0.001), again)
