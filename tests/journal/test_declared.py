"""What verify makes of the records that speak about the journal, and of the ids that it is asked for."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from journal.making import append, eighteen, records
from journal.tampering import EDITS, Hand
from mgit_hooks.journal import erasemark
from mgit_hooks.journal.blockformat import Entry
from mgit_hooks.journal.format import GENESIS
from mgit_hooks.journal.verify import verify


@pytest.fixture
def journal(tmp_path: Path) -> str:
    return eighteen(tmp_path)


def take_out(journal: str, *numbers: int) -> None:
    hand = Hand(journal)
    hand.put([place for number, place in enumerate(hand.places) if number not in numbers])


def declare(journal: str, event: str, **detail: Any) -> None:
    append(journal, [json.dumps({"event": event, "detail": detail}, separators=(",", ":")).encode()])


def erase(journal: str, number: int, at: int) -> None:
    def gone(entries: list[Entry], at: int) -> list[Entry]:
        return [*entries[:at], entries[at]._replace(payload=None, salt=None), *entries[at + 1 :]]

    hand = Hand(journal)
    places = hand.edited(number, at, gone, 0)
    assert places is not None
    hand.put(places)


def test_an_erased_record_is_declared_or_a_finding(journal: str) -> None:
    erase(journal, 7, 1)
    erase(journal, 3, 0)
    report = verify(journal)
    assert (report.erased, report.undeclared, report.unerased, report.is_clean) == (2, (4, 8), (), False)
    assert (report.damaged, report.chain_intact) == ((), True)
    declare(journal, "erase", erased=[{"seq": 8, "id": "", "commit": None}])
    report = verify(journal)
    assert (report.erased, report.undeclared, report.unerased, report.is_clean) == (2, (4,), (), False)
    declare(journal, "repair", holes=[], erased=[{"seq": 4}])
    report = verify(journal)
    assert (report.erased, report.undeclared, report.unerased, report.is_clean) == (2, (), (), True)


def test_a_record_that_was_to_be_erased_and_is_there_is_a_finding(journal: str) -> None:
    declare(journal, "erase", erased=[{"seq": 9}, {"seq": 2}])
    report = verify(journal)
    assert (report.erased, report.undeclared, report.unerased, report.is_clean) == (0, (), (2, 9), False)


def test_what_is_not_there_is_not_to_be_erased(journal: str) -> None:
    declare(journal, "erase", erased=[{"seq": 7}, {"seq": 8}, {"seq": 9}, {"seq": 20}, {"seq": 99}])
    take_out(journal, 7)
    report = verify(journal)
    assert [(hole.first_seq, hole.last_seq) for hole in report.holes] == [(7, 9)]
    assert report.unerased == ()


def test_beside_a_hole_what_is_there_is_to_be_erased(journal: str) -> None:
    declare(journal, "erase", erased=[{"seq": 6}, {"seq": 10}, {"seq": 19}])
    take_out(journal, 7)
    assert verify(journal).unerased == (6, 10, 19)


def test_an_erasure_that_is_not_ended_is_a_finding(journal: str) -> None:
    erasemark.begin(journal, {5: "", 3: ""})
    assert verify(journal).unerased == (3, 5)
    erasemark.end(journal)
    assert verify(journal).is_clean


def test_a_mark_that_cannot_be_read_makes_every_erasure_one_that_is_not_ended(journal: str) -> None:
    erase(journal, 7, 1)
    declare(journal, "erase", erased=[{"seq": 8}])
    assert verify(journal).unerased == ()
    Path(f"{journal}.erasing").write_bytes(b"no mark")
    assert verify(journal).unerased == (8,)


def test_an_archived_beginning_is_told_apart(journal: str) -> None:
    take_out(journal, 1)
    (hole,) = verify(journal).holes
    declare(journal, "checkpoint", archived=[hole.to_json()])
    report = verify(journal)
    assert (report.archived, report.holes, report.mended, report.is_clean) == ((hole,), (), (), True)
    declare(journal, "repair", holes=[hole.to_json()])
    report = verify(journal)
    assert (report.archived, report.holes, report.mended, report.is_clean) == ((), (), (hole,), True)


@pytest.mark.parametrize("event", ["repair", "checkpoint", "erase"])
def test_all_that_a_record_declares_counts(journal: str, event: str) -> None:
    take_out(journal, 1, 7)
    first, second = (hole.to_json() for hole in verify(journal).holes)
    erase(journal, 2, 0)  # record 4: two frames fewer
    declare(journal, event, holes=[second], archived=[first], erased=[{"seq": 4}])
    report = verify(journal)
    assert [hole.to_json() for hole in report.mended] == [second]
    assert [hole.to_json() for hole in report.archived] == [first]
    assert (report.erased, report.undeclared, report.unerased, report.is_clean) == (1, (), (), True)


def test_a_record_of_another_event_declares_nothing(journal: str) -> None:
    declare(journal, "commit", erased=[{"seq": 2}])
    assert verify(journal).is_clean


# Ids that are asked for


def test_the_ids_that_are_asked_for(journal: str) -> None:
    ids = {stored.seq: stored.id.hex() for stored in records(journal)}
    asked = {1, 2, 3, 4, 9, 10, 17, 18}
    assert verify(journal, asked).watched == {seq: ids[seq] for seq in asked}
    assert verify(journal, {99}).watched == {18: ids[18]}  # the head's own
    assert verify(journal).watched == {18: ids[18]}
    os.unlink(os.path.join(journal, "head"))
    assert verify(journal).watched == {}
    assert verify(journal, {3}).watched == {3: ids[3]}


def test_of_a_hole_the_ids_that_adjoin_it_are_known(journal: str) -> None:
    ids = {0: GENESIS.hex(), **{stored.seq: stored.id.hex() for stored in records(journal)}}
    take_out(journal, 1, 7)
    watched = verify(journal, set(range(14))).watched
    assert watched == {seq: ids[seq] for seq in (0, 3, 4, 5, 6, 9, 10, 11, 12, 13, 18)}
    assert verify(journal, {0}).watched == {0: ids[0], 18: ids[18]}
    assert verify(journal, {2, 8}).watched == {18: ids[18]}


def test_an_id_that_was_read_goes_before_what_a_hole_says_of_it(journal: str) -> None:
    """Record 6 is changed, and the block behind it gone: its id is that of what is there."""
    true = records(journal)
    hand = Hand(journal)
    places = hand.edited(3, 2, EDITS["changed"], 0)
    assert places is not None
    hand.put([place for number, place in enumerate(places) if number not in (4, 5, 6, 7)])
    report = verify(journal, {6})
    (hole,) = report.holes
    assert (hole.first_seq, hole.last_seq) == (7, 9)
    assert report.watched[6] == hole.before != true[5].id.hex()
