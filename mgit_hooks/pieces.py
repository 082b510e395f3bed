"""Bytes that come in pieces, read as a stream, and what can be wrong with a packed stream."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from mgit_hooks.errors import CompressionError

# Longer pieces are cut: what is left of one is copied at each step.
_PIECE = 1 << 16


class Source:
    """A stream over pieces of any sizes; holds what was asked for and a piece more."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = _cut(pieces)
        self._held = b""

    def some(self) -> bytes:
        """The next bytes, however many there are at hand; none at the end."""
        while not self._held:
            piece = next(self._pieces, None)
            if piece is None:
                return b""
            self._held = piece
        given, self._held = self._held, b""
        return given

    def up_to(self, length: int) -> bytes:
        """The next ``length`` bytes, or fewer at the end."""
        parts: list[bytes] = []
        while length and (part := self.some()):
            parts.append(part[:length])
            self._held = part[length:]
            length -= len(parts[-1])
        return b"".join(parts)

    def skip(self, length: int, method: str) -> None:
        """Raises CompressionError where fewer than ``length`` bytes are left."""
        while length:
            part = self.some()
            if not part:
                raise truncated(method)
            self._held = part[length:]
            length -= min(length, len(part))

    def peek(self, length: int) -> bytes:
        """The next ``length`` bytes, or fewer at the end, which are still to come."""
        head = self.up_to(length)
        self._held = head + self._held
        return head

    def back(self, unread: bytes) -> None:
        """Have ``unread`` come next."""
        self._held = unread + self._held


def _cut(pieces: Iterable[bytes]) -> Iterator[bytes]:
    for piece in pieces:
        if len(piece) <= _PIECE:
            yield piece
        else:
            yield from (piece[at : at + _PIECE] for at in range(0, len(piece), _PIECE))


def damaged(method: str, how: str) -> CompressionError:
    return CompressionError(f"damaged {method} data: {how}", "take another copy of it", "damaged")


def truncated(method: str) -> CompressionError:
    return CompressionError(f"the {method} data ends too early", "take a whole copy of it", "truncated")
