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


# A rule of the library, whose keyword is edited in its file: every place where a rule is judged


def _five_characters(document: dict[str, Any]) -> None:
    subject = document["properties"]["commit"]["then"]["properties"]["facts"]["properties"]["subject"]
    assert subject["then"]["maxLength"] == {"x-parameter": "most"}
    subject["then"]["maxLength"] = 5


def _three_bytes(document: dict[str, Any]) -> None:
    size = document["properties"]["commit"]["properties"]["files"]["items"]["properties"]["size_bytes"]
    assert size["maximum"] == {"x-parameter": "most"}
    size["maximum"] = 3


RULES = """
[[rules]]
use = "subject-length"
events = ["commit", "import", "pushed-commit"]
strategy = "abort"

[[rules]]
use = "file-size"
events = ["commit", "merge", "import"]
strategy = "abort"
"""


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> dict[bool, Program]:
    """By whether its rules are edited."""
    made = {edited: Program(tmp_path_factory.mktemp("program")) for edited in (False, True)}
    made[True].edit("rules/subject-length", _five_characters)
    made[True].edit("rules/file-size", _three_bytes)
    return made


@pytest.fixture
def ruled(repo: Repo) -> Repo:
    """A repository whose policy is those two rules, with a commit and a staged file that only the edited find."""
    _ruled(repo)
    repo.commit("Root")
    repo.commit("A short subject", {"a": "ten bytes\n"})
    repo.write("b", "ten bytes\n")
    repo.git("add", "b")
    return repo


def _ruled(repo: Repo) -> None:
    rules = Path(repo.git("rev-parse", "--absolute-git-dir"), "rules.toml")
    rules.write_text(RULES)
    repo.git("config", "mgit.rules", str(rules))
    repo.git("config", "mgit.level", "basic")


def _message(repo: Repo) -> str:
    path = Path(repo.path).parent / "message"
    path.write_text("A short subject\n")
    return str(path)


def _patch(repo: Repo) -> str:
    path = Path(repo.path).parent / "patch"
    path.write_text(repo.git("format-patch", "--root", "--stdout", "HEAD") + "\n")
    return str(path)


def _gate(stage: str) -> Any:
    return lambda program, repo: program.run(repo, "gate", stage, *((_message(repo),) if stage == "commit-msg" else ()))


def _check(*words: str, **files: Any) -> Any:
    return lambda program, repo: program.run(repo, "check", *words, *(make(repo) for make in files.values()))


def _hook(program: Program, repo: Repo) -> subprocess.CompletedProcess[str]:
    """git's own hooks, by the stubs that this program writes."""
    assert program.run(repo, "install").returncode == 0
    return _git(repo, "commit", "-m", "A short subject")


def _git(repo: Repo, *arguments: str) -> subprocess.CompletedProcess[str]:
    done = repo.run(*arguments, check=False)
    return subprocess.CompletedProcess(arguments, done.returncode, done.stdout.decode(), done.stderr.decode())


def _push(program: Program, repo: Repo) -> subprocess.CompletedProcess[str]:
    assert program.run(repo, "install").returncode == 0
    return _git(repo, "push", _bare(repo).path, "HEAD")


def _receive(program: Program, repo: Repo) -> subprocess.CompletedProcess[str]:
    bare = _bare(repo)
    _ruled(bare)
    assert program.run(bare, "install", "--server").returncode == 0
    return _git(repo, "push", bare.path, "HEAD")


def _bare(repo: Repo) -> Repo:
    path = Path(repo.path).parent / "bare.git"
    subprocess.run(["git", "init", "-q", "--bare", str(path)], check=True)
    return Repo(path)


def _drain(program: Program, repo: Repo) -> subprocess.CompletedProcess[str]:
    assert program.run(repo, "install").returncode == 0
    assert program.run(repo, "drain").returncode == 0
    repo.git("commit", "-q", "--no-verify", "-m", "A short subject")
    assert program.run(repo, "drain").returncode == 0
    return _recorded(program, repo, "commit")


def _backfill(program: Program, repo: Repo) -> subprocess.CompletedProcess[str]:
    assert program.run(repo, "backfill").returncode == 0
    return _recorded(program, repo, "import")


def _recorded(program: Program, repo: Repo, event: str) -> subprocess.CompletedProcess[str]:
    newest = program.run(repo, "log", "--json", "--event", event, "-n", "1").stdout
    record = json.loads(newest)
    issues = [issue["message"] for issue in record["validation"]["issues"]]
    return subprocess.CompletedProcess((), int(bool(issues)), "\n".join(issues), "")


PLACES: dict[str, tuple[Any, set[str]]] = {
    "gate pre-commit": (_gate("pre-commit"), {"file-size"}),
    "gate pre-merge-commit": (_gate("pre-merge-commit"), {"file-size"}),
    "gate commit-msg": (_gate("commit-msg"), {"file-size", "subject-length"}),
    "git commit": (_hook, {"file-size"}),
    "git push": (_push, {"subject-length"}),
    "pre-receive": (_receive, {"file-size", "subject-length"}),
    "check": (_check(), {"file-size", "subject-length"}),
    "check HEAD": (_check("HEAD"), {"file-size", "subject-length"}),
    "check RANGE": (_check("HEAD~1..HEAD"), {"file-size", "subject-length"}),
    "check --staged": (_check("--staged"), {"file-size"}),
    "check --message": (_check("--message", file=_message), {"subject-length"}),
    "check --staged --message": (_check("--staged", "--message", file=_message), {"file-size", "subject-length"}),
    "check --patch": (_check("--patch", file=_patch), {"subject-length"}),
    "check --mbox": (_check("--mbox", file=_patch), {"subject-length"}),
    "drain": (_drain, {"file-size", "subject-length"}),
    "backfill": (_backfill, {"file-size", "subject-length"}),
    "schema test": (
        lambda program, repo: program.run(repo, "schema", "test"),
        {"file-size", "subject-length"},
    ),
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("edited", [False, True], ids=["as it is", "edited"])
def test_an_edited_keyword_of_a_rule_changes_the_verdict(
    programs: dict[bool, Program], ruled: Repo, place: str, edited: bool
) -> None:
    judge, expected = PLACES[place]
    done = judge(programs[edited], ruled)
    said = done.stdout + done.stderr
    assert "Traceback" not in said
    assert done.returncode == (1 if edited else 0), said
    if edited:
        assert {name for name in ("file-size", "subject-length") if name in said} == expected, said


def test_every_stage_and_every_source_of_check_is_among_the_places() -> None:
    from mgit_hooks.commands.check import _SOURCES
    from mgit_hooks.gatekeeper.candidate import STAGES

    covered = {*PLACES, "gate pre-push"}  # by git push: a manager's own pre-push needs a push behind it
    assert {f"gate {stage}" for stage in STAGES} | {f"check --{source}" for source in _SOURCES} <= covered
