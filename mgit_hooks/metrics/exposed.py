"""The figures as Prometheus reads them (its text format 0.0.4), made by its own client library.

Counters and histograms are of all operations ever folded, whatever is kept one by one: they never fall.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from mgit_hooks.errors import UsageError
from mgit_hooks.files import named_by_user
from mgit_hooks.metrics import figures
from mgit_hooks.metrics.folded import Store
from mgit_hooks.metrics.places import Place, journal_size
from mgit_hooks.metrics.rows import Day

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

_OF = ("journal", "type", "operation")
"""``journal`` is the first 8 digits of the journal's id, which tells repositories apart and names nothing in them; it
is empty for what was counted for the user."""
_READABLE = 0o644


def text(found: Sequence[Place]) -> str:
    """All metrics of these places. Raises UsageError where the library is not installed."""
    try:
        from prometheus_client import CollectorRegistry, generate_latest
        from prometheus_client.registry import Collector
    except ImportError as error:
        raise UsageError("prometheus-client is not installed", "pip install prometheus-client") from error

    class Ours(Collector):
        def collect(self) -> Iterable[Metric]:
            return _metrics(found)

    registry = CollectorRegistry()
    registry.register(Ours())
    return generate_latest(registry).decode("utf-8")


def write(path: str, told: str) -> None:
    """The file in the place of what is at ``path``, whole at any moment, for node-exporter's textfile collector: that
    reads ``*.prom`` only, and as another user. Raises OSError."""
    with named_by_user(path) as file:
        file.write(told.encode())
        if hasattr(os, "fchmod") and stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            os.fchmod(file.fileno(), _READABLE)


def _metrics(found: Sequence[Place]) -> Iterator[Metric]:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

    totals = [((place.journal, of.type, of.name), of) for place in found for of in _totals(place.store)]
    ended = CounterMetricFamily("mgit_operations", "Operations that have ended.", labels=(*_OF, "outcome"))
    took = HistogramMetricFamily("mgit_operation_duration_seconds", "How long operations took.", labels=_OF)
    cpu = CounterMetricFamily("mgit_operation_cpu_seconds", "Processor time of operations.", labels=_OF)
    items = CounterMetricFamily("mgit_operation_items", "Items that operations worked off.", labels=_OF)
    size = CounterMetricFamily("mgit_operation_bytes", "Bytes that operations worked off.", labels=_OF)
    for labels, of in totals:
        ended.add_metric((*labels, "success"), of.runs - of.failed)
        ended.add_metric((*labels, "failure"), of.failed)
        took.add_metric(labels, _cumulative(of.buckets), of.seconds)
        cpu.add_metric(labels, of.cpu)
        items.add_metric(labels, of.items)
        size.add_metric(labels, of.bytes)
    yield from (ended, took, cpu, items, size)
    last = GaugeMetricFamily("mgit_operation_last_timestamp_seconds", "When the last one began.", labels=_OF)
    memory = GaugeMetricFamily("mgit_operation_memory_peak_bytes", "The most that one held, of the newest.", labels=_OF)
    for place in found:
        for each in figures.of(place.store.noted()):
            labels = (place.journal, each.type, each.name)
            last.add_metric(labels, each.last)
            if each.memory is not None:
                memory.add_metric(labels, each.memory)
    yield from (last, memory)
    yield from _of_places(found)


def _of_places(found: Sequence[Place]) -> Iterator[Metric]:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    cut = CounterMetricFamily("mgit_metrics_cut_lines", "Lines of figures that were lost.", labels=_OF[:1])
    size = GaugeMetricFamily("mgit_journal_size_bytes", "Bytes of the journal's segments.", labels=_OF[:1])
    for place in found:
        cut.add_metric((place.journal,), place.store.cut)
        if place.location is not None:
            size.add_metric((place.journal,), journal_size(place.location))
    yield from (cut, size)


def _totals(store: Store) -> Iterator[Day]:
    """What was counted under each name on all days, as that of the last of them."""
    days: dict[tuple[str, str], list[Day]] = {}
    for day in store.days():
        days.setdefault((day.type, day.name), []).append(day)
    for (type, name), of in sorted(days.items()):
        buckets = tuple(map(sum, zip(*(day.buckets for day in of), strict=True)))
        yield Day(
            max(day.day for day in of), type, name, sum(day.runs for day in of), sum(day.failed for day in of),
            sum(day.seconds for day in of), sum(day.cpu for day in of), sum(day.items for day in of),
            sum(day.bytes for day in of), buckets,
        )  # fmt: skip


def _cumulative(counts: Sequence[int]) -> list[tuple[str, float]]:
    seen, told = 0, []
    for bound, count in zip((*map(str, figures.BUCKETS), "+Inf"), counts, strict=True):
        seen += count
        told.append((bound, float(seen)))
    return told
