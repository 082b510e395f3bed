"""Operations as spans of OpenTelemetry: for who gathers the figures of many machines. Only with the extra ``otel``.

A span's id is the operation's, and so is the half of its trace's: one that is sent twice is the same one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Final, NamedTuple

from mgit_hooks.errors import UsageError
from mgit_hooks.metrics.folded import Store
from mgit_hooks.metrics.spooled import Noted

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.trace.export import SpanExporter

SENT: Final = "sent to opentelemetry"
_AT_ONCE: Final = 256
_LAST: Final = 253_402_300_799.0  # the end of the year 9999: what a clock that was far off says later, nobody takes


class Done(NamedTuple):
    sent: int
    left: int
    """How many were not taken: they are sent again the next time."""


def exporter(*, console: bool) -> SpanExporter:
    """To standard output, or by OTLP over HTTP to where ``OTEL_EXPORTER_OTLP_ENDPOINT`` and its kin say.

    Raises UsageError where the libraries are not installed, or do not start.
    """
    try:
        if console:
            import sys

            from opentelemetry.sdk.trace.export import ConsoleSpanExporter

            return ConsoleSpanExporter(out=sys.stdout)
        import logging

        logging.getLogger("opentelemetry").disabled = True
        logging.getLogger("opentelemetry.exporter.otlp.proto.http.trace_exporter").disabled = True
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

        return OTLPSpanExporter()
    except ImportError as error:
        raise UsageError("OpenTelemetry is not installed", "pip install 'mgit-hooks[otel]'") from error
    except Exception as error:  # its parts do not fit each other, or an OTEL_… variable says what none of them takes
        said = f"{type(error).__name__}: {error}".splitlines()[0]
        raise UsageError(
            f"OpenTelemetry does not start: {said}", "pip install --upgrade 'mgit-hooks[otel]', and look at OTEL_…"
        ) from error


def send(store: Store, to: SpanExporter) -> Done:
    """What was not sent before, each operation once; what is taken is remembered, where the folder can be written."""
    from opentelemetry.sdk.trace.export import SpanExportResult

    sent = 0
    waiting = store.after(store.kept(SENT))
    while batch := list(islice(waiting, _AT_ONCE)):
        if to.export(list(_spans(each for _, each in batch))) is not SpanExportResult.SUCCESS:
            return Done(sent, len(batch) + sum(1 for _ in waiting))
        store.keep(SENT, batch[-1][0])
        sent += len(batch)
    return Done(sent, 0)


def _spans(noted: Iterable[Noted]) -> Iterator[ReadableSpan]:
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope
    from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

    from mgit_hooks import __version__

    resource = Resource.create({"service.name": "mgit-hooks", "service.version": __version__})
    for each in noted:
        context = SpanContext(int(each.id * 2, 16), int(each.id, 16), False, TraceFlags(TraceFlags.SAMPLED))
        began = min(each.started, _LAST)
        yield ReadableSpan(
            each.name,
            context,
            None,
            resource,
            _attributes(each),
            kind=SpanKind.INTERNAL,
            instrumentation_scope=InstrumentationScope("mgit-hooks", __version__),
            status=Status(StatusCode.OK) if each.success else Status(StatusCode.ERROR, each.error),
            start_time=int(began * 1e9),
            end_time=int(min(began + each.seconds, _LAST) * 1e9),
        )


def _attributes(each: Noted) -> dict[str, str | int | float]:
    told: dict[str, str | int | float] = {
        "mgit.type": each.type,
        "mgit.items": each.items,
        "mgit.bytes": each.bytes,
        "mgit.cpu_seconds": each.cpu,
        "process.exit.code": each.code,
    }
    if each.memory is not None:
        told["mgit.memory_peak_bytes"] = each.memory
    if each.error is not None:
        told["error.type"] = each.error
    told |= {f"mgit.phase.{name}": seconds for name, seconds in each.phases.items()}
    return told | {f"mgit.count.{name}": count for name, count in each.counts.items()}
