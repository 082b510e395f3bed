"""What can be said of rules before they judge anything: whether they are sound, and whether their examples hold."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from mgit_hooks.errors import ConfigError, UsageError
from mgit_hooks.files import exists
from mgit_hooks.judging import config as configuration
from mgit_hooks.judging import extending, library, rules
from mgit_hooks.judging.configlayers import LayerReader
from mgit_hooks.judging.judge import judge
from mgit_hooks.judging.patterns import cost
from mgit_hooks.judging.rules import Rule
from mgit_hooks.judging.rulesets import Entry, Place
from mgit_hooks.judging.validate import Schemas, uri, validate
from mgit_hooks.layout import Location
from mgit_hooks.record import Json

_WORKTREES_OWN = (".mgit-hooks.toml", "pyproject.toml")
# What a value has only where one of these happened: a rule about it for other events would never find anything.
_HAS: dict[str, frozenset[str]] = {
    "push": frozenset(("push", "push-outcome", "refused", "skipped")),
    "commit": rules.RULE_EVENTS - {"push", "push-outcome", "checkout", "ref-update", "checkpoint", "erase", "adopted"},
}


class Found(NamedTuple):
    """Rules to look at, and what reads them."""

    entries: tuple[Entry, ...]
    reader: LayerReader


class Problem(NamedTuple):
    rule: str | None  # None: the file itself
    severity: str  # error | warning
    message: str
    hint: str


class Failure(NamedTuple):
    """An example that does not hold."""

    kind: str  # good | bad
    number: int  # from 1
    found: tuple[str, ...]  # what the rule finds in it, in words


class Tried(NamedTuple):
    rule: str
    good: int
    bad: int
    failures: tuple[Failure, ...]


def find(name: str | None, directory: str, location: Location | None) -> Found:
    """The rules of a file, a folder, a set, a package, or the one of this id; of the configuration by default.

    Raises ConfigError where they cannot be read, UsageError where there are none.
    """
    if name is None:
        return in_force(location)
    path = os.path.normpath(os.path.join(directory, os.path.expanduser(name)))
    if os.sep in name or name.endswith((".toml", ".json")):
        if not exists(path):
            raise UsageError(f"there is no file {path}", "name a rule file, a set, a package, or a rule by its id")
        reader = LayerReader(None, os.environ)
        if os.path.basename(path) in _WORKTREES_OWN:
            entries = reader.worktree(os.path.dirname(path), os.path.basename(path)).entries
        else:
            entries = reader.sets.file(path, trusted=True, missing=path)
        return Found(tuple(entries.values()), reader)
    if not library.has_set(name) and (found := by_id(name, location)).entries:
        return found
    reader = LayerReader(None, os.environ)
    place = Place("the command line", directory, "", trusted=True)
    try:
        extending.find(name, place, reader.files, location.root if location else None)
    except ConfigError as error:
        raise UsageError(f"there is no rule, set or package '{name}'", error.remedy or "") from error
    return Found(tuple(reader.sets.extended([name], place).values()), reader)


def in_force(location: Location | None) -> Found:
    """The rules of the configuration, those of the level among them."""
    read = configuration.read(location) if location else configuration.nothing()
    return Found(tuple(read.chains().in_force()), read.reader)


def by_id(name: str, location: Location | None) -> Found:
    """The rules of this id that are in force; else the library's."""
    found = in_force(location)
    own = tuple(entry for entry in found.entries if entry.id == name)
    if own or not library.has_rule(name):
        return found._replace(entries=own)
    return found._replace(entries=(found.reader.sets.of_library(name),))


def problems(entry: Entry, reader: LayerReader) -> Iterator[Problem]:
    """What is wrong with a rule (error), or likely not meant (warning)."""
    if not entry.enabled:
        return
    try:
        rule = reader.rule(entry)
        if entry.source.startswith(library.RULE_PREFIX):
            reader.check(rule, entry)
    except ConfigError as error:
        yield Problem(entry.id, "error", error.message, error.remedy or "mend it")
        return
    for what, hint in (*_doubts(rule), *_bad_examples(rule, reader.schemas)):
        yield Problem(entry.id, "warning", f"{entry.where}: {what}", hint)


def _doubts(rule: Rule) -> Iterator[tuple[str, str]]:
    for pattern in dict.fromkeys(rules.patterns(rule.schema)):
        if cost(pattern) is None:
            yield (
                f"its pattern {pattern!r} has no bound that is plain to see: it is judged in a process of its own",
                "write it without a repeat inside a repeat, and anchor it with ^",
            )
    if rule.strategy == "abort" and rule.severity in ("error", "critical") and not rule.message:
        yield "it refuses and does not say what to do", "give it a message"
    looks_at = rule.schema.get("properties", {}) if isinstance(rule.schema, dict) else {}
    parts = [part for part in _HAS if part in looks_at]
    if parts and all(_HAS[part].isdisjoint(rule.events) for part in parts):
        yield f"it looks at {parts[0]}, which none of its events has", "mend its events"


def _bad_examples(rule: Rule, schemas: Schemas) -> Iterator[tuple[str, str]]:
    """An example with a slip in it is one that passes, or is found, for another reason than was meant."""
    for kind, number, value in _examples(rule):
        if not isinstance(value, dict) or not value:
            yield f"its {kind} example {number} is no value and no part of one", "see 'mgit-hooks log --json'"
            continue
        for name, meant in _slips(value, schemas):
            yield f"its {kind} example {number}: no record has '{name}'", f"did you mean '{meant}'?"
        for issue in validate("record", value, "basic", schemas):
            # Parts may lack what they like; facts are no part of a record.
            if issue.code != "UNKNOWN_FIELD" and "MISSING" not in issue.code and "/facts" not in issue.field_path:
                place = f"its {kind} example {number}: {issue.field_path}"
                yield f"{place}: {issue.message}", "write it as 'mgit-hooks log --json' does"


def _slips(example: Json, schemas: Schemas) -> Iterator[tuple[str, str]]:
    """Names in an example that are nearly those of a record, and what was likely meant."""
    from difflib import get_close_matches

    for kind, part in _parts(example):
        known = schemas.documents[uri(kind, "basic")]["properties"]
        for name in part:
            near = () if name in known else get_close_matches(name, known, 1, 0.8)
            if near and f"{near[0]}_" not in f"{name}_":  # a record has author_name_bytes, too
                yield name, near[0]


def _parts(example: Json) -> Iterator[tuple[str, Json]]:
    yield "record", example
    commit = example.get("commit")
    if isinstance(commit, dict):
        yield "commit", commit
        files = commit.get("files")
        for file in files if isinstance(files, list) else ():
            if isinstance(file, dict):
                yield "file-change", file


def _examples(rule: Rule) -> Iterator[tuple[str, int, Any]]:
    for kind, values in zip(rule.examples._fields, rule.examples, strict=True):
        for number, value in enumerate(values, 1):
            yield kind, number, value


def tried(rule: Rule, schemas: Schemas) -> Tried:
    """The rule's own examples, judged by it: a good one must pass, and a bad one be found."""
    failures = []
    for kind, number, value in _examples(rule):
        found = _found(rule, value, schemas)
        if bool(found) is (kind == "good") or any(code != "RULE_VIOLATED" for code, _ in found):
            failures.append(Failure(kind, number, tuple(message for _, message in found)))
    return Tried(rule.id, len(rule.examples.good), len(rule.examples.bad), tuple(failures))


def _found(rule: Rule, value: Any, schemas: Schemas) -> list[tuple[str, str]]:
    if not isinstance(value, dict):
        return [("", "it is no value and no part of one")]
    return [(issue.code, issue.message) for issue in judge([rule], value, schemas, events=rule.events)]


def whole(entry: Entry, rule: Rule, strategy: str) -> Json:
    """A rule with every default filled in and its parameters put in. ``strategy`` is the configuration's."""
    declared: Json = entry.keys.get("parameters", {})
    return {
        "id": rule.id,
        "title": rule.title,
        "events": list(rule.events),
        "severity": rule.severity,
        "strategy": rule.strategy or strategy,
        "enforce": rule.enforce,
        "repair": None if rule.repair is None else {"name": rule.repair.name, **rule.repair.options},
        "message": rule.message,
        "parameters": {name: {**each, "value": rule.parameters[name]} for name, each in declared.items()},
        "schema": rule.schema,
        "examples": {"good": list(rule.examples.good), "bad": list(rule.examples.bad)},
        "origin": rule.origin,
        "source": rule.source,
    }


def all_problems(found: Found) -> Iterable[Problem]:
    for entry in found.entries:
        yield from problems(entry, found.reader)
