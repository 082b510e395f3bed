"""Looking for a text in every file below a folder: as it is, and in whatever is packed there."""

from __future__ import annotations

import gzip
import json
import lzma
import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import snappy

from mgit_hooks.compress import ZSTD, decompress
from mgit_hooks.journal.blockformat import _xor
from mgit_hooks.journal.format import HEADER_LENGTH, MAGIC, MASKED, declared_length

_GZIP = b"\x1f\x8b"


def holding(folder: str | Path, secret: bytes) -> list[str]:
    """The files below ``folder`` that hold ``secret``, however packed, by their paths there."""
    top = Path(folder)
    forms = {secret, json.dumps(secret.decode("utf-8", "replace"))[1:-1].encode()}
    return [
        str(path.relative_to(top))
        for path in sorted(top.rglob("*"))
        if path.is_file() and any(form in data for data in contents(path) for form in forms)
    ]


def contents(path: Path) -> Iterator[bytes]:
    """A file's bytes, and what of them can be unpacked from any place on: this is not the program's own reader."""
    raw = path.read_bytes()
    yield raw
    yield from _frames(raw)
    yield from _streams(raw)
    if raw.startswith(b"SQLite"):
        yield from _rows(path)


def _frames(raw: bytes) -> Iterator[bytes]:
    """What stands behind each magic, whether its checksum holds or not."""
    at = raw.find(MAGIC)
    while at >= 0:
        header = raw[at : at + HEADER_LENGTH]
        length = declared_length(raw, at)
        if length:
            body = raw[at + HEADER_LENGTH : at + length]
            if header[9] & MASKED:
                body = _xor(body[8:], body[:8])
                yield body
            with suppress(Exception):
                yield snappy.decompress(body)
            with suppress(ValueError):
                yield decompress(body, ZSTD, int.from_bytes(header[16:20], "little"))
        at = raw.find(MAGIC, at + 1)


def _streams(raw: bytes) -> Iterator[bytes]:
    for magic, unpack in ((_GZIP, _unzipped), (b"\xfd7zXZ", lzma.decompress)):
        at = raw.find(magic)
        while at >= 0:
            with suppress(zlib.error, lzma.LZMAError, EOFError, gzip.BadGzipFile):
                yield unpack(raw[at:])
            at = raw.find(magic, at + 1)


def _unzipped(data: bytes) -> bytes:
    return zlib.decompressobj(31).decompress(data)


def _rows(path: Path) -> Iterator[bytes]:
    database = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
        for row in database.execute(f"SELECT * FROM [{name}]"):  # noqa: S608
            yield b"\0".join(each if isinstance(each, bytes) else str(each).encode() for each in row)
    database.close()
