"""From what the hooks said, what the reflogs hold and where the refs are, to records of what happened.

Every commit is written once, at first sight, with the movement that brought it; what moves to a commit
that is already on record is a movement of its own. Hooks add what reflogs lack: gate verdicts, rewrite
maps, pushes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from mgit_hooks.capture.capturer import Capturer
from mgit_hooks.git.reflog import ref_text
from mgit_hooks.record import Oid, Record
from mgit_hooks.recorder import classify, outcomes, pushing, receiving, transactions
from mgit_hooks.recorder.arrivals import Arrivals
from mgit_hooks.recorder.commits import Commits
from mgit_hooks.recorder.comparing import Comparison
from mgit_hooks.recorder.event import HookEvent
from mgit_hooks.recorder.evidence import Evidence
from mgit_hooks.recorder.latewords import late_words
from mgit_hooks.recorder.making import Maker, Setting
from mgit_hooks.recorder.memory import Memory
from mgit_hooks.recorder.movements import Movement
from mgit_hooks.recorder.queue import Queue
from mgit_hooks.recorder.rewriting import Rewrites
from mgit_hooks.recorder.unlogged import Unlogged
from mgit_hooks.recorder.words import Words

# How deep a movement may call for others to be told first. Beyond, commits are told without that order.
_DEPTH = 50


class Given(NamedTuple):
    """What one drain goes by: ``movements`` that the reflogs tell, what hooks said, and what replaced what.

    ``untold`` are commits that git could not give at the drain before.
    """

    movements: Sequence[Movement]
    evidence: Evidence
    rewrites: Rewrites
    untold: Sequence[Oid] = ()


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


class Rest(NamedTuple):
    """What the next drain is to look at again.

    ``unreadable`` are commits that something named and git could not give: what happened is told all the same.
    ``unsettled`` are refs that moved and whose reflog goes on by now. ``left`` are lines of pushes.
    """

    unreadable: tuple[Oid, ...]
    unsettled: frozenset[str]
    left: tuple[HookEvent, ...]


class Reconciler:
    """Makes the records of one drain. The caller appends each before it asks for the next."""

    def __init__(self, given: Given, capturer: Capturer, memory: Memory, setting: Setting, pushes: Pushes) -> None:
        evidence, receptions = given.evidence, pushes.receptions
        make = Maker(evidence, setting, given.rewrites)
        witness = outcomes.Witness(pushes.is_over, evidence.stops, setting.is_logged)
        told = outcomes.Outcomes(memory, pushes.remotes, witness, pushes.underway, evidence.events)
        queue = Queue(given.movements, evidence, memory, lambda: _standing(capturer))
        unlogged = Unlogged(memory, told, make, setting.is_logged)
        commits = Commits(capturer, memory, evidence, queue, make, unlogged)
        arrivals = Arrivals(receptions, pushes.remotes, memory, commits, make, setting, capturer.references)
        said = [*receptions.held, *(said for said in evidence.events if said.hook != transactions.HOOK)]
        self._given = given
        self._memory = memory
        self._setting = setting
        self._make = make
        self._outcomes = told
        self._queue = queue
        self._unlogged = unlogged
        self._commits = commits
        self._arrivals = arrivals
        self._words = Words(
            said, evidence, memory, make, told, receptions, arrivals, pushes.remotes, armed=setting.armed
        )
        self._comparison = Comparison(
            capturer,
            memory,
            setting,
            make,
            commits,
            unlogged,
            lambda: receptions.still_to_come(evidence.events, pushes.later()),
        )

    def records(self) -> Iterator[Record]:
        """The records of all movements and hook events, in the order in which they happened as far as it is known."""
        queue = self._queue
        self._outcomes.expect({at: queue[at].refs[0] for at in range(len(queue)) if _is_push_update(queue[at])})
        yield from self._words_and_movements()
        yield from self._heads_without_reflog()
        yield from late_words(self._given.evidence, self._given.rewrites, self._memory, self._setting)
        yield from self._comparison.records()
        for found in self._outcomes.due({ref_text(name) for name in self._comparison.unsettled}):
            yield self._make.of_settled(found)

    def rest(self) -> Rest:
        """Call it after the last record."""
        return Rest(tuple(self._commits.unreadable), frozenset(self._comparison.unsettled), tuple(self._outcomes.left))

    def _words_and_movements(self) -> Iterator[Record]:
        """What hooks said at a commit comes after the movement to it: what they said of no commit, in their order."""
        at = 0
        while (said := self._words.next) is not None:
            until = self._queue.first_to(said.head, at) if _stands_at_head(said) else None
            if until is not None:
                yield from self._tell(range(at, until + 1))
                at = until + 1
            if self._words.next is said:  # what a push moved may have had it said
                yield from self._words.tell_next()
        yield from self._tell(range(at, len(self._queue)))

    def _tell(self, numbers: Iterable[int], depth: int = 0) -> Iterator[Record]:
        for number in numbers:
            if self._queue.take(number):
                yield from self._moved(number, depth)

    def _moved(self, number: int, depth: int) -> Iterator[Record]:
        movement = self._queue[number]
        yield from self._words.tell_until(self._outcomes.line_of(number))
        if movement.new_oid is not None:
            yield from self._brought(movement.new_oid, self._make.source_of(movement), depth)
        rest = self._queue.new_part(number)
        if rest is None:
            return  # the record of the commit tells it
        yield from self._unlogged.before(rest.refs, number)
        if _is_push_update(rest):
            yield self._make.of_outcome(rest, self._outcomes.claim(number))
            return
        record = self._make.of_movement("checkout" if classify.is_checkout(rest.message) else "ref-update", rest)
        push = self._arrivals.bringer(rest.refs, movement.new_oid)
        yield record if push is None else record._replace(detail={"push": push})

    def _brought(self, tip: Oid, source: str, depth: int) -> Iterator[Record]:
        """Records of ``tip`` and of its ancestors that are not on record, parents first."""
        oids = self._commits.new(tip)
        for oid in oids if depth < _DEPTH else ():
            made = self._queue.untold_maker(oid)
            if made is not None:
                # Another reflog tells how this one came to be: what that one has before it comes first.
                yield from self._tell(self._queue.leading_to(made), depth + 1)
        yield from self._commits.records(oids, source)

    def _heads_without_reflog(self) -> Iterator[Record]:
        """Commits that a hook spoke of and no reflog tells: there is none, or it went with its worktree. And those that
        an earlier drain could not read."""
        evidence = self._given.evidence
        heads = transactions.heads(evidence.events)
        for oid in (*evidence.hooks, *evidence.rewrites, *heads, *self._given.untold, *self._queue.on_record):
            yield from self._commits.records(self._commits.new(oid), self._make.unwitnessed)


def _standing(capturer: Capturer) -> dict[str, Oid]:
    """Where refs are now, by their names as they are recorded."""
    return {ref_text(name): oid for name, oid in capturer.references().items()}


def _is_push_update(movement: Movement) -> bool:
    return classify.is_push_update(movement.refs[0].name, movement.message)


def _stands_at_head(said: HookEvent) -> bool:
    return said.head is not None and said.hook in ("post-commit", "post-merge", "post-applypatch", "post-checkout")
