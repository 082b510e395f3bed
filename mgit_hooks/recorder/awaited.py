"""Whether a git process runs that may be about to start a hook in this repository, as far as ``/proc`` tells."""

from __future__ import annotations

import os
from typing import Final

from mgit_hooks.files import is_file, is_folder, open_to_read
from mgit_hooks.git import gitfiles

_PROC: Final = "/proc"
# JGit runs hooks too, within a Java process.
_NAMES: Final = (b"git", b"java")
_DAEMON: Final = b"fsmonitor--daemon"


def may_come(common_dir: str) -> bool:
    """Whether a hook may still come: a git process starts it, and waits for its end. True where nobody can tell."""
    try:
        pids = [name for name in os.listdir(_PROC) if name.isdigit()]
    except OSError:
        return True
    here = os.path.realpath(common_dir)
    return not pids or any(_may_be_here(os.path.join(_PROC, pid), here) for pid in pids)


def _may_be_here(process: str, common_dir: str) -> bool:
    name = _content(os.path.join(process, "comm"))
    if name is None or not name.startswith(_NAMES):
        return False
    if _DAEMON in (_content(os.path.join(process, "cmdline")) or b""):
        return False
    try:
        folder = os.readlink(os.path.join(process, "cwd"))
    except FileNotFoundError:
        return False  # it has ended
    except OSError:
        return True  # another user's
    # git goes to the top of the worktree, or stays in a bare repository, before it runs a hook.
    try:
        repository = _repository_at(folder)
    except OSError:
        return True  # nobody lets us look there
    return repository is None or os.path.realpath(repository) == common_dir


def _repository_at(folder: str) -> str | None:
    """The common directory of the repository whose top this folder is; None where that cannot be told."""
    git_dir = os.path.join(folder, ".git")
    if is_file(git_dir):
        told = (_content(git_dir) or b"").removeprefix(b"gitdir: ").rstrip(b"\n")
        git_dir = os.path.join(folder, os.fsdecode(told))
    if is_folder(os.path.join(folder, "objects")) and not is_folder(git_dir):
        git_dir = folder
    return gitfiles.common_dir(git_dir) if is_folder(git_dir) else None


def _content(path: str) -> bytes | None:
    try:
        with open_to_read(path) as file:
            return file.read(4096)
    except OSError:
        return None
