"""The records themselves: of a commit, a movement, a push, a verdict, as one drain has evidence of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from mgit_hooks import dates
from mgit_hooks.record import (
    Commit,
    Gate,
    Json,
    Oid,
    Push,
    Record,
    RefMovement,
    Seq,
    Validation,
)
from mgit_hooks.recorder import classify
from mgit_hooks.recorder.event import HookEvent, Verdict
from mgit_hooks.recorder.evidence import Evidence
from mgit_hooks.recorder.ledger import unseen_push
from mgit_hooks.recorder.movements import Movement
from mgit_hooks.recorder.rewriting import Rewrites

UNJUDGED = Validation("standard", True)
NO_GATE = Gate("none")
NOT_EXPECTED = Gate("none", "not made here")


class Setting(NamedTuple):
    """What every record of this drain has in common.

    ``moved``: where the refs stand now that may have moved since they were last looked at, None for one that is
    gone; None where every ref may have. Names are as git has them. ``is_settled(ref)``: its
    reflog has not grown since it was read, so that where the ref stands is not told by a line yet to be read.
    ``is_logged(ref)``: it has a reflog, so that all of its movements are told. ``in_rebase(worktree, commit)``:
    it is true that a rebase made it, which its reflog claims.
    """

    repository_name: str
    armed: bool  # by the configuration as it is now, for lines whose stub could not tell
    source: str  # hook | framework | reconcile: how this drain was started, for what hooks bear witness to
    moved: Callable[[], dict[str, Oid | None] | None]
    is_settled: Callable[[str], bool]
    is_logged: Callable[[str], bool]
    in_rebase: Callable[[str, Oid], bool] = lambda worktree, oid: True


class Maker:
    """Makes records of what a drain has found. Judging them, and telling which are due, is for others."""

    def __init__(self, evidence: Evidence, setting: Setting, rewrites: Rewrites) -> None:
        self._evidence = evidence
        self._rewrites = rewrites
        self._setting = setting

    @property
    def unwitnessed(self) -> str:
        """The source of what no hook of ours bears witness to. A hook manager's drain is called for what it finds."""
        return "framework" if self._setting.source == "framework" else "reconcile"

    def source_of(self, movement: Movement) -> str:
        return self._setting.source if movement.by_hook else self.source_by(movement.refs[0].name, movement.message)

    def source_by(self, ref: str, message: str | None = None) -> str:
        """By a ref that moved and by what its reflog says of that, where there is one."""
        return "fetch" if classify.is_fetched(ref, message) else self.unwitnessed

    def of_commit(self, commit: Commit, source: str, movement: Movement | None, reflog: str | None) -> Record:
        """The record of a commit at first sight.

        ``movement`` is the one that made it, less what is on record; ``reflog`` the message of the entry that
        moved a ref to it, whether or not that made it. ``source`` counts where nothing says it was made here.
        """
        said = self._evidence.hooks.get(commit.hash)
        rewrite = self._evidence.rewrites.get(commit.hash)
        event = classify.event_of(
            reflog,
            said.hook if said else None,
            rewrite.command if rewrite else None,
            len(commit.parents),
            commit.message,
        )
        replaces: tuple[Oid, ...] | None = self._rewrites.of(commit.hash)
        if event is None:
            return self._record(
                "import", source, commit.committer_date, "commit",
                commit=commit, gate=NOT_EXPECTED, replaces=replaces or None,
            )  # fmt: skip
        if not replaces and (event in ("amend", "rebase") or self._rewrites.is_unsure(commit.hash)):
            replaces = None  # something may have been replaced, and nobody says what
        claimed = None if reflog is None else classify.claimed(reflog, rewrite.command if rewrite else None)
        if claimed == "rebase" and not rewrite and movement is not None and movement.worktree is not None:
            claimed = claimed if self._setting.in_rebase(movement.worktree, commit.hash) else "commit"
        return self._record(
            event,
            self._setting.source if said or rewrite else self.unwitnessed,
            movement.occurred_at if movement else commit.committer_date,
            "reflog" if movement else "commit",
            worktree=movement.worktree if movement else said.worktree if said else None,
            branch=movement.branch if movement else None,
            gate=self._evidence.gate(commit, event, self._setting.armed, claimed),
            commit=commit,
            replaces=replaces,
            refs=movement.refs if movement else None,
        )

    def of_movement(self, event: str, movement: Movement) -> Record:
        return self._record(
            event,
            self.source_of(movement),
            movement.occurred_at or None,
            "reflog" if movement.occurred_at else None,
            worktree=movement.worktree,
            branch=movement.branch,
            refs=movement.refs,
        )

    def of_unlogged(self, moved: RefMovement) -> Record:
        return self._record("ref-update", self.unwitnessed, None, None, refs=(moved,))

    def of_outcome(self, movement: Movement, found: tuple[Seq, Push] | None) -> Record:
        """Of a remote-tracking ref that a push moved; ``found`` is that push, with that ref alone."""
        record = self.of_movement("push-outcome", movement)
        return self._of_push(record._replace(source=self.unwitnessed), found)

    def of_unlogged_outcome(self, moved: RefMovement, found: tuple[Seq, Push]) -> Record:
        """The same, where no reflog says when."""
        return self._of_push(self.of_unlogged(moved)._replace(event="push-outcome"), found)

    def of_settled(self, found: tuple[Seq, Push]) -> Record:
        """Of what is known of a push beyond what moved, once its git process has ended."""
        return self._of_push(self._record("push-outcome", self.unwitnessed, None, None), found)

    def _of_push(self, record: Record, found: tuple[Seq, Push] | None) -> Record:
        if found is None:
            # A hook manager's drain is not told of pushes by a hook of ours.
            gate = record.gate if self._setting.source == "framework" else unseen_push(self._setting.armed)
            return record._replace(detail={"push": None}, gate=gate)
        return record._replace(source=self._setting.source, push=found[1], detail={"push": found[0]})

    def of_verdict(self, said: HookEvent, verdict: Verdict) -> Record:
        detail: Json = {"stage": verdict.stage, "judged": verdict.detail, "tree": verdict.tree}
        return self._record(
            verdict.status,
            self._setting.source,
            None,
            None,
            worktree=said.worktree,
            gate=Gate(verdict.status, verdict.reason),
            validation=Validation(verdict.level, not verdict.issues, verdict.issues),
            detail=detail,
        )

    def of_push(self, said: HookEvent, push: Push) -> Record:
        return self._record(
            "push",
            self._setting.source,
            None,
            None,
            worktree=said.worktree,
            push=push,
            gate=self._evidence.push_gate(said, self._setting.armed),
        )

    def of_received(self, gate: Gate, push: Push) -> Record:
        return self._record("push", self._setting.source, None, None, push=push, gate=gate)

    def _record(
        self,
        event: str,
        source: str,
        occurred_at: str | None,
        occurred_from: str | None,
        *,
        worktree: str | None = None,
        branch: str | None = None,
        gate: Gate = NO_GATE,
        validation: Validation = UNJUDGED,
        commit: Commit | None = None,
        replaces: tuple[Oid, ...] | None = None,
        push: Push | None = None,
        refs: tuple[RefMovement, ...] | None = None,
        detail: Json | None = None,
    ) -> Record:
        return Record(
            event=event,
            source=source,
            recorded_at=dates.now(),
            occurred_at=occurred_at,
            occurred_from=occurred_from,
            repository_name=self._setting.repository_name,
            worktree=worktree,
            branch=branch,
            gate=gate,
            validation=validation,
            commit=commit,
            replaces=replaces,
            push=push,
            refs=refs,
            detail=detail,
        )
