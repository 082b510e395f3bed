"""Records, frames and segments deleted, doubled, swapped, spliced in from elsewhere, or changed under a right checksum.

The checksum tells of none of it, or only of the splice: the chain, the numbers and the footers do. What they cannot
tell (everything after a change written anew, head included) is held here too, so that docs/limits.md stays true.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from itertools import combinations
from pathlib import Path

import pytest
from reliability import Tally

from journal.making import records, small
from journal.tampering import ALL, EDITS, Hand, Place
from mgit_hooks.journal.format import CURSOR, Frame
from mgit_hooks.journal.verify import verify


@pytest.fixture
def journal(fast: Path) -> Iterator[str]:
    yield small(fast / "tampered", 30)
    shutil.rmtree(fast / "tampered")


@pytest.fixture
def large(fast: Path) -> Iterator[str]:
    yield small(fast / "large", 240, target=5000, group=9)
    shutil.rmtree(fast / "large")


# Records


def every_record(journal: str, edit: str, reach: int, tally: Tally) -> None:
    """Each record of each block edited; the damage must be told at the edit, or where the forger stopped."""
    hand = Hand(journal)
    for number in hand.blocks():
        for at in range(hand.places[number].frame.records):
            if edit == "doubled" and number == hand.blocks()[-1] and at == hand.places[number].frame.records - 1:
                continue  # that is an append: whoever may write may append
            places = hand.edited(number, at, EDITS[edit], reach)
            if places is None:
                continue
            hand.put(places)
            tally.cases += 1
            if verify(journal).is_clean:
                tally.silent.append(f"record {at} of frame {number} {edit}, {reach} frames written anew")
    hand.restore()


# An edit that the last frames of the journal cannot contradict is told by the head alone.
REACHES = [0, 1, 2, 5]


@pytest.mark.parametrize("reach", REACHES)
@pytest.mark.parametrize("edit", EDITS)
def test_a_record_tampered_with_is_told(journal: str, edit: str, reach: int, tally: Tally) -> None:
    every_record(journal, edit, reach, tally)
    tally.check()
    assert tally.cases > 20


@pytest.mark.full
@pytest.mark.parametrize("reach", [*REACHES, ALL])
@pytest.mark.parametrize("edit", EDITS)
def test_each_record_tampered_with_is_told(large: str, edit: str, reach: int, tally: Tally) -> None:
    every_record(large, edit, reach, tally)
    tally.check()


@pytest.mark.parametrize("edit", [edit for edit in EDITS if not edit.startswith("erased")])
def test_what_is_written_anew_to_the_end_only_the_head_tells(journal: str, edit: str) -> None:
    """docs/limits.md: and where the head is written anew too, only an anchor does."""
    before = verify(journal)
    hand = Hand(journal)
    places = hand.edited(hand.blocks()[2], 1, EDITS[edit], ALL)
    assert places is not None
    hand.put(places)
    assert not verify(journal).is_clean
    hand.write_head(places)
    after = verify(journal)
    assert after.is_clean
    assert after.head_id != before.head_id


# Frames


def every_frame(journal: str, tally: Tally, *, step: int = 1) -> None:
    """Each frame taken out, put a second time everywhere, and swapped with each other (every ``step``th)."""
    hand = Hand(journal)
    true = {stored.seq: stored for stored in records(journal)}

    def told(places: Sequence[Place], what: str) -> None:
        hand.put(places)
        tally.cases += 1
        if verify(journal).is_clean:
            tally.silent.append(what)
        read = records(journal)
        tally.false += [what for stored in read if true.get(stored.seq) != stored]
        there = {stored.seq for stored in read}
        touched = {frame for place in edited for frame in seqs(place.frame)}
        tally.lost += [f"{what}: {seq}" for seq in true if seq not in there and seq not in touched]

    for number, place in enumerate(hand.places):
        if place.frame.kind == CURSOR:
            continue  # outside the chain: docs/format.md, what this cannot prove
        edited = [place]
        rest = [*hand.places[:number], *hand.places[number + 1 :]]
        told(rest, f"frame {number} taken out")
        for at in range(number % step, len(hand.places), step):
            twice = [*hand.places[: at + 1], Place(hand.places[at].segment, place.frame), *hand.places[at + 1 :]]
            told(twice, f"frame {number} a second time after {at}")
    solid = [number for number, place in enumerate(hand.places) if place.frame.kind != CURSOR]
    for one, two in list(combinations(solid, 2))[::step]:
        edited = [hand.places[one], hand.places[two]]
        swapped = list(hand.places)
        swapped[one] = Place(hand.places[one].segment, hand.places[two].frame)
        swapped[two] = Place(hand.places[two].segment, hand.places[one].frame)
        told(swapped, f"frames {one} and {two} swapped")
    hand.restore()


def seqs(frame: Frame) -> range:
    return range(frame.first_seq, frame.first_seq + frame.records)


def test_frames_taken_out_doubled_and_swapped_are_told(journal: str, tally: Tally) -> None:
    every_frame(journal, tally, step=5)
    tally.check()


@pytest.mark.full
def test_each_frame_taken_out_doubled_and_swapped_is_told(large: str, tally: Tally) -> None:
    every_frame(large, tally)
    tally.check()
