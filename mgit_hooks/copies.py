"""Copies of a repository's journal: taken in whole, from a bundle."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from mgit_hooks.errors import JournalError
from mgit_hooks.files import is_folder
from mgit_hooks.journal import bundle, bundling, database, exchange, generations, identity
from mgit_hooks.journal.segment import segment_journals, segment_names
from mgit_hooks.journal.sources import Copy
from mgit_hooks.journal.verify import exists
from mgit_hooks.layout import Location, make_private_dir
from mgit_hooks.lock import exclusive
from mgit_hooks.record import Seq
from mgit_hooks.recorder import spool
from mgit_hooks.recorder.intake import journal_of


@contextmanager
def not_recording(location: Location, wait: float = 60.0) -> Iterator[None]:
    """Nobody records meanwhile. Raises JournalError where somebody does for longer than ``wait`` seconds."""
    make_private_dir(location.mgit_dir)
    with exclusive(os.path.join(location.mgit_dir, "drain.lock"), wait=wait) as held:
        if not held:
            raise JournalError("another process is recording", "try again in a moment")
        yield


@contextmanager
def alone(location: Location, wait: float = 60.0) -> Iterator[None]:
    """Nobody records, and nobody rewrites what is recorded, meanwhile: both locks, in their order."""
    with not_recording(location, wait), bundling.still(location.mgit_dir):
        yield


def available(location: Location, given: Sequence[str], notes: list[str]) -> Iterator[Copy]:
    """Every copy of the journal that there is, one after the other: what was moved aside, then bundles, the one that
    goes furthest first. Each is there to be read until the next is asked for.

    Raises BundleError where one of those that were ``given`` does not hold; a generation that does not is passed
    over, which ``notes`` then say. Call it under ``alone``.
    """
    for directory in exchange.kept_aside(location.mgit_dir):
        own = identity.read(directory)
        related = own is not None and is_of(location.journal_dir, own.lineage)
        yield Copy(f"quarantine/{os.path.basename(directory)}", None, directory, related)
    found = [(bundle.read_manifest(path).last_seq, path) for path in given]
    for each in generations.listed(generations.folder(location.mgit_dir)):
        if each.fault is None:
            found.append((Seq(each.last_seq), each.path))
        else:
            notes.append(f"passed over {each.name}: {each.fault}")
    for _, path in sorted(found, key=lambda each: -each[0]):
        try:
            with bundle.unpacked(path, bundle.scratch(location.journal_dir, path)) as (value, digest, directory):
                related = is_of(location.journal_dir, value.lineage)
                yield Copy(os.path.basename(path), digest, directory, related)
        except bundle.BundleError as error:
            if path in given:
                raise
            notes.append(f"passed over {os.path.basename(path)}: {error.message}")


def take_in(location: Location, path: str, *, dry_run: bool = False) -> bundle.Checked:
    """Make the journal in the bundle at ``path`` this repository's, which has none.

    It is a copy and says so, as a copied ``.git`` does: it goes on under an id of its own, from an ``adopted``
    record. Raises BundleError where the bundle does not hold or a journal is here; nothing was changed then.
    """
    if dry_run:
        return _looked_at(location, path)
    with alone(location):
        exchange.settle(location.journal_dir)
        _refuse_over_another(location, path)
        checked = bundle.check(path, bundle.scratch(location.journal_dir, path))
        staged = exchange.stage(checked, location.journal_dir)
        with journal_of(location, staged) as journal:
            # The cursor that came along is about the spool of another folder: here every line counts.
            journal.append((), spool.beginning(location.spool_dir))
            journal.sync()
        forget(location)
        exchange.put(location.journal_dir)
        exchange.done(location.journal_dir)
    return checked


def _looked_at(location: Location, path: str) -> bundle.Checked:
    """The bundle, checked; nothing of it, not even a folder, is left in a repository that has no journal."""
    if not is_folder(location.mgit_dir):
        from tempfile import TemporaryDirectory

        with TemporaryDirectory(prefix="mgit-hooks-") as folder:
            return bundle.check(path, os.path.join(folder, "unpacked"))
    with bundling.still(location.mgit_dir):
        return bundle.check(path, bundle.scratch(location.journal_dir, path))


def forget(location: Location) -> None:
    """What was told by the journal that is about to go: the index, and how far the reflogs were read."""
    database.remove(location.mgit_dir)
    with suppress(FileNotFoundError):
        os.unlink(os.path.join(location.mgit_dir, "state.json"))


def _refuse_over_another(location: Location, path: str) -> None:
    journal_dir = location.journal_dir
    if exists(journal_dir):
        value = bundle.read_manifest(path)
        if is_of(journal_dir, value.lineage):
            remedy = f"'mgit-hooks repair --from {path}' brings back what is missing, 'restore --from' all of it"
        else:
            remedy = "a journal is never mixed with another one; import it where there is none"
        raise bundle.BundleError("this repository has a journal already", remedy)
    if identity.read_head(journal_dir) is not None:
        raise bundle.BundleError(
            "the segments of this repository's journal are gone", f"run 'mgit-hooks restore --from {path}'"
        )


def is_of(journal_dir: str, lineage: tuple[bytes, ...]) -> bool:
    """Whether frames here stand under one of these journals' ids."""
    own = identity.read(journal_dir)
    ids = {*(own.lineage if own else ()), *segment_journals(journal_dir, segment_names(journal_dir))}
    return not ids.isdisjoint(lineage)
