"""Times: git's seconds and offsets as ISO 8601, without overflow or loss."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mgit_hooks import dates


@pytest.mark.parametrize(
    ("seconds", "offset", "text"),
    [
        (0, 0, "1970-01-01T00:00:00+00:00"),
        (1700000000, 60, "2023-11-14T23:13:20+01:00"),
        (1700000000, -210, "2023-11-14T18:43:20-03:30"),
        (1700000000, 845, "2023-11-15T12:18:20+14:05"),
        (253402300799, 0, "9999-12-31T23:59:59+00:00"),
        # What four digits of a year cannot hold stays as git writes it.
        (253402300800, 0, "@253402300800 +0000"),
        (253402300799, 1, "@253402300799 +0001"),
        (0, -1, "@0 -0001"),
        (-1, 0, "@-1 +0000"),
        (2**63, 0, "@9223372036854775808 +0000"),
        (1700000000, 24 * 60, "@1700000000 +2400"),
        (1700000000, -5999, "@1700000000 -9959"),
    ],
)
def test_from_git(seconds: int, offset: int, text: str) -> None:
    assert dates.from_git(seconds, offset) == text


@given(st.integers(86400, 253402300799 - 86400), st.integers(-23 * 60 - 59, 23 * 60 + 59))
def test_from_git_is_what_datetime_says(seconds: int, offset: int) -> None:
    zone = timezone(timedelta(minutes=offset))
    assert dates.from_git(seconds, offset) == datetime.fromtimestamp(seconds, zone).isoformat()


@pytest.mark.parametrize(
    ("zone", "minutes"),
    [("+0000", 0), ("-0000", 0), ("+0530", 330), ("-0330", -210), ("+1400", 840), ("-9959", -5999),
     ("", 0), ("Z", 0), ("0530", 0), ("+05:30", 0), ("+05", 0), ("+²³⁴⁵", 0)],
)  # fmt: skip
def test_offset_minutes(zone: str, minutes: int) -> None:
    assert dates.offset_minutes(zone) == minutes


def test_now_is_now_in_utc_to_the_microsecond() -> None:
    before = datetime.now(UTC)
    text = dates.now()
    after = datetime.now(UTC)
    assert before <= datetime.fromisoformat(text) <= after
    assert len(text) == len("2026-01-01T00:00:00.000000+00:00")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("2026-01-01T00:30:00.123456+00:00", "2025-12-31 19:30"),
        ("2026-01-01T00:30:59-05:00", "2026-01-01 00:30"),
        ("2026-07-01T12:00:00+02:00", "2026-07-01 06:00"),  # summer time
        ("@253402300800 +0000", "@253402300800 +0000"),
        ("0001-01-01T00:00:00+14:00", "0001-01-01T00:00:00+14:00"),
        ("nonsense", "nonsense"),
    ],
)
def test_times_of_all_zones_are_shown_in_one(text: str, told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "EST5EDT,M3.2.0,M11.1.0")
    time.tzset()
    try:
        assert dates.local(text) == told
    finally:
        monkeypatch.undo()
        time.tzset()


def test_seconds_are_those_of_now() -> None:
    before = int(time.time())
    assert before <= dates.seconds(dates.now()) <= int(time.time())
    assert dates.seconds("2023-11-14T22:13:20.999999+00:00") == 1700000000
