"""Git's own commands and libgit2 give one record, of every commit of every history."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import histories
import pytest
from test_histories import CHECKOUT, replayed, written

from kinds.both import Both
from mgit_hooks.errors import RepositoryError
from mgit_hooks.git.twin import Twin
from mgit_hooks.record import Oid

if TYPE_CHECKING:
    from conftest import Repo
    from reliability import Tally


def test_every_kind_of_change(tmp_path: Path) -> None:
    assert Both(written(histories.every_kind(), tmp_path / "kinds.git")).compare() > 45


@pytest.mark.parametrize("seed", range(3))
def test_renames(tmp_path: Path, seed: int) -> None:
    assert Both(written(histories.renames(seed), tmp_path / "renames.git")).compare() == 61


@pytest.mark.full
@pytest.mark.parametrize("seed", range(100, 160))
def test_many_renames(tmp_path: Path, seed: int, tally: Tally) -> None:
    tally.cases += Both(written(histories.renames(seed, commits=150), tmp_path / "renames.git")).compare()


@pytest.mark.full
@pytest.mark.parametrize("name", ["small", "medium"])
def test_replayed_history(name: str, pytestconfig: pytest.Config, tally: Tally) -> None:
    git_dir = subprocess.check_output(
        ("git", "-C", replayed(name, pytestconfig), "rev-parse", "--absolute-git-dir"), text=True
    )
    count = Both(git_dir.strip()).compare()
    assert count > 2000
    tally.cases += count


def test_this_repository() -> None:
    if not (CHECKOUT / ".git").exists():
        pytest.skip("not run from a git checkout")
    git_dir = subprocess.check_output(("git", "-C", str(CHECKOUT), "rev-parse", "--absolute-git-dir"), text=True)
    both = Both(git_dir.strip())
    for oid in both.walked()[-80:]:
        assert both.library.commit(oid) == both.twin.commit(oid), oid


def test_refs_of_every_sort(repo: Repo, bare: Repo, tmp_path: Path) -> None:
    oid = repo.commit("One", {"a": "1\n"})
    both = Both(f"{repo.path}/.git")
    repo.git("tag", "-a", "-m", "Tag", "v1")
    repo.git("tag", "-a", "-m", "Tag of a tag", "v2", "v1")
    repo.git("tag", "tree", "HEAD^{tree}")
    repo.git("remote", "add", "origin", bare.path)
    repo.git("push", "-q", "-u", "origin", "main")
    repo.git("remote", "set-head", "origin", "main")
    repo.git("notes", "add", "-m", "A note")
    repo.git("pack-refs", "--all")
    repo.git("branch", "topic/é")
    repo.git("update-ref", "refs/bisect/bad", oid)
    repo.git("update-ref", "refs/worktree/own", oid)
    repo.git("symbolic-ref", "refs/heads/alias", "refs/heads/main")
    assert both.compare() == 2
    assert len(both.twin.references()) == 9
    repo.git("worktree", "add", "-q", "-b", "side", str(tmp_path / "wt"))
    repo.git("-C", str(tmp_path / "wt"), "update-ref", "refs/bisect/good", oid)
    assert both.compare() == 2
    assert Both(f"{repo.path}/.git/worktrees/wt").compare() == 2
    repo.git("checkout", "-q", "--detach")
    assert both.twin.head() == both.library.head() == (None, oid)
    repo.git("checkout", "-q", "--orphan", "unborn")
    assert both.twin.head() == both.library.head() == ("unborn", None)


def test_what_is_not_there(repo: Repo) -> None:
    """Missing commits, trees and blobs, and damaged ones: named alike, and asked for again without harm."""
    repo.commit("One", {"a": "1\n", "d/b": "2\n", "d/e/c": "3\n"})
    oids = [repo.commit(f"More {n}", {"a": f"{n}\n", "d/b": f"{n}b\n", "d/e/c": f"{n}c\n"}) for n in range(10)]
    names = (f"{oids[1]}:a", f"{oids[3]}:d", f"{oids[5]}:d/e", f"{oids[7]}^{{tree}}", oids[0])
    objects = Path(repo.path, ".git", "objects")
    for number, name in enumerate(names):
        oid = repo.git("rev-parse", name)
        path = objects / oid[:2] / oid[2:]
        path.chmod(0o600)
        if number % 2:
            path.write_bytes(b"")
        else:
            path.unlink()
    both = Both(f"{repo.path}/.git")
    assert both.walked() == oids[1:]
    for oid in (*oids, *oids, "1" * 40, "1" * 39, "HEAD", ""):
        try:
            ours = both.library.commit(Oid(oid))
        except Exception as error:
            with pytest.raises(type(error)):
                both.twin.commit(Oid(oid))
        else:
            assert both.twin.commit(Oid(oid)) == ours, oid
    assert sum(both.twin.commit(Oid(oid)).missing is not None for oid in oids[1:]) == 9 - 1


@pytest.mark.parametrize("bare", [False, True])
def test_attributes(repo: Repo, bare: bool) -> None:
    """From the worktree, from info/attributes, from the user's own; drivers that know better."""
    repo.git("config", "diff.known.binary", "true")
    repo.write(".gitattributes", "*.bin diff\n*.txt -diff\n*.unset !diff\n*.doc diff=unknown\n*.pdf diff=known\n")
    repo.write("sub/.gitattributes", "*.txt diff\n")
    names = ("a.bin", "a.txt", "a.unset", "a.doc", "a.pdf", "a.c", "a.i", "sub/a.txt", "sub/n\n.txt", "é/\t.txt")
    for number in range(3):
        content = b"\0%d\n" % number if number == 1 else b"%d\n" % number
        repo.commit(f"{number}", dict.fromkeys(names, content))
    Path(repo.path, ".git/info").mkdir(exist_ok=True)
    Path(repo.path, ".git/info/attributes").write_text("*.i binary\n")
    if bare:
        repo.git("config", "core.bare", "true")
        Path(repo.path, ".git/index").unlink()
    assert Both(f"{repo.path}/.git").compare() == 3


@pytest.mark.parametrize("kind", ["plain", "unborn", "split", "sparse", "promised", "unmerged", "none"])
def test_what_is_staged(repo: Repo, kind: str) -> None:
    if kind != "unborn":
        repo.commit("One", {"a/b": "1\n", "c/d": "2\n", "e": "3\n", "f": "text\n" * 9})
    if kind == "split":
        repo.git("update-index", "--split-index")
    if kind == "sparse":
        repo.git("sparse-checkout", "set", "--cone", "--sparse-index", "a")
    if kind == "unmerged":
        repo.git("checkout", "-q", "-b", "side")
        repo.commit("Side", {"e": "side\n"})
        repo.git("checkout", "-q", "main")
        repo.commit("Main", {"e": "main\n"})
        assert repo.run("merge", "side", check=False).returncode == 1
    if kind == "none":
        Path(repo.path, ".git/index").unlink()
    else:
        repo.write("a/b", "new\n")
        repo.write("a/n", "new\n" * 3)
        if kind == "promised":
            repo.git("add", "-N", "a/n")
        repo.git("add", "a/b" if kind == "promised" else "a")
    Both(f"{repo.path}/.git").compare_staged({})


def test_a_ref_that_git_would_read_without_end_is_refused(repo: Repo) -> None:
    repo.commit("One", {"a": "1\n"})
    twin = Twin(f"{repo.path}/.git")
    odd = Path(repo.path, ".git", "refs", "heads", "odd")
    odd.touch()
    os.truncate(odd, 1 << 30)
    with pytest.raises(RepositoryError, match="odd is too large to be a ref"):
        twin.references()
