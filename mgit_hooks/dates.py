"""Times as records write them: ISO 8601 with the offset that git has, by arithmetic that cannot overflow."""

from __future__ import annotations

import time

TYPE_CHECKING = False  # without typing: a gate that lets through loads none of it
if TYPE_CHECKING:
    from typing import Final

_LAST: Final = 253402300799  # 9999-12-31T23:59:59, the last second that ISO 8601 writes in four digits


def from_git(seconds: int, offset_minutes: int) -> str:
    """``2026-11-21T20:00:00+01:00``; git's own ``@seconds ±hhmm`` where ISO 8601 cannot hold it."""
    sign = "-" if offset_minutes < 0 else "+"
    hours, minutes = divmod(abs(offset_minutes), 60)
    local = seconds + offset_minutes * 60
    if not (0 <= local <= _LAST and hours < 24):
        return f"@{seconds} {sign}{hours:02d}{minutes:02d}"
    year, month, day, hour, minute, second = time.gmtime(local)[:6]
    return f"{year:04d}-{month:02d}-{day:02d}T{hour:02d}:{minute:02d}:{second:02d}{sign}{hours:02d}:{minutes:02d}"


def offset_minutes(zone: str) -> int:
    """The minutes of git's ``±hhmm``; 0 where it is none."""
    if len(zone) < 5 or zone[0] not in "+-" or not zone[1:].isdecimal():
        return 0
    minutes = int(zone[1:-2]) * 60 + int(zone[-2:])
    return -minutes if zone[0] == "-" else minutes


def now() -> str:
    """This moment in UTC, to the microsecond."""
    nanoseconds = time.time_ns()
    return from_git(nanoseconds // 10**9, 0).replace("+", f".{nanoseconds // 1000 % 10**6:06d}+")


def local(text: str) -> str:
    """``2026-11-21 20:00`` where it is read, of a time that ``now`` or ``from_git`` wrote: those carry the offset of
    whoever wrote them, and side by side they would seem to be hours apart. What no calendar holds stays as it is."""
    from datetime import datetime

    try:
        return f"{datetime.fromisoformat(text).astimezone():%Y-%m-%d %H:%M}"
    except (OverflowError, ValueError, OSError):
        return text


def seconds(text: str) -> int:
    """The second since 1970 of a time that ``now`` wrote."""
    import calendar  # 4 ms: the gate needs dates, and not this

    return calendar.timegm(time.strptime(text[:19], "%Y-%m-%dT%H:%M:%S"))
