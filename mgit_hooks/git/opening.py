"""Who answers for a repository: libgit2 where it can, git's own commands where it cannot."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from typing import Final

from mgit_hooks.files import read
from mgit_hooks.git import gitfiles
from mgit_hooks.git.backend import Backend, Refused

# What libgit2 is not even asked about: it may come to open these, and this program knows it by SHA-1 and files.
_BEYOND: Final = re.compile(
    rb"^\s*(?:objectformat\s*=\s*(?!sha1\b)|refstorage\s*=\s*(?!files\b))", re.IGNORECASE | re.M
)
_LONGEST_CONFIG: Final = 16 * 1024 * 1024  # bytes


def open_backend(git_dir: str) -> Backend:
    """libgit2, unless the repository looks like one that it cannot read, or it refuses: then git's commands.

    Raises RepositoryError where neither can read it, and for what must not be read: someone else's repository.
    """
    if not _looks_beyond(git_dir):
        from mgit_hooks.git import library

        with suppress(Refused):
            return library.Library(git_dir)
    from mgit_hooks.git.twin import Twin

    return Twin(git_dir)


def _looks_beyond(git_dir: str) -> bool:
    try:
        config = read(os.path.join(gitfiles.common_dir(git_dir), "config"), _LONGEST_CONFIG)
        return _BEYOND.search(config) is not None
    except OSError:
        return False
