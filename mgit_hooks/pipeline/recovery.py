"""Recovery of operations on changesets: the public names, thin over ``mgit_hooks.recovery``."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mgit_hooks import dates
from mgit_hooks.changesets.shapes import ChangesetCollection, RepositoryChangeset
from mgit_hooks.changesets.storage import ChangesetStorage
from mgit_hooks.datafolder import data_folder
from mgit_hooks.errors import MgitError, reason
from mgit_hooks.pipeline.validation import ValidationLevel
from mgit_hooks.record import Action
from mgit_hooks.recovery import checkpoints, statistics
from mgit_hooks.recovery.collection import SOURCES, Wanted
from mgit_hooks.recovery.collection import recover as recover_collection
from mgit_hooks.recovery.operation import Manner
from mgit_hooks.recovery.operation import run as run_operation
from mgit_hooks.recovery.passing import may_pass
from mgit_hooks.recovery.results import RecoveryResult as RecoveryResult
from mgit_hooks.recovery.results import RecoveryStrategy as RecoveryStrategy
from mgit_hooks.recovery.statistics import Counts

RecoveryAction = Action
"""action_type, description, success, error, data_context."""
_REPAIRS = ("field_repair", "status_repair", "storage_repair")


class ChangesetRecoveryManager:
    """Recovers operations on changesets and on collections by one strategy, unless a call names another.

    ``storage`` is where collections are, the user's without one. ``level`` is the level at which changesets are judged
    and repaired values held valid. Copies and statistics are in ``folder``, without one in the user's data folder.
    Raises ValueError where ``strategy`` or ``level`` is none, or where there is not one attempt.
    """

    def __init__(
        self,
        storage: ChangesetStorage | None = None,
        strategy: RecoveryStrategy | str = RecoveryStrategy.REPAIR,
        max_recovery_attempts: int = 3,
        *,
        level: ValidationLevel | str = ValidationLevel.STANDARD,
        against_git: bool = True,
        folder: str | os.PathLike[str] | None = None,
    ) -> None:
        if not isinstance(max_recovery_attempts, int) or max_recovery_attempts < 1:
            raise ValueError(f"there must be an attempt to make, not {max_recovery_attempts!r}")
        self.storage = ChangesetStorage() if storage is None else storage
        self.strategy = RecoveryStrategy(strategy)
        self.max_recovery_attempts = max_recovery_attempts
        self.level = ValidationLevel(level)
        self.folder = os.path.join(data_folder(), "recovery") if folder is None else os.path.abspath(folder)
        self._against_git = against_git
        self._uncounted = Counts()

    def recover_changeset_operation(
        self,
        operation: Callable[..., Any],
        changeset: RepositoryChangeset | Mapping[str, Any],
        strategy: RecoveryStrategy | str | None = None,
        **kwargs: Any,
    ) -> RecoveryResult:
        """Judge ``changeset``, a value or the JSON of one, recover it by the strategy, and run
        ``operation(changeset, **kwargs)``; what it returned is ``recovered_data``.

        ``abort``: an invalid changeset's operation does not run, and none is run again. Nothing that the operation or
        the changeset raises gets out: it is in the actions. Raises ValueError on an unknown strategy.
        """
        manner = self._manner(strategy)
        result = run_operation(operation, changeset, manner, **kwargs)
        self._count(result)
        return result

    def recover_storage_operation(
        self,
        collection_name: str,
        operation_type: str,
        strategy: RecoveryStrategy | str | None = None,
        *,
        source: str | None = None,
        repositories: Sequence[str] = (),
        dry_run: bool = False,
    ) -> RecoveryResult:
        """Bring back a collection that ``operation_type`` (load, save, a word of yours) failed with: from its file,
        ``.backup``, ``.checkpoint``, the journal of each repository that it named, and the repositories themselves.

        ``recovered_data`` is the collection as it is now in its place; what was there is beside it. ``source``:
        ``backup``, ``checkpoint`` or ``git``, in place of what there is. ``repositories``: paths of such as belong
        into it, where nothing is left that names them. ``abort`` and ``ignore`` change nothing. Raises ValueError on an
        unknown strategy or source.
        """
        if source is not None and source not in SOURCES:
            raise ValueError(f"unknown source {source!r}: it is one of {', '.join(SOURCES)}")
        manner = self._manner(strategy)
        wanted = Wanted(collection_name, operation_type, source, tuple(map(os.path.abspath, repositories)), dry_run)
        result = self._recovered(wanted, manner)
        if not dry_run:
            self._count(result)
        return result

    def create_recovery_checkpoint(self, collection_name: str, data: Any) -> RecoveryAction:
        """Save a restorable copy; its path is ``checkpoint_path`` in the action's ``data_context``.

        A collection of that name becomes its ``.checkpoint`` generation; any other value is kept as JSON of its own.
        Where no copy can be saved, the action is ``checkpoint_failed``.
        """
        try:
            path = self._checkpoint(collection_name, data)
        except Exception as error:  # ``data`` may be anything
            return Action("checkpoint_failed", f"no copy of '{collection_name}' could be saved", False, str(error))
        self._add(Counts(checkpoints_created=1), durable=True)
        return Action(
            "checkpoint_created", f"saved a copy of '{collection_name}'", True, None, {"checkpoint_path": path}
        )

    def get_recovery_statistics(self) -> dict[str, Any]:
        """What was counted in all runs: ``attempts``, ``successes``, ``failures``, ``repairs_made``,
        ``fallbacks_used``, ``checkpoints_created``, ``success_rate_percent``; and this manager's ``strategy`` and
        ``max_attempts``. Raises OSError where the counts cannot be read."""
        counts = statistics.counted(self.folder).plus(self._uncounted)
        rate = 100 * counts.successes / counts.attempts if counts.attempts else 0.0
        return {
            **counts._asdict(),
            "success_rate_percent": round(rate, 1),
            "strategy": self.strategy.value,
            "max_attempts": self.max_recovery_attempts,
        }

    def _recovered(self, wanted: Wanted, manner: Manner) -> RecoveryResult:
        """What may pass (another process that writes the collection) is tried again."""
        failed: list[Action] = []
        for attempt in range(1, manner.attempts + 1):
            try:
                result = recover_collection(self.storage, wanted, manner)
                return result._replace(actions_taken=(*failed, *result.actions_taken))
            except (MgitError, OSError) as error:
                what = f"attempt {attempt} of {manner.attempts} failed"
                context = {"operation": wanted.operation}
                failed.append(Action("storage_recovery_failed", what, False, reason(error), context))
                if not may_pass(error):
                    break
            except Exception as error:  # a value that was written past every check, as one nested too deeply
                what = f"it cannot be recovered: {type(error).__name__}"
                context = {"operation": wanted.operation}
                failed.append(Action("storage_recovery_failed", what, False, str(error), context))
                break
        return RecoveryResult(False, tuple(failed))

    def _manner(self, strategy: RecoveryStrategy | str | None) -> Manner:
        chosen = self.strategy if strategy is None else RecoveryStrategy(strategy)
        return Manner(chosen.value, self.level.value, self.max_recovery_attempts, self.folder, self._against_git)

    def _checkpoint(self, name: str, data: Any) -> str:
        if isinstance(data, ChangesetCollection):
            if data.name != name:
                raise ValueError(f"the collection is named '{data.name}', not '{name}'")
            return self.storage.save_checkpoint(data).path
        value = data.to_json() if hasattr(data, "to_json") else data
        if isinstance(value, dict) and "repositories" in value and value.get("name") in (name, None):
            return self.storage.save_json_checkpoint(name, value).path
        kept = {"collection_name": name, "data": value}
        return checkpoints.write(self.folder, "data", kept, (), dates.now())

    def _count(self, result: RecoveryResult) -> None:
        actions = result.actions_taken
        good = [action.action_type for action in actions if action.success]
        more = Counts(
            1,
            int(result.recovery_successful),
            int(not result.recovery_successful),
            sum(good.count(kind) for kind in _REPAIRS),
            int(result.fallback_used),
            good.count("checkpoint_created"),
        )
        # An operation that needed no recovery costs no wait for the disk: a cut of the power may lose that it was.
        self._add(more, durable=len(actions) > 1 or not result.recovery_successful)

    def _add(self, more: Counts, *, durable: bool) -> None:
        """What cannot be written now (a full disk) is added by the next call that can."""
        more = self._uncounted.plus(more)
        try:
            statistics.add(self.folder, more, durable=durable)
        except OSError:
            self._uncounted = more
        else:
            self._uncounted = Counts()


def recover_changeset_operation(
    operation: Callable[..., Any],
    changeset: RepositoryChangeset | Mapping[str, Any],
    strategy: RecoveryStrategy | str | None = None,
    **kwargs: Any,
) -> RecoveryResult:
    """As ``ChangesetRecoveryManager().recover_changeset_operation``."""
    return ChangesetRecoveryManager().recover_changeset_operation(operation, changeset, strategy, **kwargs)


def recover_storage_operation(
    collection_name: str, operation_type: str, strategy: RecoveryStrategy | str | None = None
) -> RecoveryResult:
    """As ``ChangesetRecoveryManager().recover_storage_operation``."""
    return ChangesetRecoveryManager().recover_storage_operation(collection_name, operation_type, strategy)
