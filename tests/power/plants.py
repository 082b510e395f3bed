"""Bugs as programs have them, planted into the process that is recorded: the family must catch each."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from mgit_hooks.changesets import storage
from mgit_hooks.files import sync_directory
from mgit_hooks.journal import quarantine, segmentfile, writer
from mgit_hooks.journal.segmentfile import SegmentFile
from mgit_hooks.layout import make_private_dir
from mgit_hooks.recorder import spool


@contextmanager
def no_fsync() -> Iterator[None]:
    fsync = os.fsync
    os.fsync = lambda descriptor: None
    try:
        yield
    finally:
        os.fsync = fsync


def append_without_sync() -> None:
    """Records are reported before they are synced."""

    def sync(self: writer.Appender) -> None:
        with no_fsync():
            real(self)

    real = writer.Appender.sync
    writer.Appender.sync = sync  # type: ignore[method-assign]


def segment_without_folder_sync() -> None:
    """A new segment's own bytes are synced, its name is not."""
    segmentfile.sync_directory = writer.sync_directory = lambda path: None  # type: ignore[attr-defined]


def head_before_sync() -> None:
    """The head is replaced, and on the disk, before what it names is synced."""

    def sync(self: writer.Appender) -> None:
        with no_fsync():
            real(self)
        sync_directory(self._dir)
        os.fsync(self._segment._fd)

    real = writer.Appender.sync
    writer.Appender.sync = sync  # type: ignore[method-assign]


def new_file_without_sync() -> None:
    """What is to replace a file is renamed over it before its bytes are synced."""
    fsync = os.fsync

    def no_new_file(descriptor: int) -> None:
        if not os.readlink(f"/proc/self/fd/{descriptor}").endswith(".new"):
            fsync(descriptor)

    os.fsync = no_new_file


def quarantine_without_sync() -> None:
    """A segment is swapped before what was taken out of it is on the disk."""

    def write(path: str, data: bytes) -> None:
        with open(path, "wb") as file:
            file.write(data)

    assert quarantine.put
    quarantine.put = write


def cursor_without_its_records() -> None:
    """An append of several blocks is synced once, at its end: the cursor may come to the disk alone."""
    real = writer.Appender.append

    def append(self: writer.Appender, *arguments: Any) -> Any:
        sync, SegmentFile.sync = SegmentFile.sync, lambda _: None  # type: ignore[method-assign, assignment]
        try:
            return real(self, *arguments)
        finally:
            SegmentFile.sync = sync  # type: ignore[method-assign]

    writer.Appender.append = append


def spool_without_sync() -> None:
    """The cursor goes past lines of the spool that are not on the disk."""
    assert spool.sync
    spool.sync = lambda folder: None


def save_without_folder_sync() -> None:
    """A collection is reported as saved before its name leads to it for good."""
    assert storage.sync_directory
    storage.sync_directory = lambda path: None  # type: ignore[assignment]


def folder_without_its_name() -> None:
    """The folder of collections is made, and what leads to it is not brought to the disk."""
    assert storage.make_lasting_dir
    storage.make_lasting_dir = make_private_dir  # type: ignore[assignment]


PLANTS: dict[str, Callable[[], None]] = {
    "append-without-sync": append_without_sync,
    "segment-without-folder-sync": segment_without_folder_sync,
    "head-before-sync": head_before_sync,
    "new-file-without-sync": new_file_without_sync,
    "quarantine-without-sync": quarantine_without_sync,
    "cursor-without-its-records": cursor_without_its_records,
    "spool-without-sync": spool_without_sync,
    "save-without-folder-sync": save_without_folder_sync,
    "folder-without-its-name": folder_without_its_name,
}
