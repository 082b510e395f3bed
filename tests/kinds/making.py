"""A repository of each kind, as git itself makes it, with a history in it that has something of everything."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from conftest import Repo


class Kind(NamedTuple):
    """``make`` gives a repository with a worktree and an ``origin``. ``library``: libgit2 reads it as well."""

    make: Callable[[Path], Repo]
    library: bool = True
    second_git: bool = False


def run(*args: object, **env: str) -> str:
    done = subprocess.run([*map(str, args)], capture_output=True, env={**os.environ, **env})
    assert done.returncode == 0, f"{args}: {done.stderr.decode()}"
    return os.fsdecode(done.stdout).rstrip("\n")


def filled(path: Path, *init: str) -> Repo:
    """A repository with files in folders, a rename, a mode, a link, a binary file, a merge and two tags."""
    run("git", "init", "-q", "-b", "main", *init, path)
    repo = Repo(path)
    text = "".join(f"line {number}\n" for number in range(40))
    repo.commit("First", {"README": "hello\n", "src/main.c": text, "src/deep/er/x.c": "x\n", "doc/a.txt": "a\n"})
    repo.git("mv", "src/main.c", "src/app.c")
    repo.commit("Move it", {"src/app.c": text + "and one more\n"})
    os.symlink("README", path / "link")
    repo.commit("A link, a binary file", {"bin/data": b"\0\1\2" * 400})
    (path / "doc/a.txt").chmod(0o755)
    repo.commit("A mode")
    repo.git("checkout", "-q", "-b", "side", "HEAD~2")
    repo.commit("On the side", {"side/s.txt": "s\n", "src/app.c": text + "otherwise\n"})
    repo.git("checkout", "-q", "main")
    repo.git("merge", "-q", "-X", "ours", "-m", "Merge the side", "side")
    repo.git("tag", "light")
    repo.git("tag", "-a", "-m", "Heavy", "heavy")
    repo.commit("Last", {"README": "hello again\n"})
    return repo


def with_origin(repo: Repo, folder: Path, *init: str) -> Repo:
    run("git", "init", "-q", "--bare", "-b", "main", *init, folder / "origin.git")
    repo.git("remote", "add", "origin", str(folder / "origin.git"))
    repo.git("push", "-q", "-u", "origin", "main", "side", "--tags")
    return repo


def formatted(*init: str) -> Callable[[Path], Repo]:
    def make(folder: Path) -> Repo:
        return with_origin(filled(folder / "repo", *init), folder, *(i for i in init if i.startswith("--object")))

    return make


def cloned(*options: str) -> Callable[[Path], Repo]:
    """A clone, with these options, of a repository that lets itself be filtered."""

    def make(folder: Path) -> Repo:
        source = filled(folder / "source")
        run("git", "clone", "-q", "--bare", source.path, folder / "origin.git")
        for setting in ("uploadpack.allowFilter", "uploadpack.allowAnySHA1InWant"):
            run("git", "-C", folder / "origin.git", "config", setting, "true")
        run("git", "clone", "-q", *options, f"file://{folder}/origin.git", folder / "repo")
        return Repo(folder / "repo")

    return make


def alternates(folder: Path) -> Repo:
    source = filled(folder / "source")
    run("git", "clone", "-q", "--bare", source.path, folder / "origin.git")
    run("git", "clone", "-q", "--shared", folder / "origin.git", folder / "repo")
    return Repo(folder / "repo")


def changed(*commands: tuple[str, ...]) -> Callable[[Path], Repo]:
    def make(folder: Path) -> Repo:
        repo = formatted()(folder)
        for command in commands:
            repo.git(*command)
        return repo

    return make


def fsmonitor(folder: Path) -> Repo:
    """With a monitor that says that anything may have changed (githooks(5), fsmonitor-watchman, version 2)."""
    repo = formatted()(folder)
    monitor = folder / "monitor"
    monitor.write_text("#!/bin/sh\nprintf 'token\\0/\\0'\n")
    monitor.chmod(0o755)
    repo.git("config", "core.fsmonitor", str(monitor))
    repo.git("update-index", "--fsmonitor")
    return repo


def replaced(folder: Path) -> Repo:
    """A commit and a blob that others stand in for."""
    repo = formatted()(folder)
    other = repo.git("commit-tree", "-m", "Nobody made this", "HEAD^{tree}")
    repo.git("replace", "HEAD~1", other)
    repo.git("replace", "-f", "HEAD:README", repo.git("hash-object", "-w", "--stdin", stdin=b"not what it says\n"))
    return repo


def grafted(folder: Path) -> Repo:
    repo = formatted()(folder)
    tip, older = repo.git("rev-parse", "HEAD", "HEAD~3").split()
    info = Path(repo.path, ".git", "info")
    info.mkdir(exist_ok=True)
    (info / "grafts").write_text(f"{tip} {older}\n")
    return repo


def superproject(folder: Path) -> Repo:
    filled(folder / "library")
    repo = formatted()(folder)
    repo.git("submodule", "--quiet", "add", str(folder / "library"), "lib")
    repo.git("commit", "-q", "-m", "Use a library")
    return repo


def submodule(folder: Path) -> Repo:
    outer = folder / "outer"
    outer.mkdir()
    library = with_origin(filled(folder / "library"), folder)
    whole = superproject_of(outer, library)
    inner = Repo(Path(whole.path, "lib"))
    inner.git("remote", "set-url", "origin", str(folder / "origin.git"))
    inner.git("fetch", "-q")
    return inner


def superproject_of(folder: Path, library: Repo) -> Repo:
    repo = filled(folder / "whole")
    repo.git("submodule", "--quiet", "add", library.path, "lib")
    repo.git("commit", "-q", "-m", "Use a library")
    return repo


def separate(folder: Path) -> Repo:
    return formatted("--separate-git-dir", str(folder / "elsewhere"))(folder)


def worktree(folder: Path) -> Repo:
    repo = formatted()(folder)
    repo.git("worktree", "add", "-q", "-b", "linked", str(folder / "linked"))
    return Repo(folder / "linked")


SHA256 = "--object-format=sha256"
REFTABLE = "--ref-format=reftable"
KINDS = {
    "plain": Kind(formatted()),
    "sha256": Kind(formatted(SHA256), library=False),
    "reftable": Kind(formatted(REFTABLE), library=False, second_git=True),
    "reftable-sha256": Kind(formatted(REFTABLE, SHA256), library=False, second_git=True),
    "newer-git": Kind(formatted(), second_git=True),
    "partial": Kind(cloned("--filter=blob:none")),
    "treeless": Kind(cloned("--filter=tree:0")),
    "partial-newer-git": Kind(cloned("--filter=blob:none"), second_git=True),
    "shallow": Kind(cloned("--depth=2", "--no-single-branch")),
    "sparse": Kind(changed(("sparse-checkout", "set", "--cone", "src"))),
    "sparse-index": Kind(changed(("sparse-checkout", "set", "--cone", "--sparse-index", "src"))),
    "split-index": Kind(changed(("config", "core.splitIndex", "true"), ("update-index", "--split-index"))),
    "fsmonitor": Kind(fsmonitor),
    "alternates": Kind(alternates),
    "replaced": Kind(replaced),
    "grafted": Kind(grafted),
    "superproject": Kind(superproject),
    "submodule": Kind(submodule),
    "separate-git-dir": Kind(separate),
    "worktree": Kind(worktree),
}
