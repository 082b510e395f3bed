"""What recording adds to `git commit`, against no hooks, empty hooks, pre-commit and prek.

Each commit is timed as a whole process. The drain that it leaves behind is waited for outside of the timed
part; with --overlap it is not, and shares the machine with the commits that follow.
"""

from __future__ import annotations

import itertools
import os
import shutil
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import chdir

import timing

from mgit_hooks.installer.stubs import HOOKS

_MANAGED = """\
repos:
  - repo: local
    hooks:
      - {id: before, name: before, language: system, entry: "true", pass_filenames: false,
         always_run: true, stages: [pre-commit]}
      - {id: after, name: after, language: system, entry: "true", pass_filenames: false,
         always_run: true, stages: [post-commit]}
"""
Prepare = Callable[[str, Mapping[str, str]], None]


def main() -> None:
    parser = timing.options(__doc__, rounds=20)
    parser.add_argument("--overlap", action="store_true", help="do not wait for drains between commits")
    args = parser.parse_args()
    rounds, commits = (1, 1) if args.quick else (args.rounds, 5)
    variants: dict[str, Prepare] = {
        "no hooks": _nothing,
        "empty hooks": empty_hooks,
        "mgit-hooks": installed,
        "prek": _managed("prek"),
        "pre-commit": _managed("pre-commit"),
    }
    timing.adopt_orphans()
    with timing.scratch() as folder:
        env = timing.environment(folder)
        measured = {
            name: _committing(new_repository(os.path.join(folder, name), env, prepare), env, commits, args.overlap)
            for name, prepare in variants.items()
        }
        took = timing.interleave(measured, rounds)
    wall = {name: timing.walls(costs) for name, costs in took.items()}
    for name, seconds in wall.items():
        timing.say(f"git commit, {name}", timing.milliseconds(seconds), " ms")
    timing.say_ratios("mgit-hooks / empty hooks in the same stages", took["mgit-hooks"], took["empty hooks"], "<= 1.3")
    timing.say_ratios("mgit-hooks / no hooks", took["mgit-hooks"], took["no hooks"])
    added = {name: timing.less(seconds, wall["no hooks"]) for name, seconds in wall.items()}
    timing.say_ratio("added by mgit-hooks / added by prek", added["mgit-hooks"], added["prek"], "<= 0.33")
    timing.say_ratio("added by mgit-hooks / added by pre-commit", added["mgit-hooks"], added["pre-commit"])


def new_repository(path: str, env: Mapping[str, str], prepare: Prepare) -> str:
    timing.run(("git", "init", "-q", path), env)
    for number in range(50):
        write(path, f"file{number}", f"{number}\n" * 40)
    timing.git(path, env, "add", "-A")
    timing.git(path, env, "commit", "-q", "-m", "Initial")
    prepare(path, env)
    timing.wait_for_orphans()
    return path


def write(path: str, name: str, content: str) -> None:
    with open(os.path.join(path, name), "w", encoding="utf-8") as file:
        file.write(content)


def _nothing(path: str, env: Mapping[str, str]) -> None:
    hooks = os.path.join(path, ".git", "hooks")
    shutil.rmtree(hooks)  # git's samples
    os.mkdir(hooks)


def empty_hooks(path: str, env: Mapping[str, str]) -> None:
    """What each hook costs that does nothing: the least that any hook can cost."""
    _nothing(path, env)
    for hook in HOOKS:
        empty_hook(path, hook)


def empty_hook(path: str, hook: str) -> None:
    name = f".git/hooks/{hook}"
    write(path, name, "#!/bin/sh\nexit 0\n")
    os.chmod(os.path.join(path, name), 0o700)


def installed(path: str, env: Mapping[str, str]) -> None:
    """A default install, in a repository whose configuration was not written within the last seconds."""
    _nothing(path, env)
    age_configuration(path, env)
    timing.run((*timing.MGIT, "init", "-q", "-C", path), env)


def age_configuration(path: str, env: Mapping[str, str]) -> None:
    """As if it had been there for a minute: the first hooks after a change of it look whether a policy has come."""
    for file in (os.path.join(path, ".git", "config"), env["GIT_CONFIG_GLOBAL"]):
        os.utime(file, (time.time() - 60, time.time() - 60))


def _managed(manager: str) -> Prepare:
    beside = os.path.join(os.path.dirname(sys.executable), manager)
    program = beside if os.path.exists(beside) else manager

    def prepare(path: str, env: Mapping[str, str]) -> None:
        _nothing(path, env)
        write(path, ".pre-commit-config.yaml", _MANAGED)
        timing.git(path, env, "add", "-A")
        timing.git(path, env, "commit", "-q", "-m", "Configure")
        with chdir(path):
            stages = ("--hook-type", "pre-commit", "--hook-type", "post-commit")
            timing.run((program, "install", *stages), env)

    return prepare


def _committing(path: str, env: Mapping[str, str], commits: int, overlap: bool) -> Callable[[], timing.Cost]:
    """What a commit takes, on average over ``commits`` of them."""
    numbers = itertools.count()

    def commit() -> timing.Cost:
        costs = []
        for number in itertools.islice(numbers, commits):
            write(path, f"file{number % 50}", f"line {number}\n" * 40)
            timing.git(path, env, "add", "-A")
            costs.append(timing.git(path, env, "commit", "-q", "-m", f"Change {number}"))
            if not overlap:
                timing.wait_for_orphans()
        timing.wait_for_orphans()
        seconds, processor, peak = zip(*costs, strict=True)
        return timing.Cost(sum(seconds) / commits, sum(processor) / commits, max(peak))

    return commit


if __name__ == "__main__":
    main()
