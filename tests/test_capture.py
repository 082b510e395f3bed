"""What is recorded of one commit, in ordinary repositories and in damaged ones."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mgit_hooks.capture import Capturer
from mgit_hooks.errors import ObjectError
from mgit_hooks.git import plumbing
from mgit_hooks.record import FileChange, Oid

if TYPE_CHECKING:
    from conftest import Repo


def capturer(repo: Repo) -> Capturer:
    return Capturer(repo.git("rev-parse", "--absolute-git-dir"))


def test_first_commit(repo: Repo) -> None:
    oid = repo.commit("Subject\n\nBody", {"a.txt": "one\ntwo"}, GIT_AUTHOR_DATE="1700000000 +0130")
    commit = capturer(repo).commit(Oid(oid))
    assert (commit.hash, commit.parents, commit.tree) == (oid, (), repo.git("rev-parse", "HEAD^{tree}"))
    assert (commit.author_name, commit.author_email) == ("Ada Lovelace", "ada@example.org")
    assert commit.date == "2023-11-14T23:43:20+01:30"
    assert commit.message == "Subject\n\nBody\n"
    blob = Oid(repo.git("rev-parse", "HEAD:a.txt"))
    assert commit.files == (
        FileChange("a.txt", None, "added", "A", ".", None, "100644", None, blob, 7, 2, 0, False),
    )
    assert (commit.missing, commit.boundary, commit.encoding, commit.message_bytes) == (
        None,
        None,
        None,
        None,
    )


def test_capture_runs_no_git(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    first = repo.commit("One", {"a": "1\n2\n3\n4\n", "b": "x\n"})
    repo.git("mv", "a", "moved")
    second = repo.commit("Two", {"moved": "1\n2\n3\nfour\n"})
    one = capturer(repo)

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("capture on an ordinary repository goes through libgit2 alone")

    monkeypatch.setattr(plumbing, "run", refuse)
    monkeypatch.setattr(plumbing, "_spawn", refuse)
    files = one.commit(Oid(second)).files
    assert files is not None
    assert [(change.index_status, change.old_filename, change.filename) for change in files] == [
        ("R", "a", "moved")
    ]
    assert one.head() == ("main", second)
    assert one.is_ancestor(Oid(first), Oid(second)) is True


def test_missing_commit_is_an_error(repo: Repo) -> None:
    repo.commit()
    with pytest.raises(ObjectError, match="missing"):
        capturer(repo).commit(Oid("1" * 40))


def test_missing_blob_leaves_its_counts_open(repo: Repo) -> None:
    oid = repo.commit("One", {"here": "1\n", "lost": "2\n"})
    blob = repo.git("rev-parse", "HEAD:lost")
    Path(repo.path, ".git/objects", blob[:2], blob[2:]).unlink()
    commit = capturer(repo).commit(Oid(oid))
    assert commit.missing == (blob,)
    assert commit.files is not None
    here, lost = commit.files
    assert (here.additions, here.size_bytes, here.binary) == (1, 2, False)
    assert (lost.additions, lost.size_bytes, lost.binary, lost.new_oid) == (None, None, None, blob)


def test_missing_tree_leaves_the_files_open(repo: Repo) -> None:
    oid = repo.commit("One", {"dir/a": "1\n"})
    tree = repo.git("rev-parse", "HEAD:dir")
    Path(repo.path, ".git/objects", tree[:2], tree[2:]).unlink()
    commit = capturer(repo).commit(Oid(oid))
    assert commit.files is None
    assert commit.missing == (tree,)
    assert commit.message == "One\n"


def test_empty_tree_need_not_be_there(repo: Repo) -> None:
    empty = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
    one = Oid(repo.git("commit-tree", "-m", "Nothing", empty))
    repo.git("update-ref", "refs/heads/main", one)
    two = repo.commit("Something", {"a": "1\n"})
    three = Oid(repo.git("commit-tree", "-m", "Nothing again", "-p", two, empty))
    files = [commit.files for commit in capturer(repo).commits([one, Oid(two), three])]
    assert [[change.index_status for change in found or ()] for found in files] == [[], ["A"], ["D"]]
