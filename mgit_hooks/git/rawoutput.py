"""What two trees, or a tree and an index, differ by, as git prints it: git-diff-tree(1), "Raw output format"."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Protocol

from mgit_hooks.capture.rawdiff import Change
from mgit_hooks.record import Oid

# As libgit2 compares: no configuration of the user's changes what is seen.
OPTIONS: Final = ("--raw", "-z", "--no-abbrev", "--no-renames", "--no-relative", "--ignore-submodules=none")


class Answer(Protocol):
    """What git says, field by field: ``peek`` shows the next byte, nothing at the end."""

    def peek(self) -> bytes: ...
    def line(self, end: bytes) -> bytes: ...


class Whole:
    """An answer that is here as a whole."""

    def __init__(self, told: bytes) -> None:
        self._fields = iter(told.split(b"\0")[:-1])
        self._next = next(self._fields, b"")

    def peek(self) -> bytes:
        return self._next[:1]

    def line(self, end: bytes) -> bytes:
        found, self._next = self._next, next(self._fields, b"")
        return found


def changes(told: Answer) -> Iterator[Change]:
    """The entries up to what is none."""
    while told.peek() == b":":
        old_mode, new_mode, old_oid, new_oid, status = told.line(b"\0")[1:].decode("ascii").split(" ")
        path = told.line(b"\0")
        if status == "U":
            yield Change("U", 0, 0, None, None, path)
        else:
            yield Change(status, int(old_mode, 8), int(new_mode, 8), _oid(old_oid), _oid(new_oid), path)


def _oid(text: str) -> Oid | None:
    return Oid(text) if text.strip("0") else None
