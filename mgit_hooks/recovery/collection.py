"""Recovering a collection: its file, ``.backup``, ``.checkpoint``, then the journals and the repositories themselves.

Nothing that is whole is lost: what is read of a damaged file is only what is known to be as it was written, what it has
lost comes from the next source that has it, and the file itself goes aside when another takes its place.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from mgit_hooks import dates
from mgit_hooks.changesets.shapes import ChangesetCollection, repository_key
from mgit_hooks.changesets.storage import BACKUP, CHECKPOINT, CURRENT, ChangesetStorage
from mgit_hooks.errors import ChangesetValidationError
from mgit_hooks.judging import schemas
from mgit_hooks.judging.validate import validate
from mgit_hooks.record import Action, Issue, Json, is_valid
from mgit_hooks.recovery import members, rawcopies
from mgit_hooks.recovery.gathering import Kept, beside, kept, newest_first
from mgit_hooks.recovery.operation import Manner
from mgit_hooks.recovery.rebuilding import rebuilt
from mgit_hooks.recovery.results import RecoveryResult

SOURCES: Final = (BACKUP, CHECKPOINT, "git")
"""What can be asked for by its name."""
_REQUIRED: Final = ("name", "created_at", "updated_at")


class Wanted(NamedTuple):
    """``operation`` is what failed, in a word. ``source``: only that one, in place of what there is.

    ``repositories``: paths of such as belong into the collection, where nothing may be left that names them.
    """

    name: str
    operation: str = "load"
    source: str | None = None
    repositories: tuple[str, ...] = ()
    dry_run: bool = False


def recover(storage: ChangesetStorage, wanted: Wanted, manner: Manner) -> RecoveryResult:
    """The collection, whole again and in its place, or as much of it as there is.

    Raises ChangesetStorageError where its file cannot be read or written at all, ChangesetBusyError where others do.
    """
    file = kept(storage, wanted.name, CURRENT)
    issues = judged(file.value, manner) if file.whole else ()
    if file.whole and is_valid(issues) and file.value.get("name") == wanted.name and wanted.source is None:
        told = [each.action for each in beside(storage, wanted.name) if not each.whole and each.action.error]
        return RecoveryResult(True, (file.action, *told), _shaped(file.value))
    actions = [file.action]
    if manner.strategy == "abort":
        what = "refused by strategy abort: nothing was changed"
        actions.append(Action("operation_failed", what, False, _codes(issues) or file.action.error))
        return RecoveryResult(False, tuple(actions), None)
    if manner.strategy == "ignore":
        actions.append(Action("ignore_error", "left as it is", True, _codes(issues) or file.action.error))
        return RecoveryResult(False, tuple(actions), _shaped(file.value) if file.whole else None)
    if manner.strategy == "checkpoint" and not wanted.dry_run and file.content is not None:
        saved = rawcopies.save(manner.folder, wanted.name, file.content)
        actions.append(saved)
        if not saved.success:
            return RecoveryResult(False, tuple(actions), None)
    gathered = _gathered(storage, wanted, file)
    return _finished(storage, wanted, manner, file, gathered._replace(actions=[*actions, *gathered.actions]))


def judged(value: Json, manner: Manner) -> tuple[Issue, ...]:
    """The issues of a collection; at level strict, what git says against its changesets as well."""
    found = list(validate("collection", value, manner.level, schemas.load()))
    if manner.level == "strict" and manner.against_git:
        found += members.against_git(value)
    return tuple(found)


class _Gathered(NamedTuple):
    """What the sources gave together. ``older``: what each generation has of a repository, the newest first, for where
    the one that was taken cannot be mended. ``lost``: paths of what nothing has. ``empty``: nothing was to be had."""

    value: Json
    older: dict[str, list[Json]]
    lost: list[str]
    actions: list[Action]
    empty: bool


def _gathered(storage: ChangesetStorage, wanted: Wanted, file: Kept) -> _Gathered:
    actions: list[Action] = []
    others = newest_first(beside(storage, wanted.name))
    asked = _asked(file, others, wanted.source)
    lead = asked[0] if asked else None
    lacking = {} if lead is None else lead.lost()
    # Of a damaged file that still says which repositories it held, no other is missed: it may have been taken out.
    is_told = lead is not None and _is_told(lead)
    if lead is None:
        lacking = {key: path for each in (file, *others) for key, path in _named(each).items()}
    found: dict[str, Json] = {}
    for each in asked:
        if each is not lead and is_told and not lacking:
            continue
        if each is not file:
            actions.append(each.action)
        for key, changeset in each.repositories.items():
            if each is lead or key in lacking or not is_told:
                found.setdefault(key, changeset)
                lacking.pop(key, None)
        if not is_told and each is not lead and each.content is not None:
            is_told = each.whole or each.paths is not None
            lacking |= {key: path for key, path in each.lost().items() if key not in found}
    value = _fields(asked or [file, *others])
    lacking |= {repository_key(path): path for path in wanted.repositories if repository_key(path) not in found}
    lost = _rebuild(lacking, found, file, actions)
    empty = not found and not any(each.whole for each in asked)
    # What was lost from among them goes to its place in the order of the paths that the file tells.
    order = [repository_key(path) for path in (file if lead is None else lead).paths or ()]
    held = {key: found[key] for key in (*(key for key in order if key in found), *found)}
    if held or not file.whole or wanted.source is not None:
        value["repositories"] = held
    return _Gathered(value, _older(others), lost, actions, empty)


def _fields(generations: list[Kept]) -> Json:
    """What stands beside the changesets: of the first that still has it. What a whole one has not, it may have had
    taken out, a damaged one has lost: of those behind a whole one only what each collection has is taken."""
    value: Json = {}
    taken = False
    for each in generations:
        for name, field in each.value.items():
            if not taken or name in _REQUIRED:
                value.setdefault(name, field)
        taken = taken or (each.whole and any(name != "repositories" for name in each.value))
    return value


def _is_told(each: Kept) -> bool:
    return (each.whole and isinstance(each.value.get("repositories"), dict)) or each.paths is not None


def _asked(file: Kept, others: list[Kept], source: str | None) -> list[Kept]:
    """The generations to take from, the first one before the others: those only give what it has lost. Where nothing
    can be read of the one that was asked for by its name, no other is what was asked for."""
    if source is None:
        return [file, *others]
    lead = [each for each in others if each.generation == source]
    if not lead or not (lead[0].whole or lead[0].repositories):
        return lead
    return [*lead, *(each for each in others if each.generation != source), file]


def _older(others: list[Kept]) -> dict[str, list[Json]]:
    older: dict[str, list[Json]] = {}
    for each in others:
        for key, changeset in each.repositories.items():
            older.setdefault(key, []).append(changeset)
    return older


def _named(each: Kept) -> dict[str, str]:
    held = (changeset for changeset in each.repositories.values() if isinstance(changeset, dict))
    paths = [*(each.paths or ()), *(changeset.get("repository_path") for changeset in held)]
    return {repository_key(path): path for path in paths if isinstance(path, str) and path}


def _rebuild(lacking: dict[str, str], found: dict[str, Json], file: Kept, actions: list[Action]) -> list[str]:
    """Make anew what is ``lacking``, into ``found``; the paths of what cannot be. What the file has then stays."""
    lost = []
    for key, path in lacking.items():
        made = rebuilt(path)
        actions += made.actions
        if made.value is None and key in file.repositories:
            found[key] = file.repositories[key]
        elif made.value is None:
            lost.append(path)
        else:
            found[repository_key(made.value["repository_path"])] = made.value
    return lost


def _finished(
    storage: ChangesetStorage, wanted: Wanted, manner: Manner, file: Kept, gathered: _Gathered
) -> RecoveryResult:
    """Mend what was gathered, and put it in its place."""
    actions = gathered.actions
    if gathered.empty:
        return _nothing(wanted, manner, actions)
    value, minimal = members.mended(gathered.value, gathered.older, wanted.name, manner, actions)
    left = judged(value, manner)
    if gathered.lost:
        what = f"nothing has what was saved of {', '.join(gathered.lost)}"
        actions.append(Action("repositories_lost", what, False, None, {"paths": gathered.lost}))
    if not is_valid(left):
        actions.append(Action("repair_failed", "the collection is still invalid", False, _codes(left)))
    if value != file.value or not file.whole:
        actions.append(_put(storage, wanted, value, file))
    good = is_valid(left) and not gathered.lost
    if good:
        actions.append(Action("validation_repair_success", "the collection is valid", True))
    return RecoveryResult(good, tuple(actions), _shaped(value), minimal)


def _put(storage: ChangesetStorage, wanted: Wanted, value: Json, file: Kept) -> Action:
    path = storage.path(wanted.name)
    if wanted.dry_run:
        return Action("storage_repair", f"{path} would be written", True, None, {"operation": wanted.operation})
    stored, aside = storage.replace_json(wanted.name, value, file.content)
    moved = f", and what was there is {aside}" if aside is not None else ""
    context = {"operation": wanted.operation, "path": stored.path, "aside": aside}
    return Action("storage_repair", f"{path} is written{moved}", True, None, context)


def _nothing(wanted: Wanted, manner: Manner, actions: list[Action]) -> RecoveryResult:
    """Nothing is written: whatever is under the name stays. An empty collection is no recovery."""
    actions.append(Action("storage_recovery_failed", f"nothing is left of '{wanted.name}'", False))
    if manner.strategy != "fallback":
        return RecoveryResult(False, tuple(actions), None)
    now = dates.now()
    empty = ChangesetCollection(wanted.name, now, now, {}, {"fallback": True})
    actions.append(Action("fallback_changeset_created", "an empty collection, which is not saved", True))
    return RecoveryResult(False, tuple(actions), empty, True)


def _shaped(value: Json) -> ChangesetCollection | Json:
    try:
        return ChangesetCollection.from_json(value)
    except ChangesetValidationError:
        return value


def _codes(issues: tuple[Issue, ...]) -> str:
    return ", ".join(dict.fromkeys(issue.code for issue in issues if not is_valid((issue,))))
