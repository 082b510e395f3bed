"""A set of commits as long as a history may be: kept on disk, in a file that goes with it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from types import TracebackType

from mgit_hooks.errors import JournalError
from mgit_hooks.record import Oid


class CommitSet(AbstractContextManager["CommitSet"]):
    """Commits in the order in which they were added, each once. Close it, as by ``with``: its file is gone then."""

    def __init__(self) -> None:
        # Without a name it is a temporary database of SQLite's own: in memory up to its cache of 2 MB, then in a file
        # that has no name either. Nothing is ever rolled back in it.
        self._db = sqlite3.connect("", isolation_level=None)
        self._db.execute("PRAGMA journal_mode = OFF")
        self._db.execute("CREATE TABLE known (number INTEGER PRIMARY KEY, hash BLOB NOT NULL UNIQUE)")
        self._db.execute("BEGIN")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._db.close()

    def update(self, hashes: Iterable[bytes]) -> None:
        """Raises JournalError where there is no room for so many."""
        for hash in hashes:
            try:
                self._db.execute("INSERT OR IGNORE INTO known (hash) VALUES (?)", (hash,))
            except sqlite3.OperationalError as error:
                what = f"cannot write a temporary file: {error}"
                raise JournalError(what, "make room there, or name another folder in TMPDIR") from error

    def add(self, commit: Oid) -> None:
        """As ``update``."""
        self.update((bytes.fromhex(commit),))

    def __contains__(self, commit: Oid) -> bool:
        query = "SELECT 1 FROM known WHERE hash = ?"
        return self._db.execute(query, (bytes.fromhex(commit),)).fetchone() is not None

    def __iter__(self) -> Iterator[Oid]:
        for (hash,) in self._db.execute("SELECT hash FROM known ORDER BY number"):
            yield Oid(hash.hex())
