"""Refs held against the records: what moved and no reflog tells. Tags, notes, deletions, bare repositories."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from operator import itemgetter

from mgit_hooks.capture.capturer import Capturer
from mgit_hooks.git.reflog import ref_text
from mgit_hooks.record import Oid, Record, RefMovement
from mgit_hooks.recorder.commits import Commits
from mgit_hooks.recorder.making import Maker, Setting
from mgit_hooks.recorder.memory import Memory
from mgit_hooks.recorder.unlogged import Unlogged


class Comparison:
    """``being_pushed`` gives the refs that a push moves whose line is yet to be read: that one tells of them, with the
    push. ``unsettled`` are refs that moved and are another drain's to tell: these, and those whose reflog goes on."""

    def __init__(
        self,
        capturer: Capturer,
        memory: Memory,
        setting: Setting,
        make: Maker,
        commits: Commits,
        unlogged: Unlogged,
        being_pushed: Callable[[], Collection[str]],
    ) -> None:
        self._git = capturer
        self._memory = memory
        self._setting = setting
        self._make = make
        self._commits = commits
        self._unlogged = unlogged
        self._being_pushed = being_pushed
        self.unsettled: set[str] = set()

    def records(self) -> Iterator[Record]:
        """Of the refs that are not where the last record left them. What is gone comes last."""
        gone: list[str] = []
        differing = self._differing()
        pushed = self._being_pushed() if differing else ()
        for raw, oid in differing:
            if raw in pushed or not self._setting.is_settled(raw):
                self.unsettled.add(raw)
            elif oid is None:
                gone.append(ref_text(raw))
            else:
                yield from self._moved(ref_text(raw), oid)
        for name in gone:
            last = self._memory.last_oid(name)
            if last is not None and last[0] is not None:
                yield self._unlogged.record(RefMovement(name, last[0], None, None))

    def _moved(self, name: str, oid: Oid) -> Iterator[Record]:
        if self._memory.is_left(name, oid):
            return
        last = self._memory.last_oid(name)
        yield from self._commits.records(self._commits.new(oid), self._make.source_by(name))
        yield self._unlogged.record(RefMovement(name, last[0] if last else None, oid, None))

    def _differing(self) -> list[tuple[str, Oid | None]]:
        """The refs that are not where their last record left them, by name, and where they are."""
        found = self._setting.moved()
        if found is None:
            found = dict(self._git.references())
            known = self._memory.refs()
            texts = {ref_text(name) for name in found}
            found |= {name: None for name, oid in known.items() if oid is not None and name not in texts}
            found = {name: oid for name, oid in found.items() if known.get(ref_text(name)) != oid}
        return [
            (name, oid)
            for name, oid in sorted(found.items(), key=itemgetter(0))
            if not name.startswith("refs/mgit/") and not self._is_left(ref_text(name), oid)
        ]

    def _is_left(self, name: str, oid: Oid | None) -> bool:
        """Whether a ref stands, or is gone, as the newest record about it says; one that none tells of is gone."""
        return self._memory.is_left(name, oid) or (oid is None and self._memory.last_oid(name) is None)
