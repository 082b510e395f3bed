"""What a process does to the files under one folder, read from the log that strace keeps of its system calls.

The log is the honest witness: it shows what the kernel was asked for and in what order, whatever library asked. A
call that is not understood and touches the folder is an error, and so is a replay of the log that does not end in
the very bytes that the process left.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

_DESCRIPTORS = "openat,open,creat,close,dup,dup2,dup3,fcntl,lseek"
_DATA = "write,pwrite64,writev,pwritev,pwritev2,ftruncate,truncate,fsync,fdatasync,sync_file_range,sync,syncfs"
_NAMES = "rename,renameat,renameat2,unlink,unlinkat,rmdir,mkdir,mkdirat,link,linkat,symlink,symlinkat"
_UNREAD = "sendfile,copy_file_range,fallocate,splice"
_CALLS = ",".join((_DESCRIPTORS, _DATA, _NAMES, _UNREAD))

# A file that a process maps into its memory and writes there; nothing in it outlives a restart.
_MAPPED = "-shm"


class Make(NamedTuple):
    path: str
    id: int
    is_folder: bool


class Rename(NamedTuple):
    old: str
    new: str


class Link(NamedTuple):
    """Another name for a file."""

    old: str
    new: str


class Remove(NamedTuple):
    path: str


class Write(NamedTuple):
    id: int
    offset: int
    data: bytes


class Truncate(NamedTuple):
    id: int
    size: int


class Sync(NamedTuple):
    id: int


class Report(NamedTuple):
    """Lines that the process printed: from here on it has given its word for them."""

    lines: tuple[str, ...]


Op = Make | Rename | Link | Remove | Write | Truncate | Sync | Report


class Start(NamedTuple):
    """A file or folder that was there before. ``data`` is None for a folder; ``place`` its device and inode."""

    path: str
    id: int
    data: bytes | None
    place: tuple[int, int]


class Recording(NamedTuple):
    """``before`` is all that was under the folder, itself first (with path ``""``); ``ops`` what was done then."""

    before: tuple[Start, ...]
    ops: tuple[Op, ...]

    def reported(self, cut: int) -> list[str]:
        """The lines that were printed before the ``cut``-th operation."""
        return [line for op in self.ops[:cut] if isinstance(op, Report) for line in op.lines]


@cache
def is_possible() -> bool:
    """Whether strace is here and may trace a child."""
    if shutil.which("strace") is None:
        return False
    return subprocess.run(["strace", "-f", "-o", os.devnull, "true"], capture_output=True).returncode == 0


def record(root: str, command: Sequence[str], log: Path, env: Mapping[str, str] | None = None) -> Recording:
    """Run ``command`` and record what it and its children do to the files under ``root``.

    Lines that it prints to its standard output become ``Report`` operations. Raises AssertionError where it fails.
    """
    root = os.path.realpath(root)
    before = tuple(_starts(root))
    strace = ["strace", "-f", "-y", "-xx", "-s", "100000000", "--seccomp-bpf", "-e", f"trace={_CALLS}", "-o", str(log)]
    done = subprocess.run([*strace, *command], capture_output=True, env={**os.environ, **(env or {})})
    assert done.returncode == 0, f"{done.stdout!r}\n{done.stderr!r}"
    reader = _Reader(root, before)
    with log.open(encoding="ascii") as lines:
        for line in _whole(lines):
            reader.take(line)
    return Recording(before, tuple(reader.ops))


def content(root: str) -> dict[str, bytes | None]:
    """All that is under ``root``: the bytes of each file by its path, None for a folder."""
    found: dict[str, bytes | None] = {}
    for folder, folders, files in os.walk(root):
        folders.sort()
        for name in folders:
            found[os.path.relpath(os.path.join(folder, name), root)] = None
        for name in sorted(files):
            path = os.path.join(folder, name)
            found[os.path.relpath(path, root)] = Path(path).read_bytes()
    return found


def _starts(root: str) -> Iterator[Start]:
    for id, (path, data) in enumerate([("", None), *content(root).items()]):
        status = os.stat(os.path.join(root, path))
        yield Start(path, id, data, (status.st_dev, status.st_ino))


def _whole(lines: Iterable[str]) -> Iterator[str]:
    """One call a line, at the place where it ended."""
    begun: dict[str, str] = {}
    for line in lines:
        pid, _, rest = line.rstrip("\n").partition(" ")
        rest = rest.lstrip()
        if rest.endswith("<unfinished ...>"):
            begun[pid] = rest.removesuffix("<unfinished ...>")
        elif rest.startswith("<... "):
            yield f"{pid} {begun.pop(pid)}{rest.partition(' resumed>')[2]}"
        else:
            yield f"{pid} {rest}"


class _Open:
    """What a descriptor stands for; those made of it by dup share it."""

    def __init__(self, id: int, *, appends: bool) -> None:
        self.id = id
        self.appends = appends
        self.at = 0


_LINE = re.compile(r"(\d+) (\w+)\((.*)\)\s+= (-?(?:0x)?[0-9a-f]+)\b.*")
_STRING = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')
_DESCRIPTOR = re.compile(r"(-?\d+|AT_FDCWD)(?:<((?:\\x[0-9a-f]{2})*)>)?")


class _Reader:
    def __init__(self, root: str, before: Sequence[Start]) -> None:
        self._root = root
        self._ids = {start.path: start.id for start in before}
        self._sizes = {start.id: len(start.data or b"") for start in before}
        self._next = len(before)
        self._first = ""  # the process that was started: what its children print is not its word
        self._open: dict[tuple[str, int], _Open] = {}
        self.ops: list[Op] = []

    def take(self, line: str) -> None:
        match = _LINE.fullmatch(line)
        if match is None:
            assert "= ?" in line or "+++" in line or "---" in line, line
            return
        pid, call, arguments, result = match[1], match[2], match[3], int(match[4], 0)
        self._first = self._first or pid
        if result < 0:
            return
        handler = getattr(self, f"_{call.rstrip('0123456789')}", None)
        if handler is None:
            assert self._root not in "".join(map(_text, re.findall(r"<((?:\\x..)*)>", arguments))), line
        else:
            handler(pid, arguments, result)

    # Descriptors

    def _openat(self, pid: str, arguments: str, result: int) -> None:
        path = self._path(*self._names(arguments)[0])
        self._open.pop((pid, result), None)
        if path is None:
            return
        flags = arguments
        if path not in self._ids:
            assert "O_CREAT" in flags, path
            self._make(path, is_folder=False)
        elif "O_TRUNC" in flags and self._sizes[self._ids[path]]:
            self._resize(self._ids[path], 0)
        self._open[pid, result] = _Open(self._ids[path], appends="O_APPEND" in flags)

    def _close(self, pid: str, arguments: str, result: int) -> None:
        self._open.pop((pid, _number(arguments)), None)

    def _dup(self, pid: str, arguments: str, result: int) -> None:
        source = self._open.get((pid, _number(arguments)))
        self._open.pop((pid, result), None)
        if source is not None:
            self._open[pid, result] = source

    def _fcntl(self, pid: str, arguments: str, result: int) -> None:
        if "F_DUPFD" in arguments:
            self._dup(pid, arguments, result)

    def _lseek(self, pid: str, arguments: str, result: int) -> None:
        if found := self._open.get((pid, _number(arguments))):
            found.at = result

    # Data

    def _write(self, pid: str, arguments: str, result: int) -> None:
        data = b"".join(map(_bytes, _STRING.findall(arguments)))[:result]
        if _number(arguments) == 1 and pid == self._first and self._of(pid, arguments) is None:
            self.ops.append(Report(tuple(data.decode().splitlines())))
            return
        if found := self._of(pid, arguments):
            offset = self._sizes[found.id] if found.appends else found.at
            found.at = offset + len(data)
            self._put(found.id, offset, data)

    _writev = _write

    def _pwrite(self, pid: str, arguments: str, result: int) -> None:
        if found := self._of(pid, arguments):
            offset = int(arguments.rpartition(", ")[2])
            self._put(found.id, offset, b"".join(map(_bytes, _STRING.findall(arguments)))[:result])

    def _ftruncate(self, pid: str, arguments: str, result: int) -> None:
        if found := self._of(pid, arguments):
            self._resize(found.id, int(arguments.rpartition(", ")[2]))

    def _truncate(self, pid: str, arguments: str, result: int) -> None:
        path = self._path(*self._names(arguments)[0])
        if path is not None:
            self._resize(self._ids[path], int(arguments.rpartition(", ")[2]))

    def _fsync(self, pid: str, arguments: str, result: int) -> None:
        if found := self._of(pid, arguments):
            self.ops.append(Sync(found.id))

    _fdatasync = _fsync

    def _of(self, pid: str, arguments: str) -> _Open | None:
        match = _DESCRIPTOR.match(arguments)
        assert match is not None
        found = self._open.get((pid, int(match[1])))
        if found is None:
            # A descriptor of ours that came by a way that is not followed (a fork) would be lost in silence.
            assert not (_text(match[2] or "") + "/").startswith(self._root + "/"), arguments[:200]
        return found

    def _put(self, id: int, offset: int, data: bytes) -> None:
        self._sizes[id] = max(self._sizes[id], offset + len(data))
        self.ops.append(Write(id, offset, data))

    def _resize(self, id: int, size: int) -> None:
        self._sizes[id] = size
        self.ops.append(Truncate(id, size))

    # Names

    def _rename(self, pid: str, arguments: str, result: int) -> None:
        old, new = (self._path(*name) for name in self._names(arguments))
        assert (old is None) == (new is None), "a file came into the folder, or left it, by a rename"
        if old is None or new is None:
            return
        assert os.path.dirname(old) == os.path.dirname(new), f"{old} went to another folder"
        moved = {path: path.replace(old, new, 1) for path in self._ids if (path + "/").startswith(old + "/")}
        if new in self._ids and new not in moved:
            del self._ids[new]
        for path, target in moved.items():
            self._ids[target] = self._ids.pop(path)
        self.ops.append(Rename(old, new))

    _renameat = _rename

    def _link(self, pid: str, arguments: str, result: int) -> None:
        old, new = (self._path(*name) for name in self._names(arguments))
        assert (old is None) == (new is None), "a file came into the folder, or left it, by a link"
        if old is not None and new is not None:
            assert os.path.dirname(old) == os.path.dirname(new), f"{old} got a name in another folder"
            self._ids[new] = self._ids[old]
            self.ops.append(Link(old, new))

    _linkat = _link

    def _unlink(self, pid: str, arguments: str, result: int) -> None:
        path = self._path(*self._names(arguments)[0])
        if path is not None:
            del self._ids[path]
            self.ops.append(Remove(path))

    _unlinkat = _rmdir = _unlink

    def _mkdir(self, pid: str, arguments: str, result: int) -> None:
        path = self._path(*self._names(arguments)[0])
        if path is not None:
            self._make(path, is_folder=True)

    _mkdirat = _mkdir

    def _make(self, path: str, *, is_folder: bool) -> None:
        self._ids[path] = self._next
        self._sizes[self._next] = 0
        self.ops.append(Make(path, self._next, is_folder))
        self._next += 1

    def _names(self, arguments: str) -> list[tuple[str, str]]:
        """(folder, path) of each path that a call names; without a descriptor the working folder is not known."""
        found = []
        for match in re.finditer(r'(?:(?:AT_FDCWD|\d+)<((?:\\x..)*)>, )?"((?:\\x..)*)"', arguments):
            found.append((_text(match[1] or ""), _text(match[2])))
        return found

    def _path(self, folder: str, path: str) -> str | None:
        """Relative to the root; None outside of it."""
        whole = os.path.normpath(os.path.join(folder, path))
        if whole == self._root:
            return ""
        return whole[len(self._root) + 1 :] if whole.startswith(self._root + "/") else None


def _number(arguments: str) -> int:
    match = _DESCRIPTOR.match(arguments)
    assert match is not None
    return int(match[1])


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text.replace("\\x", ""))


def _text(text: str) -> str:
    return os.fsdecode(_bytes(text))
