"""Where a repository's parts and our files in it are."""

from __future__ import annotations

import errno
import os
from typing import NamedTuple

from mgit_hooks import operation
from mgit_hooks.errors import RepositoryError
from mgit_hooks.files import is_folder, sync_directory
from mgit_hooks.git import plumbing

MAIN_WORKTREE = "main-worktree"


class Location(NamedTuple):
    """One worktree of one repository. Paths are absolute; ``root`` is None in a bare repository."""

    git_dir: str
    common_dir: str
    root: str | None

    @property
    def mgit_dir(self) -> str:
        return os.path.join(self.common_dir, "mgit")

    @property
    def journal_dir(self) -> str:
        return os.path.join(self.mgit_dir, "journal")

    @property
    def spool_dir(self) -> str:
        return os.path.join(self.mgit_dir, "spool")

    @property
    def worktree(self) -> str:
        """``main-worktree`` or ``worktrees/NAME``, as git names per-worktree refs."""
        return worktree_name(self.git_dir, self.common_dir)

    @property
    def gate_flag(self) -> str:
        return os.path.join(self.mgit_dir, "gate", *self.worktree.split("/"))

    @property
    def open_names(self) -> str:
        """Beside the gate flag, where it says open: the files that it hangs on, as a folder of names."""
        return os.path.join(self.mgit_dir, "gate", "open", *self.worktree.split("/"))

    @property
    def repository_path(self) -> str:
        """The main worktree's top, whichever worktree this is; of a bare repository, its folder.

        From a linked worktree nothing leads to a main one whose repository is elsewhere (``--separate-git-dir``, a
        submodule): then that folder.
        """
        if os.path.basename(self.common_dir) == ".git":
            return os.path.dirname(self.common_dir)
        return self.root if self.root is not None and self.git_dir == self.common_dir else self.common_dir

    @property
    def repository_name(self) -> str:
        """The folder people know the repository by, without the ``.git`` of a bare one."""
        return os.path.basename(self.repository_path).removesuffix(".git") or "/"


def worktree_name(git_dir: str, common_dir: str) -> str:
    if git_dir == common_dir:
        return MAIN_WORKTREE
    return f"worktrees/{os.path.basename(git_dir)}"


def locate(directory: str = ".") -> Location:
    """The repository that git itself finds from ``directory`` (and from ``GIT_DIR`` and its kin).

    Raises RepositoryError with git's own reason: not a repository, owned by someone else, and so on.
    """
    result = plumbing.run(
        ("rev-parse", "--path-format=absolute", "--git-dir", "--git-common-dir", "--is-bare-repository"),
        directory=directory,
    )
    if result.status:
        raise RepositoryError(*_explain(result.stderr, directory))
    lines = os.fsdecode(result.stdout).removesuffix("\n").split("\n")
    if len(lines) != 3:  # the name of a folder holds a newline
        lines = [_ask(directory, question) for question in ("--git-dir", "--git-common-dir", "--is-bare-repository")]
    git_dir, common_dir, bare = lines
    root = None
    if bare != "true":
        root = _ask(directory, "--show-toplevel") or None
    found = Location(os.path.realpath(git_dir), os.path.realpath(common_dir), root)
    operation.at(found.mgit_dir)
    return found


def _ask(directory: str, question: str) -> str:
    """One answer of rev-parse; nothing where git has none."""
    result = plumbing.run(("rev-parse", "--path-format=absolute", question), directory=directory)
    return "" if result.status else os.fsdecode(result.stdout).removesuffix("\n")


def _explain(stderr: str, directory: str) -> tuple[str, str]:
    lines = stderr.strip().removeprefix("fatal: ").splitlines() or ["git failed"]
    # Of an unknown extension the name stands in the line below.
    reason = " ".join(map(str.strip, lines)) if lines[0].endswith(":") else lines[0]
    if "dubious ownership" in reason:
        import shlex

        return (
            reason,
            f"if you trust its owner: git config --global --add safe.directory {shlex.quote(_quoted(reason))}",
        )
    if "not a git repository" in reason:
        return (
            f"{os.path.abspath(directory)} is not in a git repository",
            "change to one, or name it with -C DIR",
        )
    if reason.startswith("cannot change to"):
        return reason, "name a folder that is there, and that you may enter"
    return reason, "see what 'git status' says there"


def _quoted(reason: str) -> str:
    """The path in the words of git: ``detected dubious ownership in repository at '/a/b'``."""
    return reason.partition("'")[2].rpartition("'")[0] or "PATH"


def make_private_dir(path: str) -> None:
    """Create ``path`` and its missing parents with mode 0700, whatever the umask.

    Never a repository's own folder, where it was deleted while we were at work. Raises OSError.
    """
    if not is_folder(path):
        parent = os.path.dirname(path)
        if not is_folder(parent):
            if parent.endswith(".git"):
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), parent)
            make_private_dir(parent)
        try:
            os.mkdir(path, 0o700)
        except FileExistsError:
            return
        os.chmod(path, 0o700)


def make_lasting_dir(path: str) -> None:
    """As ``make_private_dir``, and on the disk with every folder that was made when this returns."""
    made = []
    at = os.path.abspath(path)
    while not is_folder(at) and os.path.dirname(at) != at:
        made.append(at)
        at = os.path.dirname(at)
    make_private_dir(path)
    for folder in reversed(made):
        sync_directory(os.path.dirname(folder))
