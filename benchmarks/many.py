"""A push of 100 tags, and checkouts of 1,000 branches in a loop, against the same with empty hooks in those stages.

One repository, in which the folder of hooks is another one in turn: two alike take times that differ by half, by where
they happen to lie. The drains that the hooks leave behind are waited for outside of the timed part.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Mapping

import commit
import timing


def main() -> None:
    args = timing.options(__doc__, rounds=7).parse_args()
    rounds, tags, branches = (1, 3, 3) if args.quick else (args.rounds, 100, 1000)
    timing.adopt_orphans()
    with timing.scratch() as folder:
        env = timing.environment(folder)
        path = commit.new_repository(os.path.join(folder, "repository"), env, _both)
        pushes = timing.interleave(_in_turn(path, _pushing(path, env, tags)), rounds)
        checkouts = timing.interleave(_in_turn(path, _checking_out(path, env, branches)), rounds)
    for what, took in ((f"push of {tags} tags", pushes), (f"checkout of {branches} branches", checkouts)):
        for name, costs in took.items():
            timing.say(f"{what}, {name}", timing.walls(costs), " s")
        timing.say_ratios(f"{what}, mgit-hooks / empty hooks", took["mgit-hooks"], took["empty hooks"], "<= 1.1")


def _both(path: str, env: Mapping[str, str]) -> None:
    """Hooks of either kind, each in a folder beside the one that git looks into."""
    hooks = os.path.join(path, ".git", "hooks")
    commit.empty_hooks(path, env)
    os.rename(hooks, f"{hooks}.empty")
    os.mkdir(hooks)
    commit.installed(path, env)
    os.rename(hooks, f"{hooks}.ours")


def _in_turn(path: str, measure: Callable[[], timing.Cost]) -> dict[str, Callable[[], timing.Cost]]:
    hooks = os.path.join(path, ".git", "hooks")

    def by(kind: str) -> Callable[[], timing.Cost]:
        def measured() -> timing.Cost:
            os.rename(f"{hooks}.{kind}", hooks)
            try:
                return measure()
            finally:
                os.rename(hooks, f"{hooks}.{kind}")

        return measured

    return {"empty hooks": by("empty"), "mgit-hooks": by("ours")}


def _pushing(path: str, env: Mapping[str, str], tags: int) -> Callable[[], timing.Cost]:
    remote = f"{path}.git"
    timing.run(("git", "init", "-q", "--bare", remote), env)
    timing.git(path, env, "remote", "add", "origin", remote)
    commit.age_configuration(path, env)
    rounds = itertools.count()

    def push() -> timing.Cost:
        number = next(rounds)
        for each in range(tags):
            timing.git(path, env, "tag", f"t{number}.{each}")
        took = timing.git(path, env, "push", "-q", "origin", "--tags")
        timing.wait_for_orphans()
        return took

    return push


def _checking_out(path: str, env: Mapping[str, str], branches: int) -> Callable[[], timing.Cost]:
    for number in range(branches):
        timing.git(path, env, "branch", f"b{number}")
    loop = 'n=0; while [ $n -lt "$1" ]; do git checkout -q b$n || exit; n=$((n + 1)); done'

    def check_out() -> timing.Cost:
        took = timing.run(("sh", "-c", f'cd "$0" && {loop}', path, str(branches)), env)
        timing.wait_for_orphans()
        return took

    return check_out


if __name__ == "__main__":
    main()
