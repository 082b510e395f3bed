"""An operation on a changeset, with recovery around it: judged first, mended where the strategy says so, then run.

So an operation never sees what its strategy refuses, and ``repair`` hands it only what is valid. Of what the operation
itself fails with, only what may pass is tried again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from mgit_hooks.changesets.shapes import RepositoryChangeset
from mgit_hooks.errors import ChangesetValidationError
from mgit_hooks.judging import schemas
from mgit_hooks.record import Action, Issue, Json, is_valid
from mgit_hooks.recovery import recover
from mgit_hooks.recovery.asked import Asked
from mgit_hooks.recovery.passing import may_pass
from mgit_hooks.recovery.recover import Context, Outcome
from mgit_hooks.recovery.results import RecoveryResult

_FIRST_PAUSE: Final = 0.05  # seconds; twice as long each time
# What an operation raises where it was the value that it could not take.
_ABOUT_THE_VALUE: Final = (
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    ArithmeticError,
    ChangesetValidationError,
)


class Manner(NamedTuple):
    """How to recover. ``folder`` is where copies go, ``attempts`` how often an operation runs at most.

    ``against_git``: at level strict, a changeset is also held against its repository.
    """

    strategy: str
    level: str
    attempts: int
    folder: str
    against_git: bool = True


def run(
    operation: Callable[..., Any], changeset: RepositoryChangeset | Mapping[str, Any], manner: Manner, /, **given: Any
) -> RecoveryResult:
    """What came of ``operation(changeset, **given)``: never an exception of its own, or of a value that is none.

    The operation gets a RepositoryChangeset; of what has not the shape of one, under ``ignore``, the JSON.
    """
    value, wrong = _plain(changeset)
    if value is None:
        return RecoveryResult(False, (wrong,), None, False, changeset)
    with Asked(value) as here:
        against = here.against if manner.level == "strict" and manner.against_git else None
        path = here.path if isinstance(here.path, str) else ""
        context = Context(
            manner.folder, path, manner.attempts, (), here.commit, content_of=here.content, against=against
        )
        try:
            ready = _made_ready(value, manner, context)
        except Exception as error:  # what no JSON is, nested too deeply to be copied, or refers to itself
            what = f"not run: the changeset could not be made ready: {type(error).__name__}"
            ready = _Ready(_shaped(value), (Action("operation_failed", what, False, str(error)),), stopped=True)
        if ready.stopped:
            return RecoveryResult(False, ready.actions, None, False, ready.changeset)
        ran = _run(operation, ready.changeset, manner, given)
        actions = (*ready.actions, *ran.actions)
        if ran.error is None:
            return RecoveryResult(True, actions, ran.value, ready.is_minimal, ready.changeset)
        if manner.strategy == "ignore":
            actions += (Action("ignore_error", "gone on without it, as the strategy says", True, str(ran.error)),)
        if manner.strategy != "fallback":
            return RecoveryResult(False, actions, None, False, ready.changeset)
        if ready.is_minimal:
            return RecoveryResult(False, actions, ready.changeset, True, ready.changeset)
        return _with_minimal(operation, value, ran, manner, context, given, actions)


class _Ready(NamedTuple):
    """What the operation is to get. ``stopped``: it is not to run."""

    changeset: Any
    actions: tuple[Action, ...]
    stopped: bool = False
    is_minimal: bool = False


class _Ran(NamedTuple):
    value: Any
    error: Exception | None
    actions: tuple[Action, ...]


def _plain(changeset: Any) -> tuple[Json | None, Action]:
    """The JSON of a changeset; None, and why, where there is none to be had."""
    try:
        if isinstance(changeset, Mapping):
            return dict(changeset), Action("", "", True)
        return changeset.to_json(), Action("", "", True)
    except Exception as error:  # a mapping raises whatever it likes
        what = f"this is no changeset: {type(error).__name__}: {error}"
        return None, Action("operation_failed", what, False, str(error))


def _made_ready(value: Json, manner: Manner, context: Context) -> _Ready:
    known = schemas.load()
    issues = recover.judge_changeset(value, manner.level, known, context)
    if is_valid(issues):
        if manner.strategy != "checkpoint":
            return _Ready(_shaped(value), ())
        saved = recover.checkpoint("changeset", value, issues, context)
        return _Ready(_shaped(value), (saved,), stopped=not saved.success)
    outcome = recover.changeset_outcome(value, issues, manner.strategy, manner.level, known, context)
    if manner.strategy == "ignore":
        return _Ready(_shaped(value), outcome.actions)
    stopped = manner.strategy == "abort" or not is_valid(outcome.issues)
    if stopped and manner.strategy != "abort":
        why = ", ".join(dict.fromkeys(issue.code for issue in outcome.issues if not is_valid((issue,))))
        refused = Action("operation_failed", "not run: the changeset is still invalid", False, why)
        outcome = outcome._replace(actions=(*outcome.actions, refused))
    return _Ready(
        _shaped(outcome.value), outcome.actions, stopped, is_minimal=manner.strategy == "fallback" and not stopped
    )


def _shaped(value: Json) -> RepositoryChangeset | Json:
    """As a value where it has the shape of one, which a valid one may lack still in what no schema asks for."""
    try:
        return RepositoryChangeset.from_json(value)
    except ChangesetValidationError:
        return value


def _run(operation: Callable[..., Any], changeset: Any, manner: Manner, given: Mapping[str, Any]) -> _Ran:
    attempts = 1 if manner.strategy == "abort" else max(manner.attempts, 1)
    actions: list[Action] = []
    for attempt in range(1, attempts + 1):
        try:
            value = operation(changeset, **given)
        except Exception as error:
            what = f"attempt {attempt} of {attempts} failed: {type(error).__name__}"
            actions.append(Action("operation_failed", what, False, str(error)))
            if attempt == attempts or not may_pass(error):
                return _Ran(None, error, tuple(actions))
            time.sleep(_FIRST_PAUSE * 2 ** (attempt - 1))
        else:
            actions.append(Action("operation_success", f"done at attempt {attempt}", True))
            return _Ran(value, None, tuple(actions))
    raise AssertionError("unreachable")


def _with_minimal(
    operation: Callable[..., Any],
    value: Json,
    ran: _Ran,
    manner: Manner,
    context: Context,
    given: Mapping[str, Any],
    actions: tuple[Action, ...],
) -> RecoveryResult:
    """A minimal changeset in place of one that the operation failed with; the operation gets it where it was the value
    that it could not take. What else went wrong (a full disk) would go wrong again, and is no fault of the value.
    """
    issue = Issue("error", "OPERATION_FAILED", str(ran.error), "", None)
    outcome: Outcome = recover.changeset_outcome(value, (issue,), "fallback", manner.level, schemas.load(), context)
    actions += outcome.actions
    if not is_valid(outcome.issues):
        return RecoveryResult(False, actions, None, False, _shaped(value))
    minimal = _shaped(outcome.value)
    if not isinstance(ran.error, _ABOUT_THE_VALUE):
        return RecoveryResult(False, actions, minimal, True, minimal)
    again = _run(operation, minimal, manner, given)
    actions += again.actions
    return RecoveryResult(again.error is None, actions, minimal if again.error else again.value, True, minimal)
