"""Did the gate run in the very git process that made a commit, on this tree, and what did it say?

A verdict belongs to the git process that its hook ran under, never to an object id or to what a reflog claims: the
same process runs pre-commit, commit-msg and post-commit of one commit. Whether git was to run a gate at all, the stub
of post-commit has seen from git's state files, and says in its line.
"""

from __future__ import annotations

from binascii import a2b_base64
from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Final, NamedTuple

from mgit_hooks.record import Commit, Gate, Oid, Repaired
from mgit_hooks.recorder.event import HookEvent, Process, Verdict, rewrite_pairs, verdict

# git itself runs no gate hook for these, unless the user edits or continues one
_PICKS: Final = ("rebase", "cherry-pick", "revert", "am")
_LAST: Final = "commit-msg"
NO_HOOK: Final = Gate("unobserved", "no hook ran")


class _Made(NamedTuple):
    """A hook that ran after a commit, and what the gate had said in its process."""

    line: HookEvent
    said: HookEvent | None  # the last verdict under its process id: commit-msg's, where that ran
    certain: bool  # that it is one process, and not another one that was given the same id
    before: tuple[HookEvent, ...] = ()  # what had been said there before that, the newest first


class Ledger:
    """What the gate said, in the lines of one drain and those held over, in the order in which they were written."""

    def __init__(self, lines: Sequence[HookEvent]) -> None:
        self._made: dict[Oid, list[_Made]] = {}
        self._remade: set[tuple[Process, Oid]] = set()
        self._open: dict[int, list[HookEvent]] = {}
        self._pushes: dict[int, HookEvent] = {}
        self._push_verdicts: dict[HookEvent, Verdict] = {}
        self._stopped: set[HookEvent] = set()
        self._skipping: set[Process] = set()
        self._refused: set[tuple[Process, str]] = set()
        self._repeated: set[int] = set()  # by identity: two processes may have said the very same
        for said in lines:
            self._take(said)

    def _take(self, said: HookEvent) -> None:
        if said.hook in ("gate", "skip"):
            found = verdict_of(said)
            if found.status == "skipped":
                self._skip(said)
            elif found.status == "refused":
                self._refuse(said, found.stage)
            if found.stage == "pre-receive":
                return  # no process that serves a push makes commits (mgit_hooks.recorder.receiving)
            if found.stage != "pre-push":
                self._open.setdefault(said.ppid, []).append(said)
            elif (push := self._push_of(said)) is not None and not self._is_refused(push):  # by another project
                self._push_verdicts[push] = found
        elif said.hook == "pre-push":
            self._pushes[said.ppid] = said
        elif said.hook == "stopped":
            if (push := self._push_of(said)) is not None:
                self._stopped.add(push)
        elif said.hook == "post-rewrite":
            # An amend of the same second that changes nothing makes the commit that was there before.
            self._remade |= {(said.process, new) for old, new in rewrite_pairs(said.fields[1]) if old == new}
        elif _follows_commit(said):
            self._skipping.discard(said.process)
            made = self._made_after(said)
            if said.head is not None:
                self._made.setdefault(said.head, []).append(made)

    def _skip(self, said: HookEvent) -> None:
        """pre-commit and commit-msg of one git process are each skipped: that is one skip to tell."""
        if said.process in self._skipping:
            self._repeated.add(id(said))
        elif said.ppid:
            self._skipping.add(said.process)

    def _refuse(self, said: HookEvent, stage: str) -> None:
        """A hook manager with two projects, or one beside our stub, has one hook of git's judged twice. Without a time
        of its start a process may be another one, which refused another commit."""
        if said.started is not None and (said.process, stage) in self._refused:
            self._repeated.add(id(said))
        self._refused.add((said.process, stage))

    def is_first(self, said: HookEvent) -> bool:
        """Whether a skip is the first of its git process for one commit, or a refusal that of its stage."""
        return id(said) not in self._repeated

    def _push_of(self, said: HookEvent) -> HookEvent | None:
        push = self._pushes.get(said.ppid)
        return push if push is not None and _may_be_one(push.process, said.process) else None

    def _made_after(self, line: HookEvent) -> _Made:
        """By what was said under this process id since its last commit, by another process for certain left out."""
        waiting = [said for said in self._open.pop(line.ppid, []) if _may_be_one(said.process, line.process)]
        if not waiting:
            return _Made(line, None, certain=True)
        certain = line.started is not None and waiting[-1].started is not None
        return _Made(line, waiting[-1], certain, tuple(waiting[-2::-1]))

    def waiting(self, alive: frozenset[Process]) -> tuple[HookEvent, ...]:
        """Verdicts whose commit, and pushes whose verdict, may still come: their process lives."""
        verdicts = (said for waiting in self._open.values() for said in waiting if said.process in alive)
        return (*verdicts, *(push for push in self._pushes.values() if push.process in alive and self._awaits(push)))

    def _awaits(self, push: HookEvent) -> bool:
        return push.flag != "o" and push not in self._push_verdicts and push not in self._stopped

    def commit(
        self, commit: Commit, event: str, replaced: Iterable[Oid], armed: bool, claimed: str | None = None
    ) -> Gate:
        """What the gate said of this very commit, in the process that made it.

        ``event`` is what made it, and ``claimed`` what of that the reflog says; ``replaced`` the commits whose place it
        took, as post-rewrite told; ``armed`` whether the policy arms the gate now, for lines whose stub could not tell.
        """
        made = self._made_it(commit, event)
        if made is None:
            # A rebase may take what was there before for what it made of a commit that it dropped.
            if (claimed or event) == "rebase":
                # In the one case in which our stub keeps silent, git runs no gate.
                return Gate("none", f"git runs no gate for {event}")
            return NO_HOOK
        if made.said is None or (made.said.hook == "skip" and made.said.flag == "u" and not armed):
            return _without(made.line, event, armed)
        return _by(made, verdict_of(made.said), commit, frozenset(replaced), armed)

    def _made_it(self, commit: Commit, event: str) -> _Made | None:
        found = [made for made in self._made.get(commit.hash, ()) if event == "merge" or _names_its_commit(made.line)]
        first = [made for made in found if (made.line.process, commit.hash) not in self._remade] or found
        # HEAD may have moved on before a hook came to read it: then two lines name this commit, and the verdict
        # of one is on another.
        fitting = (made for made in first if made.said is None or _is_on(verdict_of(made.said), commit))
        return next(fitting, first[0] if first else None)

    def stops(self, said: HookEvent) -> bool:
        """Whether a hook stopped a push, ours or another one: git never went to the remote."""
        return said in self._stopped or self._is_refused(said)

    def _is_refused(self, push: HookEvent) -> bool:
        found = self._push_verdicts.get(push)
        return found is not None and found.status == "refused"

    def push(self, said: HookEvent, armed: bool) -> Gate:
        """What the gate said of a push."""
        found = self._push_verdicts.get(said)
        if found is not None:
            return Gate(found.status, found.reason)
        if said in self._stopped:
            return Gate("none", "another pre-push hook refused before the gate was asked")
        if said.flag == "o" or (said.flag == "u" and not armed):
            return Gate("none", "not armed")
        # Attempt and gate are one hook: --no-verify leaves out both. What is here began, and came to no verdict.
        return Gate("unobserved", "pre-push began, and its gate came to no verdict: it failed or was stopped")


def unseen_push(armed: bool) -> Gate:
    """Of a push that only the remote-tracking ref tells of: git logs there what it pushed, and so does libgit2."""
    if not armed:
        return Gate("none", "not armed")
    return Gate("unobserved", "no pre-push hook ran: --no-verify, another core.hooksPath, a program without hooks")


def verdict_of(said: HookEvent) -> Verdict:
    """The verdict that a line of the hooks ``gate`` and ``skip`` carries."""
    if said.hook == "gate":
        return verdict(said)
    stage, reason = said.fields
    return Verdict(stage, "skipped", reason or "MGIT=0", None, None, "standard", (), {})


def _follows_commit(said: HookEvent) -> bool:
    """Whether git ran this hook after it had made a commit, as far as the line alone tells."""
    if said.hook == "post-merge":
        return said.fields[0] != "1" and said.doing != "ff"
    return said.hook in ("post-commit", "post-applypatch")


def _names_its_commit(said: HookEvent) -> bool:
    """An older stub's post-merge does not tell a merge from a fast-forward to somebody else's commit."""
    return said.hook != "post-merge" or said.doing is not None


def _may_be_one(one: Process, other: Process) -> bool:
    unknown = one.started is None or other.started is None
    return one.pid == other.pid and (unknown or one.started == other.started)


def _by(made: _Made, found: Verdict, commit: Commit, replaced: frozenset[Oid], armed: bool) -> Gate:
    """The state of a commit before whose making ``found`` had been said under the same process id.

    Where the system does not tell the gate that git amends, it takes the commit to be ``replaced`` for the parent.
    """
    same_message = found.message_sha256 is None or found.message_sha256 == _message_sha256(commit)
    same_parents = found.parents in (None, commit.parents) or not replaced.isdisjoint(found.parents or ())
    if not made.certain:
        if found.stage != _LAST or not same_parents:
            return _without(made.line, "commit", armed)  # another process of the same id: this one gave no verdict
        if not same_message:
            return Gate("unobserved", "a verdict under this process id was on another message")
    if found.tree is not None and found.tree != commit.tree:
        return Gate("unobserved", f"the verdict ({found.status}) was on tree {found.tree}")
    if not same_parents:
        return Gate("unobserved", f"the verdict ({found.status}) was on another commit of this tree")
    if found.status == "refused":
        return Gate("refused", f"{found.reason or 'refused'}; git made the commit all the same")
    gate = _repaired(Gate(found.status, found.reason), found, made.before)
    return gate if same_message else gate._replace(reason="the message was changed after it was judged")


def _repaired(gate: Gate, found: Verdict, before: Sequence[HookEvent]) -> Gate:
    """``gate`` with what was done to the message that ``found`` is on: by its gate, and by others before it (a hook
    manager's and then git's own), as long as each began with what the one before it had made.
    """
    digest = found.message_sha256
    for each in (found, *map(verdict_of, before)):
        told = each.detail.get("repaired")
        if told and each.message_sha256 == digest:
            repaired = (*map(Repaired.from_json, told), *gate.repaired)
            gate = gate._replace(repaired=repaired, original_message=each.detail["original_message"])
            digest = each.detail["original_sha256"]
    return gate


def _is_on(found: Verdict, commit: Commit) -> bool:
    """Whether a verdict can be on this commit, as far as its tree and parents say."""
    return found.tree in (None, commit.tree) and found.parents in (None, commit.parents)


def _without(said: HookEvent, event: str, armed: bool) -> Gate:
    if said.doing == "pick" or said.hook == "post-applypatch" or (said.doing is None and event in _PICKS):
        return Gate("none", f"git runs no gate for {event if event in _PICKS else 'a pick'}")
    if said.flag == "a" or (said.flag == "u" and armed):
        if said.doing == "ungated":
            return Gate("unobserved", "another tool had put its hooks in place of the gate's")
        return Gate("bypassed", "the gate was armed and gave no verdict in this git process")
    return Gate("none", "not armed")


def _message_sha256(commit: Commit) -> str:
    raw = commit.message.encode() if commit.message_bytes is None else a2b_base64(commit.message_bytes)
    return sha256(raw).hexdigest()
