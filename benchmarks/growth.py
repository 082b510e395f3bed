"""A journal that has grown large: what each command takes of time and of memory, and how little `log` reads.

The records are those of no repository, of the size that a commit of two files has. Each step is a process of its
own. The yardstick of memory is 150 MiB, whatever the number of records. Last comes a journal that loses nearly all of
its records, all of commits that git still has.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from hashlib import sha1
from itertools import islice

import timing

from mgit_hooks import cli
from mgit_hooks.encoding import encode, expect_many
from mgit_hooks.journal.segment import headers, segment_names
from mgit_hooks.journal.writer import appender
from mgit_hooks.record import Commit, FileChange, Gate, Oid, Record, Validation

_LIMIT = 150 * 1024  # KiB
_DATE = "2024-01-01T00:00:00+00:00"
_CHUNK = 1024
_PASSES = 5
_END = 8192  # bytes that are left at either end of a segment


def main() -> None:
    parser = timing.options(__doc__, rounds=1)
    parser.add_argument("--records", type=int, default=1_000_000, metavar="N", help="default: 1,000,000")
    parser.add_argument("--lost", type=int, default=300_000, metavar="N", help="commits to lose; default: 300,000")
    parser.add_argument("--step", nargs=2, metavar=("STEP", "DIR"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    count = 2000 if args.quick else args.records
    if args.step:
        _STEPS[args.step[0]](args.step[1], count)
        return
    with timing.scratch() as folder:
        env = timing.environment(folder)
        path = os.path.join(folder, "repository")
        timing.run(("git", "init", "-q", path), env)
        _grow(folder, path, count, env)
        _lose(os.path.join(folder, "loser"), 2000 if args.quick else args.lost, env)


def _step(count: int, env: Mapping[str, str], name: str, command: tuple[str, ...], *, output: str = os.devnull) -> None:
    cost = timing.run(command, env, output=output)
    rate = f"{count / cost.seconds:,.0f} records/s"
    print(f"{name:<40} {cost.seconds:8.2f} s, {rate:>20}, {cost.peak / 1024:6.1f} MiB at most", flush=True)
    timing.say_ratio(f"peak memory of {name} / 150 MiB", [cost.peak], [_LIMIT], "<= 1")


def _grow(folder: str, path: str, count: int, env: Mapping[str, str]) -> None:
    step = partial(_step, count, env)

    def own(name: str, directory: str) -> tuple[str, ...]:
        return (sys.executable, os.path.abspath(__file__), "--records", str(count), "--step", name, directory)

    journal_dir = os.path.join(path, ".git", "mgit", "journal")
    step("append", own("append", journal_dir))
    names = segment_names(journal_dir)
    size = sum(os.path.getsize(os.path.join(journal_dir, name)) for name in names)
    print(f"{count:,} records of {_mean():.0f} bytes, {len(names)} segments, {size / 1e6:,.0f} MB")
    _headers("as they were written", journal_dir, count)
    # Its drain finds a repository that it has not seen before, and says so in a record.
    step("the first log, which makes the index", (*timing.MGIT, "log", "-n", "20", "-C", path))
    step("verify", (*timing.MGIT, "verify", "-C", path))
    lines = os.path.join(folder, "lines")
    step("export", (*timing.MGIT, "export", "-C", path), output=lines)
    with open(lines, "rb") as exported:
        assert sum(1 for _ in exported) == count + 1
    os.unlink(lines)
    said = os.path.join(folder, "said")
    step("log -n 20", own("log", path), output=said)
    with open(said, encoding="ascii") as file:
        read = int(file.read())
    print(f"log -n 20 reads {read:,} bytes, its own code included")
    timing.say_ratio("bytes that log -n 20 reads / the journal", [read], [size])
    _damage(os.path.join(journal_dir, names[len(names) // 2]))
    index = os.path.join(path, ".git", "mgit", "index.sqlite")
    os.rename(index, os.path.join(folder, "index"))
    step("repair --dry-run without an index", _dry_run(path))
    os.rename(os.path.join(folder, "index"), index)
    step("repair", (*timing.MGIT, "repair", "-C", path))
    step("verify once repaired", (*timing.MGIT, "verify", "-C", path))
    alone = os.path.join(folder, "alone")
    timing.run(own("alone", alone), env)
    _headers("each in a frame of its own", alone, count)


def _lose(path: str, count: int, env: Mapping[str, str]) -> None:
    """A journal of ``count`` commits with nothing left but both ends of each segment; then without an index too."""
    timing.run(("git", "init", "-q", path), env)
    with open(f"{path}.stream", "wb") as stream:
        stream.writelines(_commits(count))
    timing.run(("sh", "-c", 'git -C "$1" fast-import --quiet <"$2"', "sh", path, stream.name), env)
    timing.run((*timing.MGIT, "backfill", "-C", path), env)
    timing.run((*timing.MGIT, "log", "-n", "1", "-C", path), env)  # makes the index, which knows what is lost then
    journal_dir = os.path.join(path, ".git", "mgit", "journal")
    for name in segment_names(journal_dir):
        with open(os.path.join(journal_dir, name), "r+b") as file:
            size = os.fstat(file.fileno()).st_size
            file.seek(_END)
            file.write(bytes(max(size - 2 * _END, 0)))
    unindexed = f"{path}-unindexed"
    shutil.copytree(path, unindexed, symlinks=True)
    os.unlink(os.path.join(unindexed, ".git", "mgit", "index.sqlite"))
    for what, where in (("", path), (", and the index", unindexed)):
        _step(count, env, f"repair --dry-run, {count:,} lost{what}", _dry_run(where))
        _step(count, env, f"repair, {count:,} lost{what}", (*timing.MGIT, "repair", "-C", where))
        timing.run((*timing.MGIT, "verify", "-C", where), env)


def _dry_run(path: str) -> tuple[str, ...]:
    """It ends with 1 where there is something to repair."""
    return ("sh", "-c", '"$@"; test $? = 1', "sh", *timing.MGIT, "repair", "--dry-run", "-C", path)


# Steps in a process of their own


def _append(journal_dir: str, count: int) -> None:
    _write(journal_dir, count, _CHUNK)


def _append_alone(journal_dir: str, count: int) -> None:
    _write(journal_dir, count, 1)


def _write(journal_dir: str, count: int, group: int) -> None:
    expect_many()
    records = _records(count)
    with appender(journal_dir, _never_adopted) as journal:
        while chunk := [encode(record) for record in islice(records, _CHUNK)]:
            for start in range(0, len(chunk), group):
                journal.append(chunk[start : start + group])
            journal.sync()


def _log(path: str, _: int) -> None:
    """`log -n 20`, and then how many bytes it had the system read, of files of every kind."""
    real = os.dup(1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    before = _read_so_far()
    if cli.main(["log", "-n", "20", "-C", path]):
        raise SystemExit("log failed")
    os.write(real, b"%d\n" % (_read_so_far() - before))


def _read_so_far() -> int:
    with open("/proc/self/io", encoding="ascii") as file:
        return int(file.readline().split()[1])  # rchar: what every read gave, from the cache of pages too


_STEPS: dict[str, Callable[[str, int], None]] = {"append": _append, "alone": _append_alone, "log": _log}


# Records


def _records(count: int) -> Iterator[Record]:
    for number in range(count):
        author = f"author{number % 500}"
        commit = Commit(
            _hash(number), (_hash(number - 1),), _hash(-number), author, f"{author}@example.org", _DATE,
            author, f"{author}@example.org", _DATE,
            f"Change number {number}\n\nWith two lines that say why, which is\nwhat a message is for.\n",
            (_change(f"src/part{number % 97}/file{number % 997}.c", number), _change("docs/changes.md", -number)),
        )  # fmt: skip
        yield Record(
            "import", "backfill", _DATE, _DATE, "commit", "bench", None, None, Gate("none", "not made here"),
            Validation("standard", True), commit=commit,
        )  # fmt: skip


def _commits(count: int) -> Iterator[bytes]:
    """A history for git fast-import, in which each commit changes one of fifty files."""
    for number in range(count):
        who = b"Ada <ada@example.org> %d +0000" % (1_500_000_000 + number)
        message = b"Change number %d\n\nWith a line that says why.\n" % number
        yield b"commit refs/heads/main\nmark :%d\nauthor %b\ncommitter %b\n" % (number + 1, who, who)
        yield b"data %d\n%b" % (len(message), message)
        yield b"from :%d\n" % number if number else b""
        yield b"M 100644 inline file%d\ndata 8\n%08d\n" % (number % 50, number)


def _change(name: str, number: int) -> FileChange:
    oids = (_hash(3 * number + 1), _hash(3 * number + 2))
    return FileChange(name, None, "modified", "M", ".", "100644", "100644", *oids, 1200, 7, 3, False)


def _hash(number: int) -> Oid:
    return Oid(sha1(str(number).encode(), usedforsecurity=False).hexdigest())


def _mean() -> float:
    encoded = [encode(record) for record in _records(1000)]
    return sum(map(len, encoded)) / len(encoded)


def _never_adopted(journal: str, last_seq: int, head: str) -> bytes:
    raise AssertionError("a journal that was just made is at home")


# What is measured in this process


def _headers(what: str, journal_dir: str, count: int) -> None:
    seconds = []
    for _ in range(_PASSES):
        began = time.perf_counter()
        found = frames = 0
        for name in segment_names(journal_dir):
            for claim in headers(journal_dir, name):
                frames += 1
                found += claim.records
        seconds.append(time.perf_counter() - began)
        assert found == count
    timing.say(f"headers of {count:,} records, {what}: {frames:,} frames", seconds, " s", reach="<= 1 s")


def _damage(path: str) -> None:
    """One byte in the middle of the segment: it costs the block that it is in."""
    with open(path, "r+b") as file:
        file.seek(os.path.getsize(path) // 2)
        byte = file.read(1)[0]
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes((byte ^ 1,)))


if __name__ == "__main__":
    main()
