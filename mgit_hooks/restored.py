"""A lost record that a copy of the journal gives back: as it was, but for what says that it is one. Pure.

It is a record of its own, with a new number. Event and all fields are the original's; ``source`` is ``rebuilt``,
``supersedes`` names the number that was lost, and the last action of ``recovery`` says from which copy it comes, and
what the original had in those two places.
"""

from __future__ import annotations

import json
from typing import Any, Final, NamedTuple

from mgit_hooks.encoding import encode_json
from mgit_hooks.record import Action, Json

ACTION: Final = "restored"
# How a payload that holds such an action looks, to whoever reads a million of them.
MARK: Final = b'"action_type":"restored"'


class Origin(NamedTuple):
    """What a restored record is the record of: the number that was lost, and what that one superseded."""

    seq: int
    supersedes: int | None


class Evidence(NamedTuple):
    """Where a record was found, and what shows that it is the very one.

    ``proof`` is the seq whose chain id the journal still has and the copy has too: nothing between can differ.
    Where that is a seq before the record, the copy begins as the journal did, and ends before what is left of it.
    """

    copy: str
    sha256: str | None
    seq: int
    id: str
    proof: int


def payload(original: bytes, evidence: Evidence) -> bytes | None:
    """The payload of the restored record; None where ``original`` is no record's."""
    try:
        value: Any = json.loads(original)
        recovery = [*value["recovery"]]
        before = {"source": value["source"], "supersedes": value["supersedes"]}
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    words = f"record {evidence.seq} was lost, and is in {evidence.copy} under the id {evidence.id}"
    context = {**evidence._asdict(), **before}
    recovery.append(Action(ACTION, words, True, None, context).to_json())
    return encode_json({**value, "source": "rebuilt", "recovery": recovery, "supersedes": evidence.seq})


def origin(value: Json) -> Origin | None:
    """What a record's JSON is the copy of; None where it is an original. Of a copy of a copy: the first one's."""
    for seq in _told(value):
        return seq
    return None


def origins(value: Json) -> list[int]:
    """Every number under which a restored record was on file before, oldest first."""
    return [each.seq for each in _told(value)]


def _told(value: Json) -> list[Origin]:
    if value.get("source") != "rebuilt":
        return []
    found = []
    for action in value.get("recovery") or ():
        context = action.get("data_context") if isinstance(action, dict) else None
        if context and action.get("action_type") == ACTION and isinstance(context.get("seq"), int):
            supersedes = context.get("supersedes")
            found.append(Origin(context["seq"], supersedes if isinstance(supersedes, int) else None))
    return found
