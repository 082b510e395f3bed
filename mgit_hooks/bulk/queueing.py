"""The items of a run on their way out, and what comes of them on its way back into their order.

Memory is bounded by the plan's ``prefetch``, and by bytes: while many wait for an earlier result, no item is begun.
"""

from __future__ import annotations

import pickle
from collections import deque
from collections.abc import Iterable, Iterator, Sized
from typing import Any, Final, NamedTuple

from mgit_hooks.bulk.frames import DONE, RESULT, Frame
from mgit_hooks.bulk.outcomes import ItemError, Outcome, Plan

HELD: Final = 16 * 1024 * 1024
"""Bytes of results that wait for an earlier one before nothing more is begun."""


class Job(NamedTuple):
    number: int
    item: Any
    body: bytes


class _Result(NamedTuple):
    item: Any
    frame: Frame


class Queue:
    """``head`` is the number of the item whose outcome is handed on next."""

    def __init__(self, items: Iterable[Any], plan: Plan) -> None:
        self.head = 0
        self._plan = plan
        self._total = len(items) if isinstance(items, Sized) else None
        self._items: Iterator[Any] | None = iter(items)
        self._next = 0  # the number that the next item gets
        self._returned: deque[Job] = deque()  # handed to a worker that ended before it came to them
        self._results: dict[int, Outcome | _Result] = {}
        self._held = 0

    @property
    def is_finished(self) -> bool:
        return self._items is None and self.head == self._next

    @property
    def is_crowded(self) -> bool:
        return self._held > HELD

    @property
    def share(self) -> int:
        """How many items go out at once: fewer towards the end, so that all workers end together."""
        if self._total is None:
            return self._plan.batch
        return max(1, min(self._plan.batch, (self._total - self._next) // (2 * self._plan.workers)))

    def take(self) -> list[Job]:
        """A share of what was handed out and never begun, then of the next items, as far as the bounds allow.

        Raises what the iterator of the items does.
        """
        jobs: list[Job] = []
        for _ in range(self.share):
            if self._returned:
                jobs.append(self._returned.popleft())
            elif not self._is_full() and (job := self._pull()):
                jobs.append(job)
            else:
                break
        return jobs

    def _is_full(self) -> bool:
        return self._next - self.head >= self._plan.prefetch or self.is_crowded

    def _pull(self) -> Job | None:
        for item in self._items or ():
            number, self._next = self._next, self._next + 1
            try:
                return Job(number, item, pickle.dumps(item, 5))
            except Exception as error:
                told = f"the item cannot be brought to a worker: {type(error).__name__}: {error}"
                fault = ItemError(told, "name it by what pickle takes", "pickling")
                self._results[number] = Outcome(item, None, fault, 0, 0.0)
                if self._is_full():
                    return None
        self._items = None
        return None

    def give_back(self, jobs: Iterable[Job]) -> None:
        self._returned = deque(sorted((*self._returned, *jobs)))

    def put(self, job: Job, frame: Frame) -> None:
        self._held += len(frame.body)
        self._results[job.number] = _Result(job.item, frame)

    def fail(self, job: Job, error: ItemError, tries: int, seconds: float) -> None:
        self._results[job.number] = Outcome(job.item, None, error, tries, seconds)

    def has_due(self) -> bool:
        return self.head in self._results

    def due(self) -> Iterator[Outcome]:
        """What can be handed on by now."""
        while (result := self._results.pop(self.head, None)) is not None:
            self.head += 1
            if isinstance(result, _Result):
                self._held -= len(result.frame.body)
                result = _opened(result)
            yield result


def _opened(result: _Result) -> Outcome:
    frame = result.frame
    seconds, tries = RESULT.unpack_from(frame.body)
    try:
        value = pickle.loads(memoryview(frame.body)[RESULT.size :])  # noqa: S301 - from our own child
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # SystemExit, of a value that exits as it is made: no reason to end us
        told = f"its value cannot be brought over: {type(error).__name__}: {error}"
        fault = ItemError(told, "have the function return what pickle takes", "pickling")
        return Outcome(result.item, None, fault, tries, seconds)
    if frame.kind == DONE:
        return Outcome(result.item, value, None, tries, seconds)
    return Outcome(result.item, None, value, tries, seconds)
