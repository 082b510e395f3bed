"""``validate``: the records of the journal, judged as they are now."""

from __future__ import annotations

import argparse
from collections.abc import Mapping

from mgit_hooks import meter
from mgit_hooks.display import escape
from mgit_hooks.encoding import encode_json
from mgit_hooks.judging.validate import LEVELS
from mgit_hooks.output import Output
from mgit_hooks.record import Issue
from mgit_hooks.report import counted


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--validation-level",
        "--level",
        choices=LEVELS,
        help="how strictly; default: of a journal the configured level, of a collection standard",
    )


def run(args: argparse.Namespace, out: Output) -> int:
    from mgit_hooks.judging import config
    from mgit_hooks.pipeline.journal import JournalJudge
    from mgit_hooks.pipeline.validation import ValidationLevel, ValidationSeverity
    from mgit_hooks.session import reading

    with reading(args.directory, out) as session:
        level = ValidationLevel(args.validation_level or config.load(session.location).level)
        judge = JournalJudge(session.location, session.index, level)
        if out.as_json:
            out.part(f'{{"journal":{_text(session.location.journal_dir)},"validation_level":"{level}","issues":[')
        comma = ""
        for each in judge.judged():
            for issue in each.issues:
                if out.as_json:
                    told = {"seq": each.record.seq, "event": each.record.event, **issue.to_json()}
                    out.part(comma + encode_json(told).decode())
                    comma = ","
                else:
                    tell(f"record {each.record.seq} ({escape(each.record.event)})", issue, out)
    counts = {severity.value: judge.severities[severity.value] for severity in ValidationSeverity}
    meter.done(items=judge.statistics["validated_records"])
    valid = not judge.statistics["invalid_records"]
    if out.as_json:
        rest = {
            "is_valid": valid,
            "issue_counts": counts,
            "statistics": judge.statistics,
            "damaged": [damage.message for damage in judge.damaged],
        }
        out.line("]," + encode_json(rest).decode()[1:])
    else:
        sum_up(counted(judge.statistics["validated_records"], "record"), level, judge.statistics, counts, out)
    for damage in judge.damaged:
        out.note(f"mgit-hooks: {escape(damage.message)}: not judged")
    if judge.damaged:
        out.note("hint: run 'mgit-hooks repair'")
    return 0 if valid and not judge.damaged else 1


def _text(value: str) -> str:
    return encode_json(value).decode()


def tell(whose: str, issue: Issue, out: Output) -> None:
    """A line; with -v what would mend it. ``whose`` is safe for a terminal."""
    severity = out.style(issue.severity, "yellow" if issue.severity in ("info", "warning") else "red")
    place = f" {escape(issue.field_path)}" if issue.field_path else ""
    out.line(f"{whose}: {severity} {issue.code}{place}: {escape(issue.message)}")
    if issue.suggested_fix:
        out.detail(f"hint: {escape(issue.suggested_fix)}")


def sum_up(looked: str, level: str, statistics: Mapping[str, int], counts: Mapping[str, int], out: Output) -> None:
    plural = ("error", "warning")
    told = ((counted(count, word) if word in plural else f"{count} {word}") for word, count in counts.items() if count)
    found = ", ".join(reversed(list(told)))
    asked = f", {statistics['checked_against_git']} against git" if "checked_against_git" in statistics else ""
    valid = not (counts["error"] or counts["critical"])
    out.line(f"{looked} judged at level {level}{asked}: {'valid' if valid else 'invalid'}" + f"; {found}" * bool(found))
