"""What leaves no trace: gone before a drain looks. Each gives what would have to be on record."""

from __future__ import annotations

import sys
from collections.abc import Callable

from conftest import Repo

from mgit_hooks.record import Oid

from .scene import Scene

Sought = tuple[set[tuple[str, Oid | None]], set[Oid]]
"""(ref, new object) of movements, and commits."""
LOST: dict[str, Callable[[Scene], Sought]] = {}


def lost(name: str) -> Callable[[Callable[[Scene], Sought]], None]:
    def register(act: Callable[[Scene], Sought]) -> None:
        LOST[name] = act

    return register


def by_hand(w: Scene, message: str) -> Oid:
    """A commit on HEAD that no ref leads to."""
    return Oid(w.repo.git("commit-tree", "-p", "HEAD", "-m", message, "HEAD^{tree}"))


@lost("a branch made and deleted, and what only it led to")
def _(w: Scene) -> Sought:
    oid = by_hand(w, "only there")
    w.git("branch", "short", oid)
    w.git("branch", "-D", "short")
    return {("refs/heads/short", oid), ("refs/heads/short", None)}, {oid}


@lost("a tag made and deleted, or moved twice")
def _(w: Scene) -> Sought:
    one, two = w.head("HEAD~1"), w.head()
    w.git("tag", "short")
    w.git("tag", "-d", "short")
    w.git("tag", "-f", "moves", two)
    w.git("tag", "-f", "moves", one)
    return {("refs/tags/short", two), ("refs/tags/short", None), ("refs/tags/moves", two)}, set()


@lost("a ref outside of heads, remotes and notes that moved twice")
def _(w: Scene) -> Sought:
    first, second = by_hand(w, "first"), by_hand(w, "second")
    w.git("update-ref", "refs/custom/x", first)
    w.git("update-ref", "refs/custom/x", second)
    return {("refs/custom/x", first)}, {first}


@lost("a branch that moved twice where there are no reflogs (`core.logAllRefUpdates=false`, a bare repository)")
def _(w: Scene) -> Sought:
    w.git("config", "core.logAllRefUpdates", "false")
    first, second = by_hand(w, "first"), by_hand(w, "second")
    w.git("update-ref", "refs/heads/new", first)
    w.git("update-ref", "refs/heads/new", second)
    return {("refs/heads/new", first)}, {first}


@lost("a stash pushed and dropped or popped")
def _(w: Scene) -> Sought:
    w.write("two", "changed\n")
    w.git("stash", "push", "-q")
    oid = w.head("refs/stash")
    w.git("stash", "pop", "-q")
    w.git("checkout", "-q", "-f")
    return {("refs/stash", oid), ("refs/stash", None)}, {oid}


@lost("what a branch did before it was deleted and made again")
def _(w: Scene) -> Sought:
    oid = by_hand(w, "before")
    w.git("branch", "-f", "again", oid)
    w.git("branch", "-D", "again")
    w.git("branch", "again")
    return {("refs/heads/again", oid)}, {oid}


@lost("what stood in reflogs that were expired or deleted")
def _(w: Scene) -> Sought:
    oid = by_hand(w, "away")
    w.git("branch", "-f", "again", oid)
    w.git("branch", "-f", "again", "HEAD")
    w.git("reflog", "expire", "--expire=now", "--all")
    return {("refs/heads/again", oid)}, {oid}


@lost("a remote-tracking branch fetched and pruned")
def _(w: Scene) -> Sought:
    other = w.elsewhere()
    w.git("remote", "add", "origin", other.path)
    other.git("checkout", "-q", "-b", "side")
    oid = Oid(other.commit("side"))
    w.git("fetch", "-q")
    other.git("checkout", "-q", "main")
    other.git("branch", "-D", "side")
    w.git("fetch", "-q", "--prune")
    return {("refs/remotes/origin/side", oid), ("refs/remotes/origin/side", None)}, {oid}


@lost("where a branch went in a linked worktree that was removed, and the branch with it")
def _(w: Scene) -> Sought:
    linked = Repo(w.folder / "linked")
    oid = by_hand(w, "there")
    w.git("worktree", "add", "-q", "-b", "linked", linked.path)
    linked.git("reset", "-q", "--hard", oid)
    w.git("worktree", "remove", linked.path)
    w.git("branch", "-D", "linked")
    return {("refs/heads/linked", oid), ("refs/heads/linked", None)}, {oid}


@lost("a commit that no ref was ever set to (`commit-tree` alone)")
def _(w: Scene) -> Sought:
    return set(), {by_hand(w, "nobody's")}


@lost("the new name of a branch that was renamed and deleted")
def _(w: Scene) -> Sought:
    w.git("branch", "-m", "again", "renamed")
    w.git("branch", "-D", "renamed")
    return {("refs/heads/renamed", w.head())}, set()


@lost("where a detached HEAD went in a linked worktree that was removed, though not its commits")
def _(w: Scene) -> Sought:
    linked = Repo(w.folder / "linked")
    w.git("worktree", "add", "-q", "--detach", linked.path)
    linked.git("reset", "-q", "--hard", by_hand(w, "there"))
    gone = w.head("HEAD~1")
    linked.git("reset", "-q", "--hard", gone)
    w.git("worktree", "remove", linked.path)
    return {("HEAD", gone)}, set()


@lost("any of this under `core.hooksPath=/dev/null`")
def _(w: Scene) -> Sought:
    oid = by_hand(w, "only there")
    w.git("-c", "core.hooksPath=/dev/null", "branch", "short", oid)
    w.git("-c", "core.hooksPath=/dev/null", "branch", "-D", "short")
    return {("refs/heads/short", oid)}, {oid}


@lost("any of this by libgit2")
def _(w: Scene) -> Sought:
    oid = by_hand(w, "only there")
    script = f"""
import pygit2
repo = pygit2.Repository(".")
repo.create_branch("short", repo["{oid}"]).delete()
"""
    w.run(sys.executable, "-c", script)
    return {("refs/heads/short", oid)}, {oid}
