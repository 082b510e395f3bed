"""What the workers of these tests are asked to do: at the top of a module, as a worker needs it."""

from __future__ import annotations

import ctypes
import errno
import faulthandler
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

MIB = 1 << 20


class TwoArguments(Exception):
    """Comes back from pickle as a TypeError, as some libraries' errors do."""

    def __init__(self, one: str, two: str) -> None:
        super().__init__(f"{one} and {two}")


class NoPickle(Exception):
    def __reduce__(self) -> Any:
        raise RuntimeError("not me")

    def __str__(self) -> str:
        raise RuntimeError("nor my words")


class BreaksOnReturn:
    """A value that pickle takes and does not give back."""

    def __reduce__(self) -> Any:
        return int, ("no number",)


class ExitsOnReturn:
    def __reduce__(self) -> Any:
        return sys.exit, (3,)


def double(item: int) -> int:
    return 2 * item


async def double_later(item: int) -> int:
    import asyncio

    await asyncio.sleep(0)
    return 2 * item


def nap(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


def process_id(item: Any) -> int:
    return os.getpid()


def environment(item: Any) -> dict[str, Any]:
    """What a worker finds around it."""
    return {
        "nice": os.nice(0),
        "stdin": os.read(0, 10),
        "group": os.getpgrp() == os.getpid(),
        "int": signal.getsignal(signal.SIGINT) == signal.SIG_IGN,
        "descriptors": sorted(int(each) for each in os.listdir("/proc/self/fd")),
    }


def allocate(size: int) -> int:
    """Memory that is asked for and never written to: the ceiling counts it, and it costs no time."""
    return len(bytes(size))


def bring(size: int) -> bytes:
    return b"x" * size


def leave_a_mark(given: tuple[str, Any]) -> Any:
    """Append a line for each time that it is called, so that a test can count them."""
    path, kind = given
    with open(path, "a") as file:
        file.write("called\n")
    return misbehave(kind)


def misbehave(kind: Any) -> Any:
    if kind == "raise":
        raise ValueError("as it is")
    if kind == "two arguments":
        raise TwoArguments("a", "b")
    if kind == "no pickle":
        raise NoPickle
    if kind == "exit":
        sys.exit(3)
    if kind == "interrupt":
        raise KeyboardInterrupt
    if kind == "leave":
        os._exit(4)
    if kind == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if kind == "hang":
        time.sleep(600)
    if kind == "hang in C":  # holds the interpreter's lock: nothing of Python runs in the worker any more
        ctypes.PyDLL(None).sleep(600)
    if kind == "fault":
        faulthandler.disable()
        ctypes.string_at(0)
    if kind == "lambda":
        return lambda: None
    if kind == "breaks on return":
        return BreaksOnReturn()
    if kind == "exits on return":
        return ExitsOnReturn()
    if kind == "go to another group":
        os.setpgid(0, os.getpgid(os.getppid()))
        time.sleep(600)
    if kind == "print":
        print("to nobody")
        os.write(1, b"to nobody\n")
    if kind == "fork":
        return ("forked", os.fork() == 0)
    if kind == "leave a child":
        if os.fork() == 0:
            time.sleep(600)
        os._exit(5)
    if kind == "close all":
        os.closerange(3, 1000)
    if kind == "write to all":
        for descriptor in range(3, 40):
            try:
                os.write(descriptor, b"\xff" * 100)
            except OSError:
                pass
    if kind == "busy":
        raise OSError(errno.EBUSY, "someone has it")
    if kind == "denied":
        raise PermissionError(errno.EACCES, "no")
    if kind == "stop":
        os.kill(os.getpid(), signal.SIGSTOP)
    if kind == "tidy up":
        import atexit

        atexit.register(print, "not in a worker")
    return kind


def fails_at_first(path: str) -> str:
    """Busy twice, then fine."""
    tries = Path(path)
    seen = tries.read_text() if tries.exists() else ""
    tries.write_text(seen + "x")
    if len(seen) < 2:
        raise OSError(errno.EBUSY, "someone has it")
    return seen


def start_a_child(path: str) -> None:
    """A child that outlives its worker, if nobody ends it, and then the worker hangs."""
    child = subprocess.Popen(["sleep", "600"])
    Path(path).write_text(str(child.pid))
    time.sleep(600)


def allocate_and_wait(size: int) -> int:
    held = bytearray(size)
    time.sleep(0.4)
    return len(held)


def nap_or_bring(given: float) -> Any:
    return nap(given) if isinstance(given, float) else bring(given)


def nap_and_tell(seconds: float) -> int:
    time.sleep(seconds)
    return os.getpid()


def processors(seconds: float) -> tuple[int, ...]:
    time.sleep(seconds)
    return tuple(sorted(os.sched_getaffinity(0)))


def object_cache(item: Any) -> int:
    import pygit2

    from mgit_hooks.git import library  # noqa: F401

    return int(pygit2.settings.cached_memory[1])
