"""Reading: all records in order, one block at a place, the newest cursor."""

from __future__ import annotations

from pathlib import Path

import pytest
from second_reader import read as read_again

from journal.making import append, frames, payloads, put, records, segment_bytes, small
from mgit_hooks import dates
from mgit_hooks.encoding import encode
from mgit_hooks.errors import DamageError
from mgit_hooks.journal import format, identity, reader
from mgit_hooks.journal.format import BLOCK, Cursor, FormatError
from mgit_hooks.journal.reader import Block
from mgit_hooks.journal.segment import Damage, Located, segment_names
from mgit_hooks.record import Gate, Record, Seq, Validation


@pytest.fixture
def journal(tmp_path: Path) -> str:
    return small(tmp_path, 50)


@pytest.mark.parametrize("count", [1, 2, 63, 64, 65, 200])
def test_records_come_back_in_order_with_numbers_from_1(tmp_path: Path, count: int) -> None:
    journal = str(tmp_path / "mgit" / "journal")
    data = payloads(count)
    done = append(journal, data)
    read = records(journal)
    assert [stored.payload for stored in read] == data
    assert [stored.seq for stored in read] == list(range(1, count + 1))
    assert [(stored.seq, stored.id) for stored in read] == [(item.seq, item.id) for item in done]


def test_the_second_reader_reads_the_same(journal: str) -> None:
    assert read_again(journal) == [(stored.seq, stored.id.hex(), stored.payload) for stored in records(journal)]
    assert len(read_again(journal)) == 50


def test_a_record_comes_back_as_the_value_it_was(tmp_path: Path) -> None:
    journal = str(tmp_path / "mgit" / "journal")
    record = Record(
        "checkout", "hook", dates.now(), None, None, "näme\u202e", "main-worktree", None, Gate("none"),
        Validation("standard", True),
    )  # fmt: skip
    (done,) = append(journal, [encode(record)])
    (stored,) = records(journal)
    assert stored.record() == record._replace(seq=done.seq, id=done.id.hex())


def test_no_journal_is_an_empty_one(tmp_path: Path) -> None:
    assert records(str(tmp_path / "none")) == []
    assert reader.last_cursor(str(tmp_path / "none")) is None


def test_each_block_can_be_read_alone(journal: str) -> None:
    ids = reader.journal_ids(journal)
    blocks = [item for item in reader.blocks(journal) if isinstance(item, Block)]
    for block in blocks:
        assert reader.block_at(journal, block.segment, block.offset, ids) == block
    assert [stored for block in blocks for stored in block.stored()] == records(journal)


def test_a_block_that_is_not_there_is_located_damage(journal: str) -> None:
    ids = reader.journal_ids(journal)
    name = frames(journal)[0].segment
    data = segment_bytes(journal)[name]
    block = next(item for item in frames(journal) if item.frame.kind == BLOCK)
    put(journal, name, data[: block.end - 1] + bytes((data[block.end - 1] ^ 1,)) + data[block.end :])
    places = [
        (name, block.offset, block.end - block.offset, "bad-checksum"),
        (name, block.offset + 1, 0, "bad-magic"),
        (name, len(data) + 100, 0, "truncated"),
        (name, 0, 94, "bad-block"),
        ("00000044.seg", 0, 0, "missing-segment"),
    ]
    for segment, offset, length, kind in places:
        with pytest.raises(DamageError) as raised:
            reader.block_at(journal, segment, offset, ids)
        error = raised.value
        assert (error.segment, error.offset, error.length, error.kind) == (segment, offset, length, kind)
        assert "repair" in error.remedy


def test_reading_starts_where_it_is_told(journal: str) -> None:
    blocks = [item for item in reader.blocks(journal) if isinstance(item, Block)]
    for place, block in enumerate(blocks):
        assert list(reader.blocks(journal, block.segment, block.offset)) == blocks[place:]


def test_damage_is_told_among_the_blocks(journal: str) -> None:
    blocks = [item for item in reader.blocks(journal) if isinstance(item, Block)]
    hurt = blocks[3]
    data = segment_bytes(journal)[hurt.segment]
    put(journal, hurt.segment, data[: hurt.offset + 70] + b"\0" + data[hurt.offset + 71 :])
    read = list(reader.blocks(journal))
    assert isinstance(read[3], Damage)
    assert (read[3].segment, read[3].offset) == (hurt.segment, hurt.offset)
    assert [*read[:3], *read[4:]] == [*blocks[:3], *blocks[4:]]


def test_the_newest_cursor_is_found_through_segments_without_one(tmp_path: Path) -> None:
    journal = str(tmp_path / "mgit" / "journal")
    assert reader.last_cursor(journal) is None
    append(journal, [b"a"])
    assert reader.last_cursor(journal) is None
    append(journal, [b"b"], Cursor(1, 10))
    append(journal, [b"c"])
    assert reader.last_cursor(journal) == Cursor(1, 10)
    append(journal, (), Cursor(2, 0))
    assert reader.last_cursor(journal) == Cursor(2, 0)
    append(journal, [b"d"], Cursor(2, 7))
    assert reader.last_cursor(journal) == Cursor(2, 7)


def test_a_block_that_is_none_is_damage_among_the_blocks(journal: str) -> None:
    own = identity.read(journal)
    assert own is not None
    name = segment_names(journal)[-1]
    data = segment_bytes(journal)[name]
    before = list(reader.blocks(journal))
    frame = format.Frame(BLOCK, 0, 1, 3, Seq(51), records(journal)[-1].id, b"abc")
    put(journal, name, data + format.pack_frame(frame, own.journal))
    assert list(reader.blocks(journal)) == [*before, Damage(name, len(data), 67, "bad-block")]
    with pytest.raises(FormatError, match="bad-block"):
        reader.open_block(Located(name, len(data), frame))


def test_a_block_that_is_opened_says_where_it_lies_and_what_its_ids_are(journal: str) -> None:
    stored = {each.seq: each for each in records(journal)}
    for item in frames(journal):
        if item.frame.kind != BLOCK:
            continue
        block = reader.open_block(item)
        assert (block.segment, block.offset) == (item.segment, item.offset)
        assert (block.first_seq, block.previous) == (item.frame.first_seq, item.frame.previous)
        seqs = range(block.first_seq, block.next_seq)
        assert list(block.ids) == [stored[Seq(seq)].id for seq in seqs]
        assert [entry.payload for entry in block.entries] == [stored[Seq(seq)].payload for seq in seqs]


def test_where_the_segments_after_one_begin(tmp_path: Path) -> None:
    """What decides how far a frame may be ahead: their headers tell, and where those cannot, the lowest block.

    The next one's blocks are judged along instead.
    """
    journal = small(tmp_path, 18, target=400, group=3, short=True)
    names, ids, data = segment_names(journal), reader.journal_ids(journal), segment_bytes(journal)
    one, two, three = names
    none = "00000000.seg"  # to which ``one`` is the next
    own = identity.read(journal)
    assert own is not None

    def begin(name: str, expected: int) -> int | None:
        return reader._after(journal, names, name, ids, expected).limit

    def along(name: str) -> list[tuple[int, int]]:
        return [tuple(span) for span in reader._after(journal, names, name, ids, 1).blocks]

    assert [begin(one, expected) for expected in (1, 7, 8, 13, 14)] == [7, 7, 13, 13, None]
    assert [begin(two, 1), begin(three, 1)] == [13, None]
    assert [along(name) for name in (none, *names)] == [[], [], [], []]

    items = [item for item in frames(journal) if item.segment == two]
    pieces = [data[two][item.offset : item.end] for item in items]
    blocks = [piece for item, piece in zip(items, pieces, strict=True) if item.frame.kind == BLOCK]
    put(journal, two, b"\0" + data[two][1:])
    assert [begin(none, expected) for expected in (2, 7, 8, 10, 11)] == [7, 7, 10, 10, 13]
    assert [begin(one, expected) for expected in (1, 13, 14)] == [13, 13, None]
    assert [along(none), along(one), along(two)] == [[], [(7, 10), (10, 13)], []]
    put(journal, two, b"".join(reversed(blocks)))
    assert [begin(none, expected) for expected in (2, 8)] == [7, 10]
    assert along(one) == [(10, 13), (7, 10)]
    put(journal, two, b"x" + pieces[0] + b"".join(blocks[1:]))  # a header in a place that is none
    assert begin(none, 2) == 10
    assert along(one) == [(10, 13)]
    info = format.segment_info(items[0].frame)._replace(number=7)
    elsewhere = format.segment_frame(info, items[0].frame.first_seq, items[0].frame.previous)
    put(journal, two, format.pack_frame(elsewhere, own.journal) + b"".join(pieces[1:]))
    assert [begin(none, 2), begin(one, 1)] == [13, 13]
    assert along(one) == []
    short = items[0].frame._replace(body=items[0].frame.body[:-1])
    put(journal, two, format.pack_frame(short, own.journal) + b"".join(pieces[1:]))
    assert [begin(none, 2), begin(one, 1)] == [13, 13]


def test_a_frame_ahead_of_its_place_by_one_record_costs_none(tmp_path: Path) -> None:
    journal = small(tmp_path, 18, target=400, group=3, short=True)
    own = identity.read(journal)
    assert own is not None
    true = records(journal)
    header, block = frames(journal)[:2]
    data = segment_bytes(journal)[header.segment]
    ahead = format.pack_frame(block.frame._replace(first_seq=Seq(2)), own.journal)
    put(journal, header.segment, data[: header.end] + ahead + data[header.end :])
    assert records(journal) == true
    assert list(reader.frames(journal))[1] == Damage(header.segment, header.end, len(ahead), "out-of-turn")


def test_who_reads_from_a_place_on_is_given_what_lies_there_first(tmp_path: Path) -> None:
    """What is in turn is told by what was read before, and here that is nothing."""
    journal = small(tmp_path, 18, target=400, group=3, short=True)
    all_frames = frames(journal)
    name = all_frames[5].segment
    data, last = segment_bytes(journal), all_frames[-1]
    place = all_frames[7].offset
    strange = data[last.segment][last.offset : last.end]
    put(journal, name, data[name][:place] + strange + data[name][place:])
    assert next(reader.frames(journal, name, place)) == Located(name, place, last.frame)
    assert [item.kind for item in reader.frames(journal) if isinstance(item, Damage)] == ["out-of-turn"]
