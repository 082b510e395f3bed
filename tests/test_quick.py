"""The quick gate: it lets through what the gate would let through, with the very same verdict, and nothing else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from conftest import Repo

from mgit_hooks import boot
from mgit_hooks.gatekeeper import gate, quick, remembered
from mgit_hooks.installer.install import boot_path, install
from mgit_hooks.judging import library
from mgit_hooks.layout import locate
from mgit_hooks.metrics import spooled

ROOT = Path(__file__).resolve().parents[1]
RULES = """
[[rules]]
id = "short"
events = ["commit"]
strategy = "abort"
message = "Keep it short."
schema.properties.commit.properties.message.pattern = "^.{1,40}(\\\\n|$)"

[[rules]]
use = "blank-line-after-subject"
strategy = "abort"
"""


class Hook(NamedTuple):
    """A repository in the state in which git runs its hooks, and the git that runs them."""

    repo: Repo
    git: str
    message: str

    def quick(self, stage: str) -> int | None:
        return quick.main(stage, self.git, [self.message] if stage == "commit-msg" else [])

    def gate(self, stage: str) -> int:
        return gate.main(stage, self.git, [self.message] if stage == "commit-msg" else [])

    def spool(self) -> list[str]:
        path = Path(self.repo.path, ".git/mgit/spool/now")
        return path.read_text("utf-8").splitlines() if path.exists() else []

    def age(self) -> None:
        """As if nothing had been written for a while: what was changed a moment ago is not remembered."""
        past = time.time() - 60
        for path in (".git/config", ".git/rules.toml", ".mgit-hooks.toml", "../home/gitconfig"):
            if (file := Path(self.repo.path, path)).exists():
                os.utime(file, (past, past))

    def remember(self) -> None:
        self.age()
        quick.usable = False  # as in a process of its own
        assert self.gate("commit-msg") == 0
        assert quick.recall(os.path.join(self.repo.path, ".git")) is not None

    def write_rules(self, text: str) -> None:
        Path(self.repo.path, ".git/rules.toml").write_text(text)


@pytest.fixture
def hook(repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hook]:
    repo.commit("one", {"a": "1\n", "old": "old\n", "dir/b": "b\n" * 20})
    repo.git("config", "mgit.rules", str(Path(repo.path, ".git", "rules.toml")))
    message = tmp_path / "message"
    message.write_text("A subject\n")
    (tmp_path / "home").mkdir()
    (tmp_path / "home/gitconfig").write_text("[init]\n\tdefaultBranch = main\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "home/gitconfig"))
    monkeypatch.setenv("GIT_INDEX_FILE", os.path.join(repo.path, ".git/index"))
    monkeypatch.setenv("GIT_AUTHOR_DATE", "@1700000000 +0100")
    monkeypatch.setenv("MGIT_GATE_WAS", "a")
    monkeypatch.setattr(quick, "usable", False)
    monkeypatch.setattr(remembered, "_TICK", 0.0)  # nobody waits between a change and the gate
    monkeypatch.chdir(repo.path)
    # It waits, and its command line is a git's.
    with subprocess.Popen(["git", "cat-file", "--batch"], stdin=subprocess.PIPE) as git:
        made = Hook(repo, f"{git.pid}.7", str(message))
        made.write_rules(RULES)
        yield made
        assert git.stdin is not None
        git.stdin.close()


def entry(repo: Repo, mode: str, path: str, content: str) -> None:
    oid = repo.git("hash-object", "-w", "--stdin", stdin=content.encode())
    repo.git("update-index", "--add", "--cacheinfo", f"{mode},{oid},{path}")


def stage(**files: str) -> Callable[[Hook], None]:
    def put(hook: Hook) -> None:
        for path, content in files.items():
            hook.repo.write(path, content)
            hook.repo.git("add", path)

    return put


def says(text: str | bytes) -> Callable[[Hook], None]:
    return lambda hook: Path(hook.message).write_bytes(text if isinstance(text, bytes) else text.encode())


def runs(*words: str) -> Callable[[Hook], None]:
    return lambda hook: [hook.repo.git(*words), None][1]


def state(name: str) -> Callable[[Hook], None]:
    return lambda hook: Path(hook.repo.path, ".git", name).write_text(hook.repo.git("rev-parse", "HEAD")) and None


def config(key: str, value: str) -> Callable[[Hook], None]:
    def put(hook: Hook) -> None:
        hook.repo.git("config", key, value)
        hook.remember()

    return put


CLEAN: dict[str, Callable[[Hook], None]] = {
    "nothing": lambda hook: None,
    "a changed file": stage(a="2\n"),
    "a new file": stage(new="1\n"),
    "a name with a space and an umlaut": stage(**{"neu und schön": "1\n"}),
    "many": stage(**{f"dir/{n}": f"{n}\n" for n in range(40)}),
    "an empty file": stage(empty=""),
    "a deleted file": runs("rm", "-q", "old"),
    "a binary file": lambda hook: entry(hook.repo, "100644", "bin", "\0<<<<<<< HEAD\n\n<<<<<<< x\n"),
    "equals signs alone": stage(title="Title\n=======\n"),
    "executable": lambda hook: entry(hook.repo, "100755", "run", "#!/bin/sh\n"),
    "a submodule": runs("update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},sub"),
    "comments": says("A subject\n\n# not of it\nbody\n"),
    "no final newline": says("A subject"),
    "umlauts": says("Ä subject\n\n„body“ %09 %\ttab\n"),
    "Latin-1": says("Ä subject\n".encode("latin-1")),
    "a quote and a backslash": says('A "subject" \\ \x01\n'),
    "cleanup by configuration": config("commit.cleanup", "verbatim"),
    "another comment": config("core.commentChar", ";"),
}
UNUSUAL: dict[str, Callable[[Hook], None]] = {
    "a rename": runs("mv", "dir/b", "dir/c"),
    "a link": lambda hook: entry(hook.repo, "120000", "link", "a"),
    "a file that becomes a link": lambda hook: entry(hook.repo, "120000", "a", "old"),
    "conflict markers": stage(a="<<<<<<< HEAD\n1\n=======\n2\n>>>>>>> x\n"),
    "markers further down": stage(a="1\n2\n>>>>>>> x\n"),
    "names that differ in case": stage(A="1\n"),
    "folders that differ in case": stage(**{"DIR/c": "1\n"}),
    "a long subject": says("A subject of more than forty characters, too long\n"),
    "no blank line": says("A subject\nbody\n"),
    "a URL": says("See https://example.org\n"),
    "an address": says("For ada@example.org\n"),
    "a merge": state("MERGE_HEAD"),
    "a pick": state("CHERRY_PICK_HEAD"),
    "a revert": state("REVERT_HEAD"),
    "no branch": runs("checkout", "-q", "--detach"),
    "packed refs": runs("pack-refs", "--all"),
    "a name that is no UTF-8": lambda hook: entry(hook.repo, "100644", os.fsdecode(b"\xff"), "x"),
    "an object that is packed": lambda hook: [stage(new="1\n")(hook), hook.repo.git("repack", "-adq"),
                                              hook.repo.git("prune-packed"), None][3],
}  # fmt: skip


@pytest.mark.parametrize("name", CLEAN)
def test_what_is_clean_has_the_verdict_of_the_gate(hook: Hook, name: str) -> None:
    hook.remember()
    CLEAN[name](hook)
    for each in quick.STAGES:
        before = len(hook.spool())
        assert hook.quick(each) == 0
        assert hook.gate(each) == 0
        quickly, fully = hook.spool()[before:]
        assert quickly == fully


@pytest.mark.parametrize("name", UNUSUAL)
def test_what_is_unusual_is_left_to_the_gate(hook: Hook, name: str) -> None:
    hook.remember()
    UNUSUAL[name](hook)
    before = hook.spool()
    assert hook.quick("commit-msg") is None
    assert hook.spool() == before


def test_what_it_lets_through_is_counted_as_what_the_gate_does(hook: Hook) -> None:
    hook.remember()
    assert boot.main(["gate", "pre-commit", hook.git, "--"]) == 0
    assert quick.usable
    (read,) = spooled.read(os.path.join(hook.repo.path, ".git/mgit/metrics/now")).noted
    assert (read.type, read.name, read.phases, read.success) == ("hook", "gate.pre-commit", {}, True)


def edited(path: str, old: str, new: str) -> Callable[[Hook], None]:
    """In place, with its size and its time as they were."""

    def edit(hook: Hook) -> None:
        file = Path(hook.repo.path, path)
        was = file.stat()
        assert old in file.read_text()
        file.write_text(file.read_text().replace(old, new))
        os.utime(file, ns=(was.st_atime_ns, was.st_mtime_ns))

    return edit


CHANGES: dict[str, Callable[[Hook], None]] = {
    "the rules": edited(".git/rules.toml", "{1,40}", "{1,30}"),
    "git's configuration": runs("config", "mgit.level", "strict"),
    "the user's own": edited("../home/gitconfig", "main", "mein"),
    "a policy of the worktree": lambda hook: hook.repo.write(".mgit-hooks.toml", "enforce = true\n"),
    "pyproject.toml": lambda hook: hook.repo.write("pyproject.toml", "[tool.mgit-hooks]\nenforce = true\n"),
}
ENVIRONMENT = [
    ("MGIT_SKIP", "short"), ("MGIT_LEVEL", "strict"), ("SKIP", "mgit-validate"), ("GIT_CONFIG_COUNT", "0"),
    ("GIT_CONFIG_PARAMETERS", "'mgit.level=strict'"), ("GIT_WORK_TREE", "/"), ("GIT_OBJECT_DIRECTORY", "/"),
    ("MGIT_GATE_WAS", "u"), ("HOME", "/elsewhere"), ("GIT_LITERAL_PATHSPECS", "1"),
]  # fmt: skip


@pytest.mark.parametrize("name", CHANGES)
def test_any_change_of_what_the_policy_hangs_on_is_noticed(hook: Hook, name: str) -> None:
    hook.remember()
    assert hook.quick("commit-msg") == 0
    CHANGES[name](hook)
    assert hook.quick("commit-msg") is None


@pytest.mark.parametrize(("name", "value"), ENVIRONMENT)
def test_what_the_environment_says_is_for_the_gate(
    hook: Hook, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    hook.remember()
    monkeypatch.setenv(name, value)
    assert hook.quick("commit-msg") is None


def test_another_git_may_have_another_configuration(
    hook: Hook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook.remember()
    git = tmp_path / "bin" / "git"
    git.parent.mkdir()
    monkeypatch.setenv("PATH", f"{git.parent}{os.pathsep}{os.environ['PATH']}")
    assert hook.quick("commit-msg") == 0
    git.symlink_to("/usr/bin/git")
    assert hook.quick("commit-msg") is None


def test_every_file_that_decides_is_watched(hook: Hook) -> None:
    hook.remember()
    memo = quick.recall(os.path.join(hook.repo.path, ".git"))
    assert memo is not None
    watched = {os.path.realpath(path) for path, _ in memo["watched"]}
    rules = [library.rule_path(name) for name in ("no-conflict-markers", "blank-line-after-subject")]
    code = [ROOT / "mgit_hooks" / name for name in ("gatekeeper/quick.py", "judging/checker.py", "judging/rules.py")]
    kinds = [
        ROOT / "schemas" / f"{name}.json" for name in ("record.standard", "record.basic", "commit.basic", "config")
    ]
    assert {str(path) for path in (*rules, library.set_path("standard"), *code, *kinds)} <= watched


def test_without_the_watch_an_old_policy_would_let_through_and_this_family_tells(
    hook: Hook, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Planted: what is remembered is believed, whatever has become of the files."""
    hook.remember()
    monkeypatch.setattr(quick, "state", lambda path: Always())
    edited(".git/rules.toml", "{1,40}", "{1,5}")(hook)
    assert hook.quick("commit-msg") == 0
    assert hook.gate("commit-msg") == 1


class Always:
    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = None  # type: ignore[assignment]


@pytest.mark.parametrize("name", ["no-conflict-markers", "case-conflicts"])
def test_a_fact_that_is_not_looked_for_is_told_by_this_family(
    hook: Hook, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Planted."""
    hook.write_rules(f'[[rules]]\nuse = "{name}"\nstrategy = "abort"\n')
    hook.remember()
    monkeypatch.setattr(quick, "_may_have_markers", lambda content: False)
    monkeypatch.setattr(quick, "_case_conflicts", lambda files: [])
    stage(A="<<<<<<< HEAD\n1\n=======\n2\n>>>>>>> x\n")(hook)
    assert (hook.quick("pre-commit"), hook.gate("pre-commit")) == (0, 1)


@pytest.mark.parametrize("raw", [b"", b"\xe9", b"\xfb\xff\xff\xff\x7f", b"[" * 1000, b"N"])
def test_what_is_no_memory_is_none(hook: Hook, raw: bytes) -> None:
    hook.remember()
    Path(quick.path(os.path.join(hook.repo.path, ".git"))).write_bytes(raw)
    assert hook.quick("commit-msg") is None
    assert hook.gate("commit-msg") == 0
    assert hook.quick("commit-msg") == 0  # written anew


def test_what_others_could_have_written_is_not_believed(hook: Hook) -> None:
    hook.remember()
    os.chmod(quick.path(os.path.join(hook.repo.path, ".git")), 0o622)  # noqa: S103
    assert hook.quick("commit-msg") is None


@pytest.mark.parametrize(
    "rules",
    [
        '[[rules]]\nuse = "file-size"\nstrategy = "abort"\n',
        '[[rules]]\nuse = "churn"\nwith = { most = 5 }\nstrategy = "abort"\n',
        '[[rules]]\nid = "r"\nstrategy = "abort"\nschema.properties.commit.properties.message.pattern = "^(a|aa)*"\n',
        '[[rules]]\nid = "r"\nstrategy = "abort"\nschema.unevaluatedProperties = true\n',
        '[[rules]]\nid = "r"\nstrategy = "abort"\nschema.properties.commit.properties.committer_name.minLength = 1\n',
    ],
)
def test_what_is_dear_to_know_is_not_remembered(hook: Hook, rules: str) -> None:
    hook.write_rules(rules)
    hook.age()
    says("aa\n")(hook)
    assert hook.gate("commit-msg") == 0
    assert not os.path.exists(quick.path(os.path.join(hook.repo.path, ".git")))


def test_what_was_changed_a_moment_ago_is_not_remembered(hook: Hook) -> None:
    """It may change again within the grain of its time."""
    assert hook.gate("commit-msg") == 0
    assert not os.path.exists(quick.path(os.path.join(hook.repo.path, ".git")))


def test_a_policy_that_was_moved_into_place_meanwhile_is_not_taken_for_the_one_that_was_read(
    hook: Hook, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its time is an old one; only that its inode changed is new."""
    hook.age()
    prepared, write = Path(hook.repo.path, ".git/prepared.toml"), remembered.write
    prepared.write_text(RULES.replace("{1,40}", "{1,5}"))
    os.utime(prepared, (0, 0))

    def late(*arguments: Any) -> None:
        prepared.rename(Path(hook.repo.path, ".git/rules.toml"))
        write(*arguments)

    monkeypatch.setattr(remembered, "write", late)
    assert hook.gate("commit-msg") == 0
    assert hook.quick("commit-msg") is None
    assert hook.gate("commit-msg") == 1


def test_another_installation_has_its_own_files(hook: Hook, monkeypatch: pytest.MonkeyPatch) -> None:
    hook.remember()
    monkeypatch.setattr(quick, "__file__", "/elsewhere/mgit_hooks/gatekeeper/quick.py")
    assert hook.quick("commit-msg") is None


def test_outside_of_a_commit_the_verdict_has_a_tree(hook: Hook, monkeypatch: pytest.MonkeyPatch) -> None:
    """As under ``git hook run pre-commit``."""
    hook.remember()
    monkeypatch.delenv("GIT_INDEX_FILE")
    assert hook.quick("pre-commit") is None


def test_a_message_in_a_pipe_holds_nobody_up(hook: Hook, capsys: pytest.CaptureFixture[str]) -> None:
    hook.remember()
    os.unlink(hook.message)
    os.mkfifo(hook.message)
    assert hook.quick("commit-msg") is None
    assert hook.gate("commit-msg") == 1
    assert f"git stops here: there is no file {hook.message}" in capsys.readouterr().err


PROBE = """
import sys
sys.argv = sys.argv[1:]
sys.path[:0] = [{root!r}]
from mgit_hooks import boot
print(boot.main(sys.argv), *sorted(sys.modules))
"""


@pytest.mark.parametrize("each", quick.STAGES)
def test_it_loads_nothing_dear(hook: Hook, each: str) -> None:
    command = [
        sys.executable,
        "-I",
        "-S",
        "-c",
        PROBE.format(root=str(ROOT)),
        "gate",
        each,
        hook.git,
        "--",
        hook.message,
    ]
    hook.write_rules(RULES.partition("[[rules]]\nuse")[0])
    hook.age()
    for _ in range(2):  # by another interpreter's command line: remembered anew
        done = subprocess.run(command, cwd=hook.repo.path, capture_output=True, text=True, check=True)
    code, *modules = done.stdout.split()
    assert code == "0"
    dear = {"typing", "re", "json", "enum", "functools", "collections", "contextlib", "datetime", "tomllib", "pygit2"}
    ours = {name for name in modules if name.startswith("mgit_hooks")}
    assert set(modules) & dear == set()
    assert "mgit_hooks.gatekeeper.gate" not in ours
    assert len(ours) <= 20


def test_a_real_commit_goes_by_it(hook: Hook, tmp_path: Path) -> None:
    log = tmp_path / "log"
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} -X importtime "$@" 2>>{log}\n')
    python.chmod(0o755)
    install(locate(hook.repo.path), python=str(python), boot=boot_path())
    for name in ("post-commit", "post-checkout", "post-merge", "post-rewrite"):
        Path(hook.repo.path, ".git/hooks", name).unlink()
    environment = {
        k: v for k, v in os.environ.items() if k not in ("GIT_INDEX_FILE", "MGIT_GATE_WAS", "GIT_AUTHOR_DATE")
    }
    loaded = []
    hook.age()
    for number in range(3):
        log.write_text("")
        hook.repo.write("a", f"{number}\n")
        subprocess.run(["git", "commit", "-q", "-a", "-m", f"Subject {number}"], env=environment, check=True)
        loaded.append("mgit_hooks.gatekeeper.gate\n" in log.read_text())
    assert loaded == [True, False, False]
    said = [json.loads(line.split("\t")[6]) for line in hook.spool()]
    assert [(each["stage"], each["status"]) for each in said] == [
        ("pre-commit", "passed"),
        ("commit-msg", "passed"),
    ] * 3
    assert said[-1]["tree"] == hook.repo.git("rev-parse", "HEAD^{tree}")
