"""``mgit-hooks verify``: every byte of the journal, every link of its chain."""

from __future__ import annotations

import argparse

from mgit_hooks.journal.verify import Report, verify
from mgit_hooks.layout import locate
from mgit_hooks.output import Output
from mgit_hooks.report import counted
from mgit_hooks.session import drain_first, require_journal


def configure(parser: argparse.ArgumentParser) -> None:
    pass


def run(args: argparse.Namespace, out: Output) -> int:
    location = locate(args.directory)
    require_journal(location)
    drain_first(location, out)
    report = verify(location.journal_dir)
    if args.json:
        out.json(report.to_json())
    else:
        out.lines(_lines(report))
        if not report.is_clean:
            out.note("hint: run 'mgit-hooks repair' to mend it; nothing that is still whole is touched")
    return 0 if report.is_clean else 1


def _lines(report: Report) -> list[str]:
    size = f"{counted(report.records, 'record')} in {counted(report.segments, 'segment')}"
    lines = [f"{size}, up to {report.head_seq} ({report.head_id[:16]})"]
    lines += [f"damaged: {d.segment} byte {d.offset}, {d.length} bytes: {d.kind}" for d in report.damaged]
    lines += [f"missing: {hole.words}" for hole in report.holes]
    lines += [f"mended: {hole.words} lost, and a repair says so" for hole in report.mended]
    if report.torn_tail is not None:
        lines.append("the last append was cut off before it was reported: the next one starts clean")
    if report.erased:
        lines.append(f"erased: {counted(report.erased, 'record')}; their place in the chain is kept")
    if not report.chain_intact:
        lines.append("the chain is broken: records are not the ones that were written")
    lines.append("clean" if report.is_clean else "NOT clean")
    return lines
