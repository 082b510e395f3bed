"""Judging by users' rules within bounds.

A rule can come from a worktree, and its pattern can backtrack for longer than anyone waits. What is
provably cheap (``rules.affordable``) runs here; the rest runs in a forked child that the kernel ends
once it has used its share of processor time, so that a busy machine makes no finding of its own.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterable
from typing import Any

from mgit_hooks.judging.rules import Prepared, Rule, affordable, applies, failed, prepare, validator, violations
from mgit_hooks.judging.validate import Schemas
from mgit_hooks.record import Issue, Json

SECONDS = 1.0
"""Processor time that one rule may use for one value."""
_WALL_SECONDS = 60  # against a child that sleeps, which none should

_prepared: dict[tuple[str, str, int], Prepared] = {}


def judge(
    rules: Iterable[Rule],
    value: Json,
    schemas: Schemas,
    *,
    events: Collection[str] | None = None,
    unknown: frozenset[str] = frozenset(),
    skipped: Collection[str] = (),
) -> tuple[Issue, ...]:
    """How ``value`` breaks the rules: RULE_VIOLATED, each with rule, value, strategy and the way out.

    ``events`` are what the value may be, where its own ``event`` does not tell yet; ``unknown`` are JSON
    pointers to what is not known yet: findings that hang on them are left to a later stage. ``skipped``
    are ids of rules not to be asked. A rule that runs out of time is RULE_TIMEOUT, critical.

    Facts that rules name and ``value`` has not yet are made of it where they follow from it, and unknown where not.
    """
    possible = (value.get("event", ""),) if events is None else events
    asked = [rule for rule in rules if rule.id not in skipped and any(applies(rule, event) for event in possible)]
    names = facts_named(asked)
    if names:
        return _with_facts(asked, value, names, schemas, unknown)
    return tuple(issue for rule in asked for issue in _judge(_ready(rule, schemas), value, unknown))


def _with_facts(
    asked: Iterable[Rule], value: Json, names: frozenset[str], schemas: Schemas, unknown: frozenset[str]
) -> tuple[Issue, ...]:
    from mgit_hooks.judging import facts

    value = facts.followed(value, names)
    whole: facts.Told | None = None
    found: list[Issue] = []
    for rule in asked:
        issues = _judge(_ready(rule, schemas), value, unknown)
        if issues and _facts_of(rule):
            # A fact that is not there breaks no rule; where something else does, it may be by its absence.
            whole = whole or facts.made(value, names)
            issues = _judge(_ready(rule, schemas), whole.value, unknown | whole.unknown)
        found += issues
    return tuple(found)


def facts_named(rules: Iterable[Rule]) -> frozenset[str]:
    """The facts that any of ``rules`` looks at (``judging.facts``)."""
    return frozenset().union(*map(_facts_of, rules))


_facts: dict[int, tuple[Any, frozenset[str]]] = {}


def _facts_of(rule: Rule) -> frozenset[str]:
    known = _facts.get(id(rule.schema))
    if known is None or known[0] is not rule.schema:
        found: frozenset[str] = frozenset()
        if _mentions(rule.schema, "facts"):
            from mgit_hooks.judging import facts

            found = facts.named(rule.schema)
        # The schema is held, or another one could come to have its id.
        known = _facts[id(rule.schema)] = (rule.schema, found)
    return known[1]


def _mentions(schema: Any, name: str) -> bool:
    if isinstance(schema, dict):
        return name in schema or any(_mentions(each, name) for each in schema.values())
    return isinstance(schema, list) and any(_mentions(each, name) for each in schema)


def _ready(rule: Rule, schemas: Schemas) -> Prepared:
    key = (rule.origin, rule.id, id(rule.schema))
    made = _prepared.get(key)
    if made is None or made.rule != rule:
        made = _prepared[key] = prepare(rule, schemas.documents)
    return made


def _judge(prepared: Prepared, value: Json, unknown: frozenset[str]) -> tuple[Issue, ...]:
    rule = prepared.rule
    try:
        if affordable(prepared, value):
            return violations(prepared, value, unknown)
        return _in_child(prepared, value, unknown)
    except Exception as error:
        what = f"could not be judged: {type(error).__name__}: {str(error)[:80]}"
        return (failed(rule, "VALIDATION_EXCEPTION", what, "mend the rule's schema, or take the rule out"),)


def _in_child(prepared: Prepared, value: Json, unknown: frozenset[str]) -> tuple[Issue, ...]:
    import signal

    if prepared.check is None:
        validator(prepared)  # before the fork: 100 ms once, not in each child
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        # No way back into the parent's code from here: not its handlers, buffers or locks.
        try:
            os.close(reading)
            for number in (signal.SIGVTALRM, signal.SIGALRM):
                signal.signal(number, signal.SIG_DFL)
            signal.setitimer(signal.ITIMER_VIRTUAL, SECONDS)
            signal.setitimer(signal.ITIMER_REAL, _WALL_SECONDS)
            issues = violations(prepared, value, unknown)
            with open(writing, "wb") as pipe:
                pipe.write(json.dumps([issue.to_json() for issue in issues]).encode())
            os._exit(0)
        except Exception as error:
            os.write(writing, f"{type(error).__name__}: {str(error)[:200]}".encode("utf-8", "replace"))
            os._exit(1)
        finally:
            os._exit(2)
    os.close(writing)
    with open(reading, "rb") as pipe:
        said = pipe.read()
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if status == 0:
        return tuple(map(Issue.from_json, json.loads(said)))
    if status in (-signal.SIGVTALRM, -signal.SIGALRM):
        what = f"ran out of time ({SECONDS:g} s): its pattern backtracks too much on this value"
        fix = "write the pattern without a repeat inside a repeat, and anchor it with ^"
        return (failed(prepared.rule, "RULE_TIMEOUT", what, fix),)
    raise RuntimeError(said.decode("utf-8", "replace") or f"its process ended with {status}")
