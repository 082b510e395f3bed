"""Many commits at once: processes side by side, results in order, memory flat.

The commits are cut into runs. Each worker begins with a run of its own, then takes the next one that is nobody's, and
writes what it makes into a pipe of its own, whose size bounds how far it runs ahead. A worker that dies ends its
pipe, and the reader says so; a reader that dies breaks the pipe, and the workers end.
"""

from __future__ import annotations

import os
import pickle
import struct
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from mgit_hooks.capture import merging
from mgit_hooks.capture.capturer import Capturer
from mgit_hooks.capture.merging import Message
from mgit_hooks.errors import MgitError
from mgit_hooks.record import Commit, Oid

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

T = TypeVar("T")
CHUNK = 256  # of fewer commits no two processes are made
_LEAST, _MOST = 32, 1024  # commits in a run
_ALONE = 2 * CHUNK  # what a second process would cost more to start than it saves
_TOGETHER = 64  # results in a message
_WORKERS = 4  # the one reader is the limit beyond
_PIPE_BYTES = 1024 * 1024
_TOKEN = struct.Struct("<I")
_RUNS = 4096  # of the longest kind at most: all are in a pipe before anyone reads
# Many small values are made and none of them is part of a cycle: looking for cycles finds nothing.
_SELDOM = 100_000


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


def plan(total: int, count: int) -> list[slice]:
    """Runs of commits: long ones first, since a beginning costs, short ones last, so that all end together."""
    most = max(_MOST, total // _RUNS)
    runs: list[slice] = []
    start = 0
    while start < total:
        size = max(_LEAST, min(most, (total - start) // (2 * count)))
        runs.append(slice(start, min(start + size, total)))
        start += size
    return runs


class _Work(NamedTuple):
    git_dir: str
    oids: Sequence[Oid]
    runs: Sequence[slice]
    first: int  # the run that nobody else takes
    make: Callable[[Commit], Any]


def _side_by_side(git_dir: str, oids: Sequence[Oid], make: Callable[[Commit], T], count: int) -> Iterator[T]:
    import multiprocessing  # only where processes are started

    # Elsewhere than on Linux a fork may copy locks that system libraries hold.
    context: Any = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")
    runs = plan(len(oids), count)
    readers: list[Connection] = []
    processes: list[Any] = []
    tokens = _tokens(context, range(count, len(runs)))
    try:
        for number in range(count):
            reader, writer = context.Pipe(duplex=False)
            _widen(writer)
            readers.append(reader)
            inherited = readers if sys.platform == "linux" else []
            work = _Work(git_dir, oids, runs, number, make)
            process = context.Process(target=_work, args=(writer, inherited, tokens, work), daemon=True)
            process.start()
            processes.append(process)
            writer.close()  # else a dead worker's pipe would never end
        for message in merging.in_order(readers, len(runs)):
            value = pickle.loads(message.body)  # noqa: S301 - from our own child
            if message.state == merging.FAILED:
                raise value
            yield from value
    finally:
        tokens.close()
        for reader in readers:
            reader.close()
        for process in processes:
            process.terminate()
            process.join()


def _tokens(context: Any, numbers: Iterable[int]) -> Connection:
    """A pipe with the runs that are nobody's yet: who is free takes the next."""
    reader, writer = context.Pipe(duplex=False)
    os.write(writer.fileno(), b"".join(map(_TOKEN.pack, numbers)))
    writer.close()
    return reader  # type: ignore[no-any-return]


def _work(writer: Connection, readers: Sequence[Connection], tokens: Connection, work: _Work) -> None:
    import gc
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the reader answers Ctrl-C, and ends us
    for reader in readers:
        reader.close()  # else the pipe would outlive the process that reads it
    gc.freeze()
    gc.set_threshold(_SELDOM)
    run = work.first
    try:
        capturer = Capturer(work.git_dir)
        for run in _runs(work.first, tokens):
            writer.send_bytes(Message(run, merging.BEGUN, b"").pack())
            made = map(work.make, capturer.commits(work.oids[work.runs[run]]))
            while some := list(islice(made, _TOGETHER)):
                writer.send_bytes(Message(run, merging.MORE, pickle.dumps(some, 5)).pack())
            writer.send_bytes(Message(run, merging.LAST, pickle.dumps([], 5)).pack())
        writer.send_bytes(Message(run, merging.DONE, b"").pack())
    except BrokenPipeError:
        return
    except Exception as error:
        writer.send_bytes(Message(run, merging.FAILED, _pickled(error)).pack())


def _runs(first: int, tokens: Connection) -> Iterator[int]:
    yield first
    # So few bytes are never read in two parts, whoever else reads.
    while token := os.read(tokens.fileno(), _TOKEN.size):
        yield _TOKEN.unpack(token)[0]


def _pickled(error: Exception) -> bytes:
    try:
        raw = pickle.dumps(error, 5)
        pickle.loads(raw)  # noqa: S301 - some exceptions only fail on the way back
    except Exception:
        raw = pickle.dumps(MgitError(f"{type(error).__name__}: {error}"), 5)
    return raw


def _widen(writer: Connection) -> None:
    """Room for some hundred records, so that workers need not run in step."""
    if sys.platform != "linux":
        return
    import fcntl

    try:
        fcntl.fcntl(writer.fileno(), fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
    except OSError:  # over the user's share of pipe memory: the usual 64 KiB do
        pass
