"""Regular files, opened so that what someone else put in a file's place does not hold us up. A part of ``files``."""

from __future__ import annotations

import errno
import os
import stat

TYPE_CHECKING = False  # without typing: a gate that lets through loads none of it
if TYPE_CHECKING:
    from typing import BinaryIO

# A pipe that nobody has open at its other end would keep ``open`` waiting for ever.
AT_ONCE = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)


class TooLarge(OSError, ValueError):
    """A file that cannot be what it ought to be. Both, as io.UnsupportedOperation is: who takes a file that makes no
    sense for none expects a ValueError."""


def open_to_read(path: str) -> BinaryIO:
    """The regular file at ``path``, or the one that a link there leads to.

    Raises FileNotFoundError where something else (a pipe, a device, a folder) has its name: there is no such file.
    """
    descriptor = os.open(path, os.O_RDONLY | AT_ONCE)
    try:
        require_regular(descriptor, path)
        return open(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def read(path: str, at_most: int) -> bytes:
    """All of the regular file at ``path``, as ``open_to_read`` opens it.

    Raises TooLarge where it has more than ``at_most`` bytes, as a file without blocks can say of itself: it is not to
    fill the memory.
    """
    with open_to_read(path) as file:
        # Not ``read(at_most)``: Python would take as much memory first, however short the file is.
        if os.fstat(file.fileno()).st_size > at_most or len(data := file.read()) > at_most:
            raise TooLarge(errno.EFBIG, os.strerror(errno.EFBIG), path)
        return data


def open_to_append(path: str) -> int:
    """A descriptor to append to the regular file ``path``, which is made where there is none. Raises OSError."""
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | AT_ONCE, 0o600)
    try:
        require_regular(descriptor, path)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def require_regular(descriptor: int, path: str) -> None:
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        raise FileNotFoundError(errno.ENOENT, "not a regular file", path)
