"""The message file that git hands to commit-msg, and the fields of the commit that it makes."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import NamedTuple

from mgit_hooks.capture.rawcommit import decode
from mgit_hooks.errors import UsageError
from mgit_hooks.gatekeeper import staged
from mgit_hooks.gatekeeper.commitmessage import MESSAGE_KEYS, NO_EDITOR, Style, as_utf8, clean, sha256, style
from mgit_hooks.record import Json, readable
from mgit_hooks.regular import open_to_read


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
        return fields, sha256(stored)


def read(path: str, process: Sequence[str] | None) -> MessageFile:
    """``process`` is the command line of the git that asks, where it is known. Raises UsageError, OSError."""
    try:
        file = open_to_read(path)
    except FileNotFoundError:  # nor a pipe, which nobody may ever write to
        raise UsageError(f"there is no file {path}", "commit-msg is given a plain file with the message") from None
    with file:
        return told(path, file.read(), process)


def told(path: str, raw: bytes, process: Sequence[str] | None) -> MessageFile:
    """``raw`` under git's configuration as it is here."""
    said = staged.settings(*MESSAGE_KEYS)
    encoding = said.get("i18n.commitencoding")
    if encoding is not None and encoding.lower() in ("utf-8", "utf8"):
        encoding = None
    edited = os.environ.get("GIT_EDITOR") != NO_EDITOR
    return MessageFile(path, raw, style(said, process or (), edited=edited), encoding)
