"""A bound on how long one repository may take: a pipe where git expects a file holds up whoever opens it, for ever."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """Raise TimeoutError in the block after so long, and again each second: what is in there may take the first for a
    file that cannot be read. In another thread than the main one, and where there are no alarms, there is no bound.
    """

    def ring(number: int, frame: FrameType | None) -> NoReturn:
        raise TimeoutError(f"it took more than {seconds:g} seconds")

    try:
        before = signal.signal(signal.SIGALRM, ring)
    except (ValueError, AttributeError):
        yield
        return
    try:
        signal.setitimer(signal.ITIMER_REAL, seconds, 1)
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
