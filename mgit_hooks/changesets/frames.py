"""A collection's JSON in pieces, and pieces as bytes of a standard container that lose as little as may be to damage.

The pieces are the JSON up to the first changeset, each changeset with its key, and two brackets. They are
packed in frames of about ``FRAME`` bytes of JSON, each of which can be unpacked without those before it; inside of a
zstd frame a block ends where a piece does, so that what stands before a damaged byte can still be read. Frames of a
megabyte would cost 2 to 4 % of what is saved.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple

from mgit_hooks import codecs
from mgit_hooks.containers import METHODS
from mgit_hooks.encoding import encode_json
from mgit_hooks.errors import CompressionError
from mgit_hooks.record import Json

FRAME: Final = 4 * 1024 * 1024
"""Bytes of JSON after which a frame ends with the piece that it is in."""
_ONE_FRAME: Final = ("zlib",)  # methods whose container holds one member
_STEP: Final = 256  # bytes
_MOST: Final = 2 * 1024**3  # bytes of JSON
_DIGITS: Final = 12  # hexadecimal ones of a piece's SHA-256: one damaged piece in 2^48 would pass for whole
_HELD: Final = "repositories"
_NEXT: Final = re.compile(r',?"[0-9a-f]{16}":\{')


def pieces(collection: Json) -> list[bytes]:
    """The JSON of a collection in pieces, its changesets last. Of any other value, one piece."""
    held = collection.get("repositories")
    if not isinstance(held, dict) or not held:
        return [encode_json(collection)]
    fields = encode_json({name: field for name, field in collection.items() if name != _HELD})
    head = fields[:-1] + (b"," if len(fields) > 2 else b"") + b'"repositories":{'
    members = [encode_json({key: changeset})[1:-1] for key, changeset in held.items()]
    return [head, members[0], *(b"," + member for member in members[1:]), b"}}"]


def paths(collection: Json) -> list[str]:
    """Of the repositories that a collection's JSON holds."""
    held = collection.get(_HELD)
    changesets = held.values() if isinstance(held, dict) else ()
    found = (each.get("repository_path") for each in changesets if isinstance(each, dict))
    return [path for path in found if isinstance(path, str) and path]


def mark(piece: bytes) -> str:
    """What tells a whole piece from a damaged one."""
    from hashlib import sha256

    return sha256(piece).hexdigest()[:_DIGITS]


def packed(parts: Sequence[bytes], method: str, quality: str) -> list[bytes]:
    """The frames. Raises ValueError on unknown words, CompressionError."""
    codecs.require("method", method, METHODS)
    if method == "none":
        return [b"".join(parts)]
    groups = [list(parts)] if method in _ONE_FRAME else list(_grouped(parts))
    if method != "zstd":
        return [codecs.pack(b"".join(group), method, quality) for group in groups]
    return [_zstd_frame(group, quality) for group in groups]


def _grouped(parts: Iterable[bytes]) -> Iterator[list[bytes]]:
    group: list[bytes] = []
    size = 0
    for part in parts:
        group.append(part)
        size += len(part)
        if size >= FRAME:
            yield group
            group, size = [], 0
    if group:
        yield group


def _zstd_frame(group: Sequence[bytes], quality: str) -> bytes:
    encoder: Any = codecs.encoder_of("zstd", codecs.LEVELS[quality], sum(map(len, group)))
    blocks = [encoder.compress(part, mode=encoder.FLUSH_BLOCK) for part in group]
    return b"".join([*blocks, encoder.flush()])


class Salvaged(NamedTuple):
    """What of a collection's JSON is as it was written. ``fields``: those beside ``repositories``, where they are."""

    fields: Json
    repositories: dict[str, Json]


def salvaged(stored: bytes, codec: str, lengths: Sequence[int], marks: str) -> Salvaged:
    """What can be read of ``stored``, frames of ``lengths`` bytes each under ``codec``.

    Believed is a piece whose mark is in ``marks``, one after the other there, and what a frame holds whose own
    checksum fits; nothing else.
    """
    known = frozenset(marks[at : at + _DIGITS] for at in range(0, len(marks), _DIGITS))
    fields: Json = {}
    found: dict[str, Json] = {}
    at = 0
    for length in lengths or (len(stored),):
        text, whole = _unpacked(stored[at : at + length], codec)
        at += length
        for place, value in _pieces_in(text, known, believed=whole and codec != "none"):
            if place is None:
                fields.update(value)
            else:
                found[place] = value
    return Salvaged(fields, found)


def _unpacked(frame: bytes, codec: str) -> tuple[str, bool]:
    """The text as far as it can be unpacked, and whether that is all of it and its checksum fits."""
    got: list[bytes] = []
    whole = True
    # A decoder that meets damage gives nothing of what it was just handed, so it is handed little at a time.
    steps = (frame[at : at + _STEP] for at in range(0, len(frame), _STEP))
    try:
        got.extend(codecs.unpacked(steps, codec, codecs.Bounds(output=_MOST)))
    except CompressionError:
        whole = False
    return b"".join(got).decode("utf-8", "surrogateescape"), whole


def _pieces_in(text: str, known: frozenset[str], *, believed: bool) -> Iterator[tuple[str | None, Json]]:
    """Changesets by their keys, and the fields beside them (None), from a text that may be cut or damaged."""

    def holds(start: int, end: int) -> bool:
        return believed or mark(text[start:end].encode("utf-8", "surrogateescape")) in known

    at = 0
    if text.startswith("{"):
        fields, at = _fields(text)
        if fields is not None and holds(0, at):
            yield None, fields
    while at < len(text):
        member = _member(text, at)
        if member is not None and holds(at, member[2]):
            yield member[0], member[1]
            at = member[2]
            continue
        # What is whole needs no searching, and what follows its last changeset is no changeset.
        following = None if believed else _NEXT.search(text, at + 1)
        at = len(text) if following is None else following.start()


def _fields(text: str) -> tuple[Json | None, int]:
    """What stands before the changesets, and where they begin; None where that is damaged."""
    found: Json = {}
    at = 1
    try:
        while text[at] != "}":
            name, colon = _DECODER.raw_decode(text, at)
            if name == _HELD and text[colon + 1] == "{":
                return found, colon + 2
            found[name], at = _DECODER.raw_decode(text, colon + 1)
            at += text[at] == ","
        return found, len(text)
    except (ValueError, IndexError, TypeError, RecursionError):
        return None, 1


_DECODER: Final = json.JSONDecoder()


def _member(text: str, at: int) -> tuple[str, Json, int] | None:
    """A key, its changeset, and where that ends."""
    try:
        start = at + 1 if text[at] == "," else at
        key, colon = _DECODER.raw_decode(text, start)
        if not isinstance(key, str) or text[colon] != ":":
            return None
        value, end = _DECODER.raw_decode(text, colon + 1)
    except (ValueError, IndexError, RecursionError):
        return None
    return (key, value, end) if isinstance(value, dict) else None
