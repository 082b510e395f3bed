"""Runs of work that several make at once, handed on in order and without holding more than a bounded part."""

from __future__ import annotations

from multiprocessing import Pipe
from multiprocessing.connection import Connection

import pytest

from mgit_hooks.capture import bulk, merging
from mgit_hooks.capture.merging import BEGUN, DONE, FAILED, LAST, MORE, Message
from mgit_hooks.errors import MgitError


def worker(*messages: Message) -> Connection:
    reader, writer = Pipe(duplex=False)
    for message in messages:
        writer.send_bytes(message.pack())
    writer.close()
    return reader


def begun(run: int) -> Message:
    return Message(run, BEGUN, b"")


def test_in_the_order_of_the_runs() -> None:
    one = worker(begun(0), Message(0, MORE, b"a"), Message(0, LAST, b"b"), begun(3), Message(3, LAST, b"g"), done())
    two = worker(begun(1), Message(1, LAST, b"c"), begun(2), Message(2, MORE, b"d"), Message(2, LAST, b"e"), done())
    found = list(merging.in_order([two, one], 4))
    assert [message.body for message in found] == [b"a", b"b", b"c", b"d", b"e", b"g"]


def done() -> Message:
    return Message(0, DONE, b"")


def test_a_failure_comes_in_its_place() -> None:
    ahead = worker(begun(1), Message(1, FAILED, b"why"))
    found = merging.in_order([ahead, worker(begun(0), Message(0, LAST, b"a"), done())], 2)
    assert [(message.state, message.body) for message in (next(found), next(found))] == [(LAST, b"a"), (FAILED, b"why")]


def test_an_end_without_a_word_is_an_error() -> None:
    with pytest.raises(MgitError, match="died"):
        list(merging.in_order([worker(begun(0), Message(0, MORE, b"a"))], 1))


def test_who_is_ahead_is_not_read_while_much_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(merging, "_HELD", 10)
    ahead = [Message(1, MORE, b"12345678") for _ in range(50)]
    first, second = Pipe(duplex=False)
    fast = worker(begun(1), *ahead, Message(1, LAST, b"z"), done())
    merge = merging._Merge([first, fast], 2)
    for _ in range(3):
        merge.receive(fast)  # the first says that run 1 is begun
    assert merge.wanted() == [first]
    second.send_bytes(begun(0).pack())
    merge.receive(first)
    assert merge.wanted() == [first]
    second.send_bytes(Message(0, LAST, b"a").pack())
    merge.receive(first)
    assert [message.body for message in merge.due()] == [b"a", b"12345678", b"12345678"]
    assert merge.wanted() == [first, fast]  # nobody knows yet where the first one goes on


RUNS = ((1, 2), (513, 2), (2049, 2), (6489, 3), (100_000, 4), (30_000_000, 4))


@pytest.mark.parametrize(("total", "count"), RUNS)
def test_every_commit_is_in_one_run(total: int, count: int) -> None:
    found = bulk.plan(total, count)
    ends = [run.stop for run in found]
    assert [run.start for run in found] == [0, *ends[:-1]]
    assert ends[-1] == total
    assert all(run.start < run.stop for run in found)
    assert 4 * len(found) <= 65536  # what fits in a pipe that nobody reads yet
    sizes = [run.stop - run.start for run in found]
    assert sizes == sorted(sizes, reverse=True)
