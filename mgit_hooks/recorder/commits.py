"""Commits at first sight: which are not on record yet, and the record of each, once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mgit_hooks.capture.capturer import Capturer
from mgit_hooks.errors import ObjectError
from mgit_hooks.record import Oid, Record
from mgit_hooks.recorder.evidence import Evidence
from mgit_hooks.recorder.making import Maker
from mgit_hooks.recorder.memory import Memory
from mgit_hooks.recorder.queue import Queue
from mgit_hooks.recorder.unlogged import Unlogged


class Commits:
    """``unreadable`` are commits that something named and git could not give."""

    def __init__(
        self, capturer: Capturer, memory: Memory, evidence: Evidence, queue: Queue, make: Maker, unlogged: Unlogged
    ) -> None:
        self._git = capturer
        self._memory = memory
        self._evidence = evidence
        self._queue = queue
        self._make = make
        self._unlogged = unlogged
        self.unreadable: dict[Oid, None] = {}  # in the order in which they were met; there may be very many

    def knows(self, oid: Oid) -> bool:
        """Whether a commit is on record, or was there before recording began and is backfill's to record."""
        if self._memory.has_record(oid):
            return True
        made_since = self._queue.maker(oid) is not None or self._evidence.made(oid)
        return not made_since and self._memory.is_older(oid)

    def new(self, tip: Oid) -> Sequence[Oid]:
        """``tip`` and those of its ancestors that are not on record, parents first."""
        if self.knows(tip):
            return ()
        oids = self._git.new_commits([tip], self.knows)
        self.unreadable.update(dict.fromkeys(self._git.missing))
        return oids

    def records(self, oids: Sequence[Oid], source: str) -> Iterator[Record]:
        """Of those that are not on record by now. ``source`` counts where nothing says that it was made here."""
        for oid in oids:
            if not self._memory.has_record(oid):
                yield from self._record(oid, source)

    def _record(self, oid: Oid, source: str) -> Iterator[Record]:
        try:
            commit = self._git.commit(oid)
        except ObjectError:
            self.unreadable[oid] = None
            return
        made = self._queue.maker(oid)
        at = self._queue.first_to(oid) if made is None else made
        message = self._queue.on_record.get(oid)
        if at is not None and not self._queue[at].by_hook:
            message = self._queue[at].message
        part = None if made is None else self._queue.new_part(made)
        record = self._make.of_commit(commit, source, part, message)
        yield from self._unlogged.before(record.refs or (), at)
        yield record
