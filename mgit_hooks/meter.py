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
MOST: Final = 1 << 60
"""More of anything counts as so many, and what says more in a file is none of ours."""
_MOST_NAMES: Final = 16
_PLAIN: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._- ")


class phase:  # noqa: N801, RUF100 - stands where a function of contextlib would, which is not loaded
    """A part of the operation under way, timed: ``with phase("judge"): ...``."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __enter__(self) -> None:
        self._began = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        of = operation.under_way()
        if of is not None:
            of.phases[self._name] = of.phases.get(self._name, 0.0) + time.perf_counter() - self._began


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


def rest(seconds: float) -> None:
    """Sleep so long; it is no part of what the operation under way takes."""
    time.sleep(seconds)
    of = operation.under_way()
    if of is not None:
        of.began += seconds


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


def word(text: str) -> str:
    """A name that fits into a line as it is, and tells nothing but a name."""
    return "".join([each if each in _PLAIN else "_" for each in text[:60]])


def in_words(of: Operation) -> Operation:
    """The operation with names that fit into a line, and no more of them than one line holds; ``error`` in quotes."""
    told = Operation.__new__(Operation)
    told.__dict__.update(of.__dict__)
    told.type, told.name = word(of.type), word(of.name)
    told.error = of.error and f'"{word(of.error)}"'
    told.items, told.bytes = min(of.items, MOST), min(of.bytes, MOST)
    told.phases = {word(name): round(min(of.phases[name], MOST), 6) for name in list(of.phases)[:_MOST_NAMES]}
    told.counts = {word(name): min(of.counts[name], MOST) for name in list(of.counts)[:_MOST_NAMES]}
    return told


def first(folder: str, flags: int, make: bool) -> int:
    """Open ``now`` where it is not there yet, or its folder is not. Raises OSError."""
    if make:
        try:
            os.mkdir(f"{folder}/metrics", 0o700)
        except FileExistsError:  # somebody else's first operation
            pass
    return os.open(f"{folder}/metrics/now", flags, 0o600)


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
