"""``mgit-hooks verify``: every byte of the journal, every link of its chain, and what is anchored outside it."""

from __future__ import annotations

import argparse
import errno
import os
import sys

from mgit_hooks import meter
from mgit_hooks.display import escape
from mgit_hooks.errors import UsageError
from mgit_hooks.files import TooLarge, is_file, read
from mgit_hooks.git import anchorref
from mgit_hooks.journal import anchors, erasure
from mgit_hooks.journal.anchors import Checked, Place
from mgit_hooks.journal.findings import Report
from mgit_hooks.journal.verify import verify
from mgit_hooks.layout import Location, locate
from mgit_hooks.output import Output
from mgit_hooks.report import counted
from mgit_hooks.session import drain_first, require_journal

_LONGEST = 64 * 1024 * 1024  # bytes of a file of anchors: some 400,000 of them


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--anchor",
        action="append",
        nargs="?",
        const=anchorref.REF,
        metavar="WHERE",
        help="hold the journal against the anchors of a ref (default refs/mgit/anchor), of a file (-: standard input), "
        "or of the trailers of a range's commits ('trailers': all commits); may be given again",
    )


def run(args: argparse.Namespace, out: Output) -> int:
    location = locate(args.directory)
    require_journal(location)
    drain_first(location, out)
    places = [_place(location, where, args.directory) for where in dict.fromkeys(args.anchor or ())]
    with meter.phase("read"):
        report = verify(location.journal_dir, anchors.watched(places))
    meter.done(items=report.records)
    checked = anchors.check(location.journal_dir, report, places)
    unchecked = anchors.unchecked(places, checked)
    is_clean = report.is_clean and not unchecked and not any(each.is_finding for each in checked)
    if args.json:
        told = report.to_json()
        out.json(told if args.anchor is None else {**told, "anchors": [each.to_json() for each in checked]})
        for name in unchecked:
            out.note(f"mgit-hooks: {escape(_nothing(name))}")
    else:
        out.lines((*_lines(report), *_anchored(places, checked, unchecked), "clean" if is_clean else "NOT clean"))
        if not report.is_clean:
            out.note("hint: run 'mgit-hooks repair' to mend it; nothing that is still whole is touched")
    if args.verbose and report.erased:
        for seq, declared in sorted(erasure.declared(location.journal_dir).items()):
            out.detail(f"mgit-hooks: record {seq} was {declared.words}")
    return 0 if is_clean else 1


def _place(location: Location, where: str, directory: str) -> Place:
    """The anchors of one ``--anchor``. Raises UsageError where there is no such file, ref or revision."""
    path = os.path.normpath(os.path.join(directory, where))
    try:
        if where == "-":
            return Place(where, _lines_of(_standard_input()))
        # In a bare repository, and in any .git, a ref's name is that of git's own file of it.
        if not where.startswith("refs/") and is_file(path):
            return Place(where, _lines_of(read(path, _LONGEST)))
    except OSError as error:
        raise UsageError(f"cannot read {where}: {error.strerror}", "name a file that can be read") from error
    return anchorref.place(location.git_dir, where)


def _standard_input() -> bytes:
    data = sys.stdin.buffer.read(_LONGEST + 1)
    if len(data) > _LONGEST:
        raise TooLarge(errno.EFBIG, os.strerror(errno.EFBIG))
    return data


def _lines_of(data: bytes) -> tuple[anchors.Given, ...]:
    return anchors.of_lines(data.decode("utf-8", "replace").splitlines())


def _lines(report: Report) -> list[str]:
    size = f"{counted(report.records, 'record')} in {counted(report.segments, 'segment')}"
    lines = [f"{size}, up to {report.head_seq} ({report.head_id[:16]})"]
    lines += [f"damaged: {d.segment} byte {d.offset}, {d.length} bytes: {d.kind}" for d in report.damaged]
    lines += [f"missing: {hole.words}" for hole in report.holes]
    lines += [f"mended: {hole.words} lost, and a repair says so" for hole in report.mended]
    lines += [f"archived: {hole.words}, and a checkpoint says so" for hole in report.archived]
    if report.torn_tail is not None:
        lines.append("the last append was cut off before it was reported: the next one starts clean")
    if report.erased:
        lines.append(f"erased: {counted(report.erased, 'record')}; their place in the chain is kept")
    lines += [f"unerased: record {seq}: its erasure has not come to its end" for seq in report.unerased]
    lines += [f"undeclared: record {seq} was erased, and no record says by whom" for seq in report.undeclared]
    if not report.chain_intact:
        lines.append("the chain is broken: records are not the ones that were written")
    return lines


_WORDS = {
    anchors.ROLLED_BACK: "the journal ends before record {seq}: it was put back to an earlier state",
    anchors.REWRITTEN: "record {seq} is not the one that was anchored: the journal was rewritten",
    anchors.BRANCHED: "record {seq} of journal {journal} is not here: this copy went on without it",
    anchors.FOREIGN: "record {seq} of another journal, {journal}",
    anchors.UNKNOWN: "record {seq} is gone, in a mended hole or an archive: its id cannot be told",
    anchors.MALFORMED: "this is no anchor: {text}",
}


def _anchored(places: list[Place], checked: list[Checked], unchecked: list[str]) -> list[str]:
    lines = []
    for place in places:
        of_place = [each for each in checked if each.where == place.name]
        held = [each.given.anchor.seq for each in of_place if each.status == anchors.HOLDS and each.given.anchor]
        if held:
            lines.append(f"{counted(len(held), 'anchor')} of {escape(place.name)}: as anchored up to {max(held)}")
        lines += [_words(each) for each in of_place if each.status != anchors.HOLDS]
        if place.name in unchecked:
            lines.append(escape(_nothing(place.name)))
    return lines


def _words(each: Checked) -> str:
    anchor = each.given.anchor
    values = {"seq": anchor.seq, "journal": anchor.journal[:8]} if anchor else {}
    word = "anchor" if each.is_finding else "anchor, not judged"
    told = _WORDS[each.status].format(text=each.given.text[:120], **values)
    return escape(f"{word}: {each.where}: {told}")


def _nothing(name: str) -> str:
    return f"nothing was checked: {name} holds no anchor of a record that this journal can tell of"
