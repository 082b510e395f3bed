"""Which hooks a repository is to have, and what the last ``install`` wrote down about it (``install.json``)."""

from __future__ import annotations

import json
import os

from mgit_hooks.files import read
from mgit_hooks.installer import hookfiles, stubs
from mgit_hooks.installer.hookfiles import HookFile
from mgit_hooks.layout import Location
from mgit_hooks.record import Json


def memory_path(location: Location) -> str:
    return os.path.join(location.mgit_dir, "install.json")


def remembered(location: Location) -> Json:
    """What the last ``install`` wrote down; nothing where that is lost or damaged."""
    try:
        value = json.loads(read(memory_path(location), 1 << 20))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def expected(location: Location, directory: str) -> tuple[str, ...]:
    """The hooks that ``directory`` is to have: those of every install, and those that were asked for.

    One that was asked for stays so until ``uninstall``: by its stub, or by ``install.json`` where another tool
    has taken its place.
    """
    before = remembered(location)
    hooks = before.get("hooks") if before.get("hooks_dir") == directory else None
    asked = (hook for hook in stubs.ASKED_FOR if hook in (hooks or ()) or _stands(directory, hook))
    return (*stubs.HOOKS, *asked)


def look(location: Location, directory: str) -> tuple[HookFile, ...]:
    """The hooks that ``directory`` is to have, as they stand. ``overwritten`` is the state of one that is not ours,
    and was: by ``install.json``, or by what is still beside it."""
    before = remembered(location)
    ours = before.get("hooks", {}) if before.get("hooks_dir") == directory else {}
    found = (hookfiles.inspect(directory, hook) for hook in expected(location, directory))
    return tuple(
        each._replace(state="overwritten")
        if each.state == "foreign" and (each.hook in ours or each.chained or hookfiles.is_stub(each.old, each.hook))
        else each
        for each in found
    )


def _stands(directory: str, hook: str) -> bool:
    found = hookfiles.inspect(directory, hook)
    return found.ours or found.state == "wrapped"
