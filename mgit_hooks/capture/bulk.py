"""Many commits at once: processes side by side, results in order, memory flat.

Each worker takes every nth chunk and writes what it makes into a pipe of its own. The pipe's size bounds
how far it runs ahead. A worker that dies ends its pipe, and the reader says so; a reader that dies breaks
the pipe, and the workers end.
"""

from __future__ import annotations

import os
import pickle
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from mgit_hooks.capture.capturer import Capturer
from mgit_hooks.errors import MgitError
from mgit_hooks.record import Commit, Oid

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

T = TypeVar("T")
CHUNK = 256  # commits at most: enough to find a parent's blobs at hand, few enough to hold
_SHARES = 8  # chunks for each process at least, so that all end at about the same time
_ALONE = 2 * CHUNK  # what a second process would cost more to start than it saves
_WORKERS = 4  # the one reader is the limit beyond
_PIPE_BYTES = 1024 * 1024


def capture(git_dir: str, oids: Sequence[Oid], make: Callable[[Commit], T], workers: int | None = None) -> Iterator[T]:
    """``make`` of each commit, in the order of ``oids``; parents before children is fastest.

    ``make`` runs in the worker and must be a top-level function, its results picklable. Raises what
    ``Capturer.commit`` and ``make`` raise, and MgitError where a worker died.
    """
    count = _cpus() if workers is None else workers
    count = min(count, (len(oids) + CHUNK - 1) // CHUNK)
    if count < 2 or len(oids) < _ALONE:
        return map(make, Capturer(git_dir).commits(oids))
    return _side_by_side(git_dir, oids, make, count)


def _cpus() -> int:
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(usable, _WORKERS)


def _side_by_side(git_dir: str, oids: Sequence[Oid], make: Callable[[Commit], T], count: int) -> Iterator[T]:
    import multiprocessing  # only where processes are started

    # Elsewhere than on Linux a fork may copy locks that system libraries hold.
    context: Any = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")
    size = max(1, min(CHUNK, len(oids) // (count * _SHARES)))
    chunks = [oids[start : start + size] for start in range(0, len(oids), size)]
    readers: list[Connection] = []
    processes: list[Any] = []
    try:
        for number in range(count):
            reader, writer = context.Pipe(duplex=False)
            _widen(writer)
            readers.append(reader)
            inherited = readers if sys.platform == "linux" else []
            given = (writer, inherited, git_dir, chunks[number::count], make)
            process = context.Process(target=_work, args=given, daemon=True)
            process.start()
            processes.append(process)
            writer.close()  # else a dead worker's pipe would never end
        for number in range(len(chunks)):
            yield from _received(readers[number % count])
    finally:
        for reader in readers:
            reader.close()
        for process in processes:
            process.terminate()
            process.join()


def _received(reader: Connection) -> Any:
    try:
        done, value = pickle.loads(reader.recv_bytes())  # noqa: S301 - from our own child
    except EOFError:
        raise MgitError(
            "a process that captured commits died before it was done",
            "see whether memory ran out, then run the command again: nothing is recorded twice",
        ) from None
    if not done:
        raise value
    return value


def _work(
    writer: Connection,
    readers: Sequence[Connection],
    git_dir: str,
    chunks: Sequence[Sequence[Oid]],
    make: Callable[[Commit], Any],
) -> None:
    import gc
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the reader answers Ctrl-C, and ends us
    for reader in readers:
        reader.close()  # else the pipe would outlive the process that reads it
    gc.freeze()
    try:
        capturer = Capturer(git_dir)
        for chunk in chunks:
            writer.send_bytes(pickle.dumps((True, [make(commit) for commit in capturer.commits(chunk)]), 5))
    except BrokenPipeError:
        return
    except Exception as error:
        writer.send_bytes(_pickled_error(error))


def _pickled_error(error: Exception) -> bytes:
    try:
        raw = pickle.dumps((False, error), 5)
        pickle.loads(raw)  # noqa: S301 - some exceptions only fail on the way back
    except Exception:
        raw = pickle.dumps((False, MgitError(f"{type(error).__name__}: {error}")), 5)
    return raw


def _widen(writer: Connection) -> None:
    """Room for about three chunks, so that workers need not run in step."""
    if sys.platform != "linux":
        return
    import fcntl

    try:
        fcntl.fcntl(writer.fileno(), fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
    except OSError:  # over the user's share of pipe memory: the usual 64 KiB do
        pass
