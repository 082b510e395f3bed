"""Recording the history that is already there: every commit that a ref or a reflog names, or that one of
those descends from, that is not on record yet."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import NamedTuple

from mgit_hooks import dates
from mgit_hooks.capture import bulk
from mgit_hooks.capture.capturer import Capturer
from mgit_hooks.encoding import expect_many
from mgit_hooks.errors import JournalError
from mgit_hooks.git import reflog
from mgit_hooks.journal.database import open_index
from mgit_hooks.journal.writer import Appender
from mgit_hooks.layout import Location, make_private_dir
from mgit_hooks.lock import exclusive
from mgit_hooks.record import Commit, Gate, Oid, Record, Validation
from mgit_hooks.recorder import rewriting
from mgit_hooks.recorder.drainpass import Pass
from mgit_hooks.recorder.intake import Intake, journal_of
from mgit_hooks.recorder.rewriting import Rewrites
from mgit_hooks.recorder.state import read as read_state

Progress = Callable[[int, int], None]
"""Called with how many commits are recorded, of how many."""

_OURS = "refs/mgit/"
# Records per append; each append is synced, so a kill costs no more than redoing one of these.
_CHUNK = 1024
# From so many records on, a faster encoder is worth its loading.
_MANY = 4096


class Summary(NamedTuple):
    recorded: int
    already: int
    missing: tuple[Oid, ...]  # named by a ref or reflog, or as a parent, and not in git any more


def backfill(
    location: Location,
    progress: Progress,
    *,
    workers: int | None = None,
    overrides: Mapping[str, str] | None = None,
    wait: float = 60.0,
) -> Summary:
    """Record what is missing, parents before children. Run again, it goes on where it was stopped.

    ``overrides`` go before the configuration that judges.

    Raises JournalError where another process records for longer than ``wait`` seconds.
    """
    make_private_dir(location.mgit_dir)
    with exclusive(os.path.join(location.mgit_dir, "drain.lock"), wait=wait) as held:
        if not held:
            raise JournalError("another process is recording", "try again in a moment")
        # Before that pass: of a commit made from here on its hook tells, and the next drain.
        capturer = Capturer(location.common_dir)
        named = tips(location, capturer)
        # First what hooks and reflogs tell of: it knows more of a commit than that it is there.
        Pass(location, "hook", overrides, read_state(location.mgit_dir), thorough=True).run()
        with journal_of(location) as journal:
            return _backfill(location, journal, capturer, named, progress, workers, overrides or {})


def _backfill(
    location: Location,
    journal: Appender,
    capturer: Capturer,
    named: list[Oid],
    progress: Progress,
    workers: int | None,
    overrides: Mapping[str, str],
) -> Summary:
    with open_index(location.mgit_dir, location.journal_dir) as index:
        already = index.commits()
        knows = index.knows if index.knows_any() else _knows_none  # else a question for each commit
        new = capturer.new_commits(named, knows)
    recorded = 0
    if len(new) > _MANY:
        expect_many()  # before the workers start, which go on from here
    payloads = bulk.capture(location.common_dir, new, partial(_payload, location, tuple(overrides.items())), workers)
    for chunk in _chunks(payloads):
        journal.append(chunk)
        journal.sync()
        recorded += len(chunk)
        progress(recorded, len(new))
    return Summary(recorded, already, tuple(capturer.missing))


def _knows_none(oid: Oid) -> bool:
    return False


def tips(location: Location, capturer: Capturer) -> list[Oid]:
    """Every object that a ref, a HEAD or a reflog names, but for our own refs: nobody made those commits."""
    found = dict.fromkeys(oid for name, oid in capturer.references().items() if not name.startswith(_OURS))
    for log in reflog.every(location.common_dir):
        for entry in log.read(None)[0]:
            found.update(dict.fromkeys(oid for oid in (entry.old_oid, entry.new_oid) if oid is not None))
    head = capturer.head()[1]
    if head is not None:
        found[head] = None
    return list(found)


_Overrides = tuple[tuple[str, str], ...]
_intakes: dict[tuple[Location, _Overrides], tuple[Intake, Rewrites]] = {}


def _payload(location: Location, overrides: _Overrides, commit: Commit) -> bytes:
    """The judged record of one commit, encoded: made in the worker that captured it."""
    found = _intakes.get((location, overrides))
    if found is None:
        found = Intake(location, dict(overrides)), rewriting.standing(location.common_dir)
        _intakes[location, overrides] = found
    intake, rewrites = found
    record = imported(location, commit, "import", "backfill")
    return intake.judged(record._replace(replaces=rewrites.of(commit.hash) or None))


def imported(location: Location, commit: Commit, event: str, source: str) -> Record:
    """The record of a commit of which only the object is known, not how it came to be."""
    return Record(
        event=event,
        source=source,
        recorded_at=dates.now(),
        occurred_at=commit.committer_date,
        occurred_from="commit",
        repository_name=location.repository_name,
        worktree=None,
        branch=None,
        gate=Gate("none", "not made here"),
        validation=Validation("standard", True),
        commit=commit,
    )


def _chunks(payloads: Iterator[bytes]) -> Iterator[list[bytes]]:
    chunk: list[bytes] = []
    for payload in payloads:
        chunk.append(payload)
        if len(chunk) == _CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk
