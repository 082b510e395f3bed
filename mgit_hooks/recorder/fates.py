"""What became of commits that nothing replaced: where they are now, or what dropped them, where that is known."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from functools import cache, partial
from itertools import islice
from typing import Final, NamedTuple

from mgit_hooks.capture.capturer import Capturer
from mgit_hooks.git import plumbing
from mgit_hooks.journal.index import Filter, Index
from mgit_hooks.layout import Location
from mgit_hooks.record import COMMIT_EVENTS, Json, Oid, Record, RefMovement, Seq
from mgit_hooks.recorder import commitmap

# Movements that are looked through for the one that dropped a commit, from the newest back.
_LOOKED_THROUGH: Final = 5_000
# Not where anybody works: our own, and what git keeps of commits that were replaced.
_ASIDE: Final = ("refs/mgit/", "refs/original/", "refs/replace/")


_FROM_BRANCH: Final = re.compile("checkout: moving from (?!(?:[0-9a-f]{40}|[0-9a-f]{64}) )")


class Dropped(NamedTuple):
    """``seq`` is the record of the movement by which the last ref left the commit; None where a tool says it."""

    seq: Seq | None
    ref: str | None
    reason: str | None

    def to_json(self) -> Json:
        return self._asdict()


class Fate(NamedTuple):
    """``refs`` that lead to the commit now, ``HEAD`` where only that does; None where git cannot tell."""

    refs: tuple[str, ...] | None
    dropped: Dropped | None


def fates(location: Location, index: Index, commits: Sequence[Oid], replaced: frozenset[Oid]) -> dict[Oid, Fate]:
    """The fate of each commit; of those that were ``replaced``, only where they still are."""
    there = _there(location, commits)
    refs = {commit: _leading_to(location, [commit]) for commit in there if commit not in replaced}
    # Most of what was replaced is on no ref any more: asked of all of them at once.
    olds = [commit for commit in there if commit in replaced]
    if olds and _leading_to(location, olds):
        refs |= {commit: _leading_to(location, [commit]) for commit in olds}
    left_out = commitmap.left_out(location.common_dir, set(commits) - replaced)
    found = {}
    git = cache(partial(Capturer, location.common_dir))
    for commit in commits:
        on = refs.get(commit, ()) if commit in there else None
        dropped = None
        if commit in left_out:
            dropped = Dropped(None, None, "git filter-repo left it out")
        elif commit not in replaced and not on:
            dropped = _dropped(git, index, commit)
        found[commit] = Fate(on, dropped)
    return found


def _there(location: Location, commits: Sequence[Oid]) -> list[Oid]:
    told = _git(location, "cat-file", "--batch-check", stdin="".join(f"{oid}\n" for oid in commits).encode())
    kinds = [line.split(" ")[1:2] for line in told.splitlines()]
    return [commit for commit, kind in zip(commits, kinds, strict=False) if kind == ["commit"]]


def _leading_to(location: Location, commits: Sequence[Oid]) -> tuple[str, ...]:
    asked = [f"--contains={commit}" for commit in commits]
    # The name of a branch may hold what else ends a line in Unicode, the folder of a worktree a newline.
    names = _git(location, "for-each-ref", "--format=%(refname)", *asked).split("\n")[:-1]
    kept = tuple(name for name in names if not name.startswith(_ASIDE))
    if kept:
        return kept
    heads = _git(location, "worktree", "list", "--porcelain", "-z").split("\0")
    tips = {line[5:] for line in heads if line.startswith("HEAD ") and line[5:].strip("0")}
    standing = [tip for tip in sorted(tips) if any(_is_ancestor(location, commit, tip) for commit in commits)]
    return ("HEAD",) if standing else ()


def _is_ancestor(location: Location, commit: Oid, tip: str) -> bool:
    done = plumbing.run(("--git-dir", location.common_dir, "merge-base", "--is-ancestor", commit, tip))
    return done.status == 0


def _dropped(git: Callable[[], Capturer], index: Index, commit: Oid) -> Dropped | None:
    """The newest movement on record that led from the commit, or from what stands on it, to where it is not."""
    first = index.seq_of(commit)
    if first is None:
        return None
    looked_at: set[tuple[Oid | None, Oid | None]] = set()
    wanted = Filter(events=("ref-update", "checkout", *sorted(COMMIT_EVENTS)))
    rows = islice(index.newest(wanted), _LOOKED_THROUGH)
    newer = (row for row in rows if row.seq >= first)
    for stored in index.read_many(newer, []):
        record = stored.record()
        # A branch before the HEAD that moved with it.
        for moved in sorted((record.refs or ()) if record is not None else (), key=_is_head):
            ends = (moved.old_oid, moved.new_oid)
            if ends in looked_at or _goes_on(record, moved):
                continue
            if _leaves(git(), commit, moved):
                return Dropped(Seq(stored.seq), moved.name, moved.reason)
            if not _is_head(moved):
                looked_at.add(ends)
    return None


def _is_head(moved: RefMovement) -> bool:
    return moved.name == "HEAD"


def _goes_on(record: Record | None, moved: RefMovement) -> bool:
    """Whether a ref went on to a child of where it was: nothing is dropped by that."""
    commit = record.commit if record is not None else None
    return moved.old_oid is None or (commit is not None and moved.old_oid in commit.parents)


def _leaves(git: Capturer, commit: Oid, moved: RefMovement) -> bool:
    old, new = moved.old_oid, moved.new_oid
    if old is None or moved.name.startswith(_ASIDE):
        return False
    if _is_head(moved) and _FROM_BRANCH.match(moved.reason or ""):
        return False  # the branch that HEAD was on still led to it then
    led = commit == old or git.is_ancestor(commit, old) is True
    return led and (new is None or (commit != new and git.is_ancestor(commit, new) is False))


def _git(location: Location, *arguments: str, stdin: bytes = b"") -> str:
    env = {**os.environ, "GIT_NO_REPLACE_OBJECTS": "1"}
    done = plumbing.run(("--git-dir", location.common_dir, *arguments), stdin=stdin, env=env)
    return "" if done.status else os.fsdecode(done.stdout)
