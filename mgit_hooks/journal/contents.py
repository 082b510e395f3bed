"""What the index takes from a record: what it is about, in the form in which it is looked for."""

from __future__ import annotations

import json
from binascii import a2b_base64
from collections.abc import Iterator
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Final

from mgit_hooks.record import COMMIT_EVENTS, Json, Oid, RefMovement

# The kinds of terms that records are found by.
EVENT: Final = 1
AUTHOR: Final = 2
PATH: Final = 3
BRANCH: Final = 4
TRAIT: Final = 5
INVALID: Final = "invalid"
BYPASSED: Final = "bypassed"


def value_of(payload: bytes | None) -> Json | None:
    """A record's JSON; None for one that was erased, or is no record of ours."""
    import orjson

    try:
        value = orjson.loads(payload or b"")
    except ValueError:
        value = None if payload is None else _leniently(payload)
    return value if type(value) is dict and "event" in value else None


def _leniently(payload: bytes) -> Any:
    """A lone surrogate, or a number of any size, is JSON to Python and not to orjson."""
    try:
        return json.loads(payload)
    except (ValueError, RecursionError):
        return None


def told_by(value: Json) -> Json:
    """What happened, as the recorder saw it: of a minimal record (strategy fallback), what it stands for.

    Else the commit and the movements that it stands for would pass for unknown, and be recorded again.
    """
    original = value.get("original")
    return original if isinstance(original, dict) and "event" in original else value


def hash_in(told: Json) -> Oid | None:
    return (told.get("commit") or {}).get("hash") if told["event"] in COMMIT_EVENTS else None


def commit_of(payload: bytes | None) -> Oid | None:
    """The commit that a record is about, as the index has it."""
    value = value_of(payload)
    return None if value is None else hash_in(told_by(value))


def traits(value: Json) -> Iterator[str]:
    """What ``log --invalid`` and ``log --bypassed`` look for."""
    if (value.get("validation") or {}).get("is_valid") is False:
        yield INVALID
    status = (value.get("gate") or {}).get("status")
    # Of a push that no hook saw there is its outcome alone.
    if status == "bypassed" or (status == "unobserved" and value.get("event") == "push-outcome"):
        yield BYPASSED


Name = tuple[str, str | None]


def paths_in(commit: Json) -> Iterator[Name]:
    """The files that a commit changed, for ``bytes_of``; of a rename both names."""
    for change in commit.get("files") or ():
        yield change["filename"], change.get("filename_bytes")
        if change["change_type"] == "renamed" and change["old_filename"]:
            yield change["old_filename"], change.get("old_filename_bytes")


def bytes_of(name: Name) -> bytes:
    """A path as git has it, from a readable text and the base64 that stands beside it where that is not all."""
    return a2b_base64(name[1]) if name[1] else name[0].encode("utf-8", "surrogatepass")


def with_folders(path: bytes) -> Iterator[bytes]:
    """``a/b/c``, ``a/b`` and ``a``."""
    while path:
        yield path
        path = path.rpartition(b"/")[0]


def moment_of(text: str) -> int | None:
    """The second since 1970 of a time in a record; None where it is none."""
    try:
        if text.startswith("@"):
            return int(text[1:].partition(" ")[0])
        moment = datetime.fromisoformat(text)
        return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() // 1)
    except (ValueError, OverflowError):
        return None


def reflog_time(value: Json) -> str | None:
    return value["occurred_at"] if value["occurred_from"] == "reflog" else None


def movement_key(worktree: str | None, movement: RefMovement, occurred_at: str | None) -> bytes:
    """A ref movement's identity: (worktree, ref, old, new, reflog time, ordinal), in 16 bytes.

    The worktree counts only for refs of its own (HEAD); every other ref is the repository's.
    """
    own = worktree if not movement.name.startswith("refs/") else ""
    parts = (own, movement.name, movement.old_oid, movement.new_oid, occurred_at, movement.ordinal or 0)
    return _digest(*parts)


def place_key(ref: str, oid: Oid | None) -> bytes:
    """A ref at a commit, in 16 bytes."""
    return _digest(ref, oid)


def _digest(*parts: object) -> bytes:
    return sha256("\0".join(map(str, parts)).encode("utf-8", "surrogateescape")).digest()[:16]
