"""Whether a process runs, by its id and by when it began: an id comes around again.

Loaded before anything else is, by a drain that waits: so it loads nothing but what Python itself has by then.
"""

from __future__ import annotations

import os
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from mgit_hooks.recorder.event import Process

_STEP: Final = 0.02  # s between two looks


def is_alive(process: Process) -> bool:
    """Whether a process has not ended. Where nothing tells when it began, any process with its id counts."""
    return _runs(process.pid, process.started)


def wait_for_end(process: str, patience: float) -> None:
    """Until the process ``PID`` or ``PID.STARTED`` has ended, or for ``patience`` seconds. What is of another form is
    not waited for."""
    pid, _, began = process.partition(".")
    if not (pid.isdecimal() and (began or "0").isdecimal()):
        return
    until = time.monotonic() + patience
    while _runs(int(pid), int(began) if began else None) and time.monotonic() < until:
        time.sleep(_STEP)


def started(pid: int) -> int | None:
    """When the process with this id began, in clock ticks since the system did; None where there is none, or no /proc.

    proc(5), field 22 of stat. The second field is a name in parentheses, and may itself hold some.
    """
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return int(file.read().rpartition(b")")[2].split()[19])
    except (OSError, ValueError, IndexError):
        return None


def _runs(pid: int, began: int | None) -> bool:
    if os.name == "nt":
        return False
    if began is not None and (now := started(pid)) is not None:
        return now == began
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True
