"""What the reference-transaction hook adds: movements that neither a reflog nor a ref tells any more.

The hook tells of every ref that a transaction of git's moved, in order, without a time and often without where the
ref was before. A reflog tells the same and more, where it is still there. So the two are laid side by side, ref by
ref, and only what the reflogs lack is taken from the hook: a branch made and deleted between two drains, a ref of
a repository without reflogs that moved twice.

git's own words are not all true (refs/packed-backend.c, refs/files-backend.c): ``pack-refs`` tells of each ref
that it packs as set to where it was and then deleted, and a deletion can be told twice.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from mgit_hooks.git.reflog import ref_text
from mgit_hooks.record import Oid, RefMovement
from mgit_hooks.recorder.event import HookEvent, Process, transacted
from mgit_hooks.recorder.movements import Movement

HOOK = "reference-transaction"


class Told(NamedTuple):
    """One line of the hook: ``ref`` as it is recorded."""

    process: Process
    ref: str
    old_oid: Oid | None
    new_oid: Oid | None


def told(events: Iterable[HookEvent]) -> list[Told]:
    """What the hook said of refs that all worktrees share, in order."""
    return [
        Told(said.process, ref_text(moved.ref), moved.old_oid, moved.new_oid)
        for said in events
        if said.hook == HOOK
        for moved in transacted(said.fields[0])
        if moved.ref != "HEAD"
    ]


def heads(events: Iterable[HookEvent]) -> list[Oid]:
    """Where HEADs went, as the hook said: their reflogs tell the same, but go with a worktree that is removed."""
    moved = (each for said in events if said.hook == HOOK for each in transacted(said.fields[0]))
    return list(dict.fromkeys(each.new_oid for each in moved if each.ref == "HEAD" and each.new_oid is not None))


def joined(
    queue: Sequence[Movement],
    lines: Sequence[Told],
    last_oid: Callable[[str], tuple[Oid | None] | None],
    standing: Callable[[], Mapping[str, Oid]],
    is_known: Callable[[Oid], bool],
) -> list[Movement]:
    """``queue``, what the reflogs tell, with what only ``lines`` tell put in its place: each ref's order holds.

    ``last_oid`` is where the newest record left a ref; ``is_known`` says whether a commit is on record, or older.
    ``standing`` gives where refs are now, and is asked only where a line must be held against it.
    """
    if not lines:
        return list(queue)
    places = _places(queue)
    of_ref: dict[str, list[int]] = defaultdict(list)
    for number, line in enumerate(lines):
        of_ref[line.ref].append(number)
    told_by: dict[int, int] = {}  # line -> the movement of the queue that tells the same
    for ref, numbers in of_ref.items():
        told_by |= _same(queue, places.get(ref, []), ref, lines, numbers)
    news: dict[int, Movement] = {}
    for ref, numbers in of_ref.items():
        chain = _Chain(ref, (last_oid(ref) or (None,))[0], standing, is_known)
        news |= chain.news(queue, lines, numbers, told_by)
    return _linked(_merged(queue, lines, places, told_by, news), last_oid)


def _places(queue: Sequence[Movement]) -> dict[str, list[int]]:
    """Where in the queue each ref moves."""
    places: dict[str, list[int]] = defaultdict(list)
    for number, movement in enumerate(queue):
        for ref in movement.refs:
            places[ref.name].append(number)
    return places


def _of(movement: Movement, ref: str) -> RefMovement:
    return next(moved for moved in movement.refs if moved.name == ref)


def _same(
    queue: Sequence[Movement], places: Sequence[int], ref: str, lines: Sequence[Told], numbers: Sequence[int]
) -> dict[int, int]:
    """Which movement tells the same as each line: from the newest back, since a reflog loses its beginning."""
    found: dict[int, int] = {}
    left = [(place, _of(queue[place], ref)) for place in places]
    to_come = Counter(lines[number].new_oid for number in numbers)
    for number in reversed(numbers):
        line = lines[number]
        while left and not to_come[left[-1][1].new_oid]:
            left.pop()  # made where our hook did not run
        if left and left[-1][1].new_oid == line.new_oid and line.old_oid in (None, left[-1][1].old_oid):
            found[number] = left.pop()[0]
        to_come[line.new_oid] -= 1
    return found


class _Chain:
    """One ref, followed from where it was last on record."""

    def __init__(
        self, ref: str, at: Oid | None, standing: Callable[[], Mapping[str, Oid]], is_known: Callable[[Oid], bool]
    ) -> None:
        self._ref = ref
        self._at = at
        self._standing = standing
        self._is_known = is_known
        self._packed: set[tuple[Process, Oid | None]] = set()

    def news(
        self, queue: Sequence[Movement], lines: Sequence[Told], numbers: Sequence[int], told_by: Mapping[int, int]
    ) -> dict[int, Movement]:
        """The movements that only lines tell, by line."""
        found: dict[int, Movement] = {}
        first = self._on_record(lines, numbers, told_by)
        for at, number in enumerate(numbers):
            line = lines[number]
            if line.new_oid == self._at and line.old_oid is None:
                self._packed.add((line.process, line.new_oid))
            if at < first or line.new_oid == self._at:
                continue
            if number in told_by:
                self._at = line.new_oid
            elif line.new_oid is not None or self._is_deleted(line, at, lines, numbers):
                found[number] = _movement(self._ref, line.old_oid, line.new_oid)
                self._at = line.new_oid
        return found

    def _on_record(self, lines: Sequence[Told], numbers: Sequence[int], told_by: Mapping[int, int]) -> int:
        """How many lines a drain before this one has told already, by a reflog that it read after the spool.

        They end where the record ends, begin elsewhere, and name nothing that is news. What went there and back, by a
        git that does not say from where, looks the same: it is taken for it.
        """
        count = 0
        for at, number in enumerate(numbers):
            line = lines[number]
            if number in told_by or line.old_oid == self._at:
                break
            if line.new_oid is not None and not self._is_known(line.new_oid):
                break
            if line.new_oid == self._at:
                count = at + 1
        return count

    def _is_deleted(self, line: Told, at: int, lines: Sequence[Told], numbers: Sequence[int]) -> bool:
        """Whether a deletion is one: not where ``pack-refs`` packed the ref and took its file away."""
        was = line.old_oid or self._at
        if (line.process, was) in self._packed:
            return False
        following = lines[numbers[at + 1]] if at + 1 < len(numbers) else None
        if following is not None:
            return following.old_oid is None
        return self._standing().get(self._ref) != was


def _merged(
    queue: Sequence[Movement],
    lines: Sequence[Told],
    places: Mapping[str, Sequence[int]],
    told_by: Mapping[int, int],
    news: Mapping[int, Movement],
) -> list[Movement]:
    """The queue with the news in it: after what was told before them, and before what their own ref did next."""
    limits: dict[int, int] = {}  # line -> the place of its ref's next movement in the queue
    ahead: dict[str, int] = {}
    for number in range(len(lines) - 1, -1, -1):
        ref = lines[number].ref
        if number in told_by:
            ahead[ref] = told_by[number]
        elif number in news:
            limits[number] = ahead.get(ref, len(queue))
    after: dict[int, list[Movement]] = defaultdict(list)
    at = -1
    for number, line in enumerate(lines):
        if number in told_by:
            at = max(at, told_by[number])
        elif number in news:
            limit = limits[number]
            own = places.get(line.ref, ())
            earlier = bisect_left(own, limit)
            after[min(max(at, own[earlier - 1] if earlier else -1), limit - 1)].append(news[number])
    merged = after[-1]
    for number, movement in enumerate(queue):
        merged += (movement, *after[number])
    return merged


def _linked(merged: Iterable[Movement], last_oid: Callable[[str], tuple[Oid | None] | None]) -> list[Movement]:
    """The movements, each of the hook's from where its ref was before it, where the hook does not say."""
    at: dict[str, Oid | None] = {}
    found = []
    for movement in merged:
        if movement.by_hook:
            ref = movement.refs[0].name
            old = movement.old_oid or (at[ref] if ref in at else (last_oid(ref) or (None,))[0])
            movement = _movement(ref, old, movement.new_oid)
        at |= {moved.name: moved.new_oid for moved in movement.refs}
        found.append(movement)
    return found


def _movement(ref: str, old: Oid | None, new: Oid | None) -> Movement:
    return Movement(None, old, new, "", "", (RefMovement(ref, old, new, None),), by_hook=True)
