"""What follows from a candidate: the issues of schema and rules, and the policy's decision."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import TYPE_CHECKING, NamedTuple, Protocol

from mgit_hooks.gatekeeper.candidate import Candidate
from mgit_hooks.judging.judge import Allowance, facts_named
from mgit_hooks.judging.judge import judge as judge_rules
from mgit_hooks.judging.policy import Abort, Decision, Policy, asks_to_refuse, decide
from mgit_hooks.judging.rules import applies
from mgit_hooks.judging.unknown import hangs_on
from mgit_hooks.judging.validate import Schemas, validate
from mgit_hooks.record import Issue, Json

if TYPE_CHECKING:
    from mgit_hooks.gatekeeper.objects import Objects

# What stands in for the unknown before a schema: any value of the right form, so that the fast path of
# validation answers. Whatever is found there is dropped.
STAND_INS: Json = {
    "/recorded_at": "1970-01-01T00:00:00+00:00",
    "/gate": {"status": "none", "reason": None},
    "/validation": {"level": "basic", "is_valid": True, "issues": []},
    "/commit/hash": "0" * 40,
    "/commit/author_name": "",
    "/commit/author_email": "",
    "/commit/date": "1970-01-01T00:00:00+00:00",
    "/commit/committer_date": "1970-01-01T00:00:00+00:00",
    "/commit/message": "",
}


class Settings(Policy, Protocol):
    """The part of the configuration that judges."""

    @property
    def level(self) -> str: ...
    @property
    def enforce(self) -> bool: ...


class Judgement(NamedTuple):
    decision: Decision
    level: str
    issues: tuple[Issue, ...]
    rules: tuple[str, ...]  # the ids of those that were asked
    skipped: tuple[str, ...]  # of those that would have been
    only_skipped: bool  # nothing was left that could have refused


class Gathered(NamedTuple):
    """The judgements of one hook: the first two, and of the others those that have something to say."""

    judged: list[tuple[Candidate, Judgement]]
    candidates: int  # how many there were

    @property
    def refused(self) -> bool:
        return any(isinstance(judgement.decision, Abort) for _, judgement in self.judged)


_MOST_KEPT = 1000


def gather(
    candidates: Iterable[Candidate], settings: Settings, schemas: Schemas, skip: Collection[str], facts: Facts
) -> Gathered:
    """As ``judge``, of each. A push may bring a million commits: what is not told of is not kept."""
    kept: list[tuple[Candidate, Judgement]] = []
    count = 0
    refused = False
    allowance = Allowance()
    for candidate in candidates:
        count += 1
        judgement = _judge(candidate, settings, schemas, skip, facts, allowance)
        told = judgement.issues or judgement.skipped
        first_refusal = not refused and isinstance(judgement.decision, Abort)
        if count <= 2 or first_refusal or (told and len(kept) < _MOST_KEPT):
            kept.append((candidate, judgement))
            refused = refused or first_refusal
    return Gathered(kept, count)


class Facts:
    """Puts facts that no record tells before the rules that name them; loads what makes them only for those.

    ``directory`` is where git is asked, by default here; ``folder`` is the repository's of objects, where what was
    just staged is read without asking; ``read`` makes another reader in their place. Whoever judges many candidates
    keeps one, and closes it.
    """

    def __init__(
        self, directory: str | None = None, folder: str | None = None, read: Callable[[], Objects] | None = None
    ) -> None:
        self._directory, self._folder, self._read = directory, folder, read
        self._objects: Objects | None = None

    def of(self, candidate: Candidate, names: frozenset[str]) -> Json:
        value = candidate.with_facts or candidate.value
        if not names or "commit" not in value:
            return value
        from mgit_hooks.gatekeeper.facts import NEEDING_OBJECTS, with_facts

        if not names & NEEDING_OBJECTS:
            return value
        if self._objects is None:
            from mgit_hooks.gatekeeper.objects import Objects

            self._objects = Objects(self._directory, self._folder) if self._read is None else self._read()
        return with_facts(value, names, self._objects, staged=candidate.of_index)

    def close(self) -> None:
        if self._objects is not None:
            self._objects.close()
        self._objects = None


def judge(
    candidate: Candidate,
    settings: Settings,
    schemas: Schemas,
    skip: Collection[str] = (),
    facts: Facts | None = None,
) -> Judgement:
    """Judge ``candidate``. ``skip`` are ids of rules, and codes of issues, that are to be let go this once."""
    if facts is not None:
        return _judge(candidate, settings, schemas, skip, facts)
    own = Facts()
    try:
        return _judge(candidate, settings, schemas, skip, own)
    finally:
        own.close()


def judging(
    candidate: Candidate, settings: Settings, schemas: Schemas, skip: Collection[str], facts: Facts
) -> Callable[[Candidate], Judgement]:
    """As ``judge``, of candidates that have only another message than ``candidate``: git's objects are asked once."""
    known = _Known(facts, candidate, facts_named(settings.rules))
    return lambda other: _judge(other, settings, schemas, skip, known)


class _Known(Facts):
    def __init__(self, facts: Facts, candidate: Candidate, names: frozenset[str]) -> None:
        super().__init__()
        self._value = facts.of(candidate, names)

    def of(self, candidate: Candidate, names: frozenset[str]) -> Json:
        said = candidate.value["commit"]
        facts = self._value["commit"].get("facts")
        commit = {**said, "files": self._value["commit"]["files"], **({"facts": facts} if facts else {})}
        return {**candidate.value, "commit": commit}


def _judge(
    candidate: Candidate,
    settings: Settings,
    schemas: Schemas,
    skip: Collection[str],
    facts: Facts,
    allowance: Allowance | None = None,
) -> Judgement:
    own = [rule for rule in settings.rules if any(applies(rule, event) for event in candidate.events)]
    issues = _by_schema(candidate, settings.level, schemas)
    found = {issue.code for issue in issues}
    issues = tuple(issue for issue in issues if issue.code not in skip)
    asked = [rule for rule in own if rule.id not in skip]
    value = facts.of(candidate, facts_named(asked))
    issues += judge_rules(
        asked, value, schemas, events=candidate.events, unknown=candidate.unknown, allowance=allowance
    )
    skipped = dict.fromkeys((*(rule.id for rule in own if rule.id in skip), *sorted(found.intersection(skip))))
    decision = decide(issues, settings.strategy, settings.enforce, can_refuse=True)
    only_skipped = bool(skipped) and settings.strategy != "abort" and not any(map(asks_to_refuse, asked))
    names = tuple(dict.fromkeys(rule.id for rule in asked))
    return Judgement(decision, settings.level, issues, names, tuple(skipped), only_skipped)


def culprits(judgement: Judgement) -> tuple[str, ...]:
    """What ``MGIT_SKIP`` would have to name: rules, and codes where no rule is behind an issue."""
    if not isinstance(judgement.decision, Abort):
        return ()
    return tuple(dict.fromkeys(map(culprit, judgement.decision.issues)))


def culprit(issue: Issue) -> str:
    return str((issue.data_context or {}).get("rule") or issue.code)


def _by_schema(candidate: Candidate, level: str, schemas: Schemas) -> tuple[Issue, ...]:
    value = dict(candidate.value)
    for part in ("commit", "push"):
        if part in value:
            value[part] = dict(value[part])
    for pointer in candidate.unknown & STAND_INS.keys():
        holder, _, name = pointer[1:].rpartition("/")
        target = value.get(holder) if holder else value
        if target is not None:
            target[name] = STAND_INS[pointer]
    found = validate("record", value, level, schemas)
    return tuple(issue for issue in found if not hangs_on(candidate.unknown, issue.field_path))
