"""Refs as git keeps them in files: one that has a file of its own, and one that stands in ``packed-refs``."""

from __future__ import annotations

import math
import os
import re
import stat
from collections.abc import Iterable
from typing import Final

from mgit_hooks.errors import RepositoryError
from mgit_hooks.files import open_to_read
from mgit_hooks.record import Oid

# Bytes of the largest file that git is let read for a ref. FETCH_HEAD has a line for each one that was fetched.
_LARGEST: Final = 64 * 1024 * 1024
_DIRECT: Final = re.compile(rb"([0-9a-f]{64}|[0-9a-f]{40})(?:\s|$)")
# git-check-ref-format(1). What else lies in the folder, a lock or an editor's copy, is no ref.
_NO_REF: Final = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|/\.|//|\.lock(?:/|$)|[./]$")
# From so many on, packed-refs is taken apart once and not searched for each.
_MANY: Final = 32


def is_ref(name: str) -> bool:
    """Whether git takes a file of this name below the common directory for a ref that all worktrees share."""
    return name.startswith("refs/") and _NO_REF.search(name) is None


def require_plain(common_dir: str, name: str | None = None) -> None:
    """Raise RepositoryError where git would wait without end for the file of a ref, or read it without end: for a
    pipe, a device or a file of an absurd size. ``name``: for that ref's alone, else for any's.

    ``common_dir`` can be a linked worktree's folder too, for the refs that are its own.
    """
    if name is not None:
        _require_plain(os.path.join(common_dir, *name.split("/")))
        return
    for each in os.listdir(common_dir):
        if each.endswith("HEAD"):
            _require_plain(os.path.join(common_dir, each))
    _require_plain(os.path.join(common_dir, "packed-refs"), math.inf)
    for folder, _, names in os.walk(os.path.join(common_dir, "refs")):
        for each in names:
            _require_plain(os.path.join(folder, each))


def _require_plain(path: str, largest: float = _LARGEST) -> None:
    try:
        status = os.stat(path)
    except OSError:
        return  # git says what it makes of it
    if stat.S_ISDIR(status.st_mode) or (stat.S_ISREG(status.st_mode) and status.st_size <= largest):
        return
    what = "is too large to be a ref" if stat.S_ISREG(status.st_mode) else "is not a file that a ref can be in"
    raise RepositoryError(f"{path} {what}", "move it away: git would wait for it, or read it, without end")


def packed(common_dir: str) -> bytes:
    """What is in ``packed-refs``; empty where there is none."""
    try:
        with open_to_read(os.path.join(common_dir, "packed-refs")) as file:
            return file.read()
    except FileNotFoundError:
        return b""


def look_up(common_dir: str, names: Iterable[str]) -> dict[str, Oid | None]:
    """Where each of these refs stands; None for one that is not there, or that only names another one.

    One whose file says neither (an empty one, after a power cut) is left out: nobody knows where it stands.
    """
    found: dict[str, Oid | None] = {}
    elsewhere: list[str] = []
    for name in names:
        try:
            with open_to_read(os.path.join(common_dir, *name.split("/"))) as file:
                content = file.read(256)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            elsewhere.append(name)
            continue
        except PermissionError:
            continue
        direct = _DIRECT.match(content)
        if direct is not None:
            found[name] = Oid(direct[1].decode())
        elif content.startswith(b"ref:"):
            found[name] = None
    # Read after the files: a ref that is packed meanwhile has its line before its file goes.
    return found | _among_packed(packed(common_dir), elsewhere) if elsewhere else found


def is_symbolic(common_dir: str, name: str) -> bool:
    """Whether this ref only names another one. Such a ref is never packed."""
    try:
        with open_to_read(os.path.join(common_dir, *name.split("/"))) as file:
            return file.read(4) == b"ref:"
    except OSError:
        return False


def _among_packed(content: bytes, names: list[str]) -> dict[str, Oid | None]:
    if len(names) > _MANY:
        lines = (line.split(b" ", 1) for line in content.splitlines() if line[:1] not in (b"#", b"^"))
        every = {line[1]: line[0] for line in lines if len(line) == 2}
        return {name: Oid(oid.decode()) if (oid := every.get(os.fsencode(name))) else None for name in names}
    return {name: _searched(content, os.fsencode(name)) for name in names}


def _searched(content: bytes, name: bytes) -> Oid | None:
    at = content.find(b" " + name + b"\n")
    direct = _DIRECT.match(content, content.rfind(b"\n", 0, at) + 1) if at >= 0 else None
    return Oid(direct[1].decode()) if direct is not None else None


def differing(old: bytes, new: bytes) -> set[str]:
    """The refs whose line is in one ``packed-refs`` and not in the other. Only what lies between the first and the
    last difference is taken apart."""
    start = _shared(old, new)
    start = old.rfind(b"\n", 0, start) + 1
    old, new = old[start:], new[start:]
    length = _shared(old[::-1], new[::-1])
    if length:
        # The line in which the common end begins may begin otherwise.
        cut = old.find(b"\n", len(old) - length) + 1
        length = len(old) - cut if cut else 0
    old, new = old[: len(old) - length], new[: len(new) - length]
    lines = set(old.split(b"\n")) ^ set(new.split(b"\n"))
    return {os.fsdecode(line.partition(b" ")[2]) for line in lines if line[:1] not in (b"", b"#", b"^")}


def _shared(one: bytes, other: bytes) -> int:
    """How many bytes both begin with."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low
