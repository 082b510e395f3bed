"""Facts that follow from a record, and those that do not."""

from __future__ import annotations

from typing import Any

import pytest
from samples import RECORDS

from mgit_hooks.judging import facts, schemas
from mgit_hooks.judging.judge import facts_named, judge
from mgit_hooks.judging.rules import Rule

S = schemas.load()


def of(name: str, **commit: Any) -> tuple[Any, frozenset[str]]:
    told = facts.made({"commit": commit}, frozenset((name,)))
    return told.value["commit"]["facts"][name], told.unknown


def lines(additions: int | None, deletions: int | None, binary: bool | None = False) -> dict[str, Any]:
    return {"additions": additions, "deletions": deletions, "binary": binary}


@pytest.mark.parametrize(
    ("name", "commit", "expected"),
    [
        ("subject", {"message": "\n \nOne \nTwo\n"}, "One"),
        ("subject", {"message": ""}, ""),
        ("body", {"message": "One\n\n\nTwo\n \nThree\n\n"}, ["Two", " ", "Three"]),
        ("body", {"message": "One\nTwo"}, ["Two"]),
        ("body", {"message": "One\n"}, []),
        ("trailers", {"message": "One\n\nA: b\n c\n"}, [{"key": "A", "value": "b c"}]),
        ("scissors", {"message": "One\n"}, False),
        ("scissors", {"message": "One\n# ------------------------ >8 ------------------------\n"}, True),
        ("signed_off", {"message": "One\n\nSigned-Off-By: A <A@b>\n", "author_email": "a@B"}, True),
        ("signed_off", {"message": "One\n\nSigned-off-by: A <x@b>\n", "author_email": "a@b"}, False),
        ("signed_off", {"message": "One\n\nSigned-off-by: <a@b>\n", "author_email": "a@b"}, False),
        ("signed_off", {"message": "Signed-off-by: A <a@b>\n", "author_email": "a@b"}, False),
        ("fixup", {"message": "fixup! One\n"}, "fixup"),
        ("fixup", {"message": "amend! One\n"}, "amend"),
        ("fixup", {"message": "fixup One\n"}, None),
        ("additions", {"files": [lines(1, 2), lines(3, 4), lines(None, None, True)]}, 4),
        ("deletions", {"files": [lines(1, 2), lines(3, 4)]}, 6),
        ("churn", {"files": [lines(1, 2), lines(3, 4)]}, 10),
        ("churn", {"files": []}, 0),
    ],
)
def test_facts_that_follow_from_a_record(name: str, commit: dict[str, Any], expected: Any) -> None:
    assert of(name, **commit) == (expected, frozenset())


@pytest.mark.parametrize(
    ("name", "commit"),
    [
        ("subject", {"message": None}),
        ("body", {}),
        ("trailers", {"message": None}),
        ("scissors", {"message": None}),
        ("signed_off", {"message": None, "author_email": "a@b"}),
        ("signed_off", {"message": "One\n"}),
        ("fixup", {"message": None}),
        ("churn", {"files": None}),
        ("churn", {"files": [lines(1, None)]}),
        ("additions", {"files": [lines(None, None, None)]}),
        ("signature", {"message": "One\n"}),
        ("case_conflicts", {"files": []}),
    ],
)
def test_what_nobody_can_tell_is_null_and_unknown(name: str, commit: dict[str, Any]) -> None:
    assert of(name, **commit) == (None, frozenset((f"/commit/facts/{name}",)))


def test_facts_of_files_and_refs_are_unknown_to_a_record() -> None:
    value = {"commit": {"files": [{"filename": "a"}, {"filename": "b", "facts": {"secrets": []}}]}}
    told = facts.made(value, frozenset(("secrets",)))
    assert told.unknown == {"/commit/files/0/facts/secrets"}
    assert told.value["commit"]["files"][1]["facts"] == {"secrets": []}
    assert "facts" not in value["commit"]["files"][0]
    assert facts.made({"push": {"refs": [{}]}}, frozenset(("merges",))).unknown == {"/push/refs/0/facts/merges"}


def test_a_fact_that_is_there_stays() -> None:
    told = facts.made({"commit": {"message": "a", "facts": {"subject": "b"}}}, frozenset(("subject", "body")))
    assert told.value["commit"]["facts"] == {"subject": "b", "body": []}


SUBJECT = {"properties": {"commit": {"properties": {"facts": {"properties": {"subject": {"maxLength": 3}}}}}}}


@pytest.mark.parametrize(
    ("schema", "names"),
    [
        (SUBJECT, {"subject"}),
        (True, set()),
        ({"properties": {"commit": {"properties": {"subject": True}}}}, set()),
        ({"properties": {"facts": {"allOf": [{"not": {"required": ["body"]}}]}}}, {"body"}),
        ({"properties": {"facts": {"if": {"properties": {"fixup": {"const": None}}}, "then": False}}}, {"fixup"}),
        ({"properties": {"facts": {"additionalProperties": False}}}, set()),
        ({"properties": {"facts": {"minProperties": 1}}}, set(facts.ALL)),
        ({"properties": {"facts": {"const": {}}}}, set(facts.ALL)),
    ],
)
def test_only_the_facts_that_a_schema_names_are_made(schema: Any, names: set[str]) -> None:
    rule = Rule("r", ("commit",), "error", None, "", schema, "x")
    assert facts_named([rule]) == names


def test_the_judge_makes_facts_and_leaves_the_unknown_to_a_later_stage() -> None:
    rule = Rule("r", ("commit",), "error", None, "", SUBJECT, "x")
    value = RECORDS["commit"].to_json()
    (issue,) = judge([rule], value, S)
    assert (issue.field_path, issue.message) == (
        "/commit/facts/subject",
        'rule r: subject has 7 characters, more than 3: "Subject"',
    )
    assert "facts" not in value["commit"]
    required = {"properties": {"commit": {"properties": {"facts": {"properties": {"signature": {"type": "string"}}}}}}}
    assert judge([rule._replace(schema=required)], value, S) == ()
