"""A worktree against its index and HEAD, told by ``git status``: whatever git knows of ignored files, filters, sparse
and split indexes and file systems counts, and nothing is written.

Nothing of the user's is run for it: no fsmonitor, and no filter, so that a file which a filter changes counts as
modified where its size or time is not the index's. A repository that was found somewhere may name any program.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

from mgit_hooks.capture.rawdiff import GITLINK
from mgit_hooks.errors import RepositoryError
from mgit_hooks.files import lexists, read
from mgit_hooks.git import gitfiles, plumbing, porcelain
from mgit_hooks.git.asking import reason
from mgit_hooks.git.backend import Backend
from mgit_hooks.git.place import Place

_COMMAND = ("status", "--porcelain=v2", "-z", "--untracked-files=all", "--ignore-submodules=none", "--no-ahead-behind")
_COPIES = ("copies", "copy")
_YES = ("true", "yes", "on", "1")
_MODE = GITLINK.to_bytes(4, "big")
_LARGEST_INDEX = 1 << 30
# Whatever reads the index asks the monitor, `git ls-files` too.
_NO_MONITOR = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "core.fsmonitor", "GIT_CONFIG_VALUE_0": "false"}


def top_of(place: Place, git: Backend) -> str | None:
    """Of the worktree, as git has it (setup.c): where its ``.git`` lies, or what ``core.worktree`` names, of which a
    linked one takes no notice; None where there is none. libgit2 takes whatever is above the git directory.
    """
    named = git.setting("core.worktree") is not None
    if place.path != place.git_dir:
        if gitfiles.common_dir(place.git_dir) != place.git_dir:
            return place.path
        if not named:
            return None if (git.setting("core.bare") or "").lower() in _YES else place.path
    elif not named and os.path.basename(place.path) != ".git":
        return None
    found = git.workdir()
    return None if found is None else os.path.realpath(found)


def status(top: str, git: Backend, git_dir: str | None = None) -> list[porcelain.Entry]:
    """Of the worktree at ``top``; untracked files each by itself. Raises RepositoryError, also for someone else's.

    ``git_dir`` where that is not what git finds from ``top`` on.
    Renames are looked for whatever the configuration says, copies where ``status.renames`` (or ``diff.renames``) says
    so.
    """
    told = plumbing.run(_COMMAND, directory=top, env=environment(top, git, git_dir))
    if told.status:
        raise RepositoryError(
            f"git cannot read the worktree at {top}: {reason(told)}", "see what 'git status' says there"
        )
    try:
        return list(porcelain.entries(told.stdout))
    except ValueError as error:
        raise RepositoryError(f"{top}: {error}", "see what 'git status --porcelain=v2' says there") from error


def require_trusted(git_dir: str) -> None:
    """Raise RepositoryError where git would not read the bare repository at ``git_dir``: someone else's."""
    told = plumbing.run(("rev-parse", "--git-dir"), directory=git_dir, env=_only_at(git_dir))
    if told.status:
        raise RepositoryError(f"git cannot read {git_dir}: {reason(told)}", "see what 'git status' says there")


def environment(top: str, git: Backend, git_dir: str | None) -> dict[str, str]:
    env = {**_only_at(top), **_NO_MONITOR}
    if git_dir is not None:
        env.update(GIT_DIR=git_dir, GIT_WORK_TREE=top)
    looked_for = git.setting("status.renames") or git.setting("diff.renames") or ""
    given = [
        ("core.fsmonitor", "false"),
        ("status.renames", "copies" if looked_for.lower() in _COPIES else "true"),
        ("status.relativePaths", "false"),
        *_without_programs(_filters(top, git, env)),
    ]
    env["GIT_CONFIG_COUNT"] = str(len(given))
    for number, (key, value) in enumerate(given):
        env[f"GIT_CONFIG_KEY_{number}"] = key
        env[f"GIT_CONFIG_VALUE_{number}"] = value
    return env


def _filters(top: str, git: Backend, env: dict[str, str]) -> set[str]:
    """Of the repository and of the submodules in its worktree, however deep: what git asks them about runs their own
    filters. Each folder is looked at once, by whatever links it is reached.

    git itself is asked, where and as `git status` will run there: whatever reads a configuration, a ``.git`` file or an
    owner otherwise than git does would leave a filter to be run.
    """
    found = _configured(top, env)
    seen = {os.path.realpath(top)}
    waiting = _submodules(top, env) if _may_have_submodules(git.git_dir) else []
    while waiting:
        path = waiting.pop()
        real = os.path.realpath(path)
        if real not in seen and lexists(os.path.join(path, ".git")):
            seen.add(real)
            inside = {**plumbing.without_local(os.environ), **_NO_MONITOR, "GIT_DIR": ".git"}  # as submodule.c has it
            found |= _configured(path, inside)
            waiting += _submodules(path, inside)
    return found


def _configured(directory: str, env: dict[str, str]) -> set[str]:
    """The names of the filters that the configuration gives a program to; gitattributes(5). One may be empty. None
    where git reads nothing there: nor does `git status` then."""
    told = plumbing.run(("config", "-z", "--name-only", "--list"), directory=directory, env=env)
    keys = os.fsdecode(told.stdout).split("\0")
    found = (key.removeprefix("filter.").rpartition(".") for key in keys if key.startswith("filter."))
    return {name for name, dot, _ in found if dot}


def _submodules(top: str, env: dict[str, str]) -> list[str]:
    """The paths of all entries of the index that are submodules."""
    told = plumbing.run(("ls-files", "--stage", "-z"), directory=top, env=env)
    mode = b"%o " % GITLINK
    named = (entry.partition(b"\t")[2] for entry in told.stdout.split(b"\0") if entry.startswith(mode))
    return [os.path.join(top, os.fsdecode(path)) for path in named]


def _may_have_submodules(git_dir: str) -> bool:
    """Whether the bytes of their mode are in an index at all (gitformat-index(5)): listing it costs as much as a
    status."""
    try:
        names = [name for name in os.listdir(git_dir) if name == "index" or name.startswith("sharedindex.")]
        return any(_MODE in read(os.path.join(git_dir, name), _LARGEST_INDEX) for name in names)
    except OSError:
        return True


def _without_programs(filters: Iterable[str]) -> Iterable[tuple[str, str]]:
    for name in filters:
        yield f"filter.{name}.clean", ""
        yield f"filter.{name}.process", ""
        yield f"filter.{name}.required", "false"


def _only_at(path: str) -> dict[str, str]:
    """An environment in which git finds the repository at ``path``: one further up is another one."""
    return {**plumbing.without_local(os.environ), "GIT_CEILING_DIRECTORIES": os.path.dirname(path)}
