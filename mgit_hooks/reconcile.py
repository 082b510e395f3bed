"""From what the hooks said, what the reflogs hold and where the refs are, to records of what happened.

Every commit is written once, at first sight, with the movement that brought it; what moves to a commit
that is already on record is a movement of its own. Hooks add what reflogs lack: gate verdicts, rewrite
maps, pushes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple, Protocol

from mgit_hooks import classify, credentials, dates
from mgit_hooks.errors import ObjectError
from mgit_hooks.event import HookEvent, Verdict, push_lines
from mgit_hooks.evidence import Evidence
from mgit_hooks.movements import Movement
from mgit_hooks.record import (
    Commit,
    Gate,
    Json,
    Oid,
    Push,
    PushRef,
    Record,
    RefMovement,
    Seq,
    Validation,
)

UNJUDGED = Validation("standard", True)
NOT_EXPECTED = Gate("none", "not made here")


class Capturer(Protocol):
    """What reconcile asks of git's objects (mgit_hooks.capture)."""

    def commit(self, oid: Oid) -> Commit: ...
    def new_commits(self, tips: list[Oid], known: Callable[[Oid], bool]) -> list[Oid]: ...
    def references(self) -> dict[str, Oid]: ...
    def is_ancestor(self, old: Oid, new: Oid) -> bool | None: ...


class Memory(Protocol):
    """What is already on record (mgit_hooks.index), this drain's own records included."""

    def has_record(self, commit: Oid) -> bool: ...
    def is_older(self, commit: Oid) -> bool: ...
    def has_movement(self, worktree: str | None, movement: RefMovement, occurred_at: str) -> bool: ...
    def last_oid(self, ref: str) -> tuple[Oid | None] | None: ...
    def live_refs(self) -> set[str]: ...
    def unlinked_rewrite(self, commit: Oid) -> Record | None: ...
    def find_push(self, remote_ref: str, new_oid: Oid | None) -> tuple[Seq, Push] | None: ...


class Setting(NamedTuple):
    """What every record of this drain has in common.

    ``refs_may_differ``: refs have changed since they were last listed. ``is_settled(ref)``: its reflog
    has not grown since it was read, so that where the ref stands is not told by a line yet to be read.
    """

    repository_name: str
    armed: bool  # by the configuration as it is now, for lines whose stub could not tell
    source: str  # hook | framework | reconcile: how this drain was started, for what hooks bear witness to
    refs_may_differ: bool
    is_settled: Callable[[str], bool]


class Reconciler:
    """Makes the records of one drain. The caller appends each before it asks for the next."""

    def __init__(self, capturer: Capturer, memory: Memory, evidence: Evidence, setting: Setting) -> None:
        self._git = capturer
        self._memory = memory
        self._evidence = evidence
        self._setting = setting
        self._made: dict[Oid, tuple[str, Movement]] = {}

    def records(self, movements: list[Movement]) -> Iterator[Record]:
        """The records of all movements and hook events, in the order in which they happened as far as it is known."""
        queue = [movement for movement in movements if self._is_new(movement)]
        self._made = dict(self._made_here(queue))
        at = 0
        for said in self._evidence.events:
            until = next((i for i in range(at, len(queue)) if queue[i].new_oid == said.head), None)
            if (
                said.hook in ("post-commit", "post-merge", "post-applypatch", "post-checkout")
                and until is not None
            ):
                for movement in queue[at : until + 1]:
                    yield from self._moved(movement)
                at = until + 1
            yield from self._said(said)
        for movement in queue[at:]:
            yield from self._moved(movement)
        yield from self._heads_without_reflog()
        yield from self._late_rewrites()
        if self._setting.refs_may_differ:
            yield from self._refs_without_reflog()

    def _is_new(self, movement: Movement) -> bool:
        return not all(
            self._memory.has_movement(movement.worktree, ref, movement.occurred_at) for ref in movement.refs
        )

    def _made_here(self, queue: list[Movement]) -> Iterator[tuple[Oid, tuple[str, Movement]]]:
        """(commit, (event, movement)) of every movement that made its commit, the first for each commit."""
        seen: set[Oid] = set()
        for movement in queue:
            oid = movement.new_oid
            if oid is None or oid in seen or self._memory.has_record(oid):
                continue
            claimed = classify.made_by(movement.message)
            if claimed is not None or oid in self._evidence.hooks or oid in self._evidence.rewrites:
                seen.add(oid)
                yield oid, (claimed or "", movement)

    def _knows(self, oid: Oid) -> bool:
        """Whether a commit is on record, or was there before recording began and is backfill's to record."""
        if self._memory.has_record(oid):
            return True
        made_since = oid in self._made or oid in self._evidence.hooks
        return not made_since and self._memory.is_older(oid)

    # One movement

    def _moved(self, movement: Movement) -> Iterator[Record]:
        if not self._is_new(movement):
            return  # told with its commit, which another movement reached first
        oid = movement.new_oid
        first_sight = oid is not None and not self._knows(oid)
        if oid is not None and first_sight:
            yield from self._commits(oid, movement)
        if oid is not None and first_sight and oid in self._made and self._made[oid][1] is movement:
            return  # the record of the commit tells the movement
        if classify.is_push_update(movement.refs[0].name, movement.message):
            yield self._push_outcome(movement)
            return
        event = "checkout" if classify.is_checkout(movement.message) else "ref-update"
        yield self._movement_record(event, movement)

    def _commits(self, tip: Oid, movement: Movement) -> Iterator[Record]:
        """Records of ``tip`` and of its ancestors that are not on record, parents first."""
        source = "fetch" if classify.is_fetched(movement.refs[0].name, movement.message) else "reconcile"
        for oid in self._git.new_commits([tip], self._knows):
            try:
                commit = self._git.commit(oid)
            except ObjectError:
                continue  # gone from git: the movement is still told, and verify reports what is missing
            yield self._commit_record(commit, source)

    def _commit_record(self, commit: Commit, source: str) -> Record:
        claimed = self._made.get(commit.hash)
        said = self._evidence.hooks.get(commit.hash)
        rewrite = self._evidence.rewrites.get(commit.hash)
        event = classify.event_of(
            claimed[1].message if claimed else None,
            said.hook if said else None,
            rewrite.command if rewrite else None,
            len(commit.parents),
        )
        if event is None:
            return self._record(
                "import", source, commit.committer_date, "commit", commit=commit, gate=NOT_EXPECTED
            )
        movement = claimed[1] if claimed else None
        replaces: tuple[Oid, ...] | None = ()
        if event in ("amend", "rebase"):
            # The reflog says what was left, not what was replaced: only post-rewrite knows.
            replaces = rewrite.old if rewrite else None
        return self._record(
            event,
            self._setting.source if said or rewrite else "reconcile",
            movement.occurred_at if movement else commit.committer_date,
            "reflog" if movement else "commit",
            worktree=movement.worktree if movement else said.worktree if said else None,
            branch=movement.branch if movement else None,
            gate=self._evidence.gate(commit, event, self._setting.armed),
            commit=commit,
            replaces=replaces,
            refs=movement.refs if movement else None,
        )

    def _movement_record(self, event: str, movement: Movement) -> Record:
        return self._record(
            event,
            "fetch" if classify.is_fetched(movement.refs[0].name, movement.message) else "reconcile",
            movement.occurred_at,
            "reflog",
            worktree=movement.worktree,
            branch=movement.branch,
            refs=movement.refs,
        )

    # What only hooks know

    def _said(self, said: HookEvent) -> Iterator[Record]:
        if said.hook == "pre-push":
            yield self._push(said)
        elif said.hook in ("gate", "skip"):
            verdict = self._evidence.verdict_of(said)
            if verdict.status in ("refused", "skipped"):
                yield self._verdict(said, verdict)

    def _verdict(self, said: HookEvent, verdict: Verdict) -> Record:
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

    def _push(self, said: HookEvent) -> Record:
        remote, url, stdin = said.fields
        refs = tuple(
            PushRef(
                line.local_ref,
                line.local_oid,
                line.remote_ref,
                line.remote_oid,
                self._forced(line.remote_oid, line.local_oid),
                line.local_oid is None,
            )
            for line in push_lines(stdin)
        )
        push = Push(credentials.strip(remote), credentials.strip(url) or None, refs, None)
        return self._record(
            "push",
            self._setting.source,
            None,
            None,
            worktree=said.worktree,
            push=push,
            gate=self._evidence.push_gate(said, self._setting.armed),
        )

    def _forced(self, old: Oid | None, new: Oid | None) -> bool | None:
        if old is None or new is None:
            return False
        ancestor = self._git.is_ancestor(old, new)
        return None if ancestor is None else not ancestor

    def _push_outcome(self, movement: Movement) -> Record:
        found = self._memory.find_push(movement.refs[0].name, movement.new_oid)
        push = None
        if found is not None:
            push = found[1]._replace(
                refs=tuple(ref for ref in found[1].refs if ref.local_oid == movement.new_oid), confirmed=True
            )
        record = self._movement_record("push-outcome", movement)
        return record._replace(push=push, detail={"push": found[0] if found else None})

    # What no reflog tells

    def _heads_without_reflog(self) -> Iterator[Record]:
        """Commits that a hook stood at, in a repository that keeps no reflogs."""
        for oid in self._evidence.hooks:
            if self._memory.has_record(oid):
                continue
            for missing in self._git.new_commits([oid], self._knows):
                yield self._commit_record(self._git.commit(missing), "reconcile")

    def _late_rewrites(self) -> Iterator[Record]:
        """Rewrite maps of commits that were on record before their map was there."""
        for oid, rewrite in self._evidence.rewrites.items():
            record = self._memory.unlinked_rewrite(oid)
            if record is not None:
                yield record._replace(
                    replaces=rewrite.old,
                    supersedes=record.seq,
                    recorded_at=dates.now(),
                    refs=None,
                    seq=None,
                    id=None,
                )

    def _refs_without_reflog(self) -> Iterator[Record]:
        """Refs that are not where the last record left them: tags, notes, deletions, bare repositories."""
        current = self._git.references()
        for name, oid in sorted(current.items()):
            if name.startswith("refs/mgit/"):
                continue
            last = self._memory.last_oid(name)
            if last == (oid,) or not self._setting.is_settled(name):
                continue
            old = last[0] if last else None
            movement = Movement(None, old, oid, "", "", (RefMovement(name, old, oid, None),))
            if not self._knows(oid):
                yield from self._commits(oid, movement)
            yield self._unlogged(movement)
        for name in sorted(self._memory.live_refs() - current.keys()):
            last = self._memory.last_oid(name)
            if last is not None and last[0] is not None and self._setting.is_settled(name):
                yield self._unlogged(
                    Movement(None, last[0], None, "", "", (RefMovement(name, last[0], None, None),))
                )

    def _unlogged(self, movement: Movement) -> Record:
        return self._record("ref-update", "reconcile", None, None, refs=movement.refs)

    def _record(
        self,
        event: str,
        source: str,
        occurred_at: str | None,
        occurred_from: str | None,
        *,
        worktree: str | None = None,
        branch: str | None = None,
        gate: Gate = Gate("none"),
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
