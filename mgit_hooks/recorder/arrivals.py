"""Pushes to this repository as records, and what each brought."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from mgit_hooks.git.reflog import ref_text
from mgit_hooks.record import Oid, Record, RefMovement, Seq
from mgit_hooks.recorder import pushing, receiving
from mgit_hooks.recorder.commits import Commits
from mgit_hooks.recorder.event import HookEvent, PushLine
from mgit_hooks.recorder.making import Maker, Setting
from mgit_hooks.recorder.memory import Memory
from mgit_hooks.recorder.receiving import Reception, Receptions


class Arrivals:
    """``references`` gives where the refs are now."""

    def __init__(
        self,
        receptions: Receptions,
        remotes: pushing.Remotes,
        memory: Memory,
        commits: Commits,
        make: Maker,
        setting: Setting,
        references: Callable[[], Mapping[str, Oid]],
    ) -> None:
        self._receptions = receptions
        self._remotes = remotes
        self._memory = memory
        self._commits = commits
        self._make = make
        self._setting = setting
        self._references = references
        self._standing: Mapping[str, Oid] | None = None
        self._bringers: dict[tuple[str, Oid | None], Seq] = {}

    def told(self, said: HookEvent, reception: Reception) -> Iterator[Record]:
        """The push that is to be told at the line ``said``, and what it brought."""
        push = receiving.recorded(reception, self._remotes, self._standing_now)
        if said in self._receptions.held and self._receptions.was_told(push):
            return
        record = self._make.of_received(reception.gate, push)
        if self._memory.was_told(record):
            seq = self._memory.seq_of_push(push)
        else:
            yield record
            seq = self._memory.newest_push().seq
        for line, ref in zip(reception.lines, push.refs, strict=True):
            if ref.confirmed and seq is not None and not line.remote_ref.startswith("refs/mgit/"):
                yield from self._brought(line, seq)

    def bringer(self, refs: Sequence[RefMovement], oid: Oid | None) -> Seq | None:
        """The push that brought what a reflog tells of these refs: that they went to ``oid``."""
        return next((self._bringers[ref.name, oid] for ref in refs if (ref.name, oid) in self._bringers), None)

    def _brought(self, line: PushLine, seq: Seq) -> Iterator[Record]:
        """What one ref of a push brought: its commits, and its movement where no reflog tells of that."""
        name, oid = ref_text(line.remote_ref), line.local_oid
        if oid is not None:
            for record in self._commits.records(self._commits.new(oid), "fetch"):
                yield record._replace(detail={"push": seq}) if record.event == "import" else record
        if self._setting.is_logged(line.remote_ref):
            self._bringers[name, oid] = seq
            return
        last = self._memory.last_oid(name)
        # Else a drain came between the movement and this line, or the line of another push is yet to come.
        if (last[0] if last else None) == line.remote_oid != oid:
            moved = self._make.of_unlogged(RefMovement(name, line.remote_oid, oid, None))
            yield moved._replace(source=self._setting.source, detail={"push": seq})

    def _standing_now(self) -> Mapping[str, Oid]:
        if self._standing is None:
            self._standing = self._references()
        return self._standing
