"""What is already on record: the index, and on top of it what this drain has written since."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from itertools import islice

from mgit_hooks.journal.index import Filter, Index, movement_key
from mgit_hooks.record import COMMIT_EVENTS, Oid, Push, Record, RefMovement, Seq
from mgit_hooks.recorder import pushing

# A push that was under way at the last drain is looked for among this many of the newest pushes.
_RECENT_PUSHES = 200
# Where more has happened since a push, nobody reads it all to tell what came of it.
_SINCE = 5000


class Memory:
    """Answers for the reconciler. ``note`` it of every record that is appended.

    ``orphans`` are records of hook lines that a killed drain appended before its cursor passed those lines.
    """

    def __init__(
        self,
        index: Index,
        new_commits: Callable[[list[Oid], Callable[[Oid], bool]], Sequence[Oid]],
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
        self._pushes: list[Record] = []
        self._moved: list[RefMovement] = []
        self._first = index.next_seq()
        self._earlier: dict[Seq, list[Record] | None] = {}

    def note(self, seq: Seq, record: Record) -> None:
        if record.commit is not None and record.event in COMMIT_EVENTS:
            self._commits.add(record.commit.hash)
        time = record.occurred_at if record.occurred_from == "reflog" else None
        for movement in record.refs or () if record.supersedes is None else ():
            self._movements.add(movement_key(record.worktree, movement, time))
            if movement.name.startswith("refs/"):
                self._refs[movement.name] = movement.new_oid
                self._moved.append(movement)
        if record.event == "push" and record.push is not None:
            self._pushes.append(record._replace(seq=seq))

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

    def is_left(self, ref: str, oid: Oid | None) -> bool:
        """Whether the newest record about ``ref`` left it there, be that one erased by now."""
        if ref in self._refs:
            return self._refs[ref] == oid
        return self._index.last_oid(ref) == (oid,) or self._index.was_left(ref, oid)

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

    def unlinked(self, commit: Oid, olds: Iterable[Oid]) -> Record | None:
        """The record of a commit, where an earlier drain made it and it does not say that it replaced all of these."""
        if commit in self._commits or set(olds) <= set(self._index.replaces(commit)):
            return None
        return self.recorded_before(commit)

    def stands_at(self, commits: Set[Oid]) -> bool:
        """Whether a ref, as far as is on record, leads to one of these itself."""
        return not commits.isdisjoint(oid for oid in self.refs().values() if oid is not None)

    def filtered_from(self, old: Oid) -> list[Oid]:
        """The commits that a tool's map, and no act of git, said to have replaced this one."""
        found = []
        for new in self._index.replaced_by(old):
            seq = self._index.seq_of(new)
            row = self._index.by_seq(seq) if seq is not None else None
            if row is not None and row.event == "import":
                found.append(new)
        return found

    def was_told(self, record: Record) -> bool:
        """Whether a drain that was killed has this record on file already. Each such one counts once."""
        if record_key(record) not in self._orphans:
            return False
        self._orphans.remove(record_key(record))
        return True

    def newest_push(self) -> Record:
        """The push that was noted last."""
        return self._pushes[-1]

    def seq_of_push(self, push: Push) -> Seq | None:
        """The newest record of this very push."""
        wanted = pushing.key(push)
        found = (record for record in self.recent_pushes() if record.push and pushing.key(record.push) == wanted)
        return next((record.seq for record in found), None)

    def recent_pushes(self) -> Iterator[Record]:
        """The newest first, each with its ``seq``."""
        yield from reversed(self._pushes)
        for row in islice(self._index.newest(Filter(events=("push",))), _RECENT_PUSHES):
            record = self._index.read(row).record()
            if record is not None:
                yield record

    def outcomes(self, push: Seq) -> list[Push]:
        """What the outcome records of earlier drains say, oldest first."""
        return outcomes(self._index, push)

    def stood(self, ref: str, since: Seq) -> set[Oid | None] | None:
        """Where ``ref`` stands, and stood at any time since record ``since`` or in this drain; None: too long ago."""
        last = self.last_oid(ref)
        moved = self._moved
        if since < self._first:
            earlier = self._since(since)
            if earlier is None:
                return None
            moved = [*(movement for record in earlier for movement in record.refs or ()), *moved]
        found = {oid for each in moved if each.name == ref for oid in (each.old_oid, each.new_oid)}
        return {last[0] if last else None, *found}

    def unclaimed(self, since: Seq) -> list[tuple[Seq, RefMovement]]:
        """What a push moved after record ``since``, told by an earlier drain that did not know of which push."""
        return [
            (record.seq, moved)
            for record in (self._since(since) or () if since < self._first else ())
            if record.event == "push-outcome" and record.seq is not None and (record.detail or {}).get("push") is None
            for moved in record.refs or ()
        ]

    def _since(self, seq: Seq) -> list[Record] | None:
        """The records that earlier drains made after ``seq``; None where they are too many."""
        if seq not in self._earlier:
            rows = self._index.within(seq + 1, self._first) if self._first - seq <= _SINCE else None
            read = None if rows is None else (stored.record() for stored in self._index.read_many(rows, []))
            self._earlier[seq] = None if read is None else [record for record in read if record is not None]
        return self._earlier[seq]


def outcomes(index: Index, push: Seq) -> list[Push]:
    """What the outcome records of a push say, oldest first; none of what is damaged or erased."""
    told = (stored.record() for stored in index.read_many(index.outcomes(push), []))
    return [record.push for record in told if record is not None and record.push is not None]


def record_key(record: Record) -> object:
    """What two records of one hook's line have in common."""
    push = pushing.key(record.push) if record.push is not None else None
    return record.event, record.worktree, record.gate, push, record.detail
