"""Pushes with the real git: each is on record as attempted, with what came of every ref and what it dropped."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from conftest import Repo
from pushes import DYING, SSH, hook, outcomes, script, second_clone
from recording import Recording

MAIN, OTHER = "refs/heads/main", "refs/heads/other"


class World(NamedTuple):
    work: Recording
    bare: Repo
    folder: Path

    def theirs(self) -> None:
        """Somebody else pushes to main."""
        other = second_clone(self.bare, self.folder / f"other{len(list(self.folder.iterdir()))}")
        other.commit("theirs", {"theirs": other.path})
        other.git("push", "-q", "origin", "main")

    def diverged(self) -> None:
        """main here lacks a commit that the remote has, as is known here."""
        self.work.git("push", "-q", "origin", "main")
        self.work.git("commit", "-q", "--amend", "-m", "another")


@pytest.fixture(params=["each", "once"])
def world(request: pytest.FixtureRequest, repo: Repo, bare: Repo, tmp_path: Path) -> World:
    work = Recording(repo, every=request.param == "each")
    work.git("remote", "add", "origin", bare.path)
    work.commit("one")
    return World(work, bare, tmp_path)


# What is done, and what must then be on record of each push: remote ref → confirmed


def new_branch(w: World) -> None:
    w.work.git("push", "-q", "origin", "main")


def update(w: World) -> None:
    new_branch(w)
    w.work.commit("two")
    w.work.git("push", "-q", "origin", "main")


def up_to_date(w: World) -> None:
    new_branch(w)
    w.work.git("push", "-q", "origin", "main")


def force(w: World) -> None:
    w.diverged()
    w.work.git("push", "-q", "--force", "origin", "main")


def lease_fresh(w: World) -> None:
    w.diverged()
    w.work.git("push", "-q", "--force-with-lease", "origin", "main")


def lease_stale(w: World) -> None:
    w.diverged()
    w.theirs()
    w.work.fails("push", "-q", "--force-with-lease", "origin", "main")


def not_forced(w: World) -> None:
    w.diverged()
    w.work.fails("push", "-q", "origin", "main")


def delete(w: World) -> None:
    w.work.git("push", "-q", "origin", "main", "main:other")
    w.work.git("push", "-q", "origin", ":other")


def delete_refused(w: World) -> None:
    w.work.git("push", "-q", "origin", "main", "main:other")
    w.bare.git("config", "receive.denyDeletes", "true")
    w.work.fails("push", "-q", "origin", ":other")


def one_declined(w: World) -> None:
    new_branch(w)
    w.work.commit("two")
    hook(w.bare, "update", '[ "$1" != refs/heads/main ]')
    w.work.fails("push", "-q", "origin", "main", "main:other")


def all_declined(w: World) -> None:
    hook(w.bare, "pre-receive", "exit 1")
    w.work.fails("push", "-q", "origin", "main", "main:other")


def atomic(w: World) -> None:
    hook(w.bare, "update", '[ "$1" != refs/heads/main ]')
    w.work.fails("push", "-q", "--atomic", "origin", "main", "main:other")


def dry_run(w: World) -> None:
    w.work.git("push", "-q", "--dry-run", "origin", "main")


def all_branches(w: World) -> None:
    w.work.git("branch", "other")
    w.work.git("push", "-q", "--all", "origin")


def tags(w: World) -> None:
    w.work.git("tag", "light")
    w.work.git("tag", "-a", "-m", "a", "full")
    w.work.git("push", "-q", "--tags", "origin")


def follow_tags(w: World) -> None:
    w.work.git("tag", "-a", "-m", "a", "full")
    w.work.git("push", "-q", "--follow-tags", "origin", "main")


def mirror(w: World) -> None:
    w.work.git("tag", "light")
    w.work.git("push", "-q", "origin", "main:gone")
    w.work.git("update-ref", "-d", "refs/remotes/origin/gone")
    w.work.git("push", "-q", "--mirror", "origin")


def prune(w: World) -> None:
    w.work.git("push", "-q", "origin", "main", "main:other")
    w.work.git("push", "-q", "--prune", "origin", "refs/heads/*:refs/heads/*")


def to_a_url(w: World) -> None:
    w.work.git("push", "-q", w.bare.path, "main")


def mapped_elsewhere(w: World) -> None:
    w.work.git("config", "remote.origin.fetch", "+refs/heads/*:refs/theirs/x/*")
    w.work.git("push", "-q", "origin", "main:other")


def without_refspec(w: World) -> None:
    w.work.git("config", "--unset-all", "remote.origin.fetch")
    w.work.git("push", "-q", "origin", "main")


def several_urls(w: World) -> None:
    second = Repo(w.folder / "second.git")
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", second.path], check=True)
    w.work.git("remote", "set-url", "--add", "--push", "origin", w.bare.path)
    w.work.git("remote", "set-url", "--add", "--push", "origin", second.path)
    w.work.git("push", "-q", "origin", "main")


def several_urls_refused(w: World) -> None:
    for _ in range(2):
        w.work.git("remote", "set-url", "--add", "--push", "origin", w.bare.path)
    hook(w.bare, "pre-receive", "exit 1")
    w.work.fails("push", "-q", "origin", "main")


def triangular(w: World) -> None:
    mine = Repo(w.folder / "mine.git")
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", mine.path], check=True)
    w.work.git("remote", "add", "mine", mine.path)
    w.work.git("config", "branch.main.pushRemote", "mine")
    w.work.git("push", "-q")
    assert w.work.git("rev-parse", "refs/remotes/mine/main") == w.work.head()


def network_dies(w: World) -> None:
    ssh = script(w.folder / "ssh", DYING)
    w.work.git("remote", "set-url", "origin", "host:x")
    w.work.fails("push", "-q", "origin", "main", GIT_SSH_COMMAND=ssh)


def network_dies_after_refs(w: World) -> None:
    """The other side shows its refs, takes nothing and goes."""
    cut = script(w.folder / "ssh", '#!/bin/sh\nfor last; do :; done\nsh -c "$last" </dev/null\nexit 255\n')
    w.work.git("remote", "set-url", "origin", f"host:{w.bare.path}")
    w.work.fails("push", "-q", "origin", "main", GIT_SSH_COMMAND=cut)


def over_ssh(w: World) -> None:
    w.work.git("remote", "set-url", "origin", f"host:{w.bare.path}")
    w.work.git("push", "-q", "origin", "main", GIT_SSH_COMMAND=script(w.folder / "ssh", SSH))


def over_file(w: World) -> None:
    w.work.git("remote", "set-url", "origin", f"file://{w.bare.path}")
    w.work.git("push", "-q", "origin", "main")


def from_a_worktree(w: World) -> None:
    w.work.git("worktree", "add", "-q", "-b", "side", str(w.folder / "side"))
    w.work.git("-C", str(w.folder / "side"), "push", "-q", "origin", "side:other")


def detached(w: World) -> None:
    w.work.git("checkout", "-q", "--detach")
    w.work.git("push", "-q", "origin", "HEAD:refs/heads/other")


def chained_hook_refuses(w: World) -> None:
    script(Path(w.work.path, ".git/hooks/pre-push.mgit-chained"), "#!/bin/sh\nexit 1\n")
    w.work.fails("push", "-q", "origin", "main")


def already_there(w: World) -> None:
    """The remote was set back, as is not known here: where the ref here stands tells nothing."""
    update(w)
    w.bare.git("update-ref", "refs/heads/main", "main~1")
    w.work.git("push", "-q", "origin", "main")


def tag_moved(w: World) -> None:
    w.work.git("tag", "-a", "-m", "a", "v1")
    w.work.git("push", "-q", "origin", "v1")
    w.work.commit("two")
    w.work.git("tag", "-f", "-a", "-m", "b", "v1")
    w.work.git("push", "-q", "--force", "origin", "v1")


def deleted_and_made_again(w: World) -> None:
    delete(w)
    w.work.git("push", "-q", "origin", "main:other")


YES, NO, UNKNOWN = True, False, None
CASES: list[tuple[Callable[[World], None], list[dict[str, bool | None]]]] = [
    (new_branch, [{MAIN: YES}]),
    (update, [{MAIN: YES}, {MAIN: YES}]),
    (up_to_date, [{MAIN: YES}, {}]),
    (force, [{MAIN: YES}, {MAIN: YES}]),
    (lease_fresh, [{MAIN: YES}, {MAIN: YES}]),
    (lease_stale, [{MAIN: YES}, {}]),
    (not_forced, [{MAIN: YES}, {}]),
    (delete, [{MAIN: YES, OTHER: YES}, {OTHER: YES}]),
    (delete_refused, [{MAIN: YES, OTHER: YES}, {OTHER: NO}]),
    (one_declined, [{MAIN: YES}, {MAIN: NO, OTHER: YES}]),
    (all_declined, [{MAIN: NO, OTHER: NO}]),
    (atomic, [{MAIN: NO, OTHER: NO}]),
    (dry_run, [{MAIN: NO}]),
    (all_branches, [{MAIN: YES, OTHER: YES}]),
    (tags, [{"refs/tags/light": UNKNOWN, "refs/tags/full": UNKNOWN}]),
    (follow_tags, [{MAIN: YES, "refs/tags/full": UNKNOWN}]),
    (
        mirror,
        [
            {"refs/heads/gone": YES},
            {MAIN: YES, "refs/tags/light": UNKNOWN},  # of what --mirror deletes, git tells no hook
        ],
    ),
    (prune, [{MAIN: YES, OTHER: YES}, {OTHER: YES}]),
    (to_a_url, [{MAIN: UNKNOWN}]),
    (mapped_elsewhere, [{OTHER: YES}]),
    (without_refspec, [{MAIN: UNKNOWN}]),
    (several_urls, [{MAIN: UNKNOWN}, {MAIN: UNKNOWN}]),
    (several_urls_refused, [{MAIN: NO}, {MAIN: NO}]),
    (triangular, [{MAIN: YES}]),
    (network_dies, []),
    (network_dies_after_refs, [{MAIN: NO}]),
    (over_ssh, [{MAIN: YES}]),
    (over_file, [{MAIN: YES}]),
    (from_a_worktree, [{OTHER: YES}]),
    (detached, [{OTHER: YES}]),
    (chained_hook_refuses, [{MAIN: NO}]),
    (already_there, [{MAIN: YES}, {MAIN: YES}, {MAIN: UNKNOWN}]),
    (tag_moved, [{"refs/tags/v1": UNKNOWN}, {"refs/tags/v1": UNKNOWN}]),
    (deleted_and_made_again, [{MAIN: YES, OTHER: YES}, {OTHER: YES}, {OTHER: YES}]),
]
# Where nothing is drained in between, less is known: what came and went left no trace, and of two pushes that look
# alike nothing tells which one it was.
AT_ONCE: dict[Callable[[World], None], list[dict[str, bool | None]]] = {
    delete: [{MAIN: YES, OTHER: UNKNOWN}, {OTHER: UNKNOWN}],
    prune: [{MAIN: YES, OTHER: UNKNOWN}, {OTHER: UNKNOWN}],
    delete_refused: [{MAIN: YES, OTHER: YES}, {OTHER: UNKNOWN}],
    deleted_and_made_again: [{MAIN: YES, OTHER: UNKNOWN}, {OTHER: UNKNOWN}, {OTHER: UNKNOWN}],
    mirror: [{"refs/heads/gone": UNKNOWN}, {MAIN: YES, "refs/tags/light": UNKNOWN}],
    already_there: [{MAIN: YES}, {MAIN: UNKNOWN}, {MAIN: UNKNOWN}],
}


@pytest.mark.parametrize(("push", "expected"), CASES, ids=[case[0].__name__ for case in CASES])
def test_what_came_of_a_push(
    world: World, push: Callable[[World], None], expected: list[dict[str, bool | None]]
) -> None:
    push(world)
    found = outcomes(world.work)
    own = [{ref: said for ref, said in refs.items() if not ref.startswith("refs/remotes/")} for refs in found]
    assert own == (expected if world.work.every else AT_ONCE.get(push, expected))
    world.work.check()
    assert outcomes(world.work) == found
