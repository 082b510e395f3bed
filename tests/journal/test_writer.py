"""Appending: one writer at a time, all or nothing of a frame, and nothing reported is ever lost."""

from __future__ import annotations

import os
import random
import resource
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from reliability import Tally

from journal.making import adopted, append, frames, payloads, quarantined, records, segment_bytes, small
from mgit_hooks.errors import JournalError
from mgit_hooks.journal import blockformat, format, identity, reader, segment, writer
from mgit_hooks.journal.format import BLOCK, CURSOR, FOOTER, SEGMENT, Cursor, footer_info, segment_info
from mgit_hooks.journal.segment import segment_names
from mgit_hooks.journal.verify import verify


@pytest.fixture
def journal(tmp_path: Path) -> str:
    return str(tmp_path / "mgit" / "journal")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(
            st.lists(st.binary(max_size=50), max_size=70),
            st.none() | st.builds(Cursor, st.just(1), st.integers(0, 99)),
        ),
        max_size=6,
    ),
    st.integers(100, 3000),
)
def test_what_was_appended_is_what_is_read(
    tmp_path: Path, batches: list[tuple[list[bytes], Cursor | None]], target: int
) -> None:
    journal = str(tmp_path / "mgit" / "journal")
    shutil.rmtree(tmp_path / "mgit", ignore_errors=True)
    expected: list[bytes] = []
    newest = None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(writer, "SEGMENT_TARGET", target)
        for batch, cursor in batches:
            done = append(journal, batch, cursor)
            assert [item.seq for item in done] == list(range(len(expected) + 1, len(expected) + len(batch) + 1))
            expected += batch
            newest = cursor or newest
    assert [stored.payload for stored in records(journal)] == expected
    assert reader.last_cursor(journal) == newest
    report = verify(journal)
    assert report.is_clean
    assert report.records == len(expected)


@pytest.mark.parametrize("size", [0, 1, blockformat.BLOCK_TARGET, blockformat.BLOCK_TARGET + 1, 9 * 1024 * 1024])
def test_a_record_of_any_size_between_others(journal: str, size: int) -> None:
    data = [b"before", os.urandom(size), b"after"]
    append(journal, data)
    append(journal, [b"later"])
    assert [stored.payload for stored in records(journal)] == [*data, b"later"]
    assert verify(journal).is_clean


def test_a_block_holds_64_records_or_a_mebibyte(journal: str) -> None:
    append(journal, [b"x"] * 130)
    append(journal, [bytes(400_000)] * 5)
    blocks = [item.frame for item in frames(journal) if item.frame.kind == BLOCK]
    assert [frame.records for frame in blocks] == [64, 64, 2, 2, 2, 1]
    assert all(frame.raw_length <= blockformat.BLOCK_TARGET + 200 for frame in blocks)


def test_a_record_over_the_limit_is_refused_and_those_before_stand(
    journal: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "MAX_PAYLOAD", 1000)
    append(journal, [b"first"])
    with pytest.raises(JournalError, match="1001 bytes"):
        append(journal, [b"small", bytes(1001)])
    append(journal, [b"next"])
    assert records(journal)[-1].payload == b"next"
    assert verify(journal).is_clean


def test_the_cursor_counts_only_with_the_last_of_its_records(journal: str) -> None:
    append(journal, [b"x"] * 100, Cursor(1, 500))
    first, second = (item for item in frames(journal) if item.frame.kind == BLOCK)
    assert blockformat.frame_cursor(first.frame) is None
    assert blockformat.frame_cursor(second.frame) == Cursor(1, 500)


def test_a_full_segment_is_sealed_and_the_next_goes_on(tmp_path: Path) -> None:
    journal = small(tmp_path, 40)
    names = segment_names(journal)
    assert len(names) > 2
    next_seq, head = 1, format.GENESIS
    for number, name in enumerate(names, 1):
        items = [item.frame for item in frames(journal, name)]
        assert items[0].kind == SEGMENT
        assert segment_info(items[0]).number == number
        assert (items[0].first_seq, items[0].previous) == (next_seq, head)
        if number > 1:
            assert items[1].kind == CURSOR
        if name != names[-1]:
            assert items[-1].kind == FOOTER
            footer = footer_info(items[-1])
            assert footer.records == footer.last_seq - next_seq + 1
            next_seq, head = footer.last_seq + 1, items[-1].previous
    assert records(journal)[next_seq - 2].id == head


def test_a_writer_goes_on_where_the_last_one_stopped_without_its_hint(journal: str) -> None:
    append(journal, [b"a"], Cursor(1, 5))
    os.unlink(os.path.join(journal, "head"))
    with writer.appender(journal, adopted) as again:
        assert (again.next_seq, again.cursor) == (2, Cursor(1, 5))
        again.append([b"b"])
        again.sync()
    assert [stored.payload for stored in records(journal)] == [b"a", b"b"]
    assert verify(journal).is_clean


def test_a_hint_that_lags_behind_is_read_on_from(journal: str) -> None:
    append(journal, [b"a"])
    hint = Path(journal, "head").read_bytes()
    append(journal, [b"b", b"c"], Cursor(4, 4))
    Path(journal, "head").write_bytes(hint)
    (done,) = append(journal, [b"d"])
    assert done.seq == 4
    assert reader.last_cursor(journal) == Cursor(4, 4)
    assert verify(journal).is_clean


def test_the_lost_identity_is_written_anew(journal: str) -> None:
    append(journal, [b"a"])
    before = identity.read(journal)
    os.unlink(os.path.join(journal, "identity"))
    append(journal, [b"b"])
    assert identity.read(journal) == before
    assert verify(journal).is_clean


def test_what_a_crash_leaves_of_a_new_segment_is_begun_again(journal: str) -> None:
    append(journal, [b"a"])
    with writer.appender(journal, adopted) as made:
        made._seal()
    header = format.pack_frame(
        format.segment_frame(format.SegmentInfo(1, made.journal, 2, 0), made.next_seq, made.head), made.journal
    )
    for length in range(len(header) + 1):
        Path(journal, "00000002.seg").write_bytes(header[:length])
        assert verify(journal).is_clean
    for length in (0, 1, 63, 80, len(header)):
        Path(journal, "00000002.seg").write_bytes(header[:length])
        with writer.appender(journal, adopted) as again:
            assert again.next_seq == 2
    append(journal, [b"b"])
    assert [stored.payload for stored in records(journal)] == [b"a", b"b"]
    assert verify(journal).is_clean


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_files_are_for_the_owner_alone(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        journal = small(tmp_path, 30)
        with open(os.path.join(journal, segment_names(journal)[-1]), "ab") as file:
            file.write(b"\x93MG")
        append(journal, [b"moves the torn tail"])
    finally:
        os.umask(before)
    assert quarantined(journal)
    for folder, _, files in os.walk(tmp_path / "mgit"):
        assert stat.S_IMODE(os.stat(folder).st_mode) == 0o700
        for name in files:
            assert stat.S_IMODE(os.stat(os.path.join(folder, name)).st_mode) == 0o600, name


# Copies


def test_a_copied_folder_goes_on_under_an_id_of_its_own(tmp_path: Path) -> None:
    journal = small(tmp_path / "one", 10)
    before, own = records(journal), identity.read(journal)
    assert own is not None
    subprocess.run(["cp", "-a", str(tmp_path / "one"), str(tmp_path / "two")], check=True)
    copy = str(tmp_path / "two" / "mgit" / "journal")
    append(copy, [b"in the copy"])
    read = records(copy)
    assert read[:10] == before
    assert read[10].payload == adopted(own.journal.hex(), 10, before[-1].id.hex())
    assert read[11].payload == b"in the copy"
    now = identity.read(copy)
    assert now is not None
    assert now.at_home
    assert now.journal != own.journal
    assert now.lineage == (own.journal, now.journal)
    assert verify(copy).is_clean
    append(copy, [b"once only"])
    assert len(records(copy)) == 13
    append(journal, [b"in the first"])
    assert records(journal)[:10] == before
    assert verify(journal).is_clean
    # From here on the two are strangers to each other.
    shutil.copy(os.path.join(copy, segment_names(copy)[-1]), os.path.join(journal, "00000090.seg"))
    assert len(records(journal)) == 11


def test_a_moved_folder_stays_itself(tmp_path: Path) -> None:
    journal = small(tmp_path / "one", 10)
    own = identity.read(journal)
    os.rename(tmp_path / "one", tmp_path / "two")
    moved = str(tmp_path / "two" / "mgit" / "journal")
    append(moved, [b"after"])
    assert identity.read(moved) == own
    assert len(records(moved)) == 11


def test_a_copy_killed_while_it_adopts_itself_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = small(tmp_path / "one", 10)
    before = records(journal)
    steps = ["_seal", "_open_segment", "append", "sync"]
    for step in steps:
        shutil.copytree(tmp_path / "one", tmp_path / step)
        copy = str(tmp_path / step / "mgit" / "journal")
        for when in ("before", "after"):
            real = getattr(writer.Appender, step)

            def killed(self, *args, _real=real, _when=when, **named):  # type: ignore[no-untyped-def]
                if _when == "after":
                    _real(self, *args, **named)
                raise KeyboardInterrupt

            with monkeypatch.context() as patch:
                patch.setattr(writer.Appender, step, killed)
                with pytest.raises(KeyboardInterrupt):
                    append(copy, [b"never"])
            assert verify(copy).is_clean, (step, when)
            assert records(copy)[:10] == before
        append(copy, [b"at last"])
        assert records(copy)[-1].payload == b"at last"
        assert verify(copy).is_clean
        now = identity.read(copy)
        assert now is not None
        assert now.at_home


# Full disks


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KiB; where we may not mount one, the test is passed over."""
    place = tmp_path / "disk"
    place.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k,mode=0700", "none", str(place)], capture_output=True)
    if done.returncode:
        pytest.skip("mounting a small file system takes root")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_full_disk_is_a_clear_error_and_leaves_the_journal_whole(tiny_disk: Path) -> None:
    journal = str(tiny_disk / "mgit" / "journal")
    reported: list[bytes] = []

    def fill() -> None:
        for number in range(1000):
            payload = os.urandom(random.Random(number).randrange(1, 3000))
            append(journal, [payload])
            reported.append(payload)

    with pytest.raises(JournalError) as raised:
        fill()
    assert "No space left" in raised.value.message
    assert raised.value.remedy
    assert len(reported) > 10
    for _ in range(3):  # and again, on the full disk
        with pytest.raises(JournalError):
            append(journal, [os.urandom(9000)])
    read = [stored.payload for stored in records(journal)]
    assert read[: len(reported)] == reported
    assert verify(journal).is_clean
    subprocess.run(["mount", "-o", "remount,size=1m", str(tiny_disk)], check=True)
    append(journal, [b"room again"])
    assert records(journal)[-1].payload == b"room again"
    assert verify(journal).is_clean


def test_a_write_that_fails_halfway_is_taken_back(journal: str) -> None:
    """With a limit on the file's size the kernel writes a part of the frame, then fails."""
    append(journal, [b"first"])
    size = os.path.getsize(os.path.join(journal, "00000001.seg"))
    before = segment_bytes(journal)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        with writer.appender(journal, adopted) as made:
            resource.setrlimit(resource.RLIMIT_FSIZE, (size + 1000, limits[1]))
            with pytest.raises(JournalError, match="00000001"):
                made.append([os.urandom(5000)])
            made.append([b"fits"])
            made.sync()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert segment_bytes(journal)["00000001.seg"].startswith(before["00000001.seg"])
    assert [stored.payload for stored in records(journal)] == [b"first", b"fits"]
    assert verify(journal).is_clean


def test_after_a_failed_sync_the_writer_takes_nothing_more(journal: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(descriptor: int) -> None:
        raise OSError(5, "Input/output error")

    with writer.appender(journal, adopted) as made:
        made.append([b"lost or not"])
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", fails)
            with pytest.raises(JournalError, match="Input/output error"):
                made.sync()
        with pytest.raises(JournalError, match="failure of the disk"):
            made.append([b"more"])
    append(journal, [b"by the next one"])
    assert [stored.payload for stored in records(journal)] == [b"lost or not", b"by the next one"]


# Several processes

_CHILD = """
import sys
sys.path[:0] = {path!r}
from mgit_hooks.journal import writer
from mgit_hooks.journal.format import Cursor
writer.SEGMENT_TARGET = {target}
journal, name, count = {journal!r}, {name!r}, {count}
number = 0
while number != count:
    with writer.appender(journal, lambda *_: b"adopted") as made:
        for _ in range(3):
            made.append([b"%s %d %d" % (name.encode(), number, part) + bytes(part * 40) for part in range(5)])
        made.append((), Cursor(1, number + 1))
        made.sync()
    print(number, flush=True)
    number += 1
"""


def child(journal: str, name: str, count: int, target: int = 20_000) -> subprocess.Popen[str]:
    code = _CHILD.format(path=sys.path, target=target, journal=journal, name=name, count=count)
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_four_processes_at_once_lose_nothing(journal: str) -> None:
    children = [child(journal, f"writer{number}", 12) for number in range(4)]
    for one in children:
        out, error = one.communicate(timeout=120)
        assert one.returncode == 0, error
        assert len(out.split()) == 12
    report = verify(journal)
    assert report.is_clean
    assert report.records == 4 * 12 * 15
    assert report.segments > 1
    read = [(stored.payload or b"").rstrip(b"\0") for stored in records(journal)]
    for number in range(4):
        mine = [payload for payload in read if payload.startswith(b"writer%d" % number)]
        assert mine == [
            b"writer%d %d %d" % (number, turn, part) for turn in range(12) for _ in range(3) for part in range(5)
        ]


def kill_rounds(journal: str, rounds: int, seed: int) -> None:
    dice = random.Random(seed)
    reported: list[str] = []
    for round in range(rounds):
        one = child(journal, f"r{round}", -1, target=3000)
        assert one.stdout is not None
        first = one.stdout.readline()  # it has begun
        assert first == "0\n", one.communicate()
        time.sleep(dice.random() * 0.02)
        one.kill()
        out, _ = one.communicate()
        told = [0, *map(int, out.split("\n")[:-1])]
        reported += [f"r{round} {number} {part}" for number in told for _ in range(3) for part in range(5)]
        assert verify(journal).is_clean, round
        read = [(stored.payload or b"").rstrip(b"\0").decode() for stored in records(journal)]
        rest = iter(read)
        assert all(item in rest for item in reported), round
        cursor = reader.last_cursor(journal)
        assert cursor is not None
        assert cursor.offset >= told[-1] + 1
    append(journal, payloads(5))
    report = verify(journal)
    assert report.is_clean
    assert report.torn_tail is None
    assert report.records == report.head_seq


def test_a_writer_killed_at_any_time_loses_nothing_that_it_reported(journal: str) -> None:
    kill_rounds(journal, 25, seed=1)


@pytest.mark.full
@pytest.mark.parametrize("seed", range(10))
def test_a_writer_killed_many_times(journal: str, seed: int, tally: Tally) -> None:
    kill_rounds(journal, 100, seed)
    tally.cases += 100


# Growth


def test_an_append_and_a_look_at_the_newest_open_no_more_of_many_segments_than_of_few(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = []
    for count in (30, 300):
        journal = small(tmp_path / str(count), count)
        opened: list[str] = []
        real = segment.open_to_read

        def noted(path: str, *, opened: list[str] = opened, real: Callable[[str], BinaryIO] = real) -> BinaryIO:
            opened.append(os.path.basename(path))
            return real(path)

        with monkeypatch.context() as patch:
            patch.setattr(segment, "open_to_read", noted)
            append(journal, [b"one more"])
            ids = reader.journal_ids(journal)
        own = identity.read(journal)
        assert own is not None
        assert ids == list(own.lineage)
        assert set(opened) == {segment_names(journal)[-1]}
        counts.append(len(opened))
        assert len(segment_names(journal)) >= count / 15
    assert counts[0] == counts[1]


def test_a_segment_that_was_cut_off_after_its_header_still_tells_the_cursor(tmp_path: Path) -> None:
    """Killed between the two frames that open a segment: else the drain would read the spool again."""
    journal = small(tmp_path, 30)
    with writer.appender(journal, adopted) as writing:
        writing.append((), Cursor(7, 700))
        writing.roll()
    newest = segment_names(journal)[-1]
    header, cursor = frames(journal, newest)
    os.truncate(os.path.join(journal, newest), header.end)
    os.unlink(os.path.join(journal, "head"))
    assert cursor.frame.kind == CURSOR
    with writer.appender(journal, adopted) as writing:
        assert writing.cursor == Cursor(7, 700)
        writing.append([b"1"])
        writing.sync()
    assert reader.last_cursor(journal) == Cursor(7, 700)
    os.unlink(os.path.join(journal, "head"))
    with writer.appender(journal, adopted) as writing:
        assert writing.cursor == Cursor(7, 700)
    assert verify(journal).is_clean
