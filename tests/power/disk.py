"""A disk as a power cut may leave it, after any prefix of what a process did.

What is promised is little (POSIX on fsync and rename; Pillai and others, "All File Systems Are Not Created Equal",
OSDI 2014, on what file systems do beyond that):

- A file's bytes and size are on the disk once that file is synced. Before, each sector of 512 bytes is there as it
  was at some moment since the last sync, and so is the size, each for itself: a file may have its new length and
  zeros in it, or its last sector and not its first.
- A name (made, renamed, removed) is on the disk once its folder is synced. Before, ``ORDERED`` keeps a prefix of all
  that was done to names, and a sync of anything brings all earlier ones along: one log of metadata, as ext4 and XFS
  have. ``STRICT`` is what POSIX allows: any of them, in any order, but for those that are about one name.
- A rename is whole: the name leads to the old file or to the new one, whatever that one holds by then.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Final, NamedTuple

from power.trace import Link, Make, Op, Recording, Remove, Rename, Report, Sync, Truncate, Write

SECTOR: Final = 512

# Gives one of 0 .. n-1: which of n things that may have happened did.
Choose = Callable[[int], int]


class Found(NamedTuple):
    """A file after the cut; ``origin`` tells which file of the recording it was."""

    data: bytes
    origin: int


Tree = dict[str, Found | None]  # None: a folder


class _File:
    """``versions``: as it was when last synced, and after each change since."""

    def __init__(self, id: int, data: bytes = b"") -> None:
        self.id = id
        self.versions = [data]

    def change(self, data: bytes) -> None:
        self.versions.append(data)

    def sync(self) -> None:
        del self.versions[:-1]

    def after(self, choose: Choose) -> bytes:
        if len(self.versions) == 1:
            return self.versions[0]
        if not choose(2):
            return self.versions[choose(len(self.versions))]
        size = len(self.versions[choose(len(self.versions))])
        return b"".join(self._sectors(size, choose))[:size]

    def _sectors(self, size: int, choose: Choose) -> list[bytes]:
        made = []
        unsure = []
        for start in range(0, size, SECTOR):
            each = [version[start : start + SECTOR].ljust(SECTOR, b"\0") for version in self.versions]
            made.append(list(dict.fromkeys(each)))  # in the order in which they came about
            if len(made[-1]) > 1:
                unsure.append(len(made) - 1)
        taken = dict.fromkeys(range(len(made)), 0)
        how = choose(3) if len(unsure) > 2 else 0
        if how == 0:
            taken |= {place: choose(len(made[place])) for place in unsure}
        elif how == 1:  # one was not written
            taken |= {place: len(made[place]) - 1 for place in unsure}
            taken[unsure[choose(len(unsure))]] = 0
        else:  # written one after the other, up to some place
            taken |= {place: len(made[place]) - 1 for place in unsure[: choose(len(unsure))]}
        return [versions[taken[place]] for place, versions in enumerate(made)]


class _Folder:
    def __init__(self, id: int) -> None:
        self.id = id
        self.synced: dict[str, _File | _Folder] = {}
        self.now: dict[str, _File | _Folder] = {}


class _Change(NamedTuple):
    """To names of one folder: ``node`` gets the name, or nothing has it any more; ``source`` is what it was."""

    folder: _Folder
    name: str
    node: _File | _Folder | None
    source: str | None = None

    @property
    def names(self) -> set[str]:
        return {self.name} if self.source is None else {self.name, self.source}


class Disk:
    """Take the operations one by one; between any two, ``cut`` gives what may be left."""

    def __init__(self, recording: Recording, *, strict: bool) -> None:
        self._strict = strict
        self._nodes: dict[int, _File | _Folder] = {}
        self._pending: list[_Change] = []
        for start in recording.before:
            node = _Folder(start.id) if start.data is None else _File(start.id, start.data)
            self._nodes[start.id] = node
            if start.path:
                folder, name = self._at(start.path)
                folder.now[name] = folder.synced[name] = node

    def take(self, op: Op) -> None:
        if isinstance(op, Make):
            node = self._nodes[op.id] = _Folder(op.id) if op.is_folder else _File(op.id)
            self._change(*self._at(op.path), node)
        elif isinstance(op, Rename):
            folder, name = self._at(op.new)
            source = self._at(op.old)[1]
            self._change(folder, name, folder.now[source], source)
        elif isinstance(op, Link):
            folder, name = self._at(op.new)
            self._change(folder, name, folder.now[self._at(op.old)[1]])
        elif isinstance(op, Remove):
            self._change(*self._at(op.path), None)
        elif isinstance(op, Write):
            file = self._file(op.id)
            before = file.versions[-1].ljust(op.offset, b"\0")
            file.change(before[: op.offset] + op.data + before[op.offset + len(op.data) :])
        elif isinstance(op, Truncate):
            file = self._file(op.id)
            file.change(file.versions[-1][: op.size].ljust(op.size, b"\0"))
        elif isinstance(op, Sync):
            self._sync(self._nodes[op.id])
        else:
            assert isinstance(op, Report)

    def now(self) -> Tree:
        """What the process itself sees."""
        return _tree(self._root, lambda folder: folder.now, lambda file: file.versions[-1])

    def cut(self, choose: Choose) -> Tree:
        """What the disk holds where the power goes now; ``choose`` decides what of it had come so far."""
        names = self._names_after(choose)
        return _tree(self._root, lambda folder: names.get(folder.id, folder.synced), lambda file: file.after(choose))

    @property
    def _root(self) -> _Folder:
        root = self._nodes[0]
        assert isinstance(root, _Folder)
        return root

    def _file(self, id: int) -> _File:
        file = self._nodes[id]
        assert isinstance(file, _File)
        return file

    def _at(self, path: str) -> tuple[_Folder, str]:
        *folders, name = path.split(os.sep)
        at = self._root
        for each in folders:
            found = at.now[each]
            assert isinstance(found, _Folder)
            at = found
        return at, name

    def _change(self, folder: _Folder, name: str, node: _File | _Folder | None, source: str | None = None) -> None:
        change = _Change(folder, name, node, source)
        _apply(folder.now, change)
        self._pending.append(change)

    def _sync(self, node: _File | _Folder) -> None:
        if isinstance(node, _File):
            node.sync()
        done = [change for change in self._pending if not self._strict or change.folder is node]
        for change in done:
            _apply(change.folder.synced, change)
        self._pending = [change for change in self._pending if change not in done]

    def _names_after(self, choose: Choose) -> dict[int, dict[str, _File | _Folder]]:
        names: dict[int, dict[str, _File | _Folder]] = {}
        for change in self._kept(choose):
            at = names.setdefault(change.folder.id, dict(change.folder.synced))
            _apply(at, change)
        return names

    def _kept(self, choose: Choose) -> list[_Change]:
        if not self._pending:
            return []
        if not self._strict:
            return self._pending[: choose(len(self._pending) + 1)]
        kept: list[_Change] = []
        dropped: set[tuple[int, str]] = set()
        for change in self._pending:
            names = {(change.folder.id, name) for name in change.names}
            if names & dropped or not choose(2):
                dropped |= names
            else:
                kept.append(change)
        return kept


def _apply(names: dict[str, _File | _Folder], change: _Change) -> None:
    if change.source is not None:
        names.pop(change.source, None)
    if change.node is None:
        names.pop(change.name, None)
    else:
        names[change.name] = change.node


def _tree(
    root: _Folder, names: Callable[[_Folder], dict[str, _File | _Folder]], data: Callable[[_File], bytes]
) -> Tree:
    tree: Tree = {}
    made: dict[int, bytes] = {}  # one file, one fate, under whatever names it is found

    def walk(folder: _Folder, path: str) -> None:
        for name, node in sorted(names(folder).items()):
            if isinstance(node, _Folder):
                tree[path + name] = None
                walk(node, f"{path}{name}{os.sep}")
            else:
                if node.id not in made:
                    made[node.id] = data(node)
                tree[path + name] = Found(made[node.id], node.id)

    walk(root, "")
    return tree
