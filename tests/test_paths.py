"""Folders of any name, wherever a path is used: the record is made, and says the right repository and worktree."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from conftest import Repo
from gated import RULES
from recording import records
from reliability import Tally

from mgit_hooks.git import gitfiles
from mgit_hooks.installer import stubs
from mgit_hooks.installer.install import boot_path, install
from mgit_hooks.layout import locate
from mgit_hooks.record import Record
from mgit_hooks.recorder.drain import drain

NAMES = {
    "spaces": " a  b ",
    "quotes": 'it\'s "quoted"',
    "backslashes": "back\\slash\\n\\",
    "shell": "$HOME`id`$(id);&|<>*?[x]#~!{a,b}=",
    "newlines": "new\nline\n\nand more",
    "tab": "tab\tbed",
    "bytes": b"\xff\xfe \x80".decode("utf-8", "surrogateescape"),
    "dash": "-rf",
    "two dashes": "--git-dir=x",
    "long": "long" * 60,
    "composed": "\N{LATIN SMALL LETTER E WITH ACUTE}",
    "decomposed": "e\N{COMBINING ACUTE ACCENT}",
    "percent": "%25%0A%s%(prefix)",
    "control": "\x1b[31mred\x07",
    "lines of Unicode": "a\N{LINE SEPARATOR}b\N{NEXT LINE}c",
    "git": "x.git",
}
NAMES["all at once"] = "".join(("-", NAMES["shell"], NAMES["quotes"], "\n", NAMES["bytes"], " %09\t\\"))


class Place:
    """A folder of tests in which each path goes by the odd name, or only by a plain one."""

    def __init__(self, top: Path, name: str, bench: dict[str, Path]) -> None:
        self.top = top
        self.name = name
        self.bench = bench

    def path(self, prefix: str = "") -> Path:
        return self.top / f"{prefix}{self.name}"

    def new(self, path: Path, *options: str) -> Repo:
        subprocess.run(["git", "init", "-q", "-b", "main", *options, "--", str(path)], check=True, cwd=self.top)
        return Repo(path)

    def install(self, repo: Repo, asked_for: tuple[str, ...] = ()) -> None:
        python, boot = str(self.bench["python"]), str(self.bench["boot"])
        install(locate(repo.path), python=python, boot=boot, asked_for=asked_for)


def wait_for(*command: str, cwd: str, **env: str) -> None:
    """Run it to its end and its drain's: that holds this pipe open while it runs."""
    ended, held = os.pipe()
    done = subprocess.run(command, cwd=cwd, env={**os.environ, **env}, capture_output=True, pass_fds=(held,))
    os.close(held)
    with open(ended, "rb") as pipe:
        pipe.read()
    assert done.returncode == 0, done
    assert done.stderr == b"", done.stderr  # a stub would complain here


def commit(repo: Repo, **env: str) -> None:
    wait_for("git", "commit", "-q", "--allow-empty", "-m", "Change", cwd=repo.path, **env)


def newest(repo: Repo) -> Record:
    """The record of HEAD's commit, which a drain in the background has made: nothing here drains."""
    head = repo.git("rev-parse", "HEAD")
    found = [each for each in records(locate(repo.path).journal_dir) if each.commit and each.commit.hash == head]
    assert len(found) == 1
    assert (found[0].event, found[0].source) == ("commit", "hook")
    return found[0]


# Where the name stands. Each gives a repository in which a commit was made and recorded, and what its record is to say
# of repository and worktree.


def repository(place: Place) -> tuple[Repo, str, str]:
    repo = place.new(place.path())
    place.install(repo)
    commit(repo)
    return repo, place.name, "main-worktree"


def hooks_path(place: Place) -> tuple[Repo, str, str]:
    repo = place.new(place.top / "plain")
    place.path("hooks").mkdir()
    repo.git("config", "core.hooksPath", str(place.path("hooks")))
    place.install(repo)
    assert (place.path("hooks") / "post-commit").exists()
    commit(repo)
    return repo, "plain", "main-worktree"


def relative_hooks_path(place: Place) -> tuple[Repo, str, str]:
    repo = place.new(place.path())
    repo.git("config", "core.hooksPath", f".git/{place.name}")
    place.install(repo)
    assert Path(repo.path, ".git", place.name, "post-commit").exists()
    commit(repo)
    return repo, place.name, "main-worktree"


def worktree(place: Place) -> tuple[Repo, str, str]:
    """The name of a worktree is git's own making."""
    repo = place.new(place.path())
    place.install(repo)
    commit(repo)
    wait_for("git", "worktree", "add", "-q", "-b", "side", "--", str(place.path("tree")), cwd=repo.path)
    linked = Repo(place.path("tree"))
    commit(linked)
    git_dir = linked.git("rev-parse", "--absolute-git-dir")
    return linked, place.name, f"worktrees/{os.path.basename(git_dir)}"


def of_a_bare_one(place: Place) -> tuple[Repo, str, str]:
    bare = place.new(place.path("bare"), "--bare")
    tree = bare.git("mktree", stdin=b"")
    bare.git("update-ref", "refs/heads/side", bare.git("commit-tree", tree, "-m", "Begin"))
    wait_for("git", "worktree", "add", "-q", "--", str(place.path("tree")), "side", cwd=bare.path)
    linked = Repo(place.path("tree"))
    place.install(linked)
    commit(linked)
    return (
        linked,
        place.path("bare").name,
        f"worktrees/{os.path.basename(linked.git('rev-parse', '--absolute-git-dir'))}",
    )


def through_a_link(place: Place) -> tuple[Repo, str, str]:
    """As /tmp on macOS, which is /private/tmp."""
    (place.top / "private").mkdir()
    (place.top / "tmp").symlink_to(place.top / "private")
    repo = place.new(place.top / "tmp" / place.name)
    place.install(repo)
    commit(repo)
    real = Repo(place.top / "private" / place.name)
    assert locate(real.path) == locate(repo.path)
    return real, place.name, "main-worktree"


def separate(place: Place) -> tuple[Repo, str, str]:
    repo = place.new(place.path("tree"), f"--separate-git-dir={place.path('dir')}")
    place.install(repo)
    commit(repo)
    return repo, place.path("tree").name, "main-worktree"


def git_dir(place: Place) -> tuple[Repo, str, str]:
    """Both by variables, from elsewhere."""
    repo = place.new(place.path("tree"), f"--separate-git-dir={place.path('dir')}")
    place.install(repo)
    wait_for(
        "git", "commit", "-q", "--allow-empty", "-m", "Change", cwd=str(place.top),
        GIT_DIR=str(place.path("dir")), GIT_WORK_TREE=str(place.path("tree")),
    )  # fmt: skip
    return repo, place.path("tree").name, "main-worktree"


def submodule(place: Place) -> tuple[Repo, str, str]:
    inner = place.new(place.top / "inner")
    inner.commit()
    outer = place.new(place.path("outer"))
    outer.git("submodule", "--quiet", "add", "--name", f"s/{place.name}", "--", inner.path, place.path("sub").name)
    sub = Repo(Path(outer.path, place.path("sub").name))
    place.install(sub)
    commit(sub)
    return sub, place.path("sub").name, "main-worktree"


SCENES: dict[str, Callable[[Place], tuple[Repo, str, str]]] = {
    each.__name__: each
    for each in (
        repository,
        hooks_path,
        relative_hooks_path,
        worktree,
        of_a_bare_one,
        through_a_link,
        separate,
        git_dir,
        submodule,
    )
}
# git names the folder of a submodule's repository after it, and wants its configuration to be text without controls.
NO_SUBMODULE = {"newlines", "control", "all at once"}


@pytest.fixture
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """HOME, TMPDIR, the interpreter's folder and ours go by the name as well."""
    name = NAMES[request.param]
    home = tmp_path / "homes" / name
    programs, package = tmp_path / "venvs" / name / "bin", tmp_path / "venvs" / name / "lib"
    for folder in (home, tmp_path / "scratch" / name, programs, package, tmp_path / "work"):
        folder.mkdir(parents=True)
    (home / ".gitconfig").write_text(Path(os.environ["GIT_CONFIG_GLOBAL"]).read_text())
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(home / ".gitconfig"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / ".config"))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "scratch" / name))
    python = programs / "python"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    for part in ("mgit_hooks", "hooks", "schemas"):
        (package / part).symlink_to(Path(boot_path()).parent.parent / part)
    bench = {"python": python, "boot": package / "mgit_hooks" / "boot.py"}
    return Place(tmp_path / "work", name, bench)


def is_recorded(place: Place, scene: str) -> None:
    repo, name, where = SCENES[scene](place)
    record = newest(repo)
    assert (record.repository_name, record.worktree) == (name.removesuffix(".git"), where)
    assert record.gate.status == "none"  # nobody has set a policy: where the flag cannot tell, Python does


def some() -> list[Any]:
    """Each name in one scene, each scene with two names, and the worst one in all."""
    names = [name for name in NAMES if name != "all at once"]
    pairs = [(name, list(SCENES)[at % len(SCENES)]) for at, name in enumerate(names)]
    pairs += [("all at once", scene) for scene in SCENES]
    return [pytest.param(*pair, id="-".join(pair)) for pair in pairs if possible(*pair)]


def possible(name: str, scene: str) -> bool:
    return not (scene == "submodule" and name in NO_SUBMODULE)


@pytest.mark.parametrize(("place", "scene"), some(), indirect=["place"])
def test_a_commit_is_on_record(place: Place, scene: str) -> None:
    is_recorded(place, scene)


@pytest.mark.full
@pytest.mark.parametrize(
    ("place", "scene"), [pair for pair in product(NAMES, SCENES) if possible(*pair)], indirect=["place"]
)
def test_a_commit_is_on_record_full(place: Place, scene: str, tally: Tally) -> None:
    """Each name in each scene."""
    tally.cases += 1
    is_recorded(place, scene)


# Every command


COMMANDS: tuple[tuple[str, ...], ...] = (
    ("init",), ("install",), ("status",), ("doctor",), ("log",), ("show", "HEAD"), ("verify",), ("repair",),
    ("repair", "--records"), ("backfill",), ("drain",), ("compact",), ("config", "--show-origin"), ("anchor",),
    ("verify", "--anchor"), ("check", "--require-gate", "HEAD^.."), ("export",), ("checkpoint", "--to", "{}/kept"),
    ("checkpoint", "--list"), ("restore",), ("export", "--bundle", "-o", "{}/bundle"),
    ("restore", "--force", "--from", "{}/bundle"), ("import", "--dry-run", "{}/bundle"),
    ("erase", "HEAD", "--reason", "{}"), ("archive", "{}/archive", "--keep-newer", "1d"), ("uninstall",),
)  # fmt: skip
CONTROLS = {*range(9), *range(11, 32), 127, *range(0x80, 0xA0), *range(0xDC80, 0xDD00)}


@pytest.mark.parametrize("place", ["all at once"], indirect=True)
@pytest.mark.parametrize("options", [(), ("--json",)], ids=["text", "json"])
def test_every_command(place: Place, mgit: Any, options: tuple[str, ...]) -> None:
    """Each ends well; what it prints is text that a terminal may have, or JSON."""
    repo = place.new(place.path())
    repo.commit("One", {"a": "1\n"})
    place.install(repo)
    commit(repo)
    elsewhere = place.path("elsewhere")
    elsewhere.mkdir()
    wrong: list[Any] = []
    printed: list[Any] = []
    for command in COMMANDS:
        told = mgit("-C", repo.path, *(word.replace("{}", str(elsewhere)) for word in command), *options)
        if told.code:
            wrong.append((command, told.code, told.err))
        if options:
            printed += [json.loads(line) for line in told.raw.decode().split("\n")[:-1]]
        if CONTROLS & set(map(ord, told.err if options else told.out + told.err)):
            wrong.append((command, told.out, told.err))
    assert wrong == []
    assert not options or len(printed) >= len(COMMANDS)


@pytest.mark.parametrize("place", ["all at once"], indirect=True)
def test_every_stub(place: Place) -> None:
    """Each hook of ours, by the command of git's that runs it; what was refused, pushed and received."""
    bare, repo = place.new(place.path("bare"), "--bare"), place.new(place.path())
    for each, asked_for in ((bare, stubs.SERVER), (repo, ("reference-transaction",))):
        place.install(each, asked_for)
        drain(locate(each.path), wait=60.0)
        Path(locate(each.path).mgit_dir, "draining").write_text(str(os.getpid()))  # no drain but the ones below
    rules = place.path("rules")
    rules.write_text(RULES)
    repo.git("config", "mgit.rules", str(rules))
    refused = repo.run("commit", "-q", "--allow-empty", "-m", "much too long for the rule", check=False)
    assert (refused.returncode, b"Keep it short." in refused.stderr) == (1, True)
    repo.commit("One", {"one": "1\n"})
    repo.git("checkout", "-q", "-b", "side")
    repo.commit("Two", {"two": "2\n"})
    patch = repo.run("format-patch", "--stdout", "-1").stdout
    repo.git("commit", "-q", "--amend", "-m", "Two more")
    repo.git("checkout", "-q", "main")
    repo.git("merge", "-q", "--no-ff", "-m", "Merge", "side")
    repo.git("checkout", "-q", "-b", "mail", "HEAD^")
    # Within the second in which "Two" was made it would be that very commit.
    repo.git("am", "-q", stdin=patch, GIT_COMMITTER_DATE="@2000000000 +0000")
    pushed = repo.run("push", "-q", bare.path, "main", "mail")
    assert b"mgit-hooks" not in pushed.stderr
    found = []
    for each in (repo, bare):
        assert not drain(locate(each.path), wait=60.0).busy
        found.append(records(locate(each.path).journal_dir))
    here, there = found
    made = {record.event: record for record in here}
    assert {"refused", "commit", "amend", "merge", "am", "checkout", "push"} <= set(made)
    assert [record.gate.status for record in here if record.commit and record.event != "refused"] == ["passed"] * 4 + [
        made["am"].gate.status
    ]
    assert made["push"].push is not None
    assert made["push"].push.remote_url == bare.path
    received = [record for record in there if record.event == "push"]
    assert [len(record.push.refs) for record in received if record.push is not None] == [2]
    assert {record.repository_name for record in here + there} == {place.name, place.path("bare").name}


# Other systems, as far as they can be seen from here


ON_A_DRIVE = "C:\\Users\\Ada Lovelace\\it's $venv\\Scripts\\python.exe"
ON_A_SERVER = "\\\\server\\share\\new\\python.exe"


def test_an_interpreter_of_windows_is_started_by_the_path_it_has(repo: Repo, tmp_path: Path) -> None:
    """A POSIX sh takes it for the name of a file below the folder that a hook runs in."""
    told, found = tmp_path / "told", ON_A_DRIVE.replace("\\", "/")
    for path, text in ((found, f'#!/bin/sh\nprintf "%s\\n" "$0" "$@" >"{told}"\n'), (f"{found}.py", "")):
        repo.write(path, text)
        Path(repo.path, path).chmod(0o755)
    install(locate(repo.path))
    stub = Path(repo.path, ".git/hooks/post-commit")
    stub.write_bytes(stubs.assemble("post-commit", ON_A_DRIVE, f"{ON_A_DRIVE}.py", windows=True))
    Path(repo.path, ".git/hooks/pre-commit").unlink()
    wait_for("git", "commit", "-q", "--allow-empty", "-m", "One", cwd=repo.path)
    name, *arguments = told.read_text().split("\n")
    assert name.removeprefix("./") == found
    assert arguments[:5] == ["-I", f"{found}.py", "drain", "--background", "--git-dir"]


def test_what_is_a_path_with_slashes_for_windows_alone() -> None:
    there = stubs.assemble("post-commit", ON_A_SERVER, ON_A_SERVER, windows=True)
    assert stubs.paths(there) == ("//server/share/new/python.exe",) * 2
    here = stubs.assemble("post-commit", ON_A_SERVER, ON_A_SERVER, windows=False)
    assert stubs.paths(here) == (ON_A_SERVER, ON_A_SERVER)


def with_crlf(path: Path) -> None:
    path.write_bytes(path.read_bytes().rstrip(b"\n") + b"\r\n")


@pytest.mark.parametrize("place", ["spaces"], indirect=True)
def test_files_of_git_that_end_as_on_windows(place: Place) -> None:
    """git leaves out what ends a line there (setup.c, read_gitfile_gently and get_common_dir_noenv)."""
    repo = place.new(place.path("tree"), f"--separate-git-dir={place.path('dir')}")
    place.install(repo)
    with_crlf(Path(repo.path, ".git"))
    commit(repo)
    assert newest(repo).repository_name == place.path("tree").name
    wait_for("git", "worktree", "add", "-q", "-b", "side", "--", str(place.path("linked")), cwd=repo.path)
    linked = Repo(place.path("linked"))
    own = Path(linked.git("rev-parse", "--absolute-git-dir"))
    for each in (Path(linked.path, ".git"), own / "commondir", own / "gitdir"):
        with_crlf(each)
    commit(linked)
    assert newest(linked).worktree == f"worktrees/{own.name}"
    assert gitfiles.common_dir(str(own)) == str(place.path("dir"))
    assert gitfiles.linked_worktree(str(own)) == linked.path


def test_a_git_directory_on_a_drive(tmp_path: Path) -> None:
    """The stub alone: no git here follows such a path. It is the shell of git for Windows that knows drives."""
    worktree = tmp_path / "work"
    (worktree / "C:/Users/Ada Lovelace/r.git/mgit/spool").mkdir(parents=True)
    (worktree / "C:/Users/Ada Lovelace/r.git/objects").mkdir()
    (worktree / ".git").write_text("gitdir: C:/Users/Ada Lovelace/r.git\n")
    stub = tmp_path / "post-checkout"
    stub.write_bytes(stubs.assemble("post-checkout", "/nothing/here", "/nothing/here"))
    (tmp_path / "git").write_text("#!/bin/sh\nexit 1\n")  # whom the stub might ask
    (tmp_path / "git").chmod(0o755)
    env = {**os.environ, "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}
    subprocess.run(["/bin/sh", str(stub), "0" * 40, "0" * 40, "1"], cwd=worktree, env=env, capture_output=True)
    spooled = worktree / "C:/Users/Ada Lovelace/r.git/mgit/spool/now"
    assert spooled.read_text().count("\n") == 1


def test_a_branch_and_a_worktree_whose_names_would_end_a_line(repo: Repo, mgit: Any, tmp_path: Path) -> None:
    """What leads to a commit: a ref's name may hold what ends a line in Unicode, a worktree's folder a newline."""
    oid = repo.commit("One")
    branch = f"b{NAMES['lines of Unicode']}"
    repo.git("branch", branch)
    repo.git("checkout", "-q", "-b", "gone")
    gone = repo.commit("Two")
    assert mgit("-C", repo.path, "backfill").code == 0
    repo.git("checkout", "-q", "main")
    repo.git("branch", "-q", "-D", "gone")
    repo.git("worktree", "add", "-q", "--detach", str(tmp_path / f"tree\nHEAD {gone}"))
    ((told,), (other,)) = (mgit("-C", repo.path, "log", "--json", "--rewrites", each).json for each in (oid, gone))
    assert (told["on"], other["on"]) == ([f"refs/heads/{branch}", "refs/heads/main"], [])


def test_a_path_that_is_too_long_for_sqlite(tmp_path: Path, mgit: Any) -> None:
    deep = tmp_path / Path(*["d" * 200] * 3)
    deep.mkdir(parents=True)
    repo = Repo(deep)
    repo.git("init", "-q", "-b", "main")
    repo.commit("one")
    assert mgit("-C", repo.path, "init", "-q").code == 0
    repo.commit("two")
    for _ in range(2):
        told = mgit("-C", repo.path, "log", "--json")
        assert [record["event"] for record in told.json] == ["commit", "import", "snapshot"]
    assert mgit("-C", repo.path, "verify").code == 0
