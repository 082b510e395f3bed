"""Histories to measure on: the replayed ones where they are at hand, one of this project's own making otherwise."""

from __future__ import annotations

import os
import runpy
import sys
from collections.abc import Iterator, Mapping

import timing

_TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_SHARED = os.path.join(os.path.dirname(_TOP), "shared", "histories")


def histories(folder: str, env: Mapping[str, str], *, quick: bool) -> Iterator[tuple[str, str]]:
    """(name, path) of each history, written into ``folder``."""
    replay = os.path.join(_SHARED, "replay")
    if os.path.exists(replay) and not quick:
        for name in ("small", "medium"):
            path = os.path.join(folder, name)
            timing.run((sys.executable, replay, os.path.join(_SHARED, f"{name}.jsonl.gz"), path), env)
            yield name, path
    else:
        yield "made here", made(os.path.join(folder, "made"), env, 10 if quick else 3000)


def made(path: str, env: Mapping[str, str], commits: int) -> str:
    """A history in which files move about a lot: harder on rename detection than a project's own."""
    # the tests are no package: the module is run for what it defines
    module = runpy.run_path(os.path.join(_TOP, "tests", "histories.py"))
    timing.run(("git", "init", "-q", path), env)
    module["renames"](1, commits).write(os.path.join(path, ".git"))
    return path
