"""What git is about to do, as the record that it would become, as far as that can be known yet.

The JSON is that of ``log --json``, so that one rule judges both. What is not known yet is null and named
in ``unknown``; what is known but no rule asks for is null as well.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from mgit_hooks import dates
from mgit_hooks.errors import UsageError
from mgit_hooks.files import exists, open_to_read
from mgit_hooks.gatekeeper import messages, staged
from mgit_hooks.gatekeeper.commitmessage import amends
from mgit_hooks.gatekeeper.messages import MessageFile
from mgit_hooks.judging.rules import Rule, applies
from mgit_hooks.layout import Location
from mgit_hooks.record import FileChange, Json, Oid, Push, PushRef, readable
from mgit_hooks.recorder.event import PushLine, push_lines

COMMIT_STAGES = ("pre-commit", "pre-merge-commit", "commit-msg")
STAGES = (*COMMIT_STAGES, "pre-push")
CHECK = "check"
"""No hook of git's: somebody asks, about whatever is there. Nothing is written then, not even a tree."""

# Of every candidate: the journal and the drain say these, once it has happened.
LATER = frozenset(
    ("/seq", "/id", "/recorded_at", "/occurred_at", "/occurred_from", "/gate", "/validation", "/recovery",
     "/supersedes", "/replaces", "/commit/hash", "/commit/committer_date", "/push/confirmed", "/push/pusher")
)  # fmt: skip
# By these a schema looks at fields that it does not name.
_SWEEPING = ("$ref", "$dynamicRef", "additionalProperties", "unevaluatedProperties", "patternProperties", "const")


class Candidate(NamedTuple):
    stage: str
    events: tuple[str, ...]  # what it may turn out to be, the likeliest first
    value: Json
    unknown: frozenset[str]  # JSON pointers into value
    worktree: str
    head: Oid | None
    tree: Oid | None = None
    message_sha256: str | None = None
    with_facts: Json | None = None  # value and what only its maker could add for the rules; not for the record
    of_index: bool = False  # its tree is the index, as it is now
    message: MessageFile | None = None  # at commit-msg: the file that its message comes from

    @property
    def subject(self) -> str | None:
        message = (self.value.get("commit") or {}).get("message")
        return None if message is None else message.partition("\n")[0]


def from_commit(
    stage: str, arguments: Sequence[str], location: Location, rules: Iterable[Rule], process: Sequence[str] | None
) -> Candidate:
    """The commit that ``stage``, a hook of git's, was started for.

    ``process`` is the command line of that git, where the system tells it: by it alone can an amend be
    told from a commit. Raises ObjectError where git cannot say what is staged.
    """
    head = staged.head(location)
    events = possible_events(stage, location, process)
    asked = _Asked(rule for rule in rules if any(applies(rule, event) for event in events))
    parents: tuple[Oid, ...] | None = (head.oid,) if head.oid else ()
    if head.oid and process is not None and amends(process):
        parents = staged.parents_of(head.oid)
    base = parents[0] if parents else None
    if events == ("merge",) or _has(location, "MERGE_HEAD"):  # a rebase, too, may stop in a merge
        parents = _merged(location, head.oid) if stage == "commit-msg" else None
    commit: Json = {
        "hash": None,
        "parents": None if parents is None else list(parents),
        # At commit-msg, so that whoever matches the verdict later can tell what it was about.
        "tree": staged.tree() if stage == "commit-msg" or (stage != CHECK and not _under_git()) else None,
        **_people(asked),
        "message": None,
        "files": [change.to_json() for change in _files(base, asked)],
    }
    unknown = LATER | {f"/commit/{name}" for name in ("parents", "tree", "date", "message") if commit[name] is None}
    digest, message = None, None
    if stage == "commit-msg":
        if not arguments:
            raise UsageError("commit-msg is given a file with the message", "run it as git does: commit-msg FILE")
        message = messages.read(arguments[0], process)
        text, digest = message.fields()
        commit.update(text)
        unknown -= {"/commit/message"}
    value = envelope(events[0], location, head.branch, commit=commit, replaces=None)
    made = Candidate(stage, events, value, frozenset(unknown), location.worktree, head.oid, commit["tree"], digest)
    return made._replace(of_index=True, message=message)


def from_push(remote: str, url: str, lines: Sequence[PushLine], location: Location, rules: Iterable[Rule]) -> Candidate:
    """A push as pre-push is told of it."""
    from mgit_hooks import credentials

    asked = _Asked(rule for rule in rules if applies(rule, "push"))
    refs = tuple(
        PushRef(
            _text(line.local_ref),
            line.local_oid,
            _text(line.remote_ref) or "",
            line.remote_oid,
            _forced(line) if asked("forced", "dropped", "dropped_count") else None,
            line.local_oid is None,
        )
        for line in lines
    )
    push = Push(credentials.strip(_text(remote) or ""), credentials.strip(_text(url) or "") or None, refs, None)
    if asked("dropped", "dropped_count"):
        from mgit_hooks.recorder.remotes import Remotes

        push = Remotes(location.common_dir, staged.is_ancestor, os.environ).with_dropped(push)
    head = staged.head(location)
    value = envelope("push", location, head.branch, push=push.to_json())
    unknown = LATER | {f"/push/refs/{number}/confirmed" for number in range(len(refs))}
    return Candidate("pre-push", ("push",), value, unknown, location.worktree, head.oid)


def pushed(stdin: bytes) -> tuple[PushLine, ...]:
    """Raises UsageError where ``stdin`` is not what git gives pre-push."""
    try:
        return push_lines(os.fsdecode(stdin))
    except ValueError:
        raise UsageError("pre-push: the standard input is not git's", "run it from git push") from None


def envelope(event: str, location: Location, branch: str | None, **more: Any) -> Json:
    """What a candidate has in common with every record, and ``more``."""
    return {
        "seq": None,
        "id": None,
        "event": event,
        "source": "hook",
        "recorded_at": None,
        "occurred_at": None,
        "occurred_from": None,
        "repository_name": location.repository_name,
        "worktree": location.worktree,
        "branch": branch,
        "gate": None,
        "validation": None,
        "recovery": [],
        "supersedes": None,
        **more,
    }


class _Asked:
    """Which fields the rules look at."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self._schemas = [rule.schema for rule in rules]

    def __call__(self, *names: str) -> bool:
        return any(looks_at(schema, names) for schema in self._schemas)


def looks_at(schema: Any, names: Sequence[str]) -> bool:
    """Whether a schema names one of these fields, or looks at fields without naming them."""
    return _names(schema, (*names, *_SWEEPING))


def _names(schema: Any, names: Sequence[str]) -> bool:
    if isinstance(schema, Mapping):
        return any(
            (name in names and _is_wide(name, value)) or _names(value, names)
            for name, value in schema.items()
            if not name.startswith("x-")
        )
    if isinstance(schema, list):
        return any(each in names if isinstance(each, str) else _names(each, names) for each in schema)
    return False


def _is_wide(keyword: str, value: Any) -> bool:
    """Not "additionalProperties: false", which is about names alone, nor the const of one field."""
    return isinstance(value, (Mapping, list)) if keyword == "const" else not isinstance(value, bool)


def possible_events(stage: str, location: Location, process: Sequence[str] | None) -> tuple[str, ...]:
    """What the commit will be called, by git's state files (git-status(1), "in progress" states)."""
    if stage == "pre-merge-commit":
        return ("merge",)
    if any(_has(location, name) for name in ("rebase-merge", "rebase-apply")):
        return ("rebase", "amend", "commit")
    for name, event in (("MERGE_HEAD", "merge"), ("CHERRY_PICK_HEAD", "cherry-pick"), ("REVERT_HEAD", "revert")):
        if _has(location, name):
            return (event,)
    if process is None:
        return ("commit", "amend")
    return ("amend",) if amends(process) else ("commit",)


def _has(location: Location, name: str) -> bool:
    return exists(os.path.join(location.git_dir, name))


def parents(location: Location, head: Oid | None) -> list[Oid] | None:
    """What the next commit would stand on, if it does not amend; None where a merge's other heads cannot be read."""
    if _has(location, "MERGE_HEAD"):
        merged = _merged(location, head)
        return None if merged is None else list(merged)
    return [] if head is None else [head]


def _merged(location: Location, head: Oid | None) -> tuple[Oid, ...] | None:
    try:
        with open_to_read(os.path.join(location.git_dir, "MERGE_HEAD")) as file:
            others = tuple(map(Oid, file.read(1 << 20).decode("ascii").split()))
    except (OSError, UnicodeDecodeError):
        return None
    return (*((head,) if head else ()), *others)


def _under_git() -> bool:
    """git gives the hooks of a commit the index to look at; a hook manager run by hand has none."""
    return "GIT_INDEX_FILE" in os.environ


def _files(base: Oid | None, asked: _Asked) -> tuple[FileChange, ...]:
    counts = asked("additions", "deletions", "binary", "churn")
    return staged.files(base, counts=counts, sizes=asked("size_bytes"))


def _people(asked: _Asked) -> Json:
    author = staged.author()
    date = None
    if author.date is not None:
        seconds, _, offset = author.date.partition(" ")
        date = dates.from_git(int(seconds), dates.offset_minutes(offset))
    people: Json = {**_named("author_name", author.name), **_named("author_email", author.email), "date": date}
    people |= {"committer_name": None, "committer_email": None, "committer_date": None}
    if asked("committer_name", "committer_email"):
        committer = staged.committer()
        people |= {**_named("committer_name", committer.name), **_named("committer_email", committer.email)}
    return people


def _named(field: str, raw: bytes) -> Json:
    text, lossless = readable(raw)
    return {field: text} if lossless is None else {field: text, f"{field}_bytes": lossless}


def _forced(line: PushLine) -> bool | None:
    if line.local_oid is None or line.remote_oid is None:
        return False
    ancestor = staged.is_ancestor(line.remote_oid, line.local_oid)
    return None if ancestor is None else not ancestor


def _text(text: str | None) -> str | None:
    return None if text is None else readable(os.fsencode(text))[0]


def read_stdin() -> bytes:
    return b"" if sys.stdin is None or sys.stdin.isatty() else sys.stdin.buffer.read()
