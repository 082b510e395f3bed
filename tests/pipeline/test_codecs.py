"""The six containers: what was packed comes back, other tools read it and are read, and nothing false comes out."""

from __future__ import annotations

import gzip
import io
import lzma
import shutil
import subprocess
import sys
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import snappy
from hypothesis import given, settings
from hypothesis import strategies as st

from mgit_hooks import codecs, containers, snappyframes
from mgit_hooks.errors import CompressionError

from .typical import changesets

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

PACKERS = containers.METHODS[1:]
TEXT = b"".join(b'{"hash":"%040x","author_name":"Ada","n":%d}\n' % (n * 0x9E3779B97F4A7C15, n) for n in range(300))
ANY = st.one_of(
    st.binary(max_size=3000), st.binary(min_size=1, max_size=40).map(lambda part: part * 5000), st.just(TEXT)
)


def pieces(data: bytes, size: int) -> Iterator[bytes]:
    return (data[at : at + size] for at in range(0, len(data), size))


def round_trip(raw: bytes, method: str, quality: str, size: int) -> bytes:
    stored = b"".join(codecs.packed(pieces(raw, size), method, quality, len(raw)))
    return b"".join(codecs.unpacked(pieces(stored, size), method))


# Exact


@pytest.mark.parametrize("quality", codecs.QUALITIES)
@pytest.mark.parametrize("method", containers.METHODS)
@settings(deadline=None)
@given(raw=ANY, size=st.sampled_from([1, 7, 1000, 1 << 17]))
def test_any_bytes_in_any_pieces_come_back(method: str, quality: str, raw: bytes, size: int) -> None:
    size = max(size, len(raw) // 500)  # a megabyte byte by byte shows no more than a kilobyte does
    assert round_trip(raw, method, quality, size) == raw
    assert codecs.unpack(codecs.pack(raw, method, quality), method) == raw


@pytest.mark.parametrize("quality", codecs.QUALITIES)
@pytest.mark.parametrize("method", containers.METHODS)
def test_a_stream_of_unknown_length_comes_back(method: str, quality: str) -> None:
    stored = b"".join(codecs.packed(pieces(TEXT, 1000), method, quality, None))
    assert codecs.unpack(stored, method) == TEXT


@pytest.mark.parametrize("method", PACKERS)
def test_a_codec_that_drops_the_last_byte_is_caught(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The planted bug of this family."""
    real = codecs._packed
    monkeypatch.setattr(codecs, "_packed", lambda *args: pieces(b"".join(real(*args))[:-1], 100))
    with pytest.raises((CompressionError, AssertionError)):
        assert round_trip(TEXT, method, "balanced", 1000) == TEXT


@pytest.mark.parametrize("method", PACKERS)
def test_an_encoder_that_drops_the_last_byte_of_the_data_is_caught(
    method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its container is whole: only the comparison, or the size that was told beforehand, shows it."""
    real = codecs._packed

    def short(given: Any, method: str, level: int, size: int | None) -> Iterator[bytes]:
        raw = b"".join(given)
        return real(pieces(raw[:-1], 1000), method, level, len(raw) - 1)

    monkeypatch.setattr(codecs, "_packed", short)
    assert round_trip(TEXT, method, "balanced", 1000) != TEXT


@pytest.mark.parametrize("method", containers.METHODS)
def test_an_input_that_changes_while_it_is_read_is_refused(method: str) -> None:
    for size in (len(TEXT) + 1, len(TEXT) - 1):
        with pytest.raises(CompressionError) as told:
            list(codecs.packed([TEXT], method, "fast", size))
        assert told.value.kind == "refused"


@pytest.mark.parametrize("method", PACKERS)
def test_better_qualities_are_not_larger(method: str) -> None:
    sizes = [len(codecs.pack(changesets(50_000), method, quality)) for quality in codecs.QUALITIES]
    assert sizes == sorted(sizes, reverse=True)


@pytest.mark.parametrize(
    ("call", "known"),
    [
        (lambda: codecs.pack(b"", "brotli"), "none, gzip, zlib, lzma, snappy, zstd"),
        (lambda: codecs.unpack(b"", "brotli"), "none, gzip, zlib, lzma, snappy, zstd"),
        (lambda: codecs.pack(b"", "gzip", "good"), "fast, balanced, best"),
    ],
)
def test_an_unknown_word_is_answered_with_the_known_ones(call: Callable[[], Any], known: str) -> None:
    with pytest.raises(ValueError, match=known):
        call()


# Standard containers


def python_snappy(stored: bytes) -> bytes:
    out = io.BytesIO()
    snappy.stream_decompress(io.BytesIO(stored), out)
    return out.getvalue()


def python_snappy_packs(raw: bytes) -> bytes:
    out = io.BytesIO()
    snappy.stream_compress(io.BytesIO(raw), out)
    return out.getvalue()


def program(*command: str) -> Callable[[bytes], bytes]:
    def run(data: bytes) -> bytes:
        if shutil.which(command[0]) is None:
            pytest.skip(f"{command[0]} is not installed")
        return subprocess.run(command, input=data, capture_output=True, check=True).stdout

    return run


READERS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "gunzip": ("gzip", program("gunzip", "-c")),
    "xz": ("lzma", program("xz", "-dc")),
    "zstd": ("zstd", program("zstd", "-dcq")),
    "python-snappy": ("snappy", python_snappy),
    "zlib": ("zlib", zlib.decompress),
}
WRITERS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "gzip": ("gzip", program("gzip", "-9c")),
    "gzip with a name": ("gzip", lambda raw: gzip.compress(raw, mtime=1)),
    "xz -9": ("lzma", program("xz", "-9c")),
    "xz without a check": ("lzma", program("xz", "-c", "--check=none")),
    "xz with a small memory": ("lzma", program("xz", "-0c", "--check=sha256")),
    "zstd -19": ("zstd", program("zstd", "-19cq")),
    "zstd without a check": ("zstd", program("zstd", "-cq", "--no-check")),
    "zstd --long": ("zstd", program("zstd", "-cq", "--long=27")),
    "python-snappy": ("snappy", python_snappy_packs),
    "zlib": ("zlib", zlib.compress),
}


@pytest.mark.parametrize("raw", [b"", b"x", TEXT, bytes(300_000)], ids=["nothing", "a byte", "text", "zeros"])
@pytest.mark.parametrize("reader", READERS)
def test_other_tools_read_what_we_write(reader: str, raw: bytes) -> None:
    method, read = READERS[reader]
    for quality in codecs.QUALITIES:
        assert read(codecs.pack(raw, method, quality)) == raw


@pytest.mark.parametrize("raw", [b"x", TEXT, bytes(300_000)], ids=["a byte", "text", "zeros"])
@pytest.mark.parametrize("writer", WRITERS)
def test_we_read_what_other_tools_write(writer: str, raw: bytes) -> None:
    method, write = WRITERS[writer]
    assert codecs.unpack(write(raw), method) == raw


SKIPPABLE = b"\x5a\x2a\x4d\x18" + (4).to_bytes(4, "little") + b"skip"
# What follows a member, and what the standard tool says of the whole: does it read on?
AFTER = {
    "gzip: a member": ("gzip", lambda whole: whole, 2),
    "gzip: zeros": ("gzip", lambda _: bytes(513), 1),
    "gzip: a byte": ("gzip", lambda _: b"x", None),
    "gzip: a text": ("gzip", lambda _: b"and a text that is longer", None),
    "gzip: zeros and a member": ("gzip", lambda whole: bytes(4) + whole, None),
    "gzip: half a member": ("gzip", lambda whole: whole[:-9], None),
    "xz: a stream": ("lzma", lambda whole: whole, 2),
    "xz: padding": ("lzma", lambda _: bytes(8), 1),
    "xz: padding and a stream": ("lzma", lambda whole: bytes(4) + whole, 2),
    "xz: padding of 3": ("lzma", lambda _: bytes(3), None),
    "xz: padding of 3 and a stream": ("lzma", lambda whole: bytes(3) + whole, None),
    "xz: a text": ("lzma", lambda _: b"and a text that is longer", None),
    "zstd: a frame": ("zstd", lambda whole: whole, 2),
    "zstd: a skippable frame and another": ("zstd", lambda whole: SKIPPABLE + whole, 2),
    "zstd: zeros": ("zstd", lambda _: bytes(8), None),
    "zstd: a text": ("zstd", lambda _: b"and a text that is longer", None),
    "zstd: half a frame": ("zstd", lambda whole: whole[:-9], None),
    "snappy: a stream": ("snappy", lambda whole: whole, 2),
    "snappy: padding": ("snappy", lambda whole: b"\xfe\x05\x00\x00\0\0\0\0\0" + whole, 2),
    "snappy: padding of 64 KiB": ("snappy", lambda _: b"\xfe\x00\x00\x01" + bytes(1 << 16), 1),
    # The format lets a reader skip it; it may as well be data with one bit flipped.
    "snappy: a reserved chunk": ("snappy", lambda _: b"\x80\x05\x00\x00\0\0\0\0\0", None),
    "snappy: a chunk not to skip": ("snappy", lambda _: b"\x02\x05\x00\x00\0\0\0\0\0", None),
    "snappy: a text": ("snappy", lambda _: b"and a text that is longer", None),
    "zlib: a stream": ("zlib", lambda whole: whole, None),
    "zlib: zeros": ("zlib", lambda _: bytes(4), None),
}
TOOLS = {"gzip": ("gzip", "-dc"), "lzma": ("xz", "-dc"), "zstd": ("zstd", "-dcq")}


@pytest.mark.parametrize("size", [1, 100, 1 << 20])
@pytest.mark.parametrize("case", AFTER)
def test_what_follows_a_member_is_read_or_refused_as_the_standard_tool_does(case: str, size: int) -> None:
    method, after, times = AFTER[case]
    whole = codecs.pack(TEXT, method)
    stored = whole + after(whole)
    if times is None:
        with pytest.raises(CompressionError):
            list(codecs.unpacked(pieces(stored, size), method))
    else:
        assert b"".join(codecs.unpacked(pieces(stored, size), method)) == TEXT * times
    if size == 100 and method in TOOLS and shutil.which(TOOLS[method][0]):
        done = subprocess.run(TOOLS[method], input=stored, capture_output=True)
        assert (done.returncode == 0) == (times is not None)
        assert times is None or done.stdout == TEXT * times


# Nothing false


SHORT = TEXT[:200]


@pytest.mark.parametrize("method", PACKERS)
def test_no_flipped_bit_gives_other_bytes(method: str) -> None:
    stored = bytearray(codecs.pack(SHORT, method))
    kinds = set()
    for bit in range(8 * len(stored)):
        stored[bit >> 3] ^= 1 << (bit & 7)
        try:
            assert codecs.unpack(bytes(stored), method) == SHORT, bit
        except CompressionError as error:
            kinds.add(error.kind)
        stored[bit >> 3] ^= 1 << (bit & 7)
    assert {"damaged", "foreign"} <= kinds <= {"damaged", "truncated", "foreign", "trailing", "oversized"}


def test_a_checksum_that_is_not_looked_at_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """The planted bug of the flipped bits."""
    monkeypatch.setattr(snappyframes, "_masked", lambda _: 0)
    with pytest.raises(AssertionError):
        test_no_flipped_bit_gives_other_bytes("snappy")


@pytest.mark.parametrize("method", PACKERS)
def test_no_cut_container_passes_for_a_whole_one(method: str) -> None:
    stored = codecs.pack(TEXT[:1000], method)
    for length in range(len(stored)):
        if method == "snappy" and length == 10:
            continue  # a stream of nothing: the format has no end (docs/pipeline.md), a result's size tells
        with pytest.raises(CompressionError) as told:
            codecs.unpack(stored[:length], method)
        assert told.value.kind in ("truncated", "damaged")


@pytest.mark.parametrize("actual", PACKERS)
@pytest.mark.parametrize("said", PACKERS)
def test_a_container_of_another_kind_is_refused_by_its_name(said: str, actual: str) -> None:
    stored = codecs.pack(TEXT, actual)
    if said == actual:
        return
    with pytest.raises(CompressionError) as told:
        codecs.unpack(stored, said)
    assert told.value.kind == "foreign"
    if actual != "zlib":  # two bytes tell too little
        assert f"it is {actual} data, not {said}" in told.value.message
        assert told.value.remedy == f"say method {actual}"


@pytest.mark.parametrize("method", PACKERS)
@settings(deadline=None)
@given(data=st.binary(max_size=300))
def test_no_bytes_make_it_raise_anything_else(method: str, data: bytes) -> None:
    head = codecs.pack(SHORT, method)[:20]
    for stored in (data, head[:10] + data, head + data):
        try:
            codecs.unpack(stored, method, codecs.Bounds(1 << 20))
        except CompressionError:
            continue


SNAPPY_HEAD = b"\xff\x06\x00\x00sNaPpY"
BAD_SNAPPY = {
    "no identifier": b"\x00\x00\x00\x00",
    "another identifier": SNAPPY_HEAD + b"\xff\x06\x00\x00sNaPpy",
    "an identifier of another length": SNAPPY_HEAD + b"\xff\x05\x00\x00sNaPp",
    "a long identifier": SNAPPY_HEAD + b"\xff\xff\xff\xff" + bytes(100),
    "an unknown kind": SNAPPY_HEAD + b"\x7f\x00\x00\x00",
    "no room for a checksum": SNAPPY_HEAD + b"\x01\x03\x00\x00abc",
    "a long chunk": SNAPPY_HEAD + b"\x01\xff\xff\xff" + bytes(1 << 24),
    "65,537 plain bytes": SNAPPY_HEAD + b"\x01\x05\x00\x01" + bytes(65541),
    "a length that is none": SNAPPY_HEAD + b"\x00\x09\x00\x00" + bytes(4) + b"\xff" * 5,
    "a length of 1 GiB": SNAPPY_HEAD + b"\x00\x0a\x00\x00" + bytes(4) + b"\x80\x80\x80\x80\x04a",
}


@pytest.mark.parametrize("case", BAD_SNAPPY)
def test_snappy_frames_that_no_writer_makes_are_refused(case: str) -> None:
    with pytest.raises(CompressionError) as told:
        codecs.unpack(BAD_SNAPPY[case], "snappy")
    assert told.value.kind in ("damaged", "foreign")


def test_a_container_is_told_by_how_it_begins() -> None:
    for method in PACKERS:
        head = codecs.pack(TEXT, method)[:10]
        assert containers.recognized(head) == (None if method == "zlib" else method)
        for length in range(1, 10):
            assert containers.may_be(method, head[:length])
    assert containers.recognized(b"") is None
    assert containers.recognized(TEXT) is None
    assert containers.recognized(SKIPPABLE) == "zstd"
    assert containers.may_be("none", TEXT)
    assert not containers.may_be("zlib", b"\x78\x02")


# Bounds


@pytest.mark.parametrize("method", PACKERS)
def test_a_bomb_is_refused_within_little_memory(method: str) -> None:
    bomb = codecs.pack(bytes(64 << 20), method, "fast")
    limit = 1 << 20
    tracemalloc.start()
    try:
        with pytest.raises(CompressionError) as told:
            for _ in codecs.unpacked([bomb], method, codecs.Bounds(limit)):
                pass
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert told.value.kind == "oversized"
    assert "1,048,576" in told.value.message
    assert peak < 16 << 20


@pytest.mark.parametrize("method", PACKERS)
def test_a_limit_that_is_just_met_is_no_bomb(method: str) -> None:
    stored = codecs.pack(TEXT, method)
    assert codecs.unpack(stored, method, codecs.Bounds(len(TEXT))) == TEXT
    with pytest.raises(CompressionError):
        codecs.unpack(stored, method, codecs.Bounds(len(TEXT) - 1))


def test_a_zstd_frame_that_says_that_it_is_too_large_is_refused_before_it_is_read() -> None:
    stored = codecs.pack(bytes(64 << 20), "zstd", "fast")
    told: list[bytes] = []
    with pytest.raises(CompressionError, match="holds more"):
        told.extend(codecs.unpacked(pieces(stored, 100), "zstd", codecs.Bounds(1 << 20)))
    assert told == []


def _wide_zstd() -> bytes:
    names = zstd.CompressionParameter
    encoder = zstd.ZstdCompressor(options={names.window_log: 30, names.compression_level: 1})
    return encoder.compress(TEXT) + encoder.flush()  # of a size that it does not tell: the window is not cut to it


def _wide_xz() -> bytes:
    return lzma.compress(TEXT, filters=[{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": 256 << 20}])


@pytest.mark.parametrize(("method", "make"), [("zstd", _wide_zstd), ("lzma", _wide_xz)])
def test_a_window_that_would_take_much_memory_is_refused_unless_allowed(method: str, make: Callable[[], bytes]) -> None:
    stored = make()
    with pytest.raises(CompressionError) as told:
        codecs.unpack(stored, method)
    assert told.value.kind == "oversized"
    assert codecs.unpack(stored, method, codecs.Bounds(None, 1 << 30)) == TEXT


def test_the_best_lzma_takes_memory_only_where_the_input_is_large_enough_to_gain() -> None:
    """A decoder needs the dictionary that the encoder had, which needed eleven times as much."""
    stored = codecs.pack(TEXT, "lzma", "best")
    decoder = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=1 << 20)
    assert decoder.decompress(stored) == TEXT
    large = codecs.pack(bytes(9 << 20), "lzma", "best")
    with pytest.raises(lzma.LZMAError):  # 16 MiB
        lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=10 << 20).decompress(large)


def test_many_members_are_read_without_end() -> None:
    stored = codecs.pack(b"x", "gzip") * 20_000
    assert codecs.unpack(stored, "gzip") == b"x" * 20_000
