"""A segment's file as it is written: all or nothing of a frame, and an error of the disk ends the writing."""

from __future__ import annotations

import os
from collections.abc import Iterable

from mgit_hooks.errors import JournalError
from mgit_hooks.files import sync_directory, write_all
from mgit_hooks.journal.segment import segment_name

# Bytes.
_CONFIRMED_AT_ONCE = 1024 * 1024


class SegmentFile:
    """The segment that is appended to. ``end`` is the first byte after its last frame, ``last_offset`` where that one
    begins. One that was never opened is as one that was closed."""

    def __init__(self, name: str = "", descriptor: int = -1, end: int = 0, last_offset: int = 0) -> None:
        self.name = name
        self.end = end
        self.last_offset = last_offset
        self._fd = descriptor

    @classmethod
    def going_on(cls, journal_dir: str, name: str, end: int, last_offset: int) -> SegmentFile:
        return cls(
            name, os.open(os.path.join(journal_dir, name), os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC), end, last_offset
        )

    @classmethod
    def new(cls, journal_dir: str, number: int, frames: Iterable[bytes]) -> SegmentFile:
        """A segment that begins with these frames, on the disk with its name. Raises JournalError."""
        name = segment_name(number)
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        try:
            made = cls(name, os.open(os.path.join(journal_dir, name), flags, 0o600))
        except OSError as error:
            raise _unmade(name, error) from error
        try:
            os.fchmod(made._fd, 0o600)
            for frame in frames:
                made.write(frame)
            made.sync()
            sync_directory(journal_dir)
        except BaseException as error:
            # No block may go into a segment without a header, or into one whose name may vanish.
            made.close()
            if isinstance(error, OSError):
                raise _unmade(name, error) from error
            raise
        return made

    @property
    def is_open(self) -> bool:
        return self._fd >= 0

    def write(self, frame: bytes) -> None:
        """Append a frame. Raises JournalError; the segment then ends where it ended before."""
        self._require_open()
        try:
            write_all(self._fd, frame)
        except BaseException as error:
            # Not a byte of it may stay, whatever stopped it: the next frame would come after it.
            self._take_back()
            if not isinstance(error, OSError):
                raise
            raise JournalError(
                f"cannot append to {self.name}: {error.strerror}", "make room on the disk; what waits is kept"
            ) from error
        self.last_offset = self.end
        self.end += len(frame)

    def sync(self) -> None:
        """Return once all that was written is on the disk; else JournalError, and nothing more is written."""
        self._require_open()
        try:
            os.fsync(self._fd)
            size = os.fstat(self._fd).st_size
        except OSError as error:
            self.close()
            raise JournalError(
                f"the disk did not take the journal: {error.strerror}", "run 'mgit-hooks verify' once it is mended"
            ) from error
        if size != self.end:
            # Someone wrote to it or cut it without the lock, or the disk told of more than it took.
            self.close()
            raise JournalError(f"{self.name} is not as long as what was written to it", "run 'mgit-hooks verify'")

    def close(self) -> None:
        descriptor, self._fd = self._fd, -1
        if descriptor >= 0:
            os.close(descriptor)

    def _require_open(self) -> None:
        if self._fd < 0:
            raise JournalError("the journal was closed after a failure of the disk", "run the command again")

    def _take_back(self) -> None:
        try:
            os.ftruncate(self._fd, self.end)
        except OSError:
            # A part of a frame stays: a torn tail, which the next writer moves aside. This one writes nothing after it.
            self.close()


def confirm(journal_dir: str, name: str, start: int, end: int) -> None:
    """Bring to the disk what the segment holds and nobody was told of, since records will follow it.

    After a failed fsync the kernel may call pages clean that the disk never took: they can be read, another
    fsync passes them over, and they are gone with the power. Written again, each is the disk's once more.
    """
    if start >= end:
        return
    with open(os.path.join(journal_dir, name), "r+b", buffering=0) as file:
        for at in range(start, end, _CONFIRMED_AT_ONCE):
            file.seek(at)
            data = file.read(min(_CONFIRMED_AT_ONCE, end - at))
            file.seek(at)
            write_all(file.fileno(), data)
        os.fsync(file.fileno())
    sync_directory(journal_dir)


def cut(journal_dir: str, name: str, size: int) -> None:
    """Shorten a segment, durably: a later write that is torn must not bring up again what lay there."""
    descriptor = os.open(os.path.join(journal_dir, name), os.O_RDWR | os.O_CLOEXEC)
    try:
        os.ftruncate(descriptor, size)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _unmade(name: str, error: OSError) -> JournalError:
    return JournalError(f"cannot make {name}: {error.strerror}", "mend that; what waits is kept")
