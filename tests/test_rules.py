"""Rules of users: what breaks them, what a stage does not know yet, and patterns that would never end."""

from __future__ import annotations

import os
import re
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from samples import RECORDS

from mgit_hooks.judging import rules, schemas
from mgit_hooks.judging.judge import Allowance, judge
from mgit_hooks.judging.matching import compiled
from mgit_hooks.judging.patterns import Cost, cost
from mgit_hooks.judging.rules import Rule

S = schemas.load()
RECORD = RECORDS["commit"].to_json()


def rule(schema: Any, **fields: Any) -> Rule:
    base = Rule("r", ("commit", "amend"), "error", "abort", "The way out.", schema, "/x/.mgit-hooks.toml")
    return base._replace(**fields)


def at(*path: str, **schema: Any) -> dict[str, Any]:
    for name in reversed(path):
        schema = {"properties": {name: schema}}
    return schema


SUBJECT = at("commit", "message", pattern="^.{1,5}(\\n|$)")


def test_a_violation_names_rule_value_and_way_out() -> None:
    (issue,) = judge([rule(SUBJECT)], RECORD, S)
    assert (issue.severity, issue.code, issue.field_path) == ("error", "RULE_VIOLATED", "/commit/message")
    assert issue.suggested_fix == "The way out."
    assert issue.data_context == {
        "rule": "r",
        "value": '"Subject\\n"',
        "strategy": "abort",
        "way_out": "The way out.",
    }


def test_the_value_is_bounded() -> None:
    long = {**RECORD, "commit": {**RECORD["commit"], "message": "m" * 100_000}}
    (issue,) = judge([rule(SUBJECT)], long, S)
    assert issue.data_context is not None
    assert len(issue.data_context["value"]) == 200
    assert len(issue.message) < 200


@pytest.mark.parametrize(
    ("asked", "hits"),
    [
        (rule(SUBJECT), 1),
        (rule(SUBJECT, events=("push",)), 0),
        (rule(at("commit", "message", pattern="Subject")), 0),
        (rule(False), 1),
        (rule(True), 0),
        (rule(at("commit", "files", maxItems=2)), 1),
        (rule(at("commit", "files", contains={"properties": {"filename": {"const": "to"}}})), 0),
        (rule(at("commit", "files", contains={"properties": {"filename": {"const": "nowhere"}}})), 1),
        (rule({"$ref": "urn:mgit-hooks:record.strict"}), 0),
        (rule(at("commit", **{"$ref": "urn:mgit-hooks:changeset.basic"})), 5),
        (rule({"$ref": "#"}), 1),
    ],
)
def test_rules_hold_for_their_events(asked: Rule, hits: int) -> None:
    assert len(judge([asked], RECORD, S)) == hits


def test_an_event_that_is_not_known_yet_may_be_given() -> None:
    unborn = {**RECORD, "event": None}
    assert judge([rule(SUBJECT, events=("amend",))], unborn, S) == ()
    assert judge([rule(SUBJECT, events=("amend",))], unborn, S, events=("commit", "amend"))


def test_skipped_rules_are_not_asked() -> None:
    assert judge([rule(SUBJECT)], RECORD, S, skipped=("r",)) == ()


MESSAGE = frozenset(("/commit/message", "/commit/hash"))


@pytest.mark.parametrize(
    ("schema", "hits"),
    [
        (SUBJECT, 0),
        (at("commit", required=["message", "signature"]), 1),
        (at("commit", files := "files", maxItems=2), 1),
        # what is due to the message may show elsewhere
        ({"not": at("commit", "message", const=None)}, 0),
        (at("commit", anyOf=[at("message", pattern="^x"), at("tree", const="x")]), 0),
        ({"if": at("commit", "message", const=None), "then": {"required": ["push"]}}, 0),
        (at("commit", const={}), 0),
        (at("commit", maxProperties=1), 0),
        # what is not due to it stays
        ({"if": {"required": ["commit"]}, "then": at("commit", files, maxItems=2)}, 1),
        ({"not": at("branch", const="main")}, 1),
    ],
)
def test_what_a_stage_does_not_know_yet_is_left_to_a_later_one(schema: Any, hits: int) -> None:
    staged = {
        **RECORD,
        "commit": {name: item for name, item in RECORD["commit"].items() if name not in ("message", "hash")},
    }
    staged["commit"]["message"] = None
    assert len(judge([rule(schema)], staged, S, unknown=MESSAGE)) == hits


def spent() -> float:
    """Processor time of this process and of those that it has waited for: a busy machine does not change it."""
    return sum(os.times()[:4])


@pytest.mark.parametrize("pattern", ["^(a+)+$", "(a|a)*b", "^(a*)*b", "(.*,)+x", r"^(a)\1*b(c+)+$"])
def test_a_pattern_that_never_ends_is_ended_and_named(pattern: str) -> None:
    value = {"event": "commit", "commit": {"message": "a" * 40 + "!"}}
    began = spent()
    (issue,) = judge([rule(at("commit", "message", pattern=pattern))], value, S)
    assert spent() - began < 3
    if pattern == "^(a+)+$":
        assert (issue.code, issue.severity) == ("RULE_TIMEOUT", "critical")
        assert issue.data_context is not None
        assert issue.data_context["strategy"] == "abort"
        assert "rule r ran out of time" in issue.message


def test_the_pattern_of_the_brochure_ends_within_three_seconds() -> None:
    value = {"event": "commit", "commit": {"message": "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!"}}
    began = time.process_time()
    altogether = spent()
    (issue,) = judge([rule(at("commit", "message", pattern="^(a+)+$"))], value, S)
    assert issue.code == "RULE_TIMEOUT"
    assert time.process_time() - began < 1  # the child's time, not ours
    assert spent() - altogether < 3


def test_a_pattern_without_a_bound_still_judges_in_its_child() -> None:
    asked = rule(at("commit", "message", pattern="^(a|ab)+$"))
    assert cost("^(a|ab)+$") is None
    assert judge([asked], {"event": "commit", "commit": {"message": "abab"}}, S) == ()
    (issue,) = judge([asked], {"event": "commit", "commit": {"message": "c"}}, S)
    assert (issue.code, issue.field_path) == ("RULE_VIOLATED", "/commit/message")


def test_a_schema_that_multiplies_without_end_is_ended() -> None:
    bomb = {"$ref": "#/$defs/d0", "$defs": {f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 3} for n in range(40)}}
    bomb["$defs"]["d40"] = {}
    (issue,) = judge([rule(bomb)], RECORD, S)
    assert issue.severity == "critical"


@pytest.mark.parametrize("keyword", ["anyOf", "oneOf", "allOf"])
def test_a_schema_with_too_many_ways_to_one_question_is_ended(keyword: str) -> None:
    """Each of them is made once, and would be asked 2 ** 60 times."""
    schemas = {f"d{n}": {keyword: [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(60)}
    (issue,) = judge([rule({"$ref": "#/$defs/d0", "$defs": {**schemas, "d60": {"type": "null"}}})], RECORD, S)
    assert (issue.code, issue.severity) == ("RULE_TIMEOUT", "critical")
    assert "too many ways" in issue.message


def test_a_schema_inside_itself_judges_a_value_that_ends() -> None:
    tree = {"properties": {"message": {"type": "string"}, "commit": {"$ref": "#"}}}
    prepared = rules.prepare(rule(tree), S.documents)
    assert prepared.check is not None
    assert prepared.costs is None  # no bound is plain to see: in a process of its own
    assert judge([rule(tree)], RECORD, S) == ()
    assert len(judge([rule(tree)], {"event": "commit", "commit": {"commit": {"message": 3}}}, S)) == 1


def test_rules_without_a_bound_share_what_one_value_may_take(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mgit_hooks.judging.judge.SECONDS", 0.05)
    monkeypatch.setattr("mgit_hooks.judging.judge.SECONDS_OF_VALUE", 0.2)
    slow = [rule(at("commit", "message", pattern="^(a+)+$"), id=f"r{n}") for n in range(50)]
    value = {"event": "commit", "commit": {"message": "a" * 40 + "!"}}
    found = judge([*slow, rule(at("commit", "message", maxLength=3), id="last")], value, S)
    assert [issue.code for issue in found] == ["RULE_TIMEOUT"] * 50 + ["RULE_VIOLATED"]  # what is cheap is asked
    told = [issue.message for issue in found]
    assert sum("was not asked: the rules before it used" in each for each in told) >= 40
    again = judge(slow[:1], value, S)
    assert "ran out of time" in again[0].message  # of the next value there is as much again


def test_what_one_hook_waits_for_is_bounded_though_it_judges_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mgit_hooks.judging.judge.SECONDS", 0.02)
    value = {"event": "commit", "commit": {"message": "a" * 40 + "!"}}
    allowance = Allowance()
    slow = [rule(at("commit", "message", pattern="^(a+)+$"))]
    found = [judge(slow, value, S, allowance=allowance)[0].message for _ in range(40)]
    assert ["ran out of time" in each for each in found] == [True] * 30 + [False] * 10
    assert "was not asked: rules were out of time 30 times before" in found[-1]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("^.{1,72}(\\n|$)", Cost(144, 0)),
        ("abc", Cost(1, 1)),
        ("a+", Cost(1, 2)),
        ("^a+$", Cost(1, 1)),
        ("^a+.*b", Cost(1, 2)),
        ("^(ab)*$", Cost(1, 1)),
        (r"^(feat|fix)(\(.+\))?: .+", Cost(4, 2)),
        ("^[0-9a-f]{40}$", Cost(6, 0)),
        ("^([0-9]{1,3}\\.){3}x", Cost(27, 0)),
        ("(a+)+", None),
        ("(ab|cd)*", None),
        ("(a|b)*", Cost(1, 2)),
        (r"(.)\1", None),
        ("^(a{1,30}){30}$", None),
        ("(?=a+)a", Cost(1, 2)),
        ("(?>a+)", Cost(1, 2)),
        ("(a?){50}", None),
    ],
)
def test_what_a_pattern_may_cost(pattern: str, expected: Cost | None) -> None:
    assert cost(pattern) == expected


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("a{60000}b", "a" * 1_000_000),
        (r"(?<=a{60000}b)c", "a" * 1_000_000),
        ("^(?:(?=a{60000})a)*b", "a" * 1_000_000),
        ("(?m)^[^x]*y", "\n" * 1_000_000),
        (r"(?:(?:(?:\b){1000}){1000}){1000}", "a"),
        (r"(?:(?:(?:){1000}){1000}){1000}", "a"),
        (r"((){9999}){9999}", "a"),
        (r"(?:\b){999999999}", "a"),
        (r"(?:x{0}|y{0}){19}", "a" * 1000),
    ],
)
def test_a_repeat_of_one_way_or_of_nothing_takes_its_time(pattern: str, text: str) -> None:
    """There is one way to match, or one for each place; and to look along it takes as long as one likes."""
    bound = cost(pattern)
    assert bound is None or bound.steps(len(text)) > rules.AFFORDABLE_STEPS


def test_a_repeat_of_nothing_ends_in_time() -> None:
    value = {**RECORD, "commit": {**RECORD["commit"], "message": "a"}}
    before = os.times()
    found = judge([rule(at("commit", "message", pattern=r"(?:(?:(?:\b){1000}){1000}){1000}"))], value, S)
    used = [after - had for after, had in zip(os.times()[:4], before[:4], strict=True)]
    assert sum(used) < 3  # the system's too, which is what eight gigabytes take
    assert ["ran out of memory" in each.message for each in found] == [True]


NAMES = [f"x{number}" for number in range(900)]
MANY_FILES = {
    **RECORD,
    "commit": {**RECORD["commit"], "files": [{"filename": f"f{n}", "size_bytes": n, "on": n} for n in range(4_000)]},
}


@pytest.mark.parametrize(
    ("schema", "code", "count"),
    [
        ({"items": {"required": NAMES}}, "RULE_VIOLATED", 10_000),
        ({"uniqueItems": True, "maxItems": 1}, "RULE_VIOLATED", 1),
        ({"items": at("size_bytes", enum=[*range(-9_000, 0)])}, "RULE_TIMEOUT", 1),
    ],
    ids=["required", "uniqueItems", "enum"],
)
def test_a_schema_that_asks_much_of_many_files_ends_soon(schema: Any, code: str, count: int) -> None:
    began = time.process_time()
    found = judge([rule({"properties": {"commit": {"properties": {"files": schema}}}})], MANY_FILES, S)
    assert time.process_time() - began < 3
    assert ({each.code for each in found}, len(found)) == ({code}, count)


@given(st.from_regex(r"(\^?([ab.]|[ab.][*+?]|\([ab]{1,3}\)[*?]|[ab]\{1,4\}|\(a\|b\)\??){1,4})", fullmatch=True))
def test_what_counts_as_affordable_really_ends_soon(pattern: str) -> None:
    bound = cost(pattern)
    if bound is None:
        return
    text = "ab" * 20 + "a" * 60
    if bound.steps(len(text)) > rules.AFFORDABLE_STEPS:
        return
    began = time.process_time()
    re.search(pattern + "!", text)
    assert time.process_time() - began < 2


@pytest.mark.parametrize(
    ("pattern", "text", "matches"),
    [
        ("^a$", "a", True),
        ("^a$", "a\n", False),
        (r"^a\$", "a$", True),
        ("^[$]$", "$", True),
        (r"^\\$", "\\", True),
        ("a(b|$)", "xa", True),
    ],
)
def test_a_dollar_is_the_very_end_as_in_ecma_262(pattern: str, text: str, matches: bool) -> None:
    assert bool(compiled(pattern).search(text)) is matches


def test_what_an_annotation_says_of_a_keyword_is_no_look_at_the_unknown() -> None:
    schema = {"if": True, "then": at("branch", const="x", **{"x-issues": {"const": {"says": "is not x"}}})}
    (issue,) = judge([rule(schema)], RECORD, S, unknown=MESSAGE)
    assert issue.message == 'rule r: branch is not x: "main"'
