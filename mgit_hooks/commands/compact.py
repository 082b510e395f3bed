"""``mgit-hooks compact``: pack the sealed segments of the journal as small as they get."""

from __future__ import annotations

import argparse

from mgit_hooks.errors import JournalError
from mgit_hooks.journal import compaction, swap
from mgit_hooks.layout import Location, locate
from mgit_hooks.output import Output
from mgit_hooks.recorder.intake import journal_of
from mgit_hooks.report import counted
from mgit_hooks.session import drain_first, require_journal

# Seconds that another rewriting of the journal is waited for.
_PATIENCE = 60.0


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--dry-run", action="store_true", help="say what would be saved, and change nothing")
    parser.add_argument("--all", action="store_true", help="end the newest segment first, so that it is packed too")


def run(args: argparse.Namespace, out: Output) -> int:
    """Exit code 1 where a segment was left as it is because something is wrong with it."""
    location = locate(args.directory)
    require_journal(location)
    if args.all and args.dry_run:
        out.note("mgit-hooks: the newest segment, which --all would end, is not counted")
    elif args.all:
        drain_first(location, out)
    done = _compact(location, dry_run=args.dry_run, all_of_it=args.all)
    if args.json:
        out.json(done.to_json())
    else:
        out.lines(_lines(done, "would be packed" if args.dry_run else "packed"))
    for error in done.refused:
        out.note(f"mgit-hooks: {error.message}: left as it is")
    if done.refused:
        out.note("hint: run 'mgit-hooks repair', then compact again")
    return 1 if done.refused else 0


def _compact(location: Location, *, dry_run: bool, all_of_it: bool) -> compaction.Outcome:
    with swap.maintenance(location.journal_dir, wait=_PATIENCE) as held:
        if not held:
            raise JournalError("another process is rewriting the journal", "wait for it to end and try again")
        if all_of_it and not dry_run:
            with journal_of(location) as journal:
                journal.roll()
        names = compaction.waiting(location.journal_dir)
        return compaction.compact(location.journal_dir, names, dry_run=dry_run)


def _lines(done: compaction.Outcome, verb: str) -> list[str]:
    if not done.done:
        return [] if done.refused else ["nothing to compact"]
    told = done.to_json()
    lines = [
        f"{each.segment}  {counted(each.records, 'record')}, {each.before} bytes to {each.after}" for each in done.done
    ]
    saved = 100 * (1 - told["after"] / told["before"])
    size = f"{counted(len(done.done), 'segment')} {verb}"
    return [*lines, f"{size}: {told['before']} bytes to {told['after']}, {saved:.0f} % saved"]
