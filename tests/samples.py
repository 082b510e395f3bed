"""Values that are valid at every level, for tests that then break them."""

from __future__ import annotations

import copy
from typing import Any

from mgit_hooks.record import (
    Action,
    Commit,
    FileChange,
    Gate,
    Issue,
    Oid,
    Push,
    PushRef,
    Record,
    RefMovement,
    Validation,
)

HASH, TREE, PARENT, BLOB, OLD_BLOB = (Oid(letter * 40) for letter in "abcde")
DATE = "2024-01-02T03:04:05+02:00"

CHANGES = (
    FileChange("new.py", None, "added", "A", ".", None, "100644", None, BLOB, 10, 1, 0, False),
    FileChange("old.py", None, "modified", "M", ".", "100644", "100755", OLD_BLOB, BLOB, 10, 1, 1, False),
    FileChange("gone", None, "deleted", "D", ".", "120000", None, OLD_BLOB, None, None, 0, 3, False),
    FileChange("to", "from", "renamed", "R", ".", "100644", "100644", BLOB, BLOB, 10, 0, 0, False),
    FileChange(
        "\ufffd.bin",
        None,
        "modified",
        "M",
        ".",
        "100644",
        "100644",
        OLD_BLOB,
        BLOB,
        9,
        None,
        None,
        True,
        "/w==",
    ),
)
COMMIT = Commit(HASH, (PARENT,), TREE, "Ada", "ada@example.org", DATE, "Ada", "", DATE, "Subject\n", CHANGES)
PUSH = Push(
    "origin",
    "https://example.org/x",
    (PushRef("refs/heads/main", HASH, "refs/heads/main", None, None, False),),
    None,
)


def record(event: str = "commit", **fields: Any) -> Record:
    base = Record(
        event=event,
        source="hook",
        recorded_at="2024-01-02T03:04:05.000001+00:00",
        occurred_at=DATE,
        occurred_from="reflog",
        repository_name="repo",
        worktree="main-worktree",
        branch="main",
        gate=Gate("none"),
        validation=Validation("standard", True),
    )
    return base._replace(**fields)


RECORDS = {
    "commit": record(commit=COMMIT),
    "merge": record("merge", commit=COMMIT._replace(parents=(PARENT, TREE)), seq=7, id="f" * 64),
    "boundary": record(commit=COMMIT._replace(files=None, boundary=True)),
    "missing": record(commit=COMMIT._replace(missing=(BLOB,))),
    "amend": record("amend", commit=COMMIT, replaces=(PARENT,)),
    "bytes": record(commit=COMMIT._replace(message_bytes="/w==", author_name_bytes="//8=", encoding="latin-1")),
    "legal": record(commit=COMMIT._replace(message="", author_name="", author_email="", date="@99999999999999 +0000")),
    "push": record("push", push=PUSH),
    "push-outcome": record("push-outcome", push=PUSH._replace(confirmed=True)),
    "ref-update": record("ref-update", refs=(RefMovement("HEAD", HASH, None, "checkout: moving", 2),)),
    "refused": record("refused", gate=Gate("refused", "because"), detail={"stage": "pre-commit"}),
    "worktree": record("snapshot", worktree="worktrees/side branch", branch=None, occurred_at=None, occurred_from=None),
    "history": record(
        "checkpoint",
        validation=Validation("strict", False, (Issue("error", "X", "m", "/a", None, {"a": 1}),)),
        recovery=(Action("field_repair", "d", True, None, {"before": ""}),),
        supersedes=3,
        original={"event": "commit"},
    ),
}  # fmt: skip

CHANGESET: dict[str, Any] = {
    "repository_path": "/src/repo",
    "repository_name": "repo",
    "timestamp": "2024-01-02T03:04:05+00:00",
    "has_uncommitted_changes": True,
    "git_status": "dirty",
    "current_branch": "main",
    "uncommitted_files": [
        {
            "filename": "a.txt",
            "change_type": "modified",
            "index_status": " ",
            "worktree_status": "M",
            "content_hash": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
            "embedded_content": {
                "strategy": "full",
                "content": "abc",
                "encoding": "utf-8",
                "content_hash": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
                "hash_covers": "content",
                "truncated": False,
            },
        }
    ],
    "recent_commits": [
        {"hash": "abcdef1", "author_name": "", "author_email": "", "date": DATE, "message": ""},
        COMMIT.to_json(),
    ],
    "error": None,
    "metadata": {},
}


def changeset() -> dict[str, Any]:
    return copy.deepcopy(CHANGESET)
