"""The repairs that have one right answer: small functions in two tables, for records and for changesets.

A repair looks at the value and at what git says, and gives the value that belongs in the place of an
issue, or None where it does not know. Whether that is valid itself, ``recover`` finds out.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from mgit_hooks.record import Issue, Json

NOTHING: Final = object()
"""No such place in a value: not the same as null."""

_TYPES = {
    "A": "added",
    "M": "modified",
    "D": "deleted",
    "R": "renamed",
    "C": "copied",
    "T": "typechange",
    "?": "untracked",
}
_DATE = re.compile(r"[0-9]{4,}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]+)? ?(Z|[+-][0-9]{2}:?[0-9]{2})")
_SHA256 = re.compile("[0-9A-Fa-f]{64}")


class Facts(NamedTuple):
    """What repairs may go by. ``commit`` gives git's own JSON of a commit, or None; ``content`` the bytes of a changed
    file of the worktree from its JSON, where git still has them, or None."""

    repository_path: str
    commit: Callable[[str], Json | None]
    now: Callable[[], str]
    content: Callable[[Json], bytes | None] = lambda change: None


class Fixed(NamedTuple):
    value: Any
    reason: str


Mend = Callable[[Json, list[str], Facts], Fixed | None]


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


def _content_hash(value: Json, path: list[str], facts: Facts) -> Fixed | None:
    """Of the bytes that the hash says it covers: those of a sample tell nothing of the whole file's.

    A hash that is one may be what is right, and the content what is damaged: it is replaced only where git, or another
    hash of the same bytes, says so.
    """
    from hashlib import sha256

    within = "embedded_content" in path
    change = at(value, path[: path.index("embedded_content")] if within else path[:-1])
    if not isinstance(change, dict):
        return None
    given = change.get("embedded_content")
    content = given if isinstance(given, dict) else {}
    whole = content.get("strategy") == "full" and not content.get("truncated")
    of_file = not within or whole or content.get("hash_covers") == "file"
    gits = facts.content(change) if of_file else None
    now = at(value, path)
    if gits is not None:
        right = sha256(gits).hexdigest()
        return None if right == now else Fixed(right, "recomputed from git")
    if not whole and not (within and content.get("hash_covers") == "content"):
        return None
    data = _embedded(content)
    if data is None:
        return None
    right = sha256(data).hexdigest()
    vouched = right in (change.get("content_hash"), content.get("content_hash"))
    is_hash = isinstance(now, str) and _SHA256.fullmatch(now) is not None
    return Fixed(right, "recomputed from the content") if vouched or not is_hash else None


def _embedded(content: Json) -> bytes | None:
    from mgit_hooks.judging.checks import embedded_bytes

    return embedded_bytes(content)


def _embedded_again(value: Json, path: list[str], facts: Facts) -> Fixed | None:
    """The whole content of a file that git still has as it was."""
    from binascii import b2a_base64

    change, content = at(value, path[:-2]), at(value, path[:-1])
    if not isinstance(change, dict) or not isinstance(content, dict):
        return None
    data = facts.content(change) if content.get("strategy") == "full" and not content.get("truncated") else None
    if data is None:
        return None
    if content.get("encoding") == "base64":
        return Fixed(b2a_base64(data, newline=False).decode("ascii"), "from git")
    try:
        return Fixed(data.decode("utf-8"), "from git")
    except UnicodeDecodeError:
        return None


def _size(value: Json, path: list[str], facts: Facts) -> Fixed | None:
    change = at(value, path[:-1])
    data = facts.content(change) if isinstance(change, dict) else None
    if data is not None:
        return Fixed(len(data), "from git")
    content = change.get("embedded_content") if isinstance(change, dict) else None
    if isinstance(content, dict) and content.get("strategy") == "full" and not content.get("truncated"):
        data = _embedded(content)
        if data is not None:
            return Fixed(len(data), "from the content")
    return _none(value, path, facts)


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
        _row(r"/uncommitted_files/\d+/size_bytes", _size),
        _row(r"/uncommitted_files/\d+/embedded_content/content", _embedded_again),
        _row(r".*/(?:embedded_content/)?content_hash", _content_hash),
        # What is not known is null there, which is what each of them says of what was not looked at.
        _row(r"/(?:current_branch|metadata|content_embedding_stats)", _none),
        _row(r"/uncommitted_files/\d+/(?:additions|deletions|old_mode|new_mode|old_oid|binary)", _none),
        _row(r"/recent_commits/\d+/files/\d+/change_type", _first_of(_from_git, _change_type), "status_repair"),
        _row(r"/recent_commits/\d+/(?!hash$).*", _from_git),
    ),
}


def at(value: Any, path: list[str], default: Any = None) -> Any:
    """What is at ``path`` in a JSON value."""
    for part in path:
        if isinstance(value, dict) and part in value:
            value = value[part]
        elif isinstance(value, list) and part.isdigit() and int(part) < len(value):
            value = value[int(part)]
        else:
            return default
    return value


def put(value: Any, path: list[str], new: Any) -> bool:
    """Set what is at ``path``; False where there is no such place. NOTHING takes a field out."""
    holder = at(value, path[:-1])
    if isinstance(holder, dict):
        if new is NOTHING:
            holder.pop(path[-1], None)
        else:
            holder[path[-1]] = new
        return True
    if isinstance(holder, list) and path[-1].isdigit() and int(path[-1]) < len(holder) and new is not NOTHING:
        holder[int(path[-1])] = new
        return True
    return False
