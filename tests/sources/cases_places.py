"""Repositories that lie elsewhere than usual, and several in one."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from conftest import Repo
from recording import faults, records

from mgit_hooks.layout import locate
from mgit_hooks.recorder.drain import drain

from .oracle import Oracle, disagreements
from .scene import Scene, case


class Beside:
    """Another repository, recorded too, with an oracle of its own."""

    def __init__(self, w: Scene, path: str) -> None:
        self.w, self.path = w, path
        w.install(path)
        drain(locate(path), wait=60.0)
        self.oracle = Oracle(locate(path).common_dir)

    def made(self) -> list[str]:
        """``EVENT SOURCE SUBJECT`` of its commits; nothing may be wrong with it."""
        location = locate(self.path)
        self.oracle.look()
        drain(location, wait=60.0)
        found = records(location.journal_dir)
        wrong = disagreements(self.oracle, [record.to_json() for record in found])
        assert wrong == [], "\n".join(wrong)
        assert faults(location) == []
        return [f"{r.event} {r.source} {r.commit.message.strip()}" for r in found if r.commit is not None]


@case("`git worktree add`, `lock`, `move`, `prune`, `remove`", made="commit hook: there, there too")
def _(w: Scene) -> None:
    w.commit("one")
    w.begin()
    for name in ("linked", "other"):
        w.git("worktree", "add", "-q", "-b", name, str(w.folder / name))
    linked, moved = str(w.folder / "linked"), str(w.folder / "moved")
    w.git("-C", linked, "commit", "-q", "--allow-empty", "-m", "there")
    w.git("worktree", "lock", linked)
    w.git("worktree", "unlock", linked)
    w.git("worktree", "move", linked, moved)
    w.git("-C", moved, "commit", "-q", "--allow-empty", "-m", "there too")
    w.drain()
    w.git("worktree", "remove", moved)
    shutil.rmtree(w.folder / "other")
    w.git("worktree", "prune")


@case("a rebase in a linked worktree, with a branch that another one has", made="rebase hook: theirs, theirs too")
def _(w: Scene) -> None:
    w.fork()
    linked = str(w.folder / "linked")
    w.git("worktree", "add", "-q", linked, "topic")
    w.begin()
    w.git("-C", linked, "rebase", "-q", "main")


@case(
    "a superproject: `submodule add`, `update`, `absorbgitdirs`",
    made="commit hook: add it, move it",
    needs=("scripts",),
)
def _(w: Scene) -> None:
    w.commit("one")
    library = w.elsewhere("library")
    library.commit("of the library")
    w.begin()
    w.git("submodule", "--quiet", "add", library.path, "part")
    w.git("commit", "-q", "-m", "add it")
    inside = Beside(w, f"{w.path}/part")
    w.git("-C", "part", "commit", "-q", "--allow-empty", "-m", "in the submodule")
    w.git("add", "part")
    w.git("commit", "-q", "-m", "move it")
    assert inside.made() == ["commit hook in the submodule"]
    w.git("-C", "part", "checkout", "-q", "--detach", "HEAD~1")
    w.git("submodule", "--quiet", "update")
    assert inside.made() == ["commit hook in the submodule"]
    shutil.copytree(library.path, f"{w.path}/nested")
    w.git("submodule", "--quiet", "add", "./nested", "nested")
    w.git("submodule", "--quiet", "absorbgitdirs")
    w.git("reset", "-q", "--hard")


@case("`git commit` in a bare repository's worktree", made="commit hook: there; import fetch: theirs")
def _(w: Scene) -> None:
    w.commit("one")
    w.begin()
    bare = w.elsewhere("bare", bare=True)
    w.commit("there")
    beside = Beside(w, bare.path)
    bare.git("worktree", "add", "-q", "-b", "topic", str(w.folder / "linked"))
    linked = Repo(w.folder / "linked")
    linked.commit("theirs", {"theirs": "x"})
    assert beside.made() == ["commit hook theirs"]
    w.git("fetch", "-q", bare.path, "topic:refs/remotes/bare/topic")


@case("refs of a linked worktree alone: `refs/worktree/`, `refs/bisect/`", made="")
def _(w: Scene) -> None:
    w.commit("one")
    tree = str(w.folder / "tree")
    w.git("worktree", "add", "-q", "--detach", tree)
    w.begin()
    for name in ("refs/worktree/mine", "refs/bisect/bad"):
        w.git("-C", tree, "update-ref", name, "HEAD")
    assert "refs/worktree/mine" in w.git("-C", tree, "for-each-ref", "refs/worktree")


@case("a bare repository without reflogs: `update-ref`, `fetch`")
def _(w: Scene) -> None:
    w.commit("one")
    w.begin()
    bare = w.elsewhere("bare", bare=True)
    beside = Beside(w, bare.path)
    oid = bare.git("commit-tree", "-p", "main", "-m", "by hand", "main^{tree}")
    bare.git("update-ref", "refs/heads/main", oid)
    w.git("commit-tree", "-m", "x", "HEAD^{tree}")
    assert beside.made() == ["import reconcile by hand"]


@case("a repository without reflogs (`core.logAllRefUpdates=false`)", made="commit hook: two, three")
def _(w: Scene) -> None:
    w.git("config", "core.logAllRefUpdates", "false")
    shutil.rmtree(f"{w.location.common_dir}/logs", ignore_errors=True)
    w.begin()
    w.git("checkout", "-q", "-b", "fresh")
    w.commit("two")
    w.commit("three")


@case("`git clone --separate-git-dir`", made="")
def _(w: Scene) -> None:
    w.commit("one")
    w.begin()
    path = str(w.folder / "apart")
    w.git("clone", "-q", "--separate-git-dir", str(w.folder / "git dir"), w.path, path)
    beside = Beside(w, path)
    Repo(Path(path)).commit("apart")
    assert beside.made() == ["commit hook apart"]
    assert os.path.isdir(w.folder / "git dir" / "mgit" / "journal")


@case("`git clone`, in which nothing is ours")
def _(w: Scene) -> None:
    w.commit("one")
    w.begin()
    other = w.elsewhere()
    other.commit("theirs")
    assert not Path(other.path, ".git/mgit").exists()


@case("`GIT_DIR`, `GIT_WORK_TREE` and `GIT_INDEX_FILE` set by hand", made="commit hook: from outside")
def _(w: Scene) -> None:
    w.commit("one")
    w.begin()
    tree, index = w.folder / "a tree", w.folder / "an index"
    tree.mkdir()
    (tree / "file").write_text("elsewhere\n")
    env = {"GIT_DIR": f"{w.path}/.git", "GIT_WORK_TREE": str(tree), "GIT_INDEX_FILE": str(index)}
    outside = Repo(tree)
    outside.git("add", "file", **env)
    outside.git("commit", "-q", "-m", "from outside", **env)
    w.drain()


@case("`GIT_COMMON_DIR` set by hand", made="commit hook: linked")
def _(w: Scene) -> None:
    w.commit("one")
    w.git("worktree", "add", "-q", "-b", "linked", str(w.folder / "linked"))
    w.begin()
    env = {"GIT_DIR": f"{w.path}/.git/worktrees/linked", "GIT_COMMON_DIR": f"{w.path}/.git"}
    linked = Repo(w.folder / "linked")
    linked.git("commit", "-q", "--allow-empty", "-m", "linked", GIT_WORK_TREE=linked.path, **env)
    w.drain()


@case("`GIT_NAMESPACE`, pushed to", made="import reconcile: pushed")
def _(w: Scene) -> None:
    w.commit("one")
    other = w.elsewhere()
    other.commit("pushed")
    w.begin()
    other.git("push", "-q", "origin", "main:topic", GIT_NAMESPACE="apart")
    w.drain()


@case("a repository that was moved", made="commit hook: two")
def _(w: Scene) -> None:
    w.commit("one")
    w.begin()
    moved = str(w.folder / "moved")
    os.rename(w.path, moved)
    os.symlink(moved, w.path)
    w.commit("two")
    assert not w.records("adopted")


@case("a repository that was copied, journal and all", made="")
def _(w: Scene) -> None:
    w.commit("one")
    w.begin()
    copy = str(w.folder / "copy")
    shutil.copytree(w.path, copy, symlinks=True)
    Repo(Path(copy)).commit("in the copy")
    location = locate(copy)
    drain(location, wait=60.0)
    found = records(location.journal_dir)
    assert [r.event for r in found[-2:]] == ["adopted", "commit"]
    assert [r.commit.message for r in found if r.commit] == ["one\n", "in the copy\n"]
    assert faults(location) == []
