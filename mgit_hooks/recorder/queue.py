"""The movements of one drain, by their numbers: which are still to be told, which made a commit, which come first."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence

from mgit_hooks.record import Oid
from mgit_hooks.recorder import classify, transactions
from mgit_hooks.recorder.evidence import Evidence
from mgit_hooks.recorder.memory import Memory
from mgit_hooks.recorder.movements import Movement


class Queue:
    """``movements``, oldest first, less what is on record; and what only the reference-transaction hook told.

    ``standing`` gives where refs are now, by their names as they are recorded.
    """

    def __init__(
        self,
        movements: Sequence[Movement],
        evidence: Evidence,
        memory: Memory,
        standing: Callable[[], Mapping[str, Oid]],
    ) -> None:
        self._memory = memory
        self.on_record: dict[Oid, str] = {}
        """What the reflogs say of each commit that movements which are on record led to. The commit need not be: a
        drain that could not read it may have failed, or been killed, before it wrote down that it is untold."""
        logged = [new for movement in movements if (new := self._still_new(movement)) is not None]
        self._queue = transactions.joined(
            logged,
            transactions.told(evidence.events),
            memory.last_oid,
            standing,
            lambda oid: memory.has_record(oid) or memory.is_older(oid),
        )
        self._told: set[int] = set()
        self._made = self._made_here(evidence)
        self._places: dict[Oid | None, list[int]] = {}
        for number, movement in enumerate(self._queue):
            self._places.setdefault(movement.new_oid, []).append(number)

    def __len__(self) -> int:
        return len(self._queue)

    def __getitem__(self, number: int) -> Movement:
        return self._queue[number]

    def take(self, number: int) -> bool:
        """Whether a movement is still to be told. From now on it is not."""
        if number in self._told:
            return False
        self._told.add(number)
        return True

    def new_part(self, number: int) -> Movement | None:
        """The movement less what of it is on record by now; None where all of it is."""
        return self._new_part(self._queue[number])

    def maker(self, oid: Oid) -> int | None:
        """The movement that made a commit."""
        return self._made.get(oid)

    def untold_maker(self, oid: Oid) -> int | None:
        made = self._made.get(oid)
        return None if made in self._told else made

    def first_to(self, oid: Oid | None, start: int = 0) -> int | None:
        """The first movement, from number ``start`` on, that led to a commit."""
        places = self._places.get(oid, ())
        found = bisect_left(places, start)
        return places[found] if found < len(places) else None

    def leading_to(self, number: int) -> list[int]:
        """This movement and all untold ones that its reflogs, and in turn theirs, have before it."""
        found = [number]
        logs = _logs(self._queue[number])
        for earlier in range(number - 1, -1, -1):
            if earlier not in self._told and not logs.isdisjoint(_logs(self._queue[earlier])):
                found.append(earlier)
                logs |= _logs(self._queue[earlier])
        return found[::-1]

    def _still_new(self, movement: Movement) -> Movement | None:
        new = self._new_part(movement)
        if new is None and movement.new_oid is not None:
            said = self.on_record.get(movement.new_oid)
            if said is None or classify.made_by(said) is None:
                self.on_record[movement.new_oid] = movement.message
        return new

    def _new_part(self, movement: Movement) -> Movement | None:
        if movement.by_hook:
            return movement  # it has no time to be known by: ``transactions`` has left out what is on record
        new = tuple(
            ref for ref in movement.refs if not self._memory.has_movement(movement.worktree, ref, movement.occurred_at)
        )
        return movement._replace(refs=new) if new else None

    def _made_here(self, evidence: Evidence) -> dict[Oid, int]:
        """For each commit the place in the queue of the movement that made it: the first that says so.

        Where none says so a hook may: then it is the first that moved there. A rebase's movement of the branch at its
        end can bear an earlier time than the pick that it follows.
        """
        said: dict[Oid, int] = {}
        moved: dict[Oid, int] = {}
        for number, movement in enumerate(self._queue):
            oid = movement.new_oid
            if oid is None or movement.by_hook or self._memory.has_record(oid):
                continue
            if classify.made_by(movement.message) is not None:
                said.setdefault(oid, number)
            elif evidence.made(oid):
                moved.setdefault(oid, number)
        return moved | said


def _logs(movement: Movement) -> set[tuple[str | None, str]]:
    """The reflogs that a movement stands in."""
    return {(movement.worktree if ref.name == "HEAD" else None, ref.name) for ref in movement.refs}
