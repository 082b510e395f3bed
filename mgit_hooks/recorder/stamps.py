"""When files were changed, as far as their file system tells, and whether that can be told from a later change."""

from __future__ import annotations

import os

Stamp = int
"""What a file's or folder's times, size and inode come to. Negative: too young to be told from a later change."""


def times(status: os.stat_result) -> tuple[int, int]:
    """When content and inode were changed last, in nanoseconds."""
    return status.st_mtime_ns, status.st_ctime_ns


def entries(folder: str, now: int) -> tuple[dict[str, Stamp], list[str]]:
    """The files in a folder, each with its stamp, and the folders."""
    files: dict[str, Stamp] = {}
    folders: list[str] = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.name)
                    continue
                try:
                    files[entry.name] = of(entry.stat(), now)
                except OSError:  # gone by now, or a link that leads nowhere
                    continue
    except (FileNotFoundError, NotADirectoryError):
        pass
    return files, sorted(folders)


def stamp(path: str, now: int) -> Stamp | None:
    """``now`` as for ``of``. None where there is no such file."""
    try:
        return of(os.stat(path), now)
    except (FileNotFoundError, NotADirectoryError):
        return None


def of(status: os.stat_result, now: int) -> Stamp:
    """``now`` is a time of the clock that stamps files, in nanoseconds: what is older can be told from what will be."""
    modified, changed = times(status)
    told = hash((modified, changed, status.st_ino, status.st_size)) & (1 << 62) - 1
    return told if modified < now and changed < now else -1 - told


def bare(told: Stamp) -> Stamp:
    """The stamp, whatever its age."""
    return told if told >= 0 else -1 - told


def same(before: Stamp | None, now: Stamp | None) -> bool:
    """Whether nothing can have changed in between."""
    return before == now and (now is None or now >= 0)
