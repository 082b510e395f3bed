"""Reflogs as git keeps them in files: what each ref did, from a place on.

libgit2 gives a reflog whole, newest first; a drain wants only what was added since the last one, so the
files are read from an offset. Their form is git's own: ``old SP new SP who <mail> SP seconds SP zone TAB
message``.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import NamedTuple

from mgit_hooks.record import Oid


class Entry(NamedTuple):
    """One movement. ``ordinal`` counts, from 1, entries of one reflog that are else the same."""

    ref: str
    worktree: str | None  # of a HEAD; None for refs that all worktrees share
    old_oid: Oid | None
    new_oid: Oid | None
    seconds: int  # since 1970
    offset: str  # ±hhmm
    message: str
    ordinal: int


class Place(NamedTuple):
    """How far a reflog was read: its size then, and its last line, to tell growth from rewriting."""

    size: int
    last_line: str


def paths(common_dir: str) -> Iterator[tuple[str, str | None, str]]:
    """(ref, worktree, path) of every reflog: the HEADs of all worktrees, then the shared refs."""
    yield from _reflog("HEAD", "main-worktree", os.path.join(common_dir, "logs", "HEAD"))
    worktrees = os.path.join(common_dir, "worktrees")
    for name in sorted(os.listdir(worktrees)) if os.path.isdir(worktrees) else ():
        yield from _reflog("HEAD", f"worktrees/{name}", os.path.join(worktrees, name, "logs", "HEAD"))
    top = os.path.join(common_dir, "logs")
    for folder, folders, files in os.walk(os.path.join(top, "refs")):
        folders.sort()
        for name in sorted(files):
            path = os.path.join(folder, name)
            ref = os.path.relpath(path, top).replace(os.sep, "/")
            if not ref.startswith("refs/mgit/"):
                yield ref, None, path


def _reflog(ref: str, worktree: str, path: str) -> Iterator[tuple[str, str | None, str]]:
    if os.path.exists(path):
        yield ref, worktree, path


def read(ref: str, worktree: str | None, path: str, place: Place | None) -> tuple[list[Entry], Place]:
    """The entries after ``place``, and the place after them.

    Where the file was rewritten (``git reflog expire``), what follows the last line that was read counts
    as new; where that line is gone too, everything does, and the caller's identities sort it out.
    """
    try:
        with open(path, "rb") as file:
            data = file.read()
    except FileNotFoundError:
        return [], Place(0, "")
    data = data[: data.rfind(b"\n") + 1]
    lines = data.decode("utf-8", "surrogateescape").split("\n")[:-1]
    start = _start(data, lines, place)
    entries: list[Entry] = []
    seen: dict[tuple[object, ...], int] = {}
    for number, line in enumerate(lines):
        entry = _parse(ref, worktree, line)
        if entry is None:
            continue
        key = entry[2:5]
        seen[key] = seen.get(key, 0) + 1
        if number >= start:
            entries.append(entry._replace(ordinal=seen[key]))
    return entries, Place(len(data), lines[-1] if lines else "")


def _start(data: bytes, lines: list[str], place: Place | None) -> int:
    if place is None or not place.size:
        return 0
    read_before = data[: place.size]
    if len(data) >= place.size and read_before.endswith(b"\n"):
        count = read_before.count(b"\n")
        if lines[count - 1] == place.last_line:
            return count
    for number in range(len(lines) - 1, -1, -1):
        if lines[number] == place.last_line:
            return number + 1
    return 0


def _parse(ref: str, worktree: str | None, line: str) -> Entry | None:
    head, _, message = line.partition("\t")
    try:
        ids, _, rest = head.partition(" ")
        new, _, who = rest.partition(" ")
        seconds, offset = who.rsplit(" ", 2)[-2:]
        return Entry(ref, worktree, _oid(ids), _oid(new), int(seconds), offset, message, 1)
    except ValueError:
        return None


def _oid(text: str) -> Oid | None:
    if len(text) < 40:
        raise ValueError(text)
    return Oid(text) if text.strip("0") else None
