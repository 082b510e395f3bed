"""Finding records among many, in process: by hash, path, author, branch, event and time, and the newest of all.

The journal is made of records of no repository, of the size that small commits have. It is written by a process of its
own, so that the peak memory is that of making the index and of asking it.
"""

from __future__ import annotations

import os
import random
import resource
import sys
import time
from collections.abc import Callable, Iterator
from hashlib import sha1
from itertools import islice

import timing

from mgit_hooks import dates
from mgit_hooks.encoding import encode
from mgit_hooks.journal.database import open_index
from mgit_hooks.journal.index import Filter, Index
from mgit_hooks.journal.lineage import lineage
from mgit_hooks.journal.writer import appender
from mgit_hooks.record import Commit, FileChange, Gate, Oid, Record, Validation

_AUTHORS = 500
_FILES = 5000
_BRANCHES = 50
_BEGAN = 1_000_000_000
_APART = 600  # seconds from commit to commit
# One author is rare, and his records are old: a search for him must not pass all that came after.
_RARE = 4_000
_LATE = 0.1


def main() -> None:
    parser = timing.options(__doc__, rounds=200)
    parser.add_argument("--records", type=int, default=100_000, metavar="N", help="default: 100,000")
    parser.add_argument("--write", metavar="DIR", help="only write the journal, to DIR")
    args = parser.parse_args()
    count, rounds = (200, 3) if args.quick else (args.records, args.rounds)
    if args.write:
        _write(args.write, count)
        return
    with timing.scratch() as folder:
        journal_dir = f"{folder}/journal"
        writer = (sys.executable, __file__, "--records", str(count), "--write", journal_dir)
        cost = timing.run(writer, os.environ)
        timing.say(
            f"{count} records written, start of the process included", [count / cost.seconds], " records/s", digits=0
        )
        began, worked = time.perf_counter(), time.process_time()
        with open_index(folder, journal_dir) as index:
            elapsed, work = time.perf_counter() - began, time.process_time() - worked
            reach = ">= 60,000"
            timing.say(f"{count} records indexed anew", [count / elapsed], " records/s", digits=0, reach=reach)
            timing.say("the same, processor time", [count / work], " records/s", digits=0)
            _say_size(folder, journal_dir)
            _measure(index, count, rounds)
        _measure_opening(folder, journal_dir, min(rounds, 20))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        timing.say("peak memory", [peak], " MiB", digits=0, reach="<= 150")


def _say_size(folder: str, journal_dir: str) -> None:
    journal = sum(entry.stat().st_size for entry in os.scandir(journal_dir))
    index = os.path.getsize(os.path.join(folder, "index.sqlite"))
    timing.say("size of the index", [index / 1e6], " MB")
    timing.say("ratio index / journal", [index / journal], " x")


def _measure(index: Index, count: int, rounds: int) -> None:
    rng = random.Random(1)

    def newest(**wanted: object) -> list[object]:
        return list(islice(index.newest(Filter(**wanted)), 20))  # type: ignore[arg-type]

    def author() -> str:
        return f"author{rng.randrange(min(count, _AUTHORS))}@"

    def path() -> tuple[bytes]:
        return (_path(rng.randrange(min(count, _FILES))).encode(),)

    def week() -> dict[str, int]:
        began = _moment(rng.randrange(count))
        return {"since": began, "until": began + 7 * 86400}

    searches: dict[str, Callable[[], object]] = {
        "hash": lambda: index.seq_of(_hash(rng.randrange(count))),
        "ten digits of a hash": lambda: index.by_prefix(_hash(rng.randrange(count))[:10]),
        "what replaced it": lambda: index.replaced_by(_hash(rng.randrange(count // 10) * 10)),
        "what it replaced": lambda: index.replaces(_hash(rng.randrange(count // 10) * 10 + 3)),
        "whole life (three commits)": lambda: lineage(index, _hash(rng.randrange(count // 10) * 10)),
        "number": lambda: index.by_seq(rng.randint(1, count)),
        "path": lambda: newest(paths=path()),
        "folder": lambda: newest(paths=(path()[0].rpartition(b"/")[0],)),
        "author": lambda: newest(author=author()),
        "rare author": lambda: newest(author="rare person"),
        "part of every author's name": lambda: newest(author="example.org"),
        "branch": lambda: newest(branch=f"topic{rng.randrange(min(_BRANCHES, count // 10))}"),
        "event": lambda: newest(events=(rng.choice(("commit", "import")),)),
        "two events": lambda: newest(events=("import", "commit")),
        "a week": lambda: newest(**week()),
        "all until a time": lambda: newest(until=_moment(rng.randrange(count))),
        "all since a time": lambda: newest(since=_moment(rng.randrange(count))),
        "path and author": lambda: newest(paths=(b"src",), author=author()),
        "folder and event and time": lambda: newest(
            paths=(path()[0].rpartition(b"/")[0],), events=("commit", "import"), until=_moment(count)
        ),
        "nothing: the newest": lambda: list(islice(index.newest(), 20)),
    }
    for what, search in searches.items():
        _say_search(f"lookup by {what} among {count}", search, rounds, reach=True)
    records = "the newest 20 read, decoded"
    _say_search(records, lambda: [each.record() for each in index.read_many(islice(index.newest(), 20))], rounds)


def _measure_opening(folder: str, journal_dir: str, rounds: int) -> None:
    def opened() -> int:
        with open_index(folder, journal_dir) as index:
            return index.next_seq()

    _say_search("an index that is up to date, opened", opened, rounds)


def _say_search(what: str, search: Callable[[], object], rounds: int, *, reach: bool = False) -> None:
    seconds = []
    for _ in range(rounds):
        began = time.perf_counter()
        assert search()
        seconds.append(time.perf_counter() - began)
    timing.say(what, timing.milliseconds(seconds), " ms", digits=3)
    if reach:
        timing.say_ratio(f"{what} / one millisecond", seconds, [0.001] * rounds, "<= 1.0")


def _write(journal_dir: str, count: int) -> None:
    def never(journal: str, last_seq: int, head: str) -> bytes:
        raise AssertionError("a journal that was just made is at home")

    with appender(journal_dir, never) as journal:
        records = _records(count)
        while chunk := [encode(record) for record in islice(records, 1024)]:
            journal.append(chunk)
        journal.sync()


def _records(count: int) -> Iterator[Record]:
    for number in range(count):
        rare = number < count * _LATE and number % min(_RARE, count // 10) == 5
        author = "rare person" if rare else f"author{number % _AUTHORS}"
        date = dates.from_git(_moment(number), 0)
        made_here = number % 10 == 3
        change = FileChange(
            _path(number), None, "modified", "M", ".", "100644", "100644",
            _hash(-number - 1), _hash(-number - 2), 1200, 7, 3, False,
        )  # fmt: skip
        commit = Commit(
            _hash(number), (_hash(number - 1),), _hash(-number), author, f"{author}@example.org", date,
            author, f"{author}@example.org", date, f"Change number {number}\n", (change,),
        )  # fmt: skip
        yield Record(
            "commit" if made_here else "import", "backfill", date, date, "commit", "bench", None,
            f"topic{number // 10 % _BRANCHES}" if made_here else None, Gate("none", "not made here"),
            Validation("standard", True), commit=commit, replaces=_replaced(number) if made_here else None,
        )  # fmt: skip


def _replaced(number: int) -> tuple[Oid, ...]:
    """Each that was made here took the place of two, a squash."""
    return (_hash(number - 3), _hash(number - 2))


def _moment(number: int) -> int:
    return _BEGAN + _APART * number


def _path(number: int) -> str:
    file = number % _FILES
    return f"src/part{file % 97}/file{file}.c"


def _hash(number: int) -> Oid:
    return Oid(sha1(str(number).encode(), usedforsecurity=False).hexdigest())


if __name__ == "__main__":
    main()
