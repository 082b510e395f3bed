"""The drain: what hooks spooled and reflogs hold becomes records, exactly once.

One drain runs at a time. It reads the spool from the cursor that stands in the journal, makes the records,
and appends them with the new cursor in the same frame. Killed anywhere, the next one starts from the last
frame that was written; what was recorded already is known by commit hash and movement identity.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Final, NamedTuple

from mgit_hooks import log, meter
from mgit_hooks.errors import MgitError
from mgit_hooks.files import create, exists
from mgit_hooks.journal import identity
from mgit_hooks.journal.cursor import Cursor
from mgit_hooks.layout import Location, locate, make_private_dir
from mgit_hooks.lock import exclusive
from mgit_hooks.recorder import commitmap, held, looking, spool, state
from mgit_hooks.recorder.state import State

_PAUSE: Final = 0.2
"""Seconds between two passes of a background drain, while commands follow each other: each pass syncs the journal."""


class Summary(NamedTuple):
    """What a drain did. ``busy``: another one held the lock for as long as this one was willing to wait."""

    records: int = 0
    garbled: int = 0
    busy: bool = False


def main(arguments: Sequence[str]) -> int:
    """The drain that a stub starts: ``[--background] --git-dir DIR``. It has no one to talk to but the log.

    What else a stub says is for ``boot``, before anything is loaded.
    """
    given = list(arguments)
    git_dir = given[given.index("--git-dir") + 1] if "--git-dir" in given else None
    location = _detach(git_dir)
    try:
        # Without waiting: the drain that runs looks at the spool again before it ends.
        done = drain(location, wait=0.0, pause=_PAUSE)
        meter.done(items=done.records)
        if not done.busy:
            with meter.phase("upkeep"):
                _keep_up(location)
    except MgitError as error:
        meter.failed(error)
        log.error(location.mgit_dir, "drain failed", error=error.message)
        return error.exit_code
    except Exception as error:
        meter.failed(error)
        log.exception(location.mgit_dir, "drain failed", error)
        return 128
    return 0


def _keep_up(location: Location) -> None:
    from mgit_hooks.recorder.upkeep import compact_sealed

    compact_sealed(location)
    if meter.is_large(location.mgit_dir):
        from mgit_hooks.metrics import folded

        folded.fold(location.mgit_dir)


def _detach(git_dir: str | None) -> Location:
    """Find the repository, then drop all that tied this process to the hook that started it."""
    from mgit_hooks.git.plumbing import without_local

    if git_dir is not None:
        os.environ["GIT_DIR"] = os.path.abspath(git_dir)
    location = locate()
    kept = without_local(os.environ)
    for name in set(os.environ) - kept.keys():
        del os.environ[name]
    os.chdir(location.common_dir)
    return location


def drain(
    location: Location,
    *,
    wait: float,
    source: str = "hook",
    overrides: Mapping[str, str] | None = None,
    thorough: bool = False,
    pause: float = 0.0,
) -> Summary:
    """Record all that waits. ``wait`` is how long, in seconds, another drain is waited for; ``pause`` how long what
    came while this one was at work may grow before it is recorded too.

    ``source`` is what records are said to come from where a hook bears witness to them; ``overrides`` go
    before the configuration that judges. ``thorough``: look at each file of a ref or reflog, where else the times of
    folders would do (recorder.looking).
    Raises JournalError or RepositoryError where something cannot be read or written; what was in the spool
    stays there.
    """
    make_private_dir(location.mgit_dir)
    total = Summary()
    while True:
        # Before the lock is asked for: a stub that sees it starts no drain, since this one, or the one that has the
        # lock, reads the spool after it is gone.
        with suppress(FileNotFoundError):
            os.unlink(os.path.join(location.mgit_dir, "starting"))
        with exclusive(os.path.join(location.mgit_dir, "drain.lock"), wait=wait) as got:
            if not got:
                return total._replace(busy=True)
            with _marked(location.mgit_dir):
                done, cursor, again = _drain(location, source, overrides, thorough)
        total = Summary(total.records + done.records, total.garbled + done.garbled)
        # A stub that saw this drain's mark has started no other: look once more, now that the mark is gone.
        if not again and not spool.waiting(location.spool_dir, cursor):
            return total
        if pause:
            with suppress(OSError):  # then a stub starts another drain, and one of the two finds nothing to do
                _mark(os.path.join(location.mgit_dir, "starting"))
            meter.rest(pause)


@contextmanager
def _marked(mgit_dir: str) -> Iterator[None]:
    """The file by which stubs see, without a fork, that a drain runs. A dead pid in it counts for nothing."""
    path = os.path.join(mgit_dir, "draining")
    _mark(path)
    try:
        yield
    finally:
        os.unlink(path)


def _mark(path: str) -> None:
    # What a killed drain left goes first: were it a link by now, we would empty a file of somebody's.
    with suppress(FileNotFoundError):
        os.unlink(path)
    descriptor = create(path)
    try:
        os.write(descriptor, b"%d\n" % os.getpid())
    finally:
        os.close(descriptor)


def _drain(
    location: Location, source: str, overrides: Mapping[str, str] | None, thorough: bool
) -> tuple[Summary, Cursor | None, bool]:
    """What was done, how far the spool has been read, and whether another pass is to read all anew."""
    before = state.read(location.mgit_dir)
    hint = identity.read_head(location.journal_dir)
    cursor = Cursor(*hint.cursor) if hint is not None and hint.cursor else None
    if hint is not None and _nothing_waits(location, before, cursor, thorough):
        return Summary(), cursor, False
    with meter.phase("load"):
        from mgit_hooks.recorder.drainpass import Pass  # and with it pygit2: only where something waits

    with meter.phase("record"):
        done = Pass(location, source, overrides, before, thorough=thorough).run()
    return Summary(done.records, done.garbled), done.cursor, done.again


def _nothing_waits(location: Location, before: State, cursor: Cursor | None, thorough: bool) -> bool:
    """Whether neither spool, reflogs nor refs have changed: seen without opening journal or repository."""
    how = looking.level(before, thorough=thorough)
    return (
        before.known
        and not (thorough and before.unreadable)
        and not spool.waiting(location.spool_dir, cursor)
        and not any(exists(held.path(location.mgit_dir, name)) for name in held.NAMES)
        and not commitmap.waits(location)
        and not looking.is_due(before.looked_at)
        and not looking.has_moved(location.common_dir, before, looking.clock(location), how)
    )
