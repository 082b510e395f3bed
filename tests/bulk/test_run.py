"""Many items, bounded: what each kind of misbehaviour costs, and what bounds hold."""

from __future__ import annotations

import asyncio
import errno
import os
import pickle
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import pytest

from mgit_hooks import bulk, ceilings
from mgit_hooks.bulk import ItemError, Outcome, Plan, queueing, starting, supervising, worker
from mgit_hooks.errors import MgitError

from . import doing

MIB = 1 << 20
HERE = Path(__file__).resolve().parent
HOWS = starting.METHODS


def run(items: Iterable[Any], function: Callable[[Any], Any], how: str = "fork", **numbers: Any) -> list[Outcome]:
    return list(bulk.run(items, function, Plan(**numbers), how=how))


def values(outcomes: Iterable[Outcome]) -> list[Any]:
    return [each.value for each in outcomes]


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_until_gone(pids: Iterable[int], seconds: float) -> list[int]:
    until = time.monotonic() + seconds
    left = list(pids)
    while left and time.monotonic() < until:
        left = [pid for pid in left if alive(pid)]
        time.sleep(0.01)
    return left


def children() -> set[int]:
    return {int(pid) for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()}


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    before, descriptors = children(), sorted(os.listdir("/proc/self/fd"))
    yield
    assert children() <= before
    assert sorted(os.listdir("/proc/self/fd")) == descriptors


@pytest.mark.parametrize(
    ("how", "numbers"),
    [
        ("fork", {}),
        ("fork", {"workers": 3}),
        ("fork", {"workers": 2, "batch": 7, "prefetch": 30}),
        ("spawn", {"workers": 2, "batch": 7, "prefetch": 30}),
    ],
)
def test_results_come_in_the_order_of_the_items(how: str, numbers: dict[str, int]) -> None:
    assert values(run(range(40), doing.double, how, **numbers)) == [2 * item for item in range(40)]
    assert values(run(iter(range(40)), doing.double, how, **numbers)) == [2 * item for item in range(40)]


def test_of_no_items_nothing_comes_and_nothing_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(starting, "start", None)
    assert run([], doing.double) == []
    assert run(iter(()), doing.double) == []


def test_an_outcome_says_what_was_asked_and_how_long_it_took() -> None:
    (outcome,) = run([0.05], doing.nap)
    assert outcome._replace(seconds=0.0) == Outcome(0.05, 0.05, None, 1, 0.0)
    assert 0.05 <= outcome.seconds < 5


# What is done, the kind of the error (None: a value), and a word of its message.
MISBEHAVING = [
    ("raise", "ValueError", "as it is"),
    ("two arguments", "raised", "TwoArguments: a and b"),
    ("no pickle", "raised", "NoPickle"),
    ("exit", "exit", "3"),
    ("interrupt", "raised", "KeyboardInterrupt"),
    ("leave", "died", "ended with status 4"),
    ("kill", "died", "SIGKILL"),
    ("fault", "died", "SIGSEGV"),
    ("hang", "timeout", "0.4 s"),
    ("hang in C", "timeout", "0.4 s"),
    ("stop", "timeout", "0.4 s"),
    ("lambda", "pickling", "cannot be brought over"),
    ("breaks on return", "pickling", "cannot be brought over"),
    ("exits on return", "pickling", "cannot be brought over: SystemExit: 3"),
    ("go to another group", "timeout", "0.4 s"),
    ("close all", "died", ""),
    ("write to all", "died", ""),
    ("denied", "PermissionError", "no"),
    ("busy", "OSError", "someone has it"),
    ("print", None, ""),
    ("fork", None, ""),
    ("tidy up", None, ""),
]


@pytest.mark.parametrize(("kind", "error", "word"), MISBEHAVING)
def test_what_misbehaves_costs_itself_only(kind: str, error: str | None, word: str, tmp_path: Path) -> None:
    """Each item is begun once, but for those that may pass: what lay behind the one that failed is done by another."""
    marks = tmp_path / "marks"
    items = [(str(marks), each) for each in ("before", kind, "after", "last")]
    how = "spawn" if kind == "write to all" else "fork"  # a fork has descriptors of the test's
    found = run(iter(items), doing.leave_a_mark, how, batch=4, prefetch=8, timeout=0.4, attempts=2)
    assert [each.item for each in found] == items
    assert [found[0].value, found[2].value, found[3].value] == ["before", "after", "last"]
    assert [each.error for each in (found[0], found[2], found[3])] == [None] * 3
    told = found[1].error
    if error is None:
        assert told is None
    else:
        assert told is not None
        assert getattr(told, "kind", type(told).__name__) == error
        assert word in str(told)
    tries = 2 if kind == "busy" else 1
    assert found[1].attempts == tries
    if kind != "write to all":  # which goes on until we have read it
        assert marks.read_text().count("called") == 3 + tries


@pytest.mark.parametrize("how", HOWS)
def test_a_memory_ceiling_fails_one_item_and_the_others_are_done(how: str) -> None:
    sizes = [10 * MIB, 500 * MIB, 150 * MIB, 20 * MIB]
    found = run(sizes, doing.allocate, how, workers=2, memory=200 * MIB, prefetch=8)
    assert values(found) == [10 * MIB, None, 150 * MIB, 20 * MIB]
    assert [getattr(each.error, "kind", None) for each in found] == [None, "memory", None, None]


def test_where_the_system_holds_no_ceiling_it_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ceilings, "held_by_system", lambda: False)
    found = run([MIB, 120 * MIB, 2 * MIB], doing.allocate_and_wait, memory=40 * MIB, timeout=20, prefetch=8)
    assert values(found) == [MIB, None, 2 * MIB]
    assert [getattr(each.error, "kind", None) for each in found] == [None, "memory", None]


def test_memory_as_the_system_tells_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert MIB < (ceilings.taken(os.getpid()) or 0) < 1 << 40
    assert ceilings.taken(1 << 22 << 8) is None
    if shutil.which("ps"):
        assert MIB < (ceilings._told_by_ps(os.getpid()) or 0) < 1 << 40
    monkeypatch.setenv("PATH", "")
    assert ceilings._told_by_ps(os.getpid()) is None


def test_planted_without_the_limit_the_ceiling_does_not_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ceilings, "hold", lambda more: None)
    assert values(run([500 * MIB], doing.allocate, memory=200 * MIB)) == [500 * MIB]


def test_planted_an_item_behind_a_death_that_is_not_given_back_is_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The table above would wait for it without end."""
    monkeypatch.setattr(queueing.Queue, "give_back", lambda self, jobs: None)
    generator = bulk.run(iter(["a", "leave", "b"]), doing.misbehave, Plan(batch=3, prefetch=8), how="fork")
    assert [next(generator).value for _ in range(2)] == ["a", None]
    with pytest.raises(_TooLong):
        _within(1, lambda: next(generator))
    generator.close()


class _TooLong(Exception):
    pass


def _within(seconds: float, do: Callable[[], Any]) -> Any:
    def stop(number: int, frame: Any) -> None:
        raise _TooLong

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        return do()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_what_may_pass_is_tried_again_and_nothing_else(tmp_path: Path) -> None:
    (outcome,) = run([str(tmp_path / "tries")], doing.fails_at_first, attempts=3)
    assert (outcome.value, outcome.error, outcome.attempts) == ("xx", None, 3)
    assert outcome.seconds >= 0.15  # both pauses
    (outcome,) = run([str(tmp_path / "others")], doing.fails_at_first, attempts=2)
    assert isinstance(outcome.error, OSError)
    assert (outcome.error.errno, outcome.attempts) == (errno.EBUSY, 2)


@pytest.mark.parametrize("has_waitid", [True, False])
@pytest.mark.parametrize("kind", ["leave", "kill", "close all", "hang", "fork"])
def test_where_the_system_tells_of_no_end_of_a_process_it_is_looked_for(
    kind: str, has_waitid: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(starting, "_watch", lambda pid: None)
    if not has_waitid:
        monkeypatch.delattr(os, "waitid")
    found = run(iter(["a", kind, "b"]), doing.misbehave, batch=3, prefetch=6, timeout=0.4)
    assert [found[0].value, found[2].value] == ["a", "b"]
    assert (found[1].error is None) is (kind == "fork")


def test_a_worker_whose_child_holds_its_pipe_open_is_missed_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(starting, "_watch", lambda pid: None)
    found = run(iter(["a", "leave a child", "b"]), doing.misbehave, batch=3, prefetch=6, timeout=20)
    assert values(found) == ["a", None, "b"]
    assert "status 5" in str(found[1].error)


def test_a_time_out_is_of_the_item_with_all_of_its_tries() -> None:
    (outcome,) = run(["busy"], doing.misbehave, attempts=10, timeout=0.3)
    assert isinstance(outcome.error, ItemError)
    assert outcome.error.kind == "timeout"
    assert outcome.attempts == 3  # after 0, 0.05 and 0.15 s


def test_a_worker_that_is_killed_from_outside_costs_one_item() -> None:
    generator = bulk.run([0.01, 30, 0.02, 0.03], doing.nap, Plan(workers=1, prefetch=4), how="fork")
    assert next(generator).value == 0.01
    (pid,) = children()
    os.kill(pid, signal.SIGKILL)
    rest = list(generator)
    assert values(rest) == [None, 0.02, 0.03]
    assert "SIGKILL" in str(rest[0].error)


@pytest.mark.parametrize("how", HOWS)
def test_who_leaves_a_run_leaves_no_worker(how: str) -> None:
    generator = bulk.run([0, 60, 60, 60], doing.nap, Plan(workers=3), how=how)
    next(generator)
    pids = children()
    assert len(pids) >= 2
    began = time.monotonic()
    generator.close()
    assert time.monotonic() - began < 1
    assert children() == set()


INTERRUPTED = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a script's background ignores it
sys.path[:0] = {path!r}
from mgit_hooks import bulk
from bulk_tests import doing
{planted}
for outcome in bulk.run(["a", {kind!r}, {kind!r}, "b"], doing.misbehave, bulk.Plan(workers=2), how={how!r}):
    print(outcome.value, flush=True)
"""


def interrupted(tmp_path: Path, kind: str, how: str, planted: str = "") -> tuple[subprocess.Popen[bytes], list[int]]:
    """A program whose two workers are at ``kind``, and the workers."""
    (tmp_path / "bulk_tests").symlink_to(HERE)
    code = INTERRUPTED.format(path=[str(tmp_path), str(HERE.parents[1])], kind=kind, how=how, planted=planted)
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"a\n"
    listed = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    until = time.monotonic() + 5
    while len(pids := [int(pid) for pid in listed.read_text().split()]) < 2 and time.monotonic() < until:
        time.sleep(0.01)
    assert len(pids) == 2
    return process, pids


@pytest.mark.parametrize("kind", ["hang", "hang in C"])
@pytest.mark.parametrize(
    ("number", "how"),
    [(signal.SIGINT, "fork"), (signal.SIGKILL, "spawn"), (signal.SIGTERM, "fork")],
)
def test_however_a_run_ends_its_workers_do_within_a_second(
    number: signal.Signals, how: str, kind: str, tmp_path: Path
) -> None:
    process, pids = interrupted(tmp_path, kind, how)
    began = time.monotonic()
    process.send_signal(number)
    error = process.communicate(timeout=10)[1]
    assert wait_until_gone(pids, 1 - (time.monotonic() - began)) == []
    assert process.returncode == -number
    assert (b"KeyboardInterrupt" in error) is (number == signal.SIGINT)


def test_planted_workers_that_are_not_tied_to_their_parent_outlive_it(tmp_path: Path) -> None:
    planted = "from mgit_hooks.bulk import worker; worker._tie = lambda life: None"
    process, pids = interrupted(tmp_path, "hang", "fork", planted)
    process.kill()
    process.wait()
    left = wait_until_gone(pids, 0.3)
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    process.communicate()
    assert left


def test_planted_without_deadlines_an_item_that_hangs_holds_up_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervising.Supervisor, "_deadline", lambda self, busy: None)
    generator = bulk.run(["hang"], doing.misbehave, Plan(timeout=0.2), how="fork")
    with pytest.raises(_TooLong):
        _within(0.6, lambda: next(generator))
    generator.close()


MAIN = """
import sys
sys.path[:0] = [{path!r}]
from mgit_hooks import bulk
def triple(item):
    return 3 * item
if __name__ == "__main__":
    print([outcome.value for outcome in bulk.run([1, 2], triple, bulk.Plan(), how="spawn")])
"""


def test_a_function_of_the_program_itself_runs_in_a_started_interpreter(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(MAIN.format(path=str(HERE.parents[1])))
    done = subprocess.run([sys.executable, program], capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("[3, 6]\n", "")


def test_what_an_item_has_started_ends_with_its_worker(tmp_path: Path) -> None:
    (outcome,) = run([str(tmp_path / "pid")], doing.start_a_child, timeout=0.5)
    assert isinstance(outcome.error, ItemError)
    assert outcome.error.kind == "timeout"
    assert wait_until_gone([int((tmp_path / "pid").read_text())], 1) == []


def is_passed_on(descriptor: int) -> bool:
    try:
        return os.get_inheritable(descriptor)
    except OSError:  # the listing's own
        return False


@pytest.mark.parametrize("how", HOWS)
def test_what_a_worker_finds(how: str) -> None:
    """Nothing of the terminal's, a group of its own, and of the parent's descriptors only its own three ends."""
    (outcome,) = run([None], doing.environment, how, niceness=5)
    found = outcome.value
    assert found["nice"] - os.nice(0) == min(5, 19 - os.nice(0))
    assert (found["stdin"], found["group"], found["int"]) == (b"", True, True)
    if how == "spawn":
        passed_on = {int(each) for each in os.listdir("/proc/self/fd") if is_passed_on(int(each))} | {0, 1, 2}
        assert len(set(found["descriptors"]) - passed_on) == 4  # the three ends, and the listing itself


def test_what_is_printed_in_a_worker_is_no_data(capfd: Any) -> None:
    run(["print"], doing.misbehave)
    captured = capfd.readouterr()
    assert captured.out == ""
    assert "to nobody" in captured.err


@pytest.mark.parametrize("how", HOWS)
def test_a_large_value_comes_over_whole(how: str) -> None:
    found = run([20 * MIB, 3], doing.bring, how, workers=2, timeout=30)
    assert [len(each.value) for each in found] == [20 * MIB, 3]


def test_a_large_item_goes_over_whole() -> None:
    assert values(run([b"y" * 20 * MIB, b"z"], len, workers=1)) == [20 * MIB, 1]


def test_an_item_that_cannot_go_over_fails_alone() -> None:
    items: list[Any] = [1, lambda: None, 2]
    found = run(items, doing.double)
    assert values(found) == [2, None, 4]
    assert isinstance(found[1].error, ItemError)
    assert (found[1].error.kind, found[1].attempts) == ("pickling", 0)


def test_many_tiny_items_are_done_in_bounded_memory() -> None:
    """No more of them are taken than the plan says, and the process grows by little."""
    taken = 0

    def items() -> Iterator[int]:
        nonlocal taken
        for number in range(10_000):
            taken = number
            yield number

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    plan = Plan(workers=2, batch=50, prefetch=300)
    for place, outcome in enumerate(bulk.run(items(), doing.double, plan, how="fork")):
        assert outcome.value == 2 * place
        assert taken <= place + plan.prefetch + 1
    assert place == 9_999
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 16 * 1024


def most_held(bound: int, monkeypatch: pytest.MonkeyPatch) -> int:
    """Bytes of results that wait for the first one, which takes long, where so many bytes are allowed to."""
    most = 0
    put = queueing.Queue.put

    def watched(self: queueing.Queue, *given: Any) -> None:
        nonlocal most
        put(self, *given)
        most = max(most, self._held)

    monkeypatch.setattr(queueing.Queue, "put", watched)
    monkeypatch.setattr(queueing, "HELD", bound)
    found = run([0.5, *[MIB // 8] * 40], doing.nap_or_bring, workers=3, prefetch=1000)
    assert [len(each.value) for each in found[1:]] == [MIB // 8] * 40
    return most


def test_who_is_ahead_waits_where_much_is_held(monkeypatch: pytest.MonkeyPatch) -> None:
    assert MIB < most_held(MIB, monkeypatch) <= MIB + 3 * MIB // 8 + 1000


def test_planted_without_that_bound_more_is_held(monkeypatch: pytest.MonkeyPatch) -> None:
    assert most_held(1 << 40, monkeypatch) > 2 * MIB


def test_a_slow_reader_does_not_make_items_time_out() -> None:
    """The workers wait to be read from, and that is not their items' time."""
    found = []
    for outcome in bulk.run([MIB] * 4, doing.bring, Plan(workers=2, batch=2, prefetch=4, timeout=0.3), how="fork"):
        found.append(len(outcome.value))
        time.sleep(0.4)
    assert found == [MIB] * 4


@pytest.mark.parametrize("how", HOWS)
def test_a_function_that_nobody_can_run_ends_the_run(how: str) -> None:
    with pytest.raises((pickle.PicklingError, AttributeError)):
        run([1], lambda item: item, how)


def test_a_function_that_a_worker_cannot_import_ends_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("gone")
    monkeypatch.setitem(sys.modules, "gone", module)
    function = FunctionType(doing.double.__code__, {"__name__": "gone"}, "double")
    function.__module__ = "gone"
    module.double = function  # type: ignore[attr-defined]
    with pytest.raises(MgitError, match="cannot run the function: ModuleNotFoundError"):
        run([1], function, "spawn")


def test_workers_that_never_get_to_begin_end_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "_prepare", lambda ends, plan: os._exit(9))
    with pytest.raises(MgitError, match="no worker gets to begin: it ended with status 9"):
        run([1, 2], doing.double, workers=2)


def test_a_worker_that_is_not_ready_in_time_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervising, "STARTING", 0.1)
    monkeypatch.setattr(worker, "_prepare", lambda ends, plan: time.sleep(60))
    with pytest.raises(MgitError, match="no worker gets to begin"):
        run([1, 2], doing.double)


def test_an_iterator_that_fails_ends_the_run_with_its_error() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise OSError("no more")

    with pytest.raises(OSError, match="no more"):
        run(items(), doing.double, prefetch=2)


@pytest.mark.parametrize(
    "numbers",
    [{"workers": 0}, {"batch": 0}, {"prefetch": 0}, {"attempts": 0}, {"timeout": 0}, {"memory": 0}, {"niceness": 20}],
)
def test_a_plan_that_makes_no_sense_is_refused(numbers: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=next(iter(numbers))):
        run([1], doing.double, **numbers)


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_so_many_workers_work_and_no_more(workers: int) -> None:
    pids = set(values(run([0.05] * 12, doing.nap_and_tell, workers=workers, prefetch=12)))
    assert len(pids) == workers


@pytest.mark.parametrize("how", HOWS)
def test_the_event_loop_goes_on_while_workers_work(how: str) -> None:
    async def main() -> tuple[list[Outcome], int]:
        ticks = 0

        async def tick() -> None:
            nonlocal ticks
            while True:
                await asyncio.sleep(0.01)
                ticks += 1

        ticking = asyncio.create_task(tick())
        plan = Plan(workers=2, prefetch=6, timeout=5)
        found = [each async for each in bulk.arun([0.1] * 6, doing.nap, plan, how=how)]
        ticking.cancel()
        return found, ticks

    found, ticks = asyncio.run(main())
    assert values(found) == [0.1] * 6
    assert ticks >= 5


@pytest.mark.parametrize("prefetch", [1, 6])
def test_in_an_event_loop_nothing_waits_where_all_that_was_begun_is_done(prefetch: int) -> None:
    """What the caller has taken makes room, of which no worker tells."""

    async def main() -> list[Any]:
        plan = Plan(workers=2, batch=2, prefetch=prefetch)
        return [each.value async for each in bulk.arun(range(40), doing.double, plan, how="fork")]

    assert asyncio.run(asyncio.wait_for(main(), 20)) == [2 * item for item in range(40)]


def test_a_run_goes_on_in_another_event_loop() -> None:
    found = bulk.arun([0.0, 0.2], doing.nap, Plan(workers=1, prefetch=1), how="fork")
    for expected in (0.0, 0.2):
        with asyncio.Runner() as runner:
            assert runner.get_loop().run_until_complete(asyncio.wait_for(anext(found), 10)).value == expected
    asyncio.run(found.aclose())


def test_an_event_loop_that_cancels_a_run_ends_its_workers() -> None:
    async def main() -> float:
        async def work() -> None:
            async for _ in bulk.arun([60, 60], doing.nap, Plan(workers=2), how="fork"):
                pass

        task = asyncio.create_task(work())
        while len(children()) < 2:
            await asyncio.sleep(0.01)
        began = time.monotonic()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return time.monotonic() - began

    for _ in range(10):  # at the moment at which a worker says that it is ready, or beside it
        assert asyncio.run(main()) < 1
        assert children() == set()


def test_time_outs_and_ceilings_hold_in_an_event_loop_too() -> None:
    async def main() -> list[Outcome]:
        plan = Plan(workers=2, prefetch=8, timeout=0.4, memory=200 * MIB)
        items = ["hang", "a", "kill", "b"]
        return [each async for each in bulk.arun(items, doing.misbehave, plan, how="fork")]

    found = asyncio.run(main())
    assert values(found) == [None, "a", None, "b"]
    assert [getattr(each.error, "kind", None) for each in found] == ["timeout", None, "died", None]


@pytest.mark.parametrize("how", HOWS)
def test_a_coroutine_function_is_awaited_where_it_runs(how: str) -> None:
    assert values(run([1, 2], doing.double_later, how)) == [2, 4]


def test_another_thread_keeps_us_from_forking(monkeypatch: pytest.MonkeyPatch) -> None:
    import threading

    monkeypatch.setattr(threading, "active_count", lambda: 1)
    assert starting.method() == "fork"
    monkeypatch.setattr(threading, "active_count", lambda: 2)
    assert starting.method() == "spawn"
