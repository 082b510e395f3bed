"""What a drain that was killed put on record of lines that are read again: it is not told twice."""

from __future__ import annotations

from mgit_hooks.journal.index import Index
from mgit_hooks.journal.writer import Appender
from mgit_hooks.record import Record
from mgit_hooks.recorder.state import State

# Events that only a hook's line tells of.
_OF_HOOKS = ("push", "refused", "skipped")


def orphans(index: Index, before: State, journal: Appender) -> list[Record]:
    """What hooks said and a killed drain has told, whose lines are still after the cursor."""
    if before.next_seq is None or before.cursor != journal.cursor or before.next_seq == journal.next_seq:
        return []
    records = (stored.record() for stored in index.read_many(index.within(before.next_seq, journal.next_seq)))
    told = (_as_told(record) for record in records if record is not None)
    return [record for record in told if record.event in _OF_HOOKS]


def pushes(index: Index, before: State, journal: Appender) -> list[Record]:
    """Pushes that a drain has told which was killed before it wrote down that they had ended."""
    if before.next_seq == journal.next_seq:
        return []
    rows = (row for row in index.within(before.next_seq or 1, journal.next_seq) if row.event == "push")
    return [record for stored in index.read_many(rows, []) if (record := stored.record()) is not None]


def _as_told(record: Record) -> Record:
    """What a strategy made something less of, where that was still a record."""
    try:
        return record if record.original is None else Record.from_json(record.original)
    except (KeyError, TypeError, ValueError, AttributeError):
        return record
