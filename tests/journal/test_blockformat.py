"""Blocks: every record comes back, none is made out of other bytes, and the chain covers all of each."""

from __future__ import annotations

import os
import tracemalloc
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from journal.framing import JOURNAL, OTHER, SALT, block, entry
from mgit_hooks import compress
from mgit_hooks.journal import blockformat, format
from mgit_hooks.journal.blockformat import MAX_RECORDS, SALT_LENGTH
from mgit_hooks.journal.format import (
    BLOCK,
    GENESIS,
    MAGIC,
    MASKED,
    MAX_BODY,
    ChainId,
    Cursor,
    FormatError,
    Frame,
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
    assert [found.payload for found in blockformat.block_entries(read)] == payloads
    assert blockformat.block_entries(read) == list(map(entry, payloads))
    assert blockformat.frame_cursor(read) == cursor
    assert format.declared_length(data, len(before)) == read.length == len(data) - len(before) - 5


@pytest.mark.parametrize(
    "size", [0, 1, 1023, blockformat.BLOCK_TARGET - 1, blockformat.BLOCK_TARGET + 1, 5 * 1024 * 1024]
)
@pytest.mark.parametrize("kind", ["text", "noise"])
def test_a_payload_of_any_size(size: int, kind: str) -> None:
    payload = os.urandom(size) if kind == "noise" else (b"abcdefgh" * (size // 8 + 1))[:size]
    frame = format.unpack_frame(format.pack_frame(block([payload]), JOURNAL), 0, [JOURNAL])
    assert blockformat.block_entries(frame)[0].payload == payload


def test_a_body_that_would_not_shrink_is_stored_as_it_is() -> None:
    assert block([os.urandom(500)]).codec == compress.NONE
    assert block([b"a" * 500]).codec == compress.SNAPPY


@settings(max_examples=300)
@given(st.integers(1, 80), st.binary(max_size=120), st.integers(0, 255), st.integers(0, 300))
def test_a_forged_body_is_bad_and_never_a_crash(count: int, raw: bytes, codec: int, length: int) -> None:
    frame = Frame(BLOCK, codec, count, length, Seq(1), GENESIS, raw)
    for read in (blockformat.block_entries, blockformat.frame_cursor):
        with suppress(FormatError):
            read(frame)


def test_the_largest_payload_goes_in_and_one_byte_more_does_not() -> None:
    with pytest.raises(FormatError, match="oversized"):
        blockformat.new_entry(bytes(blockformat.MAX_PAYLOAD + 1), SALT)
    most = 1 + 16 + 5 + SALT_LENGTH + blockformat.MAX_PAYLOAD
    assert most <= MAX_BODY


@pytest.mark.parametrize("count", [0, MAX_RECORDS + 1])
def test_a_block_holds_1_to_64_records(count: int) -> None:
    with pytest.raises(FormatError, match="bad-count"):
        blockformat.block_frame([entry(b"")] * count, Seq(1), GENESIS, None, compress.SNAPPY)


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
            blockformat.block_entries(frame)
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
    assert blockformat.block_entries(format.unpack_frame(data, 0, [JOURNAL]))[-1].payload == payload


def test_an_ordinary_body_is_not_masked() -> None:
    assert not block([b"nothing to hide" * 10]).codec & MASKED


def test_an_erased_record_keeps_its_place_in_the_chain() -> None:
    whole = [entry(b"kept"), entry(b"by law"), entry(b"kept too")]
    erased = [whole[0], whole[1]._replace(payload=None, salt=None), whole[2]]
    frames = [blockformat.block_frame(entries, Seq(1), GENESIS, None, compress.SNAPPY) for entries in (whole, erased)]
    chains = []
    for frame in frames:
        head = GENESIS
        for seq, found in enumerate(blockformat.block_entries(frame), 1):
            head = blockformat.chain(head, seq, found)
        chains.append(head)
    assert chains[0] == chains[1]
    assert [found.payload for found in blockformat.block_entries(frames[1])] == [b"kept", None, b"kept too"]
    assert b"by law" not in blockformat._raw(frames[1])


def test_the_chain_covers_seq_length_payload_salt_and_what_came_before() -> None:
    base = blockformat.chain(GENESIS, 1, entry(b"payload"))
    others = [
        blockformat.chain(ChainId(b"\1" + bytes(31)), 1, entry(b"payload")),
        blockformat.chain(GENESIS, 2, entry(b"payload")),
        blockformat.chain(GENESIS, 1, entry(b"payloae")),
        blockformat.chain(GENESIS, 1, blockformat.new_entry(b"payload", bytes(16))),
        blockformat.chain(GENESIS, 1, entry(b"payload")._replace(payload_length=8)),
    ]
    assert base not in others
    assert len(set(others)) == len(others)
