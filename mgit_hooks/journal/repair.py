"""Mending the journal's files: damaged bytes move to quarantine, whole frames stay byte for byte.

Nothing is filled in and nothing is rewritten: a segment loses exactly the bytes that are no frame of it, and gets
back the header or footer that can be told from what is left, and blocks that had got behind their place (``astray``).
What was lost by it is for the caller to declare in a ``repair`` record. May be killed anywhere and run again: bytes
are in quarantine, synced, before the segment without them takes the place of the old one in one rename, and a block
that goes back is in its own segment, which is the earlier one, before it leaves the other.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import NamedTuple

from mgit_hooks.errors import JournalError
from mgit_hooks.files import sync_directory
from mgit_hooks.journal import identity, swap
from mgit_hooks.journal.astray import Astray, astray, holes_left
from mgit_hooks.journal.findings import Hole, Report
from mgit_hooks.journal.format import (
    BLOCK,
    FOOTER,
    SEGMENT,
    ChainId,
    Frame,
    JournalId,
    SegmentInfo,
    footer_frame,
    footer_info,
    segment_frame,
    segment_info,
    version_for,
)
from mgit_hooks.journal.quarantine import quarantine
from mgit_hooks.journal.reader import journal_ids, open_block
from mgit_hooks.journal.segment import Damage, Located, scan, segment_names, segment_number
from mgit_hooks.journal.verify import verify
from mgit_hooks.record import Seq


class Mending(NamedTuple):
    """What mending the files did, or under ``dry_run`` would do. ``quarantined`` names what was moved."""

    salvaged: int  # records in the segments that had damage, all of them still there
    quarantined: tuple[str, ...]
    actions: tuple[str, ...]


def mend(journal_dir: str, *, dry_run: bool) -> Mending:
    """Take every damaged stretch out of the segments. Call it under the journal's lock.

    Raises JournalError for a later format version, with nothing changed.
    """
    report = verify(journal_dir)
    damages = [*report.damaged, *([report.torn_tail] if report.torn_tail else [])]
    journals = journal_ids(journal_dir)
    salvaged, quarantined, actions = 0, [], []
    strays = astray(journal_dir, damages, journals)
    for name in segment_names(journal_dir):
        cut = sorted((damage for damage in damages if damage.segment == name), key=lambda damage: damage.offset)
        back = [stray for stray in strays if stray.item.segment == name]
        if not cut and not back:
            continue
        kept = _with(back, _kept(journal_dir, name, journals, cut))
        salvaged += sum(len(open_block(item).entries) for item in kept if item.frame.kind == BLOCK)
        for damage in cut:
            what = f"{damage.length} bytes ({damage.kind}) of {name} at byte {damage.offset}"
            actions.append(f"{'would move' if dry_run else 'moved'} {what} to quarantine")
            if not dry_run:
                quarantined.append(quarantine(journal_dir, damage))
        for stray in back:
            frame = stray.item.frame
            what = f"records {frame.first_seq} to {frame.first_seq + frame.records - 1} back into {name}"
            actions.append(f"{'would put' if dry_run else 'put'} {what}")
        if not dry_run:
            _replace(journal_dir, name, kept, journals)
    return Mending(salvaged, tuple(quarantined), tuple(actions))


def remaining_holes(journal_dir: str, report: Report) -> tuple[Hole, ...]:
    """The holes that no record declares, once ``mend`` has taken out all that ``report`` blames."""
    if not report.damaged:
        return report.holes
    strays = astray(journal_dir, report.damaged, journal_ids(journal_dir))
    holes, declared = holes_left(journal_dir, report.damaged, strays)
    return tuple(hole for hole in holes if hole not in declared)


def _kept(journal_dir: str, name: str, journals: Sequence[JournalId], cut: Sequence[Damage]) -> list[Located]:
    # A header or footer that is missing has no bytes: what stands in its place stays.
    blamed = {damage.offset for damage in cut if damage.length}
    return [
        item for item in scan(journal_dir, name, journals) if isinstance(item, Located) and item.offset not in blamed
    ]


def _with(back: Sequence[Astray], kept: list[Located]) -> list[Located]:
    for stray in back:  # where it belongs in front of the next segment: at this one's end
        place = stray.before
        places = (at for at, item in enumerate(kept) if place == (stray.item.segment, item.offset))
        kept.insert(next(places, len(kept)), stray.item)
    return kept


def _replace(journal_dir: str, name: str, kept: Sequence[Located], journals: Sequence[JournalId]) -> None:
    """Put in place of a segment the frames of it that are whole, under a header of their own journal."""
    path = os.path.join(journal_dir, name)
    if not kept:
        os.unlink(path)
        sync_directory(journal_dir)
        return
    journal = _journal_of(journal_dir, name, kept, journals)
    whole: list[Frame] = [item.frame for item in kept]
    if whole[0].kind != SEGMENT:
        info = SegmentInfo(version_for(whole), journal, segment_number(name), int(os.stat(path).st_mtime))
        whole.insert(0, segment_frame(info, *_place(whole[0])))
    elif (info := segment_info(whole[0])).version < version_for(whole):
        whole[0] = segment_frame(info._replace(version=version_for(whole)), whole[0].first_seq, whole[0].previous)
    if name != segment_names(journal_dir)[-1] and whole[-1].kind != FOOTER:
        whole.append(_footer(whole[0], kept[-1]))
    new = swap.write_new(journal_dir, name, whole, journal)
    if _frames(journal_dir, new, journal) != whole:
        swap.remove_new(journal_dir, name)
        raise JournalError(f"the disk did not keep {new} as it was written", "mend that; nothing was changed")
    os.replace(os.path.join(journal_dir, new), path)
    sync_directory(journal_dir)


def _frames(journal_dir: str, name: str, journal: JournalId) -> list[Frame | None]:
    """What a file holds, None where it holds what is no frame."""
    found = scan(journal_dir, name, [journal])
    return [item.frame if isinstance(item, Located) else None for item in found]


def _place(first: Frame) -> tuple[Seq, ChainId]:
    """The seq and the chain id that a segment begins with whose first whole frame is ``first``."""
    if first.kind == FOOTER:  # its first seq is that of the blocks that are gone, its chain id that of their end
        return Seq(footer_info(first).last_seq + 1), first.previous
    return first.first_seq, first.previous


def _footer(header: Frame, last: Located) -> Frame:
    """The footer of a segment that ends with ``last``."""
    next_seq, head = last.frame.first_seq, last.frame.previous
    if last.frame.kind == BLOCK:
        block = open_block(last)
        next_seq, head = block.next_seq, block.ids[-1]
    return footer_frame(next_seq - header.first_seq, header.first_seq, Seq(next_seq - 1), head)


def _journal_of(journal_dir: str, name: str, kept: Sequence[Located], journals: Sequence[JournalId]) -> JournalId:
    """The journal whose id the checksums of a segment's frames are under."""
    if kept[0].frame.kind == SEGMENT:
        return segment_info(kept[0].frame).journal
    return next(
        journal for journal in journals if any(isinstance(item, Located) for item in scan(journal_dir, name, [journal]))
    )


def restore_identity(journal_dir: str) -> str | None:
    """Write the identity anew where it is unreadable and a segment still says whose it is; what was done."""
    if identity.read(journal_dir) is not None:
        return None
    journals = journal_ids(journal_dir)
    if not journals:
        return None
    identity.write(journal_dir, journals[-1], journals)
    return "wrote the journal's identity anew, from the newest segment's header"
