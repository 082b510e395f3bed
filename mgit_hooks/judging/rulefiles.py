"""Entries of rule files into rules as they are judged: parameters put in, the schema whole, all of it checked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from mgit_hooks.errors import ConfigError
from mgit_hooks.judging import library, rules
from mgit_hooks.judging.bundles import Bundler, plain, size
from mgit_hooks.judging.checker import DIALECT
from mgit_hooks.judging.configfiles import Files
from mgit_hooks.judging.matching import compiled
from mgit_hooks.judging.rules import Examples, Rule
from mgit_hooks.judging.rulesets import Entry
from mgit_hooks.judging.validate import Schemas
from mgit_hooks.record import EVENTS, Json

if TYPE_CHECKING:
    from mgit_hooks.judging.repairs import Repair

MOST_SIZE: Final = 4 << 20
"""Of the schemas of all rules together, as ``bundles.size`` counts: one file may be in a thousand of them."""
MOST_WORK: Final = 200_000
"""Subschemas that are looked at to make the fast path of all rules: less than a second."""


class Room:
    """What the schemas of one policy may take, all of them together."""

    def __init__(self) -> None:
        self._size = self._work = 0

    def take(self, where: str, *, size: int = 0, work: int = 0) -> None:
        """Raises ConfigError where there is no more."""
        self._size += size
        self._work += work
        if self._size > MOST_SIZE or self._work > MOST_WORK:
            raise ConfigError(
                f"{where}: with it the rules' schemas are too large together",
                "take out rules, or let fewer of them take in a large schema",
            )


def make(entry: Entry, schemas: Schemas, files: Files, room: Room) -> Rule:
    """The rule that ``entry`` describes; files that its schema refers to are added to ``files``.

    Raises ConfigError where it is not one: no schema, a bad one, a parameter without a value.
    """
    keys, where = entry.keys, entry.where
    if "schema" not in keys:
        raise _nothing_to_change(entry)
    bundler = Bundler(where, entry.folder, schemas, files)
    schema, folder = bundler.schema(keys["schema"])
    message, title, values = keys.get("message", ""), keys.get("title", ""), {}
    repair = keys.get("repair")
    declared = keys.get("parameters", {})
    if declared or entry.given:
        from mgit_hooks.judging.parameters import Filler

        filler = Filler(declared, plain(entry.given, where), where)
        schema, message, title = filler.schema(schema), filler.text(message), filler.text(title)
        repair, values = filler.data(plain(repair, where)), filler.values
    examples = keys.get("examples", {})
    rule = Rule(
        entry.id,
        tuple(keys.get("events", sorted(EVENTS))),
        keys.get("severity", "error"),
        keys.get("strategy"),
        message,
        bundler.whole(schema, folder),
        entry.origin,
        title,
        keys.get("enforce", True),
        values,
        Examples(tuple(examples.get("good", ())), tuple(examples.get("bad", ()))),
        entry.source,
        _repair(repair, where),
    )
    if not entry.source.startswith(library.RULE_PREFIX) or entry.given:
        room.take(where, size=size(rule.schema))
        check(rule, where, schemas, room)
    return rule


def _repair(said: Any, where: str) -> Repair | None:
    if said is None:
        return None
    from mgit_hooks.judging import repairs

    try:
        return repairs.read(said)
    except repairs.Wrong as error:
        raise ConfigError(f"{where}: {error}", error.fix) from error


def of_library(name: str, schemas: Schemas, given: Mapping[str, Any] | None = None, **changes: Any) -> Rule:
    """The library's rule ``name``, checked, with ``given`` as its parameters and ``changes`` of its keys.

    Raises ConfigError.
    """
    keys: Json = {**library.rule(name), **changes}
    path = library.rule_path(name)
    entry = Entry(name, keys, dict(given or {}), path.rpartition("/")[0], path, path, f"{path}: rule '{name}'")
    return make(entry, schemas, Files(), Room())


def _nothing_to_change(entry: Entry) -> ConfigError:
    from difflib import get_close_matches

    near = get_close_matches(entry.id, library.rules(), 1)
    hint = f'to have the library\'s: use = "{near[0]}"' if near else "give it a schema, or use = ..., or extend a set"
    return ConfigError(f"{entry.where}: it has no schema, and there is no rule of this id to change", hint)


def check(rule: Rule, where: str, schemas: Schemas, room: Room) -> None:
    """A schema that the fast path compiles is a good one; of any other the metaschema is asked.

    Raises ConfigError.
    """
    dialect = rule.schema.get("$schema", DIALECT) if isinstance(rule.schema, dict) else DIALECT
    if dialect != DIALECT:
        raise ConfigError(f"{where}: its schema is for {dialect}", f"write it for draft 2020-12: {DIALECT}")
    slip = rules.unknown_keyword(rule.schema)
    if slip:
        raise ConfigError(f"{where}: unknown schema keyword '{slip[0]}'", f"did you mean '{slip[1]}'?")
    prepared = rules.ready(rule, schemas.documents)
    room.take(where, work=prepared.work)
    if prepared.endless:
        raise ConfigError(f"{where}: its schema refers to itself without end", "take the $ref to itself out")
    if prepared.check is not None:
        return
    for pattern in rules.patterns(rule.schema):
        try:
            compiled(pattern)
        except re.error as error:
            raise ConfigError(f"{where}: bad pattern {pattern!r}: {error}", "mend the pattern") from error
    import jsonschema

    try:
        jsonschema.Draft202012Validator.check_schema(rule.schema)
    except RecursionError as error:
        raise ConfigError(f"{where}: its schema is nested too deeply", "mend the schema") from error
    except jsonschema.SchemaError as error:
        at = "/" + "/".join(map(str, error.absolute_path))
        raise ConfigError(f"{where}: its schema is wrong at {at}: {error.message}", "mend the schema") from error
