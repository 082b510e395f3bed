"""Segment files: finding them, and reading the frames of one whatever has happened to its bytes."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import pairwise
from typing import BinaryIO, Final, NamedTuple

from mgit_hooks.errors import LaterFormatError
from mgit_hooks.files import open_to_read
from mgit_hooks.journal.format import (
    HEADER_LENGTH,
    MAGIC,
    VERSION,
    Claim,
    FormatError,
    Frame,
    JournalId,
    NewerFormat,
    claims,
    declared_length,
    peek_version,
    segment_info,
    unpack_frame,
)
from mgit_hooks.journal.identity import SEGMENT_NAME, Identity

_WINDOW: Final = 1024 * 1024
# Read at a time where frame follows frame, which are mostly small.
_STRIDE: Final = 256 * 1024
_SECTOR: Final = 512  # what a disk writes whole or not at all


class Located(NamedTuple):
    """A frame and where it lies."""

    segment: str
    offset: int
    frame: Frame

    @property
    def end(self) -> int:
        return self.offset + self.frame.length


class Damage(NamedTuple):
    """Bytes of a segment that are no valid frame. ``at_end``: nothing valid follows them in the file."""

    segment: str
    offset: int
    length: int
    kind: str
    at_end: bool = False

    @property
    def end(self) -> int:
        return self.offset + self.length


def segment_name(number: int) -> str:
    return f"{number:08d}.seg"


def segment_number(name: str) -> int:
    return int(name[:8])


def segment_names(journal_dir: str) -> list[str]:
    """The segments in order; none where there is no journal yet."""
    try:
        return sorted(name for name in os.listdir(journal_dir) if SEGMENT_NAME.fullmatch(name))
    except FileNotFoundError:
        return []


def segment_journals(journal_dir: str, names: Iterable[str]) -> Iterator[JournalId]:
    """The journal id in each segment's header, of those whose header is whole, one segment read at a time."""
    for name in names:
        with open_to_read(os.path.join(journal_dir, name)) as file:
            start = file.read(4 * HEADER_LENGTH)
        try:
            yield segment_info(unpack_frame(start, 0, ())).journal
        except (FormatError, NewerFormat):
            continue


def known_journals(journal_dir: str, names: Sequence[str], own: Identity | None) -> list[JournalId]:
    """The journal ids that frames here may stand under.

    Those that the identity names, so that a segment of some other journal that was put here is not read as
    ours, and one of ours is though its own header is damaged. Where the identity is lost, or is that of
    none of these segments, what their headers say.
    """
    # The newest first: as a rule it is under the identity's own id, and of a thousand segments one is opened.
    if own is not None and own.journal in segment_journals(journal_dir, reversed(names)):
        return list(own.lineage)
    headers = list(segment_journals(journal_dir, names))
    if own is not None and not headers:
        return list(own.lineage)
    return list(dict.fromkeys((*(own.lineage if own else ()), *headers)))


def scan(
    journal_dir: str, name: str, journals: Sequence[JournalId], start: int = 0
) -> Generator[Located | Damage, None, None]:
    """Every valid frame of a segment from ``start`` on, and every stretch between them that is none.

    After damage it looks for the next magic under which a whole frame holds, so damage costs no more
    than the frames it touched. Raises JournalError for a later format version.
    """
    file = open_to_read(os.path.join(journal_dir, name))
    try:
        segment = _Segment(file)
        version = peek_version(segment.read(0, HEADER_LENGTH + 2))
        if version is not None and version > VERSION and segment.has_header():
            raise newer_format(name, version)
        yield from _scan(name, segment, journals, start)
    finally:
        # Read to its end or left in the middle: of a file that was only read, a failing close says nothing. Raised
        # where nobody waits for more, Python would print it.
        with suppress(OSError):
            file.close()


def headers(journal_dir: str, name: str, start: int = 0) -> Iterator[Claim]:
    """Where the frames of a segment lie from ``start`` on, by what their headers claim: no body is held, or even read.

    Many times as fast as ``scan``, for who must know where blocks begin and holds each to its checksum once it is
    read. Ends at the first place where no header lies, or one whose frame runs past the file: at the segment's end,
    a torn tail or damage. Where the last claim's ``end`` is not the file's size, only ``scan`` can tell which.
    """
    with open_to_read(os.path.join(journal_dir, name)) as file:
        size = os.fstat(file.fileno()).st_size
        found = claims(_piece(file, start), start)
        while found:
            last = found[-1]
            yield from found if last.end <= size else found[:-1]
            found = claims(_piece(file, last.end), last.end) if last.end < size else []


def _piece(file: BinaryIO, at: int) -> bytes:
    file.seek(at)
    return file.read(_STRIDE)


class _Segment:
    """A segment as long as it was when it was opened, read by the piece.

    Never mapped into memory: a writer that truncates a torn tail away would kill who has it mapped.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.size = os.fstat(file.fileno()).st_size
        self._start, self._data = 0, b""  # what was read last for ``frame``

    def read(self, offset: int, length: int) -> bytes:
        self._file.seek(offset)
        return self._file.read(min(length, max(self.size - offset, 0)))

    def frame(self, offset: int, journals: Sequence[JournalId]) -> Frame:
        """As ``unpack_frame``. No more is read than the file has."""
        self._hold(offset, HEADER_LENGTH)
        length = declared_length(self._data, offset - self._start)
        if length <= self.size - offset:
            self._hold(offset, length)
        return unpack_frame(self._data, offset - self._start, journals)

    def _hold(self, offset: int, length: int) -> None:
        """Have ``length`` bytes at ``offset`` in memory, as far as the file has them."""
        if not self._start <= offset <= offset + length <= self._start + len(self._data):
            self._start, self._data = offset, self.read(offset, max(length, _STRIDE))

    def has_header(self) -> bool:
        """Whether the segment header is as written: a flipped bit in the version is damage, not the future."""
        try:
            self.frame(0, ())
        except FormatError:
            return False
        return True

    def resync(self, start: int, journals: Sequence[JournalId]) -> int | None:
        """The next place at or after ``start`` where a whole frame holds."""
        at = self._find(start)
        while at is not None:
            try:
                self.frame(at, journals)
            except FormatError:
                at = self._find(at + 1)
            else:
                return at
        return None

    def _find(self, start: int) -> int | None:
        for at in range(start, self.size, _WINDOW):
            found = self.read(at, _WINDOW + len(MAGIC) - 1).find(MAGIC)
            if found >= 0:
                return at + found
        return None

    def is_torn(self, at: int) -> bool:
        """Whether the rest is what an append that was cut off leaves: a part of a frame, or whole sectors missing."""
        head = self.read(at, HEADER_LENGTH)
        if len(head) < HEADER_LENGTH and MAGIC.startswith(head[: len(MAGIC)]):
            return True
        return declared_length(head, 0) > self.size - at or self._lacks_a_sector(at)

    def _lacks_a_sector(self, at: int) -> bool:
        """Whether some sector from ``at`` on was never written: the file had got its length before its bytes."""
        while at < self.size:
            end = (at // _WINDOW + 1) * _WINDOW
            data = self.read(at, end - at)
            if not data:
                return False  # the file was shortened meanwhile
            first = _SECTOR - at % _SECTOR
            for start, stop in pairwise((0, *range(first, len(data), _SECTOR), len(data))):
                if not any(data[start:stop]):
                    return True
            at = end
        return False


def newer_format(name: str, version: int) -> LaterFormatError:
    return LaterFormatError(
        f"{name} is in journal format {version}, and this mgit-hooks knows formats up to {VERSION}",
        "upgrade mgit-hooks; nothing was changed",
    )


def _scan(name: str, segment: _Segment, journals: Sequence[JournalId], start: int) -> Iterator[Located | Damage]:
    at = start
    while at < segment.size:
        try:
            frame = segment.frame(at, journals)
        except FormatError as error:
            following = segment.resync(at + 1, journals)
            end = segment.size if following is None else following
            kind = "torn-tail" if following is None and segment.is_torn(at) else error.kind
            yield Damage(name, at, end - at, kind, at_end=following is None)
            at = end
        else:
            yield Located(name, at, frame)
            at += frame.length
