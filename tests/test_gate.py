"""The gate under real git: what it refuses, what it lets through, and what it leaves behind."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from conftest import Repo
from hypothesis import given, settings
from hypothesis import strategies as st

from mgit_hooks import layout
from mgit_hooks.capture.capturer import Capturer
from mgit_hooks.gatekeeper import candidate, gate, managed
from mgit_hooks.gatekeeper.commitmessage import Style, as_utf8, clean, strip_space, style
from mgit_hooks.judging.rules import Rule
from mgit_hooks.record import Oid
from mgit_hooks.recorder import event, spool
from mgit_hooks.recorder.event import HookEvent, Verdict

SUBJECT = """
[[rules]]
id = "subject-length"
events = ["commit", "amend", "merge"]
strategy = "abort"
message = "Keep the subject within 20 characters."
schema = { properties = { commit = { properties = { message = { pattern = "^.{1,20}(\\\\n|$)" } } } } }
"""
SIZE = """
[[rules]]
id = "small-files"
strategy = "abort"
message = "Keep files within 10 bytes."
schema.properties.commit.properties.files.items.properties.size_bytes.maximum = 10
"""
NO_FORCE = """
[[rules]]
id = "no-force"
events = ["push"]
strategy = "abort"
message = "Merge what the remote has, then push."
schema.properties.push.properties.refs.items.properties.forced.const = false
"""
LONG = "a subject of more than twenty characters"


@pytest.fixture
def gated(repo: Repo) -> Repo:
    """A repository with the hooks installed and no drain in the background: its spool stays as it is."""
    subprocess.run([sys.executable, "-m", "mgit_hooks", "-C", repo.path, "install", "-q"], check=True)
    for hook in ("post-commit", "post-merge", "post-rewrite", "post-checkout"):
        os.unlink(os.path.join(repo.path, ".git", "hooks", hook))
    return repo


def set_rules(repo: Repo, *rules: str) -> None:
    """Rules of the user's, outside of what is committed."""
    path = Path(repo.path, ".git", "rules.toml")
    path.write_text("".join(rules))
    repo.git("config", "mgit.rules", str(path))


def verdicts(repo: Repo) -> list[Verdict]:
    return [event.verdict(said) for said in lines(repo) if said.hook == "gate"]


def lines(repo: Repo) -> list[HookEvent]:
    return list(spool.read(os.path.join(repo.path, ".git", "mgit", "spool"), None).events)


def try_commit(repo: Repo, *args: str, **env: str) -> Any:
    return repo.run("commit", *args, check=False, **env)


def test_a_refusal_names_rule_value_and_way_out(gated: Repo) -> None:
    set_rules(gated, SUBJECT)
    gated.write("a", "1\n")
    gated.git("add", "a")
    done = try_commit(gated, "-m", LONG)
    words = done.stderr.decode()
    assert done.returncode == 1
    assert gated.run("rev-parse", "-q", "--verify", "HEAD", check=False).returncode == 1
    assert "subject-length" in words
    assert LONG in words
    assert "Keep the subject within 20 characters." in words
    assert "MGIT_SKIP=subject-length git commit" in words
    last = verdicts(gated)[-1]
    assert (last.stage, last.status, last.reason) == ("commit-msg", "refused", "refused by subject-length")
    assert last.detail["message"] == LONG
    assert last.detail["files"] == 1
    assert last.issues[0].data_context is not None
    assert last.issues[0].data_context["rule"] == "subject-length"


def test_the_verdict_is_on_the_tree_and_the_message_that_git_stored(gated: Repo) -> None:
    set_rules(gated, SUBJECT)
    gated.commit("fine", {"a": "1\n"})
    said = [each for each in lines(gated) if each.hook == "gate"]
    assert [event.verdict(each).stage for each in said] == ["pre-commit", "commit-msg"]
    assert len({each.ppid for each in said}) == 1
    assert said[0].flag == "a"
    last = event.verdict(said[-1])
    assert last.status == "passed"
    assert last.tree == gated.git("rev-parse", "HEAD^{tree}")
    assert last.message_sha256 == sha256_of_message(gated)


def sha256_of_message(repo: Repo) -> str:
    raw = repo.run("cat-file", "commit", "HEAD").stdout
    return hashlib.sha256(raw.partition(b"\n\n")[2]).hexdigest()


EDITED = "  first  \\n\\n\\n# a comment\\n; another\\n\\nbody\\t\\n\\n"


@pytest.mark.parametrize(
    ("config", "options", "editor"),
    [
        ({}, ("-m", "# kept\n\n\nx  \n\n"), None),
        ({}, (), EDITED),
        ({}, ("-v",), EDITED),
        ({}, ("-vv",), EDITED),
        ({"commit.verbose": "true"}, (), EDITED),
        ({"core.commentChar": ";"}, (), EDITED),
        ({"core.commentChar": "auto"}, (), EDITED),
        ({"commit.cleanup": "scissors"}, (), EDITED),
        ({"commit.cleanup": "whitespace"}, (), EDITED),
        ({"commit.cleanup": "verbatim"}, ("-m", "x \n\n\n # y\n"), None),
        ({"commit.cleanup": "scissors"}, ("-m", "x\n# ------------------------ >8 ------------------------\ny"), None),
        ({}, ("--cleanup=strip", "-m", "x\n# gone"), None),
        ({"commit.verbose": ""}, ("-m", "x\n# ------------------------ >8 ------------------------\ny"), None),
        ({"commit.verbose": "00"}, ("-m", "x\n# ------------------------ >8 ------------------------\ny"), None),
        ({"commit.verbose": "1"}, ("-m", "x\n# ------------------------ >8 ------------------------\ny"), None),
        ({"core.commentChar": "auto"}, ("--cleanup=strip", "-m", "x\n; and\n# stays"), None),
        (
            {"core.commentChar": "auto", "commit.verbose": "true"},
            ("-m", "x\n# ------------------------ >8 ------------------------\ny"),
            None,
        ),
        ({}, ("--cleanup", "verbatim", "-m", "x \n\n\n"), None),
        ({"i18n.commitEncoding": "ISO-8859-1"}, ("-m", "caf\udce9"), None),
        ({}, ("-m", "not utf-8 \udce9\udcff\udce2\udc82 \ufdd0 \U0001ffff é"), None),
    ],
)
def test_the_message_is_cleaned_as_git_cleans_it(
    gated: Repo, tmp_path: Path, config: dict[str, str], options: tuple[str, ...], editor: str | None
) -> None:
    set_rules(gated, SIZE)
    for key, value in config.items():
        gated.git("config", key, value)
    gated.write("a", "1\n")
    gated.git("add", "a")
    env = {"GIT_EDITOR": "false"}
    if editor is not None:
        script = tmp_path / "editor"
        script.write_text(f'#!/bin/sh\n{{ printf "{editor}"; cat "$1"; }} >"$1.new" && mv "$1.new" "$1"\n')
        script.chmod(0o755)
        env["GIT_EDITOR"] = str(script)
    gated.git("commit", "-q", *options, **env)
    assert verdicts(gated)[-1].message_sha256 == sha256_of_message(gated)


@given(st.binary(max_size=60) | st.text("ab# \t\r\n", max_size=40).map(str.encode), st.booleans())
@settings(max_examples=60, deadline=None)
def test_strip_space_is_git_stripspace(raw: bytes, comments: bool) -> None:
    git = subprocess.run(
        ["git", "stripspace", *(["-s"] if comments else [])], input=raw, capture_output=True, check=True
    )
    if b"\0" not in raw:  # git's own ends a line there
        assert strip_space(raw, b"#" if comments else None) == git.stdout


def test_a_message_with_nothing_but_wrong_bytes_takes_no_longer_than_it_is_long() -> None:
    began = time.process_time()
    assert as_utf8(b"\xff" * 1_000_000) == "ÿ".encode() * 1_000_000
    assert as_utf8("\ufdd0".encode() * 100_000) == "ï·\x90".encode() * 100_000
    assert time.process_time() - began < 5


def test_a_message_without_scissors_is_whole() -> None:
    assert clean(b"a\n\nb\n", Style("scissors")) == b"a\n\nb\n"


@pytest.mark.parametrize("how", [("-a",), ("--", "a"), ("--amend", "-a")])
def test_the_index_that_counts_is_the_one_that_is_committed(gated: Repo, how: tuple[str, ...]) -> None:
    gated.commit("one", {"a": "1\n", "b": "1\n"})
    set_rules(gated, SIZE)
    gated.write("a", "2\n")
    gated.write("b", "a file that is too large")
    if how[0] == "--":
        gated.git("add", "b")  # staged, but not in this commit
    else:
        gated.write("b", "2\n")
    options, paths = (how, ()) if how[0] != "--" else ((), how)
    gated.git("commit", "-q", "-m", "two", *options, *paths)
    assert verdicts(gated)[-1].tree == gated.git("rev-parse", "HEAD^{tree}")


def test_pre_commit_refuses_files_before_there_is_a_message(gated: Repo) -> None:
    set_rules(gated, SIZE, SUBJECT)
    gated.write("large", "more than ten bytes\n")
    gated.git("add", "large")
    done = try_commit(gated, GIT_EDITOR="false")
    assert done.returncode == 1
    assert b"small-files" in done.stderr
    assert [(each.stage, each.status) for each in verdicts(gated)] == [("pre-commit", "refused")]


def test_an_amend_is_judged_against_what_it_replaces(gated: Repo) -> None:
    gated.commit("one", {"a": "1\n"})
    gated.commit("two", {"b": "1\n", "c": "1\n"})
    set_rules(gated, SUBJECT.replace('"commit", "amend", "merge"', '"amend"'))
    assert try_commit(gated, "--allow-empty", "-m", LONG).returncode == 0
    gated.git("reset", "-q", "--soft", "HEAD^")
    assert try_commit(gated, "--am", "-m", LONG).returncode == 1
    last = verdicts(gated)[-1]
    assert last.detail["event"] == "amend"
    assert last.detail["files"] == 2


def test_without_a_process_to_ask_a_commit_may_be_an_amend(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    repo.commit("one", {"a": "1\n"})
    monkeypatch.chdir(repo.path)
    found = candidate.from_commit("pre-commit", (), layout.locate(), (), None)
    assert found.events == ("commit", "amend")


def test_a_merge_is_judged_before_it_is_made(gated: Repo) -> None:
    gated.commit("one", {"a": "1\n"})
    gated.git("checkout", "-q", "-b", "side")
    gated.commit("side", {"b": "a file that is too large\n"})
    gated.git("checkout", "-q", "main")
    gated.commit("two", {"c": "1\n"})
    set_rules(gated, SIZE)
    refused = gated.run("merge", "-m", "merged", "side", check=False)
    assert refused.returncode != 0
    assert b"git commit --no-verify" in refused.stderr
    assert [(each.stage, each.status) for each in verdicts(gated)] == [("pre-merge-commit", "refused")]
    gated.git("commit", "-q", "-m", "merged", MGIT_SKIP="small-files")
    last = verdicts(gated)[-1]
    assert (last.stage, last.status, last.detail["event"]) == ("commit-msg", "skipped", "merge")
    assert last.tree == gated.git("rev-parse", "HEAD^{tree}")


def test_a_merge_that_git_commit_concludes_is_a_merge(gated: Repo) -> None:
    gated.commit("one", {"a": "1\n"})
    gated.git("checkout", "-q", "-b", "side")
    gated.commit("side", {"b": "1\n"})
    gated.git("checkout", "-q", "main")
    gated.commit("two", {"c": "1\n"})
    set_rules(gated, SUBJECT.replace('"commit", "amend", "merge"', '"merge"'))
    refused = gated.run("merge", "-m", LONG, "side", check=False)
    assert b"MGIT_SKIP=subject-length git commit" in refused.stderr
    assert gated.run("rev-parse", "-q", "--verify", "MERGE_HEAD", check=False).returncode == 0
    done = try_commit(gated, "-m", LONG)
    assert b"MGIT_SKIP=subject-length git commit" in done.stderr
    gated.git("commit", "-q", "-m", "merged")
    assert verdicts(gated)[-1].detail["event"] == "merge"


def test_an_amend_in_a_rebase_is_judged_against_what_it_replaces(gated: Repo) -> None:
    gated.commit("one", {"a": "1\n"})
    gated.commit("two", {"b": "1\n", "c": "1\n"})
    gated.commit("three", {"d": "1\n"})
    set_rules(gated, SUBJECT)
    gated.git("rebase", "-q", "-i", "HEAD~2", GIT_SEQUENCE_EDITOR="sed -i 1s/pick/edit/")
    assert try_commit(gated, "--amend", "-m", LONG).returncode == 1
    assert verdicts(gated)[-1].detail["files"] == 2
    assert try_commit(gated, "--amend", "-m", "fine").returncode == 0
    gated.git("rebase", "--continue")
    assert gated.git("log", "--format=%s") == "three\nfine\none"


def test_a_bare_repository_judges_its_pushes(bare: Repo, repo: Repo, tmp_path: Path) -> None:
    repo.commit("one", {"a": "1\n"})
    repo.git("push", "-q", bare.path, "main")
    target = str(tmp_path / "target.git")
    subprocess.run(["git", "init", "-q", "--bare", target], check=True)
    subprocess.run([sys.executable, "-m", "mgit_hooks", "-C", bare.path, "install", "-q"], check=True)
    Path(bare.path, "rules.toml").write_text(NO_FORCE.replace("forced.const = false", "remote_oid.type = 'string'"))
    bare.git("config", "mgit.rules", os.path.join(bare.path, "rules.toml"))
    done = bare.run("push", target, "main", check=False)
    assert done.returncode != 0
    assert b"no-force" in done.stderr


def test_a_rule_whose_schema_is_gone_stops_git(gated: Repo) -> None:
    set_rules(gated, SUBJECT + '[[rules]]\nid = "other"\nschema = "gone.json"\n')
    done = try_commit(gated, "--allow-empty", "-m", "fine")
    assert done.returncode == 1
    assert b"gone.json is not there" in done.stderr


def test_a_merge_in_the_making_knows_its_parents(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    base = repo.commit("one", {"a": "1\n"})
    repo.git("checkout", "-q", "-b", "side")
    side = repo.commit("side", {"b": "1\n"})
    repo.git("checkout", "-q", "main")
    main = repo.commit("two", {"c": "1\n"})
    repo.git("merge", "-q", "--no-commit", "side")
    monkeypatch.chdir(repo.path)
    repo.write("message", "m\n")
    found = candidate.from_commit("commit-msg", ("message",), layout.locate(), (), ["git", "commit"])
    assert found.events == ("merge",)
    assert found.value["commit"]["parents"] == [main, side]
    assert base not in found.value["commit"]["parents"]


ALL = Rule("all", ("commit", "amend", "push"), "error", "abort", "", {"$ref": "urn:mgit-hooks:record.basic"}, "x")


def test_what_is_staged_reads_as_the_commit_does(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    """The plumbing twin and libgit2 tell the same of one commit."""
    text = "".join(f"line {number}\n" for number in range(40))
    repo.commit("one", {"moved": text, "edited": "a\nb\n", "gone": "x\n", "mode": "x\n", "bin": b"\0\1", "kind": "x"})
    repo.git("mv", "moved", "to\tthere\u202e")
    repo.write("edited", "a\nc\nd")
    repo.write("bin", b"\0\1\2")
    repo.write(os.fsdecode(b"caf\xe9"), "new\n")
    repo.git("rm", "-q", "gone", "kind")
    os.symlink("edited", os.path.join(repo.path, "kind"))
    repo.git("update-index", "--chmod=+x", "mode")
    repo.git("update-index", "--add", "--cacheinfo", f"160000,{repo.git('rev-parse', 'HEAD')},sub")
    repo.git("add", "bin", "edited", "kind", os.fsdecode(b"caf\xe9"))
    repo.write("later", "x")
    repo.git("add", "-N", "later")
    monkeypatch.chdir(repo.path)
    repo.write("message", "two\n")
    found = candidate.from_commit("commit-msg", ("message",), layout.locate(), (ALL,), ["git", "commit"])
    repo.git("commit", "-q", "-F", "message")
    oid = Oid(repo.git("rev-parse", "HEAD"))
    commit = Capturer(os.path.join(repo.path, ".git")).commit(oid).to_json()
    assert found.value["commit"]["files"] == commit["files"]
    told = {name for name in commit if f"/commit/{name}" not in found.unknown}
    assert {name: found.value["commit"][name] for name in told} == {name: commit[name] for name in told}
    assert {"tree", "parents", "message", "author_name", "committer_name"} <= told


def test_what_no_rule_asks_for_is_null(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    repo.commit("one", {"a": "1\n"})
    repo.write("a", "2\n")
    repo.git("add", "a")
    monkeypatch.chdir(repo.path)
    change = candidate.from_commit("pre-commit", (), layout.locate(), (), None).value["commit"]["files"][0]
    assert (change["size_bytes"], change["additions"], change["binary"]) == (None, None, None)


@pytest.mark.parametrize("sha", ["sha1", "sha256"])
def test_a_first_commit_is_judged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sha: str) -> None:
    path = tmp_path / "new"
    subprocess.run(["git", "init", "-q", f"--object-format={sha}", str(path)], check=True)
    (path / "a").write_text("1\n")
    subprocess.run(["git", "-C", str(path), "add", "a"], check=True)
    monkeypatch.chdir(path)
    value = candidate.from_commit("pre-commit", (), layout.locate(), (), ["git", "commit"]).value
    assert value["commit"]["parents"] == []
    assert [change["change_type"] for change in value["commit"]["files"]] == ["added"]


def test_a_forced_push_is_refused_and_a_plain_one_is_not(gated: Repo, bare: Repo) -> None:
    gated.git("remote", "add", "origin", bare.path)
    set_rules(gated, NO_FORCE)
    gated.commit("one", {"a": "1\n"})
    gated.git("push", "-q", "origin", "main")
    gated.commit("two", {"a": "2\n"})
    gated.git("push", "-q", "origin", "main")
    gated.git("reset", "-q", "--hard", "HEAD^")
    gated.commit("other", {"a": "3\n"})
    done = gated.run("push", "-f", "origin", "main", check=False)
    words = done.stderr.decode()
    assert done.returncode != 0
    assert "no-force" in words
    assert "/push/refs/0/forced" in words
    assert "git push --no-verify" in words
    stages = [(each.stage, each.status) for each in verdicts(gated) if each.stage == "pre-push"]
    assert stages == [("pre-push", "passed")] * 2 + [("pre-push", "refused")]
    gated.git("push", "-q", "-f", "origin", "main", MGIT_SKIP="no-force")
    assert (verdicts(gated)[-1].status, verdicts(gated)[-1].detail["ref_count"]) == ("skipped", 1)


def test_with_enforce_off_findings_are_reported_and_git_goes_on(gated: Repo) -> None:
    set_rules(gated, SUBJECT)
    gated.git("config", "mgit.enforce", "false")
    done = try_commit(gated, "--allow-empty", "-m", LONG)
    words = done.stderr.decode()
    assert done.returncode == 0
    assert words.startswith("mgit-hooks: report: 1 finding")
    assert words.count("subject-length") == 1
    last = verdicts(gated)[-1]
    assert (last.status, last.reason) == ("passed", "reported, not enforced: subject-length")
    assert len(last.issues) == 1


def test_strategies_that_recover_let_git_go_on(gated: Repo) -> None:
    set_rules(gated, SUBJECT.replace('"abort"', '"repair"'), SIZE)
    done = try_commit(gated, "--allow-empty", "-m", LONG)
    assert done.returncode == 0
    assert b"recorded by strategy repair" in done.stderr
    assert verdicts(gated)[-1].status == "passed"


def test_a_warning_says_nothing_and_refuses_nothing(gated: Repo) -> None:
    set_rules(gated, SUBJECT + 'severity = "warning"\n', SIZE)
    done = try_commit(gated, "--allow-empty", "-m", LONG)
    assert (done.returncode, done.stderr) == (0, b"")
    assert verdicts(gated)[-1].issues[0].severity == "warning"


def test_strategy_abort_refuses_what_the_schemas_find(gated: Repo) -> None:
    gated.git("config", "mgit.strategy", "abort")
    name = "/".join(["d" * 200] * 21)
    blob = gated.git("hash-object", "-w", "--stdin", stdin=b"x")
    gated.git("update-index", "--add", "--cacheinfo", f"100644,{blob},{name}")
    done = try_commit(gated, "-m", "x")
    assert done.returncode == 1
    assert b"FILENAME_TOO_LONG" in done.stderr
    assert b"MGIT_SKIP=FILENAME_TOO_LONG" in done.stderr
    assert try_commit(gated, "-m", "x", MGIT_SKIP="FILENAME_TOO_LONG").returncode == 0


@pytest.mark.parametrize(
    ("env", "status", "reason"),
    [
        ({"MGIT_SKIP": "subject-length"}, "skipped", "MGIT_SKIP=subject-length"),
        ({"MGIT_SKIP": " other , subject-length"}, "skipped", "MGIT_SKIP=subject-length"),
        (
            {"MGIT_SKIP": "subject-length", "MGIT_SKIP_REASON": "a vendor's text"},
            "skipped",
            "MGIT_SKIP=subject-length: a vendor's text",
        ),
        ({"SKIP": "flake8,mgit-commit-msg"}, "skipped", "SKIP=mgit-commit-msg"),
        ({"SKIP": "mgit-commit-msg", "MGIT_SKIP_REASON": "hotfix"}, "skipped", "hotfix"),
    ],
)
def test_a_skip_leaves_a_verdict_with_its_reason(gated: Repo, env: dict[str, str], status: str, reason: str) -> None:
    set_rules(gated, SUBJECT)
    assert try_commit(gated, "--allow-empty", "-m", LONG, **env).returncode == 0
    last = verdicts(gated)[-1]
    assert (last.stage, last.status, last.reason) == ("commit-msg", status, reason)


def test_a_skip_of_one_rule_leaves_the_others_in_force(gated: Repo) -> None:
    set_rules(gated, SUBJECT, SIZE)
    assert try_commit(gated, "--allow-empty", "-m", LONG, MGIT_SKIP="subject-length").returncode == 0
    last = verdicts(gated)[-1]
    assert last.status == "passed"
    of_the_level = ["no-conflict-markers", "links-inside-tree", "case-conflicts"]
    assert (last.detail["rules"], last.detail["skipped_rules"]) == ([*of_the_level, "small-files"], ["subject-length"])
    assert try_commit(gated, "--allow-empty", "-m", LONG, MGIT_SKIP="small-files").returncode == 1


def test_a_broken_configuration_stops_git_where_it_was_armed(gated: Repo) -> None:
    set_rules(gated, SUBJECT)
    gated.commit("fine")
    gated.write(".mgit-hooks.toml", 'level = "basic"\nstrateggy = "abort"\n')
    done = try_commit(gated, "--allow-empty", "-m", "fine")
    words = done.stderr.decode()
    assert done.returncode == 1
    assert ".mgit-hooks.toml:2: unknown key 'strateggy'" in words
    assert "did you mean 'strategy'?" in words
    assert "MGIT=0 git" in words
    assert try_commit(gated, "--allow-empty", "-m", "fine", MGIT="0").returncode == 0


def test_a_broken_configuration_stops_git_where_nothing_was_refused_before(gated: Repo) -> None:
    gated.write(".mgit-hooks.toml", "level = [")
    done = try_commit(gated, "--allow-empty", "-m", "fine")
    assert done.returncode == 1
    assert b".mgit-hooks.toml:1" in done.stderr


@pytest.mark.parametrize("message", ["fine", LONG])
def test_a_spool_that_cannot_take_the_verdict_decides_nothing(gated: Repo, message: str) -> None:
    set_rules(gated, SUBJECT)
    now = Path(gated.path, ".git", "mgit", "spool", "now")
    now.unlink(missing_ok=True)
    now.symlink_to("/dev/full")
    done = try_commit(gated, "--allow-empty", "-m", message)
    assert done.returncode == (0 if message == "fine" else 1)
    assert b"is not recorded" in done.stderr
    assert b"not a regular file" in done.stderr


@pytest.mark.parametrize("message", ["fine", LONG])
def test_a_full_disk_decides_nothing(gated: Repo, message: str) -> None:
    set_rules(gated, SUBJECT)
    spool = Path(gated.path, ".git", "mgit", "spool")
    mount = ["mount", "-t", "tmpfs", "-o", "size=4k", "tmpfs", spool]
    mounted = subprocess.run(mount, capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip("mounting needs rights that are not there")
    try:
        Path(spool, "filler").write_bytes(bytes(4096))
        done = try_commit(gated, "--allow-empty", "-m", message)
    finally:
        subprocess.run(["umount", "-l", spool], check=True)
    assert done.returncode == (0 if message == "fine" else 1)
    assert b"is not recorded" in done.stderr
    assert b"No space left on device" in done.stderr


def test_control_characters_never_reach_the_terminal(gated: Repo) -> None:
    set_rules(gated, SUBJECT, SIZE.replace("more", "less"))
    done = try_commit(gated, "--allow-empty", "-m", "\x1b[2J\u202etoo long for the rule")
    assert b"\\u001b[2J\\u202e" in done.stderr
    assert b"\x1b" not in done.stderr
    gated.write("\x1b]0;x\x07", "a file that is too large")
    gated.git("add", "-A")
    done = try_commit(gated, "-m", "x")
    assert done.returncode == 1
    assert b"\x1b" not in done.stderr


def test_credentials_stay_out_of_the_spool(gated: Repo) -> None:
    set_rules(gated, SUBJECT, NO_FORCE.replace("const = false", "const = 1"))
    try_commit(gated, "--allow-empty", "-m", "see https://user:s3cret@example.org/x?token=s3cret")
    gated.git("commit", "-q", "--allow-empty", "-m", "fine")
    url = f"file://user:s3cret@{gated.path}.git?token=s3cret"
    gated.run("push", url, "main", check=False)
    message = Path(gated.path, ".git", "mgit", "spool", "now").read_text()
    assert "example.org" in message
    assert "s3cret" not in message


def test_a_gate_that_is_not_armed_says_and_writes_nothing(
    repo: Repo, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(repo.path)
    assert gate.main("pre-commit", 1, ()) == 0
    assert not os.path.exists(os.path.join(repo.path, ".git", "mgit", "spool"))
    assert capsys.readouterr().err == ""


def test_a_linked_worktree_is_judged_by_its_own_files(gated: Repo, tmp_path: Path) -> None:
    gated.commit("one", {"a": "1\n"})
    other = Repo(tmp_path / "linked")
    gated.git("worktree", "add", "-q", other.path)
    other.write(".mgit-hooks.toml", SUBJECT)
    assert try_commit(other, "--allow-empty", "-m", LONG).returncode == 1
    assert lines(gated)[-1].worktree == "worktrees/linked"
    assert try_commit(gated, "--allow-empty", "-m", LONG).returncode == 0


@pytest.mark.parametrize(
    ("words", "amends"),
    [
        (["git", "commit", "--amend"], True),
        (["git", "commit", "-m", "x", "--am"], True),
        (["git", "commit", "--a"], False),
        (["git", "commit", "--", "--amend"], False),
        (["git", "commit", "--author=x"], False),
        (["git", "commit", "-m", "--amend"], False),
        (["git", "-c", "a.b=--amend", "commit", "-qm", "--amend"], False),
        (["git", "commit", "--mess", "--amend", "--amend"], True),
        (["git", "commit", "--amend", "--no-amend"], False),
    ],
)
def test_an_amend_is_told_by_its_option(words: list[str], amends: bool) -> None:
    assert candidate.amends(words) is amends


@pytest.mark.parametrize(
    ("words", "cleanup", "verbose"),
    [
        (["-vv"], "default", True),
        (["-qvam", "x"], "default", True),
        (["-mv"], "default", False),
        (["-am", "-v"], "default", False),
        (["-uno", "--verb"], "default", True),
        (["-v", "--no-verbose"], "default", False),
        (["-Skeyv"], "default", False),
        (["--clean", "scissors"], "scissors", False),
        (["-m", "--cleanup=strip"], "default", False),
        (["--trailer", "-v", "--cleanup=strip"], "strip", False),
    ],
)
def test_the_options_of_a_commit_are_read_as_git_reads_them(words: list[str], cleanup: str, verbose: bool) -> None:
    assert style({}, ["git", "commit", *words], edited=True) == Style(cleanup, verbose=verbose)


def test_only_git_is_asked_for_its_command_line() -> None:
    assert gate.command_line(str(os.getpid())) is None
    assert gate.command_line("0") is None


def test_outside_of_a_hook_no_git_process_is_named() -> None:
    assert managed.git_process("pre-commit", {}) == "0"


def managed_hook(repo: Repo, stage: str, environment: str = "") -> Path:
    """A hook as a manager would have it: a process between git and us. Gives where it notes its own $PPID."""
    noted = Path(repo.path, ".git", "ppid")
    hook = Path(repo.path, ".git", "hooks", stage)
    hook.parent.mkdir(exist_ok=True)
    command = f'{environment} "{sys.executable}" -m mgit_hooks gate {stage} "$@"'
    hook.write_text(f"#!/bin/sh\necho $PPID >'{noted}'\nsh -c '{command}; exit $?' sh \"$@\"\n")
    hook.chmod(0o755)
    return noted


def test_a_manager_s_verdict_names_the_git_behind_it(repo: Repo) -> None:
    set_rules(repo, SUBJECT)
    noted = managed_hook(repo, "commit-msg")
    assert try_commit(repo, "--allow-empty", "-m", "fine").returncode == 0
    said = lines(repo)[-1]
    assert (event.verdict(said).status, event.verdict(said).tree) == ("passed", repo.git("rev-parse", "HEAD^{tree}"))
    if os.path.exists("/proc/self/stat"):
        assert said.ppid == int(noted.read_text())
    assert try_commit(repo, "--allow-empty", "-m", LONG).returncode == 1


def test_a_manager_s_gate_judges_though_nothing_is_armed(repo: Repo) -> None:
    set_rules(repo, SUBJECT.replace('"abort"', '"ignore"'))
    managed_hook(repo, "commit-msg")
    done = try_commit(repo, "--allow-empty", "-m", LONG)
    assert done.returncode == 0
    assert b"subject-length" in done.stderr
    assert lines(repo)[-1].flag == "o"


def test_a_manager_s_gate_knows_the_switch_for_all(repo: Repo) -> None:
    set_rules(repo, SUBJECT)
    managed_hook(repo, "commit-msg", "MGIT=0 MGIT_SKIP_REASON=hotfix")
    assert try_commit(repo, "--allow-empty", "-m", LONG).returncode == 0
    assert (verdicts(repo)[-1].status, verdicts(repo)[-1].reason) == ("skipped", "hotfix")


def test_by_hand_a_gate_judges_the_index_and_names_no_process(repo: Repo) -> None:
    set_rules(repo, SIZE)
    repo.write("large", "more than ten bytes\n")
    repo.git("add", "large")
    command = [sys.executable, "-m", "mgit_hooks", "-C", repo.path, "gate", "pre-commit"]
    assert subprocess.run(command, check=False).returncode == 1
    assert (lines(repo)[-1].ppid, verdicts(repo)[-1].tree) == (0, repo.git("write-tree"))


@pytest.mark.parametrize(
    ("start", "remote_old", "forced"),
    [("HEAD^", None, False), ("tracked", "tracked", False), ("other", "other", True)],
)
def test_a_push_as_pre_commit_tells_of_it(
    repo: Repo, monkeypatch: pytest.MonkeyPatch, start: str, remote_old: str | None, forced: bool
) -> None:
    repo.commit("one", {"a": "1\n"})
    oids = {"tracked": repo.git("rev-parse", "HEAD")}
    repo.git("update-ref", "refs/remotes/origin/main", oids["tracked"])
    repo.commit("two", {"a": "2\n"})
    oids["HEAD^"] = repo.commit("three", {"a": "3\n"})
    oids["new"] = repo.commit("four", {"a": "4\n"})
    oids["other"] = repo.git("commit-tree", "-p", oids["tracked"], "-m", "other", "HEAD^{tree}")
    monkeypatch.chdir(repo.path)
    told = managed.told(
        "pre-push",
        "0",
        (),
        {
            "PRE_COMMIT": "1",
            "PRE_COMMIT_REMOTE_NAME": "origin",
            "PRE_COMMIT_REMOTE_URL": "https://user:s3cret@example.org/x",
            "PRE_COMMIT_LOCAL_BRANCH": "refs/heads/main",
            "PRE_COMMIT_REMOTE_BRANCH": "refs/heads/main",
            "PRE_COMMIT_FROM_REF": oids[start],
            "PRE_COMMIT_TO_REF": oids["new"],
        },
        layout.locate(),
    )
    assert (told.by_hand, told.unknown) == (False, frozenset())
    found = candidate.from_push(*told.arguments, told.pushes or (), layout.locate(), (ALL,))
    ref = found.value["push"]["refs"][0]
    assert (ref["local_oid"], ref["remote_oid"], ref["forced"]) == (oids["new"], oids.get(remote_old or ""), forced)
    assert found.value["push"]["remote_url"] == "https://example.org/x"
