"""The library: the rules of ``schemas/rules/`` and the sets of ``schemas/sets/``, each read when it is asked for.

A rule's file is a JSON Schema whose annotation ``x-rule`` holds the other keys of a rule; a set's file is a
list of entries like those of ``[[rules]]``.
"""

from __future__ import annotations

import json
import os
from typing import Any

from mgit_hooks.errors import ConfigError
from mgit_hooks.files import exists
from mgit_hooks.judging.validate import PREFIX
from mgit_hooks.record import Json
from mgit_hooks.resources import schemas_dir

RULE_PREFIX = f"{PREFIX}rule."
_REMEDY = "mend that file, or install mgit-hooks again"
_read: dict[str, Any] = {}


def forget() -> None:
    """Read every file anew: in a process that outlives a change of one."""
    _read.clear()


def rules() -> list[str]:
    """The ids of the library's rules."""
    return _names("rules")


def sets() -> list[str]:
    """The names of the built-in sets."""
    return _names("sets")


def rule_path(name: str) -> str:
    return _path("rules", name)


def set_path(name: str) -> str:
    return _path("sets", name)


def has_rule(name: str) -> bool:
    return _has("rules", name)


def has_set(name: str) -> bool:
    return _has("sets", name)


def rule(name: str) -> Json:
    """A rule as an entry of ``[[rules]]`` would say it. Raises ConfigError where its file is broken."""
    path = rule_path(name)
    found = document(path)
    if not isinstance(found, dict) or found.get("$id") != RULE_PREFIX + name:
        raise ConfigError(f"{path}: its '$id' is not {RULE_PREFIX}{name}", _REMEDY)
    return entry(name, found, path)


def entry(name: str, schema: Json, path: str) -> Json:
    """A file of the library's form as an entry. Raises ConfigError where it has no ``x-rule``."""
    keys = schema.get("x-rule")
    if not isinstance(keys, dict):
        raise ConfigError(f"{path}: no annotation 'x-rule'", "a rule's file has its other keys there: title, events, …")
    rest = {keyword: value for keyword, value in schema.items() if keyword not in ("x-rule", "$id")}
    return {"id": name, **keys, "schema": rest}


def set_entries(name: str) -> list[Json]:
    """The entries of a built-in set. Raises ConfigError where its file is broken."""
    path = set_path(name)
    entries = document(path)
    if not isinstance(entries, list):
        raise ConfigError(f"{path}: a set is a list of rules", _REMEDY)
    return entries


def _names(kind: str) -> list[str]:
    folder = os.path.join(schemas_dir(), kind)
    try:
        files = sorted(os.listdir(folder))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise ConfigError(f"{folder}: {error.strerror}", "install mgit-hooks again") from error
    return [file.removesuffix(".json") for file in files if file.endswith(".json")]


def _path(kind: str, name: str) -> str:
    return os.path.join(schemas_dir(), kind, f"{name}.json")


def _has(kind: str, name: str) -> bool:
    return bool(name) and os.sep not in name and not name.startswith(".") and exists(_path(kind, name))


def document(path: str) -> Any:
    """One of the library's files, as it is. Raises ConfigError where it is broken."""
    if path not in _read:
        try:
            with open(path, encoding="utf-8") as file:
                _read[path] = json.load(file)
        except OSError as error:
            raise ConfigError(f"{path}: {error.strerror}", "install mgit-hooks again") from error
        except json.JSONDecodeError as error:
            raise ConfigError(f"{path}:{error.lineno}:{error.colno}: {error.msg}", _REMEDY) from error
        except (ValueError, RecursionError) as error:
            raise ConfigError(f"{path}: {error}", _REMEDY) from error
    return _read[path]
