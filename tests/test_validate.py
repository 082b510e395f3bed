"""Validation: every code under its condition, at its level, and nowhere else."""

from __future__ import annotations

import base64
import subprocess
import sys
from typing import Any

import pytest
from samples import COMMIT, RECORDS, changeset

from mgit_hooks.judging import schemas
from mgit_hooks.judging.checks import EMBEDDED_LIMIT
from mgit_hooks.judging.validate import LEVELS, validate, validation
from mgit_hooks.record import Issue

S = schemas.load()
DROP = object()


def with_changes(value: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """``value`` with what ``changes`` say by JSON pointer."""
    for pointer, new in changes.items():
        holder: Any = value
        *parts, last = pointer.split("/")[1:]
        for part in parts:
            holder = holder[int(part) if isinstance(holder, list) else part]
        if new is DROP:
            del holder[last]
        else:
            holder[int(last) if isinstance(holder, list) else last] = new
    return value


def value_of(kind: str) -> dict[str, Any]:
    if kind == "changeset":
        return changeset()
    if kind == "commit":
        return COMMIT.to_json()
    if kind == "file-change":
        return dict(changeset()["uncommitted_files"][0])
    return RECORDS[kind].to_json()


FILE = "/uncommitted_files/0"
EMBEDDED = f"{FILE}/embedded_content"
BIG = "x" * (EMBEDDED_LIMIT + 1)

# kind of value, what is changed in it, lowest level that finds it, code, severity, where
FAULTS = [
    ("changeset", {"/repository_path": DROP}, "basic", "MISSING_REQUIRED_FIELD", "error", "/repository_path"),
    ("changeset", {"/repository_path": None}, "basic", "MISSING_REQUIRED_FIELD", "error", "/repository_path"),
    ("changeset", {"/repository_path": ""}, "basic", "MISSING_REQUIRED_FIELD", "error", "/repository_path"),
    ("changeset", {"/repository_name": ""}, "basic", "MISSING_REQUIRED_FIELD", "error", "/repository_name"),
    ("changeset", {"/timestamp": ""}, "basic", "MISSING_REQUIRED_FIELD", "error", "/timestamp"),
    (
        "changeset",
        {"/has_uncommitted_changes": None},
        "basic",
        "MISSING_REQUIRED_FIELD",
        "error",
        "/has_uncommitted_changes",
    ),
    ("changeset", {"/git_status": DROP}, "basic", "MISSING_REQUIRED_FIELD", "error", "/git_status"),
    ("changeset", {"/git_status": None}, "basic", "MISSING_REQUIRED_FIELD", "error", "/git_status"),
    ("changeset", {"/git_status": "tidy"}, "basic", "INVALID_GIT_STATUS", "error", "/git_status"),
    ("changeset", {"/repository_path": "src/repo"}, "basic", "RELATIVE_REPOSITORY_PATH", "warning", "/repository_path"),
    ("changeset", {"/repository_name": "n" * 256}, "basic", "REPOSITORY_NAME_TOO_LONG", "error", "/repository_name"),
    ("changeset", {f"{FILE}/filename": DROP}, "basic", "MISSING_FILE_CHANGE_FIELD", "error", f"{FILE}/filename"),
    ("changeset", {f"{FILE}/filename": ""}, "basic", "MISSING_FILE_CHANGE_FIELD", "error", f"{FILE}/filename"),
    (
        "changeset",
        {f"{FILE}/index_status": None},
        "basic",
        "MISSING_FILE_CHANGE_FIELD",
        "error",
        f"{FILE}/index_status",
    ),
    (
        "changeset",
        {f"{FILE}/worktree_status": DROP},
        "basic",
        "MISSING_FILE_CHANGE_FIELD",
        "error",
        f"{FILE}/worktree_status",
    ),
    ("changeset", {f"{FILE}/change_type": "moved"}, "basic", "INVALID_CHANGE_TYPE", "error", f"{FILE}/change_type"),
    ("changeset", {f"{FILE}/filename": "f" * 4097}, "basic", "FILENAME_TOO_LONG", "error", f"{FILE}/filename"),
    ("changeset", {"/recent_commits/0/hash": ""}, "basic", "MISSING_COMMIT_FIELD", "error", "/recent_commits/0/hash"),
    (
        "changeset",
        {"/recent_commits/0/message": None},
        "basic",
        "MISSING_COMMIT_FIELD",
        "error",
        "/recent_commits/0/message",
    ),
    (
        "changeset",
        {"/recent_commits/0/hash": "abcdef"},
        "basic",
        "INVALID_COMMIT_HASH",
        "error",
        "/recent_commits/0/hash",
    ),
    (
        "changeset",
        {"/recent_commits/0/hash": "a" * 65},
        "basic",
        "INVALID_COMMIT_HASH",
        "error",
        "/recent_commits/0/hash",
    ),
    (
        "changeset",
        {"/recent_commits/0/hash": "abcdefg"},
        "basic",
        "INVALID_COMMIT_HASH",
        "error",
        "/recent_commits/0/hash",
    ),
    (
        "changeset",
        {"/recent_commits/0/hash": "abcdef1\n"},
        "basic",
        "INVALID_COMMIT_HASH",
        "error",
        "/recent_commits/0/hash",
    ),
    (
        "changeset",
        {"/recent_commits/0/message": "m" * 65537},
        "basic",
        "COMMIT_MESSAGE_TOO_LONG",
        "warning",
        "/recent_commits/0/message",
    ),
    ("changeset", {"/timestamp": "yesterday"}, "standard", "INVALID_DATE", "error", "/timestamp"),
    ("changeset", {"/timestamp": "2024-13-01T12:00:00Z"}, "standard", "INVALID_DATE", "error", "/timestamp"),
    (
        "changeset",
        {"/recent_commits/0/date": "2024-02-28T12:61:00+01:00"},
        "standard",
        "INVALID_DATE",
        "error",
        "/recent_commits/0/date",
    ),
    ("changeset", {"/recent_commits/0/date": ""}, "standard", "INVALID_DATE", "error", "/recent_commits/0/date"),
    (
        "changeset",
        {f"{FILE}/content_hash": "b" * 64},
        "standard",
        "CONTENT_HASH_MISMATCH",
        "error",
        f"{FILE}/content_hash",
    ),
    (
        "changeset",
        {f"{FILE}/content_hash": "b" * 63},
        "standard",
        "INVALID_CONTENT_HASH",
        "error",
        f"{FILE}/content_hash",
    ),
    (
        "changeset",
        {f"{EMBEDDED}/content_hash": "b" * 64},
        "standard",
        "CONTENT_HASH_MISMATCH",
        "error",
        f"{EMBEDDED}/content_hash",
    ),
    (
        "changeset",
        {f"{EMBEDDED}/content_hash": "b" * 64, f"{EMBEDDED}/hash_covers": "file"},
        "standard",
        "CONTENT_HASH_MISMATCH",
        "error",
        f"{EMBEDDED}/content_hash",
    ),
    (
        "changeset",
        {EMBEDDED: {"strategy": "sample", "content": BIG}},
        "standard",
        "EMBEDDED_CONTENT_TOO_LARGE",
        "warning",
        f"{EMBEDDED}/content",
    ),
    (
        "changeset",
        {"/has_uncommitted_changes": False},
        "strict",
        "INCONSISTENT_CHANGE_FLAGS",
        "warning",
        "/has_uncommitted_changes",
    ),
    (
        "changeset",
        {"/uncommitted_files": []},
        "strict",
        "INCONSISTENT_CHANGE_FLAGS",
        "warning",
        "/has_uncommitted_changes",
    ),
    ("changeset", {"/git_status": "clean"}, "strict", "STATUS_CONSISTENCY_ERROR", "error", "/git_status"),
    ("file-change", {"/change_type": "renamed"}, "strict", "INCONSISTENT_FILE_CHANGE", "error", "/old_filename"),
    (
        "file-change",
        {"/embedded_content/content": "abd", "/content_hash": None},
        "standard",
        "CONTENT_HASH_MISMATCH",
        "error",
        "/embedded_content/content_hash",
    ),
    ("commit", {"/author_email": DROP}, "basic", "MISSING_COMMIT_FIELD", "error", "/author_email"),
    ("commit", {"/files/1/new_mode": "644"}, "standard", "INVALID_FILE_MODE", "error", "/files/1/new_mode"),
    ("commit", {"/files/0/new_oid": "HEAD"}, "standard", "INVALID_OBJECT_ID", "error", "/files/0/new_oid"),
    ("commit", {"/files/0/old_oid": "e" * 40}, "strict", "INCONSISTENT_FILE_CHANGE", "error", "/files/0/old_oid"),
    ("commit", {"/files/2/size_bytes": 3}, "strict", "INCONSISTENT_FILE_CHANGE", "error", "/files/2/size_bytes"),
    ("commit", {"/files/4/additions": 3}, "strict", "INCONSISTENT_FILE_CHANGE", "error", "/files/4/additions"),
    ("commit", {"/files/1/index_status": "A"}, "strict", "INCONSISTENT_FILE_CHANGE", "error", "/files/1/change_type"),
    ("commit", {"/message_bytes": "a"}, "standard", "INVALID_FORMAT", "error", "/message_bytes"),
    ("commit", {"/repository_name": ""}, "basic", None, None, None),
    ("commit", {"/files/0/size_bytes": -1}, "basic", "SCHEMA_VIOLATION", "error", "/files/0/size_bytes"),
    ("merge", {"/event": "merged"}, "basic", "INVALID_EVENT", "error", "/event"),
    ("merge", {"/source": None}, "basic", "MISSING_REQUIRED_FIELD", "error", "/source"),
    ("merge", {"/gate/status": "ok"}, "basic", "INVALID_GATE_STATUS", "error", "/gate/status"),
    ("merge", {"/seq": 0}, "basic", "SCHEMA_VIOLATION", "error", "/seq"),
    ("merge", {"/seq": True}, "basic", "INVALID_TYPE", "error", "/seq"),
    ("merge", {"/comit": 1}, "basic", "UNKNOWN_FIELD", "warning", "/comit"),
    ("merge", {"/commit/hash": "abcdef1"}, "standard", "INVALID_COMMIT_HASH", "error", "/commit/hash"),
    ("merge", {"/commit": DROP}, "standard", "MISSING_REQUIRED_FIELD", "error", "/commit"),
    ("merge", {"/commit/parents/1": "x"}, "standard", "INVALID_OBJECT_ID", "error", "/commit/parents/1"),
    (
        "merge",
        {"/commit/files/0/filename": DROP},
        "basic",
        "MISSING_FILE_CHANGE_FIELD",
        "error",
        "/commit/files/0/filename",
    ),
    (
        "merge",
        {"/commit/files/0/binary": DROP},
        "basic",
        "MISSING_FILE_CHANGE_FIELD",
        "error",
        "/commit/files/0/binary",
    ),
    (
        "merge",
        {"/commit/files/0/worktree_status": "M"},
        "strict",
        "INCONSISTENT_FILE_CHANGE",
        "error",
        "/commit/files/0/worktree_status",
    ),
    ("merge", {"/occurred_at": "now"}, "standard", "INVALID_DATE", "error", "/occurred_at"),
    ("merge", {"/occurred_at": "2024-05-32T12:00:00Z"}, "standard", "INVALID_DATE", "error", "/occurred_at"),
    ("merge", {"/recorded_at": "now"}, "standard", "INVALID_DATE", "error", "/recorded_at"),
    ("merge", {"/worktree": "side"}, "standard", "INVALID_WORKTREE", "error", "/worktree"),
    ("merge", {"/id": "f"}, "standard", "INVALID_RECORD_ID", "error", "/id"),
    ("push", {"/push": DROP}, "standard", "MISSING_REQUIRED_FIELD", "error", "/push"),
    ("push", {"/push/refs/0/local_oid": "x"}, "standard", "INVALID_OBJECT_ID", "error", "/push/refs/0/local_oid"),
]


@pytest.mark.parametrize(("kind", "changes", "level", "code", "severity", "where"), FAULTS)
def test_each_fault_is_found_from_its_level_on_and_alone(
    kind: str, changes: dict[str, Any], level: str, code: str | None, severity: str, where: str
) -> None:
    value = with_changes(value_of(kind), changes)
    for each in LEVELS:
        issues = validate(kind if kind in ("changeset", "commit", "file-change") else "record", value, each, S)
        seen = [(issue.code, issue.severity, issue.field_path) for issue in issues]
        if code is None or LEVELS.index(each) < LEVELS.index(level):
            assert seen == []
        else:
            assert seen == [(code, severity, where)]
            assert len(issues[0].message) < 300


LEGAL = [
    ("commit", {"/message": "", "/author_name": "", "/author_email": "", "/files": None}),
    ("commit", {"/date": "@123 +051800", "/committer_date": "2024-01-02T03:04:05Z"}),
    ("commit", {"/files/1/filename": "f" * 4096, "/message": "m" * 65536}),
    ("changeset", {"/repository_path": "C:\\src", "/repository_name": "n" * 255}),
    ("changeset", {"/git_status": "unknown", "/has_uncommitted_changes": False, "/uncommitted_files": None}),
    ("changeset", {"/extra": "a word of some other tool's"}),
    # what a hash does not cover, it cannot contradict
    ("changeset", {EMBEDDED: {"strategy": "sample", "content": "x", "hash_covers": "file", "content_hash": "b" * 64}}),
    (
        "changeset",
        {
            EMBEDDED: {
                "strategy": "full",
                "content": "x",
                "truncated": True,
                "hash_covers": "file",
                "content_hash": "b" * 64,
            }
        },
    ),
    ("changeset", {EMBEDDED: {"strategy": "full", "content": "00: 61", "encoding": "hex"}}),
    ("changeset", {EMBEDDED: {"strategy": "full", "content": base64.b64encode(b"abc").decode(), "encoding": "base64"}}),
    ("changeset", {EMBEDDED: {"strategy": "summary", "content": None}}),
]


@pytest.mark.parametrize(("kind", "changes"), LEGAL)
def test_what_is_legal_is_no_finding(kind: str, changes: dict[str, Any]) -> None:
    assert validate(kind, with_changes(value_of(kind), changes), "strict", S) == ()


def test_embedded_base64_is_hashed_and_measured_as_the_bytes_it_stands_for() -> None:
    content = {"strategy": "full", "content": base64.b64encode(b"abd").decode(), "encoding": "base64"}
    (issue,) = validate("changeset", with_changes(changeset(), {EMBEDDED: content}), "standard", S)
    assert (issue.code, issue.field_path) == ("CONTENT_HASH_MISMATCH", f"{FILE}/content_hash")


def test_issues_are_in_document_order_with_values_and_a_way_out() -> None:
    changes = {"/gate/status": "?", "/commit/files/2/change_type": None, "/commit/hash": "xyz", "/event": 1}
    issues = validate("record", with_changes(value_of("merge"), changes), "standard", S)
    assert [issue.field_path for issue in issues] == [
        "/event",
        "/gate/status",
        "/commit/hash",
        "/commit/files/2/change_type",
    ]
    assert issues[2] == Issue(
        "error",
        "INVALID_COMMIT_HASH",
        'hash is not 7 to 64 hexadecimal digits: "xyz"',
        "/commit/hash",
        "take the hash from git",
    )


def test_a_huge_value_is_named_in_few_words() -> None:
    value = with_changes(
        changeset(), {"/git_status": "x" * 10_000_000, "/uncommitted_files/0/filename": {"a": "b" * 9999}}
    )
    assert all(len(issue.message) < 200 for issue in validate("changeset", value, "basic", S))


@pytest.mark.parametrize("value", [None, [], "text", 7, {}, {1: 2}, {"commit": object()}, float("nan"), {"gate": []}])
@pytest.mark.parametrize("kind", ["record", "changeset", "file-change", "commit"])
def test_bad_input_is_issues_never_an_exception(kind: str, value: Any) -> None:
    issues = validate(kind, value, "strict", S)
    assert any(issue.severity in ("error", "critical") for issue in issues)


def test_a_check_that_fails_itself_is_a_critical_issue() -> None:
    deep: Any = {}
    for _ in range(5000):
        deep = {"embedded_content": deep, "files": [deep]}
    loop: dict[str, Any] = {}
    loop["recent_commits"] = [loop]
    for kind, level in (("record", "no such level"), ("no such kind", "basic")):
        (issue,) = validate(kind, deep, level, S)
        assert (issue.severity, issue.code) == ("critical", "VALIDATION_EXCEPTION")
    assert validate("changeset", loop, "strict", S)


def test_a_verdict_is_valid_despite_warnings_and_invalid_with_an_error() -> None:
    warned = validation("changeset", with_changes(changeset(), {"/repository_path": "src"}), "basic", S)
    assert (warned.is_valid, len(warned.issues)) == (True, 1)
    more = (Issue("error", "RULE_VIOLATED", "m", ""),)
    assert not validation("changeset", changeset(), "basic", S, more).is_valid


def test_a_clean_value_is_judged_without_importing_jsonschema() -> None:
    code = (
        "import sys; sys.path.insert(0, 'tests')\n"
        "from samples import RECORDS\n"
        "from mgit_hooks.judging import schemas\n"
        "from mgit_hooks.judging.validate import validate\n"
        "assert not validate('record', RECORDS['commit'].to_json(), 'strict', schemas.load())\n"
        "print([name for name in ('jsonschema', 'referencing', 'hashlib') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=S.documents._folder + "/..")  # type: ignore[attr-defined]
    assert done.stdout == "[]\n", done.stderr
