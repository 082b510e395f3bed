"""``schema``: list and print the JSON Schemas and the rules, judge a file by one, check and try rules."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterator
from typing import Any

from mgit_hooks.display import escape
from mgit_hooks.errors import UsageError
from mgit_hooks.judging import library, schemas
from mgit_hooks.judging.validate import KINDS, LEVELS, PREFIX, uri, validate
from mgit_hooks.output import Output
from mgit_hooks.record import Issue, is_valid


def configure(parser: argparse.ArgumentParser) -> None:
    parser.usage = (
        "%(prog)s [NAME [--level LEVEL]]\n"
        "       %(prog)s validate FILE [--kind KIND] [--level LEVEL]\n"
        "       %(prog)s check [FILE|SET|ID]\n"
        "       %(prog)s test [FILE|SET|ID]\n"
        "       %(prog)s show ID"
    )
    parser.add_argument(
        "name",
        nargs="?",
        metavar="NAME",
        help="a schema, rule.ID or set.NAME; or validate, check, test, show",
    )
    parser.add_argument(
        "file",
        nargs="?",
        metavar="FILE|SET|ID",
        help="validate: JSON, or JSON lines, to judge, - is standard input; check, test: a rule file, a folder of "
        "rules, a set, a package, or the id of a rule (default: the rules in force); show: the id of a rule",
    )
    parser.add_argument(
        "--kind",
        choices=KINDS,
        default="record",
        metavar="KIND",
        help=f"what FILE holds: {', '.join(KINDS)} (default: record)",
    )
    parser.add_argument("--level", choices=LEVELS, help="default: standard")


def run(args: argparse.Namespace, out: Output) -> int:
    if args.name == "validate":
        return _judge(args, out)
    if args.name in ("check", "test", "show"):
        from mgit_hooks.commands.schemarules import WORDS

        return WORDS[args.name](args, out)
    if args.file is not None:
        raise UsageError(f"'{args.file}' is one word too many", "to judge a file: mgit-hooks schema validate FILE")
    if args.name is None:
        return _list(out)
    return _print(args.name, args.level, out)


def _list(out: Output) -> int:
    known = schemas.load()
    titles = {name: known.documents[PREFIX + name]["title"] for name in schemas.names()}
    titles |= {f"rule.{name}": library.rule(name)["title"] for name in library.rules()}
    for name in library.sets():
        used = ", ".join(str(entry.get("use") or entry.get("id")) for entry in library.set_entries(name))
        titles[f"set.{name}"] = f"Rules: {used or 'none'}"
    for name, title in titles.items():
        if out.as_json:
            out.json({"name": name, "id": PREFIX + name, "title": title})
        else:
            out.line(f"{name:<30} {title}")
    return 0


def _of_library(name: str) -> Any:
    """A rule's or a set's file, as it is; None where ``name`` names neither."""
    kind, _, own = name.partition(".")
    if kind == "rule" and library.has_rule(own):
        return library.document(library.rule_path(own))
    return library.set_entries(own) if kind == "set" and library.has_set(own) else None


def _print(name: str, level: str | None, out: Output) -> int:
    documents = schemas.load().documents
    found = _of_library(name)
    wanted = uri(name, level or "standard") if name in KINDS else PREFIX + name
    if found is None and wanted not in documents:
        from difflib import get_close_matches

        ours = (*(f"rule.{each}" for each in library.rules()), *(f"set.{each}" for each in library.sets()))
        near = get_close_matches(name, [*KINDS, *schemas.names(), *ours], 1)
        hint = f"did you mean '{near[0]}'?" if near else "see 'mgit-hooks schema' for their names"
        raise UsageError(f"there is no schema '{name}'", hint)
    shown = documents[wanted] if found is None else found
    if out.as_json:
        out.json(shown)
    else:
        out.lines(json.dumps(shown, indent=2, ensure_ascii=False).split("\n"))
    return 0


def _judge(args: argparse.Namespace, out: Output) -> int:
    if args.file is None:
        raise UsageError("validate needs a file", "mgit-hooks schema validate FILE, or - for standard input")
    known, level = schemas.load(), args.level or "standard"
    # "-C DIR" is as if the command had been started there
    name = args.file if args.file == "-" else os.path.normpath(os.path.join(args.directory, args.file))
    judged, findings = 0, False
    for where, value, broken in _values(name):
        issues = (broken,) if broken else validate(args.kind, value, level, known)
        judged += 1
        findings = findings or not is_valid(issues)
        for issue in issues:
            _report(where, issue, out)
    out.note(f"{judged} judged at level {level}: {'invalid' if findings else 'valid'}")
    return 1 if findings else 0


def _values(name: str) -> Iterator[tuple[str, Any, Issue | None]]:
    """Each value of a file with its place: one JSON text, or one a line. What is not JSON is an issue."""
    with open(0 if name == "-" else name, "rb", closefd=name != "-") as file:
        lines = enumerate(file, 1)
        shown = "standard input" if name == "-" else name
        first = next((each for each in lines if each[1].strip()), None)
        if first is None:
            yield shown, None, _not_json("nothing is there", 1, 1)
            return
        value, broken = _parsed(first[1], first[0])
        if broken is not None:  # no JSON in its first line: one text over all of its lines, or none at all
            value, broken = _parsed(first[1] + file.read(), first[0])
            yield shown, value, broken
            return
        yield f"{shown}:{first[0]}", value, broken
        for number, line in lines:
            if line.strip():
                yield f"{shown}:{number}", *_parsed(line, number)


def _parsed(raw: bytes, line: int) -> tuple[Any, Issue | None]:
    """The JSON value in ``raw``, whose first line is the file's line number ``line``."""
    try:
        return json.loads(raw.decode("utf-8")), None
    except json.JSONDecodeError as error:
        return None, _not_json(error.msg, line + error.lineno - 1, error.colno)
    except UnicodeDecodeError as error:
        return None, _not_json(f"not UTF-8 at byte {error.start}", line + raw.count(b"\n", 0, error.start), 1)
    except RecursionError:
        return None, _not_json("nested too deeply", line, 1)


def _not_json(what: str, line: int, column: int) -> Issue:
    message = f"line {line}, column {column}: {what}"
    return Issue("critical", "INVALID_JSON", message, "", "mend the JSON there", {"line": line, "column": column})


def _report(where: str, issue: Issue, out: Output) -> None:
    if out.as_json:
        out.json({"file": where, **issue.to_json()})
        return
    severity = out.style(issue.severity, "yellow" if issue.severity in ("info", "warning") else "red")
    place = f" {issue.field_path}" if issue.field_path else ""
    out.line(f"{escape(where)}: {severity} {issue.code}{escape(place)}: {escape(issue.message)}")
