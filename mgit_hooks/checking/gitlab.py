"""Findings as GitLab's code quality report: a JSON array, as its documentation has it (Code Quality, report format)."""

from __future__ import annotations

from collections import Counter
from hashlib import sha256
from typing import Final

from mgit_hooks.checking.findings import Checked, Finding, Subject, Totals
from mgit_hooks.checking.forms import About, Sink
from mgit_hooks.checking.plainjson import dumped
from mgit_hooks.credentials import strip
from mgit_hooks.record import Json

_SEVERITIES: Final = {"info": "info", "warning": "minor", "error": "major", "critical": "critical"}


class GitLab:
    def __init__(self, sink: Sink, about: About) -> None:
        self._sink = sink
        self._seen: Counter[str] = Counter()  # of two with one fingerprint GitLab shows the first
        self._comma = ""
        sink.part("[")

    def add(self, checked: Checked) -> None:
        for finding in checked.findings:
            self._seen[finding.fingerprint] += 1
            told = _entry(checked.subject, finding, self._seen[finding.fingerprint])
            self._sink.part(self._comma + dumped(told))
            self._comma = ","

    def end(self, totals: Totals) -> None:
        self._sink.line("]")


def _entry(subject: Subject, finding: Finding, number: int) -> Json:
    title = "" if not subject.title else f" ({strip(subject.title)[:100]})"
    description = f"{subject.short}{title}: {strip(finding.words)}"
    if finding.way_out:
        description += f" - {strip(finding.way_out)}"
    mark = finding.fingerprint
    return {
        "description": description,
        "check_name": finding.rule,
        "fingerprint": mark if number == 1 else sha256(f"{mark}:{number}".encode("ascii")).hexdigest()[: len(mark)],
        "severity": _SEVERITIES[finding.severity],
        # It asks for a path of each: what is about a commit as a whole has the commit's.
        "location": {"path": finding.file or f"{subject.kind}/{subject.short}", "lines": {"begin": finding.line or 1}},
    }
