"""``PACKED.meta``: what a packed file holds, as JSON beside it. It is believed only where it fits."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from mgit_hooks import files
from mgit_hooks.containers import METHODS
from mgit_hooks.errors import CompressionError

EXTENSION: Final = ".meta"
_LARGEST: Final = 1 << 16  # bytes


class Meta(NamedTuple):
    """``original_file`` is a name without a folder; ``sha256`` is that of the content. Sizes in bytes."""

    original_file: str
    compression_method: str
    original_size: int
    compressed_size: int
    compression_ratio: float
    metadata: dict[str, Any]
    sha256: str

    def encode(self) -> bytes:
        return json.dumps(self._asdict(), indent=2).encode() + b"\n"


def read(packed: str) -> Meta | None:
    """That of the packed file ``packed``; None where there is none. Raises CompressionError where it makes no sense."""
    path = packed + EXTENSION
    try:
        raw = files.read(path, _LARGEST)
    except FileNotFoundError:
        return None
    except files.TooLarge as error:
        raise mislabelled(path, f"it has more than {_LARGEST:,} bytes") from error
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise mislabelled(path, "it is no JSON") from error
    if not isinstance(value, dict):
        raise mislabelled(path, "it is no JSON object")
    return _checked(path, value)


def _checked(path: str, value: dict[str, Any]) -> Meta:
    for name, fits in _FIELDS.items():
        if not fits(value.get(name)):
            raise mislabelled(path, f"{name} is missing or makes no sense")
    return Meta(**{name: value[name] for name in _FIELDS})


def _is_size(value: object) -> bool:
    return type(value) is int and value >= 0


_FIELDS: Final[dict[str, Callable[[Any], bool]]] = {
    "original_file": lambda value: isinstance(value, str),
    "compression_method": lambda value: value in METHODS,
    "original_size": _is_size,
    "compressed_size": _is_size,
    "compression_ratio": lambda value: type(value) in (int, float),
    "metadata": lambda value: isinstance(value, dict),
    "sha256": lambda value: isinstance(value, str),
}


def plain_name(meta: Meta) -> str | None:
    """``original_file`` where it names a file in whatever folder it is put, and no hidden one; else None.

    Whoever gave us the file wrote it: '../x', '/etc/x' and '.profile' are not to come true.
    """
    name = meta.original_file
    strange = not name or name.startswith(".") or any(letter in name for letter in "/\\\0:")
    try:
        return None if strange or len(name.encode("utf-8", "surrogateescape")) > 255 else name
    except UnicodeEncodeError:  # no file can have it
        return None


def mislabelled(path: str, how: str) -> CompressionError:
    remedy = "take a whole copy of both files, or leave the .meta out of account with --no-meta"
    return CompressionError(f"{path} does not fit: {how}", remedy, "mislabelled")
