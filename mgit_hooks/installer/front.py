"""A hooks folder of this repository's own, before one that others use too (``install --in-front``).

husky, and whoever keeps hooks among the files of a project, sets ``core.hooksPath`` in the repository's own
configuration, and sets it anew with each ``npm install``. A conditional include behind that line points git to our
folder all the same; what such a tool sets is the folder *behind*, and our stubs go on to it. The condition is where the
repository is: in one that was moved or copied the include says nothing, and git goes by what the others have set.
"""

from __future__ import annotations

import os
from contextlib import ExitStack, suppress
from typing import Final

from mgit_hooks import files
from mgit_hooks.errors import MgitError
from mgit_hooks.git import plumbing
from mgit_hooks.installer import hookfiles, stubs
from mgit_hooks.layout import Location

NAME: Final = "mgit-hooks"
_INCLUDED: Final = f"{NAME}/config"

ALWAYS: Final = ("applypatch-msg", "pre-applypatch", "prepare-commit-msg", "pre-rebase", "pre-auto-gc")
"""Hooks that we have no stub for and that may come to stand behind at any time."""
RARE: Final = (
    "reference-transaction", "post-index-change", "sendemail-validate", "pre-receive", "update", "proc-receive",
    "post-receive", "post-update", "push-to-checkout", "fsmonitor-watchman", "p4-changelist",
    "p4-prepare-changelist", "p4-post-changelist", "p4-pre-submit",
)  # fmt: skip
"""Those whose presence alone costs something or changes what git does: only where they stand behind."""


def folder(location: Location) -> str:
    """Beside ``.git/mgit``, which is closed to others: their git has to find the hooks behind too."""
    return os.path.join(location.common_dir, NAME)


def stands(location: Location) -> bool:
    return files.is_file(os.path.join(folder(location), "config"))


def behind(location: Location) -> str:
    """The folder that git would run hooks from without ours, as configured: it may be relative to the worktree."""
    told = _git(location, "config", "-z", "--type=path", "--get-all", "core.hooksPath").stdout
    others = [os.fsdecode(value) for value in told.split(b"\0")[:-1] if os.fsdecode(value) != folder(location)]
    return others[-1] if others else os.path.join(location.common_dir, "hooks")


def onward(location: Location) -> tuple[str, ...]:
    """The hooks, none of ours, that are to go on from our folder to the one behind."""
    back = os.path.join(location.root or location.git_dir, behind(location))
    return (*ALWAYS, *(hook for hook in RARE if os.access(os.path.join(back, hook), os.X_OK)))


def missing(location: Location) -> list[str]:
    """Hooks that somebody has put behind since, and that git does not find."""
    return [hook for hook in onward(location) if not files.lexists(os.path.join(folder(location), hook))]


def fill(location: Location, wanted: tuple[str, ...], undo: ExitStack) -> None:
    """Write what goes on to the folder behind, for all hooks but those ``wanted``, which have a stub."""
    directory = folder(location)
    included = os.path.join(directory, "config")
    if not files.lexists(included):
        undo.callback(_unlink, included)
    _must(_git(location, "config", "--file", included, "core.hooksPath", directory))
    going = onward(location)
    for hook in (*ALWAYS, *RARE):
        path = os.path.join(directory, hook)
        if hook in wanted or hook not in going:
            if hookfiles.read(path) == stubs.onward(hook):
                os.unlink(path)
        elif not files.lexists(path):
            undo.callback(_unlink, path)
            hookfiles.write(path, stubs.onward(hook), hookfiles.STUB_MODE)


def is_pointed_to(location: Location) -> bool:
    """Whether git goes by our folder."""
    return hookfiles.hooks_dir(location) == folder(location)


def point(location: Location, undo: ExitStack) -> None:
    """Have git go by our folder. Raises MgitError where something wins over the repository's own configuration."""
    if not is_pointed_to(location):
        unpoint(location)
        undo.callback(unpoint, location)
        for condition in _conditions(location):
            key = f"includeIf.{condition}.path"
            _must(_git(location, "config", "--file", _config(location), "--add", key, _INCLUDED))
        found = hookfiles.hooks_dir(location)
        if found != folder(location):
            raise MgitError(
                f"git goes on to run hooks from {found}: core.hooksPath is set where it wins over this repository's",
                "see 'git config --show-scope --show-origin --get-all core.hooksPath'",
            )
    hookfiles.write(os.path.join(folder(location), "behind"), os.fsencode(behind(location)) + b"\n", 0o644)


def unpoint(location: Location) -> None:
    """Take our includes out, those too of the places where this repository once was."""
    told = _git(location, "config", "--file", _config(location), "-z", "--name-only", "--get-regexp",
                r"^includeif\..*\.path$", f"^{_INCLUDED}$")  # fmt: skip
    for key in dict.fromkeys(told.stdout.split(b"\0")[:-1]):
        name = os.fsdecode(key)
        _must(_git(location, "config", "--file", _config(location), "--unset-all", name, f"^{_INCLUDED}$"))


def clear(location: Location) -> None:
    """Take the folder away. What another tool has written there goes to where it would have without us."""
    directory = folder(location)
    if not files.is_folder(directory):
        return
    for name in sorted(os.listdir(directory)):
        path = os.path.join(directory, name)
        if _is_ours(path, name):
            os.unlink(path)
            continue
        back = os.path.join(location.root or location.git_dir, behind(location))
        if files.is_folder(back) and not files.lexists(os.path.join(back, name)):
            os.replace(path, os.path.join(back, name))
    with suppress(OSError):  # something is left that somebody will miss
        os.rmdir(directory)


def _is_ours(path: str, name: str) -> bool:
    """What we have written there, what a run that was killed has left of a file being written included."""
    if name.partition(".")[0] in ("config", "behind"):
        return True
    hooks = (*ALWAYS, *RARE)
    if name in hooks:
        return hookfiles.read(path) == stubs.onward(name)
    return any(name == hookfiles.scratch_name(hook) for hook in (*hooks, *stubs.HOOKS))


def _conditions(location: Location) -> tuple[str, str]:
    """The repository itself, and its linked worktrees."""
    place = "".join("\\" + char if char in "\\*?[" else char for char in location.common_dir)
    return f"gitdir:{place}", f"gitdir:{place}/worktrees/**"


def _config(location: Location) -> str:
    return os.path.join(location.common_dir, "config")


def _git(location: Location, *arguments: str) -> plumbing.Result:
    return hookfiles.git_of_hooks(location, *arguments)


def _must(result: plumbing.Result) -> None:
    if result.status:
        raise MgitError(result.stderr.strip() or "git config failed", "mend that and run the command again")


def _unlink(path: str) -> None:
    with suppress(FileNotFoundError):
        os.unlink(path)
