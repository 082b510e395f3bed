"""The text of one git configuration file (git-config(1), "Syntax"), read without git: no include is followed, and
nothing that it names is run or opened. For files of repositories that came from anywhere."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

_SECTION: Final = re.compile(r'[ \t\r]*\[([-A-Za-z0-9.]*)(?:[ \t\r]+"((?:[^"\\]|\\.)*)")?\]')
_KEY: Final = re.compile(r"[ \t\r]*([A-Za-z][-A-Za-z0-9]*)[ \t]*(=?)")
_ESCAPES: Final = {"n": "\n", "t": "\t", "b": "\b"}


def settings(text: str) -> Iterator[tuple[str, str | None, str, str | None]]:
    """Section, subsection, key and value of each setting, in order; section and key in lower case.

    A key without a value has None. What git would refuse ends the reading: nothing of it counts from there on.
    """
    lines = iter(text.replace("\r\n", "\n").split("\n"))
    section: str | None = None
    subsection: str | None = None
    for line in lines:
        at = 0
        while found := _SECTION.match(line, at):
            section, subsection, at = found[1].lower(), found[2], found.end()
            if subsection is not None:
                subsection = re.sub(r"\\(.)", r"\1", subsection)
            elif "." in section:  # the old way to write a subsection
                section, _, subsection = section.partition(".")
        line = line[at:]
        if not line.strip() or line.lstrip()[0] in "#;":
            continue
        key = _KEY.match(line)
        if key is None or section is None:
            return
        value = None
        if key[2]:
            value = _value(line[key.end() :], lines)
            if value is None:
                return
        elif line[key.end() :].strip()[:1] not in ("", "#", ";"):
            return
        yield section, subsection, key[1].lower(), value


def _value(rest: str, lines: Iterator[str]) -> str | None:
    """What stands behind the ``=``, continued lines included; None where git refuses it."""
    made: list[str] = []
    kept = 0  # how much of it white space at the end is not cut from
    quoted = False
    at = 0
    rest = rest.lstrip(" \t")
    while True:
        if at == len(rest):
            if quoted:
                return None
            text = "".join(made)
            return text[: max(kept, len(text.rstrip(" \t")))]
        letter = rest[at]
        at += 1
        if letter == "\\":
            if at == len(rest):  # the line goes on
                rest, at = next(lines, ""), 0
                continue
            escaped = rest[at]
            at += 1
            if escaped not in 'ntb"\\':
                return None
            made.append(_ESCAPES.get(escaped, escaped))
            kept = len(made)
        elif letter == '"':
            quoted = not quoted
            kept = len(made)
        elif letter in "#;" and not quoted:
            at = len(rest)
        else:
            made.append(letter)
            if quoted:
                kept = len(made)
