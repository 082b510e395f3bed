"""What each kind of damage to a frame is called, and where exactly it begins to be one."""

from __future__ import annotations

import struct

import pytest

from journal.framing import JOURNAL, OTHER, block, kind_of, resealed
from mgit_hooks.journal import blockformat, format
from mgit_hooks.journal.format import (
    BLOCK,
    GENESIS,
    MAX_BODY,
    Cursor,
    Frame,
    NewerFormat,
    SegmentInfo,
)
from mgit_hooks.record import Seq


def with_field(frame: Frame, at: int, value: int) -> bytes:
    data = bytearray(format.pack_frame(frame, JOURNAL))
    data[at : at + 4] = struct.pack("<I", value)
    return resealed(bytes(data))


BARE = Frame(9, 0, 0, 0, Seq(1), GENESIS, b"")
HEADER = format.pack_frame(format.segment_frame(SegmentInfo(1, JOURNAL, 1, 2), Seq(1), GENESIS), JOURNAL)
SHORT = Frame(format.SEGMENT, 0, 0, 17, Seq(1), GENESIS, b"\1\0" + bytes(15))


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (format.pack_frame(BARE, JOURNAL)[:-1], "truncated"),
        (b"", "truncated"),
        (b"\0" + format.pack_frame(BARE, JOURNAL)[1:], "bad-magic"),
        (with_field(BARE, 12, MAX_BODY), "truncated"),  # as long as a body may be: only that it is not there
        (with_field(BARE, 12, MAX_BODY + 1), "oversized"),
        (with_field(BARE, 16, MAX_BODY + 1), "oversized"),
        (format.pack_frame(block([b"x"]), JOURNAL)[:-1], "truncated"),
        (format.pack_frame(block([b"x"]), JOURNAL)[:-1] + b"y", "bad-checksum"),
        (format.pack_frame(block([b"x"]), OTHER), "bad-checksum"),
        (HEADER[:-1] + b"\7", "bad-checksum"),
        (format.pack_frame(format.segment_frame(SegmentInfo(1, OTHER, 1, 2), Seq(1), GENESIS), OTHER), "foreign"),
        (format.pack_frame(SHORT, OTHER), "bad-checksum"),
    ],
)  # fmt: skip
def test_what_no_frame_is_called(data: bytes, kind: str) -> None:
    for before in (b"", b"before"):
        assert kind_of(lambda: format.unpack_frame(before + data, len(before), [JOURNAL])) == kind  # noqa: B023


def test_frames_at_the_limits_of_what_is_one() -> None:
    assert format.unpack_frame(format.pack_frame(BARE, JOURNAL), 0, [JOURNAL]) == BARE
    long = BARE._replace(raw_length=MAX_BODY)
    assert format.unpack_frame(format.pack_frame(long, JOURNAL), 0, [JOURNAL]) == long
    assert kind_of(lambda: format.pack_frame(BARE._replace(raw_length=MAX_BODY + 1), JOURNAL)) == "oversized"
    # The least that a later version's header has: version and journal.
    least = Frame(format.SEGMENT, 0, 0, 18, Seq(1), GENESIS, b"\7\0" + JOURNAL)
    assert format.unpack_frame(format.pack_frame(least, JOURNAL), 0, ()) == least
    # Of a header that is too short for that, the checksum is held under the ids that are known.
    short = least._replace(body=least.body[:17])
    assert format.unpack_frame(format.pack_frame(short, JOURNAL), 0, [OTHER, JOURNAL]) == short
    assert kind_of(lambda: format.unpack_frame(format.pack_frame(short, JOURNAL), 0, ())) == "bad-checksum"
    theirs = format.segment_frame(SegmentInfo(1, OTHER, 1, 2), Seq(1), GENESIS)
    assert format.unpack_frame(format.pack_frame(theirs, OTHER), 0, [JOURNAL, OTHER]) == theirs


def test_the_length_that_a_header_declares() -> None:
    data = b"xyz" + format.pack_frame(BARE, JOURNAL)
    assert format.declared_length(data, 3) == 64
    assert format.declared_length(data[:-1], 3) == 0
    assert format.declared_length(data, 2) == 0
    assert format.declared_length(with_field(BARE, 12, MAX_BODY), 0) == 64 + MAX_BODY
    assert format.declared_length(with_field(BARE, 12, MAX_BODY + 1), 0) == 0


def test_what_no_segment_header_is_called() -> None:
    frame = format.segment_frame(SegmentInfo(1, JOURNAL, 3, 4), Seq(1), GENESIS)
    assert format.segment_info(frame) == SegmentInfo(1, JOURNAL, 3, 4)
    newest = format.segment_frame(SegmentInfo(format.VERSION, JOURNAL, 3, 4), Seq(1), GENESIS)
    assert format.segment_info(newest).version == format.VERSION
    others = [
        frame._replace(kind=BLOCK),
        frame._replace(body=b""),
        frame._replace(body=b"\1"),
        frame._replace(body=b"\1\0"),
        frame._replace(body=frame.body[:-1]),
        frame._replace(body=frame.body + b"\0"),
        frame._replace(body=b"\0\0" + frame.body[2:]),
    ]
    for other in others:
        assert kind_of(lambda: format.segment_info(other)) == "no-segment-header"  # noqa: B023
    for later in (format.VERSION + 1, 65535):
        for body in (struct.pack("<H", later), struct.pack("<H", later) + frame.body[2:]):
            with pytest.raises(NewerFormat) as raised:
                format.segment_info(frame._replace(body=body))
            assert raised.value.version == later
            assert str(raised.value) == str(later)


def test_the_version_is_peeked_at_where_a_header_can_be() -> None:
    assert format.peek_version(HEADER) == 1
    assert format.peek_version(HEADER[:66]) == 1
    assert format.peek_version(HEADER[:65]) is None
    assert format.peek_version(b"\0" + HEADER[1:]) is None
    assert format.peek_version(HEADER[:8] + bytes((BLOCK,)) + HEADER[9:]) is None


def test_a_footer_of_another_length_is_bad() -> None:
    frame = format.footer_frame(3, Seq(1), Seq(5), GENESIS)
    assert format.footer_info(frame) == (3, 5)
    for body in (frame.body[:-1], frame.body + b"\0", b""):
        assert kind_of(lambda: format.footer_info(frame._replace(body=body))) == "bad-footer"  # noqa: B023


def test_a_cursor_of_another_length_is_bad() -> None:
    frame = format.cursor_frame(Cursor(1, 2), Seq(1), GENESIS)
    for body in (frame.body[:-1], frame.body + b"\0", b""):
        assert kind_of(lambda: blockformat.frame_cursor(frame._replace(body=body))) == "bad-cursor"  # noqa: B023
