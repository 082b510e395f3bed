"""The repository that a changeset is about, asked only where a repair needs it: opened by the first question."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from mgit_hooks.changesets import againstgit, patience
from mgit_hooks.errors import ObjectError, RepositoryError
from mgit_hooks.judging.validate import exception_issue
from mgit_hooks.record import Commit, Issue, Json, Oid


class Asked:
    """A context manager. ``changeset`` may be any JSON object: without an absolute path that is a repository's, there
    is nobody to ask."""

    def __init__(self, changeset: Json) -> None:
        self.path: Any = changeset.get("repository_path")
        self._here: againstgit.AtHand | None = None
        self._asked = False

    def __enter__(self) -> Asked:
        return self

    def __exit__(self, *_: object) -> None:
        if self._here is not None:
            self._here.close()

    def commit(self, oid: Oid) -> Commit:
        """Raises ObjectError where git has none of that name, OSError where it cannot be read just now."""
        here = self._opened()
        if here is None:
            raise ObjectError(f"there is no repository at {self.path!r:.200} that can be asked")
        full = here.full(oid)
        if full is None:
            raise ObjectError(f"git has no commit {oid}")
        return here.read(full)

    def content(self, change: Json) -> bytes | None:
        """Raises OSError."""
        here = self._opened()
        return None if here is None else here.content(change)

    def against(self, changeset: Json) -> Iterable[Issue]:
        return against(changeset)

    def _opened(self) -> againstgit.AtHand | None:
        if not self._asked:
            try:
                with patience.at_most(patience.LONGEST):
                    self._here = againstgit.open_at(self.path) if isinstance(self.path, str) and self.path else None
            except (RepositoryError, TimeoutError):
                self._here = None
            self._asked = True
        return self._here


def against(changeset: Any) -> Iterable[Issue]:
    """What git says against a changeset, at level strict; that it could not be asked, where that failed."""
    try:
        return againstgit.against_git(changeset).issues
    except Exception as error:  # as in validation: one repository in whatever state must not take the others with it
        return (exception_issue(error),)
