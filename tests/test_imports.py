"""What the processes of hooks load: a module more is a wait more, at each commit."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import Repo

ROOT = Path(__file__).resolve().parents[1]
# Loaded by a bare `python -I` already, or the price of NamedTuple, patterns and JSON.
DEAR = frozenset(
    (
        "argparse",
        "asyncio",
        "calendar",
        "ctypes",
        "dataclasses",
        "email",
        "google_crc32c",
        "hashlib",
        "inspect",
        "jsonschema",
        "logging",
        "loguru",
        "mgit_hooks.bulk",
        "mgit_hooks.changesets",
        "mgit_hooks.cli",
        "mgit_hooks.codecs",
        "mgit_hooks.datafolder",
        "mgit_hooks.judging.explain",
        "mgit_hooks.journal.blockformat",
        "mgit_hooks.journal.format",
        "mgit_hooks.pipeline",
        "multiprocessing",
        "orjson",
        "pathlib",
        "pygit2",
        "referencing",
        "shutil",
        "snappy",
        "socket",
        "sqlite3",
        "subprocess",
        "tempfile",
        "urllib",
        "backports",
        "compression",
    )
)
# -S: what site loads is the environment's affair (an editable install has it load much).
PROBE = """
import sys
sys.argv = sys.argv[1:]
sys.path[:0] = [{root!r}]
from mgit_hooks import boot
code = boot.main(sys.argv)
import json
print(json.dumps([code, sorted(sys.modules)]))
"""


def loaded(repo: Repo, *arguments: str, **env: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", PROBE.format(root=str(ROOT)), *arguments],
        cwd=repo.path,
        capture_output=True,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "MGIT_GATE_WAS": "a", **env},
        check=True,
    )
    code, modules = json.loads(done.stdout)
    assert code == 0, done.stderr
    return set(modules)


@pytest.fixture
def armed(repo: Repo) -> Repo:
    repo.commit("one", {"a": "1\n"})
    Path(repo.path, ".git", "rules.toml").write_text(
        '[[rules]]\nid = "subject"\nstrategy = "abort"\nmessage = "Keep it short."\n'
        'schema.properties.commit.properties.message.pattern = "^.{1,72}(\\\\n|$)"\n'
        "schema.properties.commit.properties.files.items.properties.size_bytes.maximum = 100\n"
    )
    repo.git("config", "mgit.rules", os.path.join(repo.path, ".git", "rules.toml"))
    repo.write("b", "2\n")
    repo.git("add", "b")
    Path(repo.path, ".git", "COMMIT_EDITMSG").write_text("two\n")
    return repo


@pytest.mark.parametrize(
    ("stage", "arguments"),
    [
        ("pre-commit", ()),
        ("pre-merge-commit", ()),
        ("commit-msg", (".git/COMMIT_EDITMSG",)),
        ("pre-push", ("origin", "/x")),
    ],
)
def test_a_gate_that_lets_through_loads_little(armed: Repo, stage: str, arguments: tuple[str, ...]) -> None:
    modules = loaded(armed, "gate", stage, "1", "--", *arguments)
    assert "mgit_hooks.gatekeeper.judgement" in modules
    assert modules & DEAR == set()


def test_a_gate_that_is_not_armed_loads_less(repo: Repo) -> None:
    modules = loaded(repo, "gate", "pre-commit", "1", "--")
    assert (
        modules
        & (
            DEAR
            | {
                "datetime",
                "tomllib",
                "mgit_hooks.gatekeeper.candidate",
                "mgit_hooks.gatekeeper.judgement",
                "mgit_hooks.recorder.spool",
            }
        )
        == set()
    )


def test_where_no_rule_is_used_nothing_that_makes_rules_is_loaded(repo: Repo) -> None:
    makers = {
        f"mgit_hooks.judging.{name}"
        for name in ("rulefiles", "bundles", "parameters", "extending", "rulecheck", "facts", "judge")
    }
    assert loaded(repo, "gate", "pre-commit", "1", "--") & makers  # the level's own
    repo.git("config", "mgit.level", "basic")
    assert loaded(repo, "gate", "pre-commit", "1", "--") & makers == set()


def test_the_program_says_its_version_without_the_libraries() -> None:
    code = (
        "import sys; sys.path[:0] = [sys.argv[1]]\n"
        "from mgit_hooks import cli\n"
        "try: cli.main(['--version'])\n"
        "except SystemExit: pass\n"
        "print(sorted(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code, str(ROOT)], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("mgit-hooks ")
    for library in ("pygit2", "jsonschema", "loguru", "sqlite3", "snappy", "google_crc32c"):
        assert f"'{library}'" not in done.stdout


def test_a_drain_loads_no_command_line_and_no_explanations(armed: Repo) -> None:
    """In the background, but at each commit."""
    code = (
        "import sys, json\n"
        "from mgit_hooks import boot\n"
        "code = boot.main(['drain', '--git-dir', '.git'])\n"
        "print(json.dumps([code, sorted(sys.modules)]))"
    )
    armed.commit("fine", {"c": "3\n"})
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=armed.path, capture_output=True, env=environment, check=True
    )
    status, modules = json.loads(done.stdout)
    assert status == 0, done.stderr
    dear = {"argparse", "mgit_hooks.cli", "jsonschema", "loguru", "asyncio", "multiprocessing"}
    dear |= {"mgit_hooks.changesets", "mgit_hooks.codecs", "mgit_hooks.pipeline"}
    assert set(modules) & dear == set()
