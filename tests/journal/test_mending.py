"""Repair over wounds of every kind: what was whole stays, it may be killed anywhere, and run again it does nothing."""

from __future__ import annotations

import os
import random
import shutil
from pathlib import Path
from typing import Any

import pytest
from kills import killed_at
from reliability import Tally

from journal.making import adopted, append, frames, is_subsequence, put, records, segment_bytes, small
from journal.mending import in_quarantine, mended
from mgit_hooks.compress import ZSTD
from mgit_hooks.errors import JournalError, LaterFormatError
from mgit_hooks.journal import blockformat, findings, format, identity, repair, segment, swap, writer
from mgit_hooks.journal.format import BLOCK, FOOTER, SEGMENT, pack_frame
from mgit_hooks.journal.reader import Stored, journal_ids
from mgit_hooks.journal.segment import Located, scan, segment_names
from mgit_hooks.journal.verify import verify

WOUNDS = (
    "noise",
    "noise",
    "cut",
    "closed up",
    "gone",
    "moved",
    "doubled",
    "swapped",
    "put over",
    "head gone",
    "identity gone",
)


class Patient:
    """A journal of several segments that is made whole again before each wound."""

    def __init__(self, place: Path, seed: int) -> None:
        self.dice = random.Random(seed)
        with pytest.MonkeyPatch.context() as patch:  # salts and ids too, so that a seed gives the same wounds again
            patch.setattr(os, "urandom", random.Random(seed).randbytes)
            self.journal = small(place, 40, target=900)
        self._kept = {path.name: path.read_bytes() for path in Path(self.journal).iterdir()}
        self._frames = frames(self.journal)

    def heal(self) -> None:
        shutil.rmtree(Path(self.journal).parent / "quarantine", ignore_errors=True)
        for extra in set(os.listdir(self.journal)) - self._kept.keys():
            os.unlink(os.path.join(self.journal, extra))
        for name, data in self._kept.items():
            put(self.journal, name, data)
        own = identity.read(self.journal)
        assert own is not None
        identity.write(self.journal, own.journal)  # at home, whatever inode it has

    def wound(self) -> list[str]:
        """One wound to three; a segment put over another is alone.

        Where the next segment's header is gone as well, nothing says that it is not in its place.
        """
        kinds = [self.dice.choice(WOUNDS) for _ in range(self.dice.randint(1, 3))]
        return [self._wound(kind) for kind in (["put over"] if "put over" in kinds else kinds)]

    def _wound(self, kind: str) -> str:
        dice, journal = self.dice, self.journal
        names = segment_names(journal)
        name = dice.choice(names)
        data = segment_bytes(journal)[name]
        at, size = dice.randrange(len(data) + 1), dice.choice([1, 8, 64, 300, 900])
        frame = dice.choice(self._frames)
        piece = self._kept[frame.segment][frame.offset :][: dice.choice([frame.frame.length, 400])]
        if kind == "noise":
            put(journal, name, data[:at] + dice.randbytes(min(size, len(data) - at)) + data[at + size :])
        elif kind == "cut":
            put(journal, name, data[:at])
        elif kind == "closed up":
            put(journal, name, data[:at] + data[at + size :])
        elif kind == "moved":  # a stretch that was written to a wrong place
            put(journal, name, data[:at] + piece + data[at + len(piece) :])
        elif kind == "doubled":
            put(journal, name, data[:at] + piece + data[at:])
        elif kind == "swapped":
            frames_here = [each for each in self._frames if each.segment == name and each.frame.kind == BLOCK]
            if len(frames_here) > 1:
                put(journal, name, swapped(data, *sorted(dice.sample(frames_here, 2), key=lambda each: each.offset)))
        elif kind == "put over":
            put(journal, name, self._kept[frame.segment])
        elif kind == "gone" and len(names) > 1:
            os.unlink(os.path.join(journal, name))
        elif kind.endswith("gone"):
            Path(journal, kind.partition(" ")[0]).unlink(missing_ok=True)
        return kind


def swapped(data: bytes, one: Located, other: Located) -> bytes:
    between = data[one.end : other.offset]
    return (
        data[: one.offset] + data[other.offset : other.end] + between + data[one.offset : one.end] + data[other.end :]
    )


def snapshot(journal: str) -> dict[str, tuple[int, int, bytes]]:
    files = (path for path in Path(journal).parent.rglob("*") if path.is_file())
    return {str(path): (path.stat().st_ino, path.stat().st_mtime_ns, path.read_bytes()) for path in files}


def rounds(place: Path, count: int, seed: int, tally: Tally, *, kills: int = 4) -> None:
    """``kills``: of that many rounds, in one repair is killed again and again at a change to the disk."""
    patient = Patient(place, seed)
    journal = patient.journal
    for number in range(count):
        patient.heal()
        wounds = patient.wound()
        what = f"seed {seed}, round {number}: {wounds}"
        tally.cases += 1
        left = records(journal)
        made_of = pieces(journal)
        before = snapshot(journal)
        foreseen = repair.mend(journal, dry_run=True).actions
        assert snapshot(journal) == before, what
        step = patient.dice.randint(1, 12)
        while number % kills == 0 and killed_at(step, mended, journal):
            if set(left) - set(records(journal)):
                tally.lost.append(f"{what}: killed before change {step}")
            step += patient.dice.randint(1, 12)
        told = mended(journal)
        if number % kills and "identity gone" not in wounds:
            done = [action.replace("would move", "moved").replace("would put", "put") for action in foreseen]
            assert done == list(told), what
        judge(journal, left, made_of, tally, what)


def judge(journal: str, left: list[Stored], made_of: list[tuple[str, bytes]], tally: Tally, what: str) -> None:
    after = records(journal)
    if not verify(journal).is_clean:
        tally.silent.append(f"{what}: not clean after repair: {verify(journal)}")
        return
    if not is_subsequence(left, after):  # there may be more: blocks that stood behind their place
        tally.lost.append(what)
    # What a segment was made of, frame by frame and damage by damage, is whole in a segment, or in quarantine.
    there = [*segment_bytes(journal).values(), *in_quarantine(journal)]
    tally.lost += [f"{what}: bytes of {where}" for where, piece in made_of if not any(piece in each for each in there)]
    again = snapshot(journal)
    assert mended(journal) == (), what
    assert snapshot(journal) == again, what


def pieces(journal: str) -> list[tuple[str, bytes]]:
    """Every frame of every segment, and every stretch that is none, with where it lies."""
    data = segment_bytes(journal)
    return [
        (f"{name} at {item.offset}", data[name][item.offset : item.end])
        for name in data
        for item in scan(journal, name, journal_ids(journal))
    ]


def test_a_mended_journal_is_clean_and_has_lost_nothing_that_was_whole(fast: Path, tally: Tally) -> None:
    rounds(fast / "mended", 120, 9, tally, kills=10)
    tally.check()


@pytest.mark.full
@pytest.mark.parametrize("seed", range(10))
def test_many_mended_journals(fast: Path, seed: int, tally: Tally) -> None:
    rounds(fast / f"mended{seed}", 400, seed, tally, kills=10)
    tally.check()


def lying(journal: str, name: str, kind: int) -> list[bytes]:
    """The frames of a kind in a segment, as their bytes."""
    data = segment_bytes(journal)[name]
    return [data[item.offset : item.end] for item in frames(journal, name) if item.frame.kind == kind]


def test_another_segments_footer_costs_no_record_behind_it(tmp_path: Path) -> None:
    """Where the segment that it is of is gone, nothing but the blocks behind it tells that it is not in its place."""
    journal = small(tmp_path, 40, target=900)
    first, second, *_ = segment_names(journal)
    (footer,) = lying(journal, first, FOOTER)
    data = segment_bytes(journal)[second]
    block = next(item for item in frames(journal, second) if item.frame.kind == BLOCK)
    put(journal, second, data[: block.offset] + footer + data[block.offset + len(footer) :])
    os.unlink(os.path.join(journal, first))
    left = records(journal)
    assert "bad-footer" in {damage.kind for damage in verify(journal).damaged}
    mended(journal)
    assert records(journal)[: len(left)] == left
    assert verify(journal).is_clean


@pytest.mark.parametrize("whole_after", [True, False])
def test_a_block_that_got_behind_its_place_goes_back(tmp_path: Path, whole_after: bool) -> None:
    """The last block of a segment is lost, and a stray copy of it stands in the next one; or another of that number."""
    journal = small(tmp_path, 40, target=900)
    name, following = segment_names(journal)[1:3]
    block = next(item for item in reversed(frames(journal, name)) if item.frame.kind == BLOCK)
    data, later = segment_bytes(journal)[name], segment_bytes(journal)[following]
    true = records(journal)
    frame = block.frame if whole_after else block.frame._replace(previous=bytes(32))
    stray = pack_frame(frame, journal_ids(journal)[0])
    put(journal, name, data[: block.offset + 70] + b"lost" + data[block.offset + 74 :])
    put(journal, following, later[:94] + stray + later[94:])  # behind its header
    mended(journal)
    assert verify(journal).is_clean
    gone = {stored.seq for stored in true} - {stored.seq for stored in records(journal)}
    assert gone == (set() if whole_after else set(range(block.frame.first_seq, block.frame.first_seq + 4)))
    assert stray in in_quarantine(journal)  # a copy of it stays there too


SWAPS: dict[str, tuple[tuple[int, ...], tuple[int, int]]] = {
    "around a smaller one": ((3, 4, 2, 4, 3), (1, 3)),
    "around one as large": ((3, 4, 4, 4, 3), (1, 3)),
    "around a larger one": ((3, 4, 6, 4, 3), (1, 3)),
    "around several": ((3, 4, 1, 1, 4, 3), (1, 4)),
    "neighbours": ((3, 4, 4, 3), (1, 2)),
    "the former smaller": ((3, 2, 1, 4, 3), (1, 3)),
    "the latter smaller": ((3, 4, 1, 2, 3), (1, 3)),
    "the first and the last": ((4, 1, 4), (0, 2)),
    "at the end": ((3, 4, 2, 4), (1, 3)),
}


@pytest.mark.parametrize("sealed", [False, True])
@pytest.mark.parametrize("case", SWAPS)
def test_two_blocks_in_each_others_place_cost_nothing_once_repaired(tmp_path: Path, case: str, sealed: bool) -> None:
    """Nor do those between them, which a reader passes over where they hold fewer records. It may be killed, too."""
    sizes, (one, other) = SWAPS[case]
    journal = str(tmp_path / "mgit" / "journal")
    for number, size in enumerate(sizes):
        append(journal, [b"%d of %d" % (each, number) for each in range(size)])
    if sealed:
        with writer.appender(journal, adopted) as made:
            made.roll()
            made.append([b"after"])
            made.sync()
    true = records(journal)
    name = segment_names(journal)[0]
    blocks = [item for item in frames(journal, name) if item.frame.kind == BLOCK]
    put(journal, name, swapped(segment_bytes(journal)[name], blocks[one], blocks[other]))
    assert len(records(journal)) < len(true)
    assert not repair.remaining_holes(journal, verify(journal))
    for step in range(1, 40):
        if not killed_at(step, mended, journal):
            break
    assert records(journal)[: len(true)] == true
    assert verify(journal).is_clean
    assert verify(journal).mended == ()
    append(journal, [b"later"])
    assert verify(journal).is_clean


def test_a_block_that_belongs_in_a_later_segment_stays_where_it_lies(tmp_path: Path) -> None:
    """A repair that is killed between the two segments would have taken it out of one and not put it in the other."""
    journal = small(tmp_path, 40, target=900)
    name, following = segment_names(journal)[1:3]
    block = next(item for item in frames(journal, following) if item.frame.kind == BLOCK)
    data, later = segment_bytes(journal)[name], segment_bytes(journal)[following]
    put(journal, name, data[:94] + later[block.offset : block.end] + data[94:])
    put(journal, following, later[: block.offset] + bytes(block.frame.length) + later[block.end :])
    left = records(journal)
    mended(journal)
    assert verify(journal).is_clean
    assert records(journal)[: len(left)] == left
    assert later[block.offset : block.end] in in_quarantine(journal)


def test_a_zstd_block_that_goes_back_raises_its_segments_version(tmp_path: Path) -> None:
    """Left behind its place by a segment that was compacted; an older copy of that one, damaged, stands there again."""
    journal = small(tmp_path, 40, target=900)
    true = records(journal)
    name, following = segment_names(journal)[1:3]
    header, *_, block = (item for item in frames(journal, name) if item.frame.kind in (SEGMENT, BLOCK))
    assert format.segment_info(header.frame).version == 1
    place = block.frame.first_seq, block.frame.previous
    frame = blockformat.block_frame(
        blockformat.block_entries(block.frame), *place, blockformat.frame_cursor(block.frame), ZSTD
    )
    assert frame.codec == ZSTD
    data, later = segment_bytes(journal)[name], segment_bytes(journal)[following]
    put(journal, name, data[: block.offset + 70] + b"lost" + data[block.offset + 74 :])
    put(journal, following, later[:94] + pack_frame(frame, journal_ids(journal)[0]) + later[94:])  # behind its header
    repair.mend(journal, dry_run=False)
    assert records(journal) == true
    own = frames(journal, name)
    assert frame in [item.frame for item in own]
    info = format.segment_info(header.frame)._replace(version=2)
    assert own[0].frame == format.segment_frame(info, header.frame.first_seq, header.frame.previous)
    (unchanged, *_) = frames(journal, following)
    assert format.segment_info(unchanged.frame).version == 1
    assert verify(journal).is_clean
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(format, "VERSION", 1)  # a program that knows no zstd refuses it
        patch.setattr(segment, "VERSION", 1)
        with pytest.raises(LaterFormatError):
            verify(journal)


def planted(place: Path) -> Tally:
    tally = Tally()
    rounds(place, 60, 3, tally, kills=1000)
    return tally


def test_a_repair_that_deletes_what_is_damaged_is_missed(fast: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repair, "quarantine", lambda *_: "nowhere.bin")
    assert planted(fast / "deletes").lost


def test_a_repair_that_cuts_all_after_the_first_damage_is_missed(fast: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = repair._kept

    def kept(journal_dir, name, journals, cut):  # type: ignore[no-untyped-def]
        return [item for item in real(journal_dir, name, journals, cut) if item.offset < cut[0].offset]

    monkeypatch.setattr(repair, "_kept", kept)
    assert planted(fast / "cuts").lost


def test_a_repair_that_declares_no_hole_is_missed(fast: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(findings.Hole, "to_json", lambda self: {})
    assert planted(fast / "declares").silent


def test_a_repair_that_puts_nothing_back_is_missed(fast: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repair, "astray", lambda *_: [])
    with pytest.raises(AssertionError):
        test_a_block_that_got_behind_its_place_goes_back(fast, True)


def test_a_dry_run_that_writes_is_missed(fast: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = repair.mend
    monkeypatch.setattr(repair, "mend", lambda journal, dry_run: real(journal, dry_run=False))
    with pytest.raises(AssertionError):
        planted(fast / "dry")


def test_every_kind_of_wound_hurts(fast: Path) -> None:
    patient = Patient(fast / "patient", 1)
    for kind in set(WOUNDS) - {"identity gone", "head gone"}:
        hurt = []
        for _ in range(20):
            patient.heal()
            patient._wound(kind)
            hurt.append(not verify(patient.journal).is_clean)
        assert sum(hurt) > 4, kind
    assert all(isinstance(item, Located) for item in patient._frames)


def test_what_the_disk_did_not_keep_takes_no_segments_place(fast: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    patient = Patient(fast, 3)
    name = segment_names(patient.journal)[0]
    path = Path(patient.journal, name)
    path.write_bytes(path.read_bytes()[:-1])
    wounded = path.read_bytes()
    real = swap.write_new

    def rotten(journal_dir: str, name: str, frames: Any, journal: Any) -> str:
        new = real(journal_dir, name, frames, journal)
        data = bytearray(Path(journal_dir, new).read_bytes())
        data[-1] ^= 1
        Path(journal_dir, new).write_bytes(data)
        return new

    monkeypatch.setattr(swap, "write_new", rotten)
    with pytest.raises(JournalError, match="did not keep"):
        repair.mend(patient.journal, dry_run=False)
    assert path.read_bytes() == wounded
    assert not Path(f"{path}.new").exists()
