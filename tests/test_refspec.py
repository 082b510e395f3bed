"""The remote-tracking ref of a remote's ref, as git itself finds it."""

from __future__ import annotations

import pytest

from mgit_hooks.git.refspec import target_patterns, tracking

ALL = "+refs/heads/*:refs/remotes/origin/*"


@pytest.mark.parametrize(
    ("refspecs", "ref", "found"),
    [
        ([ALL], "refs/heads/main", "refs/remotes/origin/main"),
        ([ALL], "refs/heads/a/b", "refs/remotes/origin/a/b"),
        ([ALL], "refs/tags/v1", None),
        ([], "refs/heads/main", None),
        (["refs/heads/main:refs/remotes/origin/main"], "refs/heads/main", "refs/remotes/origin/main"),
        (["refs/heads/main:refs/remotes/origin/main"], "refs/heads/mai", None),
        (["refs/heads/main"], "refs/heads/main", None),
        (["+refs/heads/*:refs/x/*/y"], "refs/heads/main", "refs/x/main/y"),
        (["refs/heads/qa-*-x:refs/remotes/o/*"], "refs/heads/qa-1-x", "refs/remotes/o/1"),
        (["refs/heads/ab*bc:refs/remotes/o/*"], "refs/heads/abc", None),
        ([ALL, "^refs/heads/no/*"], "refs/heads/no/1", None),
        (["^refs/heads/no", ALL], "refs/heads/no", None),
        (["^refs/heads/no", ALL], "refs/heads/now", "refs/remotes/origin/now"),
        (["refs/heads/*:refs/a/*", ALL], "refs/heads/main", "refs/a/main"),
        (["+refs/*:refs/*"], "refs/heads/main", "refs/heads/main"),
    ],
)
def test_tracking(refspecs: list[str], ref: str, found: str | None) -> None:
    assert tracking(refspecs, ref) == found


def test_target_patterns() -> None:
    assert target_patterns([ALL, "^refs/heads/no", "refs/heads/main"]) == ["refs/remotes/origin/*"]
