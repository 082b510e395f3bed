"""Ref movements in one order: what reflogs say since they were last read, entries of one act together."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping, Set
from heapq import heappop, heappush
from typing import Final, NamedTuple

from mgit_hooks import credentials, dates
from mgit_hooks.git import reffiles, reflog
from mgit_hooks.git.reflog import Entry, Place
from mgit_hooks.record import Oid, RefMovement, readable
from mgit_hooks.recorder import watch
from mgit_hooks.recorder.looking import Look
from mgit_hooks.recorder.state import State, stamp

_RENAMED: Final = re.compile(r"Branch: (?:renamed|copied) refs/heads/")


class Movement(NamedTuple):
    """One act on one or more refs: HEAD and the branch it is on move together.

    ``by_hook``: no reflog tells it, but the reference-transaction hook does, which knows neither when nor why.
    """

    worktree: str | None
    old_oid: Oid | None
    new_oid: Oid | None
    occurred_at: str
    message: str
    refs: tuple[RefMovement, ...]
    by_hook: bool = False

    @property
    def branch(self) -> str | None:
        """The branch that HEAD moved with; None for a detached HEAD and for refs that moved alone."""
        names = [movement.name for movement in self.refs]
        if "HEAD" not in names:
            return None
        return next((name[11:] for name in names if name.startswith("refs/heads/")), None)


class Reading(NamedTuple):
    """``places`` are those of the reflogs that were read, by their paths below the common directory."""

    movements: list[Movement]
    places: dict[str, Place]
    look: Look


def unread(common_dir: str, state: State, see: Callable[[], Look], since: int, tips: Set[Oid] = frozenset()) -> Reading:
    """What the reflogs have that ``state`` has not, oldest first, and how far they are read then.

    ``see`` gives a look at what moved. A reflog that was never read counts from ``since`` (seconds since 1970) on:
    what is older was there before recording began. So was, in that very second, what led to one of ``tips``: where
    refs and HEADs stood then. Where the times and the tips contradict each other, a clock was set, and the tips decide.
    """
    for _ in range(5):
        look = see()
        before = _sizes(common_dir, look)
        reading = _unread(common_dir, state, look, since, tips)
        # HEAD's reflog and its branch's are two files: read them as they stand together, not in between.
        if _sizes(common_dir, look) == before:
            break
    return reading


def _sizes(common_dir: str, look: Look) -> list[list[int] | None]:
    keys = {key for key in look.singles if watch.is_log(key)} | set(look.logs)
    return [stamp(os.path.join(common_dir, *key.split("/"))) for key in sorted(keys)]


def _unread(common_dir: str, state: State, look: Look, since: int, tips: Set[Oid]) -> Reading:
    logs: list[list[Entry]] = []
    places: dict[str, Place] = {}
    for log in watch.reflogs(common_dir, look.logs):
        before = state.place(log.key)
        entries, place = log.read(before)
        if place.tail or before is not None:
            places[log.key] = place
        entries = _since_renamed(entries)
        if before is None:
            entries = _from(since, entries, tips)
        # A symbolic ref's reflog only repeats another's, and refs are listed without it: it would count as gone.
        if entries and (log.worktree is not None or not reffiles.is_symbolic(common_dir, log.ref)):
            logs.append(entries)
    return Reading(_in_order(logs), places, look)


def _from(since: int, entries: list[Entry], tips: Set[Oid]) -> list[Entry]:
    recent = [entry for entry in entries if entry.seconds >= since]
    ends = [number for number, entry in enumerate(recent, 1) if entry.seconds == since and entry.new_oid in tips]
    recent = recent[ends[-1] :] if ends else recent
    older = entries[: len(entries) - len(recent)]
    if not tips or not older or (older[-1].new_oid in tips and recent == entries[len(older) :]):
        return recent
    # A clock was set: what does not come before one of the tips is not from before. Better told twice than lost.
    first = next((number for number, entry in enumerate(entries, 1) if entry.new_oid in tips), 0)
    return entries[first:]


def _since_renamed(entries: list[Entry]) -> list[Entry]:
    """A renamed or copied branch brings along the reflog of the other one, which is told under that one's name."""
    for number in range(len(entries) - 1, -1, -1):
        entry = entries[number]
        if entry.worktree is None and _RENAMED.match(entry.message) and entry.message.endswith(f" to {entry.ref}"):
            return [entry._replace(old_oid=None), *entries[number + 1 :]]
    return entries


class _Act:
    """Entries of several reflogs that one act of git wrote. It is told once all of them are next in their logs."""

    def __init__(self, log: int, position: int, first: Entry, seconds: int) -> None:
        self.log = log
        self.position = position
        self.entries = [first]
        self.seconds = seconds
        self.ahead = 1  # entries before which others of their log are still to be told

    def add(self, entry: Entry, seconds: int) -> None:
        self.entries.append(entry)
        self.seconds = max(self.seconds, seconds)
        self.ahead += 1

    def movement(self) -> Movement:
        first = self.entries[0]
        occurred_at = dates.from_git(first.seconds, dates.offset_minutes(first.offset))
        refs = tuple(map(_movement, self.entries))
        return Movement(first.worktree, first.old_oid, first.new_oid, occurred_at, _text(first.message), refs)


def _in_order(logs: list[list[Entry]]) -> list[Movement]:
    """All acts, each reflog in its own order even where the clock went back, else by time; HEADs come first."""
    queues = _acts(logs)
    ready: list[tuple[int, int, _Act]] = []  # no two of one log: only one act is next in it
    places = [0] * len(queues)
    told: set[int] = set()

    def advance(number: int) -> None:
        """Pass what is told, and let the next act of this log know that here it need not wait."""
        queue = queues[number]
        while places[number] < len(queue) and id(queue[places[number]]) in told:
            places[number] += 1
        if places[number] < len(queue):
            act = queue[places[number]]
            act.ahead -= 1
            if not act.ahead:
                heappush(ready, (act.seconds, act.log, act))

    for number in range(len(queues)):
        advance(number)
    movements: list[Movement] = []
    total = len({id(act) for queue in queues for act in queue})
    while len(told) < total:
        if ready:
            act = heappop(ready)[-1]
        else:  # logs that contradict each other, as after an edit by hand: the oldest that is next anywhere
            act = min((queue[at] for queue, at in zip(queues, places, strict=True) if at < len(queue)), key=_age)
        told.add(id(act))
        movements.append(act.movement())
        for number, queue in enumerate(queues):
            if places[number] < len(queue) and queue[places[number]] is act:
                advance(number)
    return movements


def _age(act: _Act) -> tuple[int, int]:
    return act.seconds, act.log


def _acts(logs: list[list[Entry]]) -> list[list[_Act]]:
    """For each log the acts its entries belong to: a branch's entry joins that of the HEAD that moved with it."""
    of_heads: dict[tuple[object, ...], list[_Act]] = {}
    queues: list[list[_Act]] = []
    for number, log in enumerate(logs):
        queue: list[_Act] = []
        latest = 0
        joined: dict[int, int] = {}  # how far in each HEAD's log this one has come: the next act is after that
        for position, entry in enumerate(log):
            latest = max(latest, entry.seconds)
            key = (entry.old_oid, entry.new_oid, entry.seconds, entry.message)
            act = None if entry.worktree else _next(of_heads.get(key, ()), entry.ref, joined)
            if act is None:
                act = _Act(number, position, entry, latest)
                if entry.worktree is not None:
                    of_heads.setdefault(key, []).append(act)
            else:
                joined[act.log] = act.position
                act.add(entry, latest)
            queue.append(act)
        queues.append(queue)
    return queues


def _next(acts: Iterable[_Act], ref: str, joined: Mapping[int, int]) -> _Act | None:
    """The first that does not tell of ``ref`` yet: the same act can come twice in a second."""
    return next(
        (
            act
            for act in acts
            if act.position > joined.get(act.log, -1) and all(entry.ref != ref for entry in act.entries)
        ),
        None,
    )


def _movement(entry: Entry) -> RefMovement:
    ordinal = entry.ordinal if entry.ordinal > 1 else None
    return RefMovement(reflog.ref_text(entry.ref), entry.old_oid, entry.new_oid, _text(entry.message) or None, ordinal)


def _text(raw: str) -> str:
    """Readable and without credentials: reflog messages hold whole pull and clone URLs."""
    return credentials.strip(readable(raw.encode("utf-8", "surrogateescape"))[0])
