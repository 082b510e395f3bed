"""What the hooks bear witness to: which commits they ran on, what was rewritten; and the ledger of what gates said."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from mgit_hooks.record import Commit, Gate, Oid
from mgit_hooks.recorder.event import HookEvent, Process, Verdict, rewrite_pairs
from mgit_hooks.recorder.ledger import Ledger, verdict_of

_COMMIT_HOOKS = ("post-commit", "post-merge", "post-applypatch")


class Rewrite(NamedTuple):
    command: str  # amend | rebase
    old: tuple[Oid, ...]


class Evidence:
    """The spool's lines of one drain, and those held over from earlier ones.

    ``alive`` are the git processes that had not ended before the spool was last read: what they will still
    say is not there yet.
    """

    def __init__(self, events: Sequence[HookEvent], held: Sequence[HookEvent], alive: frozenset[Process]) -> None:
        self.hooks: dict[Oid, HookEvent] = {}
        self.rewrites: dict[Oid, Rewrite] = {}
        # Held, and in the spool: a drain was killed after it held it over and before its cursor passed it.
        held = [said for said in held if said not in events]
        self._ledger = Ledger((*held, *events))
        for said in events:
            if said.hook == "post-rewrite":
                self._rewrite(said)
            elif said.hook in _COMMIT_HOOKS and said.head is not None:
                self.hooks.setdefault(said.head, said)
        self.to_hold = self._ledger.waiting(alive)
        """What a later drain needs: verdicts whose commit, and pushes whose verdict, may still come."""
        released = [said for said in held if said.hook == "pre-push"]
        self.events = tuple(
            said for said in (*released, *events) if said.hook != "pre-push" or said not in self.to_hold
        )
        """What is to be told now, in order."""

    def _rewrite(self, said: HookEvent) -> None:
        for old, new in rewrite_pairs(said.fields[1]):
            if old == new:
                continue  # a pick that went forward, an amend that changed nothing: whoever made it, this did not
            before = self.rewrites.get(new)
            # The first word says what made the commit: an amend in a rebase that stopped is an amend.
            self.rewrites[new] = (
                Rewrite(before.command, (*before.old, old)) if before else Rewrite(said.fields[0], (old,))
            )

    def made(self, oid: Oid) -> bool:
        """Whether a hook that runs on new commits alone ran on this one; post-merge runs on a fast-forward too."""
        said = self.hooks.get(oid)
        return oid in self.rewrites or (
            said is not None and (said.hook != "post-merge" or said.doing in ("merge", "ungated"))
        )

    def verdict_of(self, said: HookEvent) -> Verdict:
        return verdict_of(said)

    def is_first(self, said: HookEvent) -> bool:
        return self._ledger.is_first(said)

    def gate(self, commit: Commit, event: str, armed: bool, claimed: str | None = None) -> Gate:
        """What the gate said of this very commit in the git process that made it. As ``Ledger.commit``."""
        rewrite = self.rewrites.get(commit.hash)
        return self._ledger.commit(commit, event, rewrite.old if rewrite else (), armed, claimed)

    def stops(self, said: HookEvent) -> bool:
        return self._ledger.stops(said)

    def push_gate(self, said: HookEvent, armed: bool) -> Gate:
        return self._ledger.push(said, armed)
