"""Patterns of JSON Schemas, judged by what they may cost.

A pattern that a user or a worktree brings may backtrack without end. ``cost`` gives an upper bound from
the pattern's structure, so that what is provably cheap runs at once and the rest runs where it can be
killed (``judging``).
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

from mgit_hooks.judging.matching import end_anchors


class Cost(NamedTuple):
    """Matching a text of n characters takes at most about ``n + factor * n ** degree`` steps."""

    factor: int
    degree: int

    def steps(self, length: int) -> int:
        return int(length + self.factor * max(length, 1) ** self.degree)


_MOST_CHOICES = 1_000_000


@lru_cache(maxsize=512)
def cost(pattern: str) -> Cost | None:
    """An upper bound for searching with ``pattern``; None where no polynomial one is plain to see."""
    # sre's own parser: a second reading of the syntax could disagree with the engine that runs it
    from re import _parser  # type: ignore[attr-defined]

    tree = list(_parser.parse(end_anchors(pattern)))
    inner = _sequence(tree)
    if inner is None:
        return None
    anchored = bool(tree) and str(tree[0][0]) == "AT" and "BEGINNING" in str(tree[0][1])
    return Cost(inner.factor, inner.degree if anchored else inner.degree + 1)


def _sequence(items: Any) -> Cost | None:
    factor, degree = 1, 0
    for item in items:
        part = _item(str(item[0]), item[1])
        if part is None:
            return None
        factor, degree = factor * part.factor, degree + part.degree
        if factor > _MOST_CHOICES:
            return None
    return Cost(factor, degree)


def _item(kind: str, argument: Any) -> Cost | None:
    if kind in ("LITERAL", "NOT_LITERAL", "ANY", "IN", "CATEGORY", "RANGE", "AT"):
        return Cost(1, 0)
    if kind == "SUBPATTERN":
        return _sequence(argument[-1])
    if kind in ("ASSERT", "ASSERT_NOT"):
        return _sequence(argument[1])
    if kind == "ATOMIC_GROUP":
        return _sequence(argument)
    if kind == "BRANCH":
        return _branch(argument[1])
    if kind in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
        return _repeat(*argument)
    return None  # back references and whatever a later Python adds


def _branch(branches: Any) -> Cost | None:
    costs = [_sequence(branch) for branch in branches]
    known = [each for each in costs if each is not None]
    if len(known) < len(costs):
        return None
    return Cost(sum(each.factor for each in known), max(each.degree for each in known))


def _repeat(least: int, most: int, body: Any) -> Cost | None:
    inner = _sequence(body)
    if inner is None:
        return None
    unbounded = most > _MOST_CHOICES
    if inner == (1, 0):  # one way to match each round: only the number of rounds is open
        return Cost(1, 1) if unbounded else Cost(most - least + 1, 0)
    if most == 1:
        return Cost(inner.factor + 1, inner.degree)
    if unbounded or inner.degree:
        return None
    # each round multiplies the choices
    return Cost(inner.factor**most, 0) if most < 20 and inner.factor**most <= _MOST_CHOICES else None
