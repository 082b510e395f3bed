"""Repairing a journal as a whole: the files mended, lost commits recorded again from git, the holes declared.

The order makes it safe to kill and run again: damaged bytes are in quarantine before they leave a segment;
what can be rebuilt is appended before the ``repair`` record that declares the holes, so that a repair that
stopped halfway finds them undeclared and goes on.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from mgit_hooks import erasing, lock
from mgit_hooks.capture.capturer import Capturer
from mgit_hooks.errors import JournalError, ObjectError
from mgit_hooks.journal import database, identity
from mgit_hooks.journal import repair as files
from mgit_hooks.journal.verify import Hole, Report, verify
from mgit_hooks.layout import Location
from mgit_hooks.lock import exclusive
from mgit_hooks.record import Json, Oid, Record
from mgit_hooks.recorder import backfill
from mgit_hooks.recorder.intake import Intake, journal_of, plain_record
from mgit_hooks.report import counted


class Outcome(NamedTuple):
    """What ``repair`` did. ``lost``: records that neither the journal nor git can give back."""

    salvaged: int
    rebuilt: int
    quarantined: tuple[str, ...]
    lost: int
    actions: tuple[str, ...]
    clean: bool  # verify finds nothing (more) to mend

    def to_json(self) -> Json:
        value = self._asdict()
        del value["clean"]
        return {**value, "quarantined": list(self.quarantined), "actions": list(self.actions)}


def repair(location: Location, *, dry_run: bool = False, wait: float = 60.0) -> Outcome:
    """Mend the journal. Changes nothing that is whole; run again, it finds nothing to do.

    Raises JournalError where another process holds the journal for longer than ``wait`` seconds, and for a
    later format version.
    """
    with exclusive(os.path.join(location.mgit_dir, "drain.lock"), wait=wait) as held:
        if not held:
            raise JournalError("another process is recording", "try again in a moment")
        before = verify(location.journal_dir)
        if dry_run:
            return _would(location, before)
        return _repair(location, before)


def _would(location: Location, before: Report) -> Outcome:
    mending = files.mend(location.journal_dir, dry_run=True)
    lost = database.lost_commits(location.mgit_dir, _ranges(before.holes))
    if lost is None:
        lost = _off_record(location) if before.holes else []
    missing = _size(before.holes)
    actions = [*mending.actions, *_hole_words(before.holes, "would declare")]
    if lost:
        actions.append(f"would rebuild {counted(len(lost), 'commit record')} from git")
    forsaken = identity.read_head(location.journal_dir) if not (before.chain_intact or before.damaged) else None
    if forsaken:
        actions.append(f"would declare that record {forsaken.seq} is not the one that was reported")
    return Outcome(mending.salvaged, len(lost), (), max(missing - len(lost), 0), tuple(actions), before.is_clean)


def _off_record(location: Location) -> list[Oid]:
    """The commits that git has and no whole record of the journal is about.

    By an index of its own, apart from the repository, in which nothing is to change: a million ids in a set would
    take more memory than all the rest.
    """
    import tempfile

    capturer = Capturer(location.common_dir)
    with (
        tempfile.TemporaryDirectory(prefix="mgit-hooks-") as folder,
        database.open_index(folder, location.journal_dir) as known,
    ):
        return capturer.new_commits(backfill.tips(location, capturer), known.knows)


def _repair(location: Location, before: Report) -> Outcome:
    # The index may still know what the holes held: ask before it is made anew.
    lost_commits = database.lost_commits(location.mgit_dir, _ranges(before.holes))
    with lock.journal(location.journal_dir):
        named = files.restore_identity(location.journal_dir)
        mending = files.mend(location.journal_dir, dry_run=False)
    actions = [*([named] if named else []), *mending.actions]
    report = verify(location.journal_dir)
    holes, rebuilt = report.holes, 0
    # With all that is damaged taken out, only the head can still be at odds with the chain.
    forsaken = None if report.chain_intact else identity.read_head(location.journal_dir)
    if holes or mending.actions or forsaken:
        database.remove(location.mgit_dir)
        with journal_of(location) as journal:
            # The writer may have opened a segment after a lost end: the hole then has its final form.
            holes = verify(location.journal_dir).holes
            if holes:
                payloads = [record.encode() for record in _rebuilt(location, lost_commits)]
                journal.append(payloads)
                rebuilt = len(payloads)
            if holes or before.damaged or forsaken:
                detail: Json = {
                    "holes": [hole.to_json() for hole in holes],
                    "quarantined": list(mending.quarantined),
                    "rebuilt": rebuilt,
                    "lost": max(_size(holes) - rebuilt, 0),
                }
                if forsaken:
                    detail["head"] = {"seq": forsaken.seq, "id": forsaken.id.hex()}
                journal.append([plain_record(location, "repair", detail).encode()])
            journal.sync()
        actions += _hole_words(holes, "declared")
        if forsaken:
            actions.append(f"declared that record {forsaken.seq} is not the one that was reported")
        if rebuilt:
            actions.append(f"rebuilt {counted(rebuilt, 'commit record')} from git")
    after = verify(location.journal_dir)
    if after.unerased and not after.damaged:
        actions += erasing.finish(location)
        after = verify(location.journal_dir)
    clean = after.is_clean
    lost = max(_size(holes) - rebuilt, 0)
    return Outcome(mending.salvaged, rebuilt, mending.quarantined, lost, tuple(actions), clean)


def _rebuilt(location: Location, lost: Sequence[Oid] | None) -> Iterator[Record]:
    """Records of the commits that the holes held, as far as git still has them.

    Where the index could not say which those were, of every commit that git has and the journal has not.
    """
    intake = Intake(location)
    with database.open_index(location.mgit_dir, location.journal_dir) as fresh:
        if lost is None:
            lost = intake.capturer.new_commits(backfill.tips(location, intake.capturer), fresh.knows)
        for oid in lost:
            if fresh.knows(oid):
                continue
            try:
                commit = intake.capturer.commit(oid)
            except ObjectError:
                continue  # git has it no more: it counts as lost
            yield intake.judge(backfill.imported(location, commit, "rebuilt", "rebuilt"))


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
                    mended.append(judged._replace(supersedes=record.seq, refs=None).encode())
                else:
                    still += 1
        if mended:
            with journal_of(location) as journal:
                journal.append(reversed(mended))
                journal.sync()
    return len(mended), still


def _ranges(holes: Sequence[Hole]) -> list[tuple[int, int]]:
    return [(hole.first_seq, hole.last_seq) for hole in holes]


def _size(holes: Sequence[Hole]) -> int:
    return sum(hole.last_seq - hole.first_seq + 1 for hole in holes)


def _hole_words(holes: Sequence[Hole], verb: str) -> list[str]:
    return [f"{verb} {hole.words} as missing" for hole in holes]
