"""Findings as SARIF 2.1.0 (OASIS Standard, 27 March 2020).

Results come first and the tool with its rules last, which JSON allows: only then are all rules known that found
something.
"""

from __future__ import annotations

from binascii import a2b_base64
from typing import Final
from urllib.parse import quote

from mgit_hooks import __version__
from mgit_hooks.checking.findings import Checked, Finding, Subject, Totals
from mgit_hooks.checking.forms import About, Provenance, Sink
from mgit_hooks.checking.plainjson import dumped
from mgit_hooks.credentials import strip
from mgit_hooks.judging.rules import Rule
from mgit_hooks.record import Json

SCHEMA: Final = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_LEVELS: Final = {"info": "note", "warning": "warning", "error": "error", "critical": "error"}
_TOP: Final = "SRCROOT"
_PRINT: Final = "mgitHooks/v1"
_SAFE: Final = "/-._~!$&'()*+,;=@"  # of a path in a URI (RFC 3986); a colon in its first folder would begin a scheme
_OF_SCHEMAS: Final = "A finding of the JSON Schemas that every record is judged by: see docs/validation.md."


class Sarif:
    def __init__(self, sink: Sink, about: About) -> None:
        self._sink, self._about = sink, about
        self._numbers: dict[str, int] = {}
        self._rules: list[Json] = []
        for rule in about.rules:
            if rule.id not in self._numbers:
                self._add(rule.id, _rule(rule))
        head = {"$schema": SCHEMA, "version": "2.1.0"}
        sink.part(f'{dumped(head)[:-1]},"runs":[{{"results":[')
        self._comma = ""

    def add(self, checked: Checked) -> None:
        for finding in checked.findings:
            if finding.rule not in self._numbers:
                self._add(finding.rule, _of_code(finding))
            told = _result(checked.subject, finding, self._numbers[finding.rule])
            self._sink.part(self._comma + dumped(told))
            self._comma = ","

    def end(self, totals: Totals) -> None:
        driver: Json = {
            "name": "mgit-hooks",
            "version": __version__,
            "semanticVersion": __version__,
            "rules": self._rules,
        }
        run: Json = {
            "tool": {"driver": driver},
            "invocations": [{"executionSuccessful": True}],
            "originalUriBaseIds": {_TOP: {"description": {"text": "The top of the worktree."}}},
            "columnKind": "unicodeCodePoints",
        }
        if self._about.provenance is not None:
            run["versionControlProvenance"] = [_provenance(self._about.provenance)]
        self._sink.line(f"],{dumped(run)[1:]}]}}")

    def _add(self, name: str, rule: Json) -> None:
        self._numbers[name] = len(self._rules)
        self._rules.append(rule)


def _rule(rule: Rule) -> Json:
    title = strip(getattr(rule, "title", "") or rule.message or f"The rule {rule.id} of this repository's policy.")
    return {
        "id": rule.id,
        "shortDescription": {"text": title},
        "help": {"text": strip(rule.message) or title},
        "defaultConfiguration": {"level": _LEVELS[rule.severity]},
    }


def _of_code(finding: Finding) -> Json:
    words = finding.code.replace("_", " ").capitalize() + "."
    return {
        "id": finding.rule,
        "shortDescription": {"text": words},
        "help": {"text": _OF_SCHEMAS},
        "defaultConfiguration": {"level": _LEVELS[finding.severity]},
    }


def _result(subject: Subject, finding: Finding, number: int) -> Json:
    text = strip(finding.words)
    if finding.way_out:
        text += f"\n{strip(finding.way_out)}"
    location: Json = {}
    if finding.file is not None:
        place: Json = {"artifactLocation": {"uri": _uri(finding), "uriBaseId": _TOP}}
        if finding.line is not None:
            place["region"] = {"startLine": finding.line}
        location["physicalLocation"] = place
    kind = "commit" if subject.kind == "commit" else subject.kind
    location["logicalLocations"] = [{"name": subject.short, "fullyQualifiedName": subject.name, "kind": kind}]
    if subject.title:
        location["message"] = {"text": strip(subject.title)}
    return {
        "ruleId": finding.rule,
        "ruleIndex": number,
        "level": _LEVELS[finding.severity],
        "message": {"text": text},
        "locations": [location],
        "partialFingerprints": {_PRINT: finding.fingerprint},
        "properties": {"code": finding.code, "severity": finding.severity, "field": finding.field_path},
    }


def _uri(finding: Finding) -> str:
    raw = (finding.file or "").encode("utf-8") if finding.file_bytes is None else a2b_base64(finding.file_bytes)
    return quote(raw, safe=_SAFE)


def _provenance(told: Provenance) -> Json:
    value: Json = {"repositoryUri": told.uri, "mappedTo": {"uriBaseId": _TOP}}
    if told.revision is not None:
        value["revisionId"] = told.revision
    if told.branch is not None:
        value["branch"] = told.branch
    return value
