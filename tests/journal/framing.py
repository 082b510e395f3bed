"""Frames made by hand, under a journal id of their own."""

from __future__ import annotations

import struct

from second_reader import crc32c

from mgit_hooks.journal import format
from mgit_hooks.journal.format import GENESIS, Cursor, Entry, Frame, JournalId
from mgit_hooks.record import Seq

JOURNAL = JournalId(bytes(range(16)))
OTHER = JournalId(bytes(16))
SALT = bytes(range(100, 116))


def entry(payload: bytes) -> Entry:
    return format.new_entry(payload, SALT)


def block(payloads: list[bytes], *, cursor: Cursor | None = None, first_seq: int = 1, codec: int = 1) -> Frame:
    return format.block_frame(list(map(entry, payloads)), Seq(first_seq), GENESIS, cursor, codec)


def resealed(data: bytes, journal: JournalId = JOURNAL) -> bytes:
    """``data`` with the checksum that its bytes call for: what only a forger makes."""
    return data[:60] + struct.pack("<I", crc32c(journal + data[:60] + data[64:])) + data[64:]
