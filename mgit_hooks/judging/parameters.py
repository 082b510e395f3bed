"""Parameters of rules: the values that stand in their places in a schema and in the texts beside it.

``{"x-parameter": "NAME"}`` is the value itself: of a keyword, or an item of a list, where a value that is
a list gives all of its items. ``${NAME}`` in a text is the value as text; in a pattern it is quoted, unless
the parameter says ``"format": "regex"``. What comes out is checked like any rule that has no parameters.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from mgit_hooks.errors import ConfigError
from mgit_hooks.judging.checker import Compiler
from mgit_hooks.judging.keywords import Unsupported
from mgit_hooks.judging.matching import compiled
from mgit_hooks.judging.patterns import cost
from mgit_hooks.judging.rules import patterns, references
from mgit_hooks.record import Json

LARGEST = 1 << 20
"""How much may be put in for one rule, in characters and JSON values: many places can take one long value."""

_PLACE = re.compile(r"\$\{([^{}]*)\}")
_URI = "urn:mgit-hooks:parameter"
# What stands under a keyword, where it is no schema: names to schemas, patterns to schemas, or data.
_UNDER = {
    "properties": "names", "$defs": "names", "definitions": "names", "dependentSchemas": "names",
    "patternProperties": "patterns", "const": "data", "enum": "data", "default": "data", "examples": "data",
}  # fmt: skip


class Filler:
    """Puts the parameters of one rule in. ``where`` begins its error messages."""

    def __init__(self, declared: Mapping[str, Json], given: Mapping[str, Any], where: str) -> None:
        """Raises ConfigError where a value is missing, unknown or not what the parameter takes."""
        self._where = where
        self._declared = declared
        self._spent = 0
        for name in given:
            if name not in declared:
                raise self._unknown(name)
        self.values = {name: self._value(name, each, given) for name, each in declared.items()}

    def schema(self, schema: Any) -> Any:
        """A copy of ``schema`` with the parameters in it. Raises ConfigError."""
        return self._put(schema, "schema")

    def data(self, value: Any) -> Any:
        """As ``schema``, of what is none. Raises ConfigError."""
        return self._put(value, "data")

    def text(self, text: str, *, quoted: bool = False) -> str:
        """``text`` with the parameters in it; ``quoted`` where it is a pattern. Raises ConfigError."""
        if not self._declared:
            return text  # there it may mean something else
        return _PLACE.sub(lambda place: self._as_text(place[1], quoted), text)

    def _value(self, name: str, declared: Json, given: Mapping[str, Any]) -> Any:
        self._check_declared(name, declared)
        if name not in given and "default" not in declared:
            raise self._error(f"its parameter '{name}' has no value", f"give it one: with = {{ {name} = ... }}")
        value = given[name] if name in given else declared["default"]
        if not _fits(declared, value):
            raise self._error(f"its parameter {_reason(name, declared, value)}", _remedy(declared))
        if _is_regex(declared):
            for pattern in value if isinstance(value, list) else [value]:
                self._check_pattern(name, pattern)
        return value

    def _check_declared(self, name: str, declared: Json) -> None:
        if next(references(declared), None) is not None:
            raise self._error(f"its parameter '{name}' has a $ref", "write the keywords of a parameter beside it")
        for pattern in patterns(declared):
            self._check_pattern(name, pattern)
            # The value comes from the same file: a pattern without a bound could keep the reader for ever.
            if cost(pattern) is None:
                fix = "write it without a repeat inside a repeat, and anchor it with ^"
                raise self._error(f"its parameter '{name}' has a pattern that may never end: {pattern!r}", fix)

    def _check_pattern(self, name: str, pattern: Any) -> None:
        try:
            compiled(pattern)
        except (re.error, TypeError) as error:
            raise self._error(f"its parameter '{name}': bad pattern {pattern!r}: {error}", "mend it") from error

    def _put(self, value: Any, role: str) -> Any:
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list):
            return list(self._items(value, role))
        if not isinstance(value, dict):
            return value
        if "x-parameter" in value:
            return self._whole(value)
        return dict(self._pairs(value, role))

    def _pairs(self, value: Json, role: str) -> Iterator[tuple[str, Any]]:
        for key, each in value.items():
            if role == "schema" and key == "pattern" and isinstance(each, str):
                yield key, self.text(each, quoted=True)
            elif role == "schema":
                yield key, self._put(each, _UNDER.get(key, "schema"))
            else:
                yield self.text(key, quoted=role == "patterns"), self._put(each, "data" if role == "data" else "schema")

    def _items(self, items: list[Any], role: str) -> Iterator[Any]:
        for each in items:
            put = self._put(each, role)
            if isinstance(put, list) and isinstance(each, dict):
                yield from put
            else:
                yield put

    def _whole(self, place: Json) -> Any:
        name = place["x-parameter"]
        if len(place) > 1:
            raise self._error("'x-parameter' stands beside other keywords", 'let it stand alone: {"x-parameter": NAME}')
        if name not in self.values:
            raise self._unknown(str(name))
        self._spend(_size(self.values[name]))
        return self.values[name]

    def _as_text(self, name: str, quoted: bool) -> str:
        if name not in self.values:
            raise self._unknown(name)
        value = self.values[name]
        texts = [self._one(name, each) for each in (value if isinstance(value, list) else [value])]
        regex = _is_regex(self._declared[name])
        if not quoted:
            made = ", ".join(texts)
        elif not texts:
            made = "(?!)"  # one of nothing: no text is
        else:
            made = "|".join(text if regex else re.escape(text) for text in texts)
            made = f"(?:{made})" if regex or len(texts) > 1 else made
        self._spend(len(made))
        return made

    def _one(self, name: str, value: Any) -> str:
        if isinstance(value, (dict, list)) or value is None:
            fix = f'put it in whole: {{"x-parameter": "{name}"}}'
            raise self._error(f"its parameter '{name}' cannot stand in a text: {type(value).__name__}", fix)
        return value if isinstance(value, str) else json.dumps(value)

    def _spend(self, size: int) -> None:
        self._spent += size
        if self._spent > LARGEST:
            raise self._error("it is too large once its parameters are put in", "give it shorter values")

    def _unknown(self, name: str) -> ConfigError:
        from difflib import get_close_matches

        near = get_close_matches(name, self._declared, 1)
        known = ", ".join(self._declared) or "none"
        return self._error(
            f"unknown parameter '{name}'", f"did you mean '{near[0]}'?" if near else f"its parameters: {known}"
        )

    def _error(self, what: str, fix: str) -> ConfigError:
        return ConfigError(f"{self._where}: {what}", fix)


def _is_regex(declared: Json) -> bool:
    items = declared.get("items")
    return declared.get("format") == "regex" or (isinstance(items, dict) and items.get("format") == "regex")


def _fits(declared: Json, value: Any) -> bool:
    try:
        return Compiler({}).compile(declared, "")(value)
    except (Unsupported, RecursionError):
        return next(_findings(declared, value), None) is None


def _findings(declared: Json, value: Any) -> Iterator[Any]:
    from mgit_hooks.judging import explain

    return explain.findings(explain.validator(_URI, {_URI: declared}), value)


def _reason(name: str, declared: Json, value: Any) -> str:
    from mgit_hooks.judging.explain import message, pointer

    finding = next(_findings(declared, value), None)
    if finding is None:  # the two judges differ: the stricter one's word, without its reason
        return f"'{name}' has a value that it does not take"
    return message(finding._replace(path=(f"'{name}'{pointer(finding.path)}",)))


def _remedy(declared: Json) -> str:
    return f"{declared['description']}" if declared.get("description") else "see its 'parameters'"


def _size(value: Any) -> int:
    """Characters and values in a JSON value: what it costs to walk over it."""
    size, left = 0, [value]
    while left:
        each = left.pop()
        size += 1 + (len(each) if isinstance(each, (str, dict, list)) else 0)
        if isinstance(each, dict):
            left += each.values()
        elif isinstance(each, list):
            left += each
    return size
