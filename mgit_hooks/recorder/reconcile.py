"""From what the hooks said, what the reflogs hold and where the refs are, to records of what happened.

Every commit is written once, at first sight, with the movement that brought it; what moves to a commit
that is already on record is a movement of its own. Hooks add what reflogs lack: gate verdicts, rewrite
maps, pushes.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from operator import itemgetter
from typing import Any, NamedTuple, Protocol

from mgit_hooks import dates
from mgit_hooks.errors import ObjectError
from mgit_hooks.git.reflog import ref_text
from mgit_hooks.record import Commit, Gate, Oid, Push, Record, RefMovement, Seq
from mgit_hooks.recorder import classify, outcomes, pushing, receiving, transactions
from mgit_hooks.recorder.event import HookEvent, PushLine
from mgit_hooks.recorder.evidence import Evidence
from mgit_hooks.recorder.ledger import NO_HOOK
from mgit_hooks.recorder.making import Maker, Setting
from mgit_hooks.recorder.movements import Movement
from mgit_hooks.recorder.rewriting import Rewrites


class Capturer(Protocol):
    """What reconcile asks of git's objects. ``missing`` is what the last walk did not find."""

    @property
    def missing(self) -> tuple[Oid, ...]: ...

    def commit(self, oid: Oid) -> Commit: ...
    def new_commits(self, tips: list[Oid], known: Callable[[Oid], bool]) -> Sequence[Oid]: ...
    def references(self) -> dict[str, Oid]: ...


class Memory(outcomes.Memory, Protocol):
    """What is already on record (mgit_hooks.journal.index), this drain's own records included."""

    def has_record(self, commit: Oid) -> bool: ...
    def is_older(self, commit: Oid) -> bool: ...
    def has_movement(self, worktree: str | None, movement: RefMovement, occurred_at: str) -> bool: ...
    def last_oid(self, ref: str) -> tuple[Oid | None] | None: ...
    def is_left(self, ref: str, oid: Oid | None) -> bool: ...
    def refs(self) -> dict[str, Oid | None]: ...
    def recorded_before(self, commit: Oid) -> Record | None: ...
    def unlinked(self, commit: Oid, olds: Iterable[Oid]) -> Record | None: ...
    def newest_push(self) -> Record: ...
    def seq_of_push(self, push: Push) -> Seq | None: ...
    def was_told(self, record: Record) -> bool: ...


# How deep a movement may call for others to be told first. Beyond, commits are told without that order.
_DEPTH = 50


class Pushes(NamedTuple):
    """What is known of pushes beyond what hooks and reflogs say.

    ``underway`` are the lines of pushes from here that an earlier drain told of and that had not ended then;
    ``is_over`` says whether a line's git process has ended. ``receptions`` are the pushes to this repository; ``later``
    gives the lines that were written since this drain has read the spool.
    """

    remotes: pushing.Remotes
    underway: Sequence[HookEvent]
    is_over: Callable[[HookEvent], bool]
    receptions: receiving.Receptions
    later: Callable[[], Sequence[HookEvent]]


class Reconciler:
    """Makes the records of one drain. The caller appends each before it asks for the next.

    ``unreadable`` are commits that something named and git could not give: what happened is told all the same, and
    ``untold``, those of the drain before, are tried again. ``unsettled`` are refs that moved and whose reflog goes on
    by now: what it says is the next drain's to tell. ``left`` are lines of pushes that are to be looked at once more
    then.
    """

    def __init__(
        self,
        capturer: Capturer,
        memory: Memory,
        evidence: Evidence,
        setting: Setting,
        pushes: Pushes,
        rewrites: Rewrites,
        untold: Sequence[Oid] = (),
    ) -> None:
        self._git = capturer
        self._memory = memory
        self._evidence = evidence
        self._setting = setting
        self._rewrites = rewrites
        self._make = Maker(evidence, setting, rewrites)
        self._queue: list[Movement] = []
        self._places: dict[Oid | None, list[int]] = {}
        self._told: set[int] = set()
        self._made: dict[Oid, int] = {}
        self._unsaid = [said for said in evidence.events if said.hook != transactions.HOOK]
        self._remotes = pushes.remotes
        self._later = pushes.later
        self._receptions = pushes.receptions
        self._unsaid = [*self._receptions.held, *self._unsaid]
        self._bringers: dict[tuple[str, Oid | None], Seq] = {}
        self._standing_refs: dict[str, Oid] | None = None
        witness = outcomes.Witness(pushes.is_over, evidence.stops, setting.is_logged)
        self._outcomes = outcomes.Outcomes(memory, pushes.remotes, witness, pushes.underway, evidence.events)
        self.unreadable: list[Oid] = []
        self.unsettled: set[str] = set()
        self.left: Sequence[HookEvent] = ()
        self._untold = untold

    def records(self, movements: list[Movement]) -> Iterator[Record]:
        """The records of all movements and hook events, in the order in which they happened as far as it is known."""
        logged = [new for movement in movements if (new := self._new_part(movement)) is not None]
        lines = transactions.told(self._evidence.events)
        memory = self._memory
        self._queue = transactions.joined(
            logged, lines, memory.last_oid, self._standing, lambda oid: memory.has_record(oid) or memory.is_older(oid)
        )
        self._made = self._made_here()
        for number, movement in enumerate(self._queue):
            self._places.setdefault(movement.new_oid, []).append(number)
        pushed = {at: movement.refs[0] for at, movement in enumerate(self._queue) if _is_push_update(movement)}
        self._outcomes.expect(pushed)
        at = 0
        while self._unsaid:
            said = self._unsaid[0]
            until = _first_from(at, self._places.get(said.head, ())) if _stands_at_head(said) else None
            if until is not None:
                yield from self._tell(range(at, until + 1))
                at = until + 1
            if self._unsaid and self._unsaid[0] is said:  # what a push moved may have had it said
                yield from self._say_next()
        yield from self._tell(range(at, len(self._queue)))
        yield from self._heads_without_reflog()
        yield from self._late_words()
        yield from self._refs_without_reflog()
        for found in self._outcomes.due({ref_text(name) for name in self.unsettled}):
            yield self._make.of_settled(found)
        self.left = self._outcomes.left

    def _new_part(self, movement: Movement) -> Movement | None:
        """The movement less what of it is on record; None where all of it is."""
        if movement.by_hook:
            return movement  # it has no time to be known by: ``transactions`` has left out what is on record
        new = tuple(
            ref for ref in movement.refs if not self._memory.has_movement(movement.worktree, ref, movement.occurred_at)
        )
        return movement._replace(refs=new) if new else None

    def _made_here(self) -> dict[Oid, int]:
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
            elif self._evidence.made(oid):
                moved.setdefault(oid, number)
        return moved | said

    def _knows(self, oid: Oid) -> bool:
        """Whether a commit is on record, or was there before recording began and is backfill's to record."""
        if self._memory.has_record(oid):
            return True
        made_since = oid in self._made or self._evidence.made(oid)
        return not made_since and self._memory.is_older(oid)

    # Movements

    def _tell(self, places: Iterable[int], depth: int = 0) -> Iterator[Record]:
        for number in places:
            if number not in self._told:
                self._told.add(number)
                yield from self._moved(number, depth)

    def _before(self, number: int) -> list[int]:
        """This movement and all untold ones that its reflogs, and in turn theirs, have before it."""
        found = [number]
        logs = _logs(self._queue[number])
        for earlier in range(number - 1, -1, -1):
            if earlier not in self._told and not logs.isdisjoint(_logs(self._queue[earlier])):
                found.append(earlier)
                logs |= _logs(self._queue[earlier])
        return found[::-1]

    def _moved(self, number: int, depth: int) -> Iterator[Record]:
        movement = self._queue[number]
        yield from self._say_until(self._outcomes.line_of(number))
        oid = movement.new_oid
        if oid is not None and not self._knows(oid):
            yield from self._commits(oid, movement, depth)
        rest = self._new_part(movement)
        if rest is None:
            return  # the record of the commit tells it
        yield from self._unseen(rest.refs, number)
        if _is_push_update(rest):
            yield self._make.of_outcome(rest, self._outcomes.claim(number))
            return
        record = self._make.of_movement("checkout" if classify.is_checkout(rest.message) else "ref-update", rest)
        bringers = [self._bringers[ref.name, oid] for ref in rest.refs if (ref.name, oid) in self._bringers]
        yield record._replace(detail={"push": bringers[0]}) if bringers else record

    def _commits(self, tip: Oid, movement: Movement, depth: int) -> Iterator[Record]:
        """Records of ``tip`` and of its ancestors that are not on record, parents first."""
        source = self._make.source_of(movement)
        oids = self._walked(tip)
        for oid in oids if depth < _DEPTH else ():
            made = self._made.get(oid)
            if made is not None and made not in self._told:
                # Another reflog tells how this one came to be: what that one has before it comes first.
                yield from self._tell(self._before(made), depth + 1)
        for oid in oids:
            if not self._memory.has_record(oid):
                yield from self._commit(oid, source)

    def _walked(self, tip: Oid) -> Sequence[Oid]:
        oids = self._git.new_commits([tip], self._knows)
        self.unreadable += (oid for oid in self._git.missing if oid not in self.unreadable)
        return oids

    def _commit(self, oid: Oid, source: str) -> Iterator[Record]:
        try:
            commit = self._git.commit(oid)
        except ObjectError:
            self.unreadable.append(oid)
            return
        at = self._made.get(oid, next(iter(self._places.get(oid, ())), None))
        message = self._queue[at].message if at is not None and not self._queue[at].by_hook else None
        made = self._new_part(self._queue[self._made[oid]]) if oid in self._made else None
        record = self._make.of_commit(commit, source, made, message)
        yield from self._unseen(record.refs or (), at)
        yield record

    def _unseen(self, refs: tuple[RefMovement, ...], number: int | None) -> Iterator[Record]:
        """How refs came to where their reflogs go on from, where that is not where their last record left them.

        ``number`` is that of the movement that goes on. A branch that was deleted and made again has lost its
        reflog; a dropped stash is in none; one that was made in a bare repository has a reflog only from the first
        commit on that a linked worktree makes on it.
        """
        for ref in refs:
            last = (self._memory.last_oid(ref.name) or (None,))[0]
            if ref.name.startswith("refs/") and last != ref.old_oid and not self._memory.is_left(ref.name, ref.old_oid):
                yield self._unlogged(RefMovement(ref.name, last, ref.old_oid, None), number)

    def _unlogged(self, moved: RefMovement, before: int | None = None) -> Record:
        """Of a movement that no reflog tells. A deletion takes the reflog with it; and what was made, deleted and made
        again in one second has a reflog that says no more than the first one did."""
        told = None not in (moved.old_oid, moved.new_oid) and self._setting.is_logged(moved.name)
        found = None if told else self._outcomes.claim_unlogged(moved, before)
        return self._make.of_unlogged(moved) if found is None else self._make.of_unlogged_outcome(moved, found)

    # What only hooks know

    def _say_next(self) -> Iterator[Record]:
        said = self._unsaid.pop(0)
        if said.hook in ("pre-receive", "post-receive"):
            yield from self._received(said)
            return
        record = self._said(said)
        if record is None:
            return
        if self._memory.was_told(record):
            if record.event == "push":
                self._outcomes.resume(said)
            return
        yield record
        if record.event == "push":
            self._outcomes.attempted(said, self._memory.newest_push())

    def _said(self, said: HookEvent) -> Record | None:
        if said.hook == "pre-push":
            return self._make.of_push(said, pushing.pushed(said, self._remotes))
        if said.hook not in ("gate", "skip") or (said.flag == "u" and not self._setting.armed):
            return None  # where nothing was armed, nothing was skipped
        verdict = self._evidence.verdict_of(said)
        if verdict.status == "refused":
            return self._make.of_verdict(said, verdict)
        if verdict.status == "skipped" and self._evidence.is_first_skip(said):
            return self._make.of_verdict(said, verdict)
        return None

    def _say_until(self, said: HookEvent | None) -> Iterator[Record]:
        """A push comes before what it moved, though its line has no time that would say so."""
        while any(each is said for each in self._unsaid):
            yield from self._say_next()

    # Pushes to this repository

    def _received(self, said: HookEvent) -> Iterator[Record]:
        reception = self._receptions.of(said)
        if reception is None:
            return
        for line in reception.lines:
            yield from self._received_before(line)
        push = receiving.recorded(reception, self._remotes, self._standing_now)
        if said in self._receptions.held and self._receptions.was_told(push):
            return
        record = self._make.of_received(reception.gate, push)
        if self._memory.was_told(record):
            seq = self._memory.seq_of_push(push)
        else:
            yield record
            seq = self._memory.newest_push().seq
        for line, ref in zip(reception.lines, push.refs, strict=True):
            if ref.confirmed and seq is not None and not line.remote_ref.startswith("refs/mgit/"):
                yield from self._brought(line, seq)

    def _received_before(self, line: PushLine) -> Iterator[Record]:
        """Two pushes to one ref come in its order, whichever of them wrote its line first."""
        last = self._memory.last_oid(ref_text(line.remote_ref))
        if (last[0] if last else None) == line.remote_oid:
            return
        for said, other in list(receiving.moved_by(self._unsaid)):
            fits = (other.remote_ref, other.local_oid) == (line.remote_ref, line.remote_oid)
            if fits and said.hook == "post-receive" and any(each is said for each in self._unsaid):
                self._unsaid = [each for each in self._unsaid if each is not said]
                yield from self._received(said)
                return

    def _brought(self, line: PushLine, seq: Seq) -> Iterator[Record]:
        """What one ref of a push brought: its commits, and its movement where no reflog tells of that."""
        name, oid = ref_text(line.remote_ref), line.local_oid
        if oid is not None and not self._knows(oid):
            for new in self._walked(oid):
                for record in () if self._memory.has_record(new) else self._commit(new, "fetch"):
                    yield record._replace(detail={"push": seq}) if record.event == "import" else record
        if self._setting.is_logged(line.remote_ref):
            self._bringers[name, oid] = seq
            return
        last = self._memory.last_oid(name)
        # Else a drain came between the movement and this line, or the line of another push is yet to come.
        if (last[0] if last else None) == line.remote_oid != oid:
            moved = self._make.of_unlogged(RefMovement(name, line.remote_oid, oid, None))
            yield moved._replace(source=self._setting.source, detail={"push": seq})

    def _standing_now(self) -> dict[str, Oid]:
        if self._standing_refs is None:
            self._standing_refs = self._git.references()
        return self._standing_refs

    def _being_pushed(self) -> set[str]:
        """Refs that a push moves whose line is yet to be read: that one tells of them, with the push."""
        lines = (*self._receptions.waiting(self._evidence.events), *self._later())
        return {line.remote_ref for _, line in receiving.moved_by(lines)}

    # What no reflog tells

    def _heads_without_reflog(self) -> Iterator[Record]:
        """Commits that a hook spoke of and no reflog tells: there is none, or it went with its worktree."""
        heads = transactions.heads(self._evidence.events)
        for oid in (*self._evidence.hooks, *self._evidence.rewrites, *heads, *self._untold):
            if not self._knows(oid):
                for new in self._walked(oid):
                    yield from self._commit(new, self._make.unwitnessed)

    def _late_words(self) -> Iterator[Record]:
        """What came to be told of a commit after a drain had recorded it: one record each, for all of it."""
        gates = dict(self._late_gates())
        for oid, (record, gate, worktree) in gates.items():
            replaces = self._replaced(record, self._rewrites.of(oid))
            yield _anew(record, gate=gate, source=self._setting.source, worktree=worktree, replaces=replaces)
        for oid, olds in self._rewrites.all():
            found = self._memory.unlinked(oid, olds) if oid not in gates else None
            replaces = self._replaced(found, olds) if found is not None else None
            if found is not None and replaces != found.replaces:
                source = self._setting.source if oid in self._evidence.rewrites else found.source
                yield _anew(found, source=source, replaces=replaces)

    def _replaced(self, record: Record, olds: Sequence[Oid]) -> tuple[Oid, ...] | None:
        """What is on record as replaced, and what is told now: maps come late, or go on where the first one ended."""
        return tuple(dict.fromkeys((*(record.replaces or ()), *olds))) if olds else record.replaces

    def _late_gates(self) -> Iterator[tuple[Oid, tuple[Record, Gate, str]]]:
        """Of hooks that came to speak after a drain had given up waiting for them, and had said that none ran."""
        for oid, said in self._evidence.hooks.items():
            record = self._memory.recorded_before(oid)
            if record is None or record.commit is None or record.gate != NO_HOOK:
                continue
            gate = self._evidence.gate(record.commit, record.event, self._setting.armed)
            if gate != NO_HOOK:
                yield oid, (record, gate, record.worktree or said.worktree)

    def _standing(self) -> dict[str, Oid]:
        """Where refs are now, by their names as they are recorded."""
        return {ref_text(name): oid for name, oid in self._git.references().items()}

    def _refs_without_reflog(self) -> Iterator[Record]:
        """Refs that are not where the last record left them: tags, notes, deletions, bare repositories."""
        gone: list[str] = []
        differing = self._differing()
        pushed = self._being_pushed() if differing else set()
        for raw, oid in differing:
            name = ref_text(raw)
            if raw in pushed or not self._setting.is_settled(raw):
                self.unsettled.add(raw)
                continue
            if oid is None:
                gone.append(name)
                continue
            last = self._memory.last_oid(name)
            if self._memory.is_left(name, oid):
                continue
            moved = RefMovement(name, last[0] if last else None, oid, None)
            if not self._knows(oid):
                yield from self._commits(oid, Movement(None, moved.old_oid, oid, "", "", (moved,)), _DEPTH)
            yield self._unlogged(moved)
        for name in gone:
            last = self._memory.last_oid(name)
            if last is not None and last[0] is not None:
                yield self._unlogged(RefMovement(name, last[0], None, None))

    def _is_left(self, name: str, oid: Oid | None) -> bool:
        """Whether a ref stands, or is gone, as the newest record about it says; one that none tells of is gone."""
        return self._memory.is_left(name, oid) or (oid is None and self._memory.last_oid(name) is None)

    def _differing(self) -> list[tuple[str, Oid | None]]:
        """The refs that are not where their last record left them, by name, and where they are."""
        found = self._setting.moved()
        if found is None:
            found = dict(self._git.references())
            known = self._memory.refs()
            texts = {ref_text(name) for name in found}
            found |= {name: None for name, oid in known.items() if oid is not None and name not in texts}
            found = {name: oid for name, oid in found.items() if known.get(ref_text(name)) != oid}
        return [
            (name, oid)
            for name, oid in sorted(found.items(), key=itemgetter(0))
            if not name.startswith("refs/mgit/") and not self._is_left(ref_text(name), oid)
        ]


def _is_push_update(movement: Movement) -> bool:
    return classify.is_push_update(movement.refs[0].name, movement.message)


def _anew(record: Record, **known: Any) -> Record:
    """The record that stands in for ``record``, with what is known now."""
    return record._replace(**known, supersedes=record.seq, recorded_at=dates.now(), seq=None, id=None)


def _logs(movement: Movement) -> set[tuple[str | None, str]]:
    """The reflogs that a movement stands in."""
    return {(movement.worktree if ref.name == "HEAD" else None, ref.name) for ref in movement.refs}


def _stands_at_head(said: HookEvent) -> bool:
    return said.head is not None and said.hook in ("post-commit", "post-merge", "post-applypatch", "post-checkout")


def _first_from(at: int, places: Sequence[int]) -> int | None:
    found = bisect_left(places, at)
    return places[found] if found < len(places) else None
