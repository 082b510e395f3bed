"""Blocks: frames of 1 to 64 records each, and the chain over those records. docs/format.md says the same in prose.

Pure: no file is touched here.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from hashlib import sha256
from typing import Final, NamedTuple

from mgit_hooks import compress
from mgit_hooks.journal.cursor import Cursor
from mgit_hooks.journal.format import (
    BLOCK,
    CURSOR,
    CURSOR_BODY,
    MAGIC,
    MASKED,
    MAX_BODY,
    ChainId,
    FormatError,
    Frame,
)
from mgit_hooks.record import Seq

MAX_RECORDS: Final = 64
MAX_PAYLOAD: Final = MAX_BODY - 1024
# A block is closed at this many raw bytes even when it holds fewer than 64 records.
BLOCK_TARGET: Final = 1024 * 1024
SALT_LENGTH: Final = 16

_ENTRY = struct.Struct("<IB")
_CHAIN_HEADER = struct.Struct("<QI")
_MASK_LENGTH: Final = 8
_DIGEST_LENGTH: Final = 32
_HAS_CURSOR: Final = 1
_ERASED: Final = 1


class Entry(NamedTuple):
    """One record as the journal holds it. An erased one has its digest and no payload."""

    payload: bytes | None
    payload_length: int
    digest: bytes
    salt: bytes | None


def block_frame(
    entries: Sequence[Entry], first_seq: Seq, previous: ChainId, cursor: Cursor | None, codec: int
) -> Frame:
    """A block of 1 to 64 records, with the spool cursor that they bring with them."""
    if not 1 <= len(entries) <= MAX_RECORDS:
        raise FormatError("bad-count")
    parts = [bytes((_HAS_CURSOR,)) + CURSOR_BODY.pack(*cursor) if cursor else b"\0"]
    for entry in entries:
        if entry.payload is None:
            parts += (_ENTRY.pack(entry.payload_length, _ERASED), entry.digest)
        else:
            parts += (_ENTRY.pack(entry.payload_length, 0), entry.salt or b"", entry.payload)
    raw = b"".join(parts)
    if len(raw) > MAX_BODY:
        raise FormatError("oversized")
    used, body = compress.compress(raw, codec)
    if MAGIC in body:
        used, body = used | MASKED, _masked(body)
    return Frame(BLOCK, used, len(entries), len(raw), first_seq, previous, body)


def _masked(body: bytes) -> bytes:
    """``body`` under a mask that leaves no magic in it, the mask before it.

    So a whole frame that someone put into a payload is never found by who looks for the next magic after
    damage. The mask comes from all of the body, salts included, so that no payload can foresee it.
    """
    mask = sha256(body).digest()[:_MASK_LENGTH]
    while MAGIC in (masked := mask + _xor(body, mask)):
        mask = sha256(mask).digest()[:_MASK_LENGTH]
    return masked


def _xor(data: bytes, mask: bytes) -> bytes:
    step = len(mask) * 8192
    wide = int.from_bytes(mask * 8192)
    parts = []
    for at in range(0, len(data), step):
        part = data[at : at + step]
        parts.append((int.from_bytes(part) ^ (wide >> 8 * (step - len(part)))).to_bytes(len(part)))
    return b"".join(parts)


def block_entries(frame: Frame) -> list[Entry]:
    return list(_entries(_raw(frame), frame.records))


def block_payloads(frame: Frame) -> list[bytes | None]:
    """The payloads of a block's records, None of an erased one; no digest is computed on the way."""
    raw = _raw(frame)
    if not 1 <= frame.records <= MAX_RECORDS or raw[:1] not in (b"\0", b"\1"):
        raise FormatError("bad-block")
    at = 1 + (CURSOR_BODY.size if raw[0] == _HAS_CURSOR else 0)
    payloads: list[bytes | None] = []
    for _ in range(frame.records):
        if len(raw) - at < _ENTRY.size:
            raise FormatError("bad-block")
        length, flags = _ENTRY.unpack_from(raw, at)
        at += _ENTRY.size
        if flags == _ERASED:
            payloads.append(None)
            at += _DIGEST_LENGTH
        elif flags == 0:
            payloads.append(raw[at + SALT_LENGTH : at + SALT_LENGTH + length])
            at += SALT_LENGTH + length
        else:
            raise FormatError("bad-block")
    if at != len(raw):
        raise FormatError("bad-block")
    return payloads


def frame_cursor(frame: Frame) -> Cursor | None:
    """The spool cursor that a block or a cursor frame carries."""
    if frame.kind == CURSOR:
        if len(frame.body) != CURSOR_BODY.size:
            raise FormatError("bad-cursor")
        return Cursor(*CURSOR_BODY.unpack(frame.body))
    raw = _raw(frame)
    if raw[:1] == b"\0":
        return None
    if raw[:1] != b"\1" or len(raw) <= CURSOR_BODY.size:
        raise FormatError("bad-block")
    return Cursor(*CURSOR_BODY.unpack_from(raw, 1))


def _raw(frame: Frame) -> bytes:
    stored = frame.body
    if frame.codec & MASKED:
        if len(stored) < _MASK_LENGTH:
            raise FormatError("bad-block")
        stored = _xor(stored[_MASK_LENGTH:], stored[:_MASK_LENGTH])
    try:
        return compress.decompress(stored, frame.codec & ~MASKED, frame.raw_length)
    except ValueError as error:
        raise FormatError("bad-block") from error


def _entries(raw: bytes, count: int) -> Iterator[Entry]:
    if not 1 <= count <= MAX_RECORDS or raw[:1] not in (b"\0", b"\1"):
        raise FormatError("bad-block")
    at = 1 + (CURSOR_BODY.size if raw[0] == _HAS_CURSOR else 0)
    for _ in range(count):
        start = at + _ENTRY.size
        if start > len(raw):
            raise FormatError("bad-block")
        length, flags = _ENTRY.unpack_from(raw, at)
        if flags == _ERASED:
            at = start + _DIGEST_LENGTH
            entry = Entry(None, length, raw[start:at], None)
        elif flags == 0:
            at = start + SALT_LENGTH + length
            salted = raw[start:at]
            entry = Entry(salted[SALT_LENGTH:], length, sha256(salted).digest(), salted[:SALT_LENGTH])
        else:
            raise FormatError("bad-block")
        if at > len(raw):
            raise FormatError("bad-block")
        yield entry
    if at != len(raw):
        raise FormatError("bad-block")


# Chain


def new_entry(payload: bytes, salt: bytes) -> Entry:
    if len(payload) > MAX_PAYLOAD:
        raise FormatError("oversized")
    return Entry(payload, len(payload), sha256(salt + payload).digest(), salt)


def new_entries(payloads: Sequence[bytes], salts: bytes) -> list[Entry]:
    """An entry for each payload, its salt the next SALT_LENGTH bytes of ``salts``."""
    starts = range(0, SALT_LENGTH * len(payloads), SALT_LENGTH)
    return [new_entry(payload, salts[at : at + SALT_LENGTH]) for payload, at in zip(payloads, starts, strict=True)]


def chain(previous: ChainId, seq: int, entry: Entry) -> ChainId:
    """SHA-256(previous id ‖ header ‖ SHA-256(salt ‖ payload)); the header is seq and payload length."""
    return ChainId(sha256(previous + _CHAIN_HEADER.pack(seq, entry.payload_length) + entry.digest).digest())


def chain_ids(previous: ChainId, first_seq: int, entries: Sequence[Entry]) -> list[ChainId]:
    """The chain ids of records that follow each other, the first of them after ``previous``."""
    ids = []
    for seq, entry in enumerate(entries, first_seq):
        previous = chain(previous, seq, entry)
        ids.append(previous)
    return ids
