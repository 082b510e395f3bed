"""One file's bytes, read once: its hash, its beginning and end, what kind of text it is, whether a secret is in it.

In bounded memory and bounded time, whatever the file is: of what has more than READ_WHOLE bytes (a sparse file can say
that it has terabytes) only both ends are read. Nothing that is no regular file is ever opened, and no link followed.
"""

from __future__ import annotations

import codecs
import io
import os
import re
import stat
from collections.abc import Callable, Iterator
from hashlib import sha256
from typing import BinaryIO, Final, NamedTuple, TypeAlias

from mgit_hooks.changesets.kinds import BINARY, UNKNOWN
from mgit_hooks.changesets.secretforms import LONGEST_FORM, by_content
from mgit_hooks.regular import AT_ONCE

Reader: TypeAlias = Callable[[], "bytes | BinaryIO"]
"""Gives a file's bytes, or the file itself, open at its beginning, which is closed after use. May raise OSError."""

READ_WHOLE: Final = 16 * 1024 * 1024
"""Bytes. Files up to this size are read, hashed and searched for secrets from end to end; of larger ones both ends."""
PIECE: Final = 64 * 1024
END: Final = 8 * 1024
"""Bytes of a file's beginning, and of its end, that are kept at hand."""

_NO_LINK: Final = getattr(os, "O_NOFOLLOW", 0)
_FOLDER: Final = getattr(os, "O_DIRECTORY", 0) | _NO_LINK | AT_ONCE | getattr(os, "O_PATH", 0)
_MARKS: Final = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16's, which is its beginning
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_NEVER_IN_TEXT: Final = re.compile(rb"[\0-\x06\x0e-\x1a\x1c-\x1f\x7f]")
_KINDS: Final = (
    (stat.S_ISLNK, "a symbolic link"),
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
)


class Irregular(OSError):
    """What has the file's name is no regular file; the text says what it is."""


class Look(NamedTuple):
    size: int  # bytes, as the file said when it was opened
    charset: str  # utf-8, utf-16-le and its kin, unknown-8bit, binary
    head: bytes
    tail: bytes  # of what has more than its head; it never overlaps that
    whole: bytes | None  # where it was to be kept
    sha256: str | None  # of the whole file; None where that was not read, or changed meanwhile
    lines: int | None  # None where not all of it was read, and of UTF-16 and UTF-32
    ends: str  # LF | CRLF | LF and CRLF | no line ends
    secret: str | None  # its kind
    changed: bool  # meanwhile


def beneath(top: str, filename: bytes | str) -> BinaryIO:
    """The regular file ``filename`` in the worktree at ``top``. No link leads out of it: none is followed.

    Raises Irregular where something else has the name, be it on the way there, and OSError.
    """
    parts = os.fsencode(filename).split(b"/")
    if b".." in parts or not all(parts):
        raise Irregular(f"{os.fsdecode(filename)!r} is no path in a worktree")
    folder = os.open(top, _FOLDER & ~_NO_LINK)
    try:
        for part in parts[:-1]:
            try:
                inner = os.open(part, _FOLDER, dir_fd=folder)
            except NotADirectoryError:
                raise Irregular("behind a symbolic link") from None
            os.close(folder)
            folder = inner
        _require_regular(os.stat(parts[-1], dir_fd=folder, follow_symlinks=False))  # opening a device may do things
        flags = os.O_RDONLY | _NO_LINK | AT_ONCE | getattr(os, "O_NOCTTY", 0)
        descriptor = os.open(parts[-1], flags, dir_fd=folder)
    finally:
        os.close(folder)
    try:
        _require_regular(os.fstat(descriptor))
        return open(descriptor, "rb", buffering=0)
    except BaseException:
        os.close(descriptor)
        raise


def _require_regular(status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise Irregular(next((word for is_one, word in _KINDS if is_one(status.st_mode)), "a device"))


def size_of(source: bytes | BinaryIO) -> int:
    """Bytes, as the file itself says. Raises OSError."""
    return len(source) if isinstance(source, bytes) else os.fstat(source.fileno()).st_size


def look(source: bytes | BinaryIO, keep: int) -> Look:
    """Read ``source`` once; keep all of it where it has no more than ``keep`` bytes. Raises OSError."""
    size = size_of(source)
    before = None if isinstance(source, bytes) else _moment(source)
    whole = source if isinstance(source, bytes) else _exactly(source, size) if size <= keep else None
    file = source if whole is None and not isinstance(source, bytes) else io.BytesIO(whole or b"")
    seen = _Seen()
    for offset, piece in _pieces(file, size):
        seen.take(offset, piece)
    # What is appended meanwhile, and what a file without a size (in /proc) gives, belongs to another moment.
    changed = before is not None and not isinstance(source, bytes) and (before != _moment(source))
    complete = seen.taken == size
    charset = seen.charset(complete)
    changed = changed or (size <= READ_WHOLE and not complete) or (whole is not None and len(whole) != size)
    return Look(
        size=size,
        charset=charset,
        head=seen.head,
        tail=seen.tail[max(0, len(seen.head) + len(seen.tail) - size) :],
        whole=whole if size <= keep else None,
        sha256=seen.hash.hexdigest() if complete and not changed else None,
        lines=seen.lines + seen.unended if complete and charset in ("utf-8", UNKNOWN) else None,
        ends=seen.ends(),
        secret=seen.secret,
        changed=changed,
    )


def _moment(file: BinaryIO) -> tuple[int, int, int]:
    status = os.fstat(file.fileno())
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _exactly(file: BinaryIO, size: int) -> bytes:
    """Up to ``size`` bytes from the file's beginning: fewer where it has fewer by now."""
    data = file.read(size)
    while len(data) < size and (more := file.read(size - len(data))):
        data += more
    return data


def _pieces(file: BinaryIO, size: int) -> Iterator[tuple[int, bytes]]:
    offset, end = 0, size if size <= READ_WHOLE else PIECE
    while offset < end and (piece := file.read(min(PIECE, end - offset))):
        yield offset, piece
        offset += len(piece)
    if size > READ_WHOLE:
        file.seek(size - PIECE)
        yield size - PIECE, _exactly(file, PIECE)


class _Seen:
    """What the pieces of one file come to."""

    def __init__(self) -> None:
        self.hash = sha256()
        self.head = self.tail = b""
        self.lines = self.taken = 0
        self.unended = False
        self.secret: str | None = None
        self._crlf = 0
        self._charset = "utf-8"
        self._decoder: codecs.IncrementalDecoder | None = None
        self._sound = True  # decodes so far
        self._nul = False
        self._next = 0

    def take(self, offset: int, piece: bytes) -> None:
        before = self.tail
        follows = offset == self._next
        self._next = offset + len(piece)
        self.taken += len(piece)
        self.hash.update(piece)
        if not offset:
            self.head = piece[:END]
            self._charset = next((name for mark, name in _MARKS if piece.startswith(mark)), "utf-8")
        self.tail = piece[-END:] if len(piece) >= END else (before if follows else b"")[len(piece) - END :] + piece
        if self.secret is None:
            self.secret = by_content((before[-LONGEST_FORM:] if follows else b"") + piece)
        self.lines += piece.count(b"\n")
        self.unended = not piece.endswith(b"\n")
        self._crlf += piece.count(b"\r\n") + (follows and before.endswith(b"\r") and piece.startswith(b"\n"))
        self._nul = self._nul or b"\0" in piece
        self._decode(piece, follows)

    def _decode(self, piece: bytes, follows: bool) -> None:
        if not self._sound:
            return
        if not follows:  # the end of a file whose middle was not read: it may begin inside a character
            if self._charset != "utf-8":
                return
            piece = piece.lstrip(bytes(range(0x80, 0xC0)))
            self._decoder = None
        if self._decoder is None:
            self._decoder = codecs.getincrementaldecoder(self._charset)()
        try:
            text = self._decoder.decode(piece)
            self._sound = self._charset == "utf-8" or "\0" not in text
        except UnicodeDecodeError:
            self._sound = False

    def charset(self, complete: bool) -> str:
        """Of what is text by all of it that was read."""
        if self._sound and complete and self._decoder is not None:
            try:
                self._decoder.decode(b"", True)
            except UnicodeDecodeError:
                self._sound = False
        if self._sound and (self._charset != "utf-8" or not self._nul):
            return self._charset
        if self._nul or _NEVER_IN_TEXT.search(self.head) or _NEVER_IN_TEXT.search(self.tail):
            return BINARY
        return UNKNOWN

    def ends(self) -> str:
        if not self.lines:
            return "no line ends"
        return "LF" if not self._crlf else "CRLF" if self._crlf == self.lines else "LF and CRLF"
