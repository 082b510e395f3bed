"""How far long work has come, on a terminal's standard error; elsewhere nothing is printed."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from mgit_hooks import operation
from mgit_hooks.output import Output

_WIDTH = 30
_EVERY = 0.1  # seconds between two drawings


@contextmanager
def progress(what: str, out: Output, *, unit: str = "items") -> Iterator[Callable[[int, int], None]]:
    """Gives a function to call with what is done and the total; the bar is gone when the work ends.

    ``unit`` (items or bytes) is what they count: the operation under way has worked off so much.
    """
    drawn = 0.0
    silent = out.quiet or not sys.stderr.isatty()

    def show(done: int, total: int) -> None:
        nonlocal drawn
        operation.done(**{unit: done})
        if silent:
            return
        if time.monotonic() - drawn < _EVERY:
            return
        drawn = time.monotonic()
        filled = _WIDTH * done // max(total, 1)
        sys.stderr.write(f"\r{what} [{'#' * filled}{'.' * (_WIDTH - filled)}] {done}/{total}")
        sys.stderr.flush()

    try:
        with operation.phase(what):
            yield show
    finally:
        if drawn:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
