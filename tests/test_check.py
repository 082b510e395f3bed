"""``check --require-gate``: which commits are known to have been judged, and what a clone without a journal is told."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from conftest import Repo
from gated import Gated


@pytest.fixture
def gated(repo: Repo) -> Gated:
    repo.commit("before")
    return Gated(repo)


def states(told: Any) -> list[tuple[str, str]]:
    """The commit and the state of each line."""
    return [(line.split()[0], line.split()[1]) for line in told.out.splitlines()]


def test_what_was_judged_or_not_due_is_accepted(gated: Gated, mgit: Any) -> None:
    start = gated.head()
    gated.commit("judged")
    gated.git("checkout", "-q", "-b", "side", start)
    gated.git("cherry-pick", "main", GIT_COMMITTER_DATE="2001-01-01T00:00:00Z")  # else, within a second, it is main
    gated.commit("more")
    told = mgit("-C", gated.path, "check", "--require-gate", f"{start}..HEAD")
    assert (told.code, told.out) == (0, "")
    assert told.err == "mgit-hooks: 2 commits: 1 passed, 1 none\n"


def test_what_went_round_the_gate_is_a_finding_each(gated: Gated, mgit: Any) -> None:
    start = gated.head()
    fine = gated.commit("judged")
    around = gated.commit("around", "-n", "--allow-empty")
    skipped = gated.commit("skipped", "--allow-empty", MGIT="0", MGIT_SKIP_REASON="a fire")
    gated.git("-c", "core.hooksPath=/dev/null", "commit", "-q", "--allow-empty", "-m", "unseen")
    unseen = gated.head()
    told = mgit("-C", gated.path, "check", "--require-gate", f"{start}..HEAD")
    assert told.code == 1
    assert states(told) == [(unseen[:10], "unobserved"), (skipped[:10], "skipped"), (around[:10], "bypassed")]
    assert "Ada Lovelace  skipped  (a fire)" in told.out
    found = mgit("-C", gated.path, "check", "--require-gate", f"{start}..HEAD", "--json").json
    assert [each["gate"] for each in found] == [{"passed": 1, "skipped": 1, "bypassed": 1, "unobserved": 1}]
    assert [(each["commit"], each["state"], each["check"]) for each in found[0]["findings"]][-1] == (
        around,
        "bypassed",
        "gate",
    )
    assert fine not in {each["commit"] for each in found[0]["findings"]}


def test_states_can_be_allowed(gated: Gated, mgit: Any) -> None:
    start = gated.head()
    gated.commit("around", "-n", "--allow-empty")
    gated.commit("skipped", "--allow-empty", MGIT="0")
    check = ("-C", gated.path, "check", "--require-gate", f"{start}..")
    assert mgit(*check, "--allow", "bypassed").code == 1
    assert mgit(*check, "--allow", "bypassed,skipped").code == 0
    assert mgit(*check, "--allow", "bypassed", "--allow", "skipped").code == 0
    told = mgit(*check, "--allow", "bypased")
    assert (told.code, told.err.count("\n")) == (2, 2)


def test_a_journal_made_anew_clears_nobody(gated: Gated, mgit: Any) -> None:
    """Whoever deletes it and has the history backfilled has shown nothing."""
    gated.commit("around", "-n", "--allow-empty")
    shutil.rmtree(Path(gated.path, ".git", "mgit"))
    assert mgit("-C", gated.path, "init", "-q").code == 0
    told = mgit("-C", gated.path, "check", "--require-gate")
    assert (told.code, {state for _, state in states(told)}) == (1, {"imported"})
    assert mgit("-C", gated.path, "check", "--require-gate", "--allow", "imported").code == 0


def test_a_commit_that_is_not_on_record_is_missing(gated: Gated, mgit: Any) -> None:
    tree = gated.git("rev-parse", "HEAD^{tree}")
    dangling = gated.git("commit-tree", "-m", "dangling", tree)
    told = mgit("-C", gated.path, "check", "--require-gate", dangling)
    assert (told.code, states(told)) == (1, [(dangling[:10], "missing")])


def test_a_clone_is_told_how_to_come_by_a_journal(gated: Gated, mgit: Any, tmp_path: Path) -> None:
    start = gated.head()
    gated.commit("judged")
    clone, bundle = str(tmp_path / "clone"), str(tmp_path / "journal.mgit")
    gated.git("clone", "-q", gated.path, clone)
    told = mgit("-C", clone, "check", "--require-gate")
    assert (told.code, told.out, told.err.count("\n")) == (128, "", 2)
    assert "export --bundle" in told.err
    assert not Path(clone, ".git", "mgit").exists()
    assert mgit("-C", gated.path, "export", "-q", "--bundle", "-o", bundle).code == 0
    assert mgit("-C", clone, "import", "-q", bundle).code == 0
    assert mgit("-C", clone, "check", "--require-gate", f"{start}..HEAD").code == 0


@pytest.mark.parametrize("args", [("--require-gate", "no-such-branch"), ("--require-gate", "--allow", "fine")])
def test_what_makes_no_sense_is_a_usage_error(gated: Gated, mgit: Any, args: tuple[str, ...]) -> None:
    told = mgit("-C", gated.path, "check", *args)
    assert (told.code, told.out, told.err.count("\n")) == (2, "", 2)


def test_log_bypassed_says_who(gated: Gated, mgit: Any) -> None:
    gated.commit("judged")
    gated.commit("around", "-n", "--allow-empty")
    told = mgit("-C", gated.path, "log", "--bypassed").out
    assert "around  by Ada Lovelace <ada@example.org>  [gate bypassed]" in told
    assert told.count("\n") == 1
    assert "Ada Lovelace" not in mgit("-C", gated.path, "log").out


def test_log_bypassed_shows_pushes_that_no_hook_saw(gated: Gated, mgit: Any, bare: Repo) -> None:
    gated.git("remote", "add", "origin", bare.path)
    gated.git("push", "-q", "origin", "main")
    assert mgit("-C", gated.path, "log", "--bypassed").out == ""
    gated.commit("judged")
    gated.git("push", "-q", "--no-verify", "origin", "main")
    told = mgit("-C", gated.path, "log", "--bypassed")
    assert [line.split()[1] for line in told.out.splitlines()] == ["push-outcome"]
    assert told.out.endswith("[gate unobserved]\n")


def test_the_flags_that_every_command_has(gated: Gated, mgit: Any) -> None:
    gated.commit("around", "-n", "--allow-empty")
    check = ("check", "--require-gate", "HEAD~1..")
    assert mgit("-C", gated.path, *check, "-z").raw.count(b"\0") == 1
    assert mgit("-C", gated.path, *check, "-q").err == ""
    assert "check took " in mgit("-C", gated.path, *check, "-v").err
    assert "\x1b[" in mgit("-C", gated.path, *check, "--color", "always").out
    assert "\x1b" not in mgit("-C", gated.path, *check).out
    assert mgit(*check, "-C", gated.path).code == 1
