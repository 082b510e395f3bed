"""Under which key a changeset of a collection belongs. A key is the hash of its path: where the two do not fit, one of
them is damaged, and what earlier generations have under the key tells which."""

from __future__ import annotations

import os.path
from collections.abc import Iterable
from typing import Any

from mgit_hooks.changesets.moments import BEFORE_ALL, moment
from mgit_hooks.changesets.shapes import repository_key
from mgit_hooks.judging.collectionchecks import place_of
from mgit_hooks.record import Action, Json

Older = dict[str, list[Json]]
"""What each earlier generation has under a key, the newest first."""


def with_its_path(key: str, changeset: Any, older: Older, actions: list[Action]) -> Any:
    """``changeset`` with the path that its key is of, where an earlier generation has that path, and nothing speaks
    for the one that it has."""
    known = next((path for path in map(_path, older.get(key, [])) if path and repository_key(path) == key), None)
    if known is None or not isinstance(changeset, dict):
        return changeset
    path = _path(changeset)
    if path == known or (path and _is_of(changeset, path, known, older)):
        return changeset
    context = {"field": f"{place_of(key)}/repository_path", "before": changeset.get("repository_path"), "after": known}
    actions.append(
        Action("field_repair", f"{key}: /repository_path is {known}, of which its key is", True, None, context)
    )
    return {**changeset, "repository_path": known}


def _is_of(changeset: Json, path: str, other: str, older: Older) -> bool:
    """Whether it is of ``path`` rather than of ``other``: by its name, else by its commits."""
    here, there = is_named_after(changeset, path), is_named_after(changeset, other)
    if here != there:
        return here
    mine = _commits([changeset])
    return bool(mine & _commits(older.get(repository_key(path), []))) and not mine & _commits(
        older[repository_key(other)]
    )


def is_named_after(changeset: Json, path: str) -> bool:
    name = os.path.basename(path.rstrip("/"))
    return changeset.get("repository_name") in (name, name.removesuffix(".git"))


def _commits(changesets: Iterable[Any]) -> set[str]:
    found = set()
    for changeset in changesets:
        commits = changeset.get("recent_commits") if isinstance(changeset, dict) else None
        for commit in commits if isinstance(commits, list) else ():
            if isinstance(commit, dict) and isinstance(commit.get("hash"), str):
                found.add(commit["hash"])
    return found


def filed(members: dict[str, Any], actions: list[Action]) -> dict[str, Any]:
    """Each under the key of its path; of two of one repository, the newer one.

    One whose path is another one's, and whose name is not, stays where it is: that one is not to be lost for it.
    """
    found: dict[str, Any] = {}
    for key, changeset in members.items():
        path = _path(changeset)
        right = repository_key(path) if path else key
        if right != key and right in members and not is_named_after(changeset, path or ""):
            what = f"{key} has the path of {right}, and not its name: which is right, nothing tells"
            actions.append(Action("repair_failed", what, False, None, {"field": place_of(key)}))
            right = key
        elif right != key:
            context = {"field": place_of(key), "code": "REPOSITORY_KEY_MISMATCH", "before": key, "after": right}
            actions.append(Action("field_repair", f"{key} is now {right}, from its path", True, None, context))
        if right in found:
            changeset, left = sorted((found[right], changeset), key=moment_of, reverse=True)
            what = f"{right} was there twice: the newer one is kept"
            actions.append(Action("field_repair", what, True, None, {"field": place_of(right), "before": left}))
        found[right] = changeset
    return found


def moment_of(changeset: Any) -> Any:
    """When a changeset was read; before all others where it does not say."""
    return moment(changeset.get("timestamp")) if isinstance(changeset, dict) else BEFORE_ALL


def _path(changeset: Any) -> str | None:
    path = changeset.get("repository_path") if isinstance(changeset, dict) else None
    return path if isinstance(path, str) and path else None
