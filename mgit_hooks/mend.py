"""Repairing a journal as a whole: the files mended, lost records brought back, what is lost for good declared.

What copies of the journal hold comes back first, then what git's objects tell of commits. The order makes it safe
to kill and run again: damaged bytes are in quarantine before they leave a segment, and all that can be brought back
is appended before the ``repair`` record that declares the holes. A repair that stopped halfway finds them
undeclared, sees what it has brought back already, and goes on.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import NamedTuple

from mgit_hooks import archiving, erasing, lock, restored
from mgit_hooks.copies import available, not_recording
from mgit_hooks.encoding import encode
from mgit_hooks.errors import JournalError, ObjectError
from mgit_hooks.journal import bundle, bundling, database, exchange, identity, index, reader, sources
from mgit_hooks.journal import repair as files
from mgit_hooks.journal.contents import commit_of
from mgit_hooks.journal.cursor import Cursor
from mgit_hooks.journal.findings import Hole, Report
from mgit_hooks.journal.sources import Wanted
from mgit_hooks.journal.verify import verify
from mgit_hooks.journal.writer import Appender
from mgit_hooks.layout import Location
from mgit_hooks.lock import exclusive
from mgit_hooks.record import Json, Oid, Record
from mgit_hooks.recorder import backfill
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
    return _repair(location, before, holes, given)


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


class _Finder:
    """Brings back what the holes held: first from copies, then from git."""

    def __init__(self, location: Location, holes: Sequence[Hole], given: Sequence[str]) -> None:
        self._location = location
        self._holes = holes
        self._given = given
        self.wanted = Wanted(holes)
        self._known = sources.survey(location.journal_dir, holes, self.wanted)
        self.rebuilt_before = self._known.rebuilt if holes else 0
        self.notes: list[str] = []
        self.used: dict[str, int] = {}
        self.cursor: Cursor | None = None  # how far the spool was read for what was brought back

    def restored(self) -> Iterator[bytes]:
        """Payloads from copies, proven by the chain; what was erased stays away."""
        for copy in available(self._location, self._given, self.notes) if len(self.wanted) else ():
            ranges, last_seq = sources.prove(copy, self._holes, self._known)
            for stored, proven in sources.taken(copy, ranges):
                if stored.seq not in self.wanted or stored.seq in self._known.erased or stored.payload is None:
                    continue
                evidence = restored.Evidence(copy.name, copy.sha256, stored.seq, stored.id.hex(), proven.proof)
                payload = restored.payload(stored.payload, evidence)
                if payload is not None:
                    self.wanted.discard(stored.seq)
                    self.used[copy.name] = self.used.get(copy.name, 0) + 1
                    yield payload
            self._pass_spool(copy, last_seq)
            if not len(self.wanted):
                return

    def _pass_spool(self, copy: sources.Copy, last_seq: int) -> None:
        """Lines of the spool whose records are all on file, by this copy, are not to be read again for lack of a
        cursor; what was recorded later and is lost may still stand there."""
        first = next((first for first, _ in self.wanted.ranges()), last_seq + 1)
        if copy.related and first > last_seq:
            found = reader.last_cursor(copy.directory)
            if found is not None and (self.cursor is None or found > self.cursor):
                self.cursor = found

    def rebuilt(self, lost: Sequence[Oid] | None, knows: Callable[[Oid], bool]) -> Iterator[Record]:
        """Records of the commits that the holes held and nothing else gave back, as far as git has them.

        Where the index could not say which those were (``lost`` is None), of every commit that git has and the
        journal has not.
        """
        if not len(self.wanted):
            return
        intake = Intake(self._location)
        if lost is None:
            lost = intake.capturer.new_commits(backfill.tips(self._location, intake.capturer), knows, through=True)
        for oid in dict.fromkeys(lost):
            if knows(oid) or oid in self._known.commits:
                continue
            try:
                commit = intake.capturer.commit(oid)
            except ObjectError:
                continue  # git has it no more: it counts as lost
            yield intake.judge(backfill.imported(self._location, commit, "rebuilt", "rebuilt"))

    def left(self, rebuilt: int) -> int:
        return max(len(self.wanted) - rebuilt - self.rebuilt_before, 0)

    def words(self, rebuilt: int, restore: str, rebuild: str) -> list[str]:
        lines = [f"{restore} {counted(count, 'record')} from {name}" for name, count in self.used.items()]
        if rebuilt:
            lines.append(f"{rebuild} {counted(rebuilt, 'commit record')} from git")
        return [*self.notes, *lines]


def _would(location: Location, before: Report, holes: Sequence[Hole], given: Sequence[str]) -> Outcome:
    mending = files.mend(location.journal_dir, dry_run=True)
    finder = _Finder(location, holes, given)
    found: set[Oid | None] = set()
    count = 0
    for payload in finder.restored():
        count += 1
        found.add(commit_of(payload))
    rebuilt = 0
    if len(finder.wanted):
        lost = database.lost_commits(location.mgit_dir, _ranges(holes))
        with _index_aside(location) as aside:
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


def _repair(location: Location, before: Report, holes: Sequence[Hole], given: Sequence[str]) -> Outcome:
    # The index may still know what the holes held: ask before it is made anew.
    lost = database.lost_commits(location.mgit_dir, _ranges(holes))
    with lock.journal(location.journal_dir):
        named = files.restore_identity(location.journal_dir)
        mending = files.mend(location.journal_dir, dry_run=False)
    actions = [*([named] if named else []), *mending.actions]
    finder: _Finder | None = None
    rebuilt = count = 0
    report = verify(location.journal_dir)
    # With all that is damaged taken out, only the head can still be at odds with the chain.
    forsaken = None if report.chain_intact else identity.read_head(location.journal_dir)
    if report.holes or before.undeclared or mending.actions or forsaken:
        database.remove(location.mgit_dir)
        with journal_of(location) as journal:
            # The writer may have opened a segment after a lost end: the hole then has its final form.
            holes = verify(location.journal_dir).holes
            finder = _Finder(location, holes, given)
            count = _append(journal, finder.restored())
            if finder.cursor is not None and (journal.cursor is None or finder.cursor > journal.cursor):
                journal.append((), finder.cursor)
                journal.sync()
            if len(finder.wanted):
                with database.open_index(location.mgit_dir, location.journal_dir) as fresh:
                    rebuilt = _append(journal, map(encode, finder.rebuilt(lost, fresh.knows)))
            mended = _Mended(holes, mending, forsaken, before.damaged or forsaken, before.undeclared, count, rebuilt)
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
    undeclared: Sequence[int]
    restored: int
    rebuilt: int


def _declare(location: Location, journal: Appender, mended: _Mended, finder: _Finder) -> int:
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
            "erased": [{"seq": seq} for seq in erased],
        }
        if mended.forsaken:
            detail["head"] = {"seq": mended.forsaken.seq, "id": mended.forsaken.id.hex()}
        journal.append([encode(plain_record(location, "repair", detail))])
    journal.sync()
    return len(erased)


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
