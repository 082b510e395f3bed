"""`mgit-hooks diff` of one repository and of many, whole processes, against the bare start of their interpreter.

Each repository has ten commits of three files, a changed file and an untracked one.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping

import timing

_BARE = (sys.executable, "-I", "-c", "pass")
_FILES = 12
_COMMITS = 10


def main() -> None:
    args = timing.options(__doc__, rounds=15).parse_args()
    rounds, many = (1, 3) if args.quick else (args.rounds, 20)
    if any(name.startswith("__editable__") for name in sys.modules):
        print("note: an editable install is on its way into every start of Python, the bare one too: install plainly")
    with timing.scratch() as folder:
        env = {**timing.environment(folder), "MGIT_DATA_DIR": os.path.join(folder, "data")}
        few = _folder(os.path.join(folder, "few"), env, many)
        one = os.path.join(few, "0000")
        took = timing.interleave(
            {
                "bare start": lambda: timing.run(_BARE, env),
                "git status": lambda: timing.git(one, env, "status", "--porcelain=v2", "-z", "-uall"),
                "one": lambda: timing.run((*timing.MGIT, "diff", one), env),
                "many": lambda: timing.run((*timing.MGIT, "diff", few), env),
                "one process": lambda: timing.run((*timing.MGIT, "diff", few, "-c", "1"), env),
            },
            rounds,
        )
    for name, costs in took.items():
        timing.say(name, timing.milliseconds(timing.walls(costs)), " ms")
    bare = took["bare start"]
    timing.say_ratios("diff of one repository / bare start", took["one"], bare, "<= 15")
    timing.say_ratios(f"diff of {many} repositories / bare start", took["many"], bare, "<= 25")
    timing.say_ratios(f"diff of {many} repositories in one process / bare start", took["one process"], bare)
    _strategies(rounds, 6 if args.quick else 200)


def _strategies(rounds: int, count: int) -> None:
    with timing.scratch() as folder:
        env = {**timing.environment(folder), "MGIT_DATA_DIR": os.path.join(folder, "data")}
        path = _folder(os.path.join(folder, "lots"), env, count)
        words = (*timing.MGIT, "diff", path, "--optimization-strategy")
        took = timing.interleave(
            {
                "balanced, one worker": lambda: timing.run((*words, "balanced", "-c", "1"), env),
                "throughput": lambda: timing.run((*words, "throughput", "--batch-size", "200"), env),
            },
            rounds,
        )
    for name, costs in took.items():
        timing.say(f"{count} repositories, {name}", timing.milliseconds(timing.walls(costs)), " ms")
    one, all_ = took["balanced, one worker"], took["throughput"]
    timing.say_ratios(f"{count} repositories: balanced, one worker / throughput", one, all_, ">= 1.5")


def _folder(path: str, env: Mapping[str, str], count: int) -> str:
    """``count`` repositories in a new folder, each a copy of one, changed on its own."""
    os.mkdir(path)
    first = _repository(os.path.join(path, "0000"), env)
    for number in range(1, count):
        copy = os.path.join(path, f"{number:04}")
        shutil.copytree(first, copy, symlinks=True)
        timing.git(copy, env, "update-index", "-q", "--refresh")
        _change(copy, number)
    _change(first, 0)
    return path


def _repository(path: str, env: Mapping[str, str]) -> str:
    timing.run(("git", "init", "-q", path), env)
    for number in range(_COMMITS):
        for file in range(3):
            lines = (f"line {line} of version {number}\n" for line in range(60))
            _write(path, f"file{(number * 3 + file) % _FILES}.py", "".join(lines))
        timing.git(path, env, "add", "-A")
        timing.git(path, env, "commit", "-q", "-m", f"Change {number}")
    return path


def _change(path: str, number: int) -> None:
    _write(path, "file0.py", f"changed {number}\n" * 40)
    _write(path, "a new file", f"{number}\n")


def _write(path: str, name: str, content: str) -> None:
    with open(os.path.join(path, name), "w", encoding="utf-8") as file:
        file.write(content)


if __name__ == "__main__":
    main()
