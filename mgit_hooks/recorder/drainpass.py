"""One pass of the drain, under its lock: from what waits to records in the journal.

What waits (``held.Waiting``) is read with spool and reflogs (``gathering.Found``); it is made clear which pushes have
not ended (``underway``) and what replaced what (``rewriting``); records are made (``reconcile``) and appended; and
last it is remembered how far all of that was read.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

from mgit_hooks import dates, log, meter
from mgit_hooks.files import is_folder
from mgit_hooks.git import reffiles, reflog
from mgit_hooks.journal import identity
from mgit_hooks.journal.cursor import Cursor
from mgit_hooks.journal.database import open_index, remove
from mgit_hooks.journal.index import Index
from mgit_hooks.journal.writer import Appender
from mgit_hooks.judging.config import Config
from mgit_hooks.layout import Location
from mgit_hooks.record import Oid
from mgit_hooks.recorder import commitmap, held, interrupted, looking, marks, rewriting, spool, state
from mgit_hooks.recorder.anchoring import anchor
from mgit_hooks.recorder.appending import record_all
from mgit_hooks.recorder.believing import believed
from mgit_hooks.recorder.claims import Claims
from mgit_hooks.recorder.event import HookEvent
from mgit_hooks.recorder.gathering import Beginning, Found, gather
from mgit_hooks.recorder.intake import Intake, journal_of
from mgit_hooks.recorder.looking import Look
from mgit_hooks.recorder.making import Setting
from mgit_hooks.recorder.memory import Memory
from mgit_hooks.recorder.reconcile import Given, Pushes, Reconciler, Rest
from mgit_hooks.recorder.remotes import Remotes
from mgit_hooks.recorder.snapshot import snapshot
from mgit_hooks.recorder.state import State
from mgit_hooks.recorder.underway import Underway, pushes_of

_MOST_LOGGED: Final = 50


class Done(NamedTuple):
    """``garbled`` counts the lines that were not of their form; ``cursor`` is where the spool is read to.

    ``again``: what could not be read once can be read again, and some of it nobody remembers: all is to be read anew.
    """

    records: int
    garbled: int
    cursor: Cursor
    again: bool


class _Written(NamedTuple):
    """What the journal has now, ``records`` of it from this pass, and what is to be remembered of it.

    ``before`` is where this pass began; ``how`` closely it looked; ``maps`` are those that were read.
    """

    records: int
    config: Config
    before: State
    how: str
    found: Found
    maps: dict[str, list[int]]
    rest: Rest


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

    def run(self) -> Done:
        with journal_of(self._location) as journal:
            written = self._write(journal)
            again = self._can_read_more(written)
            self._remember(journal, written)
            if again:
                state.forget(self._location.mgit_dir)
            cursor = journal.cursor or written.found.batch.cursor
        anchor(self._location, written.config)
        self._log(written)
        self._count(written)
        return Done(written.records, len(written.found.batch.garbled), cursor, again)

    def _write(self, journal: Appender) -> _Written:
        mgit_dir, spool_dir = self._location.mgit_dir, self._location.spool_dir
        waiting = held.waiting(mgit_dir)
        if not self._before.known:
            # All reflogs are read again, and only the index tells what of them is on record: it has no checksums.
            remove(mgit_dir)
        with open_index(mgit_dir, self._location.journal_dir) as index:
            before = self._begun(index, journal)
            intake = Intake(self._location, self._overrides)
            how = looking.level(before, thorough=self._thorough)
            memory = Memory(index, intake.capturer.new_commits, interrupted.orphans(index, before, journal))
            found = gather(
                self._location,
                before,
                self._see(before, how),
                journal.cursor,
                waiting,
                _beginning(index, before),
                memory.has_record,
            )
            finished = interrupted.pushes(index, before, journal) if waiting.underway else ()
            underway = pushes_of(found, waiting, finished, armed=intake.armed)
            # Before the journal's cursor moves past these lines, or a kill would lose them.
            held.write(mgit_dir, found.evidence.to_hold)
            held.write(mgit_dir, underway.going, held.UNDERWAY)
            rewrites, maps = self._replaced(found, intake, memory)
            given = Given(found.reading.movements, found.evidence, rewrites, before.unreadable)
            setting = self._setting(before, found.reading.look, armed=intake.armed)
            pushes = self._pushes(found, underway, intake)
            reconciler = Reconciler(given, intake.capturer, memory, setting, pushes)
            spool.sync(spool_dir)
            records = record_all(journal, intake, reconciler.records(), memory, found.batch.cursor)
            rest = reconciler.rest()
            held.write(mgit_dir, (*underway.still, *rest.left), held.UNDERWAY)
            return _Written(records, intake.config, before, how, found, maps, rest)

    def _begun(self, index: Index, journal: Appender) -> State:
        """Where this pass begins: where the last one left off, or with the record that recording begins with."""
        if index.began() is not None:
            return self._before
        before = snapshot(self._location, journal, before_last=self._source == "framework")
        index.advance()
        return before

    def _see(self, before: State, how: str) -> Callable[[], Look]:
        location = self._location
        every_ref = looking.is_due(before.looked_at)

        def see() -> Look:
            return looking.look(location.common_dir, before, looking.clock(location), how, every_ref=every_ref)

        return see

    def _replaced(self, found: Found, intake: Intake, memory: Memory) -> rewriting.Found:
        evidence, reading = found.evidence, found.reading
        evidence.rewrites = believed(evidence.rewrites, reading.movements, memory.recorded_before)
        return rewriting.gather(self._location, evidence, reading.movements, intake.capturer, memory, reading.look.refs)

    def _setting(self, before: State, look: Look, *, armed: bool) -> Setting:
        common_dir = self._location.common_dir

        def is_settled(ref: str) -> bool:
            return looking.is_settled(common_dir, before, look, ref)

        def moved() -> dict[str, Oid | None] | None:
            return None if look.refs is None else reffiles.look_up(common_dir, sorted(look.refs))

        def is_logged(ref: str) -> bool:
            return reflog.exists(common_dir, ref)

        name, in_rebase = self._location.repository_name, Claims(common_dir).in_rebase
        return Setting(name, armed, self._source, moved, is_settled, is_logged, in_rebase)

    def _pushes(self, found: Found, underway: Underway, intake: Intake) -> Pushes:
        spool_dir, cursor = self._location.spool_dir, found.batch.cursor
        remotes = Remotes(self._location.common_dir, intake.capturer.is_ancestor)

        def later() -> Sequence[HookEvent]:
            return spool.read(spool_dir, cursor).events

        return Pushes(remotes, underway.sent, underway.is_over, underway.receptions, later)

    def _can_read_more(self, written: _Written) -> bool:
        before = written.before
        return before.left_out > 0 and not set(before.unreadable) <= set(written.rest.unreadable)

    def _remember(self, journal: Appender, written: _Written) -> None:
        """How far all was read: hints, which may be lost, but none may come before what it tells of is on record."""
        location = self._location
        hint = identity.read_head(location.journal_dir)
        if hint is None or hint.cursor != journal.cursor:
            journal.sync()  # lost, or left behind by a kill: else the next drain cannot see that nothing waits
        _tidy(location.spool_dir, journal, written.found.batch.cursor)
        marks.sweep(location.mgit_dir)
        commitmap.remember(location.mgit_dir, written.maps)
        reading, rest = written.found.reading, written.rest
        read = state.Read(reading.look.without(rest.unsettled), written.how, reading.places, rest.unreadable)
        state.write(location.mgit_dir, written.before, read, journal.next_seq, journal.cursor)

    def _count(self, written: _Written) -> None:
        """The hooks themselves run no Python where nothing is armed: they are counted where their lines are read."""
        meter.count("records", written.records)
        for event in written.found.batch.events:
            meter.count(f"hook.{event.hook}")

    def _log(self, written: _Written) -> None:
        for line in written.found.batch.garbled:
            log.warning(self._location.mgit_dir, "a line of the spool is not of its form", line=repr(line))
        told = frozenset(written.before.unreadable)
        unreadable = [oid for oid in written.rest.unreadable if oid not in told]
        for oid in unreadable[:_MOST_LOGGED]:
            log.warning(
                self._location.mgit_dir, "a commit is named and git cannot give it: tried again later", commit=oid
            )
        if len(unreadable) > _MOST_LOGGED:
            log.warning(self._location.mgit_dir, "more commits are named that git cannot give", commits=len(unreadable))


def _beginning(index: Index, before: State) -> Beginning:
    """A reflog that was never read counts from where recording began, unless it is known which are new: then all of it
    does. So it does where nothing was when recording began: then nothing is from before."""
    began = index.began()
    since = dates.seconds(began) if began is not None and not before.known else 0
    tips = frozenset(index.baseline()) if since else frozenset[Oid]()
    return Beginning(since, tips) if tips else Beginning()


def _tidy(spool_dir: str, journal: Appender, cursor: Cursor) -> None:
    def commit_cursor(at: Cursor) -> None:
        journal.append((), at)
        journal.sync()

    if is_folder(spool_dir):
        spool.tidy(spool_dir, cursor, commit_cursor)
        spool.forget_inputs(spool_dir, older_than=time.time() - 3600)
