"""``schema check``, ``schema test`` and ``schema show``: the words of ``schema`` that are about rules."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable

from mgit_hooks.display import escape
from mgit_hooks.errors import ConfigError, RepositoryError, UsageError
from mgit_hooks.judging import config, library, rulecheck
from mgit_hooks.layout import Location, locate
from mgit_hooks.output import Output
from mgit_hooks.record import Json
from mgit_hooks.report import counted


def check(args: argparse.Namespace, out: Output) -> int:
    """Exit code 1 where a rule is not sound."""
    problems: list[rulecheck.Problem] = []
    rules = 0
    try:
        found = rulecheck.find(args.file, args.directory, _location(args.directory))
        rules = len(found.entries)
        problems += rulecheck.all_problems(found)
    except ConfigError as error:
        problems.append(rulecheck.Problem(None, "error", error.message, error.remedy or "mend it"))
    for problem in problems:
        if out.as_json:
            out.json(problem._asdict())
        else:
            severity = out.style(problem.severity, "yellow" if problem.severity == "warning" else "red")
            out.line(f"{severity}: {escape(problem.message)} ({escape(problem.hint)})")
    errors = sum(problem.severity == "error" for problem in problems)
    out.note(
        f"{counted(rules, 'rule')} checked: {counted(errors, 'error')}, {counted(len(problems) - errors, 'warning')}"
    )
    return 1 if errors else 0


def test(args: argparse.Namespace, out: Output) -> int:
    """Exit code 1 where a rule finds a good example, or does not find a bad one."""
    found = rulecheck.find(args.file, args.directory, _location(args.directory))
    without, failed, examples = 0, 0, 0
    for entry in found.entries:
        if not entry.enabled:
            continue
        tried = rulecheck.tried(found.reader.rule(entry), found.reader.schemas)
        without += not tried.good + tried.bad
        failed += len(tried.failures)
        examples += tried.good + tried.bad
        if out.as_json:
            out.json({**tried._asdict(), "failures": [failure._asdict() for failure in tried.failures]})
        else:
            _print_tried(tried, out)
    left = f"; {counted(without, 'rule')} without any" if without else ""
    out.note(f"{counted(examples, 'example')} of {counted(len(found.entries), 'rule')}: {failed or 'none'} wrong{left}")
    return 1 if failed else 0


def _print_tried(tried: rulecheck.Tried, out: Output) -> None:
    if not tried.failures:
        told = f"{tried.good} good, {tried.bad} bad" if tried.good + tried.bad else "no examples"
        out.line(f"{escape(tried.rule)}: {told}")
    for failure in tried.failures:
        said = f"found: {'; '.join(failure.found)}" if failure.found else "not found"
        out.line(f"{escape(tried.rule)}: {out.style(f'{failure.kind} example {failure.number}', 'red')} {escape(said)}")


def show(args: argparse.Namespace, out: Output) -> int:
    """One rule, whole: the one in force of this id, else the library's."""
    if args.file is None:
        raise UsageError("show needs the id of a rule", "mgit-hooks schema show ID; 'mgit-hooks schema' lists ours")
    location = _location(args.directory)
    found = rulecheck.by_id(args.file, location)
    if not found.entries:
        raise _unknown(args.file, location)
    strategy = config.load(location).strategy if location else config.defaults().strategy
    for entry in found.entries:
        value = rulecheck.whole(entry, found.reader.rule(entry), strategy)
        if out.as_json:
            out.json(value)
        else:
            out.lines(_lines(value))
    return 0


def _lines(value: Json) -> list[str]:
    lines = []
    for key, each in value.items():
        if key == "parameters":
            lines += [f"parameter {name}: {_text(of['value'])}  ({_about(of)})" for name, of in each.items()]
        elif key == "examples":
            lines.append(f"examples: {len(each['good'])} good, {len(each['bad'])} bad")
        elif key == "schema":
            lines += [f"schema: {line}" if not number else line for number, line in enumerate(_indented(each))]
        else:
            lines.append(f"{key}: {_text(each)}")
    return [escape(line) for line in lines]


def _about(parameter: Json) -> str:
    told = [f"default {_text(parameter['default'])}"] if "default" in parameter else []
    return "; ".join([*([parameter["description"]] if parameter.get("description") else []), *told])


def _text(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(_text, value))
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _indented(value: object) -> list[str]:
    return json.dumps(value, indent=2, ensure_ascii=False).split("\n")


def _unknown(name: str, location: Location | None) -> UsageError:
    from difflib import get_close_matches

    known = dict.fromkeys((*(entry.id for entry in rulecheck.in_force(location).entries), *library.rules()))
    near = get_close_matches(name, known, 1)
    hint = f"did you mean '{near[0]}'?" if near else "see 'mgit-hooks schema' and 'mgit-hooks config rules'"
    return UsageError(f"there is no rule '{name}'", hint)


def _location(directory: str) -> Location | None:
    """Where there is no repository, the library and files can be looked at all the same."""
    try:
        return locate(directory)
    except RepositoryError:
        return None


WORDS: dict[str, Callable[[argparse.Namespace, Output], int]] = {"check": check, "test": test, "show": show}
