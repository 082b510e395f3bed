"""The fast path of validation: a schema turned into closures that answer "clean" or "not sure".

Made from the schema files alone, so a changed keyword changes the verdict. "Not sure" is no verdict:
jsonschema then decides and explains (``explain``). A keyword that is not in the tables here makes the
whole schema Unsupported, never silently ignored.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from mgit_hooks.patterns import compiled
from mgit_hooks.record import Json

Check = Callable[[Any], bool]

ANNOTATIONS = frozenset(
    ("$schema", "$id", "$comment", "$defs", "title", "description", "default", "examples", "deprecated",
     "readOnly", "writeOnly", "format", "contentEncoding", "contentMediaType", "contentSchema")
)  # fmt: skip
_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,), "null": (type(None),), "boolean": (bool,), "integer": (int,), "number": (int, float),
    "object": (dict,), "array": (list,),
}  # fmt: skip
DIALECT = "https://json-schema.org/draft/2020-12/schema"
_ALL_TYPES = frozenset(kind for kinds in _TYPES.values() for kind in kinds)
_MOST_SUBSCHEMAS = 20_000


class Unsupported(Exception):
    """The schema says something that only jsonschema can judge (or that is not a schema)."""


class Pointed(NamedTuple):
    """A subschema and the document that its local references mean."""

    schema: Any
    base: str


def follow(reference: str, base: str, documents: Mapping[str, Json]) -> Pointed:
    """What a ``$ref`` names. Raises Unsupported for anything but a known document and a JSON pointer."""
    uri, _, fragment = reference.partition("#")
    uri = uri or base
    node: Any = documents.get(uri)
    if node is None or (fragment and not fragment.startswith("/")) or "%" in fragment:
        raise Unsupported(reference)
    for part in fragment.split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        if isinstance(node, dict) and key in node:
            node = node[key]
        elif isinstance(node, list) and key.isdigit() and int(key) < len(node):
            node = node[int(key)]
        else:
            raise Unsupported(reference)
    return Pointed(node, uri)


class _Plan:
    """All that one place of a value must satisfy: ``$ref`` and ``allOf`` melted into one pass over it."""

    def __init__(self) -> None:
        self.types = set(_ALL_TYPES)
        self.tests: dict[type, list[Check]] = {kind: [] for kind in _ALL_TYPES}
        self.required: set[str] = set()
        self.properties: dict[str, list[Pointed]] = {}
        self.closed: list[frozenset[str]] = []
        self.items: list[Pointed] = []


class Compiler:
    def __init__(self, documents: Mapping[str, Json]) -> None:
        self._documents = documents
        self._made: dict[tuple[tuple[int, str], ...], Check | None] = {}
        self._count = 0

    def compile(self, schema: Any, base: str) -> Check:
        return self._check([Pointed(schema, base)])

    def _check(self, schemas: list[Pointed]) -> Check:
        key = tuple((id(pointed.schema), pointed.base) for pointed in schemas)
        made = self._made
        if key in made:
            # A schema inside itself: by the time the closure runs, the outer one is there.
            return made[key] or (lambda value: made[key](value))  # type: ignore[misc]
        made[key] = None
        plan = _Plan()
        for pointed in schemas:
            self._gather(pointed, plan, ())
        check = made[key] = _closure(plan, self)
        return check

    def _gather(self, pointed: Pointed, plan: _Plan, trail: tuple[int, ...]) -> None:
        schema, base = pointed
        self._count += 1
        if self._count > _MOST_SUBSCHEMAS or id(schema) in trail or len(trail) > 100:
            raise Unsupported("too many subschemas")
        if schema is True:
            return
        if schema is False:
            plan.types.clear()
            return
        if not isinstance(schema, dict):
            raise Unsupported("a schema is an object or a boolean")
        if "$id" in schema and schema["$id"] != base:
            raise Unsupported("$id inside a schema")
        if schema.get("$schema", DIALECT) != DIALECT:
            raise Unsupported("$schema")
        trail = (*trail, id(schema))
        for keyword, value in schema.items():
            if keyword in ANNOTATIONS or keyword.startswith("x-"):
                continue
            if keyword == "allOf":
                for each in _expect(value, list):
                    self._gather(Pointed(each, base), plan, trail)
            elif keyword == "$ref":
                self._gather(follow(_expect(value, str), base, self._documents), plan, trail)
            elif keyword in _KEYWORDS:
                _KEYWORDS[keyword](self, value, schema, base, plan)
            else:
                raise Unsupported(keyword)


def _closure(plan: _Plan, compiler: Compiler) -> Check:
    if plan.required or plan.properties or plan.closed:
        plan.tests[dict].insert(0, _object(plan, compiler))
    if plan.items:
        each = compiler._check(plan.items)
        plan.tests[list].append(lambda value: all(map(each, value)))
    types = frozenset(plan.types)
    tested = {kind: _all(plan.tests[kind]) for kind in types if plan.tests[kind]}
    if not tested:
        return lambda value: type(value) in types
    if len(tested) == 1:
        ((one, test),) = tested.items()
        rest = types - {one}
        if not rest:
            return lambda value: type(value) is one and test(value)
        return lambda value: test(value) if type(value) is one else type(value) in rest
    return lambda value: tested[type(value)](value) if type(value) in tested else type(value) in types


def _object(plan: _Plan, compiler: Compiler) -> Check:
    required = frozenset(plan.required)
    closed = plan.closed
    table = {name: compiler._check(schemas) for name, schemas in plan.properties.items()}
    get = table.get

    def check(value: dict[str, Any]) -> bool:
        keys = value.keys()
        if not required <= keys:
            return False
        for allowed in closed:
            if not keys <= allowed:
                return False
        for name, item in value.items():
            test = get(name)
            if test is not None and not test(item):
                return False
        return True

    return check


def _all(tests: list[Check]) -> Check:
    if len(tests) == 1:
        return tests[0]
    if len(tests) == 2:
        first, second = tests
        return lambda value: first(value) and second(value)
    return lambda value: all(test(value) for test in tests)


def equal(one: Any, other: Any) -> bool:
    """Equality of JSON values: 1 is 1.0 but not true."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(equal, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(equal(item, other[name]) for name, item in one.items())
    return bool(one == other)


def _expect(value: Any, *kinds: type) -> Any:
    if type(value) not in kinds:
        raise Unsupported("a keyword's value has the wrong type")
    return value


# One function a keyword: what it adds to the plan.

_Add = Callable[[Compiler, Any, Json, str, _Plan], None]


def _everywhere(plan: _Plan, test: Check) -> None:
    for tests in plan.tests.values():
        tests.append(test)


def _type(compiler: Compiler, value: Any, schema: Json, base: str, plan: _Plan) -> None:
    names = [value] if isinstance(value, str) else _expect(value, list)
    if not all(isinstance(name, str) and name in _TYPES for name in names):
        raise Unsupported("type")
    kinds = {kind for name in names for kind in _TYPES[name]}
    if "integer" in names and "number" not in names:
        kinds.add(float)  # 1.0 is an integer
        if float in plan.types:
            plan.tests[float].append(float.is_integer)
    plan.types &= kinds


def _enum(compiler: Compiler, value: Any, schema: Json, base: str, plan: _Plan) -> None:
    allowed = _expect(value, list)
    texts = frozenset(each for each in allowed if isinstance(each, str))
    others = [each for each in allowed if not isinstance(each, str)]
    for kind, tests in plan.tests.items():
        if kind is str:
            tests.append(texts.__contains__)
        else:
            tests.append(lambda item: any(equal(item, other) for other in others))


def _const(compiler: Compiler, value: Any, schema: Json, base: str, plan: _Plan) -> None:
    _everywhere(plan, lambda item: equal(item, value))


def _pattern(compiler: Compiler, value: Any, schema: Json, base: str, plan: _Plan) -> None:
    try:
        search = compiled(_expect(value, str)).search
    except Exception as error:
        raise Unsupported("pattern") from error
    plan.tests[str].append(lambda text: search(text) is not None)


def _bound(*kinds: type, test: Callable[[Any, Any], bool]) -> _Add:
    def add(compiler: Compiler, value: Any, schema: Json, base: str, plan: _Plan) -> None:
        limit = _expect(value, int, float)
        for kind in kinds:
            plan.tests[kind].append(lambda item: test(item, limit))

    return add


def _required(compiler: Compiler, value: Any, schema: Json, base: str, plan: _Plan) -> None:
    if not all(isinstance(name, str) for name in _expect(value, list)):
        raise Unsupported("required")
    plan.required.update(value)


def _properties(compiler: Compiler, value: Any, schema: Json, base: str, plan: _Plan) -> None:
    for name, each in _expect(value, dict).items():
        plan.properties.setdefault(name, []).append(Pointed(each, base))


def _additional(compiler: Compiler, value: Any, schema: Json, base: str, plan: _Plan) -> None:
    if "patternProperties" in schema:
        raise Unsupported("patternProperties")
    names = frozenset(_expect(schema.get("properties", {}), dict))
    if value is False:
        plan.closed.append(names)
    elif value is not True:
        each = compiler.compile(value, base)
        plan.tests[dict].append(lambda item: all(each(inner) for name, inner in item.items() if name not in names))


def _property_names(compiler: Compiler, value: Any, schema: Json, base: str, plan: _Plan) -> None:
    each = compiler.compile(value, base)
    plan.tests[dict].append(lambda item: all(map(each, item)))


def _items(compiler: Compiler, value: Any, schema: Json, base: str, plan: _Plan) -> None:
    if "prefixItems" in schema:
        raise Unsupported("prefixItems")
    plan.items.append(Pointed(value, base))


def _any_of(compiler: Compiler, value: Any, schema: Json, base: str, plan: _Plan) -> None:
    checks = [compiler.compile(each, base) for each in _expect(value, list)]
    _everywhere(plan, lambda item: any(check(item) for check in checks))


def _one_of(compiler: Compiler, value: Any, schema: Json, base: str, plan: _Plan) -> None:
    checks = [compiler.compile(each, base) for each in _expect(value, list)]
    _everywhere(plan, lambda item: sum(check(item) for check in checks) == 1)


def _not(compiler: Compiler, value: Any, schema: Json, base: str, plan: _Plan) -> None:
    check = compiler.compile(value, base)
    _everywhere(plan, lambda item: not check(item))


def _if(compiler: Compiler, value: Any, schema: Json, base: str, plan: _Plan) -> None:
    condition = compiler.compile(value, base)
    then = compiler.compile(schema.get("then", True), base)
    otherwise = compiler.compile(schema.get("else", True), base)
    _everywhere(plan, lambda item: then(item) if condition(item) else otherwise(item))


def _with_if(compiler: Compiler, value: Any, schema: Json, base: str, plan: _Plan) -> None:
    """``then`` and ``else`` say nothing without ``if``, and are compiled with it."""


_KEYWORDS: dict[str, _Add] = {
    "type": _type,
    "enum": _enum,
    "const": _const,
    "pattern": _pattern,
    "minLength": _bound(str, test=lambda text, limit: len(text) >= limit),
    "maxLength": _bound(str, test=lambda text, limit: len(text) <= limit),
    "minimum": _bound(int, float, test=lambda number, limit: number >= limit),
    "maximum": _bound(int, float, test=lambda number, limit: number <= limit),
    "exclusiveMinimum": _bound(int, float, test=lambda number, limit: number > limit),
    "exclusiveMaximum": _bound(int, float, test=lambda number, limit: number < limit),
    "minItems": _bound(list, test=lambda items, limit: len(items) >= limit),
    "maxItems": _bound(list, test=lambda items, limit: len(items) <= limit),
    "minProperties": _bound(dict, test=lambda items, limit: len(items) >= limit),
    "maxProperties": _bound(dict, test=lambda items, limit: len(items) <= limit),
    "required": _required,
    "properties": _properties,
    "additionalProperties": _additional,
    "propertyNames": _property_names,
    "items": _items,
    "anyOf": _any_of,
    "oneOf": _one_of,
    "not": _not,
    "if": _if,
    "then": _with_if,
    "else": _with_if,
}
KEYWORDS = frozenset(_KEYWORDS) | ANNOTATIONS | {"$ref", "allOf"}
