"""Repairs of what a changeset says of a file's content: its hashes, its size, the content itself."""

from __future__ import annotations

import re
from typing import Final

from mgit_hooks.record import Json
from mgit_hooks.recovery.places import Facts, Fixed, at

_SHA256: Final = re.compile("[0-9A-Fa-f]{64}")


def content_hash(value: Json, path: list[str], facts: Facts) -> Fixed | None:
    """Of the bytes that the hash says it covers: those of a sample tell nothing of the whole file's.

    A hash that is one may be what is right, and the content what is damaged: it is replaced only where git, or another
    hash of the same bytes, says so.
    """
    from hashlib import sha256

    within = "embedded_content" in path
    change = at(value, path[: path.index("embedded_content")] if within else path[:-1])
    if not isinstance(change, dict):
        return None
    given = change.get("embedded_content")
    content = given if isinstance(given, dict) else {}
    whole = content.get("strategy") == "full" and not content.get("truncated")
    of_file = not within or whole or content.get("hash_covers") == "file"
    gits = facts.content(change) if of_file else None
    now = at(value, path)
    if gits is not None:
        right = sha256(gits).hexdigest()
        return None if right == now else Fixed(right, "recomputed from git")
    if not whole and not (within and content.get("hash_covers") == "content"):
        return None
    data = _embedded(content)
    if data is None:
        return None
    right = sha256(data).hexdigest()
    vouched = right in (change.get("content_hash"), content.get("content_hash"))
    is_hash = isinstance(now, str) and _SHA256.fullmatch(now) is not None
    return Fixed(right, "recomputed from the content") if vouched or not is_hash else None


def _embedded(content: Json) -> bytes | None:
    from mgit_hooks.judging.checks import embedded_bytes

    return embedded_bytes(content)


def embedded_again(value: Json, path: list[str], facts: Facts) -> Fixed | None:
    """The whole content of a file that git still has as it was."""
    from binascii import b2a_base64

    change, content = at(value, path[:-2]), at(value, path[:-1])
    if not isinstance(change, dict) or not isinstance(content, dict):
        return None
    data = facts.content(change) if content.get("strategy") == "full" and not content.get("truncated") else None
    if data is None:
        return None
    if content.get("encoding") == "base64":
        return Fixed(b2a_base64(data, newline=False).decode("ascii"), "from git")
    try:
        return Fixed(data.decode("utf-8"), "from git")
    except UnicodeDecodeError:
        return None


def size(value: Json, path: list[str], facts: Facts) -> Fixed | None:
    change = at(value, path[:-1])
    data = facts.content(change) if isinstance(change, dict) else None
    if data is not None:
        return Fixed(len(data), "from git")
    content = change.get("embedded_content") if isinstance(change, dict) else None
    if isinstance(content, dict) and content.get("strategy") == "full" and not content.get("truncated"):
        data = _embedded(content)
        if data is not None:
            return Fixed(len(data), "from the content")
    return Fixed(None, "not known")
