"""What a worktree differs by, as ``git status --porcelain=v2 -z`` prints it (git-status(1))."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from mgit_hooks.record import Oid

# The blanks before the path in each kind of line.
_BLANKS: Final = {b"1": 8, b"2": 9, b"u": 10, b"?": 1}


class Entry(NamedTuple):
    """One path. Mode 0 and oid None stand for "not there"."""

    index_status: str  # A | D | M | T | R | C | U; "." unchanged, "?" untracked
    worktree_status: str
    head_mode: int
    index_mode: int
    worktree_mode: int
    head_oid: Oid | None
    index_oid: Oid | None
    path: bytes  # from the worktree's top; a folder's ends with a slash: a repository that is not part of this one
    old_path: bytes | None = None  # where a renamed or copied one came from
    unmerged: bool = False  # then ``head_…`` are our side's, and the index has no one version


def entries(told: bytes) -> Iterator[Entry]:
    """Raises ValueError where that is no such answer."""
    fields = iter(told.split(b"\0")[:-1])
    for field in fields:
        kind = field[:1]
        if kind == b"#":
            continue
        if kind not in _BLANKS:
            raise ValueError(f"git status printed {field[:80]!r}")
        words = field.split(b" ", _BLANKS[kind])
        if len(words) <= _BLANKS[kind]:
            raise ValueError(f"git status printed {field[:80]!r}")
        path = words[-1]
        if kind == b"?":
            yield Entry("?", "?", 0, 0, 0, None, None, path)
        elif kind == b"u":
            ours, worktree = int(words[4], 8), int(words[6], 8)
            yield Entry(*_letters(words[1]), ours, 0, worktree, _oid(words[8]), None, path, None, True)
        else:
            head, index, worktree = (int(words[place], 8) for place in (3, 4, 5))
            old_path = next(fields, None) if kind == b"2" else None
            if kind == b"2" and not old_path:
                raise ValueError(f"git status printed {field[:80]!r}, and no name before it")
            yield Entry(*_letters(words[1]), head, index, worktree, _oid(words[6]), _oid(words[7]), path, old_path)


def _letters(word: bytes) -> tuple[str, str]:
    return word[:1].decode("ascii"), word[1:].decode("ascii")


def _oid(text: bytes) -> Oid | None:
    return Oid(text.decode("ascii")) if text.strip(b"0") else None
