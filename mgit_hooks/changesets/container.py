"""The bytes of a collection's file: what holds the collection, and says whether it is what was written.

    mgitc sha256:HEX
    {"format":"mgit-hooks collection","version":1,"name":NAME,"codec":CODEC,"length":BYTES,"stored":BYTES,
     "frames":[BYTES,...],"marks":"HEX...","paths":"BASE64"}
    the collection's JSON in UTF-8, BYTES long, under CODEC

HEX is the SHA-256 of all that follows its line, so that every flipped bit is seen before anything is made of it, and
``tail -n +2 FILE | sha256sum`` tells by hand. What stands from the third line on is a standard container:
``tail -n +3 FILE | zstd -d`` gives the JSON. The second line is one line; its frames are how long each of the
container's members is, its marks a short hash of each piece of the JSON (``frames``), its paths, under zlib and with
NUL between them, those of the repositories: what a damaged file has lost, and what of it is still whole, is known by
them. Nothing else needs them.
"""

from __future__ import annotations

import json
import re
import zlib
from binascii import a2b_base64, b2a_base64
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from mgit_hooks.containers import METHODS, recognized
from mgit_hooks.encoding import encode_json
from mgit_hooks.errors import CompressionError
from mgit_hooks.record import Json

VERSION: Final = 1
LIMIT: Final = 2 * 1024**3
"""Bytes of JSON that a collection may have, written or read."""
_FORMAT: Final = "mgit-hooks collection"
_MAGIC: Final = b"mgitc sha256:"
_FIRST_LINE: Final = len(_MAGIC) + 64 + 1
_LONGEST_HEADER: Final = 16 * 1024**2  # bytes: a name has at most 255; a changeset takes 12 for its mark
_SHIFTED: Final = 64  # bytes: how far from its place the second line of a damaged file is looked for
_DEEPEST: Final = 200
# Written one after the other as escapes, the two halves would be read as one character.
_SPLIT_PAIR: Final = re.compile("[\ud800-\udbff][\udc00-\udfff]")


class Header(NamedTuple):
    name: str
    codec: str
    length: int  # bytes of JSON
    stored: int  # bytes of it under the codec


class Later(ValueError):
    """A later version of the program wrote this."""


def pack(name: str, pieces: Sequence[bytes], method: str, quality: str, paths: Sequence[str] = ()) -> bytes:
    """The file's bytes for JSON in pieces, under ``method`` or as it is where that is not smaller.

    ``paths`` are those of the repositories in it.

    Raises ValueError where it is longer than LIMIT, or where what was packed does not come back the same.
    """
    from hashlib import sha256

    from mgit_hooks.changesets import frames

    payload = b"".join(pieces)
    if len(payload) > LIMIT:
        raise ValueError(f"it has {len(payload)} bytes, more than {LIMIT}")
    codec, members = method, frames.packed(pieces, method, quality)
    if sum(map(len, members)) >= len(payload):
        codec, members = "none", [payload]
    stored = b"".join(members)
    header: Json = {"format": _FORMAT, "version": VERSION, "name": name, "codec": codec}
    header |= {"length": len(payload), "stored": len(stored), "frames": list(map(len, members))}
    header |= {"marks": "".join(map(frames.mark, pieces)), "paths": _packed_paths(paths)}
    line = encode_json(header) + b"\n"
    digest = sha256(line)
    digest.update(stored)
    packed = b"".join((_MAGIC, digest.hexdigest().encode(), b"\n", line, stored))
    if unpack(packed)[1] != payload:
        raise ValueError("what was packed does not come back the same")
    return packed


def _packed_paths(paths: Sequence[str]) -> str:
    raw = "\0".join(paths).encode("utf-8", "surrogatepass")
    return b2a_base64(zlib.compress(raw, 9), newline=False).decode("ascii")


def _unpacked_paths(said: Any) -> tuple[str, ...] | None:
    try:
        unpacker = zlib.decompressobj()
        raw = unpacker.decompress(a2b_base64(said), _LONGEST_HEADER)
        return tuple(raw.decode("utf-8", "surrogatepass").split("\0")) if unpacker.eof and raw else None
    except (TypeError, ValueError, zlib.error):
        return None


class Salvaged(NamedTuple):
    """What of a damaged file is known to be as it was written. ``paths``: those of all repositories that it held, where
    that can still be told; ``fields``: the collection's own."""

    paths: tuple[str, ...] | None
    fields: Json
    repositories: dict[str, Json]


def salvage(data: bytes) -> Salvaged:
    """What is whole in the file's bytes, damaged or cut anywhere; nothing of it is guessed."""
    from mgit_hooks.changesets import frames

    begins = data.find(b"{", 0, _FIRST_LINE + _SHIFTED)
    end = data.find(b"\n", begins, begins + _LONGEST_HEADER) if begins >= 0 else -1
    try:
        value = json.loads(data[begins:end]) if end >= 0 else None
    except (ValueError, RecursionError):
        value = None
    header: Json = value if isinstance(value, dict) else {}
    codec = header.get("codec")
    at = end + 1
    if codec not in METHODS:
        codec, at = _found_codec(data)
    if codec is None:
        return Salvaged(None, {}, {})
    lengths, marks = header.get("frames"), header.get("marks")
    known = isinstance(lengths, list) and all(isinstance(each, int) and each > 0 for each in lengths)
    mark = marks if isinstance(marks, str) else ""
    fields, found = frames.salvaged(data[at:], codec, lengths if known and lengths else (), mark)
    return Salvaged(_unpacked_paths(header.get("paths")), fields, found)


def _found_codec(data: bytes) -> tuple[str | None, int]:
    """The container that begins a line of ``data``, which has lost what names it, and where it begins."""
    at = data.find(b"\n") + 1
    while 0 < at <= _LONGEST_HEADER and (at := data.find(b"\n", at) + 1):
        codec = recognized(data[at : at + 16])
        if codec is not None:
            return codec, at
    return None, 0


def unpack(data: bytes) -> tuple[Header, bytes]:
    """The header and the JSON. Raises ValueError that says why ``data`` is not what was written; Later."""
    from mgit_hooks import codecs

    header, start = check(data)
    try:
        payload = codecs.unpack(data[start:], header.codec, codecs.Bounds(output=header.length))
    except CompressionError as error:  # the bytes are those that were written: written wrongly, then
        raise ValueError(error.message) from error
    if len(payload) != header.length:
        raise ValueError("what it holds is not as long as its header says")
    return header, payload


def check(data: bytes) -> tuple[Header, int]:
    """The header, and where what it describes begins; every byte was held against the checksum. Raises as unpack."""
    from hashlib import sha256

    first = data[:_FIRST_LINE]
    if not first.startswith(_MAGIC) or not first.endswith(b"\n") or len(first) != _FIRST_LINE:
        raise ValueError("it does not begin as a collection does")
    if sha256(memoryview(data)[_FIRST_LINE:]).hexdigest().encode() != first[len(_MAGIC) : -1]:
        raise ValueError("its checksum is not that of its bytes")
    end = data.find(b"\n", _FIRST_LINE, _FIRST_LINE + _LONGEST_HEADER)
    try:
        value = json.loads(data[_FIRST_LINE:end]) if end >= 0 else None
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict) or value.get("format") != _FORMAT:
        raise ValueError("its second line is no header of a collection")
    if value.get("version") != VERSION:
        raise Later(f"it is of version {value.get('version')}, and this program knows {VERSION}")
    header = Header._make(value.get(name) for name in Header._fields)
    if header.codec not in METHODS or not isinstance(header.name, str):
        raise ValueError("its header names no codec that there is")
    if not (isinstance(header.length, int) and 0 <= header.length <= LIMIT) or header.stored != len(data) - end - 1:
        raise ValueError("its lengths are not those of its header")
    return header, end + 1


def require_plain(value: Any, at: str = "", depth: int = 0) -> None:
    """Raise ValueError, with the place, for what JSON cannot give back: a tuple, a key that is no text, NaN."""
    if depth > _DEEPEST:
        raise ValueError(f"{at[:80]} is nested too deeply")
    if isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str) or (not key.isascii() and _SPLIT_PAIR.search(key)):
                raise ValueError(f"{at or 'it'} has the key {key!r:.80}, which JSON cannot give back")
            require_plain(item, f"{at}/{key}", depth + 1)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            require_plain(item, f"{at}/{index}", depth + 1)
    elif isinstance(value, str):
        if not value.isascii() and _SPLIT_PAIR.search(value):
            raise ValueError(f"{at} holds a character in two halves, which JSON cannot give back")
    elif isinstance(value, float):
        if value != value or value in (float("inf"), float("-inf")):
            raise ValueError(f"{at} is {value}, which JSON has no word for")
    elif value is not None and not isinstance(value, int):
        raise ValueError(f"{at} is a {type(value).__name__}, which JSON cannot give back")
