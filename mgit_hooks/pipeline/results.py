"""What compression gives back."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, NamedTuple

from mgit_hooks.record import Json


class CompressionMethod(StrEnum):
    NONE = "none"
    GZIP = "gzip"
    ZLIB = "zlib"
    LZMA = "lzma"
    SNAPPY = "snappy"
    ZSTD = "zstd"


class CompressionResult(NamedTuple):
    """What became of data. Sizes in bytes, a text's in UTF-8.

    ``method`` is that of the bytes as they are: ``none`` where they were left so, with ``metadata["reason"]``
    (``data_too_small``, ``no_gain``) or ``metadata["error"]``. ``compressed_data`` is None where it is in a file.
    """

    original_size: int
    compressed_size: int
    compression_ratio: float
    method: CompressionMethod
    compressed_data: bytes | None
    metadata: dict[str, Any]

    @property
    def space_saved_percent(self) -> float:
        """Below 0 where a container that was asked for is larger than what it holds."""
        return (1.0 - self.compression_ratio) * 100.0

    def to_json(self) -> Json:
        """All but the data."""
        return {
            "original_size": self.original_size,
            "compressed_size": self.compressed_size,
            "compression_ratio": self.compression_ratio,
            "space_saved_percent": self.space_saved_percent,
            "method": self.method.value,
            "metadata": self.metadata,
        }


def ratio(compressed: int, original: int) -> float:
    """Compressed size over original; 1.0 for an empty input."""
    return compressed / original if original else 1.0
