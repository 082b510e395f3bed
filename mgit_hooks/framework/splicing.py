"""Lines that are put into a text, or taken out of it, between what somebody else wrote."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

_REST_OF_LINE: Final = re.compile(r"[ \t]*(?:(?<=[ \t])#[^\r\n]*)?(\r?\n|\Z)")
_DASH: Final = re.compile(r"([ ]*)-[ \t]+")
_BLANK_OR_COMMENT: Final = re.compile(r"([ \t]*)(#[^\r\n]*)?(\r?\n|\Z)")


class Splice(NamedTuple):
    """``text[start:end]`` becomes ``new``."""

    start: int
    end: int
    new: str


class Unclear(Exception):
    """The text is in a form that nothing can be put into, or taken out of, with certainty. Says which, in one line."""


def applied(text: str, splices: Iterable[Splice]) -> str:
    """``text`` after all ``splices``, whose places are those of ``text``; two that meet come in the given order."""
    pieces, done = [], 0
    for splice in sorted(splices, key=lambda each: each.start):
        pieces += [text[done : splice.start], splice.new]
        done = splice.end
    return "".join((*pieces, text[done:]))


def newline(text: str, at: int) -> str:
    """What ends the line at ``at``, or else the first line of ``text``."""
    found = re.compile(r"\r?\n").search(text, at) or re.search(r"\r?\n", text)
    return found[0] if found else "\n"


def line_start(text: str, at: int) -> int:
    return text.rfind("\n", 0, at) + 1


def dash_column(text: str, at: int) -> int:
    """The column of the dash whose entry begins at ``at``. Raises Unclear where more stands before that."""
    start = line_start(text, at)
    dash = _DASH.fullmatch(text, start, at)
    if dash is None:
        raise Unclear(f"line {text.count(chr(10), 0, start) + 1} holds more than the begin of an entry")
    return len(dash[1])


def line_after(text: str, at: int) -> int:
    """Where the next line begins behind a node that ends at ``at``. Raises Unclear where more stands in its line."""
    if at and text[at - 1] == "\n":  # a block of text ends behind its last line
        return at
    rest = _REST_OF_LINE.match(text, at)
    if rest is None:
        raise Unclear(f"line {text.count(chr(10), 0, at) + 1} goes on behind the last entry")
    return rest.end()


def after_comments(text: str, at: int, column: int) -> int:
    """``at``, the begin of a line, or behind the comments that follow and begin at ``column`` or farther right: they
    belong to what stands before them, as an entry that somebody has commented out does."""
    end = at
    while at < len(text) and (line := _BLANK_OR_COMMENT.match(text, at)):
        at = line.end()
        if line[2] and len(line[1]) < column:
            break
        if line[2]:
            end = at
    return end


def inserted_lines(text: str, at: int, lines: Sequence[str], end_of_line: str) -> Splice:
    """``lines`` at ``at``, the begin of a line. Where the text's last line has no end, the last of these has none."""
    whole = end_of_line.join(lines)
    if at and text[at - 1] != "\n":
        return Splice(at, at, end_of_line + whole)
    return Splice(at, at, whole + end_of_line)


def removed_lines(text: str, start: int, end: int) -> Splice:
    """The reverse of ``inserted_lines``."""
    if end == len(text) and not text.endswith("\n") and start:
        start -= 2 if text.endswith("\r\n", 0, start) else 1
    return Splice(start, end, "")
