"""The sh stubs: one self-contained file a hook, assembled from the parts in ``hooks/``."""

from __future__ import annotations

import os
import re
from hashlib import sha256
from typing import NamedTuple

from mgit_hooks import resources

VERSION = 1
CHAINED = ".mgit-chained"
ONWARD = "# mgit-hooks goes on from here to the hooks folder behind this one; 'mgit-hooks uninstall' takes it out."

_FLAG = ("open", "flag")
_RECORDER = ("begin", "spool", "recorder", "common", "yield")
_TOLD = (*_RECORDER, "text", "stdin")
_GATE = ("open", "leave", "begin", "spool", "common", "flag", "yield", "text", "gate", "judge")
_PLAIN = ("begin", "spool", "recorder", "plain")
_PARTS = {
    "pre-commit": _GATE,
    "pre-merge-commit": _GATE,
    "commit-msg": _GATE,
    "pre-push": (*_TOLD, *_FLAG, "gate", "pre-push", "judge-pushed"),
    "post-commit": ("early", "open", *_PLAIN, "plain-commit", "common", "flag", "yield", "gated", "post-commit"),
    "post-merge": (*_RECORDER, *_FLAG, "gated", "post-merge"),
    "post-rewrite": (*_TOLD, "post-rewrite"),
    "post-applypatch": (*_RECORDER, "post-applypatch"),
    "post-checkout": (*_PLAIN, "plain-checkout", "common", "yield", "post-checkout"),
}
# Of use to some, at a price (docs/sources.md): written only where `install --with HOOK` asks for it.
_ASKED_FOR = {
    "reference-transaction": ("prepared", *_TOLD, "reference-transaction"),
    "pre-receive": (*_TOLD, *_FLAG, "gate", "receive", "pre-receive", "judge-pushed"),
    "post-receive": (*_TOLD, *_FLAG, "receive", "post-receive"),
}
SERVER = ("pre-receive", "post-receive")
"""For a repository that is pushed to: `install --server` (docs/server.md)."""
HOOKS = tuple(_PARTS)
"""What every install writes."""
ASKED_FOR = tuple(_ASKED_FOR)
KNOWN = (*HOOKS, *ASKED_FOR)

_OF_ONE = b"# Written by 'mgit-hooks install'; 'mgit-hooks uninstall' puts back what was here before.\n"
_OF_ALL = b"# Written by 'mgit-hooks install --global'; 'mgit-hooks uninstall --global' takes it away.\n"
# In the stubs of config-based hooks (docs/decisions/0011-config-hooks.md), which run before those in the hooks folder.
_EVERYWHERE = {"yield": "everywhere", "judge": "judge-first"}
# Short ways, for a stub in a hooks folder that is alone there: they leave no mark, and go on to no other hook.
_SHORT = ("leave", "plain", "plain-commit", "plain-checkout")
# Before others' folder: the hook behind has a say in all that these parts leave out early.
_FRONT = ("begin", "common", "front")
_UNLESS_CHAINED = ("early", "prepared", *_SHORT, "begin", "common")
_FRONT_LINE = b"\nfind_behind() {\n"

# The digest covers all that follows its line: a stub tells by itself whether somebody has changed it.
_HEADER = re.compile(rb"#!/bin/sh\n# mgit-hooks stub, version (\d+): ([a-z-]+) ([0-9a-f]{16})\n")


class Stub(NamedTuple):
    """What a file in a hooks folder says of itself."""

    version: int
    hook: str
    digest: str
    intact: bool  # nobody has changed it since it was written


def assemble(
    hook: str, python: str, boot: str, *, everywhere: bool = False, front: bool = False, windows: bool = os.name == "nt"
) -> bytes:
    """The stub of ``hook``, which starts ``python`` (an absolute path, as is ``boot``) where it must.

    ``everywhere``: the one that a config-based hook runs in every repository; ``front``: one in a folder that stands
    before others' (``installer.front``). ``windows``: for the sh of git for Windows, which looks on PATH for a command
    without a slash in its path, and knows ``C:/x`` and ``//server/x``.
    """
    if windows:
        python, boot = python.replace("\\", "/"), boot.replace("\\", "/")
    parts = (_PARTS | _ASKED_FOR)[hook]
    if everywhere:
        parts = tuple(_EVERYWHERE.get(part, part) for part in parts if part not in _SHORT)
    if front:
        parts = (*_FRONT, *(part for part in parts if part not in _UNLESS_CHAINED))
    text = b"".join(
        (
            _OF_ALL if everywhere else _OF_ONE,
            f"hook={hook}\n".encode(),
            b"python=" + quote(python) + b"\n",
            b"boot=" + quote(boot) + b"\n",
            *map(_read, parts),
        )
    )
    return f"#!/bin/sh\n# mgit-hooks stub, version {VERSION}: {hook} {_digest(text)}\n".encode() + text


def onward(hook: str) -> bytes:
    """The file that goes on to the folder behind ours, for a hook that is none of ours."""
    head = f"#!/bin/sh\n{ONWARD}\nhook={hook}\n".encode()
    return head + b"".join(map(_read, (*_FRONT, "onward")))


def recognise(content: bytes) -> Stub | None:
    """The stub that ``content`` is, whichever version of mgit-hooks wrote it; None where it is not ours."""
    header = _HEADER.match(content)
    if header is None:
        return None
    digest = header[3].decode()
    return Stub(int(header[1]), header[2].decode(), digest, _digest(content[header.end() :]) == digest)


def paths(content: bytes) -> tuple[str | None, str | None]:
    """The interpreter and the boot file that a stub starts."""
    return _unquote(b"python", content), _unquote(b"boot", content)


def renewed(content: bytes, hook: str) -> bytes | None:
    """The stub that this version would write in place of ``content``, for the same interpreter."""
    python, boot = paths(content)
    if python is None or boot is None:
        return None
    return assemble(hook, python, boot, everywhere=_OF_ALL in content, front=_FRONT_LINE in content)


def _unquote(name: bytes, content: bytes) -> str | None:
    found = re.search(rb"^%s=('(?:[^']|'\\'')*')$" % name, content, re.MULTILINE)
    return None if found is None else os.fsdecode(found[1][1:-1].replace(b"'\\''", b"'"))


def _read(part: str) -> bytes:
    """A part without its comments: every hook that git runs parses it anew."""
    with open(os.path.join(resources.hooks_dir(), f"{part}.sh"), "rb") as file:
        return b"".join(line for line in file if not line.lstrip().startswith(b"#"))


def quote(path: str) -> bytes:
    """``path`` as one word of a shell's."""
    return b"'" + os.fsencode(path).replace(b"'", b"'\\''") + b"'"


def _digest(text: bytes) -> str:
    return sha256(text).hexdigest()[:16]
