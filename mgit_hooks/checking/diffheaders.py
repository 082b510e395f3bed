"""What the headers of a patch say of its files: types, modes, old names. ``git apply --numstat`` leaves them out. Pure.

Read as git's apply.c does (find_header, parse_git_diff_header): a hunk is as long as its header says, so that no line
in it is taken for a header; and ``diff --git`` begins a file only where one of git's own headers follows.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from mgit_hooks.errors import UsageError

_HUNK: Final = re.compile(rb"@@ -\d{1,18}(?:,(\d{1,18}))? \+\d{1,18}(?:,(\d{1,18}))? @@")
_INDEX: Final = re.compile(rb"index [0-9a-f]+\.\.[0-9a-f]+(?: (\d{1,7}))?\s*$")
_ESCAPE: Final = re.compile(rb'\\([0-3][0-7]{2}|[abfnrtv"\\])')
_PLAIN: Final = {
    b"a": b"\a", b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v", b'"': b'"', b"\\": b"\\",
}  # fmt: skip
# git's extended headers, in the order of apply.c; what ends them is a hunk, a binary patch or another file.
_EXTENDED: Final = (
    b"--- ", b"+++ ", b"old mode ", b"new mode ", b"deleted file mode ", b"new file mode ", b"copy from ", b"copy to ",
    b"rename old ", b"rename new ", b"rename from ", b"rename to ", b"similarity index ", b"dissimilarity index ",
    b"index ",
)  # fmt: skip
_NOTHING: Final = b"/dev/null"


class Header(NamedTuple):
    """One file of a patch. Names are None where no line but ``diff --git`` says them."""

    letter: str  # A, M, D, R, C or T, as in git's raw output
    old_name: bytes | None
    new_name: bytes | None
    old_mode: str | None  # None: not said
    new_mode: str | None
    by_git: bool


def headers(patch: bytes) -> list[Header]:
    """Raises UsageError where a mode or a name cannot be read."""
    lines = patch.split(b"\n")
    found: list[Header] = []
    at = 0
    while at < len(lines):
        line = lines[at]
        if line.startswith(b"diff --git "):
            end = at + 1
            while end < len(lines) and lines[end].startswith(_EXTENDED):
                end += 1
            if end > at + 1:
                found.append(_of_git(lines[at + 1 : end]))
            at = end
        elif line.startswith(b"--- ") and _is_traditional(lines, at):
            found.append(_traditional(lines[at], lines[at + 1], lines[at + 2]))
            at += 2
        elif line.startswith(b"@@ -") and (hunk := _HUNK.match(line)):
            at = _past(lines, at + 1, *(1 if count is None else int(count) for count in hunk.groups()))
        else:
            at += 1
    return found


def _is_traditional(lines: Sequence[bytes], at: int) -> bool:
    return at + 2 < len(lines) and lines[at + 1].startswith(b"+++ ") and _HUNK.match(lines[at + 2]) is not None


def _past(lines: Sequence[bytes], at: int, old: int, new: int) -> int:
    """Where a hunk ends. An empty line stands for an empty line of context, as GNU diff writes it."""
    while at < len(lines) and (old > 0 or new > 0):
        first = lines[at][:1]
        if first in (b" ", b"", b"\r"):
            old, new = old - 1, new - 1
        elif first == b"-":
            old -= 1
        elif first == b"+":
            new -= 1
        elif first != b"\\":
            break
        at += 1
    return at


def _of_git(lines: Sequence[bytes]) -> Header:
    letter, old_name, new_name, old_mode, new_mode = "M", None, None, None, None
    for line in lines:
        if line.startswith(b"--- "):
            old_name = old_name or _name(line[4:], strip=True)
        elif line.startswith(b"+++ "):
            new_name = new_name or _name(line[4:], strip=True)
        elif line.startswith(b"old mode "):
            old_mode = _mode(line[9:])
        elif line.startswith(b"new mode "):
            new_mode = _mode(line[9:])
        elif line.startswith(b"new file mode "):
            letter, new_mode = "A", _mode(line[14:])
        elif line.startswith(b"deleted file mode "):
            letter, old_mode = "D", _mode(line[18:])
        elif line.startswith((b"rename from ", b"rename old ", b"copy from ")):
            letter = "C" if line.startswith(b"copy") else "R"
            old_name = _name(line.split(b" ", 2)[2], strip=False)
        elif line.startswith((b"rename to ", b"rename new ", b"copy to ")):
            letter = "C" if line.startswith(b"copy") else "R"
            new_name = _name(line.split(b" ", 2)[2], strip=False)
        elif (index := _INDEX.match(line)) and index[1] is not None:
            old_mode = old_mode or _mode(index[1])
            new_mode = new_mode or _mode(index[1])
    if letter == "M" and old_mode is not None and new_mode is not None and old_mode[:3] != new_mode[:3]:
        letter = "T"
    return Header(
        letter, old_name, new_name, None if letter == "A" else old_mode, None if letter == "D" else new_mode, True
    )


def _traditional(old: bytes, new: bytes, hunk: bytes) -> Header:
    """GNU diff's: /dev/null, or a hunk from or to nothing at all, is what tells a new file or one that is gone."""
    old_name, new_name = old[4:].partition(b"\t")[0].rstrip(), new[4:].partition(b"\t")[0].rstrip()
    letter = "A" if old_name == _NOTHING else "D" if new_name == _NOTHING else "M"
    return Header(letter, None, None, None, None, False)


def _name(raw: bytes, *, strip: bool) -> bytes | None:
    """The name in a header line, unquoted; with ``strip`` without its first folder (a/, b/), as with ``-p1``.
    None for /dev/null."""
    raw = raw.removesuffix(b"\r")
    if raw.startswith(b'"'):
        end = raw.rfind(b'"')
        name = _ESCAPE.sub(_unescaped, raw[1:end])
    else:
        name = raw.partition(b"\t")[0] if strip else raw
    if not strip:
        return name
    if name == _NOTHING:
        return None
    return name.partition(b"/")[2]


def _unescaped(match: re.Match[bytes]) -> bytes:
    code = match[1]
    return _PLAIN[code] if code in _PLAIN else bytes((int(code, 8),))


def _mode(raw: bytes) -> str:
    text = raw.strip().decode("ascii", "replace")
    if not (text.isascii() and text.isdigit() and len(text) <= 7 and not set(text) & {"8", "9"}):
        raise UsageError(f"a mode in it is none: '{text[:20]}'", "make the patch anew: git format-patch")
    return text.zfill(6)
