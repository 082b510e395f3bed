"""What verify says of each kind of damage, to the byte: where, how long, of what kind, which records are missing.

That something is found at all the families hold (tampering, every byte). Here it is held that the right thing is:
repair and whoever reads the report go by it. docs/mutation.md says what these tests were written against.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from journal.making import eighteen, frames, put, records, segment_bytes
from journal.tampering import EDITS, Hand, Place
from mgit_hooks.journal import format, identity
from mgit_hooks.journal.findings import Hole
from mgit_hooks.journal.format import GENESIS, ChainId
from mgit_hooks.journal.segment import Damage
from mgit_hooks.journal.verify import verify
from mgit_hooks.record import Seq

ONE, TWO, THREE = "00000001.seg", "00000002.seg", "00000003.seg"
STRANGE = ChainId(bytes(31) + b"\7")


@pytest.fixture
def journal(tmp_path: Path) -> str:
    return eighteen(tmp_path)


# Frames, changed by someone who puts the checksums right


Places = list[Place]


def without(number: int) -> Callable[[Hand], Places]:
    return lambda hand: [*hand.places[:number], *hand.places[number + 1 :]]


def again(number: int, after: int) -> Callable[[Hand], Places]:
    """The frame a second time, behind another one."""
    return lambda hand: added(hand, hand.places[number].frame, after)


def added(hand: Hand, frame: format.Frame, after: int) -> Places:
    place = Place(hand.places[after].segment, frame)
    return [*hand.places[: after + 1], place, *hand.places[after + 1 :]]


def changed(number: int, **fields: Any) -> Callable[[Hand], Places]:
    def edit(hand: Hand) -> Places:
        return replaced(hand, number, hand.places[number].frame._replace(**fields))

    return edit


def replaced(hand: Hand, number: int, frame: format.Frame) -> Places:
    return [*hand.places[:number], hand.places[number]._replace(frame=frame), *hand.places[number + 1 :]]


def edited(number: int, at: int, what: str, reach: int = 0) -> Callable[[Hand], Places]:
    def edit(hand: Hand) -> Places:
        places = hand.edited(number, at, EDITS[what], reach)
        assert places is not None
        return places

    return edit


def other_number(hand: Hand) -> Places:
    frame = hand.places[5].frame
    info = format.segment_info(frame)._replace(number=9)
    return replaced(hand, 5, format.segment_frame(info, frame.first_seq, frame.previous))


def footer(number: int, records: int, first: int, last: int) -> Callable[[Hand], Places]:
    def edit(hand: Hand) -> Places:
        head = hand.places[number].frame.previous
        return replaced(hand, number, format.footer_frame(records, Seq(first), Seq(last), head))

    return edit


def early_footer(hand: Hand) -> Places:
    return added(hand, format.footer_frame(3, Seq(1), Seq(3), hand.places[2].frame.previous), 1)


def early_footer_before_a_block(hand: Hand) -> Places:
    return added(hand, format.footer_frame(3, Seq(1), Seq(3), hand.places[3].frame.previous), 2)


def cursor_behind_a_footer(previous: ChainId | None) -> Callable[[Hand], Places]:
    def edit(hand: Hand) -> Places:
        frame = hand.places[6].frame  # of the next segment: its number is the next one
        return added(hand, frame._replace(previous=previous or frame.previous), 4)

    return edit


def sealed_too_early(hand: Hand) -> Places:
    """The next block, with another link, behind a footer that stands before it: records count for more."""
    places = early_footer_before_a_block(hand)
    return [*places[:4], places[4]._replace(frame=places[4].frame._replace(previous=STRANGE)), *places[5:]]


def header_of_the_next_segment_behind_a_footer(hand: Hand) -> Places:
    return added(hand, hand.places[5].frame, 4)


def unknown_kind(hand: Hand) -> Places:
    return added(hand, hand.places[1].frame._replace(kind=9), 1)


def block_that_is_none(hand: Hand) -> Places:
    return added(hand, format.Frame(format.BLOCK, 0, 2, 3, Seq(4), hand.places[2].frame.previous, b"abc"), 1)


def strange_footer_after_a_gap(hand: Hand) -> Places:
    hand.places[4] = hand.places[4]._replace(frame=hand.places[4].frame._replace(previous=STRANGE))
    return without(3)(hand)


def another_beginning(hand: Hand) -> Places:
    """Header and first block agree with each other, and with nothing else."""
    hand.places[0] = hand.places[0]._replace(frame=hand.places[0].frame._replace(previous=STRANGE))
    return changed(1, previous=STRANGE)(hand)


class Case(NamedTuple):
    edit: Callable[[Hand], Places]
    damaged: Sequence[tuple[int | str, str] | Damage] = ()  # the number of a frame, or a segment: at its end
    holes: Sequence[tuple[int, int]] = ()
    records: int = 18
    intact: bool = True
    head: bool = True  # whether the file ``head`` is there


BROKEN = "broken-chain"
CASES = {
    "as it was": Case(lambda hand: hand.places),
    "a header again": Case(again(0, 1), [(2, "duplicate")]),
    "a block again": Case(again(1, 3), [(4, "duplicate")]),
    "a cursor again": Case(again(2, 3), [(4, "duplicate")]),
    "a block again, at once": Case(again(1, 1), [(2, "duplicate")]),
    "no header": Case(without(5), [Damage(TWO, 0, 0, "no-segment-header")]),
    "an unknown kind for a header": Case(
        changed(5, kind=9), [Damage(TWO, 0, 0, "no-segment-header"), (5, "bad-kind")]
    ),
    "an unknown kind": Case(unknown_kind, [(2, "bad-kind")]),
    "a block that is none": Case(block_that_is_none, [(2, "bad-block")]),
    "a header of another segment": Case(other_number, [(5, "misplaced-segment")]),
    "a header with another link": Case(changed(5, previous=STRANGE), [(5, BROKEN)], intact=False),
    "no footer": Case(without(4), [(ONE, "no-footer")]),
    "a block behind a footer": Case(again(1, 4), [(5, "after-footer")]),
    "a cursor behind a footer": Case(cursor_behind_a_footer(None), [(4, "bad-footer"), (ONE, "no-footer")]),
    "a cursor behind a footer, with another link": Case(cursor_behind_a_footer(STRANGE), [(5, "after-footer")]),
    "a footer that a block goes on from, with another link": Case(
        sealed_too_early, [(3, "bad-footer"), (4, BROKEN)], intact=False
    ),
    "a footer behind a footer": Case(again(4, 4), [(5, "after-footer")]),
    "the next header behind a footer": Case(header_of_the_next_segment_behind_a_footer, [(5, "after-footer")]),
    "a footer that a cursor goes on from": Case(early_footer, [(2, "bad-footer")]),
    "a footer that a block goes on from": Case(early_footer_before_a_block, [(3, "bad-footer")]),
    "a footer with another count": Case(
        footer(4, 7, 1, 6), [(4, "bad-footer"), (ONE, "no-footer")]
    ),
    "a footer that ends before the blocks do": Case(
        footer(4, 5, 1, 5), [(4, "bad-footer"), (ONE, "no-footer")]
    ),
    "a footer that begins before its segment": Case(
        footer(10, 7, 6, 12), [(10, "bad-footer"), (TWO, "no-footer")]
    ),
    "a footer with another link": Case(changed(4, previous=STRANGE), [(4, BROKEN)], intact=False),
    "a footer with another link, its last block gone": Case(
        strange_footer_after_a_gap, [(3, BROKEN)], [(4, 6)], 15, intact=False
    ),
    "the last block before a footer gone": Case(without(3), holes=[(4, 6)], records=15),
    "the last record before a footer gone": Case(edited(3, 2, "deleted"), holes=[(6, 6)], records=17),
    "the first block gone": Case(without(1), holes=[(1, 3)], records=15),
    "a block between others gone": Case(without(7), holes=[(7, 9)], records=15),
    "a record between blocks gone": Case(edited(7, 2, "deleted"), holes=[(9, 9)], records=17),
    "the last block gone": Case(without(14), holes=[(16, 18)], records=15),
    "the last block gone, and the head": Case(without(14), records=15, head=False),
    "a record changed": Case(edited(1, 1, "changed"), [(1, BROKEN)], intact=False),
    "a record changed, before the footer": Case(edited(3, 1, "changed"), [(3, BROKEN)], intact=False),
    "a record changed, in the block before the last": Case(edited(13, 0, "changed"), [(13, BROKEN)], intact=False),
    "a record changed, in the last block": Case(edited(14, 0, "changed"), [(14, BROKEN)], intact=False),
    "a block with another link": Case(changed(3, previous=STRANGE), [(3, BROKEN)], intact=False),
    "the last block with another link": Case(changed(14, previous=STRANGE), [(14, BROKEN)], intact=False),
    "a record changed, in the block before the last, and no head": Case(
        edited(13, 0, "changed"), [(13, BROKEN)], intact=False, head=False
    ),
    "the first header with another link": Case(changed(0, previous=STRANGE), [(0, BROKEN)], intact=False),
    "another beginning": Case(another_beginning, [(1, BROKEN)], intact=False),
    "a cursor with another link": Case(changed(2, previous=STRANGE), [(2, BROKEN)], intact=False),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_what_verify_says_of_frames_changed(journal: str, name: str) -> None:
    case = CASES[name]
    ids = {0: GENESIS.hex(), **{stored.seq: stored.id.hex() for stored in records(journal)}}
    hand = Hand(journal)
    places = case.edit(hand)
    hand.put(places)
    if len(places) == len(hand.places):
        head_at_the_end(journal)
    if not case.head:
        os.unlink(os.path.join(journal, "head"))
    report = verify(journal)
    assert list(report.damaged) == [
        place if isinstance(place, Damage) else located(places, *place) for place in case.damaged
    ]
    assert [(hole.first_seq, hole.last_seq) for hole in report.holes] == list(case.holes)
    assert [hole.before for hole in report.holes] == [ids[first - 1] for first, _ in case.holes]
    if name != "a footer with another link, its last block gone":
        assert [hole.after for hole in report.holes] == [ids[last] for _, last in case.holes]
    assert report.chain_intact is case.intact
    assert report.records == case.records
    assert report.is_clean is not (bool(case.damaged) or bool(case.holes) or not case.intact)
    assert report.head_seq == (15 if not case.head and case.records == 15 else report.head_seq)
    assert (report.torn_tail, report.mended, report.archived) == (None, (), ())


def head_at_the_end(journal: str) -> None:
    """A record changed can make its block a byte shorter, once in some hundred: that is not what is judged here."""
    hint = identity.read_head(journal)
    assert hint is not None
    identity.write_head(journal, hint._replace(end=len(segment_bytes(journal)[hint.segment])))


def located(places: Places, number: int | str, kind: str) -> Damage:
    if isinstance(number, str):
        return Damage(number, sum(place.frame.length for place in places if place.segment == number), 0, kind)
    segment, frame = places[number]
    offset = sum(place.frame.length for place in places[:number] if place.segment == segment)
    return Damage(segment, offset, frame.length, kind)


# Bytes


def test_a_damaged_footer_is_one_finding(journal: str) -> None:
    footer = frames(journal)[4]
    data = bytearray(segment_bytes(journal)[ONE])
    data[footer.offset + 3] ^= 16
    put(journal, ONE, bytes(data))
    report = verify(journal)
    assert report.damaged == (Damage(ONE, footer.offset, 80, "bad-magic", at_end=True),)
    assert report.holes == ()


def test_the_head_tells_what_was_there(journal: str) -> None:
    true = records(journal)
    hint = identity.read_head(journal)
    assert hint is not None
    identity.write_head(journal, hint._replace(seq=20, id=b"\5" * 32))
    report = verify(journal)
    assert report.holes == (Hole(19, 20, true[-1].id.hex(), (b"\5" * 32).hex()),)
    assert (report.head_seq, report.chain_intact, report.damaged) == (18, True, ())
    identity.write_head(journal, hint._replace(seq=15, id=true[14].id))
    assert verify(journal).is_clean
    assert verify(journal).head_id == true[-1].id.hex()
    identity.write_head(journal, hint._replace(seq=15, id=b"\5" * 32))
    report = verify(journal)
    assert (report.chain_intact, report.is_clean, report.damaged, report.holes) == (False, False, (), ())


def test_a_hole_of_one_that_the_head_tells(journal: str) -> None:
    hint = identity.read_head(journal)
    assert hint is not None
    identity.write_head(journal, hint._replace(seq=19, id=b"\5" * 32))
    assert [(hole.first_seq, hole.last_seq) for hole in verify(journal).holes] == [(19, 19)]


@pytest.mark.parametrize("length", [1, 63, 70])
def test_a_torn_tail_is_told_and_no_finding(journal: str, length: int) -> None:
    size = len(segment_bytes(journal)[THREE])
    block = frames(journal)[14]
    data = segment_bytes(journal)[THREE]
    put(journal, THREE, data + data[block.offset : block.offset + length])
    report = verify(journal)
    assert report.torn_tail == Damage(THREE, size, length, "torn-tail", at_end=True)
    assert report.is_clean
    assert report.to_json()["torn_tail"] == {"segment": THREE, "offset": size, "length": length, "kind": "torn-tail"}


def test_a_tail_that_was_reported_is_damage(journal: str) -> None:
    block = frames(journal)[14]
    put(journal, THREE, segment_bytes(journal)[THREE][: block.end - 3])
    report = verify(journal)
    assert report.torn_tail is None
    assert report.damaged == (Damage(THREE, block.offset, block.frame.length - 3, "torn-tail", at_end=True),)
    os.unlink(os.path.join(journal, "head"))
    report = verify(journal)
    assert report.torn_tail == Damage(THREE, block.offset, block.frame.length - 3, "torn-tail", at_end=True)
    assert report.damaged == ()


def test_a_torn_tail_of_an_older_segment_is_damage(journal: str) -> None:
    footer = frames(journal)[4]
    put(journal, ONE, segment_bytes(journal)[ONE][: footer.offset + 70])
    report = verify(journal)
    assert report.torn_tail is None
    assert report.damaged == (Damage(ONE, footer.offset, 70, "torn-tail", at_end=True),)


def test_damage_that_is_no_torn_tail_stays_damage(journal: str) -> None:
    size = len(segment_bytes(journal)[THREE])
    put(journal, THREE, segment_bytes(journal)[THREE] + b"x" * 700)
    report = verify(journal)
    assert report.torn_tail is None
    assert report.damaged == (Damage(THREE, size, 700, "bad-magic", at_end=True),)


@pytest.mark.parametrize("data", [b"", format.MAGIC[:5]])
def test_a_newest_segment_that_was_just_begun(journal: str, data: bytes) -> None:
    """The head is of the one before it: what it says of an end is not said of this one."""
    own = identity.read(journal)
    assert own is not None
    hand = Hand(journal)
    true = records(journal)
    sealed = format.footer_frame(6, Seq(13), Seq(18), ChainId(true[-1].id))
    put(journal, THREE, hand.before[THREE] + format.pack_frame(sealed, own.journal))
    put(journal, "00000004.seg", data)
    report = verify(journal)
    assert report.damaged == ()
    assert report.torn_tail == (Damage("00000004.seg", 0, 5, "torn-tail", at_end=True) if data else None)
    assert report.segments == 4


def test_an_end_that_was_reported_and_is_gone_with_its_records_is_a_hole_alone(journal: str) -> None:
    block = frames(journal)[14]
    os.truncate(os.path.join(journal, THREE), block.offset)
    report = verify(journal)
    assert [(hole.first_seq, hole.last_seq) for hole in report.holes] == [(16, 18)]
    assert report.damaged == ()


def test_an_end_that_is_as_it_was_reported_is_sound(journal: str) -> None:
    hint = identity.read_head(journal)
    assert hint is not None
    assert hint.end == len(segment_bytes(journal)[THREE])
    identity.write_head(journal, hint._replace(end=hint.end + 1))
    assert verify(journal).damaged == (Damage(THREE, hint.end, 1, "cut-short"),)
    identity.write_head(journal, hint._replace(end=hint.end + 1, segment=TWO))
    assert verify(journal).is_clean
