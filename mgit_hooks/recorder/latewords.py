"""What came to be told of a commit after a drain had recorded it: one record that stands in for the first, for all
of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from mgit_hooks import dates
from mgit_hooks.record import Gate, Oid, Record
from mgit_hooks.recorder.evidence import Evidence
from mgit_hooks.recorder.ledger import NO_HOOK
from mgit_hooks.recorder.making import Setting
from mgit_hooks.recorder.memory import Memory
from mgit_hooks.recorder.rewriting import Rewrites


def late_words(evidence: Evidence, rewrites: Rewrites, memory: Memory, setting: Setting) -> Iterator[Record]:
    gates = dict(_late_gates(evidence, memory, armed=setting.armed))
    for oid, (record, gate, worktree) in gates.items():
        replaces = _replaced(record, rewrites.of(oid))
        yield _anew(record, gate=gate, source=setting.source, worktree=worktree, replaces=replaces)
    for oid, olds in rewrites.all():
        found = memory.unlinked(oid, olds) if oid not in gates else None
        replaces = _replaced(found, olds) if found is not None else None
        if found is not None and replaces != found.replaces:
            source = setting.source if oid in evidence.rewrites else found.source
            yield _anew(found, source=source, replaces=replaces)


def _late_gates(evidence: Evidence, memory: Memory, *, armed: bool) -> Iterator[tuple[Oid, tuple[Record, Gate, str]]]:
    """Of hooks that came to speak after a drain had given up waiting for them, and had said that none ran."""
    for oid, said in evidence.hooks.items():
        record = memory.recorded_before(oid)
        if record is None or record.commit is None or record.gate != NO_HOOK:
            continue
        gate = evidence.gate(record.commit, record.event, armed)
        if gate != NO_HOOK:
            yield oid, (record, gate, record.worktree or said.worktree)


def _replaced(record: Record, olds: Sequence[Oid]) -> tuple[Oid, ...] | None:
    """What is on record as replaced, and what is told now: maps come late, or go on where the first one ended."""
    return tuple(dict.fromkeys((*(record.replaces or ()), *olds))) if olds else record.replaces


def _anew(record: Record, **known: Any) -> Record:
    """The record that stands in for ``record``, with what is known now."""
    return record._replace(**known, supersedes=record.seq, recorded_at=dates.now(), seq=None, id=None)
