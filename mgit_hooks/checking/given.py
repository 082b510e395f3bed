"""Files that a check is given to judge, and standard input: read within bounds."""

from __future__ import annotations

import os
import sys
from typing import BinaryIO, Final

from mgit_hooks import files
from mgit_hooks.errors import UsageError

STDIN: Final = "-"
LARGEST_MESSAGE: Final = 16 * 1024 * 1024
LARGEST_PATCH: Final = 128 * 1024 * 1024  # git has all of a patch in memory
LARGEST_MBOX: Final = 4 * 1024 * 1024 * 1024
_PIECE: Final = 1024 * 1024


def shown(name: str) -> str:
    return "standard input" if name == STDIN else name


def read(name: str, path: str, at_most: int) -> bytes:
    """All of the file at ``path``, or of standard input where ``name`` is ``-``. Raises UsageError, OSError."""
    with _opened(name, path) as file:
        # Not ``read(at_most)``: Python would take as much memory first, however short the file is.
        pieces, size = [], 0
        while piece := file.read(_PIECE):
            size += len(piece)
            _bound(name, size, at_most)
            pieces.append(piece)
    return b"".join(pieces)


def copy(name: str, path: str, target: str, at_most: int) -> bytes:
    """Write all of it to the new file ``target``; gives its first bytes. Raises UsageError, OSError."""
    first, size = b"", 0
    with _opened(name, path) as file, open(target, "xb") as to:
        while piece := file.read(_PIECE):
            first = first or piece
            size += len(piece)
            _bound(name, size, at_most)
            to.write(piece)
    return first


def _opened(name: str, path: str) -> BinaryIO:
    if name == STDIN:
        return os.fdopen(os.dup(sys.stdin.fileno()), "rb")
    try:
        return files.open_to_read(path)
    except FileNotFoundError:
        raise UsageError(f"there is no file {name}", "name a file, or - for standard input") from None


def _bound(name: str, size: int, at_most: int) -> None:
    if size > at_most:
        raise UsageError(f"{shown(name)} is larger than {at_most >> 20} MiB", "give less of it at a time")
