"""A commit object's bytes, read as leniently as git reads them.

libgit2 refuses a commit whose author line is malformed and hides the parents of a shallow one; git
shows both. So the object is read from its bytes: ``header lines, an empty line, the message``.
"""

from __future__ import annotations

from binascii import b2a_base64
from typing import NamedTuple

from mgit_hooks.errors import ObjectError
from mgit_hooks.record import Oid, readable

_LAST_SECOND = 253402300799  # 9999-12-31T23:59:59, the last that ISO 8601 writes in four digits


class Person(NamedTuple):
    name: bytes
    email: bytes
    date: str  # ISO 8601, or "@seconds offset", or "" where the object says none


NOBODY = Person(b"", b"", "")


class RawCommit(NamedTuple):
    tree: Oid
    parents: tuple[Oid, ...]
    author: Person
    committer: Person
    encoding: str | None
    message: bytes


def parse(raw: bytes, oid: Oid) -> RawCommit:
    """Raises ObjectError where even git could not tell the tree."""
    head, _, message = raw.partition(b"\n\n")
    tree = ""
    parents: list[Oid] = []
    author = committer = None
    encoding = None
    for line in head.split(b"\n"):
        key, _, value = line.partition(b" ")
        if key == b"parent":
            parents.append(Oid(value.decode("ascii", "replace")))
        elif key == b"tree":
            tree = tree or value.decode("ascii", "replace")
        elif key == b"author":
            author = author or _person(value)
        elif key == b"committer":
            committer = committer or _person(value)
        elif key == b"encoding" and encoding is None:
            encoding = value.decode("utf-8", "replace")
    if len(tree) not in (40, 64):
        raise ObjectError(f"commit {oid} names no tree", "run 'git fsck' to see what is damaged")
    return RawCommit(Oid(tree), tuple(parents), author or NOBODY, committer or NOBODY, encoding, message)


def parents(raw: bytes) -> tuple[Oid, ...]:
    """As the object says, whatever a shallow clone or a graft hides."""
    found: list[Oid] = []
    start = raw.find(b"\n") + 1  # behind the tree
    while raw.startswith(b"parent ", start):
        end = raw.find(b"\n", start)
        found.append(Oid(raw[start + 7 : end].decode("ascii", "replace")))
        start = end + 1
    return tuple(found)


def committer_time(raw: bytes) -> int:
    """Seconds since 1970 for ordering; 0 where the object says none."""
    start = raw.find(b"\ncommitter ")
    line = raw[start + 1 : raw.find(b"\n", start + 1)] if start >= 0 else b""
    seconds, _ = _clock(line)
    return seconds if seconds is not None else 0


def decode(raw: bytes, encoding: str | None) -> tuple[str, str | None]:
    """Readable text by the commit's own ``encoding`` header; and the bytes, where the text differs."""
    if encoding is None or encoding.lower().replace("-", "") == "utf8" or raw.isascii():
        return readable(raw)
    try:
        text = raw.decode(encoding)
        if text.encode("utf-8") == raw:
            return text, None
    except (LookupError, ValueError):  # a codec that Python lacks, bytes that are not in it
        return readable(raw)
    return text, b2a_base64(raw, newline=False).decode("ascii")


def iso_date(seconds: int, offset: str) -> str:
    """As ``%aI`` writes it. ``offset`` is git's ``±hhmm``.

    A moment that ISO 8601 cannot hold keeps git's own form, so that nothing is lost and nothing raises.
    """
    hours, minutes = offset[1:3], offset[3:]
    if len(offset) != 5 or not offset[1:].isdecimal() or hours > "23" or minutes > "59":
        return f"@{seconds} {offset}"
    ahead = int(hours) * 3600 + int(minutes) * 60
    local = seconds + (-ahead if offset[0] == "-" else ahead)
    if not 0 <= local <= _LAST_SECOND or seconds < 0:
        return f"@{seconds} {offset}"
    days, rest = divmod(local, 86400)
    year, month, day = _civil(days)
    sign = "-" if offset[0] == "-" and ahead else "+"
    return (
        f"{year:04d}-{month:02d}-{day:02d}T{rest // 3600:02d}:{rest // 60 % 60:02d}:{rest % 60:02d}"
        f"{sign}{hours}:{minutes}"
    )


def _civil(days: int) -> tuple[int, int, int]:
    """The Gregorian date of a day since 1970-01-01 (http://howardhinnant.github.io/date_algorithms.html)."""
    days += 719468
    era, day_of_era = divmod(days, 146097)
    year_of_era = (day_of_era - day_of_era // 1460 + day_of_era // 36524 - day_of_era // 146096) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    shifted = (5 * day_of_year + 2) // 153
    month = shifted + 3 if shifted < 10 else shifted - 9
    return year_of_era + era * 400 + (month <= 2), month, day_of_year - (153 * shifted + 2) // 5 + 1


def _person(line: bytes) -> Person:
    """As git's split_ident_line: the name ends at the first ``<``, the date follows the last ``>``."""
    name, opened, rest = line.partition(b"<")
    if not opened:
        return Person(line.strip(), b"", "")
    email = rest.partition(b">")[0]
    seconds, offset = _clock(rest)
    return Person(name.strip(), email.strip(), "" if seconds is None else iso_date(seconds, offset))


def _clock(line: bytes) -> tuple[int | None, str]:
    words = line.rpartition(b">")[2].split()
    if not words or not words[0].removeprefix(b"-").isdigit():
        return None, ""
    return int(words[0]), words[1].decode("ascii", "replace") if len(words) > 1 else "+0000"
