"""Every bit of every segment flipped, every segment cut at every byte: nothing silent, no false record."""

from __future__ import annotations

from pathlib import Path

import pytest
from reliability import Tally

from journal.making import small
from journal.mutants import Trial, cut, flip_bits


@pytest.fixture(scope="module")
def bounded(fast: Path) -> Trial:
    """Three segments of which each byte can be tried in seconds."""
    return trial_of(small(fast / "bounded", 30, target=380, group=5, short=True))


@pytest.fixture(scope="module")
def full(fast: Path) -> Trial:
    return trial_of(small(fast / "full", 1600, target=24_000, group=23))


def trial_of(journal: str) -> Trial:
    trial = Trial(journal)
    assert len(trial.names) == 3
    return trial


@pytest.mark.parametrize("number", range(3))
def test_each_flipped_bit_is_found_and_makes_no_false_record(bounded: Trial, number: int, tally: Tally) -> None:
    flip_bits(bounded, bounded.names[number], tally)
    tally.check()
    assert tally.cases == 8 * len(bounded.data[bounded.names[number]]) > 8 * 300


@pytest.mark.full
@pytest.mark.parametrize("number", range(3))
def test_each_flipped_bit_of_a_larger_journal(full: Trial, number: int, tally: Tally) -> None:
    flip_bits(full, full.names[number], tally)
    tally.check()


@pytest.mark.parametrize("with_rest", [False, True], ids=["alone", "with the rest"])
@pytest.mark.parametrize("number", range(3))
def test_a_segment_cut_anywhere(bounded: Trial, number: int, with_rest: bool, tally: Tally) -> None:
    cut(bounded, bounded.names[number], tally, with_rest=with_rest)
    tally.check()


@pytest.mark.full
@pytest.mark.parametrize("with_rest", [False, True], ids=["alone", "with the rest"])
@pytest.mark.parametrize("number", range(3))
def test_a_larger_segment_cut_anywhere(full: Trial, number: int, with_rest: bool, tally: Tally) -> None:
    assert len(full.true) >= 200
    cut(full, full.names[number], tally, with_rest=with_rest)
    tally.check()
