"""What facts are made from, read by the library that has captured the commit anyway: no process for each blob."""

from __future__ import annotations

from mgit_hooks.errors import MgitError
from mgit_hooks.gatekeeper.loose import LIMIT
from mgit_hooks.gatekeeper.objects import Objects
from mgit_hooks.git.backend import Backend
from mgit_hooks.git.opening import open_backend
from mgit_hooks.layout import Location
from mgit_hooks.record import Oid


class Blobs(Objects):
    """As ``Objects``, for commits that are there for good: outside of a push's hooks."""

    def __init__(self, location: Location) -> None:
        super().__init__(location.root or location.git_dir)
        self._git_dir = location.common_dir
        self._git: Backend | None = None

    def beginning(self, oid: Oid) -> bytes | None:
        if len(oid) != 40:
            return super().beginning(oid)
        try:
            self._git = self._git or open_backend(self._git_dir)
            if self._git.size(oid) <= LIMIT:
                return self._git.read(oid)
        except MgitError:
            pass  # not here, damaged, or no repository for the library: git's to say
        return super().beginning(oid)

    def close(self) -> None:
        if self._git is not None:
            self._git.close()
        self._git = None
        super().close()
