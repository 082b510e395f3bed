"""git commands, run without a shell and without the cost of importing subprocess."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import IO, NamedTuple

from mgit_hooks.git.environment import LOCAL_ENV_VARS, environment, without_local

__all__ = ("LOCAL_ENV_VARS", "Result", "environment", "run", "scratch", "without_local")


class Result(NamedTuple):
    status: int
    stdout: bytes
    stderr: str


def run(
    arguments: Sequence[str],
    *,
    directory: str | None = None,
    stdin: bytes = b"",
    env: Mapping[str, str] | None = None,
) -> Result:
    """Run ``git ARGUMENTS`` to its end. A git that cannot be started has status 127."""
    command = ["git", *(("-C", directory) if directory is not None else ()), *arguments]
    # Files, not pipes: no reader threads, no deadlock, whatever the sizes.
    with scratch() as out, scratch() as err, scratch() as given:
        given.write(stdin)
        given.seek(0)
        try:
            status = _spawn(command, environment(env), given.fileno(), out.fileno(), err.fileno())
        except FileNotFoundError:
            return Result(127, b"", "git is not on PATH")
        out.seek(0)
        err.seek(0)
        return Result(status, out.read(), err.read().decode("utf-8", "replace"))


def scratch() -> IO[bytes]:
    """A file without a name."""
    if hasattr(os, "memfd_create"):
        return open(os.memfd_create("mgit-hooks"), "w+b")
    import tempfile  # costs more than git itself does: only where there is no memfd

    return tempfile.TemporaryFile()


def _spawn(command: list[str], env: dict[str, str], stdin: int, stdout: int, stderr: int) -> int:
    if not hasattr(os, "posix_spawnp"):  # Windows
        import subprocess

        return subprocess.run(command, env=env, stdin=stdin, stdout=stdout, stderr=stderr, check=False).returncode
    actions = [(os.POSIX_SPAWN_DUP2, stdin, 0), (os.POSIX_SPAWN_DUP2, stdout, 1), (os.POSIX_SPAWN_DUP2, stderr, 2)]
    pid = os.posix_spawnp("git", command, env, file_actions=actions)
    try:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    except BaseException:  # a bound on the time, or ^C: nobody waits for it any more
        _end(pid)
        raise


def _end(pid: int) -> None:
    from contextlib import suppress
    from signal import SIGKILL

    with suppress(ChildProcessError):  # it had ended
        if os.waitpid(pid, os.WNOHANG)[0] == 0:
            os.kill(pid, SIGKILL)
            os.waitpid(pid, 0)
