"""The bytes: every value comes back, nothing else does, and no length is believed before it is checked."""

from __future__ import annotations

import os
import struct
import tracemalloc
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from second_reader import crc32c

from journal.framing import JOURNAL, OTHER, SALT, block, entry, resealed
from mgit_hooks import compress
from mgit_hooks.journal import format
from mgit_hooks.journal.format import (
    BLOCK,
    CURSOR,
    GENESIS,
    HEADER_LENGTH,
    MAGIC,
    MASKED,
    MAX_BODY,
    MAX_RECORDS,
    SALT_LENGTH,
    ChainId,
    Cursor,
    FormatError,
    Frame,
    JournalId,
    NewerFormat,
    SegmentInfo,
)
from mgit_hooks.record import Seq

cursors = st.none() | st.builds(Cursor, *[st.integers(0, 2**64 - 1)] * 2)


@given(st.lists(st.binary(max_size=200), min_size=1, max_size=MAX_RECORDS), cursors, st.integers(1, 2**63), st.binary())
def test_a_block_comes_back_as_it_went_in(
    payloads: list[bytes], cursor: Cursor | None, seq: int, before: bytes
) -> None:
    frame = block(payloads, cursor=cursor, first_seq=seq)
    data = before + format.pack_frame(frame, JOURNAL) + b"after"
    read = format.unpack_frame(data, len(before), [OTHER, JOURNAL])
    assert read == frame
    assert [found.payload for found in format.block_entries(read)] == payloads
    assert format.block_entries(read) == list(map(entry, payloads))
    assert format.frame_cursor(read) == cursor
    assert format.declared_length(data, len(before)) == read.length == len(data) - len(before) - 5


@pytest.mark.parametrize("size", [0, 1, 1023, format.BLOCK_TARGET - 1, format.BLOCK_TARGET + 1, 5 * 1024 * 1024])
@pytest.mark.parametrize("kind", ["text", "noise"])
def test_a_payload_of_any_size(size: int, kind: str) -> None:
    payload = os.urandom(size) if kind == "noise" else (b"abcdefgh" * (size // 8 + 1))[:size]
    frame = format.unpack_frame(format.pack_frame(block([payload]), JOURNAL), 0, [JOURNAL])
    assert format.block_entries(frame)[0].payload == payload


def test_a_body_that_would_not_shrink_is_stored_as_it_is() -> None:
    assert block([os.urandom(500)]).codec == compress.NONE
    assert block([b"a" * 500]).codec == compress.SNAPPY


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


@settings(max_examples=300)
@given(st.integers(1, 80), st.binary(max_size=120), st.integers(0, 255), st.integers(0, 300))
def test_a_forged_body_is_bad_and_never_a_crash(count: int, raw: bytes, codec: int, length: int) -> None:
    frame = Frame(BLOCK, codec, count, length, Seq(1), GENESIS, raw)
    for read in (format.block_entries, format.frame_cursor):
        with suppress(FormatError):
            read(frame)


def test_the_largest_payload_goes_in_and_one_byte_more_does_not() -> None:
    with pytest.raises(FormatError, match="oversized"):
        format.new_entry(bytes(format.MAX_PAYLOAD + 1), SALT)
    most = 1 + 16 + 5 + SALT_LENGTH + format.MAX_PAYLOAD
    assert most <= MAX_BODY


@pytest.mark.parametrize("count", [0, MAX_RECORDS + 1])
def test_a_block_holds_1_to_64_records(count: int) -> None:
    with pytest.raises(FormatError, match="bad-count"):
        format.block_frame([entry(b"")] * count, Seq(1), GENESIS, None, compress.SNAPPY)


@pytest.mark.parametrize(("field", "value"), [(12, MAX_BODY + 1), (16, MAX_BODY + 1), (12, 2**32 - 1), (16, 2**32 - 1)])
def test_a_length_over_the_limit_is_refused_though_its_checksum_holds(field: int, value: int) -> None:
    data = bytearray(format.pack_frame(block([b"x"]), JOURNAL))
    data[field : field + 4] = struct.pack("<I", value)
    with pytest.raises(FormatError, match="oversized"):
        format.unpack_frame(resealed(bytes(data)), 0, [JOURNAL])


@pytest.mark.parametrize(
    ("raw_length", "preamble"),
    [(MAX_BODY, MAX_BODY), (100, MAX_BODY), (MAX_BODY, 100), (2**32 - 1, 2**32 - 1), (10, None)],
)
def test_a_snappy_bomb_takes_no_memory(raw_length: int, preamble: int | None) -> None:
    varint = b"\xff\xff\xff\xff\xff\xff"
    if preamble is not None:
        varint = b""
        while preamble >= 0x80:
            varint += bytes((preamble & 0x7F | 0x80,))
            preamble >>= 7
        varint += bytes((preamble,))
    frame = Frame(BLOCK, compress.SNAPPY, 1, raw_length, Seq(1), GENESIS, varint + b"\xfe\x01\x00" * 1000)
    tracemalloc.start()
    try:
        with pytest.raises(FormatError, match="bad-block"):
            format.block_entries(frame)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


@given(st.lists(st.binary(max_size=40), min_size=1, max_size=5), st.integers(0, 4), st.booleans())
def test_a_stored_body_never_holds_the_magic(pieces: list[bytes], at: int, noisy: bool) -> None:
    payload = MAGIC.join([*pieces, os.urandom(3000) if noisy else b""]) + MAGIC
    frame = block([*pieces[:at], payload], codec=compress.NONE)
    assert frame.codec & MASKED
    data = format.pack_frame(frame, JOURNAL)
    assert data.count(MAGIC) == 1
    assert format.block_entries(format.unpack_frame(data, 0, [JOURNAL]))[-1].payload == payload


def test_an_ordinary_body_is_not_masked() -> None:
    assert not block([b"nothing to hide" * 10]).codec & MASKED


def test_an_erased_record_keeps_its_place_in_the_chain() -> None:
    whole = [entry(b"kept"), entry(b"by law"), entry(b"kept too")]
    erased = [whole[0], whole[1]._replace(payload=None, salt=None), whole[2]]
    frames = [format.block_frame(entries, Seq(1), GENESIS, None, compress.SNAPPY) for entries in (whole, erased)]
    chains = []
    for frame in frames:
        head = GENESIS
        for seq, found in enumerate(format.block_entries(frame), 1):
            head = format.chain(head, seq, found)
        chains.append(head)
    assert chains[0] == chains[1]
    assert [found.payload for found in format.block_entries(frames[1])] == [b"kept", None, b"kept too"]
    assert b"by law" not in format._raw(frames[1])


def test_the_chain_covers_seq_length_payload_salt_and_what_came_before() -> None:
    base = format.chain(GENESIS, 1, entry(b"payload"))
    others = [
        format.chain(ChainId(b"\1" + bytes(31)), 1, entry(b"payload")),
        format.chain(GENESIS, 2, entry(b"payload")),
        format.chain(GENESIS, 1, entry(b"payloae")),
        format.chain(GENESIS, 1, format.new_entry(b"payload", bytes(16))),
        format.chain(GENESIS, 1, entry(b"payload")._replace(payload_length=8)),
    ]
    assert base not in others
    assert len(set(others)) == len(others)


def test_a_cursor_frame_of_another_length_is_bad() -> None:
    frame = format.cursor_frame(Cursor(1, 2), Seq(1), GENESIS)
    assert format.frame_cursor(frame) == Cursor(1, 2)
    assert frame.kind == CURSOR
    with pytest.raises(FormatError, match="bad-cursor"):
        format.frame_cursor(frame._replace(body=frame.body[:-1]))
    assert HEADER_LENGTH == 64
