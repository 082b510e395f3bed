"""Damaged bytes are moved, never deleted: each stretch becomes a file that says where it lay."""

from __future__ import annotations

import os
import time

from mgit_hooks.files import exists, open_to_read, replacing, sync_directory, sync_file
from mgit_hooks.journal.segment import Damage
from mgit_hooks.layout import make_private_dir


def quarantine(journal_dir: str, damage: Damage) -> str:
    """Copy the bytes of ``damage`` aside, synced; the name of the file that holds them.

    The same bytes of the same place go to the same name, so that a repair that was killed and is run
    again leaves one copy.
    """
    folder = os.path.join(os.path.dirname(journal_dir), "quarantine")
    make_private_dir(folder)
    with open_to_read(os.path.join(journal_dir, damage.segment)) as segment:
        segment.seek(damage.offset)
        data = segment.read(damage.length)
    stem = f"{damage.segment.removesuffix('.seg')}-{damage.offset:010d}-{damage.kind}"
    name = f"{stem}.bin"
    if _holds(os.path.join(folder, name), data):
        sync_file(os.path.join(folder, name))  # what wrote it may have been killed before it did
        _sync_names(os.path.join(folder, name))
    else:
        if exists(os.path.join(folder, name)):
            name = f"{stem}-{time.time_ns()}.bin"
        put(os.path.join(folder, name), data)
    return name


def _holds(path: str, data: bytes) -> bool:
    try:
        with open_to_read(path) as file:
            return file.read() == data
    except FileNotFoundError:
        return False


def put(path: str, data: bytes) -> None:
    """Write a file of the quarantine, or replace its contents, synced: a crash leaves the old ones or the new ones."""
    with replacing(path) as file:
        file.write(data)
    _sync_names(path)


def _sync_names(path: str) -> None:
    folder = os.path.dirname(path)
    sync_directory(folder)
    sync_directory(os.path.dirname(folder))  # where the folder was only just made
