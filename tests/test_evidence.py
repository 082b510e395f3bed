"""A gate's verdict belongs to a git process; rewrite maps and pushes to what they name."""

from __future__ import annotations

import json

import pytest

from mgit_hooks.record import Commit, Oid
from mgit_hooks.recorder.event import HookEvent, Process
from mgit_hooks.recorder.evidence import Evidence

A, B, C, D = (Oid(letter * 40) for letter in "abcd")
TREE, OTHER = Oid("1" * 40), Oid("2" * 40)


def verdict(ppid: int, stage: str = "commit-msg", status: str = "passed", tree: str | None = TREE) -> HookEvent:
    value = {
        "stage": stage, "status": status, "reason": None, "tree": tree, "message_sha256": None, "level": "standard",
        "issues": [], "detail": {},
    }  # fmt: skip
    return HookEvent("gate", ppid, "a", "main-worktree", None, (json.dumps(value),))


def made(ppid: int, oid: Oid, flag: str = "a", hook: str = "post-commit") -> HookEvent:
    return HookEvent(hook, ppid, flag, "main-worktree", oid, ("0",) if hook == "post-merge" else ())


def pushed(ppid: int, flag: str = "a", ref: str = "x") -> HookEvent:
    stdin = f"refs/heads/{ref} {A} refs/heads/{ref} {'0' * 40}\n"
    return HookEvent("pre-push", ppid, flag, "main-worktree", A, ("origin", "url", stdin))


def rewritten(command: str, old: Oid, new: Oid) -> HookEvent:
    return HookEvent("post-rewrite", 1, "o", "main-worktree", new, (command, f"{old} {new}\n"))


def commit(oid: Oid, tree: Oid = TREE) -> Commit:
    who = ("Ada", "ada@example.org", "2026-01-01T00:00:00+00:00")
    return Commit(oid, (), tree, *who, *who, "x\n", ())


def evidence(*events: HookEvent, held: tuple[HookEvent, ...] = (), alive: frozenset[Process] = frozenset()) -> Evidence:
    return Evidence(events, held, alive)


def status(found: Evidence, oid: Oid, event: str = "commit", armed: bool = False) -> str:
    return found.gate(commit(oid), event, armed).status


def test_a_verdict_is_of_its_own_process() -> None:
    found = evidence(verdict(7), made(8, B), made(7, A))
    assert status(found, A) == "passed"
    assert status(found, B) == "bypassed"


def test_a_verdict_is_used_once() -> None:
    """A process id comes round again: the next commit under it has no verdict."""
    found = evidence(verdict(7), made(7, A), made(7, B))
    assert (status(found, A), status(found, B)) == ("passed", "bypassed")


def test_the_last_word_counts() -> None:
    found = evidence(verdict(7, "pre-commit", "skipped"), verdict(7, "commit-msg", "passed"), made(7, A))
    assert status(found, A) == "passed"


def test_a_verdict_on_another_tree_says_nothing() -> None:
    found = evidence(verdict(7, tree=OTHER), made(7, A))
    assert status(found, A) == "unobserved"


@pytest.mark.parametrize(
    ("flag", "armed", "expected"),
    [("a", False, "bypassed"), ("o", True, "none"), ("u", True, "bypassed"), ("u", False, "none")],
)
def test_without_a_verdict(flag: str, armed: bool, expected: str) -> None:
    assert status(evidence(made(7, A, flag)), A, armed=armed) == expected


@pytest.mark.parametrize("event", ["rebase", "cherry-pick", "revert", "am"])
def test_picks_expect_no_gate(event: str) -> None:
    assert status(evidence(made(7, A)), A, event) == "none"
    assert status(evidence(verdict(7), made(7, A)), A, event) == "passed"


def test_no_hook_ran() -> None:
    assert status(evidence(), A) == "unobserved"


def test_a_verdict_waits_while_its_process_lives() -> None:
    assert evidence(verdict(7), alive=frozenset((Process(7),))).to_hold == (verdict(7),)
    assert evidence(verdict(7)).to_hold == ()
    later = evidence(made(7, A), held=(verdict(7),))
    assert status(later, A) == "passed"


def test_a_push_waits_for_its_verdict() -> None:
    waits = evidence(pushed(7), alive=frozenset((Process(7),)))
    assert (waits.to_hold, waits.events) == ((pushed(7),), ())
    later = evidence(verdict(7, "pre-push"), held=(pushed(7),))
    assert pushed(7) in later.events
    assert later.push_gate(pushed(7), armed=False).status == "passed"


@pytest.mark.parametrize("alive", [frozenset(), frozenset((Process(7),))])
def test_a_push_through_an_open_gate_waits_for_nothing(alive: frozenset[int]) -> None:
    found = evidence(pushed(7, "o"), alive=alive)
    assert found.events == (pushed(7, "o"),)
    assert found.push_gate(pushed(7, "o"), armed=True).status == "none"


def test_what_is_held_and_still_in_the_spool_counts_once() -> None:
    """A drain was killed between the two."""
    assert evidence(pushed(7), held=(pushed(7),)).events == (pushed(7),)


def test_two_pushes_of_one_process_each_have_their_verdict() -> None:
    """A remote may have several URLs."""
    one, two = pushed(7, ref="one"), pushed(7, ref="two")
    found = evidence(one, verdict(7, "pre-push"), two, verdict(7, "pre-push", "skipped"))
    assert [found.push_gate(said, armed=False).status for said in (one, two)] == ["passed", "skipped"]


def test_rewrites_add_up() -> None:
    found = evidence(rewritten("amend", A, C), rewritten("rebase", B, C))
    assert found.rewrites[C] == ("amend", (A, B))


def test_post_merge_may_be_a_fast_forward() -> None:
    found = evidence(made(7, A, hook="post-merge"), made(8, B), rewritten("rebase", B, C))
    assert [found.made(oid) for oid in (A, B, C, D)] == [False, True, True, False]
