"""The codecs of blocks: what they gave they take back, and nothing else, within the memory that was said."""

from __future__ import annotations

import sys
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mgit_hooks import compress
from mgit_hooks.journal import blockformat

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

PARAMETER = zstd.CompressionParameter
CODECS = (compress.NONE, compress.SNAPPY, compress.ZSTD)
TEXT = b"a line that comes again and again\n" * 100
FRAME = compress.compress(TEXT, compress.ZSTD)[1]


@pytest.mark.parametrize("codec", CODECS)
@given(raw=st.one_of(st.binary(max_size=3000), st.binary(max_size=40).map(lambda part: part * 99)))
def test_what_was_compressed_comes_back(codec: int, raw: bytes) -> None:
    used, stored = compress.compress(raw, codec)
    assert used in (codec, compress.NONE)
    assert len(stored) <= len(raw)
    assert compress.decompress(stored, used, len(raw)) == raw


@pytest.mark.parametrize("codec", [compress.SNAPPY, compress.ZSTD])
def test_what_would_not_get_smaller_stays_as_it_is(codec: int) -> None:
    assert compress.compress(b"xy", codec) == (compress.NONE, b"xy")
    assert compress.compress(TEXT, codec)[0] == codec


def test_zstd_saves_more_than_snappy() -> None:
    assert len(FRAME) < len(compress.compress(TEXT, compress.SNAPPY)[1]) / 2


def _other(**options: int) -> bytes:
    given = {PARAMETER[name]: value for name, value in options.items()}
    return bytes(zstd.compress(TEXT, options={PARAMETER.compression_level: 3, **given}))


def _with_dictionary() -> bytes:
    trained = zstd.train_dict([b"%d %s" % (number, TEXT) for number in range(200)], 4096)
    assert trained.dict_id
    return bytes(zstd.compress(TEXT, zstd_dict=trained))


def _longer_inside() -> bytes:
    """A frame that says less than it holds."""
    data = bytearray(_other())
    at = 6 if not data[4] & 0x20 else 5
    assert data[4] >> 6 == 1
    size = int.from_bytes(data[at : at + 2], "little")
    data[at : at + 2] = (size - 1).to_bytes(2, "little")
    return bytes(data)


SKIPPABLE = (0x184D2A50).to_bytes(4, "little") + (4).to_bytes(4, "little") + b"skip"
WRONG: dict[str, tuple[Callable[[], bytes], int]] = {
    "nothing": (lambda: b"", len(TEXT)),
    "a magic alone": (lambda: FRAME[:4], len(TEXT)),
    "cut by one": (lambda: FRAME[:-1], len(TEXT)),
    "cut in the middle": (lambda: FRAME[: len(FRAME) // 2], len(TEXT)),
    "a byte after it": (lambda: FRAME + b"\0", len(TEXT)),
    "a frame after it": (lambda: FRAME + bytes(zstd.compress(b"")), len(TEXT)),
    "a skippable frame after it": (lambda: FRAME + SKIPPABLE, len(TEXT)),
    "a skippable frame before it": (lambda: SKIPPABLE + FRAME, len(TEXT)),
    "a skippable frame, of nothing": (lambda: SKIPPABLE, 0),
    "another length": (lambda: FRAME, len(TEXT) - 1),
    "no length of its own": (lambda: _other(content_size_flag=0), len(TEXT)),
    "more than it says": (_longer_inside, len(TEXT) - 1),
    "a dictionary": (_with_dictionary, len(TEXT)),
    "snappy": (lambda: compress.compress(TEXT, compress.SNAPPY)[1], len(TEXT)),
}


@pytest.mark.parametrize("case", WRONG)
def test_zstd_that_no_writer_makes_is_refused(case: str) -> None:
    make, length = WRONG[case]
    with pytest.raises(ValueError, match="zstd"):
        compress.decompress(make(), compress.ZSTD, length)


def test_a_window_of_more_than_8_mib_is_refused() -> None:
    raw = bytes(9 << 20)
    for log, fits in ((23, True), (24, False)):
        options = {PARAMETER.window_log: log, PARAMETER.compression_level: 1}
        stored = bytes(zstd.compress(raw + bytes((16 << 20) - len(raw) + 1), options=options))
        length = (16 << 20) + 1
        if fits:
            assert len(compress.decompress(stored, compress.ZSTD, length)) == length
        else:
            with pytest.raises(ValueError, match="memory"):
                compress.decompress(stored, compress.ZSTD, length)


@pytest.mark.parametrize("size", [blockformat.BLOCK_TARGET, 20 << 20])
def test_what_we_write_is_within_the_window(size: int) -> None:
    raw = bytes(range(256)) * (size // 256)
    used, stored = compress.compress(raw, compress.ZSTD)
    assert (used, compress.decompress(stored, used, len(raw)) == raw) == (compress.ZSTD, True)


def test_a_length_that_is_a_lie_takes_no_memory() -> None:
    """A frame of 200 MiB under a header that says 1 KiB, and the other way round: neither is unpacked."""
    large = compress.compress(bytes(200 << 20), compress.ZSTD)[1]
    tracemalloc.start()
    try:
        for stored, length in ((large, 1024), (FRAME, 200 << 20), (large[:-1], 1024)):
            with pytest.raises(ValueError, match="length"):
                compress.decompress(stored, compress.ZSTD, length)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_a_frame_that_ends_before_its_length_takes_no_more_than_it_holds() -> None:
    large = compress.compress(bytes(200 << 20), compress.ZSTD)[1]
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="zstd"):
            compress.decompress(large[:64], compress.ZSTD, 200 << 20)
        assert tracemalloc.get_traced_memory()[1] < 16 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("codec", [3, 4, 0x7F])
def test_a_codec_of_no_version_is_refused(codec: int) -> None:
    with pytest.raises(ValueError, match="unknown codec"):
        compress.decompress(TEXT, codec, len(TEXT))
    assert compress.compress(TEXT, codec) == (compress.NONE, TEXT)


@given(data=st.binary(max_size=200), length=st.integers(0, 1 << 28))
def test_no_bytes_make_it_raise_anything_else(data: bytes, length: int) -> None:
    for stored in (data, FRAME[:4] + data, FRAME[:12] + data):
        try:
            raw: Any = compress.decompress(stored, compress.ZSTD, length)
        except ValueError:
            continue
        assert len(raw) == length
