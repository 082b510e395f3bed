"""What an erasure looks for: records by chain id, by commit, and whatever holds a secret. Pure."""

from __future__ import annotations

import json
from binascii import a2b_base64
from typing import Any, Final, NamedTuple

from mgit_hooks.journal.format import ChainId
from mgit_hooks.record import COMMIT_EVENTS, Json, Oid

PROTECTED: Final = ("erase", "repair", "checkpoint", "adopted")
"""Events that say how the chain came to be as it is: without them nobody could tell any more."""


# What the program itself puts there, of a few words: a text that is one of them is in every record.
_OURS: Final = frozenset(
    (
        "event", "source", "occurred_from", "status", "level", "change_type", "index_status", "worktree_status",
        "severity", "code", "action_type", "time",
    )
)  # fmt: skip


class Secret(NamedTuple):
    """What is looked for: as bytes, and as text where it is UTF-8."""

    raw: bytes
    text: str | None

    @classmethod
    def of(cls, raw: bytes) -> Secret:
        try:
            return cls(raw, raw.decode("utf-8"))
        except UnicodeDecodeError:
            return cls(raw, None)

    @property
    def is_plain(self) -> bool:
        """Whether it stands in JSON as it is, as far as no character is written by its number."""
        return self.raw.isascii() and self.raw.decode("ascii").isprintable() and not set(self.raw) & set(b'"\\/')

    def is_in(self, value: Any, name: str = "") -> bool:
        """Whether a text of the JSON ``value``, the member ``name`` of another, holds it, however deep.

        Names of members count where they are a ref's, as in a snapshot.
        """
        if isinstance(value, str):
            if name in _OURS:
                return False
            if self.text is not None and self.text in value:
                return True
            return name.endswith("_bytes") and self.raw in _decoded(value)
        if isinstance(value, dict):
            return any(("/" in key and self.is_in(key)) or self.is_in(each, key) for key, each in value.items())
        return isinstance(value, list) and any(self.is_in(each, name) for each in value)

    def is_in_bytes(self, data: bytes) -> bool:
        """Whether a text of ``data`` holds it; of what is no JSON object, whether ``data`` does."""
        if self.is_plain and self.raw not in data and b"\\u" not in data and b"_bytes" not in data:
            return False
        value = value_of(data)
        return self.is_in(value) if value else self.raw in data


def _decoded(text: str) -> bytes:
    try:
        return a2b_base64(text)
    except ValueError:
        return b""


class Wanted(NamedTuple):
    """What is to go: the records of these chain ids, those of these commits, and all that holds ``secret``."""

    ids: frozenset[bytes]
    commits: frozenset[Oid]
    secret: Secret | None

    def is_met_by(self, id: ChainId, payload: bytes) -> bool:
        if id in self.ids:
            return True
        value = value_of(payload)
        if value.get("event") in PROTECTED:
            return False
        return commit_of(value) in self.commits or (self.secret is not None and self.secret.is_in_bytes(payload))


def value_of(payload: bytes) -> Json:
    """A record's JSON; nothing where it is none."""
    try:
        value = json.loads(payload)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def commit_of(value: Json) -> Oid | None:
    """The commit that a record is about; of a minimal one (strategy fallback) that of what it stands for."""
    original = value.get("original")
    told = original if isinstance(original, dict) else value
    commit = told.get("commit")
    return commit.get("hash") if isinstance(commit, dict) and told.get("event") in COMMIT_EVENTS else None
