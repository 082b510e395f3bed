"""Findings as GitHub's workflow commands: a runner makes an annotation of each.

The escapes are those of its toolkit (packages/core/src/command.ts): in a message ``%``, CR and LF, in a property ``:``
and ``,`` too. So no text of a commit's can end its line, and none begins a command of its own.
"""

from __future__ import annotations

from typing import Final

from mgit_hooks.checking.findings import Checked, Finding, Subject, Totals
from mgit_hooks.checking.forms import About, Sink
from mgit_hooks.credentials import strip
from mgit_hooks.display import escape_block

_LEVELS: Final = {"info": "notice", "warning": "warning", "error": "error", "critical": "error"}
_MOST: Final = 4000  # characters; the runner cuts annotations at 64 KiB in all


class GitHub:
    def __init__(self, sink: Sink, about: About) -> None:
        self._sink = sink

    def add(self, checked: Checked) -> None:
        for finding in checked.findings:
            self._sink.line(_command(checked.subject, finding))

    def end(self, totals: Totals) -> None:
        pass


def _command(subject: Subject, finding: Finding) -> str:
    properties = []
    if finding.file is not None:
        properties.append(f"file={_property(finding.file)}")
        if finding.line is not None:
            properties.append(f"line={finding.line}")
    properties.append(f"title={_property(finding.rule)}")
    title = "" if not subject.title else f" ({strip(subject.title)[:100]})"
    text = f"{subject.short}{title}: {strip(finding.words)}"
    if finding.way_out:
        text += f"\n{strip(finding.way_out)}"
    return f"::{_LEVELS[finding.severity]} {','.join(properties)}::{_data(text[:_MOST])}"


def _data(text: str) -> str:
    return escape_block(text.replace("\r", "\n")).replace("%", "%25").replace("\n", "%0A")


def _property(text: str) -> str:
    return (
        escape_block(text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A"))
        .replace(":", "%3A")
        .replace(",", "%2C")
    )
