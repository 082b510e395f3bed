"""The bytes of a collection's file: what holds the collection, and says whether it is what was written.

    mgitc sha256:HEX
    {"format":"mgit-hooks collection","version":1,"name":NAME,"codec":CODEC,"length":BYTES,"stored":BYTES}
    the collection's JSON in UTF-8, BYTES long, under CODEC

HEX is the SHA-256 of all that follows its line, so that every flipped bit is seen before anything is made of it, and
``tail -n +2 FILE | sha256sum`` tells by hand. What stands from the third line on is a standard container:
``tail -n +3 FILE | zstd -d`` gives the JSON.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final, NamedTuple

from mgit_hooks.containers import METHODS
from mgit_hooks.encoding import encode_json
from mgit_hooks.errors import CompressionError
from mgit_hooks.record import Json

VERSION: Final = 1
LIMIT: Final = 2 * 1024**3
"""Bytes of JSON that a collection may have, written or read."""
_FORMAT: Final = "mgit-hooks collection"
_MAGIC: Final = b"mgitc sha256:"
_FIRST_LINE: Final = len(_MAGIC) + 64 + 1
_LONGEST_HEADER: Final = 4096  # bytes; a name has at most 255, each of which JSON may write in six
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


def pack(name: str, payload: bytes, method: str, quality: str) -> bytes:
    """The file's bytes for ``payload``, under ``method`` or as it is where that is not smaller.

    Raises ValueError where it is longer than LIMIT, or where what was packed does not come back the same.
    """
    from hashlib import sha256

    from mgit_hooks import codecs

    if len(payload) > LIMIT:
        raise ValueError(f"it has {len(payload)} bytes, more than {LIMIT}")
    codec, stored = method, codecs.pack(payload, method, quality)
    if len(stored) >= len(payload):
        codec, stored = "none", payload
    header: Json = {"format": _FORMAT, "version": VERSION, "name": name, "codec": codec}
    line = encode_json({**header, "length": len(payload), "stored": len(stored)}) + b"\n"
    digest = sha256(line)
    digest.update(stored)
    packed = b"".join((_MAGIC, digest.hexdigest().encode(), b"\n", line, stored))
    if unpack(packed)[1] != payload:
        raise ValueError("what was packed does not come back the same")
    return packed


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
