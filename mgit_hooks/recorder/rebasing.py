"""What a rebase that has not ended says of what it did so far, in files of its own (git's ``sequencer.c``).

git hands the same list to post-rewrite once the rebase ends, and throws it away where the rebase is aborted. What is
said here is said of commits that are there: an old one, and the one that was made of it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from mgit_hooks.files import is_folder, open_to_read
from mgit_hooks.git import reflog, reftable
from mgit_hooks.record import Oid
from mgit_hooks.recorder import classify

_HEX: Final = r"[0-9a-f]{40}|[0-9a-f]{64}"
_LISTED: Final = re.compile(rf"({_HEX}) ({_HEX})\n")
_PENDING: Final = re.compile(rf"({_HEX})\n")
_EDIT: Final = re.compile(r"e(?:dit)? ([0-9a-f]{4,64})\b")
# More than one line of a reflog.
_LAST_BYTES: Final = 64 * 1024


class Pair(NamedTuple):
    old: Oid
    new: Oid


def git_dirs(common_dir: str) -> Iterator[tuple[str, str]]:
    """(worktree, its own git directory) of the main worktree and of every linked one."""
    for worktree in reflog.worktrees(common_dir):
        yield worktree, os.path.join(common_dir, *reflog.worktree_folders(worktree))


def is_rebasing(git_dir: str) -> bool:
    return any(is_folder(os.path.join(git_dir, name)) for name in ("rebase-merge", "rebase-apply"))


def pairs_of(git_dir: str) -> list[Pair]:
    """What the rebase that goes on in this worktree has replaced so far; nothing where there is none."""
    if not is_rebasing(git_dir):
        return []
    listed = _text(git_dir, "rebase-merge", "rewritten-list") + _text(git_dir, "rebase-apply", "rewritten")
    pairs = [Pair(Oid(old), Oid(new)) for old, new in _LISTED.findall(listed)]
    return pairs + list(_stopped_to_edit(git_dir)) + _pending(git_dir)


def _stopped_to_edit(git_dir: str) -> Iterator[Pair]:
    """The commit that an ``edit`` stopped at. Of other stops ``amend`` names the commit before the stopped one."""
    done = _text(git_dir, "rebase-merge", "done").rstrip("\n").rpartition("\n")[2]
    edit = _EDIT.match(done)
    old, new = (_text(git_dir, "rebase-merge", name).strip() for name in ("stopped-sha", "amend"))
    if edit is not None and old.startswith(edit[1]) and all(re.fullmatch(_HEX, oid) for oid in (old, new)):
        yield Pair(Oid(old), Oid(new))


def _pending(git_dir: str) -> list[Pair]:
    """What a chain of fixups has put into HEAD so far: git lists it once the chain ends.

    Only where HEAD is where the rebase itself left it, and nothing of all this moved while it was read.
    """
    for _ in range(3):
        before = _chain(git_dir)
        if before is None or classify.made_by(before.message) != "rebase" or not re.fullmatch(_HEX, before.head):
            return []
        if _chain(git_dir) == before:
            return [Pair(Oid(old), Oid(before.head)) for old in _PENDING.findall(before.pending)]
    return []


class _Chain(NamedTuple):
    """``head`` is where HEAD was put last, and ``message`` what its reflog says of that."""

    pending: str
    done: str
    head: str
    message: str


def _chain(git_dir: str) -> _Chain | None:
    pending, done = (_text(git_dir, "rebase-merge", name) for name in ("rewritten-pending", "done"))
    last = _last_of_head(git_dir) if pending else None
    return None if last is None else _Chain(pending, done, *last)


def _last_of_head(git_dir: str) -> tuple[str, str] | None:
    if reftable.is_used(git_dir):
        return reftable.last_of_head(git_dir)
    line = _text(git_dir, "logs", "HEAD", last=_LAST_BYTES).rstrip("\n").rpartition("\n")[2]
    fields, _, message = line.partition("\t")
    return (fields.split(" ")[1], message) if " " in fields else None


def _text(git_dir: str, *names: str, last: int | None = None) -> str:
    """A file's text, or that of its last bytes; nothing where it is not there, or not any more."""
    try:
        with open_to_read(os.path.join(git_dir, *names)) as file:
            if last is not None:
                file.seek(max(os.fstat(file.fileno()).st_size - last, 0))
            return file.read().decode("utf-8", "surrogateescape")
    except (FileNotFoundError, NotADirectoryError):
        return ""
