"""An operation of the tool, measured in the process that does it, and the one line that it leaves behind.

The line is JSON between a record separator and a newline, as RFC 7464 has it, in ``metrics/now``: one append, without
a lock and without a sync. A separator begins each line, so that one which a full disk or a kill has cut takes nothing
with it but itself. ``metrics.spooled`` reads them.
"""

# Every gate loads this, and each kilobyte of it is 0.01 ms of somebody's commit: what a gate does not need is in
# ``meter``, and what can be said in a comment is no docstring. And no operation ever fails of being counted.
from __future__ import annotations

import os
import time

TYPE_CHECKING = False  # without typing: a gate that lets through loads none of it
if TYPE_CHECKING:
    from typing import Any, Final

LONGEST: Final = 4096  # bytes of a line: what one append writes whole
LARGEST: Final = 32 << 20  # bytes of ``now``, some 100,000 operations that nobody has read: no more is added then
HOOK, DRAIN, COMMAND = "hook", "drain", "command"

_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT
for _name in ("O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC"):
    _FLAGS |= getattr(os, _name, 0)
_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._- ")
_MOST_NAMES = 16
_under_way: list[Operation] = []  # the innermost last; of this process as a whole, not of a thread


class Operation:
    """What is known of an operation; with ``with`` it is the one under way until the block ends, and is noted then.

    An error that ends the block is counted by its class, and raised on.
    """

    memory: int | None = None  # bytes, the most that was resident
    error: str | None = None
    seconds = cpu = 0.0
    ended = False

    # ``folder`` is where its line goes (a repository's .git/mgit), ``otherwise`` where it goes if no repository was met
    # (the data folder): nowhere where that has no ``metrics`` yet. ``phases`` are seconds, ``counts`` whatever else is
    # counted.
    def __init__(self, type: str, name: str, folder: str | None = None, *, otherwise: str | None = None) -> None:
        self.id = os.urandom(8).hex()
        self.type, self.name, self.folder, self.otherwise = type, name, folder, otherwise
        self.items = self.bytes = self.code = 0  # what it has worked off; its exit status
        self.phases: dict[str, float] = {}
        self.counts: dict[str, int] = {}
        self.process = os.getpid()
        self.started = time.time()
        self._cpu = _processor()
        self.began = time.perf_counter()  # the wall clock may be set meanwhile

    def __enter__(self) -> Operation:
        _under_way.append(self)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: Any) -> None:
        _under_way.remove(self)
        # A reader that has left (`log | head`) is no failure; and a child that was forked meanwhile is not us.
        if kind is not None and not issubclass(kind, BrokenPipeError):
            self.error = kind.__name__
        if self.process != os.getpid():
            return
        try:
            self.end()
            note(self.folder or self.otherwise, self, make=self.folder is not None)
        except Exception:  # a package that is being upgraded meanwhile: its modules are gone, what was done stands
            self.ended = True

    def end(self) -> None:
        if not self.ended:
            self.seconds = time.perf_counter() - self.began
            self.cpu = max(_processor() - self._cpu, 0.0)
            self.ended = True
            if self.type != HOOK or self.id[0] == "0":  # takes as long as all the rest: of a gate, one in sixteen
                from mgit_hooks.meter import most_resident

                self.memory = most_resident(children=self.type != HOOK)

    def line(self) -> bytes:
        told = (
            f'\x1e{{"v":1,"id":"{self.id}","t":{self.started:.3f},"type":"{word(self.type)}","name":"{word(self.name)}",'
            f'"s":{self.seconds:.6f},"cpu":{self.cpu:.3f},"mem":{self.memory or 0},"items":{self.items},'
            f'"bytes":{self.bytes},"code":{self.code},"error":' + (f'"{word(self.error)}"' if self.error else "null")
        )
        whole = f'{told},"phases":{{{_named(self.phases)}}},"counts":{{{_named(self.counts)}}}}}\n'
        return (whole if len(whole) <= LONGEST else f"{told}}}\n").encode()


def under_way() -> Operation | None:
    return _under_way[-1] if _under_way else None


def at(mgit_dir: str) -> None:
    """The operation under way is one in this repository, if it is not in another yet."""
    if _under_way and _under_way[-1].folder is None:
        _under_way[-1].folder = mgit_dir


def spent(phase: str, began: float) -> None:
    """The operation under way was in this part of it since ``began``, by ``time.perf_counter``."""
    if _under_way:
        phases = _under_way[-1].phases
        phases[phase] = phases.get(phase, 0.0) + time.perf_counter() - began


def note(folder: str | None, operation: Operation, *, make: bool = True) -> bool:
    """Append the line of ``operation`` to ``FOLDER/metrics/now``; whether it is there.

    Nothing is made where ``folder`` is not, nor, without ``make``, where its ``metrics`` are not. What stands in the
    file's place and is none of ours (a link, a pipe, a file with a second name) is left alone, and a disk that takes
    nothing costs the line and no more.
    """
    if folder is None:
        return False
    path = f"{folder}/metrics/now"
    try:
        try:
            descriptor = os.open(path, _FLAGS, 0o600)
        except FileNotFoundError:
            if not make:
                return False
            try:
                os.mkdir(f"{folder}/metrics", 0o700)
            except FileExistsError:  # somebody else's first operation
                pass
            descriptor = os.open(path, _FLAGS, 0o600)
        try:
            found = os.fstat(descriptor)
            if found.st_mode >> 12 != 8 or found.st_nlink != 1 or found.st_size > LARGEST:  # 8: a regular file
                return False
            line = operation.line()
            return os.write(descriptor, line) == len(line)
        finally:
            os.close(descriptor)
    except (OSError, ValueError):
        return False


def word(text: str) -> str:
    """A name that fits into a line as it is, and tells nothing but a name."""
    if len(text) <= 60 and _PLAIN.issuperset(text):
        return text
    return "".join([each if each in _PLAIN else "_" for each in text[:60]])


def _named(values: dict[str, Any]) -> str:
    return ",".join([f'"{word(name)}":{round(values[name], 6)}' for name in list(values)[:_MOST_NAMES]])


def _processor() -> float:
    """Seconds of processor time, of the children that have ended too."""
    return time.process_time() + sum(os.times()[2:4])
