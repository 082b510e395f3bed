"""How refs moved where no reflog tells it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from mgit_hooks.record import Record, RefMovement
from mgit_hooks.recorder.making import Maker
from mgit_hooks.recorder.memory import Memory
from mgit_hooks.recorder.outcomes import Outcomes


class Unlogged:
    """Records of such movements; ``is_logged`` as ``Setting`` has it."""

    def __init__(self, memory: Memory, outcomes: Outcomes, make: Maker, is_logged: Callable[[str], bool]) -> None:
        self._memory = memory
        self._outcomes = outcomes
        self._make = make
        self._is_logged = is_logged

    def before(self, refs: Sequence[RefMovement], number: int | None) -> Iterator[Record]:
        """How refs came to where their reflogs go on from, where that is not where their last record left them.

        ``number`` is that of the movement that goes on. A branch that was deleted and made again has lost its
        reflog; a dropped stash is in none; one that was made in a bare repository has a reflog only from the first
        commit on that a linked worktree makes on it.
        """
        for ref in refs:
            last = (self._memory.last_oid(ref.name) or (None,))[0]
            if ref.name.startswith("refs/") and last != ref.old_oid and not self._memory.is_left(ref.name, ref.old_oid):
                yield self.record(RefMovement(ref.name, last, ref.old_oid, None), number)

    def record(self, moved: RefMovement, before: int | None = None) -> Record:
        """Of a movement that no reflog tells. A deletion takes the reflog with it; and what was made, deleted and made
        again in one second has a reflog that says no more than the first one did.

        ``before``: the number of the movement that follows it.
        """
        told = None not in (moved.old_oid, moved.new_oid) and self._is_logged(moved.name)
        found = None if told else self._outcomes.claim_unlogged(moved, before)
        return self._make.of_unlogged(moved) if found is None else self._make.of_unlogged_outcome(moved, found)
