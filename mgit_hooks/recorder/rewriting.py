"""What replaced what: all that git, and tools that rewrite history, say of it in files and refs.

post-rewrite says it once a rewrite is done (``evidence``). Here is what stands elsewhere: the list of a rebase that
has stopped, git-filter-repo's ``commit-map``, replacement refs, and what can be told of an amend and of
``filter-branch`` without guessing. All of it is read anew as long as it is there, and said once: a link that is on
record is not written again.
"""

from __future__ import annotations

import os
import re
from bisect import bisect_left
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence, Set
from typing import Final, NamedTuple, Protocol

from mgit_hooks.git import plumbing
from mgit_hooks.layout import Location
from mgit_hooks.record import Commit, Oid, Record
from mgit_hooks.recorder import classify, commitmap, pairing, splitting
from mgit_hooks.recorder.believing import believed
from mgit_hooks.recorder.evidence import Evidence, Rewrite
from mgit_hooks.recorder.movements import Movement
from mgit_hooks.recorder.rebasing import Pair, git_dirs, pairs_of

_REPLACED: Final = re.compile(r"refs/replace/(?:[0-9a-f]{40}|[0-9a-f]{64})")
_REFS: Final = ("refs/original/", "refs/replace/")


class Known(Protocol):
    """What is on record: mgit_hooks.recorder.memory."""

    def has_record(self, commit: Oid) -> bool: ...
    def last_oid(self, ref: str) -> tuple[Oid | None] | None: ...
    def recorded_before(self, commit: Oid) -> Record | None: ...
    def stands_at(self, commits: Set[Oid]) -> bool: ...
    def filtered_from(self, old: Oid) -> list[Oid]: ...


class Objects(Protocol):
    """What is asked of git: mgit_hooks.capture.capturer. ``commit`` raises ObjectError."""

    def commit(self, oid: Oid) -> Commit: ...


class Table:
    """Pairs of a commit-map, which may be as many as there are commits: 40 bytes each, found by the new one."""

    def __init__(self, pairs: Iterable[tuple[bytes, bytes]] = ()) -> None:
        self._rows = sorted({new + old for old, new in pairs if old != new and len(old) == len(new)})

    def olds(self, new: Oid) -> tuple[Oid, ...]:
        raw = bytes.fromhex(new)
        found = []
        for number in range(bisect_left(self._rows, raw), len(self._rows)):
            if not self._rows[number].startswith(raw):
                break
            found.append(Oid(self._rows[number][len(raw) :].hex()))
        return tuple(found)

    def pairs(self) -> Iterator[Pair]:
        for row in self._rows:
            half = len(row) // 2
            yield Pair(Oid(row[half:].hex()), Oid(row[:half].hex()))


class Rewrites:
    """What each commit took the place of, as far as it is told now.

    ``unsure`` are commits made by hand where a rebase had stopped: of them nobody says that they replaced nothing.
    """

    def __init__(
        self,
        hooks: Mapping[Oid, Rewrite],
        pairs: Sequence[Pair] = (),
        table: Table | None = None,
        unsure: frozenset[Oid] = frozenset(),
    ) -> None:
        self._olds: dict[Oid, tuple[Oid, ...]] = {}
        for old, new in (*_of_hooks(hooks), *pairs):
            if old != new:  # an amend that changes nothing, within one second, is the same commit again
                self._olds[new] = tuple(dict.fromkeys((*self._olds.get(new, ()), old)))
        self._table = table or Table()
        self._unsure = unsure

    def of(self, new: Oid) -> tuple[Oid, ...]:
        olds, listed = self._olds.get(new, ()), self._table.olds(new)
        return tuple(dict.fromkeys((*olds, *listed))) if listed else olds

    def is_unsure(self, commit: Oid) -> bool:
        return commit in self._unsure

    def all(self) -> Iterator[tuple[Oid, tuple[Oid, ...]]]:
        """(commit, what it took the place of), each commit once."""
        for new in self._olds:
            yield new, self.of(new)
        last = None
        for _, new in self._table.pairs():
            if new != last and new not in self._olds:
                yield new, self.of(new)
            last = new


class Found(NamedTuple):
    """``stamps``: of the commit-maps that were read, to be remembered once what they say is on record."""

    rewrites: Rewrites
    stamps: dict[str, list[int]]


def gather(
    location: Location,
    evidence: Evidence,
    movements: Sequence[Movement],
    objects: Objects,
    known: Known,
    moved: Set[str] | None,
) -> Found:
    """All that is told now, of this drain's movements and of what earlier ones recorded.

    ``moved`` are the refs that may have moved; None where all may.
    """
    pairs = list(_so_far(location.common_dir, movements, known))
    pairs += _amended(movements, evidence, objects, known)
    split = splitting.look(location.common_dir, movements, (*pairs, *_of_hooks(evidence.rewrites)), objects)
    pairs += split.pairs
    if moved is None or any(name.startswith(_REFS) for name in moved):
        pairs += _of_refs(location.common_dir, known)
    stamps, before = commitmap.stamps(location.common_dir), commitmap.remembered(location.mgit_dir)
    table = None
    if stamps != before:
        table = _table(location.common_dir, sorted(stamps), before, known)
    return Found(Rewrites(evidence.rewrites, pairs, table, split.unsure), stamps)


def standing(common_dir: str) -> Rewrites:
    """What maps and replacement refs say by themselves, for commits that are recorded long after."""
    table = Table(pair for name in commitmap.stamps(common_dir) for pair in _made(os.path.join(common_dir, name)))
    return Rewrites({}, _replacements(_listed(common_dir)), table)


def _so_far(common_dir: str, movements: Sequence[Movement], known: Known) -> Iterator[Pair]:
    """What the rebases that go on have replaced: post-rewrite will be given the same list, with the same errors."""
    said: dict[Oid, Rewrite] = {}
    for old, new in (pair for _, git_dir in git_dirs(common_dir) for pair in pairs_of(git_dir)):
        said[new] = Rewrite("rebase", (*(said[new].old if new in said else ()), old))
    return _of_hooks(believed(said, movements, known.recorded_before))


def _of_hooks(hooks: Mapping[Oid, Rewrite]) -> Iterator[Pair]:
    return (Pair(old, new) for new, rewrite in hooks.items() for old in rewrite.old)


def _amended(movements: Sequence[Movement], evidence: Evidence, objects: Objects, known: Known) -> Iterator[Pair]:
    """Amends without a word from post-rewrite: the ref was at the one, and then at the other, its sibling."""
    for movement in movements:
        old, new = movement.old_oid, movement.new_oid
        if old is None or new is None or classify.made_by(movement.message) != "amend":
            continue
        if new in evidence.rewrites or known.has_record(new):
            continue
        before, after = (splitting.readable(objects, oid) for oid in (old, new))
        if before is not None and after is not None and before.parents == after.parents:
            yield Pair(old, new)


# Refs: refs/replace/OLD names what git shows in place of OLD; refs/original/REF where filter-branch found REF


def _of_refs(common_dir: str, known: Known) -> list[Pair]:
    refs = _listed(common_dir)
    new = {name: oid for name, oid in refs.items() if known.last_oid(name) != (oid,)}
    pairs = _replacements(new)
    if any(name.startswith("refs/original/") for name in new):
        pairs += pairing.of_filter_branch(common_dir, [name for name in refs if name.startswith("refs/original/")])
    return pairs


def _listed(common_dir: str) -> dict[str, Oid]:
    told = plumbing.run(("--git-dir", common_dir, "for-each-ref", "--format=%(objectname) %(refname)", *_REFS))
    lines = os.fsdecode(told.stdout).split("\n")
    return {name: Oid(oid) for oid, _, name in (line.partition(" ") for line in lines) if name}


def _replacements(refs: Mapping[str, Oid]) -> list[Pair]:
    return [Pair(Oid(name[13:]), oid) for name, oid in refs.items() if _REPLACED.fullmatch(name)]


def _table(common_dir: str, names: Iterable[str], again: Container[str], known: Known) -> Table:
    """What the maps say; ``again`` are those of which an earlier state was read."""
    return Table(pair for name in names for pair in _pairs_in(os.path.join(common_dir, name), name in again, known))


def _pairs_in(path: str, again: bool, known: Known) -> Iterator[tuple[bytes, bytes]]:
    yield from _made(path)
    if again:
        yield from _between(path, known)


def _made(path: str) -> Iterator[tuple[bytes, bytes]]:
    """The pairs of a map, in bytes, but for what was left out."""
    for old, new in commitmap.lines(path):
        if new.strip(b"0"):
            yield bytes.fromhex(old.decode()), bytes.fromhex(new.decode())


def _between(path: str, known: Known) -> list[tuple[bytes, bytes]]:
    """Pairs that a second run of filter-repo leaves unsaid.

    It puts the maps of both runs together: from A became B and B became C its map has A and C. B became C where B,
    on record as filtered from A, is not in the map itself, and where refs, as far as is on record, led to no A again:
    else C may have been made of A itself.
    """
    steps = [
        (bytes.fromhex(middle), old, new)
        for old, new in _made(path)
        if old != new
        for middle in known.filtered_from(Oid(old.hex()))
        if bytes.fromhex(middle) != new
    ]
    if not steps or known.stands_at({Oid(old.hex()) for _, old, _ in steps}):
        return []
    middles = {middle for middle, _, _ in steps}
    named = {raw for old, _ in commitmap.lines(path) if (raw := bytes.fromhex(old.decode())) in middles}
    return [(middle, new) for middle, _, new in steps if middle not in named]
