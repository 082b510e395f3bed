"""Records, frames and segments deleted, doubled, swapped, spliced in from elsewhere, or changed under a right checksum.

The checksum tells of none of it, or only of the splice: the chain, the numbers and the footers do. What they cannot
tell (everything after a change written anew, head included) is held here too, so that docs/limits.md stays true.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from itertools import combinations
from pathlib import Path

import pytest
from reliability import Tally

from journal.making import frames, put, records, segment_bytes, small
from journal.mutants import Trial
from journal.tampering import ALL, EDITS, Hand, Place
from mgit_hooks.journal import format, reader
from mgit_hooks.journal import verify as verify_module
from mgit_hooks.journal.format import BLOCK, CURSOR, FOOTER, SEGMENT, Frame, JournalId
from mgit_hooks.journal.segment import segment_names
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
        between = hand.places[one + 1 : two]
        if sum(place.frame.records for place in between) <= max(place.frame.records for place in edited):
            edited += between  # nothing tells which of them stand in a wrong place: as many records are left
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


# Fields of the frames that hold no records


def every_field(journal: str, tally: Tally) -> None:
    """Each field of each header, footer and cursor frame, one off or another, the checksum right."""
    hand = Hand(journal)
    for number, place in enumerate(hand.places):
        frame = place.frame
        changes = [
            frame._replace(first_seq=frame.first_seq + 1),
            frame._replace(first_seq=max(frame.first_seq - 1, 0)),
            frame._replace(previous=bytes(31) + b"\7"),
            frame._replace(kind=9),
        ]
        if frame.kind == SEGMENT:
            info = format.segment_info(frame)
            changes.append(format.segment_frame(info._replace(number=info.number + 1), frame.first_seq, frame.previous))
            changes.append(frame._replace(body=frame.body[:-1], raw_length=frame.raw_length - 1))
        elif frame.kind == FOOTER:
            info = format.footer_info(frame)
            for count, last in ((1, 1), (-1, -1), (0, 1), (1, 0)):
                made = (info.records + count, frame.first_seq, info.last_seq + last, frame.previous)
                changes.append(format.footer_frame(*made))
        elif frame.kind == BLOCK:
            changes.append(frame._replace(records=frame.records + 1))
            changes.append(frame._replace(records=frame.records - 1))
        for changed in changes:
            if changed == frame:
                continue
            hand.put([*hand.places[:number], Place(place.segment, changed), *hand.places[number + 1 :]])
            tally.cases += 1
            if verify(journal).is_clean:
                tally.silent.append(f"frame {number}: {frame} as {changed}")
    hand.restore()


def test_each_field_of_each_frame_is_held(journal: str, tally: Tally) -> None:
    every_field(journal, tally)
    tally.check()


# Segments


def every_segment(journal: str, tally: Tally) -> None:
    """Each segment taken out, put over and between the others, and all of them in every pair swapped."""
    trial = Trial(journal)

    def told(files: dict[str, bytes], what: str) -> None:
        for name in segment_names(journal):
            os.unlink(os.path.join(journal, name))
        for name, data in files.items():
            put(journal, name, data)
        touched = {name: (0, len(trial.data[name])) for name in trial.names if files.get(name) != trial.data[name]}
        trial.ask(touched).count(tally, what)

    for name, data in trial.data.items():
        told({other: trial.data[other] for other in trial.names if other != name}, f"{name} taken out")
        told({**trial.data, "00000999.seg": data}, f"{name} a second time at the end")
        for other in trial.names:
            if other != name:
                told({**trial.data, other: data}, f"{name} put over {other}")
                told({**trial.data, other: data, name: trial.data[other]}, f"{name} and {other} swapped")
    for turn in range(1, len(trial.names)):
        moved = dict(
            zip(trial.names, [*list(trial.data.values())[turn:], *list(trial.data.values())[:turn]], strict=True)
        )
        told(moved, f"all moved on by {turn}")
    told(trial.data, "as it was")
    assert tally.silent.pop() == "as it was"
    tally.cases -= 1


def test_segments_taken_out_doubled_and_swapped_are_told(journal: str, tally: Tally) -> None:
    every_segment(journal, tally)
    tally.check()


@pytest.mark.full
def test_each_of_many_segments_taken_out_doubled_and_swapped_is_told(fast: Path, tally: Tally) -> None:
    every_segment(small(fast / "many", 200, target=900), tally)
    tally.check()


# Splices


def splices(journal: str, other: str, tally: Tally, *, step: int = 1) -> None:
    """Each frame and each segment of another journal put between ours, and in the place of ours."""
    trial = Trial(journal)
    theirs = segment_bytes(other)
    pieces = [theirs[item.segment][item.offset : item.end] for item in frames(other)] + list(theirs.values())
    for name, data in trial.data.items():
        path = Path(journal, name)
        for item in trial.frames(name)[::step]:
            for number, piece in enumerate(pieces):
                path.write_bytes(data[: item.end] + piece + data[item.end :])
                trial.ask({}).count(tally, f"piece {number} put into {name} at {item.end}")
                path.write_bytes(data[: item.offset] + piece + data[item.end :])
                trial.ask({name: (item.offset, item.end)}).count(tally, f"piece {number} for a frame of {name}")
        for piece in theirs.values():
            path.write_bytes(piece)
            trial.ask({name: (0, len(data))}).count(tally, f"a segment for {name}")
        path.write_bytes(data)
    for piece in theirs.values():
        put(journal, "00000998.seg", piece)
        trial.ask({}).count(tally, "one segment more")
    os.unlink(os.path.join(journal, "00000998.seg"))


def test_splices_from_another_repository_are_told(journal: str, tmp_path: Path, tally: Tally) -> None:
    splices(journal, small(tmp_path, 40, target=2000, group=8), tally, step=3)
    tally.check()
    assert tally.cases > 100


@pytest.mark.full
def test_each_splice_from_another_repository_is_told(fast: Path, tally: Tally) -> None:
    splices(small(fast / "ours", 80, target=1500), small(fast / "theirs", 80, target=1500), tally)
    tally.check()


# Planted bugs


class Careless(verify_module._Walk):
    """Verifies as if a check had been forgotten."""

    forgotten = ""

    def _gap(self, next_seq, after):  # type: ignore[no-untyped-def]
        super()._gap(next_seq, after)
        if self.forgotten == "holes":
            self.holes.pop()

    def _hold(self, item):  # type: ignore[no-untyped-def]
        if self.forgotten == "links":
            self.head = item.frame.previous
        else:
            super()._hold(item)

    def _footer(self, item):  # type: ignore[no-untyped-def]
        if self.forgotten == "footers":
            self.sealed = True
        else:
            super()._footer(item)

    def _blame(self, item, kind):  # type: ignore[no-untyped-def]
        if kind != self.forgotten:
            super()._blame(item, kind)


@pytest.mark.parametrize(
    ("forgotten", "family"),
    [
        ("holes", every_segment),
        ("holes", every_frame),
        ("links", every_field),
        ("links", lambda journal, tally: every_record(journal, "changed", 0, tally)),
        ("footers", every_field),
        ("duplicate", every_frame),
        ("misplaced-segment", every_field),
        ("bad-kind", every_field),
    ],
)
def test_a_check_that_verify_forgets_is_missed(
    journal: str, monkeypatch: pytest.MonkeyPatch, forgotten: str, family: Callable[[str, Tally], None]
) -> None:
    monkeypatch.setattr(Careless, "forgotten", forgotten)
    monkeypatch.setattr(verify_module, "_Walk", Careless)
    tally = Tally()
    family(journal, tally)
    assert tally.silent


def test_a_checksum_that_leaves_out_the_journal_is_missed(
    fast: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = format._checksum
    monkeypatch.setattr(format, "_checksum", lambda journal, header, body: real(JournalId(bytes(16)), header, body))
    tally = Tally()
    splices(small(fast / "loose", 12, target=600), small(tmp_path, 40, target=3000, group=8), tally, step=2)
    assert tally.false


def test_a_reader_that_takes_frames_ahead_of_their_place_is_missed(
    journal: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "in_turn", lambda items, *_: items)
    tally = Tally()
    every_frame(journal, tally)
    assert tally.lost


def test_a_reader_that_reads_what_is_doubled_twice_is_missed(journal: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def records(journal_dir: str) -> Iterator[reader.Stored]:
        for block in reader.blocks(journal_dir):
            if isinstance(block, reader.Block):
                yield from block.stored()

    monkeypatch.setattr(reader, "records", records)
    tally = Tally()
    every_segment(journal, tally)
    assert tally.false
