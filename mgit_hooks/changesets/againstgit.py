"""A changeset held against the repository that it is about, where that is at hand.

Only what cannot have changed since is compared: commits and blobs by their ids. The worktree may be another one by now.
A commit that git no longer has (amended, and cleaned up) is remarked, and no fault.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any, NamedTuple

from mgit_hooks.capture.capturer import Capturer
from mgit_hooks.changesets import patience
from mgit_hooks.changesets.moments import BEFORE_ALL, moment
from mgit_hooks.changesets.worktreeforms import AS_IT_IS, CONVERTED, conversion, forms, plain
from mgit_hooks.errors import ObjectError, RepositoryError
from mgit_hooks.files import is_folder
from mgit_hooks.git import plumbing
from mgit_hooks.git.backend import Backend, MissingObject
from mgit_hooks.git.opening import open_backend
from mgit_hooks.judging.checks import embedded_bytes
from mgit_hooks.record import Commit, Issue, Json, Oid

_HEX = frozenset("0123456789abcdef")
_GITLINK = "160000"
_UNCHANGED = (".", " ", "")  # of a file in the worktree against the index, as status writes it
_TEXTS = ("author_name", "author_email", "committer_name", "committer_email", "message")
_DATES = ("date", "committer_date")
_OF_A_FILE = ("old_filename", "change_type", "old_mode", "new_mode", "old_oid", "new_oid", "size_bytes")


class Found(NamedTuple):
    issues: list[Issue]
    asked: int  # commits and blobs that git was asked about


class AtHand:
    """A repository that can be asked. ``path`` is its worktree's top, or its own folder where it is bare.

    Raises RepositoryError where nothing here can read it, or where it is someone else's.
    """

    def __init__(self, path: str, git_dir: str) -> None:
        self.path = path
        self.env = {**plumbing.without_local(os.environ), "GIT_DIR": git_dir}
        self.backend: Backend = open_backend(git_dir)
        self._capturer = Capturer(git_dir, lambda _: self.backend)

    def commit(self, mine: Json, place: str) -> Found:
        """How a commit's JSON differs from what git has under its hash, be that shortened."""
        oid = _full(mine.get("hash"), self)
        if oid is None:
            return Found([], 0)
        try:
            theirs = self._capturer.commit(oid).to_json()
        except ObjectError:
            return Found([_gone(f"{place}/hash", oid)], 1)
        return Found(list(_commit(mine, theirs, place, self)), 1)

    def read(self, oid: Oid) -> Commit:
        """A commit as git has it. Raises ObjectError where it has none of that name."""
        return self._capturer.commit(oid)

    def full(self, name: str) -> Oid | None:
        """The full id of a commit's hash or of its beginning; None where that is none, or could be several."""
        return _full(name, self)

    def content(self, change: Json) -> bytes | None:
        """What the worktree had of a changed file, where that is what the index has: the blob.

        None where the file was changed since, where git no longer has the blob, and where git, or a filter of the
        user's, makes another content of it.
        """
        oid = change.get("new_oid")
        if not isinstance(oid, str) or not oid or not _is_the_indexs(change):
            return None
        if conversion(change, self.path, self.env) != AS_IT_IS:
            return None
        try:
            return bytes(memoryview(self.backend.blob(Oid(oid))))
        except MissingObject:
            return None

    def close(self) -> None:
        self.backend.close()


def against_git(changeset: Any) -> Found:
    """What differs, and how much was compared: nothing where there is no such repository here, or none to be read."""
    path = changeset.get("repository_path") if isinstance(changeset, dict) else None
    with patience.at_most(patience.LONGEST):
        try:
            here = open_at(path) if isinstance(path, str) else None
        except (RepositoryError, OSError):  # a folder on the way may be another one's
            here = None
        if here is None:
            return Found([], 0)
        try:
            return _compared(changeset, here)
        except (RepositoryError, TimeoutError):
            return Found([], 0)
        finally:
            here.close()


def open_at(path: str) -> AtHand | None:
    """The repository at ``path`` itself: one further up is another one. Raises as ``AtHand``, and OSError where it
    cannot be told what is there."""
    if not os.path.isabs(path) or not _may_be_named(path) or not is_folder(path):
        return None
    real = os.path.realpath(path)
    env = {**plumbing.without_local(os.environ), "GIT_CEILING_DIRECTORIES": os.path.dirname(real)}
    told = plumbing.run(("rev-parse", "--path-format=absolute", "--git-dir"), directory=real, env=env)
    return None if told.status else AtHand(real, os.fsdecode(told.stdout).removesuffix("\n"))


def _may_be_named(path: str) -> bool:
    """Whether a file can have this name at all: the system has none with a NUL, Python none with other surrogates."""
    try:
        return b"\0" not in os.fsencode(path)
    except UnicodeEncodeError:
        return False


def _compared(changeset: Json, here: AtHand) -> Found:
    issues: list[Issue] = []
    asked = 0
    for place, commit in _objects(changeset.get("recent_commits"), "/recent_commits"):
        found = here.commit(commit, place)
        issues += found.issues
        asked += found.asked
    for place, change in _objects(changeset.get("uncommitted_files"), "/uncommitted_files"):
        if _is_the_indexs(change):
            issues += _blob(change, place, here)
            asked += bool(change.get("new_oid"))
    return Found(issues, asked)


def _is_the_indexs(change: Json) -> bool:
    return change.get("worktree_status") in _UNCHANGED and change.get("new_mode") != _GITLINK


def _objects(value: Any, place: str) -> Iterator[tuple[str, Json]]:
    if isinstance(value, list):
        for index, item in enumerate(value):
            if isinstance(item, dict):
                yield f"{place}/{index}", item


def _full(name: Any, here: AtHand) -> Oid | None:
    """The full id of a commit's hash or of its beginning; None where that is none, or could be several."""
    if not isinstance(name, str) or not 7 <= len(name) <= 64 or not set(name.lower()) <= _HEX:
        return None
    if len(name) in (40, 64):
        return Oid(name.lower())
    told = plumbing.run(("rev-parse", "--verify", "--quiet", f"{name}^{{commit}}"), env=here.env)
    return None if told.status else Oid(told.stdout.decode("ascii").strip())


def _commit(mine: Json, theirs: Json, place: str, here: AtHand) -> Iterator[Issue]:
    for name in ("tree", "parents"):
        if mine.get(name) is not None and mine[name] != theirs[name]:
            yield _differs(f"{place}/{name}", mine[name], theirs[name])
    for name in _TEXTS:
        if isinstance(mine.get(name), str) and mine[name].strip() != theirs[name].strip():
            yield _differs(f"{place}/{name}", mine[name], theirs[name])
    for name in _DATES:
        if isinstance(mine.get(name), str) and not _same_time(mine[name], theirs[name]):
            yield _differs(f"{place}/{name}", mine[name], theirs[name])
    if not isinstance(mine.get("files"), list) or theirs["files"] is None:
        return
    files = [change for change in mine["files"] if isinstance(change, dict)]
    if list(map(_name, files)) != list(map(_name, theirs["files"])) or len(files) != len(mine["files"]):
        yield _differs(f"{place}/files", list(map(_name, files)), list(map(_name, theirs["files"])))
        return
    for index, (change, told) in enumerate(zip(files, theirs["files"], strict=True)):
        where = f"{place}/files/{index}"
        for name in _OF_A_FILE:
            unknown = name == "size_bytes" and told[name] is None  # a submodule, or a blob that is not here
            if change.get(name) is not None and change[name] != told[name] and not unknown:
                yield _differs(f"{where}/{name}", change[name], told[name])
        if told["new_mode"] != _GITLINK:
            yield from _hashes({**change, "new_oid": told["new_oid"]}, where, here, of_worktree=False)


def _name(change: Json) -> Any:
    return change.get("filename_bytes") or change.get("filename")


def _same_time(one: str, other: str) -> bool:
    """A moment may be written in several ways: with Z, with a blank in place of the T or before the offset."""
    return one == other or moment(one) == moment(other) != BEFORE_ALL  # git's own "@seconds offset" is no date


def _blob(change: Json, place: str, here: AtHand) -> Iterator[Issue]:
    """A file that the worktree has as the index has it: its size and hashes are those of the index's blob."""
    oid, size = change.get("new_oid"), change.get("size_bytes")
    if not isinstance(oid, str):
        return
    try:
        if isinstance(size, int) and size != here.backend.size(Oid(oid)):
            blob = here.backend.blob(Oid(oid))
            sizes = map(len, forms(bytes(memoryview(blob))))
            if size not in sizes and conversion(change, here.path, here.env) == AS_IT_IS:
                yield _differs(f"{place}/size_bytes", size, here.backend.size(Oid(oid)))
    except MissingObject:  # taken out of the index since, and cleaned up
        return
    yield from _hashes(change, place, here, of_worktree=True)


def _hashes(change: Json, place: str, here: AtHand, *, of_worktree: bool) -> Iterator[Issue]:
    """The hash of the whole file, and the whole content, against the blob, or what git makes of it."""
    from hashlib import sha256

    embedded = change.get("embedded_content")
    content = embedded if isinstance(embedded, dict) else {}
    whole = content.get("strategy") == "full" and not content.get("truncated")
    data = embedded_bytes(content) if whole else None
    claims = [(change.get("content_hash"), f"{place}/content_hash")]
    if content.get("hash_covers") == "file":
        claims.append((content.get("content_hash"), f"{place}/embedded_content/content_hash"))
    if data is not None:
        claims.append((sha256(data).hexdigest(), f"{place}/embedded_content/content"))
    claimed = [(said.lower(), where) for said, where in claims if isinstance(said, str) and len(said) == 64]
    if not claimed or not isinstance(change.get("new_oid"), str):
        return
    try:
        blob = memoryview(here.backend.blob(Oid(change["new_oid"])))
    except MissingObject:
        return
    right = sha256(blob).hexdigest()
    if any(said != right for said, _ in claimed) and of_worktree:
        same = {sha256(form).hexdigest() for form in forms(bytes(blob))}
        claimed = [(said, where) for said, where in claimed if said not in same]
        how = conversion(change, here.path, here.env) if claimed else AS_IT_IS
        if how != AS_IT_IS:  # only of a content that is all there can be said that it never became this blob
            differs = how == CONVERTED and data is not None and plain(data) != plain(bytes(blob))
            claimed = claimed[-1:] if differs else []
    for said, where in claimed:
        if said != right:
            yield Issue(
                "error",
                "CONTENT_HASH_MISMATCH",
                f"{where.rpartition('/')[2]} is not that of the file in git, whose hash is {right}",
                where,
                "capture the file again from git",
            )


def _differs(where: str, mine: Any, theirs: Any) -> Issue:
    from mgit_hooks.judging.explain import shown

    return Issue(
        "error",
        "OBJECT_MISMATCH",
        f"{where.rpartition('/')[2]} is {shown(mine)}, and git says {shown(theirs)}",
        where,
        "capture it again from git",
    )


def _gone(where: str, oid: Oid) -> Issue:
    return Issue("info", "OBJECT_MISSING", f"git no longer has commit {oid}: it was not compared", where, None)
