"""Our own files, opened so that what someone else put in a file's place neither holds us up nor is written to."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import BinaryIO

from mgit_hooks.regular import AT_ONCE, TooLarge, open_to_append, open_to_read, read, require_regular

__all__ = (
    "TooLarge", "create", "exists", "is_file", "is_folder", "is_link", "lexists", "named_by_user", "open_to_append",
    "open_to_overwrite", "open_to_read", "read", "remove_folder", "replacing", "status", "sync_directory",
    "sync_file", "write_all",
)  # fmt: skip

_NO_LINK = getattr(os, "O_NOFOLLOW", 0)


def status(path: str | bytes, *, follow: bool = True) -> os.stat_result | None:
    """What is at ``path``, or at the end of the links there; None where nothing is.

    Raises OSError where that cannot be told: os.path.exists and its kin say then that nothing is there, and what is
    done after such an answer cannot be undone.
    """
    try:
        return os.stat(path, follow_symlinks=follow)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        if error.errno == errno.ELOOP:  # links that lead nowhere
            return None
        raise


def exists(path: str) -> bool:
    """Raises OSError, as ``status``."""
    return status(path) is not None


def lexists(path: str | bytes) -> bool:
    """Whether anything has this name, be it a link that leads nowhere. Raises OSError, as ``status``."""
    return status(path, follow=False) is not None


def is_folder(path: str) -> bool:
    """Raises OSError, as ``status``."""
    found = status(path)
    return found is not None and stat.S_ISDIR(found.st_mode)


def is_file(path: str) -> bool:
    """Raises OSError, as ``status``."""
    found = status(path)
    return found is not None and stat.S_ISREG(found.st_mode)


def is_link(path: str) -> bool:
    """Raises OSError, as ``status``."""
    found = status(path, follow=False)
    return found is not None and stat.S_ISLNK(found.st_mode)


def create(path: str) -> int:
    """A descriptor to write the file ``path`` anew, for its owner alone. Never through a link: what it leads to is
    not ours to empty. Raises OSError where something else has its name.
    """
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | _NO_LINK | AT_ONCE, 0o600)


def open_to_overwrite(path: str) -> int:
    """A descriptor to write over bytes of the regular file ``path``, in place. Never through a link, nor where the
    file has another name too, which would change with it. Raises OSError.
    """
    descriptor = os.open(path, os.O_WRONLY | _NO_LINK | AT_ONCE)
    try:
        require_regular(descriptor, path)
        if os.fstat(descriptor).st_nlink != 1:
            raise FileExistsError(errno.EEXIST, "the file has another name", path)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def write_all(descriptor: int, data: bytes | memoryview) -> None:
    """Every byte of ``data``, however few the system takes at a time. Raises OSError; a part may then be written."""
    written = os.write(descriptor, data)
    while written < len(data):  # a signal, or a disk that is nearly full: the next one says which
        taken = os.write(descriptor, data[written:])
        if not taken:
            raise OSError(errno.EIO, "the system takes no more bytes")
        written += taken


@contextmanager
def replacing(path: str, *, sync: bool = True, alone: bool = True) -> Iterator[BinaryIO]:
    """A file that takes the place of ``path`` at the block's end, for its owner alone. Raises OSError.

    Killed anywhere, the old one or the new one is there; without ``sync`` a power cut may leave an empty one. What a
    kill leaves of ``PATH.new`` means nothing: one writer at a time, which the caller sees to. Where others may write
    the same one, threads of this process among them, it is not ``alone``: its file has a name by chance until then,
    and goes where the block raises.
    """
    temporary = f"{path}.new" if alone else f"{path}.{os.urandom(6).hex()}.new"
    try:
        with open(create(temporary), "wb") as file:
            os.chmod(temporary, 0o600)
            yield file
            file.flush()
            if sync:
                os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        if not alone:
            with suppress(OSError):
                os.unlink(temporary)
        raise
    if sync:
        sync_directory(os.path.dirname(path) or os.curdir)


@contextmanager
def named_by_user(path: str) -> Iterator[BinaryIO]:
    """A file that takes the place of ``path`` at the block's end, for its owner alone: whole, or else what was there is
    there still, and nothing beside it. What is no file (a pipe, a device) gets what is written as it comes, and stays
    what it is. Raises OSError.
    """
    found = status(path)
    if found is not None and not stat.S_ISREG(found.st_mode):
        with open(path, "wb") as file:  # of a folder the system says so
            yield file
        return
    temporary = os.path.join(os.path.dirname(path), f".mgit-{os.urandom(8).hex()}.new")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | AT_ONCE, 0o600)
    except OSError as error:
        raise type(error)(error.errno, error.strerror, path) from None
    try:
        with open(descriptor, "wb") as file:
            yield file
        os.replace(temporary, path)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(temporary)
        raise


def sync_file(path: str) -> None:
    """Bring to the disk what the file holds, whoever wrote it. Raises OSError."""
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_folder(path: str) -> None:
    """Remove a folder of ours with all that is in it, where there is one."""
    if lexists(path):
        from shutil import rmtree

        rmtree(path)


def sync_directory(path: str) -> None:
    """Make names in a directory durable, where the system has a way to."""
    if os.name == "nt":
        return
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
