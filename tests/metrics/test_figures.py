"""Figures, their history, and Prometheus' text, from operations whose figures are known."""

from __future__ import annotations

import math
import os
import re
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from metering import ended

from mgit_hooks import operation
from mgit_hooks.metrics import exposed, figures, folded, history, shown
from mgit_hooks.metrics.figures import BUCKETS, Figures, percentile
from mgit_hooks.metrics.places import Place
from mgit_hooks.metrics.spooled import Noted, decode

DAY = 86400


def noted(name: str = "log", type: str = "command", **given: Any) -> Noted:
    read = decode(ended(name, type, **given).line()[1:])
    assert read is not None
    return read


def one(*of: Noted) -> Figures:
    (made,) = figures.of(of)
    return made


def test_figures_of_a_hundred() -> None:
    made = one(*(noted(seconds=n / 10, cpu=0.05, items=2, bytes=100, code=int(n == 7)) for n in range(1, 101)))
    assert (made.runs, made.failed, made.success_percent) == (100, 0, 100.0)
    assert (made.p50, made.p95, made.p99, made.longest) == (5.0, 9.5, 9.9, 10.0)
    assert (made.seconds, made.cpu) == (pytest.approx(505.0), pytest.approx(5.0))
    assert made.items_per_second == pytest.approx(200 / 505)
    assert made.bytes_per_second == pytest.approx(10_000 / 505)


def test_they_are_by_type_and_name() -> None:
    found = figures.of([noted("b"), noted("a", "hook"), noted("a"), noted("b")])
    assert [(each.type, each.name, each.runs) for each in found] == [
        ("command", "a", 1), ("command", "b", 2), ("hook", "a", 1)
    ]  # fmt: skip


def test_what_failed_is_by_its_error() -> None:
    made = one(noted(), noted(error="OSError"), noted(error="OSError"), noted(code=128), noted(error="KeyError"))
    assert (made.failed, made.errors) == (4, {"OSError": 2, "exit 128": 1, "KeyError": 1})
    assert made.success_percent == 20.0
    assert made.advice.startswith("most that fail end with OSError: ")


def samples() -> Iterator[list[float]]:
    """Of many lengths and spreads, with doubles and bounds of buckets among them."""
    chance = Random(2026)
    for length in (*range(1, 30), 99, 100, 101):
        for spread in (0.01, 1.0, 5000.0):
            drawn = [chance.random() * spread for _ in range(length)]
            yield [chance.choice((value, drawn[0], chance.choice(BUCKETS))) for value in drawn]


def test_a_percentile_is_one_that_was_seen_and_that_so_many_do_not_exceed() -> None:
    for values in samples():
        for percent in (0.1, 50, 95, 99, 100):
            found = percentile(sorted(values), percent)
            assert found in values
            assert sum(value <= found for value in values) >= len(values) * percent / 100 - 1e-9
            assert sum(value < found for value in values) < len(values) * percent / 100 + 1e-9


def test_a_percentile_of_buckets_is_the_bound_above_the_true_one() -> None:
    for values in samples():
        counts = [0] * (len(BUCKETS) + 1)
        for value in values:
            counts[figures.bucket(value)] += 1
        true = percentile(sorted(values), 95)
        bound = figures.from_buckets(counts, 95)
        assert bound >= true
        assert max((each for each in (0.0, *BUCKETS) if each < bound), default=0.0) <= true
    assert figures.from_buckets([0] * (len(BUCKETS) + 1), 95) == 0.0


@pytest.mark.parametrize(
    ("given", "bottleneck", "says"),
    [
        ({"seconds": 1.0, "cpu": 0.5, "phases": {"judge": 0.5, "write": 0.1}}, "judge", "rules ask for facts"),
        ({"seconds": 1.0, "cpu": 0.5, "phases": {"write": 0.4}}, "write", "the disk takes the most"),
        ({"seconds": 1.0, "cpu": 0.9, "phases": {"judge": 0.3}, "name": "diff"}, "processor", "without a pause"),
        ({"seconds": 1.0, "cpu": 0.9}, "processor", "nothing: no part"),  # has no --optimization-strategy
        ({"seconds": 1.0, "cpu": 0.1}, "waiting", "for a lock"),
        ({"seconds": 1.0, "cpu": 0.6}, "none", "nothing: no part"),
        ({"seconds": 0.0, "cpu": 0.0}, "none", "nothing: no part"),
        ({"seconds": 1.0, "cpu": 0.6, "phases": {"my own": 0.9}}, "my own", "nothing: that is the work"),
    ],
)
def test_the_bottleneck_by_name_and_what_to_do(given: dict[str, Any], bottleneck: str, says: str) -> None:
    made = one(noted(**given))
    assert made.bottleneck == bottleneck
    assert says in made.advice


def test_every_phase_of_ours_has_its_advice() -> None:
    """The names that stand in the code, of hooks and drains."""
    package = Path(operation.__file__).parent
    text = "".join(path.read_text() for path in package.rglob("*.py"))
    assert set(re.findall(r'(?:meter\.phase|_spent)\("(\w+)"', text)) - {""} <= figures._ADVICE.keys()


def test_json_has_the_count_and_no_python_of_ours() -> None:
    told = one(noted(phases={"judge": 0.1})).to_json()
    assert told["count"] == 1
    assert "runs" not in told
    assert told["phases"][0]["name"] == "judge"


@pytest.mark.parametrize(
    ("values", "line"),
    [([], ""), ([0, 0], "  "), ([1], "█"), ([0, 1, 4, 8], " ▁▄█"), ([5, 5], "██"), ([0.001, 1000], "▁█")],
)
def test_a_sparkline(values: list[float], line: str) -> None:
    assert figures.sparkline(values) == line


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 us"), (0.00005, "50 us"), (0.0123, "12.3 ms"), (1.5, "1.50 s"), (125, "2m05s"), (7260, "2h01m")],
)
def test_durations_as_people_read_them(seconds: float, text: str) -> None:
    assert shown.duration(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [(5, "5 B"), (2048, "2.0 KiB"), (3 << 20, "3.0 MiB"), (1 << 40, "1.0 TiB"), (1 << 50, "1024.0 TiB")],
)
def test_sizes_as_people_read_them(count: int, text: str) -> None:
    assert shown.size(count) == text


def test_a_moment_that_no_calendar_has() -> None:
    assert shown.moment(1e18) == "@1000000000000000000"


# Day by day


def put(folder: Path, *names: str, **given: Any) -> None:
    for name in names:
        assert operation.note(str(folder), ended(name, **given))


def test_history_has_each_day_between(tmp_path: Path) -> None:
    put(tmp_path, "log", "log", started=10 * DAY + 5.0, seconds=0.004)
    put(tmp_path, "log", started=12 * DAY + 5.0, seconds=9999.0, error="OSError")
    put(tmp_path, "log", started=90 * DAY + 5.0)
    put(tmp_path, "log", started=2 * DAY + 5.0)
    with folded.opened(str(tmp_path)) as store:
        assert store is not None
        made = history.of([*store.days(), *store.days()], 10, 13)  # two folders
    (row,) = made.rows
    assert (row.runs, row.failed) == ((4, 0, 2, 0), (0, 0, 2, 0))
    assert (row.p95, row.p95_of_all) == ((0.005, 0.0, math.inf, 0.0), math.inf)
    assert (str(made.first), [str(day) for day in made.dates][-1], made.later) == ("1970-01-11", "1970-01-14", 2)
    assert made.to_json() == [
        {"day": "1970-01-11", "type": "command", "name": "log", "count": 4, "failed": 0, "p95": 0.005},
        {"day": "1970-01-13", "type": "command", "name": "log", "count": 2, "failed": 2, "p95": None},
    ]
    text = list(shown.history(made))
    assert text[0] == "4 days, 1970-01-11 to 1970-01-14 (UTC)"
    assert "█ ▄" in text[2]
    assert text[-1] == "2 operations say that they began later: the clock was ahead"


def test_history_of_nothing() -> None:
    assert list(shown.history(history.of([], 0, 5))) == ["nothing on these days"]


# Prometheus


@pytest.fixture
def text(tmp_path: Path) -> str:
    put(tmp_path, "log", "log", started=DAY * 9.0, seconds=0.3, items=5, bytes=7, cpu=0.25, memory=1 << 20)
    put(tmp_path, "log", started=DAY * 10.0, seconds=4000.0, error="OSError")
    put(tmp_path, "drain", type="drain", seconds=0.0001)
    with folded.opened(str(tmp_path)) as store:
        assert store is not None
        return exposed.text([Place(str(tmp_path), None, store)])


def sample(text: str, name: str, **labels: str) -> float:
    """The value of the one sample with these labels, read by the library's own reader."""
    from prometheus_client.parser import text_string_to_metric_families

    (found,) = [
        each.value
        for family in text_string_to_metric_families(text)
        for each in family.samples
        if each.name == name and labels.items() <= each.labels.items()
    ]
    return found


def test_prometheus_has_the_figures(text: str) -> None:
    log = {"operation": "log", "type": "command"}
    assert sample(text, "mgit_operations_total", **log, outcome="success") == 2
    assert sample(text, "mgit_operations_total", **log, outcome="failure") == 1
    assert sample(text, "mgit_operation_duration_seconds_count", **log) == 3
    assert sample(text, "mgit_operation_duration_seconds_sum", **log) == pytest.approx(4000.6)
    bounds = [sample(text, "mgit_operation_duration_seconds_bucket", **log, le=le) for le in ("0.25", "0.5", "+Inf")]
    assert bounds == [0, 2, 3]
    assert sample(text, "mgit_operation_items_total", **log) == 10
    assert sample(text, "mgit_operation_bytes_total", **log) == 14
    assert sample(text, "mgit_operation_cpu_seconds_total", **log) == pytest.approx(0.5, abs=0.1)
    assert sample(text, "mgit_operation_last_timestamp_seconds", **log) == DAY * 10.0
    assert sample(text, "mgit_metrics_cut_lines_total") == 0
    assert sample(text, "mgit_operations_total", operation="drain", outcome="success") == 1


def test_counters_never_fall_whatever_is_kept_one_by_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folded, "KEPT", 2)
    monkeypatch.setattr(folded, "_MARGIN", 0)
    totals = []
    for _ in range(4):
        put(tmp_path, "log", "log")
        with folded.opened(str(tmp_path)) as store:
            assert store is not None
            told = exposed.text([Place(str(tmp_path), None, store)])
        totals.append(sample(told, "mgit_operations_total", operation="log", outcome="success"))
    assert totals == [2, 4, 6, 8]


def test_promtool_finds_nothing_wrong(text: str) -> None:
    if shutil.which("promtool") is None:
        pytest.skip("promtool is not installed (Debian's package prometheus)")
    done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    wrong = text.replace("# TYPE mgit_operations_total counter", "# TYPE mgit_operations_total nonsense")
    assert subprocess.run(["promtool", "check", "metrics"], input=wrong, capture_output=True, text=True).returncode


def test_a_textfile_is_whole_and_for_others_to_read(tmp_path: Path) -> None:
    target = tmp_path / "mgit.prom"
    for told in ("one\n", "two\n"):
        exposed.write(str(target), told)
        assert (target.read_text(), stat.S_IMODE(target.stat().st_mode)) == (told, 0o644)
    assert os.listdir(tmp_path) == ["mgit.prom"]
    with pytest.raises(OSError, match="No such file"):
        exposed.write(str(tmp_path / "nowhere" / "mgit.prom"), "x")


def test_without_the_library_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    with pytest.raises(exposed.UsageError, match="prometheus-client is not installed"):
        exposed.text([])
