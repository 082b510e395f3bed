"""A line of git's raw diff output as a value (gitdiffcore(7), git-diff(1) "Raw output format")."""

from __future__ import annotations

from typing import NamedTuple

from mgit_hooks.record import Oid

GITLINK = 0o160000


class Change(NamedTuple):
    """One path that differs between two trees. Mode 0 and oid None stand for "not there"."""

    status: str  # A | D | M | T; R once renames are paired; U where an index is unmerged
    old_mode: int
    new_mode: int
    old_oid: Oid | None
    new_oid: Oid | None
    path: bytes
    old_path: bytes | None = None  # where a renamed file was


def is_regular(mode: int) -> bool:
    return mode & 0o170000 == 0o100000
