"""The journal's bytes: frames, their checksums, and what is in those that hold no records. docs/format.md says the
same in prose.

Reader, writer and repair import this module, and ``blockformat`` for the records; bytes are packed and unpacked nowhere
else. Pure: no file is touched here.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple, NewType

import google_crc32c

from mgit_hooks import compress
from mgit_hooks.journal.cursor import Cursor as Cursor
from mgit_hooks.record import Seq

ChainId = NewType("ChainId", bytes)
"""32 bytes: SHA-256 over the previous id, the record's header and the record's digest."""
JournalId = NewType("JournalId", bytes)
"""16 random bytes, which every checksum covers: a frame of another journal is not valid here."""

VERSION: Final = 2
"""The newest version that is read. Version 2 adds codec 2, and is written where a segment may hold it."""
HOT_VERSION: Final = 1
"""The version of what is appended: an older program reads it until it is compacted."""
MAGIC: Final = b"\x93MGIT\r\n\x1a"
GENESIS: Final = ChainId(bytes(32))

SEGMENT: Final = 1
BLOCK: Final = 2
CURSOR: Final = 3
FOOTER: Final = 4

# Set in a frame's codec byte where the stored body is masked.
MASKED: Final = 0x80

# The same limit when writing and when reading, held before memory is taken.
MAX_BODY: Final = 256 * 1024 * 1024
# A segment is sealed once it is this long.
SEGMENT_TARGET: Final = 4 * 1024 * 1024

_HEADER = struct.Struct("<8sBBHIIQ32s")
# The same header, for who only asks where the records lie.
_CLAIM = struct.Struct("<8sBxHI4xQ")
_CHECKSUM = struct.Struct("<I")
HEADER_LENGTH: Final = _HEADER.size + _CHECKSUM.size
_SEGMENT_BODY = struct.Struct("<H16sIQ")
# Of a segment header's body, what no later version may move: the version, then the journal's id.
_SEGMENT_FIXED: Final = 18
_FOOTER_BODY = struct.Struct("<QQ")
CURSOR_BODY: Final = struct.Struct("<QQ")


class FormatError(ValueError):
    """These bytes are not what the format says; ``kind`` is one of docs/format.md's kinds of damage."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


class NewerFormat(Exception):
    """The segment says that it was written by a later version of the format."""

    def __init__(self, version: int) -> None:
        super().__init__(version)
        self.version = version


class Frame(NamedTuple):
    """One frame as it lies in a segment, its checksum held. ``previous`` is the chain id before it."""

    kind: int
    codec: int
    records: int
    raw_length: int
    first_seq: Seq
    previous: ChainId
    body: bytes

    @property
    def length(self) -> int:
        return HEADER_LENGTH + len(self.body)


class Claim(NamedTuple):
    """What the bytes of a frame's header say, unverified: the header's checksum covers the body too."""

    kind: int
    records: int
    first_seq: Seq
    offset: int
    length: int  # of the whole frame

    @property
    def end(self) -> int:
        return self.offset + self.length


class SegmentInfo(NamedTuple):
    version: int
    journal: JournalId
    number: int
    created: int  # seconds since 1970


class FooterInfo(NamedTuple):
    records: int
    last_seq: Seq


# Frames


def pack_frame(frame: Frame, journal: JournalId) -> bytes:
    if len(frame.body) > MAX_BODY or frame.raw_length > MAX_BODY:
        raise FormatError("oversized")
    lengths = (len(frame.body), frame.raw_length)
    header = _HEADER.pack(MAGIC, frame.kind, frame.codec, frame.records, *lengths, frame.first_seq, frame.previous)
    return header + _CHECKSUM.pack(_checksum(journal, header, frame.body)) + frame.body


def declared_length(data: bytes | memoryview, offset: int) -> int:
    """The length of the frame whose header lies at ``offset``, as that header says; 0 where there is none.

    It is a claim until the checksum is held: enough to tell a torn tail from damage.
    """
    if len(data) - offset < HEADER_LENGTH or bytes(data[offset : offset + len(MAGIC)]) != MAGIC:
        return 0
    stored = int(_HEADER.unpack_from(data, offset)[4])
    return HEADER_LENGTH + stored if stored <= MAX_BODY else 0


def unpack_frame(data: bytes | memoryview, offset: int, journals: Sequence[JournalId]) -> Frame:
    """The frame at ``offset``, whose checksum holds under one of ``journals``; else FormatError.

    A segment header carries its own journal id, so that it can be read when nothing is known yet: with no
    ``journals`` any is taken.
    """
    if len(data) - offset < HEADER_LENGTH:
        raise FormatError("truncated")
    fields = _HEADER.unpack_from(data, offset)
    magic, kind, codec, count, stored_length, raw_length, first_seq, previous = fields
    if magic != MAGIC:
        raise FormatError("bad-magic")
    if stored_length > MAX_BODY or raw_length > MAX_BODY:
        raise FormatError("oversized")
    start = offset + HEADER_LENGTH
    if len(data) - start < stored_length:
        raise FormatError("truncated")
    header = bytes(data[offset : offset + _HEADER.size])
    body = bytes(data[start : start + stored_length])
    (expected,) = _CHECKSUM.unpack_from(data, offset + _HEADER.size)
    candidates = journals
    if kind == SEGMENT and stored_length >= _SEGMENT_FIXED:
        candidates = (JournalId(body[2:_SEGMENT_FIXED]),)
    if not any(_checksum(journal, header, body) == expected for journal in candidates):
        raise FormatError("bad-checksum")
    if journals and candidates[0] not in journals:
        raise FormatError("foreign")
    return Frame(kind, codec, count, raw_length, Seq(first_seq), ChainId(previous), body)


def _checksum(journal: JournalId, header: bytes, body: bytes) -> int:
    value = google_crc32c.extend(google_crc32c.value(journal + header), body)
    return int(value)


def claims(data: bytes, offset: int) -> list[Claim]:
    """What the headers say that lie one after another in ``data``, which is a segment's from ``offset`` on.

    Ends where no header lies whole. Nothing is held: neither checksums nor that the bodies are there.
    """
    found = []
    unpack, last, at = _CLAIM.unpack_from, len(data) - HEADER_LENGTH, 0
    while at <= last:
        magic, kind, records, stored_length, first_seq = unpack(data, at)
        if magic != MAGIC or stored_length > MAX_BODY:
            break
        length = HEADER_LENGTH + stored_length
        found.append(Claim(kind, records, first_seq, offset + at, length))
        at += length
    return found


# Segment headers, footers, cursors


def segment_frame(info: SegmentInfo, first_seq: Seq, previous: ChainId) -> Frame:
    body = _SEGMENT_BODY.pack(*info)
    return Frame(SEGMENT, compress.NONE, 0, len(body), first_seq, previous, body)


def segment_info(frame: Frame) -> SegmentInfo:
    """Raises NewerFormat before anything else of a later version is looked at."""
    if frame.kind != SEGMENT or len(frame.body) < 2:
        raise FormatError("no-segment-header")
    (version,) = struct.unpack_from("<H", frame.body)
    if version > VERSION:
        raise NewerFormat(version)
    if len(frame.body) != _SEGMENT_BODY.size or version < 1:
        raise FormatError("no-segment-header")
    version, journal, number, created = _SEGMENT_BODY.unpack(frame.body)
    return SegmentInfo(version, JournalId(journal), number, created)


def version_for(frames: Iterable[Frame]) -> int:
    """The version that the header of a segment of ``frames`` must say, at least."""
    zstd = any(frame.kind == BLOCK and frame.codec & ~MASKED == compress.ZSTD for frame in frames)
    return VERSION if zstd else HOT_VERSION


def peek_version(data: bytes | memoryview) -> int | None:
    """The format version that a segment claims, before its checksum is held; None where unreadable.

    This much is fixed for ever: the 64 bytes of the header with what its checksum covers, kind 1, and of
    the body the version (2 bytes) and the journal's id (16 bytes).
    """
    if len(data) < HEADER_LENGTH + 2 or bytes(data[:8]) != MAGIC or data[8] != SEGMENT:
        return None
    return int(struct.unpack_from("<H", data, HEADER_LENGTH)[0])


def footer_frame(count: int, first_seq: Seq, last_seq: Seq, head: ChainId) -> Frame:
    body = _FOOTER_BODY.pack(count, last_seq)
    return Frame(FOOTER, compress.NONE, 0, len(body), first_seq, head, body)


def footer_info(frame: Frame) -> FooterInfo:
    if len(frame.body) != _FOOTER_BODY.size:
        raise FormatError("bad-footer")
    count, last_seq = _FOOTER_BODY.unpack(frame.body)
    return FooterInfo(count, Seq(last_seq))


def cursor_frame(cursor: Cursor, next_seq: Seq, head: ChainId) -> Frame:
    body = CURSOR_BODY.pack(*cursor)
    return Frame(CURSOR, compress.NONE, 0, len(body), next_seq, head, body)
