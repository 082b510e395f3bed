"""The shapes of what is recorded, and their plain JSON."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

from mgit_hooks.record import SOURCES, FileChange

ROOT = Path(__file__).resolve().parents[1]
TIMES = {"reflog", "hook", "commit", "null"}


def test_a_change_of_a_file_says_all_its_fields_in_their_order() -> None:
    change = FileChange(*(str(number) for number in range(len(FileChange._fields))))  # type: ignore[arg-type]
    assert list(change.to_json().items()) == list(change._asdict().items())


def section(page: str, heading: str) -> str:
    """What stands on a page from a line that begins so, to the next heading."""
    text = (ROOT / "docs" / page).read_text()
    return text[text.index(f"\n{heading}") + 1 :].partition("\n## ")[0]


def quoted(text: str) -> set[str]:
    return set(re.findall(r"`([a-z]+)`", text)) | ({"null"} if "null" in text else set())


def enumerated(key: str) -> set[str]:
    schema = json.loads((ROOT / "schemas" / "record.basic.json").read_text())
    return {value or "null" for value in schema["properties"][key]["enum"]}


def times_in_code() -> Iterator[str]:
    """What the code gives as ``occurred_from``: by its name, and where the maker of records has it, the fourth."""
    for path in sorted((ROOT / "mgit_hooks").rglob("*.py")):
        for call in (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)):
            given: list[ast.AST] = [word.value for word in call.keywords if word.arg == "occurred_from"]
            if path.name == "making.py" and ast.unparse(call.func) == "self._record":
                given.append(call.args[3])
            for node in (each for value in given for each in ast.walk(value)):
                if isinstance(node, ast.Constant):
                    yield str(node.value or "null")


def test_the_pages_name_the_sources_that_there_are() -> None:
    rows = re.findall(r"^\| `(\w+)` \|", section("records.md", "## `source`"), re.M)
    learnt = re.findall(r"^\| `(\w+)` \|", section("sources.md", "| `source`"), re.M)
    assert set(rows) == set(learnt) - {"source"} == SOURCES == enumerated("source")


def test_the_pages_name_what_a_time_is_taken_from() -> None:
    (row,) = re.findall(r"^\| `occurred_from` \| (.*) \|$", (ROOT / "docs/records.md").read_text(), re.M)
    assert quoted(row.partition(". ")[0]) | {"null"} == enumerated("occurred_from") == TIMES
    learnt = re.findall(r"^\| `\w+` \| ([^|]*) \|", section("sources.md", "| `source`"), re.M)
    assert quoted(" ".join(learnt[1:])) == set(times_in_code()) == TIMES - {"hook"}
