"""The last word on a message: repaired, its verdict written, the file replaced; or left as it is.

``the new text beside the file → the verdict on it, with the old text → the file replaced``: each on the disk before the
next. Killed in between, git ends the commit, and what it then finds in the file is the old text or the new one, whole.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import NamedTuple

from mgit_hooks.gatekeeper import repairing, replacing, verdicts
from mgit_hooks.gatekeeper.repairing import Judge, Proposal, Repairable, State
from mgit_hooks.gatekeeper.replacing import Kept
from mgit_hooks.judging.policy import Abort
from mgit_hooks.layout import Location
from mgit_hooks.recorder.event import Verdict

Write = Callable[[Verdict], bool]
"""Writes a verdict, and says whether it is on the disk."""


class Settled(NamedTuple):
    state: State
    words: tuple[str, ...]  # for standard error


def settle(
    state: State, rules: Sequence[Repairable], enforce: bool, judge: Judge, location: Location, write: Write
) -> Settled:
    """Repair the message of ``state``, a candidate at commit-msg, by ``rules``, and write the verdict."""
    reason = os.environ.get("MGIT_SKIP_REASON")
    proposal = repairing.propose(state, rules, enforce, judge, location)
    if isinstance(proposal.state.judgement.decision, Abort):
        # What is refused is told by what no repair helps against; the message stays as its writer left it.
        told = state._replace(judgement=proposal.state.judgement)
        write(verdicts.of(told.candidate, told.judgement, reason))
        return Settled(told, tuple(repairing.words(proposal._replace(done=(), reported=()))))
    if proposal.done:
        why = _replace(state, proposal, reason, write)
        if why is None:
            return Settled(proposal.state, tuple(repairing.words(proposal)))
        made = {each.rule for each in proposal.done}
        failed = tuple((each.rule, why) for each in rules if each.id in made)
        proposal = proposal._replace(state=state, done=(), kept=(*proposal.kept, *failed))
        if why == _UNTOLD:
            return Settled(state, tuple(repairing.words(proposal)))
    write(verdicts.of(state.candidate, state.judgement, reason))
    return Settled(state, tuple(repairing.words(proposal)))


_UNTOLD = "its verdict, with the old message, cannot be recorded"


def _replace(state: State, proposal: Proposal, reason: str | None, write: Write) -> str | None:
    """Verdict and file; else why the file is as it was."""
    old, new = state.message, proposal.state
    try:
        made = replacing.prepare(old.path, old.raw, new.message.raw)
    except Kept as error:
        return str(error)
    verdict = verdicts.of_repaired(new.candidate, new.judgement, reason, proposal.done, state.candidate)
    try:
        if not write(verdict):
            return _UNTOLD
        made.put()
    except Kept as error:
        return str(error)
    finally:
        made.drop()
    return None
