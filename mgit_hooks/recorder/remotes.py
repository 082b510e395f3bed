"""What the configuration says of remotes, and the objects of a push: asked of git where it is wanted."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from mgit_hooks.git import plumbing, refspec
from mgit_hooks.record import Oid, Push, PushRef

NAMED: Final = 100
"""So many of the commits that a push dropped are named; the others are counted."""


class Remotes:
    """The remotes of one repository. ``is_ancestor`` as the capturer's: None where objects are not here to tell.

    ``environment`` is what git is run in: for a hook, its own, which leads to what is in quarantine.
    """

    def __init__(
        self,
        git_dir: str,
        is_ancestor: Callable[[Oid, Oid], bool | None],
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._git_dir = git_dir
        self._env = plumbing.without_local(os.environ) if environment is None else environment
        self._is_ancestor = is_ancestor
        self._refspecs: dict[str, list[str]] | None = None

    def tracking(self, remote: str, ref: str) -> str | None:
        """The remote-tracking ref that a push to ``ref`` of ``remote`` moves; None where there is none."""
        found = refspec.tracking(self._of(remote), ref)
        return None if found is None or found.startswith("refs/mgit/") else found

    def is_forced(self, ref: str, old: Oid | None, new: Oid | None) -> bool | None:
        if old is None or new is None or old == new:
            return False
        if ref.startswith("refs/tags/"):
            return True  # git moves no tag without being forced (builtin/send-pack.c, remote.c)
        ancestor = self._is_ancestor(old, new)
        return None if ancestor is None else not ancestor

    def with_dropped(self, push: Push, *, here: bool = False) -> Push:
        """``push`` with what each forced or deleted ref dropped.

        Of a deleted ref that is what no other of the remote's refs leads to, as far as those are known here.
        ``here``: the push came to this repository.
        """
        return push._replace(refs=tuple(self._with_dropped(push, ref, here) for ref in push.refs))

    def _with_dropped(self, push: Push, ref: PushRef, here: bool) -> PushRef:
        old, new = ref.remote_oid, ref.local_oid
        if old is None or not (ref.forced or ref.deleted) or self._is_ancestor(old, old) is None:
            return ref
        if new is not None:
            kept = ["--not", new]
        elif here:
            kept = ["--not", f"--exclude={ref.remote_ref}", "--all"]
        else:
            gone = [self.tracking(push.remote_name, other.remote_ref) for other in push.refs if other.deleted]
            without = [f"--exclude={name}" for name in gone if name]
            kept = ["--not"]
            for pattern in refspec.target_patterns(self._of(push.remote_name)):
                kept += [*without, f"--glob={pattern}"]  # what is excluded counts for one pattern only
        counted = self._git("rev-list", "--count", old, *kept)
        listed = self._git("rev-list", f"--max-count={NAMED}", old, *kept)
        if counted is None or listed is None:
            return ref
        return ref._replace(dropped=tuple(map(Oid, listed.split())), dropped_count=int(counted))

    def _of(self, remote: str) -> Sequence[str]:
        if self._refspecs is None:
            self._refspecs = {}
            told = self._git("config", "-z", "--get-regexp", r"^remote\..*\.fetch$") or ""
            for entry in filter(None, told.split("\0")):
                key, _, value = entry.partition("\n")
                self._refspecs.setdefault(key[len("remote.") : -len(".fetch")], []).append(value)
        return self._refspecs.get(remote, ())

    def _git(self, *arguments: str) -> str | None:
        done = plumbing.run((f"--git-dir={self._git_dir}", *arguments), env=self._env)
        return None if done.status else os.fsdecode(done.stdout)
