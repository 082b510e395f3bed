"""What several processes make of numbered runs of work, put back into the order of the runs.

A message is a header and what it carries. Of each run: one that says it is begun, what is made of it, the last of
it. So that no more than a bounded part waits in memory for an earlier run, nothing is read from who is ahead while
much waits; its pipe fills, and it waits too.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple, cast

from mgit_hooks.errors import MgitError

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

BEGUN, MORE, LAST, FAILED, DONE = range(5)
"""Of a run: begun, a part of it, its last part, why it ends here. Of a worker: it has no more to say."""
_HEADER = struct.Struct("<IB")
_HELD = 16 * 1024 * 1024  # bytes


class Message(NamedTuple):
    run: int
    state: int
    body: bytes

    def pack(self) -> bytes:
        return _HEADER.pack(self.run, self.state) + self.body


def in_order(readers: Sequence[Connection], runs: int) -> Iterator[Message]:
    """The messages that carry something, by run. Raises MgitError where a worker died."""
    from multiprocessing.connection import wait

    merge = _Merge(readers, runs)
    while True:
        yield from merge.due()
        if merge.is_complete():
            return
        for reader in wait(merge.wanted()):
            merge.receive(cast("Connection", reader))


class _Merge:
    def __init__(self, readers: Sequence[Connection], runs: int) -> None:
        self._at: dict[Connection, int | None] = dict.fromkeys(readers)  # the run that each is in, where it is known
        self._runs = runs
        self._waiting: dict[int, deque[Message]] = {}
        self._head = 0  # the run that is handed on
        self._held = 0

    def is_complete(self) -> bool:
        return self._head == self._runs

    def due(self) -> Iterator[Message]:
        """What can be handed on by now."""
        while waiting := self._waiting.get(self._head):
            message = waiting.popleft()
            self._held -= len(message.body)
            if message.state == LAST:
                del self._waiting[self._head]
                self._head += 1
            yield message

    def wanted(self) -> list[Connection]:
        """Whom to read from: all, or where much waits those that are, or may be, in the first run.

        Runs are begun in their order: whoever is in the first one has nothing before it that is not read yet.
        """
        if self._held <= _HELD:
            return list(self._at)
        return [reader for reader, run in self._at.items() if run is None or run == self._head]

    def receive(self, reader: Connection) -> None:
        try:
            raw = reader.recv_bytes()
        except EOFError:
            raise MgitError(
                "a process that captured commits died before it was done",
                "see whether memory ran out, then run the command again: nothing is recorded twice",
            ) from None
        run, state = _HEADER.unpack_from(raw)
        message = Message(run, state, raw[_HEADER.size :])
        if message.state in (DONE, FAILED):
            del self._at[reader]
        else:
            self._at[reader] = None if message.state == LAST else message.run
        if message.state not in (BEGUN, DONE):
            self._waiting.setdefault(message.run, deque()).append(message)
            self._held += len(message.body)
