"""Where operations are noted: in the repository at hand, and in the user's own folder for those over many."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import NamedTuple

from mgit_hooks.datafolder import data_folder
from mgit_hooks.errors import MgitError, RepositoryError, reason
from mgit_hooks.layout import Location, locate
from mgit_hooks.metrics import folded, running
from mgit_hooks.metrics.folded import Store
from mgit_hooks.metrics.running import Running


class Place(NamedTuple):
    """``location`` is None of the user's own folder."""

    folder: str
    location: Location | None
    store: Store

    @property
    def journal(self) -> str:
        """The first 8 digits of the journal's id; empty where there is none."""
        if self.location is None:
            return ""
        from mgit_hooks.journal import identity

        found = identity.read(self.location.journal_dir)
        return "" if found is None else found.journal.hex()[:8]

    def running(self) -> Iterator[Running]:
        """What goes on there at this moment, and has for more than a second."""
        return (each for each, alive in running.listed(os.path.dirname(self.folder)) if alive)


def journal_size(location: Location) -> int:
    """Bytes of the journal's segments. Raises OSError."""
    try:
        with os.scandir(location.journal_dir) as entries:
            return sum(each.stat(follow_symlinks=False).st_size for each in entries if each.name.endswith(".seg"))
    except FileNotFoundError:
        return 0


class UnreadableError(MgitError):
    """The figures of a folder cannot be read."""


@contextmanager
def opened(directory: str) -> Iterator[Sequence[Place]]:
    """What was noted in the repository at ``directory``, if it is in one, and for the user. Raises UnreadableError."""
    try:
        location = locate(directory)
    except RepositoryError:
        location = None
    folders: list[tuple[str, Location | None]] = [(data_folder(), None)]
    if location is not None:
        folders.insert(0, (location.mgit_dir, location))
    with ExitStack() as stack:
        found = []
        for folder, of in folders:
            try:
                store = stack.enter_context(folded.opened(folder))
            except OSError as error:
                remedy = "see that you can read the folder 'metrics' there"
                raise UnreadableError(f"the figures cannot be read: {reason(error)}", remedy) from error
            if store is not None:
                found.append(Place(os.path.join(folder, "metrics"), of, store))
        yield found
