"""What a name in ``extends`` means: a set of ours, a file, or an installed Python package, none of whose code runs."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable
from typing import NamedTuple

from mgit_hooks.errors import ConfigError
from mgit_hooks.files import is_file, is_folder
from mgit_hooks.judging import library
from mgit_hooks.judging.configfiles import Files, relative_to
from mgit_hooks.judging.rulesets import Place

RULES_FILE = "rules.toml"
_PIN = re.compile(r"(.+)@sha256:([0-9a-f]{64})")


class BuiltIn(NamedTuple):
    name: str


class Target(NamedTuple):
    path: str
    trusted: bool  # as Place


def find(name: str, place: Place, files: Files, root: str | None) -> BuiltIn | Target:
    """What ``place`` means by ``name``, in the worktree ``root`` if in any.

    Raises ConfigError, with the nearest name where there is one.
    """
    file, at, _ = name.partition("@sha256:")
    if at:
        return _pinned(name, place, files)
    if _is_path(file):
        return _file(file, place)
    if library.has_set(name):
        return BuiltIn(name)
    if all(part.isidentifier() for part in name.split(".")):
        path = package_file(name, (place.folder, os.curdir, *((root,) if root else ())))
        if path is not None:
            # Installed anew with an old time on its file, it has a new folder all the same.
            files.watch(os.path.dirname(path))
            return Target(path, trusted=False)
    raise _unknown(name, place)


def _is_path(name: str) -> bool:
    return "/" in name or name.startswith(("~", ".")) or name.endswith((".toml", ".json"))


def _file(name: str, place: Place) -> Target:
    folder = place.folder
    if place.trusted:
        return Target(relative_to(None, name, folder, os.environ), trusted=True)
    where = f"{place.where('/extends')}: extends '{name}'"
    if name.startswith(("/", "~")) or ".." in name.split("/"):
        raise ConfigError(f"{where}: not a file below this one's folder", "name it relative to this file, without '..'")
    path = os.path.join(folder, name)
    real, home = os.path.realpath(path), os.path.realpath(folder)
    if os.path.commonpath((real, home)) != home:
        raise ConfigError(f"{where}: a link leads out of {folder}", "put the file itself there")
    return Target(os.path.normpath(path), trusted=False)


def _pinned(name: str, place: Place, files: Files) -> Target:
    where = f"{place.where('/extends')}: extends '{name}'"
    match = _PIN.fullmatch(name)
    if match is None:
        raise ConfigError(f"{where}: a pin is 64 hexadecimal digits, in lower case", "see sha256sum FILE")
    target = _file(match[1], place)
    raw = None if _is_a_folder(target.path) else files.raw(target.path)
    if raw is None:
        raise ConfigError(f"{where}: there is no file {target.path}", "only a file can be pinned: write it there")
    from hashlib import sha256

    found = sha256(raw).hexdigest()
    if found != match[2]:
        raise ConfigError(
            f"{where}: the file has other bytes: sha256:{found}",
            "look at what has changed in it, then pin it anew",
        )
    return target


def package_file(name: str, aside: Iterable[str]) -> str | None:
    """The ``rules.toml`` of an installed package; None where there is no such package.

    Found by the import system's own path finder, which imports nothing: neither the package nor one that
    holds it. ``aside``: folders that count for nothing though Python would look into them: the worktree, the
    one that names the package, the one that Python was started in. Whoever writes there could stand for any package.

    Raises ConfigError where it is one without such a file.
    """
    from importlib.machinery import PathFinder

    strange = set(map(os.path.realpath, aside))
    folders = [each for each in sys.path if os.path.isabs(each) and os.path.realpath(each) not in strange]
    for part in name.split(".")[:-1]:
        folders = _inside(folders, part)
    spec = PathFinder.find_spec(name.rpartition(".")[2], folders)
    if spec is None:
        return None
    inside = _inside(folders, name.rpartition(".")[2])
    if not inside:
        raise ConfigError(f"{name} is a module, not a package", f"a package has a folder, with {RULES_FILE} in it")
    for folder in inside:
        path = os.path.join(folder, RULES_FILE)
        if is_file(path):
            return path
    raise ConfigError(f"the package {name} has no {RULES_FILE}", f"it should be {os.path.join(inside[0], RULES_FILE)}")


def _inside(folders: list[str], name: str) -> list[str]:
    """The folders of the package ``name``: one, or several where they share it without an __init__ (PEP 420)."""
    from importlib.machinery import PathFinder

    spec = PathFinder.find_spec(name, folders)
    if spec is None or spec.submodule_search_locations is None:
        return []
    if spec.origin is not None:
        return list(spec.submodule_search_locations)
    return [path for each in folders if _is_a_folder(path := os.path.join(each, name))]


def _is_a_folder(path: str) -> bool:
    try:
        return is_folder(path)
    except OSError:
        return False


def _unknown(name: str, place: Place) -> ConfigError:
    from difflib import get_close_matches

    near = get_close_matches(name, library.sets(), 1)
    hint = f"did you mean '{near[0]}'?" if near else (
        f"a file is named with its ending, a package as it is imported; our sets: {', '.join(library.sets())}"
    )  # fmt: skip
    return ConfigError(
        f"{place.where('/extends')}: extends '{name}', which is no set of ours, no file and no installed package",
        hint,
    )
