"""What work says of the operation that it is a part of: how far it is, and where its time goes.

Outside of an operation nothing is counted, and nothing fails.
"""

from __future__ import annotations

import os
import time

from mgit_hooks import operation
from mgit_hooks.operation import Operation

TYPE_CHECKING = False  # without typing: a gate may load it
if TYPE_CHECKING:
    from typing import Final

MUCH: Final = 256 << 10
"""Bytes of ``now`` from which on the background drain folds it, where nobody ever asks for figures."""


class phase:  # noqa: N801, RUF100 - stands where a function of contextlib would, which is not loaded
    """A part of the operation under way, timed: ``with phase("judge"): ...``."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __enter__(self) -> None:
        self._began = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        operation.spent(self._name, self._began)


def done(*, items: int | None = None, bytes: int | None = None) -> None:
    """So much the operation under way has worked off by now."""
    of = operation.under_way()
    if of is not None:
        of.items = of.items if items is None else items
        of.bytes = of.bytes if bytes is None else bytes


def count(name: str, by: int = 1) -> None:
    of = operation.under_way()
    if of is not None:
        of.counts[name] = of.counts.get(name, 0) + by


def failed(error: BaseException) -> None:
    """The operation under way has come to nothing, and says so to somebody without raising."""
    of = operation.under_way()
    if of is not None:
        of.error = type(error).__name__


def elapsed(of: Operation) -> float:
    """Seconds since it began, or that it took."""
    return of.seconds if of.ended else time.perf_counter() - of.began


def success(error: str | None, code: int) -> bool:
    """A gate that refuses and a check that finds something (exit status 1) have done what they are for."""
    return error is None and code in (0, 1)


def is_large(folder: str) -> bool:
    """Whether so much has been noted there that somebody who comes by should fold it."""
    try:
        return os.stat(f"{folder}/metrics/now").st_size > MUCH
    except OSError:
        return False


def most_resident(*, children: bool) -> int | None:
    """Bytes, the most that this process has held; None where the system does not tell. ``children``: of those that have
    ended too.

    A gate reads ``/proc``: to load ``resource`` takes longer than it may take to count.
    """
    found = 0
    try:
        status = os.open("/proc/self/status", os.O_RDONLY | os.O_CLOEXEC)
        try:
            found = int(os.read(status, 4096).partition(b"VmHWM:")[2].split(None, 1)[0]) * 1024
        finally:
            os.close(status)
    except (OSError, ValueError, IndexError):
        found = 0
    if children or (not found and os.name == "posix"):
        try:
            import resource
            import sys

            unit = 1 if sys.platform == "darwin" else 1024
            # Of itself only where nothing else tells: on Linux it begins with what the parent had.
            who = [resource.RUSAGE_CHILDREN] * children + [resource.RUSAGE_SELF] * (not found)
            found = max(found, *(resource.getrusage(each).ru_maxrss * unit for each in who))
        except ImportError:  # Windows
            pass
    return found or None
