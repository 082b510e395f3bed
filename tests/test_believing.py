"""What of post-rewrite's map can be true."""

from __future__ import annotations

import pytest

from mgit_hooks.record import Oid, RefMovement
from mgit_hooks.recorder.believing import believed
from mgit_hooks.recorder.evidence import Rewrite
from mgit_hooks.recorder.movements import Movement

A, B, NEW = (Oid(letter * 40) for letter in "abc")


@pytest.mark.parametrize(
    ("command", "reason", "refs", "expected"),
    [
        ("rebase", "rebase (pick): a", ("HEAD",), (A,)),
        ("rebase", "rebase (squash): a", ("HEAD",), (A, B)),
        ("rebase", "rebase (fixup): a", ("HEAD",), (A, B)),
        ("rebase", "commit (amend): a", ("HEAD",), (A, B)),
        ("rebase", "commit: a", ("HEAD", "refs/heads/main"), None),  # what is rebased onto
        ("amend", "commit (amend): a", ("HEAD", "refs/heads/main"), (A, B)),
        ("rebase", "rebase (finish): refs/heads/x onto y", ("refs/heads/x",), (A, B)),  # it made nothing
    ],
)
def test_a_map_is_believed_as_far_as_its_commit_can_have_been_made_so(
    command: str, reason: str, refs: tuple[str, ...], expected: tuple[Oid, ...] | None
) -> None:
    moved = tuple(RefMovement(name, A, NEW, reason) for name in refs)
    movement = Movement("main-worktree", A, NEW, "2026-01-01T00:00:00+00:00", reason, moved)
    found = believed({NEW: Rewrite(command, (A, B))}, [movement], lambda oid: None)
    assert (found[NEW].old if NEW in found else None) == expected
