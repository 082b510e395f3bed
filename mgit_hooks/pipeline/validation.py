"""Validation of changesets, collections and compressed data: the public names, thin over ``judging.validate``.

A result is never an exception: what a value is not, or a check that itself fails, is an issue in it. The codes are
those of docs/validation.md.
"""

from __future__ import annotations

from binascii import b2a_base64
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from typing import Any, NamedTuple

from mgit_hooks.changesets.shapes import ChangesetCollection, RepositoryChangeset
from mgit_hooks.judging import schemas
from mgit_hooks.judging.collectionchecks import place_of, within
from mgit_hooks.judging.validate import FAILED, exception_issue, validate
from mgit_hooks.pipeline.results import CompressionResult
from mgit_hooks.record import Issue, Json, is_valid


class ValidationLevel(StrEnum):
    BASIC = "basic"
    STANDARD = "standard"
    STRICT = "strict"


class ValidationSeverity(StrEnum):
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"
    CRITICAL = "critical"


ValidationIssue = Issue
"""severity, code, message, field_path (a JSON pointer), suggested_fix, data_context."""


class ValidationResult(NamedTuple):
    """The verdict on one value. ``is_valid``: no issue is an error or critical.

    ``statistics`` count what was looked at; of a changeset ``validated_fields``, ``validated_files`` and
    ``validated_commits`` (those of its commits are files, too); of a collection ``validated_collections``,
    ``validated_repositories``, ``total_files`` and ``total_commits``; of compressed data ``compression_checks``, 1. At
    level strict ``checked_against_git`` is the number of commits and files that git could be asked about.
    """

    is_valid: bool
    validation_level: ValidationLevel
    issues: tuple[Issue, ...]
    statistics: dict[str, int]

    @property
    def has_errors(self) -> bool:
        """Whether an issue is an error or worse."""
        return not is_valid(self.issues)

    @property
    def has_critical_issues(self) -> bool:
        return any(issue.severity == ValidationSeverity.CRITICAL for issue in self.issues)

    @property
    def issue_counts(self) -> dict[str, int]:
        """How many issues there are of each severity, the lightest first."""
        counts = Counter(issue.severity for issue in self.issues)
        return {severity.value: counts[severity.value] for severity in ValidationSeverity}

    def to_json(self) -> Json:
        return {
            "is_valid": self.is_valid,
            "validation_level": self.validation_level.value,
            "issues": [issue.to_json() for issue in self.issues],
            "issue_counts": self.issue_counts,
            "statistics": self.statistics,
        }


class ChangesetValidator:
    """Judges at one level. At ``strict`` also against the repository of a changeset, where it is at hand.

    Raises ValueError where ``level`` is none.
    """

    def __init__(self, level: ValidationLevel | str = ValidationLevel.STANDARD, *, against_git: bool = True) -> None:
        self.level = ValidationLevel(level)
        self._asks_git = against_git and self.level is ValidationLevel.STRICT

    def validate_repository_changeset(self, changeset: RepositoryChangeset | Mapping[str, Any]) -> ValidationResult:
        """``changeset`` as a value, or as the JSON of one, which may lack what a value needs."""
        counts = {"validated_fields": 0, "validated_files": 0, "validated_commits": 0}

        def judged() -> Iterator[Issue]:
            value = _plain(changeset)
            counts.update(_counted(value))
            yield from validate("changeset", value, self.level, schemas.load())
            if self._asks_git:
                yield from _asked(value, counts)

        return self._result(judged, counts, "changeset")

    def validate_changeset_collection(self, collection: ChangesetCollection | Mapping[str, Any]) -> ValidationResult:
        """As ``validate_repository_changeset``; issues of a changeset are at ``/repositories/KEY``."""
        counts = {"validated_collections": 0, "validated_repositories": 0, "total_files": 0, "total_commits": 0}

        def judged() -> Iterator[Issue]:
            value = _plain(collection)
            counts["validated_collections"] = 1
            held = value.get("repositories") if isinstance(value, dict) else None
            changesets = held if isinstance(held, dict) else {}
            for each in map(_counted, changesets.values()):
                counts["validated_repositories"] += 1
                counts["total_files"] += each["validated_files"]
                counts["total_commits"] += each["validated_commits"]
            yield from validate("collection", value, self.level, schemas.load())
            if self._asks_git:
                for key, changeset in changesets.items():
                    yield from (within(place_of(key), issue) for issue in _asked(changeset, counts))

        return self._result(judged, counts, "collection")

    def validate_compressed_data(self, result: Any, expected_data: Any = None) -> ValidationResult:
        """A CompressionResult, or the JSON of one with its bytes as ``compressed_data``. What is in a file is read, up
        to 1 GiB.

        ``expected_data`` is what it should give back: bytes, a text, or the value that was compressed as JSON. Without
        it, only the size is known, and of a file its hash.
        """
        counts = {"compression_checks": 0}

        def judged() -> Iterator[Issue]:
            value = _compressed(result)
            expected, same = _expectation(expected_data)
            if expected is not None and isinstance(value, dict):
                value["sha256"] = expected
            counts["compression_checks"] = 1
            found = validate("compressed", value, self.level, schemas.load())
            yield from found
            if same is not None and self.level is not ValidationLevel.BASIC and is_valid(found):
                yield from _other_value(value, same)

        return self._result(judged, counts, "compressed")

    def _result(self, judged: Callable[[], Iterator[Issue]], counts: dict[str, int], kind: str) -> ValidationResult:
        issues: list[Issue] = []
        try:
            issues.extend(judged())
        except Exception as error:
            issues.append(exception_issue(error, FAILED.get(kind, "VALIDATION_EXCEPTION")))
        return ValidationResult(is_valid(issues), self.level, tuple(issues), counts)


def validate_changeset(
    changeset: RepositoryChangeset | Mapping[str, Any], level: ValidationLevel | str = ValidationLevel.STANDARD
) -> ValidationResult:
    return ChangesetValidator(level).validate_repository_changeset(changeset)


def validate_collection(
    collection: ChangesetCollection | Mapping[str, Any], level: ValidationLevel | str = ValidationLevel.STANDARD
) -> ValidationResult:
    return ChangesetValidator(level).validate_changeset_collection(collection)


def _plain(value: Any) -> Any:
    return value.to_json() if hasattr(value, "to_json") else value


def _asked(changeset: Any, counts: dict[str, int]) -> Iterator[Issue]:
    """What git says against it. A repository that cannot be asked is no fault of its changeset, nor of the others."""
    from mgit_hooks.changesets.againstgit import against_git

    try:
        found = against_git(changeset)
    except Exception as error:
        yield exception_issue(error)
        return
    counts["checked_against_git"] = counts.get("checked_against_git", 0) + found.asked
    yield from found.issues


def _counted(changeset: Any) -> dict[str, int]:
    """How many fields of ours, files and commits are there to be judged."""
    given = changeset if isinstance(changeset, dict) else {}
    commits = _objects(given.get("recent_commits"))
    files = _objects(given.get("uncommitted_files"))
    for commit in commits:
        files += _objects(commit.get("files"))
    fields = len(given) + sum(map(len, commits)) + sum(map(len, files))
    return {"validated_fields": fields, "validated_files": len(files), "validated_commits": len(commits)}


def _objects(value: Any) -> list[Json]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _compressed(result: Any) -> Any:
    """The JSON of a result, its bytes in base64: those of its file where they are in one. What is no result stays."""
    if isinstance(result, CompressionResult):
        value: Json = result._asdict()  # to_json needs a result that is one
        value["method"] = str(result.method) if isinstance(result.method, str) else result.method
        metadata = result.metadata if isinstance(result.metadata, dict) else {}
        value["sha256"] = metadata.get("sha256")
        if result.compressed_data is None and isinstance(metadata.get("output_file"), str):
            value["compressed_data"] = _content(metadata["output_file"])
    elif isinstance(result, Mapping):
        value = dict(result)
    else:
        return result
    data = value.get("compressed_data")
    if isinstance(data, bytes | bytearray | memoryview):
        data = b2a_base64(data, newline=False).decode("ascii")
    return {**value, "compressed_data": data}


def _content(path: str) -> bytes | None:
    """What a packed file holds; None where it is gone."""
    from mgit_hooks.files import read
    from mgit_hooks.pipeline.compression import DATA_LIMIT

    try:
        return read(path, DATA_LIMIT)
    except FileNotFoundError:
        return None


def _expectation(expected: Any) -> tuple[str | None, Callable[[bytes], bool] | None]:
    """The SHA-256 of what should come back; of a JSON value, whose text may be written in many ways, a comparison."""
    from hashlib import sha256

    if expected is None:
        return None, None
    if isinstance(expected, str):
        expected = expected.encode("utf-8", "surrogatepass")
    if isinstance(expected, bytes | bytearray | memoryview):
        return sha256(expected).hexdigest(), None
    import json

    return None, lambda raw: bool(json.loads(raw) == expected)


def _other_value(value: Json, same: Callable[[bytes], bool]) -> Iterator[Issue]:
    """Where what comes back, which is known to come back, is not the JSON value that was expected."""
    from mgit_hooks.judging.compressedchecks import corrupt, decompressed

    try:
        expected = same(decompressed(value))
    except ValueError:
        expected = False
    if not expected:
        yield corrupt("another value than was expected")
