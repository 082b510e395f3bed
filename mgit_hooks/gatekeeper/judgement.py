"""What follows from a candidate: the issues of schema and rules, and the policy's decision."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple, Protocol

from mgit_hooks.gatekeeper.candidate import Candidate
from mgit_hooks.judging.judge import judge as judge_rules
from mgit_hooks.judging.policy import Abort, Decision, Policy, decide
from mgit_hooks.judging.rules import applies
from mgit_hooks.judging.unknown import hangs_on
from mgit_hooks.judging.validate import Schemas, validate
from mgit_hooks.record import Issue, Json

# What stands in for the unknown before a schema: any value of the right form, so that the fast path of
# validation answers. Whatever is found there is dropped.
_STAND_INS: Json = {
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


def judge(candidate: Candidate, settings: Settings, schemas: Schemas, skip: Collection[str] = ()) -> Judgement:
    """Judge ``candidate``. ``skip`` are ids of rules, and codes of issues, that are to be let go this once."""
    own = [rule.id for rule in settings.rules if any(applies(rule, event) for event in candidate.events)]
    issues = _by_schema(candidate, settings.level, schemas)
    found = {issue.code for issue in issues}
    issues = tuple(issue for issue in issues if issue.code not in skip)
    issues += judge_rules(
        settings.rules, candidate.value, schemas, events=candidate.events, unknown=candidate.unknown, skipped=skip
    )
    skipped = dict.fromkeys((*(name for name in own if name in skip), *sorted(found.intersection(skip))))
    asked = dict.fromkeys(name for name in own if name not in skip)
    decision = decide(issues, settings.strategy, settings.enforce, can_refuse=True)
    only_skipped = bool(skipped) and not asked and settings.strategy != "abort"
    return Judgement(decision, settings.level, issues, tuple(asked), tuple(skipped), only_skipped)


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
    for pointer in candidate.unknown & _STAND_INS.keys():
        holder, _, name = pointer[1:].rpartition("/")
        target = value.get(holder) if holder else value
        if target is not None:
            target[name] = _STAND_INS[pointer]
    found = validate("record", value, level, schemas)
    return tuple(issue for issue in found if not hangs_on(candidate.unknown, issue.field_path))
