"""The bytes: every value comes back, nothing else does, and no length is believed before it is checked."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from second_reader import crc32c

from journal.framing import JOURNAL, OTHER, SALT, block, resealed
from mgit_hooks import compress
from mgit_hooks.journal import blockformat, format
from mgit_hooks.journal.format import (
    CURSOR,
    GENESIS,
    HEADER_LENGTH,
    MAGIC,
    MAX_BODY,
    Cursor,
    FormatError,
    Frame,
    JournalId,
    NewerFormat,
    SegmentInfo,
)
from mgit_hooks.record import Seq


def test_a_frame_is_laid_out_as_the_page_says() -> None:
    # docs/format.md, by hand: any change of these bytes is a new version of the format.
    frame = block([b"hello", b""], cursor=Cursor(3, 77), first_seq=9, codec=compress.NONE)
    body = b"\1" + struct.pack("<QQ", 3, 77)
    body += struct.pack("<IB", 5, 0) + SALT + b"hello" + struct.pack("<IB", 0, 0) + SALT
    header = b"\x93MGIT\r\n\x1a" + bytes((2, 0)) + struct.pack("<HIIQ", 2, len(body), len(body), 9) + bytes(32)
    expected = header + struct.pack("<I", crc32c(JOURNAL + header + body)) + body
    assert format.pack_frame(frame, JOURNAL) == expected


@given(st.integers(0, 65535), st.binary(min_size=16, max_size=16), st.integers(0, 2**32 - 1), st.integers(0, 2**64 - 1))
def test_a_segment_header_can_be_read_when_nothing_is_known(version: int, id: bytes, number: int, at: int) -> None:
    info = SegmentInfo(version, JournalId(id), number, at)
    data = format.pack_frame(format.segment_frame(info, Seq(5), GENESIS), info.journal)
    frame = format.unpack_frame(data, 0, ())
    assert format.peek_version(data) == version
    if version == 1:
        assert format.segment_info(frame) == info
    elif version > 1:
        with pytest.raises(NewerFormat):
            format.segment_info(frame)
    else:
        with pytest.raises(FormatError):
            format.segment_info(frame)


def test_a_segment_header_of_another_journal_is_foreign() -> None:
    data = format.pack_frame(format.segment_frame(SegmentInfo(1, OTHER, 1, 0), Seq(1), GENESIS), OTHER)
    with pytest.raises(FormatError, match="foreign"):
        format.unpack_frame(data, 0, [JOURNAL])


def test_a_frame_of_another_journal_is_refused() -> None:
    data = format.pack_frame(block([b"theirs"]), OTHER)
    with pytest.raises(FormatError, match="bad-checksum"):
        format.unpack_frame(data, 0, [JOURNAL])


@pytest.mark.parametrize(
    "frame",
    [
        block([b"one", b"two" * 40], cursor=Cursor(1, 2)),
        block([b"one"], codec=compress.NONE),
        format.cursor_frame(Cursor(4, 5), Seq(6), GENESIS),
        format.footer_frame(3, Seq(1), Seq(3), GENESIS),
        format.segment_frame(SegmentInfo(1, JOURNAL, 1, 2), Seq(1), GENESIS),
    ],
    ids=["snappy", "none", "cursor", "footer", "segment"],
)
def test_no_frame_holds_with_a_bit_flipped(frame: Frame) -> None:
    data = bytearray(format.pack_frame(frame, JOURNAL))
    for bit in range(8 * len(data)):
        data[bit // 8] ^= 1 << bit % 8
        with pytest.raises(FormatError):
            format.unpack_frame(data, 0, [JOURNAL])
        data[bit // 8] ^= 1 << bit % 8


@given(st.binary(max_size=200), st.integers(0, 100))
def test_noise_is_no_frame(noise: bytes, at: int) -> None:
    for data in (noise, MAGIC + noise):
        with pytest.raises(FormatError):
            format.unpack_frame(data, min(at, len(data)), [JOURNAL])


@pytest.mark.parametrize(("field", "value"), [(12, MAX_BODY + 1), (16, MAX_BODY + 1), (12, 2**32 - 1), (16, 2**32 - 1)])
def test_a_length_over_the_limit_is_refused_though_its_checksum_holds(field: int, value: int) -> None:
    data = bytearray(format.pack_frame(block([b"x"]), JOURNAL))
    data[field : field + 4] = struct.pack("<I", value)
    with pytest.raises(FormatError, match="oversized"):
        format.unpack_frame(resealed(bytes(data)), 0, [JOURNAL])


def test_a_cursor_frame_of_another_length_is_bad() -> None:
    frame = format.cursor_frame(Cursor(1, 2), Seq(1), GENESIS)
    assert blockformat.frame_cursor(frame) == Cursor(1, 2)
    assert frame.kind == CURSOR
    with pytest.raises(FormatError, match="bad-cursor"):
        blockformat.frame_cursor(frame._replace(body=frame.body[:-1]))
    assert HEADER_LENGTH == 64
