"""The id of the tree that an index would write, without writing it.

Only the folders that changed are hashed again: with the id comes what the commit will hold, at the cost
of the change and not of the repository.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from functools import partial
from typing import Final

from mgit_hooks.capture.rawdiff import Change
from mgit_hooks.record import Oid

_FOLDER = 0o40000
_Entries = dict[bytes, tuple[int, Oid]]  # name to mode and id
_Hash = Callable[[bytes], "hashlib._Hash"]
_HASHES: Final[dict[str, _Hash]] = {
    "sha1": partial(hashlib.sha1, usedforsecurity=False),
    "sha256": hashlib.sha256,
}


def changed_tree(
    root: Oid | None, changes: Iterable[Change], read: Callable[[Oid], bytes], object_format: str = "sha1"
) -> Oid:
    """The tree ``root`` (None is the empty one) with ``changes`` made; ``read`` gives a tree's bytes.

    ``object_format`` is the repository's: ``sha1`` or ``sha256``.
    """
    hashed = _HASHES[object_format]
    return _rewritten(root, [(change.path.split(b"/"), change) for change in changes], read, hashed)[0]


def _rewritten(
    oid: Oid | None, changes: Iterable[tuple[list[bytes], Change]], read: Callable[[Oid], bytes], hashed: _Hash
) -> tuple[Oid, bool]:
    """The new id, and whether anything is left in it."""
    entries = _parsed(read(oid), hashed(b"").digest_size) if oid is not None else {}
    below: dict[bytes, list[tuple[list[bytes], Change]]] = {}
    for path, change in changes:
        if len(path) > 1:
            below.setdefault(path[0], []).append((path[1:], change))
        elif change.new_oid is None:
            entries.pop(path[0], None)
    for name, inner in below.items():
        mode, folder = entries.get(name, (0, None))
        new, filled = _rewritten(folder if mode == _FOLDER else None, inner, read, hashed)
        if filled:
            entries[name] = (_FOLDER, new)
        elif mode == _FOLDER:
            del entries[name]
    # After the folders: where a folder gave way to a file of its name, the file is what stays.
    for path, change in changes:
        if len(path) == 1 and change.new_oid is not None:
            entries[path[0]] = (change.new_mode, change.new_oid)
    return _hashed(entries, hashed), bool(entries)


def _parsed(raw: bytes, size: int) -> _Entries:
    """``size`` is that of an object id in bytes."""
    entries: _Entries = {}
    at = 0
    while at < len(raw):
        space, end = raw.index(b" ", at), raw.index(b"\0", at)
        following = end + 1 + size
        entries[raw[space + 1 : end]] = (int(raw[at:space], 8), Oid(raw[end + 1 : following].hex()))
        at = following
    return entries


def _hashed(entries: _Entries, hashed: _Hash) -> Oid:
    # git sorts a folder as if its name ended in a slash.
    ordered = sorted(entries.items(), key=lambda item: item[0] + b"/" if item[1][0] == _FOLDER else item[0])
    body = b"".join(b"%o %s\0%s" % (mode, name, bytes.fromhex(oid)) for name, (mode, oid) in ordered)
    return Oid(hashed(b"tree %d\0%s" % (len(body), body)).hexdigest())
