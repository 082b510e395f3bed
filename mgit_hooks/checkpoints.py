"""Making a generation of a repository's journal, and saying so in the journal."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import NamedTuple

from mgit_hooks.encoding import encode
from mgit_hooks.errors import JournalError
from mgit_hooks.journal import bundle, bundling, generations
from mgit_hooks.judging import config
from mgit_hooks.layout import Location
from mgit_hooks.lock import exclusive
from mgit_hooks.record import Seq
from mgit_hooks.recorder.intake import journal_of, plain_record


class Done(NamedTuple):
    checked: bundle.Checked
    seq: Seq  # of the record that says so
    pruned: tuple[str, ...]


def checkpoint(
    location: Location, directory: str, overrides: Mapping[str, str] | None = None, wait: float = 60.0
) -> Done:
    """Write a generation into ``directory``, verify it, record it, and only then remove what is older.

    Killed anywhere: what has a generation's name is whole. Raises BundleError where the journal is damaged,
    ConfigError, and JournalError where something cannot be read or written.
    """
    keep = config.load(location, overrides).keep_checkpoints
    with bundling.still(location.mgit_dir):
        checked = generations.make(location.journal_dir, directory)
    name = os.path.basename(checked.path)
    detail: dict[str, object] = {
        "generation": name,
        "last_seq": checked.manifest.last_seq,
        "id": checked.manifest.head.hex(),
        "sha256": checked.sha256,
    }
    with exclusive(os.path.join(location.mgit_dir, "drain.lock"), wait=wait) as held:
        if not held:
            raise JournalError("another process is recording", f"{name} is written and verified all the same")
        with journal_of(location) as journal:
            (appended,) = journal.append([encode(plain_record(location, "checkpoint", detail))])
            journal.sync()
    with bundling.still(location.mgit_dir):
        pruned = generations.prune(directory, name, keep)
    return Done(checked, appended.seq, tuple(pruned))
