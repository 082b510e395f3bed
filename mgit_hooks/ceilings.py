"""How much memory a process may take, held by the system where it can, else looked at again and again."""

from __future__ import annotations

import os
import sys

EVERY = 0.1  # seconds between two looks


def held_by_system() -> bool:
    """Linux counts what a process may write in ``RLIMIT_DATA``; macOS takes limits and holds none of them."""
    return sys.platform == "linux"


def hold(more: int) -> None:
    """Let this process take ``more`` bytes beyond what it has by now; a request for more than that fails.

    Not ``RLIMIT_AS``: in it count the packs that are mapped to be read, which take no memory of anyone's. Raises
    OSError.
    """
    import resource

    with open("/proc/self/statm", "rb") as file:
        has = int(file.read().split()[5]) * os.sysconf("SC_PAGE_SIZE")
    limit = has + more
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    if hard != resource.RLIM_INFINITY:
        limit = min(limit, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))


def taken(pid: int) -> int | None:
    """Bytes of memory that the process holds by now; None where that cannot be told."""
    try:
        with open(f"/proc/{pid}/statm", "rb") as file:
            fields = file.read().split()
        return (int(fields[1]) - int(fields[2])) * os.sysconf("SC_PAGE_SIZE")  # of files, mapped, is no ones
    except (OSError, IndexError, ValueError):
        return None if sys.platform == "linux" else _told_by_ps(pid)


def _told_by_ps(pid: int) -> int | None:
    import subprocess

    try:
        done = subprocess.run(["ps", "-o", "rss=", "-p", str(pid)], capture_output=True, timeout=1)
        return int(done.stdout) * 1024
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
