"""How much of a repository's contents may be held: what was asked for, weighed with what its configuration says."""

from __future__ import annotations

import os
from typing import NamedTuple

from mgit_hooks.changesets.embedding import STRATEGIES
from mgit_hooks.errors import ConfigError, RepositoryError
from mgit_hooks.git import gitfiles
from mgit_hooks.git.place import place_of
from mgit_hooks.layout import Location


class Permitted(NamedTuple):
    strategy: str
    limited_by: str | None  # what allows no more, where something does


def permitted(path: str, asked: str | None, default: str) -> Permitted:
    """For the repository at ``path``. ``asked`` is the user's word of this very call; without it the user's
    configuration counts (``embed``), then ``default``. A worktree's files only ever take away from that.

    Where the configuration cannot be read, nobody knows what it would have kept out: nothing may be held.
    """
    from mgit_hooks.judging import config

    try:
        place = place_of(path)
        top = None if place.path == place.git_dir else place.path
        location = Location(place.git_dir, gitfiles.common_dir(place.git_dir), top)
        layers = config.read(location, {} if asked is None else {"embed": asked}).layers
    except ConfigError as error:
        return Permitted("none", error.message)
    except (RepositoryError, OSError):  # who reads the repository says why
        return Permitted(asked or default, None)
    said = [(layer.trusted, layer.values["embed"]) for layer in layers if "embed" in layer.values]
    mine = next((origin.value for trusted, origin in said if trusted), default)
    for trusted, origin in said:
        if not trusted:  # the first of a worktree's files that says anything
            if STRATEGIES.index(origin.value) < STRATEGIES.index(mine):
                return Permitted(origin.value, f"embed in {os.path.basename(origin.path or origin.source)}")
            break
    return Permitted(mine, None)
