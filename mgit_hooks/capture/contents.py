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
_LARGE = 8 * 1024 * 1024  # two files beyond it are worth a look before they are compared line by line


class Counts(NamedTuple):
    """What ``git log --numstat`` says of one file; all None where the contents are not here."""

    additions: int | None
    deletions: int | None
    binary: bool | None


UNKNOWN = Counts(None, None, None)
BINARY = Counts(None, None, True)
NO_LINES = Counts(0, 0, False)


class _Seen(NamedTuple):
    """What is left of a blob that was read ahead."""

    size: int
    has_nul: bool  # among the bytes that git looks at
    lines: int | None  # counted where a file comes or goes whole


class _Kept(NamedTuple):
    blob: Blob
    has_nul: bool


class _Wanted(NamedTuple):
    """What some changes ask of their blobs. ``pairs``: by each of its two blobs, what is compared; ``whole``: whose
    lines are counted."""

    oids: dict[Oid, None]
    pairs: dict[Oid, set[tuple[Oid, Oid]]]
    whole: set[Oid]


class Contents:
    """Blobs by id. The last ones read are kept: a commit's new blob is its child's old one."""

    def __init__(self, objects: Objects, attributes: Attributes) -> None:
        self._objects = objects
        self._attributes = attributes
        self._kept: dict[Oid, _Kept] = {}
        self._room = _KEPT_BYTES
        self._seen: dict[Oid, _Seen] = {}
        self._compared: dict[tuple[Oid, Oid], Counts] = {}

    def expect(self, changes: Iterable[Change]) -> None:
        """Find what ``counts`` of these changes will ask for, blob by blob in the order that costs least.

        In a pack each version of a file is made from one that lies near it: so many commits' changes cost what the
        packs hold, where one commit after the other takes the same deltas apart over and over. What is found is a few
        numbers a change. What cannot be read, is large, or is asked for otherwise (a renamed file) is read when it is
        asked for: it is for that to say.
        """
        wanted = _wanted(changes)
        self._seen.clear()
        self._compared.clear()
        for oid in self._objects.reading_order(wanted.oids):
            try:
                if self._objects.size(oid) <= _KEPT_AT_MOST:
                    self._look(oid, wanted)
            except MissingObject:
                continue

    def _look(self, oid: Oid, wanted: _Wanted) -> None:
        blob, has_nul = self._kept_blob(oid)
        lines = None if has_nul or oid not in wanted.whole else onehunk.count_lines(memoryview(blob))
        self._seen[oid] = _Seen(blob.size, has_nul, lines)
        for pair in tuple(wanted.pairs.get(oid, ())):
            before, after = self._kept.get(pair[0]), self._kept.get(pair[1])
            if before is not None and after is not None:
                is_binary = before.has_nul or after.has_nul
                self._compared[pair] = BINARY if is_binary else Counts(*_compared(before.blob, after.blob), False)
                for each in pair:
                    wanted.pairs[each].discard(pair)
                    self._let_go(each, wanted)
        self._let_go(oid, wanted)

    def _let_go(self, oid: Oid, wanted: _Wanted) -> None:
        """Of a blob with which nothing is to be compared any more: there is room for those that wait for another."""
        if not wanted.pairs.get(oid) and oid in self._kept:
            self._room += self._kept.pop(oid).blob.size + _KEPT_EACH

    def size(self, oid: Oid) -> int:
        """Raises MissingObject."""
        found = self._seen.get(oid)
        if found is not None:
            return found.size
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
        found = self._seen.get(oid)
        if found is not None:
            return found.has_nul
        kept = self._kept.get(oid)
        if kept is None and self._objects.size(oid) > BIG_FILE:
            return True
        return (kept or self._kept_blob(oid)).has_nul

    def counts(self, change: Change) -> Counts:
        """Raises MissingObject."""
        old, new = change.old_oid, change.new_oid
        if change.status == "M" and old and new and self._attributes.binary(change.path) is None:
            found = self._compared.get((old, new))
            if found is not None:
                return found
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
        found = self._seen.get(oid)
        if found is not None and found.lines is not None:
            return found.lines
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


def _wanted(changes: Iterable[Change]) -> _Wanted:
    found = _Wanted({}, {}, set())
    for change in changes:
        sides = ((change.old_mode, change.old_oid), (change.new_mode, change.new_oid))
        oids = [oid for mode, oid in sides if oid is not None and mode != GITLINK]
        found.oids.update(dict.fromkeys(oids))
        if len(oids) == 1:
            found.whole.update(oids)
        elif change.status == "M" and oids and oids[0] != oids[1]:
            pair = oids[0], oids[1]
            for oid in pair:
                found.pairs.setdefault(oid, set()).add(pair)
    return found


def _compared(old: Blob, new: Blob) -> tuple[int, int]:
    found = None
    if old.size + new.size > _LARGE:
        found = onehunk.counts(memoryview(old), memoryview(new))
    return line_counts(old, new) if found is None else found


def _submodule(oid: Oid) -> bytes:
    """What git compares in a submodule's place."""
    return b"Subproject commit %s\n" % oid.encode("ascii")
