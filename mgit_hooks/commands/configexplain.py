"""``config explain KEY``: what a key is, where its value comes from, and what else was said and overruled."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from typing import Any

from mgit_hooks.commands.config import given, unknown, where
from mgit_hooks.display import escape
from mgit_hooks.errors import UsageError
from mgit_hooks.judging import config as configuration
from mgit_hooks.judging import schemas, trust
from mgit_hooks.judging.config import Read
from mgit_hooks.judging.configlayers import ADDING, KEYS
from mgit_hooks.judging.rulesets import Entry
from mgit_hooks.layout import locate
from mgit_hooks.output import Output
from mgit_hooks.record import Json


def explain(args: argparse.Namespace, out: Output) -> int:
    key = args.explained
    if key is None:
        raise UsageError("explain needs a key", f"one of: {', '.join(KEYS)}, rules.ID")
    read = configuration.read(locate(args.directory), given(args))
    value = _of_rule(key.removeprefix("rules."), read) if key.startswith("rules.") else _of_key(key, read)
    if out.as_json:
        out.json(value)
    else:
        out.lines(map(escape, _lines(value)))
    return 0


def _of_key(key: str, read: Read) -> Json:
    if key not in KEYS:
        raise unknown(key)
    spec: Json = schemas.load().documents["urn:mgit-hooks:config"]["properties"][key]
    said = trust.explained(key, read.layers, spec["default"])
    config = read.resolve()
    value = [rule.id for rule in config.rules] if key == "rules" else config.origins[key].value
    return {
        "key": key,
        "description": spec["description"],
        "values": _values(spec),
        "default": spec["default"],
        "value": value,
        "origin": where(config.origins[key]),
        "adds_up": key in ADDING,
        "said": [
            {
                "value": [_name(rule) for rule in each.origin.value] if key == "rules" else each.origin.value,
                "origin": where(each.origin),
                "holds": each.holds,
                "because": each.because or None,
            }
            for each in said
        ],
    }


def _of_rule(name: str, read: Read) -> Json:
    """What each place says of one rule."""
    chains = read.chains()
    sides = [(side[name], side is chains.user) for side in chains if name in side]
    said = [(layer.entries[name], layer.trusted) for layer in read.layers if name in layer.entries]
    if not sides and not said:
        from difflib import get_close_matches

        near = get_close_matches(name, [*chains.worktree, *chains.user], 1)
        raise UsageError(
            f"nothing says anything of a rule '{name}'",
            f"did you mean 'rules.{near[0]}'?" if near else "see 'mgit-hooks config rules'",
        )
    title = next((entry.keys["title"] for entry, _ in sides if entry.keys.get("title")), "")
    on = [entry for entry, _ in sides if entry.enabled]
    users = any(trusted for _, trusted in sides)
    of_level = [] if any(entry.whole for entry, _ in said) else [(entry, None) for entry, _ in sides if entry.whole]
    return {
        "key": f"rules.{name}",
        "description": title or "a rule",
        "values": "true (in force), false (switched off)",
        "default": False,
        "value": bool(on),
        "origin": ", ".join(dict.fromkeys(entry.origin for entry in on)) or "default",
        "adds_up": False,
        "said": [_said(entry, trusted, users) for entry, trusted in (*said, *of_level)],
    }


def _said(entry: Entry, trusted: bool | None, users: bool) -> Json:
    holds = trusted is not False or not users or entry.whole
    what = (
        "switched off" if not entry.enabled else "a whole rule" if entry.whole else f"changes {', '.join(entry.keys)}"
    )
    because = None if holds else "a worktree does not change a rule of the user's"
    return {"value": what, "origin": entry.origin, "holds": holds, "because": because}


def _name(entry: Any) -> str:
    return str(entry.get("id") or entry.get("use")) if isinstance(entry, dict) else str(entry)


def _values(spec: Json) -> str:
    if "enum" in spec:
        return ", ".join(spec["enum"])
    if spec["type"] == "boolean":
        return "true, false"
    return f"{spec['minimum']} to {spec['maximum']}" if spec["type"] == "integer" else "a list; every place adds to it"


def _lines(value: Json) -> Iterator[str]:
    yield f"{value['key']}: {value['description']}"
    yield f"values: {value['values']}"
    yield f"default: {_text(value['default'])}"
    yield f"now: {_text(value['value'])}, from {value['origin']}"
    for each in value["said"]:
        effect = "holds" if each["holds"] else f"overruled: {each['because']}"
        yield f"said: {_text(each['value'])}, by {each['origin']} ({effect})"


def _text(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(_text, value)) or "none"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
