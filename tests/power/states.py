"""All states that a power cut may leave of a recording, or a sample of them, each put into a folder to be judged."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from random import Random
from typing import NamedTuple

import google_crc32c

from power.disk import Choose, Disk, Found, Tree
from power.trace import Recording


class State(NamedTuple):
    """``cut``: how many operations had been called by then; ``reported``: what had been told as done."""

    cut: int
    reported: list[str]
    tree: Tree


def states(recording: Recording, *, strict: bool, seed: int, at_most: int) -> Iterator[State]:
    """Every state that differs from all others, for a cut before and after each operation.

    All of a cut's, where they are no more than ``at_most``; else that many draws, by ``seed``.
    """
    disk = Disk(recording, strict=strict)
    seen: set[int] = set()
    for cut in range(len(recording.ops) + 1):
        reported = recording.reported(cut)
        for tree in _all_or_some(disk.cut, at_most, Random(f"{seed} {cut}")):
            key = hash((len(reported), *tree.items()))
            if key not in seen:
                seen.add(key)
                yield State(cut, reported, tree)
        if cut < len(recording.ops):
            disk.take(recording.ops[cut])


def _all_or_some(cut: Callable[[Choose], Tree], at_most: int, chance: Random) -> list[Tree]:
    found: list[Tree] = []
    path: list[list[int]] = []  # [taken, of how many], one for each choice on the way to the last tree
    while len(found) < at_most:
        found.append(cut(_follow(path)))
        while path and path[-1][0] + 1 == path[-1][1]:
            path.pop()
        if not path:
            return found
        path[-1][0] += 1
    return [cut(chance.randrange) for _ in range(at_most)]


def _follow(path: list[list[int]]) -> Choose:
    """Choose as ``path`` says, and the first wherever it says nothing: that is added to it."""
    steps = iter(list(path))

    def choose(among: int) -> int:
        step = next(steps, None)
        if step is None:
            path.append([0, among])
            return 0
        assert step[1] == among
        return step[0]

    return choose


def put(tree: Tree, recording: Recording, root: str, *, only: str = "") -> None:
    """Make ``root`` hold ``tree`` and nothing else; what is beside ``only`` there stays.

    A restart does not change a file's inode, but a file put here has another: an ``identity`` that spoke of itself
    speaks of itself again, or every state would pass for a copied journal.
    """
    for name in [only] if only else os.listdir(root):
        path = os.path.join(root, name)
        if os.path.isdir(path):
            shutil.rmtree(path)
        elif os.path.exists(path):
            os.unlink(path)
    places = {start.id: start.place for start in recording.before}
    for path, found in tree.items():
        target = os.path.join(root, path)
        if found is None:
            os.mkdir(target, 0o700)
            continue
        with open(target, "wb", opener=_private) as file:
            data = found.data
            if os.path.basename(path) == "identity":
                status = os.fstat(file.fileno())
                data = _at_home(found, places.get(found.origin), (status.st_dev, status.st_ino))
            file.write(data)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _at_home(found: Found, was: tuple[int, int] | None, now: tuple[int, int]) -> bytes:
    """``was``: where the file lay, of one that was there before the recording; one made in it names itself."""
    try:
        value = json.loads(found.data)
        claimed = (value["device"], value["inode"])
        check = value.pop("check")
    except (ValueError, KeyError, TypeError):
        return found.data
    if check != _check(value) or not any(claimed) or was not in (None, claimed):
        return found.data
    value["device"], value["inode"] = now
    return json.dumps({**value, "check": _check(value)}).encode() + b"\n"


def _check(value: object) -> int:
    return int(google_crc32c.value(json.dumps(value, sort_keys=True).encode()))
