"""The reflogs of a repository that keeps its refs in reftables, by git's commands (git 2.45 and newer).

They are given in the form that git has for them in files, under the paths that those would have: so one reader
serves both, and a repository that goes over from one format to the other (`git refs migrate`) goes on where it was.
Git does not tell an entry's old id. It is the new id of the entry before it, as long as none was taken out between.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Final

from mgit_hooks.errors import RepositoryError
from mgit_hooks.files import exists
from mgit_hooks.git import plumbing

TABLES: Final = "reftable/tables.list"
"""Below a worktree's git directory: the file that is replaced whenever one of its refs or reflogs changes."""
_FORMAT: Final = "--format=%H%x00%gD%x00%gn%x00%ge%x00%gs"
_FIELDS: Final = 5


def is_used(common_dir: str) -> bool:
    return exists(os.path.join(common_dir, *TABLES.split("/")))


def reflogs(common_dir: str) -> dict[str, bytes]:
    """The lines of every reflog, by the path below the common directory at which its file would be.

    HEADs of all worktrees are among them, our own refs and symbolic ones are not. What git cannot walk is left out:
    the reflogs of refs to other things than commits, and entries that lead to nothing. Raises RepositoryError.
    """
    require_readable(common_dir)
    found: dict[str, list[bytes]] = {}
    before: dict[str, bytes] = {}
    for new, name, who, seconds, message in reversed(list(_entries(common_dir))):  # the oldest first
        key = f"{name.removesuffix('HEAD')}logs/HEAD" if _is_head(name) else f"logs/{name}"
        old = before.get(key, b"0" * len(new))
        found.setdefault(key, []).append(b"%s %s %s %s%s\n" % (old, new, who, seconds, message and b"\t" + message))
        before[key] = new
    if symbolic := _symbolic(common_dir):
        found = {key: lines for key, lines in found.items() if key.removeprefix("logs/") not in symbolic}
    heads = sorted(found, key=lambda key: (key != "logs/HEAD", key.startswith("logs/"), key))
    return {key: b"".join(found[key]) for key in heads if not key.startswith("logs/refs/mgit/")}


def require_readable(common_dir: str) -> None:
    """Raise RepositoryError where a table is damaged: then git lists no refs and no reflogs, and says nothing."""
    if _git(common_dir, "reflog", "list").status:
        raise RepositoryError(
            f"git cannot read the reftables of {common_dir}",
            "see what 'git reflog list' and 'git fsck' say there; it takes git 2.45 or newer",
        )


def _symbolic(common_dir: str) -> set[str]:
    """The refs that only name another one; HEADs are not listed."""
    told = _git(common_dir, "for-each-ref", "--format=%(refname) %(symref)").stdout
    listed = (os.fsdecode(line).split(" ", 1) for line in told.split(b"\n")[:-1])
    return {name for name, named in listed if named}


def last_of_head(git_dir: str) -> tuple[str, str] | None:
    """Where a worktree's HEAD went last, and why, by its reflog; ``git_dir`` is the worktree's own."""
    told = _git(git_dir, "log", "--walk-reflogs", "-1", "--no-patch", "--encoding=UTF-8", "--format=%H%x00%gs", "HEAD")
    new, _, message = os.fsdecode(told.stdout).rstrip("\n").partition("\0")
    return (new, message) if new and not told.status else None


def has_reflog(common_dir: str, ref: str) -> bool:
    return _git(common_dir, "reflog", "exists", ref).status == 0


def _is_head(name: str) -> bool:
    return name == "HEAD" or (name.startswith("worktrees/") and name.endswith("/HEAD"))


def _entries(common_dir: str) -> Iterator[tuple[bytes, str, bytes, bytes, bytes]]:
    """New id, ref, who, seconds and zone, message; each ref's newest first."""
    quiet = ("-c", "log.showSignature=false", "-c", "log.mailmap=false")
    asked = ("log", "--walk-reflogs", "--all", "-z", "--no-patch", "--date=raw", "--encoding=UTF-8", _FORMAT)
    told = _git(common_dir, *quiet, *asked)
    if told.status:
        reason = (told.stderr.strip().splitlines() or [f"git ended with status {told.status}"])[0]
        raise RepositoryError(
            f"git cannot read the reflogs: {reason.removeprefix('fatal: ')}", "see what 'git reflog list' says there"
        )
    fields = told.stdout.split(b"\0")
    for at in range(0, len(fields) - _FIELDS + 1, _FIELDS):
        new, selector, name, email, message = fields[at : at + _FIELDS]
        ref, _, when = selector.rpartition(b"@{")
        yield new, os.fsdecode(ref), b"%s <%s>" % (name, email), when.rstrip(b"}"), message


def _git(common_dir: str, *arguments: str) -> plumbing.Result:
    return plumbing.run(("--git-dir", common_dir, *arguments), env=plumbing.without_local(os.environ))
