"""What a commit in the making is about to hold, read by git's own plumbing from inside its hook.

Twin of ``capture`` for the gate, which cannot wait for libgit2 to load. git has set the environment
(``GIT_INDEX_FILE`` above all), and the current directory is the top of the worktree. What nobody asks
for is not looked at, and null.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import NamedTuple

from mgit_hooks.errors import ObjectError
from mgit_hooks.files import open_to_read
from mgit_hooks.git import plumbing
from mgit_hooks.layout import Location
from mgit_hooks.record import FileChange, Oid, readable

_LONGEST_LINE = 64 * 1024

_TYPES = {"A": "added", "M": "modified", "D": "deleted", "R": "renamed", "C": "copied", "T": "typechange"}
_GITLINK = "160000"
# As the recorder compares trees: no configuration of the user's changes what is seen.
DIFF = (
    "diff-index", "--cached", "-z", "-M", "--raw", "--no-abbrev", "--no-relative", "--no-ext-diff",
    "--no-textconv", "--no-color", "--ignore-submodules=none", "--ita-invisible-in-index",
)  # fmt: skip


class Person(NamedTuple):
    name: bytes
    email: bytes
    date: str | None  # git's "seconds offset"; None where the commit is yet to set it


class Head(NamedTuple):
    branch: str | None  # None where HEAD is detached
    oid: Oid | None  # None where the branch is unborn


def head(location: Location) -> Head:
    """HEAD from its file where it can be told from that; a process costs as much as all the rest here."""
    line = _first_line(os.path.join(location.git_dir, "HEAD"))
    if not line.startswith("ref: "):
        return Head(None, Oid(line) if _is_oid(line) else _ask_oid())
    ref = line[5:]
    if ref == "refs/heads/.invalid":  # what reftable leaves there for those who look at files
        named = plumbing.run(("symbolic-ref", "-q", "HEAD"))
        ref = os.fsdecode(named.stdout).rstrip("\n")
    oid = _first_line(os.path.join(location.common_dir, ref)) if ref else ""
    branch = readable(os.fsencode(ref.removeprefix("refs/heads/")))[0] if ref else None
    return Head(branch, Oid(oid) if _is_oid(oid) else _ask_oid())


def _ask_oid() -> Oid | None:
    result = plumbing.run(("rev-parse", "-q", "--verify", "HEAD"))
    return Oid(result.stdout.decode("ascii").strip()) if result.status == 0 else None


def _first_line(path: str) -> str:
    try:
        with open_to_read(path) as file:
            return file.readline(_LONGEST_LINE).decode("utf-8", "surrogateescape").rstrip("\n")
    except OSError:
        return ""


def _is_oid(text: str) -> bool:
    return len(text) in (40, 64) and not set(text) - set("0123456789abcdef")


def parents_of(oid: Oid) -> tuple[Oid, ...]:
    """Raises ObjectError."""
    return tuple(map(Oid, _git(("rev-parse", f"{oid}^@")).decode("ascii").split()))


def tree() -> Oid | None:
    """The tree of the index, as git is about to write it anyway; None where the index cannot make one."""
    result = plumbing.run(("write-tree", "--missing-ok"))
    return Oid(result.stdout.decode("ascii").strip()) if result.status == 0 else None


def files(base: Oid | None, *, counts: bool, sizes: bool) -> tuple[FileChange, ...]:
    """The index against the commit ``base``; against nothing where that is None. Raises ObjectError.

    ``counts`` and ``sizes``: whether additions, deletions and binary, and size_bytes, are wanted. Where contents are
    not here, as in a partial clone, nothing is fetched: there are no renames then, and no counts.
    """
    against = base or _git(("hash-object", "-t", "tree", "--stdin")).decode("ascii").strip()
    try:
        raw = _git((*DIFF, *(("--numstat",) if counts else ()), against))
    except ObjectError:  # a partial clone, in which a content to compare with was never fetched: it is not looked at
        raw, counts = _git((*DIFF, "--no-renames", against)), False
    fields = raw.split(b"\0")[:-1]
    changes, at = _changes(fields)
    if counts:
        changes = _counted(changes, fields[at:])
    return tuple(_sized(changes) if sizes else changes)


def _changes(fields: Sequence[bytes]) -> tuple[list[FileChange], int]:
    """The entries of raw output (gitdiffcore(7)), and where in ``fields`` they end."""
    changes: list[FileChange] = []
    at = 0
    while at < len(fields) and fields[at].startswith(b":"):
        old_mode, new_mode, old_oid, new_oid, status = fields[at][1:].decode("ascii").split(" ")
        at += 1
        old_name, old_bytes = None, None
        if status[0] in "RC":
            old_name, old_bytes = readable(fields[at])
            at += 1
        name, name_bytes = readable(fields[at])
        at += 1
        changes.append(
            FileChange(
                filename=name,
                old_filename=old_name,
                change_type=_TYPES.get(status[0], "unknown"),
                index_status=status[0],
                worktree_status=".",
                old_mode=_mode(old_mode),
                new_mode=_mode(new_mode),
                old_oid=_oid(old_oid),
                new_oid=_oid(new_oid),
                size_bytes=None,
                additions=None,
                deletions=None,
                binary=None,
                filename_bytes=name_bytes,
                old_filename_bytes=old_bytes,
            )
        )
    return changes, at


def _counted(changes: list[FileChange], fields: Sequence[bytes]) -> list[FileChange]:
    """``changes`` with their lines counted: numstat names the same files in the same order."""
    counted = []
    at = 0
    for change in changes:
        added, deleted, path = fields[at].split(b"\t", 2)
        at += 1 if path else 3  # of a rename, both paths follow
        if added == b"-":
            counted.append(change._replace(binary=True))
        else:
            counted.append(change._replace(additions=int(added), deletions=int(deleted), binary=False))
    return counted


def _sized(changes: list[FileChange]) -> list[FileChange]:
    oids = [c.new_oid for c in changes if c.new_oid and c.new_mode != _GITLINK]
    asked = "".join(f"{oid}\n" for oid in oids).encode("ascii")
    lines = _git(("cat-file", "--batch-check=%(objectname) %(objectsize)"), asked).decode("ascii").split("\n")
    sizes = {oid: int(size) for oid, _, size in (line.partition(" ") for line in lines) if size.isdigit()}
    return [change._replace(size_bytes=sizes.get(change.new_oid or "")) for change in changes]


def _mode(text: str) -> str | None:
    return text if text.strip("0") else None


def _oid(text: str) -> Oid | None:
    return Oid(text) if text.strip("0") else None


def author() -> Person:
    """``git commit`` hands its author to its hooks in the environment; other commands do not."""
    return _person("AUTHOR")


def committer() -> Person:
    return _person("COMMITTER")


def _person(role: str) -> Person:
    env = os.environ
    name, email = env.get(f"GIT_{role}_NAME"), env.get(f"GIT_{role}_EMAIL")
    date = env.get(f"GIT_{role}_DATE", "")
    said = date[1:] if date.startswith("@") else None
    if name is not None and email is not None:
        return Person(os.fsencode(name), os.fsencode(email), said)
    line = _git(("var", f"GIT_{role}_IDENT")).rstrip(b"\n")
    name_part, _, rest = line.partition(b" <")
    return Person(name_part, rest.partition(b">")[0], said)


def settings(*keys: str) -> dict[str, str]:
    """The values that git's configuration has for ``keys``; the last one of each counts. A key alone is ``true``."""
    pattern = "|".join(key.replace(".", "\\.") for key in keys)
    result = plumbing.run(("config", "-z", "--get-regexp", f"^({pattern})$"))
    entries = (entry.partition("\n") for entry in os.fsdecode(result.stdout).split("\0") if entry)
    return {key: value if newline else "true" for key, newline, value in entries}


def is_ancestor(old: Oid, new: Oid) -> bool | None:
    """Whether ``new`` holds all of ``old``'s history; None where an object to tell by is missing."""
    return {0: True, 1: False}.get(plumbing.run(("merge-base", "--is-ancestor", old, new)).status)


def _git(arguments: Sequence[str], stdin: bytes = b"") -> bytes:
    result = plumbing.run(arguments, stdin=stdin)
    if result.status:
        lines = result.stderr.strip().splitlines() or [f"exit status {result.status}"]
        reason = lines[0].removeprefix("fatal: ").removeprefix("error: ")
        raise ObjectError(f"git {arguments[0]} failed: {reason}", "see what 'git status' and 'git fsck' say")
    return result.stdout
