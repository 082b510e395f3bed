"""Repositories of each kind: libgit2 and git's commands say the same of them, and what they say is what git says."""

from __future__ import annotations

import pytest
from test_histories import assert_told

from kinds.both import Both
from kinds.conftest import Made
from mgit_hooks.capture.capturer import Capturer
from mgit_hooks.git.backend import Refused
from mgit_hooks.git.library import Library
from mgit_hooks.git.opening import open_backend
from mgit_hooks.git.twin import Twin

# Here git tells of less than there is: what it was not given, what is hidden from it.
ALTERED = ("partial", "treeless", "partial-newer-git", "shallow", "replaced", "grafted")


def test_what_is_there(made: Made) -> None:
    """Who answers; that the other one says the same; and that it is what git says, where git tells all of it."""
    chosen = open_backend(made.git_dir)
    assert type(chosen) is (Library if made.kind.library else Twin)
    if made.kind.library:
        assert Both(made.git_dir).compare() >= 2
    else:
        with pytest.raises(Refused):
            Library(made.git_dir)
    if made.name not in ALTERED:
        assert assert_told(made.repo.path, Capturer(made.git_dir).commit) >= 7
    assert_of_that_id(made)


def assert_of_that_id(made: Made) -> None:
    """The object with that id is what is recorded, whatever replaces it, and wherever the history is cut."""
    capturer = Capturer(made.git_dir)
    for oid in capturer.new_commits(capturer.references().values(), lambda _: False):
        raw = made.repo.run("--no-replace-objects", "cat-file", "commit", oid).stdout.decode()
        lines = raw.partition("\n\n")[0].split("\n")
        commit = capturer.commit(oid)
        assert commit.parents == tuple(line[7:] for line in lines if line.startswith("parent "))
        assert commit.tree == lines[0][5:]
        assert commit.message == raw.partition("\n\n")[2]


def test_what_is_staged(made: Made) -> None:
    """By both alike, and the tree is the one that git then commits."""
    made.repo.write("src/app.c", "otherwise\n")
    made.repo.write("new", "new\n")
    made.repo.git("add", "-A")
    git_dir = made.repo.git("rev-parse", "--absolute-git-dir")
    if made.kind.library:
        Both(git_dir).compare_staged({})
        Both(git_dir).compare_staged({"GIT_INDEX_FILE": f"{git_dir}/index"})
    found = Capturer(git_dir).staged({})
    made.repo.git("commit", "-q", "-m", "Next")
    assert found.tree == made.repo.git("rev-parse", "HEAD^{tree}")
    assert found.parents == (made.repo.git("rev-parse", "HEAD~1"),)
    assert sorted(file.filename for file in found.files) == ["new", "src/app.c"]
