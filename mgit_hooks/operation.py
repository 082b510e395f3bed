# An operation of the tool, measured in the process that does it, and the one line that it leaves behind.
#
# The line is JSON between a record separator and a newline, as RFC 7464 has it, in ``metrics/now``: one append, without
# a lock and without a sync. A separator begins each line, so that one which a full disk or a kill has cut takes nothing
# with it but itself. ``metrics.spooled`` reads them.
#
# Every gate loads this, and each kilobyte of it is 0.01 ms of somebody's commit: what a gate does not need is in
# ``meter``, and what can be said in a comment is no docstring. And no operation ever fails of being counted.
from __future__ import annotations

import os
import time

TYPE_CHECKING = False  # without typing: a gate that lets through loads none of it
if TYPE_CHECKING:
    from typing import Any

LONGEST = 4096  # bytes of a line: what one append writes whole
LARGEST = 32 << 20  # bytes of ``now``, some 100,000 operations that nobody has read: no more is added then
HOOK, DRAIN, COMMAND = "hook", "drain", "command"

_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
_under_way: list[Operation] = []  # the innermost last; of this process as a whole, not of a thread


class Operation:
    # What is known of an operation; with ``with`` it is the one under way until the block ends, and is noted then. An
    # error that ends the block is counted by its class, and raised on.

    seconds = cpu = 0.0
    ended = False

    # ``folder`` is where its line goes (a repository's .git/mgit), ``otherwise`` where it goes if no repository was met
    # (the data folder): nowhere where that has no ``metrics`` yet. ``memory`` is bytes, the most that was resident;
    # ``phases`` are seconds, ``counts`` whatever else is counted.
    def __init__(self, type: str, name: str, folder: str | None = None, *, otherwise: str | None = None) -> None:
        self.id = os.urandom(8).hex()
        self.type, self.name, self.folder, self.otherwise = type, name, folder, otherwise
        self.items = self.bytes = self.code = 0  # what it has worked off; its exit status
        self.memory: int | None = None
        self.error: str | None = None
        self.phases: dict[str, float] = {}
        self.counts: dict[str, int] = {}
        self.process = os.getpid()
        self.started = time.time()
        # A hook is a process of its own, which has waited for no child yet.
        self._cpu = time.process_time() + (0 if type == HOOK else sum(os.times()[2:4]))
        self.began = time.perf_counter()  # the wall clock may be set meanwhile

    def __enter__(self) -> Operation:
        _under_way.append(self)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: Any) -> None:
        _under_way.remove(self)
        # A reader that has left (`log | head`) is no failure; and a child that was forked meanwhile is not us.
        if kind and not issubclass(kind, BrokenPipeError):
            self.error = kind.__name__
        if self.process == os.getpid():
            try:
                self.end()
                note(self.folder or self.otherwise, self, self.folder is not None)
            except Exception:  # a package that is being upgraded meanwhile: its modules are gone, what was done stands
                return

    def end(self) -> None:
        self.seconds = time.perf_counter() - self.began
        self.cpu = time.process_time() + sum(os.times()[2:4]) - self._cpu
        self.ended = True
        if self.type != HOOK or self.id[0] == "0":  # takes as long as all the rest: of a gate, one in sixteen
            from mgit_hooks.meter import most_resident

            self.memory = most_resident(children=self.type != HOOK)

    # Times are whole numbers with a power of ten, and what is empty is left out: to format a fraction, or a dict, takes
    # 0.01 ms the first time. A hook's words are all our own.
    def line(self) -> bytes:
        of, more = self, "}"
        if self.type != HOOK or self.error:
            from mgit_hooks.meter import in_words

            of = in_words(self)
        if of.phases or of.counts:
            more = f',"phases":{of.phases},"counts":{of.counts}}}'.replace("'", '"')
        return (
            f'\x1e{{"v":1,"id":"{of.id}","t":{int(of.started * 1e3 + 0.5)}e-3,"type":"{of.type}","name":"{of.name}",'
            f'"s":{int(of.seconds * 1e6 + 0.5)}e-6,"cpu":{int(of.cpu * 1e3 + 0.5)}e-3,"mem":{of.memory or 0},'
            f'"items":{of.items},"bytes":{of.bytes},"code":{of.code},"error":{of.error or "null"}{more}\n'
        ).encode()


def under_way() -> Operation | None:
    return _under_way[-1] if _under_way else None


# The operation under way is one in this repository, if it is not in another yet.
def at(mgit_dir: str) -> None:
    of = under_way()
    if of and not of.folder:
        of.folder = mgit_dir


# Append the line of ``operation`` to ``FOLDER/metrics/now``; whether it is there. Nothing is made where ``folder`` is
# not, nor, without ``make``, where its ``metrics`` are not. What stands in the file's place and is none of ours (a
# link, a pipe, a file with a second name) is left alone, and a disk that takes nothing costs the line and no more.
def note(folder: str | None, operation: Operation, make: bool = True) -> bool:
    if not folder:
        return False
    try:
        try:
            descriptor = os.open(f"{folder}/metrics/now", _FLAGS, 0o600)
        except FileNotFoundError:
            from mgit_hooks.meter import first

            descriptor = first(folder, _FLAGS, make)
        try:
            found = os.fstat(descriptor)
            line = operation.line()
            is_ours = found.st_mode >> 12 == 8 and found.st_nlink == 1 and found.st_size <= LARGEST  # 8: a regular file
            return is_ours and os.write(descriptor, line) == len(line)
        finally:
            os.close(descriptor)
    except (OSError, ValueError, OverflowError):
        return False
