"""One look at the folders of refs: which of them changed since the last one, and what in them."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Set
from typing import Final, NamedTuple, Protocol

from mgit_hooks.files import open_to_read
from mgit_hooks.git import reffiles, reflog, reftable
from mgit_hooks.git.reflog import Log
from mgit_hooks.recorder import stamps
from mgit_hooks.recorder.stamps import Stamp

TIMES: Final = "times"
FILES: Final = "files"
# Where a folder has more reflogs, only those of the refs that moved are looked at: a reflog that grew without them,
# by a line that says that nothing moved, is read when each file is looked at.
MANY: Final = 5000
OURS: Final = "refs/mgit"
PACKED: Final = "packed-refs"
TABLES: Final = reftable.TABLES
_HEAD_LOG: Final = "logs/HEAD"


class Folder(NamedTuple):
    """One of ``refs/``: its stamp, then those of the refs in it and, by path below ``logs/``, of the reflogs that
    belong to it: of its own refs, and of folders of which ``refs/`` has none; None where they were not looked at."""

    stamp: Stamp
    refs: Mapping[str, Stamp]
    logs: Mapping[str, Stamp] | None


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
    def refs(self, path: str) -> Mapping[str, Stamp]: ...
    def logs(self, path: str) -> Mapping[str, Stamp]: ...
    def logged(self, path: str) -> int: ...
    def packed(self) -> bytes | None: ...


class Watch:
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
        self.some: dict[str, Stamp] = {}
        self.dropped: list[str] = []
        self._children: dict[str, list[str]] = {}
        for path in state.folders:
            self._children.setdefault(path.rpartition("/")[0], []).append(path)

    def singles(self) -> dict[str, Stamp]:
        """What is looked at at every look: few files, on which most depends.

        A branch that a HEAD is on is among them: tools that write refs in place write that one first.
        """
        found: dict[str, Stamp] = {}
        paths = [PACKED]
        for worktree in reflog.worktrees(self._dir):
            paths.append(reflog.head_key(worktree).replace(os.sep, "/"))
            paths.append("/".join((*reflog.worktree_folders(worktree), TABLES)))
            branch = _branch(os.path.join(self._dir, *reflog.worktree_folders(worktree), "HEAD"))
            if branch is not None:
                paths += (branch, f"logs/{branch}")
        for path in paths:
            stamp = stamps.stamp(os.path.join(self._dir, *path.split("/")), self._now)
            if stamp is not None:
                found[path] = stamp
        before = self._state.singles
        self.logs += [p for p in found if is_log(p) and not stamps.same(before.get(p), found[p])]
        return found

    def walk(self) -> None:
        waiting = ["refs"]
        seen: set[str] = set()
        while waiting:
            path = waiting.pop()
            stamp = stamps.stamp(os.path.join(self._dir, *path.split("/")), self._now)
            if stamp is None:
                continue
            seen.add(path)
            self.young |= stamp < 0
            unchanged = stamps.same(self._state.folders.get(path), stamp)
            if unchanged and self._how == TIMES:
                waiting += self._children.get(path, ())
            else:
                waiting += self._list(path, stamp, keep=not unchanged)
        self.gone = sorted(self._state.folders.keys() - seen)
        self.logs = list(dict.fromkeys(self.logs))

    def _list(self, path: str, stamp: Stamp, *, keep: bool) -> list[str]:
        """Look at the files of a folder. Its folders."""
        state = self._state
        refs, below = stamps.entries(os.path.join(self._dir, *path.split("/")), self._now)
        folders = [each for name in below if (each := f"{path}/{name}") != OURS]
        mine = self._with_gone(path, folders)
        before = state.refs(path)
        moved = [f"{path}/{name}" for name, now in refs.items() if not stamps.same(before.get(name), now)]
        moved += (f"{at}/{name}" for at in mine for name in state.refs(at).keys() - (refs if at == path else {}))
        self.refs += moved
        above = self._above(path)
        logs: dict[str, Stamp] | None = None
        grown: list[str] = []
        if self._how == TIMES and sum(map(state.logged, (*mine, *above))) > MANY:
            self._some_logs(moved)
        else:
            known = {name: stamp for at in mine for name, stamp in state.logs(at).items()}
            for at in above:
                known |= {name: stamp for name, stamp in state.logs(at).items() if name.startswith(f"{path}/")}
            logs = self._all_logs(path, set(folders))
            grown = [name for name, now in logs.items() if not stamps.same(known.get(name), now)]
            left = known.keys() - logs.keys()
            # What is not listed here any more may be another folder's by now.
            self.dropped += (name for name in left if self._log(name) is None)
            keep = keep or bool(grown or left)
        self.logs += (f"logs/{name}" for name in grown)
        if keep or moved:
            self.folders[path] = Folder(stamp, refs, logs)
        return folders

    def _with_gone(self, path: str, folders: Iterable[str]) -> list[str]:
        """A folder and those below it that are gone."""
        found = [path]
        waiting = list(set(self._children.get(path, ())) - set(folders))
        while waiting:
            at = waiting.pop()
            found.append(at)
            waiting += self._children.get(at, ())
        return found

    def _above(self, path: str) -> list[str]:
        """The folder that had the reflogs of one that is new."""
        above = path
        while path not in self._state.folders and (above := above.rpartition("/")[0]):
            if above in self._state.folders:
                return [above]
        return []

    def _log(self, name: str) -> Stamp | None:
        return stamps.stamp(os.path.join(self._dir, "logs", *name.split("/")), self._now)

    def _some_logs(self, moved: Iterable[str]) -> None:
        """The reflogs of the refs that moved. Their stamps are not kept: they are read whenever their ref moves."""
        for name in moved:
            stamp = self._log(name)
            if stamp is None:
                self.dropped.append(name)
            else:
                self.some[name] = stamp
                self.logs.append(f"logs/{name}")

    def _all_logs(self, path: str, folders: Set[str]) -> dict[str, Stamp]:
        """Those of the refs in a folder, and of folders below it of which ``refs/`` has none: a ref that is packed
        has its reflog there, and what came and went there has changed the time of this one."""
        logs: dict[str, Stamp] = {}
        waiting = [path]
        while waiting:
            at = waiting.pop()
            files, below = stamps.entries(os.path.join(self._dir, "logs", *at.split("/")), self._now)
            logs.update((f"{at}/{name}", stamp) for name, stamp in files.items())
            waiting += (each for name in below if (each := f"{at}/{name}") not in folders and each != OURS)
        return logs


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
    """Whether this path below the common directory is a reflog's, or that of a reftable's list, which has them all."""
    return path.startswith(("logs/", "worktrees/")) or path == TABLES


def reflogs(common_dir: str, keys: Collection[str]) -> Iterator[Log]:
    """Reflogs by their paths below the common directory: HEADs first, then by ref. Of a reftable, all of them."""
    if any(key.endswith(TABLES) for key in keys):
        yield from reflog.every(common_dir)
        return
    for key in sorted(keys, key=lambda key: (key != _HEAD_LOG, not key.startswith("worktrees/"), key)):
        yield reflog.log_of(common_dir, key)
