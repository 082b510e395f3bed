"""What is already on record: the index, and on top of it what this drain has written since."""

from __future__ import annotations

from collections.abc import Callable

from mgit_hooks.index import Index, movement_key
from mgit_hooks.record import COMMIT_EVENTS, Oid, Push, Record, RefMovement, Seq

# A push's outcome is looked for among this many of the newest pushes.
_RECENT_PUSHES = 50


class Memory:
    """Answers for the reconciler. ``note`` it of every record that is appended."""

    def __init__(
        self, index: Index, new_commits: Callable[[list[Oid], Callable[[Oid], bool]], list[Oid]]
    ) -> None:
        self._index = index
        self._new_commits = new_commits
        self._older: frozenset[Oid] | None = None
        self._commits: set[Oid] = set()
        self._movements: set[bytes] = set()
        self._refs: dict[str, Oid | None] = {}
        self._pushes: list[tuple[Seq, Push]] = []

    def note(self, seq: Seq, record: Record) -> None:
        if record.commit is not None and record.event in COMMIT_EVENTS:
            self._commits.add(record.commit.hash)
        time = record.occurred_at if record.occurred_from == "reflog" else None
        for movement in record.refs or ():
            self._movements.add(movement_key(record.worktree, movement, time))
            if movement.name.startswith("refs/"):
                self._refs[movement.name] = movement.new_oid
        if record.event == "push" and record.push is not None:
            self._pushes.append((seq, record.push))

    def has_record(self, commit: Oid) -> bool:
        return commit in self._commits or self._index.knows(commit)

    def is_older(self, commit: Oid) -> bool:
        """Whether the commit was reachable when recording began, and is not on record."""
        if self._older is None:
            self._older = frozenset(self._new_commits(self._index.baseline(), self._index.knows))
        return commit in self._older

    def has_movement(self, worktree: str | None, movement: RefMovement, occurred_at: str) -> bool:
        key = movement_key(worktree, movement, occurred_at)
        return key in self._movements or self._index.has_movement(key)

    def last_oid(self, ref: str) -> tuple[Oid | None] | None:
        return (self._refs[ref],) if ref in self._refs else self._index.last_oid(ref)

    def live_refs(self) -> set[str]:
        """The refs that, as far as is on record, exist."""
        return self._index.live_refs() | self._refs.keys()

    def unlinked_rewrite(self, commit: Oid) -> Record | None:
        """The record of an amended or rebased commit that does not say yet what it replaces."""
        seq = self._index.seq_of(commit)
        row = self._index.by_seq(seq) if seq is not None else None
        if row is None or row.event not in ("amend", "rebase"):
            return None
        record = self._index.read(row).record()
        return record if record is not None and record.replaces is None else None

    def find_push(self, remote_ref: str, new_oid: Oid | None) -> tuple[Seq, Push] | None:
        """The newest push that can have moved the remote-tracking ref ``remote_ref`` to ``new_oid``."""
        for seq, push in reversed(self._pushes):
            if _fits(push, remote_ref, new_oid):
                return seq, push
        for number, row in enumerate(self._index.newest(events=("push",))):
            record = self._index.read(row).record()
            if record is not None and record.push is not None and _fits(record.push, remote_ref, new_oid):
                return row.seq, record.push
            if number >= _RECENT_PUSHES:
                break
        return None


def _fits(push: Push, remote_ref: str, new_oid: Oid | None) -> bool:
    prefix = f"refs/remotes/{push.remote_name}/"
    return remote_ref.startswith(prefix) and any(ref.local_oid == new_oid for ref in push.refs)
