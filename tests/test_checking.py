"""``check``: one judge for commits, the index, messages and patches, and what is left out of its findings."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from conftest import Repo, Told

from mgit_hooks.checking import findings

RULES = """
[[rules]]
id = "subject"
events = ["commit", "amend", "merge", "am"]
strategy = "abort"
message = "Keep it short."
schema.properties.commit.properties.message.pattern = "^.{1,20}(\\\\n|$)"

[[rules]]
id = "size"
severity = "warning"
message = "Keep it small."
schema.properties.commit.properties.files.items.properties.size_bytes.maximum = 10

[[rules]]
id = "no-link"
message = "No links."
schema.properties.commit.properties.files.items.properties.new_mode.not.const = "120000"

[[rules]]
id = "author"
schema.properties.commit.properties.author_email.pattern = "@example[.]com$"
"""
# Judges as our hooks do, and tells all of it: what the hooks themselves print is cut and bounded.
HOOK = """#!{python} -I
import json, os, sys
from mgit_hooks import layout
from mgit_hooks.gatekeeper import candidate, gate, judgement, received
from mgit_hooks.judging import config, schemas
location = layout.locate()
policy = config.load(location)
stage = os.path.basename(sys.argv[0])
if stage == "pre-receive":
    lines = received.lines(candidate.read_stdin())
    found = list(received.candidates(lines, location, policy.rules, all_commits=True))[1:]
else:
    found = [candidate.from_commit(stage, sys.argv[1:], location, policy.rules, gate.command_line(str(os.getppid())))]
told = [[issue.to_json() for issue in judgement.judge(each, policy, schemas.load()).issues] for each in found]
with open({told!r} + stage, "w") as file:
    json.dump(told, file)
"""


def hook(repo: Repo, folder: str, stage: str, told: Path) -> None:
    path = Path(repo.path, folder, stage)
    path.parent.mkdir(exist_ok=True)
    path.write_text(HOOK.format(python=sys.executable, told=f"{told}/"))
    path.chmod(0o700)


def issues(told: Path, stage: str) -> list[list[str]]:
    """(severity, code, message, place) of all that a hook found, in its order."""
    with open(told / stage) as file:
        found = [issue for each in json.load(file) for issue in each]
    return [[issue[name] for name in ("severity", "code", "message", "field_path")] for issue in found]


def found(told: Told) -> list[list[str]]:
    (value,) = told.json
    return [[each[name] for name in ("severity", "code", "message", "field_path")] for each in value["findings"]]


def rules_of(told: Told) -> list[str]:
    return [each["rule"] for each in told.json[0]["findings"]]


@pytest.fixture
def ruled(repo: Repo) -> Repo:
    repo.commit("first")
    repo.write(".git/rules.toml", RULES)
    repo.git("config", "mgit.rules", os.path.join(repo.path, ".git/rules.toml"))
    return repo


@pytest.fixture
def sinful(ruled: Repo) -> Repo:
    """One staged change that breaks each of the rules, one of them twice."""
    ruled.write("large", "x" * 100)
    ruled.write("small", "x\n")
    ruled.write("a folder/größer", "x" * 20)
    os.symlink("large", os.path.join(ruled.path, "link"))
    ruled.git("add", "-A")
    return ruled


def test_hooks_and_check_find_the_same(sinful: Repo, bare: Repo, mgit: Any, tmp_path: Path) -> None:
    told = tmp_path / "told"
    told.mkdir()
    for stage in ("pre-commit", "commit-msg"):
        hook(sinful, ".git/hooks", stage, told)
    hook(bare, "hooks", "pre-receive", told)
    bare.git("config", "mgit.rules", os.path.join(sinful.path, ".git/rules.toml"))
    message = "# no comment\nA subject that goes on for too long\r\n\n\n# a comment\n"
    sinful.write(".git/MSG", message)
    before = mgit("-C", sinful.path, "check", "--staged", "--json")
    both = mgit("-C", sinful.path, "check", "--staged", "--message", ".git/MSG", "--json")
    sinful.git("commit", "-q", "-e", "-F", ".git/MSG")
    after = mgit("-C", sinful.path, "check", "--json")
    sinful.git("push", "-q", bare.path, "HEAD:main")

    assert [finding[3] for finding in issues(told, "commit-msg")] == [
        "/commit/message", "/commit/files/0/size_bytes", "/commit/files/1/size_bytes", "/commit/files/2/new_mode",
        "/commit/author_email",
    ]  # fmt: skip
    ordered = sorted(issues(told, "commit-msg"), key=place)
    assert sorted(issues(told, "pre-commit"), key=place) == [each for each in ordered if each[3] != "/commit/message"]
    assert found(before) == sorted(issues(told, "pre-commit"), key=place)
    assert found(both) == found(after) == ordered
    assert found(after) == sorted(issues(told, "pre-receive")[-len(ordered) :], key=place)
    assert (before.code, both.code, after.code) == (1, 1, 1)


def place(finding: list[str]) -> tuple[int, int]:
    """File by file, what is about the whole commit first; of each in the rules' order."""
    words = finding[3].split("/")
    rules = ("subject", "size", "no-link", "author")
    rule = finding[2].removeprefix("rule ").partition(":")[0]
    return (int(words[3]) if words[2] == "files" else -1), rules.index(rule)


def test_commits_are_told_oldest_first_and_of_each_file_by_file(sinful: Repo, mgit: Any) -> None:
    first = sinful.commit("A subject that goes on for too long")
    second = sinful.commit("Another one that is far too long", {"large": "y" * 50, "b": "z" * 50})
    told = mgit("-C", sinful.path, "check", "HEAD~2..", "--json")
    assert [(each["commit"], each["rule"], each["file"]) for each in told.json[0]["findings"]] == [
        (first, "subject", None), (first, "author", None), (first, "size", "a folder/größer"), (first, "size", "large"),
        (first, "no-link", "link"),
        (second, "subject", None), (second, "author", None), (second, "size", "b"), (second, "size", "large"),
    ]  # fmt: skip
    assert told.json[0]["judged"] == 2
    again = mgit("-C", sinful.path, "check", "HEAD~2..", "--json")
    assert again.raw == told.raw


def test_check_needs_no_journal_and_writes_nothing(sinful: Repo, mgit: Any) -> None:
    sinful.commit("Sins", {"x": "y" * 30})
    sinful.write("later", "z" * 30)
    sinful.git("add", "later")
    before = snapshot(sinful)
    for args in ((), ("HEAD",), ("--staged",), ("--message", "later"), ("--patch", "later.patch")):
        if "--patch" in args:
            told = sinful.run("format-patch", "-1", "--stdout").stdout
            Path(sinful.path, "..", "later.patch").write_bytes(told)
            args = ("--patch", "../later.patch")
        assert mgit("-C", sinful.path, "check", *args).code == 1, args
    assert snapshot(sinful) == before


def snapshot(repo: Repo) -> dict[str, tuple[int, bytes]]:
    return {
        str(path): (stat.S_IMODE(path.lstat().st_mode), path.read_bytes())
        for path in Path(repo.path).rglob("*")
        if path.is_file() and not path.is_symlink()
    }


@pytest.mark.parametrize(
    ("args", "judged"),
    [
        ((), 1),
        (("HEAD",), 4),
        (("HEAD~2..",), 2),
        (("main", "^HEAD~1"), 1),
        (("--since", "HEAD~3"), 3),
        (("--since", "2020-01-03T00:00:00Z"), 2),
        (("--since", "2020-01-02T12:00:00Z", "HEAD~1"), 2),
        (("--new-only",), 2),
        (("--new-only", "--base", "HEAD~1"), 1),
        (("--new-only", "--base", "HEAD~1", "HEAD~2"), 0),
    ],
)
def test_which_commits_are_judged(repo: Repo, bare: Repo, mgit: Any, args: tuple[str, ...], judged: int) -> None:
    for day in range(1, 5):
        repo.commit(f"day {day}", GIT_COMMITTER_DATE=f"2020-01-{day:02d}T12:00:00Z")
        if day == 2:
            repo.git("push", "-q", "-u", bare.path, "main")
            repo.git("remote", "add", "origin", bare.path)
            repo.git("fetch", "-q", "origin")
            repo.git("branch", "-q", "-u", "origin/main")
    told = mgit("-C", repo.path, "check", "--json", *args)
    assert (told.code, told.json[0]["judged"]) == (0, judged)


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("no-such-branch",), "git does not take 'no-such-branch'"),
        (("--since", "orign/main"), "'orign/main' is neither a commit nor a date"),
        (("--new-only",), "this branch has no upstream"),
        (("--new-only", "--base", "nowhere"), "git knows no commit 'nowhere'"),
        (("--base", "HEAD"), "--base goes with --new-only"),
        (("--staged", "HEAD"), "--staged and RANGE are judged apart"),
        (("--staged", "--since", "1.day"), "--since is about commits"),
        (("--message", "missing"), "there is no file missing"),
        (("--patch", "-", "--mbox", "-"), "standard input can be read once"),
        (("--json", "--format", "sarif"), "--json and --format sarif are two forms"),
        (("--write-baseline", "b", "--json"), "--write-baseline tells nothing"),
        (("--baseline", "missing"), "there is no baseline missing"),
        (("--allow", "bypassed"), "--allow goes with --require-gate only"),
        (("--require-gate", "--staged"), "--staged has no effect on --require-gate"),
        (("--require-gate", "--fail-on", "never"), "--fail-on has no effect on --require-gate"),
    ],
)
def test_what_makes_no_sense_is_one_line_and_a_way_out(repo: Repo, mgit: Any, args: tuple[str, ...], said: str) -> None:
    repo.commit("one")
    told = mgit("-C", repo.path, "check", *args)
    assert (told.code, told.out, told.err.count("\n")) == (2, "", 2)
    assert said in told.err


def test_a_shallow_clone_says_where_it_ends(ruled: Repo, mgit: Any, tmp_path: Path) -> None:
    """A clean word on a commit whose files nobody saw, or on a range that ends too early, would say too much."""
    ruled.commit("Innocent", {"small": "x"})
    clone = str(tmp_path / "clone")
    subprocess.run(["git", "clone", "-q", "--depth", "2", f"file://{ruled.path}", clone], check=True)
    assert "shallow" not in mgit("-C", clone, "check").err
    told = mgit("-C", clone, "check", "HEAD")
    assert "ends at 1 of these commits: no file there is judged\nhint: 'git fetch --unshallow'" in told.err
    assert mgit("-C", clone, "check", "-q", "HEAD").err == ""
    for args in (("HEAD~5..",), ("--new-only", "--base", "0" * 39 + "1")):
        told = mgit("-C", clone, "check", *args)
        assert (told.code, "hint: this clone is shallow: 'git fetch --unshallow'" in told.err) == (2, True)


@pytest.mark.parametrize("args", [(), ("--require-gate",)])
def test_before_the_first_commit_it_says_so(repo: Repo, mgit: Any, args: tuple[str, ...]) -> None:
    assert mgit("-C", repo.path, "init").code == 0
    told = mgit("-C", repo.path, "check", *args)
    assert (told.code, told.out) == (2, "")
    assert told.err.startswith("mgit-hooks: HEAD is no commit: there is none yet on this branch\nhint: ")


@pytest.mark.parametrize(
    ("args", "code"),
    [((), 0), (("--fail-on", "warning"), 1), (("--fail-on", "error"), 0), (("--fail-on", "never"), 0)],
)
def test_a_warning_fails_only_where_it_is_to(ruled: Repo, mgit: Any, args: tuple[str, ...], code: int) -> None:
    ruled.commit("Large", {"large": "x" * 50}, GIT_AUTHOR_EMAIL="a@example.com")
    told = mgit("-C", ruled.path, "check", "--json", *args)
    assert (told.code, rules_of(told)) == (code, ["size"])
    ruled.commit("Worse", {"large": "x" * 60})
    assert mgit("-C", ruled.path, "check", "--fail-on", "never").code == 0
    assert mgit("-C", ruled.path, "check").code == 1


def test_with_enforce_off_it_is_a_report(ruled: Repo, mgit: Any) -> None:
    ruled.commit("A subject that goes on for too long")
    ruled.git("config", "mgit.enforce", "false")
    told = mgit("-C", ruled.path, "check", "--json")
    assert (told.code, rules_of(told)) == (0, ["subject", "author"])
    assert "enforce is off" in told.err


def test_what_mgit_skip_names_is_let_go(ruled: Repo, mgit: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    ruled.commit("A subject that goes on for too long")
    monkeypatch.setenv("MGIT_SKIP", "subject")
    told = mgit("-C", ruled.path, "check", "--json")
    assert rules_of(told) == ["author"]
    assert "MGIT_SKIP leaves out subject" in told.err


def test_a_finding_about_a_line_names_it(repo: Repo, mgit: Any) -> None:
    repo.commit("first", {"a.txt": "fine\n"})
    repo.commit("Merge badly", {"a.txt": "fine\n<<<<<<< ours\nx\n=======\ny\n>>>>>>> theirs\n"})
    told = mgit("-C", repo.path, "check", "--json")
    assert [(each["rule"], each["file"], each["line"]) for each in told.json[0]["findings"]] == [
        ("no-conflict-markers", "a.txt", 2)
    ]
    assert "a.txt:2" in mgit("-C", repo.path, "check").out
    assert "file=a.txt,line=2," in mgit("-C", repo.path, "check", "--format", "github").out


# Messages


@pytest.mark.parametrize(
    ("config", "raw", "stored"),
    [
        ({}, b"Subject\n\n# comment\nBody \r\n\n\n", "Subject\n\nBody\n"),
        ({"core.commentChar": ";"}, b"Subject\n# kept\n; gone\n", "Subject\n# kept\n"),
        ({"commit.cleanup": "whitespace"}, b"Subject \n# kept\n", "Subject\n# kept\n"),
        ({"commit.cleanup": "verbatim"}, b"Subject \n# kept\n", "Subject \n# kept\n"),
        (
            {"commit.cleanup": "scissors"},
            b"Subject\n# ------------------------ >8 ------------------------\nrest\n",
            "Subject\n",
        ),
        ({}, b"\xef\xbb\xbfSubject\r\n\r\nBody\r\n", "\ufeffSubject\n\nBody\n"),
        ({"i18n.commitEncoding": "ISO-8859-1"}, b"Gr\xf6\xdfe\n", "Größe\n"),
        ({}, b"Gr\xf6\xdfe\n", "Größe\n"),
    ],
)
def test_a_message_file_is_judged_as_git_stores_it(
    repo: Repo, mgit: Any, config: dict[str, str], raw: bytes, stored: str
) -> None:
    repo.commit("first")
    for key, value in config.items():
        repo.git("config", key, value)
    repo.write(".mgit-hooks.toml", '[[rules]]\nid = "no"\nschema.properties.commit.properties.message.const = "no"\n')
    repo.write(".git/MSG", raw)
    told = mgit("-C", repo.path, "check", "--message", ".git/MSG", "--json")
    assert [each["message"] for each in told.json[0]["findings"]] == [
        f'rule no: message is not "no": {json.dumps(stored, ensure_ascii=False)}'
    ]
    assert told.json[0]["findings"][0]["subject"] == stored.partition("\n")[0]
    repo.run("commit", "-q", "--allow-empty", GIT_EDITOR="cp .git/MSG")
    made = mgit("-C", repo.path, "check", "--json").json[0]["findings"]
    assert [each["message"] for each in made] == [each["message"] for each in told.json[0]["findings"]]


def test_a_message_with_nul_is_refused_as_git_refuses_it(repo: Repo, mgit: Any) -> None:
    repo.commit("first")
    repo.write(".git/MSG", b"Subject\n\nBo\0dy\n")
    assert repo.run("commit", "-q", "--allow-empty", "-F", ".git/MSG", check=False).returncode != 0
    told = mgit("-C", repo.path, "check", "--message", ".git/MSG")
    assert (told.code, told.out) == (2, "")
    assert told.err.startswith("mgit-hooks: .git/MSG:3: a NUL byte")


def test_a_message_alone_leaves_the_rest_unknown(ruled: Repo, mgit: Any) -> None:
    ruled.write(".git/MSG", "Fine\n")
    told = mgit("-C", ruled.path, "check", "--message", ".git/MSG", "--json")
    assert (told.code, found(told)) == (0, [])


def test_what_is_endless_is_not_read_whole(repo: Repo, mgit: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    repo.commit("first")
    monkeypatch.setattr("mgit_hooks.checking.given.LARGEST_MESSAGE", 1 << 20)
    repo.write(".git/MSG", b"x" * (1 << 21))
    told = mgit("-C", repo.path, "check", "--message", ".git/MSG")
    assert (told.code, "is larger than 1 MiB" in told.err) == (2, True)
    os.mkfifo(os.path.join(repo.path, ".git/PIPE"))
    told = mgit("-C", repo.path, "check", "--message", ".git/PIPE")
    assert (told.code, "there is no file .git/PIPE" in told.err) == (2, True)


def test_the_index_of_a_bare_repository(bare: Repo, mgit: Any) -> None:
    told = mgit("-C", bare.path, "check", "--staged")
    assert (told.code, "a bare repository has no index" in told.err) == (2, True)


def test_the_index_from_below_the_top_and_with_an_index_of_ones_own(
    sinful: Repo, mgit: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    below = os.path.join(sinful.path, "a folder")
    assert rules_of(mgit("-C", below, "check", "--staged", "--json")) == ["author", "size", "size", "no-link"]
    monkeypatch.chdir(below)
    monkeypatch.setenv("GIT_INDEX_FILE", "../.git/other")
    sinful.git("read-tree", "HEAD", GIT_INDEX_FILE=os.path.join(sinful.path, ".git/other"))
    assert rules_of(mgit("check", "--staged", "--json")) == ["author"]


# Baselines


def test_a_baseline_hides_what_it_knows_and_no_more(ruled: Repo, mgit: Any) -> None:
    ruled.commit("An old sin that is far too long", {"large": "x" * 50})
    check = ("-C", ruled.path, "check")
    written = mgit(*check, "HEAD", "--write-baseline", "known.json")
    assert (written.code, written.out) == (0, "")
    assert "4 findings written to known.json" in written.err
    told = mgit(*check, "HEAD", "--baseline", "known.json", "--json")
    assert (told.code, found(told), told.json[0]["hidden"]) == (0, [], 4)
    ruled.git("commit", "-q", "--allow-empty", "-m", "An old sin that is far too long")
    told = mgit(*check, "HEAD", "--baseline", "known.json", "--json")
    assert (told.code, rules_of(told), told.json[0]["hidden"]) == (1, ["subject", "author"], 4)


def test_a_baseline_knows_them_after_a_rebase(ruled: Repo, mgit: Any) -> None:
    start = ruled.git("rev-parse", "HEAD")
    ruled.commit("An old sin that is far too long", {"large": "x" * 50})
    check = ("-C", ruled.path, "check")
    assert mgit(*check, f"{start}..", "--write-baseline", ".git/known.json").code == 0
    before = ruled.git("rev-parse", "HEAD")
    ruled.git("checkout", "-q", "-b", "other", start)
    ruled.commit("Other", {"other": "x\n"}, GIT_AUTHOR_EMAIL="a@example.com")
    ruled.git("rebase", "-q", "other", "main")
    assert ruled.git("rev-parse", "HEAD") != before
    told = mgit(*check, "other..main", "--baseline", ".git/known.json", "--json")
    assert (told.code, told.json[0]["hidden"]) == (0, 3)


def test_what_a_rebase_moved_is_not_new(ruled: Repo, mgit: Any) -> None:
    """As in CI after a forced push, with the old tip as the base."""
    start = ruled.git("rev-parse", "HEAD")
    ruled.commit("An old sin that is far too long", {"large": "x" * 50})
    before = ruled.git("rev-parse", "HEAD")
    ruled.git("checkout", "-q", "-b", "other", start)
    ruled.commit("Other", {"other": "x\n"}, GIT_AUTHOR_EMAIL="a@example.com")
    ruled.git("rebase", "-q", "other", "main")
    check = ("-C", ruled.path, "check", "--new-only", "--json", "--base")
    told = mgit(*check, before)
    assert (told.code, told.json[0]["judged"], told.json[0]["hidden"]) == (0, 2, 3)
    assert "clean, 3 known already" in told.err
    assert rules_of(mgit(*check, "other")) == ["subject", "author", "size"]  # there it never was
    ruled.git("commit", "-q", "--allow-empty", "-m", "An old sin that is far too long")
    for given in ((), ("main",), (f"{start}..main",)):
        told = mgit(*check, before, *given)
        assert (told.code, rules_of(told), told.json[0]["hidden"]) == (1, ["subject", "author"], 3), "once more"


def test_a_baseline_and_what_is_not_new_add_up(ruled: Repo, mgit: Any) -> None:
    ruled.commit("An old sin that is far too long", {"large": "x" * 50})
    check = ("-C", ruled.path, "check")
    assert mgit(*check, "--write-baseline", ".git/known.json").code == 0
    before = ruled.git("rev-parse", "HEAD")
    ruled.git("commit", "-q", "--amend", "--date", "2001-01-01T00:00:00Z", "--no-edit")
    ruled.git("commit", "-q", "--allow-empty", "-m", "An old sin that is far too long")
    told = mgit(*check, "--new-only", "--base", before, "--baseline", ".git/known.json", "--json")
    assert (told.code, told.json[0]["judged"], told.json[0]["hidden"]) == (0, 2, 5)


def test_the_baselines_of_two_branches_merge(ruled: Repo, mgit: Any) -> None:
    """By git itself, without a conflict, whatever is added where."""
    for number in range(12):
        ruled.commit(f"Sin {number} that is far too long", {f"large-{number}": "x" * 50})
    check = ("-C", ruled.path, "check")
    mgit(*check, "HEAD~8", "--write-baseline", ".git/base.json")
    mgit(*check, "HEAD~4", "--write-baseline", ".git/ours.json")
    mgit(*check, "HEAD~8", "HEAD", "^HEAD~4", "--write-baseline", ".git/theirs.json")
    lines = Path(ruled.path, ".git/ours.json").read_text().splitlines()
    marks = [json.loads(line.removesuffix(","))["fingerprint"] for line in lines[1:-1]]
    assert marks == sorted(marks)
    merged = ruled.run("merge-file", "-p", "--union", ".git/ours.json", ".git/base.json", ".git/theirs.json").stdout
    Path(ruled.path, ".git/merged.json").write_bytes(merged)
    told = mgit(*check, "HEAD", "--baseline", ".git/merged.json", "--json")
    assert (told.code, found(told)) == (0, [])


def test_verbose_names_what_no_longer_occurs(ruled: Repo, mgit: Any) -> None:
    ruled.commit("An old sin that is far too long", {"large": "x" * 50})
    check = ("-C", ruled.path, "check")
    mgit(*check, "--write-baseline", ".git/known.json")
    ruled.git("commit", "-q", "--amend", "-m", "Mended")
    quiet = mgit(*check, "--baseline", ".git/known.json")
    assert "does not occur" not in quiet.err
    told = mgit(*check, "--baseline", ".git/known.json", "-v")
    assert "the baseline's subject does not occur: An old sin" in told.err
    assert "the baseline's size in large does not occur" in told.err


@pytest.mark.parametrize(
    "raw",
    [b"", b"[]", b"{", b"\xff", b'{"version":2,"findings":[]}', b'{"version":1,"findings":[1]}',
     b'{"version":1,"findings":[{"fingerprint":"a","rule":"b","count":0}]}', b"[" * 100_000],
)  # fmt: skip
def test_what_is_no_baseline_is_said_to_be_none(repo: Repo, mgit: Any, raw: bytes) -> None:
    repo.commit("one")
    repo.write("known.json", raw)
    told = mgit("-C", repo.path, "check", "--baseline", "known.json")
    assert (told.code, told.out, told.err.count("\n"), "known.json" in told.err) == (2, "", 2, True)


def test_a_fingerprint_is_of_rule_file_and_subject() -> None:
    base = findings.fingerprint("rule", "file", "subject")
    assert base == sha256(b'["rule", "file", "subject"]').hexdigest()[:32]
    others = {
        findings.fingerprint("rule2", "file", "subject"),
        findings.fingerprint("rule", "file2", "subject"),
        findings.fingerprint("rule", "file", "subject2"),
        findings.fingerprint("rule", None, "subject"),
        findings.fingerprint("rulefile", "", "subject"),
    }
    assert len(others | {base}) == 6


# Where contents are missing


def test_a_partial_clone_is_judged_without_a_fetch(
    ruled: Repo, mgit: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ruled.commit("Large", {"large": "x" * 50})
    ruled.commit("Again", {"large": "x" * 50 + "\nmore\n"})
    ruled.git("config", "uploadpack.allowFilter", "true")
    clone = Repo(tmp_path / "clone")
    subprocess.run(
        ["git", "clone", "-q", "--no-checkout", "--filter=blob:none", f"file://{ruled.path}", clone.path], check=True
    )
    objects = count_objects(clone)
    rules = os.path.join(ruled.path, ".git/rules.toml")
    clone.git("config", "mgit.rules", rules)
    told = mgit("-C", clone.path, "check", "HEAD", "--json")
    assert {each["rule"] for each in told.json[0]["findings"]} == {"author"}
    assert count_objects(clone) == objects


def count_objects(repo: Repo) -> str:
    return repo.git("count-objects", "-v")


def test_in_a_shallow_clone_the_files_of_its_boundary_are_unknown(ruled: Repo, mgit: Any, tmp_path: Path) -> None:
    ruled.write(
        ".git/rules.toml", RULES + '[[rules]]\nid = "some"\nschema.properties.commit.properties.files.type = "array"'
    )
    ruled.commit("Large", {"large": "x" * 50})
    clone = Repo(tmp_path / "clone")
    subprocess.run(["git", "clone", "-q", "--depth=1", f"file://{ruled.path}", clone.path], check=True)
    clone.git("config", "mgit.rules", os.path.join(ruled.path, ".git/rules.toml"))
    assert rules_of(mgit("-C", clone.path, "check", "--json")) == ["author"]


def test_where_a_commit_is_missing_the_check_fails(repo: Repo, mgit: Any) -> None:
    oid = repo.commit("one")
    repo.commit("two")
    os.remove(os.path.join(repo.path, ".git/objects", oid[:2], oid[2:]))
    told = mgit("-C", repo.path, "check", "HEAD")
    assert told.code in (2, 128)
    assert told.err.count("\n") == 2


def test_a_message_and_a_patch_are_judged_by_the_rules_of_the_library(repo: Repo, mgit: Any) -> None:
    """Which ask whether a commit is a merge, and where its subject ends."""
    repo.commit("Before")
    repo.commit("Say " + "much " * 20, {"f": "x\n"})
    repo.write(".mgit-hooks.toml", '[[rules]]\nuse = "subject-length"\nstrategy = "abort"\n')
    repo.write(".git/MSG", "Say " + "much " * 20)
    repo.write(".git/PATCH", repo.git("format-patch", "-1", "--stdout", "--no-stat") + "\n")
    for args in (("--message", ".git/MSG"), ("--patch", ".git/PATCH"), ()):
        told = mgit("-C", repo.path, "check", *args, "--json")
        assert told.code == 1
        assert "rule subject-length" in told.out
    merge = repo.git("rev-parse", "HEAD")
    repo.write(".git/MERGE_HEAD", f"{merge}\n")
    assert mgit("-C", repo.path, "check", "--message", ".git/MSG", "--json").code == 0
