"""The codecs of the journal's blocks, by the number that a frame header names them with (docs/format.md).

A drain loads this at each commit: what else is compressed, and how, is mgit_hooks.codecs' subject.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Final

NONE: Final = 0
SNAPPY: Final = 1
ZSTD: Final = 2
# A copy of 64 bytes takes 3: nothing that snappy wrote grows by more.
_SNAPPY_GROWTH: Final = 22
# Above it a level takes twice the time for 0.1 % (docs/decisions/0007-journal.md).
_ZSTD_LEVEL: Final = 15
_ZSTD_MAGIC: Final = b"\x28\xb5\x2f\xfd"
# 8 MiB, which RFC 8878 asks of every decoder: no frame makes us take more for its window.
_ZSTD_WINDOW_LOG: Final = 23


def compress(raw: bytes, codec: int) -> tuple[int, bytes]:
    """``raw`` under ``codec``, or as it is where that would not be smaller: (codec used, bytes)."""
    if codec == SNAPPY:
        import snappy

        packed: bytes = snappy.compress(raw)
        if len(packed) < len(raw):
            return SNAPPY, packed
    elif codec == ZSTD:
        packed = zstd_module().compress(raw, _ZSTD_LEVEL)
        if len(packed) < len(raw):
            return ZSTD, packed
    return NONE, raw


def decompress(stored: bytes, codec: int, raw_length: int) -> bytes:
    """The raw bytes; ValueError where ``stored`` is not ``codec``'s or not of that length.

    ``raw_length`` has been held against the limits by the caller; the length that snappy's and zstd's bytes
    begin with is held against it here before any memory is taken.
    """
    if codec == NONE:
        raw = stored
    elif codec == SNAPPY:
        if snappy_length(stored) != raw_length:
            raise ValueError("the snappy length prefix is not the frame's")
        if raw_length > _SNAPPY_GROWTH * len(stored):
            raise ValueError("more than snappy can hold in so few bytes")
        import snappy

        try:
            raw = snappy.decompress(stored)
        except Exception as error:  # python-snappy's error class differs between its back ends
            raise ValueError(f"not snappy: {error}") from error
    elif codec == ZSTD:
        raw = _unpacked_zstd(stored, raw_length)
    else:
        raise ValueError(f"unknown codec {codec}")
    if len(raw) != raw_length:
        raise ValueError("the raw length is not the frame's")
    return raw


def _unpacked_zstd(stored: bytes, raw_length: int) -> bytes:
    """What one zstd frame holds that tells its length, needs no dictionary, and has nothing after it."""
    zstd = zstd_module()
    if not stored.startswith(_ZSTD_MAGIC):  # a skippable frame is one as well, of nothing
        raise ValueError("not a zstd frame")
    try:
        info = zstd.get_frame_info(stored)
        if info.decompressed_size != raw_length or info.dictionary_id:
            raise ValueError("the zstd frame is not one of that length, without a dictionary")
        frame = zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: _ZSTD_WINDOW_LOG})
        raw: bytes = frame.decompress(stored, raw_length + 1)
    except zstd.ZstdError as error:
        raise ValueError(f"not zstd: {error}") from error
    if not frame.eof or frame.unused_data:
        raise ValueError("not one zstd frame and no more")
    return raw


def zstd_module() -> ModuleType:
    """The standard library's zstd, or the same module for a Python that is older than that."""
    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        from backports import zstd
    return zstd


def snappy_length(stored: bytes) -> int:
    """The uncompressed length that a raw snappy block begins with: a little-endian base-128 varint."""
    value = 0
    for position, byte in enumerate(stored[:5]):
        value |= (byte & 0x7F) << (7 * position)
        if byte < 0x80:
            return value
    return -1
