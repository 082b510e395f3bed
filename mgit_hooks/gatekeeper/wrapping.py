"""The repair of long lines: broken at spaces, where whoever reads on takes the new lines for more of the same.

Only what is too long is broken. What is left over flows into the next line of the same paragraph, so that a message
that was wrapped at 80 does not become a comb at 72.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from mgit_hooks.gatekeeper.tidying import subject_at
from mgit_hooks.judging import trailers

_SPACE: Final = " \t\r\n"
_WORD: Final = re.compile(r"[^ ]+")
_FENCE: Final = re.compile(r"(`{3,}|~{3,})")
_ITEM: Final = re.compile(
    r"(?:[-*•–—]|[0-9]{1,3}[.)]|[A-Za-z][.)]|\([0-9A-Za-z]{1,3}\)|\[[0-9A-Za-z]{0,3}\]:?) +(?=[^ ])"
)  # fmt: skip
_RULER: Final = re.compile(r"([-=~^*_`])\1{2,}[ \t]*\Z")
# A line that begins so is no prose: what is indented, quotes, tables, headings, trailers, what git and git-am(1) read.
_SPECIAL: Final = re.compile(
    r"[\s>|+#]|[A-Za-z0-9-]{1,41}[ \t]*:(?: |\Z)|`{3}|~{3}|\(cherry picked from|This reverts commit |diff -|---|@@ "
)
# A word with which no line is made to begin: it would be one of those, or a list's item, or a comment.
_STUCK: Final = re.compile(
    r"[>|+#:]|[-*•–—=~^_`]+\Z|`{3}|~{3}|---|@@|[A-Za-z0-9-]+:|\(cherry\Z|diff\Z"
    r"|[0-9]{1,3}[.)]\Z|[A-Za-z][.)]\Z|\([0-9A-Za-z]{1,3}\)\Z|\[[0-9A-Za-z]{0,3}(?:\]:?)?\Z"
)  # fmt: skip


class Wrapped(NamedTuple):
    text: str
    lines: int  # how many were too long


def wrap(text: str, width: int, comment: str | None, reading: str) -> Wrapped | None:
    """``text`` with the long lines of its body broken; None where that would make a trailer or a comment of a line.

    Never touched: the first paragraph, the trailers, what is indented, quoted or fenced, tables, a line with a link,
    and a word that is longer than ``width`` by itself. ``comment`` as in ``Around``, and ``reading``.
    """
    if comment is not None and comment[:1] in _SPACE:
        return None
    lines = text.split("\n")
    start, end = _body(lines, text, comment, reading)
    out: list[str] = []
    count = 0
    for new, broken in _wrapped(lines[start:end], width, comment):
        out += new
        count += broken
    made = "\n".join((*lines[:start], *out, *lines[end:]))
    return Wrapped(made, count) if trailers.trailers(made) == trailers.trailers(text) else None


def _body(lines: list[str], text: str, comment: str | None, reading: str) -> tuple[int, int]:
    """From after the first paragraph to the trailers."""
    subject = subject_at(lines, comment)
    if subject is None:
        return len(lines), len(lines)
    blank = (n for n in range(subject, len(lines)) if not lines[n].strip(_SPACE))
    start = next(blank, len(lines))
    return start, max(start, trailers.block(text, reading).first_line)


def _wrapped(lines: Sequence[str], width: int, comment: str | None) -> Iterator[tuple[list[str], int]]:
    """The lines that take the place of each, and whether it was too long."""
    fence = ""
    rest = ""  # of the line above
    for number, line in enumerate(lines):
        found = _FENCE.match(line.lstrip(" "))
        above_ruler = number + 1 < len(lines) and _RULER.match(lines[number + 1]) is not None
        plain = not fence and found is None and not above_ruler and _is_prose(line, comment)
        if rest and not plain:
            yield [rest], 0
            rest = ""
        if found is not None and (not fence or (found[1].startswith(fence) and line.strip(_SPACE) == found[1])):
            fence = "" if fence else found[1]
        long = len(line) > width
        if not plain:
            item = None if fence or found is not None or not long else _ITEM.match(line)
            pieces = [line] if item is None or _has_link(line) else _pieces(line, width, item.end(), comment)
            yield pieces, int(len(pieces) > 1)
            continue
        hard_end = line.endswith(("  ", "\\"))
        whole = f"{rest} {line}" if rest else line
        pieces = _pieces(whole, width, 0, comment) if len(whole) > width else [whole]
        # A rest that came from above goes on below; a line that was let be ends where it ended.
        flows = len(pieces) > 1 and not hard_end
        rest = pieces.pop() if flows else ""
        yield pieces, int(long and (len(pieces) > 1 or flows))
    if rest:
        yield [rest], 0


def _is_prose(line: str, comment: str | None) -> bool:
    if not line.strip(_SPACE) or (comment is not None and line.startswith(comment)) or _has_link(line):
        return False
    return not (_SPECIAL.match(line) or _ITEM.match(line) or _RULER.match(line))


def _has_link(line: str) -> bool:
    return "://" in line


def _pieces(line: str, width: int, indent: int, comment: str | None) -> list[str]:
    """``line`` broken at spaces. ``indent``: of the lines after the first, which has as much before its first word."""
    out: list[str] = []
    begin, margin, end = 0, 0, 0
    for start, stop in _chunks(line, indent, comment):
        if end and margin + stop - begin > width:
            out.append(" " * margin + line[begin:end])
            begin, margin = start, indent
        end = stop
    return [*out, " " * margin + line[begin:]]


def _chunks(line: str, indent: int, comment: str | None) -> Iterator[tuple[int, int]]:
    """The words of ``line``, each with those after it with which no line is to begin."""
    start, stop = 0, 0
    for word in _WORD.finditer(line, indent):
        if stop and _may_begin(word[0], indent, comment):
            yield start, stop
            start = word.start()
        elif not stop:
            start = word.start()
        stop = word.end()
    yield start, stop


def _may_begin(word: str, indent: int, comment: str | None) -> bool:
    """Whether a line may begin with this word and be read as more of the line above."""
    if indent:
        return True
    return not (_STUCK.match(word) or (comment is not None and word.startswith(comment.split(" ")[0])))
