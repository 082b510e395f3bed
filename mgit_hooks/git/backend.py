"""What is asked of a repository. libgit2 answers where it can (``library``), git's own commands where not (``twin``).

Both give the same values, and what is computed from them (renames, line counts, binary or text) is one code over
both: a record does not depend on who read it (tests/kinds). Neither fetches anything, and neither looks at what a
replace ref or a graft puts in an object's place.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeAlias

from mgit_hooks.capture.rawdiff import Change
from mgit_hooks.errors import ObjectError, RepositoryError
from mgit_hooks.record import Oid

if TYPE_CHECKING:
    from pygit2 import Blob as LibraryBlob

Blob: TypeAlias = "LibraryBlob | Content"


class MissingObject(ObjectError):
    """An object that git should have and that cannot be read; ``oid`` names it."""

    def __init__(self, oid: Oid) -> None:
        remedy = "run 'git fsck'; then fetch it again or restore it from a backup"
        super().__init__(f"object {oid} is missing or damaged", remedy)
        self.oid = oid


class Refused(RepositoryError):
    """libgit2 does not know this kind of repository or index. git does."""


class Head(NamedTuple):
    """``branch`` is None where HEAD is detached, ``oid`` where the branch is unborn."""

    branch: str | None
    oid: Oid | None


class Content(bytes):
    """A blob's bytes, with the one attribute of libgit2's blobs that is asked for."""

    @property
    def size(self) -> int:
        return len(self)


class Objects(Protocol):
    """The objects of one repository, read as bytes. Not for use by two threads at once."""

    def read(self, oid: Oid) -> bytes:
        """Raises MissingObject."""

    def read_commit(self, oid: Oid) -> bytes:
        """Raises MissingObject, or ObjectError where the object is not a commit."""

    def peel_to_commit(self, oid: Oid) -> Oid | None:
        """The commit that a chain of tags ends at; None where it ends at something else. Raises MissingObject."""

    def blob(self, oid: Oid) -> Blob:
        """Seen through the buffer protocol. Raises MissingObject."""

    def reading_order(self, oids: Iterable[Oid]) -> list[Oid]:
        """The order in which many are read with the least work."""

    def size(self, oid: Oid) -> int:
        """Bytes, from the object's header. Raises MissingObject."""

    def __contains__(self, oid: Oid) -> bool: ...

    def changes(self, old: Oid | None, new: Oid | None) -> list[Change]:
        """What differs between two trees (None is the empty one), by path; renames are not looked for.

        Raises MissingObject where a tree cannot be read.
        """


class Backend(Objects, Protocol):
    """One repository. ``git_dir`` is its common directory or a linked worktree's."""

    git_dir: str
    object_format: str
    """``sha1`` or ``sha256``."""

    def references(self) -> dict[str, Oid]:
        """Every direct ref and its object, tags not peeled. A symbolic ref only repeats another: left out.

        Raises RepositoryError where they cannot be read: a ref that is passed over would count as deleted.
        """

    def head(self) -> Head:
        """Raises RepositoryError where HEAD, or the branch that it names, cannot be read."""

    def is_ancestor(self, old: Oid, new: Oid) -> bool | None:
        """Whether ``new`` holds all of ``old``'s history; None where an object to tell by is not here."""

    def staged_changes(self, index_file: str, tree: Oid | None) -> list[Change]:
        """What the index in ``index_file`` has against ``tree``, by path; no renames. ``U`` is an unmerged path.

        What `git add -N` only promised is left out, as git does. Raises RepositoryError where the index
        cannot be read, MissingObject where the tree cannot.
        """

    def workdir(self) -> str | None:
        """The worktree's top; None in a bare repository."""

    def attribute(self, path: bytes) -> str | bool | None:
        """The ``diff`` attribute of a path; None where it has none."""

    def setting(self, key: str) -> str | None:
        """The value that git's configuration has for ``key``, the last one of several; None where it has none."""

    def close(self) -> None:
        """End what it has started. Done by itself when the last reference is gone."""
