"""Findings as JUnit XML: a testsuite for each subject, in it a testcase for the schemas and for each rule asked.

The structure is that of Jenkins' junit-10.xsd. XML 1.0 has no control characters, not even escaped: they are shown as
in a terminal, and what else it cannot hold is U+FFFD.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from mgit_hooks.checking.findings import Checked, Finding, Totals
from mgit_hooks.checking.forms import About, Sink
from mgit_hooks.credentials import strip
from mgit_hooks.display import escape_block

_MOST: Final = 1000
_NOT_XML: Final = re.compile("[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ENTITIES: Final = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\n": "&#10;", "\t": "&#9;"})


class JUnit:
    def __init__(self, sink: Sink, about: About) -> None:
        self._sink, self._failing = sink, about.failing
        self._schemas = f"schemas.{about.level}"
        sink.line('<?xml version="1.0" encoding="UTF-8"?>')
        sink.line('<testsuites name="mgit-hooks check">')

    def add(self, checked: Checked) -> None:
        cases = self._cases(checked)
        failures = sum(any(f.severity in self._failing for f in found) for found in cases.values())
        subject = checked.subject
        name = f"{subject.short} {strip(subject.title)[:100]}" if subject.title else subject.short
        # A file's time of its own would make two runs differ: the commit's is what there is.
        when = f' timestamp="{_attribute(subject.date)}"' if subject.date else ""
        self._sink.line(
            f'  <testsuite name="{_attribute(name)}" tests="{len(cases)}" failures="{failures}" errors="0"{when}>'
        )
        for rule, found in cases.items():
            self._sink.line(
                f'    <testcase classname="{_attribute(subject.name)}" name="{_attribute(rule)}"{_end(found)}'
            )
            for line in self._told(found):
                self._sink.line(line)
            if found:
                self._sink.line("    </testcase>")
        self._sink.line("  </testsuite>")

    def end(self, totals: Totals) -> None:
        self._sink.line("</testsuites>")

    def _cases(self, checked: Checked) -> dict[str, list[Finding]]:
        cases: dict[str, list[Finding]] = {self._schemas: [], **{rule: [] for rule in checked.rules}}
        for finding in checked.findings:
            cases[finding.rule if finding.rule in cases else self._schemas].append(finding)
        return cases

    def _told(self, found: Sequence[Finding]) -> Iterator[str]:
        failing = [finding for finding in found if finding.severity in self._failing]
        others = [finding for finding in found if finding.severity not in self._failing]
        if failing:
            first = failing[0]
            yield (
                f'      <failure type="{_attribute(first.code)}" message="{_attribute(strip(first.words)[:_MOST])}">'
                f"{_content(failing)}</failure>"
            )
        if others:
            yield f"      <system-out>{_content(others)}</system-out>"


def _end(found: Sequence[Finding]) -> str:
    return ">" if found else "/>"


def _content(found: Sequence[Finding]) -> str:
    lines = []
    for finding in found:
        lines.append(f"{finding.severity}: {finding.words[:_MOST]}")
        where = finding.field_path if finding.file is None else finding.file
        line = "" if finding.line is None else f":{finding.line}"
        if where:
            lines.append(f"where: {where}{line}")
        if finding.way_out:
            lines.append(finding.way_out[:_MOST])
    return _xml("\n".join(strip(line) for line in lines)).replace("&#10;", "\n")


def _attribute(text: str) -> str:
    return _xml(text)


def _xml(text: str) -> str:
    return _NOT_XML.sub("\ufffd", escape_block(text)).translate(_ENTITIES)
