"""Repositories whose teams use a hook manager, the real one: what it does, and what it is seen to have run."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from checkout import once, shared_folder
from conftest import Repo

STAGES = ("pre-commit", "commit-msg", "post-commit", "pre-push")
TIMEOUT = 300
"""Seconds after which a command has hung."""


class Team:
    """A repository with one manager's jobs: each leaves its stage in a file, and one refuses to commit ``bad``."""

    def __init__(self, repo: Repo, manager: Manager) -> None:
        self.repo = repo
        self.manager = manager
        self._ran = Path(repo.path).parent / "ran"
        self.job = Path(repo.path).parent / "job.sh"
        self.job.write_text(f"echo $1 >>'{self._ran}'\n[ $1 != pre-commit ] || [ ! -e bad ]\n")

    def ran(self) -> list[str]:
        """The stages whose jobs have run since this was last asked."""
        found = self._ran.read_text().split() if self._ran.exists() else []
        self._ran.unlink(missing_ok=True)
        return found

    def command(self, *words: str) -> str:
        done = subprocess.run(
            words, cwd=self.repo.path, capture_output=True, text=True, timeout=TIMEOUT, check=False, stdin=-3
        )
        assert done.returncode == 0, f"{words}\n{done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr

    def configure(self) -> None:
        self.manager.configure(self)

    def install(self) -> None:
        self.manager.install(self)

    def uninstall(self) -> None:
        self.manager.uninstall(self)


class Manager(NamedTuple):
    name: str
    configure: Callable[[Team], None]
    install: Callable[[Team], None]
    uninstall: Callable[[Team], None]


def _framework(module: str) -> Manager:
    stages = [word for stage in STAGES for word in ("-t", stage)]
    return Manager(
        module.replace("_", "-"),
        _framework_configuration,
        lambda team: run_module(team, module, "install", *stages),
        lambda team: run_module(team, module, "uninstall", *stages),
    )


def run_module(team: Team, module: str, *words: str) -> None:
    team.command(sys.executable, "-m", module, *words)


def _framework_configuration(team: Team) -> None:
    hooks = [
        {
            "id": stage, "name": stage, "language": "system", "entry": f"sh '{team.job}' {stage}", "stages": [stage],
            "always_run": True, "pass_filenames": False,
        }
        for stage in STAGES
    ]  # fmt: skip
    team.repo.write(".pre-commit-config.yaml", json.dumps({"repos": [{"repo": "local", "hooks": hooks}]}))


def _lefthook_configuration(team: Team) -> None:
    jobs = {stage: {"jobs": [{"run": f"sh '{team.job}' {stage}"}]} for stage in STAGES}
    team.repo.write("lefthook.yml", json.dumps(jobs))


def _husky_configuration(team: Team) -> None:
    """As its users have it: husky is a dependency, and ``npm install`` runs it."""
    package = Path(team.repo.path, "package.json")
    package.write_text(json.dumps(json.loads(package.read_text()) | {"scripts": {"prepare": "husky"}}))
    team.repo.write(".gitignore", "node_modules\n")
    for stage in STAGES:
        team.repo.write(f".husky/{stage}", f"sh '{team.job}' {stage}\n")


def _husky_uninstall(team: Team) -> None:
    """As its documentation tells: https://typicode.github.io/husky/ -> How To -> Uninstall."""
    shutil.rmtree(Path(team.repo.path, ".husky"))
    team.command("git", "config", "--unset", "core.hooksPath")


MANAGERS = {
    manager.name: manager
    for manager in (
        _framework("pre_commit"),
        _framework("prek"),
        Manager(
            "lefthook",
            _lefthook_configuration,
            lambda team: run_module(team, "lefthook", "install"),
            lambda team: run_module(team, "lefthook", "uninstall"),
        ),
        Manager("husky", _husky_configuration, lambda team: _run_npm(team, "run", "prepare"), _husky_uninstall),
    )
}


def _run_npm(team: Team, *words: str) -> None:
    team.command("npm", *words)


def team_of(repo: Repo, name: str, factory: pytest.TempPathFactory) -> Team:
    """A team with the manager ``name``, which is skipped where it is not to be had."""
    team = Team(repo, MANAGERS[name])
    if name == "husky":
        shutil.copytree(_npm_installed(factory), repo.path, dirs_exist_ok=True, symlinks=True)
    elif importlib.util.find_spec(name.replace("-", "_")) is None:
        pytest.skip(f"{name} is not installed")
    team.configure()
    repo.commit("team")
    return team


def _npm_installed(factory: pytest.TempPathFactory) -> Path:
    """The folder that ``npm install husky`` makes, once for all processes of this run."""
    if shutil.which("npm") is None or shutil.which("node") is None:
        pytest.skip("husky is not tried: there is no npm here")
    folder = once(shared_folder(factory) / "npm", _npm_install)
    trouble = folder / "trouble"
    if trouble.exists():
        pytest.skip(f"husky is not tried: npm cannot install it: {trouble.read_text()}")
    return folder


def _npm_install(target: Path) -> None:
    target.mkdir()
    (target / "package.json").write_text('{"name": "project", "private": true}\n')
    npm = ["npm", "install", "--no-audit", "--no-fund", "--save-dev", "husky@9"]
    try:
        done = subprocess.run(npm, cwd=target, capture_output=True, text=True, timeout=TIMEOUT, check=False, stdin=-3)
        trouble = done.stderr.strip()[-200:] if done.returncode else ""
    except subprocess.TimeoutExpired:
        trouble = "no answer"
    if trouble or not (target / "node_modules" / "husky" / "husky").exists():
        (target / "trouble").write_text(trouble or "no husky came of it")


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()}
