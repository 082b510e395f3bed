"""Contents of files inside a changeset, under a budget of memory.

What is asked for is the most that a file gets: ``none``, ``summary`` (what it is, in a line or two), ``sample`` (small
files whole, of larger ones both ends) or ``full``. How large the file is, what it holds and what is left of the budget
decide what it becomes; ``strategy`` in the result says which, and ``reason`` why it is less. Nothing is raised for a
file that cannot be read, and nothing of a file that looks like a secret is ever held: no content, no hash, no size.
"""

from __future__ import annotations

import os
import sys
from binascii import b2a_base64
from collections.abc import Iterator
from functools import partial
from typing import BinaryIO, Final, NamedTuple

from mgit_hooks.changesets import contents, kinds, secretforms
from mgit_hooks.changesets.contents import Look, Reader
from mgit_hooks.changesets.shapes import EmbeddedContent
from mgit_hooks.record import Json

STRATEGIES: Final = ("none", "summary", "sample", "full")
DEFAULT_BUDGET: Final = 100 * 1024 * 1024  # bytes
SECRET: Final = "looks like a secret: "  # noqa: S105
"""How the reason begins of what was left out as a secret."""
LARGEST: Final = 10 * 1024 * 1024
"""Bytes of one file that are held; more is warned of by validation (EMBEDDED_CONTENT_TOO_LARGE)."""

_SMALL: Final = 16 * 1024  # bytes: a sample is not worth it below
_TAIL: Final = contents.END // 2  # bytes of a sample's end; its beginning is all that is at hand
_PICTURE: Final = 256  # bytes of a binary file in a hex dump
_FIRST_LINE: Final = 120  # characters
_ENTRY: Final = 1024  # bytes: what one result takes beside its content
# Bytes: what reading takes at a time, whatever the file, and what the results of files take that get nothing any more.
_RESERVE: Final = 4608 * 1024
_SHARE_OF_ONE: Final = 10  # no file takes more than a tenth of the budget


class _Made(NamedTuple):
    strategy: str
    content: str
    encoding: str
    held: int  # bytes of the file that are in it


def file_in(top: str, filename: bytes | str) -> Reader:
    """Reads a file of the worktree at ``top``, never through a link."""
    return partial(contents.beneath, top, filename)


class Embedder:
    """Embeds contents by ``strategy`` in at most ``budget`` bytes of memory, all that it ever gave counted.

    Can be sent to another process, and divided: ``share``. Not for two threads at once. ``limited_by`` says in the
    statistics why the strategy is less than somebody asked for. Raises ValueError for a strategy that is none.
    """

    def __init__(
        self, strategy: str = "sample", budget: int = DEFAULT_BUDGET, *, limited_by: str | None = None
    ) -> None:
        if strategy not in STRATEGIES:
            raise ValueError(f"there is no strategy {strategy!r}: {', '.join(STRATEGIES)}")
        self.strategy = strategy
        self.budget = budget
        self.limited_by = limited_by
        self.used = 0
        self._left_over = budget - min(_RESERVE, budget * 9 // 20)
        self._counts = dict.fromkeys(STRATEGIES, 0)
        self._secrets = self._reduced = self._unreadable = self._embedded = self._read = 0

    def share(self, among: int) -> Embedder:
        """One of ``among`` equal parts of what is left, with counts of its own. Equal parts, not first come first
        served: what is embedded of a repository does not depend on how quickly others were read."""
        left = max(0, self.budget - self.used)
        return Embedder(self.strategy, left // max(1, among), limited_by=self.limited_by)

    def stats(self) -> Json:
        """What was embedded so far: a changeset's ``content_embedding_stats``. Sizes are bytes."""
        return {
            "strategy": self.strategy,
            "budget_bytes": self.budget,
            "used_bytes": self.used,
            "files": sum(self._counts.values()),
            "by_strategy": dict(self._counts),
            "embedded_bytes": self._embedded,
            "read_bytes": self._read,
            "secrets": self._secrets,
            "reduced_by_budget": self._reduced,
            "unreadable": self._unreadable,
            **({} if self.limited_by is None else {"limited_by": self.limited_by}),
        }

    def embed(self, filename: bytes | str, read: Reader, former: bytes | str | None = None) -> EmbeddedContent:
        """What is to be held of the file that ``read`` gives; ``former`` is its name before a rename."""
        path = os.fsdecode(filename)
        found = self._embedded_of(path, read, None if former is None else os.fsdecode(former))
        self._counts[found.strategy] += 1
        self._embedded += found.embedded_size or 0
        self.used = min(self.used + _cost(found.content), self._left_over)
        return found

    def _embedded_of(self, path: str, read: Reader, former: str | None) -> EmbeddedContent:
        kind = secretforms.by_name(path) or (secretforms.by_name(former) if former is not None else None)
        if kind is not None:
            return self._secret(path, kind)
        try:
            source = read()
            if isinstance(source, bytes):
                return self._of_source(path, source)
            with source:
                return self._of_source(path, source)
        except contents.Irregular as error:
            return EmbeddedContent("none", reason=str(error))
        except OSError as error:
            self._unreadable += 1
            gone = isinstance(error, FileNotFoundError)
            return EmbeddedContent("none", reason="it is gone" if gone else f"cannot be read: {error.strerror}")

    def _of_source(self, path: str, source: bytes | BinaryIO) -> EmbeddedContent:
        if self.strategy == "none":
            size, kind = contents.size_of(source), kinds.mime_type(path, None, None)
            return EmbeddedContent("none", mime_type=kind, original_size=size)
        keep = self._keep()
        seen = contents.look(source, keep)
        self._read += min(seen.size, contents.READ_WHOLE)
        if seen.secret is not None:
            return self._secret(path, seen.secret)
        for made in self._made(seen):
            if self.used + _cost(made.content) > self._left_over:
                continue
            from mgit_hooks.changesets import detector

            kind = detector.secret_in(made.content) if made.encoding == "utf-8" else None
            return self._secret(path, kind) if kind is not None else self._told(path, seen, made)
        self._reduced += 1
        return _nothing(path, seen)

    def _keep(self) -> int:
        """Up to how many bytes a file is kept whole for: twice as much is held for a moment."""
        most = _SMALL if self.strategy == "sample" else LARGEST if self.strategy == "full" else 0
        return max(0, min(most, self.budget // _SHARE_OF_ONE, (self._left_over - self.used) // 2))

    def _made(self, seen: Look) -> Iterator[_Made]:
        """The contents that this file may get, the most first. Made one after the other: only one is held."""
        binary = seen.charset == kinds.BINARY
        opaque = kinds.packed(seen.head, seen.charset)  # a secret in there would not be seen
        may_be_whole = self.strategy != "summary" and seen.whole is not None and not seen.changed
        if may_be_whole and not opaque and self._has_room(seen):
            yield _whole(seen.whole or b"", seen.charset)
        if self.strategy != "summary" and not opaque:
            yield _picture(seen) if binary else _sample(seen)
        yield _summary(seen, opaque)

    def _has_room(self, seen: Look) -> bool:
        """Whether making text of it keeps inside the budget, what goes right afterwards included."""
        whole = seen.whole or b""
        if seen.charset == "utf-8":
            # CPython has up to 4 bytes for a character, and makes such a text in a second one's place.
            needed = len(whole) * (2 if whole.isascii() else 9)
        else:
            needed = len(whole) + 2 * (len(whole) * 4 // 3 + 4)
        return self.used + needed <= self._left_over

    def _told(self, path: str, seen: Look, made: _Made) -> EmbeddedContent:
        full = made.strategy == "full"
        by_budget = self.strategy == "full" and not full and seen.size <= min(LARGEST, self.budget // _SHARE_OF_ONE)
        reason = None
        if seen.changed:
            reason = "it changed while it was read"
        elif kinds.packed(seen.head, seen.charset):
            reason = "packed: nobody can look for secrets in it"
        elif by_budget or (made.strategy == "summary" and self.strategy != "summary"):
            reason, self._reduced = "the memory budget is used up", self._reduced + 1
        elif self.strategy == "full" and not full:
            reason = "too large to be embedded whole"
        return EmbeddedContent(
            made.strategy,
            made.content,
            seen.sha256 or _hash_of(seen, made),
            "file" if seen.sha256 else "content",
            kinds.mime_type(path, seen.head, seen.charset),
            made.encoding,
            seen.size,
            made.held,
            not full,
            reason,
        )

    def _secret(self, path: str, kind: str) -> EmbeddedContent:
        self._secrets += 1
        return EmbeddedContent("none", reason=f"{SECRET}{kind}")


def _whole(data: bytes, charset: str) -> _Made:
    if charset == "utf-8":
        return _Made("full", data.decode(), "utf-8", len(data))
    return _Made("full", b2a_base64(data, newline=False).decode("ascii"), "base64", len(data))


def _sample(seen: Look) -> _Made:
    """Both ends, at line ends where there are any, with a line between them that says how much is left out."""
    head, tail = seen.head, seen.tail[-_TAIL:]
    if seen.charset not in ("utf-8", kinds.UNKNOWN):
        head, tail = head[: len(head) & ~3], b""  # UTF-16 and UTF-32, which tails would have to be counted for
    cut = head.rfind(b"\n") + 1 if tail else 0
    head = head[:cut] if cut > len(head) // 2 else head
    cut = tail.find(b"\n") + 1
    tail = tail[cut:] if 0 < cut < len(tail) // 2 else tail
    first, last = _text(head, seen.charset), _text(tail, seen.charset)
    left_out = seen.size - len(head) - len(tail)
    between = f"[... {left_out} bytes left out ...]\n" if left_out > 0 else ""
    if between and not first.endswith("\n"):
        between = f"\n{between}"
    return _Made("sample", f"{first}{between}{last}", "utf-8", len(head) + len(tail))


def _text(data: bytes, charset: str) -> str:
    """``data`` for people: halves of characters at its ends left out, bytes of an unknown charset as escapes."""
    if charset == kinds.UNKNOWN:
        return data.decode("utf-8", "backslashreplace")
    text = data.decode(charset, "ignore")
    return text if charset == "utf-8" else text.removeprefix("\ufeff")


def _picture(seen: Look) -> _Made:
    """A hex dump of how it begins, as ``xxd`` makes it."""
    data = seen.head[:_PICTURE]
    rows = []
    for at in range(0, len(data), 16):
        row = data[at : at + 16]
        shown = "".join(chr(each) if 32 <= each < 127 else "." for each in row)
        rows.append(f"{at:08x}: {row.hex(' ', -2):<39}  {shown}\n")
    return _Made("sample", "".join(rows), "hex", len(data))


def _summary(seen: Look, opaque: bool) -> _Made:
    facts = [f"{seen.size} bytes"]
    if opaque or seen.charset == kinds.BINARY:
        facts.append("packed" if opaque else "binary")
        return _Made("summary", ", ".join(facts), "utf-8", 0)
    if seen.lines is not None:
        facts.append(f"{seen.lines} line{'s' * (seen.lines != 1)} ({seen.ends})")
    facts.append(seen.charset)
    lines = _text(seen.head, seen.charset).splitlines()
    first = next((line.strip() for line in lines if line.strip()), "")[:_FIRST_LINE]
    return _Made("summary", "\n".join(filter(None, (", ".join(facts), first))), "utf-8", 0)


def _nothing(path: str, seen: Look) -> EmbeddedContent:
    return EmbeddedContent(
        "none",
        content_hash=seen.sha256,
        hash_covers="file" if seen.sha256 else None,
        mime_type=kinds.mime_type(path, seen.head, seen.charset),
        original_size=seen.size,
        reason="the memory budget is used up",
    )


def _hash_of(seen: Look, made: _Made) -> str:
    """Of what is embedded: the whole file's was not to be had."""
    from hashlib import sha256

    return sha256(seen.head[: made.held] if made.encoding == "hex" else made.content.encode()).hexdigest()


def _cost(content: str | None) -> int:
    """Bytes of memory that a result takes."""
    return _ENTRY + (0 if content is None else sys.getsizeof(content))
