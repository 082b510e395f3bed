"""What git itself says of every commit: `git log --raw --numstat -M --diff-merges=first-parent -z`."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from typing import NamedTuple

_MARK = b"==commit-starts-here=="
_FIELDS = ("%H", "%P", "%T", "%an", "%ae", "%aI", "%cn", "%ce", "%cI", "%B")


class GitFile(NamedTuple):
    old_mode: str
    new_mode: str
    old_oid: str
    new_oid: str
    status: str
    old_path: bytes | None
    path: bytes
    additions: int | None
    deletions: int | None
    binary: bool


class GitCommit(NamedTuple):
    hash: str
    parents: tuple[str, ...]
    tree: str
    author: tuple[bytes, bytes, str]
    committer: tuple[bytes, bytes, str]
    message: bytes
    files: tuple[GitFile, ...]


def read(path: str, *revisions: str) -> Iterator[GitCommit]:
    """Every commit that ``revisions`` reach, as git tells it."""
    told = subprocess.run(
        ("git", "-C", path, "log", "--raw", "--numstat", "-M", "--diff-merges=first-parent", "-z",
         "--no-abbrev", "--encoding=UTF-8", "--no-show-signature", "--no-mailmap",
         "--format=" + _MARK.decode() + "%x00" + "%x00".join(_FIELDS), *(revisions or ("--all",)), "--"),
        check=True, capture_output=True, env={**os.environ, "GIT_ADVICE": "0"},
    ).stdout  # fmt: skip
    for part in told.split(_MARK + b"\0")[1:]:
        yield _commit(part.split(b"\0"))


def _commit(tokens: list[bytes]) -> GitCommit:
    # git 2.45 and newer write Z for +00:00.
    plain = [token.decode("utf-8", "replace") for token in tokens[: len(_FIELDS)]]
    return GitCommit(
        plain[0],
        tuple(plain[1].split()),
        plain[2],
        (tokens[3], tokens[4], plain[5].replace("Z", "+00:00")),
        (tokens[6], tokens[7], plain[8].replace("Z", "+00:00")),
        tokens[9],
        tuple(_files(tokens[len(_FIELDS) :])),
    )


def _files(tokens: list[bytes]) -> Iterator[GitFile]:
    rest = iter(tokens)
    raw: list[tuple[list[str], bytes | None, bytes]] = []
    counts: dict[bytes, tuple[bytes, bytes]] = {}
    for token in rest:
        head = token.lstrip(b"\n")
        if head.startswith(b":"):
            columns = head[1:].decode().split(" ")
            first = next(rest)
            raw.append((columns, first, next(rest)) if columns[4][0] in "RC" else (columns, None, first))
        elif head:
            added, deleted, path = head.split(b"\t", 2)
            if not path:
                next(rest)
                path = next(rest)
            counts[path] = (added, deleted)
    for columns, old_path, path in raw:
        # git leaves out of --numstat a file that it shows in --raw and found no line changed in.
        added, deleted = counts.get(path, (b"0", b"0"))
        binary = added == b"-"
        yield GitFile(
            *columns[:4],
            columns[4][0],
            old_path,
            path,
            None if binary else int(added),
            None if binary else int(deleted),
            binary,
        )
