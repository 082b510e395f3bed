"""What ``status`` and ``doctor`` say of our hooks in a hook manager's configuration."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import NamedTuple

from mgit_hooks.framework import configfile
from mgit_hooks.framework.manifest import LOCAL, stages
from mgit_hooks.installer import confighooks, front, hookfiles, stubs
from mgit_hooks.installer.findings import Finding
from mgit_hooks.layout import Location
from mgit_hooks.record import Json

_NAMES = ("pre-commit", "prek")


class Managed(NamedTuple):
    file: str
    ids: tuple[str, ...]  # of our hooks in it
    repos: tuple[str, ...]  # where the manager takes them from
    runs: tuple[str, ...]  # the hooks of git's that the manager has a hook at
    missing: tuple[str, ...]  # those that ours need, and that it has none at
    left_out: tuple[str, ...]  # those that its plain ``install`` would leave out

    @property
    def serves(self) -> bool:
        """Whether the manager runs ours, the recorder among them."""
        return "mgit-capture" in self.ids and not self.missing

    def to_json(self) -> Json:
        return {name: list(value) if isinstance(value, tuple) else value for name, value in self._asdict().items()}


def look(location: Location) -> Managed | None:
    """None where no configuration has hooks of ours. Raises ConfigError where it cannot be read."""
    found = configfile.look(location)
    if found is None:
        return None
    file, configured = found
    needed = stages(configured.ids)
    runs = tuple(hook for hook in needed if _stands(location, hook))
    missing = tuple(hook for hook in needed if hook not in runs)
    return Managed(file, configured.ids, configured.repos, runs, missing, configured.missing_types)


def _stands(location: Location, hook: str) -> bool:
    """Whether a manager's hook is where git runs it, be it behind a stub of ours."""
    directory = hookfiles.hooks_dir(location)
    folders = [directory] + [front.behind(location)] * (directory == front.folder(location))
    for folder in folders:
        path = os.path.join(location.root or location.git_dir, folder, hook)
        if hookfiles.is_framework(path) or hookfiles.is_framework(path + stubs.CHAINED):
            return True
    named = confighooks.would_run(location.root or location.git_dir, hook)
    return any(manager in name for name in named for manager in _NAMES)


def check(location: Location) -> Iterator[Finding]:
    managed = look(location)
    if managed is None:
        return
    if managed.missing:
        names = ", ".join(managed.missing)
        types = " ".join(f"-t {hook}" for hook in managed.missing)
        told = f"{managed.file} has hooks of ours for which the manager has no hook in git's place: {names}"
        directory = hookfiles.hooks_dir(location)
        own = all(hookfiles.inspect(directory, hook).runs for hook in managed.missing)  # stubs do the same there
        remedy = f"run 'pre-commit install {types}', or the same with prek"
        yield Finding("remark" if own else "fault", told, remedy)
    elif managed.left_out:
        told = f"{managed.file}: a plain 'pre-commit install' leaves out {', '.join(managed.left_out)}"
        yield Finding("remark", told, "'mgit-hooks install --mode pre-commit' names them in it")
    if LOCAL in managed.repos and _program() is None:
        told = f"{managed.file} starts mgit-hooks, which is not on PATH"
        yield Finding("fault", told, "put it on PATH, for whatever starts git too")


def _program() -> str | None:
    from shutil import which

    return which("mgit-hooks")
