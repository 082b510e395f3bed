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
# Of a file that is there git says that grafts are deprecated, even of an empty one.
_NO_GRAFTS = os.path.join(os.devnull, "none")


class Result(NamedTuple):
    status: int
    stdout: bytes
    stderr: str


def environment(base: Mapping[str, str] | None = None) -> dict[str, str]:
    """An environment in which git speaks plainly, asks nobody, and reads the objects that are here as they are.

    Before 2.44 git does not know GIT_NO_LAZY_FETCH. With no protocol allowed, its fetch ends before it has
    reached for anything, be the remote a folder, a helper or a server (git(1), GIT_ALLOW_PROTOCOL).
    """
    env = dict(os.environ if base is None else base)
    env.update(LC_ALL="C", GIT_NO_LAZY_FETCH="1", GIT_ALLOW_PROTOCOL="", GIT_TERMINAL_PROMPT="0")
    env.update(GIT_OPTIONAL_LOCKS="0", GIT_NO_REPLACE_OBJECTS="1", GIT_GRAFT_FILE=_NO_GRAFTS)
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
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
