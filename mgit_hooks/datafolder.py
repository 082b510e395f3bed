"""Where what belongs to a user and to no repository is kept: collections of changesets, figures over many."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

_NAME = "mgit-hooks"


def data_folder(environment: Mapping[str, str] | None = None) -> str:
    """``MGIT_DATA_DIR``, else the system's place for it; nothing is made there.

    As platformdirs' ``user_data_dir`` names it: ``XDG_DATA_HOME`` (only an absolute one counts, as the XDG
    specification has it) or ``~/.local/share``; ``~/Library/Application Support``;
    ``%LOCALAPPDATA%``.
    """
    given = os.environ if environment is None else environment
    if given.get("MGIT_DATA_DIR"):
        return os.path.abspath(given["MGIT_DATA_DIR"])
    home = given.get("HOME") or os.path.expanduser("~")
    if sys.platform == "win32":
        base = given.get("LOCALAPPDATA") or os.path.join(home, "AppData", "Local")
    elif sys.platform == "darwin" and not os.path.isabs(given.get("XDG_DATA_HOME", "")):
        base = os.path.join(home, "Library", "Application Support")
    elif os.path.isabs(given.get("XDG_DATA_HOME", "")):
        base = given["XDG_DATA_HOME"]
    else:
        base = os.path.join(home, ".local", "share")
    return os.path.join(base, _NAME)
