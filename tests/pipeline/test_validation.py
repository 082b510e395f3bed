"""Validation as API: every code of the table from its level on, and not below, and never on what is clean."""

from __future__ import annotations

import copy
import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import Repo
from samples import changeset
from test_validate import DROP, FAULTS, LEGAL, with_changes

from mgit_hooks import pipeline
from mgit_hooks.capture.capturer import Capturer
from mgit_hooks.changesets import ChangesetCollection, RepositoryChangeset, againstgit, repository_key, working
from mgit_hooks.changesets.embedding import Embedder
from mgit_hooks.judging import checks, schemas
from mgit_hooks.judging.validate import LEVELS
from mgit_hooks.pipeline import (
    ChangesetValidator,
    ValidationIssue,
    ValidationLevel,
    ValidationResult,
    ValidationSeverity,
    validate_changeset,
    validate_collection,
)
from mgit_hooks.pipeline import validation as module
from mgit_hooks.record import Oid

Changes = dict[str, Any]
KEY = repository_key("/src/repo")
HERE = f"/repositories/{KEY}"

# PIPELINE.md, "Validation": of each code its severity and the lowest level that finds it.
CODES = {
    "MISSING_REQUIRED_FIELD": ("error", "basic"),
    "MISSING_FILE_CHANGE_FIELD": ("error", "basic"),
    "MISSING_COMMIT_FIELD": ("error", "basic"),
    "RELATIVE_REPOSITORY_PATH": ("warning", "basic"),
    "REPOSITORY_NAME_TOO_LONG": ("error", "basic"),
    "FILENAME_TOO_LONG": ("error", "basic"),
    "COMMIT_MESSAGE_TOO_LONG": ("warning", "basic"),
    "INVALID_GIT_STATUS": ("error", "basic"),
    "INVALID_CHANGE_TYPE": ("error", "basic"),
    "INVALID_COMMIT_HASH": ("error", "basic"),
    "MISSING_COLLECTION_NAME": ("error", "basic"),
    "MISSING_CREATION_TIME": ("error", "basic"),
    "REPOSITORY_KEY_MISMATCH": ("error", "basic"),
    "EMBEDDED_CONTENT_TOO_LARGE": ("warning", "standard"),
    "CONTENT_HASH_MISMATCH": ("error", "standard"),
    "INCONSISTENT_CHANGE_FLAGS": ("warning", "strict"),
    "STATUS_CONSISTENCY_ERROR": ("error", "strict"),
    "DUPLICATE_REPOSITORY_PATHS": ("error", "strict"),
    "VALIDATION_EXCEPTION": ("critical", "basic"),
    "COLLECTION_VALIDATION_EXCEPTION": ("critical", "basic"),
}


def collection() -> dict[str, Any]:
    """As JSON, with two repositories."""
    other = {**changeset(), "repository_path": "/src/other", "repository_name": "other"}
    times = {"created_at": "2024-01-02T03:04:05+00:00", "updated_at": "2024-01-02T03:04:06Z"}
    return {"name": "work", **times, "repositories": {KEY: changeset(), repository_key("/src/other"): other}}


def twice(path: str) -> dict[str, Any]:
    """What adds a third repository, whose path is another way to write the first one's."""
    return {f"/repositories/{repository_key(path)}": {**changeset(), "repository_path": path}}


COLLECTION_FAULTS: list[tuple[Changes, str, str]] = [
    ({"/name": DROP}, "MISSING_COLLECTION_NAME", "/name"),
    ({"/name": None}, "MISSING_COLLECTION_NAME", "/name"),
    ({"/name": ""}, "MISSING_COLLECTION_NAME", "/name"),
    ({"/created_at": DROP}, "MISSING_CREATION_TIME", "/created_at"),
    ({"/created_at": None}, "MISSING_CREATION_TIME", "/created_at"),
    ({"/created_at": ""}, "MISSING_CREATION_TIME", "/created_at"),
    ({"/updated_at": ""}, "MISSING_REQUIRED_FIELD", "/updated_at"),
    ({"/repositories": DROP}, "MISSING_REQUIRED_FIELD", "/repositories"),
    ({"/repositories": None}, "MISSING_REQUIRED_FIELD", "/repositories"),
    ({f"{HERE}/repository_path": "/src/moved"}, "REPOSITORY_KEY_MISMATCH", HERE),
    ({f"{HERE}/repository_key": "0" * 16}, "REPOSITORY_KEY_MISMATCH", f"{HERE}/repository_key"),
    ({"/repositories/a~1b": {**changeset(), "repository_path": "/src/x"}}, "REPOSITORY_KEY_MISMATCH",
     "/repositories/a~1b"),
    (twice("/src/repo/"), "DUPLICATE_REPOSITORY_PATHS",
     f"/repositories/{repository_key('/src/repo/')}/repository_path"),
    (twice("/src//./repo"), "DUPLICATE_REPOSITORY_PATHS",
     f"/repositories/{repository_key('/src//./repo')}/repository_path"),
]  # fmt: skip
# Every fault of a changeset is one of a collection that holds it, but for another path, whose key would be another.
for kind, changes, _, code, _, where in FAULTS:
    if kind == "changeset" and code in CODES and "/repository_path" not in changes:
        within = {f"{HERE}{place}": new for place, new in changes.items()}
        COLLECTION_FAULTS.append((within, code, f"{HERE}{where}"))


def changed(value: dict[str, Any], changes: Changes) -> dict[str, Any]:
    plain = {place: new for place, new in changes.items() if "~1" not in place}
    for place, new in changes.items():
        if "~1" in place:
            value["repositories"]["a/b"] = new
    return with_changes(value, plain)


def found(result: ValidationResult) -> list[tuple[str, str, str]]:
    return [(issue.severity, issue.code, issue.field_path) for issue in result.issues]


def expected(code: str, where: str, level: str) -> list[tuple[str, str, str]]:
    severity, lowest = CODES[code]
    return [] if LEVELS.index(level) < LEVELS.index(lowest) else [(severity, code, where)]


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize(("changes", "code", "where"), COLLECTION_FAULTS)
def test_each_fault_of_a_collection_is_found_from_its_level_on_and_alone(
    changes: Changes, code: str, where: str, level: str
) -> None:
    result = validate_collection(changed(collection(), changes), level)
    assert found(result) == expected(code, where, level)
    assert result.is_valid is not any(severity in ("error", "critical") for severity, _, _ in found(result))
    assert all(issue.suggested_fix and len(issue.message) < 300 for issue in result.issues)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize(("changes", "code", "where"), [(row[1], row[3], row[5]) for row in FAULTS
                                                        if row[0] == "changeset" and row[3] in CODES])  # fmt: skip
def test_each_fault_of_a_changeset_is_found_from_its_level_on_and_alone(
    changes: Changes, code: str, where: str, level: str
) -> None:
    assert found(validate_changeset(with_changes(changeset(), changes), level)) == expected(code, where, level)


def test_every_code_of_the_table_has_a_fault_and_a_line_in_the_docs() -> None:
    covered = {code for _, code, _ in COLLECTION_FAULTS} | {row[3] for row in FAULTS}
    failing = {"VALIDATION_EXCEPTION", "COLLECTION_VALIDATION_EXCEPTION"}  # below, by a check that fails
    assert set(CODES) - covered == failing
    docs = (Path(__file__).parents[2] / "docs" / "validation.md").read_text()
    assert [code for code in CODES if f"`{code}`" not in docs] == []


@pytest.mark.parametrize("level", LEVELS)
def test_nothing_is_found_on_what_is_clean(level: str) -> None:
    assert found(validate_changeset(changeset(), level)) == []
    assert found(validate_changeset(RepositoryChangeset.from_json(changeset()), level)) == []
    assert found(validate_collection(collection(), level)) == []
    assert found(validate_collection(ChangesetCollection.from_json(collection()), level)) == []
    empty = ChangesetCollection("work", "2024-01-02T03:04:05Z", "2024-01-02T03:04:05Z", {})
    assert found(validate_collection(empty, level)) == []
    for kind, changes in LEGAL:
        if kind == "changeset":
            assert found(validate_changeset(with_changes(changeset(), changes), level)) == []


# The public names


@pytest.mark.parametrize(
    "name",
    [
        "ValidationLevel", "ValidationSeverity", "ValidationIssue", "ValidationResult", "ChangesetValidator",
        "validate_changeset", "validate_collection",
    ],
)  # fmt: skip
def test_each_public_name_is_there(name: str) -> None:
    assert name in pipeline.__all__
    assert getattr(pipeline, name) is getattr(module, name)


def test_levels_severities_and_issues_are_the_words_that_schemas_and_records_use() -> None:
    assert [level.value for level in ValidationLevel] == list(LEVELS)
    assert [severity.value for severity in ValidationSeverity] == ["info", "warning", "error", "critical"]
    (issue,) = validate_changeset({**changeset(), "git_status": "tidy"}, ValidationLevel.BASIC).issues
    assert isinstance(issue, ValidationIssue)
    assert issue.severity == ValidationSeverity.ERROR
    assert ValidationIssue._fields == (
        "severity", "code", "message", "field_path", "suggested_fix", "data_context",
    )  # fmt: skip


def test_the_level_is_standard_unless_said_and_no_other_word() -> None:
    assert validate_changeset(changeset()).validation_level is ValidationLevel.STANDARD
    assert validate_collection(collection()).validation_level is ValidationLevel.STANDARD
    assert ChangesetValidator().level is ValidationLevel.STANDARD
    with pytest.raises(ValueError, match="lax"):
        ChangesetValidator("lax")


def test_a_result_counts_by_severity_and_says_what_was_looked_at() -> None:
    broken = with_changes(
        changeset(),
        {"/git_status": "tidy", "/repository_path": "src", "/recent_commits/0/hash": "x", "/uncommitted_files/0": {}},
    )
    result = validate_changeset(broken, "basic")
    assert result.issue_counts == {"info": 0, "warning": 1, "error": 6, "critical": 0}
    assert (result.is_valid, result.has_errors, result.has_critical_issues) == (False, True, False)
    warned = validate_changeset({**changeset(), "repository_path": "src"}, "basic")
    assert (warned.is_valid, warned.has_errors, warned.issue_counts["warning"]) == (True, False, 1)
    told = json.loads(json.dumps(result.to_json()))
    assert list(told) == ["is_valid", "validation_level", "issues", "issue_counts", "statistics"]
    assert len(told["issues"]) == 7


def test_statistics_of_a_changeset_and_of_a_collection() -> None:
    one = changeset()
    fields = len(one) + len(one["uncommitted_files"][0]) + sum(map(len, one["recent_commits"]))
    fields += sum(map(len, one["recent_commits"][1]["files"]))
    counts = {"validated_fields": fields, "validated_files": 6, "validated_commits": 2}
    assert validate_changeset(one, "basic").statistics == counts
    assert validate_collection(collection(), "basic").statistics == {
        "validated_collections": 1, "validated_repositories": 2, "total_files": 12, "total_commits": 4,
    }  # fmt: skip
    assert set(validate_changeset(one, "strict").statistics) == {*counts, "checked_against_git"}


# What is no changeset at all, and checks that fail


@pytest.mark.parametrize("value", [None, [], "text", 7, {}, {1: 2}, {"repositories": [1]}, {"repositories": {"a": 1}}])
@pytest.mark.parametrize("level", LEVELS)
def test_whatever_comes_in_comes_out_as_issues(value: Any, level: str) -> None:
    for validate in (validate_changeset, validate_collection):
        result = validate(value, level)
        assert not result.is_valid
        assert all(issue.message for issue in result.issues)


class Liar:
    def to_json(self) -> Any:
        raise RuntimeError("no JSON today")


def test_a_value_that_gives_no_json_is_an_issue() -> None:
    for validate, code in (
        (validate_changeset, "VALIDATION_EXCEPTION"),
        (validate_collection, "COLLECTION_VALIDATION_EXCEPTION"),
    ):
        result = validate(Liar())  # type: ignore[operator]
        assert found(result) == [("critical", code, "")]
        assert result.has_critical_issues
        assert "RuntimeError" in result.issues[0].message


@pytest.mark.parametrize("level", LEVELS)
def test_a_check_that_fails_itself_is_an_issue(level: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: Any) -> Any:
        raise RuntimeError("broken")

    monkeypatch.setattr(checks, "run", fails)
    assert found(validate_changeset(changeset(), level))[0] == ("critical", "VALIDATION_EXCEPTION", "")
    assert found(validate_collection(collection(), level))[0] == ("critical", "COLLECTION_VALIDATION_EXCEPTION", "")
    monkeypatch.setattr(schemas, "load", fails)
    assert found(validate_collection(collection(), level)) == [("critical", "COLLECTION_VALIDATION_EXCEPTION", "")]


def test_a_repository_that_cannot_be_asked_costs_no_other_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(value: Any) -> Any:
        raise OSError("the disk is away")

    monkeypatch.setattr(againstgit, "against_git", fails)
    broken = collection()
    broken["repositories"][KEY]["git_status"] = "clean"
    assert found(validate_collection(broken, "strict")) == [
        ("error", "STATUS_CONSISTENCY_ERROR", f"{HERE}/git_status"),
        ("critical", "VALIDATION_EXCEPTION", HERE),
        ("critical", "VALIDATION_EXCEPTION", f"/repositories/{repository_key('/src/other')}"),
    ]


def test_a_check_of_a_hash_that_always_says_yes_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """The planted bug: with a hash that is always the one that is claimed, the rows of CONTENT_HASH_MISMATCH fail."""

    class Yes(str):
        def __ne__(self, other: object) -> bool:
            return False

        __hash__ = str.__hash__

    class Always:
        def __init__(self, data: bytes = b"") -> None: ...

        def hexdigest(self) -> str:
            return Yes("a" * 64)

    rows = [row for row in FAULTS if row[3] == "CONTENT_HASH_MISMATCH" and row[0] == "changeset"]
    monkeypatch.setattr(hashlib, "sha256", Always)
    for _, changes, level, _, _, where in rows:
        with pytest.raises(AssertionError):
            test_each_fault_of_a_changeset_is_found_from_its_level_on_and_alone(
                changes, "CONTENT_HASH_MISMATCH", where, level
            )
    assert len(rows) > 2


# Against git


@pytest.fixture
def kept(repo: Repo) -> tuple[Repo, dict[str, Any]]:
    """A repository, and what a changeset says of it: commits, a staged file, one changed in the worktree."""
    repo.commit("one", {"a.txt": "one\n", "b.txt": "b\n"})
    repo.git("mv", "b.txt", "c.txt")
    repo.commit("two", {"a.txt": "two\n", os.fsdecode(b"odd\xff"): "odd\n"})
    repo.write("staged", "staged\n")
    repo.git("add", "staged")
    repo.write("a.txt", "three\n")
    capturer = Capturer(os.path.join(repo.path, ".git"))
    commits = [capturer.commit(Oid(oid)).to_json() for oid in repo.git("rev-list", "HEAD").split()]
    staged = {
        "filename": "staged", "change_type": "added", "index_status": "A", "worktree_status": ".", "size_bytes": 7,
        "new_mode": "100644", "new_oid": repo.git("rev-parse", ":staged"),
        "content_hash": hashlib.sha256(b"staged\n").hexdigest(),
        "embedded_content": {"strategy": "full", "content": "staged\n", "encoding": "utf-8"},
    }  # fmt: skip
    worktree = {
        "filename": "a.txt", "change_type": "modified", "index_status": ".", "worktree_status": "M", "size_bytes": 6,
        "new_oid": repo.git("rev-parse", ":a.txt"), "content_hash": hashlib.sha256(b"three\n").hexdigest(),
    }  # fmt: skip
    value = {**changeset(), "repository_path": repo.path, "recent_commits": commits}
    return repo, {**value, "uncommitted_files": [staged, worktree]}


def test_what_git_says_too_is_clean_and_counted(kept: tuple[Repo, dict[str, Any]]) -> None:
    _, value = kept
    result = validate_changeset(value, "strict")
    assert found(result) == []
    assert result.statistics["checked_against_git"] == 3
    shortened = with_changes(value, {"/recent_commits/0/hash": value["recent_commits"][0]["hash"][:9]})
    assert found(validate_changeset(shortened, "strict")) == []
    date = value["recent_commits"][0]["date"].replace("+00:00", "Z")
    assert found(validate_changeset(with_changes(value, {"/recent_commits/0/date": date}), "strict")) == []


_C, _F = "/recent_commits/0", "/uncommitted_files/0"


@pytest.mark.parametrize(
    ("place", "new", "code"),
    [
        (f"{_C}/tree", "f" * 40, "OBJECT_MISMATCH"),
        (f"{_C}/parents", ["f" * 40], "OBJECT_MISMATCH"),
        (f"{_C}/author_name", "Eve", "OBJECT_MISMATCH"),
        (f"{_C}/author_email", "eve@example.org", "OBJECT_MISMATCH"),
        (f"{_C}/committer_name", "Eve", "OBJECT_MISMATCH"),
        (f"{_C}/message", "another\n", "OBJECT_MISMATCH"),
        (f"{_C}/date", "2001-02-03T04:05:06+00:00", "OBJECT_MISMATCH"),
        (f"{_C}/files/0/size_bytes", 99, "OBJECT_MISMATCH"),
        (f"{_C}/files/0/new_oid", "f" * 40, "OBJECT_MISMATCH"),
        (f"{_C}/files/0/new_mode", "100755", "OBJECT_MISMATCH"),
        (f"{_C}/files/1/old_filename", "z.txt", "OBJECT_MISMATCH"),
        (f"{_C}/files/0/content_hash", "f" * 64, "CONTENT_HASH_MISMATCH"),
        (f"{_F}/size_bytes", 99, "OBJECT_MISMATCH"),
        (f"{_F}/content_hash", "f" * 64, "CONTENT_HASH_MISMATCH"),
    ],
)
def test_what_git_does_not_say_is_found_at_level_strict(
    kept: tuple[Repo, dict[str, Any]], place: str, new: Any, code: str
) -> None:
    _, value = kept
    value["uncommitted_files"][0]["embedded_content"] = None
    wrong = with_changes(copy.deepcopy(value), {place: new})
    assert found(validate_changeset(wrong, "standard")) == []
    assert found(validate_changeset(wrong, "strict")) == [("error", code, place)]
    assert found(ChangesetValidator("strict", against_git=False).validate_repository_changeset(wrong)) == []
    held = {**collection(), "repositories": {repository_key(value["repository_path"]): wrong}}
    within = f"/repositories/{repository_key(value['repository_path'])}{place}"
    assert found(validate_collection(held, "strict")) == [("error", code, within)]


def test_a_content_that_is_not_the_blobs_is_found(kept: tuple[Repo, dict[str, Any]]) -> None:
    _, value = kept
    content = {"strategy": "full", "content": "stagec\n", "encoding": "utf-8"}
    wrong = with_changes(value, {f"{_F}/embedded_content": content, f"{_F}/content_hash": None})
    assert found(validate_changeset(wrong, "strict")) == [
        ("error", "CONTENT_HASH_MISMATCH", f"{_F}/embedded_content/content")
    ]
    for partial in ({**content, "strategy": "sample"}, {**content, "truncated": True}):
        assert found(validate_changeset(with_changes(value, {f"{_F}/embedded_content": partial}), "strict")) == []


@pytest.mark.parametrize("files", [[], [{"filename": "x", "change_type": "added", "index_status": "A",
                                         "worktree_status": "."}]])  # fmt: skip
def test_files_that_the_commit_has_not_are_found(kept: tuple[Repo, dict[str, Any]], files: list[Any]) -> None:
    _, value = kept
    wrong = with_changes(value, {f"{_C}/files": files})
    assert found(validate_changeset(wrong, "strict")) == [("error", "OBJECT_MISMATCH", f"{_C}/files")]


def test_a_commit_that_git_no_longer_has_is_remarked_and_no_fault(kept: tuple[Repo, dict[str, Any]]) -> None:
    _, value = kept
    gone = with_changes(value, {f"{_C}/hash": "f" * 40})
    result = validate_changeset(gone, "strict")
    assert (found(result), result.is_valid) == ([("info", "OBJECT_MISSING", f"{_C}/hash")], True)


def test_what_the_worktree_is_by_now_is_no_fault_of_a_changeset(kept: tuple[Repo, dict[str, Any]]) -> None:
    repo, value = kept
    repo.write("a.txt", "four\n")
    repo.write("staged", "other\n")
    repo.git("rm", "-q", "-f", "--cached", "staged")
    assert found(validate_changeset(value, "strict")) == []


@pytest.mark.parametrize(
    ("attributes", "content"),
    [
        ("staged text eol=crlf", b"staged\r\n"),
        ("", b"staged\r\n"),  # as long as the attributes were others
        ("staged text=auto", b"staged\r\n"),
        ("staged ident", b"staged\n"),
    ],
)
def test_line_ends_that_git_converts_are_no_fault(
    kept: tuple[Repo, dict[str, Any]], attributes: str, content: bytes
) -> None:
    repo, value = kept
    repo.write(".gitattributes", f"{attributes}\n")
    other = {f"{_F}/size_bytes": len(content), f"{_F}/content_hash": hashlib.sha256(content).hexdigest()}
    other[f"{_F}/embedded_content"] = None  # type: ignore[assignment]
    assert found(validate_changeset(with_changes(copy.deepcopy(value), other), "strict")) == []


@pytest.mark.parametrize(
    ("config", "attributes", "content"),
    [
        ("true", "", b"mixed\r\nends\n"),
        ("input", "", b"mixed\r\nends\n"),
        ("false", "mixed text", b"mixed\r\nends\n"),
        ("false", "mixed ident", b"$Id: of long ago $\n"),
    ],
)
def test_what_many_contents_become_is_no_fault_of_any_of_them(
    repo: Repo, config: str, attributes: str, content: bytes
) -> None:
    """The blob is what git made of the file; no size and no hash of it is told by that. Nor are they 'repaired'."""
    repo.commit("One", {"a": "a\n", ".gitattributes": f"{attributes}\n"})
    repo.git("config", "core.autocrlf", config)
    Path(repo.path, "mixed").write_bytes(content)
    repo.git("add", "mixed")
    made = working.read(repo.path, content=Embedder("full", 1 << 20))
    (change,) = made.uncommitted_files or ()
    assert (change.size_bytes, change.content_hash) == (len(content), hashlib.sha256(content).hexdigest())
    assert found(validate_changeset(made, "strict")) == []
    value = made.to_json()
    value["uncommitted_files"][0]["embedded_content"]["content"] = "another text\n"
    value["uncommitted_files"][0]["content_hash"] = None
    value["uncommitted_files"][0]["embedded_content"]["content_hash"] = None
    assert ("error", "CONTENT_HASH_MISMATCH", "/uncommitted_files/0/embedded_content/content") in found(
        validate_changeset(value, "strict")
    )


def test_a_filter_of_the_users_is_not_run(kept: tuple[Repo, dict[str, Any]], tmp_path: Path) -> None:
    repo, value = kept
    repo.write(".gitattributes", "staged filter=mine\n")
    repo.git("config", "filter.mine.smudge", f"touch {tmp_path}/ran; cat")
    assert found(validate_changeset(with_changes(value, {f"{_F}/size_bytes": 1}), "strict")) == []
    assert not (tmp_path / "ran").exists()


def _gone(repo: Repo, value: dict[str, Any]) -> None:
    os.rename(repo.path, f"{repo.path}-moved")


def _a_folder(repo: Repo, value: dict[str, Any]) -> None:
    _gone(repo, value)
    os.mkdir(repo.path)


def _within_another(repo: Repo, value: dict[str, Any]) -> None:
    value["repository_path"] = os.path.join(repo.path, "sub")
    os.mkdir(value["repository_path"])


def _relative(repo: Repo, value: dict[str, Any]) -> None:
    value["repository_path"] = os.path.relpath(repo.path)


def _broken(repo: Repo, value: dict[str, Any]) -> None:
    repo.git("config", "core.repositoryformatversion", "99")


@pytest.mark.parametrize("away", [_gone, _a_folder, _within_another, _relative, _broken])
def test_without_the_repository_at_hand_nothing_is_held_against_git(
    kept: tuple[Repo, dict[str, Any]], away: Callable[[Repo, dict[str, Any]], None]
) -> None:
    repo, value = kept
    value["recent_commits"][0]["tree"] = "f" * 40
    away(repo, value)
    result = validate_changeset(value, "strict")
    assert [issue for issue in found(result) if issue[1] != "RELATIVE_REPOSITORY_PATH"] == []
    assert result.statistics["checked_against_git"] == 0


def test_the_repository_of_the_changeset_is_asked_whatever_the_environment_says(
    kept: tuple[Repo, dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, value = kept
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "nowhere"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "no-index"))
    assert validate_changeset(value, "strict").statistics["checked_against_git"] == 3


def test_a_bare_repository_is_at_hand_too(bare: Repo, repo: Repo) -> None:
    head = repo.commit("one", {"a": "1\n"})
    repo.git("push", "-q", bare.path, "main")
    commit = Capturer(bare.path).commit(Oid(head)).to_json()
    value = {**changeset(), "repository_path": bare.path, "recent_commits": [commit], "uncommitted_files": None}
    assert validate_changeset(value, "strict").statistics["checked_against_git"] == 1
    commit["tree"] = "f" * 40
    assert [code for _, code, _ in found(validate_changeset(value, "strict"))] == ["OBJECT_MISMATCH"]
