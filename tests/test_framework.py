"""The real pre-commit, with this very project as its hook repository."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from checkout import ROOT, alone, copy_project, once, shared_folder
from conftest import Repo

pytestmark = pytest.mark.managers

PRE_COMMIT = (sys.executable, "-m", "pre_commit")
RULES = """
[[rules]]
id = "subject-length"
events = ["commit", "amend"]
strategy = "abort"
message = "Keep the subject within 20 characters."
schema.properties.commit.properties.message.pattern = "^.{1,20}(\\\\n|$)"

[[rules]]
id = "no-binaries"
events = ["commit", "amend"]
strategy = "abort"
message = "Keep binary files out."
schema.properties.commit.properties.files.items.properties.binary = { const = false }

[[rules]]
id = "no-force"
events = ["push"]
strategy = "abort"
message = "Merge what the remote has, then push."
schema.properties.push.properties.refs.items.properties.forced = { const = false }
"""
LONG = "a subject of more than twenty characters"


class Managed(Repo):
    """A repository whose hooks pre-commit runs, and the program as pre-commit installed it."""

    def __init__(self, path: Path, hooks: Path, home: Path) -> None:
        super().__init__(path)
        self.hooks = hooks
        self.home = home

    def pre_commit(self, *args: str, **env: str) -> subprocess.CompletedProcess[bytes]:
        command = [*PRE_COMMIT, *args, "--color=never"] if args[0] in ("run", "try-repo") else [*PRE_COMMIT, *args]
        return subprocess.run(command, cwd=self.path, capture_output=True, env={**os.environ, **env}, check=False)

    def records(self) -> list[dict[str, Any]]:
        program = next(self.home.glob("repo*/py_env-*/bin/mgit-hooks"))
        done = subprocess.run([program, "-C", self.path, "log", "--json"], capture_output=True, check=True)
        return [json.loads(line) for line in done.stdout.splitlines()]


def configuration(hooks: Path) -> str:
    head = subprocess.run(["git", "-C", str(hooks), "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
    ids = ("mgit-validate", "mgit-commit-msg", "mgit-push", "mgit-capture", "mgit-verify", "mgit-repair")
    return json.dumps({"repos": [{"repo": str(hooks), "rev": head.stdout.strip(), "hooks": [{"id": i} for i in ids]}]})


@pytest.fixture
def managed(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Managed:
    shared = shared_folder(tmp_path_factory)
    hooks = once(shared / "hook-repository", copy_project)
    home = shared / "pre-commit-home"
    monkeypatch.setenv("PRE_COMMIT_HOME", str(home))
    made = Managed(tmp_path / "repo", hooks, home)
    subprocess.run(["git", "init", "-q", "-b", "main", made.path], check=True)
    made.write(".pre-commit-config.yaml", configuration(hooks))
    made.write(".mgit-hooks.toml", RULES)
    with alone(shared / "pre-commit.lock"):  # the one environment is built by whoever comes first
        done = made.pre_commit("install-hooks")
    assert done.returncode == 0, done.stdout.decode()
    return made


def install(repo: Managed, *stages: str) -> None:
    done = repo.pre_commit("install", *(word for stage in stages for word in ("--hook-type", stage)))
    assert done.returncode == 0, done.stderr.decode()


def test_the_manifest_is_valid() -> None:
    done = subprocess.run(
        [*PRE_COMMIT, "validate-manifest", str(ROOT / ".pre-commit-hooks.yaml")], capture_output=True, check=False
    )
    assert done.returncode == 0, done.stdout.decode()


def test_commits_are_judged_and_recorded(managed: Managed) -> None:
    install(managed, "pre-commit", "commit-msg", "post-commit")
    managed.git("add", "-A")
    managed.git("commit", "-q", "-m", "fine")
    good = managed.git("rev-parse", "HEAD")
    managed.write("a", "1\n")
    managed.git("add", "a")
    done = managed.run("commit", "-m", LONG, check=False)
    assert done.returncode == 1
    words = (done.stdout + done.stderr).decode()
    assert "subject-length" in words
    assert "Keep the subject within 20 characters." in words
    assert managed.git("rev-parse", "HEAD") == good
    records = managed.records()
    commits = [record for record in records if record["event"] == "commit"]
    assert [record["commit"]["hash"] for record in commits] == [good]
    assert commits[0]["commit"]["message"] == "fine\n"
    refused = [record for record in records if record["event"] == "refused"]
    assert [record["detail"]["judged"]["message"] for record in refused] == [LONG]
    assert oct(os.stat(os.path.join(managed.path, ".git", "mgit")).st_mode & 0o777) == "0o700"


def test_a_skipped_hook_is_a_skipped_judgement(managed: Managed) -> None:
    install(managed, "commit-msg", "post-commit")
    managed.git("add", "-A")
    managed.git("commit", "-q", "-m", LONG, MGIT_SKIP="subject-length,no-binaries", MGIT_SKIP_REASON="imported")
    skipped = [record for record in managed.records() if record["event"] == "skipped"]
    assert skipped[0]["gate"]["reason"] == "MGIT_SKIP=subject-length,no-binaries: imported"


def test_a_forced_push_is_refused(managed: Managed, bare: Repo) -> None:
    install(managed, "pre-push")
    managed.git("remote", "add", "origin", bare.path)
    managed.commit("one", {"a": "1\n"})
    managed.git("push", "-q", "origin", "main")
    managed.commit("two", {"a": "2\n"})
    managed.git("push", "-q", "origin", "main")
    managed.git("push", "-q", "origin", "main:new")
    managed.git("reset", "-q", "--hard", "HEAD^")
    managed.commit("other", {"a": "3\n"})
    done = managed.run("push", "-f", "origin", "main", check=False)
    assert done.returncode != 0
    words = (done.stdout + done.stderr).decode()
    assert "no-force" in words
    assert "Merge what the remote has" in words


def test_run_all_files_judges_the_index_as_it_is(managed: Managed) -> None:
    managed.git("add", "-A")
    done = managed.pre_commit("run", "--all-files", "--verbose")
    assert done.returncode == 0, done.stdout.decode()
    managed.write("picture", b"\0\1")
    managed.git("add", "picture")
    done = managed.pre_commit("run", "--all-files")
    assert done.returncode == 1
    assert b"no-binaries" in done.stdout


def test_manual_stages_check_and_mend_the_journal(managed: Managed) -> None:
    install(managed, "post-commit")
    managed.commit("one", {"a": "1\n"})
    for hook in ("mgit-verify", "mgit-repair"):
        done = managed.pre_commit("run", "--hook-stage", "manual", hook, "--verbose")
        assert done.returncode == 0, done.stdout.decode()


def test_try_repo(managed: Managed) -> None:
    managed.git("add", "-A")
    done = managed.pre_commit("try-repo", str(managed.hooks), "mgit-validate", "--all-files", "--verbose")
    assert done.returncode == 0, done.stdout.decode()
    assert b"mgit-validate" in done.stdout


def test_the_manifest_under_prek(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Installed by prek into an environment of its own, from a repository; tests/test_managers.py has the stages."""
    shared = shared_folder(tmp_path_factory)
    hooks = once(shared / "hook-repository", copy_project)
    prek = [sys.executable, "-m", "prek"]
    env = {**os.environ, "PREK_HOME": str(shared / "prek-home")}
    repo = Repo(tmp_path / "repo")
    subprocess.run(["git", "init", "-q", "-b", "main", repo.path], check=True)
    stages = "pre-commit, pre-merge-commit, commit-msg, pre-push, post-commit, post-merge, post-rewrite, post-checkout"
    config = json.loads(configuration(hooks)) | {"default_install_hook_types": stages.split(", ")}
    repo.write(".pre-commit-config.yaml", json.dumps(config))
    repo.write(".mgit-hooks.toml", RULES)
    repo.git("add", "-A")

    def run(*command: str, status: int = 0) -> str:
        done = subprocess.run(command, cwd=repo.path, capture_output=True, text=True, env=env, check=False)
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout + done.stderr

    made = subprocess.run([*prek, "install", "--prepare-hooks"], cwd=repo.path, capture_output=True, text=True, env=env)
    if made.returncode and "Failed to fetch" in made.stderr + made.stdout:
        pytest.skip(f"the registry does not answer: {made.stderr[-200:]}")
    assert made.returncode == 0, made.stdout + made.stderr
    run("git", "commit", "-q", "-m", "fine")
    assert "subject-length" in run("git", "commit", "-q", "--allow-empty", "-m", LONG, status=1)
    for hook in ("mgit-verify", "mgit-repair"):
        assert "Passed" in run(*prek, "run", "--stage", "manual", hook)
    assert "Passed" in run(*prek, "run", "--from-ref", "HEAD", "--to-ref", "HEAD")
    assert "mgit-validate" in run(*prek, "try-repo", str(hooks), "mgit-validate", "--all-files", "--verbose")
    program = next((shared / "prek-home" / "hooks").glob("*/bin/mgit-hooks"))
    told = [json.loads(line) for line in run(str(program), "log", "--json").splitlines()]
    found = [record for record in told if record["event"] in ("commit", "refused")]
    assert [(record["event"], record["gate"]["status"]) for record in found] == [
        ("refused", "refused"),
        ("commit", "passed"),
    ]
    assert found[1]["source"] == "framework"
