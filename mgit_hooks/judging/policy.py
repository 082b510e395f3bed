"""What follows from issues: accept, recover or abort. Pure: the configuration in, a decision out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol

from mgit_hooks.judging.rules import Rule
from mgit_hooks.record import Issue

STRATEGIES = ("ignore", "fallback", "checkpoint", "repair", "abort")
"""Loosest first: of several that apply, the last one wins."""
FAILING = ("error", "critical")


class Accept(NamedTuple):
    """Go on. ``issues`` are reported all the same."""

    issues: tuple[Issue, ...]


class Recover(NamedTuple):
    """Go on with what ``recover`` makes of it. Strategy abort means: it is too late to refuse."""

    strategy: str
    issues: tuple[Issue, ...]


class Abort(NamedTuple):
    """Refuse, because of ``issues``: those that fail, without mere warnings."""

    issues: tuple[Issue, ...]


Decision = Accept | Recover | Abort


class Policy(Protocol):
    """The part of the configuration that decides."""

    @property
    def strategy(self) -> str: ...
    @property
    def rules(self) -> tuple[Rule, ...]: ...


def decide(issues: Sequence[Issue], strategy: str, enforce: bool, can_refuse: bool) -> Decision:
    """What to do about ``issues``.

    ``strategy`` is the configuration's; a rule that was violated may ask for a stricter one, and one with
    ``enforce`` off is reported and asks for nothing. ``can_refuse`` is False where git has already done what
    is judged (the recorder lane). With ``enforce`` off nothing is refused: an abort becomes Accept where it
    could have refused.
    """
    failing = tuple(issue for issue in issues if issue.severity in FAILING and not _only_reports(issue))
    if not failing:
        return Accept(tuple(issues))
    strictest = strictest_of((strategy, *filter(None, map(_asked_for, failing))))
    if strictest != "abort" or not can_refuse:
        return Recover(strictest, tuple(issues))
    return Abort(failing) if enforce else Accept(tuple(issues))


def strictest_of(strategies: Iterable[str]) -> str:
    return max(strategies, key=STRATEGIES.index)


def armed(policy: Policy) -> bool:
    """Whether any finding can lead to a refusal, or to a repair of the message, so that the gate has to run.

    With ``enforce`` off too: the gate then judges and reports, and lets through.
    """
    return can_refuse(policy) or any(rule.repair is not None for rule in policy.rules)


def can_refuse(policy: Policy) -> bool:
    return policy.strategy == "abort" or any(map(asks_to_refuse, policy.rules))


def asks_to_refuse(rule: Rule) -> bool:
    return rule.strategy == "abort" and rule.severity in FAILING


def _only_reports(issue: Issue) -> bool:
    return (issue.data_context or {}).get("enforce") is False


def _asked_for(issue: Issue) -> str | None:
    asked = (issue.data_context or {}).get("strategy")
    return asked if asked in STRATEGIES else None
