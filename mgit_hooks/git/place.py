"""Where a repository is, by what lies at a path: nothing further up or down is looked at."""

from __future__ import annotations

import os
from typing import Final, NamedTuple

from mgit_hooks.errors import RepositoryError
from mgit_hooks.files import is_folder, lexists, read

_LONGEST_GITFILE: Final = 64 * 1024  # bytes


class Place(NamedTuple):
    """Where a repository is: ``path`` is the top of its worktree, or the folder of a bare one."""

    path: str
    git_dir: str

    @property
    def name(self) -> str:
        """The folder people know the repository by, without the ``.git`` of a bare one."""
        return os.path.basename(self.path).removesuffix(".git") or "/"


def place_of(path: str) -> Place:
    """Raises RepositoryError where no repository is at ``path`` itself."""
    real = os.path.realpath(path)
    inner = os.path.join(real, ".git")
    if is_folder(inner):
        return Place(real, inner)
    if lexists(inner):
        return Place(real, _linked(inner))
    if _is_git_dir(real):
        return Place(real, real)
    raise RepositoryError(f"{real} is not a git repository", "name the top of one")


def _linked(gitfile: str) -> str:
    """The git directory that a ``.git`` file names: of a linked worktree, or a submodule."""
    said = os.fsdecode(read(gitfile, _LONGEST_GITFILE)).rstrip("\r\n")
    if not said.startswith("gitdir: "):
        raise RepositoryError(f"{gitfile} does not say where its repository is", "see what 'git status' says there")
    # As the system goes through it: `link/..` is not where the link is.
    found = os.path.realpath(os.path.join(os.path.dirname(gitfile), said.removeprefix("gitdir: ")))
    if not is_folder(found):
        raise RepositoryError(f"{gitfile} leads to {found}, and there is none", "see what 'git status' says there")
    return found


def _is_git_dir(path: str) -> bool:
    """As git's is_git_directory: a HEAD, and folders for objects and refs."""
    head = lexists(os.path.join(path, "HEAD"))
    return head and is_folder(os.path.join(path, "objects")) and is_folder(os.path.join(path, "refs"))
