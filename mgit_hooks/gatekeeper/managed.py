"""What hook managers tell a hook, in place of what git would: the push, and the git process behind them."""

from __future__ import annotations

import os
from collections.abc import Mapping

from mgit_hooks.gatekeeper import staged
from mgit_hooks.git import plumbing
from mgit_hooks.record import Oid
from mgit_hooks.recorder.event import PushLine


def push_of_pre_commit(env: Mapping[str, str]) -> tuple[str, str, list[PushLine]] | None:
    """Remote, URL and the one ref that pre-commit shows of a push; None where it tells of none.

    ``PRE_COMMIT_FROM_REF`` is what the remote has, if that is here; else, for a new branch, an ancestor of
    what is pushed, which says nothing of the remote.
    """
    remote, remote_ref = env.get("PRE_COMMIT_REMOTE_NAME"), env.get("PRE_COMMIT_REMOTE_BRANCH")
    if remote is None or remote_ref is None:
        return None
    new, old = _oid(env.get("PRE_COMMIT_TO_REF")), _oid(env.get("PRE_COMMIT_FROM_REF"))
    if old is not None and new is not None and staged.is_ancestor(old, new) and old != _tracked(remote, remote_ref):
        old = None
    line = PushLine(env.get("PRE_COMMIT_LOCAL_BRANCH"), new, remote_ref, old)
    return remote, env.get("PRE_COMMIT_REMOTE_URL", ""), [line]


def _oid(expression: str | None) -> Oid | None:
    if not expression:
        return None
    result = plumbing.run(("rev-parse", "-q", "--verify", "--end-of-options", expression))
    return Oid(result.stdout.decode("ascii").strip()) if result.status == 0 else None


def _tracked(remote: str, remote_ref: str) -> Oid | None:
    """What is known here of the remote's branch, by the usual layout of remote-tracking refs."""
    return _oid(f"refs/remotes/{remote}/{remote_ref.removeprefix('refs/heads/')}")


def git_process(stage: str, env: Mapping[str, str]) -> str:
    """The git that runs the manager that runs us, as PID.STARTED; 0, which matches no other hook's, where none is seen.

    Only inside a hook: a manager started by hand may stand below some other git (``rebase --exec``). A manager may
    have come to us by ``git hook run``: that git makes no commit.
    """
    sign = "PRE_COMMIT_REMOTE_NAME" if stage == "pre-push" else "GIT_INDEX_FILE"
    if sign not in env:
        return "0"
    pid = os.getppid()
    try:
        while pid > 1:
            with open(f"/proc/{pid}/stat", "rb") as file:
                _, name, rest = _stat(file.read())
            fields = rest.split()
            if name == b"git" and not _runs_hook(pid):
                return f"{pid}.{int(fields[19])}"
            pid = int(fields[1])
    except (OSError, ValueError, IndexError):
        pass
    return "0"


def _runs_hook(git: int) -> bool:
    with open(f"/proc/{git}/cmdline", "rb") as file:
        return b"\0hook\0run\0" in file.read()


def _stat(line: bytes) -> tuple[bytes, bytes, bytes]:
    """proc(5): the name stands in parentheses, and may itself hold some."""
    first, last = line.index(b"("), line.rindex(b")")
    return line[:first], line[first + 1 : last], line[last + 2 :]
