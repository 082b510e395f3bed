"""Pushes with the real git: each is on record as attempted, with what came of every ref and what it dropped."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from conftest import Repo
from pushes import DYING, SSH, hook, outcomes, script, second_clone, told
from recording import Recording, wait_until

from mgit_hooks.judging import gateflag
from mgit_hooks.record import Push, PushRef
from mgit_hooks.recorder import outcomes as outcomes_module
from mgit_hooks.recorder import pushing

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


def came_and_went(w: World) -> None:
    """What another commit is pushed to later."""
    w.work.git("push", "-q", "origin", "main:other")
    w.work.git("push", "-q", "origin", ":other")
    w.work.commit("two")
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
    (came_and_went, [{OTHER: YES}, {OTHER: YES}, {OTHER: YES}]),
]
# Where nothing is drained in between, less is known: what came and went left no trace, and of two pushes that look
# alike nothing tells which one it was.
AT_ONCE: dict[Callable[[World], None], list[dict[str, bool | None]]] = {
    delete: [{MAIN: YES, OTHER: UNKNOWN}, {OTHER: UNKNOWN}],
    prune: [{MAIN: YES, OTHER: UNKNOWN}, {OTHER: UNKNOWN}],
    delete_refused: [{MAIN: YES, OTHER: YES}, {OTHER: UNKNOWN}],
    deleted_and_made_again: [{MAIN: YES, OTHER: UNKNOWN}, {OTHER: UNKNOWN}, {OTHER: UNKNOWN}],
    mirror: [{"refs/heads/gone": UNKNOWN}, {MAIN: YES, "refs/tags/light": UNKNOWN}],
    came_and_went: [{OTHER: UNKNOWN}, {OTHER: UNKNOWN}, {OTHER: YES}],
    already_there: [{MAIN: YES}, {MAIN: UNKNOWN}, {MAIN: UNKNOWN}],
}


@pytest.mark.parametrize(("push", "expected"), CASES, ids=[case[0].__name__ for case in CASES])
def test_what_came_of_a_push(
    world: World, push: Callable[[World], None], expected: list[dict[str, bool | None]]
) -> None:
    push(world)
    found = outcomes(world.work)
    assert own(found) == (expected if world.work.every else AT_ONCE.get(push, expected))
    world.work.check()
    assert outcomes(world.work) == found


def own(found: list[dict[str, bool | None]]) -> list[dict[str, bool | None]]:
    """Less what --mirror pushes besides."""
    return [{ref: said for ref, said in each.items() if not ref.startswith("refs/remotes/")} for each in found]


# Told when git has ended, and not before


def test_nothing_is_said_while_git_runs(world: World) -> None:
    """The remote takes its time: the attempt is on record at once, what came of it when git has ended."""
    gate, work = world.folder / "go", world.work
    known_to_be_open(work)
    hook(world.bare, "post-receive", f"while [ ! -e {gate} ]; do sleep 0.05; done")
    running = subprocess.Popen(["git", "-C", work.path, "push", "-q", "origin", "main"], start_new_session=True)
    wait_until(lambda: world.bare.run("rev-parse", "-q", "--verify", "main", check=False).returncode == 0)
    assert outcomes(work) == [{MAIN: None}]
    assert work.records("push-outcome") == []
    gate.touch()
    assert running.wait() == 0
    assert outcomes(work) == [{MAIN: True}]
    work.check()


def test_a_ref_that_moved_before_git_had_ended(world: World) -> None:
    """An alias pushes to two remotes, one after the other, and the second one is slow."""
    work = world.work
    second = Repo(world.folder / "second.git")
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", second.path], check=True)
    gate = world.folder / "go"
    hook(second, "pre-receive", f"cat >/dev/null; while [ ! -e {gate} ]; do sleep 0.05; done")
    work.git("remote", "add", "slow", second.path)
    running = subprocess.Popen(
        ["git", "-C", work.path, "-c", "alias.both=!git push -q origin main && git push -q slow main", "both"]
    )
    wait_until(lambda: work.repo.run("rev-parse", "-q", "--verify", "origin/main", check=False).returncode == 0)
    time.sleep(0.2)
    work.drain()
    gate.touch()
    assert running.wait() == 0
    assert outcomes(work) == [{MAIN: True}, {MAIN: True}]
    work.check()


def test_killed_in_the_middle(world: World) -> None:
    work, gate = world.work, world.folder / "go"
    known_to_be_open(work)
    hook(world.bare, "pre-receive", f"cat >/dev/null; touch {gate}; sleep 60")
    running = subprocess.Popen(
        ["git", "-C", work.path, "push", "-q", "origin", "main"], start_new_session=True, stderr=subprocess.DEVNULL
    )
    wait_until(gate.exists)
    assert outcomes(work) == [{MAIN: None}]
    os.killpg(running.pid, signal.SIGKILL)
    running.wait()
    assert outcomes(work) == [{MAIN: False}]
    work.check()


def known_to_be_open(work: Recording) -> None:
    """The gate flag is fresh: else the attempt waits for a verdict while git runs."""
    for path in (Path(work.path, ".git/config"), Path(os.environ["GIT_CONFIG_GLOBAL"])):
        os.utime(path, (1_000_000_000, 1_000_000_000))
    gateflag.refresh(work.location)


# What it dropped


def only(work: Recording) -> PushRef:
    (ref,) = told(work)[-1].refs
    return ref


def test_what_a_push_dropped(world: World) -> None:
    work = world.work
    one = work.head()
    gone = [work.commit(f"c{number}") for number in range(3)]
    work.git("push", "-q", "origin", "main", "main:other")
    assert (only_of(work, MAIN).dropped, only_of(work, MAIN).dropped_count) == (None, None)
    work.git("push", "-q", "--force", "origin", f"{one}:main")
    ref = only(work)
    assert (ref.forced, ref.dropped, ref.dropped_count) == (True, tuple(gone[::-1]), 3)
    work.git("push", "-q", "origin", f"{gone[0]}:refs/heads/kept")
    work.git("push", "-q", "origin", ":other")
    ref = only(work)
    if work.every:
        assert (ref.deleted, ref.dropped, ref.dropped_count) == (True, (gone[2], gone[1]), 2)


def only_of(work: Recording, name: str) -> PushRef:
    return next(ref for ref in told(work)[-1].refs if ref.remote_ref == name)


def test_the_first_hundred_are_named(world: World) -> None:
    work = world.work
    one = work.head()
    stream = b"".join(
        b"commit refs/heads/many\ncommitter A <a@b> %d +0000\ndata 2\nc\n%s\n"
        % (1_700_000_000 + n, b"from refs/heads/main^0\n" if n == 0 else b"")
        for n in range(130)
    )
    subprocess.run(["git", "-C", work.path, "fast-import", "--quiet"], input=stream, check=True)
    work.git("push", "-q", "origin", "many:main")
    work.git("push", "-q", "--force", "origin", f"{one}:main")
    ref = only(work)
    assert ref.dropped is not None
    assert (len(ref.dropped), ref.dropped_count, ref.dropped[0]) == (100, 130, work.head("many"))


def test_what_is_not_here_is_not_told(world: World) -> None:
    """Somebody else's commits, which were never fetched, fall to a forced push."""
    world.diverged()
    world.theirs()
    world.work.git("push", "-q", "--force", "origin", "main")
    ref = only(world.work)
    assert (ref.forced, ref.dropped, ref.dropped_count, ref.confirmed) == (None, None, None, True)


def test_a_tag_that_moves_is_forced(world: World) -> None:
    tag_moved(world)
    ref = only(world.work)
    assert (ref.forced, ref.deleted, ref.dropped_count) == (True, False, 0)


# How it reads


def test_log_and_show_say_it(world: World, mgit: Callable[..., Any]) -> None:
    one_declined(world)
    world.work.drain()
    path = world.work.path
    line = mgit("-C", path, "log", "--event", "push", "-n", "1").out
    assert "main, other → origin, 1 confirmed, 1 failed of 2" in line
    (record,) = mgit("-C", path, "log", "--event", "push", "-n", "1", "--json").json
    assert [(ref["remote_ref"], ref["confirmed"]) for ref in record["push"]["refs"]] == [(MAIN, False), (OTHER, True)]
    assert record["push"]["confirmed"] is None
    shown = mgit("-C", path, "show", str(record["seq"])).out
    assert "→ refs/heads/main (was" in shown
    assert shown.count(", failed") == shown.count(", confirmed") == 1
    (again,) = mgit("-C", path, "show", "--json", str(record["seq"])).json
    assert again == record


def test_what_dropped_reads_so(world: World, mgit: Callable[..., Any]) -> None:
    world.diverged()
    old = world.work.repo.git("rev-parse", "origin/main")
    world.work.git("push", "-q", "--force", "origin", "main")
    world.work.drain()
    (record,) = mgit("-C", world.work.path, "log", "--event", "push", "-n", "1", "--json").json
    assert "(forced, 1 commit dropped), confirmed" in mgit("-C", world.work.path, "log", "--event", "push", "-n1").out
    assert f"  dropped  {old}\n" in mgit("-C", world.work.path, "show", str(record["seq"])).out


def test_an_outcome_of_the_first_form() -> None:
    """Before 0.2 an outcome record held the refs that moved, and said it of all of them at once."""
    ref = {"local_ref": "a", "local_oid": "1" * 40, "remote_ref": MAIN, "remote_oid": None}
    refs = [{**ref, "forced": False, "deleted": False}, {**ref, "remote_ref": OTHER, "forced": False, "deleted": False}]
    old = {"remote_name": "origin", "remote_url": None, "refs": refs, "confirmed": None}
    push = Push.from_json(old)
    assert (push.pusher, push.refs[0].confirmed, push.refs[0].dropped, push.refs[0].dropped_count) == (None,) * 4
    outcome = Push.from_json({**old, "refs": refs[:1], "confirmed": True})
    folded = pushing.folded(push, [outcome])
    assert ([each.confirmed for each in folded.refs], folded.confirmed) == ([True, None], None)
    both = pushing.folded(push, [outcome, Push.from_json({**old, "refs": refs[1:], "confirmed": True})])
    assert both.confirmed is True


# Planted bugs: the cases above tell each of these


def _never(*_: object) -> bool:
    return False


def _newest(self: Any, movements: Any, step: int) -> Any:
    """Whichever fits and is the newest did it, though others fit as well."""
    return _FIT(self, movements, -1) if step < 0 else _FIT(self, movements[::-1], -1)[::-1]


_FIT = outcomes_module.Outcomes._fit


@pytest.mark.parametrize(
    ("name", "replacement", "case"),
    [("_fit", _newest, already_there), ("_was_there", _never, came_and_went), ("_went_on", _never, mirror)],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_the_cases_tell_a_planted_bug(
    repo: Repo,
    bare: Repo,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    replacement: Callable[..., Any],
    case: Callable[[World], None],
) -> None:
    monkeypatch.setattr(outcomes_module.Outcomes, name, replacement)
    work = Recording(repo)
    work.git("remote", "add", "origin", bare.path)
    work.commit("one")
    case(World(work, bare, tmp_path))
    expected = AT_ONCE.get(case, dict(CASES).get(case))
    assert own(outcomes(work)) != expected
