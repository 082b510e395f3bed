"""Compacted segments under the same damage as those that were appended: nothing silent, no false record."""

from __future__ import annotations

from pathlib import Path

import pytest
from reliability import Tally

from journal.making import frames, records, small
from journal.mutants import Trial, cut, flip_bits
from journal.test_compaction import compact
from mgit_hooks import compress
from mgit_hooks.journal.format import BLOCK, MASKED


@pytest.fixture(scope="module")
def bounded(fast: Path) -> Trial:
    return trial_of(small(fast / "bounded", 48, target=500, group=8))


@pytest.fixture(scope="module")
def full(fast: Path) -> Trial:
    return trial_of(small(fast / "full", 1600, target=24_000, group=23))


def trial_of(journal: str) -> Trial:
    """Of which every segment but the newest is compacted."""
    before = records(journal)
    assert len(compact(journal).done) >= 2
    assert records(journal) == before
    trial = Trial(journal)
    blocks = [item.frame for name in trial.names[:-1] for item in frames(journal, name) if item.frame.kind == BLOCK]
    assert {frame.codec & ~MASKED for frame in blocks} == {compress.ZSTD}
    return trial


@pytest.mark.parametrize("number", range(2))
def test_each_flipped_bit_is_found_and_makes_no_false_record(bounded: Trial, number: int, tally: Tally) -> None:
    flip_bits(bounded, bounded.names[number], tally)
    tally.check()
    assert tally.cases == 8 * len(bounded.data[bounded.names[number]]) > 8 * 300


@pytest.mark.full
def test_each_flipped_bit_of_a_larger_journal(full: Trial, tally: Tally) -> None:
    for name in full.names[:-1]:
        flip_bits(full, name, tally)
    tally.check()


@pytest.mark.parametrize("with_rest", [False, True], ids=["alone", "with the rest"])
def test_a_segment_cut_anywhere(bounded: Trial, with_rest: bool, tally: Tally) -> None:
    cut(bounded, bounded.names[1], tally, with_rest=with_rest)
    tally.check()


@pytest.mark.full
@pytest.mark.parametrize("with_rest", [False, True], ids=["alone", "with the rest"])
def test_a_larger_segment_cut_anywhere(full: Trial, with_rest: bool, tally: Tally) -> None:
    for name in full.names[:-1]:
        cut(full, name, tally, with_rest=with_rest)
    tally.check()
