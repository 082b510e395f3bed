"""Copies of a repository's journal: taken in whole, from a bundle."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from mgit_hooks.errors import JournalError
from mgit_hooks.journal import bundle, database, exchange, identity
from mgit_hooks.journal.segment import segment_journals, segment_names
from mgit_hooks.journal.verify import exists
from mgit_hooks.layout import Location, make_private_dir
from mgit_hooks.lock import exclusive
from mgit_hooks.recorder import spool
from mgit_hooks.recorder.intake import journal_of


@contextmanager
def alone(location: Location, wait: float = 60.0) -> Iterator[None]:
    """Nobody records, and nobody rewrites what is recorded, meanwhile: both locks, in their order."""
    make_private_dir(location.mgit_dir)
    with exclusive(os.path.join(location.mgit_dir, "drain.lock"), wait=wait) as held:
        if not held:
            raise JournalError("another process is recording", "try again in a moment")
        with bundle.still(location.mgit_dir):
            yield


def take_in(location: Location, path: str, *, dry_run: bool = False) -> bundle.Checked:
    """Make the journal in the bundle at ``path`` this repository's, which has none.

    It is a copy and says so, as a copied ``.git`` does: it goes on under an id of its own, from an ``adopted``
    record. Raises BundleError where the bundle does not hold or a journal is here; nothing was changed then.
    """
    if dry_run:
        make_private_dir(location.mgit_dir)
        with bundle.still(location.mgit_dir):
            return bundle.check(path, bundle.scratch(location.journal_dir, path))
    with alone(location):
        exchange.settle(location.journal_dir)
        _refuse_over_another(location, path)
        checked = bundle.check(path, bundle.scratch(location.journal_dir, path))
        staged = exchange.stage(checked, location.journal_dir, head=None, at_home=False)
        with journal_of(location, staged) as journal:
            # The cursor that came along is about the spool of another folder: here every line counts.
            journal.append((), spool.beginning(location.spool_dir))
            journal.sync()
        forget(location)
        exchange.put(location.journal_dir)
        exchange.done(location.journal_dir)
    return checked


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
