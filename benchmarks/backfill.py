"""`mgit-hooks backfill` of a whole history, against git's own listing of the same facts to nowhere.

The yardstick: git log --raw --numstat -M --diff-merges=first-parent
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping

import replays
import timing

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
    timing.say(f"{name}: backfill, peak memory of its largest process", peaks, " MiB", digits=0, reach="<= 150")


def _backfilling(path: str, env: Mapping[str, str], peaks: list[float]) -> Callable[[], timing.Cost]:
    def backfill() -> timing.Cost:
        shutil.rmtree(os.path.join(path, ".git", "mgit"), ignore_errors=True)
        cost = timing.run((*timing.MGIT, "backfill", "-q", "-C", path), env)
        peaks.append(cost.peak / 1024)
        return cost

    return backfill


if __name__ == "__main__":
    main()
