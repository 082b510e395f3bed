"""What reflogs tell and what the reference-transaction hook tells, laid side by side."""

from __future__ import annotations

import pytest

from mgit_hooks.record import Oid, RefMovement
from mgit_hooks.recorder.event import Process, Transacted, transacted
from mgit_hooks.recorder.movements import Movement
from mgit_hooks.recorder.transactions import Told, joined

A, B, C, D = (Oid(letter * 40) for letter in "abcd")
Z = "0" * 40
REF = "refs/heads/topic"


def logged(old: Oid | None, new: Oid | None, ref: str = REF) -> Movement:
    return Movement(None, old, new, "2026-01-01T00:00:00+00:00", "why", (RefMovement(ref, old, new, "why"),))


def told(old: Oid | None, new: Oid | None, ref: str = REF, process: int = 1) -> Told:
    return Told(Process(process, None), ref, old, new)


Steps = list[tuple[Oid | None, Oid | None]]


def steps(queue: list[Movement], lines: list[Told], at: Oid | None = None, now: Oid | None = None) -> list[object]:
    """(old, new, whether only the hook tells it) of each movement of the ref."""
    standing = {REF: now} if now else {}
    found = joined(queue, lines, lambda ref: (at,), lambda: standing, lambda oid: oid != D)
    return [(movement.old_oid, movement.new_oid, movement.by_hook) for movement in found]


@pytest.mark.parametrize(
    ("at", "queue", "lines", "expected"),
    [
        pytest.param(A, [(A, B)], [(A, B)], [(A, B, False)], id="both tell"),
        pytest.param(A, [(A, B)], [], [(A, B, False)], id="only the reflog tells"),
        pytest.param(None, [], [(None, A), (None, None)], [(None, A, True), (A, None, True)], id="made and deleted"),
        pytest.param(None, [], [(None, A), (None, None), (None, None)], [(None, A, True), (A, None, True)],
                     id="deleted, told twice"),
        pytest.param(A, [], [(None, B), (None, C)], [(A, B, True), (B, C, True)], id="where it was is not said"),
        pytest.param(A, [(None, C)], [(A, B), (B, None), (None, C)],
                     [(A, B, True), (B, None, True), (None, C, False)], id="the reflog lost its beginning"),
        pytest.param(A, [(A, B), (C, D)], [(A, B), (B, C), (C, D)], [(A, B, False), (B, C, True), (C, D, False)],
                     id="the reflog lost its middle"),
        pytest.param(A, [(A, B), (B, C)], [(B, C)], [(A, B, False), (B, C, False)], id="the hook came later"),
        pytest.param(A, [(A, B), (B, C)], [(A, B), (C, D)], [(A, B, False), (B, C, False), (C, D, True)],
                     id="the hook was out in between"),
        pytest.param(A, [(A, B), (B, A)], [(A, B), (B, A)], [(A, B, False), (B, A, False)], id="there and back"),
        pytest.param(A, [], [(A, B), (B, A)], [(A, B, True), (B, A, True)], id="there and back, only the hook tells"),
        pytest.param(A, [], [(A, A)], [], id="it did not move"),
        pytest.param(C, [], [(A, B), (B, C)], [], id="on record already"),
        pytest.param(C, [], [(A, B), (B, C), (C, D)], [(C, D, True)], id="in part on record already"),
        pytest.param(A, [], [(None, D), (None, A)], [(A, D, True), (D, A, True)], id="there and back by what is new"),
        pytest.param(B, [(B, C)], [(A, B), (B, C)], [(B, C, False)], id="on record already, and then the reflog"),
        pytest.param(A, [], [(None, A), (A, None)], [], id="packed"),
        pytest.param(None, [], [(None, A), (None, A), (A, None)], [(None, A, True)], id="made and packed"),
        pytest.param(A, [], [(None, A), (A, None), (A, B)], [(A, B, True)], id="packed, then moved"),
        pytest.param(A, [], [(A, None), (None, B)], [(A, None, True), (None, B, True)], id="deleted and made again"),
        pytest.param(A, [], [(A, None), (A, B)], [(A, B, True)], id="packed in an earlier drain, then moved"),
    ],
)  # fmt: skip
def test_one_ref(at: Oid | None, queue: Steps, lines: Steps, expected: list[object]) -> None:
    assert steps([logged(*each) for each in queue], [told(*each) for each in lines], at) == expected


def test_a_deletion_of_what_is_still_there_was_a_packing() -> None:
    assert steps([], [told(A, None)], at=A, now=A) == []
    assert steps([], [told(A, None)], at=A) == [(A, None, True)]


def test_what_one_process_packed_another_may_delete() -> None:
    assert steps([], [told(None, A), told(A, None, process=2)], at=A) == [(A, None, True)]


def test_the_order_between_refs_is_that_of_the_hook_where_both_tell_of_neighbours() -> None:
    queue = [logged(None, A, "refs/heads/x"), logged(A, B, "refs/heads/x")]
    lines = [told(None, A, "refs/heads/x"), told(None, C), told(A, B, "refs/heads/x"), told(None, None)]
    found = joined(queue, lines, lambda ref: None, dict, lambda oid: True)
    assert [(m.refs[0].name, m.new_oid) for m in found] == [
        ("refs/heads/x", A), (REF, C), ("refs/heads/x", B), (REF, None),
    ]  # fmt: skip


def test_what_reflogs_and_the_hook_order_differently_keeps_each_refs_own_order() -> None:
    queue = [logged(A, B), logged(None, A, "refs/heads/x")]
    lines = [told(None, A, "refs/heads/x"), told(None, A), told(A, B)]
    found = joined(queue, lines, lambda ref: None, dict, lambda oid: True)
    assert [(m.refs[0].name, m.new_oid) for m in found] == [(REF, A), (REF, B), ("refs/heads/x", A)]


def test_lines_are_taken_apart() -> None:
    said = f"{Z} {A} HEAD\n{A} {B} refs/heads/été\n{B} {Z} refs/tags/x\n"
    passed_over = (
        f"{A} {B} refs/mgit/anchor\n{Z} {A} ORIG_HEAD\n{Z} ref:refs/heads/x HEAD\nref:refs/heads/x {Z} refs/s\n"
    )
    assert transacted(said + passed_over) == (
        Transacted("HEAD", None, A), Transacted("refs/heads/été", A, B), Transacted("refs/tags/x", B, None),
    )  # fmt: skip


@pytest.mark.parametrize("line", ["one two", "x y refs/heads/a", f"{A[:39]} {B} refs/heads/a"])
def test_a_line_that_git_does_not_write_is_none(line: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        transacted(f"{line}\n")
