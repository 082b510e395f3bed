"""The most memory that this process has held."""

from __future__ import annotations

import os


def most_resident(*, children: bool) -> int | None:
    """Bytes; None where the system does not tell. ``children``: of those that have ended too.

    A gate reads ``/proc``: to load ``resource`` takes longer than it may take to count.
    """
    found = 0
    try:
        status = os.open("/proc/self/status", os.O_RDONLY | os.O_CLOEXEC)
        try:
            found = int(os.read(status, 4096).partition(b"VmHWM:")[2].split(None, 1)[0]) * 1024
        finally:
            os.close(status)
    except (OSError, ValueError, IndexError):
        found = 0
    if children or (not found and os.name == "posix"):
        try:
            import resource
            import sys

            unit = 1 if sys.platform == "darwin" else 1024
            # Of itself only where nothing else tells: on Linux it begins with what the parent had.
            who = [resource.RUSAGE_CHILDREN] * children + [resource.RUSAGE_SELF] * (not found)
            found = max(found, *(resource.getrusage(each).ru_maxrss * unit for each in who))
        except ImportError:  # Windows
            pass
    return found or None
