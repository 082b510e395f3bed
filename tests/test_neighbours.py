"""Side by side with the hook managers of a team, in any order, and after any of them has gone."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import Repo
from gated import RULES, Gated
from neighbours import MANAGERS, STAGES, TIMEOUT, Team, run_module, team_of
from reliability import Tally

from mgit_hooks.installer import front, hookfiles
from mgit_hooks.installer.diagnosis import diagnose
from mgit_hooks.installer.install import install, uninstall
from mgit_hooks.recorder import spool


class Side(Gated):
    """A team's repository, in which one person has our hooks as well: armed, with a drain when the test says so."""

    def __init__(self, team: Team) -> None:
        self.team = team
        self.repo = team.repo
        self.path = team.repo.path
        self.every = False
        self.clock = 2_000_000_000
        Path(self.path, ".git", "rules.toml").write_text(RULES)
        self.repo.git("config", "mgit.rules", str(Path(self.path, ".git", "rules.toml")))

    def ours(self) -> None:
        """As their README says: the plain command, and where that is refused, the one that it names."""
        location = self.location
        install(location, in_front=self.team.manager.name == "husky")
        self.mark(self.path)

    def theirs(self) -> None:
        self.team.install()

    def mend(self) -> None:
        """What a person does who has seen what ``status`` says."""
        for outcome in diagnose(self.location):
            for finding in outcome.findings:
                if outcome.check == "hooks" and finding.severity == "fault":
                    assert finding.mend is not None, finding
                    finding.mend()

    def state(self, hook: str) -> str:
        return hookfiles.inspect(hookfiles.hooks_dir(self.location), hook).state


def ours_left(side: Side) -> list[str]:
    """What of ours is still in the repository, but for what was recorded."""
    git_dir = Path(side.path, ".git")
    config = (git_dir / "config").read_text().replace(f"rules = {git_dir}/rules.toml", "")
    left = [path.name for path in (git_dir / "hooks").iterdir() if "mgit" in path.name or b"mgit" in path.read_bytes()]
    return left + ["config"] * ("mgit-hooks" in config) + ["folder"] * Path(front.folder(side.location)).exists()


COMMITTED = ["pre-commit", "commit-msg", "post-commit"]


def both_work(side: Side) -> None:
    """Each job of theirs runs exactly once, and so does each hook of ours; what either says counts."""
    team, git = side.team, side.git
    before = side.all()
    team.ran()

    def judged(subject: str, *options: str) -> list[str]:
        side.write("file", f"{subject}\n")
        git("add", "file")
        git("commit", "-m", subject, *options)
        return team.ran()

    assert judged("one") == COMMITTED
    assert judged("uno", "--amend") == COMMITTED
    head = side.head()
    side.write("bad")
    git("add", "bad")
    side.fails("commit", "-m", "theirs")
    assert team.ran() == ["pre-commit"]
    git("rm", "-q", "-f", "bad")
    side.write("file", "more\n")
    git("add", "file")
    assert "Keep it short." in side.fails("commit", "-m", "a subject that is too long")
    assert team.ran() == ["pre-commit", "commit-msg"]
    assert side.head() == head
    assert judged("around", "-n") == ["post-commit"]
    git("push", "-q", "remote", "HEAD:refs/heads/main", "--force")
    assert team.ran() == ["pre-push"]
    new = side.all()[len(before) :]
    told = [f"{r.event} {r.commit.message.strip() if r.commit else ''} {r.gate.status}" for r in new]
    assert sorted(line for line in told if "skipped" not in line) == sorted(
        ("commit one passed", "amend uno passed", "refused  refused", "commit around bypassed", "push  passed",
         "push-outcome  none")
    )  # fmt: skip
    side.check()


def ours_alone(side: Side) -> None:
    side.team.ran()
    before = len(side.all())
    side.write("file", "alone\n")
    side.git("add", "file")
    side.git("commit", "-m", "alone")
    side.write("bad")
    side.git("add", "bad")
    side.git("commit", "-m", "with bad")
    side.fails("commit", "--allow-empty", "-m", "a subject that is too long")
    side.git("rm", "-q", "bad")
    assert side.team.ran() == []
    told = [f"{r.event} {r.gate.status}" for r in side.all()[before:]]
    assert told == ["commit passed", "commit passed", "refused refused"]


def theirs_alone(side: Side) -> None:
    side.drain()
    side.team.ran()
    before = spool.read(side.location.spool_dir, None).events
    side.write("file", "theirs\n")
    side.git("add", "file")
    side.git("commit", "-m", "a subject that is too long")
    assert side.team.ran() == COMMITTED
    side.write("bad")
    side.git("add", "bad")
    side.fails("commit", "-m", "theirs")
    assert side.team.ran() == ["pre-commit"]
    side.git("rm", "-q", "-f", "bad")
    assert spool.read(side.location.spool_dir, None).events == before


def cell(repo: Repo, bare: Repo, factory: pytest.TempPathFactory, name: str, order: str, leaver: str) -> None:
    """``order``: who installs, ours (o) or theirs (t), one after the other; ``leaver``: who goes in the end."""
    side = Side(team_of(repo, name, factory))
    repo.git("remote", "add", "remote", bare.path)
    for turn in order:
        (side.ours if turn == "o" else side.theirs)()
    side.mend()
    both_work(side)
    if leaver == "t":
        side.team.uninstall()
        side.mend()
        ours_alone(side)
    else:
        uninstall(side.location)
        theirs_alone(side)
        assert ours_left(side) == []


@pytest.mark.parametrize("name", MANAGERS)
@pytest.mark.parametrize(("order", "leaver"), [("ot", "o"), ("to", "t")])
def test_in_either_order_and_after_either_has_gone(
    repo: Repo, bare: Repo, tmp_path_factory: pytest.TempPathFactory, name: str, order: str, leaver: str
) -> None:
    cell(repo, bare, tmp_path_factory, name, order, leaver)


def test_a_stub_that_runs_theirs_twice_would_be_seen(
    repo: Repo, bare: Repo, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A planted bug."""
    side = Side(team_of(repo, "lefthook", tmp_path_factory))
    side.theirs()
    side.ours()
    stub = Path(side.path, ".git/hooks/post-commit")
    stub.write_bytes(stub.read_bytes().replace(b'\nfinish "$@"\n', b'\n"$chained" "$@"\nfinish "$@"\n'))
    with pytest.raises(AssertionError, match="one more item: 'post-commit'"):
        both_work(side)


@pytest.mark.full
@pytest.mark.parametrize("name", MANAGERS)
@pytest.mark.parametrize("order", ["ot", "to", "tot", "oto"])
@pytest.mark.parametrize("leaver", ["o", "t"])
def test_in_any_order_and_after_either_has_gone(
    repo: Repo, bare: Repo, tmp_path_factory: pytest.TempPathFactory, tally: Tally, name: str, order: str, leaver: str
) -> None:
    cell(repo, bare, tmp_path_factory, name, order, leaver)
    tally.cases += 1


@pytest.mark.parametrize("name", ["lefthook", "husky"])
def test_in_a_linked_worktree(repo: Repo, tmp_path_factory: pytest.TempPathFactory, tmp_path: Path, name: str) -> None:
    side = Side(team_of(repo, name, tmp_path_factory))
    side.theirs()
    side.ours()
    repo.git("worktree", "add", "-q", str(tmp_path / "linked"))
    linked = Repo(tmp_path / "linked")
    if name == "husky":
        shutil.copytree(Path(repo.path, "node_modules"), Path(linked.path, "node_modules"), symlinks=True)
        subprocess.run(["npm", "run", "prepare"], cwd=linked.path, check=True, capture_output=True, timeout=TIMEOUT)
    side.team.ran()
    linked.commit("there", {"file": "1\n"})
    assert side.team.ran() == COMMITTED
    linked.write("bad")
    linked.git("add", "bad")
    assert linked.run("commit", "-m", "bad", check=False).returncode != 0
    linked.git("rm", "-q", "-f", "bad")
    assert linked.run("commit", "--allow-empty", "-m", "a subject that is too long", check=False).returncode != 0
    found = [
        (r.event, r.worktree, r.gate.status) for r in side.all() if r.event in ("commit", "refused") and r.worktree
    ]
    assert sorted(found) == [("commit", "worktrees/linked", "passed"), ("refused", "worktrees/linked", "refused")]


# What stands in place of our hooks afterwards, and what doctor says of it.


def a_script(team: Team) -> None:
    for hook in ("pre-commit", "post-commit"):
        path = Path(team.repo.path, ".git/hooks", hook)
        path.write_text(f"#!/bin/sh\nsh '{team.job}' {hook}\n")
        path.chmod(0o755)


def overwritten_by(*words: str) -> Callable[[Team], None]:
    return lambda team: run_module(team, *words, *(word for stage in STAGES for word in ("-t", stage)))


OVERWRITERS: dict[str, tuple[str, Callable[[Team], None], list[str], str]] = {
    "a script": ("lefthook", a_script, ["pre-commit", "post-commit"], "in place of ours: pre-commit, post-commit"),
    "lefthook": (
        "lefthook",
        Team.install,
        COMMITTED,
        "in place of ours: pre-commit, commit-msg, pre-push, post-commit",
    ),
    "husky": ("husky", Team.install, COMMITTED, "no hook of ours is in"),
    "pre-commit": ("pre-commit", overwritten_by("pre_commit", "install", "--overwrite"), COMMITTED, "in place of ours"),
    "prek": ("prek", overwritten_by("prek", "install", "--overwrite"), COMMITTED, "in place of ours"),
}


@pytest.mark.parametrize("overwriter", OVERWRITERS)
def test_what_was_overwritten_is_noticed_and_mended(
    repo: Repo, mgit: Any, tmp_path_factory: pytest.TempPathFactory, overwriter: str
) -> None:
    name, overwrite, ran, words = OVERWRITERS[overwriter]
    team = team_of(repo, name, tmp_path_factory)
    assert mgit("-C", repo.path, "install").code == 0
    assert mgit("-C", repo.path, "doctor").code == 0
    overwrite(team)

    value = mgit("-C", repo.path, "status", "--json").json[0]
    states = {hook["hook"]: hook["state"] for hook in value["hooks"]}
    assert value["installed"] is False
    assert states["post-merge"] == ("foreign" if name == "husky" else "installed")
    assert states["pre-commit"] == ("foreign" if name == "husky" else "overwritten")
    told = mgit("-C", repo.path, "status")
    assert (told.code, "'mgit-hooks doctor --fix' mends it" in told.err) == (0, True)
    told = mgit("-C", repo.path, "doctor")
    assert (told.code, words in told.out) == (1, True), told.out
    told = mgit("-C", repo.path, "doctor", "--fix")
    assert (told.code, "mended: " in told.out) == (0, True), told.out

    states = {each["hook"]: each["state"] for each in mgit("-C", repo.path, "status", "--json").json[0]["hooks"]}
    behind = {"installed"} | ({"wrapped"} if name in ("pre-commit", "prek") else set())
    assert set(states.values()) == behind
    team.ran()
    oid = repo.commit("after", {"file": "1\n"})
    assert team.ran() == ran
    assert mgit("-C", repo.path, "drain", "-q").code == 0
    found = [each for each in mgit("-C", repo.path, "log", "--json").json if each["event"] == "commit"]
    assert [(each["commit"]["hash"], each["source"]) for each in found] == [(oid, "hook")]
    assert mgit("-C", repo.path, "uninstall", "-q").code == 0
    repo.commit("without", {"file": "2\n"})
    assert team.ran() == ran


# husky, as its users have it


def test_npm_install_leaves_ours_and_no_trace_of_ours_is_among_the_files(
    repo: Repo, tmp_path_factory: pytest.TempPathFactory
) -> None:
    side = Side(team_of(repo, "husky", tmp_path_factory))
    side.theirs()
    side.ours()
    shutil.rmtree(Path(repo.path, ".husky", "_"))
    side.team.command("npm", "install", "--offline", "--no-audit", "--no-fund")
    assert Path(repo.path, ".husky", "_", "pre-commit").exists()
    side.team.ran()
    side.commit("one")
    assert side.team.ran() == COMMITTED
    assert [(r.event, r.gate.status) for r in side.records("commit")] == [("commit", "passed")]
    assert repo.git("status", "--porcelain") == ""
    ignored = repo.git("status", "--porcelain", "--ignored").split()
    assert sorted(ignored) == ["!!", "!!", ".husky/_/", "node_modules/"]


# lefthook, which writes its hooks again by itself


def changed(side: Side, **more: object) -> None:
    """As after a pull: another lefthook.yml, in another second."""
    path = Path(side.path, "lefthook.yml")
    path.write_text(json.dumps({**json.loads(path.read_text()), **more}))
    side.clock += 10
    os.utime(path, (side.clock, side.clock))


def for_her_alone(side: Side, value: object) -> None:
    """lefthook-local.yml, as docs/hooks.md has it."""
    side.write("lefthook-local.yml", json.dumps(value))
    with open(Path(side.path, ".git/info/exclude"), "a") as file:
        file.write("/lefthook-local.yml\n")


def only_gates(side: Side) -> None:
    value = json.loads(Path(side.path, "lefthook.yml").read_text())
    side.write("lefthook.yml", json.dumps({stage: value[stage] for stage in ("pre-commit", "commit-msg")}))


def committed(side: Side, subject: str, *options: str) -> str:
    """What is printed."""
    side.write("file", f"{subject}\n")
    side.git("add", "-A")
    done = side.repo.run("commit", "-m", subject, *options)
    return os.fsdecode(done.stdout + done.stderr)


def gates(side: Side) -> dict[str, str]:
    return {r.commit.message.strip(): r.gate.status for r in side.records("commit") if r.commit is not None}


def test_where_lefthook_wrote_its_hooks_anew_nobody_is_accused(
    repo: Repo, tmp_path_factory: pytest.TempPathFactory
) -> None:
    side = Side(team_of(repo, "lefthook", tmp_path_factory))
    only_gates(side)
    side.theirs()
    side.ours()
    committed(side, "one")
    changed(side, colors=False)
    assert "Skipping hook sync" not in committed(side, "meanwhile")
    assert side.state("commit-msg") == "foreign"
    committed(side, "two")
    committed(side, "three", "-n")
    side.mend()
    assert side.state("commit-msg") == "installed"
    committed(side, "four")
    committed(side, "five", "-n")
    assert gates(side) == {
        "one": "passed", "meanwhile": "passed", "two": "unobserved", "three": "unobserved", "four": "passed",
        "five": "bypassed",
    }  # fmt: skip
    side.team.ran()
    changed(side, colors=True)
    told = committed(side, "six")
    assert "Skipping hook sync" not in told  # what it moves ours to is free again
    assert side.team.ran() == ["pre-commit", "commit-msg"]


def test_lefthook_told_not_to_install_by_itself_leaves_ours(
    repo: Repo, tmp_path_factory: pytest.TempPathFactory
) -> None:
    side = Side(team_of(repo, "lefthook", tmp_path_factory))
    for_her_alone(side, {"no_auto_install": True})
    side.theirs()
    side.ours()
    changed(side, colors=False)
    committed(side, "one")
    assert side.state("commit-msg") == "installed"
    assert side.team.ran() == COMMITTED
    assert gates(side) == {"one": "passed"}


@pytest.mark.parametrize("native", [True, False])
def test_lefthook_calls_us_as_a_command(repo: Repo, tmp_path_factory: pytest.TempPathFactory, native: bool) -> None:
    """From a lefthook-local.yml that git is told to overlook: it outlives whatever lefthook writes."""
    side = Side(team_of(repo, "lefthook", tmp_path_factory))
    ours = f"{sys.executable} -m mgit_hooks"
    calls = {"pre-commit": f"{ours} gate pre-commit", "commit-msg": f"{ours} gate commit-msg {{1}}"}
    if native:
        only_gates(side)
        side.ours()
    else:
        calls["post-commit"] = f"{ours} drain --framework"
    for_her_alone(side, {hook: {"jobs": [{"name": "mgit-hooks", "run": run}]} for hook, run in calls.items()})
    side.theirs()
    side.team.ran()
    committed(side, "one")
    assert side.team.ran() == list(calls)
    side.write("file", "more\n")
    side.git("add", "file")
    assert "Keep it short." in side.fails("commit", "-m", "a subject that is too long")
    assert repo.git("status", "--porcelain", "lefthook-local.yml") == ""
    found = [(r.event, r.gate.status) for r in side.all() if r.event in ("commit", "refused")]
    assert sorted(found) == [("commit", "passed" if native else "unobserved"), ("refused", "refused")]
