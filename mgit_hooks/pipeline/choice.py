"""Which method suits data best, by its size, how often it will be read, and what a sample of it gains.

The thresholds are measured on changesets as JSON (docs/decisions/0016-pipeline.md, tests/pipeline/test_choice.py):
nothing that is chosen loses to another method on both time and size. Deflate beats the rest up to a few KiB, where a
container's own bytes count; zlib's are 12 fewer than gzip's. lzma is smaller than zstd from about 16 KiB on, at many
times its time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from mgit_hooks.codecs import pack, require

TEMPERATURES: Final = ("hot", "warm", "cold")
SMALLEST: Final = 100  # bytes; below it nothing is packed
DEFLATE_UP_TO: Final = 4 << 10
SNAPPY_FROM: Final = 32 << 10  # what comes with each of its calls is as dear as its time for less
LZMA_FROM: Final = 16 << 10
# Beyond it lzma takes tens of milliseconds, which quality "balanced" pays for cold data alone.
LZMA_UP_TO: Final = 100 << 10
_PART: Final = 16 << 10
# Of a sample: data that shrinks by less is packed already, or random, and lzma would take long over it for nothing.
_WORTH_IT: Final = 0.97


class Choice(NamedTuple):
    """``why`` is for people."""

    method: str
    quality: str
    why: str


def choose(sample: bytes, size: int, quality: str, temperature: str = "warm", *, for_file: bool = False) -> Choice:
    """The choice for ``size`` bytes of which ``sample`` is a part, or all.

    ``temperature`` is ``hot`` for what is read or written again soon, ``cold`` for what is kept. A small file is gzip,
    not zlib, which no common tool opens. Raises ValueError on an unknown temperature.
    """
    require("temperature", temperature, TEMPERATURES)
    if size < SMALLEST:
        return Choice("none", quality, "too small")
    if size <= DEFLATE_UP_TO:
        return Choice("gzip" if for_file else "zlib", quality, "up to 4 KiB deflate is small and fast")
    if temperature == "hot" and quality == "fast" and size >= SNAPPY_FROM:
        return Choice("snappy", quality, "hot data, fast: the least time both ways")
    if len(pack(sample, "zstd", "fast")) > _WORTH_IT * len(sample):
        return Choice("zstd", "fast", "a sample hardly shrinks: no long search")
    if temperature == "hot" or quality == "fast" or size < LZMA_FROM:
        return Choice("zstd", quality, "small and fast, both ways")
    if size <= LZMA_UP_TO or quality == "best" or temperature == "cold":
        return Choice("lzma", quality, "the smallest")
    return Choice("zstd", quality, "lzma would take many times as long for a few percent")


def sample(read: Callable[[int, int], bytes], size: int) -> bytes:
    """A part of ``size`` bytes that ``read(offset, length)`` gives: the beginning, the middle and the end."""
    if size <= 3 * _PART:
        return read(0, size)
    return b"".join(read(at, _PART) for at in (0, (size - _PART) // 2, size - _PART))
