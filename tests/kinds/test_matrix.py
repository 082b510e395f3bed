"""A day in a repository of each kind, with the real hooks: it is on record, and git finds nothing wrong."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import Repo, Told
from recording import faults, wait_until
from reliability import Tally

from kinds.conftest import Made
from kinds.making import KINDS
from mgit_hooks.layout import locate
from mgit_hooks.recorder.drain import drain

RULE = """
[[rules]]
id = "subject-length"
events = ["commit", "amend", "merge"]
strategy = "abort"
message = "Keep the subject within 40 characters."
schema = { properties = { commit = { properties = { message = { pattern = "^.{1,40}(\\\\n|$)" } } } } }

[[rules]]
id = "small-files"
events = ["commit"]
strategy = "abort"
message = "Add at most 1000 lines."
schema.properties.commit.properties.files.items.properties.additions.maximum = 1000
"""
LONG = "a subject of very many more than the forty characters"


def ours(repo: Repo, *args: str) -> Told:
    """A command of ours, as a process of its own in that repository."""
    done = subprocess.run([sys.executable, "-m", "mgit_hooks", "-C", repo.path, *args], capture_output=True)
    assert b"Traceback" not in done.stderr, done.stderr.decode()
    return Told(done.returncode, done.stdout, done.stderr.decode())


def settle(repo: Repo) -> None:
    """Until the drain that a hook started has ended."""
    location = locate(repo.path)
    assert not drain(location, wait=60.0).busy
    wait_until(lambda: not os.path.exists(os.path.join(location.mgit_dir, "draining")))


# The others differ from one of these in what no hook and no command of ours sees, or are two of them at once.
EVERY_TIME = ("sha256", "reftable", "partial", "shallow", "sparse-index", "split-index", "submodule", "worktree")


@pytest.mark.parametrize(
    "made",
    [pytest.param(name, marks=() if name in EVERY_TIME else pytest.mark.full) for name in KINDS],
    indirect=True,
)
def test_a_day(made: Made, tmp_path: Path, tally: Tally) -> None:
    repo = made.repo
    tally.cases += 1
    before = len(repo.git("--no-replace-objects", "rev-list", "--all", GIT_GRAFT_FILE=str(tmp_path / "none")).split())
    began = ours(repo, "init", "--json")
    assert began.code == 0, began.err
    settle(repo)
    assert len(ours(repo, "log", "--json", "--event", "import").json) == before

    first = committed(repo, "One more", {"src/new.c": "1\n2\n", "src/app.c": "changed\n"})
    repo.git("commit", "-q", "--amend", "-m", "One more, amended")
    amended = repo.git("rev-parse", "HEAD")
    repo.git("checkout", "-q", "-b", "topic")
    committed(repo, "On the topic", {"src/topic.c": "t\n"})
    repo.git("checkout", "-q", "-")
    committed(repo, "Beside it", {"src/beside.c": "b\n"})
    repo.git("merge", "-q", "--no-edit", "topic")
    merged = repo.git("rev-parse", "HEAD")
    repo.git("checkout", "-q", "-b", "later", "HEAD~1")
    committed(repo, "Later", {"src/later.c": "l\n"})
    repo.git("rebase", "-q", merged)
    rebased = repo.git("rev-parse", "HEAD")
    repo.git("tag", "-a", "-m", "Tag", "v1")
    repo.git("push", "-q", "origin", "later", "v1")
    settle(repo)

    told = {entry["commit"]["hash"]: entry for entry in ours(repo, "log", "--json").json if entry.get("commit")}
    assert [told[oid]["event"] for oid in (first, amended, merged, rebased)] == ["commit", "amend", "merge", "rebase"]
    assert told[amended]["replaces"] == [first]
    files = {file["filename"]: file["index_status"] for file in told[first]["commit"]["files"]}
    assert files == {"src/new.c": "A", "src/app.c": "M"}
    assert told[first]["branch"] is not None
    assert told[first]["gate"]["status"] == "none"
    pushed = ours(repo, "log", "--json", "--event", "push").json
    assert [ref["remote_ref"] for ref in pushed[0]["push"]["refs"]] == ["refs/heads/later", "refs/tags/v1"]
    moved = {ref["name"] for entry in ours(repo, "log", "--json").json for ref in entry.get("refs") or ()}
    assert {"HEAD", "refs/heads/topic", "refs/heads/later", "refs/tags/v1"} <= moved

    assert ours(repo, "show", rebased).code == 0
    assert json.loads(ours(repo, "show", "--json", rebased[:12]).out)["commit"]["hash"] == rebased
    assert_gate(repo)
    assert_sound(repo)


def committed(repo: Repo, message: str, files: dict[str, str | bytes]) -> str:
    for path, content in files.items():
        repo.write(path, content)
        repo.git("add", path)
    repo.git("commit", "-q", "-m", message)
    return repo.git("rev-parse", "HEAD")


def assert_gate(repo: Repo) -> None:
    """An armed rule refuses a commit, and lets the next one through."""
    rules = Path(repo.path).parent / "rules.toml"
    rules.write_text(RULE)
    repo.git("config", "mgit.rules", str(rules))
    head = repo.git("rev-parse", "HEAD")
    repo.write("src/gated.c", "g\n")
    repo.git("add", "src/gated.c")
    refused = repo.run("commit", "-q", "-m", LONG, check=False)
    assert refused.returncode == 1, refused.stderr
    assert b"subject-length" in refused.stderr
    assert repo.git("rev-parse", "HEAD") == head
    repo.git("rm", "-q", "--sparse", "--cached", "doc/a.txt")
    repo.git("commit", "-q", "-m", "Short")
    settle(repo)
    last = ours(repo, "log", "--json", "--event", "commit", "-n", "1").json[0]
    assert last["commit"]["hash"] == repo.git("rev-parse", "HEAD")
    assert last["gate"]["status"] == "passed"
    assert len(ours(repo, "log", "--json", "--event", "refused").json) == 1


def assert_sound(repo: Repo) -> None:
    """Backfill has nothing to add, no command finds anything wrong, and neither does git."""
    again = ours(repo, "backfill", "--json")
    assert again.code == 0, again.err
    assert json.loads(again.out)["recorded"] == 0
    for command in (
        ("verify",),
        ("repair", "--records"),
        ("status",),
        ("doctor",),
        ("anchor",),
        ("verify", "--anchor"),
    ):
        done = ours(repo, *command)
        assert done.code == 0, (command, done.out, done.err)
    assert faults(locate(repo.path)) == []
    checked = repo.run(
        "-c", "advice.graftFileDeprecated=false", "fsck", "--no-progress", "--connectivity-only", check=False
    )
    complaints = re.sub(rb"^(notice|dangling|Checking|note):? .*\n?", b"", checked.stdout + checked.stderr, flags=re.M)
    assert (checked.returncode, complaints) == (0, b"")
