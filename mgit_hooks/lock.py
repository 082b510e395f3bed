"""Locks that a killed process cannot leave behind: the kernel lets go of them with the file."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

from mgit_hooks.errors import JournalBusyError

# Seconds between tries. Who has waited long asks less often: a hundred that wait would else leave the one that
# holds the lock no processor to end with.
_FIRST_PAUSE = 0.002
_LAST_PAUSE = 0.032


@contextmanager
def exclusive(path: str, *, wait: float | None = None) -> Iterator[bool]:
    """Hold the lock file ``path`` for the block; gives whether it was got.

    ``wait`` is in seconds: 0 tries once, None waits for ever.
    """
    deadline = None if wait is None else time.monotonic() + wait
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            held = _acquire(descriptor, deadline)
            if held and not _is_still(path, descriptor):
                continue  # deleted while we waited: a lock on it would exclude nobody
            yield held
            return
        finally:
            os.close(descriptor)


def _is_still(path: str, descriptor: int) -> bool:
    try:
        return os.path.samestat(os.stat(path), os.fstat(descriptor))
    except FileNotFoundError:
        return False


@contextmanager
def required(path: str, what: str, *, wait: float = 60.0) -> Iterator[None]:
    """As ``exclusive``, but raises JournalBusyError where the lock is not to be had within ``wait`` seconds."""
    with exclusive(path, wait=wait) as held:
        if not held:
            raise JournalBusyError(f"{what} is in use by another process", "wait for it to end and try again")
        yield


@contextmanager
def folder(path: str, what: str, *, wait: float = 60.0) -> Iterator[None]:
    """As ``required``, over a folder that is there: it leaves no file. None where folders cannot be locked."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except PermissionError:  # Windows opens no folders
        yield
        return
    try:
        try:
            held = _acquire(descriptor, time.monotonic() + wait)
        except OSError:  # NFS locks only what is open to be written
            held = True
        if not held:
            raise JournalBusyError(f"{what} is in use by another process", "wait for it to end and try again")
        yield
    finally:
        os.close(descriptor)


@contextmanager
def journal(journal_dir: str, *, wait: float = 60.0) -> Iterator[None]:
    """Hold the journal: its lock file and, since that can be deleted or replaced under who holds it, its folder."""
    with (
        required(os.path.join(journal_dir, "lock"), "the journal", wait=wait),
        folder(journal_dir, "the journal", wait=wait),
    ):
        yield


def _acquire(descriptor: int, deadline: float | None) -> bool:
    try:
        import fcntl
    except ImportError:  # Windows
        return _acquire_msvcrt(descriptor, deadline)
    if deadline is None:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        return True
    pause = _FIRST_PAUSE
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(pause)
            pause = min(2 * pause, _LAST_PAUSE)
        else:
            return True


def _acquire_msvcrt(descriptor: int, deadline: float | None) -> bool:
    import msvcrt

    pause = _FIRST_PAUSE
    while True:
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
        except OSError:
            if deadline is not None and time.monotonic() >= deadline:
                return False
            time.sleep(pause)
            pause = min(2 * pause, _LAST_PAUSE)
        else:
            return True
