"""Reflogs as git keeps them in files: what each ref did, from a place on.

libgit2 gives a reflog whole, newest first; a drain wants only what was added since the last one, so the
files are read from an offset. Their form is git's own: ``old SP new SP who <mail> SP seconds SP zone TAB
message``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from hashlib import sha256
from typing import Final, NamedTuple

from mgit_hooks.files import open_to_read
from mgit_hooks.record import Oid

# Lines remembered of what was read: as many may be dropped from a stash without its rest counting as new.
_TAIL: Final = 8
_OID: Final = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


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
    """How far a reflog was read: its size then, and its last lines, oldest first, to tell growth from rewriting.

    Of a line only a digest is kept, as its message may hold a URL with a password; and of the line without
    its old id, which git rewrites when the entry before it is dropped (``git stash drop``).
    """

    size: int
    tail: tuple[str, ...]


def paths(common_dir: str) -> Iterator[tuple[str, str | None, str]]:
    """(ref, worktree, path) of every reflog: the HEADs of all worktrees, then the shared refs."""
    for worktree in worktrees(common_dir):
        yield from _reflog("HEAD", worktree, os.path.join(common_dir, head_key(worktree)))
    top = os.path.join(common_dir, "logs")
    for folder, folders, files in os.walk(os.path.join(top, "refs")):
        folders.sort()
        for name in sorted(files):
            path = os.path.join(folder, name)
            ref = os.path.relpath(path, top).replace(os.sep, "/")
            if not ref.startswith("refs/mgit/"):
                yield ref, None, path


def worktrees(common_dir: str) -> Iterator[str]:
    """``main-worktree``, then ``worktrees/NAME`` of each linked one."""
    yield "main-worktree"
    folder = os.path.join(common_dir, "worktrees")
    for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else ():
        yield f"worktrees/{name}"


def worktree_folders(worktree: str) -> tuple[str, ...]:
    """Where under the common directory a worktree's own files are."""
    return () if worktree == "main-worktree" else tuple(worktree.split("/"))


def head_key(worktree: str) -> str:
    """HEAD's reflog, relative to the common directory."""
    return os.path.join(*worktree_folders(worktree), "logs", "HEAD")


def _reflog(ref: str, worktree: str, path: str) -> Iterator[tuple[str, str | None, str]]:
    if os.path.exists(path):
        yield ref, worktree, path


def read(ref: str, worktree: str | None, path: str, place: Place | None) -> tuple[list[Entry], Place]:
    """The entries after ``place``, and the place after them.

    Where the file was rewritten (``git reflog expire``), what follows the newest line that was read and is
    still there counts as new; where all of them are gone, everything does, and the caller's identities sort
    it out.
    """
    try:
        with open_to_read(path) as file:
            data = file.read()
    except FileNotFoundError:
        return [], Place(0, ())
    data = data[: data.rfind(b"\n") + 1]
    lines = data.split(b"\n")[:-1]
    start = _start(data, lines, place)
    tail = tuple(map(_digest, lines[-_TAIL:]))
    return _counted(ref, worktree, lines, start), Place(len(data), tail)


def parse(ref: str, worktree: str | None, data: bytes) -> list[Entry]:
    """The entries of a whole reflog that is not in a file (git.reftable)."""
    return _counted(ref, worktree, data.split(b"\n")[:-1], 0)


def before_last(path: str) -> Place:
    """The place from which the next reading gives the last entry once more."""
    with open_to_read(path) as file:
        lines = file.read().split(b"\n")[:-2]
    return Place(sum(len(line) + 1 for line in lines), tuple(map(_digest, lines[-_TAIL:])))


def _start(data: bytes, lines: list[bytes], place: Place | None) -> int:
    if place is None or not place.tail:
        return 0
    read_before = data[: place.size]
    if len(data) >= place.size and read_before.endswith(b"\n"):
        count = read_before.count(b"\n")
        if _digest(lines[count - 1]) == place.tail[-1]:
            return count
    known = {_digest(line): number for number, line in enumerate(lines)}
    return next((known[digest] + 1 for digest in reversed(place.tail) if digest in known), 0)


def _digest(line: bytes) -> str:
    return sha256(line.partition(b" ")[2]).hexdigest()[:16]


def _counted(ref: str, worktree: str | None, lines: list[bytes], start: int) -> list[Entry]:
    """The entries from ``start`` on. What is else the same and stands in the same second is counted.

    So counting goes back to where that second began, whatever was read before, and no further: reflogs
    grow long.
    """
    parsed = [entry for line in lines[start:] if (entry := _parse(ref, worktree, line)) is not None]
    if not parsed:
        return []
    seen: dict[tuple[object, ...], int] = {}
    for line in reversed(lines[:start]):
        entry = _parse(ref, worktree, line)
        if entry is None or entry.seconds != parsed[0].seconds:
            break
        key = (entry.old_oid, entry.new_oid)
        seen[key] = seen.get(key, 0) + 1
    second = parsed[0].seconds
    counted = []
    for entry in parsed:
        if entry.seconds != second:
            second = entry.seconds
            seen.clear()
        key = (entry.old_oid, entry.new_oid)
        seen[key] = seen.get(key, 0) + 1
        counted.append(entry._replace(ordinal=seen[key]))
    return counted


def _parse(ref: str, worktree: str | None, raw: bytes) -> Entry | None:
    head, _, message = raw.decode("utf-8", "surrogateescape").partition("\t")
    try:
        ids, _, rest = head.partition(" ")
        new, _, who = rest.partition(" ")
        seconds, offset = who.rsplit(" ", 2)[-2:]
        return Entry(ref, worktree, _oid(ids), _oid(new), int(seconds), offset, message, 1)
    except ValueError:
        return None


def _oid(text: str) -> Oid | None:
    if _OID.fullmatch(text) is None:
        raise ValueError(text)
    return Oid(text) if text.strip("0") else None


def ref_text(name: str) -> str:
    """A ref's name as it is recorded: a byte that is no UTF-8 reads ``\\xe9``, so that no two names become one."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
