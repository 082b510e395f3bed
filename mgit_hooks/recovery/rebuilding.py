"""A changeset that nothing holds any more, made anew from what its repository still says: the journal, then git."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Final, NamedTuple

from mgit_hooks import dates
from mgit_hooks.changesets import patience, working
from mgit_hooks.changesets.shapes import RepositoryChangeset
from mgit_hooks.errors import DamageError, MgitError, reason
from mgit_hooks.git import gitfiles
from mgit_hooks.git.place import place_of
from mgit_hooks.journal.contents import moment_of
from mgit_hooks.journal.database import open_index
from mgit_hooks.journal.index import Index
from mgit_hooks.journal.verify import exists
from mgit_hooks.record import Action, Json, Record, Seq

_WAIT: Final = 10.0  # seconds, for a process that writes the index
_BROKEN: Final = (MgitError, OSError, ValueError, KeyError)


class Rebuilt(NamedTuple):
    """``value`` is None where neither can say anything. ``whole``: it says all that a changeset would now."""

    value: Json | None
    actions: tuple[Action, ...]
    whole: bool


def rebuilt(path: str) -> Rebuilt:
    """What can be told of the repository at ``path``: never an exception. Of git, as it is now; where git cannot be
    read, its last commits as its journal has them."""
    journal, said = _from_journal(path)
    now = _read(path)
    if now.git_status == "error":
        failed = Action("git_rebuild_failed", f"git cannot tell what {path} is", False, now.error, {"path": path})
        return Rebuilt(None if journal is None else _marked(journal, "journal", now.error), (said, failed), False)
    value = now.to_json()
    metadata = now.metadata or {}
    if metadata.get("missing") and journal is not None:
        value["recent_commits"] = _joined(value["recent_commits"], journal["recent_commits"])
    done = Action("git_rebuild_success", f"{path} as it is now", True, None, {"path": path})
    return Rebuilt(_marked(value, "git", None), (said, done), True)


def _read(path: str) -> RepositoryChangeset:
    """A pipe where git expects a file must not hold up the other repositories."""
    began = dates.now()
    try:
        with patience.at_most(patience.LONGEST):
            return working.read(path)
    except TimeoutError as error:
        return working.failed(path, began, str(error))


def _marked(value: Json, source: str, error: str | None) -> Json:
    kept = value.get("metadata") if isinstance(value.get("metadata"), dict) else None
    metadata = {**(kept or {}), "recovered": {"from": source, "at": dates.now()}}
    return {**value, "metadata": metadata, **({"error": error} if error else {})}


def _joined(gits: list[Json] | None, journals: list[Json]) -> list[Json]:
    """git's commits, and after them those that it has lost."""
    ours = gits or []
    known = {commit["hash"] for commit in ours}
    return (ours + [commit for commit in journals if commit["hash"] not in known])[: working.COMMITS]


def _from_journal(path: str) -> tuple[Json | None, Action]:
    try:
        place = place_of(path)
        mgit_dir = os.path.join(gitfiles.common_dir(place.git_dir), "mgit")
        journal_dir = os.path.join(mgit_dir, "journal")
        if not exists(journal_dir):
            return None, Action("no_journal_found", f"{path} has no journal", False, None, {"path": path})
        with open_index(mgit_dir, journal_dir, _WAIT) as index:
            found = list(_newest(index, working.COMMITS))
    except _BROKEN as error:
        why = reason(error) if isinstance(error, MgitError | OSError) else str(error)
        return None, Action("journal_recovery_failed", f"the journal of {path} cannot be read", False, why)
    if not found:
        return None, Action("no_journal_found", f"the journal of {path} holds no commit", False, None, {"path": path})
    value: Json = {
        "repository_path": place.path,
        "repository_name": place.name,
        "timestamp": found[0].recorded_at,
        "has_uncommitted_changes": False,
        "git_status": "unknown",
        "current_branch": found[0].branch,
        "uncommitted_files": None,
        "recent_commits": [record.commit.to_json() for record in found if record.commit is not None],
    }
    what = f"the last {len(found)} commits of {path} are in its journal"
    return value, Action("journal_recovery_success", what, True, None, {"path": path})


def _newest(index: Index, count: int) -> Iterator[Record]:
    """The records of the newest commit and of those before it, as `git log` would have them. What the journal has lost
    ends its line."""
    waiting: dict[Seq, Record] = {}
    first = next((row for row in index.newest() if row.hash is not None and row.event is not None), None)
    seen = {first.seq} if first is not None else set()
    if first is not None:
        _expect(index, first.seq, waiting)
    while waiting and count:
        seq, record = max(waiting.items(), key=lambda each: (_moment(each[1]), each[0]))
        del waiting[seq]
        yield record
        count -= 1
        for parent in record.commit.parents or () if record.commit is not None else ():
            before = index.seq_of(parent)
            if before is not None and before not in seen:
                seen.add(before)
                _expect(index, before, waiting)


def _expect(index: Index, seq: Seq, waiting: dict[Seq, Record]) -> None:
    row = index.by_seq(seq)
    try:
        record = index.read(row).record() if row is not None else None
    except DamageError:
        return
    if record is not None and record.commit is not None:
        waiting[seq] = record


def _moment(record: Record) -> int:
    date = record.commit.committer_date if record.commit is not None else None
    return moment_of(date) or 0 if date else 0
