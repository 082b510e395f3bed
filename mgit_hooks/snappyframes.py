"""Snappy's framing format, as its own description has it: the form in which snappy's bytes are a file.

https://github.com/google/snappy/blob/main/framing_format.txt. A stream is chunks, each of a kind, a length and at most
64 KiB of data under a masked CRC-32C. Streams may follow each other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from mgit_hooks.pieces import Source, damaged, truncated

_IDENTIFIER: Final = b"\xff\x06\x00\x00sNaPpY"
_COMPRESSED: Final = 0x00
_PLAIN: Final = 0x01
_PADDING: Final = 0xFE
_STREAM: Final = 0xFF
_DATA: Final = 1 << 16  # bytes of data in a chunk, at most
# What snappy makes of 64 KiB in the worst case, and its checksum: a longer chunk is none, and takes no memory.
_LONGEST: Final = 32 + _DATA + _DATA // 6 + 4


def framed(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """A stream of what ``pieces`` hold."""
    import google_crc32c
    import snappy

    yield _IDENTIFIER
    source = Source(pieces)
    while raw := source.up_to(_DATA):
        checksum = _masked(google_crc32c.value(raw))
        packed: bytes = snappy.compress(raw)
        # The format's own rule: what saves less than an eighth is not worth its decoding.
        kind, body = (_COMPRESSED, packed) if len(packed) < len(raw) - len(raw) // 8 else (_PLAIN, raw)
        yield bytes((kind,)) + (len(body) + 4).to_bytes(3, "little") + checksum.to_bytes(4, "little") + body


def unframed(source: Source) -> Iterator[bytes]:
    """What the streams hold, up to the end. Raises CompressionError."""
    if source.up_to(len(_IDENTIFIER)) != _IDENTIFIER:
        raise damaged("snappy", "it does not begin with a stream identifier")
    while head := source.up_to(4):
        if len(head) < 4:
            raise truncated("snappy")
        kind, length = head[0], int.from_bytes(head[1:], "little")
        if kind in (_COMPRESSED, _PLAIN):
            yield _data(kind, _exactly(source, length, _LONGEST))
        elif kind == _STREAM:
            if _exactly(source, length, 6) != _IDENTIFIER[4:]:
                raise damaged("snappy", "a stream identifier is not snappy's")
        elif kind == _PADDING:
            source.skip(length, "snappy")
        else:
            # 0x80 to 0xfd, which may be skipped, are of no writer that is known, and one flipped bit away from data.
            raise damaged("snappy", f"a chunk of the unknown kind {kind:#04x}")


def _exactly(source: Source, length: int, at_most: int) -> bytes:
    if length > at_most:
        raise damaged("snappy", f"a chunk of {length:,} bytes")
    body = source.up_to(length)
    if len(body) < length:
        raise truncated("snappy")
    return body


def _data(kind: int, body: bytes) -> bytes:
    import google_crc32c

    if len(body) < 4:
        raise damaged("snappy", "a chunk without a checksum")
    raw = body[4:] if kind == _PLAIN else _unpacked(body[4:])
    if len(raw) > _DATA:
        raise damaged("snappy", f"{len(raw):,} bytes in a chunk")
    if int.from_bytes(body[:4], "little") != _masked(google_crc32c.value(raw)):
        raise damaged("snappy", "a checksum does not fit")
    return raw


def _unpacked(packed: bytes) -> bytes:
    from mgit_hooks.compress import SNAPPY, decompress, snappy_length

    length = snappy_length(packed)
    if not 0 <= length <= _DATA:
        raise damaged("snappy", "a chunk of an impossible length")
    try:
        return decompress(packed, SNAPPY, length)
    except ValueError as error:
        raise damaged("snappy", str(error)) from error


def _masked(checksum: int) -> int:
    return ((checksum >> 15 | checksum << 17) + 0xA282EAD8) & 0xFFFFFFFF
