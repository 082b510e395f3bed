"""Ref movements in one order: what reflogs say since they were last read, entries of one act together."""

from __future__ import annotations

import os
from collections.abc import Iterable
from heapq import merge
from typing import NamedTuple

from mgit_hooks import credentials, dates
from mgit_hooks.git import reflog
from mgit_hooks.git.reflog import Entry, Place
from mgit_hooks.record import Oid, RefMovement, readable
from mgit_hooks.state import State, stamp


class Movement(NamedTuple):
    """One act on one or more refs: HEAD and the branch it is on move together."""

    worktree: str | None
    old_oid: Oid | None
    new_oid: Oid | None
    occurred_at: str
    message: str
    refs: tuple[RefMovement, ...]

    @property
    def branch(self) -> str | None:
        """The branch that HEAD moved with; None for a detached HEAD and for refs that moved alone."""
        names = [movement.name for movement in self.refs]
        if "HEAD" not in names:
            return None
        return next((name[11:] for name in names if name.startswith("refs/heads/")), None)


class Reading(NamedTuple):
    movements: list[Movement]
    reflogs: dict[str, Place]
    stamps: dict[str, list[int]]


def unread(common_dir: str, state: State, since: int) -> Reading:
    """What the reflogs have that ``state`` has not, oldest first, and how far they are read then.

    A reflog that was never read counts from ``since`` (seconds since 1970) on: what is older was there
    before recording began.
    """
    for _ in range(5):
        reading = _unread(common_dir, state, since)
        # HEAD's reflog and its branch's are two files: read them as they stand together, not in between.
        if {key: stamp(os.path.join(common_dir, key)) for key in reading.stamps} == reading.stamps:
            break
    return reading


def _unread(common_dir: str, state: State, since: int) -> Reading:
    logs: list[list[Entry]] = []
    places: dict[str, Place] = {}
    stamps: dict[str, list[int]] = {}
    for ref, worktree, path in reflog.paths(common_dir):
        key = os.path.relpath(path, common_dir)
        now = stamp(path)
        if now is None:
            continue
        before = state.reflogs.get(key)
        stamps[key] = now
        if before is not None and state.stamps.get(key) == now:
            places[key] = before
            continue
        entries, places[key] = reflog.read(ref, worktree, path, before)
        if before is None:
            entries = [entry for entry in entries if entry.seconds >= since]
        if entries:
            logs.append(entries)
    return Reading(_group(_in_order(logs)), places, stamps)


def is_unchanged(common_dir: str, state: State) -> bool:
    """Whether no reflog has changed since ``state`` was written."""
    found = {os.path.relpath(path, common_dir): stamp(path) for _, _, path in reflog.paths(common_dir)}
    return found == state.stamps


def _in_order(logs: list[list[Entry]]) -> Iterable[Entry]:
    """Merge by time, each reflog in its own order even where the clock went back; HEADs come first."""
    return (entry for _, _, _, entry in merge(*map(_timed, range(len(logs)), logs)))


def _timed(number: int, entries: list[Entry]) -> list[tuple[int, int, int, Entry]]:
    latest = 0
    timed = []
    for position, entry in enumerate(entries):
        latest = max(latest, entry.seconds)
        timed.append((latest, number, position, entry))
    return timed


def _group(entries: Iterable[Entry]) -> list[Movement]:
    """One movement per act: a branch's entry joins the entry of the HEAD that moved with it."""
    movements: list[Movement] = []
    of_heads: dict[tuple[object, ...], list[int]] = {}
    for entry in entries:
        act = (entry.old_oid, entry.new_oid, entry.seconds, entry.message)
        position = None if entry.worktree else _without(movements, of_heads.get(act, ()), entry.ref)
        if position is not None:
            held = movements[position]
            movements[position] = held._replace(refs=(*held.refs, _movement(entry)))
            continue
        if entry.worktree is not None:
            of_heads.setdefault(act, []).append(len(movements))
        occurred_at = dates.from_git(entry.seconds, dates.offset_minutes(entry.offset))
        message = _text(entry.message)
        movements.append(
            Movement(entry.worktree, entry.old_oid, entry.new_oid, occurred_at, message, (_movement(entry),))
        )
    return movements


def _without(movements: list[Movement], positions: Iterable[int], ref: str) -> int | None:
    """The first of the movements that does not tell of ``ref`` yet: the same act can come twice in a second."""
    return next((at for at in positions if all(held.name != ref for held in movements[at].refs)), None)


def _movement(entry: Entry) -> RefMovement:
    ordinal = entry.ordinal if entry.ordinal > 1 else None
    return RefMovement(_text(entry.ref), entry.old_oid, entry.new_oid, _text(entry.message) or None, ordinal)


def _text(raw: str) -> str:
    """Readable and without credentials: reflog messages hold whole pull and clone URLs."""
    return credentials.strip(readable(raw.encode("utf-8", "surrogateescape"))[0])
