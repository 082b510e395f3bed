"""The codecs of the journal's blocks, by the number that a frame header names them with (docs/format.md)."""

from __future__ import annotations

from typing import Final

NONE: Final = 0
SNAPPY: Final = 1
# A copy of 64 bytes takes 3: nothing that snappy wrote grows by more.
_SNAPPY_GROWTH: Final = 22


def compress(raw: bytes, codec: int) -> tuple[int, bytes]:
    """``raw`` under ``codec``, or as it is where that would not be smaller: (codec used, bytes)."""
    if codec == SNAPPY:
        import snappy

        packed: bytes = snappy.compress(raw)
        if len(packed) < len(raw):
            return SNAPPY, packed
    return NONE, raw


def decompress(stored: bytes, codec: int, raw_length: int) -> bytes:
    """The raw bytes; ValueError where ``stored`` is not ``codec``'s or not of that length.

    ``raw_length`` has been held against the limits by the caller; snappy's own length prefix is held
    against it here before any memory is taken.
    """
    if codec == NONE:
        raw = stored
    elif codec == SNAPPY:
        if _snappy_length(stored) != raw_length:
            raise ValueError("the snappy length prefix is not the frame's")
        if raw_length > _SNAPPY_GROWTH * len(stored):
            raise ValueError("more than snappy can hold in so few bytes")
        import snappy

        try:
            raw = snappy.decompress(stored)
        except Exception as error:  # python-snappy's error class differs between its back ends
            raise ValueError(f"not snappy: {error}") from error
    else:
        raise ValueError(f"unknown codec {codec}")
    if len(raw) != raw_length:
        raise ValueError("the raw length is not the frame's")
    return raw


def _snappy_length(stored: bytes) -> int:
    """The uncompressed length that a raw snappy block begins with: a little-endian base-128 varint."""
    value = 0
    for position, byte in enumerate(stored[:5]):
        value |= (byte & 0x7F) << (7 * position)
        if byte < 0x80:
            return value
    return -1
