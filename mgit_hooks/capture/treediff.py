"""What differs between two trees, at the cost of the folders that differ.

libgit2 reads all of both trees for that, as far as they go down: 10,000 folders for a commit of one file.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final, TypeAlias

from mgit_hooks.capture.rawdiff import Change
from mgit_hooks.record import Oid

_Entries: TypeAlias = frozenset[bytes]
_Entry: TypeAlias = tuple[bytes, Oid]  # the mode as it is written, and the id

# The modes that git writes today. What else a tree may hold, git makes one of these when it reads it.
_ENTRY: Final = re.compile(rb"(?:40000|100644|100755|120000|160000) [^\0/]+\0.{20}", re.DOTALL)
_FOLDER: Final = b"40000"
_FILE: Final = ord("1")  # that a mode begins with which is not a folder's
_MODES: Final = {mode: int(mode, 8) for mode in (b"100644", b"100755", b"120000", b"160000")}
_NOTHING: Final = (b"", Oid(""))
_NONE: Final[_Entries] = frozenset()
_KEPT: Final = 4096  # entries of trees that were looked at last: a commit's tree is its child's old one
# Bytes of a tree that libgit2 is left to compare: here an entry takes four times what it takes there.
_LARGE: Final = 4 * 1024 * 1024
_DEEPEST: Final = 200  # folders in each other; Python's stack ends somewhere, and libgit2's later


class Irregular(Exception):
    """A tree that is not as git writes it (another mode or order, a name twice), or too large or deep."""


class Trees:
    """The trees of one repository. ``read`` gives a tree's bytes, in which ids are of SHA-1."""

    def __init__(self, read: Callable[[Oid], bytes]) -> None:
        self._read = read
        self._kept: dict[Oid, _Entries] = {}
        self._room = _KEPT

    def changes(self, old: Oid | None, new: Oid | None) -> list[Change]:
        """By path; None is the empty tree. Raises Irregular, and what ``read`` raises."""
        found = list(self._changes(b"", old, new, _DEEPEST))
        # What is in a folder comes behind a file of a name that goes on with less than a slash.
        found.sort(key=_path)
        return found

    def _changes(self, above: bytes, old: Oid | None, new: Oid | None, deeper: int) -> Iterator[Change]:
        if not deeper:
            raise Irregular
        before, after = self._entries(old), self._entries(new)
        gone, come = _by_name(before - after), _by_name(after - before)
        for name in sorted(gone.keys() | come.keys()):
            was, now = gone.get(name, _NOTHING), come.get(name, _NOTHING)
            one, other = _folder(was), _folder(now)
            if one is not None or other is not None:
                yield from self._changes(b"%b%b/" % (above, name), one, other, deeper - 1)
            if was[0] in _MODES or now[0] in _MODES:
                yield _change(was, now, above + name)

    def _entries(self, oid: Oid | None) -> _Entries:
        if oid is None:
            return _NONE
        entries = self._kept.pop(oid, None)
        if entries is None:
            raw = self._read(oid)
            if len(raw) > _LARGE:
                raise Irregular
            found = _ENTRY.findall(raw)
            if b"".join(found) != raw or not _in_order(found):
                raise Irregular
            entries = frozenset(found)
            self._room -= len(entries) + 1
            while self._room < 0 and self._kept:
                self._room += len(self._kept.pop(next(iter(self._kept)))) + 1
        self._kept[oid] = entries
        return entries


def _in_order(entries: list[bytes]) -> bool:
    """git sorts a folder as if its name ended in a slash."""
    keys = [entry[7:-21] if entry[0] == _FILE else entry[6:-21] + b"/" for entry in entries]
    return keys == sorted(keys)


def _by_name(entries: _Entries) -> dict[bytes, _Entry]:
    found = {}
    for entry in entries:
        mode, _, rest = entry.partition(b" ")
        found[rest[:-21]] = mode, Oid(rest[-20:].hex())
    if len(found) < len(entries):
        raise Irregular
    return found


def _folder(entry: _Entry) -> Oid | None:
    return entry[1] if entry[0] == _FOLDER else None


def _change(was: _Entry, now: _Entry, path: bytes) -> Change:
    """Of one path that is a file, a link or a submodule on one side at least."""
    old, new = _MODES.get(was[0], 0), _MODES.get(now[0], 0)
    if not old:
        return Change("A", 0, new, None, now[1], path)
    if not new:
        return Change("D", old, 0, was[1], None, path)
    return Change("M" if old >> 12 == new >> 12 else "T", old, new, was[1], now[1], path)


def _path(change: Change) -> bytes:
    return change.path
