"""Facts: what a rule's schema cannot look up for itself, put before it beside the record's own fields.

A fact is made where a rule that applies names it: ``{"properties": {"commit": {"properties": {"facts": …}}}}``.
Those that follow from the record alone are made here, wherever a rule is judged; for the others
(``gatekeeper.facts``) somebody has to have asked git before. What nobody could make is null and *unknown*, so that no
finding hangs on it: the message at pre-commit, a blob where there is only a record.

A fact that stands in the value already is left as it is: an example of a rule gives what it needs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from mgit_hooks.judging.trailerorder import misplaced
from mgit_hooks.judging.trailers import cut_line, from_subject, trailers
from mgit_hooks.record import Json

OF_COMMIT: Final = frozenset(
    ("subject", "body", "trailers", "scissors", "signed_off", "fixup", "additions", "deletions", "churn",
     "signature", "case_conflicts")
)  # fmt: skip
OF_FILE: Final = frozenset(("link_leaves_tree", "conflict_markers", "secrets"))
OF_REF: Final = frozenset(("commits", "merges"))
ALL: Final = OF_COMMIT | OF_FILE | OF_REF
_FIXUPS: Final = ("fixup", "squash", "amend")
# By these a schema looks at facts that it does not name.
_SWEEPING: Final = frozenset(
    ("$ref", "$dynamicRef", "additionalProperties", "unevaluatedProperties", "patternProperties", "propertyNames",
     "minProperties", "maxProperties", "dependentSchemas", "dependentRequired", "const", "enum")
)  # fmt: skip


_SAME_OBJECT: Final = frozenset(("allOf", "anyOf", "oneOf", "not", "if", "then", "else"))


class Told(NamedTuple):
    """A value with its facts, and JSON pointers to those that could not be made."""

    value: Json
    unknown: frozenset[str]


def named(schema: Any) -> frozenset[str]:
    """The facts that a schema looks at."""
    return frozenset(name for facts in _facts(schema) for name in _names(facts) if name in ALL or _is_order(name))


def followed(value: Json, names: frozenset[str]) -> Json:
    """``value`` with those of the facts ``names`` that follow from it; itself where none does."""
    commit = value.get("commit")
    if not isinstance(commit, dict) or not any(map(_maker, names)):
        return value
    facts = dict(commit.get("facts") or {})
    for name in names - facts.keys():
        make = _maker(name)
        if make is None:
            continue
        facts[name] = make(commit)
        if facts[name] is None and not _is_said(name, commit):
            del facts[name]
    return {**value, "commit": {**commit, "facts": facts}}


def _is_said(name: str, commit: Mapping[str, Any]) -> bool:
    """Whether null is the fact itself: no fixup."""
    return name == "fixup" and isinstance(commit.get("message"), str)


def made(value: Json, names: frozenset[str]) -> Told:
    """``value`` with those of the facts ``names`` that follow from it, and the rest of them null and unknown.

    ``value`` itself is left as it is; what of it has no facts is in both.
    """
    value = followed(value, names)
    unknown: list[str] = []
    told = dict(value)
    commit, push = value.get("commit"), value.get("push")
    if isinstance(commit, dict) and names - OF_REF:
        told["commit"] = _of_commit(commit, names, unknown)
    if isinstance(push, dict) and isinstance(push.get("refs"), list) and names & OF_REF:
        refs = [_with(ref, names & OF_REF, f"/push/refs/{n}", unknown) for n, ref in enumerate(push["refs"])]
        told["push"] = {**push, "refs": refs}
    return Told(told, frozenset(unknown))


def _of_commit(commit: Json, names: frozenset[str], unknown: list[str]) -> Json:
    facts = dict(commit.get("facts") or {})
    for name in sorted(names - OF_FILE - OF_REF - facts.keys()):
        facts[name] = None
        unknown.append(f"/commit/facts/{name}")
    told = {**commit, "facts": facts} if facts else dict(commit)
    if names & OF_FILE and isinstance(commit.get("files"), list):
        files = enumerate(commit["files"])
        told["files"] = [_with(file, names & OF_FILE, f"/commit/files/{n}", unknown) for n, file in files]
    return told


def _with(holder: Any, names: frozenset[str], place: str, unknown: list[str]) -> Any:
    """A file or a ref: none of its facts follows from a record."""
    if not isinstance(holder, dict):
        return holder
    facts = dict(holder.get("facts") or {})
    for name in sorted(names - facts.keys()):
        facts[name] = None
        unknown.append(f"{place}/facts/{name}")
    return {**holder, "facts": facts}


def subject(commit: Mapping[str, Any]) -> str | None:
    """The first line that is not blank; "" of an empty message, None where there is no message yet."""
    message = commit.get("message")
    return from_subject(message).partition("\n")[0].rstrip() if isinstance(message, str) else None


def body(commit: Mapping[str, Any]) -> list[str] | None:
    """The lines after the subject, trailers among them, less the blank ones before and behind."""
    message = commit.get("message")
    if not isinstance(message, str):
        return None
    lines = from_subject(message).partition("\n")[2].split("\n")
    full = [number for number, line in enumerate(lines) if line.strip()]
    return lines[full[0] : full[-1] + 1] if full else []


def _trailers(commit: Mapping[str, Any]) -> list[Json] | None:
    message = commit.get("message")
    return [each._asdict() for each in trailers(message)] if isinstance(message, str) else None


def _scissors(commit: Mapping[str, Any]) -> bool | None:
    message = commit.get("message")
    return cut_line(message) is not None if isinstance(message, str) else None


def _signed_off(commit: Mapping[str, Any]) -> bool | None:
    """Whether the author has signed off: by a trailer with the author's address, in whatever case."""
    message, email = commit.get("message"), commit.get("author_email")
    if not isinstance(message, str) or not isinstance(email, str):
        return None
    wanted = f"<{email.casefold()}>"
    return any(
        each.key.casefold() == "signed-off-by" and each.value.casefold().endswith(wanted) and each.value[0] != "<"
        for each in trailers(message)
    )


def _fixup(commit: Mapping[str, Any]) -> str | None:
    """What ``git rebase --autosquash`` would do with it: fixup, squash or amend; None: nothing (or no message)."""
    text = subject(commit) or ""
    return next((name for name in _FIXUPS if text.startswith(f"{name}! ")), None)


def _counted(*fields: str) -> Callable[[Mapping[str, Any]], int | None]:
    def count(commit: Mapping[str, Any]) -> int | None:
        """Lines of text; None where some file's were not counted."""
        files = commit.get("files")
        if not isinstance(files, list):
            return None
        counts = [file.get(field) for file in files if file.get("binary") is not True for field in fields]
        return None if None in counts else sum(counts)

    return count


_FOLLOWING: Final[Mapping[str, Callable[[Mapping[str, Any]], Any]]] = {
    "subject": subject,
    "body": body,
    "trailers": _trailers,
    "scissors": _scissors,
    "signed_off": _signed_off,
    "fixup": _fixup,
    "additions": _counted("additions"),
    "deletions": _counted("deletions"),
    "churn": _counted("additions", "deletions"),
}


def _is_order(name: str) -> bool:
    """Whether it is ``misplaced(KEY, KEY)``: a fact with the order in its name, which a rule gives it."""
    return name.startswith("misplaced(") and name.endswith(")")


def _maker(name: str) -> Callable[[Mapping[str, Any]], Any] | None:
    return _misplaced(name) if _is_order(name) else _FOLLOWING.get(name)


def _misplaced(name: str) -> Callable[[Mapping[str, Any]], list[str] | None]:
    order = name[len("misplaced(") : -1].split(", ")

    def find(commit: Mapping[str, Any]) -> list[str] | None:
        """The keys of trailers that stand behind one that they belong before."""
        message = commit.get("message")
        return misplaced(trailers(message), order) if isinstance(message, str) else None

    return find


def _facts(schema: Any) -> Iterator[Any]:
    """What ``schema`` says of each ``facts``, wherever it says it."""
    if isinstance(schema, list):
        for each in schema:
            yield from _facts(each)
    elif isinstance(schema, dict):
        for name, each in schema.items():
            if name == "facts":
                yield each
            yield from _facts(each)


def _names(schema: Any) -> Iterator[str]:
    """The fields that the schema of an object looks at, and maybe some texts more."""
    if not isinstance(schema, dict):
        return
    yield from schema.get("properties", ())
    yield from schema.get("required", ())
    if any(not isinstance(schema[name], bool) for name in _SWEEPING & schema.keys()):
        yield from ALL
    for name in _SAME_OBJECT & schema.keys():
        for each in schema[name] if isinstance(schema[name], list) else (schema[name],):
            yield from _names(each)
