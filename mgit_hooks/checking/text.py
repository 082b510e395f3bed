"""Findings for people: each subject that has any, and below it what the hooks would say."""

from __future__ import annotations

from mgit_hooks.checking.findings import Checked, Finding, Totals
from mgit_hooks.checking.forms import About, Sink
from mgit_hooks.credentials import strip
from mgit_hooks.display import escape

_MOST = 400  # characters of one text of someone else's
_STYLES = {"info": "blue", "warning": "yellow", "error": "red", "critical": "red"}


class Text:
    def __init__(self, sink: Sink, about: About) -> None:
        self._sink = sink

    def add(self, checked: Checked) -> None:
        if not checked.findings:
            return
        subject = checked.subject
        title = "" if subject.title is None else f" {_bounded(subject.title)[:100]}"
        self._sink.line(f"{self._sink.style(escape(subject.short), 'yellow')}{title}".rstrip())
        for finding in checked.findings:
            self._tell(finding)

    def _tell(self, finding: Finding) -> None:
        severity = self._sink.style(finding.severity, _STYLES.get(finding.severity, "red"))
        self._sink.line(f"  {severity}: {_bounded(finding.words)}")
        if finding.file is not None:
            line = "" if finding.line is None else f":{finding.line}"
            self._sink.line(f"    where: {_bounded(finding.file)}{line}{_rest(finding)}")
        elif finding.field_path:
            self._sink.line(f"    where: {_bounded(finding.field_path)}")
        if finding.way_out:
            self._sink.line(f"    {_bounded(finding.way_out)}")

    def end(self, totals: Totals) -> None:
        pass


def _rest(finding: Finding) -> str:
    """Which of the file's fields it is about."""
    name = "/".join(finding.field_path.split("/")[4:])
    return f" ({_bounded(name)})" if name else ""


def _bounded(text: str) -> str:
    text = escape(strip(text))
    return text if len(text) <= _MOST else text[: _MOST - 1] + "…"
