"""The sh stubs under the real git, in every sh there is, with an interpreter that writes down its calls."""

from __future__ import annotations

import os
import pty
import shutil
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Final, NamedTuple

import pytest

from mgit_hooks.installer import stubs
from mgit_hooks.installer.install import boot_path, install
from mgit_hooks.judging import opennames
from mgit_hooks.layout import locate
from mgit_hooks.recorder import alive, event

SHELLS = {
    "sh": ("/bin/sh", ""),
    "dash": (shutil.which("dash"), ""),
    "bash": (shutil.which("bash"), " --posix"),
    "busybox": (shutil.which("busybox"), " sh"),
}
ZERO = "0" * 40


def process_of(pid: int) -> str:
    """A process as the stubs name it."""
    began = alive.started(pid)
    return str(pid) if began is None else f"{pid}.{began}"


class Line(NamedTuple):
    hook: str
    ppid: str
    armed: str
    worktree: str
    head: str
    payload: list[str]


class Bench:
    """A repository with our stubs in it, and what they did."""

    def __init__(self, repo, scratch: Path, shell: str) -> None:  # type: ignore[no-untyped-def]
        self.repo = repo
        self.shell = shell
        self.scratch = scratch
        self.calls = scratch / "calls"
        self.python = scratch / "it's a python"
        self.boot = scratch / "boot file.py"
        scratch.mkdir(exist_ok=True)
        self.boot.touch()
        self.exit_code(0)
        self.install()

    def install(self, *asked_for: str) -> None:
        install(self.location(), python=str(self.python), boot=str(self.boot), asked_for=asked_for)
        gate = Path(self.location().gate_flag).parent  # each test says what the flag says
        shutil.rmtree(gate)
        gate.mkdir()
        program, option = SHELLS[self.shell]
        for hook in (*stubs.HOOKS, *asked_for):
            stub = self.hook(hook)
            stub.write_bytes(stub.read_bytes().replace(b"#!/bin/sh\n", f"#!{program}{option}\n".encode(), 1))

    def location(self):  # type: ignore[no-untyped-def]
        return locate(self.repo.path)

    def exit_code(self, code: int) -> None:
        """Every call writes its arguments, and a gate its standard input, as one NUL-ended entry."""
        self.python.write_text(
            # one printf is one append: drains run beside each other
            "#!/bin/sh\n"
            'told=$(printf "%s\\n" "$@"; [ "$3" != gate ] || cat; echo .)\n'
            f"printf '%s\\0' \"${{told%.}}\" >>'{self.calls}'.$3\n"
            f"exit {code}\n"
        )
        self.python.chmod(0o755)

    def hook(self, name: str) -> Path:
        return Path(self.location().common_dir, "hooks", name)

    @property
    def config(self) -> Path:
        return Path(self.location().common_dir, "config")

    @property
    def mgit(self) -> Path:
        return Path(self.location().mgit_dir)

    def raw(self) -> bytes:
        try:
            return (self.mgit / "spool/now").read_bytes()
        except FileNotFoundError:
            return b""

    def lines(self) -> list[Line]:
        found = []
        for line in self.raw().decode().splitlines():
            version, *fields = line.split("\t")
            assert version == "1"
            found.append(Line(*fields[:5], fields[5:]))
        return found

    def of(self, hook: str) -> list[Line]:
        return [line for line in self.lines() if line.hook == hook]

    def clear(self) -> None:
        (self.mgit / "spool/now").unlink(missing_ok=True)
        Path(f"{self.calls}.gate").unlink(missing_ok=True)

    def gates(self) -> list[list[str]]:
        return self._calls("gate")

    def drains(self, wanted: int = 1) -> list[list[str]]:
        """Drains run in the background: wait for as many as are wanted."""
        for _ in range(200):
            if len(self._calls("drain")) >= wanted:
                break
            time.sleep(0.02)
        return self._calls("drain")

    def ended(self) -> None:
        """Wait for what was started as a drain: while it runs, no other one is."""
        mark = self.mgit / "starting"
        pid = int(mark.read_text()) if mark.exists() else 0
        for _ in range(200):
            if not pid or not Path(f"/proc/{pid}").exists():
                break
            time.sleep(0.02)

    def _calls(self, command: str) -> list[list[str]]:
        try:
            entries = Path(f"{self.calls}.{command}").read_text()
        except FileNotFoundError:
            return []
        return [entry.split("\n") for entry in entries.split("\0")[:-1]]

    def flag(self, text: str, age: float = 10, worktree: str = "main-worktree", *, named: bool = False) -> Path:
        """``named``: as a folder of names too."""
        flag = self.mgit / "gate" / worktree
        flag.parent.mkdir(parents=True, exist_ok=True)
        flag.write_text(text)
        os.utime(flag, (time.time() - age,) * 2)
        names = self.mgit / "gate" / "open" / worktree
        opennames.take_away(str(names))
        if named:
            opennames.put(str(names), [f"={self.config}", *text.splitlines()[1:]], time.time() - age)
            assert names.is_dir()
        return flag

    def chain(self, hook: str, script: str, mode: int = 0o755) -> Path:
        kept = Path(f"{self.hook(hook)}{stubs.CHAINED}")
        kept.write_text(script)
        kept.chmod(mode)
        return kept


@pytest.fixture(params=[name for name, (program, _) in SHELLS.items() if program and name != "sh"] or ["sh"])
def bench(request: pytest.FixtureRequest, repo, tmp_path: Path) -> Bench:  # type: ignore[no-untyped-def]
    return Bench(repo, tmp_path / "scratch", request.param)


@pytest.fixture
def plain(repo, tmp_path: Path) -> Bench:  # type: ignore[no-untyped-def]
    """In the system's own sh, for what does not hang on the shell."""
    return Bench(repo, tmp_path / "scratch", "sh")


def test_a_commit_is_one_line(bench: Bench) -> None:
    oid = bench.repo.commit("First", {"a": "1"})
    [line] = bench.lines()
    assert line == ("post-commit", line.ppid, "u", "main-worktree", oid, ["own"])
    assert event.process(line.ppid).pid > 1
    assert bench.raw().endswith(f"\t{oid}\town\n".encode())


def test_gate_and_recorder_name_the_same_git_process(bench: Bench) -> None:
    bench.repo.commit("First")
    assert [call[3] for call in bench.gates()] == ["pre-commit", "commit-msg"]
    assert {call[4] for call in bench.gates()} == {bench.of("post-commit")[0].ppid}
    bench.clear()
    bench.repo.commit("Second")
    assert {call[4] for call in bench.gates()} == {bench.of("post-commit")[0].ppid}


def test_each_operation_leaves_its_lines(bench: Bench) -> None:
    repo = bench.repo
    first = repo.commit("First", {"a": "1\n"})
    repo.write("a", "2\n")
    repo.git("commit", "-qam", "All")
    second = repo.git("rev-parse", "HEAD")
    bench.clear()

    repo.git("commit", "-q", "--amend", "-m", "Amended")
    amended = repo.git("rev-parse", "HEAD")
    assert [(line.hook, line.head, line.payload) for line in bench.lines()] == [
        ("post-commit", amended, ["own"]),
        ("post-rewrite", amended, ["amend", f"{second} {amended}%0A"]),
    ]
    bench.clear()

    repo.git("checkout", "-q", "-b", "side", first)
    assert [(line.hook, line.payload) for line in bench.lines()] == [("post-checkout", [amended, first, "1"])]
    side = repo.commit("Side", {"b": "1\n"})
    repo.git("checkout", "-q", "main")
    bench.clear()

    repo.git("merge", "-q", "--no-ff", "-m", "Merged", "side")
    merged = repo.git("rev-parse", "HEAD")
    assert [(line.hook, line.head, line.payload) for line in bench.lines()] == [("post-merge", merged, ["0", "merge"])]
    assert [call[3] for call in bench.gates()] == ["pre-merge-commit", "commit-msg"]
    repo.git("reset", "-q", "--hard", amended)
    bench.clear()

    patch = repo.run("format-patch", "-1", "--stdout", side).stdout
    repo.run("am", "-q", stdin=patch)
    assert [(line.hook, line.payload) for line in bench.lines()] == [("post-applypatch", [])]


def test_a_rebase_is_told_once_at_its_end(bench: Bench) -> None:
    repo = bench.repo
    base = repo.commit("Base", {"a": "1"})
    repo.git("checkout", "-q", "-b", "side")
    old = [repo.commit(f"Side {count}", {f"s{count}": "x"}) for count in range(3)]
    repo.git("checkout", "-q", "main")
    repo.commit("Main", {"m": "x"})
    repo.git("checkout", "-q", "side")
    bench.clear()
    ran = bench.scratch / "ran"
    bench.chain("post-commit", f"#!/bin/sh\necho >>'{ran}'\n")

    repo.git("rebase", "-q", "main")
    new = repo.git("rev-list", "--reverse", "main..side").split()
    [line] = [line for line in bench.lines() if line.hook != "post-checkout"]
    assert (line.hook, line.payload[0]) == ("post-rewrite", "rebase")
    assert line.payload[1] == "".join(f"{a} {b}%0A" for a, b in zip(old, new, strict=True))
    assert base not in line.payload[1]
    assert len(ran.read_text()) >= 1  # the hook that was here before runs for each pick, as without us


def test_a_commit_by_hand_in_a_rebase_is_told_and_starts_no_drain(bench: Bench) -> None:
    repo = bench.repo
    for name in "abc":
        repo.commit(name, {name: name})
    repo.run("rebase", "-q", "-i", "--no-ff", "HEAD~2", GIT_SEQUENCE_EDITOR="sed -i '1s/^pick/edit/'")
    bench.drains()
    time.sleep(0.2)
    before = len(bench.drains())
    bench.clear()
    repo.git("commit", "-q", "--allow-empty", "-m", "By hand")
    [line] = bench.lines()
    assert (line.hook, line.head, line.payload) == ("post-commit", repo.git("rev-parse", "HEAD"), ["own"])
    time.sleep(0.2)
    assert len(bench.drains(before)) == before
    repo.git("revert", "--no-edit", "HEAD~1")
    assert [line.payload for line in bench.of("post-commit")] == [["own"], ["pick"]]
    bench.clear()
    repo.git("rebase", "--continue")
    assert [line.hook for line in bench.lines() if line.hook != "post-checkout"] == ["post-rewrite"]


_NAMES: Final = ("with space", 'it\'s "quoted" $(x) `y`', "new\nline", "-dash", "tab\there")


@pytest.mark.parametrize(
    ("folder", "shell"), [*((name, "dash") for name in _NAMES), (_NAMES[1], "bash"), (_NAMES[1], "busybox")]
)
def test_names_of_folders_are_only_names(tmp_path: Path, folder: str, shell: str) -> None:
    from conftest import Repo

    if not SHELLS[shell][0]:
        pytest.skip(f"no {shell} here")
    path = tmp_path / folder
    subprocess.run(["git", "init", "-q", "-b", "main", str(path)], check=True)
    bench = Bench(Repo(path), tmp_path / "scratch", shell)
    oid = bench.repo.commit("First", {"a": "1"})
    bench.drains()
    bench.ended()
    bench.repo.git("worktree", "add", "-q", "-b", "linked", str(tmp_path / f"{folder} linked"))
    bench.ended()
    linked = Repo(tmp_path / f"{folder} linked")
    other = linked.commit("Linked", {"b": "1"})
    lines = [line for line in bench.lines() if line.hook == "post-commit"]
    assert [line.head for line in lines] == [oid, other]
    assert lines[0].worktree == "main-worktree"
    assert lines[1].worktree == "worktrees/" + Path(linked.git("rev-parse", "--absolute-git-dir")).name
    assert "\n".join(bench.drains(2)[-1][5:-1]) == linked.git("rev-parse", "--git-dir")


def test_submodules_and_separate_git_dirs_keep_their_own_spool(plain: Bench, tmp_path: Path) -> None:
    from conftest import Repo

    source = tmp_path / "source"
    subprocess.run(["git", "clone", "-q", plain.repo.path, str(source)], check=True, stderr=subprocess.DEVNULL)
    Repo(source).commit("Inside", {"x": "1"})
    plain.repo.commit("Top")
    plain.repo.git("submodule", "add", "-q", str(source), "lib")
    sub = Bench(Repo(Path(plain.repo.path, "lib")), tmp_path / "sub", "sh")
    plain.clear()
    oid = sub.repo.commit("In the submodule", {"y": "1"})
    assert [(line.head, line.worktree) for line in sub.of("post-commit")] == [(oid, "main-worktree")]
    assert plain.lines() == []

    apart = tmp_path / "apart"
    store = f"--separate-git-dir={tmp_path}/store"
    subprocess.run(["git", "init", "-q", store, str(apart)], check=True)
    (apart / ".git").write_text("gitdir: ../store\n")
    separate = Bench(Repo(apart), tmp_path / "apart-scratch", "sh")
    oid = separate.repo.commit("Apart")
    assert [line.head for line in separate.of("post-commit")] == [oid]


@pytest.mark.parametrize("git_dir", ["{}/.git", "{}/.git/", ".git", "../repo/.git/."])
def test_git_dir_from_the_environment(bench: Bench, tmp_path: Path, git_dir: str) -> None:
    git_dir = git_dir.format(bench.repo.path)
    bench.repo.git("commit", "-q", "--allow-empty", "-m", "x", GIT_DIR=git_dir, GIT_WORK_TREE=bench.repo.path)
    [line] = bench.of("post-commit")
    assert (line.worktree, line.head) == ("main-worktree", bench.repo.git("rev-parse", "HEAD"))


@pytest.mark.parametrize("git_dir", [".", "./", "../linked"])
def test_git_dir_of_a_linked_worktree_by_a_crooked_name(bench: Bench, tmp_path: Path, git_dir: str) -> None:
    bench.repo.commit("First")
    bench.repo.git("worktree", "add", "-q", str(tmp_path / "linked"))
    bench.clear()
    inside = Path(bench.repo.path, ".git/worktrees/linked")
    subprocess.run([bench.hook("post-commit")], cwd=inside, env={**os.environ, "GIT_DIR": git_dir}, check=True)
    assert [line.worktree for line in bench.lines()] == ["worktrees/linked"]


def test_a_head_that_builtins_cannot_find_is_a_dash(bench: Bench) -> None:
    repo = bench.repo
    first = repo.commit("First")
    bench.clear()
    repo.git("pack-refs", "--all")
    repo.git("checkout", "-q", "main")
    assert [line.head for line in bench.lines()] == ["-"]
    bench.clear()
    repo.git("checkout", "-q", "--detach")
    assert [line.head for line in bench.lines()] == [first]
    bench.clear()
    repo.git("checkout", "-q", "--orphan", "unborn")
    assert [line.head for line in bench.lines()] in ([], ["-"])


def test_sha256_repositories(tmp_path: Path) -> None:
    from conftest import Repo

    subprocess.run(["git", "init", "-q", "--object-format=sha256", str(tmp_path / "r")], check=True)
    bench = Bench(Repo(tmp_path / "r"), tmp_path / "scratch", "sh")
    oid = bench.repo.commit("Long ids")
    assert len(oid) == 64
    assert [line.head for line in bench.lines()] == [oid]


def test_where_nothing_is_kept_nothing_is_done(bench: Bench) -> None:
    said = bench.scratch / "said"
    bench.chain("post-commit", f"#!/bin/sh\necho ran >'{said}'\nexit 3\n")
    bench.chain("pre-commit", f"#!/bin/sh\necho ran >>'{said}'\n")
    shutil.rmtree(bench.mgit)
    bench.repo.commit("First")
    assert not bench.mgit.exists()
    assert bench.gates() == []
    assert said.read_text() == "ran\n"


def test_the_spool_is_private_whatever_the_umask_and_a_chained_hook_keeps_its_own(bench: Bench) -> None:
    said = bench.scratch / "umask"
    for hook in ("post-commit", "post-rewrite"):
        bench.chain(hook, f"#!/bin/sh\ncat >/dev/null\numask >>'{said}'\n")
    before = os.umask(0o002)
    try:
        bench.repo.commit("First")
        bench.repo.git("commit", "-q", "--amend", "--allow-empty", "-m", "Second")
    finally:
        os.umask(before)
    assert stat.S_IMODE((bench.mgit / "spool/now").stat().st_mode) == 0o600
    assert set(said.read_text().split()) == {"0002"}


def test_a_spool_that_vanished_comes_back(bench: Bench) -> None:
    shutil.rmtree(bench.mgit / "spool")
    done = bench.repo.run("commit", "-q", "--allow-empty", "-m", "First")
    assert len(bench.lines()) == 1
    assert done.stderr == b""
    assert stat.S_IMODE((bench.mgit / "spool").stat().st_mode) == 0o700


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no device that is always full")
def test_a_full_disk_costs_one_line_on_standard_error(bench: Bench) -> None:
    (bench.mgit / "spool/now").symlink_to("/dev/full")
    done = bench.repo.run("commit", "-q", "--allow-empty", "-m", "First")
    assert done.stderr.decode() == (
        "mgit-hooks: cannot write .git/mgit/spool/now: this commit is not spooled; git goes on\n"
    )
    assert bench.repo.git("log", "--format=%s") == "First"


def test_a_drain_starts_in_the_background(bench: Bench) -> None:
    bench.repo.commit("First")
    [call] = bench.drains()
    assert call[:5] == ["-I", str(bench.boot), "drain", "--background", "--git-dir"]
    assert os.path.samefile(os.path.join(bench.repo.path, call[5]), bench.mgit.parent)
    assert call[6:] == [""]


def test_the_drain_of_a_push_is_told_whose_end_to_wait_for(bench: Bench, tmp_path: Path) -> None:
    bench.repo.commit("First")
    bench.drains()
    bench.ended()
    subprocess.run(["git", "init", "-q", "--bare", tmp_path / "remote"], check=True)
    bench.repo.git("push", "-q", str(tmp_path / "remote"), "HEAD:main")
    call = bench.drains(2)[1]
    assert call[6:] == ["--after", bench.of("pre-push")[0].ppid, ""]


@pytest.mark.parametrize(("pid", "starts"), [("self", 0), ("", 1), ("-1", 1), ("0 0", 1), ("x", 1), ("4194305", 1)])
def test_no_second_drain_starts(bench: Bench, pid: str, starts: int) -> None:
    (bench.mgit / "draining").write_text(str(os.getpid()) if pid == "self" else pid)
    bench.repo.commit("First")
    if starts == 0:
        time.sleep(0.3)
    assert len(bench.drains(starts)) == starts
    assert len(bench.lines()) == 1


def test_git_does_not_wait_for_the_drain(bench: Bench, bare) -> None:  # type: ignore[no-untyped-def]
    bench.python.write_text("#!/bin/sh\ncase $3 in drain) echo noise; echo noise >&2; exec sleep 5 ;; esac\n")
    bench.repo.git("remote", "add", "origin", bare.path)
    started = time.monotonic()
    done = bench.repo.run("commit", "-q", "--allow-empty", "-m", "First")
    bench.repo.run("push", "-q", "origin", "main")
    assert time.monotonic() - started < 4
    assert done.stdout + done.stderr == b""


def test_an_interpreter_that_is_gone(bench: Bench) -> None:
    bench.python.unlink()
    done = bench.repo.run("commit", "-q", "--allow-empty", "-m", "First")
    assert done.stderr.decode() == (
        f"mgit-hooks: {bench.python} is gone: this commit is spooled, not lost; "
        "run 'mgit-hooks install' from where it lives now\n"
    )
    assert len(bench.lines()) == 1


def test_a_package_that_is_gone(bench: Bench) -> None:
    bench.boot.unlink()
    done = bench.repo.run("commit", "-q", "--allow-empty", "-m", "First")
    assert f"{bench.boot} is gone" in done.stderr.decode()
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("flag", "refused"),
    [("armed\n", True), ("armed\n-/\n", True), ("open\n", False), ("open\n-/\n", False), ("mends\n", False)],
)
def test_only_an_armed_gate_refuses_without_its_interpreter(bench: Bench, flag: str, refused: bool) -> None:
    bench.flag(flag)
    bench.python.unlink()
    done = bench.repo.run("commit", "-q", "--allow-empty", "-m", "First", check=False)
    assert (done.returncode != 0) is refused
    if refused:
        assert len(done.stderr.splitlines()) == 2
        assert b"--no-verify" in done.stderr
        assert bench.repo.run("commit", "-q", "--allow-empty", "-m", "x", MGIT="0").returncode == 0
        assert bench.repo.run("commit", "-q", "--allow-empty", "-n", "-m", "x").returncode == 0


# What the flag says, what has happened since, what is in the environment: the letter that results.
FLAGS = {
    "open": ("open\n+{old}\n-{absent}\n", {}, "o"),
    "armed": ("armed\n+{old}\n-{absent}\n", {}, "a"),
    "for repairs alone": ("mends\n+{old}\n-{absent}\n", {}, "a"),
    "armed, stale": ("armed\n+{new}\n", {}, "u"),
    "a file is newer": ("open\n+{new}\n", {}, "u"),
    "a file is gone": ("open\n+{absent}\n", {}, "u"),
    "a file has come": ("open\n-{old}\n", {}, "u"),
    "not a flag": ("what\n", {}, "u"),
    "empty": ("", {}, "u"),
    "strategy": ("open\n", {"MGIT_STRATEGY": "abort"}, "u"),
    "rules": ("open\n", {"MGIT_RULES": ""}, "u"),
    "extends": ("open\n", {"MGIT_EXTENDS": "strict"}, "u"),
    "level": ("open\n", {"MGIT_LEVEL": "strict"}, "u"),
    "enforce": ("open\n", {"MGIT_ENFORCE": "true"}, "u"),
    "git -c": ("open\n", {"GIT_CONFIG_PARAMETERS": "'Mgit.strategy'='abort'"}, "u"),
    "git -c of another": ("open\n", {"GIT_CONFIG_PARAMETERS": "'user.name'='x'"}, "o"),
    "counted configuration": (
        "open\n",
        {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "mgit.strategy", "GIT_CONFIG_VALUE_0": "abort"},
        "u",
    ),
    "another variable": ("open\n", {"MGIT_SKIP_REASON": "x"}, "o"),
}


@pytest.mark.parametrize(
    ("case", "named"),
    [*((case, False) for case in FLAGS), *((case, True) for case in FLAGS if FLAGS[case][0].startswith("open\n"))],
)
def test_the_flag_decides_whether_python_starts(bench: Bench, case: str, named: bool) -> None:
    text, env, letter = FLAGS[case]
    old, new = bench.scratch / "old policy", bench.scratch / "new policy"
    old.touch()
    os.utime(old, (time.time() - 100,) * 2)
    new.touch()
    os.utime(bench.config, (time.time() - 100,) * 2)
    bench.flag(text.format(old=old, new=new, absent=bench.scratch / "absent"), named=named)
    bench.repo.run("commit", "-q", "--allow-empty", "-m", "First", **env)
    assert len(bench.gates()) == (0 if letter == "o" else 2)
    assert [line.armed for line in bench.of("post-commit")] == [letter]


def test_an_open_gate_is_seen_without_reading_the_flag(bench: Bench) -> None:
    """The flag here says the opposite, so that it shows which of the two was looked at."""
    flag = bench.flag("open\n+/dev\n-/absent\n", age=-1000, named=True)
    flag.write_text("armed\n")
    bench.repo.commit("First")
    assert bench.gates() == []
    assert [line.armed for line in bench.of("post-commit")] == ["o"]
    shutil.rmtree(bench.mgit / "gate/open")
    bench.repo.commit("Second")
    assert len(bench.gates()) == 2
    assert [line.armed for line in bench.of("post-commit")] == ["o", "a"]


@pytest.mark.parametrize("named", [False, True])
def test_what_was_evaluated_in_a_repository_does_not_hold_in_its_copy(
    bench: Bench, tmp_path: Path, named: bool
) -> None:
    """All files that the flag names are as they were: they are the other one's."""
    os.utime(bench.config, (time.time() - 100,) * 2)
    bench.flag(f"open\n={bench.config}\n", named=named)
    there = tmp_path / "there"
    shutil.copytree(bench.repo.path, there)
    bench.repo.commit("First")
    assert bench.gates() == []
    subprocess.run(["git", "-C", there, "commit", "-q", "--allow-empty", "-m", "Second"], check=True)
    assert len(bench.gates()) == 2


@pytest.mark.parametrize(
    "wrong", ["none left", "another's", "a relative path", "a dangling link", "no folder", "one is gone"]
)
def test_names_that_are_not_whole_are_not_believed(bench: Bench, wrong: str) -> None:
    """The flag then counts, which is armed here."""
    flag = bench.flag("open\n+/dev\n-/absent\n", age=-1000, named=True)
    flag.write_text("armed\n+/\n")
    os.utime(flag, (time.time() + 1000,) * 2)
    names = bench.mgit / "gate/open/main-worktree"
    if wrong in ("none left", "no folder"):
        shutil.rmtree(names)
        if wrong == "none left":
            names.mkdir()
    elif wrong == "a dangling link":
        shutil.rmtree(names)
        names.symlink_to(bench.scratch / "nowhere")
    elif wrong == "one is gone":
        os.rename(names / "+%dev", names / "+%gone")
    else:
        (names / ("what" if wrong == "another's" else "+x")).touch()
    bench.repo.commit("First")
    assert len(bench.gates()) == 2
    assert [line.armed for line in bench.of("post-commit")] == ["a"]


def test_the_words_of_a_checkout_are_the_same_on_the_short_way_and_the_long_one(bench: Bench) -> None:
    """The long one is taken where another hook was there before."""
    bench.repo.commit("First")
    bench.repo.git("branch", "side")
    bench.repo.git("checkout", "-q", "side")
    bench.chain("post-checkout", "#!/bin/sh\nexit 0\n")
    bench.repo.git("checkout", "-q", "main")
    bench.repo.git("checkout", "-q", "side")
    short, _, long = bench.of("post-checkout")
    assert short._replace(ppid="") == long._replace(ppid="")


def test_a_linked_worktree_has_a_flag_of_its_own(bench: Bench, tmp_path: Path) -> None:
    from conftest import Repo

    bench.flag("open\n")
    bench.repo.commit("First")
    assert bench.gates() == []
    bench.repo.git("worktree", "add", "-q", str(tmp_path / "linked"))
    Repo(tmp_path / "linked").commit("Second")
    assert len(bench.gates()) == 2
    bench.flag("armed\n", worktree="worktrees/linked")
    Repo(tmp_path / "linked").commit("Third")
    assert [line.armed for line in bench.of("post-commit")] == ["o", "u", "a"]


def test_what_the_gate_is_told_and_what_it_says(bench: Bench) -> None:
    bench.exit_code(7)
    done = bench.repo.run("commit", "-q", "--allow-empty", "-m", "First", check=False)
    assert done.returncode == 1
    [call] = bench.gates()
    assert call[:4] == ["-I", str(bench.boot), "gate", "pre-commit"]
    assert call[5] == "--"
    done = subprocess.run([bench.hook("commit-msg"), "a file", ""], cwd=bench.repo.path, stdin=subprocess.DEVNULL)
    assert done.returncode == 7
    assert bench.gates()[1][3:] == ["commit-msg", process_of(os.getpid()), "--", "a file", "", ""]


def test_without_the_gate_a_skip_is_spooled(bench: Bench) -> None:
    bench.flag("armed\n")
    bench.exit_code(1)
    bench.repo.run("commit", "-q", "--allow-empty", "-m", "First", MGIT="0", MGIT_SKIP_REASON="50% of\tit\nis ü")
    lines = bench.lines()
    assert [(line.hook, line.armed, line.payload) for line in lines] == [
        ("skip", "a", ["pre-commit", "50%25 of%09it%0Ais ü"]),
        ("skip", "a", ["commit-msg", "50%25 of%09it%0Ais ü"]),
        ("post-commit", "a", ["own"]),
    ]
    assert len({line.ppid for line in lines}) == 1
    bench.clear()
    bench.flag("open\n")
    bench.repo.run("commit", "-q", "--allow-empty", "-m", "Second", MGIT="0")
    assert [line.hook for line in bench.lines()] == ["post-commit"]
    assert bench.gates() == []


def test_a_push_is_an_attempt_with_its_refs(bench: Bench, bare) -> None:  # type: ignore[no-untyped-def]
    repo = bench.repo
    oid = repo.commit("First")
    repo.git("remote", "add", "origin", bare.path)
    bench.flag("armed\n")
    bench.clear()
    repo.git("push", "-q", "origin", "main", "main:ünïcode")
    [line] = bench.of("pre-push")
    told = f"refs/heads/main {oid} refs/heads/main {ZERO}\nrefs/heads/main {oid} refs/heads/ünïcode {ZERO}\n"
    assert (line.armed, line.head) == ("a", oid)
    assert line.payload == ["origin", bare.path, told.replace("\n", "%0A")]
    [call] = bench.gates()
    assert call[3:] == ["pre-push", line.ppid, "--", "origin", bare.path, *told.split("\n")]

    bench.clear()
    bench.exit_code(4)
    done = repo.run("push", "-q", "origin", "main:other", check=False)
    assert done.returncode == 1
    assert len(bench.of("pre-push")) == 1  # the attempt is on file before the gate says no


URLS = [
    ("https://user:token@example.org/x.git", "https://example.org/x.git"),
    ("https://token@example.org/x.git?a=b#c", "https://example.org/x.git"),
    ("https://us@er:to@ken@example.org:8443/@x/y", "https://example.org:8443/@x/y"),
    ("https://user:pa/ss@example.org/x", "https://"),
    ("https://user:pa#ss@example.org/x", "https://"),
    ("https://user:1234#ss@example.org/x", None),
    ("ssh://git@[::1]:22/x", "ssh://[::1]:22/x"),
    ("user:password@example.org:x.git", "example.org:x.git"),
    ("git@example.org:x.git", "git@example.org:x.git"),
    ("/srv/a#b?c@d:e.git", "/srv/a#b?c@d:e.git"),
    ("../x.git", "../x.git"),
    ("https://example.org/100%/x", "https://example.org/100%25/x"),
]


@pytest.mark.parametrize(("url", "kept"), URLS)
def test_no_credential_reaches_the_spool(bench: Bench, url: str, kept: str | None) -> None:
    subprocess.run([bench.hook("pre-push"), url, url], cwd=bench.repo.path, input=b"", check=True)
    [line] = bench.lines()
    for text in line.payload[:2]:
        if kept is not None:
            assert text == kept
        assert not any(secret in text for secret in ("token", "to@ken", "password", "pa/ss", "ss@"))


@pytest.mark.parametrize("size", [1, 2999, 3000, 3001, 9000, 300_000])
def test_a_long_standard_input_lies_beside_whole_for_all_who_read_it(bench: Bench, size: int) -> None:
    told = (b"refs/heads/\xff%t\xc3\xbc\tx 1 2 3\n" * (size // 20 + 1))[: size - 1] + b"\n"
    got = bench.scratch / "got"
    for hook in ("pre-push", "post-rewrite"):
        bench.chain(hook, f"#!/bin/sh\ncat >'{got}'\n")
        bench.clear()
        bench.flag("open\n")
        arguments = ["origin", "/x"] if hook == "pre-push" else ["rebase"]
        subprocess.run([bench.hook(hook), *arguments], cwd=bench.repo.path, input=told, check=True)
        assert got.read_bytes() == told
        field = bench.raw().rstrip(b"\n").split(b"\t")[-1]
        if size > 3000:
            assert field.startswith(b"@x.%d." % os.getpid())
        if field.startswith(b"@"):
            side = bench.mgit / "spool" / os.fsdecode(field[1:])
            assert side.read_bytes() == told
            assert stat.S_IMODE(side.stat().st_mode) == 0o600
        else:
            assert len(field) <= 3000
            assert field.replace(b"%0A", b"\n").replace(b"%09", b"\t").replace(b"%25", b"%") == told
        assert bench.raw().count(b"\n") == 1


def test_the_gate_reads_the_long_input_too(bench: Bench) -> None:
    told = "refs/heads/main 1 refs/heads/main 2\n" * 500
    subprocess.run([bench.hook("pre-push"), "origin", "/x"], cwd=bench.repo.path, input=told.encode(), check=True)
    [call] = bench.gates()
    assert "\n".join(call[8:]) == told


def test_a_terminal_is_not_waited_for(bench: Bench) -> None:
    main, other = pty.openpty()
    try:
        for hook, arguments in (("pre-push", ["origin", "/x"]), ("post-rewrite", ["amend"])):
            bench.python.unlink(missing_ok=True)
            subprocess.run([bench.hook(hook), *arguments], cwd=bench.repo.path, stdin=other, timeout=10, check=True)
    finally:
        os.close(main)
        os.close(other)
    assert [(line.hook, line.payload[-1]) for line in bench.lines()] == [
        ("pre-push", ""),
        ("post-rewrite", ""),
    ]


TOLD = {
    "pre-push": (["origin", "a b"], b"one two\nthree"),
    "post-rewrite": (["amend"], b"one two\n"),
    "post-checkout": (["1", "2", "1"], b""),
    "post-merge": (["0"], b""),
    "commit-msg": (["a file"], b""),
}


@pytest.mark.parametrize("hook", stubs.HOOKS)
@pytest.mark.parametrize("code", [0, 5])
def test_the_hook_that_was_here_runs_as_before(bench: Bench, hook: str, code: int) -> None:
    arguments, told = TOLD.get(hook, ([], b""))
    said = bench.scratch / "said"
    kept = bench.chain(hook, f"#!/bin/sh\n{{ printf '%s|' \"$0\" \"$@\"; cat; }} >'{said}'\nexit {code}\n")
    done = subprocess.run([bench.hook(hook), *arguments], cwd=bench.repo.path, input=told, capture_output=True)
    assert done.returncode == code
    assert said.read_bytes() == "".join(f"{text}|" for text in (kept, *arguments)).encode() + told
    if hook.startswith("post-") or hook == "pre-push":
        # Spooled even where the other one fails; then nobody has gone round the gate.
        stopped = ["stopped"] if hook == "pre-push" and code else []
        assert [line.hook for line in bench.lines()] == [hook, *stopped]
    if hook in ("pre-commit", "pre-merge-commit", "commit-msg", "pre-push"):
        assert len(bench.gates()) == (1 if code == 0 else 0)


def test_a_hook_that_git_would_not_have_run_does_not_run(bench: Bench) -> None:
    said = bench.scratch / "said"
    bench.chain("post-commit", f"#!/bin/sh\necho >'{said}'\n", 0o644)
    bench.chain("pre-commit", f"#!/bin/sh\necho >'{said}'\n", 0o644)
    bench.repo.commit("First")
    assert not said.exists()


def test_below_another_manager_the_hook_it_wrote_itself_does_not_run_again(bench: Bench) -> None:
    """pre-commit, installed once more over our stub, moves it to HOOK.legacy and calls it."""
    said = bench.scratch / "said"
    bench.chain("pre-commit", f"#!/bin/sh\n# File generated by pre-commit: https://pre-commit.com\necho >'{said}'\n")
    stub = bench.hook("pre-commit")
    stub.rename(f"{stub}.legacy")
    bench.flag("open\n")
    subprocess.run([f"{stub}.legacy"], cwd=bench.repo.path, check=True)
    assert not said.exists()
    bench.chain("pre-commit", f"#!/bin/sh\necho >'{said}'\n")
    subprocess.run([f"{stub}.legacy"], cwd=bench.repo.path, check=True)
    assert said.exists()


@pytest.mark.skipif(not os.path.exists("/proc/self/stat"), reason="no /proc to find git by")
def test_below_another_manager_git_is_found_all_the_same(bench: Bench) -> None:
    bench.repo.commit("First")
    bench.clear()
    manager = '#!/bin/sh\n(sh -c \'"$0.legacy" "$@"; exit $?\' "$0" "$@")\n'
    for hook in stubs.HOOKS:
        stub = bench.hook(hook)
        stub.rename(f"{stub}.legacy")
        stub.write_text(manager)
        stub.chmod(0o755)
    git = subprocess.Popen(["git", "-C", bench.repo.path, "commit", "-q", "--allow-empty", "-m", "Second"])
    assert git.wait() == 0
    assert [call[4].partition(".")[0] for call in bench.gates()] == [str(git.pid)] * 2
    assert [line.ppid for line in bench.lines()] == [bench.gates()[0][4]]


TRANSACTION = "reference-transaction"


def test_a_transaction_is_one_line_once_it_is_committed(bench: Bench) -> None:
    oid = bench.repo.commit("First")
    bench.drains()
    bench.ended()
    bench.install(TRANSACTION)
    bench.clear()
    bench.repo.git("branch", "topic")
    [line] = bench.lines()
    assert line == (TRANSACTION, line.ppid, "u", "main-worktree", "-", [f"{ZERO} {oid} refs/heads/topic%0A"])
    assert len(bench.drains(2)) == 2  # that of the commit, and this one


def test_what_git_keeps_beside_refs_and_our_own_refs_are_left_out(bench: Bench) -> None:
    oid = bench.repo.commit("First")
    bench.install(TRANSACTION)
    bench.clear()
    bench.repo.git("update-ref", "ORIG_HEAD", oid)
    bench.repo.git("update-ref", "refs/mgit/anchor", oid)
    bench.repo.git("update-ref", "-d", "refs/mgit/anchor")
    assert bench.lines() == []
    told = f"create refs/mgit/x {oid}\ncreate refs/tags/x {oid}\n".encode()
    bench.repo.run("update-ref", "--stdin", stdin=told)
    assert [line.payload for line in bench.lines()] == [[f"{ZERO} {oid} refs/tags/x%0A"]]


def test_a_transaction_of_many_refs_is_in_a_file_of_its_own(bench: Bench) -> None:
    oid = bench.repo.commit("First")
    bench.install(TRANSACTION)
    bench.clear()
    names = [f"refs/tags/tag-{number}" for number in range(200)]
    bench.repo.run("update-ref", "--stdin", stdin="".join(f"create {name} {oid}\n" for name in names).encode())
    [line] = bench.of(TRANSACTION)
    assert line.payload[0].startswith("@x.")
    side = (bench.mgit / "spool" / line.payload[0][1:]).read_text()
    assert side == "".join(f"{ZERO} {oid} {name}\n" for name in names)


def test_a_transaction_of_head_or_in_a_rebase_starts_no_drain(plain: Bench) -> None:
    plain.repo.commit("First")
    plain.repo.commit("Second")
    plain.install(TRANSACTION)
    started = len(plain.drains(2))
    plain.repo.git("reset", "-q", "--soft", "HEAD~1")
    (plain.mgit.parent / "rebase-merge").mkdir()
    plain.repo.git("tag", "here")
    time.sleep(0.3)
    assert len(plain.of(TRANSACTION)) == 2
    assert len(plain.drains()) == started


def test_a_transaction_where_nothing_can_be_written_goes_through(plain: Bench) -> None:
    plain.repo.commit("First")
    plain.install(TRANSACTION)
    shutil.rmtree(plain.mgit / "spool")
    (plain.mgit / "spool").touch()
    done = plain.repo.run("tag", "here")
    assert b"this ref movement is not spooled; git goes on" in done.stderr
    assert plain.repo.git("tag") == "here"


@pytest.mark.skipif(not shutil.which("strace"), reason="strace is not installed")
@pytest.mark.parametrize("state", ["prepared", "aborted", "committed"])
def test_a_transaction_forks_nothing(bench: Bench, state: str) -> None:
    oid = bench.repo.commit("First")
    bench.install(TRANSACTION)
    (bench.mgit / "draining").write_text(str(os.getpid()))
    trace = bench.scratch / "trace"
    command = [
        "strace",
        "-f",
        "-o",
        trace,
        "-e",
        "trace=execve,fork,vfork,clone,clone3",
        bench.hook(TRANSACTION),
        state,
    ]
    subprocess.run(command, cwd=bench.repo.path, input=f"{ZERO} {oid} refs/tags/x\n".encode(), check=True)
    assert trace.read_text().count("execve(") == 1
    assert [line for line in trace.read_text().splitlines() if "+++" not in line and "execve" not in line] == []
    assert len(bench.of(TRANSACTION)) == (state == "committed")


@pytest.mark.skipif(not shutil.which("strace"), reason="strace is not installed")
@pytest.mark.parametrize(
    ("hook", "flag"),
    [
        *((hook, "open") for hook in ("post-commit", "post-merge", "post-checkout", "pre-commit", "commit-msg")),
        ("post-commit", "armed"),  # naming the process costs no fork either
        ("post-merge", "armed"),
    ],
)
def test_the_fast_path_forks_nothing(bench: Bench, hook: str, flag: str) -> None:
    bench.repo.commit("First")
    bench.flag(f"{flag}\n+/\n-/nothing/here\n", age=-1000)
    (bench.mgit / "draining").write_text(str(os.getpid()))
    trace = bench.scratch / "trace"
    subprocess.run(
        [
            "strace",
            "-f",
            "-o",
            trace,
            "-e",
            "trace=execve,fork,vfork,clone,clone3",
            bench.hook(hook),
            "1",
            "2",
            "3",
        ],
        cwd=bench.repo.path,
        check=True,
    )
    assert [line for line in trace.read_text().splitlines() if "+++" not in line and "execve" not in line] == []
    assert trace.read_text().count("execve(") == 1


@pytest.mark.parametrize("hook", stubs.KNOWN)
def test_a_stub_tells_what_it_is_and_whether_it_is_whole(hook: str) -> None:
    content = stubs.assemble(hook, "/it's/a python", "/boot.py")
    stub = stubs.recognise(content)
    assert stub is not None
    assert (stub.version, stub.hook, stub.intact) == (stubs.VERSION, hook, True)
    assert stubs.paths(content) == ("/it's/a python", "/boot.py")
    assert stubs.renewed(content, hook) == content
    changed = stubs.recognise(content + b"echo mine\n")
    assert changed is not None
    assert not changed.intact
    assert stubs.recognise(b"#!/bin/sh\necho mine\n") is None


def boot(home: Path, gate: str, *arguments: str, **env: str) -> subprocess.CompletedProcess[bytes]:
    """Run boot.py as the stubs do, in a package whose gate and drain are ``gate``."""
    package = home / "mgit_hooks"
    package.mkdir()
    for name in ("boot.py", "operation.py", "meter.py"):
        shutil.copy(Path(boot_path()).parent / name, package / name)
    (package / "__init__.py").touch()
    for name in ("gatekeeper/gate", "recorder/drain"):
        (package / f"{name}.py").parent.mkdir()
        (package / f"{name}.py").write_text(gate)
    command = [sys.executable, "-I", "-S", package / "boot.py", *arguments]
    return subprocess.run(command, env={**os.environ, **env}, cwd="/", capture_output=True, check=False)


GATE = ("gate", "pre-push", "42", "--", "origin", "a b")


def test_boot_hands_over_to_the_gate_and_imports_little(tmp_path: Path) -> None:
    gate = (
        "import sys\ndef main(*given):\n    print(given, [m for m in ('argparse', 'subprocess') if m in sys.modules])\n"
    )
    done = boot(tmp_path, gate + "    return 9\n", *GATE)
    assert done.returncode == 9
    assert done.stdout == b"('pre-push', '42', ['origin', 'a b']) []\n"
    assert done.stderr == b""


@pytest.mark.parametrize(
    "broken", ["def main(*given):\n    raise KeyError('x\\ny')\n", "import nothing_like_it\n", "]"]
)
@pytest.mark.parametrize(("was", "code", "words"), [("a", 1, "git stops here"), ("u", 0, "git goes on")])
def test_a_gate_that_fails_says_so_in_two_lines(tmp_path: Path, broken: str, was: str, code: int, words: str) -> None:
    done = boot(tmp_path, broken, *GATE, MGIT_GATE_WAS=was)
    assert done.returncode == code
    assert len(done.stderr.splitlines()) == 2
    assert f"pre-push was not judged, {words}" in done.stderr.decode()
    assert b"Traceback" not in done.stderr


def test_a_drain_that_fails_is_silent(tmp_path: Path) -> None:
    done = boot(tmp_path, "def main(given):\n    raise KeyError(given)\n", "drain", "--background")
    assert (done.returncode, done.stdout + done.stderr) == (1, b"")
