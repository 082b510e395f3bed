"""One repository of a ``diff``, from its path to what is told and kept of it. Runs in a worker too."""

from __future__ import annotations

from typing import NamedTuple

from mgit_hooks.changesets import working
from mgit_hooks.changesets.shapes import RepositoryChangeset
from mgit_hooks.record import Json


class Wanted(NamedTuple):
    """What is asked of every repository."""

    level: str | None = None  # judged so strictly; None: not at all


class Seen(NamedTuple):
    """``fine``: it could be read, and nothing that was asked for speaks against it."""

    changeset: RepositoryChangeset
    validation: Json | None
    fine: bool


def look(path: str, wanted: Wanted) -> Seen:
    changeset = working.read(path)
    validation = None
    fine = changeset.git_status != "error"
    if wanted.level is not None:
        from mgit_hooks.pipeline.validation import validate_changeset

        result = validate_changeset(changeset, wanted.level)
        validation = result.to_json()
        fine = fine and result.is_valid
    return Seen(changeset, validation, fine)
