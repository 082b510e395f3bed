"""Mending a collection's JSON: each of its changesets by itself, and then what holds them together."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mgit_hooks import dates
from mgit_hooks.changesets.moments import BEFORE_ALL
from mgit_hooks.changesets.shapes import repository_key
from mgit_hooks.judging import schemas
from mgit_hooks.judging.collectionchecks import place_of, within
from mgit_hooks.judging.explain import path_of
from mgit_hooks.judging.validate import validate
from mgit_hooks.record import Action, Issue, Json, is_valid
from mgit_hooks.recovery import recover
from mgit_hooks.recovery.asked import Asked, against
from mgit_hooks.recovery.filing import Older, filed, moment_of, with_its_path
from mgit_hooks.recovery.operation import Manner
from mgit_hooks.recovery.rebuilding import rebuilt
from mgit_hooks.recovery.recover import Context


def mended(collection: Json, older: Older, name: str, manner: Manner, actions: list[Action]) -> tuple[Json, bool]:
    """The collection with what has one right answer in place, and whether a minimal changeset is among it.

    A changeset that cannot be mended is replaced by one of ``older``, or by what its repository says now; under
    ``fallback`` by a minimal one; else it stays as it is. What was done is added to ``actions``.
    """
    held = collection.get("repositories")
    found: dict[str, Any] = {}
    minimal = False
    for key, changeset in (held if isinstance(held, dict) else {}).items():
        found[key], is_minimal = _member(key, with_its_path(key, changeset, older, actions), older, manner, actions)
        minimal |= is_minimal
    found = filed(found, actions)
    for key in held if isinstance(held, dict) else ():
        if key not in found and (other := _earlier(key, older, manner)) is not None:
            what = "what was under it is of another repository: taken from an earlier generation"
            actions.append(_of_member(key, Action("storage_repair", what, True)))
            found[key] = other
    value = dict(collection) if not isinstance(held, dict) else {**collection, "repositories": found}
    _mend_fields(value, name, manner, actions)
    return value, minimal


def against_git(collection: Json) -> Iterator[Issue]:
    held = collection.get("repositories")
    for key, changeset in (held if isinstance(held, dict) else {}).items():
        yield from (within(place_of(key), issue) for issue in against(changeset))


def _member(key: str, changeset: Any, older: Older, manner: Manner, actions: list[Action]) -> tuple[Any, bool]:
    try:
        return _mended(key, changeset, older, manner, actions)
    except (RecursionError, TypeError, ValueError) as error:  # written past every check, as one nested too deeply
        what = f"it cannot be mended: {type(error).__name__}"
        actions.append(_of_member(key, Action("repair_failed", what, False, str(error))))
        other = _earlier(key, older, manner)
        return (changeset if other is None else other), False


def _mended(key: str, changeset: Any, older: Older, manner: Manner, actions: list[Action]) -> tuple[Any, bool]:
    value = changeset if isinstance(changeset, dict) else {}
    known = schemas.load()
    with Asked(value) as here:
        held_against = here.against if manner.level == "strict" and manner.against_git else None
        path = here.path if isinstance(here.path, str) else ""
        context = Context(
            manner.folder, path, manner.attempts, (), here.commit, content_of=here.content, against=held_against
        )
        issues = recover.judge_changeset(changeset, manner.level, known, context)
        if is_valid(issues):
            return changeset, False
        outcome = recover.changeset_outcome(value, issues, "repair", manner.level, known, context)
        actions += (_of_member(key, action) for action in outcome.actions)
        if is_valid(outcome.issues):
            return outcome.value, False
        other = _other(key, value, older, manner, actions)
        if other is not None:
            return other, False
        if manner.strategy == "fallback" and value:
            outcome = recover.changeset_outcome(value, issues, "fallback", manner.level, known, context)
            actions += (_of_member(key, action) for action in outcome.actions)
            return outcome.value, is_valid(outcome.issues)
        return outcome.value if value else changeset, False


def _other(key: str, value: Json, older: Older, manner: Manner, actions: list[Action]) -> Json | None:
    """A valid changeset of the same repository, from an earlier generation or from the repository itself."""
    path = value.get("repository_path")
    path = path if isinstance(path, str) and path else None
    earlier = _earlier(key, older, manner) or (_earlier(repository_key(path), older, manner) if path else None)
    if earlier is not None:
        what = "replaced by that of an earlier generation"
        actions.append(_of_member(key, Action("storage_repair", what, True, None, {"original": value})))
        return earlier
    if path is None:
        return None
    made = rebuilt(path)
    actions += made.actions
    if made.value is None or not is_valid(validate("changeset", made.value, manner.level, schemas.load())):
        return None
    actions.append(_of_member(key, Action("storage_repair", "made anew", True, None, {"original": value})))
    return made.value


def _earlier(key: str, older: Older, manner: Manner) -> Json | None:
    valid = (each for each in older.get(key, []) if is_valid(validate("changeset", each, manner.level, schemas.load())))
    return next(valid, None)


def _of_member(key: str, action: Action) -> Action:
    context = {**(action.data_context or {}), "repository": key}
    if isinstance(context.get("field"), str):
        context["field"] = place_of(key) + context["field"]
    return action._replace(description=f"{key}: {action.description}", data_context=context)


def _mend_fields(value: Json, name: str, manner: Manner, actions: list[Action]) -> None:
    held = value.get("repositories")
    changesets = held.values() if isinstance(held, dict) else ()
    dated = sorted((each for each in changesets if moment_of(each) > BEFORE_ALL), key=moment_of)
    now = dates.now()
    right: Json = {
        "name": (name, "as its file is named"),
        "created_at": (dated[0]["timestamp"], "from its oldest changeset")
        if dated
        else (now, "the time of this repair"),
        "updated_at": (dated[-1]["timestamp"], "from its newest changeset")
        if dated
        else (now, "the time of this repair"),
        "metadata": (None, "not known"),
    }
    issues = validate("collection", value, manner.level, schemas.load())
    wrong = {path_of(issue.field_path)[0] for issue in issues if issue.field_path and not is_valid((issue,))}
    if value.get("name") != name:
        wrong.add("name")
    for field in right:
        if field in wrong:
            before = value.get(field)
            value[field], why = right[field]
            context = {"field": f"/{field}", "before": before, "after": value[field]}
            actions.append(Action("field_repair", f"/{field} is now {value[field]}: {why}", True, None, context))
    _drop_doubles(value, issues, actions)


def _drop_doubles(value: Json, issues: tuple[Issue, ...], actions: list[Action]) -> None:
    """Of two changesets whose paths are one, written in two ways, the newer one stays."""
    for issue in issues:
        if issue.code != "DUPLICATE_REPOSITORY_PATHS":
            continue
        first = path_of((issue.data_context or {})["first"])[1]
        second = path_of(issue.field_path)[1]
        held = value["repositories"]
        if first not in held or second not in held:
            continue
        dropped = min((first, second), key=lambda key: moment_of(held[key]))
        before = held.pop(dropped)
        what = f"{dropped} is the repository of another one: the newer of the two is kept"
        actions.append(Action("field_repair", what, True, None, {"field": place_of(dropped), "before": before}))
