"""A gate's verdict belongs to a git process; rewrite maps and pushes to what they name."""

from __future__ import annotations

import json

import pytest

from mgit_hooks.record import Commit, Gate, Oid
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


# What is known of the process, and what the stub saw


def began(said: HookEvent, started: int) -> HookEvent:
    return said._replace(started=started)


def doing(said: HookEvent, word: str) -> HookEvent:
    return said._replace(fields=(*said.fields, word))


def on(said: HookEvent, **more: object) -> HookEvent:
    """A verdict with more, or other, things in it."""
    return said._replace(fields=(json.dumps({**json.loads(said.fields[0]), **more}),))


def test_an_id_that_came_round_is_another_process() -> None:
    found = evidence(began(verdict(7), 100), began(made(7, A), 200))
    assert status(found, A) == "bypassed"
    assert status(evidence(began(verdict(7), 100), began(made(7, A), 100)), A) == "passed"


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (on(verdict(7), parents=[]), "passed"),
        (on(verdict(7), parents=[B]), "bypassed"),  # of another commit, so of another process
        (verdict(7, "pre-commit", tree=None), "bypassed"),  # its editor was aborted
        (on(verdict(7), message_sha256="0" * 64), "unobserved"),
    ],
)
@pytest.mark.parametrize("started", [(None, None), (100, None), (None, 100)])
def test_where_the_start_is_not_known_the_verdict_must_be_on_this_very_commit(
    said: HookEvent, expected: str, started: tuple[int | None, int | None]
) -> None:
    lines = said._replace(started=started[0]), made(7, A)._replace(started=started[1])
    assert status(evidence(*lines), A) == expected


def test_of_one_process_for_certain_a_verdict_holds_though_the_message_was_changed_later() -> None:
    said = on(verdict(7), message_sha256="0" * 64)
    found = evidence(began(said, 100), began(made(7, A), 100))
    assert found.gate(commit(A), "commit", False) == Gate("passed", "the message was changed after it was judged")
    early = evidence(began(verdict(7, "pre-commit", tree=None), 100), began(made(7, A), 100))
    assert status(early, A) == "passed"  # a manager that has us in pre-commit alone


def test_a_verdict_on_a_first_commit_is_on_no_other() -> None:
    said = on(verdict(7), parents=[])
    assert evidence(said, made(7, A)).gate(commit(A)._replace(parents=(B,)), "commit", True).status == "bypassed"


def test_where_an_amend_was_taken_for_a_commit_what_it_replaced_tells() -> None:
    said = on(verdict(7), parents=[B])
    assert status(evidence(said, made(7, A), rewritten("amend", B, A)), A) == "passed"


@pytest.mark.parametrize(
    ("line", "event", "expected"),
    [
        (doing(made(7, A), "pick"), "cherry-pick", "none"),
        (doing(made(7, A), "pick"), "commit", "none"),
        (doing(made(7, A), "own"), "cherry-pick", "bypassed"),
        (doing(made(7, A), "own"), "rebase", "bypassed"),
        (doing(made(7, A), "ungated"), "commit", "unobserved"),
        (doing(made(7, A, hook="post-merge"), "ungated"), "merge", "unobserved"),
        (doing(made(7, A, hook="post-merge"), "merge"), "merge", "bypassed"),
        (doing(made(7, A, hook="post-merge"), "ff"), "merge", "unobserved"),
        (made(7, A, hook="post-merge")._replace(fields=("1", "ff")), "commit", "unobserved"),
        (made(7, A, hook="post-merge"), "commit", "unobserved"),
        (made(7, A, hook="post-applypatch"), "am", "none"),
    ],
)
def test_the_stub_has_seen_whether_git_was_to_run_the_gate(line: HookEvent, event: str, expected: str) -> None:
    assert status(evidence(line), A, event) == expected


@pytest.mark.parametrize(
    ("event", "claimed", "expected"),
    [("rebase", "rebase", "none"), ("rebase", None, "none"), ("rebase", "commit", "unobserved"),
     ("cherry-pick", "cherry-pick", "unobserved"), ("revert", None, "unobserved"), ("am", "am", "unobserved")],
)  # fmt: skip
def test_only_of_a_rebase_is_a_reflog_believed(event: str, claimed: str | None, expected: str) -> None:
    assert evidence().gate(commit(A), event, True, claimed).status == expected


def test_a_refusal_that_git_never_heard_of_is_not_a_bypass() -> None:
    found = evidence(began(verdict(7, status="refused"), 100), began(made(7, A), 100))
    assert status(found, A) == "refused"


def test_an_amend_that_changes_nothing_takes_no_verdict_away() -> None:
    again = rewritten("amend", A, A)._replace(ppid=8)
    assert status(evidence(verdict(7), made(7, A), made(8, A), again), A) == "passed"
    first = rewritten("amend", A, A)._replace(ppid=7)
    assert status(evidence(made(8, A), verdict(7), made(7, A), first), A) == "bypassed"


def test_a_hook_that_read_another_commits_head_says_nothing_of_it() -> None:
    late = on(verdict(7, tree=OTHER), parents=[B])
    found = evidence(began(late, 1), began(verdict(8), 1), began(made(8, A), 1), began(made(7, A), 1))
    assert status(found, A) == "passed"


def test_each_process_skips_once() -> None:
    def skip(stage: str) -> HookEvent:
        return HookEvent("skip", 7, "a", "main-worktree", None, (stage, ""))

    said = [skip("pre-commit"), skip("commit-msg"), made(7, A), skip("pre-commit"), skip("commit-msg"), made(7, B)]
    found = evidence(*said)
    assert [found.is_first(each) for each in said if each.hook == "skip"] == [True, False, True, False]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [((), "unobserved"), ((HookEvent("stopped", 7, "a", "main-worktree", None, ("pre-push",)),), "none")],
)
def test_nobody_goes_round_the_gate_within_its_own_hook(lines: tuple[HookEvent, ...], expected: str) -> None:
    """The attempt is spooled first: what comes to no verdict after it failed, or another hook refused."""
    assert evidence(pushed(7), *lines).push_gate(pushed(7), armed=True).status == expected


def test_a_refusal_of_one_stage_of_one_process_is_one() -> None:
    """A manager with two projects has each commit judged twice. Without a process's start two may be two commits'."""
    refusals = [
        verdict(7, "pre-commit", "refused")._replace(started=1),
        verdict(7, "pre-commit", "refused")._replace(started=1),
        verdict(7, "commit-msg", "refused")._replace(started=1),
        verdict(7, "pre-commit", "refused")._replace(started=2),
        verdict(8, "pre-commit", "refused"),
        verdict(8, "pre-commit", "refused"),
    ]
    found = evidence(*refusals)
    assert [found.is_first(each) for each in refusals] == [True, False, True, True, True, True]


@pytest.mark.parametrize("words", [("passed", "passed"), ("refused", "passed"), ("passed", "refused")])
def test_a_push_that_one_project_of_a_workspace_refuses_is_refused(words: tuple[str, str]) -> None:
    found = evidence(pushed(7), *(verdict(7, "pre-push", word) for word in words))
    assert found.push_gate(pushed(7), armed=True).status == max(words)
    assert found.stops(pushed(7)) is ("refused" in words)


def test_a_refusal_that_was_held_over_is_the_first() -> None:
    first, again = (verdict(7, "pre-commit", "refused", tree)._replace(started=1) for tree in (TREE, None))
    found = evidence(again, held=(first,), alive=frozenset((Process(7, 1),)))
    assert not found.is_first(again)
