"""Recovery: what becomes of a record or changeset that falls short. Nothing invalid ever disappears.

Each strategy leaves actions that say what was done and whether it worked; docs/validation.md has the
meaning of each for the user.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from mgit_hooks import dates
from mgit_hooks.errors import ObjectError
from mgit_hooks.judging.explain import path_of, shown
from mgit_hooks.judging.judge import judge
from mgit_hooks.judging.policy import FAILING
from mgit_hooks.judging.rules import Rule
from mgit_hooks.judging.validate import Schemas, validate
from mgit_hooks.record import Action, Commit, Issue, Json, Oid, Record, Validation, is_valid
from mgit_hooks.recovery import checkpoints, fallback, places, repairs
from mgit_hooks.recovery.places import NOTHING, Facts

_KEPT = 1000
"""Characters of JSON up to which an action keeps the value that a repair replaced."""


class Context(NamedTuple):
    """What recovery may reach for.

    ``commit_of`` reads git's commit, or raises ObjectError or OSError; ``content_of`` a changed file's bytes from its
    JSON, or gives None. ``against`` finds what no schema can, in a changeset that it holds against git.
    """

    mgit_dir: str
    repository_path: str
    retries: int = 3
    rules: tuple[Rule, ...] = ()
    commit_of: Callable[[Oid], Commit] | None = None
    now: Callable[[], str] = dates.now
    content_of: Callable[[Json], bytes | None] | None = None
    against: Callable[[Json], Iterable[Issue]] | None = None


_Judge = Callable[[Json], tuple[Issue, ...]]
_Place = tuple[str, str]  # field_path and code of an issue


class _Step(NamedTuple):
    """A repair that was made. ``before`` is what it replaced, or NOTHING."""

    action: Action
    field_path: str
    before: object


class Outcome(NamedTuple):
    """What came of a value, the issues it is left with, and what was done."""

    value: Json
    issues: tuple[Issue, ...]
    actions: tuple[Action, ...]


def recover_record(
    record: Record, issues: Sequence[Issue], strategy: str, level: str, schemas: Schemas, context: Context
) -> Record:
    """The record to write: with what was done to it, and the verdict on what it is now.

    Under ``abort`` it is recorded as it is: git has already done what could have been refused.
    """
    if strategy == "abort":
        description = "git had already done this when it was judged: recorded as it is"
        outcome = Outcome(
            record.to_json(), tuple(issues), (Action("refusal_too_late", description, False, _codes(issues)),)
        )
    else:
        outcome = _recover("record", record.to_json(), issues, strategy, level, schemas, context)
    try:
        recovered = Record.from_json(outcome.value)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        # A shape that no record can take: what came in goes out.
        failure = Action("repair_failed", "what came of it is not a record", False, f"{type(error).__name__}: {error}")
        recovered, outcome = record, Outcome({}, tuple(issues), (*outcome.actions, failure))
    return recovered._replace(
        validation=Validation(level, is_valid(outcome.issues), outcome.issues),
        recovery=(*record.recovery, *outcome.actions),
    )


def recover_changeset(
    value: Json, issues: Sequence[Issue], strategy: str, level: str, schemas: Schemas, context: Context
) -> tuple[Json | None, tuple[Action, ...]]:
    """What to go on with, and what was done; None under ``abort``: the operation must not run."""
    outcome = changeset_outcome(value, issues, strategy, level, schemas, context)
    return (None if strategy == "abort" else outcome.value), outcome.actions


def changeset_outcome(
    value: Json, issues: Sequence[Issue], strategy: str, level: str, schemas: Schemas, context: Context
) -> Outcome:
    """As ``recover_changeset``, with the issues that are left; under ``abort`` the value as it came."""
    if strategy == "abort":
        refused = Action("operation_failed", "refused by strategy abort", False, _codes(issues))
        return Outcome(value, tuple(issues), (refused,))
    return _recover("changeset", value, issues, strategy, level, schemas, context)


def judge_changeset(value: Json, level: str, schemas: Schemas, context: Context) -> tuple[Issue, ...]:
    found = () if context.against is None else tuple(context.against(value))
    return validate("changeset", value, level, schemas) + found


def _recover(
    kind: str,
    value: Json,
    issues: Sequence[Issue],
    strategy: str,
    level: str,
    schemas: Schemas,
    context: Context,
) -> Outcome:
    def judged(candidate: Json) -> tuple[Issue, ...]:
        if kind == "changeset":
            return judge_changeset(candidate, level, schemas, context)
        return validate(kind, candidate, level, schemas) + judge(context.rules, candidate, schemas)

    if strategy == "ignore":
        action = Action("ignore_error", f"kept as it is, with {len(issues)} issues", True, _codes(issues))
        return Outcome(value, tuple(issues), (action,))
    if strategy == "fallback":
        return _fall_back(kind, value, issues, judged, context)
    if strategy == "checkpoint":
        saved = checkpoint(kind, value, issues, context)
        if not saved.success:  # without the copy, a repair might be all that is left
            return Outcome(value, tuple(issues), (saved,))
        outcome = _repair(kind, value, issues, judged, context)
        return outcome._replace(actions=(saved, *outcome.actions))
    return _repair(kind, value, issues, judged, context)


def checkpoint(kind: str, value: Json, issues: Sequence[Issue], context: Context) -> Action:
    """Save a restorable copy. Whether that went well is in the action."""
    try:
        path = checkpoints.write(context.mgit_dir, kind, value, issues, context.now())
    except (OSError, TypeError, ValueError, RecursionError) as error:  # a changeset may be made of anything
        return Action("checkpoint_failed", "no copy could be saved: nothing was repaired", False, str(error))
    return Action("checkpoint_created", f"saved a copy of the {kind}", True, None, {"checkpoint_path": path})


def _fall_back(
    kind: str,
    value: Json,
    issues: Sequence[Issue],
    judged: _Judge,
    context: Context,
) -> Outcome:
    facts = _facts(context, [])
    for minimal in fallback.candidates(kind, value, issues, facts):
        left = judged(minimal)
        if is_valid(left):
            action = Action(
                "fallback_changeset_created",
                f"a minimal {kind} stands for the invalid one, which is kept beside it",
                True,
                _codes(issues),
            )
            return Outcome(minimal, left, (action,))
    action = Action("fallback_failed", f"a minimal {kind} would be no more valid: kept as it is", False, _codes(issues))
    return Outcome(value, tuple(issues), (action,))


def _repair(
    kind: str,
    value: Json,
    issues: Sequence[Issue],
    judged: _Judge,
    context: Context,
) -> Outcome:
    mended = copy.deepcopy(value)
    left = tuple(issues)
    actions: list[Action] = []
    hopeless: set[_Place] = set()
    for _ in range(context.retries):
        troubles: list[str] = []
        facts = _facts(context, troubles)
        steps = [_mend(kind, mended, issue, facts) for issue in left if _place(issue) not in hopeless]
        if not troubles:
            hopeless.update(_place(issue) for issue in left)
        done = [step for step in steps if step is not None]
        if done:
            left = judged(mended)
            actions += _kept_or_taken_back(mended, done, left)
            left = judged(mended)
        # Tried again only where something may be different next time: a repair that brought another
        # issue to light, or a file that could not be read just now.
        if is_valid(left) or not (done or troubles):
            break
    return Outcome(mended, left, (*actions, _summary(kind, left)))


def _summary(kind: str, left: Sequence[Issue]) -> Action:
    failing = [issue for issue in left if issue.severity in FAILING]
    if not failing:
        return Action("validation_repair_success", f"the repaired {kind} is valid", True)
    return Action(
        "repair_failed", f"{len(failing)} issues have no repair with one right answer", False, _codes(failing)
    )


def _mend(kind: str, value: Json, issue: Issue, facts: Facts) -> _Step | None:
    """Repair one place in ``value``; None where nothing was done."""
    known = repairs.find(kind, issue) if issue.code != "RULE_VIOLATED" else None
    if known is None:
        return None
    mend, action_type = known
    path = list(path_of(issue.field_path))
    before = places.at(value, path, NOTHING)
    fixed = mend(value, path, facts)
    if fixed is None or (type(fixed.value) is type(before) and fixed.value == before):
        return None
    if not places.put(value, path, fixed.value):
        return None
    context = {
        "field": issue.field_path,
        "code": issue.code,
        **_bounded("before", before),
        **_bounded("after", fixed.value),
    }
    description = f"{issue.field_path} is now {shown(fixed.value)}: {fixed.reason}"
    return _Step(Action(action_type, description, True, None, context), issue.field_path, before)


def _kept_or_taken_back(value: Json, steps: list[_Step], left: Sequence[Issue]) -> list[Action]:
    """The actions of ``steps``; those whose new value is not valid itself are undone, and say so."""
    failing = {issue.field_path: issue for issue in left if issue.severity in FAILING}
    actions = []
    for step in steps:
        issue = failing.get(step.field_path)
        if issue is None:
            actions.append(step.action)
            continue
        places.put(value, list(path_of(step.field_path)), step.before)
        actions.append(step.action._replace(action_type="repair_failed", success=False, error=issue.message))
    return actions


def _place(issue: Issue) -> _Place:
    return issue.field_path, issue.code


def _bounded(name: str, value: object) -> Json:
    if value is NOTHING:
        return {}
    return {name: value if len(shown(value, _KEPT + 1)) <= _KEPT else shown(value)}


def _facts(context: Context, troubles: list[str]) -> Facts:
    """What git says, each commit read once; a file that could not be read is noted in ``troubles``."""
    seen: dict[str, Json | None] = {}

    def commit(name: str) -> Json | None:
        if name not in seen and context.commit_of is not None:
            try:
                seen[name] = context.commit_of(Oid(name)).to_json()
            except ObjectError:
                seen[name] = None
            except OSError as error:
                troubles.append(str(error))
                return None
        return seen.get(name)

    def content(change: Json) -> bytes | None:
        try:
            return None if context.content_of is None else context.content_of(change)
        except OSError as error:
            troubles.append(str(error))
            return None

    return Facts(context.repository_path, commit, context.now, content)


def _codes(issues: Sequence[Issue]) -> str:
    return ", ".join(dict.fromkeys(issue.code for issue in issues))
