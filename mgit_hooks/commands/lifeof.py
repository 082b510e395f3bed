"""``mgit-hooks log --rewrites HASH``: a commit's whole life, from what it began as to what became of it."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator

from mgit_hooks import report
from mgit_hooks.commands.show import NoRecord, refuse_archived
from mgit_hooks.dates import local
from mgit_hooks.display import escape
from mgit_hooks.errors import UsageError
from mgit_hooks.git import plumbing
from mgit_hooks.journal.index import Index
from mgit_hooks.journal.lineage import Kin, lineage
from mgit_hooks.output import Output
from mgit_hooks.pager import paged
from mgit_hooks.record import Json, Oid, Record
from mgit_hooks.recorder.fates import Fate, fates
from mgit_hooks.session import reading

_MARGIN = " " * 8


def run(args: argparse.Namespace, out: Output) -> int:
    with reading(args.directory, out) as session:
        kin = lineage(session.index, _named(session.index, args.rewrites, args.directory))
        replaced = frozenset(each.commit for each in kin if each.replaced_by)
        told = fates(session.location, session.index, [each.commit for each in kin], replaced)
        with paged(out, disabled=args.no_pager):
            for each in kin:
                record = _record(session.index, each.commit)
                if not args.json:
                    absent = "erased" if session.index.seq_of(each.commit) else "not recorded"
                    out.lines(_lines(each, record, absent, told[each.commit], out.style))
                elif record is not None:
                    out.json(record.to_json() | _said(each, told[each.commit]))
    return 0


def _said(kin: Kin, fate: Fate) -> Json:
    """What ``--rewrites`` adds to a record."""
    return {
        "replaced_by": list(kin.replaced_by),
        "on": None if fate.refs is None else list(fate.refs),
        "dropped": None if fate.dropped is None else fate.dropped.to_json(),
    }


def _record(index: Index, commit: Oid) -> Record | None:
    """The record of a commit; None where it has none, or an erased one."""
    seq = index.seq_of(commit)
    row = index.by_seq(seq) if seq is not None else None
    return index.read(row).record() if row is not None else None


def _lines(kin: Kin, record: Record | None, absent: str, fate: Fate, style: report.Style) -> Iterator[str]:
    if record is None or record.commit is None:
        yield f"{'-':>6}  {absent:<30}  {kin.commit[:10]}"
    else:
        yield report.one_line(record, style, local)
        on = f"on {escape(record.branch)}" if record.branch else _refs_of(record)
        yield f"{_MARGIN}{escape(record.commit.committer_name)}, {on}, gate {record.gate.status}"
    if kin.replaces:
        yield f"{_MARGIN}in place of {_short(kin.replaces)}"
    elif record is not None and record.replaces is None and record.event not in ("import", "rebuilt"):
        yield f"{_MARGIN}in place of what, nothing tells"
    if kin.replaced_by:
        yield f"{_MARGIN}replaced by {_short(kin.replaced_by)}"
    yield from (f"{_MARGIN}{style(line, 'dim')}" for line in _fate(kin, fate))


def _refs_of(record: Record) -> str:
    names = [moved.name for moved in record.refs or ()]
    if not names:
        return "on no ref that is known"
    return "on a detached HEAD" if names == ["HEAD"] else f"on {escape(', '.join(names))}"


def _short(commits: tuple[Oid, ...]) -> str:
    return ", ".join(commit[:10] for commit in commits)


def _fate(kin: Kin, fate: Fate) -> Iterator[str]:
    if fate.refs:
        still = "still" if kin.replaced_by else "now"
        more = f" and {len(fate.refs) - 3} more" if len(fate.refs) > 3 else ""
        yield f"{still} on {escape(', '.join(map(_plain, fate.refs[:3])))}{more}"
    elif fate.dropped is not None and fate.dropped.seq is not None:
        where = escape(_plain(fate.dropped.ref or ""))
        yield f"dropped from {where}: {escape(fate.dropped.reason or 'nothing says how')} (record {fate.dropped.seq})"
    elif fate.dropped is not None:
        yield f"dropped: {fate.dropped.reason}"
    elif not kin.replaced_by:
        yield "on no ref now; nothing tells what became of it" if fate.refs is not None else "not in git any more"


def _plain(ref: str) -> str:
    return re.sub("^refs/(?:heads|tags|remotes)/", "", ref)


def _named(index: Index, what: str, directory: str) -> Oid:
    """The commit that is meant: by the beginning of its hash, be it on record or only replaced; or a revision."""
    if re.fullmatch(r"[0-9a-fA-F]{4,64}", what):
        prefix = what.lower()
        known = {row.hash for row in index.by_prefix(prefix) if row.hash is not None}
        known.update(index.replaced_by_prefix(prefix))
        if len(known) > 1:
            few = ", ".join(sorted(known)[:3])
            raise UsageError(f"'{what}' is the beginning of {len(known)} commits", f"for example {few}")
        if known:
            return known.pop()
        refuse_archived(index, prefix)
    found = plumbing.run(
        ("rev-parse", "--verify", "--quiet", "--end-of-options", f"{what}^{{commit}}"), directory=directory
    )
    if found.status:
        raise UsageError(f"'{what}' is neither a commit on record nor a revision", "see 'mgit-hooks log'")
    commit = Oid(found.stdout.decode().strip())
    if index.seq_of(commit) is None and not index.replaced_by(commit):
        raise NoRecord(f"{what} ({commit[:10]}) is not recorded", "run 'mgit-hooks backfill' to record older history")
    return commit
