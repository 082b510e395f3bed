"""What one git command answers: of a repository that libgit2 cannot read, or of the part of it that it cannot."""

from __future__ import annotations

import os
from collections.abc import Mapping

from mgit_hooks.capture.rawdiff import Change
from mgit_hooks.errors import RepositoryError
from mgit_hooks.git import plumbing, rawoutput
from mgit_hooks.git.backend import MissingObject
from mgit_hooks.record import Oid


def is_ancestor(git_dir: str, old: Oid, new: Oid, environment: Mapping[str, str] | None = None) -> bool | None:
    """As ``Backend.is_ancestor``, of two commits that are there."""
    told = plumbing.run(("merge-base", "--is-ancestor", old, new), env=_env(git_dir, environment))
    return {0: True, 1: False}.get(told.status)


def staged_changes(
    git_dir: str, index_file: str, tree: Oid, environment: Mapping[str, str] | None = None
) -> list[Change]:
    """As ``Backend.staged_changes``; ``tree`` may be the empty one."""
    env = {**_env(git_dir, environment), "GIT_INDEX_FILE": os.path.abspath(index_file)}
    told = plumbing.run(("diff-index", "--cached", "--ita-invisible-in-index", *rawoutput.OPTIONS, tree), env=env)
    if told.status:
        if tree in told.stderr:
            raise MissingObject(tree)
        raise RepositoryError(f"git cannot read the index: {reason(told)}", "see what 'git status' says there")
    return list(rawoutput.changes(rawoutput.Whole(told.stdout)))


def reason(told: plumbing.Result) -> str:
    """git's first line on why it failed."""
    lines = told.stderr.strip().splitlines() or [f"git ended with status {told.status}"]
    return lines[0].removeprefix("fatal: ").removeprefix("error: ")


def _env(git_dir: str, environment: Mapping[str, str] | None) -> dict[str, str]:
    base = plumbing.without_local(os.environ) if environment is None else environment
    return {**base, "GIT_DIR": git_dir}
