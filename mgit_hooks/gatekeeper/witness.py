"""What our own stubs say, said in their place where a hook manager runs us: what git process made a commit, or pushes.

By it alone does a commit, or a push, find the verdict that its gate gave. Only where the system shows that process, and
which hook the manager serves (Linux). Elsewhere they stay ``unobserved``, which is true.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress

from mgit_hooks import files
from mgit_hooks.errors import MgitError
from mgit_hooks.framework import configfile
from mgit_hooks.gatekeeper import staged
from mgit_hooks.gatekeeper.managed import NO_PROCESS, Behind, Told, hook_behind
from mgit_hooks.installer import hookfiles, stubs
from mgit_hooks.judging import gateflag
from mgit_hooks.layout import Location, make_private_dir
from mgit_hooks.recorder import event, spool
from mgit_hooks.recorder.event import HookEvent, PushLine

_GATE = "mgit-commit-msg"


def testify(location: Location, env: Mapping[str, str]) -> None:
    """Append to the spool what post-commit or post-merge is to say, if it is one of these that we run in.

    Whatever fails here keeps nobody from recording: the commit is then without its verdict.
    """
    behind = hook_behind()
    if behind is not None and behind.hook in ("post-commit", "post-merge"):
        with suppress(OSError, MgitError):
            _testify(location, behind, env)


def _testify(location: Location, behind: Behind, env: Mapping[str, str]) -> None:
    directory = hookfiles.hooks_dir(location)
    doing = _doing(behind, location, env)
    if doing is None or hookfiles.inspect(directory, behind.hook).runs:
        return  # our stub is there too, and speaks for itself
    make_private_dir(location.mgit_dir)
    flag = gateflag.read(location)
    said = "u" if flag is None or not flag.fresh else "a" if flag.armed else "o"
    fields: tuple[str, ...] = (doing,)
    if doing in ("own", "merge"):
        if not _gated(location, directory):
            fields = ("ungated",)
        elif said != "o" and _GATE in (name.strip() for name in env.get("SKIP", "").split(",")):
            _say(location, behind, "skip", said, ("commit-msg", env.get("MGIT_SKIP_REASON") or f"SKIP={_GATE}"))
    if behind.hook == "post-merge":
        fields = (behind.arguments[0] if behind.arguments else "0", *fields)
    _say(location, behind, behind.hook, said, fields)


def attempt(location: Location, git: str, told: Told, flag: str) -> None:
    """Append to the spool that ``git`` is about to push what a manager ``told`` of, before it is judged. Where our stub
    is there as well, it has said so, and of all refs."""
    if git == NO_PROCESS or told.by_hand or not told.pushes:
        return
    if hookfiles.inspect(hookfiles.hooks_dir(location), "pre-push").runs:
        return
    from mgit_hooks.credentials import strip

    stdin = "".join(
        f"{line.local_ref or line.local_oid} {line.local_oid} {line.remote_ref} {line.remote_oid or _none(line)}\n"
        for line in told.pushes
    )
    remote, url = map(strip, told.arguments)
    said = _line(location, Behind(git, "pre-push", ()), "pre-push", flag, (remote, url, stdin))
    with suppress(OSError, MgitError):
        make_private_dir(location.mgit_dir)
        # A manager with several projects has each say so. Without a time of its start it may be another process.
        if said.started is None or not spool.holds(location.spool_dir, said):
            spool.append(location.spool_dir, said, sync=False)


def _none(line: PushLine) -> str:
    return "0" * len(line.local_oid or "")


def _say(location: Location, behind: Behind, hook: str, flag: str, fields: tuple[str, ...]) -> None:
    spool.append(location.spool_dir, _line(location, behind, hook, flag, fields), sync=False)


def _line(location: Location, behind: Behind, hook: str, flag: str, fields: tuple[str, ...]) -> HookEvent:
    pid, started = event.process(behind.git)
    return HookEvent(hook, pid, flag, location.worktree, staged.head(location).oid, fields, started)


def _doing(behind: Behind, location: Location, env: Mapping[str, str]) -> str | None:
    """As hooks/post-commit.sh and hooks/post-merge.sh tell it by git's state files; None where they leave it open."""

    def lies(name: str) -> bool:
        return files.lexists(os.path.join(location.git_dir, name))

    if behind.hook == "post-merge":
        return "merge" if lies("MERGE_HEAD") else "ff"
    if lies("rebase-merge") or lies("rebase-apply"):
        return None
    if lies("MERGE_MSG"):
        return "pick"
    return None if env.get("GIT_REFLOG_ACTION") else "own"


def _gated(location: Location, directory: str) -> bool:
    """Whether the manager was to run our commit-msg: else no verdict was to be had, and nobody went round one."""
    path = os.path.join(directory, "commit-msg")
    stands = hookfiles.is_framework(path) or hookfiles.is_framework(path + stubs.CHAINED)
    return stands and configfile.names(location, _GATE)
