"""Pushes to this repository, as pre-receive and post-receive of one git process tell of them.

pre-receive is told of every ref that is to move, post-receive of those that did. What was judged lies in git's
quarantine until then, and is gone where the push was refused.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

from mgit_hooks import credentials
from mgit_hooks.git.reflog import ref_text
from mgit_hooks.record import Gate, Oid, Push, PushRef, Record
from mgit_hooks.recorder import pushing
from mgit_hooks.recorder.event import HookEvent, Process, PushLine, received
from mgit_hooks.recorder.ledger import verdict_of

HERE = "."
"""What stands for the remote's name: this repository was pushed to."""
_STAGE = "pre-receive"


class Reception(NamedTuple):
    """One push that has come to its end. ``taken`` are the refs that moved; None where no post-receive told."""

    pusher: str | None
    lines: tuple[PushLine, ...]
    taken: frozenset[str] | None
    rewritten: bool  # a proc-receive hook put other refs in the place of the pushed ones
    gate: Gate


class Receptions:
    """The pushes of one drain. ``held`` are lines of pushes that had not ended at the last one.

    ``told`` are pushes that a drain which was killed afterwards put on record from held lines: these are not told
    again.
    """

    def __init__(
        self,
        held: Sequence[HookEvent],
        events: Sequence[HookEvent],
        is_over: Callable[[HookEvent], bool],
        armed: bool,
        told: Sequence[Record] = (),
    ) -> None:
        self._armed = armed
        self._is_over = is_over
        self._held = [said for said in held if said not in events and _is_ours(said)]
        self._judged: dict[Process, list[HookEvent]] = {}
        self._begun: dict[Process, HookEvent] = {}
        self._ended: dict[Process, HookEvent] = {}
        for said in (*self._held, *events):
            if said.hook == "pre-receive":
                self._begun[said.process] = said
            elif said.hook == "post-receive":
                self._ended[said.process] = said
            elif _is_ours(said):
                self._judged.setdefault(said.process, []).append(said)
        self._known = [pushing.key(record.push) for record in told if record.push is not None]

    @property
    def held(self) -> list[HookEvent]:
        """Lines of earlier drains whose push is told by now, and by no line of its own in this one."""
        return [said for said in self._held if said.hook == "pre-receive"]

    def waiting(self, events: Sequence[HookEvent]) -> list[HookEvent]:
        """What a later drain needs of these lines, and of those that were held: their push has not ended."""
        open_pushes = {
            said.process for said in self._begun.values() if said.process not in self._ended and not self._is_over(said)
        }
        return [said for said in (*self._held, *events) if said.process in open_pushes and _is_ours(said)]

    def still_to_come(self, events: Sequence[HookEvent], later: Sequence[HookEvent]) -> set[str]:
        """Refs that a push moves whose line is yet to be read, by these lines and by ``later``, written since."""
        return {line.remote_ref for _, line in moved_by((*self.waiting(events), *later))}

    def of(self, said: HookEvent) -> Reception | None:
        """The push that is to be told at this line."""
        before, after = self._begun.get(said.process), self._ended.get(said.process)
        if said.hook == "pre-receive" and (after is not None or before is not said or not self._is_over(said)):
            return None
        asked = received(before.fields[1]) if before is not None else ()
        done = received(after.fields[1]) if after is not None else ()
        names = {line.remote_ref for line in asked}
        lines = (*asked, *(line for line in done if line.remote_ref not in names))
        return Reception(
            credentials.strip(said.fields[0]) or None,
            lines,
            None if after is None else frozenset(line.remote_ref for line in done),
            len(lines) > len(asked) > 0,
            self._gate(before, said.process),
        )

    def was_told(self, push: Push) -> bool:
        """Whether a killed drain has this one on file. Each such record counts once."""
        if pushing.key(push) not in self._known:
            return False
        self._known.remove(pushing.key(push))
        return True

    def _gate(self, before: HookEvent | None, process: Process) -> Gate:
        for said in self._judged.get(process, ()):
            if said.hook == "stopped":
                return Gate("none", "another pre-receive hook refused before the gate was asked")
            found = verdict_of(said)
            return Gate(found.status, found.reason)
        if before is None:
            return Gate("unobserved", "pre-receive did not run") if self._armed else Gate("none", "not armed")
        if before.flag == "o" or (before.flag == "u" and not self._armed):
            return Gate("none", "not armed")
        return Gate("unobserved", "pre-receive began, and its gate came to no verdict: it failed or was stopped")


def recorded(reception: Reception, remotes: pushing.Remotes, standing: Callable[[], Mapping[str, Oid]]) -> Push:
    """The push as it is recorded. ``standing``: where the refs are now, for where no post-receive told."""
    refs = []
    for line in reception.lines:
        confirmed = _confirmed(reception, line, standing)
        ref = asked([line], remotes if confirmed else _Undropped(remotes)).refs[0]
        refs.append(ref._replace(confirmed=confirmed))
    return Push(HERE, None, tuple(refs), pushing.common(refs), reception.pusher)


def asked(lines: Sequence[PushLine], remotes: pushing.Remotes) -> Push:
    """A push that git is about to take, with all that it would drop."""
    refs = tuple(
        PushRef(
            None,
            line.local_oid,
            ref_text(line.remote_ref),
            line.remote_oid,
            remotes.is_forced(line.remote_ref, line.remote_oid, line.local_oid),
            line.local_oid is None,
        )
        for line in lines
    )
    return remotes.with_dropped(Push(HERE, None, refs, None), here=True)


def _confirmed(reception: Reception, line: PushLine, standing: Callable[[], Mapping[str, Oid]]) -> bool | None:
    if reception.taken is None:
        # git ended before it ran post-receive: refused, or killed in the middle.
        stands = standing().get(line.remote_ref) == line.local_oid and reception.gate.status != "refused"
        return None if stands else False
    if line.remote_ref in reception.taken:
        return True
    return None if reception.rewritten else False


class _Undropped:
    """Of what was refused, nothing was dropped."""

    def __init__(self, remotes: pushing.Remotes) -> None:
        self.tracking = remotes.tracking
        self.is_forced = remotes.is_forced

    def with_dropped(self, push: Push, *, here: bool = False) -> Push:
        return push


def moved_by(events: Collection[HookEvent]) -> Iterator[tuple[HookEvent, PushLine]]:
    """Every ref that these lines say a push was to move, or moved."""
    for said in events:
        if said.hook in ("pre-receive", "post-receive"):
            for line in received(said.fields[1]):
                yield said, line


def _is_ours(said: HookEvent) -> bool:
    if said.hook in ("gate", "skip"):
        return verdict_of(said).stage == _STAGE
    return said.hook == "pre-receive" or (said.hook == "stopped" and said.fields[0] == _STAGE)
