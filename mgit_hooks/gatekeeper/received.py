"""What a push to this repository would bring, as pre-receive is told: its refs, and each commit that is new here.

The commits are in git's quarantine (git-receive-pack(1)): the environment of the hook leads there, and nothing else
does. They are read by git's own commands, which take that environment as it is.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from mgit_hooks.errors import ObjectError, UsageError
from mgit_hooks.gatekeeper.candidate import LATER, Candidate, envelope
from mgit_hooks.git import plumbing
from mgit_hooks.judging.rules import Rule, applies
from mgit_hooks.layout import Location
from mgit_hooks.record import Commit, Oid
from mgit_hooks.recorder import receiving
from mgit_hooks.recorder.event import PushLine, received
from mgit_hooks.recorder.remotes import Remotes

STAGE: Final = "pre-receive"
# What made a commit that comes by a push is not known: a rule for any of these is a rule for it.
MADE: Final = ("commit", "amend", "rebase", "cherry-pick", "revert", "am", "import")
MERGED: Final = ("merge", "rebase", "import")
_UNKNOWN: Final = (LATER | {"/branch"}) - {"/commit/hash", "/commit/committer_date"}
_QUARANTINE: Final = ("GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES")


def lines(stdin: bytes) -> tuple[PushLine, ...]:
    """Raises UsageError where ``stdin`` is not what git gives pre-receive."""
    try:
        return received(os.fsdecode(stdin))
    except ValueError:
        raise UsageError("pre-receive: the standard input is not git's", "run it from git receive-pack") from None


def candidates(
    pushed: Sequence[PushLine], location: Location, rules: Iterable[Rule], *, all_commits: bool
) -> Iterator[Candidate]:
    """The push itself, then the commits that it brings, oldest first.

    ``all_commits``: though no rule asks for them. Raises ObjectError where git cannot read what was pushed.
    """
    refs = [line for line in pushed if not line.remote_ref.startswith("refs/mgit/")]
    yield _push(refs, location)
    asked = all_commits or any(applies(rule, event) for rule in rules for event in (*MADE, "merge"))
    oids = _new_commits(refs) if asked else []
    if not oids:
        return
    from mgit_hooks.capture.capturer import Capturer
    from mgit_hooks.git.twin import Twin

    for commit in Capturer(location.common_dir, lambda git_dir: Twin(git_dir, objects=quarantine())).commits(oids):
        yield of_commit(commit, location)


def quarantine() -> dict[str, str]:
    """Where a push's objects lie until it is taken, as the environment of its hooks says; empty outside of them."""
    return {name: os.environ[name] for name in _QUARANTINE if name in os.environ}


def _push(pushed: Sequence[PushLine], location: Location) -> Candidate:
    remotes = Remotes(location.common_dir, _is_ancestor, os.environ)
    told = receiving.asked(pushed, remotes)
    unknown = {f"/push/refs/{number}/confirmed" for number in range(len(pushed))}
    value = envelope("push", location, None, push=told.to_json())
    return Candidate(STAGE, ("push",), value, LATER | unknown, location.worktree, None)


def of_commit(commit: Commit, location: Location, stage: str = STAGE) -> Candidate:
    """A commit that is there, and of which nothing tells how it came to be, or on which branch."""
    events = MERGED if len(commit.parents) > 1 else MADE
    value = envelope(events[0], location, None, commit=commit.to_json(), replaces=None)
    return Candidate(stage, events, value, _UNKNOWN | _missing(commit), location.worktree, None)


def _missing(commit: Commit) -> frozenset[str]:
    """What the objects that are not here (a partial or shallow clone) would have told."""
    if commit.files is None:
        return frozenset(("/commit/files",))
    if commit.missing is None:
        return frozenset()
    return frozenset(
        f"/commit/files/{number}/{name}"
        for number, change in enumerate(commit.files)
        for name in ("size_bytes", "additions", "deletions", "binary")
        if getattr(change, name) is None
    )


def _new_commits(pushed: Sequence[PushLine]) -> list[Oid]:
    tips = [line.local_oid for line in pushed if line.local_oid is not None]
    if not tips:
        return []
    # A tag of something else than a commit brings none, and is no fault.
    asked = "".join(f"{oid}^{{commit}}\n" for oid in dict.fromkeys(tips)).encode("ascii")
    told = plumbing.run(("cat-file", "--batch-check=%(objectname) %(objecttype)"), stdin=asked)
    commits = [line.split()[0] for line in told.stdout.decode().splitlines() if line.endswith(" commit")]
    if not commits:
        return []
    words = "".join(f"{oid}\n" for oid in commits).encode("ascii")
    listed = plumbing.run(("rev-list", "--reverse", "--topo-order", "--stdin", "--not", "--all"), stdin=words)
    if listed.status:
        said = (listed.stderr.strip().splitlines() or ["git rev-list failed"])[0]
        raise ObjectError(f"what was pushed cannot be read: {said}", "push again; see what 'git fsck' says there")
    return [Oid(line) for line in listed.stdout.decode("ascii").split()]


def _is_ancestor(old: Oid, new: Oid) -> bool | None:
    return {0: True, 1: False}.get(plumbing.run(("merge-base", "--is-ancestor", old, new)).status)
