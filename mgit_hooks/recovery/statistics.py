"""How often recovery was tried and what came of it, over all runs: one small file in the user's data folder.

It is replaced whole under a lock, so that a kill loses at most what was being added. Its checksum is of its counts: a
file that says something else is moved to ``statistics.damaged-TIME.json``, and counting begins anew.
"""

from __future__ import annotations

import json
import os
import re
from typing import Final, NamedTuple

from mgit_hooks import dates
from mgit_hooks.encoding import encode_json
from mgit_hooks.files import TooLarge, lexists, read, replacing
from mgit_hooks.layout import make_private_dir
from mgit_hooks.lock import exclusive
from mgit_hooks.record import Json

_LONGEST: Final = 64 * 1024
_WAIT: Final = 10.0  # seconds


class Counts(NamedTuple):
    attempts: int = 0
    successes: int = 0
    failures: int = 0
    repairs_made: int = 0
    fallbacks_used: int = 0
    checkpoints_created: int = 0

    def plus(self, other: Counts) -> Counts:
        return Counts(*(mine + theirs for mine, theirs in zip(self, other, strict=True)))


def path_in(folder: str) -> str:
    return os.path.join(folder, "statistics.json")


def counted(folder: str) -> Counts:
    """What was counted; nothing where that cannot be told. Raises OSError where the file cannot be read."""
    try:
        return _counted(path_in(folder)) or Counts()
    except (FileNotFoundError, NotADirectoryError):
        return Counts()


def add(folder: str, more: Counts, *, durable: bool) -> None:
    """Count ``more``. ``durable``: on the disk when this returns; else a cut of the power may lose it.

    Raises OSError where it cannot be written, or where others hold the file for ten seconds.
    """
    make_private_dir(folder)
    path = path_in(folder)
    with exclusive(os.path.join(folder, "statistics.lock"), wait=_WAIT) as held:
        if not held:
            raise BlockingIOError(f"{path} is in use by another process")
        try:
            before = _counted(path)
        except FileNotFoundError:
            before = Counts()
        if before is None:
            os.rename(path, _free(folder))
        total = (before or Counts()).plus(more)._asdict()
        with replacing(path, sync=durable) as file:
            file.write(encode_json({"counts": total, "sha256": _digest(total)}) + b"\n")


def _counted(path: str) -> Counts | None:
    """None where the file is not what was written, or is longer than it can be. Raises OSError."""
    try:
        return _counts(read(path, _LONGEST))
    except TooLarge:
        return None


def _counts(data: bytes) -> Counts | None:
    """None where the file is not what was written; a count that it has not is of a later version's, or 0."""
    try:
        value = json.loads(data)
        said: Json = value["counts"]
        if value["sha256"] != _digest(said):
            return None
        return Counts(*(int(said.get(name, 0)) for name in Counts._fields))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None


def _digest(counts: Json) -> str:
    from hashlib import sha256

    return sha256(encode_json(counts)).hexdigest()


def _free(folder: str) -> str:
    when = re.sub("[-:]|[+].*", "", dates.now())
    path = os.path.join(folder, f"statistics.damaged-{when}.json")
    while lexists(path):
        path += "-"
    return path
