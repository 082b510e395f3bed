"""What came of pushes from here.

A push's line is written before git talks to the remote. What came of it is told once git's process has ended, by
the remote-tracking refs: git moves one where the remote took what was pushed, and only then. Where the remote has
none, nothing tells. Pushes that cannot be told apart get no outcome.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from typing import NamedTuple, Protocol

from mgit_hooks.record import Oid, Push, PushRef, Record, RefMovement, Seq
from mgit_hooks.recorder import pushing
from mgit_hooks.recorder.event import HookEvent, Process


class Memory(Protocol):
    """What is on record, this drain's own records included."""

    def recent_pushes(self) -> Iterator[Record]: ...
    def outcomes(self, push: Seq) -> list[Push]: ...
    def stood(self, ref: str, since: Seq) -> set[Oid | None] | None: ...
    def unclaimed(self, since: Seq) -> list[tuple[Seq, RefMovement]]: ...


class Witness(NamedTuple):
    """What is known of the git processes and refs behind the lines of pushes.

    ``is_over``: git's process had ended before the reflogs were read. ``was_stopped``: a hook stopped it, so that
    git never went to the remote. ``is_logged``: a ref has a reflog, so that where it stood in between is known too.
    """

    is_over: Callable[[HookEvent], bool]
    was_stopped: Callable[[HookEvent], bool]
    is_logged: Callable[[str], bool]


class _Line(NamedTuple):
    """One push as its line says it. ``tracked``: of each of its refs the remote-tracking ref."""

    process: Process
    push: Push
    tracked: tuple[str | None, ...]
    is_over: bool
    was_stopped: bool


class _Place(NamedTuple):
    """A ref of a line, by their numbers."""

    line: int
    ref: int


class Outcomes:
    """What came of the pushes that one drain tells of, and of those that were under way at the one before.

    ``underway`` are the lines of these, ``events`` those of this drain. A push is known by the place of its line.
    """

    def __init__(
        self,
        memory: Memory,
        remotes: pushing.Remotes,
        witness: Witness,
        underway: Sequence[HookEvent],
        events: Sequence[HookEvent],
    ) -> None:
        self._memory = memory
        self._is_logged = witness.is_logged
        told = [said for said in underway if said not in events]  # else a drain was killed before it passed the line
        self._said = [*told, *(said for said in events if said.hook == "pre-push")]
        self._lines = [_line(said, remotes, witness) for said in self._said]
        self._records: dict[int, tuple[Seq, Push]] = {}
        self._settled: set[_Place] = set()  # all is told of it that can be told
        self._movers: dict[int, _Place] = {}  # of a movement, by its number
        self.left: list[HookEvent] = []
        """Lines of pushes that are over, and are to be looked at once more."""
        self._late: set[_Place] = set()  # moved while git ran, told then without its push
        for said in told:
            self.resume(said)

    # Lines and their records

    def attempted(self, said: HookEvent, record: Record) -> None:
        """``record`` is that of the line ``said``."""
        number = next(number for number, each in enumerate(self._said) if each is said)
        if record.push is None or record.seq is None:
            return
        self._records[number] = record.seq, record.push
        for outcome in self._memory.outcomes(record.seq):
            told = {ref.remote_ref for ref in outcome.refs}
            self._settled |= {_Place(number, at) for at, ref in enumerate(record.push.refs) if ref.remote_ref in told}

    def resume(self, said: HookEvent) -> None:
        """The record of ``said`` is on file already: it was under way, or a drain was killed after it wrote that."""
        wanted, taken = pushing.key(pushing.wire(said)), {seq for seq, _ in self._records.values()}
        for record in self._memory.recent_pushes():
            if record.push is not None and record.seq not in taken and pushing.key(record.push) == wanted:
                self.attempted(said, record)
                return

    # Movements and what moved

    def expect(self, movements: Mapping[int, RefMovement]) -> None:
        """Find each movement that git made for a push its push; they are in their order, with numbers of the caller's.

        Pushes and what they moved come in one order, but not every push moved something. Where from the first on
        and from the last on another push fits, it is left open: a false word is worse than none.
        """
        began = [seq for seq, _ in self._records.values()]
        earlier = self._memory.unclaimed(min(began)) if began else []
        moved: list[tuple[RefMovement, Seq | None]] = [
            *((each, seq) for seq, each in earlier),
            *((each, None) for each in movements.values()),
        ]
        first = self._fit(moved, 1)
        last = self._fit(moved[::-1], -1)[::-1]
        for number, one, other in zip((*(None for _ in earlier), *movements), first, last, strict=True):
            if one is not None and one == other and not self._is_one_of_several(one):
                if number is not None:
                    self._movers[number] = one
                elif self._lines[one.line].is_over:
                    self._late.add(one)

    def _fit(self, movements: Sequence[tuple[RefMovement, Seq | None]], step: int) -> list[_Place | None]:
        """The first push that fits for each, going through both one way; of an earlier drain's, with its record."""
        at: dict[str, int] = {}
        found = []
        for moved, before in movements:
            begin = at.get(moved.name, 0 if step > 0 else len(self._lines) - 1)
            numbers = range(begin, len(self._lines) if step > 0 else -1, step)
            place = next((place for place in self._fitting(moved, numbers) if self._was_told(place, before)), None)
            if place is not None:
                at[moved.name] = place.line + step
            found.append(place)
        return found

    def _was_told(self, place: _Place, before: Seq | None) -> bool:
        """Whether the push was on record before record ``before``, if that is given."""
        return before is None or (place.line in self._records and self._records[place.line][0] < before)

    def _fitting(self, moved: RefMovement, numbers: Sequence[int]) -> Iterator[_Place]:
        """What was to move this ref to where it went, among these lines."""
        for number in numbers:
            line = self._lines[number]
            for at, ref in enumerate(line.push.refs):
                fits = line.tracked[at] == moved.name and ref.local_oid == moved.new_oid
                if fits and not line.was_stopped and _Place(number, at) not in self._settled:
                    yield _Place(number, at)

    def _is_one_of_several(self, place: _Place) -> bool:
        """Whether its git pushed the same to several URLs of one remote: each may have moved the ref."""
        line = self._lines[place.line]
        oid = line.push.refs[place.ref].local_oid
        return any(
            other is not line
            and other.process == line.process
            and each == line.tracked[place.ref]
            and ref.local_oid == oid
            for other in self._lines
            for each, ref in zip(other.tracked, other.push.refs, strict=True)
        )

    def line_of(self, number: int) -> HookEvent | None:
        """The line of the push that made a movement: it is told before that."""
        place = self._movers.get(number)
        return None if place is None else self._said[place.line]

    def claim(self, number: int) -> tuple[Seq, Push] | None:
        """The push that made a movement, with that ref alone; None where that is not known, or git has not ended."""
        return self._claimed(self._movers.get(number))

    def claim_unlogged(self, moved: RefMovement, before: int | None) -> tuple[Seq, Push] | None:
        """The same of a movement that no reflog tells. ``before``: the number of the movement that follows it."""
        follower = None if before is None else self._movers.get(before)
        numbers = range(len(self._lines) if follower is None else follower.line)
        fitting = [place for place in self._fitting(moved, numbers) if place not in self._movers.values()]
        if len(fitting) != 1 or self._is_one_of_several(fitting[0]):
            return None
        return self._claimed(fitting[0])

    def _claimed(self, place: _Place | None) -> tuple[Seq, Push] | None:
        if place is None or not self._lines[place.line].is_over or place.line not in self._records:
            return None
        self._settled.add(place)
        seq, push = self._records[place.line]
        return seq, push._replace(refs=(_outcome(push.refs[place.ref], True),), confirmed=True)

    # What is left

    def due(self, unsettled: Set[str]) -> Iterator[tuple[Seq, Push]]:
        """What is known of the pushes that are over beyond what was claimed. Call it after all movements.

        ``unsettled`` are refs of which more is to be read: pushes to these are left to the next drain.
        """
        for number, (seq, push) in sorted(self._records.items()):
            if not self._lines[number].is_over:
                continue
            if not unsettled.isdisjoint(filter(None, self._lines[number].tracked)):
                self.left.append(self._said[number])
                continue
            told = [(ref, self._judged(_Place(number, at), ref)) for at, ref in enumerate(push.refs)]
            refs = tuple(_outcome(ref, confirmed) for ref, confirmed in told if confirmed is not None)
            if refs:
                yield seq, push._replace(refs=refs, confirmed=pushing.common(refs))

    def _judged(self, place: _Place, ref: PushRef) -> bool | None:
        """Whether the remote took a ref of a push that is over; None where that is told, or nothing tells."""
        line = self._lines[place.line]
        if place in self._late or place in self._settled:
            return True if place in self._late - self._settled else None
        if line.was_stopped:
            return False
        name = line.tracked[place.ref]
        stood = None if name is None else self._memory.stood(name, self._records[place.line][0])
        if name is None or stood is None or ref.local_oid in stood or self._was_there(place, ref):
            return None  # there is no ref to move, or it may have stood there already, or did so in between
        if stood == {None} and self._went_on(place):
            return None  # a ref that was made and taken away again leaves no trace
        return None if len(stood) > 1 and not self._is_logged(name) else False

    def _was_there(self, place: _Place, ref: PushRef) -> bool:
        """Whether a later push found the remote's ref where this one was to put it."""
        remote = self._lines[place.line].push.remote_name
        return any(
            other.remote_ref == ref.remote_ref and other.remote_oid == ref.local_oid
            for later in self._lines[place.line + 1 :]
            if later.push.remote_name == remote
            for other in later.push.refs
        )

    def _went_on(self, place: _Place) -> bool:
        """Whether the same remote was pushed to again before this drain."""
        line = self._lines[place.line]
        return any(
            later.push.remote_name == line.push.remote_name and later.process != line.process
            for later in self._lines[place.line + 1 :]
        )


def _line(said: HookEvent, remotes: pushing.Remotes, witness: Witness) -> _Line:
    push = pushing.wire(said)
    tracked = tuple(remotes.tracking(push.remote_name, ref.remote_ref) for ref in push.refs)
    return _Line(said.process, push, tracked, witness.is_over(said), witness.was_stopped(said))


def _outcome(ref: PushRef, confirmed: bool) -> PushRef:
    """What was dropped stands in the record of the push."""
    return ref._replace(confirmed=confirmed, dropped=None, dropped_count=None)
