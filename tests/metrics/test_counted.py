"""Every command, gate and drain is counted, at one place each, and nowhere that is not ours."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import Repo
from recording import Recording

from mgit_hooks import log
from mgit_hooks.datafolder import data_folder
from mgit_hooks.metrics import folded
from mgit_hooks.metrics.spooled import Noted

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def work(repo: Repo) -> Recording:
    made = Recording(repo)
    made.commit("one")
    return made


def noted(folder: str) -> list[Noted]:
    with folded.opened(folder) as store:
        return [] if store is None else list(store.noted())


def told(work: Recording) -> list[tuple[str, str, int, str | None]]:
    return [(each.type, each.name, each.code, each.error) for each in noted(work.location.mgit_dir)]


def test_commands_are_counted_by_their_names(work: Recording, mgit: Any) -> None:
    mgit("-C", work.path, "log", "--author", "nobody")
    mgit("-C", work.path, "show", "nothing")
    mgit("-C", work.path, "pipeline", "validate", "--level", "basic")
    mgit("-C", work.path, "log", "--nonsense")  # no operation: nothing was begun
    assert told(work) == [
        ("command", "log", 0, None), ("command", "show", 0, "UsageError"), ("command", "pipeline validate", 0, None)
    ]  # fmt: skip
    assert not os.path.exists(data_folder())


def test_a_command_that_works_off_much_counts_it(work: Recording, mgit: Any) -> None:
    for number in range(3):
        work.commit(f"more {number}")
    mgit("-C", work.path, "check", "HEAD~2..")
    (check,) = noted(work.location.mgit_dir)
    assert check.items == 2
    assert 0 < check.phases["checking"] < check.seconds


@pytest.mark.parametrize("command", ["verify", "validate", "export"])
def test_a_command_over_the_journal_counts_its_records(work: Recording, mgit: Any, command: str) -> None:
    assert mgit("-C", work.path, command).code == 0
    (read,) = noted(work.location.mgit_dir)
    assert read.items == len(work.all())


def test_a_diff_counts_repositories_for_the_user_and_writes_nothing_into_them(work: Recording, mgit: Any) -> None:
    assert mgit("diff", work.path).code == 0
    assert [(each.name, each.items) for each in noted(data_folder())] == [("diff", 1)]
    assert noted(work.location.mgit_dir) == []


def test_what_is_done_outside_of_any_repository_is_counted_for_the_user(
    tmp_path: Path, mgit: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert mgit("schema").code == 0
    assert mgit("pipeline", "compress", "--input-file", "nothing").code != 0
    assert not os.path.exists(data_folder())  # no command but those that work there makes it
    (tmp_path / "x.txt").write_bytes(b"x" * 5000)
    assert mgit("pipeline", "compress", "--input-file", "x.txt").code == 0
    assert mgit("log").code == 128
    assert [(each.name, each.error, each.bytes) for each in noted(data_folder())] == [
        ("pipeline compress", None, 5000), ("log", "RepositoryError", 0)
    ]  # fmt: skip


def test_nothing_is_made_in_a_repository_that_is_not_recorded(repo: Repo, mgit: Any) -> None:
    repo.commit("one")
    assert mgit("-C", repo.path, "status").code == 0
    assert mgit("-C", repo.path, "doctor").code == 1
    assert not Path(repo.path, ".git", "mgit", "metrics").exists()


def test_the_place_where_figures_are_kept_may_be_anything(work: Recording, mgit: Any) -> None:
    """A command answers as it does without."""
    plain = mgit("-C", work.path, "log").out
    folder = Path(work.location.mgit_dir, "metrics")
    subprocess.run(["rm", "-r", folder], check=True)
    folder.write_text("")
    assert mgit("-C", work.path, "log").out == plain
    assert mgit("-C", work.path, "stats").out == "no operation is counted yet\n"


def started(work: Recording, *words: str, **env: str) -> int:
    """What a stub starts, as it starts it."""
    command = [sys.executable, "-I", ROOT / "mgit_hooks" / "boot.py", *words]
    return subprocess.run(command, cwd=work.path, env={**os.environ, **env}, capture_output=True).returncode


def test_a_drain_counts_itself_and_the_hooks_whose_lines_it_reads(work: Recording) -> None:
    work.drain()
    work.commit("two")
    work.git("checkout", "-q", "-b", "side")
    assert started(work, "drain", "--background", "--git-dir", ".git") == 0
    (drain,) = noted(work.location.mgit_dir)
    assert (drain.type, drain.name, drain.items, drain.success) == ("drain", "drain", drain.counts["records"], True)
    assert drain.items > 0
    assert (drain.counts["hook.post-commit"], drain.counts["hook.post-checkout"]) == (1, 1)
    assert {"load", "record"} <= set(drain.phases)


def test_a_drain_that_fails_says_so_with_the_id_that_the_log_has(work: Recording) -> None:
    work.commit("two")
    lock = Path(work.location.mgit_dir, "drain.lock")
    lock.unlink()
    lock.mkdir()
    assert started(work, "drain", "--background", "--git-dir", ".git") != 0
    (drain,) = noted(work.location.mgit_dir)
    assert (drain.success, bool(drain.error)) == (False, True)
    assert f'"operation": "{drain.id}"' in Path(log.path(work.location.mgit_dir)).read_text()


@pytest.fixture
def armed(work: Recording) -> Recording:
    rules = Path(work.path, ".git", "rules.toml")
    rules.write_text(
        '[[rules]]\nid = "short"\nstrategy = "abort"\nmessage = "Keep it short."\n'
        'schema.properties.commit.properties.message.pattern = "^.{1,9}(\\\\n|$)"\n'
    )
    work.repo.git("config", "mgit.rules", str(rules))
    os.utime(rules, (5, 5))
    work.write("b", "2\n")
    work.repo.git("add", "b")
    return work


def judged(work: Recording, message: str) -> int:
    Path(work.path, ".git", "COMMIT_EDITMSG").write_text(f"{message}\n")
    words = ("gate", "commit-msg", str(os.getpid()), "--", ".git/COMMIT_EDITMSG")
    return started(work, *words, MGIT_GATE_WAS="a")


def test_a_gate_counts_what_it_lets_through_and_what_it_refuses(armed: Recording) -> None:
    assert (judged(armed, "short"), judged(armed, "much too long")) == (0, 1)
    assert told(armed) == [("hook", "gate.commit-msg", 0, None), ("hook", "gate.commit-msg", 1, None)]
    one, two = noted(armed.location.mgit_dir)
    assert one.success
    assert two.success  # it has done what it is for
    assert {"policy", "judge", "write"} <= set(one.phases)
    assert all((each.memory is not None) == (each.id[0] == "0") for each in (one, two))  # one in sixteen


def test_a_gate_that_cannot_judge_has_failed(armed: Recording) -> None:
    Path(armed.path, ".git", "rules.toml").write_text("[[rules]\n")
    assert judged(armed, "short") == 1
    assert told(armed) == [("hook", "gate.commit-msg", 1, "ConfigError")]


def test_a_gate_judges_where_nothing_can_be_counted(armed: Recording) -> None:
    folder = Path(armed.location.mgit_dir, "metrics")
    folder.mkdir()
    os.mkfifo(folder / "now")
    assert (judged(armed, "short"), judged(armed, "much too long")) == (0, 1)


def test_a_gate_of_a_hook_manager_is_a_hook(work: Recording, mgit: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(work.path)
    assert mgit("gate", "pre-commit", "--ppid", str(os.getpid())).code == 0
    assert told(work) == [("hook", "gate.pre-commit", 0, None)]
