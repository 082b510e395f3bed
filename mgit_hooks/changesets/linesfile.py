"""Lines into a file, whole or not at all; compressed into a standard container where that is asked for."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import BinaryIO, NamedTuple

from mgit_hooks.containers import EXTENSIONS, method_of_name
from mgit_hooks.errors import UsageError
from mgit_hooks.files import status


class Written(NamedTuple):
    """``length`` is the bytes of the lines, ``size`` those of the file."""

    path: str
    length: int
    size: int


def write(path: str, lines: Iterable[bytes], *, compress: bool) -> Written:
    """The lines in ``path``, which they replace when the last one is there; what is no file (a pipe, a device) gets
    them as they come.

    Compressed they are by the method that the name's extension says, else by zstd into ``PATH.zst``. Raises
    UsageError for a folder, OSError, and whatever ``lines`` raises: then what was there is there still.
    """
    method = "none"
    if compress:
        method = method_of_name(path) or "zstd"
        path = path if method_of_name(path) else path + EXTENSIONS[method]
    found = status(path)
    if found is not None and stat.S_ISDIR(found.st_mode):
        raise UsageError(f"{path} is a folder", "name a file")
    if found is not None and not stat.S_ISREG(found.st_mode):
        with open(path, "wb") as file:
            return Written(path, *_into(file, lines, method))
    target = os.path.realpath(path)
    # A name of its own, whatever a killed process of the same number has left, and however long the other one is.
    beside = os.path.join(os.path.dirname(target), f".mgit-{os.urandom(8).hex()}.new")
    try:
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    except OSError as error:
        error.filename = path  # the name that the user knows
        raise
    try:
        with open(descriptor, "wb") as file:
            if found is not None:
                os.fchmod(descriptor, stat.S_IMODE(found.st_mode))
            sizes = _into(file, lines, method)
            file.flush()
            os.fsync(descriptor)
        os.replace(beside, target)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(beside)
        raise
    return Written(path, *sizes)


def _into(file: BinaryIO, lines: Iterable[bytes], method: str) -> tuple[int, int]:
    return compressed(lines, method, file.write)


def compressed(lines: Iterable[bytes], method: str, take: Callable[[bytes], object]) -> tuple[int, int]:
    """Give ``take`` the container of ``lines``; how many bytes they have, and it. Each line is asked for once."""
    length = size = 0

    def counted() -> Iterator[bytes]:
        nonlocal length
        for line in lines:
            length += len(line)
            yield line

    pieces: Iterable[bytes] = counted()
    if method != "none":
        from mgit_hooks import codecs

        pieces = codecs.packed(pieces, method, "best", None)
    for piece in pieces:
        take(piece)
        size += len(piece)
    return length, size
