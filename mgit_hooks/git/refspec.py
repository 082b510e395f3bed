"""Which remote-tracking ref stands for a remote's ref, by a remote's fetch refspecs (git's refspec.c, remote.c)."""

from __future__ import annotations

from collections.abc import Sequence


def tracking(refspecs: Sequence[str], ref: str) -> str | None:
    """The ref here that follows ``ref`` of the remote; None where none does. The first refspec that fits decides."""
    specs = [spec.removeprefix("+") for spec in refspecs]
    if any(_matched(spec[1:], ref) is not None for spec in specs if spec.startswith("^")):
        return None
    for spec in specs:
        source, _, target = spec.partition(":")
        found = _matched(source, ref)
        if found is not None and target.startswith("refs/") and not spec.startswith("^"):
            return target.replace("*", found, 1)
    return None


def target_patterns(refspecs: Sequence[str]) -> list[str]:
    """Where the refs of that remote are followed, as patterns with at most one ``*``."""
    targets = (spec.partition(":")[2] for spec in refspecs)
    return [target for target in targets if target.startswith("refs/")]


def _matched(pattern: str, ref: str) -> str | None:
    """What ``*`` stands for in ``ref``, nothing where there is no ``*``; None where it does not fit."""
    before, star, after = pattern.partition("*")
    if not star:
        return "" if pattern == ref else None
    if len(ref) < len(before) + len(after) or not (ref.startswith(before) and ref.endswith(after)):
        return None
    return ref[len(before) : len(ref) - len(after)]
