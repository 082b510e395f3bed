"""What each keyword of JSON Schema adds to the fast path's plan of a place (``checker`` makes closures of it)."""

from __future__ import annotations

from mgit_hooks.judging.matching import compiled

TYPE_CHECKING = False  # typing is not loaded for it: a gate would wait for that as long as for all its judging
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Protocol

    from mgit_hooks.record import Json

    Check = Callable[[Any], bool]
    Pointed = tuple[Any, str]
    """A subschema, and the document that its local references mean."""

    class Compile(Protocol):
        def compile(self, schema: Any, base: str) -> Check:
            """A closure for a schema within a schema, whose local references mean the document ``base``."""

        def weigh(self, questions: int) -> None:
            """So many are asked of one place, besides those of subschemas: each is one of jsonschema's own at least."""

    _Add = Callable[[Compile, Any, Json, str, "Plan"], None]

ANNOTATIONS = frozenset(
    ("$schema", "$id", "$comment", "$defs", "title", "description", "default", "examples", "deprecated",
     "readOnly", "writeOnly", "format", "contentEncoding", "contentMediaType", "contentSchema")
)  # fmt: skip
_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,), "null": (type(None),), "boolean": (bool,), "integer": (int,), "number": (int, float),
    "object": (dict,), "array": (list,),
}  # fmt: skip
_ALL_TYPES = frozenset(kind for kinds in _TYPES.values() for kind in kinds)
_MOST_REMEMBERED = 4096
_TOO_LARGE = float("inf")


class Unsupported(Exception):
    """The schema says something that only jsonschema can judge (or that is not a schema)."""


class Plan:
    """All that one place of a value must satisfy: ``$ref`` and ``allOf`` melted into one pass over it."""

    def __init__(self) -> None:
        self.types = set(_ALL_TYPES)
        self.tests: dict[type, list[Check]] = {kind: [] for kind in _ALL_TYPES}
        self.required: set[str] = set()
        self.properties: dict[str, list[Pointed]] = {}
        self.closed: list[frozenset[str]] = []
        self.items: list[Pointed] = []


def equal(one: Any, other: Any) -> bool:
    """Equality of JSON values: 1 is 1.0 but not true."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(equal, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(equal(item, other[name]) for name, item in one.items())
    return bool(one == other)


def expect(value: Any, *kinds: type) -> Any:
    if type(value) not in kinds:
        raise Unsupported("a keyword's value has the wrong type")
    return value


# One function a keyword: what it adds to the plan.


def _everywhere(plan: Plan, test: Check) -> None:
    for tests in plan.tests.values():
        tests.append(test)


def _type(compiler: Compile, value: Any, schema: Json, base: str, plan: Plan) -> None:
    names = [value] if isinstance(value, str) else expect(value, list)
    if not all(isinstance(name, str) and name in _TYPES for name in names):
        raise Unsupported("type")
    kinds = {kind for name in names for kind in _TYPES[name]}
    if "integer" in names and "number" not in names:
        kinds.add(float)  # 1.0 is an integer
        if float in plan.types:
            plan.tests[float].append(float.is_integer)
    plan.types &= kinds


def _enum(compiler: Compile, value: Any, schema: Json, base: str, plan: Plan) -> None:
    allowed = expect(value, list)
    compiler.weigh(len(allowed))
    texts = frozenset(each for each in allowed if isinstance(each, str))
    others = [each for each in allowed if not isinstance(each, str)]
    for kind, tests in plan.tests.items():
        if kind is str:
            tests.append(texts.__contains__)
        else:
            tests.append(lambda item: any(equal(item, other) for other in others))


def _const(compiler: Compile, value: Any, schema: Json, base: str, plan: Plan) -> None:
    _everywhere(plan, lambda item: equal(item, value))


def _pattern(compiler: Compile, value: Any, schema: Json, base: str, plan: Plan) -> None:
    try:
        search = compiled(expect(value, str)).search
    except Exception as error:
        raise Unsupported("pattern") from error
    passed: set[str] = set()  # modes, ids and dates come again and again

    def check(text: str) -> bool:
        if text in passed:
            return True
        if search(text) is None:
            return False
        if len(text) <= 64:
            if len(passed) >= _MOST_REMEMBERED:
                passed.clear()
            passed.add(text)
        return True

    plan.tests[str].append(check)


def _bound(*kinds: type, test: Callable[[Any], Check]) -> _Add:
    def add(compiler: Compile, value: Any, schema: Json, base: str, plan: Plan) -> None:
        check = test(expect(value, int, float))
        for kind in kinds:
            plan.tests[kind].append(check)

    return add


def _texts(value: Any) -> frozenset[str]:
    if not all(isinstance(each, str) for each in expect(value, list)):
        raise Unsupported("a list of texts")
    return frozenset(value)


def _required(compiler: Compile, value: Any, schema: Json, base: str, plan: Plan) -> None:
    compiler.weigh(len(expect(value, list)))
    plan.required |= _texts(value)


def _properties(compiler: Compile, value: Any, schema: Json, base: str, plan: Plan) -> None:
    for name, each in expect(value, dict).items():
        plan.properties.setdefault(name, []).append((each, base))


def _searches(patterns: Any) -> list[Callable[[str], Any]]:
    try:
        return [compiled(pattern).search for pattern in expect(patterns, dict)]
    except Exception as error:
        raise Unsupported("pattern") from error


def _pattern_properties(compiler: Compile, value: Any, schema: Json, base: str, plan: Plan) -> None:
    searches = _searches(value)
    pairs = [(search, compiler.compile(each, base)) for search, each in zip(searches, value.values(), strict=True)]
    plan.tests[dict].append(
        lambda item: all(check(inner) for name, inner in item.items() for search, check in pairs if search(name))
    )


def _additional(compiler: Compile, value: Any, schema: Json, base: str, plan: Plan) -> None:
    names = frozenset(expect(schema.get("properties", {}), dict))
    if "patternProperties" in schema:
        searches, other = _searches(schema["patternProperties"]), compiler.compile(value, base)
        plan.tests[dict].append(
            lambda item: all(
                other(inner)
                for name, inner in item.items()
                if name not in names and not any(search(name) for search in searches)
            )
        )
    elif value is False:
        plan.closed.append(names)
    elif value is not True:
        each = compiler.compile(value, base)
        plan.tests[dict].append(lambda item: all(each(inner) for name, inner in item.items() if name not in names))


def _property_names(compiler: Compile, value: Any, schema: Json, base: str, plan: Plan) -> None:
    each = compiler.compile(value, base)
    plan.tests[dict].append(lambda item: all(map(each, item)))


def _dependent_required(compiler: Compile, value: Any, schema: Json, base: str, plan: Plan) -> None:
    pairs = [(name, _texts(others)) for name, others in expect(value, dict).items()]
    compiler.weigh(sum(1 + len(others) for _, others in pairs))
    plan.tests[dict].append(lambda item: all(others <= item.keys() for name, others in pairs if name in item))


def _dependent_schemas(compiler: Compile, value: Any, schema: Json, base: str, plan: Plan) -> None:
    pairs = [(name, compiler.compile(each, base)) for name, each in expect(value, dict).items()]
    plan.tests[dict].append(lambda item: all(check(item) for name, check in pairs if name in item))


def _items(compiler: Compile, value: Any, schema: Json, base: str, plan: Plan) -> None:
    before = len(expect(schema.get("prefixItems", []), list))
    if before:
        check = compiler.compile(value, base)
        plan.tests[list].append(lambda items: all(map(check, items[before:])))
    else:
        plan.items.append((value, base))


def _prefix_items(compiler: Compile, value: Any, schema: Json, base: str, plan: Plan) -> None:
    checks = [compiler.compile(each, base) for each in expect(value, list)]
    plan.tests[list].append(lambda items: all(check(item) for check, item in zip(checks, items, strict=False)))


def _unique_items(compiler: Compile, value: Any, schema: Json, base: str, plan: Plan) -> None:
    if expect(value, bool):
        plan.tests[list].append(lambda items: len(set(map(frozen, items))) == len(items))


def frozen(value: Any) -> Any:
    """What is equal for equal values alone, and can be looked up."""
    if isinstance(value, list):
        return (list, tuple(map(frozen, value)))
    if isinstance(value, dict):
        return (dict, frozenset((name, frozen(item)) for name, item in value.items()))
    return (type(value) is bool, value)


def _multiple_of(compiler: Compile, value: Any, schema: Json, base: str, plan: Plan) -> None:
    if expect(value, int, float) <= 0:
        raise Unsupported("multipleOf")
    plan.tests[int].append(lambda number: _divides(value, number))
    plan.tests[float].append(lambda number: _divides(value, number))


def _divides(value: float, number: float) -> bool:
    """As jsonschema takes floats: by their quotient, which may be too large for one."""
    if isinstance(value, int):
        return number % value == 0
    try:
        quotient = number / value
    except OverflowError:
        quotient = _TOO_LARGE
    if abs(quotient) == _TOO_LARGE:
        from fractions import Fraction

        return (Fraction(number) / Fraction(value)).denominator == 1
    return quotient.is_integer()


def _contains(compiler: Compile, value: Any, schema: Json, base: str, plan: Plan) -> None:
    check = compiler.compile(value, base)
    least = expect(schema.get("minContains", 1), int, float)
    most = expect(schema.get("maxContains", float("inf")), int, float)
    plan.tests[list].append(lambda items: least <= sum(map(check, items)) <= most)


def _any_of(compiler: Compile, value: Any, schema: Json, base: str, plan: Plan) -> None:
    checks = [compiler.compile(each, base) for each in expect(value, list)]
    _everywhere(plan, lambda item: any(check(item) for check in checks))


def _one_of(compiler: Compile, value: Any, schema: Json, base: str, plan: Plan) -> None:
    checks = [compiler.compile(each, base) for each in expect(value, list)]
    _everywhere(plan, lambda item: sum(check(item) for check in checks) == 1)


def _not(compiler: Compile, value: Any, schema: Json, base: str, plan: Plan) -> None:
    check = compiler.compile(value, base)
    _everywhere(plan, lambda item: not check(item))


def _if(compiler: Compile, value: Any, schema: Json, base: str, plan: Plan) -> None:
    condition = compiler.compile(value, base)
    then = compiler.compile(schema.get("then", True), base)
    otherwise = compiler.compile(schema.get("else", True), base)
    _everywhere(plan, lambda item: then(item) if condition(item) else otherwise(item))


def _with_another(compiler: Compile, value: Any, schema: Json, base: str, plan: Plan) -> None:
    """``then`` says nothing without ``if``, ``minContains`` nothing without ``contains``: compiled with it."""


ADD: dict[str, _Add] = {
    "type": _type,
    "enum": _enum,
    "const": _const,
    "pattern": _pattern,
    "minLength": _bound(str, test=lambda limit: lambda text: len(text) >= limit),
    "maxLength": _bound(str, test=lambda limit: lambda text: len(text) <= limit),
    "minimum": _bound(int, float, test=lambda limit: lambda number: number >= limit),
    "maximum": _bound(int, float, test=lambda limit: lambda number: number <= limit),
    "exclusiveMinimum": _bound(int, float, test=lambda limit: lambda number: number > limit),
    "exclusiveMaximum": _bound(int, float, test=lambda limit: lambda number: number < limit),
    "minItems": _bound(list, test=lambda limit: lambda items: len(items) >= limit),
    "maxItems": _bound(list, test=lambda limit: lambda items: len(items) <= limit),
    "minProperties": _bound(dict, test=lambda limit: lambda items: len(items) >= limit),
    "maxProperties": _bound(dict, test=lambda limit: lambda items: len(items) <= limit),
    "required": _required,
    "properties": _properties,
    "additionalProperties": _additional,
    "patternProperties": _pattern_properties,
    "propertyNames": _property_names,
    "dependentRequired": _dependent_required,
    "dependentSchemas": _dependent_schemas,
    "items": _items,
    "prefixItems": _prefix_items,
    "uniqueItems": _unique_items,
    "multipleOf": _multiple_of,
    "contains": _contains,
    "minContains": _with_another,
    "maxContains": _with_another,
    "anyOf": _any_of,
    "oneOf": _one_of,
    "not": _not,
    "if": _if,
    "then": _with_another,
    "else": _with_another,
}
KEYWORDS = frozenset(ADD) | ANNOTATIONS | {"$ref", "allOf"}
