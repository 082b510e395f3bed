"""One journal's folder put in the place of another, or where none is.

The new one is complete, and synced, beside the old before anything moves; then one exchange of the two names
decides. Killed anywhere, the old journal or the new one is in place; ``settle`` ends what a kill left. Call all of
it under ``drain.lock`` and ``maintenance.lock``: nobody appends meanwhile.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from mgit_hooks.files import (
    create,
    exists,
    is_folder,
    open_to_read,
    remove_folder,
    replacing,
    sync_directory,
    sync_file,
)
from mgit_hooks.journal import bundle, identity
from mgit_hooks.layout import make_private_dir

# In a folder that came from a bundle, until all that belongs to putting it in place is done: the bundle's SHA-256.
_MARK: Final = "restored-from"
_EXCHANGE: Final = 2
_AT_CWD: Final = -100


def stage(
    checked: bundle.Checked,
    journal_dir: str,
    *,
    head: identity.Head | None = None,
    own: identity.Identity | None = None,
) -> str:
    """The journal of a bundle in a folder beside ``journal_dir``, ready to take its place; that folder.

    ``head``: what the journal in place reported last, where that is further on than the bundle; its numbers
    are not given out again. ``own``: the identity that it keeps, where it is the same journal at an earlier time;
    else it is a copy, and whoever appends to it adopts it.
    """
    temporary = f"{_staged(journal_dir)}.tmp"
    remove_folder(temporary)
    bundle.extract(checked.path, checked.manifest, temporary)
    if head is not None:
        identity.write_head(temporary, head)
        sync_file(os.path.join(temporary, "head"))
    if own is not None:
        identity.write(temporary, own.journal, (*checked.manifest.lineage, *own.lineage))
    with replacing(os.path.join(temporary, _MARK)) as file:
        file.write(checked.sha256.encode() + b"\n")
    remove_folder(_staged(journal_dir))
    os.rename(temporary, _staged(journal_dir))
    sync_directory(os.path.dirname(journal_dir))
    return _staged(journal_dir)


def put(journal_dir: str) -> str | None:
    """Put what is staged in place; where the folder that was there is kept, whole."""
    staged = _staged(journal_dir)
    kept = None
    # By its mark ``settle`` tells what was staged from what was in place.
    done(journal_dir)
    if not _holds_anything(journal_dir):
        remove_folder(journal_dir)
        os.rename(staged, journal_dir)
    elif _exchanged(staged, journal_dir):
        kept = _keep(staged, journal_dir)
    else:
        # Between the two renames there is no journal: the mark keeps everyone from beginning one.
        _write_moving(journal_dir)
        kept = _keep(journal_dir, journal_dir)
        os.rename(staged, journal_dir)
    sync_directory(os.path.dirname(journal_dir))
    with suppress(FileNotFoundError):
        os.unlink(moving(journal_dir))
    return kept


def settle(journal_dir: str) -> None:
    """End what a kill left: what was staged and not put in place goes, what was taken out of it is kept."""
    staged = _staged(journal_dir)
    remove_folder(f"{staged}.tmp")
    if is_folder(staged):
        if exists(moving(journal_dir)) and not is_folder(journal_dir):
            os.rename(staged, journal_dir)
        elif mark(staged) is None:
            _keep(staged, journal_dir)
        else:
            remove_folder(staged)
        sync_directory(os.path.dirname(journal_dir))
    with suppress(FileNotFoundError):
        os.unlink(moving(journal_dir))


def moving(journal_dir: str) -> str:
    """The file that is there while there is no journal because one is being put in place."""
    return f"{journal_dir}.moving"


def mark(journal_dir: str) -> str | None:
    """The SHA-256 of the bundle that was put here, until ``done``; None where there was none."""
    try:
        with open_to_read(os.path.join(journal_dir, _MARK)) as file:
            return file.read(100).decode("ascii", "replace").strip()
    except (FileNotFoundError, NotADirectoryError):
        return None


def done(journal_dir: str) -> None:
    """All that belongs to putting the journal in place is done; durable on return.

    A mark that a power cut brought up again would let ``settle`` take the journal that was in place for one that
    never was.
    """
    try:
        os.unlink(os.path.join(journal_dir, _MARK))
    except FileNotFoundError:
        return
    sync_directory(journal_dir)


def kept_aside(mgit_dir: str) -> list[str]:
    """The journals that others took the place of, newest first."""
    folder = os.path.join(mgit_dir, "quarantine")
    try:
        names = [name for name in os.listdir(folder) if name.startswith("journal-")]
    except FileNotFoundError:
        return []
    return [os.path.join(folder, name) for name in sorted(names, reverse=True)]


def _staged(journal_dir: str) -> str:
    return f"{journal_dir}.new"


def _holds_anything(journal_dir: str) -> bool:
    try:
        return bool(set(os.listdir(journal_dir)) - {"lock"})
    except FileNotFoundError:
        return False


def _keep(folder: str, journal_dir: str) -> str:
    quarantine = os.path.join(os.path.dirname(journal_dir), "quarantine")
    make_private_dir(quarantine)
    target = os.path.join(quarantine, f"journal-{time.time_ns():020d}")
    os.rename(folder, target)
    sync_directory(quarantine)
    return target


def _write_moving(journal_dir: str) -> None:
    descriptor = create(moving(journal_dir))
    os.fsync(descriptor)
    os.close(descriptor)
    sync_directory(os.path.dirname(journal_dir))


def _exchanged(one: str, other: str) -> bool:
    """Exchange two names at once; False where the system or the file system cannot."""
    rename = _renameat2()
    return rename is not None and rename(one, other)


def _renameat2() -> Callable[[str, str], bool] | None:
    try:
        import ctypes

        call = ctypes.CDLL(None).renameat2
    except (ImportError, OSError, AttributeError, TypeError):
        return None

    def rename(one: str, other: str) -> bool:
        return bool(call(_AT_CWD, os.fsencode(one), _AT_CWD, os.fsencode(other), _EXCHANGE) == 0)

    return rename
