"""Bringing a copy of the journal back in the place of the one that is there, and then all that came after it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from mgit_hooks.copies import forget, is_of, not_recording
from mgit_hooks.journal import bundle, bundling, exchange, generations, identity
from mgit_hooks.journal.verify import exists, verify
from mgit_hooks.layout import Location
from mgit_hooks.mend import Outcome, end_erasures, mend
from mgit_hooks.recorder.backfill import backfill
from mgit_hooks.recorder.drainpass import Pass
from mgit_hooks.recorder.state import EMPTY
from mgit_hooks.report import counted


class Restored(NamedTuple):
    checked: bundle.Checked
    moved_aside: str | None  # the folder that holds, whole, the journal that was there
    outcome: Outcome  # of the repair that brought back what came after the copy
    recorded: int  # what the reflogs, the spool and git's objects gave


def restore(location: Location, path: str, *, force: bool = False, wait: float = 60.0) -> Restored:
    """Put the journal in the bundle at ``path`` in place, then what the one before it still holds, then git's.

    The journal that was there is moved to quarantine, whole. Killed anywhere, the old journal or the new one is in
    place; run again, it goes on. Numbers that were given out, as far as the old head tells, are not given out again.
    Raises BundleError where the bundle does not hold or, without ``force``, where the journal is clean and holds all
    of it, or is another one.
    """
    with not_recording(location, wait):
        with bundling.still(location.mgit_dir):
            exchange.settle(location.journal_dir)
            checked = bundle.check(path, bundle.scratch(location.journal_dir, path))
            moved = None
            if exchange.mark(location.journal_dir) != checked.sha256:  # else a restore that was killed put it there
                _refuse(location, checked, force=force)
                moved = _put(location, checked)
            outcome = mend(location, (), dry_run=False)
        outcome = end_erasures(location, outcome)
        recorded = Pass(location, "hook", None, EMPTY).run().records
    recorded += backfill(location, lambda done, total: None, wait=wait).recorded
    with not_recording(location, wait):
        exchange.done(location.journal_dir)
    return Restored(checked, moved, outcome, recorded)


def _put(location: Location, checked: bundle.Checked) -> str | None:
    journal_dir = location.journal_dir
    own, head = identity.read(journal_dir), identity.read_head(journal_dir)
    ahead = head if head is not None and head.seq > checked.manifest.last_seq else None
    related = own is not None and own.at_home and not set(own.lineage).isdisjoint(checked.manifest.lineage)
    # Without a head nobody knows which numbers were given out since: it goes on as a copy, under another id.
    exchange.stage(checked, journal_dir, head=ahead, own=own if related and head is not None else None)
    forget(location)
    return exchange.put(journal_dir)


def _refuse(location: Location, checked: bundle.Checked, *, force: bool) -> None:
    if force or not exists(location.journal_dir):
        return
    value = checked.manifest
    if not is_of(location.journal_dir, value.lineage):
        raise bundle.BundleError(
            f"{checked.path} is of another journal", "--force puts it in place all the same, and moves this one aside"
        )
    report = verify(location.journal_dir, frozenset({int(value.last_seq)}))
    holds = report.watched.get(value.last_seq) == value.head.hex()
    gone = (*report.mended, *report.archived)
    if report.is_clean and holds and all(hole.first_seq > value.last_seq for hole in gone):
        raise bundle.BundleError(
            "the journal is clean and holds all of it", "there is nothing to bring back; --force does it all the same"
        )


def newest(location: Location, given: Sequence[str]) -> str | None:
    """The copy that goes furthest, of those whose manifest holds; None where there is none."""
    found = [(each.last_seq, each.path) for each in generations.listed(_folder(location)) if each.fault is None]
    for path in given:
        found.append((bundle.read_manifest(path).last_seq, path))
    return max(found, default=(0, None))[1]


def named(location: Location, name: str, path: str) -> str:
    """The generation of that name, or else the file ``path``."""
    for each in generations.listed(_folder(location)):
        if name == each.name:
            return each.path
    return path


def mend_all(location: Location, path: str, *, dry_run: bool) -> Outcome:
    """``repair`` of a journal that is gone altogether: what is told is what it brought back, numbers and all."""
    if dry_run:
        with bundling.still(location.mgit_dir):
            checked = bundle.check(path, bundle.scratch(location.journal_dir, path))
        head = identity.read_head(location.journal_dir)
        lost = max(head.seq - checked.manifest.last_seq, 0) if head is not None else 0
        actions = (f"would put {checked.path} in place: {counted(checked.report.records, 'record')}",)
        return Outcome(0, 0, (), lost, actions, checked.report.records, clean=False)
    done = restore(location, path)
    actions = (
        f"put {path} in place: {counted(done.checked.report.records, 'record')}",
        *done.outcome.actions,
        *((f"recorded {counted(done.recorded, 'record')} anew, from what git tells",) if done.recorded else ()),
    )
    return done.outcome._replace(actions=actions, restored=done.outcome.restored + done.checked.report.records)


def _folder(location: Location) -> str:
    return generations.folder(location.mgit_dir)
