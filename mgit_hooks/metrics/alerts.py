"""Thresholds that the user sets in git's configuration, and what is beyond them.

``mgit.alert.successRate``, ``.p95``, ``.journalSize`` and ``.damage``; the first two also for one operation alone, as
``mgit.alert.drain.p95``, which goes before the one for all.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from mgit_hooks.errors import ConfigError
from mgit_hooks.git import plumbing
from mgit_hooks.layout import Location
from mgit_hooks.metrics.figures import Figures
from mgit_hooks.metrics.places import journal_size
from mgit_hooks.metrics.shown import duration, size
from mgit_hooks.record import Json

SUCCESS_RATE, P95, JOURNAL_SIZE, DAMAGE = "successRate", "p95", "journalSize", "damage"
_NAMES: Final = {name.lower(): name for name in (SUCCESS_RATE, P95, JOURNAL_SIZE, DAMAGE)}
_OF_OPERATIONS: Final = (SUCCESS_RATE, P95)
_UNITS: Final = {"": 1, "%": 1, "ms": 1e-3, "s": 1, "m": 60, "k": 1 << 10, "M": 1 << 20, "g": 1 << 30}
_FORMS: Final = {
    SUCCESS_RATE: (re.compile(r"(\d+(?:\.\d+)?) ?(%?)"), "a percentage, as 99.5"),
    P95: (re.compile(r"(\d+(?:\.\d+)?) ?(ms|s|m|)"), "a time, as 500ms, 2s or 1.5m"),
    JOURNAL_SIZE: (re.compile(r"(\d+) ?([kmg]?)", re.IGNORECASE), "a size, as 500m or 2g"),
    DAMAGE: (re.compile(r"(\d+)()"), "how many damaged places are too few to tell of, as 0"),
}


class Threshold(NamedTuple):
    """``operation`` is None where it is for all."""

    name: str
    operation: str | None
    limit: float

    @property
    def key(self) -> str:
        return ".".join(filter(None, ("mgit.alert", self.operation, self.name)))


class Alert(NamedTuple):
    """A threshold that does not hold. ``value`` is percent, seconds, bytes or places, as ``limit`` is."""

    name: str
    operation: str | None
    value: float
    limit: float
    message: str

    def to_json(self) -> Json:
        return self._asdict()


def thresholds(directory: str) -> list[Threshold]:
    """What is configured, of each key the last. Raises ConfigError where one cannot be read."""
    asked = ("config", "--null", "--get-regexp", r"^mgit\.alert\.")
    told = plumbing.run(asked, directory=directory)
    found: dict[tuple[str, str | None], Threshold] = {}
    for entry in os.fsdecode(told.stdout).split("\0")[:-1]:
        key, newline, value = entry.partition("\n")
        made = _threshold(key.removeprefix("mgit.alert."), value if newline else "")
        found[made.name, made.operation] = made
    return list(found.values())


def _threshold(key: str, value: str) -> Threshold:
    operation, _, last = key.rpartition(".")
    name = _NAMES.get(last.lower())
    if name is None or (operation and name not in _OF_OPERATIONS):
        from difflib import get_close_matches

        near = get_close_matches(last.lower(), _NAMES, 1)
        hint = f"did you mean 'mgit.alert.{_NAMES[near[0]]}'?" if near and name is None else "see docs/monitoring.md"
        raise ConfigError(f"git config: unknown key 'mgit.alert.{key}'", hint)
    form, words = _FORMS[name]
    match = form.fullmatch(value.strip())
    if match is None:
        raise ConfigError(f"git config mgit.alert.{key}: '{value}' is no such value", f"it is {words}")
    if name == SUCCESS_RATE and float(match[1]) > 100:
        raise ConfigError(f"git config mgit.alert.{key}: '{value}' is more than all", f"it is {words}")
    unit = match[2].upper() if name == JOURNAL_SIZE and match[2].lower() == "m" else match[2].lower()
    return Threshold(name, operation or None, float(match[1]) * _UNITS[unit])


def beyond(given: Sequence[Threshold], found: Sequence[Figures], location: Location | None) -> Iterator[Alert]:
    """``found`` are the operations that the first two are held against; what there is none of breaks nothing.

    The journal is read whole where ``damage`` is set. Raises JournalError or OSError.
    """
    own = {(each.name, each.operation) for each in given if each.operation is not None}
    for each in given:
        if each.name in _OF_OPERATIONS:
            for figures in found:
                is_own = (each.name, figures.name) in own
                if each.operation == figures.name or (each.operation is None and not is_own):
                    yield from _of_operation(each, figures)
        elif location is not None:
            yield from _of_journal(each, location)


def _of_operation(each: Threshold, figures: Figures) -> Iterator[Alert]:
    if each.name == SUCCESS_RATE and figures.success_percent < each.limit:
        told = f"{figures.success_percent:.1f} % of {figures.runs} succeeded, less than {each.limit:g} %"
        yield Alert(each.name, figures.name, figures.success_percent, each.limit, f"{figures.name}: {told}")
    if each.name == P95 and figures.p95 > each.limit:
        told = f"p95 is {duration(figures.p95)}, more than {duration(each.limit)}"
        yield Alert(each.name, figures.name, figures.p95, each.limit, f"{figures.name}: {told}")


def _of_journal(each: Threshold, location: Location) -> Iterator[Alert]:
    if each.name == JOURNAL_SIZE:
        there = journal_size(location)
        if there > each.limit:
            told = f"the journal has {size(there)}, more than {size(each.limit)}"
            yield Alert(each.name, None, there, each.limit, told)
        return
    from mgit_hooks.journal.verify import exists, verify

    if not exists(location.journal_dir):
        return
    report = verify(location.journal_dir)
    places = len(report.damaged) + len(report.holes) + len(report.unerased) + len(report.undeclared)
    places = max(places, 1 - report.is_clean)
    if places > each.limit:
        told = f"the journal is damaged in {places} places, more than {each.limit:g}: see 'mgit-hooks verify'"
        yield Alert(each.name, None, places, each.limit, told)
