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
from mgit_hooks.recorder.event import HookEvent

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
