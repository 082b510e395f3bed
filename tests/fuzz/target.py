"""What the fuzzer runs: decoders of everything that is read from the disk, and what must hold of each answer.

``python target.py TARGET [--plant BUG] [libFuzzer options] [CORPUS]`` fuzzes one of them, guided by coverage
(atheris). A decoder may refuse bytes with the one error that it names; whatever else happens is a find.
Checksums are put right before a decoder sees the bytes: else no mutant would get past them.
"""

from __future__ import annotations

import json
import operator
import os
import struct
import sys
from collections.abc import Callable
from contextlib import nullcontext
from itertools import cycle
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).resolve().parents[1]), str(Path(__file__).resolve().parents[2])]

try:
    import atheris
except ImportError:  # no build for this platform: ``test_fuzz`` drives the targets without guidance
    atheris = None

with atheris.instrument_imports(include=["mgit_hooks"]) if atheris else nullcontext():
    import google_crc32c
    import second_reader

    from mgit_hooks import compress
    from mgit_hooks.encoding import decode, encode
    from mgit_hooks.journal import blockformat, format, identity, reader, segment, verify
    from mgit_hooks.recorder import event

JOURNAL = format.JournalId(bytes(range(16)))
_KINDS = (format.SEGMENT, format.BLOCK, format.CURSOR, format.FOOTER)


def frame(data: bytes) -> None:
    """A frame as it lies in a segment: with its own checksum, and with one that holds."""
    _one_frame(data)
    if len(data) >= format.HEADER_LENGTH:
        length = len(data) - format.HEADER_LENGTH
        header = format.MAGIC + data[8:12] + struct.pack("<I", length) + data[16:60]
        body = data[format.HEADER_LENGTH :]
        _one_frame(header + struct.pack("<I", google_crc32c.value(JOURNAL + header + body)) + body)


def _one_frame(data: bytes) -> None:
    try:
        found = format.unpack_frame(data, 0, (JOURNAL,))
        what = format.segment_info(found) if found.kind == format.SEGMENT else _content(found)
    except (format.FormatError, format.NewerFormat):
        return
    assert found.length <= len(data)
    if found.kind in (format.CURSOR, format.FOOTER):
        assert what is not None
    again = format.pack_frame(found, JOURNAL)
    assert again == data[: found.length]
    theirs = second_reader.frame_at(data, 0, [JOURNAL])
    assert theirs is not None
    assert theirs[5:] == (found.previous, found.body)


def _content(found: format.Frame) -> object:
    if found.kind == format.FOOTER:
        return format.footer_info(found)
    if found.kind == format.BLOCK:
        _compare(found)
        return None
    return blockformat.frame_cursor(found)


def block(data: bytes) -> None:
    """The body of a block under any codec, mask and count: what is taken must be what the second reader takes."""
    if len(data) < 4:
        return
    codec, count, length = struct.unpack_from("<BBH", data)
    body = data[4:]
    if not length & 1:  # mostly as long as it says itself: else few mutants would get to the entries
        inner = bytes(map(operator.xor, body[8:], cycle(body[:8]))) if codec & format.MASKED else body
        length = _told_length(codec & ~format.MASKED, inner)
    _compare(format.Frame(format.BLOCK, codec, count, length, format.Seq(1), format.GENESIS, body))


def _told_length(codec: int, inner: bytes) -> int:
    if codec == compress.SNAPPY:
        return max(compress.snappy_length(inner), 0)
    if codec == compress.ZSTD and len(inner) > 4 and not inner[4] & 3:
        told = second_reader.zstd_content_size(inner)
        return told if told is not None and told < 1 << 24 else len(inner)
    return len(inner)


def _compare(found: format.Frame) -> None:
    try:
        entries = blockformat.block_entries(found)
    except format.FormatError:
        return
    theirs = list(second_reader.entries(found.codec, found.records, found.raw_length, found.body))
    assert theirs == [(entry.payload_length, entry.digest, entry.payload) for entry in entries]
    for entry in entries:
        assert entry.payload is None or len(entry.payload) == entry.payload_length
        assert len(entry.digest) == 32
    cursor = blockformat.frame_cursor(found)
    packed = blockformat.block_frame(entries, found.first_seq, found.previous, cursor, compress.SNAPPY)
    assert blockformat.block_entries(packed) == entries
    assert format.MAGIC not in packed.body


class _Place:
    """One journal in memory, its only segment written anew for each mutant."""

    def __init__(self) -> None:
        base = "/dev/shm" if os.path.isdir("/dev/shm") else os.environ.get("TMPDIR", "/tmp")
        self.dir = os.path.join(base, f"mgit-hooks-fuzz-{os.getpid()}", "journal")
        os.makedirs(self.dir, exist_ok=True)
        identity.write(self.dir, JOURNAL)


_place: list[_Place] = []


def journal(data: bytes) -> None:
    """A whole segment: frames are told by a byte each, so that mutants are more than one damage."""
    if not _place:
        _place.append(_Place())
    where = _place[0].dir
    parts = [_frame_of(piece) for piece in data.split(b"\xff\x00")]
    with open(os.path.join(where, "00000001.seg"), "wb") as file:
        file.write(b"".join(parts))
    found = list(reader.records(where))
    seqs = [stored.seq for stored in found]
    assert seqs == sorted(set(seqs))
    assert [(stored.seq, stored.id.hex(), stored.payload) for stored in found] == second_reader.read(where)
    items = list(segment.scan(where, "00000001.seg", (JOURNAL,)))
    assert sum(item.end - item.offset for item in items) == sum(map(len, parts))
    report = verify.verify(where)
    assert len(report.damaged) + len(report.holes) + report.records + len(items) < 10_000


def _frame_of(piece: bytes) -> bytes:
    """Bytes as they are, or as the body of a frame that holds."""
    if len(piece) < 4 or piece[0] & 0x80:
        return piece
    kind = _KINDS[piece[0] % 4]
    body = piece[4:]
    if kind == format.SEGMENT:
        body = struct.pack("<H16sIQ", format.VERSION, JOURNAL, 1, 0)
    made = format.Frame(kind, piece[1], piece[2], len(body), format.Seq(piece[3] or 1), format.GENESIS, body)
    return format.pack_frame(made, JOURNAL)


def sidecar(data: bytes) -> None:
    """``identity`` and ``head``, with a check that holds wherever the text is an object."""
    if not _place:
        _place.append(_Place())
    try:
        value = json.loads(data)
        value.pop("check", None)
        check = google_crc32c.value(json.dumps(value, sort_keys=True).encode())
        data = json.dumps({**value, "check": check}).encode()
    except (ValueError, AttributeError, TypeError, RecursionError):
        pass
    for name, read in (("head", identity.read_head), ("identity", identity.read)):
        where = os.path.join(_place[0].dir + "-sidecar")
        os.makedirs(where, exist_ok=True)
        with open(os.path.join(where, name), "wb") as file:
            file.write(data)
        found = read(where)
        if isinstance(found, identity.Head):
            assert min(found.seq, found.offset, found.end, found.first_seq, *(found.cursor or ())) >= 0
            assert len(found.id) == 32
            assert segment.segment_name(segment.segment_number(found.segment)) == found.segment


def line(data: bytes) -> None:
    """A line of the spool."""
    try:
        said = event.parse(data)
        event.check(said)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return
    assert event.parse(event.format(said)[:-1]) == said


def record(data: bytes) -> None:
    """A payload as a record."""
    try:
        found = decode(data, format.Seq(1), "00")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return
    assert decode(encode(found), format.Seq(1), "00") == found


TARGETS: dict[str, Callable[[bytes], None]] = {
    each.__name__: each for each in (frame, block, journal, sidecar, line, record)
}


def _plant(bug: str) -> None:
    """Put a real bug where a check is, so that a test can see it found."""
    module: Any = blockformat
    if bug == "short-payload":  # an entry that runs past the end of its block is given out
        source = Path(blockformat.__file__).read_text()
        start = source.index("def _entries(")
        text = source[start : source.index("\n# Chain", start)]
        planted = text.replace("if at > len(raw):", "if False:").replace("if at != len(raw):", "if False:")
        assert planted != text
        exec(compile("from __future__ import annotations\n" + planted, "planted", "exec"), vars(module))  # noqa: S102
    elif bug == "unmasked":  # a magic inside a body is left there
        module._masked = lambda body: bytes(8) + body
    elif bug == "any-value":  # whatever values stand in a head are taken for a journal's end
        identity._is_sound = lambda head: True
    else:
        raise SystemExit(f"no such bug: {bug}")


def main(arguments: list[str]) -> None:
    name, *rest = arguments
    if rest[:1] == ["--plant"]:
        _plant(rest[1])
        rest = rest[2:]
    atheris.Setup([sys.argv[0], *rest], TARGETS[name])
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1:])
