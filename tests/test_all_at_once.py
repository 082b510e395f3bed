"""git and every command at the same time, killed at random: nothing is lost, doubled, left over or left waiting."""

from __future__ import annotations

from pathlib import Path

import pytest
from reliability import Tally
from storm import Storm

from mgit_hooks.journal.segment import segment_names


def test_a_short_storm(tmp_path: Path) -> None:
    storm = Storm(tmp_path, 1, kills=0.3)
    storm.rage(3.0, commanders=2)
    storm.settle()
    assert storm.faults == []
    assert storm.done["verify 0"] >= 2


def test_the_storm_sees_a_record_that_is_gone(tmp_path: Path) -> None:
    storm = Storm(tmp_path, 2, kills=0.0)
    storm.must("compact", "--all")
    journal_dir = Path(storm.location.journal_dir)
    (journal_dir / segment_names(str(journal_dir))[0]).unlink()
    storm.settle()
    assert any("kills have cost records" in fault for fault in storm.faults)
    assert any(fault.startswith("missing: [1, ") for fault in storm.faults)


@pytest.mark.full
@pytest.mark.parametrize("seed", range(4))
def test_storms(tmp_path: Path, seed: int, tally: Tally) -> None:
    storm = Storm(tmp_path, seed, kills=0.3)
    for _ in range(3):
        storm.rage(50.0)
        storm.settle()
        tally.cases = storm.cases
        assert storm.faults == []
