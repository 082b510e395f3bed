"""The trailers of a commit message, as git-interpret-trailers(1) and ``%(trailers)`` of git-log(1) read them.

After git's trailer.c: the last paragraph, unless it is the first too, is a block of trailers where all of its lines
are trailers, or where one of them is git's own and at least a quarter are trailers. Stored messages have no ``---``
line that ends them, so none is looked for (``--no-divider``). The configuration (``trailer.*``, ``core.commentChar``)
is left at git's defaults: what a message says must not depend on who reads it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

_COMMENT: Final = "#"
_SEPARATOR: Final = ":"
_GIT_GENERATED: Final = ("Signed-off-by: ", "(cherry picked from commit ")
# git's own isspace and isalnum know ASCII alone (git-compat-util.h, sane_ctype).
_SPACE: Final = " \t\r\n"
_TOKEN: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-")
_CUT: Final = " ------------------------ >8 ------------------------\n"


class Trailer(NamedTuple):
    key: str
    value: str  # unfolded: a continued value is one line


class Block(NamedTuple):
    """Where a message's trailers stand, in its lines counted from 0. Where it has none, both are where they would."""

    first_line: int
    end: int  # the line after: comments, or the message's end


def trailers(message: str, comment: str = _COMMENT) -> tuple[Trailer, ...]:
    """``comment``: core.commentChar, where what git itself would read matters more than what everybody reads."""
    message = from_subject(message)
    lines = _lines(message[: end(message, comment)])
    return tuple(_parsed(_folded(lines[_start(lines, comment) :]), comment))


def block(message: str, comment: str = _COMMENT) -> Block:
    """As git finds it before it adds one: it may hold lines that are none. (git-log(1) skips empty lines before.)"""
    lines = _lines(message[: end(message, comment)])
    return Block(_start(lines, comment), len(lines))


def is_trailer(line: str) -> bool:
    return _separator(line) >= 1


def from_subject(message: str) -> str:
    """``message`` from its first line that is not blank, as git-log(1) reads it (pretty.c, skip_blank_lines)."""
    lines = _lines(message)
    return "".join(lines[next((n for n, line in enumerate(lines) if not _is_blank(line)), len(lines)) :])


def cut_line(message: str) -> int | None:
    """Where git's scissors line stands, of the lines counted from 1; None where there is none."""
    for number, line in enumerate(_lines(message), start=1):
        if line == _COMMENT + _CUT or line + "\n" == _COMMENT + _CUT:
            return number
    return None


def _lines(text: str) -> list[str]:
    """Ended by a newline alone, which they keep."""
    lines = text.split("\n")
    return [line + "\n" for line in lines[:-1]] + ([lines[-1]] if lines[-1] else [])


def end(message: str, comment: str = _COMMENT) -> int:
    """Where the message ends before comments and the list of conflicts that git once wrote.

    commit.c, ignored_log_message_bytes (ignore_non_trailer).
    """
    cutoff = message.find("\n" + comment + _CUT)
    cutoff = 0 if message.startswith(comment + _CUT) else len(message) if cutoff < 0 else cutoff + 1
    # As in git, 0 stands for none: what is nothing but comments ends where it ends.
    ignored_from = 0
    conflicts = False
    at = 0
    for line in _lines(message[:cutoff]):
        if line.startswith((comment, "\n")):
            ignored_from = ignored_from or at
        elif message.startswith("Conflicts:\n", at):
            conflicts = True
            ignored_from = ignored_from or at
        elif not (conflicts and line.startswith("\t")) and ignored_from:
            ignored_from, conflicts = 0, False
        at += len(line)
    return ignored_from or cutoff


def _start(lines: Sequence[str], comment: str) -> int:
    """The first line of the block; as many as there are lines where there is no block.

    trailer.c, find_trailer_start: from the end back to the first blank line.
    """
    title = next((n for n, line in enumerate(lines) if not line.startswith(comment) and _is_blank(line)), len(lines))
    found, others, continued = 0, 0, 0  # "continued": whether they are the value's is told by the line above them
    only_spaces, by_git = True, False
    for number in range(len(lines) - 1, title - 1, -1):
        line = lines[number]
        if line.startswith(comment):
            others += continued
            continued = 0
        elif _is_blank(line):
            if only_spaces:
                continue
            others += continued
            is_block = found * 3 >= others if by_git else bool(found) and not others
            return number + 1 if is_block else len(lines)
        else:
            only_spaces = False
            if line.startswith(_GIT_GENERATED) or (_separator(line) >= 1 and line[0] not in _SPACE):
                found, continued = found + 1, 0
                by_git = by_git or line.startswith(_GIT_GENERATED)
            elif line[0] in _SPACE:
                continued += 1
            else:
                others += 1 + continued
                continued = 0
    return len(lines)


def _is_blank(line: str) -> bool:
    return not line.strip(_SPACE)


def _separator(line: str) -> int:
    """Where the separator stands, after a token and maybe spaces; -1 where the line has no such form."""
    spaced = False
    for at, char in enumerate(line):
        if char == _SEPARATOR:
            return at
        if not spaced and char in _TOKEN:
            continue
        if at and char in " \t":
            spaced = True
            continue
        break
    return -1


def _folded(lines: Sequence[str]) -> Iterator[str]:
    """Each line with the lines that continue it, if it is a trailer."""
    held = ""
    for line in lines:
        if held and line[0] in _SPACE:
            held += line
            continue
        if held:
            yield held
        held = line if _separator(line) >= 1 else ""
    if held:
        yield held


def _parsed(lines: Iterator[str], comment: str) -> Iterator[Trailer]:
    for line in lines:
        at = _separator(line)
        if not line.startswith(comment):
            yield Trailer(line[:at].strip(_SPACE), _unfolded(line[at + 1 :].strip(_SPACE)))


def _unfolded(value: str) -> str:
    first, *more = value.split("\n")
    out = first
    for line in more:
        # An empty line within a value cannot be: a blank line ends the paragraph.
        out += " " + line.lstrip(_SPACE)
    return out.strip(_SPACE)
