"""Bad sectors: zeros, 0xFF or noise over the bytes at every boundary, or put between them."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import pytest
from reliability import Tally

from journal.making import append, segment_bytes
from journal.mutants import Trial, bad_sectors, boundaries
from mgit_hooks import compress
from mgit_hooks.journal import segment, writer
from mgit_hooks.journal.blockformat import Entry, block_frame
from mgit_hooks.journal.format import BLOCK, ChainId, Cursor, Frame
from mgit_hooks.record import Seq

FILLS = ("zeros", "ones", "noise")
SIZES = (64, 512, 4096)


def filled(fill: str, size: int) -> bytes:
    return {"zeros": bytes(size), "ones": b"\xff" * size, "noise": random.Random(size).randbytes(size)}[fill]


def as_it_is(entries: Sequence[Entry], first_seq: Seq, previous: ChainId, cursor: Cursor | None, codec: int) -> Frame:
    return block_frame(entries, first_seq, previous, cursor, compress.NONE)


def trial_of(place: Path, count: int, target: int) -> Trial:
    """Three segments; of every two blocks one is compressed and one is not, so that its records' boundaries show."""
    journal = str(place / "mgit" / "journal")
    dice = random.Random(count)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(writer, "SEGMENT_TARGET", target)
        for number in range(0, count, 5):
            patch.setattr(writer, "block_frame", as_it_is if number % 2 else block_frame)
            made = [dice.randbytes(40) if number % 2 else b"again and again " * 3 for _ in range(5)]
            append(journal, made, Cursor(1, number) if number % 3 else None)
    trial = Trial(journal, sample=50)
    blocks = [item.frame.codec for name in trial.names for item in trial.frames(name) if item.frame.kind == BLOCK]
    assert {compress.NONE, compress.SNAPPY} == set(blocks)
    assert len(trial.names) == 3
    return trial


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("fill", FILLS)
def test_bad_sectors_cost_the_blocks_that_they_touched(tmp_path: Path, fill: str, size: int, tally: Tally) -> None:
    trial = trial_of(tmp_path, 40, 800)
    for name in trial.names:
        bad_sectors(trial, name, tally, size, filled(fill, size), step=2)
    tally.check()
    assert tally.cases > 30


@pytest.mark.full
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("fill", FILLS)
def test_bad_sectors_at_every_record(fast: Path, fill: str, size: int, tally: Tally) -> None:
    trial = trial_of(fast / f"{fill}{size}", 300, 8500)
    assert sum(len(boundaries(trial, name)) for name in trial.names) > 200
    for name in trial.names:
        bad_sectors(trial, name, tally, size, filled(fill, size))
    tally.check()
    assert {name: segment_bytes(trial.journal)[name] for name in trial.names} == trial.data


def test_boundaries_are_those_of_the_records(tmp_path: Path) -> None:
    """Each record that is stored as it is begins with its length, and ends where the next boundary is."""
    trial = trial_of(tmp_path, 40, 800)
    for name in trial.names:
        places = boundaries(trial, name)
        for item in trial.frames(name):
            if item.frame.kind == BLOCK and item.frame.codec == compress.NONE:
                inside = [at for at in places if item.offset < at < item.end]
                assert [trial.data[name][at : at + 4] for at in inside] == [(40).to_bytes(4, "little")] * 5
                assert [b - a for a, b in zip(inside, [*inside[1:], item.end], strict=True)] == [61] * 5


def test_a_scan_that_gives_up_after_a_whole_sector_is_caught(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trial = trial_of(tmp_path, 40, 800)
    real = segment._Segment.resync

    def resync(self, start, journals):  # type: ignore[no-untyped-def]
        found = real(self, start, journals)
        return None if found is None or found > start + 512 else found

    monkeypatch.setattr(segment._Segment, "resync", resync)
    tally = Tally()
    bad_sectors(trial, trial.names[0], tally, 4096, bytes(4096), step=4)
    assert tally.lost
