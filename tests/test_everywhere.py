"""``install --global``: config-based hooks, under a stand-in for git's dispatcher and, where one is named, a git."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import newergit
import pytest
from conftest import Repo
from gated import RULES
from kills import killed_at
from recording import Recording

from mgit_hooks.installer import confighooks, everywhere, stubs
from mgit_hooks.installer.install import boot_path, install
from mgit_hooks.layout import locate

GITS = ["stand-in", *(["real"] if newergit.REAL else [])]


@pytest.fixture(params=GITS)
def newer(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A git with config-based hooks first on PATH."""
    if request.param == "real":
        folder = os.path.dirname(os.path.realpath(newergit.REAL or ""))
    else:
        folder = str(newergit.stand_in(tmp_path / "stand-in"))
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return str(request.param)


@pytest.fixture
def user() -> Path:
    """The user's configuration, with what others have put there."""
    path = Path(os.environ["GIT_CONFIG_GLOBAL"])
    with path.open("a") as file:
        file.write('# mine\n[hook "linter"]\n\tevent = pre-commit\n\tcommand = "echo linted >>linted #"\n')
    return path


class Kept(Recording):
    """A repository that keeps records. ``with_stubs``: its hooks folder has our stubs, beside the global ones."""

    def __init__(self, repo: Repo, *, with_stubs: bool = False, python: str = "/bin/true", boot: str = "") -> None:
        self.with_stubs = with_stubs
        self.starts = (python, boot or boot_path())
        super().__init__(repo)

    def install(self, path: str) -> None:
        everywhere.install(python=self.starts[0], boot=self.starts[1])
        if self.with_stubs:
            install(locate(path), python=self.starts[0], boot=self.starts[1])
        self.asks(path)

    def asks(self, path: str) -> None:
        mgit = Path(path, ".git", "mgit")
        (mgit / "spool").mkdir(parents=True, mode=0o700, exist_ok=True)
        (mgit / "draining").write_text(str(os.getpid()))  # the stubs start no drain

    def drain(self) -> int:
        done = super().drain()
        self.asks(self.path)
        return done

    def lines(self, hook: str) -> int:
        now = Path(self.path, ".git/mgit/spool/now")
        return sum(line.split("\t")[1] == hook for line in now.read_text().splitlines()) if now.exists() else 0


def a_days_work(work: Kept, bare: Repo) -> None:
    """One of each event, a git process each."""
    work.commit("one")
    work.commit("two", "--amend", "--no-edit", "--allow-empty")
    work.git("checkout", "-q", "-b", "side")
    work.commit("three")
    work.git("checkout", "-q", "main")
    work.commit("four")
    work.git("merge", "-q", "--no-edit", "side")
    work.git("push", "-q", bare.path, "main")
    work.git("push", "-q", bare.path, "side")


OF_THE_DAY = {
    "commit": 3, "amend": 1, "merge": 1, "checkout": 2, "push": 2,
}  # fmt: skip


def events(work: Kept) -> dict[str, int]:
    found = [record.event for record in work.records()]
    return {event: found.count(event) for event in OF_THE_DAY}


# Installing


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.mark.parametrize("form", [(), ("--json",)])
def test_a_git_without_config_based_hooks_is_refused(mgit: Any, user: Path, form: tuple[str, ...]) -> None:
    if confighooks.supported():
        pytest.skip("the git on PATH has config-based hooks")
    home = Path(os.environ["HOME"])
    before = tree(home)
    told = mgit("install", "--global", *form)
    assert (told.code, told.out) == (2, "")
    what, remedy = told.err.splitlines()
    assert "has no config-based hooks" in what
    assert remedy.startswith("hint: use git 2.54 or newer, or run 'mgit-hooks install' in each repository")
    assert tree(home) == before
    assert mgit("uninstall", "--global").code == 0
    assert tree(home) == before


def test_in_and_out_again(newer: str, user: Path, mgit: Any, tmp_path: Path) -> None:
    before = user.read_bytes()
    told = mgit("-C", str(tmp_path), "install", "--global")  # no repository is needed
    assert told.code == 0
    assert told.out.splitlines() == [f"written   {hook}" for hook in stubs.HOOKS]
    assert user.read_bytes().startswith(before)
    home = Path(os.environ["HOME"])
    installed = tree(home)
    again = mgit("install", "--global", "--json")
    assert {each["action"] for each in again.json[0]["hooks"]} == {"unchanged"}
    assert tree(home) == installed
    asked = ("git", "config", "--global", "--includes", "--get-all", "hook.mgit-hooks-post-commit.event")
    assert subprocess.run(asked, capture_output=True, text=True).stdout == "post-commit\n"
    out = mgit("uninstall", "--global")
    assert out.out.splitlines() == [f"removed   {hook}" for hook in stubs.HOOKS]
    assert user.read_bytes() == before
    assert not (home / ".local/share/mgit-hooks").exists()
    assert mgit("uninstall", "--global", "--json").json[0]["hooks"] == []


def test_it_is_where_the_user_keeps_data(
    newer: str, mgit: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert mgit("install", "--global").code == 0
    assert (tmp_path / "data/mgit-hooks/hooks/post-commit").exists()
    monkeypatch.setenv("XDG_DATA_HOME", "not/absolute")  # is to be ignored (XDG Base Directory Specification)
    assert everywhere.folder() == os.path.join(os.environ["HOME"], ".local/share/mgit-hooks")


@pytest.mark.parametrize(
    "options", [("--shared",), ("--in-front",), ("--server",), ("--with", "reference-transaction")]
)
def test_what_is_for_one_repository_alone(newer: str, mgit: Any, options: tuple[str, ...]) -> None:
    refused = mgit("install", "--global", *options)
    assert (refused.code, "--global goes with none of" in refused.err) == (2, True)
    assert everywhere.look() is None


def test_an_entry_of_our_name_that_is_not_ours(newer: str, user: Path, mgit: Any) -> None:
    with user.open("a") as file:
        file.write('[hook "mgit-hooks-pre-push"]\n\tevent = pre-push\n\tcommand = true\n')
    before = tree(Path(os.environ["HOME"]))
    refused = mgit("install", "--global")
    assert (refused.code, f"hook.mgit-hooks-pre-push.event is set in {user}" in refused.err) == (2, True)
    assert tree(Path(os.environ["HOME"])) == before


def test_a_configuration_that_git_cannot_write(newer: str, user: Path, mgit: Any) -> None:
    Path(f"{user}.lock").touch()  # as another git that is at it
    before = user.read_bytes()
    refused = mgit("install", "--global")
    assert refused.code == 128
    assert "git cannot change your configuration" in refused.err
    assert user.read_bytes() == before
    Path(f"{user}.lock").unlink()
    assert mgit("install", "--global").code == 0


@pytest.mark.parametrize("name", [" a b", "it's", 'q"q', "b\\s", "$HOME`id`;&", "n\nl", "t\tb", b"\xff".decode("utf-8", "surrogateescape"), "-x", "#", "%(prefix)", "ü", "é"])  # fmt: skip  # noqa: E501
def test_a_home_of_any_name(newer: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """What is configured is run as it stands, wherever it is: the stub says what it was called with."""
    home = tmp_path / name
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    everywhere.install(python="/bin/true")
    stub = Path(everywhere.hooks_folder(), "post-checkout")
    stub.write_text('#!/bin/sh\nprintf "%s\\n" "$@" >ran\n')
    asked = ["git", "config", "--global", "--includes", "--get", "hook.mgit-hooks-post-checkout.command"]
    command = subprocess.run(asked, capture_output=True, check=True).stdout[:-1]
    repository = tmp_path / "r"
    (repository / ".git/mgit").mkdir(parents=True)
    # As git runs it, with arguments (run-command.c, prepare_shell_cmd)
    line = [b"/bin/sh", b"-c", command + b' "$@"', command, b"one two", b"three"]
    assert subprocess.run(line, cwd=repository).returncode == 0
    assert (repository / "ran").read_text() == "one two\nthree\n"
    everywhere.uninstall()
    assert everywhere.look() is None


def is_sound(user: Path, before: bytes) -> None:
    """git reads the user's configuration, which is as it was or has our line more, and no entry is without command."""
    assert user.read_bytes() in (before, before + f"[include]\n\tpath = {everywhere.configuration()}\n".encode())
    found = confighooks.settings(None, "--global")
    names = [{each.name for each in found if each.key == key and each.ours} for key in ("event", "command")]
    assert names[0] == names[1]
    assert len(names[0]) in (0, len(stubs.HOOKS))
    assert not names[0] or all(os.access(Path(everywhere.hooks_folder(), hook), os.X_OK) for hook in stubs.HOOKS)


@pytest.mark.parametrize("first", [everywhere.install, everywhere.uninstall], ids=["install", "uninstall"])
def test_a_run_that_is_killed_leaves_all_or_nothing(newer: str, user: Path, first: Callable[[], object]) -> None:
    before = user.read_bytes()
    step, kills = 1, 0
    while True:
        (everywhere.uninstall if first is everywhere.install else everywhere.install)()
        if not killed_at(step, first):
            break
        kills += 1
        is_sound(user, before)
        step += 4
    assert kills >= 3
    everywhere.install()
    state = everywhere.look()
    assert state is not None
    assert state.whole
    everywhere.uninstall()
    assert user.read_bytes() == before
    assert everywhere.look() is None


def test_an_event_without_a_command_is_noticed(newer: str, user: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted: what a file written line by line would be for a moment, and what git refuses every commit for."""
    before, real = user.read_bytes(), confighooks.text
    monkeypatch.setattr(confighooks, "text", lambda folder: real(folder).rpartition(b"\tcommand")[0])
    everywhere.install()
    with pytest.raises(AssertionError):
        is_sound(user, before)


# Running


@pytest.mark.parametrize("with_stubs", [False, True], ids=["global", "both"])
def test_each_event_is_on_record_once(newer: str, user: Path, repo: Repo, bare: Repo, with_stubs: bool) -> None:
    work = Kept(repo, with_stubs=with_stubs)
    a_days_work(work, bare)
    assert work.lines("pre-push") == 2
    assert events(work) == OF_THE_DAY
    assert [record.gate.status for record in work.records("commit", "merge", "amend")] == ["none"] * 5
    assert {record.source for record in work.records("commit", "merge", "amend", "push")} == {"hook"}
    assert Path(repo.path, "linted").read_text() == "linted\n" * 4  # the other user of such hooks is as it was
    work.check()


def test_a_git_that_knows_no_such_hooks_runs_the_stubs(
    newer: str, repo: Repo, bare: Repo, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = Kept(repo, with_stubs=True)
    with monkeypatch.context() as older:
        older.setenv("PATH", os.environ["PATH"].partition(os.pathsep)[2])
        work.commit("one")
        work.git("push", "-q", bare.path, "main")
    assert {record.source for record in work.records("commit", "push")} == {"hook"}
    work.commit("two")
    work.git("push", "-q", bare.path, "main")
    assert [record.event for record in work.records("commit", "push")] == ["commit", "push", "commit", "push"]


def test_without_yielding_an_event_would_be_there_twice(
    newer: str, repo: Repo, bare: Repo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Planted: a stub that records whatever ran before it."""
    real = stubs._read

    def planted(part: str) -> bytes:
        return b"ours() { :; }\n" if part == "yield" else real(part)

    monkeypatch.setattr(stubs, "_read", planted)
    work = Kept(repo, with_stubs=True)
    work.commit("one")
    work.git("push", "-q", bare.path, "main")
    assert (work.lines("pre-push"), len(work.records("push"))) == (2, 2)


def test_switched_off_here_the_stub_records(newer: str, repo: Repo) -> None:
    work = Kept(repo, with_stubs=True)
    repo.git("config", "hook.mgit-hooks-post-commit.enabled", "false")
    work.commit("one")
    assert [record.source for record in work.records("commit")] == ["hook"]
    assert not [mark for mark in Path(repo.path, ".git/mgit/told").iterdir() if mark.name.startswith("post-commit")]


@pytest.mark.parametrize("with_stubs", [False, True], ids=["global", "both"])
def test_a_gate_refuses_once(newer: str, repo: Repo, with_stubs: bool) -> None:
    work = Kept(repo, with_stubs=with_stubs, python=sys.executable)
    rules = Path(repo.path, ".git", "rules.toml")
    rules.write_text(RULES)
    repo.git("config", "mgit.rules", str(rules))
    told = work.fails("commit", "-q", "--allow-empty", "-m", "much too long for the rule")
    assert told.count("Keep it short.") == 1
    assert len(work.records("refused")) == 1
    work.git("commit", "-q", "--allow-empty", "-m", "short")
    assert [record.gate.status for record in work.records("commit")] == ["passed"]
    work.git("commit", "-q", "-n", "--allow-empty", "-m", "much too long for the rule")
    assert [record.gate.status for record in work.records("commit")] == ["passed", "bypassed"]


def test_what_a_hook_in_the_hooks_folder_makes_of_a_message_is_judged_too(newer: str, repo: Repo) -> None:
    work = Kept(repo, python=sys.executable)
    hook = Path(repo.path, ".git/hooks/commit-msg")
    hook.write_text("#!/bin/sh\necho 'and much more than the rule allows' >>\"$1\"\n")
    hook.chmod(0o755)
    rules = Path(repo.path, ".git", "rules.toml")
    rules.write_text(RULES)
    repo.git("config", "mgit.rules", str(rules))
    work.git("commit", "-q", "--allow-empty", "-m", "short")  # ours came before it: the limit that docs/hooks.md names
    install(locate(repo.path))
    work.asks(repo.path)
    assert "Keep it short." in work.fails("commit", "-q", "--allow-empty", "-m", "short")
    assert len(work.records("refused")) == 1


def test_a_repository_that_has_not_asked(newer: str, repo: Repo, bare: Repo) -> None:
    work = Kept(repo)  # one that has, to see that the stub below would be run
    other = Repo(Path(repo.path).parent / "other")
    subprocess.run(["git", "init", "-q", other.path], check=True)
    ran = Path(repo.path).parent / "ran"
    for hook in stubs.HOOKS:
        Path(everywhere.hooks_folder(), hook).write_text(f"#!/bin/sh\necho {hook} >>'{ran}'\n")
    for each in (other, work.repo):
        each.commit("one")
        each.git("checkout", "-q", "-b", "side")
        each.git("push", "-q", bare.path, "side", "--force")
        assert ran.exists() is (each is work.repo)
    assert not Path(other.path, ".git/mgit").exists()


@pytest.mark.parametrize("gone", ["hooks", "."])
def test_what_is_gone_stops_nobody(newer: str, repo: Repo, gone: str) -> None:
    import shutil

    work = Kept(repo)
    shutil.rmtree(Path(everywhere.folder(), gone))
    work.commit("one")
    assert [record.gate.status for record in work.records("commit")] == ["unobserved"]


def test_what_cannot_be_marked_stops_nobody(newer: str, repo: Repo) -> None:
    """As on a full disk. Then the stub records as well, and a commit is on record once all the same."""
    work = Kept(repo, with_stubs=True, python=sys.executable)
    rules = Path(repo.path, ".git", "rules.toml")
    rules.write_text(RULES)
    repo.git("config", "mgit.rules", str(rules))
    Path(repo.path, ".git/mgit/told").touch()  # no folder can be made of it
    work.git("commit", "-q", "--allow-empty", "-m", "short")
    assert work.lines("post-commit") == 2
    assert [record.gate.status for record in work.records("commit")] == ["passed"]


def test_an_entry_with_our_name_before_its_own_is_another_users(newer: str, user: Path, repo: Repo, mgit: Any) -> None:
    """It runs on, beside ours and after it, and no command of ours touches it."""
    entry = '[hook "mgit-hooks-post-commit-notify"]\n\tevent = post-commit\n\tcommand = echo told >>told #\n'
    with user.open("a") as file:
        file.write(entry)
    work = Kept(repo)
    work.commit("one")
    assert Path(repo.path, "told").read_text() == "told\n"
    assert mgit("-C", repo.path, "status", "--json").json[0]["config_hooks"] == [
        "linter",
        "mgit-hooks-post-commit-notify",
    ]
    assert mgit("uninstall", "--global").code == 0
    assert entry in user.read_text()
    work.git("commit", "-q", "--allow-empty", "-m", "two")
    assert Path(repo.path, "told").read_text() == "told\ntold\n"


def test_marks_of_processes_that_have_ended_go(newer: str, repo: Repo) -> None:
    work = Kept(repo)
    work.commit("one")
    told = Path(repo.path, ".git/mgit/told")
    assert {mark.name.partition(".")[0] for mark in told.iterdir()} == {"pre-commit", "commit-msg", "post-commit"}
    mine = told / f"post-commit.{os.getpid()}"
    mine.touch()
    (told / "somebody's").touch()
    work.drain()
    assert sorted(mark.name for mark in told.iterdir()) == [mine.name, "somebody's"]


# What only a real git does


@pytest.fixture
def real(monkeypatch: pytest.MonkeyPatch) -> None:
    if newergit.REAL is None:
        pytest.skip("MGIT_NEWER_GIT names no git with config-based hooks")
    folder = os.path.dirname(os.path.realpath(newergit.REAL))
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


@pytest.mark.parametrize("with_stubs", [False, True], ids=["global", "both"])
def test_a_hook_that_runs_several_times_in_one_process(real: None, repo: Repo, with_stubs: bool) -> None:
    work = Kept(repo, with_stubs=with_stubs)
    work.commit("base")
    work.git("checkout", "-q", "-b", "side")
    picked = [work.commit(name) for name in ("one", "two", "three")]
    work.git("checkout", "-q", "-b", "other", "main")
    work.git("cherry-pick", "-x", *picked)  # within one second they would be the same commits again without
    assert work.lines("post-commit") == 7
    work.git("checkout", "-q", "main")
    work.commit("four")
    work.git("rebase", "-q", "main", "side")
    assert len(work.records("cherry-pick")) == len(work.records("rebase")) == 3
    work.check()


def test_without_the_hooks_folder_they_still_run(real: None, repo: Repo) -> None:
    work = Kept(repo, with_stubs=True)
    work.git("-c", f"core.hooksPath={os.devnull}", "commit", "-q", "--allow-empty", "-m", "one")
    assert [(record.source, record.gate.status) for record in work.records("commit")] == [("hook", "none")]


@pytest.mark.parametrize("with_stubs", [False, True], ids=["global", "both"])
def test_a_hook_that_runs_the_hooks_of_another_folder(real: None, repo: Repo, tmp_path: Path, with_stubs: bool) -> None:
    """Those that are configured run twice then, in one git process and in one below it."""
    work = Kept(repo, with_stubs=with_stubs)
    hook = tmp_path / "others" / "post-commit"
    hook.parent.mkdir()
    hook.write_text("#!/bin/sh\nexec git -c core.hooksPath=.git/hooks hook run --ignore-missing post-commit\n")
    hook.chmod(0o755)
    repo.git("config", "hook.other.event", "post-commit")
    repo.git("config", "hook.other.command", "echo >>ran #")
    work.git("-c", f"core.hooksPath={hook.parent}", "commit", "-q", "--allow-empty", "-m", "one")
    assert Path(repo.path, "ran").read_text() == "\n\n"
    assert work.lines("post-commit") == 1


# Saying so


def test_status_and_doctor_of_a_sound_one(newer: str, user: Path, repo: Repo, mgit: Any) -> None:
    assert mgit("-C", repo.path, "status", "--json").json[0]["global"] is None
    work = Kept(repo, python=sys.executable)
    value = mgit("-C", repo.path, "status", "--json").json[0]
    assert value["installed"] is True
    expected = {"configuration": everywhere.configuration(), "whole": True, "runs": list(stubs.HOOKS)}
    assert (value["global"], value["config_hooks"]) == (expected, ["linter"])
    told = mgit("-C", repo.path, "status").out
    assert f"global    run here: {everywhere.configuration()}\nothers    config-based hooks: linter\n" in told
    work.drain()
    Path(repo.path, ".git/mgit/draining").unlink()
    checks = {check["check"]: check["status"] for check in mgit("-C", repo.path, "doctor", "--json").json[0]["checks"]}
    assert (checks["hooks"], checks["global hooks"]) == ("remark", "ok")
    assert "'install --global' goes on recording here" in mgit("-C", repo.path, "uninstall").err
    repo.git("config", "hook.mgit-hooks-post-merge.enabled", "false")
    value = mgit("-C", repo.path, "status", "--json").json[0]
    assert (value["installed"], set(stubs.HOOKS) - set(value["global"]["runs"])) == (False, {"post-merge"})
    assert "run here, but for post-merge: " in mgit("-C", repo.path, "status").out
    assert "git does not run here: post-merge" in mgit("-C", repo.path, "doctor").out


def stub_gone() -> None:
    Path(everywhere.hooks_folder(), "post-merge").unlink()


def stub_changed() -> None:
    with Path(everywhere.hooks_folder(), "post-merge").open("a") as file:
        file.write("echo mine\n")


def stub_not_executable() -> None:
    Path(everywhere.hooks_folder(), "post-merge").chmod(0o644)


def configuration_gone() -> None:
    Path(everywhere.configuration()).unlink()


def interpreter_gone() -> None:
    everywhere.install(python="/nothing/here")


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (stub_gone, "stubs of the global installation: post-merge (missing)"),
        (stub_changed, "stubs of the global installation: post-merge (modified)"),
        (stub_not_executable, "stubs of the global installation: post-merge (not executable)"),
        (configuration_gone, "hooks.gitconfig is gone, changed or of another version"),
        (interpreter_gone, "the hooks start /nothing/here, which is gone"),
    ],
)
def test_doctor_mends_it(newer: str, repo: Repo, mgit: Any, harm: Callable[[], None], words: str) -> None:
    everywhere.install()
    harm()
    found = mgit("-C", repo.path, "doctor", "--fix", "--json")
    assert (found.code, any(words in message for message in found.json[0]["mended"])) == (0, True)
    assert not Path(repo.path, ".git/hooks/post-commit").exists()  # nobody asked for those
    state = everywhere.look()
    assert state is not None
    assert state.whole


def test_doctor_where_the_line_is_gone_or_git_is_older(
    newer: str, user: Path, repo: Repo, mgit: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = user.read_bytes()
    everywhere.install()
    install(locate(repo.path))
    with monkeypatch.context() as older:
        older.setenv("PATH", os.environ["PATH"].partition(os.pathsep)[2])
        told = mgit("-C", repo.path, "doctor")
        assert (told.code, "it does not run the hooks of 'install --global'" in told.out) == (0, True)
        assert "global    do not run here" in mgit("-C", repo.path, "status").out
    user.write_bytes(before)
    told = mgit("-C", repo.path, "doctor", "--fix")
    assert (told.code, "your git configuration does not include" in told.out) == (1, True)
