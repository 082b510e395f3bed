"""What brings lost records back: copies of the journal first, then git's objects."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

from mgit_hooks import files, restored
from mgit_hooks.capture.capturer import Capturer
from mgit_hooks.copies import available
from mgit_hooks.errors import ObjectError
from mgit_hooks.git import library
from mgit_hooks.git.backend import MissingObject
from mgit_hooks.journal import reader, sources
from mgit_hooks.journal.cursor import Cursor
from mgit_hooks.journal.findings import Hole
from mgit_hooks.journal.sources import Wanted
from mgit_hooks.layout import Location
from mgit_hooks.record import Commit, Oid, Record
from mgit_hooks.recorder import backfill
from mgit_hooks.recorder.intake import Intake
from mgit_hooks.report import counted

# So often git's history is walked anew where a commit on the way could not be read, and then could.
_TRIES: Final = 3


class Finder:
    """Brings back what the holes held: first from copies, then from git."""

    def __init__(self, location: Location, holes: Sequence[Hole], given: Sequence[str]) -> None:
        self._location = location
        self._holes = holes
        self._given = given
        self.wanted = Wanted(holes)
        self._known = sources.survey(location.journal_dir, holes, self.wanted)
        self.rebuilt_before = self._known.rebuilt if holes else 0
        self.notes: list[str] = []
        self.used: dict[str, int] = {}
        self.cursor: Cursor | None = None  # how far the spool was read for what was brought back

    def pass_over(self, commits: Iterable[Oid]) -> None:
        """These were erased: git is not to give them back."""
        self._known.commits.update(commits)

    def restored(self) -> Iterator[bytes]:
        """Payloads from copies, proven by the chain; what was erased stays away."""
        for copy in available(self._location, self._given, self.notes) if len(self.wanted) else ():
            ranges, last_seq = sources.prove(copy, self._holes, self._known)
            for stored, proven in sources.taken(copy, ranges):
                if stored.seq not in self.wanted or stored.seq in self._known.erased or stored.payload is None:
                    continue
                evidence = restored.Evidence(copy.name, copy.sha256, stored.seq, stored.id.hex(), proven.proof)
                payload = restored.payload(stored.payload, evidence)
                if payload is not None:
                    self.wanted.discard(stored.seq)
                    self.used[copy.name] = self.used.get(copy.name, 0) + 1
                    yield payload
            self._pass_spool(copy, last_seq)
            if not len(self.wanted):
                return

    def _pass_spool(self, copy: sources.Copy, last_seq: int) -> None:
        """Lines of the spool whose records are all on file, by this copy, are not to be read again for lack of a
        cursor; what was recorded later and is lost may still stand there."""
        first = next((first for first, _ in self.wanted.ranges()), last_seq + 1)
        if copy.related and first > last_seq:
            found = reader.last_cursor(copy.directory)
            if found is not None and (self.cursor is None or found > self.cursor):
                self.cursor = found

    def rebuilt(self, lost: Iterable[Oid] | None, knows: Callable[[Oid], bool]) -> Iterator[Record]:
        """Records of the commits that the holes held and nothing else gave back, as far as git has them.

        Where the index could not say which those were (``lost`` is None), of every commit that git has and the
        journal has not. No more of ``lost``, which may be all of the history, is in memory than one.
        """
        if not len(self.wanted):
            return
        library.spare_memory()
        intake = Intake(self._location)
        for oid in self._not_on_record(knows) if lost is None else lost:
            if knows(oid) or oid in self._known.commits:
                continue
            commit = self._commit(intake.capturer, oid)
            if commit is not None:
                yield intake.judge(backfill.imported(self._location, commit, "rebuilt", "rebuilt"))

    def _not_on_record(self, knows: Callable[[Oid], bool]) -> Sequence[Oid]:
        """Raises as ``_commit``, of a commit that would have led to others."""
        for _ in range(_TRIES):
            capturer = Capturer(self._location.common_dir)
            found = capturer.new_commits(backfill.tips(self._location, capturer), knows, through=True)
            again = Capturer(self._location.common_dir)
            back = next((oid for oid in capturer.missing if self._commit(again, oid) is not None), None)
            if back is None:
                return found
        raise MissingObject(back or Oid(""))

    def _commit(self, capturer: Capturer, oid: Oid) -> Commit | None:
        """None where git has it no more: it counts as lost, for good. So it is read anew before that is said.

        Raises OSError where the object's file is there, and the system does not let it be read.
        """
        try:
            return capturer.commit(oid)
        except ObjectError:
            loose = os.path.join(self._location.common_dir, "objects", oid[:2], oid[2:])
            if files.is_file(loose):
                with files.open_to_read(loose) as file:
                    while file.read(1 << 20):
                        pass
        try:
            return Capturer(self._location.common_dir).commit(oid)
        except ObjectError:
            return None

    def left(self, rebuilt: int) -> int:
        return max(len(self.wanted) - rebuilt - self.rebuilt_before, 0)

    def words(self, rebuilt: int, restore: str, rebuild: str) -> list[str]:
        lines = [f"{restore} {counted(count, 'record')} from {name}" for name, count in self.used.items()]
        if rebuilt:
            lines.append(f"{rebuild} {counted(rebuilt, 'commit record')} from git")
        return [*self.notes, *lines]
