"""Commits made by hand where a rebase had stopped, and whether they are what became of the one it stopped at.

Where a commit is split, post-rewrite names the last part alone. The others are known to come of it where all of them
together begin where it began and end with its very tree, and each of them changed something, and only files that it
changed. Else nobody can say: they may be anything that was put in between.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final, NamedTuple, Protocol

from mgit_hooks.errors import ObjectError
from mgit_hooks.git import reflog
from mgit_hooks.git.reflog import Entry
from mgit_hooks.record import Commit, Oid
from mgit_hooks.recorder import classify
from mgit_hooks.recorder.movements import Movement
from mgit_hooks.recorder.rebasing import Pair, git_dirs, is_rebasing

# What a rebase writes into HEAD's reflog; what is done by hand where it has stopped says what that does.
_REBASE: Final = re.compile(
    r"(?:rebase|pull)\b.*?\((?:start|finish|abort|pick|reword|edit|squash|fixup|continue|merge|break|exec|reset|label)\):"
    r"|rebase\b"
)
_END: Final = re.compile(r"(?:rebase|pull)\b.*?\((?:finish|abort)\):|rebase: aborting|rebase finished")


class Objects(Protocol):
    """What is asked of git: mgit_hooks.capture.capturer. Raises ObjectError."""

    def commit(self, oid: Oid) -> Commit: ...


class Split(NamedTuple):
    """``unsure`` are all commits made by hand during a rebase, whether or not ``pairs`` tell of them."""

    pairs: list[Pair]
    unsure: frozenset[Oid]


class _Stop(NamedTuple):
    """``at`` is where the rebase itself had left HEAD; ``made`` what was committed by hand until it went on, and
    ``kept`` what of that HEAD still led to then."""

    at: Oid
    made: tuple[Oid, ...]
    kept: tuple[Oid, ...]


def look(common_dir: str, movements: Sequence[Movement], pairs: Sequence[Pair], objects: Objects) -> Split:
    """What was made by hand in the rebases that ``movements`` are of; ``pairs`` are what git says was replaced."""
    replaced: dict[Oid, list[Oid]] = {}
    for old, new in pairs:
        replaced.setdefault(new, []).append(old)
    found: list[Pair] = []
    unsure: set[Oid] = set()
    for worktree, git_dir in git_dirs(common_dir):
        moved = [movement.message for movement in movements if movement.worktree == worktree]
        if moved and (is_rebasing(git_dir) or any(map(_REBASE.match, moved))):
            for stop in _stops(reflog.of_head(common_dir, worktree)):
                unsure.update(stop.made)
                found += _parts(stop, replaced, objects)
    return Split(found, frozenset(unsure))


def readable(objects: Objects, oid: Oid) -> Commit | None:
    """The commit, where git can give it."""
    try:
        return objects.commit(oid)
    except ObjectError:
        return None


def _stops(entries: Sequence[Entry]) -> Iterator[_Stop]:
    """The stops of all rebases in a HEAD's reflog at which something was committed by hand."""
    running = False
    at: Oid | None = None
    made: list[Oid] = []
    kept: list[Oid] = []
    for entry in entries:
        if _REBASE.match(entry.message):
            if at is not None and made:
                yield _Stop(at, tuple(made), tuple(kept))
            running = _END.match(entry.message) is None
            at, made, kept = entry.new_oid, [], []
        elif running and entry.new_oid is not None:
            by_hand = classify.made_by(entry.message)
            if by_hand is None:  # HEAD was put elsewhere: back to one of these, or before them
                kept = kept[: kept.index(entry.new_oid) + 1] if entry.new_oid in kept else []
                continue
            made.append(entry.new_oid)
            kept = [*(kept[:-1] if by_hand == "amend" else kept), entry.new_oid]
    if running and at is not None and made:
        yield _Stop(at, tuple(made), tuple(kept))


def _parts(stop: _Stop, replaced: dict[Oid, list[Oid]], objects: Objects) -> list[Pair]:
    """Each part of the commit that was stopped at, with that commit, where it is known to be one."""
    if len(stop.kept) < 2 or stop.kept[-1] not in replaced:
        return []
    sources = [old for old in replaced[stop.kept[-1]] if old not in (stop.at, *stop.made)]
    whole = readable(objects, stop.at)
    found = [readable(objects, oid) for oid in stop.kept]
    if whole is None or whole.files is None:
        return []
    files = _names(whole)
    parts = [part for part in found if part is not None and part.files and _names(part) <= files]
    together = (
        len(parts) == len(found)
        and parts[0].parents == whole.parents
        and all(later.parents == (earlier.hash,) for earlier, later in pairwise(parts))
        and parts[-1].tree == whole.tree
    )
    return [Pair(old, part.hash) for part in parts for old in (*sources, stop.at)] if together else []


def _names(part: Commit) -> set[str | None]:
    return {name for change in part.files or () for name in (change.filename, change.old_filename)}
