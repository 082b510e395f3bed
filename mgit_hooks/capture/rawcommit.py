"""A commit object's bytes, read as leniently as git reads them.

libgit2 refuses a commit whose author line is malformed and hides the parents of a shallow one; git
shows both. So the object is read from its bytes: ``header lines, an empty line, the message``.
"""

from __future__ import annotations

import functools
import re
from binascii import b2a_base64
from typing import NamedTuple

from mgit_hooks import dates
from mgit_hooks.errors import ObjectError
from mgit_hooks.record import Oid, readable

# What nearly every commit object is, without further headers. Whatever differs is read line by line.
_ORDINARY = re.compile(
    rb"tree ([0-9a-f]{40})\n"
    rb"((?:parent [0-9a-f]{40}\n)*)"
    rb"author ([^<>\n]*)<([^<>\n]*)> ([0-9]{1,15}) ([+-][0-9]{4})\n"
    rb"committer ([^<>\n]*)<([^<>\n]*)> ([0-9]{1,15}) ([+-][0-9]{4})\n"
)
_PARENT = len(b"parent \n") + 40
_ZONE = re.compile(r"[+-](?:[01][0-9]|2[0-3])[0-5][0-9]")


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
    found = _ORDINARY.match(raw)
    if found is None or not raw.startswith(b"\n", found.end()):
        return _by_line(raw, oid)
    tree, above, *people = found.groups()
    named = above.decode("ascii")
    return RawCommit(
        Oid(tree.decode("ascii")),
        tuple(Oid(named[start : start + 40]) for start in range(7, len(named), _PARENT)),
        _ordinary(*people[:4]),
        _ordinary(*people[4:]),
        None,
        raw[found.end() + 1 :],
    )


def _ordinary(name: bytes, email: bytes, seconds: bytes, zone: bytes) -> Person:
    return Person(name.strip(), email.strip(), _date(int(seconds), zone.decode("ascii")))


def _by_line(raw: bytes, oid: Oid) -> RawCommit:
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


class Place(NamedTuple):
    """Where a commit is in history."""

    time: int  # the committer's, in seconds since 1970, for ordering; 0 where the object says none
    parents: tuple[Oid, ...]  # as the object says, whatever a shallow clone or a graft hides


def place(raw: bytes, oid: Oid) -> Place:
    """Raises ObjectError where ``parse`` does."""
    found = _ORDINARY.match(raw)
    if found is None:
        _by_line(raw, oid)
        return Place(_committer_time(raw), _parents(raw))
    named = found.group(2).decode("ascii")
    return Place(int(found.group(9)), tuple(Oid(named[at : at + 40]) for at in range(7, len(named), _PARENT)))


def _parents(raw: bytes) -> tuple[Oid, ...]:
    found: list[Oid] = []
    start = raw.find(b"\n") + 1  # behind the tree
    while raw.startswith(b"parent ", start):
        end = raw.find(b"\n", start)
        found.append(Oid(raw[start + 7 : end].decode("ascii", "replace")))
        start = end + 1
    return tuple(found)


def _committer_time(raw: bytes) -> int:
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


@functools.lru_cache(maxsize=64)  # author and committer mostly say the same
def _date(seconds: int, zone: str) -> str:
    """As ``%aI`` writes it; a zone that is no time of day keeps git's own form, so that nothing is lost."""
    if not _ZONE.fullmatch(zone):
        return f"@{seconds} {zone}"
    return dates.from_git(seconds, dates.offset_minutes(zone))


def _person(line: bytes) -> Person:
    """As git's split_ident_line: the name ends at the first ``<``, the date follows the last ``>``."""
    name, opened, rest = line.partition(b"<")
    if not opened:
        return Person(line.strip(), b"", "")
    email = rest.partition(b">")[0]
    seconds, offset = _clock(rest)
    return Person(name.strip(), email.strip(), "" if seconds is None else _date(seconds, offset))


def _clock(line: bytes) -> tuple[int | None, str]:
    words = line.rpartition(b">")[2].split()
    if not words or not words[0].removeprefix(b"-").isdigit():
        return None, ""
    return int(words[0]), words[1].decode("ascii", "replace") if len(words) > 1 else "+0000"
