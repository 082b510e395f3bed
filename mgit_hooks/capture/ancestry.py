"""The commits that tips reach and a journal does not know yet, parents before children."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from mgit_hooks.capture import rawcommit
from mgit_hooks.capture.graph import Graph, Oids
from mgit_hooks.errors import ObjectError
from mgit_hooks.git.backend import MissingObject, Objects
from mgit_hooks.record import Oid

_SHA1: Final = 20


class Walk(NamedTuple):
    """``missing`` are objects on the way, tips included, that are not here or cannot be read."""

    oids: Oids
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
    missing: dict[Oid, None] = {}
    peeled = [bytes.fromhex(oid) for tip in sorted(set(tips)) if (oid := _peeled(objects, tip, missing)) is not None]
    size = len(peeled[0]) if peeled else _SHA1
    graph = Graph(size)
    waiting = [graph.number(id) for id in peeled]
    while waiting:
        number = waiting.pop()
        if graph.is_settled(number):
            continue
        oid = graph.oid(number)
        is_known = known(oid)
        graph.pass_over(number)
        if is_known and not through:
            continue
        try:
            found = rawcommit.place(objects.read_commit(oid), oid)
        except ObjectError:
            missing[oid] = None
            continue
        # Past a shallow clone's boundary there is nothing, and nothing is missing.
        parents = () if oid in boundary else _numbers(graph, size, found.parents, missing)
        if not is_known:
            graph.keep(number, found.time, parents)
        waiting += parents
    return Walk(graph.ordered(), tuple(missing))


def _peeled(objects: Objects, oid: Oid, missing: dict[Oid, None]) -> Oid | None:
    try:
        return objects.peel_to_commit(oid)
    except MissingObject as error:
        missing[error.oid] = None
        return None


def _numbers(graph: Graph, size: int, parents: Iterable[Oid], missing: dict[Oid, None]) -> list[int]:
    """A damaged commit may name as a parent what is no id: it is missing like one that is not here."""
    found: dict[int, None] = {}
    for parent in parents:
        try:
            id = bytes.fromhex(parent)
        except ValueError:
            id = b""
        if len(id) == size:
            found[graph.number(id)] = None
        else:
            missing[parent] = None
    return list(found)
