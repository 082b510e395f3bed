"""Compaction: every record, id and cursor as before, the old segment or the new one after a kill, damage refused."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from second_reader import read as read_again

from journal.making import adopted, append, frames, put, records, segment_bytes, small
from mgit_hooks import compress
from mgit_hooks.errors import JournalError
from mgit_hooks.journal import blockformat, compaction, format, reader, repair, swap, writer
from mgit_hooks.journal.blockformat import frame_cursor
from mgit_hooks.journal.database import open_index
from mgit_hooks.journal.format import BLOCK, MASKED, Cursor, segment_info
from mgit_hooks.journal.segment import segment_names
from mgit_hooks.journal.verify import verify


def compact(journal_dir: str, **options: Any) -> compaction.Outcome:
    with swap.maintenance(journal_dir, wait=0.0) as held:
        assert held
        return compaction.compact(journal_dir, compaction.waiting(journal_dir), **options)


def roll(journal_dir: str) -> None:
    with writer.appender(journal_dir, adopted) as journal:
        journal.roll()


def told(journal_dir: str) -> tuple[object, ...]:
    """All that the journal says, whatever its blocks."""
    report = verify(journal_dir)
    assert report.is_clean, report
    return records(journal_dir), reader.last_cursor(journal_dir), report


def json_lines(count: int, text: str = "a line of some length that other records have as well") -> list[bytes]:
    return [json.dumps({"event": "commit", "number": number, "text": text}).encode() for number in range(count)]


def large(path: Path, count: int = 1000, *, target: int = 20_000) -> str:
    """A journal of JSON records, appended a few at a time, in several segments."""
    journal_dir = str(path / "mgit" / "journal")
    data = json_lines(count)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(writer, "SEGMENT_TARGET", target)
        for start in range(0, count, 50):
            with writer.appender(journal_dir, adopted) as journal:
                for at in range(start, min(start + 50, count), 7):
                    journal.append(data[at : min(at + 7, start + 50)], Cursor(1, at))
                journal.sync()
    assert len(segment_names(journal_dir)) > 2
    return journal_dir


# What stays, and what becomes less


@pytest.mark.parametrize("make", [lambda path: small(path, 60), lambda path: large(path)], ids=["small", "large"])
def test_every_record_id_and_cursor_is_as_before(tmp_path: Path, make: Callable[[Path], str]) -> None:
    journal = make(tmp_path)
    before = told(journal)
    cursors = {name: cursor_of(journal, name) for name in segment_names(journal)}
    *sealed, newest = segment_names(journal)
    kept = segment_bytes(journal)
    done = compact(journal)
    assert [each.segment for each in done.done] == sealed
    assert (done.refused, done.left) == ((), 0)
    assert told(journal) == before
    assert read_again(journal) == [(each.seq, each.id.hex(), each.payload) for each in records(journal)]
    assert {name: cursor_of(journal, name) for name in segment_names(journal)} == cursors
    assert segment_bytes(journal)[newest] == kept[newest]
    for name in sealed:
        head, *_, footer = frames(journal, name)
        old = format.unpack_frame(kept[name], 0, ())
        assert segment_info(head.frame) == segment_info(old)._replace(version=2)
        assert format.pack_frame(footer.frame, segment_info(old).journal) == kept[name][-footer.frame.length :]
        assert len(segment_bytes(journal)[name]) < len(kept[name])
    assert {(each.before, each.after) for each in done.done} == {
        (len(kept[name]), len(segment_bytes(journal)[name])) for name in sealed
    }
    assert sum(each.records for each in done.done) == frames(journal, newest)[0].frame.first_seq - 1


def cursor_of(journal: str, name: str) -> Cursor | None:
    """What a reader learns who has this segment alone."""
    found = [frame_cursor(item.frame) for item in frames(journal, name) if item.frame.kind in (2, 3)]
    return next((cursor for cursor in reversed(found) if cursor is not None), None)


def test_blocks_are_full_and_of_zstd(tmp_path: Path) -> None:
    journal = large(tmp_path)
    compact(journal)
    for name in segment_names(journal)[:-1]:
        blocks = [item.frame for item in frames(journal, name) if item.frame.kind == BLOCK]
        assert {frame.records for frame in blocks[:-1]} <= {64}
        assert {frame.codec & ~MASKED for frame in blocks} == {compress.ZSTD}


def test_a_block_ends_before_it_gets_large(tmp_path: Path) -> None:
    journal = str(tmp_path / "mgit" / "journal")
    for number in range(10):
        append(journal, [b"%d" % number * 300_000])
    roll(journal)
    compact(journal)
    blocks = [item.frame for item in frames(journal, "00000001.seg") if item.frame.kind == BLOCK]
    assert [frame.records for frame in blocks] == [3, 3, 3, 1]
    assert all(frame.raw_length <= blockformat.BLOCK_TARGET for frame in blocks)


def test_erased_records_stay_erased(tmp_path: Path) -> None:
    journal = small(tmp_path, 40)
    name = segment_names(journal)[0]
    item = next(each for each in frames(journal, name) if each.frame.kind == BLOCK)
    block = reader.open_block(item)
    gone = block.entries[0]._replace(payload=None, salt=None)
    cursor = frame_cursor(item.frame)
    frame = blockformat.block_frame(
        (gone, *block.entries[1:]), block.first_seq, block.previous, cursor, compress.SNAPPY
    )
    data = segment_bytes(journal)[name]
    own = segment_info(frames(journal, name)[0].frame).journal
    put(journal, name, data[: item.offset] + format.pack_frame(frame, own) + data[item.end :])
    before = records(journal)
    assert before[0].payload is None
    assert compact(journal).refused == ()
    assert records(journal) == before
    assert verify(journal).erased == 1
    assert read_again(journal)[0] == (1, before[0].id.hex(), None)


def test_a_cursor_counts_no_earlier_than_before(tmp_path: Path) -> None:
    """Damage to a block costs its cursor: the one that then holds names no line whose record is gone."""
    journal = str(tmp_path / "mgit" / "journal")
    for number in range(50):
        append(journal, [b"%d" % record for record in range(3)], Cursor(1, number))  # 3 never fit 64
    append(journal, (), Cursor(2, 0))
    roll(journal)
    compact(journal)
    cursors = [(item.frame, frame_cursor(item.frame)) for item in frames(journal, "00000001.seg")[1:-1]]
    for frame, cursor in cursors:
        assert cursor is not None
        if cursor.generation == 1:
            assert frame.first_seq + frame.records - 1 >= 3 * (cursor.offset + 1)
    assert cursors[-1][1] == Cursor(2, 0)


def test_a_hole_that_is_declared_stays_where_it_was(tmp_path: Path) -> None:
    """Numbers that repair took out are no damage, and no block spans them."""
    journal = small(tmp_path, 60)
    name = segment_names(journal)[1]
    inside = [item for item in frames(journal, name) if item.frame.kind == BLOCK][1]
    data = segment_bytes(journal)[name]
    put(journal, name, data[: inside.offset] + data[inside.end :])
    before, holes = records(journal), verify(journal).holes
    assert [hole.last_seq - hole.first_seq + 1 for hole in holes] == [inside.frame.records]
    assert compact(journal).refused == ()
    assert (records(journal), verify(journal).holes) == (before, holes)
    assert read_again(journal) == [(each.seq, each.id.hex(), each.payload) for each in before]


def test_what_repair_left_without_its_last_block_keeps_its_footer(tmp_path: Path) -> None:
    journal = small(tmp_path, 60)
    name = segment_names(journal)[1]
    last = [item for item in frames(journal, name) if item.frame.kind == BLOCK][-1]
    data = segment_bytes(journal)[name]
    put(journal, name, data[: last.offset] + data[last.end :])
    before = (records(journal), verify(journal).holes, verify(journal).damaged)
    assert before[1:] == (before[1], ())
    assert compact(journal).refused == ()
    assert (records(journal), verify(journal).holes, verify(journal).damaged) == before


def test_a_second_run_does_nothing(tmp_path: Path) -> None:
    journal = large(tmp_path)
    compact(journal)
    once = {name: (os.stat(os.path.join(journal, name)).st_ino, data) for name, data in segment_bytes(journal).items()}
    assert compact(journal) == compaction.Outcome()
    again = {name: (os.stat(os.path.join(journal, name)).st_ino, data) for name, data in segment_bytes(journal).items()}
    assert again == once


def test_incompressible_records_are_packed_once_too(tmp_path: Path) -> None:
    journal = str(tmp_path / "mgit" / "journal")
    dice = random.Random(1)
    append(journal, [dice.randbytes(100) for _ in range(100)])
    roll(journal)
    assert len(compact(journal).done) == 1
    assert compact(journal) == compaction.Outcome()
    assert verify(journal).is_clean


def test_a_dry_run_tells_the_same_and_changes_nothing(tmp_path: Path) -> None:
    journal = large(tmp_path)
    before = {path.name: path.read_bytes() for path in Path(journal).iterdir()}
    would = compact(journal, dry_run=True)
    assert {path.name: path.read_bytes() for path in Path(journal).iterdir()} == before
    assert compact(journal) == would


def test_none_is_begun_after_the_time_is_up(tmp_path: Path) -> None:
    journal = large(tmp_path)
    waiting = compaction.waiting(journal)
    assert compact(journal, seconds=0.0) == compaction.Outcome(left=len(waiting))
    assert compaction.waiting(journal) == waiting


def test_an_older_program_refuses_what_is_compacted_and_reads_what_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = large(tmp_path)
    for path in Path(journal).glob("*.seg"):
        assert format.peek_version(path.read_bytes()) == 1
    compact(journal)
    monkeypatch.setattr("mgit_hooks.journal.segment.VERSION", 1)
    with pytest.raises(JournalError, match="journal format 2"):
        records(journal)


# Rolling: the newest is sealed, and another opened


def test_what_was_the_newest_can_be_compacted_once_it_is_rolled(tmp_path: Path) -> None:
    journal = small(tmp_path, 20, target=10**6)
    before = records(journal)
    assert compact(journal) == compaction.Outcome()
    with pytest.raises(JournalError, match="newest"):
        swap.source(journal, segment_names(journal)[-1])
    roll(journal)
    roll(journal)  # the new one is empty
    assert len(segment_names(journal)) == 2
    assert len(compact(journal).done) == 1
    (done,) = append(journal, [b"after"])
    assert (done.seq, done.segment) == (21, "00000002.seg")
    assert records(journal)[:-1] == before
    assert verify(journal).is_clean


def test_the_head_names_the_new_segment_after_a_roll(tmp_path: Path) -> None:
    """Or the next append would find it behind, and the swap would take from under it what it names."""
    from mgit_hooks.journal import identity

    journal = small(tmp_path, 20, target=10**6)
    roll(journal)
    hint = identity.read_head(journal)
    assert hint is not None
    assert (hint.segment, hint.seq, hint.id) == ("00000002.seg", 20, records(journal)[-1].id)


# What is wrong is refused, and stays as it was


def damages() -> Iterator[tuple[str, Callable[[bytearray, list[Any]], None], str]]:
    def flip(data: bytearray, items: list[Any]) -> None:
        data[items[2].offset + 70] ^= 1

    def header(data: bytearray, items: list[Any]) -> None:
        data[70] ^= 1

    def footer(data: bytearray, items: list[Any]) -> None:
        del data[items[-1].offset :]

    def trailing(data: bytearray, items: list[Any]) -> None:
        data += b"more"

    def doubled(data: bytearray, items: list[Any]) -> None:
        data[items[3].offset : items[3].offset] = data[items[2].offset : items[2].end]

    def swapped(data: bytearray, items: list[Any]) -> None:
        one, two = (bytes(data[item.offset : item.end]) for item in items[-3:-1])
        data[items[-3].offset : items[-1].offset] = two + one

    yield "a bit of a block", flip, "bad-checksum"
    yield "a bit of the header", header, "bad-checksum"
    yield "no footer", footer, "no-footer"
    yield "bytes after the footer", trailing, "bad-magic|torn-tail|truncated"
    yield "a block twice", doubled, "duplicate"
    yield "two frames swapped", swapped, "duplicate"


@pytest.mark.parametrize(("change", "kind"), [each[1:] for each in damages()], ids=[each[0] for each in damages()])
def test_a_segment_with_damage_is_left_as_it_is_and_the_others_are_compacted(
    tmp_path: Path, change: Callable[[bytearray, list[Any]], None], kind: str
) -> None:
    journal = small(tmp_path, 80, target=2000)
    name = segment_names(journal)[1]
    data = bytearray(segment_bytes(journal)[name])
    change(data, frames(journal, name))
    put(journal, name, bytes(data))
    done = compact(journal)
    (error,) = done.refused
    assert (error.segment, error.kind in kind.split("|")) == (name, True), error.kind
    assert segment_bytes(journal)[name] == bytes(data)
    assert len(done.done) == len(segment_names(journal)) - 2
    assert not list(Path(journal).glob("*.new"))


def test_a_forged_block_breaks_the_chain_and_is_refused(tmp_path: Path) -> None:
    """Its checksum holds: only the ids after it tell."""
    journal = small(tmp_path, 80, target=2000)
    name = segment_names(journal)[1]
    item = next(each for each in frames(journal, name) if each.frame.kind == BLOCK)
    block = reader.open_block(item)
    entries = [blockformat.new_entry(b"never said", bytes(16)), *block.entries[1:]]
    cursor = frame_cursor(item.frame)
    frame = blockformat.block_frame(entries, block.first_seq, block.previous, cursor, compress.SNAPPY)
    own = segment_info(frames(journal, name)[0].frame).journal
    data = segment_bytes(journal)[name]
    forged = data[: item.offset] + format.pack_frame(frame, own) + data[item.end :]
    put(journal, name, forged)
    (error,) = compact(journal).refused
    assert (error.segment, error.kind) == (name, "broken-chain")
    assert segment_bytes(journal)[name] == forged


def test_a_segment_of_another_journal_is_refused(tmp_path: Path) -> None:
    journal = small(tmp_path / "ours", 60)
    other = small(tmp_path / "other", 60)
    name = segment_names(journal)[0]
    put(journal, name, segment_bytes(other)[name])
    (error,) = compact(journal).refused
    assert (error.segment, error.kind) == (name, "foreign")


def test_a_segment_under_another_name_is_refused(tmp_path: Path) -> None:
    journal = small(tmp_path, 60)
    name, second, *_ = segment_names(journal)
    put(journal, name, segment_bytes(journal)[second])
    assert ("misplaced-segment", name) in {(error.kind, error.segment) for error in compact(journal).refused}


def test_a_segment_of_a_later_version_stops_it_before_anything(tmp_path: Path) -> None:
    journal = small(tmp_path, 60)
    name = segment_names(journal)[1]
    head = frames(journal, name)[0].frame
    data = segment_bytes(journal)[name]
    later = head._replace(body=(3).to_bytes(2, "little") + head.body[2:])
    put(journal, name, format.pack_frame(later, segment_info(head).journal) + data[head.length :])
    before = segment_bytes(journal)
    with pytest.raises(JournalError, match="journal format 3"):
        compact(journal)
    assert segment_bytes(journal) == before


# Any journal at all


@pytest.mark.parametrize("seed", range(25))
def test_a_journal_of_any_shape_says_the_same(tmp_path: Path, seed: int) -> None:
    """Groups of any size, cursors anywhere, blocks that are gone, records that are erased."""
    dice = random.Random(seed)
    journal = str(tmp_path / "mgit" / "journal")
    cursor = Cursor(1, 0)
    for _ in range(dice.randint(5, 40)):
        with writer.appender(journal, adopted) as appending:
            for _ in range(dice.randint(1, 5)):
                cursor = Cursor(cursor.generation, cursor.offset + dice.randint(1, 99))
                group = [dice.randbytes(dice.randint(0, 40)) * dice.randint(1, 9) for _ in range(dice.randint(0, 90))]
                appending.append(group if dice.random() < 0.7 else [], cursor if dice.random() < 0.5 else None)
            appending.sync()
            if dice.random() < 0.2:
                appending.roll()
    roll(journal)
    for name in segment_names(journal)[:-1]:
        erase_and_cut(journal, name, dice)
    before = (records(journal), verify(journal), reader.last_cursor(journal), read_again(journal))
    assert before[1].damaged == ()
    cursors = {name: cursor_of(journal, name) for name in segment_names(journal)}
    done = compact(journal)
    assert (done.refused, len(done.done)) == ((), len(segment_names(journal)) - 1)
    assert (records(journal), verify(journal), reader.last_cursor(journal), read_again(journal)) == before
    assert {name: cursor_of(journal, name) for name in segment_names(journal)} == cursors


def erase_and_cut(journal: str, name: str, dice: random.Random) -> None:
    """Some records of a segment erased, and some of its blocks taken out, as repair leaves it."""
    own = segment_info(frames(journal, name)[0].frame).journal
    parts = []
    for item in frames(journal, name):
        frame = item.frame
        if frame.kind == BLOCK:
            if dice.random() < 0.1:
                continue
            entries = [
                entry._replace(payload=None, salt=None) if dice.random() < 0.05 else entry
                for entry in reader.open_block(item).entries
            ]
            place = (frame.first_seq, frame.previous, frame_cursor(frame))
            frame = blockformat.block_frame(entries, *place, compress.SNAPPY)
        parts.append(format.pack_frame(frame, own))
    put(journal, name, b"".join(parts))


# The index, which may have left off anywhere


@pytest.mark.parametrize("left_off", range(1, 13))
def test_the_index_finds_every_record_wherever_it_left_off(tmp_path: Path, left_off: int) -> None:
    """Blocks that it has not seen are packed together with some that it has, at the same place or another."""
    journal = str(tmp_path / "mgit" / "journal")
    groups = [json_lines(size) for size in (1, 3, 1, 40, 30, 2, 64, 1, 1, 5, 20, 9)]
    for number, group in enumerate(groups, 1):
        append(journal, group)
        if number in (4, 8):
            roll(journal)
        if number == left_off:
            with open_index(str(tmp_path / "mgit"), journal) as index:
                assert index.count() == sum(map(len, groups[:number]))
    roll(journal)
    compact(journal)
    everything = records(journal)
    with open_index(str(tmp_path / "mgit"), journal) as index:
        rows = [index.by_seq(seq) for seq in range(1, len(everything) + 1)]
        assert [index.read(row) for row in rows if row is not None] == everything


# Repair of what was compacted


@pytest.mark.parametrize("what", ["header", "block", "footer"])
def test_a_compacted_segment_that_was_damaged_is_mended_and_stays_of_version_2(tmp_path: Path, what: str) -> None:
    journal = large(tmp_path)
    compact(journal)
    name = segment_names(journal)[1]
    items = frames(journal, name)
    hurt = {"header": items[0], "block": items[2], "footer": items[-1]}[what]
    data = bytearray(segment_bytes(journal)[name])
    data[hurt.offset + 66] ^= 1
    put(journal, name, bytes(data))
    lost = set(range(hurt.frame.first_seq, hurt.frame.first_seq + hurt.frame.records))
    kept = records(journal)
    assert {stored.seq for stored in kept} == set(range(1, 1001)) - lost
    repair.mend(journal, dry_run=False)
    assert verify(journal).damaged == ()
    assert records(journal) == kept
    assert read_again(journal) == [(each.seq, each.id.hex(), each.payload) for each in kept]
    assert segment_info(frames(journal, name)[0].frame).version == 2
    assert compact(journal) == compaction.Outcome()
