"""What changed between two changesets of one repository, by content: a file's hash, a commit's id. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from mgit_hooks.changesets.shapes import FileChange, RepositoryChangeset
from mgit_hooks.record import Json

# Of the whole, besides files and commits. When it was looked at, and how it was read, is no change.
_WHOLE: Final = ("repository_name", "has_uncommitted_changes", "git_status", "current_branch", "error")
_METADATA: Final = ("head", "bare", "unreadable", "missing")


def between(before: RepositoryChangeset | None, now: RepositoryChangeset) -> RepositoryChangeset | None:
    """``now`` with those of its files and commits that ``before`` has not, or has otherwise; None where all is as it
    was. All of ``now`` where there is no ``before``.

    ``metadata.increment`` says against what: ``since``, ``branch`` and ``head`` as they were, ``settled`` (files that
    were changed and no longer are), ``dropped`` (commits that HEAD no longer reaches, as far as the last ones tell) and
    ``further`` (whether more commits may have come than the last ones, which are all new).
    """
    if before is None:
        return now
    held = {_identity(change): _said(change) for change in before.uncommitted_files or ()}
    files = tuple(each for each in now.uncommitted_files or () if held.get(_identity(each)) != _said(each))
    still = set(map(_identity, now.uncommitted_files or ()))
    # Whose path is changed in another way by now (it was untracked, and is in the index) has not settled.
    over = still | {(path, not untracked) for path, untracked in still - held.keys()}
    settled = [change.filename for change in before.uncommitted_files or () if _identity(change) not in over]
    known = {commit.hash for commit in before.recent_commits or ()}
    commits = tuple(each for each in now.recent_commits or () if each.hash not in known)
    if not (files or settled or commits) and _about(before) == _about(now):
        return None
    increment: Json = {
        "since": before.timestamp,
        "branch": before.current_branch,
        "head": (before.metadata or {}).get("head"),
        "settled": settled,
        "dropped": list(_dropped(before, now)),
        "further": len(commits) == len(now.recent_commits or ()) and not _is_whole(now),
    }
    return now._replace(
        uncommitted_files=None if now.uncommitted_files is None else files,
        recent_commits=None if now.recent_commits is None else commits,
        metadata={**(now.metadata or {}), "increment": increment},
    )


def _identity(change: FileChange) -> tuple[str, bool]:
    """A path may be there twice: taken out of the index, and untracked."""
    return change.filename_bytes or change.filename, change.change_type == "untracked"


def _said(change: FileChange) -> FileChange:
    """What it says of the file. What of it was embedded depends on a budget; the hash is of all of it."""
    return change._replace(embedded_content=None)


def _about(changeset: RepositoryChangeset) -> Any:
    metadata = changeset.metadata or {}
    return [getattr(changeset, name) for name in _WHOLE], [metadata.get(name) for name in _METADATA]


def _dropped(before: RepositoryChangeset, now: RepositoryChangeset) -> Iterator[str]:
    """Commits come newest first: one that is gone while an older one is still there was not pushed out by newer ones.
    Where the last ones are all that there are, whatever is gone was dropped."""
    shown = {commit.hash for commit in now.recent_commits or ()}
    whole = _is_whole(now)
    then = [commit.hash for commit in before.recent_commits or ()]
    last = max((place for place, name in enumerate(then) if name in shown), default=-1)
    return (name for place, name in enumerate(then) if name not in shown and (whole or place < last))


def _is_whole(changeset: RepositoryChangeset) -> bool:
    """Whether the last commits are all that there are."""
    shown = {commit.hash for commit in changeset.recent_commits or ()}
    return all(parent in shown for commit in changeset.recent_commits or () for parent in commit.parents or ())
