"""Findings as one JSON object, for programs of one's own."""

from __future__ import annotations

from mgit_hooks.checking.findings import Checked, Finding, Subject, Totals
from mgit_hooks.checking.forms import About, Sink
from mgit_hooks.credentials import strip
from mgit_hooks.encoding import encode_json
from mgit_hooks.record import Json


class PlainJson:
    def __init__(self, sink: Sink, about: About) -> None:
        self._sink = sink
        rules = [rule.id for rule in about.rules]
        head = dumped({"level": about.level, "enforce": about.enforce, "rules": rules})
        sink.part(f'{head[:-1]},"findings":[')
        self._comma = ""

    def add(self, checked: Checked) -> None:
        for finding in checked.findings:
            self._sink.part(self._comma + dumped(_json(checked.subject, finding)))
            self._comma = ","

    def end(self, totals: Totals) -> None:
        said = dumped({**totals._asdict(), "severities": dict(totals.severities)})
        self._sink.line(f"],{said[1:]}")


def _json(subject: Subject, finding: Finding) -> Json:
    value: Json = {
        "commit": subject.oid,
        "source": subject.kind,
        "name": subject.name,
        "subject": None if subject.title is None else strip(subject.title),
        "author": subject.author,
        "date": subject.date,
        **finding._asdict(),
        "message": strip(finding.message),
        "way_out": None if finding.way_out is None else strip(finding.way_out),
    }
    if finding.file_bytes is None:
        del value["file_bytes"]
    return value


def dumped(value: object) -> str:
    return encode_json(value).decode("utf-8")
