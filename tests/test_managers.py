"""Our hooks under the real pre-commit and the real prek: each stage, by git and by hand, and what is on record."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest
from conftest import Repo
from managed import LONG, MANAGERS, PASSED, RULES, Managed, managed

from mgit_hooks.framework import configfile
from mgit_hooks.framework.adding import Wanted
from mgit_hooks.gatekeeper import gate
from mgit_hooks.gatekeeper import managed as telling
from mgit_hooks.installer.install import boot_path, install
from mgit_hooks.layout import Location, locate
from mgit_hooks.record import Gate

GATE = [PASSED["validate"], PASSED["commit-msg"]]
FINDING = "error: rule short: message has 34 characters"


@pytest.fixture
def repo(request: pytest.FixtureRequest, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Managed:
    if request.node.get_closest_marker("full"):
        request.getfixturevalue("tally").cases += 1
    return managed(request.param, tmp_path, tmp_path_factory)


def under(*bounded: str) -> pytest.MarkDecorator:
    """Under both managers in full; in a usual run under those that differ there, or the faster one."""
    marks = {manager: () if manager in bounded else (pytest.mark.full,) for manager in MANAGERS}
    return pytest.mark.parametrize(
        "repo", [pytest.param(manager, marks=each) for manager, each in marks.items()], indirect=True
    )


def change(repo: Managed, name: str, content: str | bytes = "1\n") -> None:
    repo.write(name, content)
    repo.git("add", name)


# By git


@under("pre-commit", "prek")
def test_a_commit_is_judged_once_recorded_once_and_nothing_is_said_of_it(repo: Managed) -> None:
    assert repo.says("commit", "-q", "-m", "one") == [*GATE, PASSED["capture"]]
    told = repo.says("commit", "--allow-empty", "-m", LONG, status=1)
    assert told[0] == PASSED["validate"]
    assert FINDING in " ".join(told)
    change(repo, "picture", b"\0")
    assert "no-binaries" in " ".join(repo.says("commit", "-q", "-m", "two", status=1))
    assert repo.says("commit", "-q", "-m", "free", "--no-verify") == [PASSED["capture"]]
    verdicts = repo.verdicts()
    assert verdicts["one"] == Gate("passed", None)
    assert verdicts["free"].status == "bypassed"
    assert repo.events("refused") == ["refused"] * 2
    assert {record.source for record in repo.recorded() if record.commit is not None} == {"framework"}


@under("prek")
def test_what_is_not_staged_is_neither_judged_nor_touched(repo: Managed) -> None:
    change(repo, "a", "staged\n")
    change(repo, "b", "staged too\n")
    repo.write("a", "staged\nnot staged\n")
    repo.write("picture", b"\0")
    repo.git("commit", "-q", "-m", "part", "--", "b")
    assert repo.git("show", "--format=", "--name-only") == "b"
    assert repo.git("status", "--short").splitlines() == [
        "A  .mgit-hooks.toml", "A  .pre-commit-config.yaml", "AM a", "?? picture",
    ]  # fmt: skip
    repo.git("commit", "-q", "-m", "rest")
    assert Path(repo.path, "a").read_text() == "staged\nnot staged\n"
    assert {subject: each.status for subject, each in repo.verdicts().items()} == {"part": "passed", "rest": "passed"}


@under("prek")
def test_merges_rewrites_and_linked_worktrees(repo: Managed, tmp_path: Path) -> None:
    repo.git("commit", "-q", "-m", "one")
    repo.git("checkout", "-q", "-b", "side")
    change(repo, "side")
    repo.git("commit", "-q", "-m", "side")
    repo.git("checkout", "-q", "main")
    change(repo, "main")
    repo.git("commit", "-q", "-m", "main")
    assert FINDING in " ".join(repo.says("merge", "-q", "--no-ff", "-m", LONG, "side", status=1))
    repo.git("merge", "--abort")
    repo.git("merge", "-q", "--no-ff", "-m", "merged", "side")
    repo.git("commit", "-q", "--amend", "-m", "amended")
    repo.git("worktree", "add", "-q", "-b", "other", str(tmp_path / "linked"))
    linked = Managed(tmp_path / "linked", repo.manager, repo.env)
    change(linked, "linked")
    assert FINDING in " ".join(linked.says("commit", "-q", "-m", LONG, status=1))
    linked.git("commit", "-q", "-m", "linked")
    told = {subject: each.status for subject, each in repo.verdicts().items()}
    expected = dict.fromkeys(("one", "side", "main", "merged", "linked"), "passed")
    assert {subject: told[subject] for subject in expected} == expected
    assert told["amended"] in ("passed", "unobserved")


@under("pre-commit", "prek")
def test_pushes_of_every_kind(repo: Managed) -> None:
    repo.git("commit", "-q", "-m", "one")
    assert repo.says("push", "-q", "origin", "main") == [PASSED["push"]]
    repo.git("commit", "-q", "--allow-empty", "-m", "two")
    assert repo.says("push", "-q", "origin", "main", "HEAD:refs/heads/new") == [PASSED["push"]]
    repo.git("commit", "-q", "--allow-empty", "--amend", "-m", "other")
    told = " ".join(repo.says("push", "-q", "-f", "origin", "main", status=1))
    assert "rule no-force" in told
    assert "no-deletion" not in told
    assert repo.says("push", "-q", "origin", ":new") == []  # no manager runs a hook for it
    repo.git("commit", "-q", "--allow-empty", "--no-verify", "-m", LONG)
    assert "rule short" in " ".join(repo.says("push", "-q", "origin", "HEAD:refs/heads/branch", status=1))
    repo.git("checkout", "-q", "--orphan", "root")
    repo.git("commit", "-q", "-m", "root")
    assert "no-force" in " ".join(repo.says("push", "-q", "-f", "origin", "HEAD:main", status=1))
    assert repo.events("refused") == ["refused"] * 3
    pushes = [(record.gate.status, record.push) for record in repo.recorded() if record.event == "push"]
    refs = [(status, push.refs[0].remote_ref, push.refs[0].forced) for status, push in pushes if push is not None]
    assert refs == [
        ("passed", "refs/heads/main", False),
        ("passed", "refs/heads/main", False),  # the one of two that it tells of
        ("refused", "refs/heads/main", True),
        ("refused", "refs/heads/branch", False),
        ("refused", "refs/heads/main", True),
    ]


@under("prek")
def test_skips_leave_a_record(repo: Managed) -> None:
    repo.git("commit", "-q", "-m", LONG, SKIP="mgit-commit-msg", MGIT_SKIP_REASON="imported")
    change(repo, "a")
    repo.git("commit", "-q", "-m", f"{LONG} and away", MGIT_SKIP="short,no-binaries")
    told = repo.verdicts()
    assert told[LONG] == Gate("skipped", "imported")
    assert told[f"{LONG} and away"] == Gate("skipped", "MGIT_SKIP=short,no-binaries")
    assert repo.events("skipped") == ["skipped"] * 2


@under("prek")
@pytest.mark.parametrize("first", [pytest.param("stubs", marks=pytest.mark.full), "manager"])
def test_beside_our_stubs_there_is_one_verdict_and_one_record(repo: Managed, first: str) -> None:
    for hook in Path(repo.path, ".git", "hooks").glob("*") if first == "stubs" else ():
        hook.unlink()
    install(locate(repo.path), python=sys.executable, boot=boot_path())
    if first == "stubs":
        repo.install()
    repo.git("commit", "-q", "-m", "one")
    told = " ".join(repo.says("commit", "-q", "--allow-empty", "-m", LONG, status=1))
    assert told.count(FINDING) == 1
    assert "refused, as git's own hook has said before" in told
    repo.git("push", "-q", "origin", "main")
    repo.git("commit", "-q", "--allow-empty", "--amend", "-m", "other")
    told = " ".join(repo.says("push", "-q", "-f", "origin", "main", status=1))
    assert told.count("rule no-force") == 1
    assert repo.verdicts() == {"one": Gate("passed", None), "other": Gate("passed", None)}
    assert repo.events("refused", "push") == ["refused", "push", "push", "refused"]


@under()
def test_where_the_gate_is_not_configured_nobody_went_round_it(repo: Managed) -> None:
    Path(repo.path, ".pre-commit-config.yaml").unlink()
    configfile.install(locate(repo.path), Wanted(("mgit-capture",)))
    repo.git("add", "-A")
    repo.git("commit", "-q", "-m", "one")
    repo.git("commit", "-q", "--allow-empty", "-m", "two", SKIP="mgit-commit-msg")
    assert {each.status for each in repo.verdicts().values()} == {"unobserved"}
    assert repo.events("skipped") == []


@pytest.mark.full
@pytest.mark.parametrize("repo", ["prek"], indirect=True)
def test_a_workspace_of_several_projects_is_judged_in_each_and_recorded_once(repo: Managed) -> None:
    repo.write("sub/.pre-commit-config.yaml", Path(repo.path, ".pre-commit-config.yaml").read_bytes())
    repo.git("add", "-A")
    repo.manage("install", "--refresh")
    repo.git("commit", "-q", "-m", "one")
    assert " ".join(repo.says("commit", "-q", "--allow-empty", "-m", LONG, status=1)).count(FINDING) == 2
    assert (repo.verdicts(), repo.events("refused")) == ({"one": Gate("passed", None)}, ["refused"])
    repo.git("push", "-q", "origin", "main")
    assert repo.events("push", "push-outcome") == ["push", "push-outcome"]
    repo.git("commit", "-q", "--no-verify", "--allow-empty", "-m", LONG)
    repo.run("push", "-q", "origin", "main", check=False)
    assert repo.events("refused", "push") == ["refused", "push", "push", "refused"]

    Path(repo.path, ".pre-commit-config.yaml").write_text("repos: []\n")
    repo.git("add", "-A")
    repo.git("commit", "-q", "--no-verify", "-m", "round it")
    assert repo.verdicts()["round it"].status == "bypassed"


# By hand, and in CI


@under("prek")
def test_a_range_is_judged_commit_by_commit(repo: Managed) -> None:
    repo.git("commit", "-q", "-m", "one")
    change(repo, "a")
    repo.git("commit", "-q", "-m", "two")
    picture = repo.commit(LONG, {"picture": b"\0"}, SKIP="mgit-validate,mgit-commit-msg")
    repo.commit("last")
    before = repo.verdicts()
    for stage in ("pre-commit", "pre-merge-commit", "manual", "pre-push"):
        given = ("--hook-stage", stage, "--from-ref")
        passed = PASSED["push" if stage == "pre-push" else "validate"]
        assert passed in repo.asks(*given, "HEAD~3", "--to-ref", "HEAD~2")
        told = repo.asks(*given, "HEAD~3", "--to-ref", "HEAD", status=1)
        assert [line for line in told.splitlines() if "error: " in line] == [
            line for line in told.splitlines() if f"{picture[:10]} ({LONG})" in line
        ]
        assert ("rule short" in told, "rule no-binaries" in told) == (True, True)
    told = repo.asks("--from-ref", "HEAD~3", "--to-ref", "HEAD", MGIT_SKIP="short,no-binaries")
    assert PASSED["validate"] in told
    repo.git("checkout", "-q", "-b", "old", "HEAD~3")
    backwards = ("--hook-stage", "pre-push", "--from-ref", "main", "--to-ref", "HEAD")
    assert "rule no-force" in repo.asks(*backwards, status=1)
    assert (repo.verdicts(), repo.events("refused", "skipped")) == (before, ["skipped"])


STAGES = {
    "pre-commit": ((), "validate"),
    "pre-merge-commit": ((), "validate"),
    "manual": ((), "validate"),
    "commit-msg": (("--commit-msg-filename", "fine"), "commit-msg"),
    "pre-push": (("--all-files",), "push"),
    "post-checkout": (("--checkout-type", "1", "--from-ref", "HEAD", "--to-ref", "HEAD"), "capture"),
    "post-commit": ((), "capture"),
    "post-merge": (("--is-squash-merge",), "capture"),
    "post-rewrite": (("--rewrite-command", "amend"), "capture"),
}


@under("prek")
def test_each_stage_by_hand(repo: Managed) -> None:
    repo.git("commit", "-q", "-m", "one")
    repo.write("fine", "fine\n")
    repo.write("long", f"{LONG}\n")
    before = [record.seq for record in repo.recorded()]
    for stage, (options, name) in STAGES.items():
        options = ("--is-squash-merge", "1") if stage == "post-merge" and repo.manager == "pre-commit" else options
        told = repo.asks("--hook-stage", stage, "--verbose", *options)
        assert PASSED[name] in told
        said = [line.strip() for line in told.splitlines() if "mgit-hooks: " in line]
        assert said == (["mgit-hooks: judged: nothing, since no push was told of"] if stage == "pre-push" else [])
    assert FINDING in repo.asks("--hook-stage", "commit-msg", "--commit-msg-filename", "long", status=1)
    pushed = (
        "--remote-name",
        "origin",
        "--remote-url",
        "x",
        "--remote-branch",
        "refs/heads/main",
        "--local-branch",
        "main",
    )
    repo.asks("--hook-stage", "pre-push", *pushed, "--from-ref", "HEAD", "--to-ref", "HEAD")
    change(repo, "picture", b"\0")
    assert "no-binaries" in repo.asks("--all-files", status=1)
    assert [record.seq for record in repo.recorded()] == before  # nothing was about to happen


@under("pre-commit")
def test_a_configuration_that_filters_files_keeps_no_message_from_us(repo: Managed) -> None:
    config = Path(repo.path, ".pre-commit-config.yaml")
    config.write_text(
        "files: ^src/\nexclude: MSG\nfail_fast: true\nminimum_pre_commit_version: 3.2.0\n" + config.read_text()
    )
    repo.git("add", "-A")
    repo.git("commit", "-q", "-m", "one")
    assert FINDING in " ".join(repo.says("commit", "-q", "--allow-empty", "-m", LONG, status=1))
    repo.write("long", f"{LONG}\n")
    assert FINDING in repo.asks("--hook-stage", "commit-msg", "--commit-msg-filename", "long", status=1)


@under("pre-commit", "prek")
def test_a_policy_that_cannot_be_read_stops_and_says_why(repo: Managed) -> None:
    repo.write(".mgit-hooks.toml", "strateggy = 1\n")
    repo.git("add", "-A")
    told = " ".join(repo.says("commit", "-q", "-m", "one", status=1))
    assert "unknown key 'strateggy'" in told
    assert repo.git("rev-list", "--all") == ""


# What they tell, without them, and bugs that must show


def _no_local_branch(patch: pytest.MonkeyPatch) -> None:
    real = telling.told

    def told(stage: str, git: str, given: Sequence[str], env: Mapping[str, str], at: Location) -> telling.Told:
        return real(stage, git, given, {**env, "PRE_COMMIT_LOCAL_BRANCH": ""}, at)

    patch.setattr(telling, "told", told)


BUGS: dict[str | None, tuple[Callable[[pytest.MonkeyPatch], None], str]] = {
    None: (lambda _: None, ""),
    "the ends of a range are not read": (lambda patch: patch.setattr(telling, "_between", lambda *_: ()), "range"),
    "the local branch is not read": (_no_local_branch, "root"),
    "the tracking ref is not looked at": (lambda patch: patch.setattr(telling, "_tracked", lambda *_: None), "force"),
}


@pytest.mark.parametrize("bug", BUGS)
def test_what_a_manager_tells_is_what_is_judged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bug: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    subprocess.run(["git", "init", "-q", "-b", "main", tmp_path / "three"], check=True)
    three = Repo(tmp_path / "three")
    root = three.commit("root", {".mgit-hooks.toml": RULES})
    there = three.commit(LONG)
    three.git("update-ref", "refs/remotes/origin/main", there)
    three.git("branch", "old")
    three.git("reset", "-q", "--hard", root)
    here = three.commit("other")
    monkeypatch.chdir(three.path)
    plant, hidden = BUGS[bug]
    plant(monkeypatch)
    remote = {"REMOTE_NAME": "origin", "REMOTE_URL": "x", "REMOTE_BRANCH": "refs/heads/main"}
    asked = {
        "range": ("pre-commit", {"FROM_REF": root, "TO_REF": there}, "rule short"),
        "root": ("pre-push", {**remote, "REMOTE_NAME": "elsewhere", "LOCAL_BRANCH": "refs/heads/old"}, "rule short"),
        "force": ("pre-push", {**remote, "FROM_REF": root, "TO_REF": here, "LOCAL_BRANCH": "main"}, "rule no-force"),
    }
    found = {}
    for name, (stage, env, rule) in asked.items():
        with monkeypatch.context() as patch:
            patch.setenv("PRE_COMMIT", "1")
            for variable, value in env.items():
                patch.setenv(f"PRE_COMMIT_{variable}", value)
            code = gate.framework(stage, "0", ())
        found[name] = (code, rule in capsys.readouterr().err)
    assert found == {name: ((0, False) if name == hidden else (1, True)) for name in asked}
