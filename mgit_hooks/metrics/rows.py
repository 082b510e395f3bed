"""The tables of ``metrics.sqlite``, and what their rows are to the program: written here, and read here again.

SQLite has no checksums: a flipped bit may leave a whole database with a row in it that is none. Such a row is passed
over; the others count.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from mgit_hooks import meter
from mgit_hooks.metrics.figures import BUCKETS
from mgit_hooks.metrics.spooled import Noted

TABLES: Final = """
CREATE TABLE operation (number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, started REAL NOT NULL, type TEXT NOT NULL,
  name TEXT NOT NULL, seconds REAL NOT NULL, cpu REAL NOT NULL, memory INTEGER, items INTEGER NOT NULL,
  bytes INTEGER NOT NULL, code INTEGER NOT NULL, error TEXT, phases TEXT NOT NULL, counts TEXT NOT NULL);
CREATE INDEX operation_started ON operation (started);
CREATE TABLE day (day INTEGER NOT NULL, type TEXT NOT NULL, name TEXT NOT NULL, count INTEGER NOT NULL,
  failed INTEGER NOT NULL, seconds REAL NOT NULL, cpu REAL NOT NULL, items INTEGER NOT NULL, bytes INTEGER NOT NULL,
  buckets TEXT NOT NULL, PRIMARY KEY (day, type, name)) WITHOUT ROWID;
CREATE TABLE file (name TEXT PRIMARY KEY, size INTEGER NOT NULL, lines INTEGER NOT NULL, cut INTEGER NOT NULL)
  WITHOUT ROWID;
CREATE TABLE kept (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
"""
OPERATION: Final = "id, started, type, name, seconds, cpu, memory, items, bytes, code, error, phases, counts"
_OF_OPERATION: Final = (str, float, str, str, float, float, int | None, int, int, int, str | None)
_OF_DAY: Final = (int, str, str, int, int, float, float, int, int)


class Day(NamedTuple):
    """What was done under one name within one day (UTC; days since 1970). ``buckets``: how many took no longer than
    each of figures.BUCKETS and longer than the one before; last, how many took longer."""

    day: int
    type: str
    name: str
    runs: int
    failed: int
    seconds: float
    cpu: float
    items: int
    bytes: int
    buckets: tuple[int, ...]


def text(raw: bytes) -> str:
    """What sqlite3 is to make of text: it would raise where a byte is damaged."""
    return raw.decode("utf-8", "replace")


def statements() -> set[str]:
    """As the database keeps them."""
    return set(map(str.strip, TABLES.split(";"))) - {""}


def of_noted(each: Noted) -> tuple[Any, ...]:
    return (*each[:11], json.dumps(each.phases), json.dumps(each.counts))


def noted(row: Sequence[Any]) -> Noted | None:
    """Of the columns of OPERATION; None where it is none."""
    try:
        phases, counts = map(json.loads, row[11:])
        named = (*phases.items(), *counts.items())
        good = _are(row[:11], _OF_OPERATION) and all(_is_number(value) for _, value in named)
        if good and all(word == meter.word(word) for word in (row[2], row[3], row[10] or "", *phases, *counts)):
            return Noted._make((*row[:11], phases, counts))
    except (ValueError, TypeError, AttributeError, RecursionError):
        pass
    return None


def of_day(each: Day) -> tuple[Any, ...]:
    return (*each[:9], json.dumps(each.buckets))


def day(row: Sequence[Any]) -> Day | None:
    try:
        buckets = tuple(json.loads(row[9]))
        counts = len(buckets) == len(BUCKETS) + 1 and all(type(each) is int and each >= 0 for each in buckets)
        if counts and _are(row[:9], _OF_DAY) and all(word == meter.word(word) for word in row[1:3]):
            return Day._make((*row[:9], buckets))
    except (ValueError, TypeError, RecursionError):
        pass
    return None


def _are(values: Sequence[Any], kinds: Sequence[Any]) -> bool:
    numbers = (value for value in values if isinstance(value, int | float))
    return all(map(isinstance, values, kinds)) and all(map(_is_number, numbers))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value) and value >= 0
