"""Lists of record numbers, one for each term that records are found by, and walks through them from the newest.

A term is an author, a path, a folder, a branch, an event. Its list lies in chunks of a few hundred numbers, each
with a checksum. Walks are combined by seeking, so that the newest few of a rare term among common ones cost a few
seeks and not a pass over all records.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator, Sequence, Set
from heapq import heapify, heappop, heapreplace
from sqlite3 import Connection, DatabaseError
from typing import Final, Protocol

import google_crc32c

# Two full chunks fit a page of the database.
CHUNK: Final = 480
# So many numbers wait in memory before they are written; it bounds the memory of making an index anew.
_WAITING: Final = 400_000
_NUMBER: Final = "I"
_CHECK: Final = 4


def pack(key: int, seqs: array[int]) -> bytes:
    data = seqs.tobytes()
    return _check(key, data) + data


def unpack(key: int, blob: bytes) -> array[int]:
    """The numbers of a chunk. Raises sqlite3.DatabaseError where they are not what was written."""
    seqs: array[int] = array(_NUMBER)
    if len(blob) <= _CHECK or blob[:_CHECK] != _check(key, blob[_CHECK:]):
        raise DatabaseError("a chunk of the index is damaged")
    seqs.frombytes(blob[_CHECK:])
    return seqs


def _check(key: int, data: bytes) -> bytes:
    check = google_crc32c.extend(google_crc32c.value(key.to_bytes(8, "little")), data)
    return int(check).to_bytes(_CHECK, "little")


class Writer:
    """Takes numbers in, in rising order, and writes them where ``flush`` says, or too many wait."""

    def __init__(self, database: Connection) -> None:
        self._db = database
        self._waiting: dict[int, array[int]] = {}
        self._count = 0

    def add(self, seq: int, keys: Collection[int]) -> None:
        waiting = self._waiting
        for key in keys:
            try:
                waiting[key].append(seq)
            except KeyError:
                waiting[key] = array(_NUMBER, (seq,))
        self._count += len(keys)
        if self._count >= _WAITING:
            self.flush()

    def flush(self) -> None:
        chunks: list[tuple[int, int, bytes]] = []
        lasts: list[tuple[int, int]] = []
        for key, seqs in sorted(self._waiting.items()):
            seqs = self._after_last(key, seqs)
            lasts.append((seqs[-1], key))
            for at in range(0, len(seqs), CHUNK):
                part = seqs[at : at + CHUNK]
                chunks.append((key, part[0], pack(key, part)))
        self._db.executemany("INSERT OR REPLACE INTO posting VALUES (?,?,?)", chunks)
        self._db.executemany("UPDATE term SET last = ? WHERE id = ?", lasts)
        self._waiting.clear()
        self._count = 0

    def _after_last(self, key: int, seqs: array[int]) -> array[int]:
        """``seqs``, behind those of the key's last chunk where that has room: it is then written anew."""
        row = self._db.execute("SELECT seqs FROM posting WHERE key = ? ORDER BY first DESC LIMIT 1", (key,)).fetchone()
        if row is None or len(row[0]) >= _CHECK + 4 * CHUNK:
            return seqs
        return unpack(key, row[0]) + seqs


def remove(database: Connection, gone: Set[int]) -> None:
    """Take records' numbers out of every list, in one pass; a term that no other record has goes with them."""
    changed: list[tuple[int, int, array[int]]] = []
    for key, first, blob in database.execute("SELECT key, first, seqs FROM posting"):
        seqs = unpack(key, blob)
        if not gone.isdisjoint(seqs):
            changed.append((key, first, array(_NUMBER, (seq for seq in seqs if seq not in gone))))
    for key, first, seqs in changed:
        database.execute("DELETE FROM posting WHERE key = ? AND first = ?", (key, first))
        if seqs:
            database.execute("INSERT INTO posting VALUES (?,?,?)", (key, seqs[0], pack(key, seqs)))
    for key in {key for key, _, _ in changed}:
        last = List(database, key).seek(2**62)
        if last:
            database.execute("UPDATE term SET last = ? WHERE id = ?", (last, key))
        else:
            database.execute("DELETE FROM term WHERE id = ?", (key,))


class Walk(Protocol):
    """Record numbers from the newest down. ``limit`` never rises from one call to the next."""

    def seek(self, limit: int) -> int:
        """The greatest number that is not above ``limit``; 0 where there is none."""


class List:
    """The records of one term."""

    def __init__(self, database: Connection, key: int) -> None:
        self._db = database
        self._key = key
        self._seqs: Sequence[int] = ()

    def seek(self, limit: int) -> int:
        if not self._seqs or limit < self._seqs[0]:
            row = self._db.execute(
                "SELECT seqs FROM posting WHERE key = ? AND first <= ? ORDER BY first DESC LIMIT 1", (self._key, limit)
            ).fetchall()
            if not row:
                return 0
            self._seqs = unpack(self._key, row[0][0])
            if limit < self._seqs[0]:
                raise DatabaseError("a chunk of the index is out of its place")
        return self._seqs[bisect_right(self._seqs, limit) - 1]


class AnyOf:
    """The records that one or more of several terms have, each term given with its newest: what is older than all
    that is asked for is never opened."""

    def __init__(self, database: Connection, terms: Iterable[tuple[int, int]]) -> None:
        self._db = database
        self._heap = [(-last, key) for key, last in terms]
        heapify(self._heap)
        self._lists: dict[int, List] = {}

    def seek(self, limit: int) -> int:
        heap = self._heap
        while heap and -heap[0][0] > limit:
            key = heap[0][1]
            opened = self._lists.get(key)
            if opened is None:
                opened = self._lists[key] = List(self._db, key)
            found = opened.seek(limit)
            if found:
                heapreplace(heap, (-found, key))
            else:
                heappop(heap)
        return -heap[0][0] if heap else 0


class Every:
    """The records that all of several walks have."""

    def __init__(self, walks: Sequence[Walk]) -> None:
        self._walks = walks
        self._at = 0  # the walk to ask first: the one that went the farthest is likely to do so again

    def seek(self, limit: int) -> int:
        agreed = 0
        at = self._at
        while agreed < len(self._walks):
            found = self._walks[at].seek(limit)
            if found < limit:
                limit, agreed = found, 0
                self._at = at
            if not limit:
                return 0
            agreed += 1
            at = (at + 1) % len(self._walks)
        return limit


class Between:
    """The records of a span of time: second ``since`` to second ``until``.

    Few of them are looked up at once by their time. Many are searched for from the newest on, past every stretch
    of records (a *zone*) whose times all lie outside of the span.
    """

    _FEW: Final = 500

    def __init__(self, database: Connection, since: int, until: int) -> None:
        self._db = database
        self._span = (since, until)
        self._all: list[int] | None = None
        there = "SELECT seq FROM record WHERE moment BETWEEN ? AND ?"
        if not database.execute(f"{there} LIMIT 1 OFFSET ?", (*self._span, self._FEW)).fetchall():
            self._all = sorted(row[0] for row in database.execute(there, self._span).fetchall())
        self._zone: Sequence[int] = ()

    def seek(self, limit: int) -> int:
        if self._all is not None:
            at = bisect_right(self._all, limit)
            return self._all[at - 1] if at else 0
        while not self._zone or limit < self._zone[0]:
            below = limit if not self._zone else self._zone[0] - 1
            self._zone = self._next_zone(min(limit, below))
            if not self._zone:
                return 0
        return self._zone[bisect_right(self._zone, limit) - 1]

    def _next_zone(self, limit: int) -> Sequence[int]:
        """The numbers of the newest zone that has any up to ``limit``."""
        since, until = self._span
        zone = limit // ZONE
        while True:
            row = self._db.execute(
                "SELECT number FROM zone WHERE number <= ? AND high >= ? AND low <= ? ORDER BY number DESC LIMIT 1",
                (zone, since, until),
            ).fetchall()
            if not row:
                return ()
            zone = row[0][0]
            found = self._db.execute(
                "SELECT seq FROM record WHERE seq BETWEEN ? AND ? AND +moment BETWEEN ? AND ? ORDER BY seq",
                (zone * ZONE, min(limit, zone * ZONE + ZONE - 1), since, until),
            ).fetchall()
            if found:
                return [each[0] for each in found]
            zone -= 1


ZONE: Final = 512


def walked(walk: Walk) -> Iterator[int]:
    seq = walk.seek(2**62)
    while seq:
        yield seq
        seq = walk.seek(seq - 1)
