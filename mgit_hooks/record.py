"""What is recorded: immutable values for the program, plain JSON objects for the disk and other tools.

The JSON shape is a contract (docs/records.md): ``log --json``, ``export``, the rules of a policy and
the journal's payloads all use it. ``to_json`` and ``from_json`` stand beside each type; nothing else
converts. ``encoding`` makes bytes of it. A value that was not looked at is None, never a guess.

Text from a repository may be any bytes. Each readable text is valid Unicode (undecodable bytes become
U+FFFD); where that lost something, a sibling key ``<name>_bytes`` holds the original as base64.
"""

from __future__ import annotations

from binascii import b2a_base64
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, NewType

Json = dict[str, Any]
Oid = NewType("Oid", str)
"""An object id in full hexadecimal, lower case. A zero id is not an id: it is None."""
Seq = NewType("Seq", int)
"""A record's place in the journal, from 1, without gaps."""

COMMIT_EVENTS = frozenset(("commit", "amend", "merge", "rebase", "cherry-pick", "revert", "am", "import", "rebuilt"))
EVENTS = COMMIT_EVENTS | frozenset(
    (
        "push", "push-outcome", "checkout", "ref-update", "refused", "skipped", "snapshot", "repair",
        "checkpoint", "erase", "adopted",
    )
)  # fmt: skip
SOURCES = frozenset(("hook", "framework", "reconcile", "backfill", "fetch", "rebuilt"))


class Issue(NamedTuple):
    """One thing that validation found; callers decide what follows from it."""

    severity: str  # info | warning | error | critical
    code: str
    message: str
    field_path: str  # a JSON pointer into what was validated; "" is all of it
    suggested_fix: str | None = None
    data_context: Json | None = None

    def to_json(self) -> Json:
        return self._asdict()

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Issue:
        return cls._make(value.get(name) for name in cls._fields)


class Validation(NamedTuple):
    level: str  # basic | standard | strict
    is_valid: bool  # no error and no critical among the issues
    issues: tuple[Issue, ...] = ()

    def to_json(self) -> Json:
        return {
            "level": self.level,
            "is_valid": self.is_valid,
            "issues": [issue.to_json() for issue in self.issues],
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Validation:
        return cls(value["level"], value["is_valid"], tuple(map(Issue.from_json, value["issues"])))


class Action(NamedTuple):
    """One step that recovery took, or tried to take."""

    action_type: str
    description: str
    success: bool
    error: str | None = None
    data_context: Json | None = None

    def to_json(self) -> Json:
        return self._asdict()

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Action:
        return cls._make(value.get(name) for name in cls._fields)


class Repaired(NamedTuple):
    """What the gate did to a commit's message, before git took it."""

    rule: str
    repair: str
    what: str  # in words

    def to_json(self) -> Json:
        return self._asdict()

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Repaired:
        return cls._make(value[name] for name in cls._fields)


class Gate(NamedTuple):
    status: str  # passed | refused | skipped | bypassed | unobserved | none
    reason: str | None = None
    repaired: tuple[Repaired, ...] = ()
    original_message: str | None = None  # where it was repaired: as git would have stored it

    def to_json(self) -> Json:
        value: Json = {"status": self.status, "reason": self.reason}
        if self.repaired:
            value["repaired"] = [each.to_json() for each in self.repaired]
            value["original_message"] = self.original_message
        return value

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Gate:
        repaired = tuple(map(Repaired.from_json, value.get("repaired", ())))
        return cls(value["status"], value["reason"], repaired, value.get("original_message"))


class FileChange(NamedTuple):
    """One file of a commit, against its first parent.

    Modes are git's six octal digits; sizes are bytes of the new blob; additions and deletions are
    lines, None for binary files, as ``git log --numstat`` counts them.
    """

    filename: str
    old_filename: str | None
    change_type: str  # added | modified | deleted | renamed | copied | untracked | unknown | typechange
    index_status: str
    worktree_status: str
    old_mode: str | None
    new_mode: str | None
    old_oid: Oid | None
    new_oid: Oid | None
    size_bytes: int | None
    additions: int | None
    deletions: int | None
    binary: bool | None
    filename_bytes: str | None = None
    old_filename_bytes: str | None = None

    def to_json(self) -> Json:
        # ``_asdict`` takes twice as long, and there is one of these for each file of each commit.
        value: Json = {
            "filename": self.filename,
            "old_filename": self.old_filename,
            "change_type": self.change_type,
            "index_status": self.index_status,
            "worktree_status": self.worktree_status,
            "old_mode": self.old_mode,
            "new_mode": self.new_mode,
            "old_oid": self.old_oid,
            "new_oid": self.new_oid,
            "size_bytes": self.size_bytes,
            "additions": self.additions,
            "deletions": self.deletions,
            "binary": self.binary,
        }
        if self.filename_bytes is not None:
            value["filename_bytes"] = self.filename_bytes
        if self.old_filename_bytes is not None:
            value["old_filename_bytes"] = self.old_filename_bytes
        return value

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> FileChange:
        return cls._make(value.get(name) for name in cls._fields)


class Commit(NamedTuple):
    """A commit as git's objects tell it. ``files`` is None where the trees could not be read.

    ``missing`` names objects that git should have and has not; ``boundary`` says that the parents
    are cut off (a shallow clone), so that ``files`` was not compared with them.
    """

    hash: Oid
    parents: tuple[Oid, ...]
    tree: Oid
    author_name: str
    author_email: str
    date: str  # ISO 8601 with the author's offset; git's "@seconds offset" where that cannot hold it
    committer_name: str
    committer_email: str
    committer_date: str
    message: str
    files: tuple[FileChange, ...] | None
    missing: tuple[Oid, ...] | None = None
    boundary: bool | None = None
    encoding: str | None = None
    author_name_bytes: str | None = None
    author_email_bytes: str | None = None
    committer_name_bytes: str | None = None
    committer_email_bytes: str | None = None
    message_bytes: str | None = None

    def to_json(self) -> Json:
        value: Json = {
            "hash": self.hash,
            "parents": list(self.parents),
            "tree": self.tree,
            "author_name": self.author_name,
            "author_email": self.author_email,
            "date": self.date,
            "committer_name": self.committer_name,
            "committer_email": self.committer_email,
            "committer_date": self.committer_date,
            "message": self.message,
            "files": None if self.files is None else [change.to_json() for change in self.files],
        }
        for name, optional in zip(_COMMIT_OPTIONAL, self[-len(_COMMIT_OPTIONAL) :], strict=True):
            if optional is not None:
                value[name] = optional
        if self.missing is not None:
            value["missing"] = list(self.missing)
        return value

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Commit:
        fields: Json = {name: value.get(name) for name in cls._fields}
        fields["parents"] = tuple(value["parents"])
        if value["files"] is not None:
            fields["files"] = tuple(map(FileChange.from_json, value["files"]))
        if fields["missing"] is not None:
            fields["missing"] = tuple(value["missing"])
        return cls(**fields)


_COMMIT_OPTIONAL = tuple(Commit._field_defaults)


class RefMovement(NamedTuple):
    """A ref (or HEAD) that went from one object to another. ``reason`` is the reflog's message.

    ``ordinal`` counts, from 1, what would else be one and the same: the same ref going between the same
    objects in the same second again. It is absent for the first.
    """

    name: str
    old_oid: Oid | None
    new_oid: Oid | None
    reason: str | None
    ordinal: int | None = None

    def to_json(self) -> Json:
        return without_absent(self._asdict(), "ordinal")

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> RefMovement:
        return cls._make(value.get(name) for name in cls._fields)


class PushRef(NamedTuple):
    local_ref: str | None
    local_oid: Oid | None
    remote_ref: str
    remote_oid: Oid | None
    forced: bool | None  # None where the remote's commit is not here to compare with
    deleted: bool
    confirmed: bool | None = None  # False: git ended, and the remote-tracking ref did not move; None: nothing tells
    dropped: tuple[Oid, ...] | None = None  # what the remote's ref led to and no longer does, newest first
    dropped_count: int | None = None  # of all of those: the first ones are named

    def to_json(self) -> Json:
        return {**self._asdict(), "dropped": None if self.dropped is None else list(self.dropped)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> PushRef:
        ref = cls._make(value.get(name) for name in cls._fields)
        return ref if ref.dropped is None else ref._replace(dropped=tuple(ref.dropped))


class Push(NamedTuple):
    remote_name: str
    remote_url: str | None  # credentials stripped
    refs: tuple[PushRef, ...]
    confirmed: bool | None  # what all of its refs are; None where they differ
    pusher: str | None = None  # on a server: who pushed, as its environment says

    def to_json(self) -> Json:
        return {**self._asdict(), "refs": [ref.to_json() for ref in self.refs]}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Push:
        return cls(
            value["remote_name"],
            value["remote_url"],
            tuple(map(PushRef.from_json, value["refs"])),
            value["confirmed"],
            value.get("pusher"),
        )


class Record(NamedTuple):
    """One line of the journal. ``seq`` and ``id`` are the journal's to give: None until appended."""

    event: str
    source: str
    recorded_at: str  # ISO 8601, UTC
    occurred_at: str | None
    occurred_from: str | None  # reflog | hook | commit: where occurred_at comes from; a claim, not a proof
    repository_name: str
    worktree: str | None  # "main-worktree" or "worktrees/NAME", as git names their refs
    branch: str | None
    gate: Gate
    validation: Validation
    recovery: tuple[Action, ...] = ()
    supersedes: Seq | None = None
    commit: Commit | None = None
    replaces: tuple[Oid, ...] | None = None
    push: Push | None = None
    refs: tuple[RefMovement, ...] | None = None
    detail: Json | None = None  # what the events without a shape of their own have to say
    original: Json | None = None  # under strategy fallback: what the minimal changeset stands for
    seq: Seq | None = None
    id: str | None = None

    def to_json(self) -> Json:
        """The line of ``log --json``."""
        return {"seq": self.seq, "id": self.id, **self.payload()}

    def payload(self) -> Json:
        """What the journal stores and the chain covers: everything but seq and id."""
        value: Json = {
            "event": self.event,
            "source": self.source,
            "recorded_at": self.recorded_at,
            "occurred_at": self.occurred_at,
            "occurred_from": self.occurred_from,
            "repository_name": self.repository_name,
            "worktree": self.worktree,
            "branch": self.branch,
            "gate": self.gate.to_json(),
            "validation": self.validation.to_json(),
            "recovery": [action.to_json() for action in self.recovery],
            "supersedes": self.supersedes,
        }
        if self.commit is not None:
            value["commit"] = self.commit.to_json()
        if self.event in COMMIT_EVENTS:
            value["replaces"] = None if self.replaces is None else list(self.replaces)
        if self.push is not None:
            value["push"] = self.push.to_json()
        if self.refs is not None:
            value["refs"] = [movement.to_json() for movement in self.refs]
        if self.detail is not None:
            value["detail"] = self.detail
        if self.original is not None:
            value["original"] = self.original
        return value

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Record:
        fields: Json = {name: value.get(name) for name in cls._fields}
        fields["gate"] = Gate.from_json(value["gate"])
        fields["validation"] = Validation.from_json(value["validation"])
        fields["recovery"] = tuple(map(Action.from_json, value["recovery"]))
        if fields["commit"] is not None:
            fields["commit"] = Commit.from_json(value["commit"])
        if fields["replaces"] is not None:
            fields["replaces"] = tuple(value["replaces"])
        if fields["push"] is not None:
            fields["push"] = Push.from_json(value["push"])
        if fields["refs"] is not None:
            fields["refs"] = tuple(map(RefMovement.from_json, value["refs"]))
        return cls(**fields)


def readable(raw: bytes) -> tuple[str, str | None]:
    """The text of ``raw`` for people, and ``raw`` as base64 where that text does not tell it all."""
    try:
        return raw.decode("utf-8"), None
    except UnicodeDecodeError:
        return raw.decode("utf-8", "replace"), b2a_base64(raw, newline=False).decode("ascii")


def without_absent(value: Json, *names: str) -> Json:
    """``value`` less those of ``names`` whose value is None."""
    for name in names:
        if value[name] is None:
            del value[name]
    return value


def is_valid(issues: Iterable[Issue]) -> bool:
    return not any(issue.severity in ("error", "critical") for issue in issues)
