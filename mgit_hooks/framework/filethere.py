"""The configuration's file: read whole, and written or removed only as long as it is what was read."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from typing import Final, NamedTuple

from mgit_hooks import files
from mgit_hooks.errors import ConfigError, MgitError, UsageError
from mgit_hooks.framework import yamltext
from mgit_hooks.framework.yamltext import Document

_BOM: Final = "\ufeff"


class File(NamedTuple):
    path: str  # where a link leads
    name: str
    content: bytes | None  # None: there is none
    mark: str = ""  # of byte order

    def read(self) -> Document:
        try:
            text = (self.content or b"").decode("utf-8").removeprefix(self.mark)
        except UnicodeDecodeError:
            raise ConfigError(f"{self.name} is not UTF-8", "save it as UTF-8, and run this again") from None
        return yamltext.read(text, self.name)

    def bytes_of(self, text: str) -> bytes:
        return (self.mark + text).encode("utf-8")


def read(path: str, root: str | None = None) -> File:
    """Raises UsageError for what is no file, or leads out of ``root``."""
    name = os.path.basename(path)
    if not files.lexists(path):
        return File(path, name, None)
    real = os.path.realpath(path)
    if root is not None and os.path.commonpath((real, os.path.realpath(root))) != os.path.realpath(root):
        raise UsageError(f"{name} is a link out of the worktree", "put the file itself there, or a link within")
    if not files.is_file(real):
        raise UsageError(f"{name} is not a file", "see what it is, and take it away")
    try:
        found = files.read(real, yamltext.LARGEST * 4)
    except files.TooLarge:
        found = b" " * (yamltext.LARGEST + 1)  # the reader says so
    return File(real, name, found, _BOM if found.startswith(_BOM.encode()) else "")


def remove(file: File) -> None:
    """Raises MgitError, as ``replace``: where the file is read-only, cannot be removed, or is not what was read."""
    try:
        _require_writable(file)
        _require_unchanged(file)
        os.unlink(file.path)
    except OSError as error:
        raise MgitError(
            f"cannot remove {file.name}: {error.strerror}", "mend that and run the command again"
        ) from error


def _require_writable(file: File) -> os.stat_result | None:
    found = files.status(file.path)
    if found is not None and not found.st_mode & 0o222:
        raise UsageError(f"{file.name} is read-only", "make it writable first: it is not changed behind your back")
    return found


def _require_unchanged(file: File) -> None:
    if content(file.path) != file.content:
        raise MgitError(f"{file.name} has been changed just now", "run this again")


def replace(file: File, new: bytes) -> None:
    """Killed anywhere, the old file or the new one is there; what is left of PATH.mgit-tmp goes at the next run."""
    scratch = f"{file.path}.mgit-tmp"
    try:
        found = _require_writable(file)
        with suppress(FileNotFoundError):
            os.unlink(scratch)
        descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0), 0o666)
        try:
            with open(descriptor, "wb") as to:
                if found is not None:
                    _as_before(descriptor, found)
                to.write(new)
                to.flush()
                os.fsync(descriptor)
            _require_unchanged(file)
            os.replace(scratch, file.path)
        except BaseException:
            os.unlink(scratch)
            raise
        files.sync_directory(os.path.dirname(file.path))
    except OSError as error:
        raise MgitError(f"cannot write {file.name}: {error.strerror}", "mend that and run the command again") from error


def _as_before(descriptor: int, found: os.stat_result) -> None:
    if hasattr(os, "fchown") and (found.st_uid, found.st_gid) != (os.geteuid(), os.getegid()):
        with suppress(OSError):  # only root gives files away
            os.fchown(descriptor, found.st_uid, found.st_gid)
    if hasattr(os, "fchmod"):
        os.fchmod(descriptor, stat.S_IMODE(found.st_mode))


def content(path: str) -> bytes | None:
    """None where there is no such file."""
    try:
        return files.read(path, yamltext.LARGEST * 4)
    except FileNotFoundError:
        return None
