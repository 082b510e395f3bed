"""Hook lines that wait: a verdict for its commit, a push for its verdict, a push that is told for its outcome.

They stand in ``held.json``, the last of them in ``underway.json``, while their git process lives, put there before
the spool's cursor passes their lines.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Final, NamedTuple

from mgit_hooks import files
from mgit_hooks.files import exists
from mgit_hooks.recorder import event, state
from mgit_hooks.recorder.event import HookEvent, Process

UNDERWAY: Final = "underway.json"
NAMES: Final = ("held.json", UNDERWAY)
_LONGEST: Final = 64 * 1024 * 1024  # bytes; a line is a few hundred, or as long as one hook's standard input


class Waiting(NamedTuple):
    """What earlier drains left: lines that are ``held`` until more is known, and those of pushes that are told and had
    not ended."""

    held: tuple[HookEvent, ...]
    underway: tuple[HookEvent, ...]


def waiting(mgit_dir: str) -> Waiting:
    return Waiting(tuple(read(mgit_dir)), tuple(read(mgit_dir, UNDERWAY)))


def path(mgit_dir: str, name: str = "held.json") -> str:
    return os.path.join(mgit_dir, name)


def read(mgit_dir: str, name: str = "held.json") -> list[HookEvent]:
    import json

    try:
        lines = json.loads(files.read(path(mgit_dir, name), _LONGEST))
        return [event.parse(line.encode("utf-8", "surrogateescape")) for line in lines]
    except (FileNotFoundError, ValueError, TypeError, AttributeError):
        return []


def write(mgit_dir: str, events: Sequence[HookEvent], name: str = "held.json") -> None:
    """Replace what is held; none takes the file away."""
    if events:
        lines = [event.format(said).decode("utf-8", "surrogateescape").rstrip("\n") for said in events]
        state.write_json(path(mgit_dir, name), lines)
    elif exists(path(mgit_dir, name)):
        os.unlink(path(mgit_dir, name))


def is_alive(process: Process) -> bool:
    """Whether a process has not ended. Where nothing tells when it began, any process with its id counts."""
    if os.name == "nt":
        return False
    if process.started is not None and (began := started(process.pid)) is not None:
        return began == process.started
    try:
        os.kill(process.pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


def started(pid: int) -> int | None:
    """When the process with this id began, in clock ticks since the system did; None where there is none, or no /proc.

    proc(5), field 22 of stat. The second field is a name in parentheses, and may itself hold some.
    """
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return int(file.read().rpartition(b")")[2].split()[19])
    except (OSError, ValueError, IndexError):
        return None
