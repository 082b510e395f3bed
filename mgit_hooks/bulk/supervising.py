"""Hands items to workers, watches over them, and ends those that do not hold to the plan.

Nothing here blocks but ``step``, and that only where it is told to: the same code serves a loop of its own and an
event loop (``fileno``). While many results wait for an earlier one, only whoever works on that is read from; the
others' pipes fill, and they wait too.
"""

from __future__ import annotations

import os
import pickle
import selectors
import signal
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from mgit_hooks import ceilings
from mgit_hooks.bulk import starting
from mgit_hooks.bulk.frames import AGAIN, ITEM, READY, SPENT, UNUSABLE, Frame, Incoming
from mgit_hooks.bulk.outcomes import ItemError, Outcome, Plan, require
from mgit_hooks.bulk.queueing import Job, Queue
from mgit_hooks.errors import MgitError

STARTING: Final = 60.0
"""Seconds that a worker may take to be ready: an interpreter, and what the function's module imports."""
ALONE: Final = 0.1
"""Seconds for the first outcome of a gradual run, before the other workers start all the same."""
_FALSE_STARTS: Final = 3
_PIPE: Final = 1 << 18
_TICK: Final = 0.05  # seconds between two looks at a process that the system does not let be waited for


class _Busy:
    """What is known of a worker. ``since`` is when what is waited for began: its start, its first job, a byte."""

    def __init__(self, process: starting.Worker, greeting: bytes) -> None:
        self.process = process
        self.outgoing = bytearray(greeting)
        self.incoming = Incoming()
        self.jobs: deque[Job] = deque()
        self.is_ready = False
        self.is_read = True
        self.tries = 1
        self.since = time.monotonic()
        self.base = 0  # bytes of memory when it was ready, where that is looked at


class Supervisor:
    """One run. Close it whatever happens: it ends all that it has started."""

    def __init__(
        self, items: Iterable[Any], function: Callable[[Any], Any], plan: Plan, how: str | None = None
    ) -> None:
        self._plan = require(plan)
        pickle.dumps(function, 5)  # where it would not go over, say so here and at once
        self._function = function
        self._how = how or starting.method()
        self._queue = Queue(items, plan)
        self._selector = selectors.DefaultSelector()
        starting.keep_from_workers(self.fileno())
        self._workers: dict[int, _Busy] = {}  # by the descriptor of their results
        self._ended: list[starting.Worker] = []  # killed, to be reaped
        self._false_starts = 0
        self._looked = 0.0
        self._began = time.monotonic()

    @property
    def is_finished(self) -> bool:
        return self._queue.is_finished

    def due(self) -> Iterator[Outcome]:
        return self._queue.due()

    def fileno(self) -> int:
        """Ready to read when ``step`` has something to do; an epoll or a kqueue, so on Linux and the BSDs."""
        return self._selector.fileno()  # type: ignore[attr-defined,no-any-return,unused-ignore]

    def patience(self) -> float | None:
        """Seconds after which ``step`` is to be called, whether or not something happened."""
        now = time.monotonic()
        limits = [limit - now for busy in self._workers.values() if (limit := self._deadline(busy)) is not None]
        if self._is_sampling():
            limits.append(ceilings.EVERY)
        if self._is_alone():
            limits.append(self._began + ALONE - now)
        if self._ended or any(busy.process.watch is None for busy in self._workers.values()):
            limits.append(_TICK)
        return max(min(limits), 0.0) if limits else None

    def step(self, *, wait: bool) -> None:
        """Do what can be done; first wait for something to do, but not beyond the next time-out.

        Raises MgitError where no worker can be started, OSError, and what the iterator of the items raises.
        """
        self._hand_out()
        if self.is_finished:
            return
        self._attend()
        for key, events in self._selector.select(self.patience() if wait and not self._queue.has_due() else 0):
            busy, watched = key.data
            if not self._is_ours(busy):
                continue
            if watched:
                self._bury(busy)
            elif events & selectors.EVENT_READ:
                if self._read(busy) == 0:
                    self._bury(busy)
            else:
                self._send(busy)
        self._judge()
        self._hand_out()  # nobody is to wait while the caller looks at what is due

    def close(self) -> None:
        """Within a second nothing of it runs; a process that the system itself holds goes as soon as it lets go."""
        for busy in list(self._workers.values()):
            self._end(busy)
        starting.forget(self.fileno())
        self._selector.close()
        until = time.monotonic() + 1
        while self._reap() and time.monotonic() < until:
            time.sleep(0.001)

    def _reap(self) -> bool:
        self._ended = [each for each in self._ended if each.reap() is None]
        return bool(self._ended)

    # Handing out.

    def _hand_out(self) -> None:
        while True:
            free = self._freest()
            can_start = len(self._workers) < (1 if self._is_alone() else self._plan.workers)
            if (free is None and not can_start) or not (jobs := self._queue.take()):
                return
            # One that has nothing to do comes before a new one, and that before one that soon has nothing to do.
            busy = self._start() if free is None or (free.jobs and can_start) else free
            if not busy.jobs:
                busy.since = time.monotonic()
            busy.jobs.extend(jobs)
            for job in jobs:
                busy.outgoing += Frame(ITEM, job.number, job.body).pack()
            self._send(busy)

    def _is_alone(self) -> bool:
        """Whether the first worker has the machine for itself yet: starting others would keep its outcome waiting."""
        return self._plan.gradual and self._queue.head == 0 and time.monotonic() < self._began + ALONE

    def _freest(self) -> _Busy | None:
        few = self._queue.share // 2
        waits = [busy for busy in self._workers.values() if len(busy.jobs) <= few and not busy.outgoing]
        return min(waits, key=lambda busy: len(busy.jobs), default=None)

    def _start(self) -> _Busy:
        process, greeting = starting.start(self._function, self._plan, self._how)
        busy = _Busy(process, greeting)
        self._workers[process.results] = busy
        self._selector.register(process.results, selectors.EVENT_READ, (busy, False))
        if process.watch is not None:
            self._selector.register(process.watch, selectors.EVENT_READ, (busy, True))
        return busy

    def _send(self, busy: _Busy) -> None:
        try:
            while busy.outgoing:
                del busy.outgoing[: os.write(busy.process.tasks, busy.outgoing[:_PIPE])]
        except BlockingIOError:
            pass
        except BrokenPipeError:  # it has ended, which its end tells
            busy.outgoing.clear()
        waits = busy.process.tasks in self._selector.get_map()
        if busy.outgoing and not waits:
            self._selector.register(busy.process.tasks, selectors.EVENT_WRITE, (busy, False))
        elif waits and not busy.outgoing:
            self._selector.unregister(busy.process.tasks)

    # What comes back.

    def _attend(self) -> None:
        """Read from all; where many wait, only from who is at what all wait for."""
        for busy in self._workers.values():
            first = not busy.is_ready or not busy.jobs or busy.jobs[0].number == self._queue.head
            wanted = first or not self._queue.is_crowded
            if wanted and not busy.is_read:
                self._selector.register(busy.process.results, selectors.EVENT_READ, (busy, False))
                busy.since = time.monotonic()
            elif busy.is_read and not wanted:
                self._selector.unregister(busy.process.results)
            busy.is_read = wanted

    def _read(self, busy: _Busy) -> int | None:
        """How many bytes came; none: its pipe has ended; None: nothing is there."""
        try:
            data = os.read(busy.process.results, _PIPE)
        except BlockingIOError:
            return None
        busy.incoming.add(data)
        for frame in busy.incoming.frames():
            self._take(busy, frame)
        if busy.incoming.is_within_one():  # what is on its way is done, however long the way takes
            busy.since = time.monotonic()
        return len(data)

    def _take(self, busy: _Busy, frame: Frame) -> None:
        if frame.kind == READY:
            busy.is_ready = True
            busy.since = time.monotonic()
            busy.base = ceilings.taken(busy.process.pid) or 0 if self._is_sampling() else 0
            self._false_starts = 0
        elif frame.kind == AGAIN:
            busy.tries += 1
        elif frame.kind == UNUSABLE:
            raise MgitError(
                f"a worker cannot run the function: {frame.body.decode('utf-8', 'replace')}",
                "name one at the top of a module that can be imported",
            )
        elif busy.jobs and busy.jobs[0].number == frame.number:
            self._queue.put(busy.jobs.popleft(), frame)
            busy.tries = 1
            # Not when the worker says it began the next: it may have waited for us to read until now.
            busy.since = time.monotonic()
            if frame.kind == SPENT:
                self._end(busy)
        elif self._is_ours(busy):  # its function has written to what is not its own
            if busy.jobs:
                self._fail(busy, "died", "its worker wrote what no worker writes", "see what its function writes to")
            self._end(busy)

    # What goes wrong.

    def _is_sampling(self) -> bool:
        return self._plan.memory is not None and not ceilings.held_by_system()

    def _deadline(self, busy: _Busy) -> float | None:
        if not busy.is_ready:
            return busy.since + STARTING
        if self._plan.timeout is None or not busy.jobs or not busy.is_read:
            return None
        return busy.since + self._plan.timeout

    def _judge(self) -> None:
        now = time.monotonic()
        looks = self._is_sampling() and now - self._looked >= ceilings.EVERY
        if looks:
            self._looked = now
        self._reap()
        for busy in list(self._workers.values()):
            deadline = self._deadline(busy)
            if deadline is not None and now >= deadline:
                self._overdue(busy)
            elif busy.process.watch is None and busy.process.has_ended():
                self._bury(busy)
            elif looks and busy.is_ready and busy.jobs and self._is_over(busy):
                self._fail(
                    busy, "memory", "it takes more memory than its ceiling", "raise the ceiling, or leave it out"
                )
                self._end(busy)

    def _is_over(self, busy: _Busy) -> bool:
        taken = ceilings.taken(busy.process.pid)
        return taken is not None and self._plan.memory is not None and taken - busy.base > self._plan.memory

    def _overdue(self, busy: _Busy) -> None:
        if busy.is_ready:
            told = f"it took more than its {self._plan.timeout:g} s"
            self._fail(busy, "timeout", told, "give it more time, or leave it out")
        else:
            self._count_false_start(f"is not ready after {STARTING:g} s")
        self._end(busy)

    def _bury(self, busy: _Busy) -> None:
        """It has ended by itself, or was ended from outside: what it still said counts."""
        while self._is_ours(busy) and self._read(busy):
            pass
        if not self._is_ours(busy):
            return
        how = _how(_last_words(busy.process))
        if not busy.is_ready:
            self._count_false_start(how)
        elif busy.jobs:
            self._fail(busy, "died", f"its worker {how}", "see whether memory ran out, or who ended it")
        self._end(busy)

    def _is_ours(self, busy: _Busy) -> bool:
        return self._workers.get(busy.process.results) is busy

    def _fail(self, busy: _Busy, kind: str, told: str, remedy: str) -> None:
        seconds = time.monotonic() - busy.since
        self._queue.fail(busy.jobs.popleft(), ItemError(told, remedy, kind), busy.tries, seconds)

    def _count_false_start(self, how: str) -> None:
        self._false_starts += 1
        if self._false_starts == _FALSE_STARTS:
            raise MgitError(f"no worker gets to begin: it {how}", "see whether memory or processes are short")

    def _end(self, busy: _Busy) -> None:
        """End the worker and all that it has started; what it did not come to goes to another."""
        del self._workers[busy.process.results]
        for descriptor in (busy.process.results, busy.process.tasks, busy.process.watch):
            if descriptor is not None and descriptor in self._selector.get_map():
                self._selector.unregister(descriptor)
        busy.process.kill()
        if busy.process.reap() is None:
            self._ended.append(busy.process)
        busy.process.close()
        self._queue.give_back(busy.jobs)


def _last_words(process: starting.Worker) -> int | None:
    """How a process that ends has ended; None where it did not yet, and only its pipe has."""
    until = time.monotonic() + 0.2
    while not process.has_ended() and time.monotonic() < until:
        time.sleep(0.001)
    process.kill()  # its group, while the number is its own
    return process.reap()


def _how(code: int | None) -> str:
    if code is None:
        return "closed its pipe"
    if code < 0:
        try:
            return f"was ended by {signal.Signals(-code).name}"
        except ValueError:
            return f"was ended by signal {-code}"
    return f"ended with status {code}"
