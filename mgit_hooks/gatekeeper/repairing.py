"""What repairs make of a message that rules found wanting: judged, repaired, judged again (docs/decisions/0014).

Nothing is written here: what comes out is what the file could hold.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from mgit_hooks.files import open_to_read
from mgit_hooks.gatekeeper import draft as drafts
from mgit_hooks.gatekeeper.candidate import Candidate
from mgit_hooks.gatekeeper.draft import Draft, Unclear
from mgit_hooks.gatekeeper.judgement import Judgement, culprit
from mgit_hooks.gatekeeper.mending import NOTHING, Around, mend
from mgit_hooks.gatekeeper.messages import MessageFile
from mgit_hooks.git import plumbing
from mgit_hooks.judging.policy import FAILING
from mgit_hooks.judging.repairs import KNOWN, SIGN_OFF, Repair
from mgit_hooks.judging.rules import Rule
from mgit_hooks.layout import Location
from mgit_hooks.record import Repaired

Judge = Callable[[Candidate], Judgement]
_ORDER = list(KNOWN)
_LONGEST_NAME = 4096
_MOST = 20
"""Repairs that are tried on one message: each may cost a judgement by all rules."""


class Repairable(NamedTuple):
    """A rule that applies, and the repair that is asked of it."""

    rule: Rule
    repair: Repair

    @property
    def id(self) -> str:
        return self.rule.id


class State(NamedTuple):
    """A commit with its message, and what is said of it."""

    candidate: Candidate
    judgement: Judgement
    message: MessageFile


class Proposal(NamedTuple):
    """``state`` is the message with what may be ``done`` to it, as it was where that is nothing."""

    state: State
    done: tuple[Repaired, ...]
    reported: tuple[Repaired, ...]  # would be done, but enforce is off
    kept: tuple[tuple[Rule, str], ...]  # of which the repair was not made, and why


def propose(state: State, rules: Sequence[Repairable], enforce: bool, judge: Judge, location: Location) -> Proposal:
    """What can be done about what ``rules`` found, of those that have a repair and apply."""
    found = {culprit(issue) for issue in state.judgement.issues if issue.code == "RULE_VIOLATED"}
    wanted = sorted((rule for rule in rules if rule.id in found), key=_place)
    if not wanted:
        return Proposal(state, (), (), ())
    try:
        draft = drafts.take(*state.message[1:])
    except Unclear as error:
        return Proposal(state, (), (), tuple((each.rule, f"the message is not clear: {error}") for each in wanted))
    work = _Work(_around(draft, wanted, state.candidate, location), judge)
    wanted, more = wanted[:_MOST], wanted[_MOST:]
    bound = [each for each in wanted if enforce and each.rule.enforce]
    made = work.best(state, bound, [each for each in rules if enforce and each.rule.enforce])
    only_said = [each for each in wanted if each not in bound]
    said = work.best(made.state, only_said, only_said)
    left = _findings(said.state.judgement)
    untried = ((each.rule, f"more than {_MOST} repairs are asked for") for each in more if left[each.id])
    return Proposal(made.state, made.done, said.done, (*made.kept, *said.kept, *untried))


class _Work:
    def __init__(self, around: Around, judge: Judge) -> None:
        self._around, self._judge = around, judge
        self._why: dict[str, str] = {}

    def best(self, state: State, wanted: Sequence[Repairable], known: Sequence[Repairable]) -> Proposal:
        """All of the repairs together, with those of other ``known`` rules that they call for; else one by one."""
        self._why = {}
        together = self._together(state, list(wanted), known) if wanted else None
        if together is not None:
            return together
        done: list[Repaired] = []
        for each in wanted if len(wanted) > 1 else ():
            one = self._together(state, [each], ()) if _findings(state.judgement)[each.id] else None
            if one is not None:
                state, done = one.state, [*done, *one.done]
        left = _findings(state.judgement)
        kept = tuple((each.rule, self._why[each.id]) for each in wanted if left[each.id])
        return Proposal(state, tuple(done), (), kept)

    def _together(self, state: State, wanted: list[Repairable], known: Sequence[Repairable]) -> Proposal | None:
        before, asked = _findings(state.judgement), wanted
        while True:
            tried = self._applied(state, wanted)
            if tried is None:
                others = ", ".join(each.id for each in wanted if each not in asked)
                for each in asked if others else ():
                    self._why.setdefault(each.id, f"{others} would find something then")
                return None
            after, done = tried
            now = _findings(after.judgement)
            new = {name for name in now if now[name] > before[name]}
            still = [each for each in wanted if now[each.id]]
            if not new and not still:
                return Proposal(after, done, (), ())
            more = [each for each in known if each.id in new and each not in wanted]
            if still or not more:
                for each in wanted:
                    others = ", ".join(sorted(new - {each.id}))
                    self._why[each.id] = f"{others} would find something then" if others else "it would not be enough"
                return None
            wanted = sorted((*wanted, *more), key=_place)

    def _applied(self, state: State, wanted: Sequence[Repairable]) -> tuple[State, tuple[Repaired, ...]] | None:
        """None where one has no right answer, or nothing is changed. (What one could change, another may have.)"""
        try:
            draft = drafts.take(*state.message[1:])
        except Unclear as error:
            self._why |= {each.id: f"the message is not clear then: {error}" for each in wanted}
            return None
        text, done = draft.text, []
        for each in wanted:
            made = mend(each.repair, text, self._around)
            if isinstance(made, str):
                self._why[each.id] = made
                if made != NOTHING:
                    return None
                continue
            text = made.text
            done.append(Repaired(each.id, each.repair.name, made.what))
        if not done:
            return None
        try:
            after = _with_message(state, drafts.put(draft, text))
            drafts.take(*after.message[1:])  # a line's end makes scissors of what was none
        except Unclear as error:
            self._why |= {each.id: str(error) for each in wanted}
            return None
        if _lost(state.candidate, after.candidate):
            self._why |= {each.id: "git would strip a part of it then" for each in wanted}
            return None
        return after._replace(judgement=self._judge(after.candidate)), tuple(done)


def _lost(before: Candidate, after: Candidate) -> bool:
    """Whether not all that the message said is in what git would store of it now. The last net: no repair is to."""
    was, now = (Counter("".join(each.value["commit"]["message"].split())) for each in (before, after))
    return not was <= now


def _place(each: Repairable) -> int:
    return _ORDER.index(each.repair.name)


def _findings(judgement: Judgement) -> Counter[str]:
    return Counter(map(culprit, judgement.issues))


def _with_message(state: State, raw: bytes) -> State:
    message = state.message._replace(raw=raw)
    fields, digest = message.fields()
    value = {**state.candidate.value, "commit": {**state.candidate.value["commit"], **fields}}
    candidate = state.candidate._replace(value=value, message_sha256=digest, message=message)
    return State(candidate, state.judgement, message)


def _around(draft: Draft, wanted: Sequence[Repairable], candidate: Candidate, location: Location) -> Around:
    names = {each.repair.name for each in wanted}
    branch = candidate.value["branch"] or _rebased(location)
    return Around(draft.comment, branch, _identity(draft.codec) if SIGN_OFF in names else None, draft.reading)


def _identity(codec: str) -> str | None:
    """The committer as git writes a sign-off: ``NAME <EMAIL>``, whatever bytes these are."""
    said = plumbing.run(("var", "GIT_COMMITTER_IDENT"))
    if said.status:
        return None
    try:
        return said.stdout.rstrip(b"\n").rpartition(b"> ")[0].decode(codec) + ">"
    except UnicodeError:
        return None


def _rebased(location: Location) -> str | None:
    """The branch that a rebase is on; HEAD is detached meanwhile."""
    for state in ("rebase-merge", "rebase-apply"):
        try:
            with open_to_read(os.path.join(location.git_dir, state, "head-name")) as file:
                name = file.read(_LONGEST_NAME).decode("utf-8", "replace").strip("\n")
        except OSError:
            continue
        return name.removeprefix("refs/heads/") if name.startswith("refs/heads/") else None
    return None


def words(proposal: Proposal) -> Iterator[str]:
    """Lines for standard error."""
    for each in proposal.done:
        yield f"mgit-hooks: message repaired: {each.what} (rule {each.rule})"
    for each in proposal.reported:
        yield f"mgit-hooks: report: the message would be repaired: {each.what} (rule {each.rule}); enforce is off"
    for rule, why in proposal.kept:
        if rule.severity in FAILING:
            yield f"mgit-hooks: message not repaired: {why} (rule {rule.id})"
