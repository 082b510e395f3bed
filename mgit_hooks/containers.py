"""The containers of the six methods: what they are called, what they begin with, and how a file of theirs is named."""

from __future__ import annotations

from typing import Final

METHODS: Final = ("none", "gzip", "zlib", "lzma", "snappy", "zstd")
EXTENSIONS: Final = {
    "none": ".compressed",
    "gzip": ".gz",
    "zlib": ".zlib",
    "lzma": ".xz",
    "snappy": ".sz",
    "zstd": ".zst",
}
_MAGIC: Final = {
    "gzip": b"\x1f\x8b\x08",
    "lzma": b"\xfd7zXZ\x00",
    "snappy": b"\xff\x06\x00\x00sNaPpY",
    "zstd": b"\x28\xb5\x2f\xfd",
}
# Of a zstd frame that holds nothing to unpack: four bytes, the first from 0x50 to 0x5f (RFC 8878).
_SKIPPABLE: Final = b"\x2a\x4d\x18"


def recognized(head: bytes) -> str | None:
    """The method whose container begins with ``head``; None where none of them says so. zlib's two bytes are too
    few to tell it from a text."""
    return next((method for method in _MAGIC if head and may_be(method, head)), None)


def may_be(method: str, head: bytes) -> bool:
    """Whether ``head``, of a byte or more, can be the beginning of ``method``'s container, as far as it goes."""
    if method == "none":
        return True
    if method == "zlib":  # RFC 1950: the method, its window, and a check over both bytes
        fits = head[0] & 0x0F == 8 and head[0] >> 4 <= 7
        return fits and (len(head) < 2 or int.from_bytes(head[:2], "big") % 31 == 0)
    if method == "zstd" and 0x50 <= head[0] <= 0x5F:
        return _SKIPPABLE.startswith(head[1:4])
    magic = _MAGIC[method]
    return head.startswith(magic[: len(head)])


def method_of_name(name: str) -> str | None:
    """The method that a file's name ends with the extension of."""
    return next((method for method, extension in EXTENSIONS.items() if name.endswith(extension)), None)
