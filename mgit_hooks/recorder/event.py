"""What a hook said: one line of the spool, taken apart. The stubs in hooks/ write what is read here.

The line's form is in docs/decisions/0001-architecture.md.
"""

from __future__ import annotations

import json
from typing import NamedTuple

from mgit_hooks.record import Issue, Json, Oid
from mgit_hooks.recorder.line import joined

_FIELD_COUNT = {
    "post-commit": 0, "post-applypatch": 0, "post-merge": 1, "post-rewrite": 2, "post-checkout": 3,
    "pre-push": 3, "skip": 2, "gate": 1, "stopped": 1, "reference-transaction": 1,
    "pre-receive": 2, "post-receive": 2,
}  # fmt: skip
# What the stub saw of git's state files, in a field more than older stubs wrote.
_DOING = {"post-commit": ("own", "pick", "ungated"), "post-merge": ("merge", "ff", "ungated")}


class Process(NamedTuple):
    """A process of git's: its id comes around again, its id and start together do not."""

    pid: int
    started: int | None = None  # field 22 of /proc/PID/stat; None where there is no /proc, and in older lines


class HookEvent(NamedTuple):
    """One spool line. ``fields`` are decoded; a standard input that stands elsewhere begins with ``@``."""

    hook: str
    ppid: int  # the git process that the hook ran under
    flag: str  # a: armed, o: open, u: unknown
    worktree: str
    head: Oid | None
    fields: tuple[str, ...]
    started: int | None = None  # of that process

    @property
    def process(self) -> Process:
        return Process(self.ppid, self.started)

    @property
    def doing(self) -> str | None:
        """``own`` (the user's commit) or ``pick`` (git's, for which it runs no gate) at post-commit, ``merge`` or
        ``ff`` (no commit of its own) at post-merge, ``ungated`` for ``own`` and ``merge`` where no gate hook of ours
        was in place; None where an older stub did not say.
        """
        found = self.fields[_FIELD_COUNT[self.hook] :] if self.hook in _DOING else ()
        return found[0] if found else None


class PushLine(NamedTuple):
    local_ref: str | None
    local_oid: Oid | None
    remote_ref: str
    remote_oid: Oid | None


class Transacted(NamedTuple):
    """A ref that a transaction of git's has moved. ``old_oid`` None: it was not there, or git does not say."""

    ref: str
    old_oid: Oid | None
    new_oid: Oid | None


class Verdict(NamedTuple):
    """What a gate said, in a spool line that it synced before git went on."""

    stage: str
    status: str  # passed | refused | skipped
    reason: str | None
    tree: Oid | None
    message_sha256: str | None
    level: str
    issues: tuple[Issue, ...]
    detail: Json
    parents: tuple[Oid, ...] | None = None  # that the commit was to have; older lines do not say

    def to_json(self) -> Json:
        return {**self._asdict(), "issues": [issue.to_json() for issue in self.issues]}

    @classmethod
    def from_json(cls, value: Json) -> Verdict:
        parents = value.get("parents")
        read = {
            "issues": tuple(map(Issue.from_json, value["issues"])),
            "parents": None if parents is None else tuple(parents),
        }
        return cls(**{**value, **read})


def parse(line: bytes) -> HookEvent:
    """The event of one line without its newline; ValueError where it is none of ours."""
    if b"\0" in line:  # no hook can say that: bytes that a power cut kept from the disk
        raise ValueError("not a line of the spool")
    version, hook, git, flag, worktree, head, *fields = line.decode("utf-8", "surrogateescape").split("\t")
    more = fields[_FIELD_COUNT.get(hook, len(fields) + 1) :]
    if version != "1" or flag not in ("a", "o", "u") or len(fields) - len(more) != _FIELD_COUNT.get(hook):
        raise ValueError("not a line of the spool")
    if len(more) > 1 or (more and more[0] not in _DOING.get(hook, ())):
        raise ValueError("not a line of the spool")
    pid, started = process(git)
    return HookEvent(hook, pid, flag, worktree, oid(head), tuple(map(decode, fields)), started)


def process(text: str) -> Process:
    """The process that ``PID.STARTED`` or ``PID`` names; ValueError where it names none."""
    pid, dot, started = text.partition(".")
    return Process(int(pid), int(started) if dot else None)


def check(said: HookEvent) -> None:
    """Raises ValueError where the payload cannot be taken for what its hook says."""
    try:
        if said.hook == "pre-push":
            push_lines(said.fields[2])
        elif said.hook == "post-rewrite":
            rewrite_pairs(said.fields[1])
        elif said.hook == "reference-transaction":
            transacted(said.fields[0])
        elif said.hook in ("pre-receive", "post-receive"):
            received(said.fields[1])
        elif said.hook == "gate":
            verdict(said)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError("not a verdict") from error


def format(event: HookEvent) -> bytes:
    git = str(event.ppid) if event.started is None else f"{event.ppid}.{event.started}"
    return joined(event.hook, git, event.flag, event.worktree, event.head, event.fields)


def decode(text: str) -> str:
    return text.replace("%0A", "\n").replace("%09", "\t").replace("%25", "%")


def oid(text: str) -> Oid | None:
    """An object id, or None for ``-``, for nothing and for git's all-zero id; ValueError for what is neither."""
    if text in ("", "-") or not text.strip("0"):
        return None
    if len(text) not in (40, 64) or text.strip("0123456789abcdef"):
        raise ValueError(f"not an object id: {text}")
    return Oid(text)


def push_lines(stdin: str) -> tuple[PushLine, ...]:
    """The refs of a push. Raises ValueError for a line that git does not write.

    The local ref may be any expression, spaces included (``HEAD^{/fix it}``): read from the right.
    """
    lines = []
    for line in filter(None, stdin.split("\n")):  # a ref's name may hold what else ends a line in Unicode
        local_ref, local_oid, remote_ref, remote_oid = line.rsplit(" ", 3)
        lines.append(
            PushLine(None if local_ref == "(delete)" else local_ref, oid(local_oid), remote_ref, oid(remote_oid))
        )
    return tuple(lines)


def received(stdin: str) -> tuple[PushLine, ...]:
    """The refs of a push to this repository, as pre-receive and post-receive are told: old, new, ref.

    Raises ValueError for a line that git does not write.
    """
    lines = []
    for line in filter(None, stdin.split("\n")):
        old, new, ref = line.split(" ", 2)
        lines.append(PushLine(None, oid(new), ref, oid(old)))
    return tuple(lines)


def rewrite_pairs(stdin: str) -> tuple[tuple[Oid, Oid], ...]:
    """post-rewrite's (old, new) pairs; what follows the second id on a line is git's to use.

    Raises ValueError for a line that git does not write.
    """
    pairs = []
    for line in filter(None, stdin.split("\n")):
        old, new = map(oid, line.split(" ")[:2])
        if old is None or new is None:
            raise ValueError("a rewrite from or to nothing")
        pairs.append((old, new))
    return tuple(pairs)


def transacted(stdin: str) -> tuple[Transacted, ...]:
    """What a committed transaction moved, as git tells reference-transaction: refs that are recorded, and HEAD.

    A symbolic ref that was set to another name (``ref:NAME`` in place of an id, from git 2.46 on) is not among them.
    Raises ValueError for a line that git does not write.
    """
    moved = []
    for line in filter(None, stdin.split("\n")):
        old, new, ref = line.split(" ", 2)
        recorded = ref == "HEAD" or (ref.startswith("refs/") and not ref.startswith("refs/mgit/"))
        if recorded and not old.startswith("ref:") and not new.startswith("ref:"):
            moved.append(Transacted(ref, oid(old), oid(new)))
    return tuple(moved)


def verdict(event: HookEvent) -> Verdict:
    return Verdict.from_json(json.loads(event.fields[0]))
