"""From a commit id to what is recorded of the commit."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from mgit_hooks.capture import ancestry, rawcommit
from mgit_hooks.capture.contents import UNKNOWN, Contents
from mgit_hooks.capture.rawdiff import GITLINK, Change
from mgit_hooks.capture.similarity import pair
from mgit_hooks.capture.treehash import changed_tree
from mgit_hooks.errors import ObjectError
from mgit_hooks.git import gitfiles
from mgit_hooks.git.attributes import Attributes
from mgit_hooks.git.backend import Backend, Head, MissingObject
from mgit_hooks.git.opening import open_backend
from mgit_hooks.record import Commit, FileChange, Oid, readable

_TREES_KNOWN = 4096
_WINDOW = 4096
"""So many commits and changed files are looked at together, at some 500 bytes each."""
_TYPES = {"A": "added", "M": "modified", "D": "deleted", "R": "renamed", "C": "copied", "T": "typechange"}


class Staged(NamedTuple):
    """A commit to be, against HEAD. An amend's is compared with the commit that it replaces."""

    parents: tuple[Oid, ...]
    tree: Oid | None  # None while paths are unmerged: there is no tree yet
    files: tuple[FileChange, ...]
    missing: tuple[Oid, ...] | None = None


class _Begun(NamedTuple):
    """A commit whose trees are compared, and whose blobs are not read yet."""

    oid: Oid
    raw: rawcommit.RawCommit
    boundary: bool
    changes: list[Change] | None
    missing: list[Oid]


class Capturer:
    """Reads one repository; ``git_dir`` is its common directory or a linked worktree's. Not for two threads.

    ``open_git`` opens what answers. Raises RepositoryError where nothing can read the repository.
    """

    def __init__(self, git_dir: str, open_git: Callable[[str], Backend] = open_backend) -> None:
        self._git = open_git(git_dir)
        self._contents = Contents(self._git, Attributes(self._git))
        self._trees: dict[Oid, Oid] = {}
        self.missing: tuple[Oid, ...] = ()
        self._boundary = gitfiles.shallow_boundary(git_dir)

    def commit(self, oid: Oid) -> Commit:
        """Raises ObjectError where the commit object itself is missing or is none."""
        return self._finished(self._begun(oid))

    def _begun(self, oid: Oid) -> _Begun:
        raw = rawcommit.parse(self._git.read_commit(oid), oid)
        if len(self._trees) > _TREES_KNOWN:
            self._trees.clear()
        self._trees[oid] = raw.tree  # its children will ask
        if oid in self._boundary:
            return _Begun(oid, raw, True, None, [])
        missing: list[Oid] = []
        return _Begun(oid, raw, False, self._compared(raw, missing), missing)

    def _finished(self, begun: _Begun) -> Commit:
        oid, raw, boundary, changes, missing = begun
        files = None if changes is None else self._files(changes, missing)
        text = readable if raw.encoding is None else functools.partial(rawcommit.decode, encoding=raw.encoding)
        author_name, author_name_bytes = text(raw.author.name)
        author_email, author_email_bytes = text(raw.author.email)
        committer_name, committer_name_bytes = text(raw.committer.name)
        committer_email, committer_email_bytes = text(raw.committer.email)
        message, message_bytes = text(raw.message)
        return Commit(
            hash=oid,
            parents=raw.parents,
            tree=raw.tree,
            author_name=author_name,
            author_email=author_email,
            date=raw.author.date,
            committer_name=committer_name,
            committer_email=committer_email,
            committer_date=raw.committer.date,
            message=message,
            files=files,
            missing=tuple(missing) or None,
            boundary=boundary or None,
            encoding=raw.encoding,
            author_name_bytes=author_name_bytes,
            author_email_bytes=author_email_bytes,
            committer_name_bytes=committer_name_bytes,
            committer_email_bytes=committer_email_bytes,
            message_bytes=message_bytes,
        )

    def commits(self, oids: Iterable[Oid]) -> Iterator[Commit]:
        """As ``commit``, in the given order; those whose files are each other's are best close together.

        Many commits at a time, whose blobs are looked at together.
        """
        waiting = iter(oids)
        while True:
            window, failed = self._window(waiting)
            self._contents.expect(change for begun in window for change in begun.changes or ())
            yield from map(self._finished, window)
            if failed is not None:
                raise failed
            if not window:
                return

    def _window(self, oids: Iterator[Oid]) -> tuple[list[_Begun], ObjectError | None]:
        """The next commits; what stopped it at one that cannot be read."""
        window: list[_Begun] = []
        room = _WINDOW
        for oid in oids:
            try:
                begun = self._begun(oid)
            except ObjectError as error:
                return window, error
            window.append(begun)
            room -= 1 + len(begun.changes or ())
            if room <= 0:
                break
        return window, None

    def new_commits(self, tips: Iterable[Oid], known: Callable[[Oid], bool], *, through: bool = False) -> Sequence[Oid]:
        """The commits that ``tips`` reach, less the known ones and all behind them; parents before children.

        ``through``: less the known ones only. That reads all of the history.

        ``missing`` then names what could not be read on the way, tips included.
        """
        walked = ancestry.walk(self._git, self._boundary, tips, known, through=through)
        self.missing = walked.missing
        return walked.oids

    def references(self) -> dict[str, Oid]:
        """All direct refs and their objects, tags not peeled."""
        return self._git.references()

    def head(self) -> Head:
        return self._git.head()

    def is_ancestor(self, old: Oid, new: Oid) -> bool | None:
        """Whether ``new`` holds all of ``old``'s history; None where an object to tell by is missing."""
        return self._git.is_ancestor(old, new)

    def staged(self, environment: Mapping[str, str]) -> Staged:
        """What `git commit` is about to commit, where ``environment`` is its hook's.

        During `git commit -a` and `git commit PATH` the index that counts is the one that git names in
        ``GIT_INDEX_FILE``. Nothing is written: the tree's id is computed. Raises RepositoryError where
        the index cannot be read, ObjectError where HEAD's tree is missing.
        """
        head = self.head().oid
        tree = None if head is None else self._tree_of(head)
        changes = self._git.staged_changes(self._index_file(environment), tree)
        unmerged = any(change.status == "U" for change in changes)
        missing: list[Oid] = []
        files = self._files(changes, missing)
        return Staged(
            parents=(() if head is None else (head,)) + gitfiles.merge_heads(self._git.git_dir),
            tree=None if unmerged else changed_tree(tree, changes, self._git.read, self._git.object_format),
            files=files,
            missing=tuple(missing) or None,
        )

    def _index_file(self, environment: Mapping[str, str]) -> str:
        named = environment.get("GIT_INDEX_FILE")
        if not named:
            return os.path.join(self._git.git_dir, "index")
        # git runs hooks at the top of the worktree, and says the path from there.
        return os.path.join(self._git.workdir() or os.getcwd(), named)

    def _compared(self, raw: rawcommit.RawCommit, missing: list[Oid]) -> list[Change] | None:
        """What differs from the first parent; None where a tree cannot be read, which ``missing`` names."""
        try:
            parent = self._tree_of(raw.parents[0]) if raw.parents else None
            return self._git.changes(parent, raw.tree)
        except MissingObject as error:
            missing.append(error.oid)
            return None
        except ObjectError:  # a parent that is no commit: nothing to compare with
            missing.append(raw.parents[0])
            return None

    def _tree_of(self, oid: Oid) -> Oid:
        known = self._trees.get(oid)
        return rawcommit.parse(self._git.read_commit(oid), oid).tree if known is None else known

    def _files(self, changes: list[Change], missing: list[Oid]) -> tuple[FileChange, ...]:
        return tuple(self._file(change, missing) for change in pair(changes, self._contents))

    def _file(self, change: Change, missing: list[Oid]) -> FileChange:
        filename, filename_bytes = readable(change.path)
        old_filename, old_filename_bytes = readable(change.old_path) if change.old_path else (None, None)
        counts, size = UNKNOWN, None
        try:
            counts = self._contents.counts(change)
        except MissingObject as error:
            _note(missing, error.oid)
        try:  # after the counts, which have read the blob
            if change.new_oid is not None and change.new_mode != GITLINK:
                size = self._contents.size(change.new_oid)
        except MissingObject as error:
            _note(missing, error.oid)
        return FileChange(
            filename=filename,
            old_filename=old_filename,
            change_type=_TYPES.get(change.status, "unknown"),
            index_status=change.status,
            worktree_status=".",
            old_mode=_mode(change.old_mode),
            new_mode=_mode(change.new_mode),
            old_oid=change.old_oid,
            new_oid=change.new_oid,
            size_bytes=size,
            additions=counts.additions,
            deletions=counts.deletions,
            binary=counts.binary,
            filename_bytes=filename_bytes,
            old_filename_bytes=old_filename_bytes,
        )


def _note(missing: list[Oid], oid: Oid) -> None:
    if oid not in missing:
        missing.append(oid)


@functools.lru_cache(maxsize=64)
def _mode(mode: int) -> str | None:
    return f"{mode:06o}" if mode else None
