"""A segment that is swapped: the old one or the new one, whatever is killed, fails or reads meanwhile."""

from __future__ import annotations

import errno
import os
import resource
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from reliability import Tally

from journal.making import append, frames, records, segment_bytes, small
from journal.test_compaction import compact, large, roll
from mgit_hooks.errors import DamageError, JournalError
from mgit_hooks.journal import blockformat, compaction, format, reader, swap
from mgit_hooks.journal.format import BLOCK, Frame, segment_info
from mgit_hooks.journal.reader import Block
from mgit_hooks.journal.segment import segment_names
from mgit_hooks.journal.verify import verify
from mgit_hooks.lock import exclusive

# What changes a file; of ``open`` and ``create`` only what may make or empty one.
CHANGES = ("open", "write", "fchmod", "fsync", "replace", "rename", "unlink", "truncate", "ftruncate")


def on_each_change(act: Callable[[int, Callable[[], object]], None]) -> None:
    """``act(number, cut)`` before each call of this process that changes a file, numbered from 1.

    A write has two numbers: before the second, ``cut`` writes half of it.
    """
    number = 0

    def counting(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*args: Any, **options: Any) -> Any:
            nonlocal number
            if name != "open" or args[1] & os.O_CREAT:
                number += 1
                act(number, lambda: None)
            if name == "write":
                number += 1
                act(number, lambda: call(args[0], args[1][: len(args[1]) // 2]))
            return call(*args, **options)

        return counted

    for name in CHANGES:
        setattr(os, name, counting(name, getattr(os, name)))


def killed_at(step: int, work: Callable[[], object]) -> bool:
    """Do ``work`` in a process that is killed before its ``step``-th change to a file; was it?"""
    child = os.fork()
    if child == 0:

        def act(number: int, cut: Callable[[], object]) -> None:
            if number == step:
                cut()
                os.kill(os.getpid(), signal.SIGKILL)

        on_each_change(act)
        try:
            work()
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


class Case:
    """A journal, and what its segments may be: as they were, or compacted."""

    def __init__(self, path: Path, make: Callable[[Path], str]) -> None:
        self._template = make(path / "template")
        self.before = records(self._template)
        self.old = segment_bytes(self._template)
        done = str(path / "done" / "mgit" / "journal")
        shutil.copytree(self._template, done)
        compact(done)
        self.new = segment_bytes(done)
        assert self.new != self.old
        self._path = path

    def fresh(self) -> str:
        journal = str(self._path / "work" / "mgit" / "journal")
        shutil.rmtree(self._path / "work", ignore_errors=True)
        shutil.copytree(self._template, journal)
        return journal

    def judge(self, journal: str, what: str, tally: Tally) -> None:
        """After whatever happened: each segment old or new, no record less, and the next run ends the work."""
        tally.cases += 1
        now = segment_bytes(journal)
        if now.keys() != self.old.keys() or any(now[name] not in (self.old[name], self.new[name]) for name in self.old):
            tally.lost.append(f"{what}: a segment is neither the old one nor the new one")
        elif records(journal) != self.before or not verify(journal).is_clean:
            tally.lost.append(f"{what}: not the records that were there")
        else:
            compact(journal)
            if segment_bytes(journal) != self.new or list(Path(journal).glob("*.new")):
                tally.lost.append(f"{what}: the next run did not end it")


def kill_everywhere(case: Case, tally: Tally) -> None:
    step, killed = 0, True
    while killed:
        step += 1
        journal = case.fresh()
        killed = killed_at(step, lambda: compact(journal))  # noqa: B023
        case.judge(journal, f"killed before change {step}", tally)
    assert step > 10 * (len(case.old) - 1)


def test_killed_before_each_change_it_is_the_old_one_or_the_new_one(tmp_path: Path, tally: Tally) -> None:
    kill_everywhere(Case(tmp_path, lambda path: small(path, 36)), tally)
    tally.check()


@pytest.mark.full
def test_killed_before_each_change_of_a_large_compaction(tmp_path: Path, tally: Tally) -> None:
    kill_everywhere(Case(tmp_path, lambda path: large(path, 1200, target=8000)), tally)
    tally.check()


def _in_place(journal_dir: str, old: swap.Source) -> None:
    """A planted bug: the segment is written over."""
    path = os.path.join(journal_dir, old.name)
    with open(f"{path}.new", "rb") as file:
        data = file.read()
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.write(descriptor, data)
    os.close(descriptor)
    os.unlink(f"{path}.new")


def _unlink_first(journal_dir: str, old: swap.Source) -> None:
    """A planted bug: neither is there for a moment."""
    path = os.path.join(journal_dir, old.name)
    os.unlink(path)
    os.rename(f"{path}.new", path)


@pytest.mark.parametrize("bug", [_in_place, _unlink_first])
def test_the_kills_find_a_swap_that_is_not_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bug: Callable[..., None]
) -> None:
    case, tally = Case(tmp_path, lambda path: small(path, 36)), Tally()
    monkeypatch.setattr(swap, "put_in_place", bug)
    kill_everywhere(case, tally)
    assert tally.lost


def test_the_roll_of_the_newest_may_be_killed_anywhere(tmp_path: Path, tally: Tally) -> None:
    template = small(tmp_path / "template", 20, target=10**6)
    before = records(template)
    step, killed = 0, True
    while killed:
        step += 1
        shutil.rmtree(tmp_path / "work", ignore_errors=True)
        shutil.copytree(tmp_path / "template", tmp_path / "work")
        journal = str(tmp_path / "work" / "mgit" / "journal")
        # the copy adopts itself on the way, which is a roll of its own
        killed = killed_at(step, lambda: roll(journal))  # noqa: B023
        tally.cases += 1
        roll(journal)
        compact(journal)
        (done,) = append(journal, [b"after"])
        now = records(journal)
        if now[: len(before)] != before or not verify(journal).is_clean or now[-1].seq != done.seq:
            tally.lost.append(f"killed before change {step}")
    assert step > 10
    tally.check()


# The system fails


def faults(case: Case, tally: Tally, error: int) -> None:
    """Every call that changes a file fails once, each in a run of its own."""
    step, failed = 0, True
    while failed:
        step += 1
        journal = case.fresh()
        kept = {name: getattr(os, name) for name in CHANGES}
        failed = False

        def act(number: int, cut: Callable[[], object]) -> None:
            nonlocal failed
            if number == step:  # noqa: B023
                failed = True
                cut()
                raise OSError(error, os.strerror(error))

        told = False
        on_each_change(act)
        try:
            compact(journal)
        except (JournalError, OSError):
            told = True
        finally:
            for name, call in kept.items():
                setattr(os, name, call)
        if failed and not told:
            tally.silent.append(f"{os.strerror(error)} at change {step}")
        case.judge(journal, f"{os.strerror(error)} at change {step}", tally)


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO, errno.EDQUOT, errno.EROFS])
def test_a_system_that_fails_leaves_the_old_one_or_the_new_one(tmp_path: Path, tally: Tally, error: int) -> None:
    faults(Case(tmp_path, lambda path: small(path, 36)), tally, error)
    assert tally.cases > 20
    tally.check()


def test_the_faults_find_a_failed_fsync_that_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    case, tally = Case(tmp_path, lambda path: small(path, 36)), Tally()

    def careless(path: str) -> None:
        try:
            os.fsync(descriptor := os.open(path, os.O_RDONLY))
            os.close(descriptor)
        except OSError:
            pass

    monkeypatch.setattr(swap, "sync_directory", careless)
    faults(case, tally, errno.EIO)
    assert tally.silent


@pytest.mark.parametrize("size", [0, 1, 64, 100, 400])
def test_a_disk_that_takes_no_more(tmp_path: Path, tally: Tally, size: int) -> None:
    """The kernel's own refusal, in the middle of a write; SIGXFSZ is as far as Python is concerned ignored."""
    case = Case(tmp_path, lambda path: small(path, 36))
    journal = case.fresh()
    child = os.fork()
    if child == 0:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
        try:
            compact(journal)
        except JournalError as error:
            os._exit(3 if "cannot write 00000001.seg.new" in error.message else 4)
        finally:
            os._exit(5)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 3
    assert segment_bytes(journal) == case.old
    assert not list(Path(journal).glob("*.new"))
    case.judge(journal, f"no more than {size} bytes", tally)
    tally.check()


def test_it_is_synced_before_it_is_put_in_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = small(tmp_path, 30, target=1500)
    name = segment_names(journal)[0]
    told: list[str] = []
    real = {each: getattr(os, each) for each in ("fsync", "replace", "write")}

    def name_of(descriptor: int) -> str:
        return os.path.basename(os.readlink(f"/proc/self/fd/{descriptor}"))

    monkeypatch.setattr(os, "write", lambda fd, data: (told.append(f"write {name_of(fd)}"), real["write"](fd, data))[1])
    monkeypatch.setattr(os, "fsync", lambda fd: (told.append(f"sync {name_of(fd)}"), real["fsync"](fd))[1])
    monkeypatch.setattr(os, "replace", lambda a, b: (told.append(f"to {os.path.basename(b)}"), real["replace"](a, b)))
    compaction.compact_segment(journal, name, reader.journal_ids(journal))
    assert [each for each in told if not each.startswith("write")] == [f"sync {name}.new", f"to {name}", "sync journal"]
    assert told.index(f"sync {name}.new") == told.count(f"write {name}.new")


# What is written is held against what was there


def _forged(frame: Frame) -> Frame:
    entries = [entry._replace(payload=b"x" + (entry.payload or b"")[1:]) for entry in blockformat.block_entries(frame)]
    return blockformat.block_frame(entries, frame.first_seq, frame.previous, blockformat.frame_cursor(frame), 2)


def _salted(frame: Frame) -> Frame:
    entries = [entry._replace(salt=bytes(16)) for entry in blockformat.block_entries(frame)]
    return blockformat.block_frame(entries, frame.first_seq, frame.previous, blockformat.frame_cursor(frame), 2)


def _shorter(frame: Frame) -> Frame:
    cursor = blockformat.frame_cursor(frame)
    return blockformat.block_frame(blockformat.block_entries(frame)[:-1], frame.first_seq, frame.previous, cursor, 2)


def _without_cursor(frame: Frame) -> Frame:
    return blockformat.block_frame(blockformat.block_entries(frame), frame.first_seq, frame.previous, None, 2)


def _elsewhere(frame: Frame) -> Frame:
    return frame._replace(first_seq=frame.first_seq + 1)


def _other_chain(frame: Frame) -> Frame:
    return frame._replace(previous=format.ChainId(bytes(32)[:-1] + b"\1"))


WRONG = [_forged, _salted, _shorter, _without_cursor, _elsewhere, _other_chain, lambda frame: frame._replace(body=b"")]


@pytest.mark.parametrize("wrong", WRONG)
def test_a_rewrite_that_says_something_else_is_never_put_in_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: Callable[[Frame], Frame]
) -> None:
    journal = small(tmp_path, 60)
    before = segment_bytes(journal)
    right = compaction._repacked

    def broken(*args: Any) -> Iterator[Frame]:
        for frame in right(*args):
            yield wrong(frame) if frame.kind == BLOCK else frame

    monkeypatch.setattr(compaction, "_repacked", broken)
    with pytest.raises(JournalError, match="was not rewritten"):
        compact(journal)
    assert segment_bytes(journal) == before
    assert not list(Path(journal).glob("*.new"))


@pytest.mark.parametrize("kind", [format.SEGMENT, format.BLOCK, format.FOOTER])
def test_a_rewrite_that_leaves_something_out_is_never_put_in_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: int
) -> None:
    journal = small(tmp_path, 60)
    before = segment_bytes(journal)
    right = compaction._repacked
    monkeypatch.setattr(compaction, "_repacked", lambda *args: (frame for frame in right(*args) if frame.kind != kind))
    with pytest.raises(JournalError, match="was not rewritten"):
        compact(journal)
    assert segment_bytes(journal) == before


def test_what_the_disk_did_not_keep_is_never_put_in_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = small(tmp_path, 60)
    before = segment_bytes(journal)
    right = swap.write_new

    def flipped(*args: Any) -> str:
        name = right(*args)
        path = Path(journal, name)
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
        return name

    monkeypatch.setattr(swap, "write_new", flipped)
    with pytest.raises(JournalError, match="was not rewritten"):
        compact(journal)
    assert segment_bytes(journal) == before


def test_erasure_may_take_the_payloads_that_it_names_and_no_other(tmp_path: Path) -> None:
    journal = small(tmp_path, 60)
    name = segment_names(journal)[0]
    own = segment_info(frames(journal, name)[0].frame).journal
    seqs = [stored.seq for stored in records(journal)]

    def erased(*gone: int) -> Iterator[Frame]:
        for item in frames(journal, name):
            if item.frame.kind != BLOCK:
                yield item.frame
                continue
            block = reader.open_block(item)
            entries = [
                entry._replace(payload=None, salt=None) if seq in gone else entry
                for seq, entry in enumerate(block.entries, block.first_seq)
            ]
            yield blockformat.block_frame(
                entries, block.first_seq, block.previous, blockformat.frame_cursor(item.frame), 1
            )

    old = swap.source(journal, name)

    def rewrite(gone: tuple[int, ...], named: set[int]) -> None:
        swap.swap(journal, old, erased(*gone), own, lambda new: swap.require_same(journal, name, new, [own], named))

    for gone, named in (((2,), {3}), ((2, 3), {2}), ((), {2}), ((2,), set[int]())):
        with pytest.raises(JournalError, match=r"record [23] would not be the same"):
            rewrite(gone, named)
    rewrite((2, 3), {2, 3})
    assert [stored.seq for stored in records(journal)] == seqs
    assert [stored.seq for stored in records(journal) if stored.payload is None] == [2, 3]


def test_a_segment_that_changed_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    journal = small(tmp_path, 60)
    name = segment_names(journal)[0]
    old = swap.source(journal, name)
    data = segment_bytes(journal)[name]
    own = segment_info(frames(journal, name)[0].frame).journal

    def change(new: str) -> None:
        Path(journal, name).write_bytes(data + b"!")

    with pytest.raises(JournalError, match="changed by another process"):
        swap.swap(journal, old, [item.frame for item in frames(journal, name)], own, change)
    assert segment_bytes(journal)[name] == data + b"!"
    assert not list(Path(journal).glob("*.new"))


def test_a_segment_that_became_the_newest_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    journal = small(tmp_path, 60)
    *_, name, newest = segment_names(journal)
    old = swap.source(journal, name)
    os.unlink(os.path.join(journal, newest))
    with pytest.raises(JournalError, match="newest segment"):
        swap.put_in_place(journal, old)


def test_while_another_process_appends_the_swap_waits_for_its_moment(tmp_path: Path) -> None:
    journal = small(tmp_path, 60)
    before = segment_bytes(journal)
    name = segment_names(journal)[0]
    own = segment_info(frames(journal, name)[0].frame).journal
    new = [item.frame for item in frames(journal, name)]
    old = swap.source(journal, name)
    with exclusive(os.path.join(journal, "lock"), wait=0.0):
        with pytest.raises(JournalError, match="in use"):
            swap.swap(journal, old, new, own, lambda _: None, wait=0.05)
        assert segment_bytes(journal) == before
        done = threading.Thread(target=lambda: swap.swap(journal, old, new, own, lambda _: None))
        done.start()
        done.join(0.1)
        assert done.is_alive()
    done.join(10)
    assert os.stat(os.path.join(journal, name)).st_ino != old.inode


def test_a_link_in_the_place_of_the_new_file_is_not_followed(tmp_path: Path) -> None:
    journal = small(tmp_path, 60)
    precious = tmp_path / "precious"
    precious.write_text("not ours")
    Path(journal, "00000001.seg.new").symlink_to(precious)
    with pytest.raises(JournalError, match=r"cannot write 00000001\.seg\.new"):
        compact(journal)
    assert precious.read_text() == "not ours"


def test_the_new_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    journal = small(tmp_path, 60)
    left = Path(journal, "00000001.seg.new")
    left.write_bytes(b"left by a kill" * 1000)
    left.chmod(0o644)
    compact(journal)
    assert {path.stat().st_mode & 0o777 for path in Path(journal).glob("*.seg")} == {0o600}


# Readers


def test_a_reader_in_the_middle_of_the_journal_gets_every_record_once(tmp_path: Path) -> None:
    template = small(tmp_path / "template", 60)
    before = records(template)
    count = sum(1 for _ in reader.blocks(template))
    for pause in range(1, count):
        shutil.rmtree(tmp_path / "work", ignore_errors=True)
        shutil.copytree(tmp_path / "template", tmp_path / "work")
        journal = str(tmp_path / "work" / "mgit" / "journal")
        reading = reader.blocks(journal)
        got = [next(reading) for _ in range(pause)]
        assert compact(journal).done
        got += reading
        assert all(isinstance(block, Block) for block in got)
        assert [stored for block in got if isinstance(block, Block) for stored in block.stored()] == before


def test_an_offset_from_before_gives_damage_or_a_true_record(tmp_path: Path) -> None:
    journal = small(tmp_path, 200, target=3000)
    true = {stored.seq: stored for stored in records(journal)}
    places = [(block.segment, block.offset) for block in reader.blocks(journal) if isinstance(block, Block)]
    compact(journal)
    ids = reader.journal_ids(journal)
    missed = 0
    for name, offset in places:
        try:
            block = reader.block_at(journal, name, offset, ids)
        except DamageError:
            missed += 1
        else:
            assert all(stored == true[stored.seq] for stored in block.stored())
    assert 0 < missed < len(places)


def test_no_offset_at_all_gives_a_false_record(tmp_path: Path) -> None:
    journal = small(tmp_path, 60)
    compact(journal)
    true = {stored.seq: stored for stored in records(journal)}
    ids = reader.journal_ids(journal)
    found = 0
    for name in segment_names(journal):
        for offset in range(os.path.getsize(os.path.join(journal, name)) + 1):
            try:
                block = reader.block_at(journal, name, offset, ids)
            except DamageError:
                continue
            found += 1
            assert all(stored == true[stored.seq] for stored in block.stored())
    assert found == sum(1 for _ in reader.blocks(journal))


READER = """
import sys
from mgit_hooks.journal import reader
from mgit_hooks.journal.verify import verify
journal, count = sys.argv[1], int(sys.argv[2])
rounds = 0
print("reading", flush=True)
while not sys.stdin.closed:
    assert [stored.seq for stored in reader.records(journal)] == list(range(1, count + 1))
    assert verify(journal).is_clean
    rounds += 1
    import select
    if select.select([sys.stdin], [], [], 0)[0]:
        break
print(rounds)
"""


def test_processes_that_read_meanwhile_see_a_whole_journal(tmp_path: Path) -> None:
    journal = large(tmp_path, 2000, target=4000)
    assert len(segment_names(journal)) > 5
    program = [sys.executable, "-c", READER, journal, "2000"]
    readers = [subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    for each in readers:
        assert each.stdout is not None
        assert each.stdout.readline() == "reading\n"
    assert compact(journal).done
    for each in readers:
        out, _ = each.communicate("enough\n")
        assert each.returncode == 0
        assert int(out) >= 1
