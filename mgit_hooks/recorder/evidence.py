"""What the hooks bear witness to: which commits they ran on, what was rewritten, what a gate said.

A gate's verdict belongs to the git process that its hook ran under (``$PPID`` is the same in pre-commit,
commit-msg and post-commit of one commit), never to an object id alone.
"""

from __future__ import annotations

from binascii import a2b_base64
from collections.abc import Sequence
from hashlib import sha256
from typing import NamedTuple

from mgit_hooks.record import Commit, Gate, Oid
from mgit_hooks.recorder.event import HookEvent, Verdict, rewrite_pairs, verdict

_COMMIT_HOOKS = ("post-commit", "post-merge", "post-applypatch")
# git itself runs no gate hook for these, unless the user edits or continues one
_PICKS = ("rebase", "cherry-pick", "revert", "am")


class Rewrite(NamedTuple):
    command: str  # amend | rebase
    old: tuple[Oid, ...]


class Evidence:
    """The spool's lines of one drain, and those held over from earlier ones.

    ``alive`` are the git processes that had not ended before the spool was last read: what they will still
    say is not there yet.
    """

    def __init__(self, events: Sequence[HookEvent], held: Sequence[HookEvent], alive: frozenset[int]) -> None:
        self.hooks: dict[Oid, HookEvent] = {}
        self.rewrites: dict[Oid, Rewrite] = {}
        self._commit_verdicts: dict[Oid, Verdict] = {}
        self._push_verdicts: dict[HookEvent, Verdict] = {}
        self._open: dict[int, list[HookEvent]] = {}
        self._pushes: dict[int, HookEvent] = {}
        # Held, and in the spool: a drain was killed after it held it over and before its cursor passed it.
        held = [said for said in held if said not in events]
        self._all = (*held, *events)
        for said in self._all:
            self._take(said)
        waiting = [said for verdicts in self._open.values() for said in verdicts if said.ppid in alive]
        unjudged = [said for said in self._pushes.values() if self._awaits_verdict(said) and said.ppid in alive]
        self.to_hold = (*waiting, *unjudged)
        """What a later drain needs: verdicts whose commit, and pushes whose verdict, may still come."""
        released = [said for said in held if said.hook == "pre-push"]
        self.events = tuple(said for said in (*released, *events) if said not in unjudged)
        """What is to be told now, in order."""

    def _take(self, said: HookEvent) -> None:
        if said.hook in ("gate", "skip"):
            push = self._pushes.get(said.ppid)
            if self.verdict_of(said).stage == "pre-push":
                if push is not None:
                    self._push_verdicts[push] = self.verdict_of(said)
            elif self.verdict_of(said).status != "refused":
                self._open.setdefault(said.ppid, []).append(said)
        elif said.hook == "pre-push":
            self._pushes[said.ppid] = said
        elif said.hook == "post-rewrite":
            self._rewrite(said)
        elif said.hook in _COMMIT_HOOKS:
            waiting = self._open.pop(said.ppid, [])
            if said.head is not None:
                self.hooks.setdefault(said.head, said)
                if waiting:
                    # The last word counts: commit-msg saw the tree and the message that were committed.
                    self._commit_verdicts[said.head] = self.verdict_of(waiting[-1])

    def _awaits_verdict(self, said: HookEvent) -> bool:
        return said.flag != "o" and said not in self._push_verdicts

    def _rewrite(self, said: HookEvent) -> None:
        for old, new in rewrite_pairs(said.fields[1]):
            before = self.rewrites.get(new)
            # The first word says what made the commit: an amend in a rebase that stopped is an amend.
            self.rewrites[new] = (
                Rewrite(before.command, (*before.old, old)) if before else Rewrite(said.fields[0], (old,))
            )

    def made(self, oid: Oid) -> bool:
        """Whether a hook that runs on new commits alone ran on this one; post-merge runs on a fast-forward too."""
        return oid in self.rewrites or (oid in self.hooks and self.hooks[oid].hook != "post-merge")

    def verdict_of(self, said: HookEvent) -> Verdict:
        if said.hook == "gate":
            return verdict(said)
        stage, reason = said.fields
        return Verdict(stage, "skipped", reason or "MGIT=0", None, None, "standard", (), {})

    def is_first_skip(self, said: HookEvent) -> bool:
        """pre-commit and commit-msg of one git process are each skipped: that is one skip to tell."""
        same = (each for each in self._all if each.ppid == said.ppid and each.hook in ("gate", "skip"))
        first = next((each for each in same if self.verdict_of(each).status == "skipped"), None)
        return not said.ppid or first is None or first is said

    def gate(self, commit: Commit, event: str, armed: bool) -> Gate:
        """What the gate said of this very commit in the git process that made it."""
        said = self.hooks.get(commit.hash)
        found = self._commit_verdicts.get(commit.hash)
        if found is not None:
            if found.tree is not None and found.tree != commit.tree:
                return Gate("unobserved", f"the verdict ({found.status}) was on tree {found.tree}")
            if found.message_sha256 is not None and found.message_sha256 != _message_sha256(commit):
                return Gate(found.status, "the message was changed after it was judged")
            return Gate(found.status, found.reason)
        if event in _PICKS:
            return Gate("none", f"git runs no gate for {event}")
        if said is None:
            return Gate("unobserved", "no hook ran")
        return _without_verdict(said, armed)

    def push_gate(self, said: HookEvent, armed: bool) -> Gate:
        found = self._push_verdicts.get(said)
        return Gate(found.status, found.reason) if found is not None else _without_verdict(said, armed)


def _message_sha256(commit: Commit) -> str:
    raw = commit.message.encode() if commit.message_bytes is None else a2b_base64(commit.message_bytes)
    return sha256(raw).hexdigest()


def _without_verdict(said: HookEvent, armed: bool) -> Gate:
    if said.flag == "a" or (said.flag == "u" and armed):
        return Gate("bypassed", "the gate was armed and gave no verdict in this git process")
    return Gate("none", "not armed")
