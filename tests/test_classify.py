"""What reflog messages, hooks and rewrite maps make of a commit."""

from __future__ import annotations

import pytest

from mgit_hooks.recorder import classify


@pytest.mark.parametrize(
    ("message", "event"),
    [
        ("commit: x", "commit"),
        ("commit:", "commit"),
        ("commit: fast-forward", "commit"),
        ("commit (initial): x", "commit"),
        ("commit (amend): x", "amend"),
        ("commit (merge): x", "merge"),
        ("commit (cherry-pick): x", "cherry-pick"),
        ("merge topic: Merge made by the 'ort' strategy.", "merge"),
        ("pull -q: Merge made by the 'ort' strategy.", "merge"),
        ("merge topic: Fast-forward", None),
        ("pull: Fast-forward", None),
        ("cherry-pick: x", "cherry-pick"),
        ("cherry-pick: fast-forward", None),
        ('revert: Revert "x"', "revert"),
        ("am: x", "am"),
        ("rebase (pick): x", "rebase"),
        ("rebase (fixup): x", "rebase"),
        ("rebase (squash): x", "rebase"),
        ("rebase (reword): x", "rebase"),
        ("rebase (continue): x", "rebase"),
        ("rebase -i (pick): x", "rebase"),
        ("pull --rebase origin main (pick): x", "rebase"),
        ("rebase (start): checkout main", None),
        ("rebase (finish): returning to refs/heads/x", None),
        ("rebase (abort): updating HEAD", None),
        ("rebase (pick): fast-forward", None),
        ("reset: moving to HEAD~1", None),
        ("checkout: moving from a to b", None),
        ("branch: Created from HEAD", None),
        ("fetch: fast-forward", None),
        ("update by push", None),
        ("anything at all", None),
        ("", None),
    ],
)
def test_made_by(message: str, event: str | None) -> None:
    assert classify.made_by(message) == event


@pytest.mark.parametrize(
    ("reflog", "hook", "rewrite", "parents", "message", "event"),
    [
        ("commit: x", "post-commit", None, 1, "x", "commit"),
        ("commit: x", None, None, 1, "x", "commit"),
        ("commit: x", "post-commit", None, 2, "x", "merge"),
        ("deploy: x", "post-commit", None, 1, "x", "commit"),  # GIT_REFLOG_ACTION=deploy
        ("deploy: x", "post-commit", "amend", 1, "x", "amend"),
        ("deploy: x", None, None, 1, "x", None),
        ("commit (amend): x", "post-commit", "rebase", 1, "x", "amend"),
        ("rebase (fixup): x", None, "amend", 1, "x", "rebase"),
        ("reset: moving to X", None, None, 1, "x", None),
        ("merge t: Fast-forward", "post-merge", None, 1, "x", None),
        ("merge t: Fast-forward", "post-merge", None, 2, "x", None),
        (None, "post-merge", None, 2, "x", "merge"),
        (None, "post-merge", None, 1, "x", None),
        (None, "post-commit", None, 1, "x", "commit"),
        (None, "post-applypatch", None, 1, "x", "am"),
        (None, None, "rebase", 1, "x", "rebase"),
        (None, None, None, 1, "x", None),
        ("commit: Revert", "post-commit", None, 1, f'Revert "x"\n\nThis reverts commit {"a" * 40}.\n', "revert"),
        ("commit: Revert", "post-commit", None, 1, 'Revert "x" by hand\n', "commit"),
        ("commit (amend): R", "post-commit", "amend", 1, f'Revert "x"\n\nThis reverts commit {"a" * 40}.\n', "amend"),
    ],
)
def test_event_of(
    reflog: str | None, hook: str | None, rewrite: str | None, parents: int, message: str, event: str | None
) -> None:
    assert classify.event_of(reflog, hook, rewrite, parents, message) == event


@pytest.mark.parametrize(
    ("message", "runs"), [("commit: x", True), ("am: x", True), ("rebase (pick): x", False), ("reset: x", False)]
)
def test_runs_hook(message: str, runs: bool) -> None:
    assert classify.runs_hook(message) is runs


@pytest.mark.parametrize(
    ("ref", "message", "fetched"),
    [
        ("refs/remotes/origin/main", "anything", True),
        ("HEAD", "pull: Fast-forward", True),
        ("refs/heads/main", "clone: from x", True),
        ("refs/heads/main", "commit: fetch", False),
        ("refs/heads/main", None, False),
    ],
)
def test_is_fetched(ref: str, message: str | None, fetched: bool) -> None:
    assert classify.is_fetched(ref, message) is fetched
