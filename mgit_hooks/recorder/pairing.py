"""What ``git filter-branch`` made of each commit. It throws its map away, and keeps where refs were before.

So old and new commits are laid side by side, from the first on. Two are a pair where they have message and dates in
common, and the parents of the one became those of the other, and no other one fits. What was changed in these, or
could be one of two, is left unpaired: a wrong link is worse than none.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Final, NamedTuple

from mgit_hooks.capture import rawcommit
from mgit_hooks.errors import ObjectError
from mgit_hooks.git import plumbing, reflog
from mgit_hooks.record import Oid
from mgit_hooks.recorder.rebasing import Pair

# So many commits are read with one command; it bounds the memory.
_BATCH: Final = 4096


class Look(NamedTuple):
    """A commit as far as pairing goes: its id, its parents, and a digest of what filters seldom touch."""

    oid: Oid
    parents: tuple[Oid, ...]
    key: bytes


def of_filter_branch(common_dir: str, originals: Sequence[str]) -> list[Pair]:
    """Pairs among what ``originals`` (``refs/original/REF``) lead to, and what those REFs lead to now."""
    was = {name: oid for name in originals if (oid := _commit(common_dir, name)) is not None}
    befores = sorted(set(was.values()))
    afters = sorted({after for name, before in was.items() for after in _afters(common_dir, name, before)})
    if not befores or not afters:
        return []
    olds = list(_looks(common_dir, befores, afters))
    news = list(_looks(common_dir, afters, befores))
    return pairs(olds, news)


def pairs(olds: Sequence[Look], news: Sequence[Look]) -> list[Pair]:
    """The pairs among two sets of commits that have none in common, each with parents before children.

    A commit that was left out has become what its only parent became, as filter-branch itself takes it; a root,
    nothing. Where there were more commits that say the same than there are now, nobody can tell which were left out.
    """
    fitting: dict[tuple[bytes, tuple[Oid, ...]], list[Oid]] = {}
    for new in news:
        fitting.setdefault((new.key, new.parents), []).append(new.oid)
    known = {old.oid for old in olds}
    keys = Counter(new.key for new in news)
    lacking = Counter(old.key for old in olds) - keys
    became: dict[Oid, tuple[Oid, ...]] = {}
    claimed: dict[Oid, list[Oid]] = {}
    for old in olds:
        parents = _became(old.parents, became, known)
        if keys[old.key] and lacking[old.key]:
            continue
        found = fitting.get((old.key, parents), []) if parents is not None else []
        if len(found) == 1:
            became[old.oid] = (found[0],)
            claimed.setdefault(found[0], []).append(old.oid)
        elif not found and old.key not in keys and parents is not None and len(parents) <= 1:
            became[old.oid] = parents
    return [Pair(by[0], new) for new, by in claimed.items() if len(by) == 1]


def _became(parents: tuple[Oid, ...], became: Mapping[Oid, tuple[Oid, ...]], known: set[Oid]) -> tuple[Oid, ...] | None:
    """What the parents became; None where that is not known of one of them."""
    found: dict[Oid, None] = {}
    for parent in parents:
        new = became.get(parent) if parent in known else (parent,)
        if new is None:
            return None
        found |= dict.fromkeys(new)
    return tuple(found)


def _afters(common_dir: str, original: str, before: Oid) -> set[Oid]:
    """What the ref was set to of which that one keeps where it was, by its reflog: it may have gone on since. Of a
    detached HEAD those of all worktrees say whose it was. Where none says it, what the ref is now."""
    name = original.removeprefix("refs/original/")
    logs = (
        [reflog.of_head(common_dir, worktree) for worktree in reflog.worktrees(common_dir)]
        if name == "HEAD"
        else [reflog.of_ref(common_dir, name)]
    )
    logged = {
        entry.new_oid
        for log in logs
        for entry in log
        if entry.old_oid == before and entry.message.startswith("filter-branch: ")
    }
    return {oid for oid in logged or {_commit(common_dir, name)} if oid is not None}


def _commit(common_dir: str, ref: str) -> Oid | None:
    found = _git(common_dir, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}")
    return Oid(found.decode().strip()) if found else None


def _looks(common_dir: str, tips: Sequence[Oid], without: Sequence[Oid]) -> Iterator[Look]:
    """What the tips lead to and those others do not, parents first."""
    asked = "".join((*(f"{oid}\n" for oid in tips), *(f"^{oid}\n" for oid in without)))
    listed = _git(common_dir, "rev-list", "--topo-order", "--reverse", "--stdin", stdin=asked.encode())
    oids = listed.decode().split()
    for start in range(0, len(oids), _BATCH):
        yield from _read(common_dir, oids[start : start + _BATCH])


def _read(common_dir: str, oids: Sequence[str]) -> Iterator[Look]:
    data = _git(common_dir, "cat-file", "--batch", stdin="".join(f"{oid}\n" for oid in oids).encode())
    at = 0
    while at < len(data):
        end = data.index(b"\n", at)
        oid, kind, *size = data[at:end].decode().split(" ")
        at = end + 1
        if kind != "commit" or not size:  # "missing": nothing follows
            continue
        raw = data[at : at + int(size[0])]
        at += int(size[0]) + 1
        try:
            commit = rawcommit.parse(raw, Oid(oid))
        except ObjectError:
            continue
        said = (commit.message, commit.author.date.encode(), commit.committer.date.encode())
        yield Look(Oid(oid), commit.parents, sha256(b"\0".join(said)).digest())


def _git(common_dir: str, *arguments: str, stdin: bytes = b"") -> bytes:
    # The objects with these ids, not what git would show in their place.
    env = {**os.environ, "GIT_NO_REPLACE_OBJECTS": "1"}
    done = plumbing.run(("--git-dir", common_dir, *arguments), stdin=stdin, env=env)
    return b"" if done.status else done.stdout
