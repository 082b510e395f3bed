"""Whatever happens to the bytes: no false record, no silence, and no more lost than was touched."""

from __future__ import annotations

import os
import random
import shutil
from pathlib import Path

import pytest
from second_reader import read as read_again

from journal.making import (
    append,
    frames,
    payloads,
    put,
    quarantined,
    records,
    segment_bytes,
    small,
)
from mgit_hooks import compress
from mgit_hooks.errors import JournalError
from mgit_hooks.journal import blockformat, format, identity, reader, repair, writer
from mgit_hooks.journal.format import BLOCK, CURSOR, GENESIS, SEGMENT, Cursor, JournalId, SegmentInfo
from mgit_hooks.journal.segment import segment_names
from mgit_hooks.journal.verify import verify
from mgit_hooks.record import Seq


@pytest.fixture
def journal(tmp_path: Path) -> str:
    return small(tmp_path, 30)


@pytest.mark.parametrize("file", ["head", "identity"])
def test_a_flipped_bit_beside_the_segments_is_never_believed(journal: str, file: str) -> None:
    true = records(journal)
    data = Path(journal, file).read_bytes()
    for bit in range(8 * (len(data) - 1)):
        mutant = bytearray(data)
        mutant[bit // 8] ^= 1 << bit % 8
        put(journal, file, bytes(mutant))
        if bit % 9 == 0:  # what is absent is absent for all who read it
            assert records(journal) == true
            assert verify(journal).is_clean
        assert (identity.read_head(journal) if file == "head" else identity.read(journal)) is None
    append(journal, [b"goes on"])
    assert [stored.payload for stored in records(journal)] == [*(stored.payload for stored in true), b"goes on"]
    assert verify(journal).is_clean


def test_after_a_cut_the_next_append_starts_clean_and_uses_no_number_again(journal: str, fast: Path) -> None:
    name = segment_names(journal)[-1]
    true = records(journal)
    last = true[-1].seq
    size = os.path.getsize(os.path.join(journal, name))
    for length in range(size):
        copy = str(fast / "cut" / "mgit" / "journal")
        shutil.copytree(journal, copy)
        identity.write(copy, identity.read(journal).journal)  # type: ignore[union-attr]  # at home here: no adoption
        os.truncate(os.path.join(copy, name), length)
        left = records(copy)
        (done,) = append(copy, [b"after"])
        assert done.seq == last + 1, length
        assert [*left, reader.Stored(done.seq, done.id, b"after")] == records(copy), length
        report = verify(copy)
        assert [hole.last_seq for hole in report.holes] == [last] * (left[-1].seq < last), length
        assert report.damaged == (), length
        shutil.rmtree(fast / "cut")


def test_an_unreported_tail_is_cut_off_without_a_word_but_kept(journal: str) -> None:
    """What a power cut in mid-append leaves: ``head`` is from before it."""
    name = segment_names(journal)[-1]
    before, head = segment_bytes(journal)[name], Path(journal, "head").read_bytes()
    true = records(journal)
    append(journal, [b"never reported" * 3])
    after = segment_bytes(journal)[name]
    for length in range(len(before) + 1, len(after)):
        put(journal, name, after[:length])
        put(journal, "head", head)
        report = verify(journal)
        assert report.is_clean
        assert report.torn_tail is not None
        assert (report.torn_tail.offset, report.torn_tail.end) == (len(before), length)
        (done,) = append(journal, [b"next"])
        assert done.seq == true[-1].seq + 1
        assert segment_bytes(journal)[name].startswith(before)
        assert verify(journal).is_clean
        assert verify(journal).torn_tail is None
    assert len(quarantined(journal)) == len(after) - len(before) - 1


@pytest.mark.parametrize("size", [1, 63, 64, 512, 4096, 10_000])
def test_zeros_at_the_end_are_a_torn_tail(journal: str, size: int) -> None:
    name = segment_names(journal)[-1]
    data = segment_bytes(journal)[name]
    put(journal, name, data + bytes(size))
    assert verify(journal).is_clean
    append(journal, [b"next"])
    assert segment_bytes(journal)[name].startswith(data + format.MAGIC)


@pytest.mark.parametrize("missing", [(2,), (1, 2), (0, 1, 2)])
def test_numbers_of_segments_that_are_gone_are_not_given_again(journal: str, missing: tuple[int, ...]) -> None:
    last = records(journal)[-1].seq
    names = segment_names(journal)
    for number in missing:
        os.unlink(os.path.join(journal, names[number]))
    left = records(journal)
    (done,) = append(journal, [b"after"])
    assert done.seq == last + 1
    assert [stored.seq for stored in records(journal)] == [*(stored.seq for stored in left), last + 1]
    assert [(hole.first_seq, hole.last_seq) for hole in verify(journal).holes] == [(len(left) + 1, last)]


def test_frames_and_segments_of_another_journal_are_refused(journal: str, tmp_path: Path) -> None:
    other = small(tmp_path / "other", 60, target=900)
    true = records(journal)
    segments, theirs = segment_bytes(journal), segment_bytes(other)
    assert len(theirs) > len(segments)
    strange = theirs[segment_names(other)[-1]]
    put(journal, "00000077.seg", strange)  # its numbers would follow on ours
    assert records(journal) == true
    assert "foreign" in {damage.kind for damage in verify(journal).damaged}
    assert [seq for seq, _, _ in read_again(journal)] == [stored.seq for stored in true]
    os.unlink(os.path.join(journal, "00000077.seg"))
    name = segment_names(journal)[-1]
    for item in frames(other):
        piece = theirs[item.segment][item.offset : item.end]
        put(journal, name, segments[name] + piece)
        assert records(journal) == true
        assert not verify(journal).is_clean
    put(journal, name, segments[name] + strange)
    append(journal, [b"after them"])
    assert [stored.payload for stored in records(journal)] == [*(stored.payload for stored in true), b"after them"]


def hostile_frame(id: JournalId, seq: int) -> bytes:
    entry = blockformat.new_entry(b"FALSE", bytes(16))
    return format.pack_frame(blockformat.block_frame([entry], Seq(seq), GENESIS, Cursor(9, 9), compress.NONE), id)


def hostile_header(number: int) -> bytes:
    info = SegmentInfo(1, JournalId(b"hostile journal!"), number, 0)
    return format.pack_frame(format.segment_frame(info, Seq(1), GENESIS), info.journal)


@pytest.mark.parametrize("packing", ["as it is", "in noise", "repeated"])
def test_a_whole_frame_inside_a_payload_is_never_read_as_one(tmp_path: Path, packing: str) -> None:
    journal = str(tmp_path / "mgit" / "journal")
    append(journal, [b"first"])
    own = identity.read(journal)
    assert own is not None
    hidden = hostile_frame(own.journal, 900) + hostile_header(2) + hostile_frame(own.journal, 3)
    hidden += format.pack_frame(format.footer_frame(5, Seq(1), Seq(5), GENESIS), own.journal)
    payload = {"as it is": hidden, "in noise": os.urandom(5000) + hidden + os.urandom(50), "repeated": hidden * 20}
    append(journal, [b"second", payload[packing], b"fourth"])
    append(journal, [b"fifth"])
    true = records(journal)
    assert true[2].payload == payload[packing]
    assert read_again(journal) == [(stored.seq, stored.id.hex(), stored.payload) for stored in true]
    (name,) = segment_names(journal)
    data = segment_bytes(journal)[name]
    block = frames(journal)[2]
    dice = random.Random(1)
    for _ in range(300):  # damage to the block around it, and an append that was cut off inside it
        at = dice.randrange(block.offset, block.end)
        put(journal, name, data[:at] + bytes((data[at] ^ 1 << dice.randrange(8),)) + data[at + 1 :])
        assert records(journal) == [*true[:1], *true[4:]]
        put(journal, name, data[: dice.randrange(block.offset, block.end)])
        assert records(journal) == true[:1]
    os.unlink(os.path.join(journal, "head"))
    (done,) = append(journal, [b"goes on"])
    assert (done.seq, done.segment) == (2, name)
    assert verify(journal).is_clean


@pytest.mark.parametrize("version", [format.VERSION + 1, 7, 65535])
def test_a_later_format_is_refused_with_a_clear_word_and_nothing_changed(tmp_path: Path, version: int) -> None:
    journal = str(tmp_path / "mgit" / "journal")
    append(journal, [b"ours"])
    own = identity.read(journal)
    assert own is not None
    body = version.to_bytes(2, "little") + own.journal + b"whatever a later version has to say"
    frame = format.Frame(SEGMENT, 0, 0, len(body), Seq(2), GENESIS, body)
    put(journal, "00000002.seg", format.pack_frame(frame, own.journal) + os.urandom(100))
    before = {path.name: path.read_bytes() for path in Path(journal).iterdir()}
    for use in (records, verify, lambda journal: append(journal, [b"no"])):
        with pytest.raises(JournalError, match=f"journal format {version}") as raised:
            use(journal)
        assert "upgrade" in raised.value.remedy
    assert {path.name: path.read_bytes() for path in Path(journal).iterdir()} == before
    with pytest.raises(ValueError, match="format version"):
        read_again(journal)


def test_a_flipped_version_is_damage_not_the_future(journal: str) -> None:
    name = segment_names(journal)[0]
    data = bytearray(segment_bytes(journal)[name])
    data[64] ^= 2
    put(journal, name, bytes(data))
    assert len(records(journal)) == 30
    assert [damage.kind for damage in verify(journal).damaged] == ["bad-checksum"]


@pytest.mark.parametrize("forged", ["segment", "footer", "cursor", "block", "kind", "count", "head"])
def test_a_frame_that_no_writer_makes_is_damage_and_no_crash(journal: str, forged: str) -> None:
    own = identity.read(journal)
    assert own is not None
    true = records(journal)
    next_seq, head = Seq(true[-1].seq + 1), true[-1].id
    frame = {
        "segment": format.Frame(SEGMENT, 0, 0, 3, next_seq, head, b"abc"),
        "footer": format.Frame(4, 0, 0, 3, next_seq, head, b"abc"),
        "cursor": format.Frame(CURSOR, 0, 0, 3, next_seq, head, b"abc"),
        "block": format.Frame(BLOCK, 0, 2, 3, next_seq, head, b"abc"),
        "kind": format.Frame(9, 0, 0, 3, next_seq, head, b"abc"),
        "count": format.footer_frame(12345, Seq(20), true[-1].seq, head),
        "head": format.footer_frame(11, Seq(20), true[-1].seq, GENESIS),
    }[forged]
    name = segment_names(journal)[-1]
    put(journal, name, segment_bytes(journal)[name] + format.pack_frame(frame, own.journal))
    assert records(journal) == true
    assert not verify(journal).is_clean
    assert reader.last_cursor(journal) is not None
    (done,) = append(journal, [b"next"])
    assert done.seq == next_seq


def test_records_changed_by_someone_who_knows_the_format_break_the_chain(journal: str) -> None:
    """A forger who puts the checksum right, but not all that follows."""
    own = identity.read(journal)
    assert own is not None
    for item in frames(journal):
        if item.frame.kind != BLOCK:
            continue
        data = segment_bytes(journal)[item.segment]
        entries = blockformat.block_entries(item.frame)
        entries[0] = blockformat.new_entry(b"forged", bytes(16))
        frame = item.frame
        forged = blockformat.block_frame(entries, frame.first_seq, frame.previous, blockformat.frame_cursor(frame), 0)
        mutant = data[: item.offset] + format.pack_frame(forged, own.journal) + data[item.end :]
        put(journal, item.segment, mutant)
        report = verify(journal)
        assert not report.chain_intact
        assert [(damage.segment, damage.offset, damage.kind) for damage in report.damaged][:1] == [
            (item.segment, item.offset, "broken-chain")
        ]
        put(journal, item.segment, data)


def test_a_writer_goes_on_after_damage_anywhere(fast: Path) -> None:
    """500 random wounds: each time the next records get the next numbers, and can be read."""
    dice = random.Random(3)
    base = small(fast / "wounds", 40, target=900)
    last = records(base)[-1].seq
    whole = {path.name: path.read_bytes() for path in Path(base).iterdir()}
    for _ in range(500):
        for name, data in whole.items():
            put(base, name, data)
        for extra in set(os.listdir(base)) - whole.keys():
            os.unlink(os.path.join(base, extra))
        identity.write(base, identity.read(base).journal)  # type: ignore[union-attr]
        name = dice.choice(segment_names(base))
        data = whole[name]
        at, size = dice.randrange(len(data)), dice.choice([1, 8, 64, 700])
        put(base, name, data[:at] + dice.randbytes(min(size, len(data) - at)) + data[at + size :])
        left = records(base)
        done = append(base, payloads(70, seed=4), Cursor(2, 5))
        assert [item.seq for item in done] == list(range(last + 1, last + 71))
        assert records(base)[: len(left)] == left
        assert len(records(base)) == len(left) + 70
        assert reader.last_cursor(base) == Cursor(2, 5)
        kinds = {damage.kind for damage in verify(base).damaged}
        assert not kinds & {"duplicate", "broken-chain", "misplaced-segment", "bad-footer", "after-footer"}
    assert writer.SEGMENT_TARGET > 900


def test_a_segment_of_which_only_the_footer_is_left_is_mended(journal: str) -> None:
    true = records(journal)
    name = segment_names(journal)[1]
    items, data = frames(journal, name), segment_bytes(journal)[name]
    put(journal, name, bytes(items[-1].offset) + data[items[-1].offset :])
    repair.mend(journal, dry_run=False)
    report = verify(journal)
    assert report.damaged == ()
    (hole,) = report.holes
    before, after = true[hole.first_seq - 2], true[hole.last_seq - 1]
    assert (hole.before, hole.after) == (before.id.hex(), after.id.hex())
