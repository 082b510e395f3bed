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
_FINE = 16
"""So many looks at one character, or at a place between two, in one step."""


class _Effort(NamedTuple):
    """Of a part of a pattern: in how many ways it may match at one place, and the looks it takes to try them all."""

    ways: Cost
    looks: Cost


_ONE = Cost(1, 0)
_LOOK = _Effort(_ONE, _ONE)


@lru_cache(maxsize=512)
def cost(pattern: str) -> Cost | None:
    """An upper bound for searching with ``pattern``; None where no polynomial one is plain to see."""
    # sre's own parser: a second reading of the syntax could disagree with the engine that runs it
    from re import MULTILINE, _parser  # type: ignore[attr-defined]

    parsed = _parser.parse(end_anchors(pattern))
    tree = list(parsed)
    inner = _sequence(tree)
    if inner is None:
        return None
    # Where lines count, a match may begin at as many places as there are lines.
    anchored = bool(tree) and str(tree[0][0]) == "AT" and "BEGINNING" in str(tree[0][1])
    starts = 0 if anchored and not parsed.state.flags & MULTILINE else 1
    factor = max(inner.ways.factor, -(-inner.looks.factor // _FINE))
    return Cost(factor, max(inner.ways.degree, inner.looks.degree) + starts)


def _sequence(items: Any) -> _Effort | None:
    ways, looks = _ONE, Cost(0, 0)
    for item in items:
        part = _item(str(item[0]), item[1])
        if part is None:
            return None
        looks = _either(looks, _each(ways, part.looks))  # what comes next is tried once for each way to here
        ways = _each(ways, part.ways)
        if ways.factor > _MOST_CHOICES:
            return None
    return _Effort(ways, looks)


def _each(one: Cost, other: Cost) -> Cost:
    return Cost(one.factor * other.factor, one.degree + other.degree)


def _either(one: Cost, other: Cost) -> Cost:
    return Cost(one.factor + other.factor, max(one.degree, other.degree))


def _item(kind: str, argument: Any) -> _Effort | None:
    if kind in ("LITERAL", "NOT_LITERAL", "ANY", "IN", "CATEGORY", "RANGE", "AT"):
        return _LOOK
    if kind == "SUBPATTERN":
        inner = _sequence(argument[-1])
        return None if inner is None else inner._replace(looks=_either(inner.looks, _ONE))
    if kind in ("ASSERT", "ASSERT_NOT"):
        return _sequence(argument[1])
    if kind == "ATOMIC_GROUP":
        return _sequence(argument)
    if kind == "BRANCH":
        return _branch(argument[1])
    if kind in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
        return _repeat(*argument)
    return None  # back references and whatever a later Python adds


def _branch(branches: Any) -> _Effort | None:
    efforts = [_sequence(branch) for branch in branches]
    known = [each for each in efforts if each is not None]
    if len(known) < len(efforts):
        return None
    ways, looks = Cost(0, 0), Cost(len(known), 0)
    for each in known:
        ways, looks = _either(ways, each.ways), _either(looks, each.looks)
    return _Effort(ways, looks)


def _repeat(least: int, most: int, body: Any) -> _Effort | None:
    inner = _sequence(body)
    if inner is None:
        return None
    unbounded = most > _MOST_CHOICES
    if inner.ways == _ONE:  # one way to match each round: only the number of rounds is open
        # A round that matches nothing is run as often as it has to be, and then no more.
        rounds = Cost(least + 1, 1) if unbounded else Cost(most + 1, 0)
        ways = Cost(1, 1) if unbounded else Cost(most - least + 1, 0)
        return _Effort(ways, _each(rounds, _either(inner.looks, _ONE)))
    if most == 1:
        return _Effort(Cost(inner.ways.factor + 1, inner.ways.degree), _either(inner.looks, _ONE))
    if unbounded or inner.ways.degree:
        return None
    # each round multiplies the choices
    choices = inner.ways.factor**most if most < 20 else _MOST_CHOICES + 1
    return _Effort(Cost(choices, 0), _each(Cost(choices, 0), inner.looks)) if choices <= _MOST_CHOICES else None
