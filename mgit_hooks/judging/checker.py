"""The fast path of validation: a schema turned into closures that answer "clean" or "not sure".

Made from the schema files alone, so a changed keyword changes the verdict. "Not sure" is no verdict:
jsonschema then decides and explains (``explain``). A keyword that is not in the table of ``keywords`` makes the
whole schema Unsupported, never silently ignored.
"""

from __future__ import annotations

from mgit_hooks.judging.keywords import ADD, ANNOTATIONS, Plan, Unsupported, expect

TYPE_CHECKING = False  # as in keywords
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from mgit_hooks.judging.keywords import Check, Pointed
    from mgit_hooks.record import Json

    Dispatch = dict[type, Check | None]
    """What a place's value must pass, by its type: None is nothing; a type that is not there does not fit."""

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_MOST_SUBSCHEMAS = 20_000
ENDLESS = 1 << 62


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
    return node, uri


class Endless(Unsupported):
    """A schema that refers to itself for the same place of a value: whoever follows it never ends."""

    def __init__(self) -> None:
        super().__init__("a schema that is itself")


class Compiler:
    """``count``: the subschemas that were looked at. ``weight``: the most that may be asked of one place of a value;
    ENDLESS where a schema is inside itself."""

    def __init__(self, documents: Mapping[str, Json]) -> None:
        self._documents = documents
        self._made: dict[tuple[tuple[int, str], ...], Dispatch] = {}
        self._weights: dict[int, int] = {}
        self.count = 0
        self.weight = 0

    def compile(self, schema: Any, base: str) -> Check:
        get = self.dispatch([(schema, base)]).get

        def check(value: Any) -> bool:
            test = get(type(value), _no)
            return test is None or test(value)

        return check

    def weigh(self, questions: int) -> None:
        self.weight += questions

    def dispatch(self, schemas: list[Pointed]) -> Dispatch:
        key = tuple((id(schema), base) for schema, base in schemas)
        made = self._made.get(key)
        if made is None:
            # There before it is filled: a schema inside itself finds it.
            made = self._made[key] = {}
            outside, self.weight = self.weight, 0
            plan = Plan()
            for pointed in schemas:
                self._gather(pointed, plan, ())
            made.update(_dispatch(plan, self))
            self._weights[id(made)] = self.weight
            self.weight += outside
        else:
            # Made once and asked each time: sixty that each ask the next one twice are as many as 2 ** 60.
            self.weight += self._weights.get(id(made), ENDLESS)
        return made

    def _gather(self, pointed: Pointed, plan: Plan, trail: tuple[int, ...]) -> None:
        schema, base = pointed
        self.count += 1
        self.weight += 1
        if id(schema) in trail:
            raise Endless
        if self.count > _MOST_SUBSCHEMAS or len(trail) > 100:
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
                for each in expect(value, list):
                    self._gather((each, base), plan, trail)
            elif keyword == "$ref":
                self._gather(follow(expect(value, str), base, self._documents), plan, trail)
            elif keyword in ADD:
                ADD[keyword](self, value, schema, base, plan)
            else:
                raise Unsupported(keyword)


def _no(value: Any) -> bool:
    return False


def _dispatch(plan: Plan, compiler: Compiler) -> Dispatch:
    if plan.required or plan.properties or plan.closed:
        plan.tests[dict].insert(0, _object(plan, compiler))
    if plan.items:
        plan.tests[list].append(_array(compiler.dispatch(plan.items)))
    return {kind: _all(plan.tests[kind]) for kind in plan.types}


# The two closures below run for every field of every file of every record: each saves what calls it can.


def _object(plan: Plan, compiler: Compiler) -> Check:
    required = frozenset(plan.required)
    closed = plan.closed
    table = {name: compiler.dispatch(schemas) for name, schemas in plan.properties.items()}
    few = tuple(table.items())

    def check_few(value: dict[str, Any]) -> bool:
        for name in required:
            if name not in value:
                return False
        for name, dispatch in few:
            if name in value:
                item = value[name]
                test = dispatch.get(type(item), _no)
                if test is not None and not test(item):
                    return False
        return True

    def check(value: dict[str, Any]) -> bool:
        keys = value.keys()
        if not required <= keys:
            return False
        for allowed in closed:
            if not keys <= allowed:
                return False
        for name, item in value.items():
            dispatch = table.get(name)
            if dispatch is not None:
                test = dispatch.get(type(item), _no)
                if test is not None and not test(item):
                    return False
        return True

    return check_few if len(few) <= 4 and not closed else check


def _array(dispatch: Dispatch) -> Check:
    def check(value: list[Any]) -> bool:
        for item in value:
            test = dispatch.get(type(item), _no)
            if test is not None and not test(item):
                return False
        return True

    return check


def _all(tests: list[Check]) -> Check | None:
    if not tests:
        return None
    if len(tests) == 1:
        return tests[0]
    if len(tests) == 2:
        first, second = tests
        return lambda value: first(value) and second(value)

    return lambda value: all(test(value) for test in tests)
