"""What ``status`` and ``doctor`` say of config-based hooks: ours (``install --global``) and others'."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from mgit_hooks.installer import confighooks, everywhere, hookfiles, interpreter, stubs
from mgit_hooks.installer.findings import Finding
from mgit_hooks.layout import Location
from mgit_hooks.record import Json


class Here(NamedTuple):
    """Config-based hooks as they are in one repository."""

    state: everywhere.State | None  # of our global installation
    runs: frozenset[str]  # the hooks for which git runs ours here
    others: tuple[str, ...]  # the names of others' entries

    def to_json(self) -> Json | None:
        if self.state is None:
            return None
        runs = [hook for hook in stubs.HOOKS if hook in self.runs]
        return {"configuration": self.state.configuration, "whole": self.state.whole, "runs": runs}


def look(location: Location) -> Here:
    """Asks git for each hook only where something of ours is installed."""
    directory = location.root or location.git_dir
    state = everywhere.look()
    names = dict.fromkeys(each.name for each in confighooks.settings(directory) if not each.ours)
    started = state.startable if state is not None else ()
    runs = frozenset(hook for hook in started if confighooks.name_of(hook) in confighooks.would_run(directory, hook))
    return Here(state, runs, tuple(names))


def serves() -> bool:
    """Whether the global installation is to serve repositories here, in order or not."""
    state = everywhere.look()
    return state is not None and state.included and confighooks.supported()


def check(location: Location) -> Iterator[Finding]:
    here = look(location)
    if here.state is None:
        return
    yield from _installation(here.state)
    if not confighooks.supported():
        message = f"this git is older than {confighooks.OLDEST_GIT}: it does not run the hooks of 'install --global'"
        yield Finding("remark", message, "run 'mgit-hooks install' in each repository that is used with it")
        return
    missing = ", ".join(hook for hook in stubs.HOOKS if hook not in here.runs)
    if missing and here.state.whole:
        message = f"config-based hooks of ours that git does not run here: {missing}"
        remedy = "see 'git config --show-origin --get-regexp ^hook[.]mgit-hooks-': they are switched off or replaced"
        yield Finding("remark", message, remedy)


def _installation(state: everywhere.State) -> Iterator[Finding]:
    remedy = "run 'mgit-hooks install --global'"
    if not state.included:
        message = f"your git configuration does not include {state.configuration}, which 'install --global' wrote"
        yield Finding("fault", message, f"{remedy}, or 'mgit-hooks uninstall --global'")
        return
    if not state.current:
        message = f"{state.configuration} is gone, changed or of another version of mgit-hooks"
        yield Finding("fault", message, remedy, everywhere.install)
    wrong = ", ".join(f"{hook} ({found})" for hook, found in state.stubs if found != "installed")
    if wrong:
        yield Finding("fault", f"stubs of the global installation: {wrong}", remedy, everywhere.install)
    yield from _interpreters(remedy)


def _interpreters(remedy: str) -> Iterator[Finding]:
    found = [hookfiles.read(f"{everywhere.hooks_folder()}/{hook}") for hook in stubs.HOOKS]
    for python, boot in dict.fromkeys(stubs.paths(content) for content in found if content is not None):
        if python is not None and boot is not None and (trouble := interpreter.trouble(python, boot)) is not None:
            yield Finding("fault", trouble, f"{remedy} with the interpreter that has mgit-hooks", everywhere.install)
