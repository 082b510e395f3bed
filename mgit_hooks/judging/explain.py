"""What exactly is wrong: jsonschema's findings, as issues with the codes that the schema itself gives.

A schema says beside a keyword what its failure means, in the annotation ``x-issues``::

    "maxLength": 4096,
    "x-issues": {"maxLength": {"code": "FILENAME_TOO_LONG", "severity": "error", "fix": "…"}}

An entry has ``code``, ``severity`` (default error), ``says`` (what the message says of the value) and
``fix``. The entry ``null`` holds where the value is null, whichever keyword said so.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from mgit_hooks.judging.checker import DIALECT
from mgit_hooks.judging.keywords import frozen
from mgit_hooks.judging.matching import compiled
from mgit_hooks.record import Issue, Json

Path = tuple[Any, ...]
"""Names of fields (str) and places in lists (int), from the top of a value."""

# Names for what a schema gives no code of its own.
_CODES = {
    "required": "MISSING_REQUIRED_FIELD",
    "type": "INVALID_TYPE",
    "enum": "INVALID_VALUE",
    "const": "INVALID_VALUE",
    "pattern": "INVALID_FORMAT",
    "additionalProperties": "UNKNOWN_FIELD",
}
_SHOWN = 80
_COMPOSITE = frozenset(
    ("anyOf", "oneOf", "not", "if", "then", "else", "contains", "dependentSchemas", "dependentRequired",
     "unevaluatedProperties", "unevaluatedItems", "minContains", "maxContains", "minProperties",
     "maxProperties")
)  # fmt: skip


class Finding(NamedTuple):
    path: Path
    keyword: str
    expected: Any  # the keyword's value in the schema
    value: Any
    notes: Json  # the schema's x-issues
    scope: Path | None  # what a keyword looked at that looks at several places at once; None: none found it


def validator(uri: str, documents: Mapping[str, Json]) -> Any:
    """A jsonschema validator of one of ``documents``; its registry knows no others and fetches nothing."""
    import jsonschema
    from referencing import Registry
    from referencing.jsonschema import DRAFT202012

    # jsonschema goes by "$schema" where a schema has it, and there knows nothing of our patterns.
    plain = {name: _without_dialect(document) for name, document in documents.items()}
    registry: Any = Registry().with_resources(
        (name, DRAFT202012.create_resource(document)) for name, document in plain.items()
    )
    extend: Any = jsonschema.validators.extend
    ours = {"pattern": _pattern, "required": _required, "uniqueItems": _unique_items}
    made = extend(jsonschema.Draft202012Validator, ours)
    return made(plain[uri], registry=registry)


def _without_dialect(document: Any) -> Any:
    if isinstance(document, dict) and document.get("$schema") == DIALECT:
        return {name: value for name, value in document.items() if name != "$schema"}
    return document


def _pattern(validator: Any, pattern: str, instance: Any, schema: Any) -> Iterator[Any]:
    from jsonschema import ValidationError

    if isinstance(instance, str) and compiled(pattern).search(instance) is None:
        yield ValidationError(f"{instance!r} does not match {pattern!r}")


def _required(validator: Any, required: Any, instance: Any, schema: Any) -> Iterator[Any]:
    """One for all that is missing, which ``_names`` names: one for each would be named each time."""
    from jsonschema import ValidationError

    if isinstance(instance, dict) and any(name not in instance for name in required):
        yield ValidationError("a required property is missing")


def _unique_items(validator: Any, unique: Any, instance: Any, schema: Any) -> Iterator[Any]:
    """jsonschema compares each with each."""
    from jsonschema import ValidationError

    if unique and isinstance(instance, list) and len(set(map(frozen, instance))) < len(instance):
        yield ValidationError("an item occurs twice")


def findings(made: Any, value: Any) -> Iterator[Finding]:
    for error in made.iter_errors(value):
        keyword = str(error.validator)
        path = tuple(error.absolute_path)
        notes = error.schema.get("x-issues", {}) if isinstance(error.schema, dict) else {}
        scope = _scope(error.absolute_schema_path, path)
        for name in _names(keyword, error):
            yield Finding(
                path if name is None else (*path, name),
                keyword,
                error.validator_value,
                error.instance if name is None else error.instance.get(name),
                notes,
                scope,
            )


def _scope(schema_path: Iterable[Any], path: Path) -> Path | None:
    """The place of the value that the outermost composite keyword on a finding's way was applied to."""
    steps, depth = iter(schema_path), 0
    for keyword in steps:
        if keyword in _COMPOSITE:
            return path[:depth]
        if keyword in ("properties", "patternProperties"):
            next(steps, None)
            depth += 1
        elif keyword in ("items", "additionalProperties"):
            depth += 1
        elif keyword == "prefixItems":
            next(steps, None)
            depth += 1
        elif keyword in ("allOf", "$defs", "definitions"):
            next(steps, None)
    return None


def _names(keyword: str, error: Any) -> list[str | None]:
    """The fields that the finding is about, where it is about fields of the object it was found in."""
    if keyword == "required":
        return [name for name in error.validator_value if name not in error.instance]
    if keyword == "additionalProperties" and error.validator_value is False:
        known = error.schema.get("properties", {})
        return [name for name in error.instance if name not in known]
    return [None]


def issue(finding: Finding) -> Issue:
    note = _note(finding)
    return Issue(
        note.get("severity", "error"),
        note.get("code") or _CODES.get(finding.keyword, "SCHEMA_VIOLATION"),
        message(finding),
        pointer(finding.path),
        note.get("fix"),
    )


def _note(finding: Finding) -> Json:
    null = finding.value is None and finding.keyword != "required"
    note: Json = (finding.notes.get("null") if null else None) or finding.notes.get(finding.keyword) or {}
    return note


def message(finding: Finding) -> str:
    says = _note(finding).get("says")
    name = str(finding.path[-1]) if finding.path else "it"
    if isinstance(finding.path[-1] if finding.path else None, int):
        name = pointer(finding.path)
    if finding.keyword == "required":
        return f"{name} is missing"
    if finding.value is None:
        return f"{name} is null{', which ' + says if says else ''}"
    return f"{name} {says or _says(finding.keyword, finding.expected, finding.value)}: {shown(finding.value)}"


def _says(keyword: str, expected: Any, value: Any) -> str:
    if keyword == "type":
        return f"is not of type {expected if isinstance(expected, str) else ' or '.join(expected)}"
    if keyword == "enum":
        return f"is not one of {', '.join(map(shown, expected))}"
    if keyword == "const":
        return f"is not {shown(expected)}"
    if keyword == "minLength":
        return "is empty" if not value else f"has {len(value)} characters, fewer than {expected}"
    if keyword == "maxLength":
        return f"has {len(value)} characters, more than {expected}"
    if keyword == "pattern":
        return f"does not match {shown(expected)}"
    if keyword in ("minimum", "exclusiveMinimum"):
        return f"is below {expected}"
    if keyword in ("maximum", "exclusiveMaximum"):
        return f"is above {expected}"
    if keyword == "additionalProperties":
        return "is not a known field"
    return f"does not fit '{keyword}'"


def shown(value: Any, most: int = _SHOWN) -> str:
    """``value`` as JSON, of at most ``most`` characters."""
    if isinstance(value, str):
        value = value[: most + 1]  # a message of many megabytes is not to be encoded for 80 of it
    try:
        text = json.dumps(value, ensure_ascii=False, default=repr)
    except (TypeError, ValueError, RecursionError):
        text = f"a {type(value).__name__}"
    return text if len(text) <= most else text[: most - 1] + "…"


def pointer(path: Path) -> str:
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)


def path_of(pointer: str) -> Path:
    """The parts of a JSON pointer, all as text: an index of a list is for whoever walks the value."""
    return tuple(part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:])


def in_document_order(issues: Iterable[Issue], value: Any) -> tuple[Issue, ...]:
    """Sorted by place in ``value``, a place only once for each code, and null reported once."""
    unique: dict[tuple[str, str], Issue] = {}
    for each in issues:
        unique.setdefault((each.field_path, each.code), each)
    return tuple(sorted(unique.values(), key=lambda each: _place(each.field_path, value)))


def _place(pointer: str, value: Any) -> tuple[int, ...]:
    place = []
    for part in path_of(pointer):
        if isinstance(value, dict):
            names = list(value)
            place.append(names.index(part) if part in value else len(names))
            value = value.get(part)
        elif isinstance(value, list) and part.isdigit() and int(part) < len(value):
            place.append(int(part))
            value = value[int(part)]
        else:
            break
    return tuple(place)
