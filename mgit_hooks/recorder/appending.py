"""Records into the journal as they are made, a synced chunk at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from mgit_hooks.encoding import encode
from mgit_hooks.journal.cursor import Cursor
from mgit_hooks.journal.writer import Appender
from mgit_hooks.record import Record, Seq
from mgit_hooks.recorder.intake import Intake
from mgit_hooks.recorder.memory import Memory

# Records per append: each append is synced, and a kill costs no more than redoing one of these.
_CHUNK: Final = 1024


def record_all(
    journal: Appender, intake: Intake, records: Iterator[Record], memory: Memory, cursor: Cursor | None
) -> int:
    """Append each record as it is made, noted before the next one is asked for; the cursor with the last.

    The number of records. Each chunk is synced.
    """
    written = 0
    chunk: list[bytes] = []
    for record in records:
        # What happened is what may come up again, not what the policy makes of it (strategy fallback).
        memory.note(Seq(journal.next_seq + len(chunk)), record)
        chunk.append(encode(intake.judge(record)))
        if len(chunk) == _CHUNK:
            journal.append(chunk)
            journal.sync()
            written += len(chunk)
            chunk = []
    if chunk or (cursor is not None and journal.cursor != cursor):
        journal.append(chunk, cursor)
        journal.sync()
    return written + len(chunk)
