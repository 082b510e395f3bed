"""What was reported is on the disk: a call that fails, anywhere, and a kernel that forgets what it could not write."""

from __future__ import annotations

import io
import os
import resource
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from journal.making import adopted, append, quarantined, records, segment_bytes
from mgit_hooks import files
from mgit_hooks.errors import JournalError
from mgit_hooks.journal import identity, segmentfile, writer
from mgit_hooks.journal.format import Cursor
from mgit_hooks.journal.segment import segment_names
from mgit_hooks.journal.verify import verify


@pytest.fixture
def journal(tmp_path: Path) -> str:
    return str(tmp_path / "mgit" / "journal")


class Disk:
    """What of each segment a power cut would leave, under a kernel that calls pages clean whose write failed.

    ``fails`` says of each call (its name, its number among all of them) whether it raises instead.
    """

    def __init__(self, patch: pytest.MonkeyPatch, fails: Callable[[str, int], bool] = lambda *_: False) -> None:
        self.held: dict[str, bytearray] = {}
        self.calls: list[str] = []
        self._dirty: dict[str, list[tuple[int, int]]] = {}
        self._fails = fails
        self._real = {name: getattr(os, name) for name in ("write", "fsync", "ftruncate")}
        for name in self._real:
            patch.setattr(os, name, getattr(self, name))

    def write(self, descriptor: int, data: bytes) -> int:
        self._call("write")
        status = os.fstat(descriptor)
        appends = _flags(descriptor) & os.O_APPEND
        at = status.st_size if appends else os.lseek(descriptor, 0, os.SEEK_CUR)
        written: int = self._real["write"](descriptor, data)
        self._dirty.setdefault(_path(descriptor), []).append((at, at + written))
        return written

    def fsync(self, descriptor: int) -> None:
        path = _path(descriptor)
        dirty = self._dirty.pop(path, [])
        self._call("fsync")
        self._real["fsync"](descriptor)
        if path.endswith(".seg"):
            data, held = Path(path).read_bytes(), self.held.setdefault(path, bytearray())
            held[len(data) :] = bytes(max(len(data) - len(held), 0))
            for start, end in dirty:
                held[start:end] = data[start:end]

    def ftruncate(self, descriptor: int, length: int) -> None:
        self._call("ftruncate")
        self._real["ftruncate"](descriptor, length)

    def _call(self, name: str) -> None:
        self.calls.append(name)
        if self._fails(name, len(self.calls)):
            raise OSError(5, "Input/output error")


def _path(descriptor: int) -> str:
    return os.readlink(f"/proc/self/fd/{descriptor}")


def _flags(descriptor: int) -> int:
    for line in Path(f"/proc/self/fdinfo/{descriptor}").read_text().splitlines():
        if line.startswith("flags:"):
            return int(line.split()[1], 8)
    raise AssertionError("Linux tells the flags of a descriptor")


def scenario(journal: str, reported: list[bytes]) -> None:
    """Several appends, through two writers and several segments; ``reported`` is what a sync has promised."""
    for turn in range(2):
        with writer.appender(journal, adopted) as made:
            for part in range(3):
                batch = [b"%d %d %d " % (turn, part, number) + os.urandom(60) for number in range(4)]
                made.append(batch, Cursor(1, 10 * turn + part))
                made.sync()
                reported += batch


@pytest.fixture(autouse=True)
def short_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "SEGMENT_TARGET", 400)


def failing(tmp_path: Path, times: int | None) -> Iterator[tuple[str, Disk, list[bytes]]]:
    """The scenario with each of its calls failing, ``times`` in a row; what is left each time."""
    with pytest.MonkeyPatch.context() as patch:
        disk = Disk(patch)
        scenario(str(tmp_path / "whole" / "mgit" / "journal"), [])
    assert disk.calls.count("fsync") > 20
    for number in range(1, len(disk.calls) + 1):
        journal = str(tmp_path / str(number) / "mgit" / "journal")
        reported: list[bytes] = []
        with pytest.MonkeyPatch.context() as patch:
            last = number + times if times else 1 << 30
            disk = Disk(patch, lambda _, at, first=number, last=last: first <= at < last)  # type: ignore[misc]
            with pytest.raises(JournalError) as raised:
                scenario(journal, reported)
            assert raised.value.remedy
            patch.undo()
            disk_now = Disk(patch)
            disk_now.held = disk.held
            yield journal, disk_now, reported


@pytest.mark.parametrize("times", [1, 2, None])
def test_any_call_may_fail_and_what_was_reported_is_on_the_disk(tmp_path: Path, times: int | None) -> None:
    ran = 0
    for journal, disk, reported in failing(tmp_path, times):
        append(journal, [b"afterwards"])
        read = [stored.payload for stored in records(journal)]
        assert read[: len(reported)] == reported
        assert read[-1] == b"afterwards"
        assert verify(journal).is_clean
        for name, data in segment_bytes(journal).items():
            assert disk.held[os.path.join(journal, name)] == data, (disk.calls, name)
        ran += 1
    assert ran > 40


def test_planted_a_writer_that_trusts_what_it_can_read_is_caught(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(segmentfile, "confirm", lambda *_: None)
    with pytest.raises(AssertionError, match="seg"):
        test_any_call_may_fail_and_what_was_reported_is_on_the_disk(tmp_path, 1)


@pytest.mark.parametrize("what", ["sync", "seal", "open", "folder"])
def test_after_a_failed_sync_of_anything_the_writer_takes_nothing_more(
    journal: str, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    append(journal, [b"first"])
    target = {"sync": 1, "seal": 1, "open": 2, "folder": 3}[what]
    with writer.appender(journal, adopted) as made:
        made.append([os.urandom(500)])
        count = iter(range(1, 100))
        real = os.fsync

        def fsync(descriptor: int) -> None:
            if next(count) == target:
                raise OSError(5, "Input/output error")
            real(descriptor)

        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", fsync)
            # The segment is full: an append seals it and opens the next.
            step: Callable[[], object] = made.sync if what == "sync" else lambda: made.append([b"next"])
            with pytest.raises(JournalError, match="Input/output error"):
                step()
        for again in (lambda: made.append([b"more"]), made.sync):
            with pytest.raises(JournalError, match="failure of the disk"):
                again()
    append(journal, [b"by the next one"])
    assert records(journal)[-1].payload == b"by the next one"
    assert verify(journal).is_clean


def test_what_cannot_be_taken_back_is_left_for_the_next_writer(journal: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "SEGMENT_TARGET", 1 << 20)
    append(journal, [b"first"])
    size = os.path.getsize(os.path.join(journal, "00000001.seg"))

    def fails(*_: object) -> None:
        raise OSError(5, "Input/output error")

    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        with writer.appender(journal, adopted) as made:
            resource.setrlimit(resource.RLIMIT_FSIZE, (size + 1000, limits[1]))
            with monkeypatch.context() as patch:
                patch.setattr(os, "ftruncate", fails)
                with pytest.raises(JournalError, match="File too large"):
                    made.append([os.urandom(5000)])
            with pytest.raises(JournalError, match="failure of the disk"):
                made.append([b"fits"])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert os.path.getsize(os.path.join(journal, "00000001.seg")) == size + 1000
    assert verify(journal).is_clean
    append(journal, [b"next"])
    assert [stored.payload for stored in records(journal)] == [b"first", b"next"]
    assert quarantined(journal) == [f"00000001-{size:010d}-torn-tail.bin"]
    assert verify(journal).is_clean


@pytest.mark.parametrize("most", [1, 7])
def test_a_system_that_takes_few_bytes_at_a_time(journal: str, monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    real = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: real(descriptor, data[:most]))
    reported: list[bytes] = []
    scenario(journal, reported)
    assert [stored.payload for stored in records(journal)] == reported
    assert identity.read_head(journal) is not None


def test_signals_come_in_between_and_nothing_is_cut_off(journal: str) -> None:
    came = 0

    def count(*_: object) -> None:
        nonlocal came
        came += 1

    before = signal.signal(signal.SIGALRM, count)
    signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
    reported: list[bytes] = []
    try:
        while came < 20:
            scenario(journal, reported)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert [stored.payload for stored in records(journal)] == reported
    assert verify(journal).is_clean


def test_whoever_is_interrupted_in_a_write_leaves_nothing_of_it(journal: str, monkeypatch: pytest.MonkeyPatch) -> None:
    append(journal, [b"first"])
    whole = segment_bytes(journal)
    real = os.write

    def interrupted(descriptor: int, data: bytes) -> int:
        real(descriptor, data[: len(data) // 2])
        raise KeyboardInterrupt

    with writer.appender(journal, adopted) as made:
        with monkeypatch.context() as patch:
            patch.setattr(os, "write", interrupted)
            with pytest.raises(KeyboardInterrupt):
                made.append([b"cut off"])
        assert segment_bytes(journal) == whole
        made.append([b"second"])
        made.sync()
    assert [stored.payload for stored in records(journal)] == [b"first", b"second"]


def test_a_system_that_takes_none_is_an_error_and_no_endless_loop(
    journal: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    append(journal, [b"first"])
    real = os.write
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", lambda descriptor, data: real(descriptor, data[:5]) if len(data) > 100 else 0)
        with pytest.raises(JournalError, match="takes no more bytes"):
            append(journal, [b"second"])
    append(journal, [b"third"])
    assert [stored.payload for stored in records(journal)] == [b"first", b"third"]


def test_a_segment_that_is_not_as_long_as_what_was_written_is_not_reported(
    journal: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    append(journal, [b"first"])
    with monkeypatch.context() as patch:
        patch.setattr(files, "write_all", lambda descriptor, data: None)
        patch.setattr(segmentfile, "write_all", lambda descriptor, data: None)
        with writer.appender(journal, adopted) as made:
            made.append([b"never written"])
            with pytest.raises(JournalError, match="not as long"):
                made.sync()
    append(journal, [b"second"])
    assert [stored.payload for stored in records(journal)] == [b"first", b"second"]


def test_a_new_journal_has_its_folders_on_the_disk_before_its_first_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[tuple[str, str]] = []
    real = {name: getattr(os, name) for name in ("fsync", "replace", "open")}

    def note(name: str, path: str) -> None:
        events.append((name, os.path.relpath(path, tmp_path)))

    def fsync(descriptor: int) -> None:
        note("fsync", _path(descriptor))
        real["fsync"](descriptor)

    def replace(old: str, new: str) -> None:
        note("replace", new)
        real["replace"](old, new)

    def opened(path: Any, flags: int, *rest: Any, **named: Any) -> int:
        if flags & os.O_EXCL:
            note("made", path)
        return int(real["open"](path, flags, *rest, **named))

    for name, fake in (("fsync", fsync), ("replace", replace), ("open", opened)):
        monkeypatch.setattr(os, name, fake)
    (tmp_path / ".git").mkdir()
    journal = str(tmp_path / ".git" / "mgit" / "journal")
    append(journal, [b"first"])
    folder = os.path.join(".git", "mgit", "journal")
    first = os.path.join(folder, "00000001.seg")
    assert events == [
        ("fsync", ".git"),
        ("fsync", os.path.join(".git", "mgit")),
        ("fsync", os.path.join(folder, "identity.new")),
        ("replace", os.path.join(folder, "identity")),
        ("fsync", folder),
        ("made", first),
        ("fsync", first),
        ("fsync", folder),
        ("fsync", first),
        ("replace", os.path.join(folder, "head")),
    ]


# The head


def test_the_head_is_written_over_in_place(journal: str) -> None:
    append(journal, [b"first"])
    path = Path(journal, "head")
    before = path.stat()
    for number in range(3):
        append(journal, [b"more"], Cursor(10**18, number))
        assert (path.stat().st_ino, path.stat().st_size) == (before.st_ino, 512)
        assert path.read_bytes().endswith(b" \n")
        head = identity.read_head(journal)
        assert head is not None
        assert (head.seq, head.cursor) == (number + 2, (10**18, number))
    assert oct(path.stat().st_mode) == "0o100600"


@pytest.mark.parametrize("place", ["none", "short", "long", "link", "hard link", "pipe", "read-only"])
def test_what_lies_in_the_heads_place_is_not_written_to(journal: str, tmp_path: Path, place: str) -> None:
    append(journal, [b"first"])
    path, other = Path(journal, "head"), tmp_path / "other"
    other.write_bytes(b"x" * 512)
    if place in ("short", "long"):
        path.write_bytes(b" " * (100 if place == "short" else 70_000))
    elif place == "read-only":
        path.chmod(0o400)
    else:
        path.unlink()
        if place == "link":
            path.symlink_to(other)
        elif place == "hard link":
            os.link(other, path)
        elif place == "pipe":
            os.mkfifo(path)
    append(journal, [b"second"])
    assert other.read_bytes() == b"x" * 512
    head = identity.read_head(journal)
    assert head is not None
    assert head.seq == 2
    assert path.stat().st_size == 512
    assert segment_names(journal) == ["00000001.seg"]


def test_a_head_that_is_read_while_it_is_written_is_read_again(journal: str, monkeypatch: pytest.MonkeyPatch) -> None:
    append(journal, [b"first"])
    whole = identity.read_head(journal)
    assert whole is not None
    data = Path(journal, "head").read_bytes()
    torn = iter([io.BytesIO(data[:50] + bytes(462))])
    real = identity.open_to_read
    monkeypatch.setattr(identity, "open_to_read", lambda path: next(torn, None) or real(path))
    assert identity.read_head(journal) == whole
