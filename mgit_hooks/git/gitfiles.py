"""The small files that git keeps in a git directory, whatever the format of its objects and refs."""

from __future__ import annotations

import os

from mgit_hooks.record import Oid


def common_dir(git_dir: str) -> str:
    """What all worktrees share: ``git_dir`` itself, but for a linked worktree's."""
    try:
        with open(os.path.join(git_dir, "commondir"), encoding="utf-8", errors="surrogateescape") as file:
            return os.path.normpath(os.path.join(git_dir, file.read().rstrip("\n")))
    except FileNotFoundError:
        return git_dir


def linked_worktree(git_dir: str) -> str | None:
    """The top of the linked worktree that this git directory is of; None where it is of none."""
    try:
        with open(os.path.join(git_dir, "gitdir"), encoding="utf-8", errors="surrogateescape") as file:
            return os.path.dirname(os.path.normpath(os.path.join(git_dir, file.read().rstrip("\n"))))
    except FileNotFoundError:
        return None


def shallow_boundary(git_dir: str) -> frozenset[Oid]:
    """The commits whose parents a shallow clone left out (``$GIT_COMMON_DIR/shallow``)."""
    try:
        with open(os.path.join(common_dir(git_dir), "shallow"), encoding="ascii") as lines:
            return frozenset(Oid(line.strip()) for line in lines if line.strip())
    except FileNotFoundError:
        return frozenset()


def merge_heads(git_dir: str) -> tuple[Oid, ...]:
    """What the next commit merges, besides HEAD (``MERGE_HEAD``)."""
    try:
        with open(os.path.join(git_dir, "MERGE_HEAD"), encoding="ascii", errors="replace") as lines:
            return tuple(Oid(line.strip()) for line in lines if line.strip())
    except FileNotFoundError:
        return ()
