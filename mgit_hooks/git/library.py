"""libgit2 through pygit2: the only module that imports it.

What leaves this module are plain values: object ids as hexadecimal text, paths and contents as bytes.
libgit2 has no lazy fetch, so nothing here goes to the network.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import Any, NamedTuple, cast

import pygit2
from pygit2.enums import DeltaStatus, DiffOption, ObjectType, ReferenceType, RepositoryOpenFlag

from mgit_hooks.capture.rawdiff import Change
from mgit_hooks.errors import ObjectError, RepositoryError
from mgit_hooks.git.indexfile import intent_to_add
from mgit_hooks.record import Oid

_TREE_FLAGS = DiffOption.INCLUDE_TYPECHANGE
Blob = pygit2.Blob
EMPTY_TREE = Oid("4b825dc642cb6eb9a060e54bf8d69288fbee4904")
"""git knows it without its being there; libgit2 does not."""
_OID = re.compile(r"[0-9a-f]{40,64}")

pygit2.settings.cache_max_size(32 * 1024 * 1024)
pygit2.settings.disable_pack_keep_file_checks(True)  # a stat per object; only `git gc` minds them
if hasattr(pygit2.settings, "enable_strict_hash_verification"):  # pygit2 1.19 and newer
    # Objects are read here, not checked (`git fsck` is for that): the second hash costs as much as reading.
    pygit2.settings.enable_strict_hash_verification(False)
    # An old mark of partial clones that libgit2 does not know. What was not fetched counts as missing.
    pygit2.settings.set_extensions(["partialclone"])


class MissingObject(ObjectError):
    """An object that git should have and that cannot be read; ``oid`` names it."""

    def __init__(self, oid: Oid) -> None:
        remedy = "run 'git fsck'; then fetch it again or restore it from a backup"
        super().__init__(f"object {oid} is missing or damaged", remedy)
        self.oid = oid


class Head(NamedTuple):
    """``branch`` is None where HEAD is detached, ``oid`` where the branch is unborn."""

    branch: str | None
    oid: Oid | None


def open_repository(git_dir: str) -> pygit2.Repository:
    """The repository whose git directory (or a linked worktree's) this is, and no other.

    Raises RepositoryError for what libgit2 cannot read (SHA-256, reftable and other extensions of the
    format) and for what it must not: someone else's repository.
    """
    return _open(git_dir, RepositoryOpenFlag.NO_SEARCH)


def _open(git_dir: str, flags: RepositoryOpenFlag) -> pygit2.Repository:
    try:
        return pygit2.Repository(git_dir, flags)
    except (pygit2.GitError, KeyError, ValueError) as error:
        raise RepositoryError(*_explain(str(error), git_dir)) from None


def _explain(reason: str, git_dir: str) -> tuple[str, str]:
    if "not owned by" in reason:
        trust = f"if you trust its owner, run 'git config --global --add safe.directory {git_dir}'"
        return f"{git_dir} is owned by someone else", trust
    if "not found at" in reason:
        return f"{git_dir} is not a git repository", "change to one, or name it with -C DIR"
    if "object format" in reason:
        return f"{git_dir} uses SHA-256 object ids, which libgit2 cannot read", "record it from a SHA-1 clone"
    if "extensions.refstorage" in reason:
        return (
            f"{git_dir} keeps its refs in reftable, which libgit2 cannot read",
            "run 'git refs migrate --ref-format=files' (git 2.48 or newer)",
        )
    if "extensions.partialclone" in reason:
        return (
            f"{git_dir} is a partial clone, which this pygit2 cannot read",
            "upgrade pygit2 to 1.19 or newer, or run 'git fetch --unshallow --refetch' without a filter",
        )
    return f"libgit2 cannot read this repository: {reason}", "see what 'git status' says there"


def open_objects(git_dir: str) -> Objects:
    """Raises RepositoryError, as ``open_repository``.

    Opened as if bare: else libgit2 looks for attributes files in the worktree whenever it compares blobs.
    """
    open_repository(git_dir)
    repository = _open(git_dir, RepositoryOpenFlag.NO_SEARCH | RepositoryOpenFlag.BARE)
    try:
        return Objects(repository)
    except pygit2.GitError as error:
        raise RepositoryError(*_explain(_said(error), git_dir)) from None


class Objects:
    """The objects of one repository, read as bytes. Not for use by two threads at once."""

    def __init__(self, repository: pygit2.Repository) -> None:
        self._repository = repository
        self._odb = repository.odb
        self._read_header: Any = getattr(self._odb, "read_header", None)  # pygit2 1.19 and newer

    def read(self, oid: Oid) -> bytes:
        """Raises MissingObject."""
        if oid == EMPTY_TREE:
            return b""
        try:
            return self._odb.read(oid)[1]
        except (pygit2.GitError, KeyError, ValueError):
            raise MissingObject(oid) from None

    def read_commit(self, oid: Oid) -> bytes:
        """Raises MissingObject, or ObjectError where the object is not a commit."""
        try:
            kind, raw = self._odb.read(oid)
        except (pygit2.GitError, KeyError, ValueError):
            raise MissingObject(oid) from None
        if kind != ObjectType.COMMIT:
            raise ObjectError(f"object {oid} is not a commit", "name a commit")
        return raw

    def peel_to_commit(self, oid: Oid) -> Oid | None:
        """The commit that a chain of tags ends at; None where it ends at something else.

        Raises MissingObject.
        """
        while True:
            try:
                kind, raw = self._odb.read(oid)
            except (pygit2.GitError, KeyError, ValueError):
                raise MissingObject(oid) from None
            if kind != ObjectType.TAG:
                return oid if kind == ObjectType.COMMIT else None
            oid = Oid(raw[7 : raw.find(b"\n")].decode("ascii", "replace"))

    def blob(self, oid: Oid) -> Blob:
        """Its memory is libgit2's, seen through the buffer protocol. Raises MissingObject."""
        try:
            found = self._repository[oid]
        except (pygit2.GitError, KeyError, ValueError):
            raise MissingObject(oid) from None
        if not isinstance(found, pygit2.Blob):
            raise MissingObject(oid)
        return found

    def size(self, oid: Oid) -> int:
        """Bytes, from the object's header. Raises MissingObject."""
        try:
            if self._read_header is not None:
                return int(self._read_header(oid)[1])
            return self.blob(oid).size
        except (pygit2.GitError, KeyError, ValueError):
            raise MissingObject(oid) from None

    def __contains__(self, oid: Oid) -> bool:
        return oid in self._odb

    def changes(self, old: Oid | None, new: Oid | None) -> list[Change]:
        """What differs between two trees (None is the empty one), by path; renames are not looked for.

        Raises MissingObject where a tree cannot be read.
        """
        old, new = (None if oid == EMPTY_TREE else oid for oid in (old, new))
        if old == new:
            return []
        try:
            diff = self._diff(old, new)
        except (pygit2.GitError, KeyError, ValueError, TypeError) as error:
            named = _OID.search(str(error))
            raise MissingObject(Oid(named.group()) if named else new or old or Oid("")) from None
        return list(_changes(diff))

    def _diff(self, old: Oid | None, new: Oid | None) -> pygit2.Diff:
        if old is None or new is None:
            only = cast(pygit2.Tree, self._repository[cast(Oid, new or old)])
            return only.diff_to_tree(flags=_TREE_FLAGS, context_lines=0, swap=old is None)
        tree = cast(pygit2.Tree, self._repository[old])
        return tree.diff_to_tree(cast(pygit2.Tree, self._repository[new]), _TREE_FLAGS, 0)


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


def staged_changes(repository: pygit2.Repository, index_file: str, tree: Oid | None) -> list[Change]:
    """What the index in ``index_file`` has against ``tree``, by path; no renames. ``U`` is an unmerged path.

    What `git add -N` only promised is left out, as git does. Raises RepositoryError where libgit2 cannot
    read the index (a split or sparse one), MissingObject where it cannot read the tree.
    """
    try:
        index = _Index(index_file)
        with open(index_file, "rb") as file:
            promised = intent_to_add(file.read())
    except FileNotFoundError:  # nothing was ever added
        promised = frozenset()
    except (pygit2.GitError, OSError, ValueError) as error:
        raise RepositoryError(
            f"libgit2 cannot read the index: {error}",
            "run 'git update-index --no-split-index', or 'git sparse-checkout reapply --no-sparse-index'",
        ) from None
    if tree is None or tree == EMPTY_TREE:
        whole = (Change("A", 0, int(entry.mode), None, Oid(str(entry.id)), os.fsencode(entry.path)) for entry in index)
        return [change for change in whole if change.path not in promised]
    try:
        root = cast(pygit2.Tree, repository[tree])
        changes = list(_changes(root.diff_to_index(index, _TREE_FLAGS, 0)))
    except (pygit2.GitError, KeyError, ValueError) as error:
        named = _OID.search(str(error))
        raise MissingObject(Oid(named.group()) if named else tree) from None
    return [change for change in changes if change.path not in promised]


def line_counts(old: Blob | bytes, new: Blob | bytes) -> tuple[int, int]:
    """Lines added and deleted between two texts of one type, by libgit2's copy of git's own xdiff.

    Of bytes, libgit2 first computes an object id, which costs more than the comparison.
    """
    # Without a path there are no attributes for libgit2 to look up: that is done, and would be done for each.
    patch = pygit2.Patch.create_from(old, new, "", "", DiffOption.FORCE_TEXT, 0)
    _, added, deleted = patch.line_stats
    return added, deleted


def shallow_boundary(repository: pygit2.Repository) -> frozenset[Oid]:
    """The commits whose parents a shallow clone left out (``$GIT_COMMON_DIR/shallow``)."""
    if not repository.is_shallow:
        return frozenset()
    try:
        with open(os.path.join(common_dir(repository), "shallow"), encoding="ascii") as lines:
            return frozenset(Oid(line.strip()) for line in lines)
    except FileNotFoundError:
        return frozenset()


def merge_heads(repository: pygit2.Repository) -> tuple[Oid, ...]:
    """What the next commit merges, besides HEAD (``MERGE_HEAD``)."""
    try:
        with open(os.path.join(repository.path, "MERGE_HEAD"), encoding="ascii", errors="replace") as lines:
            return tuple(Oid(line.strip()) for line in lines if line.strip())
    except FileNotFoundError:
        return ()


def common_dir(repository: pygit2.Repository) -> str:
    path = repository.path
    try:
        with open(os.path.join(path, "commondir"), encoding="utf-8", errors="surrogateescape") as file:
            return os.path.normpath(os.path.join(path, file.read().rstrip("\n")))
    except FileNotFoundError:
        return path


def references(repository: pygit2.Repository) -> dict[str, Oid]:
    """Every direct ref and its object, tags not peeled. A symbolic ref only repeats another: left out.

    Raises RepositoryError where they cannot be read: a ref that is passed over would count as deleted.
    """
    found: dict[str, Oid] = {}
    try:
        for reference in repository.references.iterator():
            if reference.type == ReferenceType.DIRECT:
                found[os.fsdecode(reference.raw_name)] = Oid(str(reference.target))
    except pygit2.GitError as error:
        raise RepositoryError(*_explain(_said(error), repository.path)) from None
    return found


def _said(error: Exception) -> str:
    """libgit2's words: the text of its not-found errors, which are KeyErrors too, has quotes around it."""
    return str(error.args[0]) if error.args else str(error)


def head(repository: pygit2.Repository) -> Head:
    """Raises RepositoryError where HEAD, or the branch that it names, cannot be read."""
    try:
        reference = repository.lookup_reference("HEAD")
    except pygit2.GitError as error:
        raise RepositoryError(*_explain(_said(error), repository.path)) from None
    if reference.type == ReferenceType.DIRECT:
        return Head(None, Oid(str(reference.target)))
    name = os.fsdecode(cast(bytes, reference.raw_target))
    branch = name.removeprefix("refs/heads/")
    try:
        return Head(branch, Oid(str(reference.resolve().target)))
    except (KeyError, ValueError):  # not there, or not a name that could be
        return Head(branch, None)
    except pygit2.GitError as error:
        raise RepositoryError(*_explain(_said(error), repository.path)) from None


def is_ancestor(repository: pygit2.Repository, old: Oid, new: Oid) -> bool | None:
    """None where an object on the way is not here to tell."""
    if old not in repository.odb or new not in repository.odb:
        return None
    try:
        return old == new or repository.descendant_of(new, old)
    except (pygit2.GitError, KeyError, ValueError):
        return None
