"""Days of figures, one beside the other."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING, NamedTuple

from mgit_hooks.metrics.figures import from_buckets
from mgit_hooks.record import Json

if TYPE_CHECKING:
    from mgit_hooks.metrics.rows import Day

_FIRST = date(1970, 1, 1)
_MOST_DAYS = 3660


class Row(NamedTuple):
    """One operation on each of the days: how many ended, how many of them failed, how long 95 of 100 took at most
    (seconds, the upper bound of a bucket: infinite beyond the last)."""

    type: str
    name: str
    runs: tuple[int, ...]
    failed: tuple[int, ...]
    p95: tuple[float, ...]
    p95_of_all: float


class History(NamedTuple):
    """``first`` is the first of the days, in UTC; ``later`` counts operations that say they began after the last."""

    first: date
    rows: tuple[Row, ...]
    later: int

    @property
    def dates(self) -> list[date]:
        return [self.first + timedelta(days=at) for at in range(len(self.rows[0].runs) if self.rows else 0)]

    def to_json(self) -> list[Json]:
        """A value for each day and operation with anything in it."""
        return [
            {"day": str(day), "type": row.type, "name": row.name, "count": row.runs[at], "failed": row.failed[at]}
            | {"p95": row.p95[at] if row.p95[at] != float("inf") else None}
            for at, day in enumerate(self.dates)
            for row in self.rows
            if row.runs[at]
        ]


def of(days: Iterable[Day], first: int, last: int) -> History:
    """From the day ``first`` to ``last``, days since 1970: the last ten years of them at most."""
    first = max(first, last - _MOST_DAYS, 0)
    groups: dict[tuple[str, str], list[Day]] = {}
    later = 0
    for day in days:
        if day.day > last:
            later += day.runs
        elif day.day >= first:
            groups.setdefault((day.type, day.name), []).append(day)
    rows = tuple(_row(*key, groups[key], range(first, last + 1)) for key in sorted(groups))
    return History(_FIRST + timedelta(days=first), rows, later)


def _row(type: str, name: str, days: Sequence[Day], span: range) -> Row:
    """Two folders may have the same day: their counts add up."""
    on: dict[int, list[Day]] = {}
    for day in days:
        on.setdefault(day.day, []).append(day)

    def runs(at: int) -> int:
        return sum(each.runs for each in on.get(at, ()))

    def failed(at: int) -> int:
        return sum(each.failed for each in on.get(at, ()))

    return Row(
        type, name, tuple(map(runs, span)), tuple(map(failed, span)),
        tuple(_p95(on.get(at, ())) for at in span), _p95(days),
    )  # fmt: skip


def _p95(days: Sequence[Day]) -> float:
    return from_buckets(tuple(map(sum, zip(*(each.buckets for each in days), strict=True))), 95) if days else 0.0
