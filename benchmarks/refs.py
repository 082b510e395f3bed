"""Reconcile in a repository with 100,000 refs: where nothing moved, and after one commit.

Timed in process: a drain, from its lock to its end, with all modules loaded. What a drain costs anywhere is measured
in turn with it, in a repository with one branch, and taken off for the drain after a commit.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

import commit
import timing

from mgit_hooks.layout import Location, locate
from mgit_hooks.recorder import looking, state
from mgit_hooks.recorder.drain import drain

_REACH = 0.1  # seconds
_FOLDERS = 100


class Layout(NamedTuple):
    """How the refs are kept. ``flat``: all in refs/heads, where the commits go as well, and not in 100 folders."""

    packed: bool
    logged: bool
    flat: bool


LAYOUTS = {
    "packed": Layout(packed=True, logged=False, flat=True),
    "packed, each with a reflog": Layout(packed=True, logged=True, flat=True),
    "loose, in 100 folders": Layout(packed=False, logged=False, flat=False),
    "loose, in 100 folders, each with a reflog": Layout(packed=False, logged=True, flat=False),
    "loose, all beside the branch": Layout(packed=False, logged=False, flat=True),
    "loose, all beside the branch, each with a reflog": Layout(packed=False, logged=True, flat=True),
}


def main() -> None:
    parser = timing.options(__doc__, rounds=10)
    parser.add_argument("--refs", type=int, default=100_000, metavar="N", help="default: 100000")
    parser.add_argument("--layout", action="append", choices=LAYOUTS, help="only this one; may be repeated")
    args = parser.parse_args()
    refs, rounds = (3000, 1) if args.quick else (args.refs, args.rounds)
    timing.adopt_orphans()
    with timing.scratch() as folder:
        env = timing.environment(folder)
        os.environ.update(env)
        small = _repository(os.path.join(folder, "small"), env, 0, LAYOUTS["packed"])
        for name in args.layout or LAYOUTS:
            _measure(name, small, _repository(os.path.join(folder, name), env, refs, LAYOUTS[name]), env, rounds)


def _measure(name: str, small: str, large: str, env: Mapping[str, str], rounds: int) -> None:
    def all_refs() -> timing.Cost:
        return timing.git(large, env, "for-each-ref")

    took = timing.interleave(
        {
            "unchanged": _unchanged(large),
            "after a commit": _after_a_commit(large, env),
            "small": _after_a_commit(small, env),
            "for-each-ref": all_refs,
        },
        rounds,
    )
    bound = [timing.Cost(_REACH, _REACH, 0)] * rounds
    timing.say(f"unchanged, {name}", timing.milliseconds(timing.walls(took["unchanged"])), " ms")
    timing.say_ratios(f"unchanged, {name} / 100 ms", took["unchanged"], bound, "<= 1.0")
    timing.say_ratios(f"unchanged, {name} / git for-each-ref", took["unchanged"], took["for-each-ref"])
    more = [
        timing.Cost(one.seconds - other.seconds, one.processor - other.processor, 0)
        for one, other in zip(took["after a commit"], took["small"], strict=True)
    ]
    timing.say(f"more after a commit, {name}", timing.milliseconds(timing.walls(more)), " ms")
    timing.say_ratios(f"more after a commit, {name} / 100 ms", more, bound, "<= 1.0")


def _repository(path: str, env: Mapping[str, str], refs: int, layout: Layout) -> str:
    commit.new_repository(path, env, lambda path, env: None)
    oid = _head(path)
    line = f"{'0' * 40} {oid} Ada <ada@example.org> 1700000000 +0000\tbranch: Created from main\n"
    names = [
        f"refs/heads/branch-{number:06d}" if layout.flat else f"refs/heads/f{number % _FOLDERS:02d}/b{number:06d}"
        for number in range(refs)
    ]
    if layout.packed:
        lines = "".join(f"{oid} {name}\n" for name in sorted(names))
        _write(f"{path}/.git/packed-refs", f"# pack-refs with: peeled fully-peeled sorted \n{lines}")
    for name in names:
        if not layout.packed:
            _write(f"{path}/.git/{name}", f"{oid}\n")
        if layout.logged:
            _write(f"{path}/.git/logs/{name}", line)
    location = locate(path)
    began = time.perf_counter()
    drain(location, wait=60.0)
    print(f"# {path.rpartition('/')[2]}: recording began within {time.perf_counter() - began:.1f} s", flush=True)
    _settle(location)
    return path


def _head(path: str) -> str:
    with open(f"{path}/.git/refs/heads/main", encoding="ascii") as file:
        return file.read().strip()


def _write(path: str, content: str) -> None:
    try:
        with open(path, "w", encoding="ascii") as file:
            file.write(content)
    except FileNotFoundError:
        os.makedirs(os.path.dirname(path))
        _write(path, content)


def _settle(location: Location) -> None:
    """Drain until no file is so young that it is looked at again for that."""
    while True:
        drain(location, wait=60.0)
        before = state.read(location.mgit_dir)
        how = looking.level(before, thorough=False)
        if not looking.has_moved(location.common_dir, before, looking.clock(location), how):
            return
        time.sleep(0.1)


def _unchanged(path: str) -> Callable[[], timing.Cost]:
    location = locate(path)

    def unchanged() -> timing.Cost:
        _settle(location)
        return _timed(location, records=0)

    return unchanged


def _after_a_commit(path: str, env: Mapping[str, str]) -> Callable[[], timing.Cost]:
    location = locate(path)

    def after_a_commit() -> timing.Cost:
        _settle(location)
        timing.git(path, env, "commit", "-q", "--allow-empty", "-m", "More")
        time.sleep(0.1)  # as long as Python takes to start, after a hook
        return _timed(location, records=1)

    return after_a_commit


def _timed(location: Location, records: int) -> timing.Cost:
    began, worked = time.perf_counter(), time.process_time()
    done = drain(location, wait=60.0)
    took = timing.Cost(time.perf_counter() - began, time.process_time() - worked, 0)
    if done.records != records:
        raise timing.Failed(f"{done.records} records, not {records}")
    return took


if __name__ == "__main__":
    main()
