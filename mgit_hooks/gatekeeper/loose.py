"""An object that was just made lies in a file of its own: read there, without waiting for a process."""

from __future__ import annotations

import os

from mgit_hooks.regular import open_to_read

LIMIT = 1 << 20
"""Bytes of one object that are looked at; what comes behind them is not."""
_HEADER = 64
_PIECE = 64 * 1024


def beginning(folder: str, oid: str) -> bytes | None:
    """gitrepository-layout(5), objects/xx/: ``KIND SIZE NUL CONTENT``, deflated. At most LIMIT bytes of it.

    None where there is no such file, or it is not as it should be: git's to say.
    """
    from zlib import decompressobj, error

    try:
        with open_to_read(os.path.join(folder, oid[:2], oid[2:])) as file:
            stream, inflated = decompressobj(), b""
            while len(inflated) < LIMIT + _HEADER and (piece := file.read(_PIECE)):
                inflated += stream.decompress(piece, LIMIT + _HEADER - len(inflated))
    except (OSError, error):
        return None
    header, _, content = inflated.partition(b"\0")
    size = header.rpartition(b" ")[2]
    if not size.isdigit() or len(content) < min(int(size), LIMIT):
        return None
    return content[:LIMIT]
