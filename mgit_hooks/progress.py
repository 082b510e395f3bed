"""How far long work has come, on a terminal's standard error; elsewhere nothing is printed."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from mgit_hooks import meter, operation
from mgit_hooks.output import Output

if TYPE_CHECKING:
    from mgit_hooks.metrics.running import Beacon

_WIDTH = 30
_EVERY = 0.1  # seconds between two drawings
LONG = 1.0
"""Seconds after which other processes are told, too."""


@contextmanager
def progress(what: str, out: Output, *, unit: str = "items") -> Iterator[Callable[[int, int], None]]:
    """Gives a function to call with what is done and the total; the bar is gone when the work ends.

    ``unit`` (items or bytes) is what they count: the operation under way has worked off so much.
    """
    drawn = 0.0
    silent = out.quiet or not sys.stderr.isatty()
    of = operation.under_way()
    beacon: Beacon | None = None

    def show(done: int, total: int) -> None:
        nonlocal drawn, beacon
        meter.done(**{unit: done})
        if beacon is None and of is not None and meter.elapsed(of) > LONG:
            from mgit_hooks.metrics.running import Beacon

            beacon = Beacon(of)
        if beacon is not None:
            beacon.tell(total if unit == "items" else 0)
        if silent:
            return
        if time.monotonic() - drawn < _EVERY:
            return
        drawn = time.monotonic()
        filled = _WIDTH * done // max(total, 1)
        sys.stderr.write(f"\r{what} [{'#' * filled}{'.' * (_WIDTH - filled)}] {done}/{total}")
        sys.stderr.flush()

    try:
        with meter.phase(what):
            yield show
    finally:
        if beacon is not None:
            beacon.end()
        if drawn:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
