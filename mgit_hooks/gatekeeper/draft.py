"""The message file as repairs see it: the text in the middle, and around it what git strips, which stays as it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from mgit_hooks.gatekeeper.commitmessage import SPACE, Style, cut_at, parts

LARGEST: Final = 256 * 1024
"""Bytes of the longest message file that is repaired. The old message goes into the spool, in one line."""
_ASCII: Final = "".join(map(chr, range(32, 127))) + "\r\n"
_MARKS: Final = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")


class Draft(NamedTuple):
    """``head + text + tail`` is the file. ``text`` has no comment lines at its ends, and \\n alone ends its lines."""

    head: bytes
    text: str
    tail: bytes
    codec: str
    line_end: str  # of the text in the file
    comment: str | None  # lines in the text that begin with it are stripped by git
    reading: str  # core.commentChar
    verbatim: bool


class Unclear(ValueError):
    """It is in doubt what is the message: nothing of it is to be changed."""


def take(raw: bytes, style: Style, encoding: str | None) -> Draft:
    """``raw`` as a draft; ``encoding`` is that of the commit, None for UTF-8. Raises Unclear."""
    if len(raw) > LARGEST:
        raise Unclear(f"it is longer than {LARGEST} bytes")
    if b"\0" in raw:
        raise Unclear("it holds a NUL")
    if raw.startswith(_MARKS):
        raise Unclear("it begins with a byte order mark")
    found = parts(raw, style)
    if cut_at(found.text, found.comment or b"#") < len(found.text):
        raise Unclear("git's scissors are in it, and whether git cuts there is not to be seen")
    head, middle, tail = _split(found.text, found.comment)
    if style.comment == b"auto" and found.comment is not None and found.comment not in tail:
        raise Unclear("core.commentChar is auto, and which character git took is not to be seen")
    codec = encoding or "utf-8"
    try:
        text = middle.decode(codec)
        comment = None if found.comment is None else found.comment.decode(codec)
        reading = comment or ("#" if style.comment == b"auto" else style.comment.decode(codec))
        # git takes lines apart by their bytes, whatever the encoding.
        faithful = text.encode(codec) == middle and _ASCII.encode(codec) == _ASCII.encode("ascii")
    except (UnicodeError, LookupError) as error:
        raise Unclear(f"it is not in {codec}") from error
    if not faithful:
        raise Unclear(f"it is not plain {codec}")
    text, line_end = _with_newlines(text)
    return Draft(head, text, tail + found.below, codec, line_end, comment, reading, found.verbatim)


def put(draft: Draft, text: str) -> bytes:
    """The file with ``text`` in the place of the draft's. Raises Unclear where its encoding cannot say that."""
    try:
        return draft.head + text.replace("\n", draft.line_end).encode(draft.codec) + draft.tail
    except UnicodeError as error:
        raise Unclear(f"{draft.codec} cannot say that") from error


def _split(raw: bytes, comment: bytes | None) -> tuple[bytes, bytes, bytes]:
    """What is stripped before the message, the message, what is stripped behind it: whole lines."""
    if not comment:
        return b"", raw, b""
    lines = _lines(raw)
    kept = [number for number, line in enumerate(lines) if line.strip(SPACE) and not line.startswith(comment)]
    first, last = (kept[0], kept[-1] + 1) if kept else (len(lines), len(lines))
    return _joined(lines[:first]), _joined(lines[first:last]), _joined(lines[last:])


def _lines(raw: bytes) -> list[bytes]:
    """Ended by a newline alone, which they keep."""
    lines = raw.split(b"\n")
    return [line + b"\n" for line in lines[:-1]] + ([lines[-1]] if lines[-1] else [])


def _joined(lines: Sequence[bytes]) -> bytes:
    return b"".join(lines)


def _with_newlines(text: str) -> tuple[str, str]:
    """``text`` with \\n at the end of its lines, and what was there."""
    if "\r" not in text:
        return text, "\n"
    plain = text.replace("\r\n", "\n")
    if "\r" in plain or text.count("\r\n") != text.count("\n"):
        raise Unclear("its lines end in more than one way")
    return plain, "\r\n"
