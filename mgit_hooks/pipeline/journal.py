"""The records of a journal, judged again: what they are now, whatever was said of them when they were written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from mgit_hooks.changesets.againstgit import AtHand
from mgit_hooks.errors import DamageError
from mgit_hooks.journal.index import Index
from mgit_hooks.judging import schemas
from mgit_hooks.judging.collectionchecks import within
from mgit_hooks.judging.validate import validate
from mgit_hooks.layout import Location
from mgit_hooks.pipeline.validation import ValidationLevel
from mgit_hooks.record import Issue, Json, Record, is_valid


class JudgedRecord(NamedTuple):
    record: Record
    issues: tuple[Issue, ...]


class JournalJudge:
    """Judges every record that no later one stands in for, newest first; ``statistics`` count as it goes.

    By the schemas and checks alone: the rules of a policy are for ``check``. At level strict, a commit is also held
    against git's objects. Blocks that cannot be read are in ``damaged``.
    """

    def __init__(self, location: Location, index: Index, level: ValidationLevel) -> None:
        self._location = location
        self._index = index
        self._level = level
        names = ("validated_records", "invalid_records", "validated_commits", "validated_files")
        self.statistics = dict.fromkeys(names, 0)
        self.severities: Counter[str] = Counter()
        self.damaged: list[DamageError] = []

    def judged(self) -> Iterator[JudgedRecord]:
        known = schemas.load()
        here = None
        if self._level is ValidationLevel.STRICT:
            location = self._location
            here = AtHand(location.root or location.common_dir, location.common_dir)
            self.statistics["checked_against_git"] = 0
        try:
            for stored in self._index.read_many(self._index.newest(), self.damaged):
                record = stored.record()
                if record is None:  # erased
                    continue
                value = record.to_json()
                issues = [*validate("record", value, self._level, known), *self._against_git(value, here)]
                self._count(value, issues)
                yield JudgedRecord(record, tuple(issues))
        finally:
            if here is not None:
                here.close()

    def _against_git(self, value: Json, here: AtHand | None) -> list[Issue]:
        commit = value.get("commit")
        # A minimal record says little of its commit, and that on purpose.
        if here is None or not isinstance(commit, dict) or "original" in value:
            return []
        found = here.commit(commit, "")
        self.statistics["checked_against_git"] += found.asked
        return [within("/commit", issue) for issue in found.issues]

    def _count(self, value: Json, issues: list[Issue]) -> None:
        self.statistics["validated_records"] += 1
        self.statistics["invalid_records"] += not is_valid(issues)
        self.severities.update(issue.severity for issue in issues)
        commit = value.get("commit")
        if isinstance(commit, dict):
            self.statistics["validated_commits"] += 1
            self.statistics["validated_files"] += len(commit.get("files") or ())
