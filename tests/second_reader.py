"""A second reader of the journal, written from docs/format.md alone: nothing of mgit_hooks is used.

It gives what any reader must: the records, each once, with seq, chain id and payload.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import struct
import sys
from collections.abc import Callable, Iterator
from functools import partial

import snappy

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

MAGIC = bytes.fromhex("934d4749540d0a1a")
LIMIT = 268_435_456


def _table() -> list[int]:
    table = []
    for number in range(256):
        for _ in range(8):
            number = number >> 1 ^ (0x82F63B78 if number & 1 else 0)
        table.append(number)
    return table


_TABLE = _table()


def crc32c(data: bytes) -> int:
    value = 0xFFFFFFFF
    for byte in data:
        value = _TABLE[(value ^ byte) & 0xFF] ^ value >> 8
    return value ^ 0xFFFFFFFF


def frame_at(data: bytes, at: int, journals: list[bytes]):  # type: ignore[no-untyped-def]
    """(kind, codec, count, raw length, first seq, previous, body), or None where no whole frame holds."""
    header = data[at : at + 64]
    if len(header) < 64 or header[:8] != MAGIC:
        return None
    kind, codec, count, stored, raw_length, first_seq = struct.unpack_from("<BBHIIQ", header, 8)
    previous = header[28:60]
    (checksum,) = struct.unpack_from("<I", header, 60)
    if stored > LIMIT or raw_length > LIMIT or at + 64 + stored > len(data):
        return None
    body = data[at + 64 : at + 64 + stored]
    if kind == 1 and len(body) >= 18:
        if journals and body[2:18] not in journals:
            return None
        candidates = [body[2:18]]
    else:
        candidates = journals
    if all(crc32c(journal + header[:60] + body) != checksum for journal in candidates):
        return None
    return kind, codec, count, raw_length, first_seq, previous, body


def frames(data: bytes, journals: list[bytes]) -> Iterator[tuple]:  # type: ignore[type-arg]
    at = 0
    while 0 <= at < len(data):
        frame = frame_at(data, at, journals)
        if frame is None:
            at = data.find(MAGIC, at + 1)
            continue
        if frame[0] == 1 and at == 0:
            version = struct.unpack_from("<H", frame[6])[0]
            if version > 2:
                raise ValueError(f"format version {version}")
        yield frame
        at += 64 + len(frame[6])


def span(frame: tuple, is_first: bool) -> tuple[int, int] | None:  # type: ignore[type-arg]
    """The seqs from the first to before the second, as format.md has it under "Out of turn"."""
    kind, _, count, _, first_seq, _, body = frame
    if kind == 4:
        if len(body) != 16:
            return None
        after = struct.unpack_from("<8xQ", body)[0] + 1
        return after, after
    if kind in (2, 3) or (kind == 1 and is_first):
        return first_seq, first_seq + count
    return None


Along = list[tuple[int, int]]  # the spans of the blocks that are judged along with a segment's frames


def in_turn(
    own: list[tuple[int, int] | None], expected: int, following: Callable[[int], tuple[Along, int | None]]
) -> tuple[set[int], int]:
    """The places of the frames of a segment that are out of turn, and the seq that is expected after them."""
    out: set[int] = set()
    for place, one in enumerate(own):
        if one is None or one[0] <= expected:
            expected = max(expected, one[1] if one else 0)
            continue
        along, limit = following(expected)
        spans = [*own, *along]
        best: dict[int, tuple[int, int, list[int]]] = {}
        for at in range(place, len(spans)):
            here = spans[at]
            if here is None or here[0] < expected or (limit is not None and here[1] > limit):
                continue
            before = [run for end, run in best.items() if spans[end][1] <= here[0]]  # type: ignore[index]
            worth, frames, kept = min(before, key=lambda run: rank(run, spans), default=(0, 0, []))
            best[at] = (worth + here[1] - here[0], frames + 1, [*kept, at])
        _, _, kept = min(best.values(), key=lambda run: rank(run, spans), default=(0, 0, []))
        for at in range(place, len(own)):
            here = own[at]
            if here is None or here[0] < expected:
                continue
            if at in kept:
                expected = here[1]
            else:
                out.add(at)
        break
    return out, expected


def rank(run: tuple[int, int, list[int]], spans: list) -> tuple[int, int, int, int]:  # type: ignore[type-arg]
    return -run[0], -run[1], spans[run[2][-1]][1], run[2][-1]


def entries(codec: int, count: int, raw_length: int, body: bytes) -> Iterator[tuple[int, bytes, bytes | None]]:
    """(payload length, digest, payload) of each entry."""
    assert 1 <= count <= 64
    assert codec & 0x7F in (0, 1, 2)
    if codec & 0x80:
        assert len(body) >= 8
        mask, body = body[:8], body[8:]
        body = bytes(byte ^ mask[place % 8] for place, byte in enumerate(body))
    if codec & 0x7F == 1:
        assert raw_length <= 22 * len(body)
        body = snappy.decompress(body)
    elif codec & 0x7F == 2:
        assert body[:4] == b"\x28\xb5\x2f\xfd"
        assert zstd_content_size(body) == raw_length
        decoder = zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: 23})  # 8 MiB
        body = decoder.decompress(body, raw_length)
        assert decoder.eof
        assert not decoder.unused_data
    assert len(body) == raw_length
    assert body[0] in (0, 1)
    at = 17 if body[0] else 1
    for _ in range(count):
        length, flags = struct.unpack_from("<IB", body, at)
        at += 5
        assert flags in (0, 1)
        if flags:
            yield length, body[at : at + 32], None
            at += 32
        else:
            salted = body[at : at + 16 + length]
            yield length, hashlib.sha256(salted).digest(), salted[16:]
            at += 16 + length
    assert at == len(body)


def zstd_content_size(body: bytes) -> int | None:
    """RFC 8878, 3.1.1.1: the frame header's content size; None where it tells none."""
    descriptor = body[4]
    assert not descriptor & 3, "a dictionary"
    single = descriptor >> 5 & 1
    width = (1 if single else 0, 2, 4, 8)[descriptor >> 6]
    at = 5 if single else 6
    size = int.from_bytes(body[at : at + width], "little")
    return None if not width else size + 256 if width == 2 else size


def identity(journal_dir: str) -> dict | None:  # type: ignore[type-arg]
    try:
        with open(os.path.join(journal_dir, "identity"), "rb") as file:
            value = json.loads(file.read())
        check = value.pop("check")
    except (OSError, ValueError, KeyError):
        return None
    return value if crc32c(json.dumps(value, sort_keys=True).encode()) == check else None


def read(journal_dir: str) -> list[tuple[int, str, bytes | None]]:
    """Every record: (seq, id in hexadecimal, payload or None where erased)."""
    names = sorted(name for name in os.listdir(journal_dir) if re.fullmatch(r"\d{8}\.seg", name))
    segments = []
    for name in names:
        with open(os.path.join(journal_dir, name), "rb") as file:
            segments.append(file.read())
    headers = [frame[6][2:18] for data in segments if (frame := frame_at(data, 0, [])) is not None and frame[0] == 1]
    own = identity(journal_dir)
    lineage = [bytes.fromhex(id) for id in own["lineage"]] if own else []
    if own and (bytes.fromhex(own["journal"]) in headers or not headers):
        journals = lineage
    else:
        journals = [*lineage, *headers]
    records: list[tuple[int, str, bytes | None]] = []
    expected = wanted = 1
    for number, data in enumerate(segments):
        held = list(frames(data, journals))
        starts_whole = frame_at(data, 0, journals) is not None
        spans = [span(frame, starts_whole and place == 0) for place, frame in enumerate(held)]
        out, wanted = in_turn(spans, wanted, partial(after, names, segments, number, journals))
        for place, (kind, codec, count, raw_length, first_seq, previous, body) in enumerate(held):
            if kind != 2 or first_seq < expected or place in out:
                continue
            try:
                told = list(entries(codec, count, raw_length, body))
            except (AssertionError, IndexError, struct.error, snappy.UncompressError, zstd.ZstdError):
                continue  # damage, though the checksum holds: no writer makes such a block
            id = previous
            for seq, (length, digest, payload) in enumerate(told, first_seq):
                id = hashlib.sha256(id + struct.pack("<QI", seq, length) + digest).digest()
                records.append((seq, id.hex(), payload))
            expected = first_seq + count
    return records


def after(
    names: list[str], segments: list[bytes], number: int, journals: list[bytes], expected: int
) -> tuple[Along, int | None]:
    """The blocks of the next segment if its header is lost, and where the next segment that tells it begins."""
    along: Along = []
    for later in range(number + 1, len(names)):
        data = segments[later]
        header = frame_at(data, 0, journals)
        if header is not None and header[0] == 1:
            own = len(header[6]) == 30 and struct.unpack_from("<I", header[6], 18)[0] == int(names[later][:8])
            starts = [header[4]] if own else []
        else:
            blocks = [(frame[4], frame[4] + frame[2]) for frame in frames(data, journals) if frame[0] == 2]
            starts = [first for first, _ in blocks]
            if later == number + 1:
                along, starts = blocks, []
        told = [start for start in starts if start >= expected]
        if told:
            return along, int(min(told))
    return along, None
