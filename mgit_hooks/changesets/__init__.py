"""Changesets: what repositories are now, as values (``shapes``) and as named collections on the disk (``storage``)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mgit_hooks.changesets.shapes import (
    ChangesetCollection,
    CommitInfo,
    EmbeddedContent,
    FileChange,
    RepositoryChangeset,
    repository_key,
)
from mgit_hooks.errors import ChangesetStorageError, ChangesetValidationError

if TYPE_CHECKING:
    from mgit_hooks.changesets.storage import ChangesetStorage

__all__ = [
    "ChangesetCollection",
    "ChangesetStorage",
    "ChangesetStorageError",
    "ChangesetValidationError",
    "CommitInfo",
    "EmbeddedContent",
    "FileChange",
    "RepositoryChangeset",
    "repository_key",
]


def __getattr__(name: str) -> Any:
    """The storage is loaded where it is used: who only looks at values opens no files."""
    if name == "ChangesetStorage":
        from mgit_hooks.changesets.storage import ChangesetStorage

        return ChangesetStorage
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
