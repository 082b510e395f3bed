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

from mgit_hooks.judging.rules import (
    Prepared,
    Rule,
    Texts,
    affordable,
    applies,
    failed,
    patterns,
    ready,
    validator,
    violations,
)
from mgit_hooks.judging.validate import Schemas
from mgit_hooks.record import Issue, Json

SECONDS = 1.0
"""Processor time that one rule may use for one value."""
SECONDS_OF_VALUE = 5.0
"""Processor time that all rules together may use for one value in processes of their own."""
_MOST_ENDED = 30
_WALL_SECONDS = 60  # against a child that sleeps, which none should
_MEMORY = 256 * 1024 * 1024
"""Bytes that one rule may take beyond what the process has: a pattern can take eight gigabytes in its second."""
_NO_MEMORY = 3  # the exit status of a child that needed more

_RAN_OUT = "RULE_TIMEOUT"


class Allowance:
    """What rules without a bound may use: of one value, and of all values that somebody waits for at once."""

    def __init__(self) -> None:
        self._used = 0.0
        self._ended = 0

    def next_value(self) -> None:
        self._used = 0.0

    def use(self, seconds: float, *, ended: bool) -> None:
        self._used += seconds
        self._ended += ended

    @property
    def gone(self) -> str:
        """What used it up; "" where there is some left."""
        if self._used >= SECONDS_OF_VALUE:
            return f"the rules before it used {SECONDS_OF_VALUE:g} s on this value"
        return f"rules were out of time {_MOST_ENDED} times before" if self._ended >= _MOST_ENDED else ""


def judge(
    rules: Iterable[Rule],
    value: Json,
    schemas: Schemas,
    *,
    events: Collection[str] | None = None,
    unknown: frozenset[str] = frozenset(),
    skipped: Collection[str] = (),
    allowance: Allowance | None = None,
) -> tuple[Issue, ...]:
    """How ``value`` breaks the rules: RULE_VIOLATED, each with rule, value, strategy and the way out.

    ``events`` are what the value may be, where its own ``event`` does not tell yet; ``unknown`` are JSON
    pointers to what is not known yet: findings that hang on them are left to a later stage. ``skipped``
    are ids of rules not to be asked. A rule that runs out of time is RULE_TIMEOUT, critical; so is one that is not
    asked because others before it did. Whoever judges many values that somebody waits for gives one ``allowance``.

    Facts that rules name and ``value`` has not yet are made of it where they follow from it, and unknown where not.
    """
    possible = (value.get("event", ""),) if events is None else events
    asked = [rule for rule in rules if rule.id not in skipped and any(applies(rule, event) for event in possible)]
    names = facts_named(asked)
    allowance = allowance or Allowance()
    allowance.next_value()
    if names:
        return _with_facts(asked, value, names, schemas, unknown, allowance)
    texts = Texts(value)
    return tuple(issue for rule in asked for issue in _judge(ready(rule, schemas.documents), texts, unknown, allowance))


def _with_facts(
    asked: Iterable[Rule],
    value: Json,
    names: frozenset[str],
    schemas: Schemas,
    unknown: frozenset[str],
    allowance: Allowance,
) -> tuple[Issue, ...]:
    from mgit_hooks.judging import facts

    texts = Texts(facts.followed(value, names))
    whole: tuple[Texts, frozenset[str]] | None = None
    found: list[Issue] = []
    for rule in asked:
        issues = _judge(ready(rule, schemas.documents), texts, unknown, allowance)
        if issues and _facts_of(rule):
            # A fact that is not there breaks no rule; where something else does, it may be by its absence.
            if whole is None:
                made = facts.made(texts.value, names)
                whole = Texts(made.value), unknown | made.unknown
            issues = _judge(ready(rule, schemas.documents), *whole, allowance)
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


def _judge(prepared: Prepared, texts: Texts, unknown: frozenset[str], allowance: Allowance) -> tuple[Issue, ...]:
    rule = prepared.rule
    try:
        if affordable(prepared, texts):
            return violations(prepared, texts.value, unknown)
        if allowance.gone:
            fix = "mend those that ran out of time, or take them out"
            return (failed(rule, _RAN_OUT, f"was not asked: {allowance.gone}", fix),)
        return _in_child(prepared, texts.value, unknown, allowance)
    except Exception as error:
        name = "" if isinstance(error, _ChildFailed) else f"{type(error).__name__}: "
        what = f"could not be judged: {name}{str(error)[:80]}"
        return (failed(rule, "VALIDATION_EXCEPTION", what, "mend the rule's schema, or take the rule out"),)


class _ChildFailed(Exception):
    """What the process said of a rule that it could not judge."""


def _in_child(prepared: Prepared, value: Json, unknown: frozenset[str], allowance: Allowance) -> tuple[Issue, ...]:
    import signal

    if prepared.check is None:
        validator(prepared)  # before the fork: 100 ms once, not in each child
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        # No way back into the parent's code from here: not its handlers, buffers or locks.
        try:
            os.close(reading)
            for number in (signal.SIGPROF, signal.SIGALRM):
                signal.signal(number, signal.SIG_DFL)
            signal.setitimer(signal.ITIMER_PROF, SECONDS)  # the system's time too, as of what takes much memory
            signal.setitimer(signal.ITIMER_REAL, _WALL_SECONDS)
            _hold_memory()
            issues = violations(prepared, value, unknown)
            with open(writing, "wb") as pipe:
                pipe.write(json.dumps([issue.to_json() for issue in issues]).encode())
            os._exit(0)
        except MemoryError:
            os._exit(_NO_MEMORY)
        except Exception as error:
            os.write(writing, f"{type(error).__name__}: {str(error)[:200]}".encode("utf-8", "replace"))
            os._exit(1)
        finally:
            os._exit(2)
    os.close(writing)
    with open(reading, "rb") as pipe:
        said = pipe.read()
    _, waited, used = os.wait4(pid, 0)
    status = os.waitstatus_to_exitcode(waited)
    ended = status in (-signal.SIGPROF, -signal.SIGALRM, _NO_MEMORY)
    allowance.use(used.ru_utime + used.ru_stime, ended=ended)
    if status == 0:
        return tuple(map(Issue.from_json, json.loads(said)))
    if ended:
        return (_ran_out(prepared.rule, "memory" if status == _NO_MEMORY else "time"),)
    raise _ChildFailed(said.decode("utf-8", "replace") or f"its process ended with {status}")


def _hold_memory() -> None:
    """In the child. A system that holds no limit leaves it at the time."""
    from contextlib import suppress

    from mgit_hooks import ceilings

    if ceilings.held_by_system():
        with suppress(OSError, ValueError):
            ceilings.hold(_MEMORY)


def _ran_out(rule: Rule, of: str) -> Issue:
    if any(patterns(rule.schema)):
        why = "its pattern backtracks too much on this value"
        fix = "write the pattern without a repeat inside a repeat, and anchor it with ^"
    else:
        why = "its schema comes to the same question by too many ways"
        fix = "let fewer of its $refs lead to one schema"
    bound = f"{SECONDS:g} s" if of == "time" else f"{_MEMORY >> 20} MiB"
    return failed(rule, _RAN_OUT, f"ran out of {of} ({bound}): {why}", fix)
