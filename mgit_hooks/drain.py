"""The drain: what hooks spooled and reflogs hold becomes records, exactly once.

One drain runs at a time. It reads the spool from the cursor that stands in the journal, makes the records,
and appends them with the new cursor in the same frame. Killed anywhere, the next one starts from the last
frame that was written; what was recorded already is known by commit hash and movement identity.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, NamedTuple

from mgit_hooks import classify, dates, event, log, movements, spool, state
from mgit_hooks.errors import MgitError
from mgit_hooks.event import HookEvent
from mgit_hooks.evidence import Evidence
from mgit_hooks.git import reflog
from mgit_hooks.intake import Intake, journal_of
from mgit_hooks.journal import identity
from mgit_hooks.journal.format import Cursor
from mgit_hooks.journal.writer import Appender
from mgit_hooks.layout import Location, locate, make_private_dir
from mgit_hooks.lock import exclusive
from mgit_hooks.memory import Memory
from mgit_hooks.reconcile import Reconciler, Setting
from mgit_hooks.record import Record, Seq
from mgit_hooks.snapshot import snapshot
from mgit_hooks.state import State

if TYPE_CHECKING:
    from mgit_hooks.index import Index

# A hook's git process is given this long to end, so that what its later hooks say is read with the rest.
_SETTLE: Final = 1.0
# Records per append: each append is synced, and a kill costs no more than redoing one of these.
_CHUNK: Final = 1024
# Events that only a hook's line tells of.
_OF_HOOKS: Final = ("push", "refused", "skipped")


class Summary(NamedTuple):
    """What a drain did. ``busy``: another one held the lock for as long as this one was willing to wait."""

    records: int = 0
    garbled: int = 0
    busy: bool = False


def main(arguments: Sequence[str]) -> int:
    """The drain that a stub starts: ``[--background] --git-dir DIR``. It has no one to talk to but the log."""
    given = list(arguments)
    git_dir = given[given.index("--git-dir") + 1] if "--git-dir" in given else None
    if hasattr(os, "nice"):
        os.nice(10)
    location = _detach(git_dir)
    try:
        # Without waiting: the drain that runs looks at the spool again before it ends.
        drain(location, wait=0.0)
    except MgitError as error:
        log.error(location.mgit_dir, "drain failed", error=error.message)
        return error.exit_code
    except Exception as error:
        log.exception(location.mgit_dir, "drain failed", error)
        return 128
    return 0


def _detach(git_dir: str | None) -> Location:
    """Find the repository, then drop all that tied this process to the hook that started it."""
    from mgit_hooks.git.plumbing import without_local

    if git_dir is not None:
        os.environ["GIT_DIR"] = os.path.abspath(git_dir)
    location = locate()
    kept = without_local(os.environ)
    for name in set(os.environ) - kept.keys():
        del os.environ[name]
    os.chdir(location.common_dir)
    return location


def drain(
    location: Location, *, wait: float, source: str = "hook", overrides: Mapping[str, str] | None = None
) -> Summary:
    """Record all that waits. ``wait`` is how long, in seconds, another drain is waited for.

    ``source`` is what records are said to come from where a hook bears witness to them; ``overrides`` go
    before the configuration that judges.
    Raises JournalError or RepositoryError where something cannot be read or written; what was in the spool
    stays there.
    """
    make_private_dir(location.mgit_dir)
    total = Summary()
    while True:
        with exclusive(os.path.join(location.mgit_dir, "drain.lock"), wait=wait) as held:
            if not held:
                return total._replace(busy=True)
            with _marked(location.mgit_dir):
                done, cursor = _drain(location, source, overrides)
        total = Summary(total.records + done.records, total.garbled + done.garbled)
        # A stub that saw this drain's mark has started no other: look once more, now that the mark is gone.
        if not spool.waiting(location.spool_dir, cursor):
            return total


@contextmanager
def _marked(mgit_dir: str) -> Iterator[None]:
    """The file by which stubs see, without a fork, that a drain runs. A dead pid in it counts for nothing."""
    path = os.path.join(mgit_dir, "draining")
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        os.write(descriptor, b"%d\n" % os.getpid())
        os.close(descriptor)
        yield
    finally:
        os.unlink(path)


def _drain(location: Location, source: str, overrides: Mapping[str, str] | None) -> tuple[Summary, Cursor | None]:
    """What was done, and how far the spool has been read."""
    before = state.read(location.mgit_dir)
    hint = identity.read_head(location.journal_dir)
    cursor = Cursor(*hint.cursor) if hint is not None and hint.cursor else None
    if hint is not None and _nothing_waits(location, before, cursor):
        return Summary(), cursor
    return _Drain(location, source, overrides, before).run()


def _nothing_waits(location: Location, before: State, cursor: Cursor | None) -> bool:
    """Whether neither spool, reflogs nor refs have changed: seen without opening journal or repository."""
    return (
        before.refs is not None
        and not spool.waiting(location.spool_dir, cursor)
        and not os.path.exists(_held_path(location))
        and movements.is_unchanged(location.common_dir, before)
        and state.fingerprint(location.common_dir) == before.refs
    )


class _Found(NamedTuple):
    """What one pass has to go by."""

    batch: spool.Batch
    evidence: Evidence
    reading: movements.Reading


class _Drain:
    """One pass, under the drain's lock."""

    def __init__(self, location: Location, source: str, overrides: Mapping[str, str] | None, before: State) -> None:
        self._location = location
        self._source = source
        self._overrides = overrides
        self._before = before

    def run(self) -> tuple[Summary, Cursor]:
        from mgit_hooks.index import open_index

        location = self._location
        fingerprint = state.fingerprint(location.common_dir)
        with journal_of(location) as journal:
            held = _held_over(location)
            with open_index(location.mgit_dir, location.journal_dir) as index:
                if index.began() is None:
                    self._before = snapshot(location, journal, before_last=self._source == "framework")
                    index.advance()
                intake = Intake(location, self._overrides)
                memory = Memory(index, intake.capturer.new_commits, _orphans(index, self._before, journal))
                found = self._gathered(journal.cursor, held, self._since(index.began()), memory)
                # Before the journal's cursor moves past these lines, or a kill would lose them.
                _hold_over(location, found.evidence.to_hold)
                setting = self._setting(intake.armed, fingerprint, found.reading)
                reconciler = Reconciler(intake.capturer, memory, found.evidence, setting)
                records = reconciler.records(found.reading.movements)
                spool.sync(location.spool_dir)
                written = record_all(journal, intake, records, memory, found.batch.cursor)
            hint = identity.read_head(location.journal_dir)
            if hint is None or hint.cursor != journal.cursor:
                journal.sync()  # lost, or left behind by a kill: else the next drain cannot see that nothing waits
            self._tidy(journal, found.batch.cursor)
            places = (found.reading.reflogs, found.reading.stamps)
            state.write(location.mgit_dir, State(*places, fingerprint, journal.next_seq, journal.cursor))
        for line in found.batch.garbled:
            log.warning(location.mgit_dir, "a line of the spool is not of its form", line=repr(line))
        for oid in reconciler.unreadable:
            log.warning(location.mgit_dir, "a commit is named and git cannot give it: not recorded", commit=oid)
        return Summary(written, len(found.batch.garbled)), journal.cursor or found.batch.cursor

    def _gathered(self, cursor: Cursor | None, held: Sequence[HookEvent], since: int, memory: Memory) -> _Found:
        """Spool and reflogs, read so that what a hook says of a commit is there with the commit.

        The reflogs after the spool: they tell of all that the lines name. A commit without a word from its
        hook may be seconds old, its hook about to run: it is given as long as a git process to end.
        """
        deadline = time.monotonic() + _SETTLE
        while True:
            batch, alive = self._settled(cursor, held)
            evidence = Evidence(batch.events, held, alive)
            reading = movements.unread(self._location.common_dir, self._before, since)
            if time.monotonic() >= deadline or not self._hook_is_due(reading, evidence, memory):
                return _Found(batch, evidence, reading)
            time.sleep(0.01)

    def _hook_is_due(self, reading: movements.Reading, evidence: Evidence, memory: Memory) -> bool:
        if not os.path.exists(os.path.join(self._location.mgit_dir, "install.json")):
            return False
        recent = (time.time() - _SETTLE) * 1e9
        return any(
            movement.worktree is not None
            and classify.runs_hook(movement.message)
            and reading.stamps[reflog.head_key(movement.worktree)][1] > recent
            and movement.new_oid is not None
            and not evidence.made(movement.new_oid)
            and movement.new_oid not in evidence.hooks
            and not memory.has_record(movement.new_oid)
            and not _rebasing(os.path.join(self._location.common_dir, *reflog.worktree_folders(movement.worktree)))
            for movement in reading.movements
        )

    def _since(self, began: str | None) -> int:
        """The second from which on a new reflog counts: all of it, unless it is not known which are new."""
        return since(began) if self._before == state.EMPTY else 0

    def _setting(self, armed: bool, fingerprint: str, reading: movements.Reading) -> Setting:
        common_dir = self._location.common_dir

        def is_settled(ref: str) -> bool:
            key = os.path.join("logs", *ref.split("/"))
            return state.stamp(os.path.join(common_dir, key)) == reading.stamps.get(key)

        name = self._location.repository_name
        return Setting(name, armed, self._source, fingerprint != self._before.refs, is_settled)

    def _settled(self, cursor: Cursor | None, held: Sequence[HookEvent]) -> tuple[spool.Batch, frozenset[int]]:
        """The spool, and which of the git processes in it had not ended before it was read.

        Those that may say more in a moment (post-rewrite comes after post-commit, a push's verdict after
        its line) are given a second to end: read together, it needs no second record.
        """
        deadline = time.monotonic() + _SETTLE
        while True:
            batch = spool.read(self._location.spool_dir, cursor)
            alive = frozenset(said.ppid for said in (*held, *batch.events) if is_alive(said.ppid))
            waits = any(said.ppid in alive for said in batch.events if _may_say_more(said))
            if not waits or time.monotonic() >= deadline:
                # Once more: what a process that had ended by then wrote is in here.
                final = spool.read(self._location.spool_dir, cursor)
                late = (said.ppid for said in final.events[len(batch.events) :])
                return _readable(final), alive | frozenset(late)
            time.sleep(0.01)

    def _tidy(self, journal: Appender, cursor: Cursor) -> None:
        def commit_cursor(at: Cursor) -> None:
            journal.append((), at)
            journal.sync()

        if os.path.isdir(self._location.spool_dir):
            spool.tidy(self._location.spool_dir, cursor, commit_cursor)
            spool.forget_inputs(self._location.spool_dir, older_than=time.time() - 3600)


def _orphans(index: Index, before: State, journal: Appender) -> list[Record]:
    """What hooks said and a killed drain has told, whose lines are still after the cursor."""
    if before.next_seq is None or before.cursor != journal.cursor or before.next_seq == journal.next_seq:
        return []
    rows = (row for row in index.within(before.next_seq, journal.next_seq) if row.event in _OF_HOOKS)
    return [record for stored in index.read_many(rows) if (record := stored.record()) is not None]


def _readable(batch: spool.Batch) -> spool.Batch:
    """The batch with lines whose payload is not of its form among the garbled ones: none may stop a drain."""
    sound, garbled = [], list(batch.garbled)
    for said in batch.events:
        try:
            event.check(said)
            sound.append(said)
        except ValueError:
            garbled.append(event.format(said)[:200])
    return batch._replace(events=tuple(sound), garbled=tuple(garbled))


def _rebasing(git_dir: str) -> bool:
    """Whether the stubs keep silent there: post-rewrite tells it all at the end."""
    return any(os.path.isdir(os.path.join(git_dir, name)) for name in ("rebase-merge", "rebase-apply"))


def _may_say_more(said: HookEvent) -> bool:
    return said.hook == "post-commit" or (said.hook == "pre-push" and said.flag != "o")


def record_all(
    journal: Appender, intake: Intake, records: Iterator[Record], memory: Memory, cursor: Cursor | None
) -> int:
    """Append each record as it is made, noted before the next one is asked for; the cursor with the last.

    The number of records. Each chunk is synced.
    """
    written = 0
    chunk: list[bytes] = []
    for record in records:
        judged = intake.judge(record)
        memory.note(Seq(journal.next_seq + len(chunk)), judged)
        chunk.append(judged.encode())
        if len(chunk) == _CHUNK:
            journal.append(chunk)
            journal.sync()
            written += len(chunk)
            chunk = []
    if chunk or (cursor is not None and journal.cursor != cursor):
        journal.append(chunk, cursor)
        journal.sync()
    return written + len(chunk)


# Verdicts whose commit has not come yet wait in a file of their own while their git process lives.


def _held_path(location: Location) -> str:
    return os.path.join(location.mgit_dir, "held.json")


def _held_over(location: Location) -> list[HookEvent]:
    import json

    try:
        with open(_held_path(location), "rb") as file:
            return [event.parse(line.encode("utf-8", "surrogateescape")) for line in json.load(file)]
    except (FileNotFoundError, ValueError, TypeError, AttributeError):
        return []


def _hold_over(location: Location, events: Sequence[HookEvent]) -> None:
    path = _held_path(location)
    if events:
        lines = [event.format(said).decode("utf-8", "surrogateescape").rstrip("\n") for said in events]
        state.write_json(path, lines)
    elif os.path.exists(path):
        os.unlink(path)


def is_alive(pid: int) -> bool:
    """Whether a process has this id now. One that another user runs counts."""
    if os.name == "nt":
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


def since(began: str | None) -> int:
    """The second from which on a reflog never read before counts."""
    return dates.seconds(began) if began is not None else 0
