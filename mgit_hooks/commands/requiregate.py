"""``check --require-gate [RANGE]``: commits whose record does not say that the gate let them through."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from mgit_hooks import report
from mgit_hooks.checking.commits import not_taken
from mgit_hooks.dates import local
from mgit_hooks.display import escape
from mgit_hooks.errors import DamageError, RepositoryError, UsageError
from mgit_hooks.git import plumbing
from mgit_hooks.journal.index import Index, Row
from mgit_hooks.journal.verify import exists
from mgit_hooks.layout import Location, locate
from mgit_hooks.output import Output
from mgit_hooks.record import Json, Oid, Record
from mgit_hooks.session import reading

# The states of records (docs/records.md), and two for want of one: "imported", of a commit that was not made where the
# journal was kept, and "missing". Either says as little of a gate as the other: whoever has deleted a journal and made
# a new one by backfill must not pass for having been judged.
STATES: Final = ("passed", "none", "skipped", "refused", "bypassed", "unobserved", "imported", "missing")
ACCEPTED: Final = frozenset(("passed", "none"))
_AT_ONCE: Final = 256


class State(NamedTuple):
    """What is on record of one commit's gate."""

    commit: Oid
    state: str
    reason: str | None
    record: Record | None

    def to_json(self) -> Json:
        commit = self.record.commit if self.record is not None else None
        return {
            "commit": self.commit,
            "check": "gate",
            "state": self.state,
            "reason": self.reason,
            "seq": None if self.record is None else self.record.seq,
            "occurred_at": None if self.record is None else self.record.occurred_at,
            "committer_name": None if commit is None else commit.committer_name,
            "committer_email": None if commit is None else commit.committer_email,
            "subject": None if commit is None else commit.message.partition("\n")[0],
        }


def run(args: argparse.Namespace, out: Output) -> int:
    """Exit code 1 where a commit's state is not acceptable."""
    accepted = ACCEPTED | _allowed(args.allow)
    _require_journal(locate(args.directory))
    commits = _commits(args.directory, args.range)
    counts: Counter[str] = Counter()
    findings: list[State] = []
    with reading(args.directory, out) as session:
        for found in _states(session.index, commits):
            counts[found.state] += 1
            if found.state not in accepted:
                findings.append(found)
    if args.json:
        states = {state: counts[state] for state in STATES if counts[state]}
        out.json(
            {"commits": len(commits), "gate": states, "findings": [found.to_json() for found in findings]},
        )
    else:
        out.lines(_line(found, out) for found in findings)
    told = ", ".join(f"{counts[state]} {state}" for state in STATES if counts[state])
    out.note(f"mgit-hooks: {report.counted(len(commits), 'commit')}" + (f": {told}" if told else ""))
    if any(found.state in ("imported", "missing") for found in findings):
        out.note("hint: of commits made elsewhere the journal of that place tells: check there, or give a RANGE")
    return 1 if findings else 0


def _allowed(given: Sequence[str]) -> frozenset[str]:
    states = frozenset(name.strip() for each in given for name in each.split(",") if name.strip())
    for unknown in sorted(states.difference(STATES)):
        raise UsageError(f"'{unknown}' is not a state", f"one of: {', '.join(STATES)}")
    return states


def _require_journal(location: Location) -> None:
    """A clone has none, and that must not pass for a clean state."""
    if not exists(location.journal_dir):
        raise RepositoryError(
            "there is no journal here, so nothing tells of any gate",
            "where the commits were made: mgit-hooks export --bundle -o FILE; here: mgit-hooks import FILE",
        )


def _commits(directory: str, given: Sequence[str]) -> list[Oid]:
    listed = plumbing.run(("rev-list", "--end-of-options", *(given or ("HEAD",)), "--"), directory=directory)
    if listed.status:
        raise not_taken(directory, given, listed.stderr)
    return [Oid(line) for line in listed.stdout.decode("ascii").split()]


def _states(index: Index, commits: Sequence[Oid]) -> Iterator[State]:
    for at in range(0, len(commits), _AT_ONCE):
        chunk = commits[at : at + _AT_ONCE]
        rows = [row for oid in chunk if (seq := index.seq_of(oid)) is not None and (row := index.by_seq(seq))]
        told = _told(index, rows)
        yield from (told.get(oid) or _missing(index, oid) for oid in chunk)


def _told(index: Index, rows: Sequence[Row]) -> dict[Oid, State]:
    damaged: list[DamageError] = []
    found = {}
    for stored in index.read_many(sorted(rows, key=lambda row: row.seq), damaged):
        record = stored.record()
        if record is not None and record.commit is not None:
            found[record.commit.hash] = _of(record, record.commit.hash)
    return found


def _of(record: Record, commit: Oid) -> State:
    if record.event == "import" or (record.event == "rebuilt" and record.gate.status == "none"):
        return State(commit, "imported", f"first seen by {record.source}", record)
    return State(commit, record.gate.status, record.gate.reason, record)


def _missing(index: Index, oid: Oid) -> State:
    if (seq := index.archived(oid)) is not None:
        return State(oid, "missing", f"record {seq} is in an archive", None)
    if index.knows(oid):
        return State(oid, "missing", "its record is damaged or erased", None)
    return State(oid, "missing", "not on record", None)


def _line(found: State, out: Output) -> str:
    """``commit  state  when  who  subject  (reason)``."""
    line = f"{found.commit[:10]}  {out.style(f'{found.state:<10}', 'yellow')}"
    if found.record is not None and found.record.commit is not None:
        when = escape(local(found.record.occurred_at or found.record.recorded_at))
        commit = found.record.commit
        line += f"  {when}  {escape(commit.committer_name)}  {report.subject(commit, 72)}"
    return line + (f"  ({escape(found.reason)})" if found.reason else "")
