"""The record that recording begins with: where every ref and HEAD stood then.

What is older is ``backfill``'s to record: a drain neither walks into it nor reads reflogs back into it.
"""

from __future__ import annotations

from mgit_hooks import dates
from mgit_hooks.capture.capturer import Capturer
from mgit_hooks.encoding import encode
from mgit_hooks.git import reflog
from mgit_hooks.git.reflog import Entry, Place
from mgit_hooks.journal.writer import Appender
from mgit_hooks.layout import Location
from mgit_hooks.record import Gate, Json, Oid, Record, Validation
from mgit_hooks.recorder import state
from mgit_hooks.recorder.state import State


def snapshot(location: Location, journal: Appender, *, before_last: bool) -> State:
    """Append the snapshot, synced; gives the state from which the next drain reads on.

    ``before_last``: a hook manager started this because of what just happened, and nothing of ours was
    installed before. Then the last movement of HEAD counts as not yet seen.
    """
    capturer = Capturer(location.common_dir)
    refs: dict[str, Oid | None] = {
        reflog.ref_text(name): oid for name, oid in capturer.references().items() if not name.startswith("refs/mgit/")
    }
    places: dict[str, Place] = {}
    heads: set[Oid] = set()
    last = _last_of_head(location) if before_last else None
    for log in reflog.every(location.common_dir):
        entries, place = log.read(None)
        if last is not None and entries and _is_same(entries[-1], last):
            place = log.before_last()
            if log.ref.startswith("refs/"):
                refs[reflog.ref_text(log.ref)] = last.old_oid
            entries = entries[:-1]
        places[log.key] = place
        if entries and log.worktree is not None and entries[-1].new_oid is not None:
            heads.add(entries[-1].new_oid)
    detail: Json = {
        "refs": {name: oid for name, oid in refs.items() if oid is not None},
        "heads": sorted(heads),
    }
    now = dates.now()
    record = Record(
        event="snapshot",
        source="framework" if before_last else "reconcile",
        recorded_at=now,
        occurred_at=now,
        occurred_from=None,
        repository_name=location.repository_name,
        worktree=location.worktree,
        branch=None,
        gate=Gate("none", "no commit"),
        validation=Validation("standard", True),
        detail=detail,
    )
    journal.append([encode(record)])
    journal.sync()
    return state.of_places(places)


def _last_of_head(location: Location) -> Entry | None:
    entries = reflog.of_head(location.common_dir, location.worktree)
    return entries[-1] if entries else None


def _is_same(entry: Entry, last: Entry) -> bool:
    return entry[2:] == last[2:] and entry.worktree in (None, last.worktree)
