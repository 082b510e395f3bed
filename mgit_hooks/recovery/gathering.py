"""What is left of a collection: its file, the generations beside it, and what each of them still holds whole."""

from __future__ import annotations

from typing import Final, NamedTuple

from mgit_hooks.changesets import container
from mgit_hooks.changesets.moments import BEFORE_ALL, moment
from mgit_hooks.changesets.shapes import repository_key
from mgit_hooks.changesets.storage import BACKUP, CHECKPOINT, CURRENT, ChangesetStorage
from mgit_hooks.errors import ChangesetDamageError, ChangesetStorageError, reason
from mgit_hooks.record import Action, Json

_SUCCESS: Final = {CURRENT: "file_intact", BACKUP: "backup_recovery_success", CHECKPOINT: "checkpoint_recovery_success"}
_SALVAGED: Final = {CURRENT: "file_salvaged", BACKUP: "backup_salvaged", CHECKPOINT: "checkpoint_salvaged"}
_FAILED: Final = {CURRENT: "file_damaged", BACKUP: "backup_recovery_failed", CHECKPOINT: "checkpoint_recovery_failed"}
_MISSING: Final = {CURRENT: "no_file_found", BACKUP: "no_backup_found", CHECKPOINT: "no_checkpoint_found"}


class Kept(NamedTuple):
    """What one generation holds. ``paths``: of all repositories that it held, damaged or not; None where that cannot
    be told. ``content``: the file's bytes, None where there is none."""

    generation: str
    whole: bool
    value: Json
    paths: tuple[str, ...] | None
    content: bytes | None
    action: Action

    @property
    def repositories(self) -> dict[str, Json]:
        held = self.value.get("repositories")
        return held if isinstance(held, dict) else {}

    def lost(self) -> dict[str, str]:
        """The repositories that it held and that cannot be read from it: their paths by their keys."""
        named = {repository_key(path): path for path in self.paths or ()}
        return {key: path for key, path in named.items() if key not in self.repositories}


def kept(storage: ChangesetStorage, name: str, generation: str) -> Kept:
    """One generation. Raises ChangesetStorageError where it cannot be judged at all: a later version's, another
    collection's, a file that may not be read."""
    path = storage.path(name, generation)
    try:
        content = storage.content(name, generation)
    except OSError as error:
        raise ChangesetStorageError(reason(error), "see that it can be read, and try again") from error
    if content is None:
        return Kept(generation, False, {}, None, None, Action(_MISSING[generation], f"there is no {path}", False))
    try:
        value = storage.parsed(name, content, generation)
    except ChangesetDamageError as error:
        return _damaged(generation, content, error)
    action = Action(_SUCCESS[generation], f"{path} is as it was written", True, None, {"path": path})
    return Kept(generation, True, value, None, content, action)


def beside(storage: ChangesetStorage, name: str) -> list[Kept]:
    """The generations beside the file; of one that cannot be judged, nothing."""
    found = []
    for generation in (BACKUP, CHECKPOINT):
        try:
            found.append(kept(storage, name, generation))
        except ChangesetStorageError as error:
            unusable = Action(_FAILED[generation], "it cannot be used", False, error.message)
            found.append(Kept(generation, False, {}, None, None, unusable))
    return found


def newest_first(found: list[Kept]) -> list[Kept]:
    """In the order of when they were updated, where each says so: a checkpoint may be newer than ``.backup``."""
    moments = {each.generation: moment(each.value.get("updated_at")) for each in found}
    if any(moments[each.generation] == BEFORE_ALL for each in found if each.value):
        return found
    return sorted(found, key=lambda each: moments[each.generation], reverse=True)


def _damaged(generation: str, content: bytes, error: ChangesetDamageError) -> Kept:
    left = container.salvage(content)
    value = {**left.fields, "repositories": left.repositories} if left.fields or left.repositories else {}
    context = {"path": error.path, "repositories": sorted(left.repositories)}
    if not value:
        action = Action(_FAILED[generation], f"nothing of {error.path} can be read", False, error.why, context)
    else:
        count = len(left.repositories)
        of = f" of {len(left.paths)}" if left.paths is not None else ""
        what = f"{count}{of} repositories in {error.path} are as they were written"
        action = Action(_SALVAGED[generation], what, True, error.why, context)
    return Kept(generation, False, value, left.paths, content, action)
