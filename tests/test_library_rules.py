"""Each rule of the library by its own examples, and the three public conventions by theirs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import rulespage

from mgit_hooks.judging import facts, rulefiles, schemas
from mgit_hooks.judging.judge import judge
from mgit_hooks.judging.rules import Rule, prepare

S = schemas.load()
SCHEMAS = Path(__file__).resolve().parents[1] / "schemas"
RULES = sorted(path.stem for path in (SCHEMAS / "rules").glob("*.json"))
SETS = sorted(path.stem for path in (SCHEMAS / "sets").glob("*.json"))


def document(name: str) -> Any:
    return json.loads((SCHEMAS / "rules" / f"{name}.json").read_text("utf-8"))


def rule(name: str, **given: Any) -> Rule:
    return rulefiles.of_library(name, S, given)


def convention(name: str) -> list[Rule]:
    entries = json.loads((SCHEMAS / "sets" / f"{name}.json").read_text("utf-8"))
    return [rule(entry["use"], **entry.get("with", {})) for entry in entries]


def found(rules: list[Rule], value: Any) -> list[str]:
    asked = {event for each in rules for event in each.events}
    return [str((issue.data_context or {})["rule"]) for issue in judge(rules, value, S, events=asked)]


EXAMPLES = [
    (name, kind, number, example)
    for name in RULES
    for kind in ("good", "bad")
    for number, example in enumerate(document(name)["x-rule"]["examples"][kind])
]


@pytest.mark.parametrize(("name", "kind", "example"), [(n, k, e) for n, k, _, e in EXAMPLES])
def test_the_judge_agrees_with_the_examples(name: str, kind: str, example: Any) -> None:
    assert bool(found([rule(name)], example)) is (kind == "bad")


@pytest.mark.parametrize("name", RULES)
def test_a_rule_is_whole_and_fast(name: str) -> None:
    schema = document(name)
    about = schema["x-rule"]
    assert schema["$id"] == f"urn:mgit-hooks:rule.{name}"
    assert schema["description"]
    assert schema["x-source"]
    assert about["title"]
    assert about["message"].endswith(".")
    assert about["examples"]["good"]
    assert about["examples"]["bad"]
    assert all(each["description"] for each in about.get("parameters", {}).values())
    prepared = prepare(rule(name), S.documents)
    assert prepared.check is not None
    assert prepared.costs is not None
    assert all(cost.degree <= 1 for cost in prepared.costs)


@pytest.mark.parametrize("name", SETS)
def test_a_set_names_rules_of_the_library_once(name: str) -> None:
    used = [each.id for each in convention(name)]
    assert set(used) <= set(RULES)
    assert len(set(used)) == len(used)


def test_a_stricter_set_holds_what_a_looser_one_does() -> None:
    basic, standard, strict = ([each.id for each in convention(name)] for name in ("basic", "standard", "strict"))
    assert set(basic) <= set(standard) < set(strict)


def said(message: str, email: str = "ada@example.org") -> Any:
    return {"commit": {"message": message, "parents": ["1" * 40], "author_name": "Ada", "author_email": email}}


# From the Conventional Commits specification 1.0.0, "Examples" and "FAQ".
CONVENTIONAL = (
    "feat: allow provided config object to extend other configs\n\n"
    "BREAKING CHANGE: `extends` key in config file is now used for extending other config files\n",
    "refactor!: drop support for Node 6\n",
    "refactor(runtime)!: drop support for Node 6\n",
    "refactor!: drop support for Node 6\n\n"
    "BREAKING CHANGE: refactor to use JavaScript features not available in Node 6.\n",
    "docs: correct spelling of CHANGELOG\n",
    "feat(lang): add polish language\n",
    "fix: correct minor typos in code\n\nsee the issue for details\n\non typos fixed.\n\nReviewed-by: Z\nRefs #133\n",
    "revert: let us never again speak of the noodle incident\n\nRefs: 676104e, a215868\n",
    "feat(parser): add ability to parse arrays\n",
    "fix: array parsing issue when multiple spaces were contained in string\n",
    "FEAT: any casing may be used\n",
    "fix: x\n\nBREAKING-CHANGE: a synonym of BREAKING CHANGE\n",
)
UNCONVENTIONAL = (
    "correct minor typos in code\n",  # 1: MUST be prefixed with a type
    "feat add polish language\n",  # 1: REQUIRED terminal colon and space
    "feat:add polish language\n",
    "(parser): fix\n",
    "feat(): add\n",  # 4: a scope MUST consist of a noun
    "feat: \n",  # 5: a description MUST immediately follow
    "feat: x\nThe body follows at once\n",  # 6: one blank line after the description
    "feat: x\n\nBreaking Change: y\n",  # 12 and 15: uppercase
    "feat: x\n\nBREAKING CHANGE:y\n",  # 12: colon, space, and description
)


@pytest.mark.parametrize("message", CONVENTIONAL)
def test_the_conventional_commits_examples_pass(message: str) -> None:
    assert found(convention("conventional-commits"), said(message)) == []


@pytest.mark.parametrize("message", UNCONVENTIONAL)
def test_what_conventional_commits_rules_out_is_found(message: str) -> None:
    assert found(convention("conventional-commits"), said(message))


# git and Linux: "Signed-off-by: Random J Developer <random@developer.example.org>"; Linux on co-authors.
RANDOM = "Signed-off-by: Random J Developer <random@developer.example.org>\n"
CO_AUTHORED = (
    "Co-developed-by: First Co-Author <first@coauthor.example.org>\n"
    "Signed-off-by: First Co-Author <first@coauthor.example.org>\n"
    "Co-developed-by: Second Co-Author <second@coauthor.example.org>\n"
    "Signed-off-by: Second Co-Author <second@coauthor.example.org>\n"
    "Signed-off-by: From Author <from@author.example.org>\n"
)
FORWARDED = (
    "Co-developed-by: Random Co-Author <random@coauthor.example.org>\n"
    "Signed-off-by: Random Co-Author <random@coauthor.example.org>\n"
    "Signed-off-by: From Author <from@author.example.org>\n"
    "Co-developed-by: Submitting Co-Author <sub@coauthor.example.org>\n"
    "Signed-off-by: Submitting Co-Author <sub@coauthor.example.org>\n"
)


@pytest.mark.parametrize(
    ("trailers", "author", "passes"),
    [
        (RANDOM, "random@developer.example.org", True),
        (CO_AUTHORED, "from@author.example.org", True),
        (FORWARDED, "from@author.example.org", True),
        (RANDOM, "from@author.example.org", False),
        (CO_AUTHORED.rpartition("Signed-off-by: From")[0], "from@author.example.org", False),
        ("", "random@developer.example.org", False),
        ("Acked-by: Random J Developer <random@developer.example.org>\n", "random@developer.example.org", False),
    ],
)
def test_the_dco_asks_for_the_authors_sign_off(trailers: str, author: str, passes: bool) -> None:
    value = said(f"Subject\n\nA body.\n\n{trailers}", author)
    assert (found(convention("dco"), value) == []) is passes


# Linux, submitting-patches.rst ("good example Subjects", without what format-patch adds) and git, SubmittingPatches.
SUBJECTS = (
    "ext2: improve scalability of bitmap searching",
    "x86: fix eflags tracking",
    "sub/sys: Condensed patch summary",
    "archive: ustar header checksum is computed unsigned",
    "git-cherry-pick.txt: clarify the use of revision range notation",
    "video: remove unnecessary platform_set_drvdata()",
    "pack-bitmap.c: fix a memleak",
)
NOT_SUBJECTS = (
    "makes xyzzy do frotz",
    "[This patch] makes xyzzy do frotz",
    "[I] changed xyzzy to do frotz",
    "x86: fix eflags tracking.",  # git: skip the full stop
    "ext2: " + "x" * 70,  # the summary is no more than 70-75 characters
)
SIGNED = "\n\nSigned-off-by: Ada <ada@example.org>\n"
# Tags are exempt from the 75 columns.
FIXES = '\n\nFixes: 54a4f0239f2e ("KVM: MMU: make kvm_mmu_zap_page() return the number of pages it actually freed")'


@pytest.mark.parametrize("subject", SUBJECTS)
def test_the_kernels_subjects_pass(subject: str) -> None:
    assert found(convention("kernel"), said(subject + SIGNED)) == []
    assert found(convention("kernel"), said(subject + FIXES + SIGNED[1:])) == []


@pytest.mark.parametrize("subject", NOT_SUBJECTS)
def test_what_the_kernel_rules_out_is_found(subject: str) -> None:
    assert found(convention("kernel"), said(subject + SIGNED))


def test_the_kernels_bodies_are_wrapped_at_75_columns() -> None:
    assert found(convention("kernel"), said(f"x86: a\n\n{'wrapped at ' * 6}75 columns{SIGNED}")) == ["body-width"]
    assert found(convention("kernel"), said("x86: a\n\n" + "a " * 37 + "b" + SIGNED)) == []


def test_the_page_of_the_library_says_what_the_files_say() -> None:
    said = rulespage.PAGE.read_text("utf-8")
    assert said == rulespage.page(), "run: python tests/rulespage.py"
    assert [name for name in facts.ALL if f"{name}`" not in said] == []
