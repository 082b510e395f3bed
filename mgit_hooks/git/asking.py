"""What one git command answers: of a repository that libgit2 cannot read, or of the part of it that it cannot."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

from mgit_hooks.capture.rawdiff import Change
from mgit_hooks.errors import RepositoryError
from mgit_hooks.git import plumbing, rawoutput
from mgit_hooks.git.backend import MissingObject
from mgit_hooks.record import Oid

# packed-backend.c, shallow.c, commit.c, object-file.c
_QUOTES = re.compile(
    r"((?:unexpected|unterminated) line in .*?packed-refs|bad shallow line|bad graft data|unable to normalize)[: ]",
    re.S,
)


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
    """git's line on why it failed: the fatal one. What stands before it may quote other files, and so may it: then it
    is cut off before that. A repository can have a link to any file where git expects one of its own."""
    lines = told.stderr.strip().splitlines() or [f"git ended with status {told.status}"]
    line = next((line for begin in ("fatal: ", "error: ") for line in lines if line.startswith(begin)), lines[0])
    said = line.removeprefix("fatal: ").removeprefix("error: ")
    quotes = _QUOTES.match(said)
    return said if quotes is None else quotes[1]


def _env(git_dir: str, environment: Mapping[str, str] | None) -> dict[str, str]:
    base = plumbing.without_local(os.environ) if environment is None else environment
    return {**base, "GIT_DIR": git_dir}
