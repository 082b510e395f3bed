"""The five strategies of bulk work, each on the axis that it is named for, over three kinds of work.

Repositories: 200 small ones, each read as `diff` reads it. Histories: 24 files of JSON lines, of very different sizes,
compressed by the strategy's codec. Tiny: 10,000 items of a few microseconds. All in this process and its workers, so
without the start of an interpreter. The yardstick of two workers is the repositories read by two bare forks, which
nobody watches, against one: what the machine gives to two processes at all while other work is on it.
"""

from __future__ import annotations

import hashlib
import json
import os
import resource
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import timing

from mgit_hooks import bulk, codecs
from mgit_hooks.bulk import Plan
from mgit_hooks.changesets import working
from mgit_hooks.encoding import encode_json
from mgit_hooks.pipeline.optimization import OptimizationStrategy, Workload, plan, resource_limits


class Took(NamedTuple):
    """One run: seconds to the first outcome and to the last, of processors; ``memory``, the most bytes that the
    workers had of their own at once."""

    first: float
    seconds: float
    processor: float
    memory: int


class Work(NamedTuple):
    items: Sequence[Any]
    function: Callable[[Plan], Callable[[Any], Any]]


def main() -> None:
    args = timing.options(__doc__, rounds=7).parse_args()
    rounds, repositories, histories, tiny = (1, 6, 4, 100) if args.quick else (args.rounds, 200, 24, 10_000)
    with timing.scratch() as folder:
        os.environ.update(timing.environment(folder))
        paths = _repositories(folder, repositories)
        read(paths[0])  # loads what it needs before the workers are forked, as `diff` does
        works = {
            f"{repositories} repositories": Work(paths, lambda chosen: read),
            f"{histories} histories": Work(
                _histories(folder, histories), lambda chosen: partial(pack, codec=chosen.codec, quality=chosen.quality)
            ),
            f"{tiny:,} tiny": Work(range(tiny), lambda chosen: digest),
        }
        found = {name: _measured(work, rounds) for name, work in works.items()}
        bare = timing.interleave({"one": partial(_bare, paths, 1), "two": partial(_bare, paths, 2)}, rounds)
    many, uneven, small = found
    _say_latency(found[many], many)
    _say_latency(found[uneven], uneven)
    _say(found[many], many, "throughput", "items a second", "seconds", {"balanced": ">= 1.5"})
    timing.say_ratio(f"{many}, one bare fork / two", bare["one"], bare["two"])
    _say(found[small], small, "throughput", "items a second", "seconds")
    _say(found[uneven], uneven, "performance", "wall clock", "seconds")
    for name in (many, uneven):
        _say(found[name], name, "efficiency", "processor time", "processor")
        _say(found[name], name, "efficiency", "memory of the workers", "memory")


def _measured(work: Work, rounds: int) -> dict[str, list[Took]]:
    return timing.interleave({str(each): partial(_once, work, each) for each in OptimizationStrategy}, rounds)


def _once(work: Work, strategy: OptimizationStrategy) -> Took:
    chosen = plan(strategy, Workload(len(work.items)), resource_limits())
    first, memory = 0.0, 0
    looked = max(1, len(work.items) // 20)
    used, began = _processor(), time.perf_counter()
    for number, outcome in enumerate(bulk.run(work.items, work.function(chosen), chosen)):
        first = first or time.perf_counter() - began
        if outcome.error is not None:
            raise timing.Failed(f"{outcome.item}: {outcome.error}")
        if number % looked == looked - 1:
            memory = max(memory, sum(map(_own, _children())))
    return Took(first, time.perf_counter() - began, _processor() - used, memory)


def _say_latency(took: Mapping[str, Sequence[Took]], name: str) -> None:
    for strategy, each in took.items():
        timing.say(f"{name}, {strategy}: the first result", timing.milliseconds([one.first for one in each]), " ms")
    _say(took, name, "latency", "time to the first result", "first")


def _say(
    took: Mapping[str, Sequence[Took]],
    name: str,
    best: str,
    axis: str,
    field: str,
    reach: Mapping[str, str] | None = None,
) -> None:
    """How many times as good the strategy is on its axis as each of the others."""
    under = [getattr(each, field) for each in took[best]]
    for strategy, others in took.items():
        if strategy != best:
            over = [getattr(each, field) for each in others]
            timing.say_ratio(f"{name}, {axis}: {best} / {strategy}", over, under, (reach or {}).get(strategy, ""))


def _bare(paths: Sequence[str], count: int) -> float:
    began = time.perf_counter()
    pids = []
    for number in range(count):
        pid = os.fork()
        if not pid:
            for path in paths[number::count]:
                read(path)
            os._exit(0)
        pids.append(pid)
    for pid in pids:
        os.waitpid(pid, 0)
    return time.perf_counter() - began


def _processor() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def _children() -> list[int]:
    with open(f"/proc/self/task/{os.getpid()}/children", encoding="ascii") as file:
        return [int(pid) for pid in file.read().split()]


def _own(pid: int) -> int:
    """Bytes that this process alone has."""
    try:
        with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
            return 1024 * sum(int(line.split()[1]) for line in file if line.startswith("Private_"))
    except OSError:  # it has just ended
        return 0


# What the workers do.


def read(path: str) -> bytes:
    return encode_json(working.read(path).to_json())


def pack(path: str, codec: str, quality: str) -> int:
    with open(path, "rb") as file:
        return len(codecs.pack(file.read(), codec, quality))


def digest(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()


# What they do it with.


def _repositories(folder: str, count: int) -> list[str]:
    env = dict(os.environ)
    first = os.path.join(folder, "repositories", "0000")
    timing.run(("git", "init", "-q", first), env)
    for number in range(12):
        for name in ("a", "b", f"c{number}"):
            with open(os.path.join(first, name), "a", encoding="utf-8") as file:
                file.write(f"{number} {name}\n" * 50)
        timing.git(first, env, "add", "-A")
        timing.git(first, env, "commit", "-q", "-m", f"Change {number}")
    for name in ("a", "new"):
        with open(os.path.join(first, name), "w", encoding="utf-8") as file:
            file.write("changed\n" * 100)
    paths = [first]
    for number in range(1, count):
        path = os.path.join(folder, "repositories", f"{number:04}")
        shutil.copytree(first, path)
        paths.append(path)
    return paths


def _histories(folder: str, count: int) -> list[str]:
    """From 60 kB to some 2.5 MB, in no order of size."""
    paths = []
    for number in range(count):
        size = 200 * (1 + number * 7 % count) ** 2 // (count // 4) ** 2 * 40 + 300
        path = os.path.join(folder, f"history{number}.jsonl")
        with open(path, "w", encoding="utf-8") as file:
            for line in range(size):
                oid = digest(number * 100_000 + line)
                value = {"seq": line, "commit": oid[:40], "author": "Ada Lovelace", "message": f"Change {oid[40:48]}"}
                file.write(json.dumps(value) + "\n")
        paths.append(path)
    return paths


if __name__ == "__main__":
    main()
