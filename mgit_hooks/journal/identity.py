"""The journal's own id, and whether this folder is the one that it was given to.

``journal/identity`` holds the id with the device and inode of that very file. A copied ``.git`` has
another inode: the copy is a journal of its own and says so (an ``adopted`` record under a new id).
"""

from __future__ import annotations

import json
import os
from typing import NamedTuple

from mgit_hooks.errors import JournalError
from mgit_hooks.journal.format import JournalId

_NAME = "identity"


class Identity(NamedTuple):
    journal: JournalId
    at_home: bool  # the file is the one it says it is: not a copy


def read(journal_dir: str) -> Identity | None:
    """The identity on file; None where there is none or it cannot be read as one."""
    path = os.path.join(journal_dir, _NAME)
    try:
        with open(path, "rb") as file:
            status = os.fstat(file.fileno())
            value = json.loads(file.read(4096))
        journal = JournalId(bytes.fromhex(value["journal"]))
        at_home = (value["device"], value["inode"]) == (status.st_dev, status.st_ino)
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError):
        return None
    if len(journal) != 16:
        return None
    return Identity(journal, at_home)


def write(journal_dir: str, journal: JournalId) -> None:
    """Say that this folder holds ``journal``. A crash leaves the old file or the new one."""
    path = os.path.join(journal_dir, _NAME)
    temporary = f"{path}.new"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        os.fchmod(descriptor, 0o600)
        status = os.fstat(descriptor)
        value = {"journal": journal.hex(), "device": status.st_dev, "inode": status.st_ino}
        os.write(descriptor, json.dumps(value).encode() + b"\n")
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    os.replace(temporary, path)


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
    records: int  # in the segment
    cursor: tuple[int, int] | None  # generation and offset, as in format.Cursor


def read_head(journal_dir: str) -> Head | None:
    try:
        with open(os.path.join(journal_dir, "head"), "rb") as file:
            value = json.loads(file.read(4096))
        cursor = value["cursor"]
        return Head(**{**value, "id": bytes.fromhex(value["id"]), "cursor": tuple(cursor) if cursor else None})
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None


def write_head(journal_dir: str, head: Head) -> None:
    """Not synced: after a power cut it may lag behind the journal, never run ahead of what was synced."""
    path = os.path.join(journal_dir, "head")
    temporary = f"{path}.new"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        os.write(descriptor, json.dumps({**head._asdict(), "id": head.id.hex()}).encode() + b"\n")
    except OSError as error:
        raise JournalError(f"{temporary}: {error.strerror}", "make room and try again") from error
    finally:
        os.close(descriptor)
    os.replace(temporary, path)
