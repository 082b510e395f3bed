"""The message file, replaced whole or not at all."""

from __future__ import annotations

import os
import stat
from typing import NamedTuple

from mgit_hooks.files import create, open_to_read, write_all


class Kept(Exception):
    """The file stays as it is, and why."""


class Replacement(NamedTuple):
    """A new text, whole and on the disk beside the file that it is for."""

    path: str
    beside: str
    was: os.stat_result

    def put(self) -> None:
        """In one step: killed at any time, the old text is there or the new one. Raises Kept."""
        try:
            now = os.lstat(self.path)
            if (now.st_ino, now.st_size, now.st_mtime_ns) != (self.was.st_ino, self.was.st_size, self.was.st_mtime_ns):
                raise Kept("the message file was changed meanwhile")
            os.replace(self.beside, self.path)
        except OSError as error:
            raise Kept(f"the message file cannot be replaced: {error.strerror}") from error

    def drop(self) -> None:
        """Take away what lies beside the file, if it still does."""
        try:
            os.unlink(self.beside)
        except OSError:
            pass


def prepare(path: str, old: bytes, new: bytes) -> Replacement:
    """``new`` for the file ``path``, which holds ``old``; with its mode. Raises Kept.

    Killed meanwhile, it leaves a file that means nothing: ``PATH.mgit-PID``.
    """
    try:
        was = os.lstat(path)
        _require_ours(path, was, old)
    except OSError as error:
        raise Kept(f"the message file cannot be read: {error.strerror}") from error
    made = Replacement(path, f"{path}.mgit-{os.getpid()}", was)
    try:
        descriptor = create(made.beside)
        try:
            write_all(descriptor, new)
            os.fchmod(descriptor, stat.S_IMODE(was.st_mode))
            # Or a power cut could leave an empty file under the message's name.
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        made.drop()
        raise Kept(f"the new message cannot be written: {error.strerror}") from error
    return made


def _require_ours(path: str, was: os.stat_result, old: bytes) -> None:
    if not stat.S_ISREG(was.st_mode):
        raise Kept("the message file is a link" if stat.S_ISLNK(was.st_mode) else "the message file is no plain file")
    if was.st_nlink > 1:
        raise Kept("the message file has another name, which would keep the old text")
    if was.st_uid != os.geteuid():
        raise Kept("the message file is somebody else's")
    if not was.st_mode & stat.S_IWUSR:
        raise Kept("the message file is read-only")
    with open_to_read(path) as file:
        if file.read(len(old) + 1) != old:
            raise Kept("the message file was changed meanwhile")
