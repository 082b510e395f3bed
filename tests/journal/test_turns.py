"""Frames ahead of their place cost themselves, and no record that nothing touched."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from second_reader import in_turn as in_turn_again
from second_reader import read as read_again

from journal.making import append, frames, put, records, segment_bytes, small
from journal.tampering import Hand, Place
from mgit_hooks.journal import reader, repair
from mgit_hooks.journal.format import BLOCK, CURSOR, FOOTER, GENESIS, SEGMENT, Frame, footer_frame
from mgit_hooks.journal.segment import Damage, Located, segment_names
from mgit_hooks.journal.turns import After, Span, in_turn
from mgit_hooks.journal.verify import verify
from mgit_hooks.record import Seq


@pytest.fixture
def journal(tmp_path: Path) -> str:
    return small(tmp_path, 60, target=1500)


def test_a_stretch_written_to_a_wrong_place_costs_what_it_covers(journal: str) -> None:
    """As a disk may do: bytes of a later place, whole frames among them, over those of an earlier one."""
    true = records(journal)
    segments = segment_bytes(journal)
    name, later = segment_names(journal)[0], segment_names(journal)[2]
    data = segments[name]
    items = frames(journal, name)
    blocks = [item for item in items if item.frame.kind == BLOCK]
    for source in (segments[later], data[blocks[-2].offset :]):
        for item in items[1:-6]:
            piece = source[: min(len(source), 400)]
            end = item.offset + len(piece)
            put(journal, name, data[: item.offset] + piece + data[end:])
            gone = {
                seq
                for each in blocks
                if each.offset < end and item.offset < each.end
                for seq in range(each.frame.first_seq, each.frame.first_seq + each.frame.records)
            }
            assert {stored.seq for stored in records(journal)} >= {stored.seq for stored in true} - gone
            assert set(records(journal)) <= set(true)
            assert read_again(journal) == [(stored.seq, stored.id.hex(), stored.payload) for stored in records(journal)]
            assert not verify(journal).is_clean


def test_a_segment_over_another_costs_only_that_one(journal: str) -> None:
    true = records(journal)
    names, segments = segment_names(journal), segment_bytes(journal)
    own = {item.frame.first_seq: item.frame.records for item in frames(journal, names[0]) if item.frame.kind == BLOCK}
    put(journal, names[0], segments[names[-1]])
    left = [stored for stored in true if stored.seq > max(own) + own[max(own)] - 1]
    assert records(journal) == left
    report = verify(journal)
    assert {damage.kind for damage in report.damaged} == {"out-of-turn"}
    assert [(hole.first_seq, hole.last_seq) for hole in report.holes] == [(1, left[0].seq - 1)]
    repair.mend(journal, dry_run=False)
    assert records(journal) == left
    assert verify(journal).damaged == ()


@pytest.mark.parametrize("is_gone", [True, False])
def test_a_block_in_the_place_of_the_next_segments_header_costs_that_block(journal: str, is_gone: bool) -> None:
    """Swapped with the header, or a copy written over it while another block's bytes are lost.

    Nothing is left there that says where that segment begins but its blocks, and the first is the stray one.
    """
    true = [(stored.seq, stored.id.hex(), stored.payload) for stored in records(journal)]
    hand = Hand(journal)
    headers = [at for at, place in enumerate(hand.places) if place.frame.kind == SEGMENT]
    tried = set()
    for header in headers[1:]:
        own = [at for at in hand.blocks() if at < header and hand.places[at].segment == hand.places[header - 1].segment]
        for at in own[:-1]:  # the last two of a segment may be as many records: nothing says which is in turn
            if sum(hand.places[each].frame.records for each in own if each > at) <= hand.places[at].frame.records:
                continue
            places = list(hand.places)
            places[header] = Place(places[header].segment, hand.places[at].frame)
            places[at] = Place(places[at].segment, hand.places[header].frame)
            if is_gone:
                del places[at]
            hand.put(places)
            frame = hand.places[at].frame
            left = [each for each in true if each[0] not in range(frame.first_seq, frame.first_seq + frame.records)]
            assert [(stored.seq, stored.id.hex(), stored.payload) for stored in records(journal)] == left
            assert read_again(journal) == left
            assert not verify(journal).is_clean
            tried.add(header)
    assert tried == set(headers[1:])


def test_a_copied_frame_at_the_end_is_not_gone_on_from(tmp_path: Path) -> None:
    journal = small(tmp_path, 30, target=4000)
    name = segment_names(journal)[-1]
    data = segment_bytes(journal)[name]
    cursor = reader.last_cursor(journal)
    head = Path(journal, "head").read_bytes()
    for item in frames(journal, name)[1:]:
        for without_head in (False, True):
            put(journal, name, data + data[item.offset : item.end])
            put(journal, "head", head)
            if without_head:
                os.unlink(os.path.join(journal, "head"))
            assert reader.last_cursor(journal) == cursor
            (done,) = append(journal, [b"new"])
            assert done.seq == 31
            assert records(journal)[-1].payload == b"new"
            assert {damage.kind for damage in verify(journal).damaged} <= {"duplicate"}


def test_a_sealed_segment_stays_sealed_whatever_stands_behind(tmp_path: Path) -> None:
    journal = small(tmp_path, 30, target=1000)
    name = segment_names(journal)[0]
    block = next(item for item in frames(journal, name) if item.frame.kind == BLOCK)
    data = segment_bytes(journal)[name]
    for other in segment_names(journal)[1:]:
        os.unlink(os.path.join(journal, other))
    os.unlink(os.path.join(journal, "head"))
    put(journal, name, data + data[block.offset : block.end])
    left = records(journal)
    (done,) = append(journal, [b"new"])
    assert (done.seq, done.segment) == (left[-1].seq + 1, "00000002.seg")
    assert [damage.kind for damage in verify(journal).damaged] == ["after-footer"]


def located(kind: int, first: int, count: int, offset: int) -> Located:
    if kind == FOOTER:
        return Located("00000001.seg", offset, footer_frame(0, Seq(first), Seq(first - 1), GENESIS))
    return Located("00000001.seg", offset, Frame(kind, 0, count, 0, Seq(first), GENESIS, b""))


_ITEMS = st.lists(
    st.tuples(st.sampled_from([BLOCK, BLOCK, BLOCK, CURSOR, FOOTER]), st.integers(1, 12), st.integers(1, 4)), max_size=9
)


@settings(max_examples=400, deadline=None)
@given(_ITEMS, st.lists(st.tuples(st.integers(1, 12), st.integers(1, 4)), max_size=4), st.none() | st.integers(1, 14))
@example([(BLOCK, 5, 4), (BLOCK, 1, 4)], [], None)
@example([(BLOCK, 9, 4), (BLOCK, 1, 4)], [], 9)
@example([(BLOCK, 5, 4), (BLOCK, 9, 4)], [(1, 4), (13, 1)], None)
def test_both_readers_choose_the_same_frames(
    made: list[tuple[int, int, int]], following: list[tuple[int, int]], limit: int | None
) -> None:
    items = [
        located(kind, first, count if kind == BLOCK else 0, 100 * place)
        for place, (kind, first, count) in enumerate(made, 1)
    ]
    spans = [(first, first + (count if kind == BLOCK else 0)) for kind, first, count in made]
    along = [(first, first + count) for first, count in following]
    after = After([Span(*one) for one in along], limit)
    given_back = list(in_turn(iter(items), 1, lambda *_: after))
    assert [item.offset for item in given_back] == [item.offset for item in items]
    out = {place for place, item in enumerate(given_back) if isinstance(item, Damage)}
    assert out == in_turn_again(list(spans), 1, lambda expected: (along, limit))[0]
    if limit is None and not along:  # no frame is left out but for as many records or more
        left = [one for place, one in enumerate(spans) if place not in out]
        assert sum(b - a for a, b in read(left)) >= sum(b - a for a, b in read(spans))


def read(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """What who takes every frame that is not below the last one gives out."""
    expected, given_out = 1, []
    for one in spans:
        if one[0] >= expected:
            given_out.append(one)
            expected = one[1]
    return given_out


def test_a_journal_with_all_in_turn_is_given_as_it_is_and_asks_for_nothing(journal: str) -> None:
    items = list(reader.frames(journal))
    assert list(in_turn(iter(items), 1, lambda *_: 1 // 0)) == items


def test_a_segment_of_many_frames_is_judged_in_time() -> None:
    dice = random.Random(5)
    items = [located(BLOCK, dice.randrange(2, 10**6), dice.randrange(1, 64), 100 * place) for place in range(1, 8000)]
    assert len(list(in_turn(iter(items), 1, lambda *_: After()))) == len(items)
