"""What one operation came to, as values for programs."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

from mgit_hooks.record import Json


class MetricType(StrEnum):
    """As Prometheus has them: a counter only grows, a gauge is what something is now, a histogram counts values by
    bounds, a summary has quantiles."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"
    SUMMARY = "summary"


class PipelineMetric(NamedTuple):
    """One figure. ``labels`` say what of; ``value`` is in base units (seconds, bytes)."""

    name: str
    type: MetricType
    value: float
    labels: Mapping[str, str] = {}

    def to_json(self) -> Json:
        return {**self._asdict(), "type": str(self.type), "labels": dict(self.labels)}


class OperationMetrics(NamedTuple):
    """One operation, under way or ended. ``started`` is seconds since 1970; ``duration`` and ``cpu`` are seconds, of
    the processor by the whole process; ``memory_peak`` is bytes, the most that process ever had, None where the system
    does not tell. ``total`` is how many items there are, 0 where nobody said. ``success`` is None while it runs."""

    operation_id: str
    name: str
    type: str
    started: float
    duration: float
    items: int
    bytes: int
    total: int
    success: bool | None
    error: str | None
    errors: Mapping[str, int]
    memory_peak: int | None
    cpu: float
    phases: Mapping[str, float]

    @property
    def throughput(self) -> float:
        """Items a second."""
        return self.items / self.duration if self.duration else 0.0

    @property
    def bytes_per_second(self) -> float:
        return self.bytes / self.duration if self.duration else 0.0

    @property
    def progress(self) -> float | None:
        """The part that is done, 0 to 1; None where nobody said how much there is."""
        return min(self.items / self.total, 1.0) if self.total else None

    def metrics(self) -> tuple[PipelineMetric, ...]:
        labels = {"operation": self.name, "type": self.type}
        told = [
            ("operation_duration_seconds", MetricType.SUMMARY, self.duration),
            ("operation_cpu_seconds", MetricType.SUMMARY, self.cpu),
            ("operation_items_total", MetricType.COUNTER, self.items),
            ("operation_bytes_total", MetricType.COUNTER, self.bytes),
            ("operation_throughput", MetricType.GAUGE, self.throughput),
        ]
        if self.memory_peak is not None:
            told.append(("operation_memory_peak_bytes", MetricType.GAUGE, self.memory_peak))
        return tuple(PipelineMetric(name, type, value, labels) for name, type, value in told)

    def to_json(self) -> Json:
        told = {**self._asdict(), "errors": dict(self.errors), "phases": dict(self.phases)}
        return told | {"throughput": self.throughput, "progress": self.progress}
