"""What only hooks know, as records: pushes, refusals and skips, in the order of their lines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mgit_hooks.git.reflog import ref_text
from mgit_hooks.record import Record
from mgit_hooks.recorder import pushing, receiving
from mgit_hooks.recorder.arrivals import Arrivals
from mgit_hooks.recorder.event import HookEvent, PushLine
from mgit_hooks.recorder.evidence import Evidence
from mgit_hooks.recorder.making import Maker
from mgit_hooks.recorder.memory import Memory
from mgit_hooks.recorder.outcomes import Outcomes
from mgit_hooks.recorder.receiving import Receptions


class Words:
    """The lines ``said``, each told once. ``armed``: the gate, by the configuration as it is now."""

    def __init__(
        self,
        said: Sequence[HookEvent],
        evidence: Evidence,
        memory: Memory,
        make: Maker,
        outcomes: Outcomes,
        receptions: Receptions,
        arrivals: Arrivals,
        remotes: pushing.Remotes,
        *,
        armed: bool,
    ) -> None:
        self._left = list(said)
        self._evidence = evidence
        self._memory = memory
        self._make = make
        self._outcomes = outcomes
        self._receptions = receptions
        self._arrivals = arrivals
        self._remotes = remotes
        self._armed = armed

    @property
    def next(self) -> HookEvent | None:
        """The line that is to be told next; None where all are told."""
        return self._left[0] if self._left else None

    def tell_next(self) -> Iterator[Record]:
        said = self._left.pop(0)
        if said.hook in ("pre-receive", "post-receive"):
            yield from self._received(said)
            return
        record = self._record(said)
        if record is None:
            return
        if self._memory.was_told(record):
            if record.event == "push":
                self._outcomes.resume(said)
            return
        yield record
        if record.event == "push":
            self._outcomes.attempted(said, self._memory.newest_push())

    def tell_until(self, said: HookEvent | None) -> Iterator[Record]:
        """A push comes before what it moved, though its line has no time that would say so."""
        while any(each is said for each in self._left):
            yield from self.tell_next()

    def _record(self, said: HookEvent) -> Record | None:
        if said.hook == "pre-push":
            return self._make.of_push(said, pushing.pushed(said, self._remotes))
        if said.hook not in ("gate", "skip") or (said.flag == "u" and not self._armed):
            return None  # where nothing was armed, nothing was skipped
        verdict = self._evidence.verdict_of(said)
        if verdict.status in ("refused", "skipped") and self._evidence.is_first(said):
            return self._make.of_verdict(said, verdict)
        return None

    def _received(self, said: HookEvent) -> Iterator[Record]:
        reception = self._receptions.of(said)
        if reception is None:
            return
        for line in reception.lines:
            yield from self._received_before(line)
        yield from self._arrivals.told(said, reception)

    def _received_before(self, line: PushLine) -> Iterator[Record]:
        """Two pushes to one ref come in its order, whichever of them wrote its line first."""
        last = self._memory.last_oid(ref_text(line.remote_ref))
        if (last[0] if last else None) == line.remote_oid:
            return
        for said, other in list(receiving.moved_by(self._left)):
            fits = (other.remote_ref, other.local_oid) == (line.remote_ref, line.remote_oid)
            if fits and said.hook == "post-receive" and any(each is said for each in self._left):
                self._left = [each for each in self._left if each is not said]
                yield from self._received(said)
                return
