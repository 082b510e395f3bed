"""``doctor``: check everything and say how to mend each fault."""

from __future__ import annotations

import argparse

from mgit_hooks.display import escape
from mgit_hooks.errors import MgitError
from mgit_hooks.installer.diagnosis import Outcome, diagnose
from mgit_hooks.layout import locate
from mgit_hooks.output import Output

_STYLES = {"ok": "green", "remark": "yellow", "fault": "red"}


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--fix", action="store_true", help="mend what has one right answer, then look again")


def run(args: argparse.Namespace, out: Output) -> int:
    location = locate(args.directory)
    outcomes = diagnose(location)
    mended: list[str] = []
    if args.fix:
        mended = _mend(outcomes, out)
        if mended:
            outcomes = diagnose(location)
    healthy = all(outcome.status != "fault" for outcome in outcomes)
    if args.json:
        checks = [outcome.to_json() for outcome in outcomes]
        out.json({"healthy": healthy, "checks": checks, "mended": mended})
    else:
        for message in mended:
            out.line(f"mended: {escape(message)}")
        for outcome in outcomes:
            _print(outcome, out)
    return 0 if healthy else 1


def _mend(outcomes: list[Outcome], out: Output) -> list[str]:
    """In the order of the checks. What one mending mends for another is mended twice, to no harm."""
    mended = []
    for outcome in outcomes:
        for finding in outcome.findings:
            if finding.mend is not None:
                try:
                    finding.mend()
                except (MgitError, OSError) as error:
                    out.note(f"mgit-hooks: not mended: {escape(finding.message)}: {escape(str(error))}")
                else:
                    mended.append(finding.message)
    return mended


def _print(outcome: Outcome, out: Output) -> None:
    status = out.style(f"{outcome.status:<6}", _STYLES[outcome.status])
    if not outcome.findings:
        out.line(f"{status}  {outcome.check}")
    for finding in outcome.findings:
        severity = out.style(f"{finding.severity:<6}", _STYLES[finding.severity])
        out.line(f"{severity}  {outcome.check}: {escape(finding.message)}")
        if finding.remedy:
            out.line(f"        {escape(finding.remedy)}")
