"""The commits of a history and which descends from which, in about sixty bytes each: a history may be long."""

from __future__ import annotations

import heapq
import struct
from array import array
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, overload

from mgit_hooks.record import Oid

# What is known of a commit that was named.
_NAMED: Final = 0
_PASSED: Final = 1
_KEPT: Final = 2

_NONE: Final = 0xFFFFFFFF
_TIMES: Final = range(-(1 << 62), 1 << 62)
# A commit's place in the order, comparable as bytes; its id and number follow.
_TIME: Final = struct.Struct(">Q")
_NUMBER: Final = struct.Struct(">I")


class Oids(Sequence[Oid]):
    """Object ids of one length, which take no more than their bytes."""

    def __init__(self, raw: bytes | bytearray, size: int) -> None:
        self._raw = raw
        self._size = size

    def __len__(self) -> int:
        return len(self._raw) // self._size

    @overload
    def __getitem__(self, at: int) -> Oid: ...

    @overload
    def __getitem__(self, at: slice) -> list[Oid]: ...

    def __getitem__(self, at: int | slice) -> Oid | list[Oid]:
        if isinstance(at, slice):
            return [self._oid(number) for number in range(len(self))[at]]
        return self._oid(range(len(self))[at])

    def __iter__(self) -> Iterator[Oid]:
        return map(self._oid, range(len(self)))

    def _oid(self, number: int) -> Oid:
        return Oid(self._raw[number * self._size : (number + 1) * self._size].hex())


class Graph:
    """Commits have numbers, in the order in which they are first named. ``size`` is the length of an id in bytes."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._ids = bytearray()
        self._slots = array("I", [_NONE]) * 1024  # an open hash table of numbers, never more than half full
        self._states = bytearray()
        self._times = array("q")
        # The children of each commit are a list that is linked through ``_next``.
        self._youngest = array("I")
        self._child = array("I")
        self._next = array("I")

    def number(self, id: bytes) -> int:
        ids, slots, size = self._ids, self._slots, self._size
        mask = len(slots) - 1
        slot = hash(id) & mask
        while (number := slots[slot]) != _NONE:
            if ids.startswith(id, number * size):
                return number
            slot = (slot + 1) & mask
        number = slots[slot] = len(self._states)
        ids += id
        self._states.append(_NAMED)
        self._times.append(0)
        self._youngest.append(_NONE)
        if 2 * number > mask:
            self._enlarge()
        return number

    def _enlarge(self) -> None:
        slots = array("I", [_NONE]) * (4 * len(self._slots))
        mask = len(slots) - 1
        for number in range(len(self._states)):
            slot = hash(self._id(number)) & mask
            while slots[slot] != _NONE:
                slot = (slot + 1) & mask
            slots[slot] = number
        self._slots = slots

    def _id(self, number: int) -> bytes:
        return bytes(self._ids[number * self._size : (number + 1) * self._size])

    def oid(self, number: int) -> Oid:
        return Oid(self._id(number).hex())

    def is_settled(self, number: int) -> bool:
        return self._states[number] != _NAMED

    def pass_over(self, number: int) -> None:
        """It is none of those in the order."""
        self._states[number] = _PASSED

    def keep(self, number: int, time: int, parents: Iterable[int]) -> None:
        """It is one of those in the order, behind those of ``parents`` that are. Each parent is given once."""
        self._states[number] = _KEPT
        self._times[number] = min(max(time, _TIMES[0]), _TIMES[-1])
        for parent in parents:
            self._next.append(self._youngest[parent])
            self._youngest[parent] = len(self._child)
            self._child.append(number)

    def ordered(self) -> Oids:
        """Parents first, then by time, then by id."""
        waiting = array("I", [0]) * len(self._states)
        for number in self._kept():
            for child in self._children(number):
                waiting[child] += 1
        ready = [self._key(number) for number in self._kept() if not waiting[number]]
        heapq.heapify(ready)
        found = bytearray()
        while ready:
            key = heapq.heappop(ready)
            found += key[_TIME.size : -_NUMBER.size]
            for child in self._children(_NUMBER.unpack_from(key, len(key) - _NUMBER.size)[0]):
                waiting[child] -= 1
                if not waiting[child]:
                    heapq.heappush(ready, self._key(child))
        return Oids(found, self._size)

    def _kept(self) -> Iterator[int]:
        return (number for number, state in enumerate(self._states) if state == _KEPT)

    def _children(self, number: int) -> Iterator[int]:
        at = self._youngest[number]
        while at != _NONE:
            yield self._child[at]
            at = self._next[at]

    def _key(self, number: int) -> bytes:
        return _TIME.pack(self._times[number] - _TIMES[0]) + self._id(number) + _NUMBER.pack(number)
