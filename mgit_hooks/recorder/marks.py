"""The marks that the stubs of config-based hooks leave for those in the hooks folder, in ``mgit/told``.

``HOOK.PID.STARTED``, or ``HOOK.PID`` where nothing tells when a process began: hooks/everywhere.sh writes them and
hooks/yield.sh reads them while that git process lives. Nobody reads one of a process that has ended.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from typing import Final

from mgit_hooks.recorder import alive, event

# Seconds after which a mark is taken for a process's that has ended, where nothing tells.
_LONG: Final = 24 * 3600.0


def sweep(mgit_dir: str) -> None:
    """Take away the marks of git processes that have ended. What is no mark stays."""
    folder = os.path.join(mgit_dir, "told")
    with suppress(FileNotFoundError, NotADirectoryError):
        for name in os.listdir(folder):
            with suppress(OSError):
                path = os.path.join(folder, name)
                if _is_over(name, path):
                    os.unlink(path)


def _is_over(name: str, path: str) -> bool:
    try:
        process = event.process(name.partition(".")[2])
    except ValueError:
        return False
    if os.name == "nt":
        return time.time() - os.lstat(path).st_mtime > _LONG
    return not alive.is_alive(process)
