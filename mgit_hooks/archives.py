"""The archives that hold the journal's missing beginning: where they are, and what an erasure finds in them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from mgit_hooks.display import escape
from mgit_hooks.errors import JournalError
from mgit_hooks.files import is_file
from mgit_hooks.journal import bundle, erasure, reader
from mgit_hooks.journal.reader import Block, Stored
from mgit_hooks.journal.segment import Damage
from mgit_hooks.journal.verify import verify
from mgit_hooks.journal.wanted import value_of
from mgit_hooks.layout import Location

_CHECKPOINT = b'{"event":"checkpoint"'


class Archive(NamedTuple):
    """What a ``checkpoint`` record, the record ``said_by``, says of an archive; ``folder`` is where it was put."""

    first_seq: int
    last_seq: int
    id: str
    file: str
    folder: str | None
    said_by: int

    @property
    def path(self) -> str | None:
        """Where the archive was put, if it is there still."""
        path = os.path.join(self.folder, self.file) if self.folder else None
        return path if path is not None and is_file(path) else None


class Held(NamedTuple):
    """A record that is not in the journal, as the archive at ``path`` has it."""

    path: str
    stored: Stored


class Found(NamedTuple):
    """``paths``: the bundles that are of this journal; ``unread``: archives that were not searched, since they are not
    where they were put, or do not hold."""

    held: tuple[Held, ...] = ()
    unread: tuple[Archive, ...] = ()
    paths: tuple[str, ...] = ()

    def require(self, seqs: Iterable[int]) -> None:
        """Raise JournalError, with the archive that is to be named, where one of ``seqs`` was not found."""
        missing = sorted(set(seqs) - {each.stored.seq for each in self.held})
        if missing:
            raise JournalError(f"{self.whereabouts(missing[0])}", "give the archive's file with --also")

    def whereabouts(self, seq: int) -> str:
        for each in self.unread:
            if each.first_seq <= seq <= each.last_seq:
                there = f", which cannot be read in {each.folder}" if each.folder else ", wherever that is"
                return escape(f"record {seq} is in the archive {each.file}{there}")
        return f"record {seq} is in an archive that no record here names"


class Away(NamedTuple):
    """What is left to erase in archives: ``missing``, by seq, where the archive cannot be found, with its chain id."""

    held: tuple[Held, ...] = ()
    missing: Mapping[int, str] = MappingProxyType({})
    paths: tuple[str, ...] = ()
    words: tuple[str, ...] = ()


def known(journal_dir: str) -> list[Archive]:
    """The archives that the journal's own records name, oldest record first."""
    found = []
    for each in erasure.said(journal_dir):
        if each.payload is None or not each.payload.startswith(_CHECKPOINT):
            continue
        detail = value_of(each.payload).get("detail") or {}
        if detail.get("archived") and detail.get("file"):
            folder, span = detail.get("folder"), (int(detail["first_seq"]), int(detail["last_seq"]))
            # A file's name and no more: nothing else is ever looked for in that folder.
            found.append(Archive(*span, str(detail["id"]), os.path.basename(detail["file"]), folder, each.seq))
    return found


def begins(journal_dir: str) -> tuple[int, str]:
    """The number of the first record that is in the journal itself, and the chain id before it."""
    for item in reader.frames(journal_dir):
        if not isinstance(item, Damage):
            return item.frame.first_seq, item.frame.previous.hex()
    return 1, bytes(32).hex()


def search(location: Location, also: Sequence[str], is_wanted: Callable[[int, bytes | None], bool]) -> Found:
    """Look through the bundles ``also`` and every archive that is where it was put, for records that
    are missing here.

    What a bundle holds counts only as far as an id that the journal knows proves it to be the very record. Call it
    under ``maintenance.lock``. Raises BundleError where one of ``also`` does not hold.
    """
    first_seq, before = begins(location.journal_dir)
    if first_seq == 1:
        return Found()
    named = {each.file: each for each in known(location.journal_dir)}
    ids = {first_seq - 1: before, **{each.last_seq: each.id for each in named.values()}}
    waiting = {os.path.realpath(path): (int(bundle.read_manifest(path).last_seq), path) for path in also}
    _add(waiting, named.values())
    held: list[Held] = []
    spans: dict[str, range] = {}
    done: set[str] = set()
    while left := {key: each for key, each in waiting.items() if key not in done}:
        # From the newest down: each proves the one before it, and may be the only one to name it.
        key = max(left, key=lambda each: left[each])
        done.add(key)
        path = waiting[key][1]
        try:
            with bundle.unpacked(path, bundle.scratch(location.journal_dir, path)) as (value, _, directory):
                upto = _proven(directory, ids)
                if not upto:
                    continue
                ids[value.first_seq - 1] = value.before.hex()
                spans[path] = range(value.first_seq, min(upto, value.last_seq) + 1)
                for each in known(directory):
                    named.setdefault(each.file, each)
                _add(waiting, named.values())
                last = min(upto, first_seq - 1)
                held += (Held(path, stored) for stored in _records(directory, last, is_wanted))
        except bundle.BundleError:
            if path in also:
                raise
    unread = [
        each
        for each in named.values()
        if not any(each.first_seq in span and each.last_seq in span for span in spans.values())
    ]
    return Found(tuple(held), tuple(unread), tuple(spans))


def left(location: Location, also: Sequence[str], seqs: set[int], marked: Mapping[int, str] | None) -> Away:
    """What of ``seqs`` stands in  Only a record that was declared after its archive was made can be left
    there; one that nobody declared was marked, and the erasure was killed before it said so."""
    first_seq = begins(location.journal_dir)[0]
    seqs = {seq for seq in seqs if seq < first_seq}
    if not seqs:
        return Away()
    declared = erasure.declared(location.journal_dir)
    before = [(range(each.first_seq, each.last_seq + 1), each.said_by) for each in known(location.journal_dir)]
    begun = {
        seq
        for seq in seqs
        if seq in declared and not any(seq in span and declared[seq].by_seq < by for span, by in before)
    }
    found = search(location, also, lambda seq, _: seq in begun)
    missing = begun - {each.stored.seq for each in found.held}
    words = tuple(f"{found.whereabouts(seq)}: erase it again with --also and that file" for seq in sorted(missing))
    return Away(found.held, {seq: marked[seq] if marked else "" for seq in missing}, found.paths, words)


def _add(waiting: dict[str, tuple[int, str]], named: Iterable[Archive]) -> None:
    for each in named:
        if each.path is not None:
            waiting.setdefault(os.path.realpath(each.path), (each.last_seq, each.path))


def _proven(directory: str, ids: dict[int, str]) -> int:
    """Up to which record an unpacked bundle is this journal; 0 where it is not."""
    report = verify(directory, frozenset(ids))
    if report.damaged or not report.chain_intact:
        return 0
    return max((seq for seq, id in report.watched.items() if seq in ids and id == ids[seq]), default=0)


def _records(directory: str, last_seq: int, is_wanted: Callable[[int, bytes | None], bool]) -> Iterable[Stored]:
    for block in reader.blocks(directory):
        if isinstance(block, Block) and block.first_seq <= last_seq:
            for stored in block.stored():
                if stored.seq <= last_seq and is_wanted(stored.seq, stored.payload):
                    yield stored
