"""A git command that answers questions for as long as it is asked, through two pipes.

Whoever asks reads each answer to its end before the next question, so neither side waits for room in a pipe. A
command that is silent for too long is ended, and one whose asker is gone ends by itself: its pipe is closed.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import IO, TYPE_CHECKING, Final, cast

from mgit_hooks.errors import RepositoryError
from mgit_hooks.git import plumbing

if TYPE_CHECKING:
    from subprocess import Popen

# Seconds without a byte after which git is taken to be stuck (a file system that is gone); a large delta takes a few.
SILENCE: Final = 120.0
_READ: Final = 256 * 1024


class Ended(Exception):
    """The command ended before its answer did; ``said`` is what it had on standard error."""

    def __init__(self, said: str) -> None:
        super().__init__(said)
        self.said = said


class Conversation:
    """One process. What it says on standard error is kept for ``Ended``, and for ``complaint``.

    Raises RepositoryError where git cannot be started, or has been silent for SILENCE seconds.
    """

    def __init__(self, arguments: Sequence[str], env: Mapping[str, str], directory: str | None = None) -> None:
        import subprocess  # where a conversation is wanted, its cost does not count

        self._name = next((word for word in arguments if not word.startswith("-") and "=" not in word), "git")
        self._stderr = plumbing.scratch()
        try:
            self._process = subprocess.Popen(
                ["git", *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._stderr,
                env=plumbing.environment(env),
                cwd=directory,
                bufsize=0,
            )
        except OSError as error:
            raise RepositoryError(f"git cannot be started: {error.strerror}", "see that git is on PATH") from None
        self._stdin = cast("IO[bytes]", self._process.stdin)
        self._out = cast("IO[bytes]", self._process.stdout).fileno()
        self._buffer = b""
        self._finalizer = weakref.finalize(self, _end, self._process, self._stderr, os.getpid())

    def ask(self, question: bytes) -> None:
        """``question`` and all that is unanswered must fit into a pipe (64 KiB). Raises Ended."""
        try:
            self._stdin.write(question)
        except BrokenPipeError:
            raise Ended(self.complaint()) from None

    def line(self, end: bytes = b"\n") -> bytes:
        """Up to the next ``end``, without it. Raises Ended."""
        at = self._buffer.find(end)
        while at < 0:
            searched = len(self._buffer)
            self._more()
            at = self._buffer.find(end, searched)
        found, self._buffer = self._buffer[:at], self._buffer[at + len(end) :]
        return found

    def peek(self) -> bytes:
        """The next byte, left where it is. Raises Ended."""
        if not self._buffer:
            self._more()
        return self._buffer[:1]

    def exactly(self, size: int) -> bytes:
        """The next ``size`` bytes. Raises Ended."""
        if len(self._buffer) >= size:
            found, self._buffer = self._buffer[:size], self._buffer[size:]
            return found
        pieces = [self._buffer]
        left = size - len(self._buffer)
        self._buffer = b""
        while left:
            piece = self._read(min(left, _READ))
            pieces.append(piece)
            left -= len(piece)
        return b"".join(pieces)

    def complaint(self) -> str:
        """What it has said on standard error since it was last asked for that."""
        self._stderr.seek(0)
        said = self._stderr.read().decode("utf-8", "replace")
        self._stderr.seek(0)
        self._stderr.truncate()
        return said

    def close(self) -> None:
        """End the process, at once and for good. Calling it again does nothing."""
        self._finalizer()

    def _more(self) -> None:
        self._buffer += self._read(_READ)

    def _read(self, size: int) -> bytes:
        if not _readable(self._out, SILENCE):
            self.close()
            raise RepositoryError(
                f"git {self._name} has not answered for {SILENCE:.0f} seconds",
                "see whether its disk answers, and 'git fsck'",
            )
        found = os.read(self._out, size)
        if not found:
            raise Ended(self.complaint())
        return found


def _readable(descriptor: int, seconds: float) -> bool:
    if not hasattr(os, "posix_spawn"):  # Windows can wait for sockets only
        return True
    import select

    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(seconds * 1000))


def _end(process: Popen[bytes], stderr: IO[bytes], owner: int) -> None:
    """By a signal: a process that was forked from this one may hold the pipe open, and none is waited for then."""
    stderr.close()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with suppress(OSError):
                pipe.close()
    if os.getpid() != owner:
        process.returncode = 0  # not our child: nothing to end, nothing to complain of
        return
    with suppress(OSError):
        process.kill()  # it only reads; and one that is stopped would not hear of anything less
    process.wait()
