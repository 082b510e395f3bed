"""Rules as files have them, into rules as they are judged: each schema whole, checked, bound to be local."""

from __future__ import annotations

import json
import os
import re
from typing import Any

from mgit_hooks.errors import ConfigError
from mgit_hooks.judging import rules
from mgit_hooks.judging.checker import DIALECT
from mgit_hooks.judging.configfiles import line_of, read_text
from mgit_hooks.judging.patterns import compiled
from mgit_hooks.judging.rules import Rule
from mgit_hooks.judging.validate import PREFIX, Schemas
from mgit_hooks.record import EVENTS, Json

_SCHEME = re.compile(r"(?:[A-Za-z][A-Za-z0-9+.-]*:|//)")
_FILE = f"{PREFIX}file:"


def read(entries: list[Json], path: str, text: str, schemas: Schemas, files: list[str]) -> tuple[Rule, ...]:
    """The ``[[rules]]`` of the file ``path``, whose structure the configuration's schema has judged.

    Adds to ``files`` each schema file that they refer to. Raises ConfigError.
    """
    found: dict[str, Rule] = {}
    for number, entry in enumerate(entries):
        name = entry["id"]
        line = line_of(text, f"/rules/{number}/id")
        where = f"{path}:{line}: rule '{name}'" if line else f"{path}: rule '{name}'"
        if name in found:
            raise ConfigError(f"{where}: this id is given twice", "give each rule an id of its own")
        found[name] = Rule(
            name,
            tuple(entry.get("events", sorted(EVENTS))),
            entry.get("severity", "error"),
            entry.get("strategy"),
            entry.get("message", ""),
            _Bundler(where, os.path.dirname(path), schemas, files).whole(entry["schema"]),
            path,
        )
        _check(found[name], where, schemas)
    return tuple(found.values())


class _Bundler:
    """Makes one schema whole: every file that it refers to goes into its ``$defs``, under a name of ours."""

    def __init__(self, where: str, folder: str, schemas: Schemas, files: list[str]) -> None:
        self._where = where
        self._folder = os.path.realpath(folder)
        self._schemas = schemas
        self._files = files
        self._names: dict[str, str] = {}
        self._bundled: dict[str, Json] = {}

    def whole(self, given: Any) -> Any:
        folder = self._folder
        if isinstance(given, str):
            path = self._local(given, folder)
            folder = os.path.dirname(path)
            given = self._load(path)
        else:
            given = _plain(given, self._where)
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
        self._files.append(path)
        text = read_text(path)
        if text is None:
            raise ConfigError(f"{self._where}: its schema {path} is not there", "write it, or mend the path")
        try:
            schema = json.loads(text)
        except json.JSONDecodeError as error:
            raise ConfigError(f"{path}:{error.lineno}:{error.colno}: {error.msg}", "mend the JSON there") from error
        except ValueError as error:  # a number of more digits than Python reads
            raise ConfigError(f"{path}: {error}", "mend the schema") from error
        except RecursionError as error:
            raise ConfigError(f"{path}: nested too deeply", "mend the schema") from error
        if not isinstance(schema, (dict, bool)):
            raise ConfigError(f"{path}: a schema is an object, true or false", "mend the schema")
        return schema


def _plain(schema: Any, where: str) -> Any:
    """A copy of an inline schema that is ours to change. TOML knows dates, JSON does not."""
    try:
        return json.loads(json.dumps(schema, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{where}: its schema is not JSON: {error}", "write dates and the like as text") from error


def _check(rule: Rule, where: str, schemas: Schemas) -> None:
    """A schema that the fast path compiles is a good one; of any other the metaschema is asked."""
    dialect = rule.schema.get("$schema", DIALECT) if isinstance(rule.schema, dict) else DIALECT
    if dialect != DIALECT:
        raise ConfigError(f"{where}: its schema is for {dialect}", f"write it for draft 2020-12: {DIALECT}")
    slip = rules.unknown_keyword(rule.schema)
    if slip:
        raise ConfigError(f"{where}: unknown schema keyword '{slip[0]}'", f"did you mean '{slip[1]}'?")
    if rules.prepare(rule, schemas.documents).check is not None:
        return
    for pattern in rules.patterns(rule.schema):
        try:
            compiled(pattern)
        except re.error as error:
            raise ConfigError(f"{where}: bad pattern {pattern!r}: {error}", "mend the pattern") from error
    import jsonschema

    try:
        jsonschema.Draft202012Validator.check_schema(rule.schema)
    except jsonschema.SchemaError as error:
        at = "/" + "/".join(map(str, error.absolute_path))
        raise ConfigError(f"{where}: its schema is wrong at {at}: {error.message}", "mend the schema") from error
