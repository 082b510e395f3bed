"""What hook managers tell a hook, in place of what git would: a push, a range of commits, the git process behind them.

pre-commit's ``commands/hook_impl.py`` and ``commands/run.py`` set the variables, and prek's ``cli/hook_impl.rs`` and
``cli/run/run.rs``. Of a push both show one ref, and none that is deleted.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from mgit_hooks import files
from mgit_hooks.errors import UsageError
from mgit_hooks.gatekeeper import staged
from mgit_hooks.gatekeeper.candidate import COMMIT_STAGES
from mgit_hooks.git import plumbing
from mgit_hooks.layout import Location
from mgit_hooks.record import Oid
from mgit_hooks.recorder.event import PushLine

_UNDER_COMMIT: Final = "GIT_INDEX_FILE"
"""git sets it for the hooks of a commit. A manager that somebody runs by hand has none; each sets ``PRE_COMMIT``."""
_NO_REMOTE: Final = frozenset(
    ("/push/remote_name", "/push/remote_url", "/push/refs/0/local_ref", "/push/refs/0/remote_ref")
)


NO_PROCESS: Final = "0"
"""In place of a process's id: no hook of git's runs under it."""


class Told(NamedTuple):
    """``by_hand``: somebody asks about what is there. Nothing waits for the answer, and it is nobody's verdict."""

    arguments: tuple[str, ...] = ()
    pushes: tuple[PushLine, ...] | None = None
    commits: tuple[Oid, ...] | None = None
    unknown: frozenset[str] = frozenset()
    by_hand: bool = False

    @property
    def is_question(self) -> bool:
        """Whether it is about a push that is not being made, or about commits that are there already."""
        return self.by_hand and (self.pushes is not None or self.commits is not None)


def told(stage: str, git: str, arguments: Sequence[str], env: Mapping[str, str], location: Location) -> Told:
    """What ``stage`` is to judge; ``git`` is the process that runs the hook. Raises UsageError where a ref that the
    manager names is none."""
    if stage not in COMMIT_STAGES:
        return _push(env) or Told(tuple(arguments))
    by_hand = "PRE_COMMIT" in env and _UNDER_COMMIT not in env and git == NO_PROCESS
    if stage == "commit-msg":
        return Told(tuple(arguments) or (_message_file(location, by_hand),), by_hand=by_hand)
    ends = env.get("PRE_COMMIT_FROM_REF"), env.get("PRE_COMMIT_TO_REF")
    if by_hand and ends[0] and ends[1]:
        return Told(commits=_between(ends[0], ends[1]), by_hand=True)
    return Told(tuple(arguments), by_hand=by_hand)


def _push(env: Mapping[str, str]) -> Told | None:
    """None where the manager tells of no push at all: it was run by another program than git, or of another kind.

    ``PRE_COMMIT_FROM_REF`` is what the remote has, if that is here (prek: if it is an ancestor, too); else, for a new
    branch, an ancestor of what is pushed, which says nothing of the remote. Of a history that is pushed with its root
    pre-commit names no ends at all, and prek only the newer.
    """
    if "PRE_COMMIT" not in env and "PRE_COMMIT_TO_REF" not in env:
        return None
    remote, remote_ref = env.get("PRE_COMMIT_REMOTE_NAME"), env.get("PRE_COMMIT_REMOTE_BRANCH")
    local_ref = env.get("PRE_COMMIT_LOCAL_BRANCH")
    new = _oid(env.get("PRE_COMMIT_TO_REF")) or _oid(local_ref)
    old = _oid(env.get("PRE_COMMIT_FROM_REF"))
    if new is None:
        return Told(("", ""), (), by_hand=True)
    if remote is None or remote_ref is None:
        return Told(("", ""), (PushLine(local_ref, new, "", old),), unknown=_NO_REMOTE, by_hand=True)
    tracked = _tracked(remote, remote_ref)
    if old != tracked and (old is None or staged.is_ancestor(old, new)):
        # Null but where the push would drop what was there when this repository last looked.
        old = None if tracked is None or staged.is_ancestor(tracked, new) is not False else tracked
    line = PushLine(local_ref, new, remote_ref, old)
    return Told((remote, env.get("PRE_COMMIT_REMOTE_URL", "")), (line,))


def _oid(expression: str | None, kind: str = "") -> Oid | None:
    if not expression:
        return None
    result = plumbing.run(("rev-parse", "-q", "--verify", "--end-of-options", expression + kind))
    return Oid(result.stdout.decode("ascii").strip()) if result.status == 0 else None


def _tracked(remote: str, remote_ref: str) -> Oid | None:
    """What is known here of the remote's branch, by the usual layout of remote-tracking refs."""
    return _oid(f"refs/remotes/{remote}/{remote_ref.removeprefix('refs/heads/')}")


def _between(old: str, new: str) -> tuple[Oid, ...]:
    """The commits that ``new`` leads to and ``old`` does not, oldest first: as ``check OLD..NEW`` takes them."""
    ends = []
    for expression in (new, old):
        found = _oid(expression, "^{commit}")
        if found is None:
            raise UsageError(f"git knows no commit '{expression}'", "name what is here: git fetch gets the rest")
        ends.append(found)
    listed = plumbing.run(("rev-list", "--reverse", "--topo-order", ends[0], f"^{ends[1]}"))
    if listed.status:
        raise UsageError(listed.stderr.strip() or "git rev-list failed", "see what 'git fsck' says")
    return tuple(map(Oid, listed.stdout.decode("ascii").split()))


def _message_file(location: Location, by_hand: bool) -> str:
    """The message's file, where ``files`` or ``exclude`` in the manager's configuration kept its name from us: by the
    manager's own command line, or else the one that git has just written. Raises UsageError."""
    for each in _above_us():
        given = _served(each.words, "commit-msg") or _option(each.words, "--commit-msg-filename")
        if given:
            return os.path.join(location.root or location.git_dir, given[0])
    written: dict[int, str] = {}
    for name in () if by_hand else ("COMMIT_EDITMSG", "MERGE_MSG"):
        path = os.path.join(location.git_dir, name)
        found = files.status(path)
        if found is not None:
            written[found.st_mtime_ns] = path
    if not written:
        raise UsageError(
            "commit-msg was given no file with the message",
            "'files' and 'exclude' of the manager's configuration may not keep it from us: it is .git/COMMIT_EDITMSG",
        )
    return written[max(written)]


def git_process(stage: str, env: Mapping[str, str]) -> str:
    """The git that runs the manager that runs us, as PID.STARTED; NO_PROCESS where none is seen.

    Only inside a hook: a manager started by hand may stand below some other git (``rebase --exec``). A manager may
    have come to us by ``git hook run``: that git makes no commit.
    """
    sign = "PRE_COMMIT_REMOTE_NAME" if stage == "pre-push" else _UNDER_COMMIT
    if sign not in env:
        return NO_PROCESS
    return next((each.git for each in _above_us() if each.git is not None), NO_PROCESS)


class Behind(NamedTuple):
    """A hook of git's that a manager runs for it, and runs us from."""

    git: str  # PID.STARTED
    hook: str
    arguments: tuple[str, ...]


class _Process(NamedTuple):
    words: list[str]  # of its command line
    git: str | None  # PID.STARTED, where it is a git that makes something


def hook_behind() -> Behind | None:
    """By the manager's command line: ``... hook-impl --hook-type=HOOK ... -- ARGUMENTS``. None where the system shows
    none (it has no /proc), and where a manager was started by hand."""
    served = None
    for each in _above_us():
        if each.git is not None:
            return None if served is None else Behind(each.git, *served)
        hook = _option(each.words, "--hook-type")
        if served is None and hook:
            served = hook[0], tuple(_served(each.words, hook[0]))
    return None


def is_judged_by_stub(stage: str, location: Location) -> bool:
    """Whether a stub of ours has judged before the manager came to us: as the hook that the manager found in its place,
    and runs first, or by the configuration of git. A stub that stands before the manager judges after it."""
    from mgit_hooks.installer import confighooks, hookfiles

    behind = hook_behind()
    hook = stage if behind is None else behind.hook
    found = hookfiles.inspect(hookfiles.hooks_dir(location), hook)
    if found.state == "wrapped" and found.runs:
        return True
    return confighooks.name_of(hook) in confighooks.would_run(location.root or location.git_dir, hook)


def _served(words: list[str], hook: str) -> list[str]:
    """What git gave the hook, where this is a manager that serves ``hook``."""
    if "hook-impl" not in words or _option(words, "--hook-type") != [hook] or "--" not in words:
        return []
    return words[words.index("--") + 1 :]


def _option(words: list[str], name: str) -> list[str]:
    """Its value in a command line, alone in a list; none where it is not there."""
    for word, following in zip(words, [*words[1:], ""], strict=True):
        if word == name:
            return [following]
        if word.startswith(f"{name}="):
            return [word.partition("=")[2]]
    return []


def _above_us() -> Iterator[_Process]:
    """What has started us, nearest first."""
    pid = os.getppid()
    try:
        while pid > 1:
            with open(f"/proc/{pid}/stat", "rb") as file:
                _, name, rest = _stat(file.read())
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                words = os.fsdecode(file.read()).split("\0")[:-1]
            fields = rest.split()
            is_git = name == b"git" and not _runs_hook(words)
            yield _Process(words, f"{pid}.{int(fields[19])}" if is_git else None)
            pid = int(fields[1])
    except (OSError, ValueError, IndexError):
        return


def _runs_hook(words: list[str]) -> bool:
    return any(words[at : at + 2] == ["hook", "run"] for at in range(1, len(words)))


def _stat(line: bytes) -> tuple[bytes, bytes, bytes]:
    """proc(5): the name stands in parentheses, and may itself hold some."""
    first, last = line.index(b"("), line.rindex(b")")
    return line[:first], line[first + 1 : last], line[last + 2 :]
