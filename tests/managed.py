"""Repositories in which a hook manager, the real one, runs our hooks as ``install --mode pre-commit`` writes them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest
from checkout import once, shared_folder
from conftest import Repo
from recording import records, standing

from mgit_hooks.framework import configfile
from mgit_hooks.framework.adding import Wanted
from mgit_hooks.framework.manifest import USUAL
from mgit_hooks.layout import locate
from mgit_hooks.record import Gate, Record
from mgit_hooks.recorder.drain import drain

MANAGERS: Final = {"pre-commit": "pre_commit", "prek": "prek"}
LONG: Final = "a message that is too long by far"
RULES: Final = """
[[rules]]
id = "short"
events = ["commit", "amend", "merge", "pushed-commit"]
strategy = "abort"
message = "Keep it short."
schema.properties.commit.properties.message.maxLength = 20

[[rules]]
id = "no-binaries"
events = ["commit", "amend", "merge", "pushed-commit"]
strategy = "abort"
message = "Keep binary files out."
schema.properties.commit.properties.files.items.properties.binary = { const = false }

[[rules]]
id = "no-force"
events = ["push"]
strategy = "abort"
message = "Merge what the remote has, then push."
schema.properties.push.properties.refs.items.properties.forced = { const = false }

[[rules]]
id = "no-deletion"
events = ["push"]
strategy = "abort"
message = "Leave branches there."
schema.properties.push.properties.refs.items.properties.deleted = { const = false }
"""
PASSED: Final = {
    "validate": "judge the staged changes (mgit-hooks)....................................Passed",
    "commit-msg": "judge the commit and its message (mgit-hooks)............................Passed",
    "push": "judge the push (mgit-hooks)..............................................Passed",
    "capture": "record what happened (mgit-hooks)........................................Passed",
}
_NETWORKLESS: Final = ("unshare", "-r", "-n")


class Managed(Repo):
    """``origin`` is a bare repository beside it. What runs has no network, where the system can see to that."""

    def __init__(self, path: Path, manager: str, env: dict[str, str]) -> None:
        super().__init__(path)
        self.manager = manager
        self.env = env

    def run(self, *args: str, stdin: bytes | None = None, check: bool = True, **env: str) -> Any:
        return self._call("git", "-C", self.path, *args, stdin=stdin, check=check, **env)

    def manage(self, *args: str, check: bool = True, **env: str) -> Any:
        """The manager's own command line."""
        return self._call(sys.executable, "-m", MANAGERS[self.manager], *args, check=check, **env)

    def _call(self, *words: str, stdin: bytes | None = None, check: bool = True, **env: str) -> Any:
        given = {"stdin": subprocess.DEVNULL} if stdin is None else {"input": stdin}
        done = subprocess.run(
            [*_prefix(), *words],
            cwd=self.path,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, **self.env, **env},
            check=False,
            **given,  # type: ignore[call-overload]
        )
        if check and done.returncode:
            raise AssertionError(f"{words}: {done.returncode}\n{done.stdout.decode()}")
        return done

    def says(self, *args: str, status: int = 0, **env: str) -> list[str]:
        """What git says, hooks included, line by line."""
        done = self.run(*args, check=False, **env)
        told: str = done.stdout.decode()
        assert done.returncode == status, f"git {args}: {done.returncode}\n{told}"
        return [line.strip() for line in told.splitlines() if line.strip()]

    def asks(self, *args: str, status: int = 0, **env: str) -> str:
        """What ``run`` of the manager says."""
        done = self.manage("run", "--color=never", *args, check=False, **env)
        told: str = done.stdout.decode()
        assert done.returncode == status, f"{args}: {done.returncode}\n{told}"
        return told

    def install(self) -> None:
        self.manage("install")

    def recorded(self) -> list[Record]:
        drain(locate(self.path), wait=60.0)
        return standing(records(locate(self.path).journal_dir))

    def verdicts(self) -> dict[str, Gate]:
        """Of each commit on record, by its subject; each is there once."""
        found = [record for record in self.recorded() if record.commit is not None and record.event != "import"]
        subjects = [(record.commit.message if record.commit else "").strip() for record in found]
        assert len(set(subjects)) == len(subjects), subjects
        return {subject: record.gate for subject, record in zip(subjects, found, strict=True)}

    def events(self, *names: str) -> list[str]:
        return [record.event for record in self.recorded() if record.event in names]


def _prefix() -> tuple[str, ...]:
    global _works
    if _works is None:
        found = shutil.which("unshare") and subprocess.run([*_NETWORKLESS, "true"], capture_output=True, check=False)
        _works = bool(found) and found.returncode == 0  # type: ignore[union-attr]
    return _NETWORKLESS if _works else ()


_works: bool | None = None


def managed(manager: str, tmp_path: Path, factory: pytest.TempPathFactory) -> Managed:
    """One in which the manager is installed; nothing is committed yet."""
    shared = shared_folder(factory)
    home = shared / f"{manager}-cache"
    programs = once(shared / "programs", _programs)
    env = {
        "PRE_COMMIT_HOME": str(home),
        "PREK_HOME": str(home),
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "GIT_ALLOW_PROTOCOL": "file",
    }
    template = once(shared / f"{manager}-template", lambda target: _template(target, manager, env))
    shutil.copytree(template, tmp_path / "managed", symlinks=True)
    return Managed(tmp_path / "managed" / "repo", manager, env)


def _programs(folder: Path) -> None:
    folder.mkdir()
    program = folder / "mgit-hooks"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -I -m mgit_hooks "$@"\n')
    program.chmod(0o755)


def _template(target: Path, manager: str, env: dict[str, str]) -> None:
    made = Managed(target / "repo", manager, env)
    subprocess.run(["git", "init", "-q", "-b", "main", made.path], check=True)
    subprocess.run(["git", "init", "-q", "--bare", "-b", "trunk", target / "origin.git"], check=True)
    made.git("remote", "add", "origin", "../origin.git")
    configfile.install(locate(made.path), Wanted(USUAL))
    made.write(".mgit-hooks.toml", RULES)
    made.git("add", "-A")
    made.install()
