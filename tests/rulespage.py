"""The part of docs/rules.md that follows from schemas/: ``python tests/rulespage.py`` writes it anew."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

TOP = Path(__file__).resolve().parents[1]
PAGE = TOP / "docs" / "rules.md"
BEGIN = "<!-- From here on the page is written by tests/rulespage.py, from schemas/rules and schemas/sets. -->\n"
MADE = ["commit", "amend", "merge", "rebase", "cherry-pick", "revert", "am"]


def page() -> str:
    return PAGE.read_text("utf-8").partition(BEGIN)[0] + BEGIN + "\n".join(_lines())


def _lines() -> Iterator[str]:
    yield "\n## The sets\n"
    yield "| set | its rules |\n|---|---|"
    for path in sorted((TOP / "schemas" / "sets").glob("*.json")):
        yield f"| `{path.stem}` | {', '.join(map(_entry, json.loads(path.read_text('utf-8')))) or 'none'} |"
    yield "\n## The rules"
    for path in sorted((TOP / "schemas" / "rules").glob("*.json")):
        yield from _rule(path.stem, json.loads(path.read_text("utf-8")))
    yield ""


def _entry(entry: Any) -> str:
    given = ", ".join(f"{name} {json.dumps(value)}" for name, value in entry.get("with", {}).items())
    return f"[{entry['use']}](#{entry['use']})" + (f" ({given})" if given else "")


def _rule(name: str, schema: Any) -> Iterator[str]:
    about = schema["x-rule"]
    yield f"\n### {name}\n"
    yield f"{about['title']}. {schema['description']}\n"
    yield f"- Judged: {_events(about['events'])}; severity {about['severity']}"
    yield f"- Way out: {about['message']}"
    if "repair" in about:
        yield f"- Repair: {_repair(about['repair'])}"
    yield f"- Source: {schema['x-source']}"
    parameters = about.get("parameters", {})
    if parameters:
        yield "\n| parameter | default | what it is |\n|---|---|---|"
    for key, each in parameters.items():
        default = json.dumps(each["default"], ensure_ascii=False).replace("|", "\\|")
        yield f"| `{key}` | `{default}` | {each['description']} |"
    yield "\n```json"
    for kind, word in (("good", "passes"), ("bad", "does not")):
        told = [json.dumps(each, ensure_ascii=False) for each in about["examples"][kind]]
        example = told[0] if len(told[0]) <= 200 else min(told, key=len)
        yield f"{example}  // {word}"
    yield "```"


def _repair(said: Any) -> str:
    given = {"name": said} if isinstance(said, str) else dict(said)
    name = given.pop("name")
    options = ", ".join(f"{key} `{value['x-parameter']}`" for key, value in given.items())
    return f"[`{name}`](gate.md#repairing-the-message)" + (f", with {options}" if options else "")


def _events(events: list[str]) -> str:
    made = [each for each in MADE if each in events]
    rest = [each for each in events if each not in MADE]
    told = []
    if made == MADE:
        told.append("commits of every kind")
    elif made:
        told.append(f"commits ({', '.join(made)})")
    words = {"push": "pushes", "pushed-commit": "commits that a push is about to bring"}
    return ", ".join([*told, *(words[each] for each in rest)])


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
