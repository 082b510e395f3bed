"""What libgit2 tells of a repository, and what it cannot open."""

from __future__ import annotations

import os
import pwd
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mgit_hooks.capture.capturer import Capturer
from mgit_hooks.errors import RepositoryError
from mgit_hooks.git import library
from mgit_hooks.git.backend import Refused
from mgit_hooks.record import Oid

if TYPE_CHECKING:
    from conftest import Repo


def git_dir(repo: Repo) -> str:
    return repo.git("rev-parse", "--absolute-git-dir")


def capturer(repo: Repo) -> Capturer:
    return Capturer(git_dir(repo))


def opened(path: object) -> RepositoryError:
    with pytest.raises(RepositoryError) as caught:
        library.open_repository(str(path))
    assert "\n" not in caught.value.message
    return caught.value


def test_not_a_repository(tmp_path: Path) -> None:
    assert "is not a git repository" in opened(tmp_path).message
    assert "is not a git repository" in opened(tmp_path / "nowhere").message


def test_no_search_upward(repo: Repo) -> None:
    repo.write("sub/file")
    assert "is not a git repository" in opened(Path(repo.path, "sub")).message


@pytest.mark.parametrize(
    ("extension", "value"), [("objectformat", "sha256"), ("refstorage", "reftable"), ("newerthanus", "true")]
)
def test_formats_that_git_itself_is_asked_about(repo: Repo, extension: str, value: str) -> None:
    repo.git("config", "core.repositoryformatversion", "1")
    repo.git("config", f"extensions.{extension}", value)
    error = opened(Path(repo.path, ".git"))
    assert isinstance(error, Refused)
    assert error.remedy


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_someone_elses(repo: Repo) -> None:
    repo.commit()
    for path, _, _ in os.walk(repo.path):
        shutil.chown(path, pwd.getpwuid(65534).pw_name)
    error = opened(Path(repo.path, ".git"))
    assert "owned by someone else" in error.message
    assert error.remedy.endswith(f"safe.directory {repo.path}")  # git's own word: the worktree, not .git


def test_corrupt_configuration(repo: Repo) -> None:
    with open(Path(repo.path, ".git/config"), "a") as config:
        config.write("[core\n")
    assert "config:" in opened(Path(repo.path, ".git")).message


def test_head(repo: Repo) -> None:
    assert capturer(repo).head() == ("main", None)
    oid = repo.commit()
    repo.git("checkout", "-q", "-b", "topic/é")
    assert capturer(repo).head() == ("topic/é", oid)
    repo.git("checkout", "-q", "--detach")
    assert capturer(repo).head() == (None, oid)


def test_references(repo: Repo, bare: Repo) -> None:
    oid = repo.commit()
    repo.git("tag", "-a", "-m", "Tag", "v1")
    repo.git("remote", "add", "origin", bare.path)
    repo.git("push", "-q", "-u", "origin", "main")
    repo.git("remote", "set-head", "origin", "main")
    repo.git("pack-refs", "--all")
    repo.git("branch", "loose")
    assert capturer(repo).references() == {
        "refs/heads/main": oid,
        "refs/heads/loose": oid,
        "refs/remotes/origin/main": oid,
        "refs/tags/v1": repo.git("rev-parse", "v1"),
    }


def test_linked_worktree(repo: Repo, tmp_path: Path) -> None:
    first = repo.commit("One", {"a": "1\n"})
    repo.git("worktree", "add", "-q", "-b", "side", str(tmp_path / "wt"))
    repo.run("-C", str(tmp_path / "wt"), "commit", "-q", "--allow-empty", "-m", "Two")
    linked = Capturer(os.path.join(repo.path, ".git/worktrees/wt"))
    second = repo.git("rev-parse", "side")
    assert linked.head() == ("side", second)
    assert capturer(repo).head() == ("main", first)
    assert linked.commit(Oid(second)) == capturer(repo).commit(Oid(second))
    assert linked.references() == capturer(repo).references()


def test_ancestry(repo: Repo) -> None:
    first, second = repo.commit(), repo.commit()
    repo.git("checkout", "-q", "--orphan", "other")
    other = repo.commit("A root of its own")
    told = capturer(repo).is_ancestor
    assert told(Oid(first), Oid(second)) is True
    assert told(Oid(first), Oid(first)) is True
    assert told(Oid(second), Oid(first)) is False
    assert told(Oid(other), Oid(second)) is False
    assert told(Oid("1" * 40), Oid(second)) is None
    assert told(Oid(first), Oid("1" * 40)) is None


def graph(repo: Repo) -> dict[str, Oid]:
    """root - left - merge - top, with right beside left; right is the older of the two."""
    made = {}
    clock = iter(range(1_700_000_000, 1_700_001_000))

    def commit(name: str, *parents: str) -> None:
        stamp = f"{next(clock)} +0000"
        args = [argument for parent in parents for argument in ("-p", made[parent])]
        tree = repo.git("mktree", stdin=b"")
        oid = repo.git("commit-tree", *args, "-m", name, tree, GIT_COMMITTER_DATE=stamp, GIT_AUTHOR_DATE=stamp)
        made[name] = Oid(oid)

    commit("root")
    commit("right", "root")
    commit("left", "root")
    commit("merge", "left", "right")
    commit("top", "merge")
    repo.git("update-ref", "refs/heads/main", made["top"])
    return made


def new(repo: Repo, *tips: Oid, known: tuple[Oid, ...] = ()) -> list[Oid]:
    return list(capturer(repo).new_commits(tips, lambda oid: oid in known))


def test_new_commits_in_order(repo: Repo) -> None:
    made = graph(repo)
    assert new(repo, made["top"]) == [made[name] for name in ("root", "right", "left", "merge", "top")]
    assert new(repo, made["left"], made["right"], made["top"]) == new(repo, made["top"])
    assert new(repo, made["top"], known=(made["merge"],)) == [made["top"]]
    assert new(repo, made["top"], known=(made["left"], made["root"])) == [
        made[name] for name in ("right", "merge", "top")
    ]
    assert new(repo, made["top"], known=(made["top"],)) == []


def test_known_commits_are_not_walked_past(repo: Repo) -> None:
    made = graph(repo)
    asked = []

    def known(oid: Oid) -> bool:
        asked.append(oid)
        return oid == made["merge"]

    capturer(repo).new_commits([made["top"]], known)
    assert made["root"] not in asked


def test_tags_are_peeled_and_other_tips_left_out(repo: Repo) -> None:
    made = graph(repo)
    repo.git("tag", "-a", "-m", "Tag", "t1", made["root"])
    repo.git("tag", "-a", "-m", "Tag of a tag", "t2", "t1")
    repo.git("tag", "-a", "-m", "Tag of a tree", "t3", f"{made['root']}^{{tree}}")
    tips = [Oid(repo.git("rev-parse", name)) for name in ("t2", "t3", f"{made['root']}^{{tree}}")]
    gone = Oid("1" * 40)
    one = capturer(repo)
    assert list(one.new_commits([*tips, gone], lambda _: False)) == [made["root"]]
    assert one.missing == (gone,)


def test_missing_ancestor_is_told(repo: Repo) -> None:
    made = graph(repo)
    Path(repo.path, ".git/objects", made["right"][:2], made["right"][2:]).unlink()
    one = capturer(repo)
    found = list(one.new_commits([made["top"]], lambda _: False))
    assert found == [made[name] for name in ("root", "left", "merge", "top")]
    assert one.missing == (made["right"],)


def test_empty_repository(repo: Repo) -> None:
    one = capturer(repo)
    assert one.references() == {}
    assert list(one.new_commits(one.references().values(), lambda _: False)) == []


def test_a_configuration_that_breaks_while_it_is_open_is_a_repository_error(repo: Repo) -> None:
    opened = library.Library(git_dir(repo))
    Path(git_dir(repo), "config").write_text("[core\nbroken = ")
    with pytest.raises(RepositoryError, match="failed to parse config file"):
        opened.setting("core.bare")
