"""What a hook can know of the commit to be: files, tree and parents, from the index that git names."""

from __future__ import annotations

import os
import random
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mgit_hooks.capture.capturer import Capturer, Staged
from mgit_hooks.record import Oid

if TYPE_CHECKING:
    from conftest import Repo


def staged(repo: Repo, **environment: str) -> Staged:
    return Capturer(repo.git("rev-parse", "--absolute-git-dir")).staged(environment)


def shown(found: Staged) -> list[tuple[str, str]]:
    return [(change.index_status, change.filename) for change in found.files]


def test_unborn_branch(repo: Repo) -> None:
    assert staged(repo) == Staged((), Oid("4b825dc642cb6eb9a060e54bf8d69288fbee4904"), ())
    repo.write("d/a", "1\n")
    repo.git("add", ".")
    found = staged(repo)
    assert (found.parents, found.tree, shown(found)) == ((), repo.git("write-tree"), [("A", "d/a")])
    assert found.files[0].additions == 1


def test_equal_to_the_commit_that_follows(repo: Repo) -> None:
    repo.commit("One", {"a": "1\n2\n3\n4\n", "b/c": "x\n", "gone/deep/file": "y\n"})
    repo.git("mv", "a", "moved")
    repo.git("rm", "-q", "gone/deep/file")
    repo.write("moved", "1\n2\n3\nfour\n")
    repo.git("add", ".")
    found = staged(repo)
    git_dir = repo.git("rev-parse", "--absolute-git-dir")
    commit = Capturer(git_dir).commit(Oid(repo.commit("Two")))
    assert (found.parents, found.tree, found.files) == (commit.parents, commit.tree, commit.files)


def test_nothing_is_written(repo: Repo) -> None:
    repo.commit("One", {"a": "1\n"})
    repo.write("d/new", "2\n")
    repo.git("add", ".")
    before = repo.git("count-objects", "-v")
    assert staged(repo).tree is not None
    assert repo.git("count-objects", "-v") == before


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((), [("M", "staged")]),
        (("-a",), [("M", "both"), ("M", "staged"), ("M", "unstaged")]),
        (("unstaged",), [("M", "unstaged")]),
        (("-i", "unstaged"), [("M", "staged"), ("M", "unstaged")]),
    ],
)
def test_index_that_git_names(
    repo: Repo, tmp_path: Path, arguments: tuple[str, ...], expected: list[tuple[str, str]]
) -> None:
    """`commit -a` and `commit PATH` put another index in place; seen from inside the real hook."""
    repo.commit("One", dict.fromkeys(("staged", "unstaged", "both"), "1\n"))
    repo.write("staged", "2\n")
    repo.git("add", "staged")
    for path in ("unstaged", "both"):
        repo.write(path, "2\n")
    if arguments[:1] != ("-a",):
        repo.git("checkout", "-q", "both")
    hook = Path(repo.path, ".git/hooks/pre-commit")
    hook.parent.mkdir(exist_ok=True)
    seen = tmp_path / "seen"
    hook.write_text(f'#!/bin/sh\ncp "$GIT_INDEX_FILE" "{seen}"; printf %s "$GIT_INDEX_FILE" >"{seen}.name"\n')
    hook.chmod(hook.stat().st_mode | stat.S_IXUSR)
    capturer = Capturer(repo.git("rev-parse", "--absolute-git-dir"))
    parent = repo.git("rev-parse", "HEAD")
    repo.git("commit", "-q", "-m", "Two", *arguments)
    tree = repo.git("rev-parse", "HEAD^{tree}")
    named = (tmp_path / "seen.name").read_text()
    # Put the scene back: the hook's moment, with git's own name for the index.
    repo.git("update-ref", "refs/heads/main", parent)
    target = os.path.join(repo.path, named)
    os.replace(seen, target)
    found = capturer.staged({"GIT_INDEX_FILE": named})
    assert shown(found) == expected
    assert found.tree == tree


def test_merge_has_two_parents(repo: Repo) -> None:
    repo.commit("One", {"a": "1\n"})
    repo.git("checkout", "-q", "-b", "side")
    side = repo.commit("Two", {"b": "2\n"})
    repo.git("checkout", "-q", "main")
    main = repo.commit("Three", {"c": "3\n"})
    repo.git("merge", "-q", "--no-commit", "side")
    found = staged(repo)
    assert (found.parents, found.tree, shown(found)) == ((main, side), repo.git("write-tree"), [("A", "b")])


def test_unmerged_index_has_no_tree(repo: Repo) -> None:
    repo.commit("One", {"a": "1\n"})
    repo.git("checkout", "-q", "-b", "side")
    repo.commit("Two", {"a": "2\n"})
    repo.git("checkout", "-q", "main")
    repo.commit("Three", {"a": "3\n"})
    repo.run("merge", "-q", "side", check=False)
    found = staged(repo)
    assert (found.tree, shown(found)) == (None, [("U", "a")])
    assert found.files[0].change_type == "unknown"


@pytest.mark.parametrize("version", ["2", "3", "4"])
def test_promised_files_are_not_staged(repo: Repo, version: str) -> None:
    repo.commit("One", {"a": "1\n", "d/ab": "2\n", "d/ac": "3\n"})
    repo.git("update-index", "--index-version", version)
    repo.write("d/abc", "promised\n")
    repo.git("add", "-N", "d/abc")
    repo.write("d/abd", "")
    repo.git("add", "d/abd")
    found = staged(repo)
    assert (shown(found), found.tree) == ([("A", "d/abd")], repo.git("write-tree"))


def test_promised_file_on_an_unborn_branch(repo: Repo) -> None:
    repo.write("a", "")
    repo.git("add", "-N", "a")
    assert shown(staged(repo)) == []


@pytest.mark.parametrize("kind", ["split", "sparse"])
def test_index_that_libgit2_cannot_read(repo: Repo, kind: str) -> None:
    """It alone is asked of git."""
    repo.commit("One", {"a/b": "1\n", "c/d": "2\n"})
    if kind == "split":
        repo.git("update-index", "--split-index")
    else:
        repo.git("sparse-checkout", "set", "--cone", "--sparse-index", "a")
    repo.write("a/b", "2\n")
    repo.git("add", "a")
    found = staged(repo)
    assert (shown(found), found.tree) == ([("M", "a/b")], repo.git("write-tree"))


def test_linked_worktree_has_its_own_index(repo: Repo, tmp_path: Path) -> None:
    repo.commit("One", {"a": "1\n"})
    repo.git("worktree", "add", "-q", str(tmp_path / "wt"))
    (tmp_path / "wt" / "new").write_text("2\n")
    repo.git("-C", str(tmp_path / "wt"), "add", "new")
    assert shown(Capturer(os.path.join(repo.path, ".git/worktrees/wt")).staged({})) == [("A", "new")]
    assert shown(staged(repo)) == []


@pytest.mark.parametrize("seed", range(5))
def test_tree_of_any_index(repo: Repo, seed: int) -> None:
    """Files, folders, links and submodules that replace each other: the id that `git write-tree` gives."""
    rng = random.Random(seed)
    names = ["a", "a.b", "a-b", "a/b", "a/b/c", "a/b.c", "d/e", "d", "d/e/f", "z"]
    blob = repo.git("hash-object", "-w", "--stdin", stdin=b"content")
    for step in range(12):
        chosen: list[str] = []
        for name in rng.sample(names, k=rng.randint(0, 6)):
            if not any(name.startswith(f"{other}/") or other.startswith(f"{name}/") for other in chosen):
                chosen.append(name)
        modes = {name: rng.choice(["100644", "100755", "120000", "160000"]) for name in chosen}
        repo.git("read-tree", "--empty")
        listing = "".join(f"{mode} {blob if mode != '160000' else '1' * 40}\t{name}\n" for name, mode in modes.items())
        repo.git("update-index", "--index-info", stdin=listing.encode())
        tree = repo.git("write-tree")
        assert staged(repo).tree == tree, f"step {step}"
        repo.git("update-ref", "refs/heads/main", repo.git("commit-tree", "-m", "x", tree))
