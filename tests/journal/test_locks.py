"""Locks that someone left, deleted or replaced, and many writers at once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from reliability import Tally

from journal.making import adopted, append, records, small
from mgit_hooks.errors import JournalError
from mgit_hooks.journal import writer
from mgit_hooks.journal.verify import verify

_WRITER = """
import sys
sys.path[:0] = {path!r}
from mgit_hooks.journal import writer
writer.SEGMENT_TARGET = 50_000
for number in range({times}):
    with writer.appender({journal!r}, lambda *_: b"adopted") as made:
        done = made.append([b"%s %d" % ({name!r}, number)])
        made.sync()
    print(done[0].seq, flush=True)
"""

_HOLDER = """
import sys, time
sys.path[:0] = {path!r}
from mgit_hooks.journal import writer
with writer.appender({journal!r}, lambda *_: b"adopted") as made:
    print("held", flush=True)
    sys.stdin.readline()
    made.append([b"by the first"])
    made.sync()
print("done", flush=True)
"""


def started(code: str, **values: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", code.format(path=sys.path, **values)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def at_once(journal: str, processes: int, times: int, tally: Tally) -> None:
    """What each process was told is on file, under the number that it was told, and nothing else is."""
    running = [started(_WRITER, journal=journal, name=b"writer %d" % n, times=times) for n in range(processes)]
    told: dict[int, bytes] = {}
    for number, process in enumerate(running):
        out, error = process.communicate(timeout=500)
        assert process.returncode == 0, error
        seqs = [int(line) for line in out.split()]
        assert len(seqs) == times
        assert not told.keys() & set(seqs)
        told |= {seq: b"writer %d %d" % (number, time) for time, seq in enumerate(seqs)}
    read = {stored.seq: stored.payload for stored in records(journal)}
    tally.cases += processes * times
    tally.lost += [f"{seq}" for seq in told if seq not in read]
    tally.false += [f"{seq}" for seq in read if read[seq] != told.get(seq)]
    report = verify(journal)
    assert report.is_clean
    assert report.records == report.head_seq == processes * times


def test_ten_writers_at_once(tmp_path: Path, tally: Tally) -> None:
    at_once(str(tmp_path / "mgit" / "journal"), 10, 10, tally)
    tally.check()


@pytest.mark.full
def test_a_hundred_writers_at_once(tmp_path: Path, tally: Tally) -> None:
    at_once(str(tmp_path / "mgit" / "journal"), 100, 100, tally)
    tally.check()


def test_the_lock_of_a_killed_writer_holds_nobody_up(tmp_path: Path) -> None:
    journal = small(tmp_path, 10)
    holder = started(_HOLDER, journal=journal)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert os.path.exists(os.path.join(journal, "lock"))
    before = time.monotonic()
    append(journal, [b"next"])
    assert time.monotonic() - before < 5
    assert verify(journal).is_clean


@pytest.mark.parametrize("left", [b"", b"4711\n", bytes(10_000)])
def test_what_stands_in_a_lock_file_means_nothing(tmp_path: Path, left: bytes) -> None:
    journal = small(tmp_path, 10)
    Path(journal, "lock").write_bytes(left)
    (done,) = append(journal, [b"next"])
    assert done.seq == 11


def deleted(path: str) -> None:
    os.unlink(path)


def replaced(path: str) -> None:
    Path(f"{path}.fresh").touch()
    os.replace(f"{path}.fresh", path)


def written_to(path: str) -> None:
    Path(path).write_bytes(b"somebody else's")


def second_writer(journal: str, harm: Callable[[str], None]) -> tuple[int, list[bytes | None]]:
    """A writer that begins while another holds the journal, whose lock file was harmed; its seq, and all payloads."""
    holder = started(_HOLDER, journal=journal)
    assert holder.stdout is not None
    assert holder.stdin is not None
    assert holder.stdout.readline() == "held\n"
    harm(os.path.join(journal, "lock"))
    second = started(_WRITER, journal=journal, name=b"the second", times=1)
    time.sleep(1.0)  # long enough to get in, if it could
    holder.stdin.write("\n")
    holder.stdin.close()
    assert holder.stdout.readline() == "done\n"
    out, error = second.communicate(timeout=100)
    assert second.returncode == 0, error
    holder.wait()
    return int(out), [stored.payload for stored in records(journal)]


@pytest.mark.parametrize("harm", [deleted, replaced, written_to])
def test_a_lock_file_that_is_lost_while_held_lets_nobody_in(tmp_path: Path, harm: Callable[[str], None]) -> None:
    journal = small(tmp_path, 10)
    seq, payloads = second_writer(journal, harm)
    assert (seq, payloads[10:]) == (12, [b"by the first", b"the second 0"])
    assert verify(journal).is_clean


def test_a_writer_waits_no_longer_than_it_is_told_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mgit_hooks import lock

    journal = small(tmp_path, 10)
    with writer.appender(journal, adopted):
        os.unlink(os.path.join(journal, "lock"))
        with pytest.raises(JournalError, match="in use"), lock.journal(journal, wait=0.2):
            pass
