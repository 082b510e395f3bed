"""What recovery gives back: the strategies by name, and a result with its actions."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, NamedTuple

from mgit_hooks.record import Action, Json


class RecoveryStrategy(StrEnum):
    IGNORE = "ignore"
    REPAIR = "repair"
    FALLBACK = "fallback"
    ABORT = "abort"
    CHECKPOINT = "checkpoint"


class RecoveryResult(NamedTuple):
    """What was done, in order, and what came of it.

    ``recovered_data``: of an operation, what it returned; where it did not run or failed, the minimal changeset of
    strategy ``fallback``, or None. Of a collection, the collection. ``changeset``: what the operation was given, or
    would have been: mended, minimal, or as it came.
    """

    recovery_successful: bool
    actions_taken: tuple[Action, ...]
    recovered_data: Any = None
    fallback_used: bool = False
    changeset: Any = None

    @property
    def action_summary(self) -> str:
        """As ``2/3 recovery actions successful``."""
        done = sum(action.success for action in self.actions_taken)
        return f"{done}/{len(self.actions_taken)} recovery actions successful"

    def to_json(self) -> Json:
        return {
            "recovery_successful": self.recovery_successful,
            "fallback_used": self.fallback_used,
            "action_summary": self.action_summary,
            "actions_taken": [action.to_json() for action in self.actions_taken],
        }
