"""The small files that git keeps in a git directory, whatever the format of its objects and refs."""

from __future__ import annotations

import os
from typing import Final

from mgit_hooks.files import read
from mgit_hooks.record import Oid

_LONGEST_PATH: Final = 64 * 1024
_MOST_OIDS: Final = 64 * 1024 * 1024


def common_dir(git_dir: str) -> str:
    """What all worktrees share: ``git_dir`` itself, but for a linked worktree's."""
    try:
        return os.path.normpath(os.path.join(git_dir, _path_in(os.path.join(git_dir, "commondir"))))
    except FileNotFoundError:
        return git_dir


def linked_worktree(git_dir: str) -> str | None:
    """The top of the linked worktree that this git directory is of; None where it is of none."""
    try:
        return os.path.dirname(os.path.normpath(os.path.join(git_dir, _path_in(os.path.join(git_dir, "gitdir")))))
    except FileNotFoundError:
        return None


def shallow_boundary(git_dir: str) -> frozenset[Oid]:
    """The commits whose parents a shallow clone left out (``$GIT_COMMON_DIR/shallow``)."""
    try:
        return frozenset(_oids_in(os.path.join(common_dir(git_dir), "shallow")))
    except FileNotFoundError:
        return frozenset()


def merge_heads(git_dir: str) -> tuple[Oid, ...]:
    """What the next commit merges, besides HEAD (``MERGE_HEAD``)."""
    try:
        return tuple(_oids_in(os.path.join(git_dir, "MERGE_HEAD")))
    except FileNotFoundError:
        return ()


def _path_in(path: str) -> str:
    return read(path, _LONGEST_PATH).decode("utf-8", "surrogateescape").rstrip("\r\n")  # as git reads it


def _oids_in(path: str) -> list[Oid]:
    lines = read(path, _MOST_OIDS).decode("ascii", "replace").split("\n")
    return [Oid(line.strip()) for line in lines if line.strip()]
