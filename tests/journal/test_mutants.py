"""What the families of test_every_byte.py rest on: their short way gives what the long one gives, and bugs are seen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from reliability import Tally

from journal.making import small
from journal.mutants import Trial, cut, flip_bits
from mgit_hooks.journal import format, identity, segment
from mgit_hooks.journal import verify as verify_module
from mgit_hooks.journal.format import HEADER_LENGTH, FormatError, Frame, JournalId, unpack_frame


class Both(Trial):
    """Asks the whole journal each time, and holds the short way to it."""

    def judge(self, name: str, start: int, end: int, gone: Sequence[str] = ()):  # type: ignore[no-untyped-def]
        short = super().judge(name, start, end, gone)
        assert short == self.ask({name: (start, end), **{other: (0, len(self.data[other])) for other in gone}})
        return short


def every_change(trial: Trial, *, step: int = 1) -> Tally:
    tally = Tally()
    for name in trial.names:
        flip_bits(trial, name, tally, step=step)
        cut(trial, name, tally)
        cut(trial, name, tally, with_rest=True)
    return tally


def repeated(times: int, call: Callable[[], object]) -> None:
    for _ in range(times):
        call()


def tiny(place: Path) -> str:
    return small(place, 9, target=200, group=3, short=True)


def test_the_short_way_gives_what_the_whole_journal_gives(fast: Path) -> None:
    trial = Both(tiny(fast / "both"), sample=10**9)
    assert len(trial.names) == 3
    every_change(trial, step=9).check()


@pytest.mark.full
def test_the_short_way_gives_what_the_whole_journal_gives_for_every_bit(fast: Path, tally: Tally) -> None:
    done = every_change(Both(tiny(fast / "all"), sample=10**9))
    tally.cases, tally.silent, tally.lost, tally.false = done.cases, done.silent, done.lost, done.false
    tally.check()


def test_the_short_way_is_short(fast: Path) -> None:
    trial = Trial(small(fast / "short", 60, target=2500))
    tally = every_change(trial, step=20)
    tally.check()
    assert tally.cases > 5 * trial.asked


def test_a_way_that_is_wrong_is_told(fast: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where verify says yes or no by more than what a scan gives, the sample finds it."""
    trial = Trial(tiny(fast / "wrong"), sample=2)
    name = trial.names[0]
    block = trial.frames(name)[1]
    monkeypatch.setattr(Trial, "_outcome", lambda *_: ())
    path = Path(trial.journal, name)
    path.write_bytes(trial.data[name][: block.end - 1] + trial.data[name][block.end :])
    assert not trial.judge(name, block.offset, block.end).silent
    path.write_bytes(trial.data[name])
    with pytest.raises(AssertionError, match="the short way is wrong"):
        repeated(100, lambda: trial.judge(name, block.offset, block.end))


# Planted bugs


def careless_checksum(data: bytes | memoryview, offset: int, journals: Sequence[JournalId]) -> Frame:
    """Holds a frame whatever one bit of its last byte is."""
    try:
        return unpack_frame(data, offset, journals)
    except FormatError as error:
        length = format.declared_length(data, offset)
        if error.kind != "bad-checksum" or length <= HEADER_LENGTH:
            raise
        for bit in range(8):
            whole = bytearray(data[: offset + length])
            whole[-1] ^= 1 << bit
            try:
                return unpack_frame(bytes(whole), offset, journals)
            except FormatError:
                continue
        raise


def test_a_checksum_that_leaves_out_the_last_byte_is_caught(fast: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trial = Trial(tiny(fast / "careless"))
    monkeypatch.setattr(segment, "unpack_frame", careless_checksum)
    tally = Tally()
    flip_bits(trial, trial.names[1], tally)
    with pytest.raises(AssertionError, match="silent"):
        tally.check()
    ends = {item.end - 1 for item in trial.frames(trial.names[1])}
    assert len(tally.silent) == 8 * len(ends)


def test_a_scan_that_stops_at_the_first_damage_is_caught(fast: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trial = Trial(small(fast / "stops", 12, target=500, group=3, short=True))
    monkeypatch.setattr(segment._Segment, "resync", lambda *_: None)
    tally = Tally()
    flip_bits(trial, trial.names[0], tally, step=7)
    assert tally.lost


def test_a_verify_that_does_not_ask_the_head_is_caught(fast: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trial = Trial(tiny(fast / "headless"))
    monkeypatch.setattr(identity, "read_head", lambda _: None)
    tally = Tally()
    cut(trial, trial.names[-1], tally)
    assert tally.silent


def test_a_verify_that_takes_each_cut_for_an_end_is_caught(fast: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trial = Trial(small(fast / "torn", 4, group=4))  # a block, then a cursor frame
    monkeypatch.setattr(verify_module, "_end_of_file", lambda *_: None)
    tally = Tally()
    cut(trial, trial.names[-1], tally)
    assert tally.silent
