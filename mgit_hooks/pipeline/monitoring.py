"""Monitoring of operations of any kind, beside those that the tool counts by itself: the public names.

What is counted here is shown by ``monitoring pipeline-stats``, and kept as that is: names and numbers, for good.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import wraps
from threading import Lock
from types import TracebackType
from typing import Any, TypeVar, cast

from mgit_hooks import credentials, meter
from mgit_hooks.datafolder import data_folder
from mgit_hooks.layout import make_private_dir
from mgit_hooks.metrics import figures, folded, spooled
from mgit_hooks.metrics.measured import MetricType as MetricType
from mgit_hooks.metrics.measured import OperationMetrics as OperationMetrics
from mgit_hooks.metrics.measured import PipelineMetric as PipelineMetric
from mgit_hooks.metrics.running import Beacon, listed
from mgit_hooks.operation import Operation
from mgit_hooks.record import Json

F = TypeVar("F", bound=Callable[..., Any])


class _Watched:
    def __init__(self, operation: Operation, total: int) -> None:
        self.operation, self.total, self.beacon = operation, total, Beacon(operation)


class PipelineMonitor:
    """Counts operations, from any thread and any process, into ``folder`` (without one: the user's data folder).

    Counting never makes an operation fail: what cannot be written is not counted.
    """

    def __init__(self, folder: str | os.PathLike[str] | None = None) -> None:
        self.folder = data_folder() if folder is None else os.path.abspath(folder)
        self._watched: dict[str, _Watched] = {}
        self._lock = Lock()
        try:
            make_private_dir(self.folder)
        except OSError:
            pass

    def start_operation(self, name: str, operation_type: str = "pipeline", *, total: int = 0) -> str:
        """The id of an operation that begins now; ``total`` items are to be done, if that is known.

        Raises ValueError as ``update_operation_progress``.
        """
        total = _counted(total)
        operation = Operation(_plain(operation_type), _plain(name), self.folder)
        with self._lock:
            self._watched[operation.id] = _Watched(operation, total)
        return operation.id

    def update_operation_progress(
        self,
        operation_id: str,
        items: int | None = None,
        bytes: int | None = None,
        *,
        total: int | None = None,
        phases: Mapping[str, float] | None = None,
    ) -> None:
        """So much is done by now, in all: ``items`` and ``bytes``; ``phases`` are seconds to be added, by name.

        Other processes see it within a second. Raises ValueError where no operation under way has the id, or a number
        is negative or none (NaN, infinite). Of items and bytes whole ones count.
        """
        # Once for each item of bulk work: no loop, and no list where there is nothing for it.
        items = items if items is None else _counted(items)
        bytes = bytes if bytes is None else _counted(bytes)
        total = total if total is None else _counted(total)
        spent = [(_plain(name), _in_range(seconds)) for name, seconds in phases.items()] if phases else ()
        with self._lock:
            watched = self._of(operation_id)
            of = watched.operation
            if items is not None:
                of.items = items
            if bytes is not None:
                of.bytes = bytes
            if total is not None:
                watched.total = total
            for name, seconds in spent:
                of.phases[name] = of.phases.get(name, 0.0) + seconds
            watched.beacon.tell(watched.total)

    def record_error(self, operation_id: str, error: BaseException | str) -> None:
        """One item, or one try, went wrong, and the operation goes on. Of the error its class alone is kept.

        Raises ValueError as ``update_operation_progress``.
        """
        name = f"error.{_class_of(error)}"
        with self._lock:
            counts = self._of(operation_id).operation.counts
            counts[name] = counts.get(name, 0) + 1

    def end_operation(
        self, operation_id: str, success: bool = True, error: BaseException | str | None = None
    ) -> OperationMetrics:
        """What it came to, which is on file when this returns. An ``error`` means no success.

        Raises ValueError where no operation under way has the id: it has ended before, or was never begun.
        """
        with self._lock:
            watched = self._of(operation_id)
            del self._watched[operation_id]
        of = watched.operation
        if error is not None or not success:
            of.error = "Failed" if error is None else _class_of(error)
        of.end()
        spooled.note(self.folder, of)
        watched.beacon.end()
        return _metrics(of, watched.total)

    def get_operation(self, operation_id: str) -> OperationMetrics:
        """As it is now. Raises ValueError as ``update_operation_progress``."""
        with self._lock:
            watched = self._of(operation_id)
            return _metrics(watched.operation, watched.total)

    def get_performance_summary(self, since: float = 0.0) -> Json:
        """All that ended in this folder since then (seconds since 1970), in whatever process, and what still runs.

        ``operations`` has, for each type and name, what ``monitoring pipeline-stats --json`` has. Raises OSError.
        """
        with folded.opened(self.folder) as store:
            found = [] if store is None else figures.of(store.noted(since))
            cut = 0 if store is None else store.cut
        total, failed = sum(each.runs for each in found), sum(each.failed for each in found)
        errors: dict[str, int] = {}
        for each in found:
            for name, count in each.errors.items():
                errors[name] = errors.get(name, 0) + count
        return {
            "total_operations": total,
            "successful_operations": total - failed,
            "failed_operations": failed,
            "success_rate_percent": 100.0 * (total - failed) / total if total else 100.0,
            "errors": errors,
            "operations": [each.to_json() for each in found],
            "running": self._running(),
            "cut_lines": cut,
        }

    def _running(self) -> list[Json]:
        with self._lock:
            mine = {id: _metrics(each.operation, each.total).to_json() for id, each in self._watched.items()}
        others = [each for each, alive in listed(self.folder) if alive and each.id not in mine]
        return [*mine.values(), *(each.to_json() for each in others)]

    def _of(self, operation_id: str) -> _Watched:
        try:
            return self._watched[operation_id]
        except KeyError:
            raise ValueError(f"no operation under way has the id {operation_id!r}") from None


class monitor_pipeline_operation:
    """Counts what a function does, or a block, by whichever of the four one writes::

        @monitor_pipeline_operation                      # by the function's name; async functions too
        @monitor_pipeline_operation("compress", "pipeline")
        with monitor_pipeline_operation("compress") as operation: operation.update(items=3)
        async with monitor_pipeline_operation("compress") as operation: ...

    An exception ends it as a failure, by its class, and is raised on.
    """

    def __new__(cls, name: str | Callable[..., Any] | None = None, *given: Any, **named: Any) -> Any:
        made = super().__new__(cls)
        if not callable(name):
            return made
        made.__init__(None, *given, **named)  # type: ignore[misc]  # bare, over a function: that one, counted
        return made._wrapped(name)

    def __init__(
        self,
        name: str | None = None,
        operation_type: str = "pipeline",
        *,
        monitor: PipelineMonitor | None = None,
        total: int = 0,
    ) -> None:
        self._name, self._type, self._monitor, self._total = name, operation_type, monitor, total
        self._open: list[Monitored] = []

    def __call__(self, function: F) -> F:
        return self._wrapped(function)

    def _wrapped(self, function: F) -> F:
        from inspect import iscoroutinefunction

        def once() -> monitor_pipeline_operation:
            name = self._name or getattr(function, "__qualname__", type(function).__name__)
            return monitor_pipeline_operation(name, self._type, monitor=self._monitor, total=self._total)

        if iscoroutinefunction(function):

            @wraps(function)
            async def awaited(*args: Any, **named: Any) -> Any:
                with once():
                    return await function(*args, **named)

            return cast(F, awaited)

        @wraps(function)
        def called(*args: Any, **named: Any) -> Any:
            with once():
                return function(*args, **named)

        return cast(F, called)

    def __enter__(self) -> Monitored:
        monitor = PipelineMonitor() if self._monitor is None else self._monitor
        name = self._name or "operation"
        self._open.append(Monitored(monitor, monitor.start_operation(name, self._type, total=self._total)))
        return self._open[-1]

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        self._open.pop().end(error)

    async def __aenter__(self) -> Monitored:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, trace)


class Monitored:
    """The operation of one block."""

    def __init__(self, monitor: PipelineMonitor, operation_id: str) -> None:
        self.monitor, self.operation_id = monitor, operation_id
        self.metrics: OperationMetrics | None = None
        """What it came to, once the block has ended."""

    def update(self, items: int | None = None, bytes: int | None = None, *, total: int | None = None) -> None:
        """As ``PipelineMonitor.update_operation_progress``."""
        self.monitor.update_operation_progress(self.operation_id, items, bytes, total=total)

    def record_error(self, error: BaseException | str) -> None:
        self.monitor.record_error(self.operation_id, error)

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """A part of it, timed: that of the slowest is named where it is the bottleneck."""
        from time import perf_counter

        began = perf_counter()
        try:
            yield
        finally:
            self.monitor.update_operation_progress(self.operation_id, phases={name: perf_counter() - began})

    def end(self, error: BaseException | None) -> None:
        self.metrics = self.monitor.end_operation(self.operation_id, error is None, error)


def _metrics(of: Operation, total: int) -> OperationMetrics:
    errors = {name.removeprefix("error."): n for name, n in of.counts.items() if name.startswith("error.")}
    success = meter.success(of.error, of.code) if of.ended else None
    return OperationMetrics(
        of.id, of.name, of.type, of.started, meter.elapsed(of), of.items, of.bytes, total, success,
        of.error, errors, of.memory, of.cpu, dict(of.phases),
    )  # fmt: skip


def _in_range(value: float) -> float:
    if not value >= 0:
        raise ValueError("what is done cannot be less than nothing")
    if value == float("inf"):
        raise ValueError("what is done has an end")
    return min(value, meter.MOST)


def _counted(value: float) -> int:
    if type(value) is int and 0 <= value <= meter.MOST:
        return value
    return int(_in_range(value))


def _class_of(error: BaseException | str) -> str:
    return type(error).__name__ if isinstance(error, BaseException) else _plain(error)


def _plain(text: str) -> str:
    """As it will be read back: a name, with nothing in it that could be somebody's secret."""
    from mgit_hooks.meter import word

    return word(credentials.strip(text))
