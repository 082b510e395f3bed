"""Each flag of each command has its effect, before the command and after it."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import newergit
import pytest
from conftest import Repo, Told
from recording import Recording
from samples import changeset
from terminal import on_a_terminal

from mgit_hooks import bulk, cli
from mgit_hooks.changesets import ChangesetCollection, ChangesetStorage, RepositoryChangeset, container, sweeping
from mgit_hooks.errors import ChangesetBusyError
from mgit_hooks.journal.segment import segment_names
from mgit_hooks.pipeline import optimization

# Every command, with what makes it run in a repository that is recorded; whether it needs one.
READING = ("log", "show", "verify", "validate", "export", "repair")
ALL = (
    *READING, "anchor", "compact", "init", "install", "status", "doctor", "backfill", "drain", "config", "schema",
    "uninstall", "check", "diff",
)  # fmt: skip
RULE = """
[[rules]]
id = "short"
severity = "error"
message = "Keep it short."
events = ["commit", "import"]
schema = { properties = { commit = { properties = { message = { maxLength = 6 } } } } }
"""


@pytest.fixture
def work(repo: Repo) -> Recording:
    made = Recording(repo)
    made.commit("one")
    made.commit("two")
    made.drain()
    return made


# The same everywhere


@pytest.mark.parametrize("command", ALL)
def test_json_is_all_that_stands_on_standard_output(work: Recording, mgit: Any, command: str) -> None:
    told = mgit("-C", work.path, command, "--json")
    assert told.code == 0
    assert told.json
    assert mgit("--json", "-C", work.path, command).json


@pytest.mark.parametrize("command", ALL)
@pytest.mark.parametrize("form", [(), ("--json",)])
def test_z_ends_with_nul_what_else_ends_with_a_newline(
    work: Recording, mgit: Any, command: str, form: tuple[str, ...]
) -> None:
    plain = mgit("-C", work.path, command, *form).raw
    if command in ("init", "install", "uninstall", "drain", "backfill", "anchor"):
        plain = mgit("-C", work.path, command, *form).raw  # the second time they find the same state
    ended = mgit("-C", work.path, command, *form, "-z").raw
    assert b"\n" not in ended
    assert ended.count(b"\0") == plain.count(b"\n")


@pytest.mark.parametrize("command", ALL)
def test_quiet_prints_no_remark(work: Recording, mgit: Any, command: str) -> None:
    before = mgit("-C", work.path, command, "--quiet")
    assert before.err == ""
    assert mgit("-q", "-C", work.path, command).err == ""


def test_without_quiet_there_are_remarks(repo: Repo, mgit: Any) -> None:
    assert "mgit-hooks uninstall" in mgit("-C", repo.path, "install").err


@pytest.mark.parametrize("command", ALL)
def test_verbose_says_more_and_nothing_less(work: Recording, mgit: Any, command: str) -> None:
    told = mgit("-C", work.path, command, "--verbose")
    assert f"{command} took " in told.err
    assert " took " not in mgit("-C", work.path, command).err


def test_verbose_says_what_was_taken_in(work: Recording, mgit: Any) -> None:
    work.commit("three")
    assert "1 record taken in" in mgit("-v", "-C", work.path, "verify").err


def test_verbose_log_says_what_was_wrong(work: Recording, mgit: Any) -> None:
    work.write(".mgit-hooks.toml", RULE)
    work.commit("much too long", "--allow-empty")
    assert "RULE_VIOLATED /commit/message" in mgit("-C", work.path, "log", "-v").out
    assert "/commit/message" not in mgit("-C", work.path, "log").out


@pytest.mark.parametrize("args", [("-v", "show", "nothing"), ("-v", "lgo"), ("log", "-v", "--nonsense")])
def test_verbose_shows_no_traceback_of_a_users_slip(work: Recording, mgit: Any, args: tuple[str, ...]) -> None:
    told = mgit("-C", work.path, *args)
    assert (told.code, "hint: " in told.err) == (2, True)


def test_verbose_shows_the_traceback_of_an_internal_error(
    work: Recording, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    def broken(*_: Any) -> int:
        raise RuntimeError("https://user:hunter2@example.org \x1b[31m")

    monkeypatch.setattr("mgit_hooks.commands.status.run", broken)
    assert cli.main(["-C", work.path, "status"]) == 128
    quiet = capsys.readouterr().err
    assert (quiet.count("\n"), "internal error: RuntimeError" in quiet) == (2, True)
    assert cli.main(["-C", work.path, "status", "-v"]) == 128
    told = capsys.readouterr().err
    assert "Traceback" in told
    assert not {"hunter2", "\x1b"} & {told[i : i + n] for n in (1, 7) for i in range(len(told))}


STYLED = ("log", "show", "status", "doctor")


@pytest.mark.parametrize("command", STYLED)
def test_color(work: Recording, mgit: Any, command: str) -> None:
    assert "\x1b[" in mgit("-C", work.path, command, "--color", "always").out
    assert "\x1b[" in mgit("-C", work.path, "--color", "always", command).out
    for choice in ((), ("--color", "auto"), ("--color=never",)):
        assert "\x1b" not in mgit("-C", work.path, command, *choice).out


def test_a_terminal_has_colors_but_where_no_color_is_set(work: Recording) -> None:
    assert b"\x1b[" in on_a_terminal(work.path, "status")
    assert b"\x1b[" not in on_a_terminal(work.path, "status", NO_COLOR="1")
    assert b"\x1b[" in on_a_terminal(work.path, "status", NO_COLOR="")  # https://no-color.org: not an empty string
    assert b"\x1b[" not in on_a_terminal(work.path, "status", "--color", "never")


@pytest.mark.parametrize("args", [("show", "--no-pager"), ("--no-pager", "show")])
def test_no_pager(work: Recording, args: tuple[str, ...]) -> None:
    assert b"paged: " in on_a_terminal(work.path, "show", GIT_PAGER="sed 's/^/paged: /'")
    assert b"paged: " not in on_a_terminal(work.path, *args, GIT_PAGER="sed 's/^/paged: /'")


@pytest.mark.parametrize("command", [each for each in ALL if each != "schema"])
def test_the_directory_before_and_after_the_command(
    work: Recording, mgit: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    assert mgit("-C", work.path, command).code == 0
    assert mgit(command, "-C", "../repo").code == 0
    outside = mgit(command)
    assert (outside.code, outside.out) == (128, "")
    assert "is not in a git repository" in outside.err
    assert outside.err.count("\n") == 2


@pytest.mark.parametrize("command", ALL)
def test_no_control_character_of_a_folders_name_reaches_the_terminal(
    tmp_path: Path, mgit: Any, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / os.fsdecode(b"dir\xff\x1b[31m")
    subprocess.run(["git", "init", "-q", "-b", "main", folder], check=True)
    repo = Repo(folder)
    repo.commit("one")
    assert mgit("-C", repo.path, "init", "-q").code == 0
    also = ("--show-sources",) if command == "config" else ()
    told = mgit("-C", repo.path, command, *also)
    assert "\x1b" not in told.out + told.err


def test_what_keeps_a_drain_from_working_is_told_in_one_safe_line(tmp_path: Path, mgit: Any) -> None:
    folder = tmp_path / "dir\x1b[31m"
    subprocess.run(["git", "init", "-q", "-b", "main", folder], check=True)
    assert mgit("-C", str(folder), "init", "-q").code == 0
    lock = folder / ".git/mgit/drain.lock"
    lock.unlink(missing_ok=True)
    lock.mkdir()
    told = mgit("-C", str(folder), "log")
    assert told.code == 0
    shown = str(lock).replace("\x1b", "\\x1b")
    assert told.err == f"mgit-hooks: what waits is not recorded yet: {shown}: Is a directory\n"


# Each command's own


def test_log_invalid(work: Recording, mgit: Any) -> None:
    work.write(".mgit-hooks.toml", RULE)
    work.commit("much too long", "--allow-empty")
    work.drain()
    (record,) = mgit("-C", work.path, "log", "--invalid", "--json").json
    assert record["commit"]["message"] == "much too long\n"


def test_log_bypassed(work: Recording, mgit: Any) -> None:
    work.git("config", "mgit.strategy", "abort")
    assert mgit("-C", work.path, "config").code == 0  # arms the gate
    work.commit("around", "--no-verify", "--allow-empty")
    (record,) = mgit("-C", work.path, "log", "--bypassed", "--json").json
    assert (record["commit"]["message"], record["gate"]["status"]) == ("around\n", "bypassed")


def test_log_finds_what_is_no_utf8(work: Recording, mgit: Any) -> None:
    """An author's bytes are read as records have them: what is no UTF-8 is U+FFFD there."""
    name = os.fsdecode(b"br\xff\xe9")
    work.git("checkout", "-q", "-b", name)
    raw = work.git("cat-file", "commit", "HEAD").replace("author Ada", "author " + os.fsdecode(b"A\xffda"))
    oid = work.git("hash-object", "-t", "commit", "-w", "--stdin", stdin=os.fsencode(raw + "\n"))
    work.git("reset", "-q", "--hard", oid)
    work.commit("there", "--allow-empty")
    for filters, found in (
        (("--branch", name, "--event", "commit"), "there"),
        (("--author", os.fsdecode(b"A\xffda")), "two"),
    ):
        told = mgit("-C", work.path, "log", "--json", *filters).json
        assert [record["commit"]["message"] for record in told] == [f"{found}\n"]


@pytest.fixture
def aged(repo: Repo, mgit: Any) -> Recording:
    """Commits of the first, second and third day of 2020, at noon, in the order of their days."""
    work = Recording(repo)
    for day, files in enumerate((["a.c", "src/a.c"], ["src/b.c"], ["src", "src.c"]), 1):
        when = f"2020-01-{day:02d}T12:00:00+00:00"
        for name in files if day < 3 else files[1:]:
            work.write(name, f"{day}\n")
        work.git("add", "-A")
        work.git("commit", "-q", "-m", f"day {day}", GIT_COMMITTER_DATE=when, GIT_AUTHOR_DATE=when)
    work.git("mv", "src/a.c", "src/moved.c")
    work.git("commit", "-q", "-m", "moved", GIT_COMMITTER_DATE="2020-01-04T12:00:00+00:00")
    work.drain()
    return work


def subjects(told: Told) -> list[str]:
    assert told.code == 0, told.err
    return [record["commit"]["message"].strip() for record in told.json if "commit" in record]


@pytest.mark.parametrize(
    ("flags", "found"),
    [
        (("--since", "2020-01-02T12:00:00Z"), ["moved", "day 3", "day 2"]),
        (("--since=2020-01-02T12:00:01Z",), ["moved", "day 3"]),
        (("--after", "2020-01-03T00:00:00Z"), ["moved", "day 3"]),
        (("--until", "2020-01-02T12:00:00Z"), ["day 2", "day 1"]),
        (("--until", "2020-01-02T11:59:59Z"), ["day 1"]),
        (("--before=2020-01-03T00:00:00Z", "--since=2020-01-02T00:00:00Z"), ["day 2"]),
        (("--since=@1577966400", "--until=@1577966400"), ["day 2"]),
        (("--since", "2.weeks"), []),
    ],
)
def test_log_since_and_until(aged: Recording, mgit: Any, flags: tuple[str, ...], found: list[str]) -> None:
    assert subjects(mgit("-C", aged.path, "log", "--json", *flags)) == found
    only = [flag for flag in flags if "T" in flag or "@" in flag or flag.startswith("--")]
    by_git = aged.git("log", "--format=%s", *only) if len(only) == len(flags) else ""
    assert not by_git or by_git.splitlines() == found


@pytest.mark.parametrize(
    ("paths", "found"),
    [
        (("a.c",), ["day 1"]),
        (("--", "a.c"), ["day 1"]),
        (("src",), ["moved", "day 2", "day 1"]),
        (("src/",), ["moved", "day 2", "day 1"]),
        (("./src/b.c", "a.c"), ["day 2", "day 1"]),
        (("src.c",), ["day 3"]),
        (("src/a.c",), ["moved", "day 1"]),
        (("src/moved.c",), ["moved"]),
        ((".",), ["moved", "day 3", "day 2", "day 1"]),
        (("nothing",), []),
        (("-n", "1", "src"), ["moved"]),
        (("src", "-n", "1"), ["moved"]),
        (("src", "--until=2020-01-02T00:00:00Z"), ["day 1"]),
        (("--author", "lovelace", "--event", "commit", "--", "a.c"), ["day 1"]),
    ],
)
def test_log_paths(aged: Recording, mgit: Any, paths: tuple[str, ...], found: list[str]) -> None:
    assert subjects(mgit("-C", aged.path, "log", "--json", *paths)) == found


def test_log_paths_are_named_from_where_one_is(aged: Recording, mgit: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    inside = os.path.join(aged.path, "src")
    assert subjects(mgit("-C", inside, "log", "--json", "b.c")) == ["day 2"]
    assert subjects(mgit("-C", inside, "log", "--json", "../a.c")) == ["day 1"]
    monkeypatch.chdir(inside)
    assert subjects(mgit("log", "--json", ".")) == ["moved", "day 2", "day 1"]
    assert subjects(mgit("log", "--json", os.path.join(aged.path, "a.c"))) == ["day 1"]
    for outside in ("../..", "/", "../../repo-other"):
        told = mgit("log", outside)
        assert (told.code, told.out, "is outside of the repository" in told.err) == (2, "", True)


def test_log_of_a_path_that_no_record_has_says_what_a_path_is(aged: Recording, mgit: Any) -> None:
    told = mgit("-C", aged.path, "log", "ma\x1bin")
    assert (told.code, told.out) == (0, "")
    said, hint = told.err.splitlines()
    assert said == "mgit-hooks: no record tells of ma\\x1bin"
    assert "--branch" in hint
    assert mgit("-C", aged.path, "log", "a.c").err == ""


def test_log_paths_may_be_any_bytes(work: Recording, mgit: Any) -> None:
    names = [os.fsdecode(raw) for raw in (b"\xff", b"\xfe", "\u00e9".encode(), b"d\xff/x")]
    for name in names:
        work.write(name, "x\n")
        work.git("add", "-A")
        work.git("commit", "-q", "-m", "one")
    for number, name in enumerate(names):
        (record,) = mgit("-C", work.path, "log", "--json", "--", name).json
        assert record["seq"] == 4 + number
    assert len(mgit("-C", work.path, "log", "--json", "--", os.fsdecode(b"d\xff")).json) == 1


def test_log_takes_any_number(work: Recording, mgit: Any) -> None:
    assert len(mgit("-C", work.path, "log", "--json", "--max-count", "9" * 30).json) == 3


def test_log_superseded(work: Recording, mgit: Any) -> None:
    work.write(".mgit-hooks.toml", RULE)
    work.commit("much too long", "--allow-empty")
    work.drain()
    Path(work.path, ".mgit-hooks.toml").unlink()
    assert mgit("-C", work.path, "repair", "--records", "--json").json == [{"mended": 1, "invalid": 0}]
    shown = [len(mgit("-C", work.path, "log", "--json", *also).json) for also in ((), ("--superseded",))]
    assert shown == [4, 5]


def test_log_rewrites(work: Recording, mgit: Any) -> None:
    old = work.head()
    work.git("commit", "-q", "--amend", "-m", "better")
    for what in (old, old[:7], work.head(), "HEAD"):
        told = mgit("-C", work.path, "log", "--json", "--rewrites", what).json
        assert [(each["commit"]["hash"], each["replaced_by"]) for each in told] == [
            (old, [work.head()]),
            (work.head(), []),
        ]


@pytest.mark.parametrize("command", ["backfill", "init", "drain", "repair --records"])
def test_level_and_strategy(repo: Repo, mgit: Any, command: str) -> None:
    repo.write(".mgit-hooks.toml", RULE)
    repo.git("config", "mgit.strategy", "ignore")
    if command in ("drain", "repair --records"):
        work = Recording(repo)
        work.commit("much too long", "--allow-empty")
        if command != "drain":
            work.drain()
    else:
        repo.commit("much too long")
    name, *options = command.split()
    assert mgit("-C", repo.path, name, *options, "--level", "strict", "--strategy", "fallback").code == 0
    (record,) = (each for each in mgit("-C", repo.path, "log", "--json").json if "commit" in each)
    assert record["validation"] == {"level": "strict", "is_valid": True, "issues": []}
    assert record["original"]["commit"]["message"] == "much too long\n"
    for wrong in ("--level", "--strategy"):
        assert mgit("-C", repo.path, name, *options, wrong, "loose").code == 2


# Of check: what is judged, left out and told; tests/test_checking*.py has the rest of each.
@pytest.mark.parametrize(
    ("flags", "code", "rules"),
    [
        ((), 1, ["short"]),
        (("HEAD",), 1, ["short", "short"]),
        (("HEAD~1",), 1, ["short"]),
        (("--staged",), 0, []),
        (("--message", "fine"), 0, []),
        (("--message", "fine", "--staged"), 0, []),
        (("--patch", "last.patch"), 1, ["short"]),
        (("--mbox", "last.patch"), 1, ["short"]),
        (("--since", "HEAD"), 0, []),
        (("--new-only", "--base", "HEAD~1"), 1, ["short"]),
        (("--baseline", "known.json"), 0, []),
        (("--fail-on", "never"), 0, ["short"]),
        (("--level", "basic"), 1, ["short"]),
        (("--strategy", "ignore"), 1, ["short"]),
        (("--format", "json"), 1, ["short"]),
    ],
)
def test_check(repo: Repo, mgit: Any, flags: tuple[str, ...], code: int, rules: list[str]) -> None:
    repo.write(".git/rules.toml", RULE.replace('"import"', '"import", "am"'))
    repo.git("config", "mgit.rules", os.path.join(repo.path, ".git/rules.toml"))
    repo.commit("also too long")
    repo.commit("much too long", {"f": "x\n"})
    repo.write("fine", "fine\n")
    repo.write("last.patch", repo.run("format-patch", "-1", "--stdout").stdout)
    assert mgit("-C", repo.path, "check", "--write-baseline", "known.json").code == 0
    told = mgit("-C", repo.path, "check", "--json", *flags)
    assert (told.code, [each["rule"] for each in told.json[0]["findings"]]) == (code, rules)
    if "--level" in flags:
        assert told.json[0]["level"] == "basic"
    written = mgit("-C", repo.path, "check", "--json", *flags, "-o", "report")
    assert (written.code, written.out, Path(repo.path, "report").read_bytes()) == (code, "", told.raw)


@pytest.mark.parametrize("command", ["backfill", "init"])
def test_workers(repo: Repo, mgit: Any, command: str) -> None:
    for number in range(3):
        repo.commit(f"old {number}")
    assert "3 commits recorded" in mgit("-C", repo.path, command, "--workers", "2").out
    for wrong in ("0", "-1", "many", "1.5"):
        told = mgit("-C", repo.path, command, f"--workers={wrong}")
        assert (told.code, "is not a number of processes from 1" in told.err) == (2, True)


@pytest.mark.parametrize("seconds", ["-1", "nan", "inf", "soon"])
def test_drain_waits_a_number_of_seconds(work: Recording, mgit: Any, seconds: str) -> None:
    told = mgit("-C", work.path, "drain", f"--wait={seconds}")
    assert (told.code, "is not a number of seconds from 0" in told.err) == (2, True)


def test_drain_for_a_framework_says_nothing_and_records_say_so(work: Recording, mgit: Any) -> None:
    work.commit("three")
    told = mgit("-C", work.path, "drain", "--framework")
    assert (told.code, told.out, told.err) == (0, "", "")
    assert work.of(work.head()).source == "framework"


def test_install_writes_a_hook_with_a_price_only_when_told(repo: Repo, mgit: Any) -> None:
    assert "reference-transaction" not in mgit("-C", repo.path, "install").out
    assert (
        "written   reference-transaction\n" in mgit("-C", repo.path, "install", "--with", "reference-transaction").out
    )
    refused = mgit("-C", repo.path, "install", "--with", "update")
    assert (refused.code, "reference-transaction" in refused.err) == (2, True)


def test_install_writes_the_hooks_of_a_server_only_when_told(repo: Repo, bare: Repo, mgit: Any) -> None:
    assert "post-receive" not in mgit("-C", bare.path, "install").out
    assert "written   post-receive\n" in mgit("-C", bare.path, "install", "--server").out
    refused = mgit("-C", repo.path, "install", "--server")
    assert (refused.code, "--server --server" in refused.err) == (2, True)
    assert "written   pre-receive\n" in mgit("-C", repo.path, "install", "--server", "--server").out


def test_install_and_uninstall_change_a_managers_configuration_only_when_told(repo: Repo, mgit: Any) -> None:
    """tests/test_framework_config.py has what becomes of the file."""
    config = Path(repo.path, ".pre-commit-config.yaml")
    mgit("-C", repo.path, "install")
    mgit("-C", repo.path, "install", "--mode", "native")
    assert not config.exists()
    framework = ("-C", repo.path, "install", "--mode", "pre-commit")
    told = mgit(*framework, "--hooks", "mgit-verify, mgit-push", "--json").json[0]
    assert (told["action"], told["hooks"]) == ("written", ["mgit-push", "mgit-verify"])
    mgit("-C", repo.path, "uninstall")
    assert "repo: local" in config.read_text()
    assert mgit("-C", repo.path, "uninstall", "--mode", "pre-commit", "--json").json[0]["action"] == "removed"
    assert not config.exists()
    assert mgit(*framework, "--repo", "https://example.org/m").code == 0
    assert "rev: v" in config.read_text()
    told = mgit(*framework, "--rev", "v9", "--json").json[0]
    assert (told["action"], told["hooks"], told["rev"]["to"]) == ("extended", [], "v9")


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (("--repo", "m"), "--mode pre-commit only"),
        (("--rev", "v1"), "--mode pre-commit only"),
        (("--hooks", "mgit-push"), "--mode pre-commit only"),
        (("--mode", "pre-commit", "--shared"), "--mode native only"),
        (("--mode", "pre-commit", "--global"), "--mode native only"),
        (("--mode", "pre-commit", "--with", "reference-transaction"), "--mode native only"),
        (("--mode", "pre-commit", "--hooks", "mgit-nothing"), "there is no hook 'mgit-nothing'"),
        (("--mode", "pre-commit", "--hooks", ","), "no hook is named"),
        (("--mode", "pre-commit", "--repo", "--x"), "expected one argument"),
        (("--mode", "pre-commit", "--repo=-x"), "--repo cannot be '-x'"),
        (("--mode", "pre-commit", "--repo", "a\nb"), "--repo cannot be"),
        (("--mode", "pre-commit", "--repo", "https://a:b@example.org/m"), "holds a password"),
        (("--mode", "pre-commit", "--repo", "local", "--rev", "v1"), "has no revision"),
        (("--mode", "pre-commit", "--rev", "v1"), "no revision that --rev could change"),
        (("--mode", "lefthook"), "invalid choice"),
    ],
)
def test_install_takes_the_flags_of_one_mode(repo: Repo, mgit: Any, flags: tuple[str, ...], says: str) -> None:
    told = mgit("-C", repo.path, "install", *flags)
    assert (told.code, told.out) == (2, "")
    assert says in told.err
    assert os.listdir(repo.path) == [".git"]


def test_install_and_uninstall_act_on_the_users_configuration_only_when_told(
    mgit: Any, repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"{newergit.stand_in(tmp_path / 'newer')}{os.pathsep}{os.environ['PATH']}")
    user = Path(os.environ["GIT_CONFIG_GLOBAL"])
    before = user.read_bytes()
    mgit("-C", repo.path, "install")
    assert user.read_bytes() == before
    assert mgit("-C", repo.path, "install", "--global").code == 0
    mgit("-C", repo.path, "uninstall")
    assert user.read_bytes() != before
    assert mgit("-C", repo.path, "uninstall", "--global").code == 0
    assert user.read_bytes() == before


def test_init_goes_to_a_shared_hooks_folder_only_when_told(repo: Repo, mgit: Any, tmp_path: Path) -> None:
    shared = tmp_path / "shared-hooks"
    shared.mkdir()
    repo.git("config", "--global", "core.hooksPath", str(shared))
    refused = mgit("-C", repo.path, "init")
    assert refused.code in (1, 2, 128)
    assert "--shared" in refused.err
    assert not list(shared.iterdir())
    assert mgit("-C", repo.path, "init", "--shared").code == 0
    assert (shared / "post-commit").exists()


@pytest.mark.parametrize("command", ["init", "install"])
def test_a_folder_before_the_one_of_others_is_made_when_told(repo: Repo, mgit: Any, command: str) -> None:
    """It stays so without the flag, and that of the others stays as it is."""
    repo.git("config", "core.hooksPath", ".githooks")
    repo.write(".githooks/post-commit", "#!/bin/sh\n")
    refused = mgit("-C", repo.path, command)
    assert (refused.code, "--in-front" in refused.err) == (2, True)
    assert mgit("-C", repo.path, command, "--in-front").code == 0
    assert (Path(repo.path, ".git/mgit-hooks/post-commit").exists(), mgit("-C", repo.path, command).code) == (True, 0)
    assert os.listdir(Path(repo.path, ".githooks")) == ["post-commit"]


def test_config_of_one_key_its_origin_and_all_sources(work: Recording, mgit: Any) -> None:
    work.git("config", "mgit.level", "strict")
    assert mgit("-C", work.path, "config", "level").out == "strict\n"
    told = mgit("-C", work.path, "config", "level", "--show-origin").out
    assert told.endswith("\tstrict\n")
    assert ".git/config" in told
    assert f"-{work.path}/.mgit-hooks.toml\n" in mgit("-C", work.path, "config", "--show-sources").out


@pytest.mark.parametrize(
    "words",
    [
        "schema check",
        "schema test kernel",
        "schema show case-conflicts",
        "config explain level",
        "config explain rules",
    ],
)
def test_the_words_of_schema_and_config_take_the_common_options(work: Recording, mgit: Any, words: str) -> None:
    work.write(
        ".mgit-hooks.toml", '[[rules]]\nid = "r"\nschema = { pattern = "(a+)+" }\n'
    )  # check has something to say
    plain = mgit("-C", work.path, *words.split())
    assert plain.code == 0
    assert mgit("-C", work.path, *words.split(), "--json").json
    ended = mgit("-C", work.path, *words.split(), "-z").raw
    assert (ended.count(b"\n"), ended.count(b"\0")) == (0, plain.raw.count(b"\n"))
    assert mgit("-C", work.path, *words.split(), "-q").err == ""


@pytest.mark.parametrize("words", ["schema check", "schema test"])
def test_schema_check_and_test_say_what_they_looked_at(work: Recording, mgit: Any, words: str) -> None:
    for named, told in (((), " 4 rules"), (("dco",), " 1 rule"), (("signed-off-by",), " 1 rule")):
        assert told in f" {mgit('-C', work.path, *words.split(), *named).err}"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("level", "basic"),
        ("strategy", "abort"),
        ("embed", "full"),
        ("enforce", "false"),
        ("fail", "open"),
        ("retries", "9"),
        ("keep_checkpoints", "9"),
        ("anchor", "ref"),
        ("compact", "false"),
    ],
)
def test_config_as_if_set_on_the_command_line(work: Recording, mgit: Any, key: str, value: str) -> None:
    flag = f"--{key.replace('_', '-')}"
    told = mgit("-C", work.path, "config", key, flag, value, "--show-origin").out
    assert told == f"command line\t{value}\n"
    wrong = mgit("-C", work.path, "config", flag, "no-such-value")
    assert (wrong.code, key in wrong.err) == (2, True)


@pytest.mark.parametrize(
    ("command", "also"),
    [
        ("restore", ()),
        ("checkpoint", ("--list",)),
        ("archive", ("../away", "--keep-newer", "1d")),
        ("import", ("--dry-run", "../all.mgit")),
    ],
)
def test_the_common_options_of_what_copies_the_journal(
    work: Recording, mgit: Any, command: str, also: tuple[str, ...]
) -> None:
    assert mgit("-C", work.path, "export", "--bundle", "-o", "../all.mgit").code == 0
    assert mgit("-C", work.path, "checkpoint").code == 0
    plain = mgit("-C", work.path, command, *also)
    assert (plain.code, plain.err) == (0, "")
    assert plain.out
    assert mgit("-C", work.path, command, *also, "--json").json
    ended = mgit("-C", work.path, command, *also, "-z").raw
    assert (ended.count(b"\n"), ended.count(b"\0")) == (0, plain.raw.count(b"\n"))
    assert f"{command} took " in mgit("-C", work.path, command, *also, "-v").err


def test_export_writes_below_the_directory_that_was_given(
    work: Recording, mgit: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert mgit("-C", work.path, "export", "-o", "all.jsonl").code == 0
    assert len(Path(work.path, "all.jsonl").read_text().splitlines()) == 3
    assert mgit("-C", work.path, "export", "--output", "all.jsonl").code == 2


# repair, as people meet it

REPAIR_KEYS = ["salvaged", "rebuilt", "quarantined", "lost", "actions", "restored"]
VERIFY_KEYS = ["journal", "records", "segments", "damaged", "missing_seq", "mended", "chain_intact", "head"]


def damage(work: Recording) -> dict[str, bytes]:
    journal = Path(work.location.journal_dir)
    segment = journal / segment_names(str(journal))[0]
    raw = bytearray(segment.read_bytes())
    raw[len(raw) // 2] ^= 0xFF
    segment.write_bytes(raw)
    return files(journal.parent)


def files(folder: Path) -> dict[str, bytes]:
    kept = ("journal", "quarantine")
    return {str(path): path.read_bytes() for name in kept for path in (folder / name).rglob("*") if path.is_file()}


def test_repair_says_what_it_would_do_then_does_it_and_then_has_nothing_to_do(work: Recording, mgit: Any) -> None:
    damage(work)
    (verdict,) = (found := mgit("-C", work.path, "verify", "--json")).json
    assert found.code == 1
    assert list(verdict)[: len(VERIFY_KEYS)] == VERIFY_KEYS
    assert list(verdict["damaged"][0]) == ["segment", "offset", "length", "kind"]
    # From here on: verify drains first, and a drain says anew how far it has read where that was damaged.
    before = files(Path(work.location.mgit_dir))
    dry = mgit("-C", work.path, "repair", "--dry-run", "--json")
    assert (dry.code, list(dry.json[0])) == (1, REPAIR_KEYS)
    assert dry.json[0]["actions"]
    assert files(Path(work.location.mgit_dir)) == before
    done = mgit("-C", work.path, "repair", "--json")
    assert (done.code, list(done.json[0])) == (0, REPAIR_KEYS)
    assert done.json[0]["quarantined"]
    assert done.json[0]["rebuilt"] == dry.json[0]["rebuilt"]
    (mended,) = mgit("-C", work.path, "verify", "--json").json
    assert (mended["damaged"], mended["missing_seq"], mended["chain_intact"]) == ([], [], True)
    assert mended["mended"]
    once = files(Path(work.location.mgit_dir))
    again = mgit("-C", work.path, "repair")
    assert (again.code, again.out) == (0, "nothing to mend\n")
    assert files(Path(work.location.mgit_dir)) == once


def test_a_dry_repair_without_an_index_knows_what_git_can_give_back_and_makes_no_index(
    work: Recording, mgit: Any
) -> None:
    before = damage(work)
    index = Path(work.location.mgit_dir, "index.sqlite")
    index.unlink(missing_ok=True)
    dry = mgit("-C", work.path, "repair", "--dry-run", "--json")
    assert dry.json[0]["rebuilt"] > 0
    assert not index.exists()
    assert files(Path(work.location.mgit_dir)) == before
    done = mgit("-C", work.path, "repair", "--json")
    assert done.json[0]["rebuilt"] == dry.json[0]["rebuilt"]


def test_a_later_format_is_refused_by_every_command_that_reads(work: Recording, mgit: Any) -> None:
    """What looks like a segment of a version to come: each says so and leaves it as it is."""
    from mgit_hooks.journal import format, identity
    from mgit_hooks.record import Seq

    journal = work.location.journal_dir
    own = identity.read(journal)
    assert own is not None
    body = (99).to_bytes(2, "little") + own.journal + b"what is to come"
    frame = format.Frame(format.SEGMENT, 0, 0, len(body), Seq(9), format.GENESIS, body)
    Path(journal, "00000002.seg").write_bytes(format.pack_frame(frame, own.journal))
    work.commit("waits")
    before = files(Path(journal).parent)
    for command in (*READING, "drain", "backfill", "init"):
        told = mgit("-C", work.path, command)
        assert (told.code, told.err.count("\n")) == (128, 2), (command, told.err)
        assert "journal format 99" in told.err
        assert "upgrade mgit-hooks" in told.err
    assert mgit("-C", work.path, "doctor").code == 1
    assert mgit("-C", work.path, "status").code == 0
    assert files(Path(journal).parent) == before


# Keys that other tools rely on


def test_the_keys_of_each_kind_of_record(work: Recording, bare: Repo, mgit: Any) -> None:
    work.git("remote", "add", "origin", bare.path)
    work.git("push", "-q", "origin", "main")
    work.git("commit", "-q", "--amend", "-m", "better")
    work.git("tag", "v1")
    told = {record["event"]: record for record in mgit("-C", work.path, "log", "--json").json}
    always = [
        "seq", "id", "event", "source", "recorded_at", "occurred_at", "occurred_from", "repository_name",
        "worktree", "branch", "gate", "validation", "recovery", "supersedes",
    ]  # fmt: skip
    for record in told.values():
        assert list(record)[: len(always)] == always
        assert list(record["gate"]) == ["status", "reason"]
        assert list(record["validation"]) == ["level", "is_valid", "issues"]
    assert list(told["amend"]["commit"]) == [
        "hash", "parents", "tree", "author_name", "author_email", "date", "committer_name", "committer_email",
        "committer_date", "message", "files",
    ]  # fmt: skip
    assert list(told["amend"]["commit"]["files"][0]) == [
        "filename", "old_filename", "change_type", "index_status", "worktree_status", "old_mode", "new_mode",
        "old_oid", "new_oid", "size_bytes", "additions", "deletions", "binary",
    ]  # fmt: skip
    assert told["amend"]["replaces"] == [told["push"]["push"]["refs"][0]["local_oid"]]
    assert list(told["push"]["push"]) == ["remote_name", "remote_url", "refs", "confirmed", "pusher"]
    assert list(told["push"]["push"]["refs"][0]) == [
        "local_ref", "local_oid", "remote_ref", "remote_oid", "forced", "deleted", "confirmed", "dropped",
        "dropped_count",
    ]  # fmt: skip
    assert told["push"]["push"]["confirmed"] is True
    assert list(told["ref-update"]["refs"][0]) == ["name", "old_oid", "new_oid", "reason"]


@pytest.mark.parametrize(
    "command", [("config",), ("config", "rules"), ("check",), ("schema", "check", "dco"), ("status",)]
)
def test_a_question_begins_no_records(repo: Repo, mgit: Any, command: tuple[str, ...]) -> None:
    """Hooks that are installed for all repositories act where ``.git/mgit`` is."""
    repo.commit("one")
    assert mgit("-C", repo.path, *command).code == 0
    assert not Path(repo.path, ".git/mgit").exists()


# pipeline

PACKED = b'{"hash":"0123456789","message":"the same again"}\n' * 400


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No repository: files are compressed anywhere."""
    made = tmp_path / "folder"
    made.mkdir()
    (made / "changes.jsonl").write_bytes(PACKED)
    monkeypatch.chdir(made)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    return made


COMPRESS = ("pipeline", "compress", "--input-file", "changes.jsonl")
DECOMPRESS = ("pipeline", "decompress", "--input-file", "changes.jsonl.gz", "-o", "out")


@pytest.mark.parametrize("words", [COMPRESS, DECOMPRESS], ids=["compress", "decompress"])
def test_pipeline_takes_the_common_options(
    folder: Path, mgit: Any, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    again = (*words, "--method", "gzip", "-f")
    assert mgit(*COMPRESS, "--method", "gzip").code == 0
    plain = mgit(*again)
    assert (plain.code, plain.err, plain.raw.count(b"\n")) == (0, "", 1)
    for told in (mgit(*again, "--json"), mgit("--json", *again)):
        (value,) = told.json
        assert (value["method"], value["original_size"]) == ("gzip", len(PACKED))
    ended = mgit(*again, "-z").raw
    assert (ended.count(b"\n"), ended.count(b"\0")) == (0, 1)
    assert (mgit(*again, "-q").err, mgit("-q", *again).err) == ("", "")
    assert "pipeline took " in mgit(*again, "--verbose").err
    assert mgit(*again, "--no-pager", "--color", "always").out == plain.out
    monkeypatch.chdir("/")
    assert mgit("-C", str(folder), *again).code == 0
    assert mgit(*again, "-C", str(folder)).code == 0
    assert mgit(*again).code == 128


@pytest.mark.parametrize(
    ("method", "extension"),
    [
        ("none", ".compressed"),
        ("gzip", ".gz"),
        ("zlib", ".zlib"),
        ("lzma", ".xz"),
        ("snappy", ".sz"),
        ("zstd", ".zst"),
        ("auto", ".xz"),
    ],
)
def test_pipeline_compress_method(folder: Path, mgit: Any, method: str, extension: str) -> None:
    told = mgit(*COMPRESS, "--method", method)
    assert told.code == 0
    assert told.out.startswith(f"changes.jsonl{extension}: 19,600 bytes to ")
    assert Path(f"changes.jsonl{extension}").exists()
    assert mgit("pipeline", "decompress", "--input-file", f"changes.jsonl{extension}", "--force").code == 0
    assert Path("changes.jsonl").read_bytes() == PACKED


def test_pipeline_compress_is_automatic_by_default_and_says_why(folder: Path, mgit: Any) -> None:
    assert "lzma: the smallest\n" in mgit(*COMPRESS, "-v").err
    assert mgit(*COMPRESS, "--json", "-f").json[0]["metadata"]["choice"] == "the smallest"


def test_pipeline_compress_quality(folder: Path, mgit: Any) -> None:
    for quality in ("fast", "balanced", "best"):
        told = mgit(*COMPRESS, "--quality", quality, "--method", "lzma", "--json", "-f").json[0]
        assert told["metadata"]["quality"] == quality
    assert mgit(*COMPRESS, "--quality", "fast", "-f").out.startswith("changes.jsonl.zst: ")
    assert mgit(*COMPRESS, "--quality", "good").code == 2


def test_pipeline_compress_several_by_a_strategy(folder: Path, mgit: Any) -> None:
    """tests/pipeline/test_many_files.py has the rest."""
    Path("other.jsonl").write_bytes(PACKED)
    words = (*COMPRESS, "--input-file", "other.jsonl", "--optimization-strategy")
    assert [line["method"] for line in mgit(*words, "latency", "--json").json] == ["snappy", "snappy"]
    assert [line["method"] for line in mgit(*words, "throughput", "--json").json] == ["zstd", "zstd"]
    assert mgit(*words, "fastest").code == 2


def test_pipeline_compress_temperature(folder: Path, mgit: Any) -> None:
    for temperature, extension in (("hot", "zst"), ("warm", "xz"), ("cold", "xz")):
        assert f"jsonl.{extension}" in mgit(*COMPRESS, "--temperature", temperature, "-f").out


@pytest.mark.parametrize("flag", ["-o", "--output-file"])
def test_pipeline_output_file(folder: Path, mgit: Any, flag: str) -> None:
    assert mgit(*COMPRESS, flag, "named", "--method", "gzip").out.startswith("named: ")
    assert {each.name for each in folder.iterdir()} == {"changes.jsonl", "named", "named.meta"}
    assert mgit("pipeline", "decompress", "--input-file", "named", flag, "back").out.startswith("back: ")
    assert Path("back").read_bytes() == PACKED


@pytest.mark.parametrize("flag", ["-f", "--force"])
@pytest.mark.parametrize("words", [COMPRESS, DECOMPRESS], ids=["compress", "decompress"])
def test_pipeline_force(folder: Path, mgit: Any, flag: str, words: tuple[str, ...]) -> None:
    assert mgit(*COMPRESS, "--method", "gzip").code == 0
    mgit(*words, "--method", "gzip")
    told = mgit(*words, "--method", "gzip")
    assert (told.code, "is there already" in told.err, "--force" in told.err) == (2, True, True)
    assert mgit(*words, "--method", "gzip", flag).code == 0


def test_pipeline_no_meta(folder: Path, mgit: Any) -> None:
    assert mgit(*COMPRESS, "--no-meta", "--method", "gzip").code == 0
    assert not Path("changes.jsonl.gz.meta").exists()
    assert "as its .meta says" not in mgit(*DECOMPRESS).out
    Path("changes.jsonl.gz.meta").write_text("{}")
    told = mgit(*DECOMPRESS, "-f")
    assert (told.code, "--no-meta" in told.err) == (1, True)
    assert mgit(*DECOMPRESS, "-f", "--no-meta").code == 0


def test_pipeline_compress_verify(folder: Path, mgit: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert mgit(*COMPRESS, "--method", "gzip", "--verify").code == 0
    monkeypatch.setattr("mgit_hooks.pipeline.packedfiles.codecs.packed", lambda *_: iter((b"\x1f\x8b\x08",)))
    assert mgit(*COMPRESS, "--method", "gzip", "-f").code == 0
    told = mgit(*COMPRESS, "--method", "gzip", "-f", "--verify")
    assert (told.code, "the gzip data ends too early" in told.err) == (1, True)


def test_pipeline_decompress_output_dir(folder: Path, mgit: Any) -> None:
    (folder / "inner").mkdir()
    mgit(*COMPRESS, "--method", "gzip")
    told = mgit("pipeline", "decompress", "--input-file", "changes.jsonl.gz", "--output-dir", "inner")
    assert told.out.startswith("inner/changes.jsonl: ")
    assert Path("inner/changes.jsonl").read_bytes() == PACKED


def test_pipeline_decompress_check(folder: Path, mgit: Any) -> None:
    mgit(*COMPRESS, "--method", "gzip")
    check = ("pipeline", "decompress", "--check", "--input-file", "changes.jsonl.gz")
    assert mgit(*check).out == "changes.jsonl.gz: 19,600 bytes whole (gzip), as its .meta says\n"
    assert mgit(*check, "--json").json[0]["output_file"] is None
    assert mgit(*check, "--force").code == 2
    whole = Path("changes.jsonl.gz").read_bytes()
    Path("changes.jsonl.gz").write_bytes(whole[:-1])
    assert mgit(*check, "--no-meta").code == 1


def test_pipeline_decompress_method(folder: Path, mgit: Any) -> None:
    mgit(*COMPRESS, "--method", "zstd", "-o", "changes.gz", "--no-meta")
    plain = mgit("pipeline", "decompress", "--input-file", "changes.gz")
    assert (plain.code, "say --method zstd" in plain.err) == (1, True)
    words = ("pipeline", "decompress", "--input-file", "changes.gz", "-o", "out", "--method", "zstd")
    assert mgit(*words).code == 0
    assert Path("out").read_bytes() == PACKED


@pytest.mark.parametrize(
    ("size", "code"), [("19599", 1), ("19600", 0), ("19K", 1), ("20K", 0), ("1M", 0), ("1G", 0), ("1T", 0), ("0", 0)]
)
def test_pipeline_decompress_max_size(folder: Path, mgit: Any, size: str, code: int) -> None:
    mgit(*COMPRESS, "--method", "gzip")
    told = mgit(*DECOMPRESS, "--max-size", size)
    assert told.code == code
    assert ("--max-size" in told.err) == bool(code)


@pytest.mark.parametrize("size", ["", "-1", "1.5G", "much", "1Q"])
def test_pipeline_decompress_max_size_that_is_none(folder: Path, mgit: Any, size: str) -> None:
    assert mgit(*DECOMPRESS, f"--max-size={size}").code == 2


@pytest.mark.parametrize(
    "words", [("pipeline",), ("pipeline", "shrink"), ("pipeline", "compress"), ("pipeline", "decompress")]
)
def test_pipeline_without_what_it_needs(folder: Path, mgit: Any, words: tuple[str, ...]) -> None:
    told = mgit(*words)
    assert (told.code, told.out, told.err.count("\n")) == (2, "", 2)


def test_pipeline_shows_how_far_it_is_on_a_terminal(folder: Path) -> None:
    Path("changes.jsonl").write_bytes(os.urandom(600_000))
    drawn = on_a_terminal(str(folder), *COMPRESS, "--method", "lzma")
    assert b"compressing [####" in drawn
    assert b"] " in drawn
    assert drawn.rstrip(b"\r\n").endswith(b"(none, no_gain)")
    assert b"[####" not in on_a_terminal(str(folder), *COMPRESS, "--method", "lzma", "-q", "-f")


# pipeline validate; tests/pipeline/test_validate_command.py has the rest


@pytest.mark.parametrize(
    ("flags", "code", "says"),
    [
        (("--collection-name", "work"), 0, "1 repository, 2 commits, 6 files judged at level standard: valid"),
        (("--collection-name", "work", "--validation-level", "basic"), 0, "judged at level basic: valid"),
        (("--collection-name", "work", "--validation-level", "strict"), 1, "error STATUS_CONSISTENCY_ERROR"),
        (("--collection-name=work", "--level=strict", "--json"), 1, '"validation_level":"strict"'),
        (("--validation-level", "strict"), 0, "3 records judged at level strict, 2 against git: valid"),
        ((), 0, "3 records judged at level standard: valid"),
    ],
)
def test_pipeline_validate(work: Recording, mgit: Any, flags: tuple[str, ...], code: int, says: str) -> None:
    one = RepositoryChangeset.from_json({**changeset(), "git_status": "clean"})
    empty = ChangesetCollection("work", one.timestamp, one.timestamp, {})
    ChangesetStorage().save_changeset_collection(empty.with_repository(one))
    for words in (("-C", work.path, "pipeline", "validate", *flags), ("pipeline", "validate", *flags, "-C", work.path)):
        told = mgit(*words)
        assert (told.code, says in told.out) == (code, True)
        assert mgit(*words, "-q").err == ""
        ended = mgit(*words, "-z").raw
        assert (ended.count(b"\n"), ended.count(b"\0")) == (0, told.raw.count(b"\n"))
    assert "pipeline took " in mgit("-v", "-C", work.path, "pipeline", "validate", *flags).err


# monitoring; tests/metrics has the rest

STATS = [("stats",), ("monitoring", "pipeline-stats"), ("pipeline", "stats")]


@pytest.mark.parametrize("words", STATS)
def test_stats_by_each_of_its_names(work: Recording, mgit: Any, words: tuple[str, ...]) -> None:
    assert mgit("-C", work.path, *words).out == "no operation is counted yet\n"
    assert mgit("-C", work.path, "verify").code == 0
    for told in (mgit("-C", work.path, *words), mgit(*words, "-C", work.path)):
        assert (told.code, "verify  " in told.out, "bottleneck" in told.out) == (0, True, False)
    assert "bottleneck  " in mgit("-C", work.path, *words, "--detailed").out
    ended = mgit("-C", work.path, *words, "-z").raw
    assert (ended.count(b"\n"), ended.count(b"\0")) == (0, mgit("-C", work.path, *words).raw.count(b"\n"))
    (told,) = mgit("-C", work.path, *words, "--json").json
    (verify,) = [each for each in told["operations"] if each["name"] == "verify"]
    assert (verify["count"], verify["failed"], verify["success_percent"]) == (1, 0, 100.0)
    assert mgit("-C", work.path, *words, "-q").err == ""
    assert f"{words[0]} took " in mgit("-v", "-C", work.path, *words).err


def test_stats_since(work: Recording, mgit: Any) -> None:
    mgit("-C", work.path, "verify")
    assert "verify  " in mgit("-C", work.path, "stats", "--since", "2.weeks").out
    assert mgit("-C", work.path, "stats", "--since", "now").out == "no operation is counted since then\n"
    told = mgit("-C", work.path, "stats", "--since=nonsense")
    assert (told.code, told.out, "git does not read 'nonsense' as a date" in told.err) == (2, "", True)


def test_stats_says_what_was_lost(work: Recording, mgit: Any) -> None:
    folder = Path(work.location.mgit_dir, "metrics")
    mgit("-C", work.path, "verify")
    with open(folder / "now", "ab") as file:
        file.write(b"\x1ecut")
    (folder / "metrics.sqlite").write_bytes(b"no database" * 100)
    told = mgit("-C", work.path, "stats", "-v")
    assert (told.code, "verify  " in told.out) == (0, True)
    assert "metrics.sqlite was damaged: it is set aside, and counting begins anew" in told.err
    assert "1 line in " in told.err
    assert mgit("-C", work.path, "stats").err == ""
    assert mgit("-C", work.path, "stats", "--json").json[0]["cut_lines"] == 1


def test_stats_out_of_any_repository(tmp_path: Path, mgit: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert mgit("stats").out == "no operation is counted yet\n"
    assert mgit("monitoring", "audit").out == ""
    (tmp_path / "x.txt").write_bytes(b"x" * 500)
    assert mgit("pipeline", "compress", "--input-file", "x.txt").code == 0
    assert "pipeline compress  " in mgit("stats").out
    assert "pipeline compress  " in mgit("monitoring", "audit").out
    monkeypatch.setattr("mgit_hooks.metrics.folded.spooled.waiting", _refuse)
    monkeypatch.setattr("mgit_hooks.metrics.folded.is_file", _refuse)
    told = mgit("stats")
    assert (told.code, told.out, told.err.count("\n"), "Permission denied" in told.err) == (128, "", 2, True)


def _refuse(path: str) -> Any:
    raise PermissionError(13, "Permission denied", path)


def test_stats_history(work: Recording, mgit: Any) -> None:
    mgit("-C", work.path, "verify")
    days, _, *rows = mgit("-C", work.path, "stats", "--history").out.splitlines()
    assert (days.startswith("30 days, "), [row.split()[:2] for row in rows]) == (True, [["verify", "1"]])
    assert "\u2588" in rows[0]
    assert mgit("-C", work.path, "stats", "--history", "--since", "yesterday").out.startswith("2 days, ")
    (told,) = mgit("-C", work.path, "stats", "--history", "--json").json
    assert [(each["name"], each["count"]) for each in told["history"] if each["name"] == "verify"] == [("verify", 1)]
    assert "history" not in mgit("-C", work.path, "stats", "--json").json[0]


def test_stats_prometheus(work: Recording, mgit: Any) -> None:
    mgit("-C", work.path, "verify")
    assert mgit("-C", work.path, "stats", "--prometheus", "--json").code == 2
    text = mgit("-C", work.path, "stats", "--prometheus").out
    assert 'operation="verify",outcome="success",type="command"} 1.0\n' in text
    assert 'mgit_journal_size_bytes{journal="' in text


def test_stats_textfile(work: Recording, mgit: Any) -> None:
    told = mgit("-C", work.path, "stats", "--textfile", "mgit.prom")
    assert (told.code, told.out) == (0, "")
    text = Path(work.path, "mgit.prom").read_text()
    assert text.startswith("# HELP mgit_operations_total ")
    both = mgit("-C", work.path, "stats", "--textfile", "mgit.prom", "--prometheus").out
    assert both == Path(work.path, "mgit.prom").read_text() != text
    assert mgit("-C", work.path, "stats", "--textfile", "no/where.prom").code == 128


@pytest.mark.parametrize("words", [("monitoring",), ("monitoring", "odd"), ("monitoring", "audit", "-n", "x")])
def test_monitoring_without_what_it_needs(work: Recording, mgit: Any, words: tuple[str, ...]) -> None:
    told = mgit("-C", work.path, *words)
    assert (told.code, told.out, told.err.count("\n")) == (2, "", 2)


@pytest.mark.parametrize(("flag", "level"), [("--validation-level", "strict"), ("--level", "basic")])
def test_validate_level(work: Recording, mgit: Any, flag: str, level: str) -> None:
    assert f"at level {level}" in mgit("-C", work.path, "validate", flag, level).out


# diff; tests/test_diff.py has the rest


def test_diff_path(work: Recording, mgit: Any, tmp_path: Path) -> None:
    work.write("folder/x", "1")
    for words in (("diff", os.path.join(work.path, "folder")), ("-C", work.path, "diff", "folder")):
        (told,) = mgit(*words).json
        assert (told["repository_path"], told["git_status"]) == (work.path, "dirty")
    assert mgit("diff", str(tmp_path / "nothing")).code == 128


@pytest.fixture
def forge(tmp_path: Path) -> Path:
    """A folder of repositories: two, one in another, and one elsewhere."""
    for name in ("forge/api", "forge/web", "forge/web/inner", "elsewhere/old"):
        subprocess.run(["git", "init", "-q", tmp_path / name], check=True)
    Repo(tmp_path / "forge/web").git("remote", "add", "origin", "https://example.org/acme/front.git")
    return tmp_path / "forge"


def told_of(told: Any, *words: str) -> str:
    done = told("diff", *words)
    assert done.code == 0
    return " ".join(os.path.basename(each["repository_path"]) for each in done.json)


@pytest.mark.parametrize("flag", ["-r", "--recursive"])
def test_diff_recursive(forge: Path, mgit: Any, flag: str) -> None:
    assert told_of(mgit, str(forge)) == "api web"
    assert told_of(mgit, str(forge), flag) == "api web inner"
    assert told_of(mgit, str(forge / "web")) == "web"
    assert told_of(mgit, str(forge / "web"), flag) == "web inner"


def test_diff_discover_pattern(forge: Path, mgit: Any) -> None:
    assert told_of(mgit, str(forge), "--discover-pattern", "a*") == "api"
    assert told_of(mgit, str(forge), "--discover-pattern", "*/acme/front.git") == "web"
    assert told_of(mgit, str(forge), "-r", "--discover-pattern", "web/*", "--discover-pattern", "api") == "api inner"
    none = mgit("diff", str(forge), "--discover-pattern", "x*")
    assert (none.code, "fits x*" in none.err) == (128, True)


def test_diff_merge_discovered(forge: Path, mgit: Any) -> None:
    mgit("diff", str(forge.parent / "elsewhere"), "-s", "-n", "all")
    assert told_of(mgit, str(forge), "--merge-discovered", "-n", "all") == "old api web"
    assert told_of(mgit, str(forge), "--merge-discovered") == "api web"
    assert told_of(mgit, str(forge), "-n", "all") == "api web"


@pytest.mark.parametrize("flag", ["-o", "--output"])
def test_diff_output(work: Recording, mgit: Any, tmp_path: Path, flag: str) -> None:
    target = tmp_path / "lines"
    target.write_text("what was there before, and is longer than nothing\n")
    told = mgit("-C", work.path, "diff", flag, str(target))
    assert (told.code, told.out) == (0, "")
    (line,) = target.read_text().splitlines()
    assert json.loads(line)["repository_path"] == work.path
    assert mgit("-C", work.path, "diff", flag, "-").json
    assert mgit("-C", work.path, "diff", flag, str(tmp_path)).code == 2


@pytest.mark.parametrize("save", ["-s", "--save-changeset"])
@pytest.mark.parametrize("name", ["-n", "--changeset-name"])
def test_diff_save_changeset_and_its_name(work: Recording, mgit: Any, save: str, name: str) -> None:
    told = mgit("-C", work.path, "diff", save).json
    assert mgit("-C", work.path, "diff", save, name, "other").code == 0
    assert ChangesetStorage().names() == ["default", "other"]
    (kept,) = ChangesetStorage().load_changeset_collection("default").repositories.values()
    assert [kept.to_json()] == told


@pytest.mark.parametrize("flag", ["-i", "--incremental"])
def test_diff_incremental(work: Recording, mgit: Any, flag: str) -> None:
    first = mgit("-C", work.path, "diff", flag, "-s")
    assert (len(first.json), "there is no collection 'default' yet" in first.err) == (1, True)
    assert mgit("-C", work.path, "diff", flag).out == ""
    assert len(mgit("-C", work.path, "diff", flag, "-n", "other").json) == 1
    work.write("new", "1")
    (told,) = mgit("-C", work.path, "diff", flag).json
    assert [each["filename"] for each in told["uncommitted_files"]] == ["new"]


def test_diff_enable_compression(work: Recording, mgit: Any, tmp_path: Path) -> None:
    from mgit_hooks import codecs

    plain = mgit("-C", work.path, "diff", "-s", "-o", str(tmp_path / "lines"))
    assert (plain.err, (tmp_path / "lines").read_bytes()[:1]) == ("", b"{")
    told = mgit("-C", work.path, "diff", "-s", "-o", str(tmp_path / "lines"), "--enable-compression")
    assert told.err.count(" % saved\n") == 2
    packed = (tmp_path / "lines.zst").read_bytes()
    assert json.loads(codecs.unpack(packed, "zstd"))["repository_path"] == work.path
    weighed = mgit("-C", work.path, "diff", "--enable-compression")
    assert (len(weighed.json), " % saved, were it stored" in weighed.err) == (1, True)
    mgit("-C", work.path, "diff", "-o", str(tmp_path / "x.gz"), "--enable-compression")
    assert json.loads(codecs.unpack((tmp_path / "x.gz").read_bytes(), "gzip"))["repository_path"] == work.path


@pytest.mark.parametrize("level", ["basic", "standard", "strict"])
def test_diff_validation_level(work: Recording, mgit: Any, level: str) -> None:
    (told,) = mgit("-C", work.path, "diff", "--validation-level", level).json
    assert (told["validation"]["validation_level"], told["validation"]["is_valid"]) == (level, True)
    assert "validation" not in mgit("-C", work.path, "diff").json[0]
    assert mgit("-C", work.path, "diff", "--validation-level", "lax").code == 2


def test_diff_embed_content(work: Recording, mgit: Any) -> None:
    work.write("new", "its content\n")
    work.write(".env", "TOKEN=hunter2\n")
    (plain,) = mgit("-C", work.path, "diff").json
    assert [each["embedded_content"] for each in plain["uncommitted_files"]] == [None, None]
    told = mgit("-C", work.path, "diff", "--embed-content")
    secret, new = (each["embedded_content"] for each in told.json[0]["uncommitted_files"])
    assert (new["strategy"], new["content"], secret["strategy"]) == ("full", "its content\n", "none")
    assert told.json[0]["content_embedding_stats"]["strategy"] == "sample"
    assert "hunter2" not in told.out


@pytest.mark.parametrize(
    ("strategy", "held"), [("none", None), ("summary", "20000 bytes"), ("sample", "left out"), ("full", "x" * 20_000)]
)
def test_diff_content_strategy(work: Recording, mgit: Any, strategy: str, held: str | None) -> None:
    work.write("new", "x" * 20_000)
    (told,) = mgit("-C", work.path, "diff", "--embed-content", "--content-strategy", strategy).json
    (new,) = (each["embedded_content"] for each in told["uncommitted_files"])
    assert new["strategy"] == strategy
    assert new["content"] is None if held is None else held in new["content"]
    assert mgit("-C", work.path, "diff", "--content-strategy", strategy).code == 2
    assert mgit("-C", work.path, "diff", "--embed-content", "--content-strategy", "all").code == 2


def test_diff_content_memory_mb(work: Recording, mgit: Any) -> None:
    words = ("-C", work.path, "diff", "--embed-content")
    for given, budget in (((), 100), (("--content-memory-mb", "10"), 10), (("--content-memory-mb", "1000"), 1000)):
        (told,) = mgit(*words, *given).json
        assert told["content_embedding_stats"]["budget_bytes"] == budget * 1024 * 1024
    for wrong in ("9", "1001", "-1", "ten"):
        assert mgit(*words, f"--content-memory-mb={wrong}").code == 2
    assert mgit("-C", work.path, "diff", "--content-memory-mb", "10").code == 2


@pytest.mark.parametrize(
    ("strategy", "code", "timestamp", "action", "kept"),
    [
        ("ignore", 1, "yesterday", "ignore_error", True),
        ("repair", 0, None, "field_repair", True),
        ("fallback", 1, None, "fallback_changeset_created", True),
        ("checkpoint", 0, None, "checkpoint_created", True),
        ("abort", 1, None, None, False),
    ],
)
def test_diff_recovery_strategy(
    work: Recording, mgit: Any, monkeypatch: pytest.MonkeyPatch, strategy: str, code: int, timestamp: str | None,
    action: str | None, kept: bool,
) -> None:  # fmt: skip
    monkeypatch.setattr("mgit_hooks.changesets.working.dates", SimpleNamespace(now=lambda: "yesterday"))
    told = mgit("-C", work.path, "diff", "-s", "--recovery-strategy", strategy)
    assert told.code == code
    assert bool(ChangesetStorage().names()) is kept
    if action is None:
        assert (told.out, "INVALID_DATE" in told.err, told.err.count("\n")) == ("", True, 2)
        return
    (line,) = told.json
    assert action in [each["action_type"] for each in line["recovery"]["actions_taken"]]
    assert line["validation"]["is_valid"] is (strategy != "ignore")
    assert (line["timestamp"] == "yesterday") is (timestamp == "yesterday")


@pytest.mark.parametrize("flag", ["-c", "--concurrency"])
def test_diff_concurrency(forge: Path, mgit: Any, flag: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mgit_hooks.changesets.sweeping._QUICKLY", 0.0)
    plans = []

    def planned(paths: Any, function: Any, plan: Any) -> Any:
        plans.append(plan)
        return bulk.run(paths, function, plan)

    monkeypatch.setattr("mgit_hooks.changesets.sweeping.running", planned)
    usual = min(3, sweeping._processors() + 1)
    for given, workers in (((), usual), ((flag, "2"), 2), ((flag, "50"), 3)):
        assert told_of(mgit, "-r", str(forge), *given) == "api web inner"
        assert plans.pop().workers == workers
    assert len(mgit("diff", "-r", str(forge), flag, "1").json) == 3
    assert plans == []
    for wrong in ("0", "51", "many"):
        assert mgit("diff", flag, wrong, str(forge)).code == 2


# pipeline recover and pipeline checkpoint


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ChangesetStorage:
    """A collection of two saves, of a repository that is nowhere, in a data folder of its own."""
    monkeypatch.setenv("MGIT_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    storage = ChangesetStorage()
    for number in range(2):
        one = RepositoryChangeset.from_json({**changeset(), "metadata": {"n": number}})
        saved = ChangesetCollection("work", one.timestamp, one.timestamp, {}, {"n": number})
        storage.save_changeset_collection(saved.with_repository(one))
    return storage


def spoil(storage: ChangesetStorage, generation: str = "mgitc") -> bytes:
    path = Path(storage.path("work", generation))
    before = path.read_bytes()
    path.write_bytes(b"damaged")
    return before


RECOVER = ("pipeline", "recover", "--collection-name", "work")
KEEP = ("pipeline", "checkpoint", "--collection-name", "work")


@pytest.mark.parametrize("words", [RECOVER, KEEP], ids=["recover", "checkpoint"])
def test_pipeline_recovery_takes_the_common_options(kept: ChangesetStorage, mgit: Any, words: tuple[str, ...]) -> None:
    plain = mgit(*words)
    assert (plain.code, plain.err) == (0, "")
    for told in (mgit(*words, "--json"), mgit("--json", *words)):
        (value,) = told.json
        assert value["collection"] == "work"
    ended = mgit(*words, "-z").raw
    assert (ended.count(b"\n"), ended.count(b"\0")) == (0, plain.raw.count(b"\n"))
    assert (mgit(*words, "-q").err, mgit("-q", *words).err) == ("", "")
    assert "pipeline took " in mgit(*words, "--verbose").err
    assert mgit(*words, "--color", "always", "--no-pager").out == plain.out
    unnamed = mgit(*words[:2])
    assert (unnamed.code, "which collection?" in unnamed.err) == (2, True)
    unknown = mgit(*words[:3], "wrok")
    assert (unknown.code, "did you mean 'work'?" in unknown.err) == (2, True)


def test_pipeline_recover_finds_nothing_to_do(kept: ChangesetStorage, mgit: Any) -> None:
    told = mgit(*RECOVER)
    assert told.out.splitlines()[0].startswith("ok file_intact: ")
    assert told.out.splitlines()[-1] == "work: nothing to recover"


@pytest.mark.parametrize(
    ("strategy", "code", "says"),
    [
        ("repair", 0, "work: recovered"),
        ("checkpoint", 0, "ok checkpoint_created: "),
        ("fallback", 0, "work: recovered"),
        ("abort", 1, "-- operation_failed: refused by strategy abort: nothing was changed"),
        ("ignore", 1, "ok ignore_error: left as it is"),
    ],
)
def test_pipeline_recover_strategy(kept: ChangesetStorage, mgit: Any, strategy: str, code: int, says: str) -> None:
    spoil(kept)
    told = mgit(*RECOVER, "--strategy", strategy)
    assert (told.code, says in told.out) == (code, True)
    whole = Path(kept.path("work")).read_bytes() != b"damaged"
    assert whole is (code == 0)
    if whole:
        assert kept.load_changeset_collection("work").metadata == {"n": 0}
    if strategy == "repair":
        assert mgit(*RECOVER).out == mgit(*RECOVER, "--strategy", "repair").out


@pytest.mark.parametrize(("level", "code"), [("basic", 0), ("standard", 0), ("strict", 1)])
def test_pipeline_recover_validation_level(kept: ChangesetStorage, mgit: Any, level: str, code: int) -> None:
    """A clean status with uncommitted files is found at level strict alone."""
    value = kept.load_json("work")
    (one,) = value["repositories"].values()
    one["git_status"] = "clean"
    kept.save_changeset_collection(ChangesetCollection.from_json(value))
    assert mgit(*RECOVER, "--validation-level", level, "--dry-run").code == code
    assert mgit(*RECOVER, "--validation-level", level).code == 0
    (one,) = kept.load_changeset_collection("work").repositories.values()
    assert one.git_status == ("dirty" if code else "clean")


def test_pipeline_recover_from(kept: ChangesetStorage, mgit: Any, repo: Repo) -> None:
    told = mgit(*RECOVER, "--from", "backup")
    assert (told.code, kept.load_changeset_collection("work").metadata) == (0, {"n": 0})
    assert mgit(*RECOVER, "--from", "checkpoint").code == 1
    assert kept.load_changeset_collection("work").metadata == {"n": 0}
    repo.commit("one", {"a": "a"})
    told = mgit(*RECOVER, "--from", "git", "--repository", repo.path)
    assert told.code == 0
    assert {each.repository_path for each in kept.load_changeset_collection("work").repositories.values()} == {
        "/src/repo",
        repo.path,
    }


def test_pipeline_recover_repository(kept: ChangesetStorage, mgit: Any, repo: Repo) -> None:
    repo.commit("one", {"a": "a"})
    for generation in ("mgitc", "backup"):
        spoil(kept, generation)
    assert mgit(*RECOVER).code == 1
    assert mgit("-C", repo.path, *RECOVER, "--repository", ".").code == 0
    (one,) = kept.load_changeset_collection("work").repositories.values()
    assert (one.repository_path, len(one.recent_commits or ())) == (repo.path, 1)


def test_pipeline_recover_max_attempts(kept: ChangesetStorage, mgit: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(self: ChangesetStorage, *_: Any) -> None:
        raise ChangesetBusyError("the collection 'work' is in use by another process", "wait for it to end")

    monkeypatch.setattr(ChangesetStorage, "replace_json", busy)
    spoil(kept)
    for flags, times in (((), 3), (("--max-attempts", "1"), 1), (("--max-attempts=5",), 5)):
        told = mgit(*RECOVER, *flags)
        assert (told.code, told.out.count("is in use by another process")) == (1, times)
    for wrong in ("0", "101", "x"):
        assert mgit(*RECOVER, "--max-attempts", wrong).code == 2


def test_pipeline_recover_dry_run(kept: ChangesetStorage, mgit: Any) -> None:
    assert mgit(*RECOVER, "--dry-run").code == 0
    spoil(kept)
    told = mgit(*RECOVER, "--dry-run")
    assert (told.code, told.out.splitlines()[-1]) == (1, "work: would be recovered")
    (value,) = mgit(*RECOVER, "--dry-run", "--json").json
    assert (value["recovery_successful"], value["written"], value["dry_run"]) == (True, False, True)
    assert Path(kept.path("work")).read_bytes() == b"damaged"
    (value,) = mgit(*RECOVER, "--json").json
    assert (value["recovery_successful"], value["written"], value["dry_run"]) == (True, True, False)


def test_pipeline_recover_statistics(kept: ChangesetStorage, mgit: Any) -> None:
    flags = ("pipeline", "recover", "--statistics")
    assert mgit(*flags).out.splitlines()[0] == "attempts: 0"
    mgit(*RECOVER)
    spoil(kept)
    mgit(*RECOVER, "--strategy", "abort")
    (value,) = mgit(*flags, "--json").json
    assert (value["attempts"], value["failures"], value["success_rate_percent"]) == (2, 1, 50.0)


def test_pipeline_checkpoint_is_what_recover_brings_back(kept: ChangesetStorage, mgit: Any) -> None:
    told = mgit(*KEEP, "--dry-run")
    assert (told.code, told.out) == (0, f"{kept.path('work', 'checkpoint')}: 1 repository would be kept\n")
    assert not Path(kept.path("work", "checkpoint")).exists()
    told = mgit(*KEEP)
    assert (told.code, told.out) == (0, f"{kept.path('work', 'checkpoint')}: 1 repository kept\n")
    for generation in ("mgitc", "backup"):
        spoil(kept, generation)
    damaged = mgit(*KEEP)
    assert (damaged.code, "is damaged" in damaged.err) == (1, True)
    assert mgit(*RECOVER).code == 0
    assert kept.load_changeset_collection("work").metadata == {"n": 1}


def test_diff_batch_size(forge: Path, mgit: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mgit_hooks.changesets.sweeping._QUICKLY", 0.0)
    plans = []

    def planned(paths: Any, function: Any, plan: Any) -> Any:
        plans.append(plan)
        return bulk.run(paths, function, plan)

    monkeypatch.setattr("mgit_hooks.changesets.sweeping.running", planned)
    for given, batch in (((), 1), (("--batch-size", "2"), 2), (("--batch-size", "200"), 200)):
        assert told_of(mgit, "-r", str(forge), *given) == "api web inner"
        assert plans.pop().batch == batch
    assert mgit("diff", "--batch-size", "0", str(forge)).code == 2


def header(path: str) -> container.Header:
    return container.check(Path(path).read_bytes())[0]


@pytest.mark.parametrize("strategy", ["balanced", "performance", "efficiency", "throughput", "latency"])
def test_diff_optimization_strategy(forge: Path, mgit: Any, monkeypatch: pytest.MonkeyPatch, strategy: str) -> None:
    plans = []

    def planned(paths: Any, function: Any, plan: Any) -> Any:
        plans.append(plan)
        return bulk.run(paths, function, plan)

    monkeypatch.setattr("mgit_hooks.changesets.sweeping.running", planned)
    words = ("diff", "-r", str(forge), "--optimization-strategy", strategy)
    told = mgit(*words, "-v", "-c", "1", "--batch-size", "7")
    assert len(told.json) == 3
    assert f"strategy {strategy}" in told.err
    assert "workers 1: " in told.err
    asked = plans.pop()
    assert (asked.workers, asked.batch) == (1, 7)
    plain = mgit(*words, "-s")
    assert (len(plain.json), plain.err) == (3, "")
    usual = optimization.plan(strategy, optimization.Workload(3), optimization.resource_limits())
    stored = header(ChangesetStorage().path("default"))
    assert stored.codec == usual.codec
    assert [(each.workers, each.batch, each.timeout) for each in plans] == [(usual.workers, usual.batch, usual.timeout)]
    assert mgit("diff", str(forge), "--optimization-strategy", "fastest").code == 2
    one = mgit("diff", f"{forge}/web", "--optimization-strategy", strategy, "-v")
    assert (len(one.json), f"strategy {strategy}: one repository is read by this process" in one.err) == (1, True)
