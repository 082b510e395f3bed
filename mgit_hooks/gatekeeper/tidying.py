"""Repairs of white space: as ``git stripspace`` cleans it, the subject's indent, the empty line after the subject."""

from __future__ import annotations

from typing import Final

_SPACE: Final = " \t\r\n"


def clean_space(text: str, comment: str | None) -> str:
    """``text`` as ``git stripspace`` makes it, and its subject without blanks before it. Comment lines stay."""
    kept: list[str] = []
    for line in text.split("\n"):
        line = line if _is_comment(line, comment) else line.rstrip(_SPACE)
        if line or (kept and kept[-1]):
            kept.append(line)
    if kept and not kept[-1]:
        kept.pop()
    at = subject_at(kept, comment)
    if at is not None and not _is_comment(kept[at].lstrip(" \t"), comment):
        kept[at] = kept[at].lstrip(" \t")
    return "".join(f"{line}\n" for line in kept)


def part_subject(text: str, comment: str | None) -> str:
    """``text`` with an empty line after its subject, where one is missing."""
    lines = text.split("\n")
    at = subject_at(lines, comment)
    if at is None:
        return text
    following = next((n for n in range(at + 1, len(lines)) if not _is_comment(lines[n], comment)), None)
    if following is None or not lines[following].strip(_SPACE):
        return text
    return "\n".join((*lines[:following], "", *lines[following:]))


def subject_at(lines: list[str], comment: str | None) -> int | None:
    """Which of ``lines`` is the subject; None of an empty message."""
    full = (n for n, line in enumerate(lines) if line.strip(_SPACE) and not _is_comment(line, comment))
    return next(full, None)


def subject(text: str, comment: str | None) -> str:
    lines = text.split("\n")
    at = subject_at(lines, comment)
    return "" if at is None else lines[at].strip(_SPACE)


def changed_lines(before: str, after: str) -> int:
    """How many lines of ``before`` are not as they were."""
    old, new = before.split("\n"), after.split("\n")
    kept = 0
    for line in old:
        if kept < len(new) and new[kept] == line:
            kept += 1
    return max(len(old), len(new)) - kept


def _is_comment(line: str, comment: str | None) -> bool:
    return comment is not None and line.startswith(comment)
