"""The journal itself: appends, size, one record read, every byte verified.

The yardstick of an append is the same records as JSON lines, written and synced as often; that of verify, a bare
pass over the same bytes; that of the size, `mgit-hooks export`.
"""

from __future__ import annotations

import json
import os
import random
import struct
import time
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256

import google_crc32c
import replays
import snappy
import timing

from mgit_hooks.compress import SNAPPY, decompress
from mgit_hooks.encoding import encode, expect_many
from mgit_hooks.journal import reader
from mgit_hooks.journal.database import open_index
from mgit_hooks.journal.verify import verify
from mgit_hooks.journal.writer import appender
from mgit_hooks.record import Record


def main() -> None:
    parser = timing.options(__doc__, rounds=7)
    parser.add_argument("--batches", default="64,1024", metavar="N,…", help="records a sync (default: 64,1024)")
    args = parser.parse_args()
    rounds = 1 if args.quick else args.rounds
    with timing.scratch() as folder:
        env = timing.environment(folder)
        name, path = next(replays.histories(folder, env, quick=args.quick))
        timing.run((*timing.MGIT, "backfill", "-q", "-C", path), env)
        mgit_dir = os.path.join(path, ".git", "mgit")
        journal_dir = os.path.join(mgit_dir, "journal")
        records = [record for stored in reader.records(journal_dir) if (record := stored.record()) is not None]
        mean = sum(len(encode(record)) for record in records) / len(records)
        print(f"{len(records)} records of the history '{name}', {mean:.0f} bytes each")
        for batch in map(int, args.batches.split(",")):
            _appends(folder, records, rounds, batch)
        _size(folder, path, journal_dir, env)
        _verify(journal_dir, rounds, "as appended")
        _compact(path, journal_dir, env)
        _size(folder, path, journal_dir, env, reach="<= 0.15")
        _reads(mgit_dir, journal_dir, 20 if args.quick else 2000)
        _verify(journal_dir, rounds, "compacted")


def _appends(folder: str, records: Sequence[Record], rounds: int, batch: int) -> None:
    expect_many()
    payloads = [encode(record) for record in records]

    def append(encoded: Callable[[int, int], list[bytes]], journal_dir: str) -> timing.Cost:
        with appender(journal_dir, _never_adopted) as journal:
            began = _clocks()
            for start in range(0, len(records), batch):
                journal.append(encoded(start, start + batch))
                journal.sync()
            return _since(began)

    def json_lines() -> timing.Cost:
        with open(os.path.join(folder, "lines"), "wb", buffering=0) as file:
            began = _clocks()
            for start in range(0, len(records), batch):
                file.write(b"".join(json.dumps(r.payload()).encode() + b"\n" for r in records[start : start + batch]))
                os.fsync(file.fileno())
            return _since(began)

    counter = iter(range(1 << 30))

    def fresh() -> str:
        return os.path.join(folder, f"journal{batch}-{next(counter)}")

    took = timing.interleave(
        {
            "whole": lambda: append(lambda a, b: [encode(record) for record in records[a:b]], fresh()),
            "encoded": lambda: append(lambda a, b: payloads[a:b], fresh()),
            "lines": json_lines,
        },
        rounds,
    )
    print(f"{batch} records a sync")
    for what, variant, reach in (
        ("append with JSON encoding", "whole", ">= 25,000"),
        ("append of encoded bytes", "encoded", ">= 100,000"),
    ):
        rates = [len(records) / cost.seconds for cost in took[variant]]
        timing.say(what, rates, " records/s", digits=0, reach=reach)
        # What the disk is waited for left out, and most of what others do on the machine.
        rates = [len(records) / cost.processor for cost in took[variant]]
        timing.say(f"{what}, processor time", rates, " records/s", digits=0)
    lines = timing.walls(took["lines"])
    timing.say_ratio("append with JSON encoding / JSON lines, synced as often", timing.walls(took["whole"]), lines)


def _clocks() -> tuple[float, float]:
    return time.perf_counter(), time.process_time()


def _since(began: tuple[float, float]) -> timing.Cost:
    return timing.Cost(time.perf_counter() - began[0], time.process_time() - began[1], 0)


def _never_adopted(journal: str, last_seq: int, head: str) -> bytes:
    raise AssertionError("a journal that was just made is at home")


def _size(folder: str, path: str, journal_dir: str, env: Mapping[str, str], reach: str = "") -> None:
    lines = os.path.join(folder, "export")
    timing.run((*timing.MGIT, "export", "-C", path), env, output=lines)
    size = _segments(journal_dir)
    timing.say("journal", [size / 1e6], " MB")
    timing.say("its JSON lines", [os.path.getsize(lines) / 1e6], " MB")
    timing.say_ratio("journal / its JSON lines", [size], [os.path.getsize(lines)], reach)


def _compact(path: str, journal_dir: str, env: Mapping[str, str]) -> None:
    size = _segments(journal_dir)
    took = timing.run((*timing.MGIT, "compact", "--all", "-q", "-C", path), env)
    timing.say("compact --all, of the bytes as they were appended", [size / 1e6 / took.seconds], " MB/s")


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


def _verify(journal_dir: str, rounds: int, state: str) -> None:
    def timed(task: Callable[[], bool]) -> timing.Cost:
        began = _clocks()
        assert task()
        return _since(began)

    own = reader.journal_ids(journal_dir)[-1]
    head = verify(journal_dir).head_id
    took = timing.interleave(
        {
            "verify": lambda: timed(lambda: verify(journal_dir).is_clean),
            "bare": lambda: timed(lambda: _bare_pass(journal_dir, own).hex() == head),
        },
        rounds,
    )
    rates = [_segments(journal_dir) / 1e6 / cost.seconds for cost in took["verify"]]
    timing.say(f"verify, {state}, of the journal's own bytes", rates, " MB/s", digits=1)
    timing.say_ratios(f"verify, {state} / a bare pass over the same bytes", took["verify"], took["bare"], "<= 3")


_HEADER = struct.Struct("<8xBBHIIQ32sI")
_ENTRY = struct.Struct("<IB")
_CHAIN = struct.Struct("<QI")


def _bare_pass(journal_dir: str, journal: bytes) -> bytes:
    """Read, checksum, decompress and hash all that verify does, and judge nothing; the chain's head.

    Good only for a journal that is whole and of which nothing was erased, masked or adopted.
    """
    head = bytes(32)
    for name in sorted(name for name in os.listdir(journal_dir) if name.endswith(".seg")):
        descriptor = os.open(os.path.join(journal_dir, name), os.O_RDONLY)
        data = os.read(descriptor, os.fstat(descriptor).st_size)
        os.close(descriptor)
        at = 0
        while at < len(data):
            kind, codec, count, stored, raw_length, seq, _, checksum = _HEADER.unpack_from(data, at)
            body = data[at + 64 : at + 64 + stored]
            assert google_crc32c.extend(google_crc32c.value(journal + data[at : at + 60]), body) == checksum
            at += 64 + stored
            if kind == 2:
                raw = snappy.decompress(body) if codec == SNAPPY else decompress(body, codec, raw_length)
                place = 17 if raw[0] else 1
                for number in range(seq, seq + count):
                    length, _ = _ENTRY.unpack_from(raw, place)
                    end = place + 21 + length
                    digest = sha256(raw[place + 5 : end]).digest()
                    head = sha256(head + _CHAIN.pack(number, length) + digest).digest()
                    place = end
    return head


if __name__ == "__main__":
    main()
