"""Each strategy, by configuration and by command line, leaves another record of one and the same thing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import Repo
from recording import Recording
from test_entry_points import Program

from mgit_hooks.recovery import checkpoints

SUBJECT = "A subject that is longer than the rule has it"
RULES = """
[[rules]]
id = "subject-length"
severity = "error"
message = "Keep the subject within 10 characters."
events = ["commit", "amend", "import"]
schema = { properties = { commit = { properties = { message = { pattern = "^.{1,10}(\\\\n|$)" } } } } }
"""
STRATEGIES = ("ignore", "fallback", "checkpoint", "repair", "abort")
# what each leaves of a commit that breaks a rule, where git has already made it: the event, whether the
# record is valid, what was done about it
LEFT: dict[str, tuple[str, bool, list[str]]] = {
    "ignore": ("commit", False, ["ignore_error"]),
    "fallback": ("snapshot", True, ["fallback_changeset_created"]),
    "checkpoint": ("commit", False, ["checkpoint_created", "repair_failed"]),
    "repair": ("commit", False, ["repair_failed"]),
    "abort": ("commit", False, ["refusal_too_late"]),
}


def mgit(path: str, *args: str) -> str:
    done = subprocess.run([sys.executable, "-m", "mgit_hooks", "-C", path, *args], capture_output=True, text=True)
    assert done.returncode in (0, 1), done.stderr
    assert "rror:" not in done.stderr
    return done.stdout


def of_commit(path: str, oid: str) -> list[dict[str, Any]]:
    """Every record of the commit, or in place of one."""
    told = [json.loads(line) for line in mgit(path, "export").splitlines()]
    return [each for each in told if (each.get("original") or each).get("commit", {}).get("hash") == oid]


def actions(record: dict[str, Any]) -> list[str]:
    return [action["action_type"] for action in record["recovery"]]


@pytest.fixture
def work(repo: Repo) -> Recording:
    made = Recording(repo)
    made.write(".mgit-hooks.toml", RULES)
    made.commit("Rules")
    made.drain()
    return made


@pytest.mark.parametrize("how", ["configuration", "command line"])
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_each_strategy_leaves_another_record(work: Recording, strategy: str, how: str) -> None:
    if how == "configuration":
        work.git("config", "mgit.strategy", strategy)
    work.commit(SUBJECT, "--no-verify", "--allow-empty")
    mgit(work.path, "drain", *(["--strategy", strategy] if how == "command line" else []))
    (record,) = of_commit(work.path, work.head())
    assert (record["event"], record["validation"]["is_valid"], actions(record)) == LEFT[strategy]
    whole = record if strategy != "fallback" else record["original"]
    assert whole["commit"]["message"] == f"{SUBJECT}\n"
    if strategy != "fallback":
        assert [issue["code"] for issue in record["validation"]["issues"]] == ["RULE_VIOLATED"]


def test_no_two_strategies_store_the_same_bytes(repo: Repo) -> None:
    repo.write(".mgit-hooks.toml", RULES)
    repo.commit(SUBJECT)
    stored = set()
    for strategy in STRATEGIES:
        subprocess.run(["git", "clone", "-q", repo.path, f"{repo.path}-{strategy}"], check=True)
        mgit(f"{repo.path}-{strategy}", "backfill", "--strategy", strategy)
        (record,) = of_commit(f"{repo.path}-{strategy}", repo.git("rev-parse", "HEAD"))
        for name in ("id", "seq", "recorded_at", "repository_name"):
            del record[name]
        stored.add(json.dumps(record, sort_keys=True))
    assert len(stored) == len(STRATEGIES)


def test_abort_refuses_where_it_still_can(work: Recording) -> None:
    work.git("config", "mgit.strategy", "abort")
    before = work.head()
    gate = ["gate", "commit-msg", os.path.join(work.path, "message")]
    work.write("message", f"{SUBJECT}\n")
    done = subprocess.run([sys.executable, "-m", "mgit_hooks", *gate], capture_output=True, text=True, cwd=work.path)
    assert done.returncode == 1
    assert "subject-length" in done.stderr
    (refused,) = (record for record in work.records() if record.event == "refused")
    assert [issue.code for issue in refused.validation.issues] == ["RULE_VIOLATED"]
    assert work.head() == before


def test_a_checkpoint_gives_back_what_was_judged(work: Recording) -> None:
    work.commit(SUBJECT, "--no-verify", "--allow-empty")
    mgit(work.path, "drain", "--strategy", "checkpoint")
    (record,) = of_commit(work.path, work.head())
    path = record["recovery"][0]["data_context"]["checkpoint_path"]
    assert Path(path).parent == Path(work.location.mgit_dir, "checkpoints")
    saved = checkpoints.read(path)
    assert saved["value"]["commit"] == record["commit"]
    assert [issue["code"] for issue in saved["issues"]] == ["RULE_VIOLATED"]


def test_an_edited_schema_is_met_by_each_strategy(tmp_path: Path, repo: Repo) -> None:
    """A name that the schema no longer allows: no repair has another one to offer, a minimal record needs none."""
    program = Program(tmp_path / "program")
    program.edit("file-change.basic", lambda document: document["properties"]["filename"].update(maxLength=8))
    commit = repo.commit("Add", {"quite-a-long-name": "x"})
    seen = {}
    for strategy in STRATEGIES:
        subprocess.run(["git", "clone", "-q", repo.path, f"{repo.path}-{strategy}"], check=True)
        clone = Repo(Path(f"{repo.path}-{strategy}"))
        assert program.run(clone, "backfill", "--strategy", strategy).returncode == 0
        (record,) = of_commit(clone.path, commit)
        seen[strategy] = (record["event"], record["validation"]["is_valid"], actions(record))
    assert seen == {
        **{strategy: ("import", *LEFT[strategy][1:]) for strategy in STRATEGIES},
        "fallback": ("import", True, ["fallback_changeset_created"]),
    }


# What stands for an invalid record is known by what it stands for.


def test_what_a_minimal_record_stands_for_is_recorded_once(work: Recording) -> None:
    work.git("config", "mgit.strategy", "fallback")
    work.commit(SUBJECT, "--no-verify", "--allow-empty")
    oid = work.head()
    for _ in range(2):
        work.drain()
        mgit(work.path, "backfill")
        os.unlink(os.path.join(work.location.mgit_dir, "state.json"))
    assert len(of_commit(work.path, oid)) == 1
    work.check()
    work.git("checkout", "-q", "--detach")
    work.git("reset", "-q", "--hard", "HEAD~1")
    work.git("reset", "-q", "--hard", oid)
    work.check()
    assert len(of_commit(work.path, oid)) == 1


def test_a_minimal_record_can_be_looked_at(work: Recording) -> None:
    work.git("config", "mgit.strategy", "fallback")
    work.commit(SUBJECT, "--no-verify", "--allow-empty")
    oid = work.head()
    for told in (mgit(work.path, "log", "-n", "1"), mgit(work.path, "show", oid), mgit(work.path, "show", "HEAD")):
        assert f"commit {oid[:10]} {SUBJECT}" in told
    assert json.loads(mgit(work.path, "show", "--json", oid[:9]))["original"]["commit"]["hash"] == oid


def test_history_that_is_recorded_first_is_not_taken_for_the_beginning(repo: Repo) -> None:
    repo.write(".mgit-hooks.toml", RULES)
    repo.commit(SUBJECT)
    mgit(repo.path, "backfill", "--strategy", "fallback")
    work = Recording(repo)
    work.commit("later")
    assert work.made()[-1] == "commit later"
    work.check()


def test_a_movement_that_a_minimal_record_leaves_out_is_told_once(work: Recording) -> None:
    refs = "schema = { properties = { refs = { items = { properties = { new_oid = { maxLength = 3 } } } } } }"
    work.write(".mgit-hooks.toml", f'[[rules]]\nid = "no"\nmessage = "No."\nevents = ["ref-update"]\n{refs}\n')
    work.git("config", "mgit.strategy", "fallback")
    work.git("branch", "topic")
    before = len(work.all())
    (record,) = (each for each in work.all() if each.original is not None)
    assert (record.event, record.refs) == ("snapshot", None)
    os.unlink(os.path.join(work.location.mgit_dir, "state.json"))
    assert len(work.all()) == before
    assert "in place of an invalid record: ref-update" in mgit(work.path, "log")
