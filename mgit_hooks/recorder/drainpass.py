"""One pass of the drain, under its lock: from what waits to records in the journal."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from mgit_hooks import dates, log
from mgit_hooks.encoding import encode
from mgit_hooks.files import is_folder
from mgit_hooks.git import reffiles, reflog
from mgit_hooks.journal import identity
from mgit_hooks.journal.cursor import Cursor
from mgit_hooks.journal.database import open_index, remove
from mgit_hooks.journal.index import Index
from mgit_hooks.journal.writer import Appender
from mgit_hooks.layout import Location
from mgit_hooks.record import Oid, Record, Seq
from mgit_hooks.recorder import commitmap, held, looking, marks, rewriting, spool, state
from mgit_hooks.recorder.anchoring import anchor
from mgit_hooks.recorder.believing import believed
from mgit_hooks.recorder.claims import Claims
from mgit_hooks.recorder.event import HookEvent
from mgit_hooks.recorder.gathering import gather
from mgit_hooks.recorder.intake import Intake, journal_of
from mgit_hooks.recorder.looking import Look
from mgit_hooks.recorder.making import Setting
from mgit_hooks.recorder.memory import Memory
from mgit_hooks.recorder.receiving import Receptions
from mgit_hooks.recorder.reconcile import Pushes, Reconciler
from mgit_hooks.recorder.remotes import Remotes
from mgit_hooks.recorder.snapshot import snapshot
from mgit_hooks.recorder.state import State

# Records per append: each append is synced, and a kill costs no more than redoing one of these.
_CHUNK: Final = 1024
# Events that only a hook's line tells of.
_OF_HOOKS: Final = ("push", "refused", "skipped")


class Pass:
    """``source``, ``overrides`` and ``thorough`` as for ``drain``; ``before`` is where the last pass left off."""

    def __init__(
        self,
        location: Location,
        source: str,
        overrides: Mapping[str, str] | None,
        before: State,
        *,
        thorough: bool = False,
    ) -> None:
        self._location = location
        self._source = source
        self._overrides = overrides
        self._before = before
        self._thorough = thorough

    def run(self) -> tuple[int, int, Cursor]:
        """How many records were made, how many lines were garbled, and where the spool is read to."""
        location = self._location
        with journal_of(location) as journal:
            waiting = held.read(location.mgit_dir)
            underway = held.read(location.mgit_dir, held.UNDERWAY)
            if not self._before.known:
                # All reflogs are read again, and only the index tells what of them is on record: it has no checksums.
                remove(location.mgit_dir)
            with open_index(location.mgit_dir, location.journal_dir) as index:
                if index.began() is None:
                    self._before = snapshot(location, journal, before_last=self._source == "framework")
                    index.advance()
                intake = Intake(location, self._overrides)
                memory = Memory(index, intake.capturer.new_commits, _orphans(index, self._before, journal))
                since = self._since(index.began())
                tips = frozenset(index.baseline()) if since else frozenset()
                if not tips:
                    since = 0  # where nothing was when recording began, nothing is from before
                how = looking.level(self._before, thorough=self._thorough)
                see, known = self._see(how), memory.has_record
                found = gather(location, self._before, see, journal.cursor, waiting, since, tips, known, underway)
                alive = found.alive

                def is_over(said: HookEvent) -> bool:
                    return said.process not in alive

                # Before the journal's cursor moves past these lines, or a kill would lose them.
                held.write(location.mgit_dir, found.evidence.to_hold)
                events = found.evidence.events
                pushes = [said for said in (*underway, *events) if said.hook == "pre-push"]
                finished = _finished(index, self._before, journal) if underway else ()
                receptions = Receptions(underway, events, is_over, intake.armed, finished)
                still = [said for said in pushes if not is_over(said)] + receptions.waiting(events)
                going = [*underway, *(said for said in still if said not in underway)]
                held.write(location.mgit_dir, going, held.UNDERWAY)
                told = found.evidence.rewrites
                found.evidence.rewrites = believed(told, found.reading.movements, memory.recorded_before)
                rewrites, maps = rewriting.gather(
                    location,
                    found.evidence,
                    found.reading.movements,
                    intake.capturer,
                    memory,
                    found.reading.look.refs,
                )
                reconciler = Reconciler(
                    intake.capturer,
                    memory,
                    found.evidence,
                    self._setting(intake.armed, found.reading.look),
                    Pushes(
                        Remotes(location.common_dir, intake.capturer.is_ancestor),
                        [said for said in underway if said.hook == "pre-push"],
                        is_over,
                        receptions,
                        lambda: spool.read(location.spool_dir, found.batch.cursor).events,
                    ),
                    rewrites,
                    self._before.unreadable,
                )
                records = reconciler.records(found.reading.movements)
                spool.sync(location.spool_dir)
                written = record_all(journal, intake, records, memory, found.batch.cursor)
                held.write(location.mgit_dir, [*still, *reconciler.left], held.UNDERWAY)
            hint = identity.read_head(location.journal_dir)
            if hint is None or hint.cursor != journal.cursor:
                journal.sync()  # lost, or left behind by a kill: else the next drain cannot see that nothing waits
            _tidy(location.spool_dir, journal, found.batch.cursor)
            marks.sweep(location.mgit_dir)
            commitmap.remember(location.mgit_dir, maps)
            look = found.reading.look.without(reconciler.unsettled)
            read = state.Read(look, how, found.reading.places, tuple(reconciler.unreadable))
            state.write(location.mgit_dir, self._before, read, journal.next_seq, journal.cursor)
        anchor(location, intake.config)
        for line in found.batch.garbled:
            log.warning(location.mgit_dir, "a line of the spool is not of its form", line=repr(line))
        for oid in set(reconciler.unreadable).difference(self._before.unreadable):
            log.warning(location.mgit_dir, "a commit is named and git cannot give it: tried again later", commit=oid)
        return written, len(found.batch.garbled), journal.cursor or found.batch.cursor

    def _since(self, began: str | None) -> int:
        """The second from which on a new reflog counts: all of it, unless it is not known which are new."""
        return dates.seconds(began) if began is not None and not self._before.known else 0

    def _see(self, how: str) -> Callable[[], Look]:
        location, before = self._location, self._before
        every_ref = looking.is_due(before.looked_at)

        def see() -> Look:
            return looking.look(location.common_dir, before, looking.clock(location), how, every_ref=every_ref)

        return see

    def _setting(self, armed: bool, look: Look) -> Setting:
        common_dir = self._location.common_dir

        def is_settled(ref: str) -> bool:
            return looking.is_settled(common_dir, self._before, look, ref)

        def moved() -> dict[str, Oid | None] | None:
            return None if look.refs is None else reffiles.look_up(common_dir, sorted(look.refs))

        def is_logged(ref: str) -> bool:
            return reflog.exists(common_dir, ref)

        name, in_rebase = self._location.repository_name, Claims(common_dir).in_rebase
        return Setting(name, armed, self._source, moved, is_settled, is_logged, in_rebase)


def _tidy(spool_dir: str, journal: Appender, cursor: Cursor) -> None:
    def commit_cursor(at: Cursor) -> None:
        journal.append((), at)
        journal.sync()

    if is_folder(spool_dir):
        spool.tidy(spool_dir, cursor, commit_cursor)
        spool.forget_inputs(spool_dir, older_than=time.time() - 3600)


def _orphans(index: Index, before: State, journal: Appender) -> list[Record]:
    """What hooks said and a killed drain has told, whose lines are still after the cursor."""
    if before.next_seq is None or before.cursor != journal.cursor or before.next_seq == journal.next_seq:
        return []
    records = (stored.record() for stored in index.read_many(index.within(before.next_seq, journal.next_seq)))
    told = (_as_told(record) for record in records if record is not None)
    return [record for record in told if record.event in _OF_HOOKS]


def _as_told(record: Record) -> Record:
    """What a strategy made something less of, where that was still a record."""
    try:
        return record if record.original is None else Record.from_json(record.original)
    except (KeyError, TypeError, ValueError, AttributeError):
        return record


def _finished(index: Index, before: State, journal: Appender) -> list[Record]:
    """Pushes that a drain has told which was killed before it wrote down that it had ended."""
    if before.next_seq == journal.next_seq:
        return []
    rows = (row for row in index.within(before.next_seq or 1, journal.next_seq) if row.event == "push")
    return [record for stored in index.read_many(rows, []) if (record := stored.record()) is not None]


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
