"""The schemas decide, wherever something is judged: one keyword edited in a copy of the program, and every
entry point gives another verdict."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import Repo

_CHECKOUT = Path(__file__).resolve().parents[1]


class Program:
    """A copy of the whole program, whose schemas can be edited."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("mgit_hooks", "hooks", "schemas"):
            shutil.copytree(_CHECKOUT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))

    def edit(self, schema: str, edit: Any) -> None:
        path = self.folder / "schemas" / f"{schema}.json"
        document = json.loads(path.read_text())
        edit(document)
        path.write_text(json.dumps(document))

    def run(self, repo: Repo, *args: str, stdin: str = "", **env: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "mgit_hooks", "-C", repo.path, *args]
        environment = {**os.environ, "PYTHONPATH": str(self.folder), **env}
        return subprocess.run(
            command, capture_output=True, text=True, input=stdin, env=environment, cwd=self.folder, check=False
        )


def _shorter_names(document: dict[str, Any]) -> None:
    document["properties"]["filename"]["maxLength"] = 8


@pytest.fixture(params=["as it is", "edited"])
def judged(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Program, bool]:
    """The program, and whether a file's name of more than 8 characters is an error to it."""
    program = Program(tmp_path / "program")
    if request.param == "edited":
        program.edit("file-change.basic", _shorter_names)
    return program, request.param == "edited"


def _codes(done: subprocess.CompletedProcess[str], hash: str) -> list[str]:
    records = [json.loads(line) for line in done.stdout.splitlines()]
    found = next(record for record in records if record.get("commit", {}).get("hash") == hash)
    return [issue["code"] for issue in found["validation"]["issues"]]


def test_drain_judges_by_the_schemas(judged: tuple[Program, bool], repo: Repo) -> None:
    program, edited = judged
    assert program.run(repo, "install").returncode == 0
    assert program.run(repo, "drain").returncode == 0
    commit = repo.commit("Add", {"quite-a-long-name": "x"})
    codes = _codes(program.run(repo, "log", "--json"), commit)
    assert codes == (["FILENAME_TOO_LONG"] if edited else [])


def test_backfill_judges_by_the_schemas(judged: tuple[Program, bool], repo: Repo) -> None:
    program, edited = judged
    commit = repo.commit("Add", {"quite-a-long-name": "x"})
    assert program.run(repo, "backfill").returncode == 0
    assert _codes(program.run(repo, "log", "--json"), commit) == (["FILENAME_TOO_LONG"] if edited else [])


def test_repair_records_judges_by_the_schemas(tmp_path: Path, repo: Repo) -> None:
    program = Program(tmp_path / "program")
    program.edit("file-change.basic", _shorter_names)
    commit = repo.commit("Add", {"quite-a-long-name": "x"})
    program.run(repo, "backfill")
    assert program.run(repo, "repair", "--records").returncode == 1
    program.edit("file-change.basic", lambda document: document["properties"]["filename"].update(maxLength=4096))
    done = program.run(repo, "repair", "--records")
    assert (done.returncode, done.stdout) == (0, "1 record mended, 0 still invalid\n")
    records = [json.loads(line) for line in program.run(repo, "log", "--json", "--superseded").stdout.splitlines()]
    mended, invalid = (record for record in records if record.get("commit", {}).get("hash") == commit)
    assert mended["supersedes"] == invalid["seq"]
    assert mended["validation"]["is_valid"]
    assert not invalid["validation"]["is_valid"]


@pytest.mark.parametrize("stage", ["pre-commit", "commit-msg"])
def test_the_gate_judges_by_the_schemas(judged: tuple[Program, bool], repo: Repo, tmp_path: Path, stage: str) -> None:
    program, edited = judged
    repo.write("quite-a-long-name", "x")
    repo.git("add", ".")
    message = tmp_path / "message"
    message.write_text("Add\n")
    arguments = [str(message)] if stage == "commit-msg" else []
    done = program.run(repo, "gate", stage, *arguments, MGIT_STRATEGY="abort")
    assert done.returncode == (1 if edited else 0), done.stderr
    assert ("FILENAME_TOO_LONG" in done.stderr) == edited


def test_schema_validate_judges_by_the_schemas(judged: tuple[Program, bool], repo: Repo, tmp_path: Path) -> None:
    program, edited = judged
    change = {
        "filename": "quite-a-long-name",
        "change_type": "added",
        "index_status": "A",
        "worktree_status": ".",
    }
    file = tmp_path / "change.json"
    file.write_text(json.dumps(change))
    done = program.run(repo, "schema", "validate", str(file), "--kind", "file-change", "--level", "basic")
    assert done.returncode == (1 if edited else 0), done.stderr
    assert ("FILENAME_TOO_LONG" in done.stdout) == edited


def test_config_is_judged_by_the_schemas(tmp_path: Path, repo: Repo) -> None:
    program = Program(tmp_path / "program")
    repo.git("config", "mgit.retries", "7")
    assert program.run(repo, "config").returncode == 0
    program.edit("config", lambda document: document["properties"]["retries"].update(maximum=5))
    done = program.run(repo, "config")
    assert done.returncode == 2
    assert "retries" in done.stderr
