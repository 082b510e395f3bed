"""``mgit-hooks repair``: mend the journal, or with ``--records`` the records in it."""

from __future__ import annotations

import argparse
import os

from mgit_hooks import restoring
from mgit_hooks.commands import policyoptions
from mgit_hooks.journal.verify import exists
from mgit_hooks.layout import locate
from mgit_hooks.mend import recover_records, repair
from mgit_hooks.output import Output
from mgit_hooks.report import counted
from mgit_hooks.session import require_journal


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--dry-run", action="store_true", help="say what would be done, and change nothing")
    parser.add_argument(
        "--records", action="store_true", help="judge again, and recover, the records on file as invalid"
    )
    parser.add_argument(
        "--from",
        dest="copies",
        action="append",
        default=[],
        metavar="FILE",
        help="a bundle to look for lost records in, beside the generations; may be given again",
    )
    policyoptions.configure(parser)


def run(args: argparse.Namespace, out: Output) -> int:
    """Exit code 1 where something is left to mend, under ``--dry-run`` where something would be mended."""
    location = locate(args.directory)
    # "-C DIR" is as if the command had been started there
    given = [os.path.normpath(os.path.join(args.directory, path)) for path in args.copies]
    newest = None if exists(location.journal_dir) else restoring.newest(location, given)
    if newest is None:
        require_journal(location)
    if args.records:
        mended, still = recover_records(location, policyoptions.overrides(args))
        if args.json:
            out.json({"mended": mended, "invalid": still})
        else:
            out.line(f"{counted(mended, 'record')} mended, {still} still invalid")
        return 1 if still else 0
    if newest is not None:
        # The whole journal is gone. A copy put in its place keeps every number and every id.
        done = restoring.mend_all(location, newest, dry_run=args.dry_run)
    else:
        done = repair(location, given=given, dry_run=args.dry_run)
    if args.json:
        out.json(done.to_json())
    else:
        out.lines(done.actions or ("nothing to mend",))
        if done.actions:
            out.line(
                f"{counted(done.salvaged, 'record')} salvaged, {done.restored} restored from copies, "
                f"{done.rebuilt} rebuilt from git, {done.lost} lost, "
                f"{counted(len(done.quarantined), 'piece')} in quarantine"
            )
    return 0 if done.clean else 1
