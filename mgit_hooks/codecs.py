"""The six methods, from bytes to bytes and from stream to stream, each in the container that other tools read.

gzip (RFC 1952), zlib (RFC 1950), lzma in the form of ``xz``, snappy in its framing format, zstd (RFC 8878), and
none. Each but none carries a checksum of what it holds. The journal's blocks have codecs and numbers of their own
(compress).
"""

from __future__ import annotations

import lzma
import zlib
from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple, Protocol

from mgit_hooks.compress import zstd_module
from mgit_hooks.containers import METHODS, may_be, recognized
from mgit_hooks.errors import CompressionError
from mgit_hooks.pieces import Source, damaged, truncated
from mgit_hooks.snappyframes import framed, unframed

QUALITIES: Final = ("fast", "balanced", "best")
LEVELS: Final = {"fast": 1, "balanced": 6, "best": 9}
# The most that one step of a decoder gives: what a bomb holds is met piece by piece.
STEP: Final = 1 << 18
# zstd's own tool takes no more either unless told to; xz -9 writes 64 MiB, and its decoder needs a little beside.
WINDOW: Final = 1 << 27
_GZIP_WBITS: Final = 31
_DEFLATED: Final = 8
_SMALLEST_DICTIONARY: Final = 4096
# Above it zstd's own choice of shortest matches makes level 6 larger than level 1 on JSON with many hashes, and slower.
_SHORT_MATCHES: Final = 1 << 18


class Bounds(NamedTuple):
    """What a decoder may take: bytes that come out, and bytes of memory for its window."""

    output: int | None = None
    window: int = WINDOW


BOUNDS: Final = Bounds()


class Encoder(Protocol):
    def compress(self, data: bytes, /) -> bytes: ...
    def flush(self) -> bytes: ...


class Decoder(Protocol):
    """One member of a container, as the standard library's decoders of xz and zstd do it."""

    def decompress(self, data: bytes, /, max_length: int) -> bytes: ...
    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...


def pack(raw: bytes, method: str, quality: str = "balanced") -> bytes:
    """``raw`` in the container of ``method``, whether or not that is smaller. Raises ValueError on unknown words."""
    return b"".join(packed((raw,), method, quality, len(raw)))


def unpack(stored: bytes, method: str, bounds: Bounds = BOUNDS) -> bytes:
    """What the container holds. Raises CompressionError; ValueError on an unknown method."""
    return b"".join(unpacked((stored,), method, bounds))


def packed(pieces: Iterable[bytes], method: str, quality: str, size: int | None) -> Iterator[bytes]:
    """The container of ``method`` over all that ``pieces`` hold, ``size`` bytes where that is known beforehand.

    Raises ValueError on unknown words and CompressionError where ``pieces`` hold another number of bytes.
    """
    require("method", method, METHODS)
    require("quality", quality, QUALITIES)
    return _packed(pieces, method, LEVELS[quality], size)


def _packed(pieces: Iterable[bytes], method: str, level: int, size: int | None) -> Iterator[bytes]:
    taken = _Counted(pieces)
    if method == "none":
        yield from taken
    elif method == "snappy":
        yield from framed(taken)
    else:
        encoder = encoder_of(method, level, size)
        try:
            for piece in taken:
                if out := encoder.compress(piece):
                    yield out
            yield encoder.flush()
        except (lzma.LZMAError, zlib.error, _zstd_error(method)) as error:
            raise CompressionError(f"{method} failed: {error}", "choose another method", "refused") from error
    if size is not None and taken.count != size:
        raise CompressionError("the input changed while it was read", "run it again", "refused")


class _Counted:
    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = pieces
        self.count = 0

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._pieces:
            self.count += len(piece)
            yield piece


def encoder_of(method: str, level: int, size: int | None) -> Encoder:
    """What packs ``size`` bytes under a method other than none and snappy."""
    if method in ("gzip", "zlib"):
        return zlib.compressobj(level, _DEFLATED, _GZIP_WBITS if method == "gzip" else zlib.MAX_WBITS)
    if method == "lzma":
        return lzma.LZMACompressor(lzma.FORMAT_XZ, lzma.CHECK_CRC64, filters=[_lzma2(level, size)])
    zstd = zstd_module()
    names = zstd.CompressionParameter
    options = {names.compression_level: level, names.checksum_flag: 1}
    if level > 1:
        options[names.min_match] = 5 if size is not None and size <= _SHORT_MATCHES else 6
    encoder: Any = zstd.ZstdCompressor(options=options)
    encoder.set_pledged_input_size(size)
    return encoder  # type: ignore[no-any-return]


def _lzma2(level: int, size: int | None) -> dict[str, int]:
    """The preset, with a dictionary no larger than the input: nothing in it is further back, and the encoder takes
    eleven times the dictionary as memory, 674 MiB of it for ``xz -9``."""
    chosen = {"id": lzma.FILTER_LZMA2, "preset": level}
    if size is not None:
        fits = max(_SMALLEST_DICTIONARY, 1 << max(size - 1, 1).bit_length())
        if fits < _DICTIONARY[level]:
            chosen["dict_size"] = fits
    return chosen


_DICTIONARY: Final = {1: 1 << 20, 6: 1 << 23, 9: 1 << 26}  # of xz's presets, in bytes (its manual)


def unpacked(pieces: Iterable[bytes], method: str, bounds: Bounds = BOUNDS) -> Iterator[bytes]:
    """What the container of ``method`` holds, in pieces of at most ``STEP`` bytes.

    Several members are read one after the other, as gunzip, xz and zstd read them; what else follows is refused. Raises
    ValueError on an unknown method and CompressionError; what was given until then is not to be believed.
    """
    require("method", method, METHODS)
    return _bounded(_unpacked(Source(pieces), method, bounds), bounds.output)


def _bounded(pieces: Iterator[bytes], limit: int | None) -> Iterator[bytes]:
    count = 0
    for piece in pieces:
        count += len(piece)
        if limit is not None and count > limit:
            raise oversized(limit)
        yield piece


def oversized(limit: int) -> CompressionError:
    what = f"it holds more than {limit:,} bytes"
    return CompressionError(what, "allow more with --max-size, if it is to be so large", "oversized")


def _unpacked(source: Source, method: str, bounds: Bounds) -> Iterator[bytes]:
    if method == "none":
        while piece := source.some():
            yield piece
        return
    head = source.peek(10)
    if not head:
        raise truncated(method)
    if not may_be(method, head):
        known = recognized(head)
        what = f"it is {known} data, not {method}" if known else f"it is not {method} data"
        raise CompressionError(what, f"say method {known}" if known else "look at what made it", "foreign")
    if method == "snappy":
        yield from unframed(source)
        return
    if method == "zstd":
        _require_declared_size(source, bounds)
    yield from _member(source, method, bounds)
    while _another(source, method):
        yield from _member(source, method, bounds)


def _require_declared_size(source: Source, bounds: Bounds) -> None:
    """A frame that says that it holds too much is refused before anything is made of it."""
    zstd = zstd_module()
    try:
        said = zstd.get_frame_info(source.peek(18)).decompressed_size
    except zstd.ZstdError:  # too short, or a skippable one: the decoder tells
        return
    if bounds.output is not None and said is not None and said > bounds.output:
        raise oversized(bounds.output)


def _member(source: Source, method: str, bounds: Bounds) -> Iterator[bytes]:
    decoder = _decoder(method, bounds)
    try:
        while not decoder.eof:
            data = source.some() if decoder.needs_input else b""
            if decoder.needs_input and not data:
                raise truncated(method)
            if out := decoder.decompress(data, max_length=STEP):
                yield out
    except (lzma.LZMAError, zlib.error, _zstd_error(method)) as error:
        if "limit" in str(error) or "memory" in str(error):
            what = f"the {method} data asks for more memory than {bounds.window:,} bytes"
            raise CompressionError(what, "unpack it with its own tool", "oversized") from error
        raise damaged(method, str(error)) from error
    source.back(decoder.unused_data)


def _decoder(method: str, bounds: Bounds) -> Decoder:
    if method in ("gzip", "zlib"):
        return _Inflater(_GZIP_WBITS if method == "gzip" else zlib.MAX_WBITS)
    if method == "lzma":
        return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=bounds.window)
    zstd = zstd_module()
    window = {zstd.DecompressionParameter.window_log_max: max(10, bounds.window.bit_length() - 1)}
    decoder: Decoder = zstd.ZstdDecompressor(options=window)
    return decoder


class _Inflater:
    """zlib's decoder as the other two are."""

    def __init__(self, wbits: int) -> None:
        self._decoder = zlib.decompressobj(wbits)
        self._full = False

    def decompress(self, data: bytes, /, max_length: int) -> bytes:
        out = self._decoder.decompress(self._decoder.unconsumed_tail + data, max_length)
        self._full = len(out) == max_length  # more may be inside of it that no further input is needed for
        return out

    @property
    def eof(self) -> bool:
        return self._decoder.eof

    @property
    def needs_input(self) -> bool:
        return not self._decoder.unconsumed_tail and not self._full

    @property
    def unused_data(self) -> bytes:
        return self._decoder.unused_data


def _another(source: Source, method: str) -> bool:
    """Whether a further member follows. Raises CompressionError where something else does.

    gzip lets zeros follow, as tapes leave them; xz too, by fours (its format's stream padding).
    """
    zeros = _skip_zeros(source) if method in ("gzip", "lzma") else 0
    head = source.peek(6)
    if method == "lzma" and zeros % 4:
        raise _trailing(method)
    if not head:
        return False
    if method == "zlib" or (method == "gzip" and zeros) or not may_be(method, head):
        raise _trailing(method)
    return True


def _skip_zeros(source: Source) -> int:
    count = 0
    while part := source.some():
        rest = part.lstrip(b"\0")
        count += len(part) - len(rest)
        if rest:
            source.back(rest)
            break
    return count


def _trailing(method: str) -> CompressionError:
    return CompressionError(
        f"bytes that are no {method} data follow after its end", "take a copy that ends there", "trailing"
    )


def _zstd_error(method: str) -> type[Exception]:
    """zstd's error class, loaded only where zstd is at work."""
    if method != "zstd":
        return zlib.error
    error: type[Exception] = zstd_module().ZstdError
    return error


def require(what: str, word: str, known: tuple[str, ...]) -> None:
    """Raises ValueError, with the words that there are."""
    if word not in known:
        raise ValueError(f"unknown {what} {word!r}: it is one of {', '.join(known)}")
