"""What a file of the worktree may be where git takes it for unchanged: the index's blob, or what became it.

Many contents become the same blob (mixed line ends, an ``$Id$`` of long ago), so that of a file that git converts its
blob tells neither size nor hash. What the attributes were when the file was read, nobody knows.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Final

from mgit_hooks.git import plumbing
from mgit_hooks.record import Json

AS_IT_IS: Final = "as it is"
CONVERTED: Final = "converted"
UNKNOWN: Final = "unknown"
"""A program of the user's stands between, which is not ours to start, or an encoding."""
_ATTRIBUTES: Final = ("filter", "working-tree-encoding", "ident", "text", "crlf", "eol")
_NOT_SAID: Final = ("unspecified", "unset", "")
_IDENT: Final = re.compile(rb"\$Id:[^$\n]*\$")
_OFF: Final = ("", "false", "no", "off", "0")


def conversion(change: Json, top: str, env: Mapping[str, str]) -> str:
    """How git brings the file of a change from its blob into the worktree at ``top``, by what is configured now."""
    path = str(change.get("filename"))
    if change.get("filename_bytes"):
        from base64 import b64decode

        path = os.fsdecode(b64decode(change["filename_bytes"]))
    told = plumbing.run(("check-attr", "-z", *_ATTRIBUTES, "--", path), directory=top, env=env)
    said = dict(zip(_ATTRIBUTES, map(os.fsdecode, told.stdout.split(b"\0")[2::3]), strict=False))
    if told.status or any(said.get(name, "") not in _NOT_SAID for name in ("filter", "working-tree-encoding")):
        return UNKNOWN
    if said.get("ident") == "set":
        return CONVERTED
    text = said.get("text", "")
    text = said.get("crlf", "") if text == "unspecified" else text
    if text == "unset":
        return AS_IT_IS
    if text != "unspecified" or said.get("eol") in ("lf", "crlf"):
        return CONVERTED
    told = plumbing.run(("config", "--get", "core.autocrlf"), directory=top, env=env)
    return AS_IT_IS if os.fsdecode(told.stdout).strip().lower() in _OFF else CONVERTED


def plain(content: bytes) -> bytes:
    """What line ends and ``$Id$`` do not count in."""
    return _IDENT.sub(b"$Id$", content.replace(b"\r\n", b"\n"))


def forms(blob: bytes) -> tuple[bytes, ...]:
    """The blob, and what git makes of it by its line ends alone."""
    short = blob.replace(b"\r\n", b"\n")
    return blob, short, short.replace(b"\n", b"\r\n")
