"""``install --global``: our hooks in every repository of the user's that has asked, through config-based hooks.

What is ours stands in one folder: the stubs, and a file of configuration that names them. The user's own configuration
gets one line, ``include.path``, last when installing and first out when uninstalling. So every state that a kill leaves
is whole: git reads all of ours or nothing, and a folder that is gone is an include that git passes over.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import Final, NamedTuple

from mgit_hooks import files, lock
from mgit_hooks.errors import MgitError, UsageError
from mgit_hooks.git import plumbing
from mgit_hooks.installer import confighooks, hookfiles, stubs
from mgit_hooks.installer.install import boot_path
from mgit_hooks.record import Json

_INCLUDE: Final = "include.path"


class Change(NamedTuple):
    hook: str
    action: str  # written | renewed | unchanged | removed


class Report(NamedTuple):
    configuration: str  # our file, which the user's configuration includes
    hooks_dir: str
    hooks: tuple[Change, ...]

    def to_json(self) -> Json:
        hooks = [change._asdict() for change in self.hooks]
        return {"configuration": self.configuration, "hooks_dir": self.hooks_dir, "hooks": hooks}


class State(NamedTuple):
    """What there is of a global installation."""

    configuration: str
    included: bool  # the user's configuration names our file
    stubs: tuple[tuple[str, str], ...]  # hook and state, as HookFile has it
    current: bool  # our file is as this version writes it

    @property
    def whole(self) -> bool:
        return self.included and self.current and all(state == "installed" for _, state in self.stubs)

    @property
    def startable(self) -> tuple[str, ...]:
        """The hooks whose stub is there to be run."""
        return tuple(hook for hook, state in self.stubs if state in ("installed", "outdated", "modified"))


def folder() -> str:
    """Where our files are: ``mgit-hooks`` in XDG_DATA_HOME, which is ``~/.local/share`` unless it is absolute."""
    base = os.environ.get("XDG_DATA_HOME", "")
    if not os.path.isabs(base):
        base = os.path.join(os.path.expanduser("~"), ".local", "share")
    return os.path.join(base, "mgit-hooks")


def configuration() -> str:
    return os.path.join(folder(), "hooks.gitconfig")


def hooks_folder() -> str:
    return os.path.join(folder(), "hooks")


def install(*, python: str | None = None, boot: str | None = None) -> Report:
    """Write stubs and configuration, and have the user's configuration include it. Again: changes nothing.

    Raises UsageError, with nothing changed, where git has no config-based hooks or somebody else has entries of
    our names; MgitError where git cannot write the user's configuration.
    """
    python = python or sys.executable
    if not python:
        raise MgitError("Python does not know its own path", "start mgit-hooks by the full path of its interpreter")
    _require_support()
    _require_our_names()
    os.makedirs(hooks_folder(), exist_ok=True)
    with lock.folder(folder(), "the global installation"):
        changes = tuple(_write_stub(hook, python, boot or boot_path()) for hook in stubs.HOOKS)
        _write(configuration(), confighooks.text(hooks_folder()), 0o644)
        hookfiles.sync_folder(hooks_folder())
        hookfiles.sync_folder(folder())
        if not _included():
            _change("--add", _INCLUDE, configuration())
    return Report(configuration(), hooks_folder(), changes)


def uninstall() -> Report:
    """Take the line out of the user's configuration, then our files. What else is there stays.

    Needs no particular git. Raises MgitError where git cannot write the user's configuration.
    """
    changes: list[Change] = []
    if _included():
        _change("--fixed-value", "--unset-all", _INCLUDE, configuration())
    if files.is_folder(folder()):
        with lock.folder(folder(), "the global installation"):
            for hook in stubs.HOOKS:
                path = os.path.join(hooks_folder(), hook)
                if hookfiles.is_stub(path, hook):
                    os.unlink(path)
                    changes.append(Change(hook, "removed"))
            with suppress(FileNotFoundError):
                os.unlink(configuration())
            for path in (hooks_folder(), folder()):
                with suppress(OSError):  # somebody has put something there
                    os.rmdir(path)
    return Report(configuration(), hooks_folder(), tuple(changes))


def look() -> State | None:
    """What there is of a global installation; None where there is nothing."""
    included = _included()
    if not included and not files.lexists(configuration()):
        return None
    found = tuple((hook, hookfiles.inspect(hooks_folder(), hook)) for hook in stubs.HOOKS)
    return State(
        configuration(),
        included,
        tuple((hook, each.state if each.executable or not each.ours else "not executable") for hook, each in found),
        hookfiles.read(configuration()) == confighooks.text(hooks_folder()),
    )


def _require_support() -> None:
    if not confighooks.supported():
        told = plumbing.run(("--version",)).stdout.decode("utf-8", "replace").strip() or "the git on PATH"
        raise UsageError(
            f"{told} has no config-based hooks, which 'install --global' needs",
            f"use git {confighooks.OLDEST_GIT} or newer, or run 'mgit-hooks install' in each repository",
        )


def _require_our_names() -> None:
    # Of a switch ("enabled") nobody is kept: it is how one of ours is turned off.
    others = [
        each
        for each in confighooks.settings(None, "--global")
        if each.ours and each.key in ("command", "event") and not _is_configuration(each.origin)
    ]
    if others:
        raise UsageError(
            f"hook.{others[0].name}.{others[0].key} is set in {others[0].origin}, and not by mgit-hooks",
            "give that entry another name, and run the command again",
        )


def _is_configuration(path: str) -> bool:
    return path == configuration() or os.path.realpath(path) == os.path.realpath(configuration())


def _included() -> bool:
    told = plumbing.run(("config", "--global", "-z", "--get-all", _INCLUDE))
    return os.fsencode(configuration()) in told.stdout.split(b"\0")


def _change(*arguments: str) -> None:
    """One change by git itself: under its lock, by a rename, into whichever file it takes for the user's."""
    done = plumbing.run(("config", "--global", *arguments))
    if done.status:
        said = done.stderr.strip().splitlines()
        raise MgitError(
            f"git cannot change your configuration: {said[-1] if said else f'it ends with {done.status}'}",
            "mend that and run the command again",
        )


def _write_stub(hook: str, python: str, boot: str) -> Change:
    path, content = os.path.join(hooks_folder(), hook), stubs.assemble(hook, python, boot, everywhere=True)
    return Change(hook, _write(path, content, hookfiles.STUB_MODE))


def _write(path: str, content: bytes, mode: int) -> str:
    """The file at ``path`` whole or as it was; what was done."""
    there = files.status(path, follow=False)
    if there is not None and hookfiles.read(path) == content and there.st_mode & 0o777 == mode:
        return "unchanged"
    hookfiles.write(path, content, mode)
    return "written" if there is None else "renewed"
