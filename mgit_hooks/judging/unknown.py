"""What is not known yet where something is judged, as JSON pointers. Pure.

There may be some for each file of ten thousand, and a finding for each too: none of these looks at all of them.
"""

from __future__ import annotations

import functools


def hangs_on(unknown: frozenset[str], field_path: str) -> bool:
    """Whether a finding is about what is not known yet, or about something in it."""
    at = len(field_path)
    while at >= 0:
        if field_path[:at] in unknown:
            return True
        at = field_path.rfind("/", 0, at)
    return False


def holds(unknown: frozenset[str], field_path: str) -> bool:
    """Whether what is there, as a whole, has something unknown in it, or is unknown."""
    return field_path in _wholes(unknown)


def names_below(unknown: frozenset[str], field_path: str) -> frozenset[str]:
    """The names of the unknown fields that are there, or in what is there."""
    return _wholes(unknown).get(field_path, frozenset())


@functools.lru_cache(maxsize=8)
def _wholes(unknown: frozenset[str]) -> dict[str, frozenset[str]]:
    """Each place that has something unknown in it, with the names of that."""
    found: dict[str, set[str]] = {}
    for pointer in unknown:
        name = pointer.rpartition("/")[2].replace("~1", "/").replace("~0", "~")
        at = len(pointer)
        while at >= 0:
            found.setdefault(pointer[:at], set()).add(name)
            at = pointer.rfind("/", 0, at)
    return {place: frozenset(names) for place, names in found.items()}
