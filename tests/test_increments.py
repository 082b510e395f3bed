"""What changed since a changeset was saved: by content, not by counts and not by times."""

from __future__ import annotations

from typing import Any

import pytest

from mgit_hooks.changesets import CommitInfo, EmbeddedContent, FileChange, RepositoryChangeset
from mgit_hooks.changesets.increments import between


def file(name: str, content: str = "1", **fields: Any) -> FileChange:
    return FileChange(name, fields.pop("change_type", "modified"), ".", "M", 1, content * 64, **fields)


def commit(name: str, *parents: str) -> CommitInfo:
    return CommitInfo(name * 40, "Ada", "ada@example.org", "2024-01-02T03:04:05+00:00", "m", parents=parents)


def history(names: str) -> tuple[CommitInfo, ...]:
    """Newest first; the last one has a parent that is not shown unless it is ``0``."""
    parents = [*names[1:], None if names.endswith("0") else "f"]
    return tuple(commit(name, *((parent * 40,) if parent else ())) for name, parent in zip(names, parents, strict=True))


BASE = RepositoryChangeset(
    "/src/repo",
    "repo",
    "2024-01-02T03:04:05+00:00",
    True,
    "dirty",
    "main",
    (file("a"), file("b")),
    history("321"),
    metadata={"head": "3" * 40, "bare": False},
)
LATER = BASE._replace(timestamp="2024-01-03T00:00:00+00:00")


def increment(found: RepositoryChangeset | None) -> dict[str, Any]:
    assert found is not None
    assert found.metadata is not None
    made: dict[str, Any] = found.metadata["increment"]
    return made


@pytest.mark.parametrize(
    "now",
    [
        LATER,
        LATER._replace(uncommitted_files=tuple(reversed(BASE.uncommitted_files or ()))),
        LATER._replace(content_embedding_stats={"files": 2}),
        LATER._replace(metadata={"head": "3" * 40, "bare": False, "anything": 1}),
        LATER._replace(uncommitted_files=(file("a", embedded_content=EmbeddedContent("none")), file("b"))),
        LATER._replace(recent_commits=history("32")),
    ],
    ids=["time", "order", "statistics", "metadata", "embedded", "fewer asked for"],
)
def test_what_is_the_same_is_none(now: RepositoryChangeset) -> None:
    assert between(BASE, now) is None


def test_without_a_saved_one_all_is_new() -> None:
    assert between(None, BASE) == BASE


def test_a_file_whose_content_changed_is_told_though_nothing_else_did() -> None:
    """As many files, of the same names, sizes and states."""
    found = between(BASE, LATER._replace(uncommitted_files=(file("a"), file("b", "2"))))
    assert found is not None
    assert found.uncommitted_files == (file("b", "2"),)
    assert found.recent_commits == ()
    assert increment(found) == {
        "since": BASE.timestamp, "branch": "main", "head": "3" * 40, "settled": [], "dropped": [],
        "further": False,
    }  # fmt: skip


def test_one_file_for_another_is_told_though_the_counts_are_the_same() -> None:
    found = between(BASE, LATER._replace(uncommitted_files=(file("a"), file("c"))))
    assert found is not None
    assert found.uncommitted_files == (file("c"),)
    assert increment(found)["settled"] == ["b"]


@pytest.mark.parametrize(
    "other",
    [
        file("b")._replace(index_status="M", worktree_status="."),
        file("b")._replace(new_mode="100755"),
        file("b")._replace(new_oid="d" * 40),
        file("b")._replace(change_type="deleted"),
        file("b")._replace(content_hash=None),
    ],
)
def test_whatever_it_says_of_a_file_counts(other: FileChange) -> None:
    found = between(BASE, LATER._replace(uncommitted_files=(file("a"), other)))
    assert found is not None
    assert found.uncommitted_files == (other,)


def test_a_path_that_is_both_deleted_and_untracked_is_two_things() -> None:
    gone, there = file("b", change_type="deleted"), file("b", change_type="untracked")
    before = BASE._replace(uncommitted_files=(gone, there))
    assert between(before, LATER._replace(uncommitted_files=(gone, there))) is None
    assert increment(between(before, LATER._replace(uncommitted_files=(gone,))))["settled"] == ["b"]


@pytest.mark.parametrize(("then", "now"), [("untracked", "added"), ("deleted", "untracked")])
def test_a_path_that_is_changed_in_another_way_has_not_settled(then: str, now: str) -> None:
    before = BASE._replace(uncommitted_files=(file("b", change_type=then),))
    found = between(before, LATER._replace(uncommitted_files=(file("b", change_type=now),)))
    assert found is not None
    assert found.uncommitted_files == (file("b", change_type=now),)
    assert increment(found)["settled"] == []


def test_names_that_read_the_same_are_told_apart_by_their_bytes() -> None:
    one, other = file("\ufffd", filename_bytes="/w=="), file("\ufffd", filename_bytes="/g==")
    found = between(BASE._replace(uncommitted_files=(one,)), LATER._replace(uncommitted_files=(other,)))
    assert found is not None
    assert found.uncommitted_files == (other,)


@pytest.mark.parametrize(
    ("before", "now", "new", "dropped"),
    [
        ("321", "4321", "4", ""),
        ("321", "432", "4", ""),  # pushed out by newer ones
        ("321", "654", "654", ""),  # nothing tells
        ("321", "421", "4", "3"),  # amended
        ("321", "21f", "f", "3"),  # reset; one more is shown at the end
        ("321", "1", "", "32"),
        ("30", "40", "4", "3"),
        ("3210", "0", "", "321"),
        ("30", "4321", "421", ""),
        ("0", "2", "2", ""),
        ("3", "0", "0", "3"),  # all of the history is shown
    ],
)
def test_commits_are_told_by_their_ids(before: str, now: str, new: str, dropped: str) -> None:
    then = BASE._replace(recent_commits=history(before), metadata={"head": before[0] * 40})
    found = between(then, LATER._replace(recent_commits=history(now), metadata={"head": now[0] * 40}))
    assert found is not None
    assert [each.hash[0] for each in found.recent_commits or ()] == list(new)
    assert [name[0] for name in increment(found)["dropped"]] == list(dropped)
    assert increment(found)["further"] is (now in ("654", "2"))  # nothing of what was there is in sight


@pytest.mark.parametrize(
    "fields",
    [
        {"current_branch": "side"},
        {"git_status": "error", "error": "gone"},
        {"metadata": {"head": "2" * 40, "bare": False}},
        {"metadata": {"head": "3" * 40, "bare": False, "unreadable": [{"filename": "a"}]}},
    ],
)
def test_what_changed_besides_files_and_commits_is_told(fields: dict[str, Any]) -> None:
    found = between(BASE, LATER._replace(**fields))
    assert found is not None
    assert (found.uncommitted_files, found.recent_commits) == ((), ())


def test_what_was_not_looked_at_stays_so() -> None:
    found = between(BASE, LATER._replace(uncommitted_files=None, recent_commits=None, git_status="error"))
    assert found is not None
    assert (found.uncommitted_files, found.recent_commits) == (None, None)
