"""One schema made whole: what it refers to is brought in, from its own folder or below it; nothing is fetched."""

from __future__ import annotations

import json
import os
import re
from typing import Any

from mgit_hooks.errors import ConfigError
from mgit_hooks.judging import rules
from mgit_hooks.judging.configfiles import Files
from mgit_hooks.judging.validate import PREFIX, Schemas
from mgit_hooks.record import Json

_SCHEME = re.compile(r"(?:[A-Za-z][A-Za-z0-9+.-]*:|//)")
_FILE = f"{PREFIX}file:"
MOST_NESTED = 100
"""Objects and lists in one another: jsonschema takes some ten calls for each."""


class Bundler:
    """Every file that a schema refers to goes into its ``$defs``, under a name of ours."""

    def __init__(self, where: str, folder: str, schemas: Schemas, files: Files) -> None:
        """``folder``: where relative references start, and what they must not leave."""
        self._where = where
        self._folder = os.path.realpath(folder)
        self._schemas = schemas
        self._files = files
        self._names: dict[str, str] = {}
        self._bundled: dict[str, Json] = {}

    def schema(self, given: Any) -> tuple[Any, str]:
        """A copy that is ours to change of a schema, or of the file that a text names; and its folder."""
        if isinstance(given, str):
            path = self._local(given, self._folder)
            return self._load(path), os.path.dirname(path)
        return plain(given, self._where), self._folder

    def whole(self, given: Any, folder: str) -> Any:
        """``given`` itself, changed: what it refers to from ``folder`` is in it. Raises ConfigError."""
        self._bind(given, folder)
        if self._bundled:
            given.setdefault("$defs", {}).update(self._bundled)
        return given

    def _bind(self, schema: Any, folder: str) -> None:
        if not isinstance(schema, dict):
            return
        own = schema.pop("$id", None)
        for holder, reference in list(rules.references(schema)):
            target, _, fragment = reference.partition("#")
            if not target or target == own:
                if target:
                    holder["$ref"] = f"#{fragment}"
            elif target.startswith(PREFIX):
                if target not in self._schemas.documents:
                    raise ConfigError(f"{self._where}: there is no schema {target}", "see 'mgit-hooks schema'")
            elif _SCHEME.match(target):
                raise ConfigError(
                    f"{self._where}: its schema refers to {target}, which is not here",
                    "nothing is fetched: put a copy beside the rule file and refer to that",
                )
            else:
                holder["$ref"] = f"{self._file(self._local(target, folder))}#{fragment}"

    def _file(self, path: str) -> str:
        if path not in self._names:
            name = self._names[path] = f"{_FILE}{len(self._names) + 1}"
            document = self._load(path)
            if not isinstance(document, dict):
                document = {} if document else {"not": {}}
            self._bind(document, os.path.dirname(path))
            self._bundled[name] = {**document, "$id": name}
        return self._names[path]

    def _local(self, reference: str, folder: str) -> str:
        path = os.path.realpath(os.path.join(folder, reference))
        if os.path.commonpath((path, self._folder)) != self._folder:
            raise ConfigError(
                f"{self._where}: its schema {reference} is outside {self._folder}",
                "keep schemas in the folder of the file that names them, or below it",
            )
        return path

    def _load(self, path: str) -> Any:
        text = self._files.read(path)
        if text is None:
            raise ConfigError(f"{self._where}: its schema {path} is not there", "write it, or mend the path")
        schema = parse_json(path, text)
        if not isinstance(schema, (dict, bool)):
            raise ConfigError(f"{path}: a schema is an object, true or false", "mend the schema")
        return schema


def parse_json(path: str, text: str) -> Any:
    """Raises ConfigError with file, line and column."""
    try:
        return _shallow(json.loads(text))
    except json.JSONDecodeError as error:
        raise ConfigError(f"{path}:{error.lineno}:{error.colno}: {error.msg}", "mend the JSON there") from error
    except ValueError as error:  # a number of more digits than Python reads
        raise ConfigError(f"{path}: {error}", "mend the schema") from error
    except RecursionError as error:
        raise ConfigError(f"{path}: nested too deeply", "mend the schema") from error


def plain(schema: Any, where: str) -> Any:
    """A copy of an inline schema that is ours to change. TOML knows dates, JSON does not."""
    try:
        return json.loads(json.dumps(_shallow(schema), allow_nan=False))
    except RecursionError as error:
        raise ConfigError(f"{where}: its schema is nested too deeply", "mend the schema") from error
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{where}: its schema is not JSON: {error}", "write dates and the like as text") from error


def _shallow(value: Any) -> Any:
    """``value``, where it is not nested deeper than those who walk over it can go. Raises RecursionError."""
    level = [value]
    for _ in range(MOST_NESTED + 1):
        level = [
            each
            for holder in level
            if isinstance(holder, (dict, list))
            for each in (holder.values() if isinstance(holder, dict) else holder)
        ]
        if not level:
            return value
    raise RecursionError


def size(value: Any) -> int:
    """What a JSON value takes: its characters, and sixteen for each object, list, number and text."""
    found, left = 0, [value]
    while left:
        each = left.pop()
        found += 16
        if isinstance(each, str):
            found += len(each)
        elif isinstance(each, dict):
            found += sum(map(len, each))
            left += each.values()
        elif isinstance(each, list):
            left += each
    return found
