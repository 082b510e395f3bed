"""The fast path says what jsonschema says: over the official suite, every example of every rule, every small schema and
what hypothesis makes. And jsonschema, as we call it, says what the suite says, and finds it where it does alone."""

from __future__ import annotations

import copy
import gzip
import json
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from test_library_rules import EXAMPLES, RULES, rule

from mgit_hooks.judging import explain, facts, keywords, rules, schemas
from mgit_hooks.judging.checker import Compiler
from mgit_hooks.judging.judge import facts_named
from mgit_hooks.judging.keywords import Unsupported

COPY = Path(__file__).parent / "conformance/draft2020-12.json.gz"
BESIDE = Path(__file__).parents[2] / "shared/conformance/json-schema-2020-12"
REMOTE = "http://localhost:1234/"
S = schemas.load()
BASE = "urn:test"
# What jsonschema itself does not do, and how many cases of the suite that is.
NOT_DONE = {
    "pattern: pattern with Unicode property escape": 3,  # Python's patterns have no Unicode classes
    "patternProperties: patternProperties with Unicode property escape": 2,
    # It knows no vocabularies.
    "vocabulary: schema that uses custom metaschema with with no validation vocabulary: no validation: inv": 1,
}


class Case(NamedTuple):
    group: str
    description: str
    schema: Any
    value: Any
    valid: bool


@cache
def copied() -> Any:
    return json.loads(gzip.decompress(COPY.read_bytes()))


@cache
def suite() -> tuple[Case, ...]:
    """Each case of the required part."""
    return tuple(
        Case(f"{file}: {group['description']}", test["description"], group["schema"], test["data"], test["valid"])
        for file, groups in copied()["tests"].items()
        for group in groups
        for test in group["tests"]
    )


@cache
def remotes() -> Mapping[str, Any]:
    """What the suite's own server would give: given beforehand, since nothing is fetched."""
    return {f"{REMOTE}{path}": document for path, document in copied()["remotes"].items()}


def not_done(case: Case) -> bool:
    return any(f"{case.group}: {case.description}".startswith(name) for name in NOT_DONE)


def base_of(schema: Any) -> str:
    return str(schema.get("$id", BASE)) if isinstance(schema, dict) else BASE


def fast_path(schema: Any) -> Callable[[Any], bool] | None:
    """None where it leaves the schema to jsonschema."""
    base = base_of(schema)
    try:
        return Compiler({**remotes(), base: schema}).compile(schema, base)
    except Unsupported:
        return None


def slow_path(schema: Any) -> Any:
    return explain.validator(base_of(schema), {**remotes(), base_of(schema): schema})


def of_fast_path() -> tuple[int, list[Case]]:
    """How many cases of the suite it judges, and those that it judges wrongly."""
    judged, wrong = 0, []
    for case in suite():
        check = fast_path(case.schema)
        if check is not None:
            judged += 1
            if check(case.value) != case.valid:
                wrong.append(case)
    return judged, wrong


@pytest.mark.skipif(not BESIDE.is_dir(), reason="the conformance suite is not beside this checkout")
def test_the_copy_of_the_suite_is_the_suite() -> None:
    tests, remotes = BESIDE / "tests/draft2020-12", BESIDE / "remotes"
    assert copied() == {
        "tests": {path.stem: json.loads(path.read_text("utf-8")) for path in tests.glob("*.json")},
        "remotes": {
            str(path.relative_to(remotes)): json.loads(path.read_text("utf-8")) for path in remotes.rglob("*.json")
        },
    }


def test_every_case_of_the_suite_is_judged_by_jsonschema_and_most_by_the_fast_path(
    record_property: Callable[[str, object], None],
) -> None:
    told: dict[str, list[Case]] = {"judged": [], "not done": [], "wrong": []}
    for case in suite():
        if not_done(case):
            told["not done"].append(case)
        else:
            told["judged" if slow_path(case.schema).is_valid(case.value) == case.valid else "wrong"].append(case)
    judged, wrong = of_fast_path()
    assert told["wrong"] == []
    assert wrong == []
    assert len(told["not done"]) == sum(NOT_DONE.values())
    assert len(told["judged"]) + len(told["not done"]) == len(suite()) >= 1299
    assert judged >= 964
    for name, count in {"suite": len(suite()), "jsonschema": len(told["judged"]), "fast": judged}.items():
        record_property(name, count)


def test_what_jsonschema_finds_it_finds_in_the_same_places_for_us() -> None:
    """Held to jsonschema as it comes: without our patterns, our registry, our way of naming what is missing."""
    import jsonschema

    compared = 0
    for case in suite():
        if case.valid or REMOTE in json.dumps(case.schema) or not_done(case):
            continue
        plain = jsonschema.Draft202012Validator(case.schema).iter_errors(case.value)
        ours = explain.findings(slow_path(case.schema), case.value)
        assert {tuple(error.absolute_path) for error in plain} == {holder(each) for each in ours}, case
        compared += 1
    assert compared > 450


def holder(finding: explain.Finding) -> explain.Path:
    """Of a field that is missing or unknown, the object that it is about."""
    by_name = finding.keyword == "required" or (finding.keyword == "additionalProperties" and finding.expected is False)
    return finding.path[:-1] if by_name else finding.path


# Rules


@cache
def prepared(name: str) -> rules.Prepared:
    return rules.prepare(rule(name), S.documents)


def agree(name: str, value: Any) -> bool:
    """Whether the rule holds of ``value``, by both."""
    made = prepared(name)
    assert made.check is not None
    fast, slow = made.check(value), rules.validator(made).is_valid(value)
    assert fast == slow, (name, value)
    return slow


def with_facts(name: str, example: Any) -> Any:
    return facts.made(example, facts_named([rule(name)])).value


def test_both_paths_agree_on_every_example_of_every_rule() -> None:
    verdicts = {(name, number, kind): agree(name, with_facts(name, e)) for name, kind, number, e in EXAMPLES}
    assert len(verdicts) == len(EXAMPLES) > 100
    assert {kind for (_, _, kind), good in verdicts.items() if good} == {"good"}
    assert {kind for (_, _, kind), good in verdicts.items() if not good} == {"bad"}


leaves = (
    st.none() | st.booleans() | st.integers(-3, 3) | st.floats(-3, 3) | st.sampled_from(["", "a", "aa", "b", "a\n"])
)
values = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=6,
)
odd = values | st.sampled_from(
    ["x" * 100, "feat: x\n", "refs/heads/main", "100755", "0" * 40, 10**9, -1, [[]], {"": 1}]
)


def places_in(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place for name, item in items for place in ((*path, name), *places_in(item, (*path, name)))]


def put(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    value = copy.deepcopy(value)
    inner = value
    for part in path[:-1]:
        inner = inner[part]
    inner[path[-1]] = new
    return value


@settings(max_examples=300)
@given(st.sampled_from(EXAMPLES), st.data())
def test_both_paths_agree_on_what_examples_of_rules_may_become(example: Any, data: st.DataObject) -> None:
    name, _, _, value = example
    value = with_facts(name, value)
    for _ in range(data.draw(st.integers(1, 3))):
        value = put(value, data.draw(st.sampled_from(places_in(value))), data.draw(odd))
    agree(name, value)


def test_every_rule_is_among_them() -> None:
    assert {name for name, *_ in EXAMPLES} == set(RULES)


# Any schema


BY_SIZE = ("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties")
BY_NUMBER = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
BY_SCHEMA = ("not", "items", "propertyNames", "additionalProperties", "contains")
BY_SCHEMAS = ("allOf", "anyOf", "oneOf", "prefixItems")
BY_NAME = ("properties", "patternProperties", "dependentSchemas")
numbers = st.integers(-2, 3) | st.sampled_from([0.5, 1.0, 2.5])
sizes = st.integers(0, 3)
simple = st.one_of(
    st.builds(
        lambda v: {"type": v}, st.sampled_from(["string", "null", "boolean", "integer", "number", "object", "array"])
    ),
    st.builds(lambda v: {"type": v}, st.lists(st.sampled_from(["string", "integer", "number", "object"]), min_size=1)),
    st.builds(lambda v: {"enum": v}, st.lists(values, min_size=1, max_size=3)),
    st.builds(lambda v: {"const": v}, values),
    st.builds(lambda v: {"pattern": v}, st.sampled_from(["^a$", "a", "^$", "[ab]{2}", "b$"])),
    st.builds(
        lambda k, v: {k: v}, st.sampled_from(["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"]), numbers
    ),
    st.builds(lambda v: {"multipleOf": v}, st.sampled_from([1, 2, 0.5, 1.5, 1e-308])),
    st.builds(
        lambda k, v: {k: v},
        st.sampled_from(["minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"]),
        sizes,
    ),
    st.builds(lambda v: {"required": v}, st.lists(st.sampled_from("abc"), max_size=2, unique=True)),
    st.builds(lambda v: {"uniqueItems": v}, st.booleans()),
    st.builds(lambda v: {"dependentRequired": {"a": v}}, st.lists(st.sampled_from("bc"), max_size=2, unique=True)),
    st.just({"$ref": "#/$defs/d"}),
    st.booleans(),
)


def composed(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    some = st.lists(inner, min_size=1, max_size=3)
    named = st.dictionaries(st.sampled_from("abc"), inner, min_size=1, max_size=3)
    matched = st.dictionaries(st.sampled_from(["^a", "b|c", "."]), inner, min_size=1, max_size=2)
    one = st.one_of(
        *(st.builds(lambda v, k=k: {k: v}, some) for k in ("allOf", "anyOf", "oneOf", "prefixItems")),
        *(st.builds(lambda v, k=k: {k: v}, inner) for k in ("not", "items", "propertyNames", "additionalProperties")),
        *(st.builds(lambda v, k=k: {k: v}, named) for k in ("properties", "dependentSchemas")),
        st.builds(lambda v: {"patternProperties": v}, matched),
        st.builds(lambda c, t, e: {"if": c, "then": t, "else": e}, inner, inner, inner),
        st.builds(lambda c, n, x: {"contains": c, "minContains": n, "maxContains": x}, inner, sizes, sizes),
        st.builds(lambda c: {"contains": c}, inner),
    )
    # Several in one schema: most keywords look at others beside them.
    return st.builds(lambda parts: {k: v for part in parts if isinstance(part, dict) for k, v in part.items()},
                     st.lists(one | simple, min_size=1, max_size=4))  # fmt: skip


any_schema = st.recursive(simple, composed, max_leaves=8)


def hold_equal(schema: Any, definition: Any, value: Any) -> None:
    whole = {**schema, "$defs": {"d": definition}} if isinstance(schema, dict) else schema
    check = fast_path(whole)
    assert check is not None, whole
    assert check(value) == slow_path(whole).is_valid(value), (whole, value)


def no_reference(schema: Any) -> bool:
    return "$ref" not in json.dumps(schema)


@settings(max_examples=300)
@given(any_schema, simple.filter(no_reference), values)
def test_both_paths_agree_on_any_schema(schema: Any, definition: Any, value: Any) -> None:
    hold_equal(schema, definition, value)


INNER: tuple[Any, ...] = (True, False, {"type": "string"}, {"minimum": 1}, {"maxLength": 1})
SMALL_SCHEMAS: tuple[Any, ...] = (
    *INNER,
    *({keyword: size} for keyword in BY_SIZE for size in range(4)),
    *({keyword: bound} for keyword in (*BY_NUMBER, "multipleOf") for bound in (0.5, 1, 2)),
    *({"type": name} for name in ("null", "boolean", "integer", "number", "object", "array")),
    *({"pattern": text} for text in ("^a$", "a", "^$")),
    *({keyword: value} for keyword in ("const",) for value in (None, True, 1, 1.0, "a", [1], {"a": 1})),
    {"enum": [True, "a", [1]]},
    {"enum": [0, {}]},
    {"required": ["a"]},
    {"required": ["a", "b"]},
    {"uniqueItems": True},
    {"dependentRequired": {"a": ["b"]}},
    *({keyword: inner} for keyword in BY_SCHEMA for inner in INNER),
    *({keyword: [one, other]} for keyword in BY_SCHEMAS for one in INNER for other in INNER),
    *({keyword: {"a": inner}} for keyword in BY_NAME for inner in INNER),
    *({"items": one, "prefixItems": [other]} for one in INNER for other in INNER),
    *({"additionalProperties": one, "properties": {"a": other}} for one in INNER for other in INNER),
    *({"additionalProperties": one, "patternProperties": {"a": other}} for one in INNER for other in INNER),
    *({"contains": one, "minContains": least, "maxContains": 1} for one in INNER for least in (0, 1, 2)),
    *({"if": one, "then": {"maxLength": 0}, "else": other} for one in INNER for other in INNER),
)  # fmt: skip
SMALL_VALUES: tuple[Any, ...] = (
    None, True, False, 0, 1, 2, 3, -1, 0.5, 1.0, 1.5, 2.0, 1e308, 10**30, "", "a", "aa", "aaa", "b", "a\n", "é",
    [], [1], [1, 1], [1, True], [1, 1.0], ["a", "b"], [[1], [True]], [0, False], ["aa", 0, 2], [{}, {}],
    {}, {"a": 1}, {"a": "aa"}, {"b": 0}, {"a": 1, "b": "bb"}, {"aa": 3}, {"a": None, "b": 2, "c": 3}, {"a": {"a": 1}},
)  # fmt: skip


@cache
def of_jsonschema() -> tuple[tuple[bool, ...], ...]:
    return tuple(tuple(map(slow_path(schema).is_valid, SMALL_VALUES)) for schema in SMALL_SCHEMAS)


def small_differences() -> list[tuple[Any, Any]]:
    found = []
    for schema, verdicts in zip(SMALL_SCHEMAS, of_jsonschema(), strict=True):
        check = fast_path(schema)
        assert check is not None, schema
        found += [(schema, v) for v, good in zip(SMALL_VALUES, verdicts, strict=True) if check(v) != good]
    return found


def test_both_paths_agree_on_every_small_schema_and_value() -> None:
    assert small_differences() == []
    keywords_tried = {name for schema in SMALL_SCHEMAS if isinstance(schema, dict) for name in schema}
    assert keywords_tried == set(keywords.ADD) | {"allOf"}
    # One that holds of every value, or of none, shows little.
    assert sum(len(set(verdicts)) == 2 for verdicts in of_jsonschema()) > 0.75 * len(SMALL_SCHEMAS)


# Planted bugs: what a slip in one keyword would be


def _off_by_one(keyword: str) -> Callable[..., None]:
    right = keywords.ADD[keyword]

    def add(compiler: Any, value: Any, schema: Any, base: str, plan: Any) -> None:
        right(compiler, value + (1 if keyword.startswith("max") else -1), schema, base, plan)

    return add


def _forgotten(compiler: Any, value: Any, schema: Any, base: str, plan: Any) -> None:
    """A keyword that is taken, and says nothing."""


def _one_of_any(compiler: Any, value: Any, schema: Any, base: str, plan: Any) -> None:
    keywords.ADD["anyOf"](compiler, value, schema, base, plan)


BUGS: list[tuple[str, Callable[..., None]]] = [
    *((keyword, _off_by_one(keyword)) for keyword in ("maxLength", "minItems", "maximum", "maxProperties")),
    *((keyword, _forgotten) for keyword in ("required", "uniqueItems", "patternProperties", "propertyNames", "not")),
    ("oneOf", _one_of_any),
]


@pytest.mark.parametrize(("keyword", "bug"), BUGS, ids=[keyword for keyword, _ in BUGS])
def test_a_slip_in_a_keyword_is_caught_by_the_suite(
    monkeypatch: pytest.MonkeyPatch, keyword: str, bug: Callable[..., None]
) -> None:
    monkeypatch.setitem(keywords.ADD, keyword, bug)
    assert of_fast_path()[1]


@pytest.mark.parametrize(("keyword", "bug"), BUGS, ids=[keyword for keyword, _ in BUGS])
def test_a_slip_in_a_keyword_is_caught_by_small_schemas(
    monkeypatch: pytest.MonkeyPatch, keyword: str, bug: Callable[..., None]
) -> None:
    """Also where the suite is not there."""
    monkeypatch.setitem(keywords.ADD, keyword, bug)
    found = small_differences()
    assert found
    assert all(keyword in json.dumps(schema) for schema, _ in found)


def test_a_slip_in_a_keyword_is_caught_by_schemas_that_are_made_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(keywords.ADD, "required", _forgotten)
    tried = settings(
        max_examples=1000, derandomize=True, database=None, phases=[Phase.generate], report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )(given(any_schema, simple.filter(no_reference), values)(hold_equal))  # fmt: skip
    with pytest.raises(AssertionError):
        tried()


def test_a_slip_in_a_keyword_is_caught_by_the_examples_of_the_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(keywords.ADD, "not", _forgotten)
    prepared.cache_clear()
    try:
        with pytest.raises(AssertionError):
            test_both_paths_agree_on_every_example_of_every_rule()
    finally:
        prepared.cache_clear()
