"""Segment files: finding them, and reading the frames of one whatever has happened to its bytes."""

from __future__ import annotations

import mmap
import os
import re
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from mgit_hooks.errors import JournalError
from mgit_hooks.journal.format import (
    HEADER_LENGTH,
    MAGIC,
    SEGMENT,
    VERSION,
    FormatError,
    Frame,
    JournalId,
    NewerFormat,
    declared_length,
    peek_version,
    segment_info,
    unpack_frame,
)

_NAME: Final = re.compile(r"[0-9]{8}\.seg")


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
        return sorted(name for name in os.listdir(journal_dir) if _NAME.fullmatch(name))
    except FileNotFoundError:
        return []


def known_journals(journal_dir: str, names: Sequence[str], identity: JournalId | None) -> list[JournalId]:
    """Every journal id that a frame here may stand under: a segment whose own header is damaged is still read."""
    found = [] if identity is None else [identity]
    for name in names:
        with open(os.path.join(journal_dir, name), "rb") as file:
            start = file.read(4 * HEADER_LENGTH)
        try:
            journal = segment_info(unpack_frame(start, 0, ())).journal
        except (FormatError, NewerFormat):
            continue
        if journal not in found:
            found.append(journal)
    return found


def scan(journal_dir: str, name: str, journals: Sequence[JournalId], start: int = 0) -> Iterator[Located | Damage]:
    """Every valid frame of a segment from ``start`` on, and every stretch between them that is none.

    After damage it looks for the next magic under which a whole frame holds, so damage costs no more
    than the frames it touched. Raises JournalError for a later format version.
    """
    path = os.path.join(journal_dir, name)
    with open(path, "rb") as file:
        if os.fstat(file.fileno()).st_size == 0:
            return
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data, memoryview(data) as view:
            version = peek_version(view)
            if version is not None and version > VERSION and _header_holds(view):
                raise newer_format(name, version)
            yield from _scan(name, data, view, journals, start)


def newer_format(name: str, version: int) -> JournalError:
    return JournalError(
        f"{name} is in journal format {version}, and this mgit-hooks knows formats up to {VERSION}",
        "upgrade mgit-hooks; nothing was changed",
    )


def _header_holds(view: memoryview) -> bool:
    """Whether the segment header is as written: a flipped bit in the version is damage, not the future."""
    length = declared_length(view, 0)
    if not length or len(view) < length:
        return False
    journal = JournalId(bytes(view[HEADER_LENGTH + 2 : HEADER_LENGTH + 18]))
    try:
        unpack_frame(view, 0, (journal,))
    except FormatError:
        return False
    return True


def _scan(
    name: str, data: mmap.mmap, view: memoryview, journals: Sequence[JournalId], start: int
) -> Iterator[Located | Damage]:
    size = len(view)
    at = start
    while at < size:
        try:
            frame = unpack_frame(view, at, journals)
        except FormatError as error:
            following = _resync(data, view, at + 1, journals)
            end = size if following is None else following
            kind = "torn-tail" if following is None and _is_torn(data, view, at) else error.kind
            yield Damage(name, at, end - at, kind, at_end=following is None)
            at = end
        else:
            yield Located(name, at, frame)
            at += frame.length


def _resync(data: mmap.mmap, view: memoryview, start: int, journals: Sequence[JournalId]) -> int | None:
    at = data.find(MAGIC, start)
    while at >= 0:
        try:
            unpack_frame(view, at, journals)
        except FormatError:
            at = data.find(MAGIC, at + 1)
        else:
            return at
    return None


def _is_torn(data: mmap.mmap, view: memoryview, at: int) -> bool:
    """Whether the rest of the file is what a write that was cut off leaves: a part of a frame, or zeros."""
    rest = len(view) - at
    if rest < HEADER_LENGTH:
        head = bytes(view[at : at + min(rest, len(MAGIC))])
        return MAGIC.startswith(head) or not any(view[at:])
    if declared_length(view, at) > rest:
        return True
    return not any(view[at:])


def is_segment_header(item: Located) -> bool:
    return item.frame.kind == SEGMENT
