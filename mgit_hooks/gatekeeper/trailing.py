"""Repairs of trailers: a sign-off, the issue's id, their order. Put where git puts them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from mgit_hooks.gatekeeper.tidying import subject_at
from mgit_hooks.judging.matching import compiled
from mgit_hooks.judging.patterns import cost
from mgit_hooks.judging.rules import AFFORDABLE_STEPS
from mgit_hooks.judging.trailerorder import ranks
from mgit_hooks.judging.trailers import Block, block, end, is_trailer, trailers

SIGN_OFF: Final = "Signed-off-by: "
_SPACE: Final = " \t\r\n"
# What an autosquash looks for at the subject's beginning (git-rebase(1)): nothing is to be put before it.
_MELTS: Final = re.compile(r"(fixup|squash|amend)! ")


def sign_off(text: str, identity: str, comment: str) -> str:
    """As ``git commit -s`` makes it (sequencer.c, append_signoff): behind the trailers, or in a paragraph of its own.

    ``identity``: ``NAME <EMAIL>``. Where that is the last trailer already, nothing. ``comment`` is core.commentChar:
    git puts trailers before comments at the end.
    """
    line = f"{SIGN_OFF}{identity}\n"
    at = end(text, comment)
    body, ignored = text[:at], text[at:]
    if not ignored and not body.endswith("\n"):
        body += "\n"
    where = block(body, comment)
    last = "\n".join(body.split("\n")[where.end - 1 :]) if where.first_line < where.end else None
    if line in (body, last):
        return body + ignored
    between = "" if last is not None else "\n\n" if not body else "\n" if body[-2:-1] != "\n" else ""
    return body + between + line + ignored


def trailer(text: str, line: str, comment: str) -> str:
    """As ``git interpret-trailers --no-divider --trailer LINE`` adds it."""
    where = block(text, comment)
    if not text.endswith("\n"):
        text += "\n"
    lines = text.split("\n")
    in_block = where.first_line < where.end
    above = [] if in_block or (where.end and not lines[where.end - 1].strip(_SPACE)) else [""]
    return "\n".join((*lines[: where.end], *above, line, *lines[where.end :]))


def ids_in(branch: str, pattern: str) -> list[str]:
    """What ``pattern`` finds in a branch's name, each once: its first group, or else all of the match."""
    bound = cost(pattern)
    if bound is None or bound.steps(len(branch)) > AFFORDABLE_STEPS:
        return []
    found = (match[1] if match.re.groups else match[0] for match in compiled(pattern).finditer(branch))
    return list(dict.fromkeys(each for each in found if each))


def subject(text: str, template: str, comment: str | None) -> str | None:
    """``text`` with its subject put into ``template``; None where that would keep an autosquash from it."""
    lines = text.split("\n")
    at = subject_at(lines, comment)
    if at is None or _MELTS.match(lines[at].lstrip(_SPACE)):
        return None
    return "\n".join((*lines[:at], template.replace("{subject}", lines[at].strip(_SPACE)), *lines[at + 1 :]))


def ordered(text: str, order: Sequence[str], comment: str) -> str | None:
    """``text`` with its trailers in ``order``; None where other lines stand among them."""
    lines = text.split("\n")
    whole = text if text.endswith("\n") else f"{text}\n"  # as git stores it: "Conflicts:" is a heading with its newline
    where = block(whole, comment)
    units = _units(lines, where, comment)
    if units is None:
        return None
    found = trailers(whole, comment)
    if len(found) != len(units):
        return None
    by_rank = sorted(zip(ranks(found, order), units, strict=True), key=lambda each: each[0])
    inside = [line for _, unit in by_rank for line in unit]
    return "\n".join((*lines[: where.first_line], *inside, *lines[where.first_line + len(inside) :]))


def _units(lines: Sequence[str], where: Block, comment: str) -> list[list[str]] | None:
    """Each trailer with the lines that continue it; None where a line is neither."""
    units: list[list[str]] = []
    for line in lines[where.first_line : where.end]:
        if not line.strip(_SPACE):
            continue
        if units and line[0] in _SPACE:
            units[-1].append(line)
        elif line[0] in _SPACE or line.startswith(comment) or not is_trailer(line):
            return None
        else:
            units.append([line])
    return units
