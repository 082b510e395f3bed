"""Repairing a journal as a whole: the files mended, lost records brought back, what is lost for good declared.

What copies of the journal hold comes back first, then what git's objects tell of commits. The order makes it safe
to kill and run again: damaged bytes are in quarantine before they leave a segment, and all that can be brought back
is appended before the ``repair`` record that declares the holes. A repair that stopped halfway finds them
undeclared, sees what it has brought back already, and goes on.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import NamedTuple

from mgit_hooks import archiving, erasing, lock
from mgit_hooks.copies import not_recording
from mgit_hooks.encoding import encode
from mgit_hooks.errors import JournalError
from mgit_hooks.finding import Finder
from mgit_hooks.journal import bundle, bundling, database, exchange, identity, index
from mgit_hooks.journal import repair as files
from mgit_hooks.journal.commitset import CommitSet
from mgit_hooks.journal.contents import commit_of
from mgit_hooks.journal.findings import Hole, Report
from mgit_hooks.journal.verify import verify
from mgit_hooks.journal.writer import Appender
from mgit_hooks.layout import Location
from mgit_hooks.lock import exclusive
from mgit_hooks.record import Json, Oid
from mgit_hooks.recorder.intake import Intake, journal_of, plain_record
from mgit_hooks.report import counted

# Records per append; each is synced, and a kill costs no more than doing one of these again.
_CHUNK = 1024


class Outcome(NamedTuple):
    """What ``repair`` did. ``lost``: records that neither the journal nor a copy nor git can give back."""

    salvaged: int
    rebuilt: int
    quarantined: tuple[str, ...]
    lost: int
    actions: tuple[str, ...]
    restored: int
    clean: bool  # verify finds nothing (more) to mend

    def to_json(self) -> Json:
        value = self._asdict()
        del value["clean"]
        return {**value, "quarantined": list(self.quarantined), "actions": list(self.actions)}


def repair(location: Location, *, given: Sequence[str] = (), dry_run: bool = False, wait: float = 60.0) -> Outcome:
    """Mend the journal. Changes nothing that is whole; run again, it finds nothing to do.

    ``given`` are bundles to look for lost records in, beside the generations. Raises JournalError where another
    process holds the journal for longer than ``wait`` seconds, BundleError where one of ``given`` does not hold, and
    LaterFormatError.
    """
    with not_recording(location, wait):
        with bundling.still(location.mgit_dir):
            done = mend(location, given, dry_run=dry_run)
        return done if dry_run else end_erasures(location, done)


def mend(location: Location, given: Sequence[str], *, dry_run: bool) -> Outcome:
    """As ``repair``, where the caller holds both locks, and without ending an erasure."""
    if not dry_run:
        exchange.settle(location.journal_dir)
    for path in given:
        bundle.read_manifest(path)
    if not dry_run:
        archiving.finish(location)
        archiving.remember_again(location, given)
    before = verify(location.journal_dir)
    holes = files.remaining_holes(location.journal_dir, before)
    if dry_run:
        return _would(location, before, holes, given)
    # The index may still know what the holes held, and what was erased: ask before it is made anew.
    with database.lost_commits(location.mgit_dir, _ranges(holes)) as lost:
        erased = database.erased_commits(location.mgit_dir, before.undeclared)
        return _repair(location, before, _Known(lost, erased), given)


def end_erasures(location: Location, done: Outcome) -> Outcome:
    """``done``, and with it what an erasure that was killed, or a copy from before one, has left in the journal.

    Call it under the drain's lock; it takes ``maintenance.lock`` itself.
    """
    if done.clean:
        return done
    after = verify(location.journal_dir)
    if not after.unerased or after.damaged:
        return done
    actions = (*done.actions, *erasing.finish(location))
    return done._replace(actions=actions, clean=verify(location.journal_dir).is_clean)


def _would(location: Location, before: Report, holes: Sequence[Hole], given: Sequence[str]) -> Outcome:
    mending = files.mend(location.journal_dir, dry_run=True)
    finder = Finder(location, holes, given)
    with CommitSet() as found:
        count = 0
        for payload in finder.restored():
            count += 1
            commit = commit_of(payload)
            if commit is not None:
                found.add(commit)
        rebuilt = 0
        if len(finder.wanted):
            with database.lost_commits(location.mgit_dir, _ranges(holes)) as lost, _index_aside(location) as aside:
                rebuilt = sum(1 for _ in finder.rebuilt(lost, lambda oid: oid in found or aside.knows(oid)))
    actions = [
        *mending.actions,
        *_hole_words(holes, "would declare"),
        *finder.words(rebuilt, "would restore", "would rebuild"),
    ]
    forsaken = identity.read_head(location.journal_dir) if not (before.chain_intact or before.damaged) else None
    if forsaken:
        actions.append(f"would declare that record {forsaken.seq} is not the one that was reported")
    if before.undeclared:
        actions.append(f"would declare {counted(len(before.undeclared), 'record')} as erased")
    return Outcome(mending.salvaged, rebuilt, (), finder.left(rebuilt), tuple(actions), count, before.is_clean)


@contextmanager
def _index_aside(location: Location) -> Iterator[index.Index]:
    """An index of what the journal holds now, that is gone again after it."""
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as folder, database.open_index(folder, location.journal_dir) as made:
        yield made


class _Known(NamedTuple):
    """What the index on file knew: the commits that the holes held, or None; and, by seq, those that were erased."""

    lost: Iterable[Oid] | None
    erased: Mapping[int, Oid]


def _repair(location: Location, before: Report, known: _Known, given: Sequence[str]) -> Outcome:
    with lock.journal(location.journal_dir):
        named = files.restore_identity(location.journal_dir)
        mending = files.mend(location.journal_dir, dry_run=False)
    actions = [*([named] if named else []), *mending.actions]
    finder: Finder | None = None
    rebuilt = count = 0
    report = verify(location.journal_dir)
    # With all that is damaged taken out, only the head can still be at odds with the chain.
    forsaken = None if report.chain_intact else identity.read_head(location.journal_dir)
    if report.holes or before.undeclared or mending.actions or forsaken:
        database.remove(location.mgit_dir)
        with journal_of(location) as journal:
            # The writer may have opened a segment after a lost end: the hole then has its final form.
            holes = verify(location.journal_dir).holes
            finder = Finder(location, holes, given)
            finder.pass_over(known.erased.values())
            count = _append(journal, finder.restored())
            if finder.cursor is not None and (journal.cursor is None or finder.cursor > journal.cursor):
                journal.append((), finder.cursor)
                journal.sync()
            if len(finder.wanted):
                with database.open_index(location.mgit_dir, location.journal_dir) as fresh:
                    rebuilt = _append(journal, map(encode, finder.rebuilt(known.lost, fresh.knows)))
            undeclared = {seq: known.erased.get(seq) for seq in before.undeclared}
            mended = _Mended(holes, mending, forsaken, before.damaged or forsaken, undeclared, count, rebuilt)
            erased = _declare(location, journal, mended, finder)
        actions += [*_hole_words(holes, "declared"), *finder.words(rebuilt, "restored", "rebuilt")]
        if forsaken:
            actions.append(f"declared that record {forsaken.seq} is not the one that was reported")
        if erased:
            actions.append(f"declared {counted(erased, 'record')} as erased")
    clean = verify(location.journal_dir).is_clean
    left = finder.left(rebuilt) if finder is not None else 0
    return Outcome(mending.salvaged, rebuilt, mending.quarantined, left, tuple(actions), count, clean)


def _append(journal: Appender, payloads: Iterator[bytes]) -> int:
    """Append all of them, synced by the chunk; how many."""
    count = 0
    while chunk := list(islice(payloads, _CHUNK)):
        journal.append(chunk)
        journal.sync()
        count += len(chunk)
    return count


class _Mended(NamedTuple):
    """What a repair has found and done by the time it says so."""

    holes: Sequence[Hole]
    mending: files.Mending
    forsaken: identity.Head | None  # a head that was reported, and is not the chain's
    damaged: object
    undeclared: Mapping[int, Oid | None]  # erased entries, each with its commit as far as it is known
    restored: int
    rebuilt: int


def _declare(location: Location, journal: Appender, mended: _Mended, finder: Finder) -> int:
    """The record that says what was lost and what became of it; last, so that a kill leaves the holes undeclared.

    How many erased entries it owns up to: those whose erase record is lost too.
    """
    # What was just restored may have brought the erase record back with it.
    erased = verify(location.journal_dir).undeclared if mended.undeclared else ()
    if mended.holes or mended.damaged or erased:
        detail: Json = {
            "holes": [hole.to_json() for hole in mended.holes],
            "quarantined": list(mended.mending.quarantined),
            "restored": mended.restored,
            "rebuilt": mended.rebuilt,
            "lost": finder.left(mended.rebuilt),
            "copies": list(finder.used),
            "erased": [_owned_up(seq, mended.undeclared.get(seq)) for seq in erased],
        }
        if mended.forsaken:
            detail["head"] = {"seq": mended.forsaken.seq, "id": mended.forsaken.id.hex()}
        journal.append([encode(plain_record(location, "repair", detail))])
    journal.sync()
    return len(erased)


def _owned_up(seq: int, commit: Oid | None) -> Json:
    # With its commit, as in the erase record that is lost: neither a backfill nor a repair brings that one back.
    return {"seq": seq} if commit is None else {"seq": seq, "commit": commit}


def recover_records(location: Location, overrides: dict[str, str] | None = None, wait: float = 60.0) -> tuple[int, int]:
    """Judge again what is on file as invalid; (records mended, records still invalid).

    A mended record is appended and names the one it stands in for, which stays.
    """
    with exclusive(os.path.join(location.mgit_dir, "drain.lock"), wait=wait) as held:
        if not held:
            raise JournalError("another process is recording", "try again in a moment")
        intake = Intake(location, overrides)
        mended: list[bytes] = []
        still = 0
        with database.open_index(location.mgit_dir, location.journal_dir) as rows:
            for stored in rows.read_many(rows.newest(), []):
                record = stored.record()
                if record is None or record.validation.is_valid or record.event in ("refused", "skipped"):
                    continue
                judged = intake.judge(record._replace(recovery=()))
                if judged.validation.is_valid:
                    mended.append(encode(judged._replace(supersedes=record.seq, refs=None)))
                else:
                    still += 1
        if mended:
            with journal_of(location) as journal:
                journal.append(reversed(mended))
                journal.sync()
    return len(mended), still


def _ranges(holes: Sequence[Hole]) -> list[tuple[int, int]]:
    return [(hole.first_seq, hole.last_seq) for hole in holes]


def _hole_words(holes: Sequence[Hole], verb: str) -> list[str]:
    return [f"{verb} {hole.words} as missing" for hole in holes]
