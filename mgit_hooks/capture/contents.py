"""What the files of a change hold: kept between a commit and its child, counted in lines as git counts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from mgit_hooks.capture import onehunk
from mgit_hooks.capture.rawdiff import GITLINK, Change
from mgit_hooks.git.attributes import Attributes
from mgit_hooks.git.backend import Blob, MissingObject, Objects
from mgit_hooks.git.library import line_counts
from mgit_hooks.record import Oid

BIG_FILE = 512 * 1024 * 1024  # git's core.bigFileThreshold: beyond it a blob is binary, unseen
_LOOK = 8000  # git looks for a NUL in so many first bytes
_KEPT_BYTES = 6 * 1024 * 1024
_KEPT_EACH = 1024  # about what a blob takes beside its content: small ones would else be kept without end
_KEPT_AT_MOST = 4 * 1024 * 1024
EXPECTED_BYTES = 4 * 1024 * 1024
"""So much is read ahead at most, and leaves room for what is at hand from before."""
_LARGE = 8 * 1024 * 1024  # two files beyond it are worth a look before they are compared line by line


class Counts(NamedTuple):
    """What ``git log --numstat`` says of one file; all None where the contents are not here."""

    additions: int | None
    deletions: int | None
    binary: bool | None


UNKNOWN = Counts(None, None, None)
BINARY = Counts(None, None, True)
NO_LINES = Counts(0, 0, False)


class _Kept(NamedTuple):
    blob: Blob
    has_nul: bool  # among the bytes that git looks at


class Contents:
    """Blobs by id. The last ones read are kept: a commit's new blob is its child's old one."""

    def __init__(self, objects: Objects, attributes: Attributes) -> None:
        self._objects = objects
        self._attributes = attributes
        self._kept: dict[Oid, _Kept] = {}
        self._room = _KEPT_BYTES

    def expect(self, changes: Iterable[Change]) -> int:
        """Read what ``counts`` of these changes will ask for, in the order that costs least; the bytes read.

        Where that is more than ``EXPECTED_BYTES``, the rest is read when it is asked for. So is what cannot
        be read: it is for that to say.
        """
        wanted: dict[Oid, None] = {}
        for change in changes:
            old, new = change.old_oid, change.new_oid
            if new is not None and new not in self._kept and change.new_mode != GITLINK:
                wanted[new] = None
            if old is not None and old not in self._kept and change.old_mode != GITLINK:
                wanted[old] = None
        read = 0
        for oid in self._objects.reading_order(wanted):
            try:
                size = self._objects.size(oid)
                if size <= _KEPT_AT_MOST:
                    self._kept_blob(oid)
            except MissingObject:
                continue
            read += size
            if read > EXPECTED_BYTES:
                break
        return read

    def size(self, oid: Oid) -> int:
        """Raises MissingObject."""
        kept = self._kept.get(oid)
        return self._objects.size(oid) if kept is None else kept.blob.size

    def read(self, mode: int, oid: Oid) -> bytes:
        """Raises MissingObject."""
        return _submodule(oid) if mode == GITLINK else bytes(memoryview(self._kept_blob(oid).blob))

    def is_binary(self, path: bytes, mode: int, oid: Oid) -> bool:
        """By the path's ``diff`` attribute, else by a NUL in the content. Raises MissingObject."""
        told = self._attributes.binary(path)
        if told is not None:
            return told
        if mode == GITLINK:
            return False
        kept = self._kept.get(oid)
        if kept is None and self._objects.size(oid) > BIG_FILE:
            return True
        return (kept or self._kept_blob(oid)).has_nul

    def counts(self, change: Change) -> Counts:
        """Raises MissingObject."""
        old, new = change.old_oid, change.new_oid
        if change.status == "M" and old and new and self._attributes.binary(change.path) is None:
            before, after = self._kept.get(old), self._kept.get(new)
            if before and after:  # nearly always: both were expected
                if before.has_nul or after.has_nul:
                    return BINARY
                return Counts(*_compared(before.blob, after.blob), False) if old != new else NO_LINES
        if new is not None and self.is_binary(change.path, change.new_mode, new):
            return BINARY
        if old is not None and self.is_binary(change.old_path or change.path, change.old_mode, old):
            return BINARY
        if old == new:
            return NO_LINES
        if old is None or new is None:
            added = 0 if new is None else self._lines(change.new_mode, new)
            deleted = 0 if old is None else self._lines(change.old_mode, old)
            return Counts(added, deleted, False)
        if GITLINK in (change.old_mode, change.new_mode):
            return Counts(*line_counts(self.read(change.old_mode, old), self.read(change.new_mode, new)), False)
        return Counts(*_compared(self._kept_blob(old).blob, self._kept_blob(new).blob), False)

    def _lines(self, mode: int, oid: Oid) -> int:
        if mode == GITLINK:
            return 1
        return onehunk.count_lines(memoryview(self._kept_blob(oid).blob))

    def _kept_blob(self, oid: Oid) -> _Kept:
        kept = self._kept.pop(oid, None)
        if kept is None:
            blob = self._objects.blob(oid)
            kept = _Kept(blob, b"\0" in bytes(memoryview(blob)[:_LOOK]))
            if blob.size > _KEPT_AT_MOST:
                return kept
            self._room -= blob.size + _KEPT_EACH
            while self._room < 0:
                self._room += self._kept.pop(next(iter(self._kept))).blob.size + _KEPT_EACH
        self._kept[oid] = kept  # last again: the first is the one to go
        return kept


def _compared(old: Blob, new: Blob) -> tuple[int, int]:
    found = None
    if old.size + new.size > _LARGE:
        found = onehunk.counts(memoryview(old), memoryview(new))
    return line_counts(old, new) if found is None else found


def _submodule(oid: Oid) -> bytes:
    """What git compares in a submodule's place."""
    return b"Subproject commit %s\n" % oid.encode("ascii")
