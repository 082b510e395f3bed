"""libgit2 through pygit2: the only module that imports it.

What leaves this module are plain values: object ids as hexadecimal text, paths and contents as bytes.
libgit2 has no lazy fetch, so nothing here goes to the network.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from typing import Any, cast

import pygit2
from pygit2.enums import DeltaStatus, DiffOption, ObjectType, ReferenceType, RepositoryOpenFlag

from mgit_hooks import files
from mgit_hooks.capture import treediff
from mgit_hooks.capture.rawdiff import Change
from mgit_hooks.errors import ObjectError, RepositoryError
from mgit_hooks.git import asking, gitfiles
from mgit_hooks.git.backend import Head, MissingObject, Refused
from mgit_hooks.git.indexfile import intent_to_add
from mgit_hooks.git.packorder import PackOrder
from mgit_hooks.record import Oid

_TREE_FLAGS = DiffOption.INCLUDE_TYPECHANGE
EMPTY_TREE = Oid("4b825dc642cb6eb9a060e54bf8d69288fbee4904")
"""git knows it without its being there; libgit2 does not."""
# A file of an object that the system does not let be read, or not at all, is an OSError to pygit2.
_UNREADABLE = (pygit2.GitError, KeyError, ValueError, OSError)
# What the system does not let libgit2 look at: which of the two it is depends on where it looks.
_FAILED = (pygit2.GitError, OSError)
# Bytes. About 40,000 files: reading that takes 20 ms.
_LARGE_INDEX = 4 * 1024 * 1024
_OID = re.compile(r"[0-9a-f]{40,64}")

pygit2.settings.cache_max_size(16 * 1024 * 1024)
# How much of the packs is mapped at once: else all of what was read stays in the process's memory.
pygit2.settings.mwindow_size = 4 * 1024 * 1024
pygit2.settings.mwindow_mapped_limit = 16 * 1024 * 1024
pygit2.settings.disable_pack_keep_file_checks(True)  # a stat per object; only `git gc` minds them
if hasattr(pygit2.settings, "enable_strict_hash_verification"):  # pygit2 1.19 and newer
    # Objects are read here, not checked (`git fsck` is for that): the second hash costs as much as reading.
    pygit2.settings.enable_strict_hash_verification(False)
    # An old mark of partial clones that libgit2 does not know. What was not fetched counts as missing.
    pygit2.settings.set_extensions(["partialclone"])


def spare_memory() -> None:
    """From here on, keep less of what was read, and map packs by the piece, not whole: for who reads all of a long
    history once, each object a few times and close together."""
    pygit2.settings.cache_max_size(8 * 1024 * 1024)
    pygit2.settings.mwindow_size = 1024 * 1024
    pygit2.settings.mwindow_mapped_limit = 16 * 1024 * 1024


def keep_at_most(size: int) -> None:
    """Bytes of objects that are kept once they were read, and of packs that are mapped at once."""
    pygit2.settings.cache_max_size(size)
    pygit2.settings.mwindow_mapped_limit = max(size, 1024 * 1024)


def open_repository(git_dir: str) -> pygit2.Repository:
    """The repository whose git directory (or a linked worktree's) this is, and no other.

    Raises Refused for what libgit2 cannot read (SHA-256, reftable and other extensions of the format), and
    RepositoryError for what it must not: someone else's repository.
    """
    return _open(git_dir, RepositoryOpenFlag.NO_SEARCH)


def _open(git_dir: str, flags: RepositoryOpenFlag) -> pygit2.Repository:
    try:
        return pygit2.Repository(git_dir, flags)
    except _UNREADABLE as error:
        raise _explained(str(error), git_dir) from None


def _explained(reason: str, git_dir: str) -> RepositoryError:
    if "not owned by" in reason:
        # "repository path '/a/b/' is not owned by current user": that of the worktree, which is what git goes by too.
        named = reason.partition("'")[2].rpartition("'")[0].rstrip("/") or git_dir
        import shlex

        trust = f"if you trust its owner: git config --global --add safe.directory {shlex.quote(named)}"
        return RepositoryError(f"{git_dir} is owned by someone else", trust)
    if "not found at" in reason:
        return RepositoryError(f"{git_dir} is not a git repository", "change to one, or name it with -C DIR")
    return Refused(f"libgit2 cannot read this repository: {reason}", "see what 'git status' says there")


class Library:
    """As ``backend.Backend``. Raises RepositoryError, as ``open_repository``."""

    object_format = "sha1"

    def __init__(self, git_dir: str) -> None:
        self.git_dir = git_dir
        self._repository = open_repository(git_dir)
        # The same objects in a repository without a place: in one that has a worktree libgit2 looks for attributes
        # files there whenever it compares blobs, and one that has settings it looks for changes in them and copies
        # all of them whenever it compares trees.
        self._bare = pygit2.Repository()
        try:
            self._odb = self._repository.odb
            self._bare.set_odb(self._odb)
        except pygit2.GitError as error:
            raise _explained(_said(error), git_dir) from None
        self._trees = treediff.Trees(self._tree)
        self._read_header: Any = getattr(self._odb, "read_header", None)  # pygit2 1.19 and newer
        self._attributed: pygit2.Repository | None = None
        self._packs = PackOrder(os.path.join(gitfiles.common_dir(git_dir), "objects"))

    def close(self) -> None:
        """Nothing was started."""

    # Objects

    def read(self, oid: Oid) -> bytes:
        if oid == EMPTY_TREE:
            return b""
        try:
            return self._odb.read(oid)[1]
        except _UNREADABLE:
            raise MissingObject(oid) from None

    def read_commit(self, oid: Oid) -> bytes:
        try:
            kind, raw = self._odb.read(oid)
        except _UNREADABLE:
            raise MissingObject(oid) from None
        if kind != ObjectType.COMMIT:
            raise ObjectError(f"object {oid} is not a commit", "name a commit")
        return raw

    def peel_to_commit(self, oid: Oid) -> Oid | None:
        while True:
            try:
                kind, raw = self._odb.read(oid)
            except _UNREADABLE:
                raise MissingObject(oid) from None
            if kind != ObjectType.TAG:
                return oid if kind == ObjectType.COMMIT else None
            oid = Oid(raw[7 : raw.find(b"\n")].decode("ascii", "replace"))

    def blob(self, oid: Oid) -> pygit2.Blob:
        """Its memory is libgit2's."""
        try:
            found = self._bare[oid]
        except _UNREADABLE:
            raise MissingObject(oid) from None
        if not isinstance(found, pygit2.Blob):
            raise MissingObject(oid)
        return found

    def reading_order(self, oids: Iterable[Oid]) -> list[Oid]:
        return self._packs.sorted(oids)

    def size(self, oid: Oid) -> int:
        try:
            if self._read_header is not None:
                return int(self._read_header(oid)[1])
            return self.blob(oid).size
        except _UNREADABLE:
            raise MissingObject(oid) from None

    def __contains__(self, oid: Oid) -> bool:
        return oid in self._odb

    def changes(self, old: Oid | None, new: Oid | None) -> list[Change]:
        old, new = (None if oid == EMPTY_TREE else oid for oid in (old, new))
        if old == new:
            return []
        try:
            return self._trees.changes(old, new)
        except treediff.Irregular:
            return self._irregular_changes(old, new)

    def _tree(self, oid: Oid) -> bytes:
        if oid == EMPTY_TREE:
            return b""
        try:
            kind, raw = self._odb.read(oid)
        except _UNREADABLE:
            raise MissingObject(oid) from None
        if kind != ObjectType.TREE:
            raise MissingObject(oid)
        return raw

    def _irregular_changes(self, old: Oid | None, new: Oid | None) -> list[Change]:
        try:
            diff = self._diff(old, new)
        except (*_UNREADABLE, TypeError) as error:
            named = _OID.search(str(error))
            unreadable = Oid(named.group()) if named else self._unreadable(old, new)
            raise MissingObject(unreadable or new or old or Oid("")) from None
        return list(_changes(diff))

    def _unreadable(self, old: Oid | None, new: Oid | None) -> Oid | None:
        """The first tree on the way of a comparison that cannot be read: of one that is damaged libgit2 says no id."""
        sides = []
        for oid in (old, new):
            try:
                tree = cast(pygit2.Tree, self._bare[oid]) if oid is not None else ()
                sides.append({entry.name: Oid(str(entry.id)) for entry in tree if entry.type_str == "tree"})
            except _UNREADABLE:
                return oid
        for name in sorted(sides[0].keys() | sides[1].keys(), key=str):
            one, other = sides[0].get(name), sides[1].get(name)
            found = self._unreadable(one, other) if one != other else None
            if found is not None:
                return found
        return None

    def _diff(self, old: Oid | None, new: Oid | None) -> pygit2.Diff:
        if old is None or new is None:
            only = cast(pygit2.Tree, self._bare[cast(Oid, new or old)])
            return only.diff_to_tree(flags=_TREE_FLAGS, context_lines=0, swap=old is None)
        tree = cast(pygit2.Tree, self._bare[old])
        return tree.diff_to_tree(cast(pygit2.Tree, self._bare[new]), _TREE_FLAGS, 0)

    # Refs, and what else the repository says

    def references(self) -> dict[str, Oid]:
        found: dict[str, Oid] = {}
        try:
            for reference in self._repository.references.iterator():
                if reference.type == ReferenceType.DIRECT:
                    found[os.fsdecode(reference.raw_name)] = Oid(str(reference.target))
        except _FAILED as error:
            raise _explained(_said(error), self.git_dir) from None
        return found

    def head(self) -> Head:
        try:
            reference = self._repository.lookup_reference("HEAD")
        except _FAILED as error:
            raise _explained(_said(error), self.git_dir) from None
        if reference.type == ReferenceType.DIRECT:
            return Head(None, Oid(str(reference.target)))
        name = os.fsdecode(cast(bytes, reference.raw_target))
        branch = name.removeprefix("refs/heads/")
        try:
            return Head(branch, Oid(str(reference.resolve().target)))
        except (KeyError, ValueError):  # not there, or not a name that could be
            return Head(branch, None)
        except _FAILED as error:
            raise _explained(_said(error), self.git_dir) from None

    def is_ancestor(self, old: Oid, new: Oid) -> bool | None:
        if old not in self or new not in self:
            return None
        if files.exists(os.path.join(gitfiles.common_dir(self.git_dir), "info", "grafts")):
            return asking.is_ancestor(self.git_dir, old, new)  # libgit2 takes grafts for parents
        try:
            return old == new or self._repository.descendant_of(new, old)
        except _UNREADABLE:
            return None

    def staged_changes(self, index_file: str, tree: Oid | None) -> list[Change]:
        try:
            return _staged_changes(self._repository, index_file, tree)
        except Refused:  # the index alone is beyond libgit2 (a split or sparse one): it alone is asked of git
            return asking.staged_changes(self.git_dir, index_file, tree or EMPTY_TREE)

    def workdir(self) -> str | None:
        return self._repository.workdir

    def attribute(self, path: bytes) -> str | bool | None:
        try:
            if self._attributed is None:
                self._attributed = _for_attributes(self._repository, self.git_dir)
            return self._attributed.get_attr(path, "diff")
        except _FAILED as error:
            raise _explained(_said(error), self.git_dir) from None

    def setting(self, key: str) -> str | None:
        try:
            config = self._repository.config
            return (config[key] or "") if key in config else None
        except _FAILED as error:
            raise _explained(_said(error), self.git_dir) from None


def _for_attributes(repository: pygit2.Repository, git_dir: str) -> pygit2.Repository:
    """The repository to look attributes up in. libgit2 reads all of the index for that, in search of attributes files
    that are not checked out: where it is large, one is opened that has none."""
    try:
        if os.path.getsize(os.path.join(repository.path, "index")) <= _LARGE_INDEX:
            return repository
    except OSError:
        return repository
    given = {"GIT_DIR": os.path.abspath(git_dir), "GIT_INDEX_FILE": os.path.join(os.path.abspath(git_dir), "no-index")}
    before = {name: os.environ.get(name) for name in given}
    os.environ.update(given)
    try:
        opened = pygit2.Repository(git_dir, RepositoryOpenFlag.FROM_ENV | RepositoryOpenFlag.NO_SEARCH)
        opened.index  # noqa: B018 (opened now, while the environment says that there is none)
        return opened if opened.workdir == repository.workdir else repository
    except _FAILED:
        return repository
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _changes(diff: pygit2.Diff) -> Iterator[Change]:
    for delta in diff.deltas:
        old, new = delta.old_file, delta.new_file
        status = delta.status_char()
        if status == " " and delta.status == DeltaStatus.CONFLICTED:
            yield Change("U", 0, 0, None, None, old.raw_path)
            continue
        yield Change(
            status,
            0 if status == "A" else int(old.mode),
            0 if status == "D" else int(new.mode),
            None if status == "A" else Oid(str(old.id)),
            None if status == "D" else Oid(str(new.id)),
            new.raw_path,
        )


class _Index(pygit2.Index):
    """pygit2's own, less the complaint that it prints when one could not be opened."""

    def __del__(self) -> None:
        if hasattr(self, "_index"):
            super().__del__()


def _staged_changes(repository: pygit2.Repository, index_file: str, tree: Oid | None) -> list[Change]:
    """Raises Refused where libgit2 cannot read the index, MissingObject where it cannot read the tree."""
    try:
        index = _Index(index_file)
        with open(index_file, "rb") as file:
            promised = intent_to_add(file.read())
    except FileNotFoundError:  # nothing was ever added
        promised = frozenset()
    except (pygit2.GitError, OSError, ValueError) as error:
        raise Refused(f"libgit2 cannot read the index: {error}") from None
    if tree is None or tree == EMPTY_TREE:
        whole = (Change("A", 0, int(entry.mode), None, Oid(str(entry.id)), os.fsencode(entry.path)) for entry in index)
        return [change for change in whole if change.path not in promised]
    try:
        root = cast(pygit2.Tree, repository[tree])
        changes = list(_changes(root.diff_to_index(index, _TREE_FLAGS, 0)))
    except _UNREADABLE as error:
        named = _OID.search(str(error))
        raise MissingObject(Oid(named.group()) if named else tree) from None
    return [change for change in changes if change.path not in promised]


def line_counts(old: pygit2.Blob | bytes, new: pygit2.Blob | bytes) -> tuple[int, int]:
    """Lines added and deleted between two texts of one type, by libgit2's copy of git's own xdiff.

    Of bytes, libgit2 first computes an object id, which costs more than the comparison.
    """
    # Without a path there are no attributes for libgit2 to look up: that is done, and would be done for each.
    patch = pygit2.Patch.create_from(old, new, "", "", DiffOption.FORCE_TEXT, 0)
    _, added, deleted = patch.line_stats
    return added, deleted


def _said(error: Exception) -> str:
    """libgit2's words: the text of its not-found errors, which are KeyErrors too, has quotes around it."""
    return str(error.args[0]) if error.args else str(error)
