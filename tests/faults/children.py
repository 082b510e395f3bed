"""What the faults hit: operations, each run in a process of its own that a warm server forks.

``python -m faults.children`` reads a line of JSON from its standard input for each child: ``operation``, ``root`` and
what ``adverse.py`` makes of the rest. The child waits, so that a tracer can be put on it, until the server gets an
empty line. So no call of Python's own start is among those that are counted, and a case costs milliseconds.
"""

from __future__ import annotations

import ctypes
import fcntl
import importlib
import json
import os
import pkgutil
import random
import select
import sys
import traceback
from collections.abc import Callable, Iterator
from typing import Any, Final

import jsonschema  # noqa: F401
import loguru  # noqa: F401
import orjson  # noqa: F401
import pygit2  # noqa: F401
import snappy  # noqa: F401
from journal.making import adopted

import mgit_hooks
from faults import adverse
from mgit_hooks import cli, compress
from mgit_hooks.errors import MgitError
from mgit_hooks.journal import writer
from mgit_hooks.journal.format import Cursor

# A child that takes longer hangs.
LIMIT: Final = 20.0
_ANY_TRACER: Final = (0x59616D61, -1)  # PR_SET_PTRACER, for systems where only a parent may trace


def payload(batch: int, number: int) -> bytes:
    return b'{"event":"commit","batch":%d,"number":%d,"text":"%s"}' % (batch, number, b"again and " * (number % 5))


def batches() -> Iterator[list[bytes]]:
    """What the journal is to take: one batch of more than a block, and some small ones."""
    for batch, size in enumerate((70, 2, 1, 3)):
        yield [payload(batch, number) for number in range(size)]


def append(root: str) -> int:
    """Two writers, one after the other, of two batches each. What is reported is printed, and nothing else."""
    journal_dir = os.path.join(root, "mgit", "journal")
    given = list(enumerate(batches()))
    code = 0
    for part in (given[:2], given[2:]):
        try:
            with writer.appender(journal_dir, adopted) as made:
                code |= _each(made, part)
        except (MgitError, OSError, MemoryError) as error:
            code = _said(error)
    return code


def _each(made: writer.Appender, part: list[tuple[int, list[bytes]]]) -> int:
    code = 0
    for number, batch in part:
        try:
            done = made.append(batch, Cursor(1, 1000 + number))
            made.sync()
        except (MgitError, OSError, MemoryError) as error:  # the writer says itself whether it may go on
            code = _said(error)
            continue
        _tell(done, batch)
    return code


def _said(error: Exception) -> int:
    print(f"failed: {error}", file=sys.stderr)
    return 1


def _tell(done: list[writer.Appended], batch: list[bytes]) -> None:
    lines = [f"{each.seq} {each.id.hex()} {payload[:100].hex()}\n" for each, payload in zip(done, batch, strict=True)]
    os.write(1, "".join(lines).encode())


def fill(root: str) -> int:
    """Append until the disk is full, and then a little more."""
    failures = 0
    with writer.appender(os.path.join(root, "mgit", "journal"), adopted) as made:
        for number in range(400):
            batch = [filler(number)]
            try:
                done = made.append(batch, Cursor(1, number))
                made.sync()
            except (MgitError, OSError) as error:
                failures += 1
                if _said(error) and failures == 4:
                    return 1
                continue
            _tell(done, batch)
    return 0


def filler(number: int) -> bytes:
    """Bytes that no compression makes fewer."""
    return b"%d " % number + random.Random(number).randbytes(number * 611 % 3000)


def rotate(root: str) -> int:
    writer.SEGMENT_TARGET = 300  # type: ignore[misc]
    return append(root)


def again(root: str) -> int:
    """The next ordinary append."""
    with writer.appender(os.path.join(root, "mgit", "journal"), adopted) as made:
        batch = [payload(9, 0)]
        done = made.append(batch)
        made.sync()
        _tell(done, batch)
    return 0


def command(*arguments: str) -> Callable[[str], int]:
    def run(root: str) -> int:
        return cli.main(["-C", os.path.join(root, "repo"), *arguments])

    return run


OPERATIONS: dict[str, Callable[[str], int]] = {"append": append, "rotate": rotate, "again": again, "fill": fill}


def _operation(words: list[str]) -> Callable[[str], int]:
    return OPERATIONS[words[0]] if words[0] in OPERATIONS else command(*words)


def _child(request: dict[str, Any], ready: int, out: tuple[int, int]) -> int:
    ctypes.CDLL(None).prctl(*_ANY_TRACER, 0, 0, 0)
    os.dup2(out[0], 1)
    os.dup2(out[1], 2)
    try:
        with adverse.applied(request):
            os.read(ready, 1)
            code = _operation(request["operation"])(request["root"])
    except SystemExit as end:
        code = int(end.code or 0)
    except BaseException:
        traceback.print_exc()
        code = 99
    sys.stdout.flush()
    return code


def _wait(child: int) -> int:
    """The child's exit code; below zero the signal that ended it; 1000 where it hung."""
    descriptor = os.pidfd_open(child)
    waiting = select.poll()
    waiting.register(descriptor, select.POLLIN)
    hung = not waiting.poll(LIMIT * 1000)
    if hung:
        os.kill(child, 9)
    os.close(descriptor)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return 1000 if hung else code


class _Pipe:
    """What a child says: in a pipe, which is no file that a limit or a full disk could touch."""

    def __init__(self) -> None:
        self._ours, self.theirs = os.pipe()
        fcntl.fcntl(self.theirs, fcntl.F_SETPIPE_SZ, 1 << 20)
        os.set_blocking(self._ours, False)

    def text(self) -> str:
        """All of it. Who else may still have it open is not waited for."""
        os.close(self.theirs)
        found = b""
        try:
            while piece := os.read(self._ours, 1 << 20):
                found += piece
        except BlockingIOError:
            pass
        os.close(self._ours)
        return found.decode(errors="replace")


def _load() -> None:
    """All that a command would import: a child that became somebody else may not be able to read it any more."""
    for module in pkgutil.walk_packages(mgit_hooks.__path__, "mgit_hooks."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    compress.compress(bytes(1000), compress.ZSTD)


def main() -> None:
    _load()
    for line in sys.stdin:
        request = json.loads(line)
        ready, ours = os.pipe()
        out, err = _Pipe(), _Pipe()
        child = os.fork()
        if not child:
            os._exit(_child(request, ready, (out.theirs, err.theirs)))
        os.close(ready)
        print(child, flush=True)
        sys.stdin.readline()
        os.write(ours, b"\n")
        os.close(ours)
        status = _wait(child)
        print(json.dumps([status, out.text(), err.text()]), flush=True)


if __name__ == "__main__":
    main()
