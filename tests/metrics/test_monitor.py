"""The public names of mgit_hooks.pipeline.monitoring, each with what it is for."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from conftest import Repo

import mgit_hooks.pipeline.monitoring
from mgit_hooks import meter
from mgit_hooks.datafolder import data_folder
from mgit_hooks.metrics import folded, running
from mgit_hooks.metrics.spooled import Noted
from mgit_hooks.operation import COMMAND, Operation
from mgit_hooks.output import Output
from mgit_hooks.pipeline import MetricType, PipelineMetric, PipelineMonitor, monitor_pipeline_operation
from mgit_hooks.progress import progress

NAMES = ("MetricType", "PipelineMetric", "OperationMetrics", "PipelineMonitor", "monitor_pipeline_operation")


@pytest.fixture
def monitor(tmp_path: Path) -> PipelineMonitor:
    return PipelineMonitor(tmp_path / "figures")


def noted(monitor: PipelineMonitor) -> list[Noted]:
    with folded.opened(monitor.folder) as store:
        return [] if store is None else list(store.noted())


@pytest.mark.parametrize("name", NAMES)
def test_the_name_is_public(name: str) -> None:
    assert name in mgit_hooks.pipeline.__all__
    assert getattr(mgit_hooks.pipeline, name) is getattr(mgit_hooks.pipeline.monitoring, name)


def test_metric_types() -> None:
    assert [str(each) for each in MetricType] == ["counter", "gauge", "histogram", "summary"]


def test_a_metric_is_a_value_of_a_type_with_labels() -> None:
    metric = PipelineMetric("operations_total", MetricType.COUNTER, 3.0, {"operation": "log"})
    assert metric.to_json() == {
        "name": "operations_total", "type": "counter", "value": 3.0, "labels": {"operation": "log"}
    }  # fmt: skip


def test_an_operation_from_its_start_to_its_end(monitor: PipelineMonitor) -> None:
    one = monitor.start_operation("compress", "compression", total=8)
    assert monitor.get_operation(one).success is None
    sum(range(200_000))
    monitor.update_operation_progress(one, items=2, bytes=300, phases={"read": 0.25})
    now = monitor.get_operation(one)
    assert (now.items, now.bytes, now.progress, now.phases) == (2, 300, 0.25, {"read": 0.25})
    assert now.duration > 0
    done = monitor.end_operation(one)
    assert (done.operation_id, done.name, done.type, done.success, done.error) == (
        one, "compress", "compression", True, None
    )  # fmt: skip
    assert done.throughput == pytest.approx(2 / done.duration)
    assert done.bytes_per_second == pytest.approx(300 / done.duration)
    assert done.cpu > 0
    assert done.memory_peak is None or done.memory_peak > 1 << 20
    assert abs(done.started - time.time()) < 60
    (read,) = noted(monitor)
    assert (read.id, read.name, read.type, read.items, read.bytes) == (one, "compress", "compression", 2, 300)
    assert {metric.name: metric.value for metric in done.metrics()}["operation_items_total"] == 2
    assert done.to_json()["throughput"] == done.throughput


def test_what_is_said_of_progress_is_all_that_is_done(monitor: PipelineMonitor) -> None:
    one = monitor.start_operation("compress")
    for items in (5, 9):
        monitor.update_operation_progress(one, items=items)
    monitor.update_operation_progress(one, total=18)
    assert (monitor.get_operation(one).items, monitor.get_operation(one).progress) == (9, 0.5)


NAN, INFINITE = float("nan"), float("inf")


@pytest.mark.parametrize(
    "bad",
    [
        {"items": -1}, {"bytes": -1}, {"total": -1}, {"phases": {"a": -1.0}}, {"items": NAN}, {"bytes": INFINITE},
        {"total": NAN}, {"phases": {"a": NAN}}, {"phases": {"a": 1.0, "b": INFINITE}},
    ],
)  # fmt: skip
def test_what_is_no_number_from_nothing_on_is_refused(monitor: PipelineMonitor, bad: dict[str, Any]) -> None:
    one = monitor.start_operation("compress")
    before = monitor.get_operation(one)
    with pytest.raises(ValueError, match="what is done"):
        monitor.update_operation_progress(one, **bad)
    assert monitor.get_operation(one)._replace(duration=0.0) == before._replace(duration=0.0)
    if "total" in bad:
        with pytest.raises(ValueError, match="what is done"):
            monitor.start_operation("compress", **bad)


@pytest.mark.parametrize(
    ("given", "items"), [(2.5, 2), (True, 1), (10**5000, meter.MOST)], ids=["part", "truth", "huge"]
)
def test_any_number_of_items_counts_in_whole_ones(monitor: PipelineMonitor, given: Any, items: int) -> None:
    """It did not cost the operation: what is no whole number made a line that nobody could read."""
    one = monitor.start_operation("compress")
    monitor.update_operation_progress(one, given, given, total=given)
    done = monitor.end_operation(one)
    assert (done.items, done.bytes, done.total) == (items, items, items)
    assert done.throughput > 0
    (told,) = monitor.get_performance_summary()["operations"]
    assert (told["items"], told["bytes"]) == (items, items)


@pytest.mark.parametrize("call", ["update_operation_progress", "end_operation", "get_operation", "record_error"])
def test_an_operation_that_is_not_under_way_is_refused(monitor: PipelineMonitor, call: str) -> None:
    one = monitor.start_operation("compress")
    monitor.end_operation(one)
    given = (one, "E") if call == "record_error" else (one,)
    with pytest.raises(ValueError, match=f"no operation under way has the id '{one}'"):
        getattr(monitor, call)(*given)


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"success": False}, "Failed"),
        ({"error": KeyError("secret")}, "KeyError"),
        ({"error": "TooLarge"}, "TooLarge"),
        ({"success": True, "error": OSError()}, "OSError"),
    ],
)
def test_a_failure_is_kept_by_its_class(monitor: PipelineMonitor, given: dict[str, Any], error: str) -> None:
    one = monitor.start_operation("compress")
    done = monitor.end_operation(one, **given)
    assert (done.success, done.error, noted(monitor)[0].error) == (False, error, error)


def test_record_error_counts_and_the_operation_goes_on(monitor: PipelineMonitor) -> None:
    one = monitor.start_operation("compress")
    for error in (OSError("secret"), OSError(), "Odd"):
        monitor.record_error(one, error)
    done = monitor.end_operation(one)
    assert (done.success, done.errors) == (True, {"OSError": 2, "Odd": 1})
    assert noted(monitor)[0].counts == {"error.OSError": 2, "error.Odd": 1}


def test_no_secret_and_no_path_is_kept(monitor: PipelineMonitor) -> None:
    url = "https://ada:hunter2@example.org/x?token=hunter2"
    one = monitor.start_operation(url, url)
    monitor.update_operation_progress(one, phases={url: 1.0})
    monitor.record_error(one, url)
    monitor.end_operation(one, error=ValueError(url))
    raw = b"".join(path.read_bytes() for path in Path(monitor.folder, "metrics").iterdir())
    assert b"hunter2" not in raw
    assert b"/x" not in raw


def test_a_summary_of_all_processes(monitor: PipelineMonitor, tmp_path: Path) -> None:
    for success in (True, True, False):
        monitor.end_operation(monitor.start_operation("compress"), success)
    code = (
        "import sys; from mgit_hooks.pipeline import PipelineMonitor\n"
        "m = PipelineMonitor(sys.argv[1]); m.end_operation(m.start_operation('validate'))"
    )
    subprocess.run([sys.executable, "-c", code, monitor.folder], check=True)
    going = monitor.start_operation("recover")
    told = monitor.get_performance_summary()
    assert (told["total_operations"], told["successful_operations"], told["failed_operations"]) == (4, 3, 1)
    assert (told["success_rate_percent"], told["errors"], told["cut_lines"]) == (75.0, {"Failed": 1}, 0)
    assert [(each["name"], each["count"]) for each in told["operations"]] == [("compress", 3), ("validate", 1)]
    assert [(each["operation_id"], each["success"]) for each in told["running"]] == [(going, None)]
    assert monitor.get_performance_summary(since=time.time() + 60)["total_operations"] == 0
    assert PipelineMonitor(tmp_path / "none").get_performance_summary()["success_rate_percent"] == 100.0


def test_without_a_folder_it_counts_for_the_user() -> None:
    one = PipelineMonitor()
    assert one.folder == data_folder()
    one.end_operation(one.start_operation("compress"))
    assert [each.name for each in noted(one)] == ["compress"]


def test_where_nothing_can_be_written_the_work_goes_on(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    one = PipelineMonitor(tmp_path / "file" / "inside")
    assert one.end_operation(one.start_operation("compress")).success is True


def test_threads_count_side_by_side(monitor: PipelineMonitor) -> None:
    def work() -> None:
        for _ in range(50):
            one = monitor.start_operation("compress")
            monitor.update_operation_progress(one, items=1)
            monitor.end_operation(one)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert sum(each.items for each in noted(monitor)) == 200


# What goes on, as another process sees it


def test_others_see_how_far_it_is(monitor: PipelineMonitor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "EVERY", 0.0)
    one = monitor.start_operation("compress", total=10)
    monitor.update_operation_progress(one, items=4)
    ((seen, alive),) = running.listed(monitor.folder)
    assert (seen.id, seen.items, seen.total, seen.process.pid, alive) == (one, 4, 10, os.getpid(), True)
    other = PipelineMonitor(monitor.folder)
    assert [each["items"] for each in other.get_performance_summary()["running"]] == [4]
    monitor.end_operation(one)
    assert list(running.listed(monitor.folder)) == []


def _leave(folder: str) -> None:
    running.EVERY = 0.0
    monitor = PipelineMonitor(folder)
    one = monitor.start_operation("compress", total=10)
    monitor.update_operation_progress(one, items=4)
    os._exit(9)


def test_what_was_killed_counts_as_failed_once(monitor: PipelineMonitor) -> None:
    child = multiprocessing.get_context("fork").Process(target=_leave, args=(monitor.folder,))
    child.start()
    child.join()
    for _ in range(2):
        (read,) = noted(monitor)
        assert (read.name, read.error, read.items, read.success) == ("compress", "Killed", 4, False)
    assert list(running.listed(monitor.folder)) == []


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b"\xff", b'{"id": "0123456789abcdef", "pid": 1e999}'])
def test_what_is_no_file_of_a_running_operation_is_passed_over(monitor: PipelineMonitor, data: bytes) -> None:
    folder = Path(monitor.folder, "metrics")
    folder.mkdir()
    (folder / "running.0123456789abcdef").write_bytes(data)
    os.mkfifo(folder / "running.0123456789abcdee")
    assert list(running.listed(monitor.folder)) == []
    monitor.end_operation(monitor.start_operation("compress"))
    assert len(noted(monitor)) == 1


def test_a_long_command_is_seen_by_others_while_it_runs(
    repo: Repo, tmp_path: Path, mgit: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "EVERY", 0.0)
    monkeypatch.setattr("mgit_hooks.progress.LONG", 0.0)
    folder = Path(repo.path, ".git", "mgit")
    folder.mkdir()
    with Operation(COMMAND, "backfill", str(folder)), progress("recording", Output(quiet=True)) as show:
        show(3, 10)
        assert "backfill: under way for " in (told := mgit("-C", repo.path, "stats").out)
        assert told.rstrip().endswith(", 3/10 items")
        (json,) = mgit("-C", repo.path, "stats", "--json").json
        assert [(each["name"], each["items"], each["total"]) for each in json["running"]] == [("backfill", 3, 10)]
    assert "under way" not in mgit("-C", repo.path, "stats").out
    with progress("recording", Output(quiet=True)) as show:
        show(3, 10)  # outside of an operation
    assert list(running.listed(str(folder))) == []


# monitor_pipeline_operation


def test_as_a_decorator_by_name(monitor: PipelineMonitor) -> None:
    @monitor_pipeline_operation("double", "arithmetic", monitor=monitor)
    def twice(value: int) -> int:
        """Twice as much."""
        return 2 * value

    assert (twice(4), twice(value=5)) == (8, 10)
    assert (twice.__name__, twice.__doc__) == ("twice", "Twice as much.")
    assert [(each.name, each.type) for each in noted(monitor)] == [("double", "arithmetic")] * 2


@monitor_pipeline_operation
def bare(value: int) -> int:
    return value + 1


@monitor_pipeline_operation
async def bare_async(value: int) -> int:
    await asyncio.sleep(0)
    return value + 1


class Holder:
    @monitor_pipeline_operation
    def method(self, value: int) -> tuple[Holder, int]:
        return self, value


def test_as_a_bare_decorator_it_counts_for_the_user() -> None:
    holder = Holder()
    assert (bare(1), holder.method(2), asyncio.run(bare_async(3))) == (2, (holder, 2), 4)
    assert [each.name for each in noted(PipelineMonitor())] == ["bare", "Holder.method", "bare_async"]


def test_an_error_is_counted_and_raised_on(monitor: PipelineMonitor) -> None:
    @monitor_pipeline_operation("fails", monitor=monitor)
    def fails() -> None:
        raise KeyError("secret")

    @monitor_pipeline_operation("fails too", monitor=monitor)
    async def fails_too() -> None:
        raise OSError("secret")

    with pytest.raises(KeyError):
        fails()
    with pytest.raises(OSError, match="secret"):
        asyncio.run(fails_too())
    assert [(each.name, each.error) for each in noted(monitor)] == [("fails", "KeyError"), ("fails too", "OSError")]


def test_as_a_block(monitor: PipelineMonitor) -> None:
    with monitor_pipeline_operation("compress", monitor=monitor, total=4) as operation:
        with operation.phase("read"):
            pass
        operation.update(3, 70)
        operation.record_error(OSError())
        assert monitor.get_operation(operation.operation_id).progress == 0.75
    assert operation.metrics is not None
    assert operation.metrics.success is True
    (read,) = noted(monitor)
    assert (read.items, read.bytes, list(read.phases), read.counts) == (3, 70, ["read"], {"error.OSError": 1})


def test_as_an_asynchronous_block_many_at_once(monitor: PipelineMonitor) -> None:
    async def one(number: int) -> None:
        async with monitor_pipeline_operation("wait", monitor=monitor) as operation:
            await asyncio.sleep(0.001 * (number % 3))
            operation.update(items=number)

    async def all_of_them() -> None:
        await asyncio.gather(*map(one, range(20)))

    asyncio.run(all_of_them())
    assert sorted(each.items for each in noted(monitor)) == list(range(20))


def test_a_cancelled_task_is_a_failure_and_stays_cancelled(monitor: PipelineMonitor) -> None:
    @monitor_pipeline_operation("wait", monitor=monitor)
    async def wait() -> None:
        await asyncio.sleep(60)

    async def cancel() -> None:
        task = asyncio.ensure_future(wait())
        await asyncio.sleep(0)
        task.cancel()
        await task

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(cancel())
    assert [each.error for each in noted(monitor)] == ["CancelledError"]


def test_nothing_of_asyncio_is_loaded_for_it() -> None:
    code = (
        "import sys, mgit_hooks.pipeline.monitoring\n"
        "sys.exit(not {'asyncio', 'inspect', 'multiprocessing'}.isdisjoint(sys.modules))"
    )
    environment = {"PYTHONPATH": str(Path(mgit_hooks.__file__).parents[1])}
    assert subprocess.run([sys.executable, "-S", "-c", code], env=environment).returncode == 0
