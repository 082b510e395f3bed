"""The profile of one command, in the form that pstats reads, and with it snakeviz, tuna, gprof2dot and the like."""

from __future__ import annotations

import marshal
from collections.abc import Callable
from typing import TypeVar

from mgit_hooks.files import named_by_user

T = TypeVar("T")


def profiled(path: str, function: Callable[[], T]) -> T:
    """What ``function`` gives, or raises; where its time went is in the file ``path`` then.

    Its own process and thread alone: not the git that it starts, nor its workers. Raises OSError where ``path`` cannot
    be written, before anything is done.
    """
    from cProfile import Profile

    profile = Profile()
    given: list[T] = []
    raised: BaseException | None = None
    with named_by_user(path) as file:
        try:
            given.append(profile.runcall(function))
        except BaseException as error:
            raised = error
        profile.create_stats()
        # As Profile.dump_stats writes it.
        marshal.dump(profile.stats, file)
    if raised is not None:
        raise raised
    return given[0]
