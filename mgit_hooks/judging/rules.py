"""Rules that users write: a JSON Schema over what ``log --json`` prints, and what breaks it.

Pure and without a bound on time: whoever holds rules that may come from a worktree calls
``judging.judge``, which runs what is not provably cheap in a process that can be killed.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from mgit_hooks.judging.checker import Compiler, Endless
from mgit_hooks.judging.keywords import KEYWORDS, Unsupported
from mgit_hooks.judging.patterns import Cost, cost
from mgit_hooks.judging.unknown import hangs_on, holds, names_below
from mgit_hooks.record import EVENTS, Issue, Json

if TYPE_CHECKING:
    from mgit_hooks.judging.keywords import Check
    from mgit_hooks.judging.repairs import Repair

RULE_EVENTS = EVENTS | {"pushed-commit"}
"""What a rule may be for: the events of records, and a commit that a push is about to bring."""


class Examples(NamedTuple):
    """Values, or parts of one, that the rule lets pass and that it finds."""

    good: tuple[Any, ...] = ()
    bad: tuple[Any, ...] = ()


class Rule(NamedTuple):
    id: str
    events: tuple[str, ...]
    severity: str  # info | warning | error | critical
    strategy: str | None  # None: the configuration's
    message: str  # the way out, in the words of whoever wrote the rule
    schema: Any  # a JSON Schema, draft 2020-12, its parameters put in, with what it refers to bundled in
    origin: str  # the file that brought it into force
    title: str = ""  # what holds where the rule holds
    enforce: bool = True  # False: it reports, and lets through, whatever the others do
    parameters: Mapping[str, Any] = {}  # the values that were put in
    examples: Examples = Examples()
    source: str = ""  # where its schema was written: a file, or urn:mgit-hooks:rule.ID
    repair: Repair | None = None  # what the gate may do about what it finds; of a policy in force, what it is to do


class Prepared(NamedTuple):
    """A rule and what was made of its schema."""

    rule: Rule
    documents: Mapping[str, Json]
    check: Check | None  # the fast path, where the schema keeps to its keywords
    costs: tuple[Cost, ...] | None  # of its patterns; None where there is no bound that is plain to see
    work: int = 0  # the subschemas that were looked at to make it
    endless: bool = False  # its schema is itself again for the same place of a value
    own: Mapping[str, Json] = {}  # its schema, as BASE, and the files that came with it


class _Overlay(Mapping[str, Json]):
    """A rule's own documents over ours, of which only those that it refers to are ever read."""

    def __init__(self, own: Mapping[str, Json], ours: Mapping[str, Json]) -> None:
        self._own, self._ours = own, ours

    def __getitem__(self, uri: str) -> Json:
        return self._own[uri] if uri in self._own else self._ours[uri]

    def __iter__(self) -> Iterator[str]:
        yield from self._own
        yield from self._ours

    def __len__(self) -> int:
        return len(self._own) + len(self._ours)


BASE = "urn:mgit-hooks:rule"
# Checking every letter of a value against every pattern for this many steps takes well under a second.
AFFORDABLE_STEPS = 5_000_000
# So many questions about one place of a value: thousands of files take less than a second, jsonschema's ones too.
_MOST_WEIGHT = 1_000
# Of one rule in one value: who reads so many needs no more, and a thousand for each of many files fill the memory.
_MOST_FINDINGS = 10_000


def applies(rule: Rule, event: str) -> bool:
    return event in rule.events


def prepare(rule: Rule, documents: Mapping[str, Json]) -> Prepared:
    """Compile a rule whose schema may refer to ``documents`` by ``$id``."""
    schema = rule.schema
    own = {**schema, "$id": BASE} if isinstance(schema, dict) else {"$id": BASE, "not": {} if not schema else False}
    with_it = {**_bundled(own), BASE: own}
    known = _Overlay(with_it, documents)
    compiler = Compiler(known)
    endless = False
    try:
        check = compiler.compile(own, BASE)
    except (Unsupported, RecursionError) as error:
        check, endless = None, isinstance(error, Endless)
    try:
        costs = [cost(pattern) for pattern in patterns(own)]
        unbounded = check is None or compiler.weight > _MOST_WEIGHT or None in costs
        bounds = None if unbounded else tuple(each for each in costs if each)
    except Exception:
        bounds = None
    return Prepared(rule, known, check, bounds, compiler.count, endless, with_it)


_ready: dict[tuple[str, str, int], Prepared] = {}


def ready(rule: Rule, documents: Mapping[str, Json]) -> Prepared:
    """As ``prepare``, once for as long as the rule is kept."""
    key = (rule.origin, rule.id, id(rule.schema))
    made = _ready.get(key)
    if made is None or made.rule != rule:
        made = _ready[key] = prepare(rule, documents)
    return made


class Texts:
    """The lengths of all texts in a value: walked over once, for however many rules."""

    def __init__(self, value: Any) -> None:
        self.value = value
        self._sums: dict[int, int] = {}

    @functools.cached_property
    def _lengths(self) -> list[int]:
        return [len(text) for text in _texts(self.value)]

    def steps(self, cost: Cost) -> int:
        """As ``cost.steps`` of each, added up."""
        return self._sum(1, 0) + cost.factor * self._sum(cost.degree, 1)

    def _sum(self, degree: int, least: int) -> int:
        key = 2 * degree + least
        if key not in self._sums:
            self._sums[key] = sum(max(length, least) ** degree for length in self._lengths)
        return self._sums[key]


def affordable(prepared: Prepared, texts: Texts) -> bool:
    """Whether judging the value with these ``texts`` by the rule provably ends soon."""
    if prepared.costs is None:
        return False
    return not prepared.costs or sum(map(texts.steps, prepared.costs)) <= AFFORDABLE_STEPS


def violations(prepared: Prepared, value: Any, unknown: frozenset[str] = frozenset()) -> tuple[Issue, ...]:
    """How ``value`` breaks the rule, as issues with code RULE_VIOLATED.

    ``unknown`` are JSON pointers to what is not known yet (the message at pre-commit): what hangs on
    them is left out, since a later stage judges it.
    """
    rule = prepared.rule
    try:
        if prepared.check is not None and prepared.check(value):
            return ()
    except (RecursionError, TypeError, KeyError):
        pass  # jsonschema's to say
    from mgit_hooks.judging import explain

    found = (
        _issue(rule, finding)
        for finding in explain.findings(validator(prepared), value)
        if not _may_hang_on(unknown, finding, prepared)
    )
    return explain.in_document_order(islice(found, _MOST_FINDINGS), value)


_validators: dict[int, Any] = {}


def validator(prepared: Prepared) -> Any:
    """jsonschema's validator of a rule, made once for as long as the rule is kept."""
    key = id(prepared.documents)
    if key not in _validators:
        from mgit_hooks.judging import explain

        # The validator holds its documents, or another rule's could come to have this id.
        _validators[key] = (prepared.documents, explain.validator(BASE, prepared.documents))
    return _validators[key][1]


def _issue(rule: Rule, finding: Any) -> Issue:
    from mgit_hooks.judging.explain import message, pointer, shown

    return Issue(
        rule.severity,
        "RULE_VIOLATED",
        f"rule {rule.id}: {message(finding)}",
        pointer(finding.path),
        rule.message or None,
        _context(rule, shown(finding.value, 200)),
    )


def _context(rule: Rule, value: str | None) -> Json:
    told: Json = {"rule": rule.id, "value": value, "strategy": rule.strategy, "way_out": rule.message}
    return told if rule.enforce else {**told, "enforce": False}


def failed(rule: Rule, code: str, what: str, fix: str) -> Issue:
    """The rule could not be judged: critical, so that a rule that is meant to refuse does refuse."""
    return Issue("critical", code, f"rule {rule.id} {what}", "", fix, _context(rule, None))


def _may_hang_on(unknown: frozenset[str], finding: Any, prepared: Prepared) -> bool:
    if not unknown:
        return False
    from mgit_hooks.judging.explain import pointer

    where = pointer(finding.path)
    if hangs_on(unknown, where):
        return True
    if finding.scope is not None:
        # Under not, anyOf or if, a finding may be due to whatever these look at, wherever it shows.
        below = names_below(unknown, pointer(finding.scope))
        return any(_looks_at(prepared.rule.schema, name) for name in below)
    if finding.keyword == "required":
        return False
    # A finding about a whole that holds the unknown (const, say) may be due to it.
    return holds(unknown, where)


def _looks_at(schema: Any, name: str) -> bool:
    """Whether a schema may look at a field of this name, or at all fields of something."""
    if isinstance(schema, list):
        return name in schema or any(_looks_at(each, name) for each in schema)
    if not isinstance(schema, dict):
        return False
    values = (schema.get("const"), *(schema["enum"] if isinstance(schema.get("enum"), list) else ()))
    wholes = any(isinstance(value, (dict, list)) for value in values)
    return (
        name in schema
        or wholes
        or not _WHOLES.isdisjoint(schema)
        or any(_looks_at(each, name) for keyword, each in schema.items() if not keyword.startswith("x-"))
    )


_WHOLES = frozenset(
    ("$ref", "$dynamicRef", "minProperties", "maxProperties", "propertyNames", "patternProperties",
     "additionalProperties", "unevaluatedProperties")
)  # fmt: skip


def patterns(schema: Any) -> Iterator[str]:
    """Every text in ``schema`` that is matched as a pattern, and some that may not be."""
    if isinstance(schema, list):
        for each in schema:
            yield from patterns(each)
    elif isinstance(schema, dict):
        for keyword, value in schema.items():
            if keyword == "pattern" and isinstance(value, str):
                yield value
            elif keyword == "patternProperties" and isinstance(value, dict):
                yield from value
            yield from patterns(value)


def unknown_keyword(schema: Any) -> tuple[str, str] | None:
    """A keyword of ``schema`` that is likely a slip of the pen, and what was likely meant.

    JSON Schema lets unknown keywords pass as annotations; in a rule that would be a rule that never holds.
    """
    for name, _ in _keywords(schema):
        if name in _KNOWN or name.startswith(("x-", "$")):
            continue
        from difflib import get_close_matches

        near = get_close_matches(name, _KNOWN, 1, 0.8)
        if near:
            return name, near[0]
    return None


_KNOWN = KEYWORDS | frozenset(
    ("prefixItems", "contains", "minContains", "maxContains", "uniqueItems", "multipleOf",
     "patternProperties", "dependentRequired", "dependentSchemas", "unevaluatedItems",
     "unevaluatedProperties", "$anchor", "$dynamicRef", "$dynamicAnchor", "$vocabulary", "definitions")
)  # fmt: skip
_MAPS = frozenset(("properties", "patternProperties", "$defs", "definitions", "dependentSchemas"))
_LISTS = frozenset(("allOf", "anyOf", "oneOf", "prefixItems"))
_ONE = frozenset(
    ("items", "additionalProperties", "propertyNames", "not", "if", "then", "else", "contains",
     "unevaluatedItems", "unevaluatedProperties")
)  # fmt: skip


def _keywords(schema: Any) -> Iterator[tuple[str, Json]]:
    """Each keyword of ``schema`` and of the schemas in it, with the schema that has it."""
    if not isinstance(schema, dict):
        return
    for name, value in schema.items():
        yield name, schema
        inner: Iterable[Any] = ()
        if name in _MAPS and isinstance(value, dict):
            inner = value.values()
        elif name in _LISTS and isinstance(value, list):
            inner = value
        elif name in _ONE:
            inner = (value,)
        for each in inner:
            yield from _keywords(each)


def references(schema: Any) -> Iterator[tuple[Json, str]]:
    """Each schema in ``schema`` that has a ``$ref`` (or ``$dynamicRef``), with what it refers to."""
    for name, holder in _keywords(schema):
        if name in ("$ref", "$dynamicRef") and isinstance(holder[name], str):
            yield holder, holder[name]


def _bundled(schema: Json) -> dict[str, Json]:
    """The files that a rule's schema refers to, which the configuration put into its ``$defs``."""
    inner = schema.get("$defs")
    if not isinstance(inner, dict):
        return {}
    return {each["$id"]: each for each in inner.values() if isinstance(each, dict) and "$id" in each}


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from value
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
