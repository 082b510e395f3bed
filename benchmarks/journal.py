"""The journal itself: appends, size, one record read, every byte verified.

The yardstick of an append is the same records as JSON lines, written and synced as often. The yardstick of
the size is `mgit-hooks export`.
"""

from __future__ import annotations

import json
import os
import random
import time
from collections.abc import Callable, Mapping, Sequence

import replays
import timing

from mgit_hooks.journal import reader
from mgit_hooks.journal.database import open_index
from mgit_hooks.journal.verify import verify
from mgit_hooks.journal.writer import appender
from mgit_hooks.record import Record


def main() -> None:
    parser = timing.options(__doc__, rounds=7)
    parser.add_argument("--batch", type=int, default=64, metavar="N", help="records a sync (default: 64)")
    args = parser.parse_args()
    rounds = 1 if args.quick else args.rounds
    with timing.scratch() as folder:
        env = timing.environment(folder)
        name, path = next(replays.histories(folder, env, quick=args.quick))
        timing.run((*timing.MGIT, "backfill", "-q", "-C", path), env)
        mgit_dir = os.path.join(path, ".git", "mgit")
        journal_dir = os.path.join(mgit_dir, "journal")
        records = [record for stored in reader.records(journal_dir) if (record := stored.record()) is not None]
        print(f"{len(records)} records of the history '{name}', {args.batch} a sync")
        _appends(folder, records, rounds, args.batch)
        _size(folder, path, journal_dir, env)
        _reads(mgit_dir, journal_dir, 20 if args.quick else 2000)
        _verify(journal_dir, rounds)


def _appends(folder: str, records: Sequence[Record], rounds: int, batch: int) -> None:
    payloads = [record.encode() for record in records]

    def append(encoded: Callable[[int, int], list[bytes]], journal_dir: str) -> float:
        with appender(journal_dir, _never_adopted) as journal:
            began = time.perf_counter()
            for start in range(0, len(records), batch):
                journal.append(encoded(start, start + batch))
                journal.sync()
            return time.perf_counter() - began

    def json_lines() -> float:
        with open(os.path.join(folder, "lines"), "wb", buffering=0) as file:
            began = time.perf_counter()
            for start in range(0, len(records), batch):
                file.write(b"".join(json.dumps(r.payload()).encode() + b"\n" for r in records[start : start + batch]))
                os.fsync(file.fileno())
            return time.perf_counter() - began

    counter = iter(range(1 << 30))

    def fresh() -> str:
        return os.path.join(folder, f"journal{next(counter)}")

    took = timing.interleave(
        {
            "whole": lambda: append(lambda a, b: [record.encode() for record in records[a:b]], fresh()),
            "encoded": lambda: append(lambda a, b: payloads[a:b], fresh()),
            "lines": json_lines,
        },
        rounds,
    )
    timing.say(
        "append with JSON encoding", _rates(len(records), took["whole"]), " records/s", digits=0, reach=">= 25,000"
    )
    timing.say(
        "append of encoded bytes", _rates(len(records), took["encoded"]), " records/s", digits=0, reach=">= 100,000"
    )
    timing.say_ratio("append with JSON encoding / JSON lines, synced as often", took["whole"], took["lines"])


def _never_adopted(journal: str, last_seq: int, head: str) -> bytes:
    raise AssertionError("a journal that was just made is at home")


def _rates(count: int, seconds: Sequence[float]) -> list[float]:
    return [count / each for each in seconds]


def _size(folder: str, path: str, journal_dir: str, env: Mapping[str, str]) -> None:
    lines = os.path.join(folder, "export")
    timing.run((*timing.MGIT, "export", "-C", path), env, output=lines)
    size = _segments(journal_dir)
    timing.say("journal", [size / 1e6], " MB")
    timing.say("its JSON lines", [os.path.getsize(lines) / 1e6], " MB")
    timing.say_ratio("journal / its JSON lines", [size], [os.path.getsize(lines)], "<= 0.15, sealed and compacted")


def _segments(journal_dir: str) -> int:
    return sum(entry.stat().st_size for entry in os.scandir(journal_dir) if entry.name.endswith(".seg"))


def _reads(mgit_dir: str, journal_dir: str, count: int) -> None:
    rng = random.Random(1)
    seconds = []
    with open_index(mgit_dir, journal_dir) as index:
        last = index.count()
        for _ in range(count):
            seq = rng.randint(1, last)
            began = time.perf_counter()
            row = index.by_seq(seq)
            assert row is not None
            index.read(row).record()
            seconds.append(time.perf_counter() - began)
    timing.say("one record found, read and decoded", timing.milliseconds(seconds), " ms", reach="< 1 ms")


def _verify(journal_dir: str, rounds: int) -> None:
    speeds = []
    for _ in range(rounds):
        began = time.perf_counter()
        assert verify(journal_dir).is_clean
        speeds.append(_segments(journal_dir) / 1e6 / (time.perf_counter() - began))
    timing.say("verify, of the journal's own bytes", speeds, " MB/s", digits=1)


if __name__ == "__main__":
    main()
