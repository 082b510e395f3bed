"""Workers as processes: made by a fork where nothing speaks against it, else by starting an interpreter.

Each leads a process group, which ends with it: what an item has started does not outlive the item's worker.
"""

from __future__ import annotations

import gc
import os
import pickle
import signal
import sys
from collections.abc import Callable, Iterable
from typing import Any, Final

from mgit_hooks.bulk import worker
from mgit_hooks.bulk.frames import ITEM, Frame
from mgit_hooks.bulk.outcomes import Plan

METHODS: Final = ("fork", "spawn")
# What is the parent's alone, of all runs in this process: a fork that kept the end of a pipe would keep a worker of
# another run from seeing its parent's end.
_ours: set[int] = set()
keep_from_workers = _ours.add
forget = _ours.discard


class Worker:
    """A process and our ends of its pipes. ``watch`` can be waited for: it is ready when the process has ended."""

    def __init__(self, pid: int, ours: tuple[int, int, int], watch: int | None) -> None:
        self.pid = pid
        self.tasks, self.results, self.life = ours
        self.watch = watch
        self._code: int | None = None

    def close(self) -> None:
        for descriptor in (self.tasks, self.results, self.life, self.watch):
            if descriptor is not None:
                forget(descriptor)
                os.close(descriptor)

    def kill(self) -> None:
        """With its whole group, and itself where it has left that. Its number stays its own until it is reaped."""
        for send in (os.killpg, os.kill) if self._code is None else (os.killpg,):
            try:
                send(self.pid, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):  # macOS says the second of a group that has ended
                pass

    def reap(self) -> int | None:
        """How it ended: the exit status, or the negated number of the signal; None while it runs."""
        if self._code is None:
            try:
                pid, status = os.waitpid(self.pid, os.WNOHANG)
                self._code = os.waitstatus_to_exitcode(status) if pid else None
            except ChildProcessError:  # whoever ignores SIGCHLD never learns it
                self._code = 0
        return self._code

    def has_ended(self) -> bool:
        """Without reaping it where the system can tell so: its group can be told by its number until then."""
        if not hasattr(os, "waitid"):  # macOS before Python 3.13
            return self.reap() is not None
        try:
            return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
        except ChildProcessError:
            return True


def method() -> str:
    """``fork`` on Linux while this process has one thread: another may hold a lock, which a fork would hold for good.
    Elsewhere system libraries hold such locks anyway.
    """
    threading = sys.modules.get("threading")
    alone = threading is None or threading.active_count() == 1
    return "fork" if sys.platform == "linux" and alone else "spawn"


def start(function: Callable[[Any], Any], plan: Plan, how: str) -> tuple[Worker, bytes]:
    """A worker, and the bytes that it is to be sent before its first item. Raises OSError."""
    pipes: list[int] = []
    try:
        for _ in range(3):
            pipes += os.pipe()
        tasks, our_tasks, our_results, results, life, our_life = pipes
        ends = worker.Ends(tasks, results, life)
        for descriptor in (our_tasks, our_results):
            os.set_blocking(descriptor, False)
        ours = (our_tasks, our_results, our_life)
        pid = _fork(ends, ours, function, plan) if how == "fork" else _spawn(ends)
    except BaseException:
        for descriptor in pipes:
            os.close(descriptor)
        raise
    for descriptor in ends:
        os.close(descriptor)
    watch = _watch(pid)
    _ours.update(ours if watch is None else (*ours, watch))
    greeting = b"" if how == "fork" else Frame(ITEM, 0, _told(function, plan)).pack()
    return Worker(pid, ours, watch), greeting


def _watch(pid: int) -> int | None:
    try:
        return os.pidfd_open(pid) if hasattr(os, "pidfd_open") else None
    except OSError:  # of an older kernel, or in a sandbox
        return None


def _fork(ends: worker.Ends, ours: tuple[int, ...], function: Callable[[Any], Any], plan: Plan) -> int:
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()  # else both would write what it holds
    # Between the fork and the caller's knowing of it nobody may interrupt us.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM, signal.SIGHUP))
    try:
        pid = os.fork()
        if pid == 0:
            _become(ours, before)
            worker.work(ends, function, plan)
        try:
            os.setpgid(pid, pid)  # whoever of the two comes first
        except OSError:
            pass
        return pid
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _become(ours: tuple[int, ...], mask: Iterable[int]) -> None:
    try:
        os.setpgid(0, 0)
        gc.freeze()  # what the parent has made is looked through no more, and so stays shared with it
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD, signal.SIGALRM):
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        for descriptor in (*ours, *_ours):
            os.close(descriptor)
    except BaseException:
        os._exit(1)


def _spawn(ends: worker.Ends) -> int:
    from subprocess import _args_from_interpreter_flags as flags  # type: ignore[attr-defined]

    code = f"import sys; sys.path[:] = {sys.path!r}; from mgit_hooks.bulk.worker import begin; begin{tuple(ends)}"
    for descriptor in ends:
        os.set_inheritable(descriptor, True)
    command = [sys.executable, *flags(), "-c", code]
    defaults = (signal.SIGPIPE, signal.SIGTERM, signal.SIGCHLD)
    return os.posix_spawn(sys.executable, command, os.environ, setpgroup=0, setsigmask=(), setsigdef=defaults)


def _told(function: Callable[[Any], Any], plan: Plan) -> bytes:
    main = None
    if sys.modules[_module_of(function)] is sys.modules["__main__"]:
        from multiprocessing.spawn import get_preparation_data

        main = get_preparation_data("worker")
        main.pop("authkey", None)
    return pickle.dumps((sys.path, main, pickle.dumps(function, 5), plan), 5)


def _module_of(function: Callable[[Any], Any]) -> str:
    inner = getattr(function, "func", function)  # a functools.partial's
    return getattr(inner, "__module__", None) or type(inner).__module__
