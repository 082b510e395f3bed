"""What is a block and what is none, to the byte: its records, its cursor, its mask, its chain ids."""

from __future__ import annotations

import os
import struct
from hashlib import sha256

import pytest

from journal.framing import SALT, entry, kind_of
from mgit_hooks import compress
from mgit_hooks.journal import blockformat
from mgit_hooks.journal.blockformat import Entry
from mgit_hooks.journal.format import (
    BLOCK,
    GENESIS,
    MASKED,
    Cursor,
    Frame,
)
from mgit_hooks.record import Seq

SALTED = struct.pack("<IB", 2, 0) + SALT + b"ab"
GONE = struct.pack("<IB", 7, 1) + bytes(range(32))


def raw_block(raw: bytes, count: int, codec: int = compress.NONE) -> Frame:
    return Frame(BLOCK, codec, count, len(raw), Seq(1), GENESIS, raw)


@pytest.mark.parametrize(
    ("raw", "count"),
    [
        (b"", 1),
        (b"\0", 1),
        (b"\0" + SALTED, 0),
        (b"\0" + SALTED * 65, 65),
        (b"\0" + SALTED, 2),
        (b"\0" + SALTED * 2, 1),
        (b"\0" + SALTED + b"\0", 1),
        (b"\0" + SALTED[:-1], 1),
        (b"\0" + SALTED[:4], 1),
        (b"\0" + GONE[:-1], 1),
        (b"\0" + SALTED[:4] + b"\2" + SALTED[5:], 1),
        (b"\2" + SALTED, 1),
        (b"\1" + SALTED, 1),
        (b"\1" + bytes(15) + SALTED, 1),
    ],
)
def test_what_is_no_block(raw: bytes, count: int) -> None:
    for read in (blockformat.block_entries, blockformat.block_payloads):
        assert kind_of(lambda: read(raw_block(raw, count))) == "bad-block"  # noqa: B023


@pytest.mark.parametrize("codec", [compress.SNAPPY, compress.ZSTD, 77])
def test_a_body_that_its_codec_does_not_open_is_no_block(codec: int) -> None:
    frame = raw_block(b"\0" + SALTED, 1, codec)
    for read in (blockformat.block_entries, blockformat.block_payloads, blockformat.frame_cursor):
        assert kind_of(lambda: read(frame)) == "bad-block"  # noqa: B023


@pytest.mark.parametrize("before", [b"\0", b"\1" + struct.pack("<QQ", 3, 4)])
@pytest.mark.parametrize("count", [1, 2, 64])
def test_what_is_a_block(before: bytes, count: int) -> None:
    whole = Entry(b"ab", 2, sha256(SALT + b"ab").digest(), SALT)
    gone = Entry(None, 7, bytes(range(32)), None)
    frame = raw_block(before + (SALTED + GONE) * (count // 2) + GONE * (count % 2), count)
    assert blockformat.block_entries(frame) == [whole, gone] * (count // 2) + [gone] * (count % 2)
    assert blockformat.block_payloads(frame) == [b"ab", None] * (count // 2) + [None] * (count % 2)
    assert blockformat.frame_cursor(frame) == (Cursor(3, 4) if before[0] else None)
    assert blockformat.chain_ids(GENESIS, 5, [whole, gone]) == [
        first := blockformat.chain(GENESIS, 5, whole),
        blockformat.chain(first, 6, gone),
    ]


def test_the_cursor_of_a_block() -> None:
    assert blockformat.frame_cursor(raw_block(b"\1" + struct.pack("<QQ", 3, 4), 1)) == Cursor(3, 4)
    assert blockformat.frame_cursor(raw_block(b"\0", 1)) is None
    for raw in (b"", b"\2" + bytes(16), b"\1" + bytes(15)):
        assert kind_of(lambda: blockformat.frame_cursor(raw_block(raw, 1))) == "bad-block"  # noqa: B023


def test_a_chain_id_is_computed_as_the_page_says() -> None:
    found = entry(b"payload")
    digest = sha256(SALT + b"payload").digest()
    assert blockformat.chain(GENESIS, 9, found) == sha256(bytes(32) + struct.pack("<QI", 9, 7) + digest).digest()


@pytest.mark.parametrize("size", [0, 1, 7, 8, 9, 65535, 65536, 65537, 200_000])
def test_a_mask_is_taken_off_byte_by_byte(size: int) -> None:
    mask, body = bytes(range(3, 11)), os.urandom(size)
    masked = bytes(byte ^ mask[at % 8] for at, byte in enumerate(body))
    frame = Frame(BLOCK, MASKED | compress.NONE, 1, size, Seq(1), GENESIS, mask + masked)
    assert blockformat._raw(frame) == body


@pytest.mark.parametrize("size", range(8))
def test_a_masked_body_without_a_mask_is_bad(size: int) -> None:
    frame = Frame(BLOCK, MASKED | compress.NONE, 1, 0, Seq(1), GENESIS, bytes(size))
    assert kind_of(lambda: blockformat._raw(frame)) == "bad-block"
