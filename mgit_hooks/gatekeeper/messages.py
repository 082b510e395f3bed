"""The message file that git hands to commit-msg, and the fields of the commit that it makes."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from mgit_hooks.capture.rawcommit import decode
from mgit_hooks.gatekeeper import staged
from mgit_hooks.gatekeeper.commitmessage import Style, as_utf8, clean
from mgit_hooks.record import Json, readable

_KEYS = ("commit.cleanup", "core.commentchar", "core.commentstring", "commit.verbose", "i18n.commitencoding")


class MessageFile(NamedTuple):
    """A message that git has yet to clean, and how it will."""

    path: str
    raw: bytes
    style: Style
    encoding: str | None  # of the commit; None: UTF-8

    def fields(self) -> tuple[Json, str]:
        """The fields of the commit that the message makes, and the SHA-256 of what git will store."""
        stored = clean(self.raw, self.style)
        if self.encoding is None:
            stored = as_utf8(stored)
        text, lossless = decode(stored, self.encoding)
        fields: Json = {"message": text}
        if self.encoding is not None:
            fields["encoding"] = readable(os.fsencode(self.encoding))[0]
        if lossless is not None:
            fields["message_bytes"] = lossless
        return fields, _sha256(stored)


def read(path: str, process: Sequence[str] | None) -> MessageFile:
    """``process`` is the command line of the git that asks, where it is known. Raises OSError."""
    with open(path, "rb") as file:
        return told(path, file.read(), process)


def told(path: str, raw: bytes, process: Sequence[str] | None) -> MessageFile:
    """``raw`` under git's configuration as it is here."""
    said = staged.settings(*_KEYS)
    encoding = said.get("i18n.commitencoding")
    if encoding is not None and encoding.lower() in ("utf-8", "utf8"):
        encoding = None
    return MessageFile(path, raw, _style(said, process or ()), encoding)


def options(process: Sequence[str]) -> Sequence[str]:
    """The words of a git command line that may be options."""
    return process[: process.index("--")] if "--" in process else process


def _sha256(raw: bytes) -> str:
    """By the interpreter's own module where it has one: hashlib loads OpenSSL, for 3 ms."""
    try:
        from _sha256 import sha256  # type: ignore[import-not-found,unused-ignore]
    except ImportError:
        try:
            from _sha2 import sha256  # type: ignore[import-not-found,unused-ignore]
        except ImportError:
            from hashlib import sha256
    return str(sha256(raw).hexdigest())


def _style(told: Mapping[str, str], process: Sequence[str]) -> Style:
    words = options(process)
    cleanup = told.get("commit.cleanup", "default")
    for word, following in zip(words, (*words[1:], ""), strict=False):
        if word.startswith("--cleanup"):
            cleanup = word.partition("=")[2] or following
    comment = told.get("core.commentstring") or told.get("core.commentchar") or "#"
    verbose = told.get("commit.verbose", "false").lower() not in ("false", "no", "off", "0")
    for word in words:
        if word == "--verbose" or (word[:1] == "-" and word[1:2] != "-" and word[1:].strip("aqnse") == "v"):
            verbose = True
        elif word == "--no-verbose":
            verbose = False
    # git's own sign that there is no editor: it sets GIT_EDITOR so for the hooks (builtin/commit.c).
    return Style(cleanup, os.fsencode(comment), os.environ.get("GIT_EDITOR") != ":", verbose)
