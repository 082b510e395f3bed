"""Facts that need git's objects, put into a commit before the rules that name them judge it.

What cannot be made is left out: the judge then takes it for unknown (``judging.facts``).
"""

from __future__ import annotations

import posixpath
import re
from binascii import a2b_base64
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from mgit_hooks.gatekeeper.objects import Objects
from mgit_hooks.record import Json, Oid, readable

NEEDING_OBJECTS: Final = frozenset(
    ("signature", "case_conflicts", "link_leaves_tree", "conflict_markers", "secrets")
)  # fmt: skip
_LINK: Final = "120000"
_REGULAR: Final = ("100644", "100755")
_NEWLY_NAMED: Final = ("added", "renamed", "copied")
_MOST_CONFLICTS: Final = 100
# git, gpg-interface.c: what a signature begins with.
_SIGNATURES: Final = (
    (b"-----BEGIN PGP SIGNATURE-----", "openpgp"),
    (b"-----BEGIN PGP MESSAGE-----", "openpgp"),
    (b"-----BEGIN SIGNED MESSAGE-----", "x509"),
    (b"-----BEGIN SSH SIGNATURE-----", "ssh"),
)
_SIGNED: Final = re.compile(rb"^gpgsig(?:-sha256)? (.*)", re.MULTILINE)
# git, diff.c, is_conflict_marker: seven of one kind, then white space or the line's end.
_MARKER: Final = re.compile(rb"(?m)^(?:<{7}|>{7}|\|{7}|={7})(?:[ \t\r].*)?$")
_BINARY_WITHIN: Final = 8000  # bytes in which a NUL makes a file binary to git (xdiff-interface.c)


def with_facts(value: Json, names: frozenset[str], objects: Objects, *, staged: bool) -> Json:
    """A copy of ``value`` with those of ``names`` that can be made. ``staged``: the commit is not made yet, and its
    tree is the index. Raises ConfigError where a rule asks for secrets and nothing here finds them.
    """
    commit = value.get("commit")
    if not isinstance(commit, dict) or not names & NEEDING_OBJECTS:
        return value
    facts = dict(commit.get("facts") or {})
    if "signature" in names and not staged:
        _put(facts, "signature", _signature(commit, objects))
    files = commit.get("files")
    if not isinstance(files, list):
        return {**value, "commit": {**commit, "facts": facts}}
    if "case_conflicts" in names:
        _put(facts, "case_conflicts", _case_conflicts(files, None if staged else commit.get("tree"), objects))
    made = {**commit, "facts": facts, "files": [_with_facts(file, names, objects) for file in files]}
    return {**value, "commit": made}


_UNTOLD: Final = object()


def _put(facts: Json, name: str, fact: Any) -> None:
    if fact is not _UNTOLD:
        facts[name] = fact


def _with_facts(file: Json, names: frozenset[str], objects: Objects) -> Json:
    facts = dict(file.get("facts") or {})
    for name in names & _OF_FILE.keys():
        _put(facts, name, _OF_FILE[name](file, objects))
    return {**file, "facts": facts}


def _signature(commit: Mapping[str, Any], objects: Objects) -> Any:
    raw = objects.beginning(Oid(commit["hash"])) if commit.get("hash") else None
    if raw is None:
        return _UNTOLD
    found = _SIGNED.search(raw.partition(b"\n\n")[0])
    if found is None:
        return None
    return next((kind for beginning, kind in _SIGNATURES if found[1].startswith(beginning)), "unknown")


def _case_conflicts(files: Iterable[Json], tree: Oid | None, objects: Objects) -> Any:
    """Pairs of names, a new one of this commit first, that are one where case does not count.

    Of two folders only the folders are named, not each file in them.
    """
    new = {prefix for file in files if file.get("change_type") in _NEWLY_NAMED for prefix in _prefixes(_path(file))}
    if not new:
        return []
    listed = objects.paths(tree)
    if listed is None:
        return _UNTOLD
    folded: dict[str, set[str]] = {name.casefold(): set() for name in new}
    for raw in listed:
        for prefix in _prefixes(raw):
            spellings = folded.get(prefix.casefold())
            if spellings is not None:
                spellings.add(prefix)
    pairs = set()
    for name in new:
        above = posixpath.dirname(name)
        for other in folded[name.casefold()] - {name}:
            if posixpath.dirname(other) == above:
                pairs.add((min(name, other), max(name, other)) if other in new else (name, other))
    return [[_shown(one), _shown(other)] for one, other in sorted(pairs)[:_MOST_CONFLICTS]]


def _prefixes(path: bytes) -> Iterator[str]:
    """``a``, ``a/b`` and ``a/b/c`` of ``a/b/c``."""
    text = path.decode("utf-8", "surrogateescape")
    at = text.find("/")
    while at >= 0:
        yield text[:at]
        at = text.find("/", at + 1)
    yield text


def _path(file: Json) -> bytes:
    lossless = file.get("filename_bytes")
    return a2b_base64(lossless) if lossless else str(file["filename"]).encode("utf-8", "surrogateescape")


def _shown(path: str) -> str:
    return readable(path.encode("utf-8", "surrogateescape"))[0]


def _link_leaves_tree(file: Json, objects: Objects) -> Any:
    """By its words alone: links on the way are not followed. ``.git`` is not of the tree."""
    if file.get("new_mode") != _LINK:
        return False
    raw = objects.beginning(Oid(file["new_oid"])) if file.get("new_oid") else None
    if raw is None:
        return _UNTOLD
    target = raw.decode("utf-8", "surrogateescape").replace("\\", "/")
    if target.startswith("/") or target[1:3] == ":/":
        return True
    folder = posixpath.dirname(_path(file).decode("utf-8", "surrogateescape"))
    parts = posixpath.normpath(posixpath.join(folder, target)).split("/")
    return parts[0] == ".." or any(part.casefold() == ".git" for part in parts)


def _conflict_markers(file: Json, objects: Objects) -> Any:
    """The lines with markers that the version before has not. A line of equals signs alone may underline a title: it
    counts only beside another marker."""
    if not _is_changed_text(file):
        return []
    new = objects.beginning(Oid(file["new_oid"]))
    if new is None:
        return _UNTOLD
    markers = [] if b"\0" in new[:_BINARY_WITHIN] else list(_markers(new))
    if not any(line[:1] != b"=" for _, line in markers):
        return []
    old = _old(file, objects)
    if old is None:
        return _UNTOLD
    known = Counter(line for _, line in _markers(old))
    added = list(_less(markers, known))
    return [number for number, _ in added] if any(line[:1] != b"=" for _, line in added) else []


def _markers(content: bytes) -> Iterator[tuple[int, bytes]]:
    number, at = 1, 0
    for found in _MARKER.finditer(content):
        number += content.count(b"\n", at, found.start())
        at = found.start()
        yield number, found[0].rstrip(b"\r")


def _secrets(file: Json, objects: Objects) -> Any:
    if not _is_changed_text(file):
        return []
    new, old = objects.beginning(Oid(file["new_oid"])), _old(file, objects)
    if new is None or old is None:
        return _UNTOLD
    if b"\0" in new[:_BINARY_WITHIN]:
        return []
    from mgit_hooks.gatekeeper.secrets import secrets

    added = _less(enumerate(new.split(b"\n"), start=1), Counter(old.split(b"\n")))
    return [each._asdict() for each in secrets(added)]


def _is_changed_text(file: Json) -> bool:
    return (
        file.get("new_mode") in _REGULAR
        and bool(file.get("new_oid"))
        and file.get("new_oid") != file.get("old_oid")
        and file.get("binary") is not True
    )


def _old(file: Json, objects: Objects) -> bytes | None:
    if file.get("old_mode") not in _REGULAR or not file.get("old_oid"):
        return b""
    return objects.beginning(Oid(file["old_oid"]))


def _less(lines: Iterable[tuple[int, bytes]], known: Counter[bytes]) -> Iterator[tuple[int, bytes]]:
    """The lines that are not among the known ones, each of which counts once: what was only moved is not added."""
    for number, line in lines:
        if known[line] > 0:
            known[line] -= 1
        else:
            yield number, line


_OF_FILE: Final[Mapping[str, Callable[[Json, Objects], Any]]] = {
    "link_leaves_tree": _link_leaves_tree,
    "conflict_markers": _conflict_markers,
    "secrets": _secrets,
}
