"""Pushes as they are recorded: what was attempted, what it dropped, and what its outcome records say of it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from mgit_hooks import credentials
from mgit_hooks.git.reflog import ref_text
from mgit_hooks.record import Oid, Push, PushRef
from mgit_hooks.recorder.event import HookEvent, push_lines


class Remotes(Protocol):
    """What the repository says of its remotes (mgit_hooks.recorder.remotes)."""

    def tracking(self, remote: str, ref: str) -> str | None: ...
    def is_forced(self, ref: str, old: Oid | None, new: Oid | None) -> bool | None: ...
    def with_dropped(self, push: Push, *, here: bool = False) -> Push: ...


def pushed(said: HookEvent, remotes: Remotes) -> Push:
    """What a line of pre-push says."""
    remote, url, stdin = said.fields
    refs = tuple(
        PushRef(
            line.local_ref,
            line.local_oid,
            ref_text(line.remote_ref),
            line.remote_oid,
            remotes.is_forced(line.remote_ref, line.remote_oid, line.local_oid),
            line.local_oid is None,
        )
        for line in push_lines(stdin)
    )
    return remotes.with_dropped(Push(credentials.strip(remote), credentials.strip(url) or None, refs, None))


def wire(said: HookEvent) -> Push:
    """The line's own words alone, without asking git for anything."""
    return pushed(said, _Silent())


def key(push: Push) -> object:
    """What two records of one push's line have in common, whatever has come of it since."""
    refs = tuple((ref.local_ref, ref.local_oid, ref.remote_ref, ref.remote_oid) for ref in push.refs)
    return push.remote_name, push.remote_url, push.pusher, refs


def common(refs: Iterable[PushRef]) -> bool | None:
    """What all of ``refs`` are: true or false; None where they differ, where nothing tells, and of none at all."""
    found = {ref.confirmed for ref in refs}
    return found.pop() if len(found) == 1 else None


def folded(push: Push, outcomes: Iterable[Push]) -> Push:
    """``push`` with what its outcome records, oldest first, say of each ref.

    Those of before 0.2 say it of all the refs in them at once.
    """
    told = {ref.remote_ref: _told(outcome, ref) for outcome in outcomes for ref in outcome.refs}
    refs = tuple(ref._replace(confirmed=told.get(ref.remote_ref, ref.confirmed)) for ref in push.refs)
    return push._replace(refs=refs, confirmed=common(refs))


def _told(outcome: Push, ref: PushRef) -> bool | None:
    return outcome.confirmed if ref.confirmed is None else ref.confirmed


class _Silent:
    """Stands in for the remotes where only the line's own words are wanted."""

    def tracking(self, remote: str, ref: str) -> str | None:
        return None

    def is_forced(self, ref: str, old: Oid | None, new: Oid | None) -> bool | None:
        return None

    def with_dropped(self, push: Push, *, here: bool = False) -> Push:
        return push
