"""A worker: reads items from one pipe, writes what comes of them to another, ends when there are no more.

Each result is on its way before the next item begins, so that a death costs only the item it falls on.
"""

from __future__ import annotations

import os
import pickle
import sys
import time
from collections.abc import Callable
from typing import Any, NamedTuple, NoReturn

from mgit_hooks import ceilings, files
from mgit_hooks.bulk.frames import AGAIN, DONE, FAILED, READY, RESULT, SPENT, UNUSABLE, Frame, Incoming
from mgit_hooks.bulk.outcomes import ItemError, Plan
from mgit_hooks.recovery.passing import may_pass

_PAUSE = 0.05  # seconds before the second try; twice as many before each one after it
_AT_ONCE = 1 << 16
# Packed before memory is short.
_OUT_OF_MEMORY = pickle.dumps(
    ItemError("it takes more memory than its ceiling", "raise the ceiling, or leave the item out", "memory"), 5
)


class Ends(NamedTuple):
    """A worker's descriptors: items come from ``tasks``, results go to ``results``; ``life`` ends with the parent."""

    tasks: int
    results: int
    life: int


def work(ends: Ends, function: Callable[[Any], Any], plan: Plan) -> NoReturn:
    """Never returns: what a forked process would return to is its parent's."""
    try:
        _prepare(ends, plan)
        _send(ends, Frame(READY, 0).pack())
    except BaseException as error:
        _refuse(ends, error)
    try:
        incoming = Incoming()
        while data := os.read(ends.tasks, _AT_ONCE):
            incoming.add(data)
            for frame in incoming.frames():
                _one(frame, ends, function, plan)
        os._exit(0)
    finally:  # what cannot even be told is told by our end
        os._exit(1)


def begin(tasks: int, results: int, life: int) -> NoReturn:
    """In a process of its own, which has yet to be told the function: a frame of it is the first that comes."""
    ends = Ends(tasks, results, life)
    try:
        incoming = Incoming()
        while not (first := next(incoming.frames(), None)):
            incoming.add(os.read(tasks, 1) or os._exit(0))
        path, main, raw, plan = pickle.loads(first.body)  # noqa: S301 - from our parent
        sys.path[:] = path
        if main is not None:
            from multiprocessing.spawn import prepare

            prepare(main)
        function = pickle.loads(raw)  # noqa: S301
    except BaseException as error:
        _refuse(ends, error)
    work(ends, function, plan)


def _refuse(ends: Ends, error: BaseException) -> NoReturn:
    try:
        told = f"{type(error).__name__}: {error}".encode("utf-8", "replace")
        _send(ends, Frame(UNUSABLE, 0, told).pack())
    finally:
        os._exit(1)


def _prepare(ends: Ends, plan: Plan) -> None:
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent answers Ctrl-C, and ends us
    _tie(ends.life)
    # Standard output is the parent's data, its input someone's terminal.
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    if plan.niceness:
        os.nice(plan.niceness)
    if plan.processors is not None and hasattr(os, "sched_setaffinity"):
        _stay_on(plan.processors)
    if plan.memory is not None and ceilings.held_by_system():
        ceilings.hold(plan.memory)


def _stay_on(count: int) -> None:
    """All workers of a run on the same processors, and two runs at the same time not always on the first ones."""
    usable = sorted(os.sched_getaffinity(0))
    first = os.getppid() % len(usable)
    os.sched_setaffinity(0, (usable[first:] + usable[:first])[:count])


def _tie(life: int) -> None:
    """End this process, with all that it starts in its group, when the parent does, however that ends.

    On Linux by the kernel, which needs nothing of a process that hangs: a signal to the group when the pipe's other
    end closes, which nobody ever writes to.
    """
    import signal

    if sys.platform == "linux":
        import fcntl

        fcntl.fcntl(life, fcntl.F_SETOWN, -os.getpgrp())
        fcntl.fcntl(life, fcntl.F_SETSIG, signal.SIGKILL)
        fcntl.fcntl(life, fcntl.F_SETFL, fcntl.fcntl(life, fcntl.F_GETFL) | os.O_ASYNC)
        import select

        poll = select.poll()
        poll.register(life, 0)
        if poll.poll(0):  # it ended before that
            os._exit(1)
    else:
        import _thread

        def wait() -> None:
            os.read(life, 1)
            os.killpg(0, signal.SIGKILL)

        _thread.start_new_thread(wait, ())


def _one(frame: Frame, ends: Ends, function: Callable[[Any], Any], plan: Plan) -> None:
    _spare(plan)
    began = time.monotonic()
    me = os.getpid()
    tries = 0
    answer: tuple[int, bytes] | None = None
    while answer is None:
        tries += 1
        try:
            answer = DONE, _pickled(_call(function, frame.body))
        except MemoryError:
            break  # and what was taken goes with the frames that the error holds
        except BaseException as error:
            if os.getpid() == me and tries < plan.attempts and may_pass(error):
                time.sleep(_PAUSE * 2 ** (tries - 1))
                _send(ends, Frame(AGAIN, frame.number).pack())
            else:
                answer = FAILED, pickle.dumps(portable(error), 5)
    if os.getpid() != me:  # the function forked, and both came back
        os._exit(0)
    kind, raw = answer or (SPENT, _OUT_OF_MEMORY)
    result = RESULT.pack(time.monotonic() - began, tries)
    _send(ends, Frame(kind, frame.number, result).pack(len(raw)), raw)
    if kind == SPENT:
        os._exit(0)


def _spare(plan: Plan) -> None:
    library = sys.modules.get("mgit_hooks.git.library")  # a function may load it as late as with its first item
    if plan.cache is not None and library is not None:
        library.keep_at_most(plan.cache)


def _call(function: Callable[[Any], Any], body: bytes) -> Any:
    item = pickle.loads(body)  # noqa: S301 - from our parent
    value = function(item)
    if type(value).__name__ == "coroutine":
        import asyncio

        value = asyncio.run(value)
    return value


def _pickled(value: Any) -> bytes:
    try:
        return pickle.dumps(value, 5)
    except MemoryError:
        raise
    except Exception as error:
        told = f"its value cannot be brought over: {type(error).__name__}: {error}"
        raise ItemError(told, "have the function return what pickle takes", "pickling") from None


def portable(error: BaseException) -> Exception:
    """The error, where it comes through pickle as it is; else an ItemError with its name and words."""
    if isinstance(error, SystemExit):
        return ItemError(f"its function wanted to exit ({error.code})", "have it return, or raise an error", "exit")
    try:
        raw = pickle.dumps(error, 5)
        if isinstance(error, Exception) and type(pickle.loads(raw)) is type(error):  # noqa: S301 - some only fail on the way back
            return error
    except MemoryError:
        raise
    except BaseException:  # noqa: S110 - told below
        pass
    try:
        words = str(error)
    except Exception:
        words = "(which cannot be told)"
    return ItemError(f"{type(error).__name__}: {words}".removesuffix(": "), "see what its function does", "raised")


def _send(ends: Ends, head: bytes, rest: bytes = b"") -> None:
    try:
        if len(rest) <= _AT_ONCE:
            files.write_all(ends.results, head + rest)
        else:  # no second copy of what is large
            files.write_all(ends.results, head)
            view = memoryview(rest)
            for at in range(0, len(rest), _AT_ONCE):
                files.write_all(ends.results, view[at : at + _AT_ONCE])
    except BrokenPipeError:  # nobody reads any more
        os._exit(1)
