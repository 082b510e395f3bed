"""The rules that a JSON Schema cannot say of compressed data: whether it is of its size, and gives back what it should.

Apart from ``checks``, since hooks judge none.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mgit_hooks.judging.checks import Rule
from mgit_hooks.record import Issue, Json

# How far a ratio may be off for having been rounded.
_ROUNDED = 0.01


def _data(result: Json) -> bytes | None:
    """The compressed bytes; none where nothing is there, None where what is there is not base64."""
    data = result.get("compressed_data")
    if data is None:
        return b""
    if not isinstance(data, str):
        return None
    from binascii import Error, a2b_base64

    try:
        return a2b_base64(data, strict_mode=True)
    except (Error, ValueError):
        return None


def _size(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _missing_data(result: Json) -> Iterator[Issue]:
    original = _size(result.get("original_size"))
    if original and _data(result) == b"":
        yield Issue(
            "critical",
            "MISSING_COMPRESSED_DATA",
            f"no compressed data is there, and the original had {original} bytes",
            "/compressed_data",
            "compress the data again",
        )


def _sizes(result: Json) -> Iterator[Issue]:
    data, said = _data(result), _size(result.get("compressed_size"))
    missing = data == b"" and _size(result.get("original_size"))  # said already, and with more weight
    if data is not None and said is not None and said != len(data) and not missing:
        yield Issue(
            "error",
            "SIZE_INCONSISTENCY",
            f"compressed_size is {said}, and the compressed data has {len(data)} bytes",
            "/compressed_size",
            f"use {len(data)}, or compress the data again",
        )


def _round_trip(result: Json) -> Iterator[Issue]:
    from mgit_hooks.containers import METHODS
    from mgit_hooks.errors import CompressionError

    data, size = _data(result), _size(result.get("original_size"))
    if size is None or result.get("method") not in METHODS or (size and data == b""):
        return  # said by others
    if data is None:
        yield _undone("it is not base64")
        return
    try:
        raw = decompressed(result)
    except CompressionError as error:
        yield corrupt(f"more than its {size} bytes") if error.kind == "oversized" else _undone(error.message)
        return
    if len(raw) != size:
        yield corrupt(f"{len(raw)} bytes in place of {size}")
        return
    expected = result.get("sha256")
    if isinstance(expected, str) and len(expected) == 64:
        from hashlib import sha256

        if sha256(raw).hexdigest() != expected.lower():
            yield corrupt("other bytes than were expected")
            return
    yield from _kinds(result, raw)


def decompressed(result: Json) -> bytes:
    """What the data of a result holds, no more than its ``original_size``. Raises CompressionError."""
    from mgit_hooks import codecs

    data, size = _data(result) or b"", result["original_size"]
    if not data and not size:
        return b""
    return codecs.unpack(data, result["method"], codecs.Bounds(output=size))


def _undone(why: str) -> Issue:
    message = f"the data cannot be decompressed: {why}"
    return Issue("error", "DECOMPRESSION_FAILED", message, "/compressed_data", "use another copy of the data")


def corrupt(what: str) -> Issue:
    message = f"decompressed, the data gives {what}"
    return Issue("critical", "DATA_CORRUPTION", message, "/compressed_data", "use another copy of the data")


def _no_ratio(result: Json) -> Iterator[Issue]:
    """NaN, which is within no bounds and beyond none."""
    said = result.get("compression_ratio")
    if isinstance(said, float) and said != said:
        yield Issue(
            "warning",
            "UNUSUAL_COMPRESSION_RATIO",
            "compression_ratio is nan",
            "/compression_ratio",
            "compare the two sizes",
        )


def _kinds(result: Json, raw: bytes) -> Iterator[Issue]:
    """What its metadata says of the original, and decompressing by that would refuse."""
    metadata = result.get("metadata")
    said = metadata if isinstance(metadata, dict) else {}
    kind = said.get("original_type", "bytes")
    try:
        if kind not in ("bytes", "string"):
            yield _undone(f"the original type {kind!r:.80} is neither string nor bytes")
            return
        text = raw.decode("utf-8", "surrogatepass") if kind == "string" else raw
        if said.get("data_type") == "json":
            import json

            json.loads(text)
    except UnicodeDecodeError:
        yield _undone("it is said to be a text, and is no UTF-8")
    except (ValueError, RecursionError) as error:
        yield _undone(f"it is said to be JSON: {error}")


def _ratio(result: Json) -> Iterator[Issue]:
    original, packed = _size(result.get("original_size")), _size(result.get("compressed_size"))
    said = result.get("compression_ratio")
    if original is None or packed is None or isinstance(said, bool) or not isinstance(said, int | float):
        return
    right = packed / original if original else 1.0
    if not abs(said - right) <= _ROUNDED:  # NaN is neither more nor less
        yield Issue(
            "warning",
            "INCONSISTENT_COMPRESSION_RATIO",
            f"compression_ratio is {said}, and that of the two sizes is {right:.4f}",
            "/compression_ratio",
            f"use {right:.4f}",
        )


# fmt: off
RULES = (
    Rule("compressed", "basic",    _missing_data),
    Rule("compressed", "basic",    _sizes),
    Rule("compressed", "basic",    _no_ratio),
    Rule("compressed", "standard", _round_trip),
    Rule("compressed", "strict",   _ratio),
)
# fmt: on
