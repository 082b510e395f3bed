"""The rules that a JSON Schema cannot say: small functions in one table."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from mgit_hooks.record import Issue, Json

EMBEDDED_LIMIT = 10 * 1024 * 1024
"""Bytes of embedded content above which PIPELINE.md's table warns."""

_ORDER = {"basic": 0, "standard": 1, "strict": 2}


def run(kind: str, level: str, value: Any) -> tuple[Issue, ...]:
    """The issues that the rules of ``kind`` up to ``level`` find."""
    rules = BY_KIND.get(kind)
    if kind == "collection":
        from mgit_hooks.judging.collectionchecks import RULES as rules
    elif kind == "compressed":
        from mgit_hooks.judging.compressedchecks import RULES as rules
    if not rules or not isinstance(value, dict):
        return ()
    most = _ORDER[level]
    return tuple(found for rule in rules if _ORDER[rule.level] <= most for found in rule.find(value))


def _objects(value: Any) -> Iterator[tuple[int, Json]]:
    if isinstance(value, list):
        for index, item in enumerate(value):
            if isinstance(item, dict):
                yield index, item


def _embedded_too_large(change: Json, path: str = "") -> Iterator[Issue]:
    content = change.get("embedded_content")
    data = embedded_bytes(content) if isinstance(content, dict) else None
    if data is not None and len(data) > EMBEDDED_LIMIT:
        yield Issue(
            "warning",
            "EMBEDDED_CONTENT_TOO_LARGE",
            f"embedded content has {len(data)} bytes, more than {EMBEDDED_LIMIT}",
            f"{path}/embedded_content/content",
            "embed less: strategy sample or summary",
        )


def _content_hash(change: Json, path: str = "") -> Iterator[Issue]:
    """A hash is compared only with what it says it covers: a sample tells nothing of the file's hash."""
    content = change.get("embedded_content")
    if not isinstance(content, dict):
        return
    data = embedded_bytes(content)
    if data is None:
        return
    whole = content.get("strategy") == "full" and not content.get("truncated")
    claims = []
    if content.get("hash_covers") == "content" or (content.get("hash_covers") == "file" and whole):
        claims.append((content.get("content_hash"), f"{path}/embedded_content/content_hash"))
    if whole:
        claims.append((change.get("content_hash"), f"{path}/content_hash"))
    actual = None
    for claimed, where in claims:
        if not isinstance(claimed, str) or len(claimed) != 64:  # no hash at all: the schema's to say
            continue
        if actual is None:
            from hashlib import sha256

            actual = sha256(data).hexdigest()
        if claimed.lower() != actual:
            yield Issue(
                "error",
                "CONTENT_HASH_MISMATCH",
                f"content_hash {claimed[:64]} is not that of the content, {actual}",
                where,
                "recompute the hash from the content, or read the file again",
            )


def embedded_bytes(content: Json) -> bytes | None:
    """The bytes that were embedded; None where there are none or only a picture of them (a hex dump)."""
    text = content.get("content")
    if not isinstance(text, str):
        return None
    if content.get("encoding") == "base64":
        from binascii import Error, a2b_base64

        try:
            return a2b_base64(text)
        except (Error, ValueError):
            return None
    if content.get("encoding") in (None, "utf-8"):
        return text.encode("utf-8", "surrogatepass")
    return None


def _in_changeset(rule: Callable[[Json, str], Iterator[Issue]]) -> Callable[[Json], Iterator[Issue]]:
    def find(changeset: Json) -> Iterator[Issue]:
        for index, change in _objects(changeset.get("uncommitted_files")):
            yield from rule(change, f"/uncommitted_files/{index}")
        for number, commit in _objects(changeset.get("recent_commits")):
            for index, change in _objects(commit.get("files")):
                yield from rule(change, f"/recent_commits/{number}/files/{index}")

    return find


def _in_commit(rule: Callable[[Json, str], Iterator[Issue]]) -> Callable[[Json], Iterator[Issue]]:
    def find(commit: Json) -> Iterator[Issue]:
        for index, change in _objects(commit.get("files")):
            yield from rule(change, f"/files/{index}")

    return find


def _flags(changeset: Json) -> Iterator[Issue]:
    flag, files = changeset.get("has_uncommitted_changes"), changeset.get("uncommitted_files")
    if isinstance(flag, bool) and isinstance(files, list) and flag is not bool(files):
        yield Issue(
            "warning",
            "INCONSISTENT_CHANGE_FLAGS",
            f"has_uncommitted_changes is {str(flag).lower()}, yet {len(files)} files are listed",
            "/has_uncommitted_changes",
            f"set has_uncommitted_changes to {str(bool(files)).lower()}",
        )


def _status(changeset: Json) -> Iterator[Issue]:
    dirty = changeset.get("has_uncommitted_changes") is True or bool(changeset.get("uncommitted_files"))
    if changeset.get("git_status") == "clean" and dirty:
        yield Issue(
            "error",
            "STATUS_CONSISTENCY_ERROR",
            "git_status is clean, yet there are uncommitted changes",
            "/git_status",
            "set git_status to dirty",
        )


def wrong_key(key: Any, path: Any, where: str) -> Iterator[Issue]:
    """An issue where ``key`` is not the one of a repository at ``path``. What is no text, the schema says."""
    if not isinstance(key, str) or not isinstance(path, str):
        return
    from mgit_hooks.changesets.shapes import repository_key  # the gate has no keys to look at

    right = repository_key(path)
    if key != right:
        yield Issue(
            "error",
            "REPOSITORY_KEY_MISMATCH",
            f"the key {key[:64]!r} is not the one of the repository's path, {right}",
            where,
            f"use {right}",
        )


def _own_key(changeset: Json) -> Iterator[Issue]:
    return wrong_key(changeset.get("repository_key"), changeset.get("repository_path"), "/repository_key")


class Rule(NamedTuple):
    kind: str
    level: str
    find: Callable[[Json], Iterator[Issue]]


# fmt: off
_TABLE = (
    Rule("file-change", "standard", _embedded_too_large),
    Rule("file-change", "standard", _content_hash),
    Rule("commit",      "standard", _in_commit(_embedded_too_large)),
    Rule("commit",      "standard", _in_commit(_content_hash)),
    Rule("changeset",   "basic",    _own_key),
    Rule("changeset",   "standard", _in_changeset(_embedded_too_large)),
    Rule("changeset",   "standard", _in_changeset(_content_hash)),
    Rule("changeset",   "strict",   _flags),
    Rule("changeset",   "strict",   _status),
)
# fmt: on
BY_KIND = {kind: tuple(rule for rule in _TABLE if rule.kind == kind) for kind in {rule.kind for rule in _TABLE}}
