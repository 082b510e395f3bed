"""Records as bytes: the payload that the journal stores, and JSON as everything else here writes it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import partial

from mgit_hooks.record import Json, Record, Seq

_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False)


def encode_json(value: object) -> bytes:
    """Compact JSON in UTF-8. A lone surrogate cannot be encoded: texts go through ``readable`` first."""
    return _ENCODER.encode(value).encode("utf-8", "backslashreplace")


_dumps: Callable[[object], bytes] | None = None


def expect_many() -> None:
    """Load orjson (11 ms), and encode records with it from here on: twice as fast, and the very same bytes.

    For who records by the thousand. One commit's drain would wait longer for it than for its record.
    """
    global _dumps
    import orjson

    options = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_SUBCLASS
    _dumps = partial(orjson.dumps, option=options)


def encode(record: Record, payload: Json | None = None) -> bytes:
    """The payload's bytes, exactly as the journal hashes and stores them; ``payload`` where it is at hand."""
    value = record.payload() if payload is None else payload
    if _dumps is None or any(map(_holds_float, _free(record))):
        return encode_json(value)
    try:
        return _dumps(value)
    except TypeError:  # orjson refuses a lone surrogate, an integer of more than 64 bits, a key that is no text
        return encode_json(value)


def _free(record: Record) -> Iterator[object]:
    """The parts that hold whatever JSON someone put into them."""
    yield record.detail
    yield record.original
    for issue in record.validation.issues:
        yield issue.data_context
    for action in record.recovery:
        yield action.data_context


def _holds_float(value: object) -> bool:
    """Whether a number is in there that orjson may write in another way than ``json`` (1e+16, NaN)."""
    if isinstance(value, dict):
        return any(map(_holds_float, value.values()))
    if isinstance(value, list | tuple):
        return any(map(_holds_float, value))
    return isinstance(value, float)


def decode(payload: bytes, seq: Seq, id: str) -> Record:
    """Raises ValueError (of json) or KeyError where the payload is not a record's."""
    return Record.from_json({**json.loads(payload), "seq": seq, "id": id})


def exported(payload: bytes, seq: Seq, id: str) -> bytes | None:
    """The line of ``log --json`` for a payload as it is stored, made without taking it apart; None where it is
    no record's. ``id`` is hexadecimal."""
    try:
        value = json.loads(payload)
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict) or "event" not in value:
        return None
    if payload.startswith(b'{"event":') and b"\n" not in payload:
        return b'{"seq":%d,"id":"%b",' % (seq, id.encode()) + payload[1:]
    return encode_json({"seq": seq, "id": id, **value})
