"""An operation of the tool, measured in the process that does it, and the one line that it leaves behind.

The line is JSON between a record separator and a newline, as RFC 7464 has it, in ``metrics/now``: one append, without
a lock and without a sync. A separator begins each line, so that one which a full disk or a kill has cut takes nothing
with it but itself. ``metrics.spooled`` reads them.

Every gate loads this: nothing but ``os`` and ``time`` is imported. And no operation ever fails of being counted.
"""

from __future__ import annotations

import os
import stat
import time

TYPE_CHECKING = False  # without typing: a gate that lets through loads none of it
if TYPE_CHECKING:
    from types import TracebackType
    from typing import Final

LONGEST: Final = 4096
"""Bytes of a line: what one append writes whole."""
LARGEST: Final = 32 << 20
"""Bytes of ``now``, some 100,000 operations that nobody has read: no more is added then."""
MUCH: Final = 256 << 10
"""Bytes of ``now`` from which on the background drain folds it, where nobody ever asks for figures."""
HOOK, DRAIN, COMMAND = "hook", "drain", "command"
SEPARATOR: Final = b"\x1e"

_NO_LINK = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
_MOST_NAMES = 16
_LONGEST_NAME = 60
_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._- ")
_under_way: list[Operation] = []  # the innermost last; of this process as a whole, not of a thread


class Operation:
    """What is known of an operation; with ``with`` it is the one under way until the block ends.

    ``items`` and ``bytes`` are what it has worked off; ``phases`` are seconds, ``counts`` whatever else is counted,
    both by name. ``folder`` is where its line goes (a repository's ``.git/mgit``), ``otherwise`` where it goes if no
    repository was met (the data folder): nowhere where that is not there.
    An error that ends the block is counted by its class, and raised on.
    """

    def __init__(self, type: str, name: str, folder: str | None = None, *, otherwise: str | None = None) -> None:
        self.id = os.urandom(8).hex()
        self.type, self.name, self.folder, self.otherwise = type, name, folder, otherwise
        self.items = self.bytes = self.code = 0
        self.memory: int | None = None  # bytes, the most that was resident
        self.error: str | None = None
        self.phases: dict[str, float] = {}
        self.counts: dict[str, int] = {}
        self.seconds = self.cpu = 0.0
        self.ended = False
        self._process = os.getpid()
        self.started = time.time()
        self._cpu = _processor()
        self._began = time.perf_counter()  # the wall clock may be set meanwhile

    @property
    def elapsed(self) -> float:
        """Seconds since it began, or that it took."""
        return self.seconds if self.ended else time.perf_counter() - self._began

    @property
    def started_at(self) -> float:
        """When it began, by ``time.perf_counter``."""
        return self._began

    @property
    def success(self) -> bool:
        """A gate that refuses and a check that finds something have done what they are for."""
        return self.error is None and self.code in (0, 1)

    def __enter__(self) -> Operation:
        _under_way.append(self)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        _under_way.remove(self)
        # A reader that has left (`log | head`) is no failure; and a child that was forked meanwhile is not us.
        if kind is not None and not issubclass(kind, BrokenPipeError):
            self.error = kind.__name__
        if self._process == os.getpid():
            self.end()
            note(self.folder or self.otherwise, self)

    def end(self) -> None:
        if not self.ended:
            self.seconds = time.perf_counter() - self._began
            self.cpu = max(_processor() - self._cpu, 0.0)
            if self.type != HOOK or self.id[0] == "0":  # takes as long as all the rest: of a gate, one in sixteen
                from mgit_hooks.resident import most_resident

                self.memory = most_resident(children=self.type != HOOK)
            self.ended = True

    def add_phase(self, name: str, seconds: float) -> None:
        self.phases[name] = self.phases.get(name, 0.0) + seconds

    def line(self) -> bytes:
        told = (
            f'{{"v":1,"id":"{self.id}","t":{self.started:.3f},"type":"{word(self.type)}","name":"{word(self.name)}",'
            f'"s":{self.seconds:.6f},"cpu":{self.cpu:.3f},"mem":{self.memory or 0},"items":{self.items},'
            f'"bytes":{self.bytes},"code":{self.code},"error":{_text(self.error)}'
        )
        phases = ",".join(f'"{word(name)}":{self.phases[name]:.6f}' for name in list(self.phases)[:_MOST_NAMES])
        counts = ",".join(f'"{word(name)}":{self.counts[name]}' for name in list(self.counts)[:_MOST_NAMES])
        whole = f'\x1e{told},"phases":{{{phases}}},"counts":{{{counts}}}}}\n'.encode()
        return whole if len(whole) <= LONGEST else f"\x1e{told}}}\n".encode()


class phase:
    """A part of the operation under way, timed: ``with phase("judge"): ...``. Without one, nothing."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __enter__(self) -> None:
        self._began = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        of = under_way()
        if of is not None:
            of.add_phase(self._name, time.perf_counter() - self._began)


def under_way() -> Operation | None:
    return _under_way[-1] if _under_way else None


def at(mgit_dir: str) -> None:
    """The operation under way is one in this repository, if it is not in another yet."""
    of = under_way()
    if of is not None and of.folder is None:
        of.folder = mgit_dir


def done(*, items: int | None = None, bytes: int | None = None) -> None:
    """So much the operation under way has worked off by now."""
    of = under_way()
    if of is not None:
        of.items = of.items if items is None else items
        of.bytes = of.bytes if bytes is None else bytes


def count(name: str, by: int = 1) -> None:
    of = under_way()
    if of is not None:
        of.counts[name] = of.counts.get(name, 0) + by


def failed(error: BaseException) -> None:
    """The operation under way has come to nothing, and says so to somebody without raising."""
    of = under_way()
    if of is not None:
        of.error = type(error).__name__


def note(folder: str | None, operation: Operation) -> bool:
    """Append the line of ``operation`` to ``FOLDER/metrics/now``; whether it is there.

    Nothing is made where ``folder`` is not. What stands in the file's place and is none of ours (a link, a pipe, a
    file with a second name) is left alone, and a disk that takes nothing costs the line and no more.
    """
    if folder is None:
        return False
    try:
        descriptor = _open(folder)
        try:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1 or found.st_size > LARGEST:
                return False
            line = operation.line()
            return os.write(descriptor, line) == len(line)
        finally:
            os.close(descriptor)
    except (OSError, ValueError):
        return False


def is_large(folder: str) -> bool:
    """Whether so much has been noted there that somebody who comes by should fold it."""
    try:
        return os.stat(f"{folder}/metrics/now").st_size > MUCH
    except OSError:
        return False


def _open(folder: str) -> int:
    path, flags = f"{folder}/metrics/now", os.O_WRONLY | os.O_APPEND | os.O_CREAT | _NO_LINK
    try:
        return os.open(path, flags, 0o600)
    except FileNotFoundError:
        try:
            os.mkdir(f"{folder}/metrics", 0o700)
        except FileExistsError:  # somebody else's first operation
            pass
        return os.open(path, flags, 0o600)


def word(text: str) -> str:
    """A name that fits into a line as it is, and tells nothing but a name."""
    if len(text) <= _LONGEST_NAME and _PLAIN.issuperset(text):
        return text
    return "".join(each if each in _PLAIN else "_" for each in text[:_LONGEST_NAME])


def _text(text: str | None) -> str:
    return "null" if text is None else f'"{word(text)}"'


def _processor() -> float:
    """Seconds of processor time, of the children that have ended too."""
    return time.process_time() + sum(os.times()[2:4])
