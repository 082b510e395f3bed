"""git-filter-repo's ``commit-map``: a line ``OLD NEW`` for each commit, NEW all zeros where it was left out.

A run within a day of another one puts both maps together. A map whose stamp has not changed says what it said; which
stamps were read stands in ``rewriting.json``, a hint: a map that is read again says nothing that is not on record.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from typing import Final

from mgit_hooks.files import open_to_read
from mgit_hooks.layout import Location
from mgit_hooks.record import Oid
from mgit_hooks.recorder.rebasing import git_dirs
from mgit_hooks.recorder.state import stamp, write_json

_HINT: Final = "rewriting.json"
_MAP: Final = os.path.join("filter-repo", "commit-map")
_PAIR: Final = re.compile(rb"([0-9a-f]{40}|[0-9a-f]{64}) ([0-9a-f]{40}|[0-9a-f]{64})\n")


def waits(location: Location) -> bool:
    """Whether there is a commit-map that was not read yet: seen by its stamp alone."""
    return stamps(location.common_dir) != remembered(location.mgit_dir)


def remember(mgit_dir: str, read: dict[str, list[int]]) -> None:
    """Note which maps are on record; only then, or a kill would lose what they say."""
    if read != remembered(mgit_dir):
        write_json(os.path.join(mgit_dir, _HINT), read)


def left_out(common_dir: str, commits: set[Oid]) -> set[Oid]:
    """Which of the commits git-filter-repo says that it left out."""
    found = set()
    for name in stamps(common_dir):
        for old, new in lines(os.path.join(common_dir, name)):
            if not new.strip(b"0") and Oid(old.decode()) in commits:
                found.add(Oid(old.decode()))
    return found


def stamps(common_dir: str) -> dict[str, list[int]]:
    found = {}
    for _, git_dir in git_dirs(common_dir):
        path = os.path.join(git_dir, _MAP)
        now = stamp(path)
        if now is not None:
            found[os.path.relpath(path, common_dir)] = now
    return found


def remembered(mgit_dir: str) -> dict[str, object]:
    try:
        with open_to_read(os.path.join(mgit_dir, _HINT)) as file:
            value = json.load(file)
    except (FileNotFoundError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def lines(path: str) -> Iterator[tuple[bytes, bytes]]:
    """(old, new) in hexadecimal. The first line is a heading; one that is not of this form says nothing."""
    try:
        with open_to_read(path) as file:
            for line in file:
                found = _PAIR.fullmatch(line)
                if found is not None:
                    yield found[1], found[2]
    except FileNotFoundError:
        return
