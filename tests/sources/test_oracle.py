"""The oracle tells: a recorder with a bug planted in it disagrees with git."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from conftest import Repo

from mgit_hooks.record import Record
from mgit_hooks.recorder import transactions
from mgit_hooks.recorder.comparing import Comparison
from mgit_hooks.recorder.queue import Queue
from mgit_hooks.recorder.unlogged import Unlogged

from .scene import Scene


def nothing(*_: Any) -> Iterator[Record]:
    return iter(())


def without_checkouts(self: Queue, movement: Any) -> Any:
    return None if movement.message.startswith("checkout: ") else _NEW_PART(self, movement)


def none_is_the_same(*_: Any) -> dict[int, int]:
    return {}


_NEW_PART = Queue._new_part
BUGS = {
    "refs without a reflog are not compared": (Comparison, "records", nothing, "refs/tags/t was seen at"),
    "a ref's gaps are not filled": (Unlogged, "before", nothing, "refs/heads/topic was at"),
    "checkouts are left out": (Queue, "_new_part", without_checkouts, "not on record: 1 x ('main-worktree'"),
    "the hook's word is not held against the reflogs'": (transactions, "_same", none_is_the_same, "told by a hook and"),
}  # fmt: skip


@pytest.mark.parametrize("name", [None, *BUGS])
def test_a_planted_bug_is_found(repo: Repo, name: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    work = Scene(repo, every=False, asked_for=("reference-transaction",) if name and "hook" in name else ())
    work.commit("one")
    work.git("branch", "topic")
    work.drain()
    if name is not None:
        owner, attribute, bug, _ = BUGS[name]
        monkeypatch.setattr(owner, attribute, bug)
    two = work.commit("two")
    work.git("branch", "-D", "topic")
    work.git("branch", "topic", two)
    work.git("tag", "t")
    work.git("checkout", "-q", "topic")
    work.git("reset", "-q", "--hard", "HEAD~1")
    wrong = work.disagreements()
    if name is None:
        assert wrong == []
    else:
        assert any(BUGS[name][3] in line for line in wrong), wrong
