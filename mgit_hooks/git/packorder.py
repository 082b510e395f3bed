"""Where objects lie in packs: many are read in the order that takes apart the fewest deltas.

A delta stands behind what it is made from (gitformat-pack(5), OBJ_OFS_DELTA). libgit2 keeps the bases that it
comes through, but not the object that it was asked for: read from the back of the pack, each next object has
mostly been come through already. Read from the front, each is inflated once for itself and once as a base.
"""

from __future__ import annotations

import mmap
import os
import struct
from collections.abc import Iterable
from typing import NamedTuple

from mgit_hooks.record import Oid

_MAGIC = b"\xfftOc\x00\x00\x00\x02"  # gitformat-pack(5), version 2 of the index
_FANOUT = 8
_NAMES = _FANOUT + 256 * 4
_NAME = 20
_PACKS = 8  # the largest; of what lies in others nothing is known
_FAR = 1 << 31


class _Index(NamedTuple):
    data: mmap.mmap
    fanout: tuple[int, ...]  # how many names begin with a byte up to this one

    def offset(self, name: bytes) -> int | None:
        first = name[0]
        low, high = self.fanout[first - 1] if first else 0, self.fanout[first]
        data = self.data
        while low < high:
            middle = (low + high) >> 1
            start = _NAMES + _NAME * middle
            found = data[start : start + _NAME]
            if found == name:
                return self._offset(middle)
            if found < name:
                low = middle + 1
            else:
                high = middle
        return None

    def _offset(self, number: int) -> int:
        count = self.fanout[255]
        offsets = _NAMES + (_NAME + 4) * count  # behind the names, and a checksum for each
        offset: int = struct.unpack_from(">I", self.data, offsets + 4 * number)[0]
        if offset < _FAR:
            return offset
        far: int = struct.unpack_from(">Q", self.data, offsets + 4 * count + 8 * (offset - _FAR))[0]
        return far


class PackOrder:
    """The packs of one repository as they are when this is made. Only a hint: any order reads the same.

    Raises nothing: an index that cannot be read is passed over. ``objects_dir`` is the folder `objects`.
    """

    def __init__(self, objects_dir: str) -> None:
        self._objects_dir = objects_dir
        self._indexes: list[_Index] | None = None

    def sorted(self, oids: Iterable[Oid]) -> list[Oid]:
        """From the back of each pack to its front; what is in no pack comes first, as it came."""
        if self._indexes is None:
            self._indexes = _indexes(os.path.join(self._objects_dir, "pack"))
        placed = [(self._place(oid), oid) for oid in oids]
        placed.sort(key=_by_place, reverse=True)
        return [oid for _, oid in placed]

    def _place(self, oid: Oid) -> tuple[int, int]:
        name = bytes.fromhex(oid)
        for number, index in enumerate(self._indexes or ()):
            try:
                offset = index.offset(name)
            except (IndexError, struct.error):  # damaged: libgit2 is to say so
                continue
            if offset is not None:
                return number, offset
        return _PACKS, 0


def _by_place(placed: tuple[tuple[int, int], Oid]) -> tuple[int, int]:
    return placed[0]


def _indexes(folder: str) -> list[_Index]:
    try:
        with os.scandir(folder) as entries:
            packs = [(entry.stat().st_size, entry.path) for entry in entries if entry.name.endswith(".idx")]
    except OSError:
        return []
    found = (_index(path) for _, path in sorted(packs, reverse=True)[:_PACKS])
    return [index for index in found if index is not None]


def _index(path: str) -> _Index | None:
    try:
        with open(path, "rb") as file:
            data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError):  # gone by now, or empty
        return None
    if data[:_FANOUT] != _MAGIC or len(data) < _NAMES:
        return None
    return _Index(data, struct.unpack_from(">256I", data, _FANOUT))
