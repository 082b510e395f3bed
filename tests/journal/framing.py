"""Frames made by hand, under a journal id of their own."""

from __future__ import annotations

import struct
from collections.abc import Callable

import pytest
from second_reader import crc32c

from mgit_hooks.journal import blockformat
from mgit_hooks.journal.blockformat import Entry
from mgit_hooks.journal.format import GENESIS, Cursor, FormatError, Frame, JournalId
from mgit_hooks.record import Seq

JOURNAL = JournalId(bytes(range(16)))
OTHER = JournalId(bytes(16))
SALT = bytes(range(100, 116))


def entry(payload: bytes) -> Entry:
    return blockformat.new_entry(payload, SALT)


def block(payloads: list[bytes], *, cursor: Cursor | None = None, first_seq: int = 1, codec: int = 1) -> Frame:
    return blockformat.block_frame(list(map(entry, payloads)), Seq(first_seq), GENESIS, cursor, codec)


def resealed(data: bytes, journal: JournalId = JOURNAL) -> bytes:
    """``data`` with the checksum that its bytes call for: what only a forger makes."""
    return data[:60] + struct.pack("<I", crc32c(journal + data[:60] + data[64:])) + data[64:]


def kind_of(read: Callable[[], object]) -> str:
    """What the bytes that ``read`` refuses are called."""
    with pytest.raises(FormatError) as raised:
        read()
    assert str(raised.value) == raised.value.kind
    return raised.value.kind
