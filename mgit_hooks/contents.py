"""What the files of a change hold: kept between a commit and its child, counted in lines as git counts."""

from __future__ import annotations

from typing import NamedTuple

from mgit_hooks.git.library import Attributes, Objects, line_counts
from mgit_hooks.rawdiff import GITLINK, Change
from mgit_hooks.record import Oid

BIG_FILE = 512 * 1024 * 1024  # git's core.bigFileThreshold: beyond it a blob is binary, unseen
_LOOK = 8000  # git looks for a NUL in so many first bytes
_KEPT_BYTES = 32 * 1024 * 1024
_KEPT_AT_MOST = 1024 * 1024


class Counts(NamedTuple):
    """What ``git log --numstat`` says of one file; all None where the contents are not here."""

    additions: int | None
    deletions: int | None
    binary: bool | None


UNKNOWN = Counts(None, None, None)
BINARY = Counts(None, None, True)


class Contents:
    """Blobs by id. The last ones read are kept: a commit's new blob is its child's old one."""

    def __init__(self, objects: Objects, attributes: Attributes) -> None:
        self._objects = objects
        self._attributes = attributes
        self._kept: dict[Oid, bytes] = {}
        self._room = _KEPT_BYTES

    def read(self, mode: int, oid: Oid | None) -> bytes:
        """The text that git compares: a submodule's is a line of its own. Raises MissingObject."""
        if oid is None:
            return b""
        if mode == GITLINK:
            return b"Subproject commit %s\n" % oid.encode("ascii")
        kept = self._kept.pop(oid, None)
        if kept is None:
            kept = self._objects.read(oid)
            if len(kept) > _KEPT_AT_MOST:
                return kept
            self._room -= len(kept)
            while self._room < 0:
                self._room += len(self._kept.pop(next(iter(self._kept))))
        self._kept[oid] = kept  # last again: the first is the one to go
        return kept

    def size(self, oid: Oid) -> int:
        """Raises MissingObject."""
        kept = self._kept.get(oid)
        return self._objects.size(oid) if kept is None else len(kept)

    def is_binary(self, path: bytes, mode: int, oid: Oid | None) -> bool:
        """By the path's ``diff`` attribute, else by a NUL in the content. Raises MissingObject."""
        if oid is None:
            return False
        told = self._attributes.binary(path)
        if told is not None:
            return told
        if mode != GITLINK and oid not in self._kept and self._objects.size(oid) > BIG_FILE:
            return True
        return b"\0" in self.read(mode, oid)[:_LOOK]

    def counts(self, change: Change) -> Counts:
        """Raises MissingObject."""
        if self.is_binary(change.old_path or change.path, change.old_mode, change.old_oid) or self.is_binary(
            change.path, change.new_mode, change.new_oid
        ):
            return BINARY
        if change.old_oid == change.new_oid:
            return Counts(0, 0, False)
        old = self.read(change.old_mode, change.old_oid)
        new = self.read(change.new_mode, change.new_oid)
        if change.old_oid is None or change.new_oid is None:
            return Counts(_lines(new), _lines(old), False)
        return Counts(*line_counts(old, new), False)


def _lines(content: bytes) -> int:
    """A last line that lacks its newline counts."""
    return content.count(b"\n") + (not content.endswith(b"\n") if content else 0)
