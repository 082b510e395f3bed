"""The journal's own id, whether this folder is the one that it was given to, and where the journal ended.

``journal/identity`` holds the id with the device and inode of that very file. A copied ``.git`` has
another inode: the copy is a journal of its own and says so (an ``adopted`` record under a new id).
``journal/head`` is a hint. Both carry a checksum, so that a flipped bit makes them absent, never wrong.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from typing import NamedTuple

from mgit_hooks.errors import JournalError
from mgit_hooks.files import open_to_overwrite, open_to_read, replacing, write_all
from mgit_hooks.journal import checked
from mgit_hooks.journal.format import JournalId

_NAME = "identity"
SEGMENT_NAME = re.compile(r"[0-9]{8}\.seg")
_MAX_LENGTH = 64 * 1024
# One sector, which a disk writes as a whole or not at all.
_HEAD_LENGTH = 512


class Identity(NamedTuple):
    journal: JournalId
    at_home: bool  # the file is the one it says it is: not a copy
    lineage: tuple[JournalId, ...] = ()  # every id that frames here may stand under, this one included


def read(journal_dir: str) -> Identity | None:
    """The identity on file; None where there is none or it cannot be read as one."""
    try:
        with open_to_read(os.path.join(journal_dir, _NAME)) as file:
            status = os.fstat(file.fileno())
            value = checked.decode(file.read(_MAX_LENGTH))
        journal = _journal(value["journal"])
        lineage = tuple(map(_journal, value["lineage"]))
        at_home = (value["device"], value["inode"]) == (status.st_dev, status.st_ino)
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError):
        return None
    return Identity(journal, at_home, lineage)


def write(
    journal_dir: str, journal: JournalId, lineage: Iterable[JournalId] | None = None, *, at_home: bool = True
) -> None:
    """Say that this folder holds ``journal``. A crash leaves the old file or the new one.

    ``lineage`` are the other ids that frames here stand under; those on file are kept without it.
    """
    if lineage is None:
        before = read(journal_dir)
        lineage = before.lineage if before else ()
    ids = [id.hex() for id in dict.fromkeys((*lineage, journal))]

    def line(status: os.stat_result) -> bytes:
        place = (status.st_dev, status.st_ino) if at_home else (0, 0)
        return checked.encode({"journal": journal.hex(), "lineage": ids, "device": place[0], "inode": place[1]})

    _replace(os.path.join(journal_dir, _NAME), line, sync=True)


def new_id() -> JournalId:
    return JournalId(os.urandom(16))


class Head(NamedTuple):
    """Where the journal ended after the last append that was reported: a hint, checked before it is used."""

    seq: int
    id: bytes
    segment: str
    offset: int  # of the frame that ends the journal
    end: int
    first_seq: int  # of the segment
    cursor: tuple[int, int] | None  # generation and offset, as in format.Cursor


def read_head(journal_dir: str) -> Head | None:
    # Without a lock: what was read while an append wrote over it is whole when it is read again.
    return _read_head(journal_dir) or _read_head(journal_dir)


def _read_head(journal_dir: str) -> Head | None:
    try:
        with open_to_read(os.path.join(journal_dir, "head")) as file:
            value = checked.decode(file.read(_MAX_LENGTH))
        cursor = value["cursor"]
        place = Head(**{**value, "id": bytes.fromhex(value["id"]), "cursor": tuple(cursor) if cursor else None})
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None
    return place if _is_sound(place) else None


def _is_sound(head: Head) -> bool:
    """Whether its values can be those of a journal's end: the check holds over whatever was written."""
    cursor = head.cursor or (0, 0)
    numbers = (head.seq, head.offset, head.end, head.first_seq, *cursor)
    return (
        all(type(number) is int and 0 <= number < 1 << 63 for number in numbers)
        and len(cursor) == 2
        and len(head.id) == 32
        and isinstance(head.segment, str)
        and SEGMENT_NAME.fullmatch(head.segment) is not None
    )


def write_head(journal_dir: str, head: Head) -> None:
    """Not synced: after a power cut it may lag behind the journal, never run ahead of what was synced.

    Written over in place, in one write of one sector: a rename at each append has the file system write the
    names of the folder too, which takes as long as the append's own sync.
    """
    path = os.path.join(journal_dir, "head")
    line = checked.encode({**head._asdict(), "id": head.id.hex()}, _HEAD_LENGTH)
    try:
        descriptor = open_to_overwrite(path)
    except OSError:  # none yet, or something that is not ours to write to
        _replace(path, lambda _: line, sync=False)
        return
    try:
        if os.fstat(descriptor).st_size == len(line):
            write_all(descriptor, line)
            return
    except OSError as error:
        raise _failed(path, error) from error
    finally:
        os.close(descriptor)
    _replace(path, lambda _: line, sync=False)


def _journal(text: str) -> JournalId:
    journal = JournalId(bytes.fromhex(text))
    if len(journal) != 16:
        raise ValueError("not a journal's id")
    return journal


def _replace(path: str, make: Callable[[os.stat_result], bytes], *, sync: bool) -> None:
    """Put what ``make`` gives for the new file's own status in the place of ``path``."""
    try:
        with replacing(path, sync=sync) as file:
            file.write(make(os.fstat(file.fileno())))
    except OSError as error:
        raise _failed(path, error) from error


def _failed(path: str, error: OSError) -> JournalError:
    return JournalError(f"cannot write {path}: {error.strerror}", "mend that and try again")
