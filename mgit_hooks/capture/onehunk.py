"""Lines added and deleted where the difference is one run of lines, without holding what is equal.

git's xdiff keeps some hundred bytes for every line of both files: a gigabyte for a log of 100 MB that
grew by a line. Where all that changed lies between an equal beginning and an equal end, and no line of
the one middle occurs in the other, every diff algorithm says the same, and it can be counted.
"""

from __future__ import annotations

_STEP = 1024 * 1024
_MIDDLE = 4 * 1024 * 1024  # of a larger one the lines are not compared


def counts(old: memoryview, new: memoryview) -> tuple[int, int] | None:
    """Lines added and deleted; None where that takes a real comparison."""
    shorter = min(len(old), len(new))
    start = _line_start(old, _equal_bytes(old, new, shorter))
    end = _equal_lines_at_end(old, new, shorter - start)
    gone, come = old[start : len(old) - end], new[start : len(new) - end]
    if gone and come and (max(len(gone), len(come)) > _MIDDLE or _share_a_line(gone, come)):
        return None
    return count_lines(come), count_lines(gone)


def count_lines(text: memoryview) -> int:
    """As git counts: a last line that lacks its newline is one too."""
    if not text:
        return 0
    # In slices: a large text is not to be held twice.
    count = sum(bytes(text[at : at + _STEP]).count(b"\n") for at in range(0, len(text), _STEP))
    return count + (text[-1] != 10)


def _equal_bytes(old: memoryview, new: memoryview, limit: int) -> int:
    """How many of the first ``limit`` bytes are equal."""
    at = 0
    while at < limit:
        size = min(_STEP, limit - at)
        one, two = bytes(old[at : at + size]), bytes(new[at : at + size])
        if one != two:
            return at + _equal_start(one, two)
        at += size
    return limit


def _equal_at_end(old: memoryview, new: memoryview, limit: int) -> int:
    at = 0
    while at < limit:
        size = min(_STEP, limit - at)
        one = bytes(old[len(old) - at - size : len(old) - at])
        two = bytes(new[len(new) - at - size : len(new) - at])
        if one != two:
            return at + _equal_start(one[::-1], two[::-1])
        at += size
    return limit


def _equal_start(one: bytes, two: bytes) -> int:
    """The length of the common start of two texts of one size that differ."""
    low, high = 0, len(one)
    while high - low > 1:
        middle = (low + high) // 2
        if one[low:middle] == two[low:middle]:
            low = middle
        else:
            high = middle
    return low


def _line_start(text: memoryview, at: int) -> int:
    """Where the line begins that byte ``at`` is in."""
    while at:
        begin = max(0, at - _STEP)
        found = bytes(text[begin:at]).rfind(b"\n")
        if found >= 0:
            return begin + found + 1
        at = begin
    return 0


def _equal_lines_at_end(old: memoryview, new: memoryview, limit: int) -> int:
    """The size of the equal lines at the end, of at most ``limit`` bytes."""
    size = _equal_at_end(old, new, limit)
    at = len(old) - size
    while at < len(old):
        found = bytes(old[at : at + _STEP]).find(b"\n")
        if found >= 0:
            return len(old) - at - found - 1
        at += _STEP
    return 0


def _share_a_line(one: memoryview, two: memoryview) -> bool:
    return not set(_lines(one)).isdisjoint(_lines(two))


def _lines(text: memoryview) -> list[bytes]:
    """With their newlines, by which a last line that lacks it differs from one that has it."""
    lines = bytes(text).split(b"\n")
    last = lines.pop()
    return [line + b"\n" for line in lines] + ([last] if last else [])
