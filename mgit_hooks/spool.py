"""The spool: what hooks said and no drain has taken in yet.

Stubs append to ``spool/now``. A drain that has read it far enough renames it to its generation's number,
and deletes that file at a later drain, after reading it once more: a stub may still have held it open.
How far it has been read stands in the journal, in the frame of the records that it yielded; so a drain
killed at any point neither loses nor doubles a line.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Final, NamedTuple

from mgit_hooks import event
from mgit_hooks.event import HookEvent
from mgit_hooks.journal.format import Cursor
from mgit_hooks.layout import make_private_dir

_NOW: Final = "now"
# Rotated past this size, and deleted no sooner than this many seconds after its last write.
ROTATE_AT: Final = 64 * 1024
_SETTLE: Final = 10.0


class Batch(NamedTuple):
    """Lines from where the cursor stood, and where it stands after them."""

    events: tuple[HookEvent, ...]
    garbled: tuple[bytes, ...]  # whole lines that are not of the spool's form
    cursor: Cursor


def read(spool_dir: str, cursor: Cursor | None) -> Batch:
    """All whole lines after ``cursor``. A last line without its newline is still being written."""
    at = cursor or Cursor(1, 0)
    events: list[HookEvent] = []
    garbled: list[bytes] = []
    for generation, path in _files(spool_dir, at):
        if generation < at.generation:
            continue
        start = at.offset if generation == at.generation else 0
        data = _read_from(path, start)
        whole = data[: data.rfind(b"\n") + 1]
        for line in whole.split(b"\n"):  # only there: a field may hold a carriage return
            try:
                events.append(_resolve(spool_dir, event.parse(line)))
            except (ValueError, OSError):
                if line:
                    garbled.append(line[:200])
        at = Cursor(generation, start + len(whole))
    return Batch(tuple(events), tuple(garbled), at)


def waiting(spool_dir: str, cursor: Cursor | None) -> int:
    """How many lines no drain has taken in."""
    batch = read(spool_dir, cursor)
    return len(batch.events) + len(batch.garbled)


def append(spool_dir: str, said: HookEvent, *, sync: bool) -> None:
    """Add a line, as the stubs do; with ``sync`` it is on the disk on return."""
    make_private_dir(spool_dir)
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
    descriptor = os.open(os.path.join(spool_dir, _NOW), flags, 0o600)
    try:
        os.write(descriptor, event.format(said))
        if sync:
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def tidy(spool_dir: str, cursor: Cursor, commit_cursor: Callable[[Cursor], None]) -> None:
    """Rotate a spool that is read to its end, and delete rotated ones. Call it under the drain lock.

    ``commit_cursor`` puts a cursor into the journal, durably. A file is deleted only after the journal
    says that reading goes on in the next generation, so that its number is never given to another file.
    """
    rotated = [
        (generation, path) for generation, path in _files(spool_dir, cursor) if os.path.basename(path) != _NOW
    ]
    for generation, path in rotated:
        read_to_end = cursor.generation > generation or cursor == (generation, os.path.getsize(path))
        if not read_to_end or time.time() - os.path.getmtime(path) < _SETTLE:
            return
        if cursor.generation == generation:
            cursor = Cursor(generation + 1, 0)
            commit_cursor(cursor)
        os.unlink(path)
    now = os.path.join(spool_dir, _NOW)
    if os.path.exists(now) and cursor.offset >= ROTATE_AT and os.path.getsize(now) == cursor.offset:
        os.rename(now, os.path.join(spool_dir, f"{cursor.generation:08d}"))


def forget_inputs(spool_dir: str, older_than: float) -> None:
    """Delete the side files of standard inputs whose lines have long been taken in."""
    for name in os.listdir(spool_dir):
        if name.startswith("x."):
            path = os.path.join(spool_dir, name)
            if os.path.getmtime(path) < older_than:
                os.unlink(path)


def _files(spool_dir: str, cursor: Cursor) -> list[tuple[int, str]]:
    """(generation, path) of every spool file, in the order in which they were written.

    ``now`` has no number of its own: it is one past the highest rotated one, or, where none is left, the
    one that the journal's cursor names.
    """
    try:
        names = sorted(os.listdir(spool_dir))
    except FileNotFoundError:
        return []
    found = [
        (int(name), os.path.join(spool_dir, name)) for name in names if len(name) == 8 and name.isdigit()
    ]
    if _NOW in names:
        following = found[-1][0] + 1 if found else cursor.generation
        found.append((following, os.path.join(spool_dir, _NOW)))
    return found


def _read_from(path: str, start: int) -> bytes:
    with open(path, "rb") as file:
        file.seek(start)
        return file.read()


def _resolve(spool_dir: str, said: HookEvent) -> HookEvent:
    """``said`` with a standard input that stands in a file of its own put in its place."""
    fields = []
    for field in said.fields:
        if field.startswith("@x.") and "/" not in field:
            with open(os.path.join(spool_dir, field[1:]), "rb") as file:
                field = os.fsdecode(file.read())  # as git gave it: only fields within a line are encoded
        fields.append(field)
    return said._replace(fields=tuple(fields))
