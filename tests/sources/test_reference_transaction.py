"""What only the reference-transaction hook tells: on record with it, and nothing twice."""

from __future__ import annotations

import pytest
from recording import Recording


@pytest.fixture
def work(repo) -> Recording:  # type: ignore[no-untyped-def]
    made = Recording(repo, asked_for=("reference-transaction",))
    made.commit("one")
    made.commit("two")
    made.drain()
    return made


def test_a_branch_made_and_deleted(work: Recording) -> None:
    tree = work.head("HEAD^{tree}")
    only = work.git("commit-tree", "-p", "HEAD", "-m", "only there", tree)
    work.git("update-ref", "refs/heads/short", only)
    work.git("branch", "-D", "short")
    assert work.refs()[-2:] == [("refs/heads/short", None, only), ("refs/heads/short", only, None)]
    record = work.of(only)
    assert (record.event, record.source) == ("import", "hook")
    assert {(r.source, r.occurred_at, r.occurred_from) for r in work.records("ref-update")[-2:]} == {
        ("hook", None, None)
    }
    work.check()
