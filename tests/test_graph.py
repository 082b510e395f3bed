"""The packed graph of a history against the plainest one there is, and how much it keeps in memory."""

from __future__ import annotations

import random
import tracemalloc
from hashlib import sha1

import pytest
from conftest import Repo

from mgit_hooks.capture.capturer import Capturer
from mgit_hooks.capture.graph import Graph, Oids
from mgit_hooks.record import Oid

MANY = 200_000


def identity(number: int, size: int = 20) -> bytes:
    return (sha1(b"%d" % number, usedforsecurity=False).digest() * 2)[:size]


def plainly(times: dict[int, int], parents: dict[int, list[int]], kept: set[int], size: int) -> list[Oid]:
    """Of those whose parents are all there, always the least by time and id."""
    left, found = set(kept), []
    while left:
        ready = [one for one in left if not left.intersection(parents[one])]
        least = min(ready, key=lambda one: (times[one], identity(one, size)))
        left.remove(least)
        found.append(Oid(identity(least, size).hex()))
    return found


@pytest.mark.parametrize("size", [20, 32])
@pytest.mark.parametrize("seed", range(4))
def test_the_order_is_that_of_the_plain_graph(seed: int, size: int) -> None:
    chance = random.Random(seed)
    count = (3, 90, 300, 700)[seed]
    times = {one: chance.choice((-5, 0, 1, 1 << 40, chance.randrange(50))) for one in range(count)}
    parents = {
        one: list({chance.randrange(max(0, one - 30), one) for _ in range(chance.choice((1, 1, 2, 5)))} if one else ())
        for one in range(count)
    }
    kept = {one for one in range(count) if chance.random() < 0.9}
    graph = Graph(size)
    order = list(range(count))
    chance.shuffle(order)
    for one in order:
        number = graph.number(identity(one, size))
        assert not graph.is_settled(number)
        if one in kept:
            graph.keep(number, times[one], [graph.number(identity(parent, size)) for parent in parents[one]])
        else:
            graph.pass_over(number)
        assert graph.is_settled(number)
        assert graph.oid(number) == identity(one, size).hex()
    assert list(graph.ordered()) == plainly(times, parents, kept, size)


def test_a_time_beyond_all_sense_is_the_last() -> None:
    graph = Graph(20)
    for one, time in enumerate((1 << 70, -(1 << 70), 0)):
        graph.keep(graph.number(identity(one)), time, ())
    assert list(graph.ordered()) == [identity(one).hex() for one in (1, 2, 0)]


def test_of_a_long_history_a_hundred_bytes_a_commit_are_kept() -> None:
    """As strings in dictionaries they took 600."""
    tracemalloc.start()
    try:
        graph = Graph(20)
        for one in range(MANY):
            graph.keep(graph.number(identity(one)), one, [graph.number(identity(one + 1))])
        ordered = graph.ordered()
        assert tracemalloc.get_traced_memory()[1] < 100 * MANY
    finally:
        tracemalloc.stop()
    assert len(ordered) == MANY
    assert (ordered[0], ordered[-1]) == (identity(MANY - 1).hex(), identity(0).hex())


def test_oids_are_a_sequence() -> None:
    oids = Oids(b"".join(map(identity, range(5))), 20)
    whole = [Oid(identity(one).hex()) for one in range(5)]
    assert list(oids) == whole
    assert [oids[one] for one in (0, 4, -1, -5)] == [whole[one] for one in (0, 4, -1, -5)]
    assert [oids[1:3], oids[:-1], oids[::2], oids[9:]] == [whole[1:3], whole[:-1], whole[::2], []]
    with pytest.raises(IndexError):
        oids[5]


@pytest.mark.parametrize("parent", [b"no id", b"abcd", b"12" * 32])
def test_a_parent_that_is_no_id_is_missing(repo: Repo, parent: bytes) -> None:
    tree = repo.git("write-tree").encode()
    raw = b"tree %b\nparent %b\nauthor A <a> 1 +0000\ncommitter A <a> 1 +0000\n\nx\n" % (tree, parent)
    oid = Oid(repo.git("hash-object", "-t", "commit", "-w", "--stdin", "--literally", stdin=raw))
    capturer = Capturer(f"{repo.path}/.git")
    assert list(capturer.new_commits([oid], lambda _: False)) == [oid]
    assert capturer.missing == (parent.decode(),)
