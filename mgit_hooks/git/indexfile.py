"""The one thing of git's index file that libgit2 does not tell: which entries are only promised.

`git add -N` leaves an entry that git's diff and git's trees pass over; libgit2 takes it for an added
empty file. Format: git's gitformat-index(5).
"""

from __future__ import annotations

import struct

_HEADER = struct.Struct(">4sII")
_FIXED = 62  # bytes before an entry's path: times, ids, mode, size, SHA-1, flags
_EXTENDED = 0x4000
_INTENT_TO_ADD = 0x2000


def intent_to_add(raw: bytes) -> frozenset[bytes]:
    """The paths that `git add -N` promised. An index of version 2 cannot hold any."""
    signature, version, count = _HEADER.unpack_from(raw)
    if signature != b"DIRC" or version not in (3, 4):
        return frozenset()
    found = set()
    at = _HEADER.size
    path = b""
    for _ in range(count):
        flags = int.from_bytes(raw[at + 60 : at + 62], "big")
        start = at + _FIXED
        promised = False
        if flags & _EXTENDED:
            promised = bool(int.from_bytes(raw[start : start + 2], "big") & _INTENT_TO_ADD)
            start += 2
        if version == 4:
            dropped, start = _varint(raw, start)
            end = raw.index(b"\0", start)
            path = path[: len(path) - dropped] + raw[start:end]
            at = end + 1
        else:
            end = raw.index(b"\0", start)
            path = raw[start:end]
            at += (end - at + 8) & ~7  # padded with 1 to 8 NULs
        if promised:
            found.add(path)
    return frozenset(found)


def _varint(raw: bytes, at: int) -> tuple[int, int]:
    """git's offset encoding: each continued byte adds one before the shift."""
    byte = raw[at]
    value = byte & 0x7F
    while byte & 0x80:
        at += 1
        byte = raw[at]
        value = (value + 1) << 7 | byte & 0x7F
    return value, at + 1
