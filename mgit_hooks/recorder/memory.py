"""What is already on record: the index, and on top of it what this drain has written since."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice

from mgit_hooks.journal.index import Filter, Index, movement_key
from mgit_hooks.record import COMMIT_EVENTS, Oid, Push, PushRef, Record, RefMovement, Seq

# A push's outcome is looked for among this many of the newest pushes.
_RECENT_PUSHES = 50


class Memory:
    """Answers for the reconciler. ``note`` it of every record that is appended.

    ``orphans`` are records of hook lines that a killed drain appended before its cursor passed those lines.
    """

    def __init__(
        self,
        index: Index,
        new_commits: Callable[[list[Oid], Callable[[Oid], bool]], list[Oid]],
        orphans: Iterable[Record] = (),
    ) -> None:
        self._index = index
        self._new_commits = new_commits
        self._orphans = [record_key(record) for record in orphans]
        self._older: frozenset[Oid] | None = None
        self._baseline: frozenset[Oid] | None = None
        self._commits: set[Oid] = set()
        self._movements: set[bytes] = set()
        self._refs: dict[str, Oid | None] = {}
        self._pushes: list[tuple[Seq, Push]] = []

    def note(self, seq: Seq, record: Record) -> None:
        if record.commit is not None and record.event in COMMIT_EVENTS:
            self._commits.add(record.commit.hash)
        time = record.occurred_at if record.occurred_from == "reflog" else None
        for movement in record.refs or () if record.supersedes is None else ():
            self._movements.add(movement_key(record.worktree, movement, time))
            if movement.name.startswith("refs/"):
                self._refs[movement.name] = movement.new_oid
        if record.event == "push" and record.push is not None:
            self._pushes.append((seq, record.push))

    def has_record(self, commit: Oid) -> bool:
        return commit in self._commits or self._index.knows(commit)

    def is_older(self, commit: Oid) -> bool:
        """Whether the commit was reachable when recording began, and is not on record."""
        if self._baseline is None:
            self._baseline = frozenset(self._index.baseline())
        # The tips first: most new commits stand on one of them, and the rest of the history is long.
        if commit in self._baseline:
            return True
        if self._older is None:
            self._older = frozenset(self._new_commits(sorted(self._baseline), self._index.knows))
        return commit in self._older

    def has_movement(self, worktree: str | None, movement: RefMovement, occurred_at: str) -> bool:
        key = movement_key(worktree, movement, occurred_at)
        return key in self._movements or self._index.has_movement(key)

    def last_oid(self, ref: str) -> tuple[Oid | None] | None:
        return (self._refs[ref],) if ref in self._refs else self._index.last_oid(ref)

    def refs(self) -> dict[str, Oid | None]:
        """Where the newest record about each ref left it."""
        return self._index.refs() | self._refs

    def recorded_before(self, commit: Oid) -> Record | None:
        """The record of a commit, where an earlier drain made it."""
        if commit in self._commits:
            return None
        seq = self._index.seq_of(commit)
        row = self._index.by_seq(seq) if seq is not None else None
        return self._index.read(row).record() if row is not None else None

    def was_told(self, record: Record) -> bool:
        """Whether a drain that was killed has this record on file already. Each such one counts once."""
        if record_key(record) not in self._orphans:
            return False
        self._orphans.remove(record_key(record))
        return True

    def find_push(self, moved: RefMovement) -> tuple[Seq, Push] | None:
        """The newest push that can have moved this remote-tracking ref to where it went.

        Its name tells, by the usual refspec, best with where it stood before; where no name fits, the commit does.
        """
        pushes = list(self._recent_pushes())
        for fits in (_fits_exactly, _fits_by_name, _fits_by_commit):
            found = next(((seq, push) for seq, push in pushes if fits(push, moved)), None)
            if found is not None:
                return found
        return None

    def _recent_pushes(self) -> Iterator[tuple[Seq, Push]]:
        yield from reversed(self._pushes)
        for row in islice(self._index.newest(Filter(events=("push",))), _RECENT_PUSHES):
            record = self._index.read(row).record()
            if record is not None and record.push is not None:
                yield row.seq, record.push


def record_key(record: Record) -> object:
    """What two records of one hook's line have in common."""
    push = record.push._replace(confirmed=None) if record.push is not None else None
    return record.event, record.worktree, record.gate, push, record.detail


def _fits_exactly(push: Push, moved: RefMovement) -> bool:
    return any(ref.remote_oid == moved.old_oid for ref in _named(push, moved))


def _fits_by_name(push: Push, moved: RefMovement) -> bool:
    return bool(_named(push, moved))


def _named(push: Push, moved: RefMovement) -> list[PushRef]:
    branch = moved.name.removeprefix(f"refs/remotes/{push.remote_name}/")
    return [ref for ref in push.refs if ref.local_oid == moved.new_oid and ref.remote_ref == f"refs/heads/{branch}"]


def _fits_by_commit(push: Push, moved: RefMovement) -> bool:
    of_remote = moved.name.startswith(f"refs/remotes/{push.remote_name}/")
    return of_remote and any(ref.local_oid == moved.new_oid for ref in push.refs)
