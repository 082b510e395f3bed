"""What the benchmarks share: whole processes timed in turn, and ratios of what one round saw.

Variants are measured in turn within a round, and each ratio is taken within its round: what else the
machine does then falls on both sides. A line gives the median over the rounds, and the range.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from statistics import median
from typing import NamedTuple, TypeVar

MGIT = (sys.executable, "-I", "-m", "mgit_hooks")
T = TypeVar("T")
_SET_CHILD_SUBREAPER = 36  # prctl(2)


class Cost(NamedTuple):
    """What one process took, its waited-for children included.

    ``seconds`` by the wall clock; ``processor`` seconds, which other people's load on the machine disturbs
    less; ``peak``, the largest resident set of any of them, in KiB.
    """

    seconds: float
    processor: float
    peak: int


class Failed(Exception):
    """A process that is to be timed did not end with status 0."""


def environment(folder: str) -> dict[str, str]:
    """An environment in which nothing of the user's configuration of git, or of hook managers, counts."""
    config = os.path.join(folder, "gitconfig")
    with open(config, "w", encoding="utf-8") as file:
        file.write("[init]\n\tdefaultBranch = main\n[gc]\n\tauto = 0\n[maintenance]\n\tauto = false\n")
    env = {
        name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "MGIT", "PRE_COMMIT", "PREK"))
    }
    env.update(
        HOME=folder, XDG_CONFIG_HOME=os.path.join(folder, "xdg"), GIT_CONFIG_GLOBAL=config, GIT_CONFIG_NOSYSTEM="1",
        GIT_AUTHOR_NAME="Ada", GIT_AUTHOR_EMAIL="ada@example.org", GIT_COMMITTER_NAME="Ada",
        GIT_COMMITTER_EMAIL="ada@example.org", GIT_EDITOR="true", LC_ALL="C",
    )  # fmt: skip
    return env


@contextmanager
def scratch() -> Iterator[str]:
    """A folder of our own, gone afterwards, with whatever background drains still hold in it ended first."""
    folder = tempfile.mkdtemp(prefix="mgit-hooks-bench-")
    try:
        yield folder
    finally:
        wait_for_orphans()
        shutil.rmtree(folder, ignore_errors=True)


def run(command: Sequence[str], env: Mapping[str, str], *, output: str = os.devnull) -> Cost:
    """Run a command to its end, its standard output into the file ``output``. Raises Failed."""
    with open(os.memfd_create("stderr"), "rb") as complaints:
        actions = [
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600),
            (os.POSIX_SPAWN_DUP2, complaints.fileno(), 2),
        ]
        began = time.perf_counter()
        pid = os.posix_spawnp(command[0], list(command), dict(env), file_actions=actions)
        _, status, usage = os.wait4(pid, 0)
        seconds = time.perf_counter() - began
        if os.waitstatus_to_exitcode(status):
            complaints.seek(0)
            said = complaints.read().decode("utf-8", "replace")
            raise Failed(f"{' '.join(command)}: exit status {os.waitstatus_to_exitcode(status)}\n{said}")
    return Cost(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss)


def git(directory: str, env: Mapping[str, str], *arguments: str) -> Cost:
    return run(("git", "-C", directory, *arguments), env)


def adopt_orphans() -> None:
    """Have the drains that stubs leave behind become children of this process, so that it can wait for them."""
    if ctypes.CDLL(None).prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise Failed("prctl(PR_SET_CHILD_SUBREAPER): the benchmarks need Linux")


def wait_for_orphans() -> None:
    while True:
        try:
            os.wait()
        except ChildProcessError:
            return


def interleave(variants: Mapping[str, Callable[[], T]], rounds: int) -> dict[str, list[T]]:
    """What each variant gives in each round. The order turns from round to round, so that none always goes first."""
    names = list(variants)
    found: dict[str, list[T]] = {name: [] for name in names}
    for number in range(rounds + 1):
        shift = number % len(names)
        for name in names[shift:] + names[:shift]:
            given = variants[name]()
            if number:  # the first round only warms caches
                found[name].append(given)
    return found


def spread(values: Sequence[float], unit: str = "", digits: int = 2) -> str:
    """``median unit (min - max)``"""
    middle, low, high = (f"{value:,.{digits}f}" for value in (median(values), min(values), max(values)))
    return f"{middle}{unit} ({low} - {high})"


def say(what: str, values: Sequence[float], unit: str = "", *, digits: int = 2, reach: str = "") -> None:
    print(f"{what:<70} {spread(values, unit, digits)}{f'  to reach: {reach}' if reach else ''}", flush=True)


def say_ratio(what: str, over: Sequence[float], under: Sequence[float], reach: str = "") -> None:
    """One ``ratio`` line, taken round by round."""
    say(f"ratio {what}", [a / b for a, b in zip(over, under, strict=True)], " x", reach=reach)


def say_ratios(what: str, over: Sequence[Cost], under: Sequence[Cost], reach: str = "") -> None:
    """By the wall clock, and by processor time."""
    say_ratio(what, [a.seconds for a in over], [b.seconds for b in under], reach)
    say_ratio(f"{what}, processor time", [a.processor for a in over], [b.processor for b in under])


def less(one: Sequence[float], other: Sequence[float]) -> list[float]:
    return [a - b for a, b in zip(one, other, strict=True)]


def walls(costs: Sequence[Cost]) -> list[float]:
    return [cost.seconds for cost in costs]


def milliseconds(seconds: Sequence[float]) -> list[float]:
    return [value * 1000 for value in seconds]


def options(description: str | None, rounds: int) -> argparse.ArgumentParser:
    """What every benchmark takes: ``--quick`` only shows that it runs; its figures mean nothing."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--quick", action="store_true", help="the smallest run there is: not for figures")
    parser.add_argument("--rounds", type=int, default=rounds, metavar="N", help=f"default: {rounds}")
    return parser
