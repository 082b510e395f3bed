"""git commands, run without a shell and without the cost of importing subprocess."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import IO, NamedTuple

# `git rev-parse --local-env-vars`: what ties a command to one repository. A process that goes on to
# another repository, or outlives the hook that started it, must drop them.
LOCAL_ENV_VARS = (
    "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_CONFIG", "GIT_CONFIG_PARAMETERS", "GIT_CONFIG_COUNT",
    "GIT_OBJECT_DIRECTORY", "GIT_DIR", "GIT_WORK_TREE", "GIT_IMPLICIT_WORK_TREE", "GIT_GRAFT_FILE",
    "GIT_INDEX_FILE", "GIT_NO_REPLACE_OBJECTS", "GIT_REPLACE_REF_BASE", "GIT_PREFIX", "GIT_SHALLOW_FILE",
    "GIT_COMMON_DIR", "GIT_INTERNAL_SUPER_PREFIX",
)  # fmt: skip


class Result(NamedTuple):
    status: int
    stdout: bytes
    stderr: str


def environment(base: Mapping[str, str] | None = None) -> dict[str, str]:
    """An environment in which git speaks plainly and never goes to the network or asks anyone."""
    env = dict(os.environ if base is None else base)
    env.update(LC_ALL="C", GIT_NO_LAZY_FETCH="1", GIT_TERMINAL_PROMPT="0", GIT_OPTIONAL_LOCKS="0")
    return env


def without_local(base: Mapping[str, str]) -> dict[str, str]:
    """``base`` without what points git at one repository (its config parameters included)."""
    return {
        name: value
        for name, value in base.items()
        if name not in LOCAL_ENV_VARS and not name.startswith(("GIT_CONFIG_KEY_", "GIT_CONFIG_VALUE_"))
    }


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
    with _scratch() as out, _scratch() as err, _scratch() as given:
        given.write(stdin)
        given.seek(0)
        try:
            status = _spawn(command, environment(env), given.fileno(), out.fileno(), err.fileno())
        except FileNotFoundError:
            return Result(127, b"", "git is not on PATH")
        out.seek(0)
        err.seek(0)
        return Result(status, out.read(), err.read().decode("utf-8", "replace"))


def _scratch() -> IO[bytes]:
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
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
