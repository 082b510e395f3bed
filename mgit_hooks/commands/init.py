"""``mgit-hooks init``: install, backfill, and what to do next."""

from __future__ import annotations

import argparse

from mgit_hooks.commands import backfill as backfill_command
from mgit_hooks.commands import policyoptions
from mgit_hooks.display import escape
from mgit_hooks.installer.install import install
from mgit_hooks.journal.verify import verify
from mgit_hooks.judging import gateflag
from mgit_hooks.layout import Location, locate
from mgit_hooks.output import Output
from mgit_hooks.progress import progress
from mgit_hooks.recorder.backfill import backfill
from mgit_hooks.report import counted, unrecorded
from mgit_hooks.session import drain_first, require_readable


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--shared", action="store_true", help="also where the hooks folder serves other repositories")
    parser.add_argument("--in-front", action="store_true", help="to a hooks folder before the one that others use")
    backfill_command.configure(parser)


def run(args: argparse.Namespace, out: Output) -> int:
    location = locate(args.directory)
    require_readable(location)
    installed = install(location, allow_shared=args.shared, in_front=args.in_front)
    with progress("recording", out) as show:
        done = backfill(location, show, workers=args.workers, overrides=policyoptions.overrides(args))
    drain_first(location, out)
    report = verify(location.journal_dir)
    if args.json:
        out.json({"install": installed.to_json(), "backfill": done._asdict(), "verify": report.to_json()})
        return 0 if report.is_clean else 1
    for note in installed.notes:
        out.note(f"mgit-hooks: {escape(note)}")
    out.line(f"hooks      installed in {escape(installed.hooks_dir)}")
    out.line(f"history    {counted(done.recorded, 'commit')} recorded now, {done.already} on record before")
    verdict = "verified" if report.is_clean else "NOT clean: run 'mgit-hooks repair'"
    out.line(f"journal    {counted(report.records, 'record')}, {verdict}")
    if not out.quiet:
        out.lines(_next_steps(location))
    for line in unrecorded(done.missing):
        out.note(line)
    return 0 if report.is_clean else 1


def _next_steps(location: Location) -> list[str]:
    return [
        "",
        "From now on every commit, amend, merge, rebase, checkout and push here is recorded by itself.",
        "  mgit-hooks log -n 10          the newest records",
        "  mgit-hooks show HEAD          one of them, whole",
        "  mgit-hooks verify             is every byte of the journal as it was written?",
        "  mgit-hooks status             what is installed, recorded and waiting",
        _policy_words(location),
    ]


def _policy_words(location: Location) -> str:
    flag = gateflag.read(location)
    if flag is not None and flag.armed:
        return "The policy may refuse: 'mgit-hooks config' shows it."
    return "Nothing is refused: 'mgit-hooks config' shows the policy, docs/configuration.md how to set one."
