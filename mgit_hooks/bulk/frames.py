"""What goes through the pipes between a run and its workers: numbered frames, whole or not at all."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

ITEM, READY, AGAIN, DONE, FAILED, SPENT, UNUSABLE = range(7)
"""To a worker: an item. From it: it can begin; another try of an item; its value; its error; its error, after which
the worker ends; why it cannot work at all."""
_HEADER: Final = struct.Struct("<BQQ")
HEADER: Final = _HEADER.size
RESULT: Final = struct.Struct("<dI")  # seconds, tries; the pickled value or error follows


class Frame(NamedTuple):
    kind: int
    number: int
    body: bytes = b""

    def pack(self, more: int = 0) -> bytes:
        """The frame, or its beginning where ``more`` bytes of its body are to follow."""
        return _HEADER.pack(self.kind, self.number, len(self.body) + more) + self.body


class Incoming:
    """Bytes as they come, frames as they are whole."""

    def __init__(self) -> None:
        self._held = bytearray()

    def add(self, data: bytes) -> None:
        self._held += data

    def is_within_one(self) -> bool:
        """Whether a frame has begun to come that is not whole yet."""
        return bool(self._held)

    def frames(self) -> Iterator[Frame]:
        """Those that are whole, and the beginning of one that nobody of ours has made: nothing is waited for there."""
        at = 0
        held = self._held
        while len(held) - at >= HEADER:
            kind, number, length = _HEADER.unpack_from(held, at)
            end = at + HEADER + length
            if kind > UNUSABLE:
                yield Frame(kind, number)
                break
            if len(held) < end:
                break
            with memoryview(held) as view:
                body = bytes(view[at + HEADER : end])
            at = end
            yield Frame(kind, number, body)
        # Once for all of them: to cut each off by itself would move the rest each time.
        del held[:at]
