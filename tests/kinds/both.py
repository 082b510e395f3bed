"""What libgit2 and git's own commands say of one repository, side by side."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

from mgit_hooks.capture.capturer import Capturer
from mgit_hooks.errors import MgitError
from mgit_hooks.git.library import Library
from mgit_hooks.git.twin import Twin
from mgit_hooks.record import Oid


def told(ask: Callable[[], Any]) -> Any:
    """What is said, or in what manner it is not."""
    try:
        return ask()
    except MgitError as error:
        return type(error).__name__


class Both:
    """A capturer of each kind for ``git_dir``."""

    def __init__(self, git_dir: str) -> None:
        self.library = Capturer(git_dir, Library)
        self.twin = Capturer(git_dir, Twin)

    def walked(self) -> list[Oid]:
        """Every commit that a ref or HEAD leads to: the same ones, in one order, with the same ones missing."""
        walks = []
        for one in (self.library, self.twin):
            head = one.head().oid
            tips = [*one.references().values(), *([head] if head else [])]
            oids = list(one.new_commits(tips, lambda _: False))
            walks.append((oids, one.missing, one.references(), one.head()))
        assert walks[0] == walks[1]
        return walks[0][0]

    def compare(self) -> int:
        """Hold all that is asked of a repository equal; how many commits that were."""
        oids = self.walked()
        for oid in oids:
            assert self.library.commit(oid) == self.twin.commit(oid), oid
        for old in oids[:: max(1, len(oids) // 6)]:
            for new in oids[:: max(1, len(oids) // 5)]:
                assert self.library.is_ancestor(old, new) == self.twin.is_ancestor(old, new), (old, new)
        return len(oids)

    def compare_staged(self, environment: Mapping[str, str] = os.environ) -> None:
        one, other = (told(lambda one=one: one.staged(environment)) for one in (self.library, self.twin))
        assert one == other
