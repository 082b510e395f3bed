"""The spool: what hooks said and no drain has taken in yet.

Stubs append to ``spool/now``. A drain that has read it far enough renames it to a generation of its own,
``NNNNNNNN.START-END``: the bytes from START to END of that file, all whole lines. A stub that had it open
all the same may still add to it: what lies after END becomes a generation of its own in turn, and the file
is deleted only once nothing was added for a while. How far the spool has been read stands in the journal,
in the frame of the records that it yielded; so a drain killed at any point neither loses nor doubles a line.
"""

from __future__ import annotations

import errno
import os
import re
import time
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from mgit_hooks.files import exists, open_to_append, open_to_read, sync_directory
from mgit_hooks.journal.cursor import Cursor
from mgit_hooks.layout import make_private_dir
from mgit_hooks.recorder import event
from mgit_hooks.recorder.event import HookEvent

_NOW: Final = "now"
# Rotated past this size, and deleted no sooner than this many seconds after its last write.
ROTATE_AT: Final = 64 * 1024
_NEWEST: Final = ROTATE_AT  # bytes that are looked through for a line
_SETTLE: Final = 10.0
_ROTATED: Final = re.compile(r"([0-9]{8})\.([0-9]+)-([0-9]+)")


class Batch(NamedTuple):
    """Lines from where the cursor stood, and where it stands after them."""

    events: tuple[HookEvent, ...]
    garbled: tuple[bytes, ...]  # whole lines that are not of the spool's form
    cursor: Cursor


class _Part(NamedTuple):
    """The lines of one generation: bytes of a file; of ``now``, which still grows, to no known end."""

    generation: int
    path: str
    start: int
    end: int | None


def read(spool_dir: str, cursor: Cursor | None) -> Batch:
    """All whole lines after ``cursor``. A last line without its newline is still being written."""
    at = cursor or Cursor(1, 0)
    events: list[HookEvent] = []
    garbled: list[bytes] = []
    for part in _parts(spool_dir, at):
        if part.generation < at.generation:
            continue
        start = max(part.start, at.offset if part.generation == at.generation else 0)
        start, whole = _lines(part, start)
        for line in whole.split(b"\n"):  # only there: a field may hold a carriage return
            try:
                events.append(_resolve(spool_dir, event.parse(line)))
            except (ValueError, OSError):
                if line:
                    garbled.append(line[:200])
                    events += _after_a_cut(spool_dir, line)
        at = Cursor(part.generation, start + len(whole))
    return Batch(tuple(events), tuple(garbled), at)


def beginning(spool_dir: str) -> Cursor:
    """The place before every line that is on file: for a journal that knows nothing of this spool."""
    parts = _parts(spool_dir, Cursor(1, 0))
    return Cursor(parts[0].generation if parts else 1, 0)


def taken_in(spool_dir: str, cursor: Cursor | None) -> list[tuple[str, int]]:
    """Each file of the spool, and up to which byte a drain has taken it in."""
    at = cursor or Cursor(1, 0)
    found = []
    for part in _parts(spool_dir, at):
        if part.generation == at.generation:
            found.append((part.path, at.offset))
        elif part.generation < at.generation and part.end is not None:
            found.append((part.path, part.end))
        elif part.generation > at.generation:
            found.append((part.path, part.start))  # what is before it was a generation of its own
    return found


def waiting(spool_dir: str, cursor: Cursor | None) -> int:
    """How many lines no drain has taken in."""
    batch = read(spool_dir, cursor)
    return len(batch.events) + len(batch.garbled)


def append(spool_dir: str, said: HookEvent, *, sync: bool) -> None:
    """Add a line, as the stubs do; with ``sync`` it is on the disk on return. Raises OSError."""
    make_private_dir(spool_dir)
    descriptor = open_to_append(os.path.join(spool_dir, _NOW))
    line = event.format(said)
    try:
        if os.write(descriptor, line) < len(line):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), os.path.join(spool_dir, _NOW))
        if sync:
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def holds(spool_dir: str, said: HookEvent) -> bool:
    """Whether this very line is one of the newest that are there, taken in or not. Raises OSError."""
    line = event.format(said)
    try:
        with open_to_read(os.path.join(spool_dir, _NOW)) as file:
            file.seek(-min(os.fstat(file.fileno()).st_size, _NEWEST), os.SEEK_END)
            return b"\n" + line in b"\n" + file.read()
    except FileNotFoundError:
        return False


def sync(spool_dir: str) -> None:
    """Make durable what was read, before a cursor past it is: else a power cut leaves the cursor after the end."""
    try:
        descriptor = os.open(os.path.join(spool_dir, _NOW), os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    # Its name too: the cursor would else stand somewhere in the file that the next line begins.
    sync_directory(spool_dir)
    sync_directory(os.path.dirname(spool_dir))


def tidy(spool_dir: str, cursor: Cursor, commit_cursor: Callable[[Cursor], None]) -> None:
    """Rotate a spool that is read to its end, and delete rotated ones. Call it under the drain lock.

    ``commit_cursor`` puts a cursor into the journal, durably. A file is deleted only after the journal
    says that reading goes on in the next generation, so that its number is never given to another file.
    """
    now = os.path.join(spool_dir, _NOW)
    if cursor.offset >= ROTATE_AT and exists(now) and os.path.getsize(now) == cursor.offset:
        part = _parts(spool_dir, cursor)[-1]
        if part.generation == cursor.generation:
            _rename(spool_dir, part, part.generation, 0, cursor.offset)
    while any(_take_late(spool_dir, part, cursor) for part in _parts(spool_dir, cursor)):
        continue
    sync_directory(spool_dir)
    for part in _parts(spool_dir, cursor):
        if part.end is None or not _is_read(part, cursor) or not _is_settled(part):
            return
        if cursor.generation == part.generation:
            cursor = Cursor(part.generation + 1, 0)
            commit_cursor(cursor)
        os.unlink(part.path)


def forget_inputs(spool_dir: str, older_than: float) -> None:
    """Delete the side files of standard inputs whose lines have long been taken in."""
    for name in os.listdir(spool_dir):
        if name.startswith("x."):
            path = os.path.join(spool_dir, name)
            if os.path.getmtime(path) < older_than:
                os.unlink(path)


def _parts(spool_dir: str, cursor: Cursor) -> list[_Part]:
    """Every generation on file, oldest first.

    ``now`` has no number of its own: it is one past the highest rotated one, or, where none is left, the
    one that the journal's cursor names.
    """
    try:
        names = os.listdir(spool_dir)
    except FileNotFoundError:
        return []
    parts = []
    for match in filter(None, map(_ROTATED.fullmatch, names)):
        generation, start, end = map(int, match.groups())
        parts.append(_Part(generation, os.path.join(spool_dir, match[0]), start, end))
    parts.sort()
    if _NOW in names:
        following = parts[-1].generation + 1 if parts else cursor.generation
        parts.append(_Part(following, os.path.join(spool_dir, _NOW), 0, None))
    return parts


def _lines(part: _Part, start: int) -> tuple[int, bytes]:
    """The whole lines of a part from byte ``start`` on, and where they really begin.

    A ``now`` that is shorter than the cursor says, or has no line's end there, is not the file that the
    cursor is about (someone deleted the spool): it is read from its beginning.
    """
    with open_to_read(part.path) as file:
        file.seek(max(start - 1, 0))
        data = file.read() if part.end is None else file.read(max(part.end - file.tell(), 0))
        if start:
            if part.end is None and data[:1] != b"\n":
                start = 0
                file.seek(0)
                data = file.read()
            else:
                data = data[1:]
    return start, data[: data.rfind(b"\n") + 1]


def _is_read(part: _Part, cursor: Cursor) -> bool:
    return cursor.generation > part.generation or cursor == (part.generation, part.end)


def _is_settled(part: _Part) -> bool:
    """Whether a rotated file has been left alone for so long that nobody can have it open to write a line."""
    status = os.stat(part.path)
    # The time of the status change: that of the rename too, where the last write was long before it.
    # In whatever direction: a clock that was set back must not keep the file for as long as it was ahead.
    return abs(time.time() - max(status.st_mtime, status.st_ctime)) >= _SETTLE


def _take_late(spool_dir: str, part: _Part, cursor: Cursor) -> bool:
    """Make a generation of the whole lines that were added to a rotated file after its end; whether there were any.

    Two renames, each of which leaves a spool in order: what is in ``now`` comes before the late lines.
    """
    if part.end is None or not _is_read(part, cursor):
        return False
    _, late = _lines(part._replace(end=os.path.getsize(part.path)), part.end)
    if not late:
        return False
    last = _parts(spool_dir, cursor)[-1]
    if last.end is None:
        end = len(_lines(last, 0)[1])
        _rename(spool_dir, last, last.generation, 0, end)
    _rename(spool_dir, part, last.generation + 1, part.end, part.end + len(late))
    return True


def _rename(spool_dir: str, part: _Part, generation: int, start: int, end: int) -> None:
    os.rename(part.path, os.path.join(spool_dir, f"{generation:08d}.{start}-{end}"))


def _after_a_cut(spool_dir: str, line: bytes) -> Iterator[HookEvent]:
    """The event of a line that was appended after one that was cut off (a full disk), on the same line."""
    at = line.rfind(b"1\t", 1)
    while at > 0:
        try:
            yield _resolve(spool_dir, event.parse(line[at:]))
        except (ValueError, OSError):
            at = line.rfind(b"1\t", 1, at + 1)
        else:
            return


def _resolve(spool_dir: str, said: HookEvent) -> HookEvent:
    """``said`` with a standard input that stands in a file of its own put in its place."""
    fields = []
    for field in said.fields:
        if field.startswith("@x.") and "/" not in field:
            with open_to_read(os.path.join(spool_dir, field[1:])) as file:
                field = os.fsdecode(file.read())  # as git gave it: only fields within a line are encoded
            if "\0" in field:  # git gives none: it was cut off by a power cut
                raise ValueError("not a standard input of git's")
        fields.append(field)
    return said._replace(fields=tuple(fields))
