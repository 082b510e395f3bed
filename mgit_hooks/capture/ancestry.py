"""The commits that tips reach and a journal does not know yet, parents before children."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable
from typing import NamedTuple

from mgit_hooks.capture import rawcommit
from mgit_hooks.capture.rawcommit import Place
from mgit_hooks.errors import ObjectError
from mgit_hooks.git.backend import MissingObject, Objects
from mgit_hooks.record import Oid


class Walk(NamedTuple):
    """``missing`` are objects on the way, tips included, that are not here or cannot be read."""

    oids: list[Oid]
    missing: tuple[Oid, ...]


def walk(
    objects: Objects,
    boundary: frozenset[Oid],
    tips: Iterable[Oid],
    known: Callable[[Oid], bool],
    *,
    through: bool = False,
) -> Walk:
    """What ``tips`` reach without passing a known commit, whose ancestors are taken as known too.

    ``through``: nothing is taken from a known commit about those behind it, and all of the history is read.

    The order depends on the commits alone: parents first, then by committer date, then by id. Tags are
    peeled; what is no commit then (a tag of a tree or blob) is not ours.
    """
    nodes: dict[Oid, Place] = {}
    missing: list[Oid] = []
    passed: set[bytes] = set()
    stack = [oid for tip in sorted(set(tips)) if (oid := _peeled(objects, tip, missing)) is not None]
    while stack:
        oid = stack.pop()
        if oid in nodes or (passed and bytes.fromhex(oid) in passed):
            continue
        is_known = known(oid)
        if is_known and not through:
            continue
        try:
            found = rawcommit.place(objects.read_commit(oid), oid)
        except ObjectError:
            if oid not in missing:
                missing.append(oid)
            continue
        # Past a shallow clone's boundary there is nothing, and nothing is missing.
        if oid in boundary:
            found = found._replace(parents=())
        if is_known:
            passed.add(bytes.fromhex(oid))
        else:
            nodes[oid] = found
        stack += found.parents
    return Walk(_ordered(nodes), tuple(missing))


def _peeled(objects: Objects, oid: Oid, missing: list[Oid]) -> Oid | None:
    try:
        return objects.peel_to_commit(oid)
    except MissingObject as error:
        if error.oid not in missing:
            missing.append(error.oid)
        return None


def _ordered(nodes: dict[Oid, Place]) -> list[Oid]:
    children: dict[Oid, list[Oid]] = {}
    waiting: dict[Oid, int] = {}
    ready: list[tuple[int, Oid]] = []
    for oid, node in nodes.items():
        inside = [parent for parent in dict.fromkeys(node.parents) if parent in nodes]
        for parent in inside:
            children.setdefault(parent, []).append(oid)
        if inside:
            waiting[oid] = len(inside)
        else:
            ready.append((node.time, oid))
    heapq.heapify(ready)
    ordered: list[Oid] = []
    while ready:
        _, oid = heapq.heappop(ready)
        ordered.append(oid)
        for child in children.pop(oid, ()):
            waiting[child] -= 1
            if not waiting[child]:
                heapq.heappush(ready, (nodes[child].time, child))
    return ordered
