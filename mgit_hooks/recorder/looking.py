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
from collections.abc import Iterable, Iterator, Mapping, Set
from typing import Final, NamedTuple, Protocol

from mgit_hooks.files import open_to_read
from mgit_hooks.git import reffiles, reflog
from mgit_hooks.layout import Location

TIMES: Final = "times"
FILES: Final = "files"
# Up to so many files it costs nothing that anybody would feel to look at each of them at every look.
FEW: Final = 2000
# Where a folder has more reflogs, only those of the refs that moved are looked at: a reflog that grew without them,
# by a line that says that nothing moved, is read when each file is looked at.
MANY: Final = 5000
# Seconds after which each file is looked at, and all refs are compared with the records, whatever the times say.
DAY: Final = 86_400.0
# Nanoseconds by which the clocks of two files of one file system may be apart.
_SLACK: Final = 20_000_000
_OURS: Final = "refs/mgit"

Stamp = int
"""What a file's or folder's times, size and inode come to. Negative: too young to be told from a later change."""


class Folder(NamedTuple):
    """One of ``refs/``: its stamp, then those of the refs in it and, by path below ``logs/``, of the reflogs that
    belong to it: of its own refs, and of folders of which ``refs/`` has none."""

    stamp: Stamp
    refs: Mapping[str, Stamp]
    logs: Mapping[str, Stamp]


class Remembered(Protocol):
    """What the last look saw (recorder.state)."""

    @property
    def known(self) -> bool: ...
    @property
    def looked_at(self) -> float: ...
    @property
    def files(self) -> int: ...
    @property
    def singles(self) -> Mapping[str, Stamp]: ...
    @property
    def folders(self) -> Mapping[str, Stamp]: ...
    def folder(self, path: str) -> Folder | None: ...
    def packed(self) -> bytes | None: ...


class Look(NamedTuple):
    """What was seen.

    ``singles``: the stamps of what is looked at at every look, by path below the common directory. ``folders``: those
    of ``refs/`` that changed, as they are; ``gone``: those that are no more. ``logs``: the reflogs to be read, by
    path. ``refs``: those that may have moved; None where all must be listed. ``packed``: what ``packed-refs`` holds,
    where that changed. ``now`` is the clock's time before.
    """

    singles: dict[str, Stamp]
    folders: dict[str, Folder]
    gone: tuple[str, ...]
    logs: tuple[str, ...]
    refs: frozenset[str] | None
    packed: bytes | None
    now: int

    def without(self, refs: Set[str]) -> Look:
        """As if these had not been seen: the next look finds them moved."""
        folders = dict(self.folders)
        for path in {name.rpartition("/")[0] for name in refs} & folders.keys():
            folder = folders[path]
            unseen = {name: _UNSEEN if f"{path}/{name}" in refs else stamp for name, stamp in folder.refs.items()}
            folders[path] = folder._replace(refs=unseen)
        singles = {name: _UNSEEN if name in refs else stamp for name, stamp in self.singles.items()}
        if refs and self.packed is not None:
            singles[_PACKED] = _UNSEEN
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
        return times(os.stat(path))[0] - _SLACK
    except OSError:
        return 0


def times(status: os.stat_result) -> tuple[int, int]:
    """When content and inode were changed last, in nanoseconds."""
    return status.st_mtime_ns, status.st_ctime_ns


def look(common_dir: str, state: Remembered, now: int, how: str, *, every_ref: bool = False) -> Look:
    """What moved since the look that ``state`` remembers. ``now`` is what ``clock`` gave before.

    ``every_ref``: all refs are to be listed, whatever the times say.
    """
    watch = _Watch(common_dir, state, now, how)
    singles = watch.singles()
    packed = None
    moved: set[str] | None = None if every_ref or not state.known else set()
    if not _same(state.singles.get(_PACKED), singles.get(_PACKED)):
        packed = reffiles.packed(common_dir)
        before = state.packed()
        if moved is not None and before is not None:
            moved |= reffiles.differing(before, packed)
        else:
            moved = None
    if not _same(state.singles.get(_TABLES), singles.get(_TABLES)):
        moved = None
    watch.walk()
    if moved is not None:
        moved |= {name for name in watch.refs if reffiles.is_ref(name)}
        moved |= {key for key in singles if key.startswith("refs/") and not _same(state.singles.get(key), singles[key])}
    refs = None if moved is None else frozenset(name for name in moved if not name.startswith(f"{_OURS}/"))
    return Look(singles, watch.folders, tuple(watch.gone), tuple(watch.logs), refs, packed, now)


def has_moved(common_dir: str, state: Remembered, now: int, how: str) -> bool:
    """Whether there is anything to read, at the least cost at which that can be told."""
    if not state.known:
        return True
    watch = _Watch(common_dir, state, now, how)
    singles = watch.singles()
    if state.singles.keys() != singles.keys() or not all(
        _same(state.singles[key], stamp) for key, stamp in singles.items()
    ):
        return True
    if how == TIMES:
        return not all(
            _same(stamp, _stamp(os.path.join(common_dir, path), now)) for path, stamp in state.folders.items()
        )
    watch.walk()
    return bool(watch.gone or watch.logs or watch.refs or watch.folders.keys() - state.folders.keys() or watch.young)


_PACKED: Final = "packed-refs"
_TABLES: Final = "reftable/tables.list"
_HEAD_LOG: Final = "logs/HEAD"


_UNSEEN: Final = -1


def is_settled(common_dir: str, state: Remembered, seen: Look, ref: str) -> bool:
    """Whether a ref's reflog is as it was at the look: what it tells of the ref is read."""
    log = f"logs/{ref}"
    now = _stamp(os.path.join(common_dir, *log.split("/")), seen.now)
    if log in seen.singles:
        return now == seen.singles[log]
    above = ref
    while above := above.rpartition("/")[0]:
        folder = seen.folders.get(above) or state.folder(above)
        if folder is not None and ref in folder.logs:
            return now is not None and _bare(folder.logs[ref]) == _bare(now)
    return now is None


class _Watch:
    """One look. ``refs`` and ``logs`` are what has another stamp than before, or none any more."""

    def __init__(self, common_dir: str, state: Remembered, now: int, how: str) -> None:
        self._dir = common_dir
        self._state = state
        self._now = now
        self._how = how
        self.folders: dict[str, Folder] = {}
        self.gone: list[str] = []
        self.refs: list[str] = []
        self.logs: list[str] = []
        self.young = False
        self._children: dict[str, list[str]] = {}
        for path in state.folders:
            self._children.setdefault(path.rpartition("/")[0], []).append(path)

    def singles(self) -> dict[str, Stamp]:
        """What is looked at at every look: few files, on which most depends.

        A branch that a HEAD is on is among them: tools that write refs in place write that one first.
        """
        found: dict[str, Stamp] = {}
        paths = [_PACKED, _TABLES]
        for worktree in reflog.worktrees(self._dir):
            paths.append(reflog.head_key(worktree).replace(os.sep, "/"))
            branch = _branch(os.path.join(self._dir, *reflog.worktree_folders(worktree), "HEAD"))
            if branch is not None:
                paths += (branch, f"logs/{branch}")
        for path in paths:
            stamp = _stamp(os.path.join(self._dir, *path.split("/")), self._now)
            if stamp is not None:
                found[path] = stamp
        before = self._state.singles
        self.logs += [p for p in found if is_log(p) and not _same(before.get(p), found[p])]
        return found

    def walk(self) -> None:
        waiting = ["refs"]
        seen: set[str] = set()
        while waiting:
            path = waiting.pop()
            stamp = _stamp(os.path.join(self._dir, *path.split("/")), self._now)
            if stamp is None:
                continue
            seen.add(path)
            self.young |= stamp < 0
            unchanged = _same(self._state.folders.get(path), stamp)
            if unchanged and self._how == TIMES:
                waiting += self._children.get(path, ())
            else:
                waiting += self._list(path, stamp, keep=not unchanged)
        self.gone = sorted(self._state.folders.keys() - seen)
        self.logs = list(dict.fromkeys(self.logs))

    def _list(self, path: str, stamp: Stamp, *, keep: bool) -> list[str]:
        """Look at the files of a folder. Its folders."""
        refs, below = _entries(os.path.join(self._dir, *path.split("/")), self._now)
        folders = [each for name in below if (each := f"{path}/{name}") != _OURS]
        before = self._before(path, folders)
        here = {f"{path}/{name}": now for name, now in refs.items()}
        moved = [name for name, now in here.items() if not _same(before.refs.get(name), now)]
        moved += before.refs.keys() - here.keys()
        self.refs += moved
        if self._how == TIMES and len(before.logs) > MANY:
            logs = self._some_logs(moved, before.logs)
        else:
            logs = self._all_logs(path, set(folders))
        grown = [name for name, now in logs.items() if not _same(before.logs.get(name), now)]
        self.logs += (f"logs/{name}" for name in grown)
        if keep or moved or grown or before.logs.keys() != logs.keys():
            self.folders[path] = Folder(stamp, refs, logs)
        return folders

    def _before(self, path: str, folders: Iterable[str]) -> Folder:
        """What the last look saw in a folder, and in those below it that are gone; refs and reflogs by their names.

        Of a folder that is new, the reflogs belonged to the one above it that was there.
        """
        refs: dict[str, Stamp] = {}
        logs: dict[str, Stamp] = {}
        gone = [path, *(set(self._children.get(path, ())) - set(folders))]
        while gone:
            at = gone.pop()
            if at != path:
                gone += self._children.get(at, ())
            before = self._state.folder(at)
            if before is not None:
                refs.update((f"{at}/{name}", stamp) for name, stamp in before.refs.items())
                logs.update(before.logs)
        above = path
        while path not in self._state.folders and (above := above.rpartition("/")[0]):
            before = self._state.folder(above)
            if before is not None:
                logs.update((name, stamp) for name, stamp in before.logs.items() if name.startswith(f"{path}/"))
                break
        return Folder(0, refs, logs)

    def _some_logs(self, moved: Iterable[str], before: Mapping[str, Stamp]) -> dict[str, Stamp]:
        logs = dict(before)
        for name in moved:
            stamp = _stamp(os.path.join(self._dir, "logs", *name.split("/")), self._now)
            if stamp is None:
                logs.pop(name, None)
            else:
                logs[name] = stamp
        return logs

    def _all_logs(self, path: str, folders: Set[str]) -> dict[str, Stamp]:
        """Those of the refs in a folder, and of folders below it of which ``refs/`` has none: a ref that is packed
        has its reflog there, and what came and went there has changed the time of this one."""
        logs: dict[str, Stamp] = {}
        waiting = [path]
        while waiting:
            at = waiting.pop()
            files, below = _entries(os.path.join(self._dir, "logs", *at.split("/")), self._now)
            logs.update((f"{at}/{name}", stamp) for name, stamp in files.items())
            waiting += (each for name in below if (each := f"{at}/{name}") not in folders and each != _OURS)
        return logs


def _entries(folder: str, now: int) -> tuple[dict[str, Stamp], list[str]]:
    """The files in a folder, each with its stamp, and the folders."""
    files: dict[str, Stamp] = {}
    folders: list[str] = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.name)
                    continue
                try:
                    files[entry.name] = _stamp_of(entry.stat(), now)
                except FileNotFoundError:
                    continue
    except (FileNotFoundError, NotADirectoryError):
        pass
    return files, sorted(folders)


def _stamp(path: str, now: int) -> Stamp | None:
    try:
        return _stamp_of(os.stat(path), now)
    except (FileNotFoundError, NotADirectoryError):
        return None


def _stamp_of(status: os.stat_result, now: int) -> Stamp:
    changed = times(status)
    stamp = hash((*changed, status.st_ino, status.st_size)) & (1 << 62) - 1
    return stamp if max(changed) < now else -1 - stamp


def _bare(stamp: Stamp) -> Stamp:
    return stamp if stamp >= 0 else -1 - stamp


def _same(before: Stamp | None, now: Stamp | None) -> bool:
    """Whether nothing can have changed in between."""
    return before == now and (now is None or now >= 0)


def _branch(head: str) -> str | None:
    """The ref that a HEAD names."""
    try:
        with open_to_read(head) as file:
            content = os.fsdecode(file.read(4096))
    except (FileNotFoundError, NotADirectoryError):
        return None
    name = content.removeprefix("ref:").strip()
    return name if content.startswith("ref:") and reffiles.is_ref(name) else None


def is_log(path: str) -> bool:
    """Whether this path below the common directory is a reflog's."""
    return path.startswith(("logs/", "worktrees/"))


def reflogs(common_dir: str, keys: Iterable[str]) -> Iterator[tuple[str, str, str | None, str]]:
    """(key, ref, worktree, path) of reflogs, by their paths below the common directory: HEADs first, then by ref."""
    for key in sorted(keys, key=lambda key: (key != _HEAD_LOG, not key.startswith("worktrees/"), key)):
        path = os.path.join(common_dir, *key.split("/"))
        if key == _HEAD_LOG:
            yield key, "HEAD", "main-worktree", path
        elif not key.startswith("logs/"):
            yield key, "HEAD", key.removesuffix(f"/{_HEAD_LOG}"), path
        else:
            yield key, key.removeprefix("logs/"), None, path
