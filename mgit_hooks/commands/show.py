"""``mgit-hooks show``: one record, whole."""

from __future__ import annotations

import argparse
import re

from mgit_hooks import report
from mgit_hooks.commands.log import folded
from mgit_hooks.errors import MgitError, UsageError
from mgit_hooks.git import plumbing
from mgit_hooks.journal.index import Filter, Index, Row
from mgit_hooks.output import Output
from mgit_hooks.pager import paged
from mgit_hooks.record import Seq
from mgit_hooks.session import Session, reading


class NoRecord(MgitError):
    exit_code = 1


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "what",
        nargs="?",
        default="HEAD",
        metavar="WHAT",
        help="a record's number, a commit's hash or its beginning, or a revision (HEAD)",
    )


def run(args: argparse.Namespace, out: Output) -> int:
    with reading(args.directory, out) as session:
        row = _find(session, args.what, args.directory)
        erasure = session.index.erasure(row.seq)
        record = session.index.read(row).record() if erasure is None else None
        if record is None:
            raise _erased(session.index, row.seq, erasure)
        record = folded(session.index, record)
        with paged(out, disabled=args.no_pager):
            if args.json:
                out.json(record.to_json())
            else:
                out.lines(report.whole(record, out.style))
    return 0


def _erased(index: Index, seq: Seq, erasure: Seq | None) -> NoRecord:
    """Who erased the record, when and why, as far as a record that says so is there; else where that one is."""
    said = index.by_seq(erasure) if erasure is not None else None
    told = index.read(said).record() if said is not None else None
    words = f"record {seq} was erased"
    if told is not None:
        detail = told.detail or {}
        by = f" by {detail['by']}" if detail.get("by") else ""
        why = f": {detail['reason']}" if detail.get("reason") else ""
        words += f" on {told.recorded_at[:10]}{by}{why} (record {told.seq})"
    elif erasure is not None and said is None:
        file = _archive_of(index, erasure)
        where = f"the archive {file}" if file is not None else "an archive"
        words += f"; record {erasure}, in {where}, tells of it"
    return NoRecord(words, "its place in the chain is kept: see 'mgit-hooks verify'")


def _find(session: Session, what: str, directory: str) -> Row:
    if re.fullmatch(r"[0-9]{1,6}", what):
        row = session.index.by_seq(int(what))
        if row is not None:
            return row
    if re.fullmatch(r"[0-9a-fA-F]{4,64}", what):
        rows = session.index.by_prefix(what.lower())
        if rows:
            return _only(what, rows)
        refuse_archived(session.index, what.lower())
    if re.fullmatch(r"[0-9]{1,18}", what):
        row = session.index.by_seq(int(what))
        if row is not None:
            return row
        _refuse_gone(session.index, Seq(int(what)))
    found = plumbing.run(
        ("rev-parse", "--verify", "--quiet", "--end-of-options", f"{what}^{{commit}}"), directory=directory
    )
    if found.status:
        raise UsageError(f"'{what}' is neither a record nor a revision", "see 'mgit-hooks log' for what is recorded")
    return _of_commit(session.index, found.stdout.decode().strip(), what)


def refuse_archived(index: Index, prefix: str) -> None:
    """Raise NoRecord where the record is in an archive, with the name of its file."""
    seq = index.archived(prefix)
    if seq is not None:
        _refuse_gone(index, seq)
        raise NoRecord(f"record {seq} is in an archive", "see 'mgit-hooks log --event checkpoint'")


def _refuse_gone(index: Index, seq: Seq) -> None:
    """Raise NoRecord where a record says that ``seq`` was erased, or moved to an archive."""
    erasure = index.erasure(seq)
    if erasure is not None:
        raise _erased(index, seq, erasure)
    file = _archive_of(index, seq)
    if file is not None:
        where = f"record {seq} is in the archive {file}"
        raise NoRecord(where, "'mgit-hooks import' takes an archive into an empty repository")


def _archive_of(index: Index, seq: Seq) -> str | None:
    """The file that a record here says ``seq`` was moved to."""
    for row in index.newest(Filter(events=("checkpoint",))):
        record = index.read(row).record()
        detail = (record.detail or {}) if record is not None else {}
        if "archived" in detail and detail["first_seq"] <= seq <= detail["last_seq"]:
            return str(detail["file"])
    return None


def _of_commit(index: Index, commit: str, what: str) -> Row:
    rows = index.by_prefix(commit)
    if not rows:
        refuse_archived(index, commit)
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
