"""Putting a rewritten segment in the place of a sealed one: compaction, erasure and repair all do it here.

The new bytes are written as ``NAME.new``, synced, read back from the disk and compared, and only then renamed,
under the journal's lock for that moment. Killed anywhere, the old segment or the new one is there, whole; what a
kill leaves of ``NAME.new`` means nothing, and the next rewrite of that segment writes over it. Readers take no
lock: who has the old one open reads it to its end.

The newest segment is never replaced, since ``head`` points into it and appends go there: ``Appender.roll`` seals
it first. Hold ``maintenance`` from before the segment is read until after the swap.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from contextlib import contextmanager, suppress
from itertools import zip_longest
from typing import NamedTuple

from mgit_hooks import lock
from mgit_hooks.errors import JournalError
from mgit_hooks.files import create, sync_directory, write_all
from mgit_hooks.journal.blockformat import Entry, frame_cursor
from mgit_hooks.journal.format import (
    BLOCK,
    CURSOR,
    FOOTER,
    SEGMENT,
    ChainId,
    Cursor,
    FormatError,
    Frame,
    JournalId,
    footer_info,
    pack_frame,
    segment_info,
)
from mgit_hooks.journal.reader import open_block
from mgit_hooks.journal.segment import Damage, Located, scan, segment_names
from mgit_hooks.lock import exclusive
from mgit_hooks.record import Seq


class Source(NamedTuple):
    """A sealed segment as it was when a rewrite began to read it."""

    name: str
    inode: int
    size: int
    modified: int  # nanoseconds


@contextmanager
def maintenance(journal_dir: str, *, wait: float | None = None) -> Iterator[bool]:
    """Hold what keeps the bytes of sealed segments from being changed by others; gives whether it was got.

    ``wait`` is in seconds, as for ``lock.exclusive``. Taken after ``drain.lock`` and before ``journal/lock``.
    """
    with exclusive(os.path.join(os.path.dirname(journal_dir), "maintenance.lock"), wait=wait) as held:
        yield held


def source(journal_dir: str, name: str) -> Source:
    """The segment ``name``, to be rewritten. Raises JournalError where it is the newest, or is not there."""
    _require_sealed_place(journal_dir, name)
    status = os.stat(os.path.join(journal_dir, name))
    return Source(name, status.st_ino, status.st_size, status.st_mtime_ns)


def swap(
    journal_dir: str,
    old: Source,
    frames: Iterable[Frame],
    journal: JournalId,
    check: Callable[[str], object],
    *,
    wait: float = 60.0,
) -> int:
    """Put ``frames``, under ``journal``'s checksums, in the place of ``old``; the length of the new file in bytes.

    ``check`` is called with the new file's name (``scan`` takes it as it takes a segment's) before it is put in
    place, and raises where that is not to be. Whatever is raised, here JournalError for a failing disk, for a
    segment that changed since ``old`` was taken, and where the journal's lock is not to be had within ``wait``
    seconds: the old segment is still there.
    """
    new = write_new(journal_dir, old.name, frames, journal)
    try:
        check(new)
        size = os.path.getsize(os.path.join(journal_dir, new))
        with lock.journal(journal_dir, wait=wait):
            put_in_place(journal_dir, old)
    except BaseException:
        remove_new(journal_dir, old.name)
        raise
    return size


def write_new(journal_dir: str, name: str, frames: Iterable[Frame], journal: JournalId) -> str:
    """Write ``frames`` beside the segment ``name``, synced; the new file's name. Raises JournalError."""
    try:
        descriptor = create(os.path.join(journal_dir, f"{name}.new"))
        try:
            os.fchmod(descriptor, 0o600)
            for frame in frames:
                write_all(descriptor, pack_frame(frame, journal))
            os.fsync(descriptor)
            if hasattr(os, "posix_fadvise"):
                # What is read back is then what the disk has, not what was handed to it.
                os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(descriptor)
    except OSError as error:
        remove_new(journal_dir, name)
        raise JournalError(
            f"cannot write {name}.new: {error.strerror}", "mend that and try again; the journal is as it was"
        ) from error
    except BaseException:
        remove_new(journal_dir, name)
        raise
    return f"{name}.new"


def put_in_place(journal_dir: str, old: Source) -> None:
    """Let ``NAME.new`` take the place of ``old``. Call it under the journal's lock, with the new file checked.

    Raises JournalError where ``old`` is no more what it was, or has become the newest segment.
    """
    if source(journal_dir, old.name) != old:
        raise JournalError(f"{old.name} was changed by another process meanwhile", "run the command again")
    path = os.path.join(journal_dir, old.name)
    try:
        os.replace(f"{path}.new", path)
        sync_directory(journal_dir)
    except OSError as error:
        raise JournalError(f"cannot replace {old.name}: {error.strerror}", "mend that and try again") from error


def remove_new(journal_dir: str, name: str) -> None:
    """Drop what a rewrite that failed has left: nothing that anybody was told of."""
    with suppress(OSError):
        os.unlink(os.path.join(journal_dir, f"{name}.new"))


def _require_sealed_place(journal_dir: str, name: str) -> None:
    names = segment_names(journal_dir)
    if name not in names:
        raise JournalError(f"{name} is not there any more", "run the command again")
    if name == names[-1]:
        raise JournalError(f"{name} is the newest segment, which is only appended to", "run the command again")


# Comparing


class _Told(NamedTuple):
    """One record, and its place in the chain."""

    seq: Seq
    previous: ChainId
    entry: Entry


def require_same(
    journal_dir: str, old: str, new: str, journals: Sequence[JournalId], erased: Set[int] = frozenset()
) -> None:
    """Raise JournalError unless the file ``new`` says all that ``old`` says.

    The same header (but for the version) and footer, each record with its seq, chain id, salt and payload, the
    holes where they were, and the same newest cursor. The records of the seqs ``erased`` have in ``new`` their
    digest alone. Neither file may hold a byte that is no frame.
    """
    ends: list[list[object]] = [[], []]
    try:
        _compare(journal_dir, old, new, journals, erased, ends)
    except FormatError as error:
        raise _differs(old, error.kind) from error
    if ends[0] != ends[1]:
        raise _differs(old, "its header, its footer, its holes or its cursor")


def _compare(
    journal_dir: str, old: str, new: str, journals: Sequence[JournalId], erased: Set[int], ends: list[list[object]]
) -> None:
    pairs = zip_longest(_told(journal_dir, old, journals, ends[0]), _told(journal_dir, new, journals, ends[1]))
    for before, after in pairs:
        expected = before
        if before is not None and before.seq in erased:
            expected = before._replace(entry=before.entry._replace(payload=None, salt=None))
        if after is None or after != expected:
            raise _differs(old, f"record {before.seq}" if before is not None else "what follows its last record")


def _told(journal_dir: str, name: str, journals: Sequence[JournalId], ends: list[object]) -> Iterator[_Told]:
    """Every record of a file, and in ``ends`` what else it says."""
    cursor: Cursor | None = None
    next_seq = Seq(0)
    for item in scan(journal_dir, name, journals):
        if isinstance(item, Damage):
            raise _differs(name, f"{item.length} bytes at byte {item.offset} ({item.kind})")
        frame = item.frame
        if frame.kind == SEGMENT:
            ends.append((segment_info(frame)._replace(version=0), frame.first_seq, frame.previous))
        elif frame.kind == FOOTER:
            ends.append((footer_info(frame), frame.first_seq, frame.previous))
        elif frame.kind in (BLOCK, CURSOR):
            cursor = frame_cursor(frame) or cursor
            if frame.first_seq != next_seq:
                ends.append(("a hole, or the beginning", frame.first_seq, frame.previous))
            next_seq = Seq(frame.first_seq + frame.records)
        if frame.kind == BLOCK:
            yield from _records(item)
    ends.append(cursor)


def _records(item: Located) -> Iterator[_Told]:
    block = open_block(item)
    previous = block.previous
    for seq, (entry, id) in enumerate(zip(block.entries, block.ids, strict=True), block.first_seq):
        yield _Told(Seq(seq), previous, entry)
        previous = id


def _differs(name: str, what: str) -> JournalError:
    return JournalError(f"{name} was not rewritten: {what} would not be the same", "report this; nothing was changed")
