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

from mgit_hooks import files
from mgit_hooks.git import reftable
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
    its old id, which git rewrites when the entry before it is dropped (``git stash drop``), and without who,
    whom git 2.48 to 2.50 rewrite when refs go over into another format (``git refs migrate``).
    """

    size: int
    tail: tuple[str, ...]


class Log(NamedTuple):
    """One reflog. ``key`` is its file's path below the common directory, with slashes.

    ``lines`` is what would be in that file, where git keeps it elsewhere; None: it is in the file.
    """

    key: str
    ref: str
    worktree: str | None
    path: str
    lines: bytes | None = None

    def read(self, place: Place | None) -> tuple[list[Entry], Place]:
        return read(self.ref, self.worktree, self.path, place, self.lines)

    def before_last(self) -> Place:
        return before_last(self.path, self.lines)


def log_of(common_dir: str, key: str, lines: bytes | None = None) -> Log:
    """The reflog with that key."""
    path = os.path.join(common_dir, *key.split("/"))
    if key.startswith("logs/refs/"):
        return Log(key, key.removeprefix("logs/"), None, path, lines)
    return Log(key, "HEAD", key.removesuffix("logs/HEAD").rstrip("/") or "main-worktree", path, lines)


def every(common_dir: str) -> Iterator[Log]:
    """Every reflog, wherever git keeps it: the HEADs of all worktrees, then the shared refs, but for our own.

    Raises RepositoryError where git cannot tell.
    """
    if reftable.is_used(common_dir):
        for key, lines in reftable.reflogs(common_dir).items():
            yield log_of(common_dir, key, lines)
        return
    for _, _, path in paths(common_dir):
        yield log_of(common_dir, os.path.relpath(path, common_dir).replace(os.sep, "/"))


def of_head(common_dir: str, worktree: str) -> list[Entry]:
    """What a worktree's HEAD did, oldest first."""
    return _of(common_dir, head_key(worktree).replace(os.sep, "/"))


def of_ref(common_dir: str, ref: str) -> list[Entry]:
    """What a ref that all worktrees share did, oldest first; nothing where it has no reflog."""
    return _of(common_dir, f"logs/{ref}")


def _of(common_dir: str, key: str) -> list[Entry]:
    if not reftable.is_used(common_dir):
        return log_of(common_dir, key).read(None)[0]
    return next((log.read(None)[0] for log in every(common_dir) if log.key == key), [])


def exists(common_dir: str, ref: str) -> bool:
    """Whether a ref has a reflog."""
    if reftable.is_used(common_dir):
        return reftable.has_reflog(common_dir, ref)
    return files.is_file(os.path.join(common_dir, "logs", *ref.split("/")))


def paths(common_dir: str) -> Iterator[tuple[str, str | None, str]]:
    """(ref, worktree, path) of every reflog in a file: the HEADs of all worktrees, then the shared refs."""
    for worktree in worktrees(common_dir):
        yield from _reflog("HEAD", worktree, os.path.join(common_dir, head_key(worktree)))
    top = os.path.join(common_dir, "logs")
    for folder, folders, names in os.walk(os.path.join(top, "refs")):
        folders.sort()
        for name in sorted(names):
            path = os.path.join(folder, name)
            ref = os.path.relpath(path, top).replace(os.sep, "/")
            if not ref.startswith("refs/mgit/"):
                yield ref, None, path


def worktrees(common_dir: str) -> Iterator[str]:
    """``main-worktree``, then ``worktrees/NAME`` of each linked one."""
    yield "main-worktree"
    folder = os.path.join(common_dir, "worktrees")
    for name in sorted(os.listdir(folder)) if files.is_folder(folder) else ():
        yield f"worktrees/{name}"


def worktree_folders(worktree: str) -> tuple[str, ...]:
    """Where under the common directory a worktree's own files are."""
    return () if worktree == "main-worktree" else tuple(worktree.split("/"))


def head_key(worktree: str) -> str:
    """HEAD's reflog, relative to the common directory."""
    return os.path.join(*worktree_folders(worktree), "logs", "HEAD")


def _reflog(ref: str, worktree: str, path: str) -> Iterator[tuple[str, str | None, str]]:
    if files.exists(path):
        yield ref, worktree, path


def read(
    ref: str, worktree: str | None, path: str, place: Place | None, lines: bytes | None = None
) -> tuple[list[Entry], Place]:
    """The entries after ``place``, and the place after them; of ``lines``, where they are not in a file.

    Where the file was rewritten (``git reflog expire``), what follows the newest line that was read and is
    still there counts as new; where all of them are gone, everything does, and the caller's identities sort
    it out.
    """
    try:
        data = _content(path) if lines is None else lines
    except FileNotFoundError:
        return [], Place(0, ())
    data = data[: data.rfind(b"\n") + 1]
    whole = data.split(b"\n")[:-1]
    start = _start(data, whole, place)
    tail = tuple(map(_digest, whole[-_TAIL:]))
    return _counted(ref, worktree, whole, start), Place(len(data), tail)


def before_last(path: str, lines: bytes | None = None) -> Place:
    """The place from which the next reading gives the last entry once more."""
    whole = (_content(path) if lines is None else lines).split(b"\n")[:-2]
    return Place(sum(len(line) + 1 for line in whole), tuple(map(_digest, whole[-_TAIL:])))


def _content(path: str) -> bytes:
    with files.open_to_read(path) as file:
        return file.read()


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
    head, _, message = line.partition(b"\t")
    new = head.partition(b" ")[2].partition(b" ")[0]
    when = head.rpartition(b"> ")[2]
    return sha256(b"%s %s\t%s" % (new, when, message)).hexdigest()[:16]


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
