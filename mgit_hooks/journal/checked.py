"""Small files of JSON under a checksum of their own: a flipped bit makes them absent, never wrong. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import google_crc32c

from mgit_hooks.record import Json


def check(value: Mapping[str, Any]) -> int:
    """CRC-32C of the JSON, sorted by key (docs/format.md)."""
    return int(google_crc32c.value(json.dumps(value, sort_keys=True).encode()))


def encode(value: Mapping[str, Any], length: int = 0) -> bytes:
    """One line: the keys, then ``check``; spaces before the newline make it ``length`` bytes long."""
    return json.dumps({**value, "check": check(value)}).encode().ljust(length - 1) + b"\n"


def decode(data: bytes) -> Json:
    """The keys without ``check``. Raises ValueError where this is no such line, KeyError where it has no check."""
    try:
        value: Json = json.loads(data)
    except RecursionError:
        raise ValueError("nested too deep") from None
    if not isinstance(value, dict) or value.pop("check") != check(value):
        raise ValueError("the checksum does not hold")
    return value
