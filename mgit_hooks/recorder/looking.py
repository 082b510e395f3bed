"""Has anything moved? Looked at so that it costs what moved, and not what is there.

git, libgit2 and dulwich change a ref by renaming a lock file over it, in the ref's own folder: with every change of a
ref, and with every line of its reflog, which is written under that lock, the time of the folder under ``refs/``
changes. So folders are looked at, and the files only of those that changed. A time that is not older than the look
itself may be that of a later change as well: what bears such a one is looked at again (git calls that racy).

``FILES`` looks at each file all the same. It sees what was written into a file in place, by hand or by go-git.
"""

from __future__ import annotations

import os
import time
from collections.abc import Set
from typing import Final, NamedTuple

from mgit_hooks.git import reffiles
from mgit_hooks.layout import Location
from mgit_hooks.recorder import stamps
from mgit_hooks.recorder.stamps import Stamp
from mgit_hooks.recorder.watch import FILES, OURS, PACKED, TABLES, TIMES, Folder, Remembered, Watch

# Up to so many files it costs nothing that anybody would feel to look at each of them at every look.
FEW: Final = 2000
# Seconds after which each file is looked at, and all refs are compared with the records, whatever the times say.
DAY: Final = 86_400.0
# Nanoseconds by which the clocks of two files of one file system may be apart.
_SLACK: Final = 20_000_000


class Look(NamedTuple):
    """What was seen.

    ``singles``: the stamps of what is looked at at every look, by path below the common directory. ``folders``: those
    of ``refs/`` that changed, as they are; ``gone``: those that are no more. ``logs``: the reflogs to be read, by
    path. ``refs``: those that may have moved; None where all must be listed. ``packed``: what ``packed-refs`` holds,
    where that changed. ``now`` is the clock's time before. ``some``: the stamps of single reflogs of large folders, by
    ref; ``dropped``: refs whose reflog is gone.
    """

    singles: dict[str, Stamp]
    folders: dict[str, Folder]
    gone: tuple[str, ...]
    logs: tuple[str, ...]
    refs: frozenset[str] | None
    packed: bytes | None
    now: int
    some: dict[str, Stamp]
    dropped: tuple[str, ...]

    def without(self, refs: Set[str]) -> Look:
        """As if these had not been seen: the next look finds them moved."""
        folders = dict(self.folders)
        for path in {name.rpartition("/")[0] for name in refs} & folders.keys():
            folder = folders[path]
            unseen = {name: _UNSEEN if f"{path}/{name}" in refs else stamp for name, stamp in folder.refs.items()}
            folders[path] = folder._replace(refs=unseen)
        singles = {name: _UNSEEN if name in refs else stamp for name, stamp in self.singles.items()}
        if refs and self.packed is not None:
            singles[PACKED] = _UNSEEN
        return self._replace(folders=folders, singles=singles, packed=None if refs else self.packed)


def level(state: Remembered, *, thorough: bool) -> str:
    """How closely to look."""
    if thorough or state.files <= FEW or is_due(state.looked_at):
        return FILES
    return TIMES


def is_due(looked_at: float) -> bool:
    """Whether each file is to be looked at that was looked at then (seconds since 1970): a day has passed, or a clock
    was set back to before it."""
    return not 0 <= time.time() - looked_at < DAY


def clock(location: Location) -> int:
    """The time by the clock that stamps the files of this repository, be it a server's, in nanoseconds.

    What is changed after this call bears no earlier time. 0 where it cannot be asked for: then all is too young.
    """
    path = os.path.join(location.mgit_dir, "drain.lock")
    try:
        os.utime(path)
        return stamps.times(os.stat(path))[0] - _SLACK
    except OSError:
        return 0


def look(common_dir: str, state: Remembered, now: int, how: str, *, every_ref: bool = False) -> Look:
    """What moved since the look that ``state`` remembers. ``now`` is what ``clock`` gave before.

    ``every_ref``: all refs are to be listed, whatever the times say.
    """
    watch = Watch(common_dir, state, now, how)
    singles = watch.singles()
    packed = None
    moved: set[str] | None = None if every_ref or not state.known else set()
    if not stamps.same(state.singles.get(PACKED), singles.get(PACKED)):
        packed = reffiles.packed(common_dir)
        before = state.packed()
        if moved is not None and before is not None:
            moved |= reffiles.differing(before, packed)
        else:
            moved = None
    if not stamps.same(state.singles.get(TABLES), singles.get(TABLES)):
        moved = None
    watch.walk()
    if moved is not None:
        moved |= {name for name in watch.refs if reffiles.is_ref(name)}
        moved |= {
            key for key in singles if key.startswith("refs/") and not stamps.same(state.singles.get(key), singles[key])
        }
    refs = None if moved is None else frozenset(name for name in moved if not name.startswith(f"{OURS}/"))
    return Look(
        singles,
        watch.folders,
        tuple(watch.gone),
        tuple(watch.logs),
        refs,
        packed,
        now,
        watch.some,
        tuple(watch.dropped),
    )


def has_moved(common_dir: str, state: Remembered, now: int, how: str) -> bool:
    """Whether there is anything to read, at the least cost at which that can be told."""
    if not state.known:
        return True
    watch = Watch(common_dir, state, now, how)
    singles = watch.singles()
    if state.singles.keys() != singles.keys() or not all(
        stamps.same(state.singles[key], stamp) for key, stamp in singles.items()
    ):
        return True
    if how == TIMES:
        return not all(
            stamps.same(stamp, stamps.stamp(os.path.join(common_dir, path), now))
            for path, stamp in state.folders.items()
        )
    watch.walk()
    return bool(watch.gone or watch.logs or watch.refs or watch.folders.keys() - state.folders.keys() or watch.young)


_UNSEEN: Final = -1


def is_settled(common_dir: str, state: Remembered, seen: Look, ref: str) -> bool:
    """Whether a ref's reflog is as it was at the look: what it tells of the ref is read."""
    if TABLES in seen.singles:
        tables = stamps.stamp(os.path.join(common_dir, *TABLES.split("/")), seen.now)
        return tables is not None and stamps.bare(tables) == stamps.bare(seen.singles[TABLES])
    log = f"logs/{ref}"
    now = stamps.stamp(os.path.join(common_dir, *log.split("/")), seen.now)
    before = seen.singles.get(log, seen.some.get(ref))
    above = ref
    while before is None and (above := above.rpartition("/")[0]):
        folder = seen.folders.get(above)
        if above in seen.gone:
            continue  # with the last ref in it: what was seen there is over
        listed = state.logs(above) if folder is None or folder.logs is None else folder.logs
        before = listed.get(ref)
    return before == now if before is None or now is None else stamps.bare(before) == stamps.bare(now)
