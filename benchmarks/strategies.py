"""The five strategies of bulk work, each on the axis that it is named for, over two kinds of work.

Repositories: 200 small ones, found under a folder and read as `diff` reads them. Histories: 24 files of JSON lines, of
very different sizes, compressed by the strategy's codec and brought to the disk. All in this process and its workers,
so without the start of an interpreter.

Beside the wall clock stands what the run would take by it on a machine that does nothing else: the processor time of
the busiest process, this one or a worker, or all of it over the processors, whichever is more. On a busy machine that
is the figure to compare, since two processes may get no more of it than one: "one bare fork / two" reads the
repositories by forks that nobody watches.
"""

from __future__ import annotations

import hashlib
import json
import os
import resource
import shutil
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import NamedTuple

import timing

from mgit_hooks import bulk, codecs
from mgit_hooks.bulk import Plan
from mgit_hooks.changesets import discovery, working
from mgit_hooks.encoding import encode_json
from mgit_hooks.pipeline.optimization import OptimizationStrategy, Workload, plan, resource_limits


class Spent(NamedTuple):
    """What a worker's process has taken by the end of an item."""

    pid: int
    processor: float
    peak: int  # bytes


class Took(NamedTuple):
    """One run: seconds to the first outcome and to the last; of all processors; ``alone``, those that it would take by
    the clock at least, were the machine free; ``memory``, the sum of the workers' peaks in bytes."""

    first: float
    seconds: float
    processor: float
    alone: float
    memory: int


class Work(NamedTuple):
    total: int
    items: Callable[[], Iterable[str]]
    function: Callable[[Plan], Callable[[str], Spent]]


def main() -> None:
    args = timing.options(__doc__, rounds=7).parse_args()
    rounds, repositories, histories = (1, 6, 4) if args.quick else (args.rounds, 200, 24)
    with timing.scratch() as folder:
        os.environ.update(timing.environment(folder))
        root = os.path.join(folder, "repositories")
        paths, files = _repositories(root, repositories), _histories(folder, histories)
        read(paths[0])  # loads what it needs before the workers are forked, as `diff` does
        many = _measured(Work(repositories, lambda: paths, lambda chosen: read), rounds)
        found = _measured(Work(repositories, lambda: _found(root), lambda chosen: read), rounds, until=1)
        uneven = _measured(Work(histories, lambda: files, _packing), rounds)
        bare = timing.interleave({"one": partial(_bare, paths, 1), "two": partial(_bare, paths, 2)}, rounds)
    for name, took in ((f"{repositories} repositories, found", found), (f"{histories} histories", uneven)):
        for strategy, each in took.items():
            timing.say(f"{name}, {strategy}: the first result", timing.milliseconds([one.first for one in each]), " ms")
        _say(took, name, "latency", "time to the first result", "first")
    name = f"{repositories} repositories"
    _say(many, name, "throughput", "items a second", "seconds", {"balanced": ">= 1.5"})
    _say(many, name, "throughput", "on a free machine", "alone", {"balanced": ">= 1.5"})
    timing.say_ratio(f"{name}, one bare fork / two", bare["one"], bare["two"])
    _say(many, name, "efficiency", "processor time", "processor")
    _say(many, name, "efficiency", "memory of the workers", "memory")
    name = f"{histories} histories"
    _say(uneven, name, "performance", "wall clock", "seconds")
    _say(uneven, name, "performance", "on a free machine", "alone")
    _say(uneven, name, "efficiency", "processor time", "processor")
    _say(uneven, name, "efficiency", "memory of the workers", "memory")


def _measured(work: Work, rounds: int, until: int | None = None) -> dict[str, list[Took]]:
    return timing.interleave({str(each): partial(_once, work, each, until) for each in OptimizationStrategy}, rounds)


def _once(work: Work, strategy: OptimizationStrategy, until: int | None) -> Took:
    """A run up to so many outcomes; None: to its end."""
    chosen = plan(strategy, Workload(work.total), resource_limits())
    first = 0.0
    spent: dict[int, Spent] = {}
    own, began = time.process_time(), time.perf_counter()
    for outcome in islice(bulk.run(work.items(), work.function(chosen), chosen), until):
        first = first or time.perf_counter() - began
        if outcome.error is not None:
            raise timing.Failed(f"{outcome.item}: {outcome.error}")
        spent[outcome.value.pid] = outcome.value
    seconds, own = time.perf_counter() - began, time.process_time() - own
    workers = [each.processor for each in spent.values()]
    processor = own + sum(workers)
    alone = max(own, *workers, processor / resource_limits().processors)
    return Took(first, seconds, processor, alone, sum(each.peak for each in spent.values()))


def _found(root: str) -> Iterable[str]:
    return (each.path for each in discovery.find(root, recursive=True, patterns=()))


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


# What the workers do.


def read(path: str) -> Spent:
    encode_json(working.read(path).to_json())
    return _spent()


def _packing(chosen: Plan) -> Callable[[str], Spent]:
    return partial(pack, codec=chosen.codec, quality=chosen.quality)


def pack(path: str, codec: str, quality: str) -> Spent:
    with open(path, "rb") as file:
        packed = codecs.pack(file.read(), codec, quality)
    with open(f"{path}.packed", "wb") as file:
        file.write(packed)
        file.flush()
        os.fsync(file.fileno())
    return _spent()


def _spent() -> Spent:
    return Spent(os.getpid(), time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)


# What they do it with.


def _repositories(root: str, count: int) -> list[str]:
    env = dict(os.environ)
    first = os.path.join(root, "0000")
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
        path = os.path.join(root, f"{number:04}")
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
                oid = hashlib.sha256(f"{number} {line}".encode()).hexdigest()
                value = {"seq": line, "commit": oid[:40], "author": "Ada Lovelace", "message": f"Change {oid[40:48]}"}
                file.write(json.dumps(value) + "\n")
        paths.append(path)
    return paths


if __name__ == "__main__":
    main()
