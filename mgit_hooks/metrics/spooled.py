"""The lines that operations leave in ``metrics/now``, read back.

Whoever folds them gives ``now`` another name first, ``now.NUMBER``; who had it open by then writes there still. So such
a file is read at each folding until it is old, and then deleted. What is read twice is known by its id.
"""

from __future__ import annotations

import json
import math
import os
import re
from contextlib import suppress
from typing import Any, Final, NamedTuple

from mgit_hooks import meter, operation
from mgit_hooks.files import open_to_read

note = operation.note
"""``note(folder, operation)``: append the line of an operation that has ended; see there."""

SEPARATOR: Final = b"\x1e"
GRACE: Final = 60.0
"""Seconds for which a file that was renamed is kept: a writer has it open for less than a thousandth of one."""
_TYPES: Final = {"code": int, "items": int, "bytes": int, "mem": int, "t": float, "s": float, "cpu": float}
_ID: Final = re.compile(r"[0-9a-f]{16}")


class Noted(NamedTuple):
    """One operation that has ended. ``started`` is seconds since 1970 by the clock of then; ``memory`` is bytes, None
    where the system did not tell; ``error`` is the name of a class."""

    id: str
    started: float
    type: str
    name: str
    seconds: float
    cpu: float
    memory: int | None
    items: int
    bytes: int
    code: int
    error: str | None
    phases: dict[str, float]
    counts: dict[str, int]

    @property
    def success(self) -> bool:
        return meter.success(self.error, self.code)


class Read(NamedTuple):
    """``cut`` counts the lines that are no operation: a kill or a full disk has cut them. ``size`` is in bytes."""

    noted: list[Noted]
    cut: int
    size: int


def decode(line: bytes) -> Noted | None:
    """The operation of one line, without its separator; None where it is none, whole."""
    if not line.endswith(b"}\n") or len(line) >= operation.LONGEST:
        return None
    try:
        return _noted(json.loads(line))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def _noted(told: Any) -> Noted:
    """Raises ValueError, KeyError, TypeError or AttributeError."""
    if told["v"] != 1 or not _ID.fullmatch(told["id"]):
        raise ValueError("of another version")
    numbers = {name: _number(told[name], kind) for name, kind in _TYPES.items()}
    type, name = meter.word(told["type"]), meter.word(told["name"])
    error = None if told["error"] is None else meter.word(told["error"])
    phases = {meter.word(name): _number(value, float) for name, value in told.get("phases", {}).items()}
    counts = {meter.word(name): _number(value, int) for name, value in told.get("counts", {}).items()}
    return Noted(
        told["id"], numbers["t"], type, name, numbers["s"], numbers["cpu"], numbers["mem"] or None,
        numbers["items"], numbers["bytes"], numbers["code"], error, phases, counts,
    )  # fmt: skip


def _number(value: Any, kind: type) -> Any:
    if isinstance(value, bool) or not isinstance(value, int if kind is int else int | float):
        raise TypeError("no number")
    if not math.isfinite(value) or not 0 <= value < 1 << 62:
        raise ValueError("out of range")
    return kind(value)


def read(path: str) -> Read:
    """The operations of one file, which others may append to meanwhile. Raises OSError."""
    with open_to_read(path) as file:
        return taken_apart(file.read(operation.LARGEST + operation.LONGEST))


def taken_apart(data: bytes) -> Read:
    first, *lines = data.split(SEPARATOR)
    found = [decode(line) for line in lines]
    noted = [each for each in found if each is not None]
    return Read(noted, len(found) - len(noted) + bool(first), len(data))


def folder_of(folder: str) -> str:
    return os.path.join(folder, "metrics")


def waiting(folder: str) -> list[str]:
    """The files with lines in them, in the order in which they were begun."""
    place = folder_of(folder)
    try:
        names = os.listdir(place)
    except (FileNotFoundError, NotADirectoryError):
        return []
    old = sorted((name for name in names if re.fullmatch(r"now\.\d{1,19}", name)), key=lambda name: int(name[4:]))
    return [os.path.join(place, name) for name in (*old, *(["now"] if "now" in names else []))]


def set_aside(folder: str) -> None:
    """Give ``now`` another name, so that no more is appended to it. Raises OSError; under the lock of who folds."""
    place = folder_of(folder)
    number = 1 + max((int(path.rpartition(".")[2]) for path in waiting(folder) if not path.endswith("now")), default=0)
    with suppress(FileNotFoundError):
        os.rename(os.path.join(place, "now"), os.path.join(place, f"now.{number}"))


def removed(path: str, size: int) -> list[Noted]:
    """Delete a file that was set aside and is old, and is folded to ``size``; what has come since. Raises OSError."""
    with open_to_read(path) as file:
        os.unlink(path)
        file.seek(size)
        return taken_apart(file.read(operation.LARGEST)).noted
