"""Renames, found as ``git diff -M`` finds them (git's diffcore-rename.c and diffcore-delta.c).

libgit2 measures similarity otherwise, and would name other renames than git does. The rules, in order:

1. A deleted and an added file with the same content (and mode, unless both are regular files) are a pair;
   among several, one of the same basename, else the first by path.
2. Where a basename is left exactly once on each side, and the two are at least 75 % alike: a pair.
3. Of all that is left, the most alike pairs first, down to 50 %, unless there are so many
   (beyond 1,000 × 1,000) that git does not look.

How alike: both files are cut into spans, at each newline and after 64 bytes; the bytes of the spans they
share, over the size of the larger. git knows spans by a hash of 107,927 values, so different spans can
pass for the same; that is computed too where it can matter.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol

from mgit_hooks.capture.rawdiff import Change, is_regular
from mgit_hooks.errors import ObjectError
from mgit_hooks.record import Oid

_MAX_SCORE = 60000.0
_MINIMUM = 30000  # 50 %: what -M without a number asks for
_BASENAME_MINIMUM = 45000
_RENAME_LIMIT = 1000  # git's diff.renameLimit where nobody set it
_CANDIDATES = 4  # per destination: NUM_CANDIDATE_PER_DST
# git before 2.44 leaves out what follows the last newline when it is under 64 bytes, and so does this
# pattern: Debian 12 and Ubuntu 24.04 have such a git.
_SPAN = re.compile(rb"[^\n]{0,63}\n|[^\n]{64}")
_HASH_VALUES = 107927
_MASK = (1 << 64) - 1
_LOW = 0xFFFFFFFF
_SPANS_KEPT = 64 * 1024 * 1024


class Blobs(Protocol):
    """Where contents come from; each raises ObjectError where a blob is not there."""

    def read(self, mode: int, oid: Oid) -> bytes: ...
    def size(self, oid: Oid) -> int: ...
    def is_binary(self, path: bytes, mode: int, oid: Oid) -> bool: ...


class _Spans(NamedTuple):
    counts: dict[bytes, int]
    total: int  # bytes in all spans


class _Score(NamedTuple):
    score: int
    same_basename: bool
    target: int
    source: int


def pair(changes: Sequence[Change], blobs: Blobs) -> list[Change]:
    """``changes``, with the deletion and the addition of a rename made one entry at the new path's place."""
    deleted = [change for change in changes if change.status == "D"]
    added = [change for change in changes if change.status == "A"]
    if not deleted or not added:
        return list(changes)
    found = _Search(deleted, added, blobs).run()
    if not found:
        return list(changes)
    renamed = {added[target].path: deleted[source] for target, source in found.items()}
    gone = {source.path for source in renamed.values()}
    paired = []
    for change in changes:
        source = renamed.get(change.path) if change.status == "A" else None
        if source is not None:
            old = source._replace(status="R", old_path=source.path)
            paired.append(old._replace(new_mode=change.new_mode, new_oid=change.new_oid, path=change.path))
        elif change.status != "D" or change.path not in gone:
            paired.append(change)
    return paired


class _Search:
    """One commit's search. ``found`` maps the index of an added file to that of a deleted one."""

    def __init__(self, deleted: Sequence[Change], added: Sequence[Change], blobs: Blobs) -> None:
        self._deleted = deleted
        self._added = added
        self._blobs = blobs
        self._found: dict[int, int] = {}
        self._used: set[int] = set()
        self._spans: dict[Oid, _Spans] = {}
        self._room = _SPANS_KEPT

    def run(self) -> dict[int, int]:
        self._exact()
        if self._left_sources() and self._left_targets():
            self._by_basename()
        sources, targets = self._left_sources(), self._left_targets()
        if len(sources) * len(targets) <= _RENAME_LIMIT * _RENAME_LIMIT:
            self._by_similarity(sources, targets)
        return self._found

    def _take(self, target: int, source: int) -> None:
        self._found[target] = source
        self._used.add(source)

    def _left_sources(self) -> list[int]:
        return [index for index in range(len(self._deleted)) if index not in self._used]

    def _left_targets(self) -> list[int]:
        return [index for index in range(len(self._added)) if index not in self._found]

    def _exact(self) -> None:
        by_oid: dict[Oid | None, list[int]] = {}
        for index, change in enumerate(self._deleted):
            by_oid.setdefault(change.old_oid, []).append(index)
        for target, change in enumerate(self._added):
            source = self._best_exact(change, by_oid.get(change.new_oid, ()))
            if source is not None:
                self._take(target, source)

    def _best_exact(self, target: Change, sources: Iterable[int]) -> int | None:
        best = None
        looks = 100  # git's own bound on identical alternatives
        for index in sources:
            source = self._deleted[index]
            if index in self._used or not _kinds_agree(source.old_mode, target.new_mode):
                continue
            if _basename(source.path) == _basename(target.path):
                return index
            if best is None:
                best = index
            looks -= 1
            if not looks:
                break
        return best

    def _by_basename(self) -> None:
        sources = _unique_basenames((index, self._deleted[index].path) for index in self._left_sources())
        targets = _unique_basenames((index, self._added[index].path) for index in self._left_targets())
        for name, source in sources.items():
            target = targets.get(name)
            if source is None or target is None:
                continue
            if self._score(source, target, _BASENAME_MINIMUM) >= _BASENAME_MINIMUM:
                self._take(target, source)

    def _by_similarity(self, sources: Sequence[int], targets: Sequence[int]) -> None:
        scores: list[_Score] = []
        for target in targets:
            scores += self._best_scores(sources, target)
        scores.sort(key=lambda score: (score.score, score.same_basename), reverse=True)  # stable, as git's
        for score in scores:
            if score.score < _MINIMUM:
                break
            if score.target not in self._found and score.source not in self._used:
                self._take(score.target, score.source)

    def _best_scores(self, sources: Sequence[int], target: int) -> list[_Score]:
        """The four best, in the slots where git would hold them: its stable sort makes the order count."""
        slots: list[_Score] = []
        name = _basename(self._added[target].path)
        for source in sources:
            same = _basename(self._deleted[source].path) == name
            score = _Score(self._score(source, target, _MINIMUM), same, target, source)
            if len(slots) < _CANDIDATES:
                slots.append(score)
                continue
            worst = min(range(_CANDIDATES), key=lambda slot: slots[slot][:2])
            if slots[worst][:2] < score[:2]:
                slots[worst] = score
        return slots

    def _score(self, source: int, target: int, minimum: int) -> int:
        """0 to 60,000. Below ``minimum`` it may be a little too low, where nothing follows from it."""
        one, two = self._deleted[source], self._added[target]
        if one.old_oid is None or two.new_oid is None:
            return 0
        if not is_regular(one.old_mode) or not is_regular(two.new_mode):
            return 0
        try:
            sizes = self._blobs.size(one.old_oid), self._blobs.size(two.new_oid)
            largest = max(sizes)
            if largest * (_MAX_SCORE - minimum) < (largest - min(sizes)) * _MAX_SCORE or not sizes[1]:
                return 0
            ours = self._spans_of(one.path, one.old_mode, one.old_oid)
            theirs = self._spans_of(two.path, two.new_mode, two.new_oid)
        except ObjectError:  # not here to be compared
            return 0
        return int(_shared(ours, theirs, minimum * largest / _MAX_SCORE) * _MAX_SCORE / largest)

    def _spans_of(self, path: bytes, mode: int, oid: Oid) -> _Spans:
        spans = self._spans.get(oid)
        if spans is None:
            content = self._blobs.read(mode, oid)
            if b"\r\n" in content and not self._blobs.is_binary(path, mode, oid):
                content = content.replace(b"\r\n", b"\n")
            counts = Counter(_SPAN.findall(content))
            spans = _Spans(counts, sum(len(span) * count for span, count in counts.items()))
            self._room -= len(content)
            if self._room < 0:
                self._spans.clear()
                self._room = _SPANS_KEPT - len(content)
            self._spans[oid] = spans
        return spans


def _unique_basenames(paths: Iterable[tuple[int, bytes]]) -> dict[bytes, int | None]:
    """Each basename's index; None where several share it."""
    found: dict[bytes, int | None] = {}
    for index, path in paths:
        name = _basename(path)
        found[name] = None if name in found else index
    return found


def _basename(path: bytes) -> bytes:
    return path.rpartition(b"/")[2]


def _kinds_agree(old_mode: int, new_mode: int) -> bool:
    return old_mode == new_mode or (is_regular(old_mode) and is_regular(new_mode))


def _shared(ours: _Spans, theirs: _Spans, needed: float) -> int:
    """Bytes of the spans in both. Chance meetings of hashes count only where they could reach ``needed``."""
    common = ours.counts.keys() & theirs.counts.keys()
    shared = sum(len(span) * min(ours.counts[span], theirs.counts[span]) for span in common)
    rest = min(ours.total, theirs.total) - shared
    chance = rest * min(1.0, len(theirs.counts) / _HASH_VALUES)
    if not rest or shared + 8 * chance + 256 < needed:
        return shared
    left, right = _unshared(ours.counts, theirs.counts), _unshared(theirs.counts, ours.counts)
    return shared + sum(min(size, right[value]) for value, size in left.items() if value in right)


def _unshared(spans: dict[bytes, int], others: dict[bytes, int]) -> dict[int, int]:
    """Bytes by hash value of what ``spans`` has beyond ``others``."""
    sizes: dict[int, int] = {}
    for span, count in spans.items():
        beyond = count - others.get(span, 0)
        if beyond > 0:
            value = _hash(span)
            sizes[value] = sizes.get(value, 0) + beyond * len(span)
    return sizes


def _hash(span: bytes) -> int:
    """diffcore-delta.c's hash_chars: two 32-bit accumulators, turned left together by 7 bits a byte."""
    both = 0
    for byte in span:
        both = (both << 7 | both >> 57) & _MASK
        both = both & ~_LOW | (both + byte) & _LOW
    return ((both & _LOW) + (both >> 32) * 0x61 & _LOW) % _HASH_VALUES
