"""The repairs that have one right answer: small functions in two tables, for records and for changesets.

A repair looks at the value and at what git says, and gives the value that belongs in the place of an
issue, or None where it does not know. Whether that is valid itself, ``recover`` finds out.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from mgit_hooks.record import Issue, Json
from mgit_hooks.recovery import filecontents
from mgit_hooks.recovery.places import NOTHING, Facts, Fixed, Mend, at

_TYPES = {
    "A": "added",
    "M": "modified",
    "D": "deleted",
    "R": "renamed",
    "C": "copied",
    "T": "typechange",
    "?": "untracked",
}
_DATE = re.compile(
    r"[0-9]{4,}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])[T ]([01][0-9]|2[0-4]):[0-5][0-9]:([0-5][0-9]|60)([.][0-9]+)?"
    r" ?(Z|[+-][0-9]{2}:?[0-9]{2})"
)


class _Repair(NamedTuple):
    place: re.Pattern[str]
    mend: Mend
    action_type: str


def find(kind: str, issue: Issue) -> tuple[Mend, str] | None:
    """The repair for an issue, with the type of action that it is."""
    for repair in _TABLES[kind]:
        if repair.place.fullmatch(issue.field_path):
            return repair.mend, repair.action_type
    return None


def _name(value: Json, path: list[str], facts: Facts) -> Fixed | None:
    where = value.get("repository_path") or facts.repository_path
    name = str(where).rstrip("/").rpartition("/")[2].removesuffix(".git")
    return Fixed(name, "from the repository's path") if name else None


def _path(value: Json, path: list[str], facts: Facts) -> Fixed | None:
    given = value.get("repository_path")
    here = facts.repository_path
    if given and not here.endswith("/" + str(given).strip("./")):
        return None  # some other repository's: two answers are possible
    return Fixed(here, "the repository that is at hand") if here else None


def _key(value: Json, path: list[str], facts: Facts) -> Fixed | None:
    from mgit_hooks.changesets.shapes import repository_key

    where = value.get("repository_path")
    if not isinstance(where, str) or not where:
        return None
    return Fixed(repository_key(where), "from the repository's path")


def _now(value: Json, path: list[str], facts: Facts) -> Fixed | None:
    return Fixed(facts.now(), "the time of this repair, the true one being unknown")


def _timestamp(value: Json, path: list[str], facts: Facts) -> Fixed | None:
    commits = value.get("recent_commits")
    for commit in commits if isinstance(commits, list) else ():
        date = commit.get("date") if isinstance(commit, dict) else None
        if isinstance(date, str) and _DATE.fullmatch(date):
            return Fixed(date, "the date of the newest commit")
    return _now(value, path, facts)


def _occurred(value: Json, path: list[str], facts: Facts) -> Fixed | None:
    date = (value.get("commit") or {}).get("committer_date")
    if value.get("occurred_from") == "commit" and isinstance(date, str):
        return Fixed(date, "the committer's date")
    return Fixed(None, "not known")


def _flag(value: Json, path: list[str], facts: Facts) -> Fixed | None:
    files = value.get("uncommitted_files")
    if isinstance(files, list):
        return Fixed(bool(files), f"{len(files)} uncommitted files are listed")
    if value.get("git_status") in ("clean", "dirty"):
        return Fixed(value["git_status"] == "dirty", "from git_status")
    return None


def _status(value: Json, path: list[str], facts: Facts) -> Fixed | None:
    files, flag = value.get("uncommitted_files"), value.get("has_uncommitted_changes")
    if value.get("error"):
        return Fixed("error", "the changeset holds an error")
    if isinstance(files, list):
        dirty = bool(files) or flag is True
        return Fixed("dirty" if dirty else "clean", f"{len(files)} uncommitted files are listed")
    if isinstance(flag, bool):
        return Fixed("dirty" if flag else "clean", "from has_uncommitted_changes")
    return Fixed("unknown", "nothing in the changeset decides it")


def _change_type(value: Json, path: list[str], facts: Facts) -> Fixed | None:
    change = at(value, path[:-1])
    if not isinstance(change, dict):
        return None
    for field in ("index_status", "worktree_status"):
        letter = str(change.get(field) or "").strip(" .")[:1]
        if letter in _TYPES:
            return Fixed(_TYPES[letter], f"from {field}")
    return None


def _dot(value: Json, path: list[str], facts: Facts) -> Fixed | None:
    return Fixed(".", "as in every commit")


def _untracked(value: Json, path: list[str], facts: Facts) -> Fixed | None:
    """The two letters of an untracked file are "?"; of any other file they may be several."""
    change = at(value, path[:-1])
    known = isinstance(change, dict) and change.get("change_type") == "untracked"
    return Fixed("?", "as of every untracked file") if known else None


def _from_git(value: Json, path: list[str], facts: Facts) -> Fixed | None:
    """The same place in what git's objects say now: they are the truth about commits."""
    depth = 2 if path[0] == "recent_commits" else 1
    ours = at(value, path[:depth])
    name = ours.get("hash") if isinstance(ours, dict) else None
    if not isinstance(name, str) or len(path) <= depth:
        return None
    commit = facts.commit(name)
    if commit is None:
        return None
    if path[depth:] == ["files"]:
        return Fixed(_with_contents(commit.get("files"), ours.get("files")), "from git's objects")
    if path[depth] == "files" and not _same_files(ours.get("files"), commit.get("files")):
        return None  # a place in one list says nothing about the other
    found = at(commit, path[depth:], NOTHING)
    return None if found is NOTHING else Fixed(found, "from git's objects")


def _with_contents(gits: Any, ours: Any) -> Any:
    """git's list of files, each with what is embedded of the very same blob in ours."""
    known = {
        (change.get("filename"), change.get("new_oid")): change["embedded_content"]
        for change in (ours if isinstance(ours, list) else ())
        if isinstance(change, dict) and isinstance(change.get("embedded_content"), dict)
    }
    if not isinstance(gits, list) or not known:
        return gits
    return [
        {**change, "embedded_content": known[change["filename"], change["new_oid"]]}
        if (change["filename"], change["new_oid"]) in known
        else change
        for change in gits
    ]


def _same_files(ours: Any, gits: Any) -> bool:
    if not isinstance(ours, list) or not isinstance(gits, list) or len(ours) != len(gits):
        return False
    names = [change.get("filename") if isinstance(change, dict) else None for change in ours]
    return all(name in (None, "", change["filename"]) for name, change in zip(names, gits, strict=True))


def _first_of(*repairs: Mend) -> Mend:
    def mend(value: Json, path: list[str], facts: Facts) -> Fixed | None:
        for each in repairs:
            fixed = each(value, path, facts)
            if fixed is not None:
                return fixed
        return None

    return mend


def _none(value: Json, path: list[str], facts: Facts) -> Fixed | None:
    return Fixed(None, "not known")


def _row(place: str, mend: Mend, action_type: str = "field_repair") -> _Repair:
    return _Repair(re.compile(place), mend, action_type)


_TABLES = {
    "record": (
        _row(r"/repository_name", _name),
        _row(r"/recorded_at", _now),
        _row(r"/occurred_at", _occurred),
        _row(r"/replaces", _none),
        _row(r"/commit/files/\d+/worktree_status", _dot, "status_repair"),
        _row(r"/commit/files/\d+/change_type", _first_of(_from_git, _change_type), "status_repair"),
        _row(r"/commit/(?!hash$).*", _from_git),
    ),
    "changeset": (
        _row(r"/repository_path", _path),
        _row(r"/repository_name", _name),
        _row(r"/repository_key", _key),
        _row(r"/timestamp", _timestamp),
        _row(r"/has_uncommitted_changes", _flag),
        _row(r"/git_status", _status, "status_repair"),
        _row(r"/uncommitted_files/\d+/change_type", _change_type, "status_repair"),
        _row(r"/uncommitted_files/\d+/(?:index|worktree)_status", _untracked, "status_repair"),
        _row(r"/uncommitted_files/\d+/size_bytes", filecontents.size),
        _row(r"/uncommitted_files/\d+/embedded_content/content", filecontents.embedded_again),
        _row(r".*/(?:embedded_content/)?content_hash", filecontents.content_hash),
        # What is not known is null there, which is what each of them says of what was not looked at.
        _row(r"/(?:current_branch|metadata|content_embedding_stats)", _none),
        _row(r"/uncommitted_files/\d+/(?:additions|deletions|old_mode|new_mode|old_oid|binary)", _none),
        _row(r"/recent_commits/\d+/files/\d+/change_type", _first_of(_from_git, _change_type), "status_repair"),
        _row(r"/recent_commits/\d+/(?!hash$).*", _from_git),
    ),
}
