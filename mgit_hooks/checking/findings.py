"""What a check found, as every form tells it. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Any, Final, NamedTuple

from mgit_hooks.record import Issue, Json

FAIL_ON: Final = {"warning": ("warning", "error", "critical"), "error": ("error", "critical"), "never": ()}
"""The severities that end a check with status 1, by what ``--fail-on`` says."""
_IN_FILE: Final = "/commit/files/"
_HEX: Final = 32


class Subject(NamedTuple):
    """What was judged: a commit, or what is to become one."""

    kind: str  # commit | index | message | patch
    name: str  # a commit's id; else what the source is called
    title: str | None  # the message's first line, where there is a message
    author: str | None
    date: str | None

    @property
    def oid(self) -> str | None:
        return self.name if self.kind == "commit" else None

    @property
    def short(self) -> str:
        return self.name[:10] if self.kind == "commit" else self.name


class Finding(NamedTuple):
    rule: str  # the rule's id, or the code where none is behind it: what MGIT_SKIP would name
    code: str
    severity: str  # info | warning | error | critical
    message: str
    field_path: str  # a JSON pointer into the record that was judged
    way_out: str | None
    file: str | None  # from the top of the worktree; None where it is about the whole commit
    file_bytes: str | None  # base64, where ``file`` does not tell it all
    line: int | None
    fingerprint: str
    enforced: bool  # False: by its own rule it is reported, and refuses nothing

    @property
    def words(self) -> str:
        """As the hooks say it: a rule's own finding begins with its name."""
        return self.message if self.message.startswith("rule ") else f"{self.code}: {self.message}"


class Checked(NamedTuple):
    """One subject with what was found, in the order of its files, then of the rules."""

    subject: Subject
    findings: tuple[Finding, ...]
    rules: tuple[str, ...]  # the ids of those that were asked


class Totals(NamedTuple):
    judged: int
    hidden: int  # known by the baseline, or to what --new-only compares with
    severities: Mapping[str, int]
    failing: int


def sorted_findings(
    issues: Iterable[Issue], value: Json, subject: Subject, rules: Iterable[str]
) -> tuple[Finding, ...]:
    """What a judge found in ``value``: about the whole commit first, then file by file; of each the schema's, then
    the rules' in their order."""
    order = {name: number for number, name in enumerate(rules)}
    placed = []
    for issue in issues:
        number, finding = _finding(issue, value, subject)
        placed.append(((number, order.get(finding.rule, -1)), finding))
    placed.sort(key=lambda each: each[0])
    return tuple(finding for _, finding in placed)


def _finding(issue: Issue, value: Json, subject: Subject) -> tuple[int, Finding]:
    context = issue.data_context or {}
    rule = str(context.get("rule") or issue.code)
    number, change = _file_of(issue.field_path, value)
    file, raw = (None, None) if change is None else (change.get("filename"), change.get("filename_bytes"))
    line = None if change is None else _line(issue.field_path.split("/")[4:], change)
    return number, Finding(
        rule, issue.code, issue.severity, issue.message, issue.field_path, issue.suggested_fix, file, raw, line,
        fingerprint(rule, raw or file, subject.title), context.get("enforce") is not False,
    )  # fmt: skip


def fingerprint(rule: str, file: str | None, title: str | None) -> str:
    """The same wherever a rebase puts the commit: no object id, no date, no line is in it."""
    said = json.dumps([rule, file or "", title or ""], ensure_ascii=True)
    return sha256(said.encode("ascii")).hexdigest()[:_HEX]


def _file_of(field_path: str, value: Json) -> tuple[int, Json | None]:
    """Which of the commit's files a finding is about: its place and itself; -1 and None where it is about none."""
    if not field_path.startswith(_IN_FILE):
        return -1, None
    word = field_path.split("/", 4)[3]
    files = (value.get("commit") or {}).get("files")
    if not isinstance(files, list) or not word.isdecimal() or int(word) >= len(files):
        return -1, None
    return int(word), files[int(word)]


def _line(path: list[str], change: Json) -> int | None:
    """The line that a fact of the file names: where the path leads to a number among its facts, a ``line`` there, or a
    list of such."""
    if path[:1] != ["facts"]:
        return None
    found: Any = change
    for number, word in enumerate(path):
        if isinstance(found, dict) and isinstance(found.get("line"), int) and number:
            return int(found["line"])
        if isinstance(found, list) and word.isdecimal() and int(word) < len(found):
            found = found[int(word)]
        elif isinstance(found, dict) and word in found:
            found = found[word]
        else:
            return None
    if isinstance(found, list) and found:
        found = found[0]
    if isinstance(found, dict):
        found = found.get("line")
    return found if isinstance(found, int) and not isinstance(found, bool) and found > 0 else None
