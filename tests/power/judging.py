"""What must hold of a journal after a power cut, whatever state of the disk it left."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import second_reader
from journal.making import append, records

from mgit_hooks.errors import MgitError
from mgit_hooks.journal import reader
from mgit_hooks.journal.blockformat import frame_cursor
from mgit_hooks.journal.findings import Report
from mgit_hooks.journal.format import BLOCK, CURSOR
from mgit_hooks.journal.segment import Damage, segment_names
from mgit_hooks.journal.verify import verify
from mgit_hooks.layout import Location
from mgit_hooks.mend import repair
from power.acts import told


class Verdict(NamedTuple):
    """``lost``: what was reported and is gone. ``wrong``: anything else that must not be."""

    lost: list[str]
    wrong: list[str]


def read(journal_dir: str) -> set[str]:
    """The records as the second reader has them, each as the process would have reported it."""
    if not segment_names(journal_dir):
        return set()
    return {told(seq, bytes.fromhex(id), payload) for seq, id, payload in second_reader.read(journal_dir)}


def judge_journal(location: Location, reported: Sequence[str], ever: Iterable[str]) -> Verdict:
    """``ever``: all records that were made before the cut or after it, reported or not."""
    journal_dir = location.journal_dir
    found = read(journal_dir)
    lost = [f"gone: {line}" for line in reported if line not in found]
    wrong = [f"false: {line}" for line in found.difference(ever)]
    torn = False
    if segment_names(journal_dir):
        both = {told(stored.seq, stored.id, stored.payload) for stored in records(journal_dir)}
        wrong += [f"the readers differ about {line}" for line in found ^ both]
        before = verify(journal_dir)
        torn = is_torn_group(before, reported)
        wrong += [] if torn else findings(before)
        wrong += _cursor_past_a_hole(journal_dir)
    try:
        (item,) = append(journal_dir, [b"after the cut"])
    except (MgitError, OSError, ValueError) as error:
        return Verdict(lost, [*wrong, f"the next append: {error!r}"])
    if torn:
        repair(location)
    after = read(journal_dir)
    lost += [f"gone after the next append: {line}" for line in found - after]
    if told(item.seq, item.id, b"after the cut") not in after:
        wrong.append("the next append is not there")
    if item.seq in _numbers([*found, *reported]):
        wrong.append(f"number {item.seq} is used twice")
    report = verify(journal_dir)
    wrong += [f"after the next append: {each}" for each in findings(report)]
    if report.torn_tail:
        wrong.append("the torn tail was not taken away")
    return Verdict(lost, wrong)


def is_torn_group(report: Report, reported: Sequence[str]) -> bool:
    """Whether all that is wrong is an append of several blocks of which a later one is on the disk and an earlier
    one is not: numbers that were never reported are missing. Verify says so, and a repair declares them.
    """
    last = max(_numbers(reported), default=0)
    return len(report.damaged) == 1 and len(report.holes) == 1 and report.holes[0].first_seq > last


def findings(report: Report) -> list[str]:
    """All that verify says is wrong; a torn tail is an ordinary end."""
    found = [f"{each.kind} at byte {each.offset} of {each.segment}, {each.length} bytes" for each in report.damaged]
    found += [f"{hole.words} missing" for hole in report.holes]
    found += [f"{seq} is not as declared" for seq in (*report.unerased, *report.undeclared)]
    if not report.chain_intact:
        found.append("the chain is broken")
    return found


def _cursor_past_a_hole(journal_dir: str) -> list[str]:
    """A cursor in a block says that the records before it are there, and with them what the spool told."""
    expected = 1
    for item in reader.frames(journal_dir):
        if isinstance(item, Damage) or item.frame.kind not in (BLOCK, CURSOR):
            continue
        if item.frame.first_seq > expected and frame_cursor(item.frame) is not None:
            return [f"a cursor in {item.segment} at byte {item.offset} counts, and records before it are gone"]
        if item.frame.kind == BLOCK and item.frame.first_seq == expected:
            expected = reader.open_block(item).next_seq
    return []


def _numbers(lines: Iterable[str]) -> set[int]:
    return {int(line.split()[0]) for line in lines}
