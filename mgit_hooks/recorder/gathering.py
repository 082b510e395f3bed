"""All that one drain has to go by: the spool and the reflogs, read so that they fit together."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence, Set
from typing import Final, NamedTuple

from mgit_hooks.files import exists, is_folder
from mgit_hooks.git import reflog, reftable
from mgit_hooks.journal.cursor import Cursor
from mgit_hooks.layout import Location
from mgit_hooks.record import Oid
from mgit_hooks.recorder import awaited, classify, event, movements, spool
from mgit_hooks.recorder.alive import is_alive
from mgit_hooks.recorder.event import HookEvent, Process
from mgit_hooks.recorder.evidence import Evidence
from mgit_hooks.recorder.held import Waiting
from mgit_hooks.recorder.looking import Look
from mgit_hooks.recorder.state import State

SETTLE: Final = 1.0
"""Seconds that a hook's git process is given to end, so that what its later hooks say is read with the rest."""


class Beginning(NamedTuple):
    """What of a reflog counts that was never read: as ``movements.unread`` has it."""

    since: int = 0
    tips: frozenset[Oid] = frozenset()


class Found(NamedTuple):
    """Lines and movements of one drain. ``evidence`` is made of the lines; of ``alive``, the git processes that had
    not ended before the lines were read, more may come."""

    batch: spool.Batch
    evidence: Evidence
    reading: movements.Reading
    alive: frozenset[Process]


def gather(
    location: Location,
    before: State,
    see: Callable[[], Look],
    cursor: Cursor | None,
    waiting: Waiting,
    beginning: Beginning,
    has_record: Callable[[Oid], bool],
) -> Found:
    """Spool and reflogs, read so that what a hook says of a commit is there with the commit.

    The reflogs after the spool: they tell of all that the lines name. A commit without a word from its
    hook may be seconds old, its hook about to run: it is given as long as a git process to end.
    ``see`` as for ``movements.unread``.
    """
    deadline = time.monotonic() + SETTLE
    silent: Set[Oid] = frozenset()  # what no hook spoke of though no git process runs that would have
    while True:
        batch, alive = _settled(location.spool_dir, cursor, (*waiting.held, *waiting.underway))
        evidence = Evidence(batch.events, waiting.held, alive)
        reading = movements.unread(location.common_dir, before, see, beginning.since, beginning.tips)
        unwitnessed = _unwitnessed(location, reading, evidence, has_record)
        if unwitnessed <= silent or time.monotonic() >= deadline:
            return Found(batch, evidence, reading, alive)
        if awaited.may_come(location.common_dir):
            time.sleep(0.01)
        else:
            # Of a commit that went round the hooks no word comes. Or one came since the spool was read: once more.
            silent = unwitnessed


def _unwitnessed(
    location: Location, reading: movements.Reading, evidence: Evidence, has_record: Callable[[Oid], bool]
) -> Set[Oid]:
    """The commits of a moment ago of which a hook would speak, and has not."""
    if not exists(os.path.join(location.mgit_dir, "install.json")):
        return frozenset()
    recent = (time.time() - SETTLE) * 1e9
    return {
        movement.new_oid
        for movement in reading.movements
        if movement.worktree is not None
        and classify.runs_hook(movement.message)
        and _written_at(location, movement.worktree) > recent
        and movement.new_oid is not None
        and not evidence.made(movement.new_oid)
        and movement.new_oid not in evidence.hooks
        and not has_record(movement.new_oid)
        and not _rebasing(os.path.join(location.common_dir, *reflog.worktree_folders(movement.worktree)))
    }


def _written_at(location: Location, worktree: str) -> int:
    """When HEAD's reflog was written last, in nanoseconds since 1970."""
    for key in (reflog.head_key(worktree), os.path.join(*reflog.worktree_folders(worktree), reftable.TABLES)):
        try:
            return os.stat(os.path.join(location.common_dir, key)).st_mtime_ns
        except OSError:
            continue
    return 0


def _settled(
    spool_dir: str, cursor: Cursor | None, held: Sequence[HookEvent]
) -> tuple[spool.Batch, frozenset[Process]]:
    """The spool, and which of the git processes in it had not ended before it was read.

    Those that may say more in a moment (post-rewrite comes after post-commit, a push's verdict and its outcome
    after its line) are given a second to end: read together, it needs no second record.
    """
    deadline = time.monotonic() + SETTLE
    while True:
        batch = spool.read(spool_dir, cursor)
        alive = frozenset(said.process for said in (*held, *batch.events) if is_alive(said.process))
        waits = any(said.process in alive for said in batch.events if _may_say_more(said))
        if not waits or time.monotonic() >= deadline:
            # Once more: what a process that had ended by then wrote is in here.
            final = spool.read(spool_dir, cursor)
            late = (said.process for said in final.events[len(batch.events) :])
            return _readable(final), alive | frozenset(late)
        time.sleep(0.01)


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
    return any(is_folder(os.path.join(git_dir, name)) for name in ("rebase-merge", "rebase-apply"))


def _may_say_more(said: HookEvent) -> bool:
    return said.hook in ("post-commit", "pre-push")
