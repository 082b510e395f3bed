"""What else may befall a process: short writes, limits, signals, another user. And bugs, planted to be caught."""

from __future__ import annotations

import os
import resource
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Final

from mgit_hooks import files
from mgit_hooks.installer import hookfiles
from mgit_hooks.journal import segmentfile, swap
from mgit_hooks.journal.segmentfile import SegmentFile
from mgit_hooks.judging import schemas

NOBODY: Final = 65534
SHORT: Final[dict[str, Callable[[int], int]]] = {
    "one byte": lambda length: 1,
    "half": lambda length: (length + 1) // 2,
    "all but one": lambda length: max(length - 1, 1),
}


@contextmanager
def applied(request: dict[str, Any]) -> Iterator[None]:
    """Under all that the request asks for, by the names of the functions below; limits end with the block."""
    with ExitStack() as stack:
        if "plant" in request:
            PLANTED[request["plant"]]()
        if "short" in request:
            shorten(*request["short"], request["root"])
        if "signals" in request:
            interrupt(request["signals"])
        if "file_size" in request:
            stack.enter_context(limited(resource.RLIMIT_FSIZE, request["file_size"]))
        if "memory" in request:
            stack.enter_context(limited(resource.RLIMIT_AS, _address_space() + request["memory"]))
        if "user" in request:
            become(request["user"])
        yield


def shorten(how: str, nth: int, for_good: bool, root: str) -> None:
    """From the ``nth`` call on our files, or at that one only, ``os.write`` really writes no more than a part. A line
    on standard error says that it was so.
    """
    whole = os.write
    calls = 0

    def write(descriptor: int, data: bytes) -> int:
        nonlocal calls
        if not os.readlink(f"/proc/self/fd/{descriptor}").startswith(root + "/"):
            return whole(descriptor, data)
        calls += 1
        if calls < nth or (calls > nth and not for_good):
            return whole(descriptor, data)
        if calls == nth:
            whole(2, b"SHORT\n")
        return whole(descriptor, bytes(data)[: SHORT[how](len(data))])

    os.write = write  # type: ignore[assignment]


def interrupt(every: float) -> None:
    """A signal every so many seconds, with a handler: calls that wait are interrupted for real."""
    signal.signal(signal.SIGALRM, lambda *_: None)
    signal.setitimer(signal.ITIMER_REAL, every, every)


@contextmanager
def limited(what: int, to: int) -> Iterator[None]:
    _, most = resource.getrlimit(what)
    resource.setrlimit(what, (to, most))
    try:
        yield
    finally:
        resource.setrlimit(what, (most, most))


def _address_space() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")


def become(user: int) -> None:
    """Another user, to whom the place that we are installed in may be closed: its schemas are read before."""
    dict(schemas.load().documents)
    os.environ.update(HOME="/nonexistent", XDG_CONFIG_HOME="/nonexistent", GIT_CONFIG_GLOBAL=os.devnull)
    os.setgroups([])
    os.setgid(user)
    os.setuid(user)


# Planted bugs: each is one that a real program had


def _swallow_write_errors() -> None:
    whole = files.write_all

    def write_all(descriptor: int, data: bytes) -> None:
        try:
            whole(descriptor, data)
        except OSError:
            pass

    _everywhere("write_all", write_all)
    SegmentFile.sync = lambda self: None  # type: ignore[method-assign]


def _take_short_writes_for_whole() -> None:
    _everywhere("write_all", lambda descriptor, data: os.write(descriptor, data))
    SegmentFile.sync = lambda self: None  # type: ignore[method-assign]


def _everywhere(name: str, value: object) -> None:
    for module in (files, segmentfile, swap):
        setattr(module, name, value)


def _leave_what_was_written() -> None:
    SegmentFile._take_back = lambda self: None  # type: ignore[method-assign]


def _tell_before_writing() -> None:
    """What is appended stays in memory until the writer is closed, and is told of before."""
    queue: list[bytes] = []
    close = SegmentFile.close

    def write(self: SegmentFile, frame: bytes) -> None:
        queue.append(frame)
        self.last_offset, self.end = self.end, self.end + len(frame)

    def close_after_writing(self: SegmentFile) -> None:
        while queue and self._fd >= 0:
            os.write(self._fd, queue.pop(0))
        close(self)

    SegmentFile.write = write  # type: ignore[method-assign]
    SegmentFile.sync = lambda self: None  # type: ignore[method-assign]
    SegmentFile.close = close_after_writing  # type: ignore[method-assign]


def _write_hooks_in_place() -> None:
    def write(path: str, content: bytes, mode: int) -> None:
        with open(path, "wb", buffering=0) as file:
            file.write(content[:100])
            file.write(content[100:])
        os.chmod(path, mode)

    hookfiles.write = write


PLANTED: Final[dict[str, Callable[[], None]]] = {
    "swallows write errors": _swallow_write_errors,
    "takes short writes for whole": _take_short_writes_for_whole,
    "leaves what was written": _leave_what_was_written,
    "tells before writing": _tell_before_writing,
    "writes hooks in place": _write_hooks_in_place,
}
