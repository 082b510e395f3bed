"""The trail of operations: what ran, from the figures; what was refused, skipped, repaired and by which policy, from
the journal, where it stands for good and provably."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, NamedTuple

from mgit_hooks import dates
from mgit_hooks.record import Json, Record

if TYPE_CHECKING:
    from mgit_hooks.metrics.spooled import Noted

RAN, FAILED = "ran", "failed"
REFUSED, SKIPPED, BYPASSED, REPAIRED, RECOVERED, INVALID = (
    "refused", "skipped", "bypassed", "repaired", "recovered", "invalid"
)  # fmt: skip
_OF_THE_JOURNAL: Final = ("repair", "rebuilt", "erase", "checkpoint", "adopted")
KINDS: Final = (RAN, FAILED, REFUSED, SKIPPED, BYPASSED, REPAIRED, RECOVERED, INVALID, *_OF_THE_JOURNAL)


class Entry(NamedTuple):
    """``at`` is seconds since 1970; ``by`` is the policy: rules, a strategy, a variable, or an error's class. ``id`` is
    the operation's; ``seq`` and ``commit`` are the record's."""

    at: float
    kind: str
    what: str
    by: str | None
    seconds: float | None = None
    id: str | None = None
    seq: int | None = None
    commit: str | None = None

    def to_json(self) -> Json:
        time = dates.from_git(int(self.at), 0)
        return {"time": time, **{name: value for name, value in self._asdict().items() if name != "at"}}


def of_operation(each: Noted) -> Entry:
    counted = ", ".join(f"{count} {name}" for name, count in each.counts.items())
    told = f"{each.name} ({counted})" if counted else each.name
    kind = RAN if each.success else FAILED
    by = each.error if each.error is not None or each.success else f"exit {each.code}"
    return Entry(each.started, kind, told, by, each.seconds, each.id)


def of_record(record: Record) -> Iterator[Entry]:
    """What a record says of a policy: of most records nothing."""
    at = float(dates.seconds(record.recorded_at))
    commit = None if record.commit is None else record.commit.hash

    def entry(kind: str, by: str | None) -> Entry:
        return Entry(at, kind, record.event, by, None, None, record.seq, commit)

    gate = record.gate
    if record.event == REFUSED or gate.status == REFUSED:
        yield entry(REFUSED, gate.reason)
    elif record.event == SKIPPED or gate.status == SKIPPED:
        yield entry(SKIPPED, gate.reason)
    elif gate.status == BYPASSED:
        yield entry(BYPASSED, gate.reason)
    if gate.repaired:
        yield entry(REPAIRED, ", ".join(dict.fromkeys(each.rule for each in gate.repaired)))
    if record.recovery:
        yield entry(RECOVERED, ", ".join(dict.fromkeys(each.action_type for each in record.recovery)))
    elif not record.validation.is_valid:
        yield entry(INVALID, ", ".join(dict.fromkeys(each.code for each in record.validation.issues)))
    if record.event in _OF_THE_JOURNAL:
        detail = record.detail or {}
        yield entry(record.event, next((str(detail[key]) for key in ("reason", "by") if detail.get(key)), None))
