"""Paths as a command line gives them, which "-C DIR" reads as if the command had been started there."""

from __future__ import annotations

import os

from mgit_hooks.errors import UsageError


def below(directory: str, path: str) -> str:
    """Never made shorter than the system reads it: in ``link/../x``, ``..`` is the folder that the link leads into.

    Raises UsageError for an empty path, as a variable of a script that was never set.
    """
    if not path:
        raise UsageError("a path is empty", "name a file or a folder")
    return path if directory in ("", os.curdir) else os.path.join(directory, path)
