"""The spool: each line that a hook wrote is read exactly once, whoever is killed, whoever is late."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mgit_hooks.journal.format import Cursor
from mgit_hooks.recorder import event, spool
from mgit_hooks.recorder.event import HookEvent
from mgit_hooks.recorder.line import encode


@pytest.fixture
def folder(tmp_path: Path) -> str:
    return str(tmp_path / "mgit" / "spool")


def said(number: int, *fields: str, hook: str = "post-merge") -> HookEvent:
    return HookEvent(hook, number, "o", "main-worktree", None, fields or ("0",))


def put(folder: str, data: bytes, name: str = "now") -> None:
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, name), "ab") as file:
        file.write(data)


def numbers(batch: spool.Batch) -> list[int]:
    return [one.ppid for one in batch.events]


def files(folder: str) -> list[str]:
    return sorted(os.listdir(folder))


# Reading


def test_what_was_appended_is_read(folder: str) -> None:
    lines = [said(1), said(2, "two\twith\ttabs, 100%, %0A\nand\r\x85\u2028 ends", "b", hook="skip"), said(3)]
    for line in lines:
        spool.append(folder, line, sync=False)
    batch = spool.read(folder, None)
    assert list(batch.events) == lines
    assert batch.garbled == ()
    assert batch.cursor == Cursor(1, sum(len(event.format(line)) for line in lines))
    assert spool.read(folder, batch.cursor) == spool.Batch((), (), batch.cursor)


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=30), min_size=2, max_size=2))
def test_any_text_comes_through_a_line(fields: list[str]) -> None:
    raw = [field.encode("utf-8", "surrogatepass").decode("utf-8", "surrogateescape") for field in fields]
    line = event.format(said(7, *raw, hook="skip"))
    assert line.count(b"\n") == 1
    assert event.parse(line[:-1]).fields == tuple(raw)


def test_no_spool_is_an_empty_one(folder: str) -> None:
    assert spool.read(folder, None) == spool.Batch((), (), Cursor(1, 0))
    assert spool.read(folder, Cursor(4, 9)) == spool.Batch((), (), Cursor(4, 9))
    assert spool.waiting(folder, None) == 0
    spool.sync(folder)


def test_a_last_line_without_its_end_waits(folder: str) -> None:
    line = event.format(said(1))
    for length in range(len(line)):
        put(folder, b"")
        Path(folder, "now").write_bytes(line + line[:length])
        batch = spool.read(folder, None)
        assert numbers(batch) == [1]
        assert batch.cursor == Cursor(1, len(line))
    put(folder, line[length:])
    assert numbers(spool.read(folder, batch.cursor)) == [1]


@pytest.mark.parametrize(
    "line",
    [b"x", b"\x00\xff\xfe", b"1\tpost-commit", b"2\tpost-commit\t1\to\tmain-worktree\t-",
     b"1\tno-such-hook\t1\to\tmain-worktree\t-", b"1\tpost-commit\tone\to\tmain-worktree\t-",
     b"1\tpost-commit\t1\tz\tmain-worktree\t-", b"1\tpost-commit\t1\to\tmain-worktree\t-\textra",
     b"1\tpost-merge\t1\to\tmain-worktree\t-\t@x.not.there"],
)  # fmt: skip
def test_a_garbled_line_is_told_and_costs_no_other(folder: str, line: bytes) -> None:
    good = event.format(said(1)), event.format(said(2))
    put(folder, good[0] + line + b"\n" + good[1])
    batch = spool.read(folder, None)
    assert numbers(batch) == [1, 2]
    assert batch.garbled == (line,)
    assert spool.waiting(folder, None) == 3


def test_a_line_after_one_that_was_cut_off_is_read(folder: str) -> None:
    """A full disk takes half a line; the next hook's line then stands on the same line of the file."""
    whole = event.format(said(5, "1\tx", "2", hook="skip"))
    cut = event.format(said(1))
    for length in range(1, len(cut) - 1):
        Path(folder).mkdir(parents=True, exist_ok=True)
        Path(folder, "now").write_bytes(cut[:length] + whole + event.format(said(6)))
        batch = spool.read(folder, None)
        assert numbers(batch) == [5, 6], length
        assert len(batch.garbled) == 1


def test_what_a_power_cut_kept_from_the_disk_is_no_line(folder: str) -> None:
    """The file has its length, and zeros where a sector was not written; the next hook's line comes after them."""
    oid = "1" * 40
    push = ("origin", "url", f"refs/heads/main {oid} refs/heads/a-branch {oid}\n")
    line = event.format(HookEvent("pre-push", 1, "o", "main-worktree", None, push))
    torn = line.replace(b"a-branch", b"a-b\0\0\0\0\0")
    put(folder, torn + bytes(70) + event.format(said(6)))
    batch = spool.read(folder, None)
    assert numbers(batch) == [6]
    assert len(batch.garbled) == 2
    # The same where the standard input stands in a file of its own.
    Path(folder, "x.1.2").write_bytes(push[2].encode().replace(b"a-branch", b"a-b\0\0\0\0\0"))
    put(folder, line.replace(encode(push[2]).encode(), b"@x.1.2"))
    batch = spool.read(folder, batch.cursor)
    assert (batch.events, len(batch.garbled)) == ((), 1)


def test_a_line_that_only_partly_fits_is_an_error(folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "write", lambda descriptor, data: len(data) - 1)
    with pytest.raises(OSError, match="No space left"):
        spool.append(folder, said(1), sync=True)


def test_a_long_standard_input_stands_in_a_file_of_its_own(folder: str) -> None:
    given = b"old new\nline %0A and \xff\n" * 300
    put(folder, given, "x.12.34")
    put(folder, event.format(said(1, "rebase", "@x.12.34", hook="post-rewrite")))
    put(folder, event.format(said(2, "rebase", "@x.../../../etc/passwd", hook="post-rewrite")))
    (first, second) = spool.read(folder, None).events
    assert first.fields == ("rebase", os.fsdecode(given))
    assert second.fields[1] == "@x.../../../etc/passwd"


def test_side_files_go_once_they_are_old(folder: str) -> None:
    for name in ("x.1.1", "x.2.2", "now"):
        put(folder, b"x", name)
        os.utime(os.path.join(folder, name), (1000, 1000))
    os.utime(os.path.join(folder, "x.2.2"))
    spool.forget_inputs(folder, older_than=time.time() - 3600)
    assert files(folder) == ["now", "x.2.2"]


@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_the_spool_is_for_the_owner_alone(folder: str, umask: int) -> None:
    before = os.umask(umask)
    try:
        spool.append(folder, said(1), sync=True)
    finally:
        os.umask(before)
    assert stat.S_IMODE(os.stat(folder).st_mode) == 0o700
    assert stat.S_IMODE(os.stat(os.path.join(folder, "now")).st_mode) == 0o600


@pytest.mark.parametrize("kept", [0, 1, 30, 31, 40])
def test_a_spool_that_is_not_the_one_the_cursor_is_about_is_read_from_its_start(folder: str, kept: int) -> None:
    """Someone deleted the spool, or a power cut took its end: the cursor points past it, or into a line."""
    for number in range(10):
        spool.append(folder, said(number), sync=False)
    cursor = spool.read(folder, None).cursor
    os.unlink(os.path.join(folder, "now"))
    for number in range(kept):
        spool.append(folder, said(100_000 + number), sync=False)
    batch = spool.read(folder, cursor)
    assert numbers(batch) == [100_000 + number for number in range(kept)]
    assert spool.read(folder, batch.cursor).events == ()


# Rotation


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], None]:
    """Rotate after 100 bytes; say whether rotated files count as settled."""
    monkeypatch.setattr(spool, "ROTATE_AT", 100)

    def settled(value: bool) -> None:
        monkeypatch.setattr(spool, "_SETTLE", -1.0 if value else 1e9)

    settled(False)
    return settled


def drain(folder: str, cursor: Cursor | None) -> tuple[list[int], Cursor]:
    """Read all, put the cursor into a journal of one cell, tidy up; the numbers read and that cell."""
    batch = spool.read(folder, cursor)
    cell = [batch.cursor]
    spool.tidy(folder, batch.cursor, cell.append)
    return numbers(batch), cell[-1]


def test_a_small_spool_is_left_alone(folder: str) -> None:
    spool.append(folder, said(1), sync=False)
    _, cursor = drain(folder, None)
    assert files(folder) == ["now"]
    assert cursor.generation == 1


def test_a_large_spool_is_rotated_and_deleted_later(folder: str, quick: Callable[[bool], None]) -> None:
    cursor = None
    seen: list[int] = []
    for number in range(60):
        spool.append(folder, said(number), sync=False)
        read, cursor = drain(folder, cursor)
        seen += read
        if number == 30:
            assert len(files(folder)) > 3
            quick(True)
    assert seen == list(range(60))
    assert len(files(folder)) <= 2
    assert cursor is not None
    assert cursor.generation > 5


def test_a_rotated_spool_is_not_deleted_before_its_time(folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rename counts, not only the last write: a hook may have opened the file just before it."""
    monkeypatch.setattr(spool, "ROTATE_AT", 1)
    spool.append(folder, said(1), sync=False)
    os.utime(os.path.join(folder, "now"), (1000, 1000))
    _, cursor = drain(folder, None)
    drain(folder, cursor)
    assert len(files(folder)) == 1
    assert files(folder)[0].startswith("00000001.0-")


def test_a_hook_that_held_the_spool_open_over_its_rotation_is_heard(folder: str, quick: Callable[[bool], None]) -> None:
    for number in range(10):
        spool.append(folder, said(number), sync=False)
    with open(os.path.join(folder, "now"), "ab", buffering=0) as late:
        seen, cursor = drain(folder, None)
        spool.append(folder, said(10), sync=False)
        more, cursor = drain(folder, cursor)
        late.write(event.format(said(11)))  # the cursor has gone on to the next generation by now
        spool.append(folder, said(12), sync=False)
        for _ in range(3):
            again, cursor = drain(folder, cursor)
            more += again
        late.write(event.format(said(13)))
        late.write(event.format(said(14))[:-3])  # and one that was cut off
        quick(False)
        for _ in range(3):
            again, cursor = drain(folder, cursor)
            more += again
    assert seen == list(range(10))
    assert sorted(more) == [10, 11, 12, 13]
    quick(True)
    drain(folder, cursor)
    assert [name for name in files(folder) if name != "now"] == []


def test_late_lines_do_not_take_unread_ones_with_them(folder: str, quick: Callable[[bool], None]) -> None:
    """Two rotated files, a late line in each, and the second not read yet."""
    for number in range(10):
        spool.append(folder, said(number), sync=False)
    with open(os.path.join(folder, "now"), "ab", buffering=0) as first:
        _, cursor = drain(folder, None)
        spool.append(folder, said(10), sync=False)
        with open(os.path.join(folder, "now"), "ab", buffering=0) as second:
            first.write(event.format(said(11)))
            spool.tidy(folder, cursor, lambda _: None)
            second.write(event.format(said(12)))
            spool.tidy(folder, cursor, lambda _: None)
    seen: list[int] = []
    for _ in range(3):
        again, cursor = drain(folder, cursor)
        seen += again
    assert sorted(seen) == [10, 11, 12]


def test_a_generation_is_never_given_to_another_file(folder: str, quick: Callable[[bool], None]) -> None:
    """Killed after the last rotated file was deleted, the cursor in the journal still numbers ``now``."""
    for number in range(10):
        spool.append(folder, said(number), sync=False)
    _, cursor = drain(folder, None)
    quick(True)
    _, cursor = drain(folder, cursor)
    assert files(folder) == []
    assert cursor == Cursor(2, 0)
    spool.append(folder, said(10), sync=False)
    assert numbers(spool.read(folder, cursor)) == [10]
    assert spool.read(folder, cursor).cursor.generation == 2


# Whoever is killed


class Killed(BaseException):
    pass


class World:
    """A spool, hooks that write to it, and a drain with a journal of one cell that may be killed at any step."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.cursor: Cursor | None = None
        self.written: list[int] = []
        self.recorded: list[int] = []
        self.late: set[int] = set()
        self.held: list[int] = []
        Path(folder).mkdir(parents=True)

    def line(self) -> bytes:
        self.written.append(len(self.written))
        return event.format(said(self.written[-1]))

    def append(self) -> None:
        put(self.folder, self.line())

    def hold(self) -> None:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
        self.held.append(os.open(os.path.join(self.folder, "now"), flags, 0o600))

    def let_go(self) -> None:
        if self.held:
            descriptor = self.held.pop(0)
            self.late.add(len(self.written))
            os.write(descriptor, self.line())
            os.close(descriptor)

    def drain(self, *, committed: bool) -> None:
        batch = spool.read(self.folder, self.cursor)
        assert batch.garbled == ()
        if committed:
            self.recorded += numbers(batch)
            self.cursor = batch.cursor

    def tidy(self, *, settled: bool, killed_at: int | None) -> None:
        if self.cursor is None:
            return
        while settled and self.held:
            self.let_go()
        steps = 0

        def step(real: Callable[..., None]) -> Callable[..., None]:
            def stepped(*args: object) -> None:
                nonlocal steps
                if steps == killed_at:
                    raise Killed
                steps += 1
                real(*args)

            return stepped

        def commit(cursor: Cursor) -> None:
            self.cursor = cursor

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(spool, "ROTATE_AT", 60)
            patch.setattr(spool, "_SETTLE", -1.0 if settled else 1e9)
            patch.setattr(os, "rename", step(os.rename))
            patch.setattr(os, "unlink", step(os.unlink))
            try:
                spool.tidy(self.folder, self.cursor, step(commit))
            except Killed:
                return

    def end(self) -> None:
        while self.held:
            self.let_go()
        for _ in range(4):
            self.drain(committed=True)
            self.tidy(settled=False, killed_at=None)
        self.drain(committed=True)


steps = st.one_of(
    st.sampled_from(["append", "append", "append", "hold", "let_go", "read", "drain"]),
    st.tuples(st.booleans(), st.none() | st.integers(0, 6)),
)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(steps, max_size=60))
def test_each_line_is_recorded_exactly_once(
    tmp_path_factory: pytest.TempPathFactory, script: list[str | tuple[bool, int | None]]
) -> None:
    world = World(str(tmp_path_factory.mktemp("world") / "spool"))
    for step in script:
        if step == "read":
            world.drain(committed=False)  # killed before its journal was synced
        elif step == "drain":
            world.drain(committed=True)
        elif isinstance(step, str):
            getattr(world, step)()
        else:
            world.tidy(settled=step[0], killed_at=step[1])
    world.end()
    assert sorted(world.recorded) == world.written
    in_time = [number for number in world.recorded if number not in world.late]
    assert in_time == sorted(in_time)


def test_a_line_is_found_whole_and_where_it_is_one_of_the_newest(tmp_path: Path) -> None:
    folder = str(tmp_path / "spool")
    one = HookEvent("pre-push", 7, "a", "main-worktree", None, ("origin", "url", "a\n"), 1)
    assert not spool.holds(folder, one)
    spool.append(folder, one._replace(ppid=17), sync=False)
    assert not spool.holds(folder, one)
    spool.append(folder, one, sync=False)
    assert spool.holds(folder, one)
    for _ in range(2):
        spool.append(folder, one._replace(ppid=8, fields=("origin", "url", "b" * spool.ROTATE_AT)), sync=False)
    assert not spool.holds(folder, one)
