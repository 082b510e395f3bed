"""What the background drain does once it has recorded: sealed segments are compacted, a few at a time.

It holds no lock that recording waits for, but for the moment in which a segment is swapped.
"""

from __future__ import annotations

import json
import os
from typing import Final

from mgit_hooks import log
from mgit_hooks.errors import ConfigError, MgitError, reason
from mgit_hooks.files import read
from mgit_hooks.journal.segment import segment_names
from mgit_hooks.layout import Location
from mgit_hooks.recorder.state import stamp, write_json

# Seconds after which no further segment is begun; one of 4 MiB takes about one and a half.
_SECONDS: Final = 2.0
# What could not be compacted, by the file's size, time and inode: not tried again while it is the same. A hint.
_REFUSED: Final = "compact.json"
_LONGEST: Final = 16 * 1024 * 1024  # bytes of it


def compact_sealed(location: Location, seconds: float = _SECONDS) -> None:
    """Compact the segments that wait for it, unless another process is at it, or the configuration says not to."""
    if len(segment_names(location.journal_dir)) < 2:
        return
    try:
        _compact(location, seconds)
    except (MgitError, OSError) as error:
        log.warning(location.mgit_dir, "compaction failed; the journal is as it was", error=reason(error))


def _compact(location: Location, seconds: float) -> None:
    from mgit_hooks.journal import compaction, swap

    refused = _refused(location.mgit_dir)
    with swap.maintenance(location.journal_dir, wait=0.0) as held:
        if not held:
            return
        waiting = compaction.waiting(location.journal_dir)
        names = [name for name in waiting if refused.get(name) != _stamp(location, name)]
        if not names or not _wanted(location):
            return
        done = compaction.compact(location.journal_dir, names, seconds=seconds, wait=_SECONDS)
        if done.refused:
            kept = {name: refused[name] for name in waiting if name in refused}
            kept |= {error.segment: _stamp(location, error.segment) for error in done.refused}
            write_json(os.path.join(location.mgit_dir, _REFUSED), kept)
    for error in done.refused:
        log.warning(location.mgit_dir, "a segment is damaged: not compacted", error=error.message)
    if done.done:
        told = done.to_json()
        log.info(location.mgit_dir, "compacted", **{key: told[key] for key in ("segments", "before", "after")})


def _wanted(location: Location) -> bool:
    from mgit_hooks.judging import config

    try:
        return config.load(location).compact
    except ConfigError:
        return False  # nobody knows what they wanted; recording says so in the log


def _stamp(location: Location, name: str) -> list[int] | None:
    return stamp(os.path.join(location.journal_dir, name))


def _refused(mgit_dir: str) -> dict[str, list[int] | None]:
    try:
        value = json.loads(read(os.path.join(mgit_dir, _REFUSED), _LONGEST))
    except (FileNotFoundError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}
