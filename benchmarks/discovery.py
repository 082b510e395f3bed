"""200 repositories among 10,000 folders, found by their path, against `find ROOT -name .git`.

``checkouts`` has wide trees with ten files in each folder, ``modules`` folders inside each other, as package managers
nest them. Ours is timed as a process of its own, less one that finds nothing: a start of Python is not in it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping

import timing

_SCRIPT = """
import sys
from mgit_hooks.changesets import discovery
count = sum(1 for _ in discovery.find(sys.argv[1], recursive=True, patterns=sys.argv[3:])) if sys.argv[1] else 0
assert count == int(sys.argv[2]), count
"""


def main() -> None:
    args = timing.options(__doc__, rounds=15).parse_args()
    rounds, folders, repositories = (1, 60, 3) if args.quick else (args.rounds, 10_000, 200)
    with timing.scratch() as folder:
        env = timing.environment(folder)
        shapes = (("checkouts", _wide), ("modules", _deep))
        for shape, make in shapes[:1] if args.quick else shapes:
            root = os.path.join(folder, shape)
            make(root, folders, repositories)
            took = timing.interleave(
                {
                    "bare": _ours(("", "0"), env),
                    "ours": _ours((root, str(repositories)), env),
                    "by remote": _ours((root, str(repositories), "https://example.org/*"), env),
                    "find": _find(root, env),
                },
                rounds,
            )
            what = f"{folders} folders ({shape})"
            for name in ("ours", "by remote"):
                net = [_less(a, b) for a, b in zip(took[name], took["bare"], strict=True)]
                timing.say(f"{what}, {name}", timing.milliseconds(timing.walls(net)), " ms", digits=1)
                timing.say_ratios(f"{what}, {name} / find", net, took["find"], "<= 5" if name == "ours" else "")


def _less(cost: timing.Cost, other: timing.Cost) -> timing.Cost:
    return timing.Cost(cost.seconds - other.seconds, cost.processor - other.processor, cost.peak)


def _ours(arguments: tuple[str, ...], env: Mapping[str, str]) -> Callable[[], timing.Cost]:
    return lambda: timing.run((sys.executable, "-I", "-c", _SCRIPT, *arguments), env)


def _find(root: str, env: Mapping[str, str]) -> Callable[[], timing.Cost]:
    return lambda: timing.run(("find", root, "-name", ".git", "-prune"), env)


def _wide(root: str, folders: int, repositories: int) -> None:
    each = max(1, folders // repositories - 4)
    for number in range(repositories):
        top = os.path.join(root, f"team{number % 7}", f"repository{number}")
        _repository(top, number)
        for inner in range(each):
            path = os.path.join(top, *(f"d{inner % width}" for width in (2, 3, 5)), f"e{inner}")
            os.makedirs(path, exist_ok=True)
            for file in range(10):
                os.close(os.open(os.path.join(path, f"file{file}.py"), os.O_CREAT | os.O_WRONLY))


def _deep(root: str, folders: int, repositories: int) -> None:
    each = max(1, folders // repositories - 4)
    for number in range(repositories):
        top = os.path.join(root, f"repository{number}")
        _repository(top, number)
        path = top
        for inner in range(each):
            path = os.path.join(path, "node_modules" if inner % 2 else f"package{inner}")
        os.makedirs(path)


def _repository(top: str, number: int) -> None:
    """What makes a git directory one; `git init` would take seconds for all of them."""
    for name in ("objects", "refs"):
        os.makedirs(os.path.join(top, ".git", name))
    with open(os.path.join(top, ".git", "HEAD"), "w", encoding="utf-8") as file:
        file.write("ref: refs/heads/main\n")
    with open(os.path.join(top, ".git", "config"), "w", encoding="utf-8") as file:
        file.write(f'[core]\n\tbare = false\n[remote "origin"]\n\turl = https://example.org/r{number}.git\n')


if __name__ == "__main__":
    main()
