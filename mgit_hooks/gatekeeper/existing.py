"""Commits that are there, as candidates: pushed, received, or asked about."""

from __future__ import annotations

import os
from typing import Final

from mgit_hooks.gatekeeper.candidate import LATER, Candidate, envelope
from mgit_hooks.layout import Location
from mgit_hooks.record import Commit

# What made a commit that comes by a push is not known: a rule for any of these is a rule for it.
MADE: Final = ("commit", "amend", "rebase", "cherry-pick", "revert", "am", "import", "pushed-commit")
MERGED: Final = ("merge", "rebase", "import", "pushed-commit")
_UNKNOWN: Final = (LATER | {"/branch"}) - {"/commit/hash", "/commit/committer_date"}
_QUARANTINE: Final = ("GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES")


def quarantine() -> dict[str, str]:
    """Where a push's objects lie until it is taken, as the environment of its hooks says; empty outside of them."""
    return {name: os.environ[name] for name in _QUARANTINE if name in os.environ}


def of_commit(commit: Commit, location: Location, stage: str, events: tuple[str, ...] | None = None) -> Candidate:
    """A commit that is there, and of which nothing tells on which branch. ``events`` are what it may be, where
    something tells how it came to be."""
    possible = MERGED if len(commit.parents) > 1 else MADE
    value = envelope(possible[0], location, None, commit=commit.to_json(), replaces=None)
    return Candidate(stage, events or possible, value, _UNKNOWN | _missing(commit), location.worktree, None)


def _missing(commit: Commit) -> frozenset[str]:
    """What the objects that are not here (a partial or shallow clone) would have told."""
    if commit.files is None:
        return frozenset(("/commit/files",))
    if commit.missing is None:
        return frozenset()
    return frozenset(
        f"/commit/files/{number}/{name}"
        for number, change in enumerate(commit.files)
        for name in ("size_bytes", "additions", "deletions", "binary")
        if getattr(change, name) is None
    )
