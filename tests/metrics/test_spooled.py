"""One line an operation: none lost among many processes, none that harms what is being counted."""

from __future__ import annotations

import json
import os
import resource
import signal
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from metering import ended

from mgit_hooks import meter, operation
from mgit_hooks.metrics import folded, spooled
from mgit_hooks.operation import COMMAND, DRAIN, HOOK, LONGEST, Operation


def lines(folder: Path) -> list[spooled.Noted]:
    return [each for path in spooled.waiting(str(folder)) for each in spooled.read(path).noted]


def test_what_is_noted_is_read_back(tmp_path: Path) -> None:
    one = ended("drain", DRAIN, items=3, bytes=70, phases={"record": 0.5}, counts={"hook.post-commit": 2}, code=1)
    assert operation.note(str(tmp_path), one)
    (read,) = lines(tmp_path)
    assert (read.id, read.type, read.name, read.items, read.bytes, read.code) == (one.id, DRAIN, "drain", 3, 70, 1)
    assert (read.phases, read.counts, read.error, read.success) == (
        {"record": 0.5},
        {"hook.post-commit": 2},
        None,
        True,
    )
    assert read.seconds == pytest.approx(one.seconds, abs=1e-6)
    assert read.memory == one.memory
    assert one.memory is None or one.memory > 1 << 20


def test_a_line_is_json_between_separator_and_newline_and_short(tmp_path: Path) -> None:
    """RFC 7464; one append of at most 4 KiB, whatever somebody gives as names."""
    huge = ended("n" * 9999, "t" * 9999, error="E" * 9999, phases={"p" * 90 + str(n): 1e9 for n in range(99)})
    huge.counts = {"c" * 90 + str(n): 10**15 for n in range(99)}
    for each in (huge, ended()):
        line = each.line()
        assert len(line) <= LONGEST
        assert (line[:1], line[-1:], line.count(b"\n"), line.count(b"\x1e")) == (b"\x1e", b"\n", 1, 1)
        assert json.loads(line[1:])["id"] == each.id
        assert spooled.decode(line[1:]) is not None


def test_lines_of_before_are_read_as_those_of_now() -> None:
    """They may wait while the tool is upgraded. Both are pinned: earlier versions read what is written now, too."""
    before = (
        b'{"v":1,"id":"00112233445566ff","t":1700000000.123,"type":"hook","name":"gate.pre-commit","s":0.012346,'
        b'"cpu":0.004,"mem":0,"items":0,"bytes":0,"code":1,"error":null,"phases":{"judge":0.000012},"counts":{}}\n'
    )
    one = ended("gate.pre-commit", HOOK, id="00112233445566ff", started=1700000000.1234, seconds=0.0123456, cpu=0.0041)
    one.memory, one.code, one.phases = None, 1, {"judge": 0.000012}
    now = one.line()[1:]
    assert now == (
        b'{"v":1,"id":"00112233445566ff","t":1700000000123e-3,"type":"hook","name":"gate.pre-commit","s":12346e-6,'
        b'"cpu":4e-3,"mem":0,"items":0,"bytes":0,"code":1,"error":null,"phases":{"judge": 1.2e-05},"counts":{}}\n'
    )
    assert spooled.decode(before) == spooled.decode(now) is not None
    one.phases = {}
    assert spooled.decode(one.line()[1:]) == spooled.decode(before.replace(b'"judge":0.000012', b""))


@pytest.mark.parametrize("given", [{"items": 10**5000}, {"bytes": 1 << 62}, {"counts": {"n": 1 << 99}}])
def test_what_is_larger_than_any_number_here_is_counted_all_the_same(tmp_path: Path, given: dict[str, Any]) -> None:
    assert operation.note(str(tmp_path), ended("drain", DRAIN, **given))
    (read,) = lines(tmp_path)
    assert meter.MOST in (read.items, read.bytes, read.counts.get("n"))


@pytest.mark.parametrize("name", ['"quoted"', "back\\slash", "new\nline", "\x1e", "\udcff", "\u202e", "https://u:p@h/"])
def test_a_name_is_a_name_and_nothing_else(tmp_path: Path, name: str) -> None:
    operation.note(str(tmp_path), ended(name, phases={name: 1.0}, error=name))
    (read,) = lines(tmp_path)
    for text in (read.name, read.error or "", *read.phases):
        assert set(text) <= set("_.- ") | set(map(chr, range(48, 123)))
        assert not {'"', "\\", "/", ":", "@", "\n"} & set(text)


def test_nothing_is_made_where_the_tool_is_not_installed(tmp_path: Path) -> None:
    assert not operation.note(str(tmp_path / "mgit"), ended())
    assert not operation.note(None, ended())
    assert list(tmp_path.iterdir()) == []


def test_the_file_is_for_the_owner_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        operation.note(str(tmp_path), ended())
        with folded.opened(str(tmp_path)):
            pass
    finally:
        os.umask(before)
    folder = tmp_path / "metrics"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(each.stat().st_mode) for each in folder.iterdir()} == {0o600}


def plant_link(now: Path) -> None:
    now.symlink_to(now.parent.parent / "victim")


def plant_second_name(now: Path) -> None:
    os.link(now.parent.parent / "victim", now)


@pytest.mark.parametrize("plant", [plant_link, plant_second_name, os.mkfifo, os.mkdir])
def test_what_stands_in_the_place_of_the_file_is_left_alone(tmp_path: Path, plant: Any) -> None:
    victim = tmp_path / "victim"
    victim.write_text("theirs")
    (tmp_path / "metrics").mkdir()
    plant(tmp_path / "metrics" / "now")
    assert not operation.note(str(tmp_path), ended())
    assert victim.read_text() == "theirs"
    with folded.opened(str(tmp_path)) as store:
        assert store is None or list(store.noted()) == []
    assert victim.read_text() == "theirs"


def test_a_pipe_that_somebody_reads_gets_nothing(tmp_path: Path) -> None:
    (tmp_path / "metrics").mkdir()
    os.mkfifo(tmp_path / "metrics" / "now")
    reader = os.open(tmp_path / "metrics" / "now", os.O_RDONLY | os.O_NONBLOCK)
    try:
        assert not operation.note(str(tmp_path), ended())
        assert os.read(reader, 100) == b""
    finally:
        os.close(reader)


def test_a_file_in_the_place_of_the_folder_costs_the_line_alone(tmp_path: Path) -> None:
    (tmp_path / "metrics").write_text("")
    assert not operation.note(str(tmp_path), ended())
    with folded.opened(str(tmp_path)) as store:
        assert store is None


def test_what_nobody_reads_does_not_grow_for_ever(tmp_path: Path) -> None:
    assert operation.note(str(tmp_path), ended())
    os.truncate(tmp_path / "metrics" / "now", operation.LARGEST + 1)
    assert not operation.note(str(tmp_path), ended())


def test_a_disk_that_is_full_costs_that_line_alone(tmp_path: Path) -> None:
    """A real one: the system takes a part of the line, and later all of the next."""
    operation.note(str(tmp_path), ended("before"))
    now = tmp_path / "metrics" / "now"
    code = (
        "import resource, signal, sys\n"
        "from mgit_hooks.operation import Operation, note\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]),) * 2)\n"
        "sys.exit(note(sys.argv[1], Operation('command', 'cut')))"
    )
    subprocess.run([sys.executable, "-c", code, tmp_path, str(now.stat().st_size + 20)], check=True)
    assert now.read_bytes().count(b"\x1e") == 2
    operation.note(str(tmp_path), ended("after"))
    read = spooled.read(str(now))
    assert ([each.name for each in read.noted], read.cut) == (["before", "after"], 1)


# Whatever cuts a line, it is dropped and counted, and takes no other with it.


def lost_by_cuts() -> int:
    """A line cut anywhere between two others: how many of the others cannot be read."""
    first, cut, last = (ended(name).line() for name in ("first", "cut", "last"))
    lost = 0
    for at in range(1, len(cut)):
        read = spooled.taken_apart(first + cut[:at] + last)
        names = [each.name for each in read.noted]
        assert "cut" not in names
        lost += len({"first", "last"} - set(names)) + (read.cut != 1)
    return lost


def test_a_cut_line_takes_no_other_with_it() -> None:
    assert lost_by_cuts() == 0


def test_planted_bug_without_a_separator_a_cut_line_takes_the_next_one_too(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Operation.line
    monkeypatch.setattr(Operation, "line", lambda self: whole(self)[1:])
    monkeypatch.setattr(spooled, "SEPARATOR", b"\n")
    monkeypatch.setattr(spooled, "decode", lambda line, was=spooled.decode: was(line + b"\n") if line else None)
    first, cut, last = (ended(name).line() for name in ("first", "cut", "last"))
    read = spooled.taken_apart(first + cut[:30] + last)
    assert [each.name for each in read.noted] == []  # the first has no newline before it here, the last is glued


@pytest.mark.parametrize(
    "change",
    [
        {"v": 2}, {"id": "x"}, {"id": 5}, {"t": "now"}, {"t": -1}, {"s": 1e300}, {"s": None}, {"items": 1.5},
        {"code": True}, {"bytes": 1 << 63}, {"name": 3}, {"phases": {"a": "b"}}, {"phases": [1]}, {"counts": {"a": -1}},
        {"error": 5}, {"mem": "much"},
    ],
)  # fmt: skip
def test_a_line_of_another_form_does_not_count(change: dict[str, Any]) -> None:
    told = {**json.loads(ended().line()[1:]), **change}
    assert spooled.taken_apart(b"\x1e" + json.dumps(told).encode() + b"\n")[:2] == ([], 1)


@pytest.mark.parametrize(
    "data", [b"x", b"\x1e", b"\x1e[]\n", b"\x1e" + b"[" * 4000 + b"\n", b"\x1e\xff}\n", b"\x1e{}\n"]
)
def test_what_is_no_line_does_not_count(data: bytes) -> None:
    assert spooled.taken_apart(data)[:2] == ([], 1)


WRITER = """
import sys
from mgit_hooks.operation import Operation, note
for number in range(int(sys.argv[2])):
    with Operation("command", "log", sys.argv[1]) as one:
        one.items = number
"""


def test_processes_at_once_lose_no_line(tmp_path: Path) -> None:
    """Six that write, and one that folds meanwhile."""
    command = [sys.executable, "-c", WRITER, tmp_path, "150"]
    running = [subprocess.Popen(command) for _ in range(6)]
    folds = 0
    while any(each.poll() is None for each in running):
        with folded.opened(str(tmp_path)):
            folds += 1
    assert [each.wait() for each in running] == [0] * 6
    with folded.opened(str(tmp_path)) as store:
        assert store is not None
        assert (len(list(store.noted())), store.cut, sum(day.runs for day in store.days())) == (900, 0, 900)
    assert folds > 1


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_who_is_killed_while_writing_leaves_what_can_be_read(tmp_path: Path, number: signal.Signals) -> None:
    for _ in range(3):
        writer = subprocess.Popen([sys.executable, "-c", WRITER, tmp_path, "1000000"])
        while not lines(tmp_path):
            assert writer.poll() is None
        writer.send_signal(number)
        writer.wait()
    operation.note(str(tmp_path), ended("last"))
    with folded.opened(str(tmp_path)) as store:
        assert store is not None
        assert [each.name for each in store.noted()][-1] == "last"
        assert store.cut <= 5


# Counting itself


def test_an_operation_measures_itself(tmp_path: Path) -> None:
    with Operation(COMMAND, "log", str(tmp_path)) as one:
        with meter.phase("drain"):
            sum(range(100_000))
        with meter.phase("drain"):
            pass
        meter.count("records", 2)
        meter.count("records")
        meter.done(items=7)
        meter.done(bytes=9)
    (read,) = lines(tmp_path)
    assert (read.items, read.bytes, read.counts, read.error) == (7, 9, {"records": 3}, None)
    assert 0 < read.phases["drain"] <= read.seconds == pytest.approx(one.seconds, abs=1e-6)
    assert read.cpu > 0
    assert operation.under_way() is None


def test_an_error_is_counted_by_its_class_and_raised_on(tmp_path: Path) -> None:
    with pytest.raises(KeyError, match="secret"), Operation(COMMAND, "log", str(tmp_path)):
        raise KeyError("secret")
    with Operation(COMMAND, "show", str(tmp_path)):
        meter.failed(OSError("secret"))
    with pytest.raises(BrokenPipeError), Operation(COMMAND, "pager", str(tmp_path)):
        raise BrokenPipeError
    assert [(each.error, each.success) for each in lines(tmp_path)] == [
        ("KeyError", False), ("OSError", False), (None, True)
    ]  # fmt: skip
    assert b"secret" not in (tmp_path / "metrics" / "now").read_bytes()


@pytest.mark.parametrize(("code", "success"), [(0, True), (1, True), (2, False), (128, False)])
def test_a_finding_is_no_failure(code: int, success: bool) -> None:
    read = spooled.decode(ended(code=code).line()[1:])
    assert read is not None
    assert read.success is success


def test_one_within_another_is_counted_by_itself(tmp_path: Path) -> None:
    with Operation(COMMAND, "outer", str(tmp_path)) as outer:
        with Operation(COMMAND, "inner", str(tmp_path)):
            meter.count("mine")
        assert operation.under_way() is outer
    assert [(each.name, each.counts) for each in lines(tmp_path)] == [("inner", {"mine": 1}), ("outer", {})]


def test_a_child_that_was_forked_meanwhile_notes_nothing(tmp_path: Path) -> None:
    child = 0
    with Operation(COMMAND, "log", str(tmp_path)):
        child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    assert len(lines(tmp_path)) == 1


def test_a_package_that_is_upgraded_meanwhile_costs_the_line_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "mgit_hooks.meter", None)  # its import raises ImportError
    with Operation(DRAIN, "drain", str(tmp_path)) as one:
        one.code = 1
    assert (one.code, lines(tmp_path)) == (1, [])


def test_the_clock_may_be_set_back_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Operation(COMMAND, "log", str(tmp_path)) as one:
        monkeypatch.setattr("time.time", lambda: 5.0)
    assert one.seconds >= 0
    with Operation(COMMAND, "later", str(tmp_path)):
        pass
    with folded.opened(str(tmp_path)) as store:
        assert store is not None
        assert [each.name for each in store.noted()] == ["log", "later"]
        assert [each.name for each in store.noted(since=1000.0)] == ["log"]


def test_outside_of_an_operation_nothing_is_counted() -> None:
    meter.count("x")
    meter.done(items=1)
    operation.at("/nowhere")
    meter.failed(OSError())
    with meter.phase("x"):
        pass
    assert operation.under_way() is None


def test_a_hook_loads_neither_resource_nor_anything_else(tmp_path: Path) -> None:
    (tmp_path / "metrics").mkdir()  # the first operation ever makes it
    code = (
        "import sys, os; before = set(sys.modules)\n"
        "from mgit_hooks.operation import Operation\n"
        f"with Operation('hook', 'gate.commit-msg', {str(tmp_path)!r}): pass\n"
        "print(sorted(set(sys.modules) - before))"
    )
    path = str(Path(operation.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"import sys; sys.path.insert(0, {path!r})\n{code}"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    (read,) = lines(tmp_path)
    meter_of_one = ["mgit_hooks.meter"] if read.id[0] == "0" else []  # it looks at its memory
    assert done.stdout == f"{sorted(['__future__', 'mgit_hooks', 'mgit_hooks.operation', *meter_of_one])}\n"
    assert read.type == HOOK
    assert read.memory is None or read.memory <= resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
