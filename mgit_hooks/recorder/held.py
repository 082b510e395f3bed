"""Hook lines that wait for another: a verdict for its commit, a push for its verdict.

They stand in ``held.json`` while their git process lives, put there before the spool's cursor passes their lines.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from mgit_hooks.files import open_to_read
from mgit_hooks.recorder import event, state
from mgit_hooks.recorder.event import HookEvent


def path(mgit_dir: str) -> str:
    return os.path.join(mgit_dir, "held.json")


def read(mgit_dir: str) -> list[HookEvent]:
    import json

    try:
        with open_to_read(path(mgit_dir)) as file:
            return [event.parse(line.encode("utf-8", "surrogateescape")) for line in json.load(file)]
    except (FileNotFoundError, ValueError, TypeError, AttributeError):
        return []


def write(mgit_dir: str, events: Sequence[HookEvent]) -> None:
    """Replace what is held; none takes the file away."""
    if events:
        lines = [event.format(said).decode("utf-8", "surrogateescape").rstrip("\n") for said in events]
        state.write_json(path(mgit_dir), lines)
    elif os.path.exists(path(mgit_dir)):
        os.unlink(path(mgit_dir))


def is_alive(pid: int) -> bool:
    """Whether a process has this id now. One that another user runs counts."""
    if os.name == "nt":
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True
