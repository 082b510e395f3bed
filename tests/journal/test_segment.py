"""Segment files: their names, and what a scan makes of whatever they hold."""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from journal.making import append, put, records, segment_bytes, small
from mgit_hooks.errors import LaterFormatError
from mgit_hooks.journal import format, identity, reader, segment
from mgit_hooks.journal.format import MAGIC, Claim, JournalId
from mgit_hooks.journal.segment import Damage, Located, headers, scan, segment_names
from mgit_hooks.record import Seq


def test_only_files_of_eight_digits_are_segments_and_they_are_in_order(tmp_path: Path) -> None:
    for name in ("00000010.seg", "00000002.seg", "00000003.seg.new", "0000001.seg", "00000004.seg~", "head"):
        (tmp_path / name).touch()
    assert segment_names(str(tmp_path)) == ["00000002.seg", "00000010.seg"]
    assert segment_names(str(tmp_path / "not there")) == []


def test_names_and_numbers() -> None:
    assert segment.segment_name(12) == "00000012.seg"
    assert segment.segment_number("00000012.seg") == 12


def test_a_scan_gives_every_byte_of_the_file_once(tmp_path: Path) -> None:
    journal = small(tmp_path, 20)
    for name, data in segment_bytes(journal).items():
        at = 0
        for item in scan(journal, name, reader.journal_ids(journal)):
            assert isinstance(item, Located)
            assert item.offset == at
            at = item.end
        assert at == len(data)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.one_of(st.binary(max_size=90), st.integers(0, 30), st.just(MAGIC)), max_size=12))
def test_a_scan_of_frames_and_noise_in_any_order_covers_the_file(tmp_path: Path, pieces: list[bytes | int]) -> None:
    journal = str(tmp_path / "mgit" / "journal")
    if not os.path.isdir(journal):
        small(tmp_path, 20)
    ids = reader.journal_ids(journal)
    name = segment_names(journal)[0]
    whole = [(item.offset, item.end) for item in scan(journal, name, ids)]
    data = segment_bytes(journal)[name]
    made, frames = b"", 0
    for piece in pieces:
        if isinstance(piece, int):
            start, end = whole[piece % len(whole)]
            made += data[start:end]
            frames += 1
        else:
            made += piece
    put(journal, "00000050.seg", made)
    at = found = 0
    for item in scan(journal, "00000050.seg", ids):
        assert item.offset == at
        at = item.end
        found += isinstance(item, Located)
    assert at == len(made)
    assert found == frames


@pytest.mark.parametrize("stride", [64, 100, 5000, 256 * 1024])
def test_headers_claim_what_a_scan_finds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stride: int) -> None:
    journal = small(tmp_path, 40)
    monkeypatch.setattr(segment, "_STRIDE", stride)
    for name in segment_names(journal):
        found = [item for item in scan(journal, name, reader.journal_ids(journal)) if isinstance(item, Located)]
        expected = [
            Claim(item.frame.kind, item.frame.records, item.frame.first_seq, item.offset, item.frame.length)
            for item in found
        ]
        assert list(headers(journal, name)) == expected
        assert list(headers(journal, name, expected[2].offset)) == expected[2:]
        assert expected[-1].end == os.path.getsize(os.path.join(journal, name))


def test_headers_end_where_none_lies_and_hold_no_checksum(tmp_path: Path) -> None:
    journal = small(tmp_path, 20)
    name = segment_names(journal)[0]
    data = segment_bytes(journal)[name]
    whole = list(headers(journal, name))
    third = whole[2]
    for length in range(len(data)):
        put(journal, name, data[:length])
        assert list(headers(journal, name)) == [claim for claim in whole if claim.end <= length]
    for at in range(third.offset, third.offset + len(MAGIC)):
        put(journal, name, data[:at] + b"\0" + data[at + 1 :])
        assert list(headers(journal, name)) == whole[:2]
    put(journal, name, data[: third.end - 1] + bytes((data[third.end - 1] ^ 1,)) + data[third.end :])
    assert list(headers(journal, name)) == whole  # a claim, no more
    oversized = (format.MAX_BODY + 1).to_bytes(4, "little")
    put(journal, name, data[: third.offset + 12] + oversized + data[third.offset + 16 :])
    assert list(headers(journal, name)) == whole[:2]


@pytest.mark.parametrize("size", [0, 1, 63, 64, 65, 3 * 1024 * 1024])
def test_a_file_without_any_frame_is_one_damage(tmp_path: Path, size: int) -> None:
    put(str(tmp_path), "00000001.seg", b"\x55" * size)
    items = list(scan(str(tmp_path), "00000001.seg", [JournalId(bytes(16))]))
    expected = Damage("00000001.seg", 0, size, "truncated" if size < 64 else "bad-magic", at_end=True)
    assert items == ([expected] if size else [])


_MIB = 1024 * 1024


@pytest.mark.parametrize(
    ("start", "zeros", "size", "torn"),
    [
        (0, (0, 0), 4096, False),
        (0, (512, 1024), 4096, True),
        (0, (513, 1024), 4096, False),
        (0, (512, 1023), 4096, False),
        (0, (700, 1500), 4096, False),  # longer than a sector, and no sector
        (0, (0, 512), 4096, True),
        (0, (0, 511), 4096, False),
        (0, (1024, 1100), 1100, True),
        (0, (1025, 1100), 1100, False),
        (449, (449, 512), 4096, True),
        (449, (450, 512), 4096, False),
        (449, (961, 1473), 4096, False),  # what would be a sector if the first began with the tail
        (449, (1024, 1536), 4096, True),
        (449, (0, 449), 4096, False),
        (0, (_MIB - 512, _MIB), 3 * _MIB, True),
        (0, (_MIB, _MIB + 512), 3 * _MIB, True),
        (0, (_MIB - 500, _MIB + 500), 3 * _MIB, False),
        (449, (2 * _MIB + 5120, 2 * _MIB + 5632), 3 * _MIB, True),
        (449, (_MIB + 512, _MIB + 900), 3 * _MIB, False),
        (_MIB + 449, (2 * _MIB + 5120, 2 * _MIB + 5632), 3 * _MIB, True),
    ],
)
def test_a_tail_that_lacks_a_sector_is_torn(
    tmp_path: Path, start: int, zeros: tuple[int, int], size: int, torn: bool
) -> None:
    """Sectors are those of the file, wherever the tail begins in one."""
    first, end = zeros
    put(str(tmp_path), "00000001.seg", b"\x55" * first + bytes(end - first) + b"\x55" * (size - end))
    with open(tmp_path / "00000001.seg", "rb") as file:
        assert segment._Segment(file).is_torn(start) is torn


def test_a_frame_behind_one_strange_byte_is_found(tmp_path: Path) -> None:
    journal = small(tmp_path, 5)
    ids = reader.journal_ids(journal)
    data = segment_bytes(journal)["00000001.seg"]
    whole = [item for item in scan(journal, "00000001.seg", ids) if isinstance(item, Located)]
    put(journal, "00000001.seg", data[: whole[1].offset] + b"x" + data[whole[1].offset :])
    items = list(scan(journal, "00000001.seg", ids))
    assert items[1] == Damage("00000001.seg", whole[1].offset, 1, "bad-magic")
    assert [item.frame for item in items if isinstance(item, Located)] == [item.frame for item in whole]


def test_a_whole_frame_at_the_end_that_does_not_hold_is_no_torn_tail(tmp_path: Path) -> None:
    journal = small(tmp_path, 5)
    ids = reader.journal_ids(journal)
    data = segment_bytes(journal)["00000001.seg"]
    last = list(scan(journal, "00000001.seg", ids))[-1]
    put(journal, "00000001.seg", data[:-1] + bytes((data[-1] ^ 1,)))
    expected = Damage("00000001.seg", last.offset, last.end - last.offset, "bad-checksum", at_end=True)
    assert list(scan(journal, "00000001.seg", ids))[-1] == expected
    put(journal, "00000001.seg", data[:-1])
    torn = expected._replace(length=expected.length - 1, kind="torn-tail")
    assert list(scan(journal, "00000001.seg", ids))[-1] == torn


def test_a_header_too_short_for_its_version_is_damage_not_the_future(tmp_path: Path) -> None:
    frame = format.Frame(format.SEGMENT, 0, 0, 2, Seq(1), format.GENESIS, b"\x09\0")
    put(str(tmp_path), "00000001.seg", format.pack_frame(frame, JournalId(bytes(16))))
    items = list(scan(str(tmp_path), "00000001.seg", [JournalId(b"\7" * 16)]))
    assert items == [Damage("00000001.seg", 0, 66, "bad-checksum", at_end=True)]


@pytest.mark.parametrize("version", range(1, format.VERSION + 1))
def test_a_segment_of_a_version_that_is_known_is_read(tmp_path: Path, version: int) -> None:
    journal = JournalId(bytes(16))
    frame = format.segment_frame(format.SegmentInfo(version, journal, 1, 0), Seq(1), format.GENESIS)
    put(str(tmp_path), "00000001.seg", format.pack_frame(frame, journal))
    assert list(scan(str(tmp_path), "00000001.seg", [journal])) == [Located("00000001.seg", 0, frame)]


def test_a_segment_of_a_later_version_is_named(tmp_path: Path) -> None:
    journal = JournalId(bytes(16))
    info = format.SegmentInfo(format.VERSION + 1, journal, 1, 0)
    frame = format.segment_frame(info, Seq(1), format.GENESIS)
    put(str(tmp_path), "00000007.seg", format.pack_frame(frame, journal))
    with pytest.raises(LaterFormatError, match=rf"00000007\.seg is in journal format {info.version}"):
        list(scan(str(tmp_path), "00000007.seg", [journal]))


class Counted:
    """A file that counts how often it is read from."""

    def __init__(self, file: BinaryIO) -> None:
        self.reads = 0
        self.seek, self.fileno, self._read = file.seek, file.fileno, file.read

    def read(self, length: int) -> bytes:
        self.reads += 1
        return self._read(length)


def test_a_scan_reads_a_segment_once_and_once_more_for_each_search(tmp_path: Path) -> None:
    journal = small(tmp_path, 40, target=4000)
    ids = reader.journal_ids(journal)
    data = segment_bytes(journal)["00000001.seg"]
    whole = [item for item in scan(journal, "00000001.seg", ids) if isinstance(item, Located)]
    hurt = whole[3]
    too_long = (len(data) - hurt.offset).to_bytes(4, "little")  # no frame at all: it would end behind the file
    for made, reads in (
        (data, 1),
        (data[: hurt.offset] + b"\0" + data[hurt.offset + 1 :], 2),
        (data[: hurt.offset + 12] + too_long + data[hurt.offset + 16 :], 2),
    ):
        put(journal, "00000001.seg", made)
        with open(os.path.join(journal, "00000001.seg"), "rb") as file:
            counted = Counted(file)
            items = list(segment._scan("00000001.seg", segment._Segment(cast(BinaryIO, counted)), ids, 0))
        assert counted.reads == reads
        assert [item for item in items if isinstance(item, Located)] == [
            item for item in whole if made == data or item != hurt
        ]


def test_a_segment_is_as_long_as_it_was_when_it_was_opened(tmp_path: Path) -> None:
    (tmp_path / "00000001.seg").write_bytes(b"0123456789")
    with open(tmp_path / "00000001.seg", "rb") as file:
        whole = segment._Segment(file)
        with open(tmp_path / "00000001.seg", "ab") as other:
            other.write(b"appended meanwhile")
        places = [(0, 100), (4, 100), (4, 2), (10, 5), (12, 5)]
        assert [whole.read(*place) for place in places] == [b"0123456789", b"456789", b"45", b"", b""]


def test_a_scan_from_a_place_on(tmp_path: Path) -> None:
    journal = small(tmp_path, 20)
    ids = reader.journal_ids(journal)
    whole = list(scan(journal, "00000001.seg", ids))
    for number, item in enumerate(whole):
        assert list(scan(journal, "00000001.seg", ids, item.offset)) == whole[number:]


@pytest.mark.parametrize("at", [1024 * 1024 - 4, 1024 * 1024 - 1, 1024 * 1024, 2 * 1024 * 1024 + 5])
def test_a_frame_is_found_wherever_it_lies_after_much_damage(tmp_path: Path, at: int) -> None:
    """The search goes by windows of a mebibyte: a magic that lies across two of them is seen."""
    journal = str(tmp_path / "mgit" / "journal")
    append(journal, [b"here"])
    ids = reader.journal_ids(journal)
    data = segment_bytes(journal)["00000001.seg"]
    put(journal, "00000002.seg", b"\x55" * at + data)
    items = list(scan(journal, "00000002.seg", ids))
    assert (items[0].offset, items[0].end) == (0, at)
    assert [isinstance(item, Located) for item in items] == [False, True, True]


def test_a_file_that_shrinks_while_it_is_read_ends_there(tmp_path: Path) -> None:
    """As when a writer takes a torn tail away: a reader that had it mapped would be killed."""
    journal = str(tmp_path / "mgit" / "journal")
    append(journal, [os.urandom(300_000) for _ in range(4)])
    (name,) = segment_names(journal)
    items = scan(journal, name, reader.journal_ids(journal))
    next(items)
    os.truncate(os.path.join(journal, name), 400)
    assert [item.kind for item in items if isinstance(item, Damage)] == ["truncated"]


def test_ids_come_from_the_identity_and_without_it_from_the_headers(tmp_path: Path) -> None:
    journal, other = small(tmp_path / "one", 5), small(tmp_path / "two", 5)
    own, theirs = identity.read(journal), identity.read(other)
    assert own is not None
    assert theirs is not None
    strange = segment_bytes(other)["00000001.seg"]
    put(journal, "00000009.seg", strange)
    assert reader.journal_ids(journal) == [own.journal]
    os.unlink(os.path.join(journal, "identity"))
    assert reader.journal_ids(journal) == [own.journal, theirs.journal]
    # An identity that is no segment's (a file copied from elsewhere) does not make the journal unreadable.
    os.unlink(os.path.join(journal, "00000009.seg"))
    identity.write(journal, identity.new_id())
    assert len(records(journal)) == 5


def test_headers_that_cannot_be_read_tell_no_ids(tmp_path: Path) -> None:
    journal = small(tmp_path, 30)
    own = identity.read(journal)
    assert own is not None
    names = segment_names(journal)
    data = segment_bytes(journal)
    for name in names[:-1]:
        put(journal, name, b"\0" + data[name][1:])
    os.unlink(os.path.join(journal, "identity"))
    assert reader.journal_ids(journal) == [own.journal]
    put(journal, names[-1], b"\0" + data[names[-1]][1:])
    assert reader.journal_ids(journal) == []
    identity.write(journal, own.journal, [JournalId(bytes(16))])
    assert reader.journal_ids(journal) == [JournalId(bytes(16)), own.journal]


def test_an_identity_that_is_no_segments_is_known_beside_what_their_headers_say(tmp_path: Path) -> None:
    journal = small(tmp_path, 5)
    own = identity.read(journal)
    assert own is not None
    strange = identity.new_id()
    os.unlink(os.path.join(journal, "identity"))
    identity.write(journal, strange)
    assert reader.journal_ids(journal) == [strange, own.journal]
