"""`mgit-hooks backfill` of a whole history, against git's own listing of the same facts to nowhere.

The yardstick: git log --raw --numstat -M --diff-merges=first-parent
"""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

import replays
import timing

_EVERY = 0.1  # seconds between two looks at the memory: each look holds up the process that it is at
_LISTING = ("log", "--raw", "--numstat", "-M", "--diff-merges=first-parent")


def main() -> None:
    args = timing.options(__doc__, rounds=5).parse_args()
    timing.adopt_orphans()
    with timing.scratch() as folder:
        env = timing.environment(folder)
        for name, path in replays.histories(folder, env, quick=args.quick):
            _measure(name, path, env, 1 if args.quick else args.rounds)


def _measure(name: str, path: str, env: Mapping[str, str], rounds: int) -> None:
    peaks: list[float] = []
    took = timing.interleave(
        {"git log": lambda: timing.git(path, env, *_LISTING), "backfill": _backfilling(path, env, peaks)},
        rounds,
    )
    for what, costs in took.items():
        timing.say(f"{name}: {what}", timing.walls(costs), " s")
    timing.say_ratios(f"{name}: backfill / git log", took["backfill"], took["git log"], "<= 1.0")
    timing.say(
        f"{name}: backfill, peak memory of all its processes together (Pss)", peaks, " MiB", digits=0, reach="<= 150"
    )


def _backfilling(path: str, env: Mapping[str, str], peaks: list[float]) -> Callable[[], timing.Cost]:
    def backfill() -> timing.Cost:
        shutil.rmtree(os.path.join(path, ".git", "mgit"), ignore_errors=True)
        done = threading.Event()
        watch = threading.Thread(target=_watch, args=(done, peaks))
        watch.start()
        try:
            return timing.run((*timing.MGIT, "backfill", "-q", "-C", path), env)
        finally:
            done.set()
            watch.join()

    return backfill


def _watch(done: threading.Event, peaks: list[float]) -> None:
    """What processes share counts once, and what they have mapped of files counts too."""
    peak = 0
    while not done.wait(_EVERY):
        peak = max(peak, sum(map(_pss, _descendants(os.getpid()))))
    peaks.append(peak / 1024)


def _descendants(pid: int) -> list[int]:
    found: list[int] = []
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            pids = [int(word) for word in children.read_text(encoding="ascii").split()]
        except OSError:  # ended
            continue
        for child in pids:
            found += [child, *_descendants(child)]
    return found


def _pss(pid: int) -> int:
    """KiB; 0 for a process that has ended."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:")), 0)


if __name__ == "__main__":
    main()
