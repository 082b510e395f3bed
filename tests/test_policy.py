"""Policy: what follows from issues."""

from __future__ import annotations

from typing import Any

import pytest

from mgit_hooks.judging import config
from mgit_hooks.judging.policy import STRATEGIES, Abort, Accept, Recover, armed, decide, strictest_of
from mgit_hooks.judging.rules import Rule
from mgit_hooks.record import Issue


def issue(severity: str = "error", strategy: str | None = None) -> Issue:
    return Issue(severity, "X", "m", "", None, {"strategy": strategy} if strategy else None)


NOTED, WRONG = issue("warning"), issue()


@pytest.mark.parametrize(
    ("issues", "strategy", "enforce", "can_refuse", "decision"),
    [
        ((), "abort", True, True, Accept(())),
        ((NOTED,), "abort", True, True, Accept((NOTED,))),
        ((issue("info", "abort"),), "abort", True, True, Accept((issue("info", "abort"),))),
        ((NOTED, WRONG), "abort", True, True, Abort((WRONG,))),
        ((issue("critical"),), "abort", True, True, Abort((issue("critical"),))),
        ((WRONG,), "abort", False, True, Accept((WRONG,))),
        ((WRONG,), "abort", True, False, Recover("abort", (WRONG,))),
        ((WRONG,), "abort", False, False, Recover("abort", (WRONG,))),
        ((WRONG,), "repair", True, True, Recover("repair", (WRONG,))),
        ((NOTED, WRONG), "ignore", True, False, Recover("ignore", (NOTED, WRONG))),
        ((issue(strategy="abort"),), "ignore", True, True, Abort((issue(strategy="abort"),))),
        ((issue(strategy="ignore"),), "repair", True, True, Recover("repair", (issue(strategy="ignore"),))),
        (
            (issue(strategy="repair"), WRONG),
            "fallback",
            True,
            True,
            Recover("repair", (issue(strategy="repair"), WRONG)),
        ),
        (
            (issue("warning", "abort"), WRONG),
            "ignore",
            True,
            True,
            Recover("ignore", (issue("warning", "abort"), WRONG)),
        ),
    ],
)
def test_decisions(issues: Any, strategy: str, enforce: bool, can_refuse: bool, decision: Any) -> None:
    made = decide(issues, strategy, enforce, can_refuse)
    assert (type(made), made) == (type(decision), decision)


def test_strategies_are_ordered_from_loose_to_strict() -> None:
    assert STRATEGIES == ("ignore", "fallback", "checkpoint", "repair", "abort")
    assert strictest_of(("repair", "checkpoint")) == "repair"


@pytest.mark.parametrize(
    ("strategy", "rule", "expected"),
    [
        ("repair", None, False),
        ("abort", None, True),
        ("repair", ("error", "abort"), True),
        ("ignore", ("critical", "abort"), True),
        ("repair", ("warning", "abort"), False),
        ("repair", ("error", None), False),
        ("repair", ("error", "fallback"), False),
    ],
)
@pytest.mark.parametrize("enforce", [True, False])
def test_the_gate_is_armed_where_something_can_be_refused(
    strategy: str, rule: tuple[str, str | None] | None, expected: bool, enforce: bool
) -> None:
    rules = (Rule("r", ("commit",), rule[0], rule[1], "", {}, "f"),) if rule else ()
    assert armed(config.defaults()._replace(strategy=strategy, rules=rules, enforce=enforce)) is expected
