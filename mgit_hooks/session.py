"""What every reading command begins with: find the repository, take in what waits, open the index."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from mgit_hooks import meter
from mgit_hooks.display import escape
from mgit_hooks.errors import LaterFormatError, MgitError, RepositoryError, reason
from mgit_hooks.journal.database import open_index
from mgit_hooks.journal.index import Index
from mgit_hooks.journal.verify import exists
from mgit_hooks.layout import Location, locate
from mgit_hooks.output import Output
from mgit_hooks.report import counted

# A drain that another process runs is waited for this long; then the records that are there are shown.
_PATIENCE = 10.0


class Session:
    """A repository and the index of its journal."""

    def __init__(self, location: Location, index: Index) -> None:
        self.location = location
        self.index = index


@contextmanager
def reading(directory: str, out: Output) -> Iterator[Session]:
    """The journal of the repository at ``directory``, drained.

    Raises RepositoryError where nothing was ever recorded.
    """
    location = locate(directory)
    require_journal(location)
    patience = {} if drain_first(location, out) else {"wait": _PATIENCE}
    with open_index(location.mgit_dir, location.journal_dir, **patience) as index:
        yield Session(location, index)


def require_readable(location: Location) -> None:
    """Raise RepositoryError, with nothing changed, where neither libgit2 nor git can read what is to be recorded."""
    from mgit_hooks.capture.capturer import Capturer

    Capturer(location.common_dir)


def require_journal(location: Location) -> None:
    if not exists(location.journal_dir):
        raise RepositoryError(
            f"nothing is recorded in {location.root or location.common_dir} yet",
            "run 'mgit-hooks init' to install the hooks and record the history",
        )


def drain_first(location: Location, out: Output) -> bool:
    """Take in what waits. What cannot be taken in now (a full disk, no write permission) stays in the spool.

    False where another process still does: it may hold the index as well.
    """
    from mgit_hooks.recorder.drain import drain

    try:
        with meter.phase("drain"):
            done = drain(location, wait=_PATIENCE)
        if done.busy:
            out.note("mgit-hooks: another process is still recording: its newest records are not shown")
            return False
        out.detail(f"mgit-hooks: {counted(done.records, 'record')} taken in from what waited")
    except LaterFormatError:
        raise
    except (MgitError, OSError) as error:
        out.note(f"mgit-hooks: what waits is not recorded yet: {escape(reason(error))}")
    return True
