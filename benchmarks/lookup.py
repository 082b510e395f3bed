"""Finding records among many, in process: by commit hash, by its beginning, by author.

The journal is made of records of no repository, of the size that small commits have.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from hashlib import sha1
from itertools import islice

import timing

from mgit_hooks.journal.database import open_index
from mgit_hooks.journal.index import Filter, Index
from mgit_hooks.journal.writer import appender
from mgit_hooks.record import Commit, FileChange, Gate, Oid, Record, Validation

_AUTHORS = 500
_DATE = "2024-01-01T00:00:00+00:00"


def main() -> None:
    parser = timing.options(__doc__, rounds=200)
    parser.add_argument("--records", type=int, default=100_000, metavar="N", help="default: 100,000")
    args = parser.parse_args()
    count, rounds = (200, 3) if args.quick else (args.records, args.rounds)
    with timing.scratch() as folder:
        journal_dir = f"{folder}/journal"
        began = time.perf_counter()
        _write(journal_dir, count)
        written = time.perf_counter()
        with open_index(folder, journal_dir) as index:
            indexed = time.perf_counter()
            timing.say(f"{count} records written", [count / (written - began)], " records/s", digits=0)
            timing.say(f"{count} records indexed anew", [count / (indexed - written)], " records/s", digits=0)
            _measure(index, count, rounds)


def _measure(index: Index, count: int, rounds: int) -> None:
    rng = random.Random(1)
    authors = min(count, _AUTHORS)
    searches: dict[str, Callable[[], object]] = {
        "hash": lambda: index.seq_of(_hash(rng.randrange(count))),
        "ten digits of a hash": lambda: index.by_prefix(_hash(rng.randrange(count))[:10]),
        "author, the newest 20": lambda: list(
            islice(index.newest(Filter(author=f"author{rng.randrange(authors)}@")), 20)
        ),
        "number": lambda: index.by_seq(rng.randint(1, count)),
    }
    for what, search in searches.items():
        seconds = []
        for _ in range(rounds):
            began = time.perf_counter()
            assert search()
            seconds.append(time.perf_counter() - began)
        limit = [0.001] * rounds
        timing.say(f"lookup by {what} among {count}", timing.milliseconds(seconds), " ms", digits=3)
        timing.say_ratio(f"lookup by {what} / one millisecond", seconds, limit, "<= 1.0")


def _write(journal_dir: str, count: int) -> None:
    def never(journal: str, last_seq: int, head: str) -> bytes:
        raise AssertionError("a journal that was just made is at home")

    with appender(journal_dir, never) as journal:
        records = _records(count)
        while chunk := [record.encode() for record in islice(records, 1024)]:
            journal.append(chunk)
        journal.sync()


def _records(count: int) -> Iterator[Record]:
    for number in range(count):
        author = f"author{number % _AUTHORS}"
        change = FileChange(
            f"src/file{number % 997}.c", None, "modified", "M", ".", "100644", "100644",
            _hash(-number - 1), _hash(-number - 2), 1200, 7, 3, False,
        )  # fmt: skip
        commit = Commit(
            _hash(number), (_hash(number - 1),), _hash(-number), author, f"{author}@example.org", _DATE,
            author, f"{author}@example.org", _DATE, f"Change number {number}\n", (change,),
        )  # fmt: skip
        yield Record(
            "import", "backfill", _DATE, _DATE, "commit", "bench", None, None, Gate("none", "not made here"),
            Validation("standard", True), commit=commit,
        )  # fmt: skip


def _hash(number: int) -> Oid:
    return Oid(sha1(str(number).encode(), usedforsecurity=False).hexdigest())


if __name__ == "__main__":
    main()
