"""``mgit-hooks show``: one record, whole."""

from __future__ import annotations

import argparse
import re

from mgit_hooks import report
from mgit_hooks.commands.log import folded
from mgit_hooks.errors import MgitError, UsageError
from mgit_hooks.git import plumbing
from mgit_hooks.journal import erasure
from mgit_hooks.journal.index import Index, Row
from mgit_hooks.output import Output
from mgit_hooks.pager import paged
from mgit_hooks.session import Session, reading


class NoRecord(MgitError):
    exit_code = 1


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "what",
        nargs="?",
        default="HEAD",
        help="a record's number, a commit's hash or its beginning, or a revision (HEAD)",
    )


def run(args: argparse.Namespace, out: Output) -> int:
    with reading(args.directory, out) as session:
        row = _find(session, args.what, args.directory)
        record = session.index.read(row).record()
        if record is None:
            told = erasure.declared(session.location.journal_dir).get(row.seq)
            raise NoRecord(
                f"record {row.seq} was {told.words if told else 'erased'}",
                "its place in the chain is kept: see 'mgit-hooks verify'",
            )
        record = folded(session.index, record)
        with paged(out, disabled=args.no_pager):
            if args.json:
                out.json(record.to_json())
            else:
                out.lines(report.whole(record, out.style))
    return 0


def _find(session: Session, what: str, directory: str) -> Row:
    if what.isdigit() and len(what) < 7:
        row = session.index.by_seq(int(what))
        if row is not None:
            return row
    if re.fullmatch(r"[0-9a-fA-F]{4,64}", what):
        rows = session.index.by_prefix(what.lower())
        if rows:
            return _only(what, rows)
    found = plumbing.run(
        ("rev-parse", "--verify", "--quiet", "--end-of-options", f"{what}^{{commit}}"), directory=directory
    )
    if found.status:
        raise UsageError(f"'{what}' is neither a record nor a revision", "see 'mgit-hooks log' for what is recorded")
    return _of_commit(session.index, found.stdout.decode().strip(), what)


def _of_commit(index: Index, commit: str, what: str) -> Row:
    rows = index.by_prefix(commit)
    if not rows:
        raise NoRecord(f"{what} ({commit[:10]}) is not recorded", "run 'mgit-hooks backfill' to record older history")
    return _only(what, rows)


def _only(what: str, rows: list[Row]) -> Row:
    """The newest of the records of one commit; a prefix of several commits names none."""
    commits = sorted({row.hash for row in rows if row.hash})
    if len(commits) > 1:
        raise UsageError(
            f"'{what}' is the beginning of {len(commits)} commits", f"for example {', '.join(commits[:3])}"
        )
    return rows[-1]
