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
    if payload is None:
        return None
    import orjson

    value: Any
    try:
        value = orjson.loads(payload)
    except ValueError:
        try:
            value = json.loads(payload)  # a lone surrogate is JSON to the one and not to the other
        except (ValueError, RecursionError):
            return None
    return value if isinstance(value, dict) and "event" in value else None


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


def author_of(told: Json) -> str | None:
    commit = told.get("commit")
    return f"{commit['author_name']} <{commit['author_email']}>" if commit else None


def traits(value: Json) -> Iterator[str]:
    """What ``log --invalid`` and ``log --bypassed`` look for."""
    if (value.get("validation") or {}).get("is_valid") is False:
        yield INVALID
    if (value.get("gate") or {}).get("status") == "bypassed":
        yield BYPASSED


def paths_in(told: Json) -> Iterator[bytes]:
    """The files that a commit changed, as git's bytes; of a rename both names."""
    commit = told.get("commit")
    for change in commit.get("files") or () if commit else ():
        yield _path(change, "filename")
        if change["change_type"] == "renamed" and change["old_filename"]:
            yield _path(change, "old_filename")


def _path(change: Json, key: str) -> bytes:
    encoded = change.get(f"{key}_bytes")
    return a2b_base64(encoded) if encoded else str(change[key]).encode("utf-8", "surrogatepass")


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
    text = "\0".join(map(str, parts))
    return sha256(text.encode("utf-8", "surrogateescape")).digest()[:16]
