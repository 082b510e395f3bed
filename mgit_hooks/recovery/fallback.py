"""Strategy ``fallback``: the least that is still a valid record or changeset, with the original beside it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from mgit_hooks.judging.explain import path_of
from mgit_hooks.judging.policy import FAILING
from mgit_hooks.record import COMMIT_EVENTS, Issue, Json
from mgit_hooks.recovery.places import Facts

_ABSENT_DATE = "@0 +0000"
"""A date that is plainly none: the schema wants one, and a made-up one would look true."""
_FAILED = "a minimal changeset: an operation failed with the original one: "


def candidates(kind: str, value: Json, issues: Sequence[Issue], facts: Facts) -> Iterator[Json]:
    """From what says most to what says least; the caller takes the first that is valid."""
    broken = {path_of(issue.field_path)[:2] for issue in issues if issue.severity in FAILING}
    if kind == "changeset":
        failed = [issue for issue in issues if issue.code == "OPERATION_FAILED"]
        yield {**_changeset(value, broken, facts), **({"error": _FAILED + failed[0].message} if failed else {})}
        return
    original = {name: item for name, item in value.items() if name not in ("seq", "id", "original")}
    base = {**_frame(value, broken, facts), "original": original}
    if "refs" in value and not _within(broken, "refs"):
        base["refs"] = value["refs"]
    if value.get("event") in COMMIT_EVENTS and isinstance(value.get("commit"), dict):
        yield {**base, "commit": _commit(value["commit"], broken), "replaces": None}
    elif ("event",) not in broken:
        shape: Json = {name: value[name] for name in ("push", "detail") if name in value and not _within(broken, name)}
        yield {**base, **shape}
    # Without what its event needs it is no longer that event; the original says which it was.
    yield {**base, "event": "snapshot", "detail": {"fallback_for": str(value.get("event"))}}


def _within(broken: set[tuple[Any, ...]], name: str) -> bool:
    return any(path[:1] == (name,) for path in broken)


def _frame(value: Json, broken: set[tuple[Any, ...]], facts: Facts) -> Json:
    defaults: Json = {
        "event": "snapshot",
        "source": "hook",
        "recorded_at": facts.now(),
        "occurred_at": None,
        "occurred_from": None,
        "repository_name": facts.repository_path.rstrip("/").rpartition("/")[2] or "unknown",
        "worktree": None,
        "branch": None,
        "gate": {"status": "none", "reason": None},
        "supersedes": None,
    }
    frame = {
        name: value[name] if name in value and not _within(broken, name) else default
        for name, default in defaults.items()
    }
    judged = {"level": "basic", "is_valid": True, "issues": []}
    return {"seq": value.get("seq"), "id": value.get("id"), **frame, "validation": judged, "recovery": []}


def _commit(commit: Json, broken: set[tuple[Any, ...]]) -> Json:
    defaults: Json = {
        "hash": commit.get("hash"),
        "parents": [],
        "tree": None,
        "author_name": "",
        "author_email": "",
        "date": _ABSENT_DATE,
        "committer_name": "",
        "committer_email": "",
        "committer_date": _ABSENT_DATE,
        "message": "",
    }
    kept = {
        name: commit[name] if name in commit and ("commit", name) not in broken else default
        for name, default in defaults.items()
    }
    return {**kept, "files": None}


def _changeset(value: Json, broken: set[tuple[Any, ...]], facts: Facts) -> Json:
    path = value.get("repository_path")
    path = path if isinstance(path, str) and path else facts.repository_path
    dirty = value.get("has_uncommitted_changes")
    name = value.get("repository_name")
    return {
        "repository_path": path,
        "repository_name": name
        if name and not _within(broken, "repository_name")
        else path.rstrip("/").rpartition("/")[2],
        "timestamp": value["timestamp"] if value.get("timestamp") and not _within(broken, "timestamp") else facts.now(),
        "has_uncommitted_changes": dirty if isinstance(dirty, bool) else False,
        "git_status": "unknown",
        "error": "a minimal changeset: the original one is invalid",
        "metadata": {"fallback": True, "original": value},
    }
