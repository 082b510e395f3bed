"""A file that appears under its name whole, or not at all, and never in the place of another unasked."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager

from mgit_hooks import files
from mgit_hooks.errors import UsageError

# Of file systems without hard links (FAT, some network ones).
_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)


class Staged:
    """A file beside its place, under a hidden name of its own."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.path = os.path.join(folder, f".mgit-{os.urandom(8).hex()}.new")
        self._descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0), 0o600)
        self.size = 0

    def write(self, data: bytes) -> None:
        with _of(self.folder):
            files.write_all(self._descriptor, data)
        self.size += len(data)

    def sync(self) -> None:
        """Have what was written on the disk. Raises OSError, as where that is full."""
        with _of(self.folder):
            os.fsync(self._descriptor)

    def empty(self) -> None:
        """Begin anew."""
        os.ftruncate(self._descriptor, 0)
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        self.size = 0

    def publish(self, path: str, mode: int, *, force: bool) -> None:
        """Give it its name, in its own folder, and ``mode``'s permissions; with ``force`` in the place of what has that
        name. Raises UsageError where something has it, OSError."""
        os.fchmod(self._descriptor, stat.S_IMODE(mode) & 0o777)
        self.sync()
        if force:
            require_replaceable(path)
            os.replace(self.path, path)
        else:
            self._link(path)
        files.sync_directory(self.folder)

    def _link(self, path: str) -> None:
        """A link fails where the name is taken, at the same instant as it takes it."""
        try:
            os.link(self.path, path)
        except FileExistsError as error:
            raise _taken(path) from error
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            require_free(path)
            os.rename(self.path, path)
        else:
            os.unlink(self.path)

    def close(self) -> None:
        os.close(self._descriptor)
        if files.lexists(self.path):
            os.unlink(self.path)


@contextmanager
def _of(folder: str) -> Iterator[None]:
    """What the system says of a descriptor (a full disk) names no file: the folder is what a person knows."""
    try:
        yield
    except OSError as error:
        error.filename = error.filename or folder
        raise


@contextmanager
def staged(folder: str) -> Iterator[Staged]:
    """Gone at the block's end where it was not published. Raises UsageError where there is no such folder, OSError."""
    if folder and not files.is_folder(folder):
        raise UsageError(f"there is no folder '{folder}'", "make it, or name another output")
    made = Staged(folder or os.curdir)
    try:
        yield made
    finally:
        made.close()


def require_free(path: str) -> None:
    """Raises UsageError where anything has this name, be it a link that leads nowhere."""
    if files.lexists(path):
        raise _taken(path)


def require_replaceable(path: str) -> None:
    """Raises UsageError where ``path`` is, or leads to, a folder, a pipe or a device: those are never replaced."""
    found = files.status(path)
    if found is not None and not stat.S_ISREG(found.st_mode):
        what = "a folder" if stat.S_ISDIR(found.st_mode) else "no regular file"
        raise UsageError(f"'{path}' is {what}", "name another output")


def _taken(path: str) -> UsageError:
    return UsageError(f"'{path}' is there already", "name another output, or have it replaced with --force")
