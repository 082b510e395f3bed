"""Refs as git keeps them in files: one that has a file of its own, and one that stands in ``packed-refs``."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from typing import Final

from mgit_hooks.files import open_to_read
from mgit_hooks.record import Oid

_DIRECT: Final = re.compile(rb"([0-9a-f]{64}|[0-9a-f]{40})(?:\s|$)")
# git-check-ref-format(1). What else lies in the folder, a lock or an editor's copy, is no ref.
_NO_REF: Final = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|/\.|//|\.lock(?:/|$)|[./]$")
# From so many on, packed-refs is taken apart once and not searched for each.
_MANY: Final = 32


def is_ref(name: str) -> bool:
    """Whether git takes a file of this name below the common directory for a ref that all worktrees share."""
    return name.startswith("refs/") and _NO_REF.search(name) is None


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
