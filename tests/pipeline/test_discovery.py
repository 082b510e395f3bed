"""Repositories under a root: which there are, in which order, and what a hostile or damaged one cannot do."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import Repo
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mgit_hooks.changesets import discovery
from mgit_hooks.changesets.discovery import Found, find, remote_urls
from mgit_hooks.errors import RepositoryError


def made(path: Path, *, commit: bool = False) -> Repo:
    path.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["git", "init", "-q", path], check=True)
    repo = Repo(path)
    if commit:
        repo.commit("one", {"a": "1\n"})
    return repo


def bared(path: Path) -> None:
    """A git directory as git makes them, and in a thousandth of the time."""
    for name in ("objects", "refs"):
        (path / name).mkdir(parents=True)
    (path / "HEAD").write_text("ref: refs/heads/main\n")


def quick(path: Path) -> None:
    bared(path / ".git")


def below(root: Path, *patterns: str, recursive: bool = True) -> list[tuple[str, str]]:
    found = list(find(str(root), recursive=recursive, patterns=patterns))
    assert all(each.problem is None for each in found), found
    assert [each.path for each in found] == sorted({each.path for each in found})
    real = os.path.realpath(root)
    return [(os.path.relpath(each.path, real), each.kind) for each in found]


# Which there are


def test_every_kind_is_found_and_called_what_it_is(tmp_path: Path) -> None:
    main = made(tmp_path / "main", commit=True)
    main.git("worktree", "add", "-q", str(tmp_path / "linked"))
    main.git("worktree", "add", "-q", str(tmp_path / "main" / "inside"))
    made(tmp_path / "main" / "nested" / "deeper")
    main.git("-c", "protocol.file.allow=always", "submodule", "add", "-q", str(tmp_path / "linked"), "lib/sub")
    made(tmp_path / "no-commits")
    subprocess.run(["git", "init", "-q", "--bare", tmp_path / "bare.git"], check=True)
    subprocess.run(["git", "init", "-q", "--separate-git-dir", tmp_path / "apart.git", tmp_path / "apart"], check=True)
    (tmp_path / "other" / "folder").mkdir(parents=True)
    assert below(tmp_path) == [
        ("apart", "repository"),
        ("apart.git", "bare"),
        ("bare.git", "bare"),
        ("linked", "worktree"),
        ("main", "repository"),
        ("main/inside", "worktree"),
        ("main/lib/sub", "submodule"),
        ("main/nested/deeper", "repository"),
        ("no-commits", "repository"),
    ]


def test_without_recursive_only_those_directly_below(tmp_path: Path) -> None:
    for name in ("b", "a", "a/inner", "x/y", "c-d", "c"):
        quick(tmp_path / name)
    bared(tmp_path / "bare.git")
    assert [path for path, _ in below(tmp_path, recursive=False)] == ["a", "b", "bare.git", "c", "c-d"]


def test_a_root_in_a_repository_is_that_repository(tmp_path: Path) -> None:
    quick(tmp_path / "outer")
    quick(tmp_path / "outer" / "sub" / "inner")
    for inside in ("outer", "outer/sub", "outer/.git", "outer/.git/refs"):
        assert [each.path for each in find(str(tmp_path / inside), recursive=False)] == [str(tmp_path / "outer")]
    assert below(tmp_path / "outer") == [(".", "repository"), ("sub/inner", "repository")]
    assert below(tmp_path / "outer" / "sub") == [("inner", "repository")]
    bared(tmp_path / "bare.git")
    found = list(find(str(tmp_path / "bare.git" / "refs"), recursive=False))
    assert found == [Found(str(tmp_path / "bare.git"), "bare")]


def test_looking_upwards_ends_at_a_ceiling(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    quick(tmp_path)
    quick(tmp_path / "folder" / "a")
    assert below(tmp_path / "folder", recursive=False) == [("..", "repository")]
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", f"/nowhere:{tmp_path}")
    assert below(tmp_path / "folder", recursive=False) == [("a", "repository")]


def test_upwards_a_git_that_is_none_is_passed_over_as_git_does(tmp_path: Path) -> None:
    quick(tmp_path)
    (tmp_path / "folder" / ".git").mkdir(parents=True)
    assert Repo(tmp_path / "folder").git("rev-parse", "--show-toplevel") == str(tmp_path)
    assert below(tmp_path / "folder", recursive=False) == [("..", "repository")]


NAMES = st.text("a-./b0 é", min_size=1, max_size=6).map(lambda name: name.replace("/", "").strip(".")).filter(bool)


@settings(deadline=None, max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sets(st.lists(NAMES, min_size=1, max_size=3).map("/".join), max_size=8))
def test_any_tree_is_found_whole_sorted_and_each_once(names: set[str]) -> None:
    with tempfile.TemporaryDirectory() as root:
        for name in names:
            if not os.path.lexists(os.path.join(root, name, ".git")):
                quick(Path(root, name))
        assert [path for path, _ in below(Path(root))] == sorted(names)


def test_names_that_are_no_text_are_found(tmp_path: Path) -> None:
    for name in (b"\xff", b"a\nb", b" "):
        quick(Path(os.fsdecode(os.path.join(os.fsencode(tmp_path), name))))
    assert [os.fsencode(path) for path, _ in below(tmp_path)] == [b" ", b"a\nb", b"\xff"]


def test_links_are_not_followed_but_the_root_may_be_one(tmp_path: Path) -> None:
    quick(tmp_path / "root" / "a")
    quick(tmp_path / "elsewhere")
    os.symlink(tmp_path / "elsewhere", tmp_path / "root" / "link")
    os.symlink("..", tmp_path / "root" / "a" / "up")
    os.symlink("loop", tmp_path / "root" / "loop")
    os.symlink(tmp_path / "root", tmp_path / "way")
    assert below(tmp_path / "way") == below(tmp_path / "root") == [("a", "repository")]
    assert next(find(str(tmp_path / "way"), recursive=True)).path == str(tmp_path / "root" / "a")


def test_one_folder_by_two_paths_is_told_once() -> None:
    each = [Found("/", "repository"), Found("/.", "repository"), Found("/usr", "repository")]
    assert list(discovery._each_once(iter(each))) == [each[0], each[2]]


def test_a_tree_deeper_than_paths_can_be_ends(tmp_path: Path) -> None:
    here = os.getcwd()
    os.chdir(tmp_path)
    try:
        for _ in range(30):
            os.mkdir("d" * 200)
            os.chdir("d" * 200)
    finally:
        os.chdir(here)
    quick(tmp_path / "z")
    try:
        found = list(find(str(tmp_path), recursive=True))
    finally:
        subprocess.run(["rm", "-rf", tmp_path / ("d" * 200)], check=True)
    assert [(each.kind, each.problem) for each in found] == [("folder", "File name too long"), ("repository", None)]


def test_a_thousand_folders_inside_each_other(tmp_path: Path) -> None:
    """More than Python goes into itself."""
    path = str(tmp_path)
    for _ in range(1200):
        path += "/d"
        os.mkdir(path)
    subprocess.run(["git", "init", "-q", path], check=True)
    try:
        assert [each.path for each in find(str(tmp_path), recursive=True)] == [path]
    finally:
        subprocess.run(["rm", "-rf", tmp_path / "d"], check=True)  # Python's own rmtree goes into itself


# What cannot be read


@pytest.fixture
def open_to_all() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        os.chmod(name, 0o755)  # noqa: S103
        yield Path(name)


def test_a_folder_that_cannot_be_looked_into_is_said_and_stops_nothing(open_to_all: Path) -> None:
    for name in ("a", "b/hidden", "c"):
        quick(open_to_all / name)
    os.chmod(open_to_all / "b", 0)
    os.chmod(open_to_all / "c" / ".git", 0)
    if os.geteuid() == 0:
        os.seteuid(65534)  # nothing is unreadable to root
        try:
            found = list(find(str(open_to_all), recursive=True, patterns=["[ac]"]))
            with pytest.raises(RepositoryError, match="Permission denied"):
                find(str(open_to_all / "b"), recursive=True)
        finally:
            os.seteuid(0)
    else:
        found = list(find(str(open_to_all), recursive=True, patterns=["[ac]"]))
    os.chmod(open_to_all / "b", 0o700)
    top = os.path.realpath(open_to_all)
    assert found[0] == Found(f"{top}/a", "repository")
    assert found[1] == Found(f"{top}/b", "folder", "Permission denied")
    assert found[2].path == f"{top}/c"
    assert "Permission denied" in (found[2].problem or "")


def damage(name: str, top: Path) -> None:
    git = top / ".git"
    if name.startswith("file: "):
        top.mkdir()
        git.write_bytes(name.removeprefix("file: ").encode().decode("unicode_escape").encode())
        return
    if name == "a pipe for .git":
        top.mkdir()
        os.mkfifo(git)
        return
    if name.startswith("link: "):
        top.mkdir()
        os.symlink(name.removeprefix("link: "), git)
        return
    quick(top)
    if name == "no HEAD":
        (git / "HEAD").unlink()
    elif name == "nothing in .git":
        subprocess.run(["rm", "-r", git], check=True)
        git.mkdir()
    elif name == "HEAD is rubbish":
        (git / "HEAD").write_bytes(b"\0\xff")
    elif name == "HEAD is empty":
        (git / "HEAD").write_bytes(b"")
    elif name == "HEAD is a pipe":
        (git / "HEAD").unlink()
        os.mkfifo(git / "HEAD")
    elif name == "HEAD is a folder":
        (git / "HEAD").unlink()
        (git / "HEAD").mkdir()
    elif name == "HEAD has no end":
        (git / "HEAD").unlink()
        with open(git / "HEAD", "wb") as file:
            file.truncate(10**12)
    elif name == "HEAD leads away":
        (git / "HEAD").unlink()
        os.symlink("/etc/hostname", git / "HEAD")
    elif name == "no objects":
        (git / "objects").rmdir()
    elif name == "no refs":
        (git / "refs").rmdir()
    elif name == "commondir leads nowhere":
        (git / "commondir").write_text("/nowhere\n")
    elif name == "commondir holds a NUL":
        (git / "commondir").write_bytes(b"a\0b\n")
    elif name == "commondir has no end":
        with open(git / "commondir", "wb") as file:
            file.truncate(10**12)
    else:
        raise AssertionError(name)


DAMAGES = (
    "no HEAD", "nothing in .git", "HEAD is rubbish", "HEAD is empty", "HEAD is a pipe", "HEAD is a folder",
    "HEAD has no end", "HEAD leads away", "no objects", "no refs", "commondir leads nowhere", "commondir holds a NUL",
    "commondir has no end", "a pipe for .git", "link: .git", "link: nowhere", "file: ", "file: gitdir: ",
    "file: gitdir: /nowhere\\n", "file: gitdir: .\\n", "file: gitdir: a\\0b", "file: not one",
    "file: gitdir: /dev/zero", "file: gitdir: .git",
)  # fmt: skip


def test_whatever_is_wrong_with_one_the_others_are_found(tmp_path: Path) -> None:
    for number, name in enumerate(DAMAGES):
        damage(name, tmp_path / f"{number:02}")
    quick(tmp_path / "00" / "inner")
    quick(tmp_path / "zz")
    for recursive in (False, True):
        found = list(find(str(tmp_path), recursive=recursive))
        problems = {os.path.basename(each.path): each.problem for each in found if each.problem}
        assert [DAMAGES[int(name)] for name in problems] == list(DAMAGES)
        assert all(each.kind == "repository" for each in found)
        assert [each.path for each in found if each.problem is None] == [
            *([str(tmp_path / "00" / "inner")] if recursive else []),
            str(tmp_path / "zz"),
        ]


def test_a_pipe_named_head_is_no_bare_repository_and_holds_nobody_up(tmp_path: Path) -> None:
    bared(tmp_path / "bare")
    (tmp_path / "bare" / "HEAD").unlink()
    os.mkfifo(tmp_path / "bare" / "HEAD")
    assert below(tmp_path) == []


@pytest.mark.parametrize("root", ["nowhere", "file", "file/x"])
def test_a_root_that_is_no_folder_is_an_error(tmp_path: Path, root: str) -> None:
    (tmp_path / "file").write_text("")
    for recursive in (False, True):
        with pytest.raises(RepositoryError, match=root):
            find(str(tmp_path / root), recursive=recursive)


def test_nothing_of_a_hostile_repository_is_run(tmp_path: Path) -> None:
    """Its configuration names programs wherever git would run one, and includes a pipe."""
    os.mkfifo(tmp_path / "pipe")
    touch = f"touch {tmp_path}/ran;false"
    config = (
        f"[core]\n\tfsmonitor = {touch}\n\thooksPath = {tmp_path}\n\tsshCommand = {touch}\n\tpager = {touch}\n"
        f'[include]\n\tpath = {tmp_path}/pipe\n[includeIf "gitdir:/"]\n\tpath = {tmp_path}/pipe\n'
        f'[remote "origin"]\n\turl = ext::sh -c "{touch}"\n\tuploadpack = {touch}\n[diff]\n\texternal = {touch}\n'
        '[remote "second"]\n\turl = https://ada:secret@example.org/team/a.git?token=x\n'
    )
    for place in (tmp_path / "a", tmp_path / "bare.git"):
        quick(place) if place.name == "a" else bared(place)
        (place / (".git/config" if place.name == "a" else "config")).write_text(config)
    found = list(find(str(tmp_path), recursive=True, patterns=["https://example.org/team/*"]))
    assert [os.path.basename(each.path) for each in found] == ["a", "bare.git"]
    assert remote_urls(found[0]) >= {"https://example.org/team/a.git"}
    assert not any("secret" in url or "token" in url for url in remote_urls(found[0]))
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("what", ["a pipe", "no end", "a folder", "a loop"])
def test_a_configuration_that_is_none_has_no_remotes(tmp_path: Path, what: str) -> None:
    quick(tmp_path / "a")
    config = tmp_path / "a" / ".git" / "config"
    if what == "a pipe":
        os.mkfifo(config)
    elif what == "no end":
        with open(config, "wb") as file:
            file.truncate(10**12)
    elif what == "a folder":
        config.mkdir()
    else:
        os.symlink("config", config)
    assert below(tmp_path, "https:*") == []
    assert below(tmp_path, "a") == [("a", "repository")]


# Patterns


@pytest.fixture
def forge(tmp_path: Path) -> Path:
    for path, config in {
        "team/api/.git": '[remote "origin"]\n\turl = git@github.com:acme/api.git\n',
        "team/web/.git": '[remote "origin"]\n\turl = https://gitlab.com/acme/web.git\n',
        "lib/.git": '[remote "mirror"]\n\tpushurl = https://github.com/acme/lib.git\n',
        "store.git": '[remote "x"]\n\turl = ssh://u:pw@example.org/store\n',
    }.items():
        bared(tmp_path / path)
        (tmp_path / path / "config").write_text(config)
    return tmp_path


@pytest.mark.parametrize(
    ("patterns", "names"),
    [
        (["*"], "lib store.git team/api team/web"),
        (["api"], "team/api"),
        (["team/*"], "team/api team/web"),
        (["*github.com*"], "lib team/api"),
        (["*github.com*", "store"], "lib store.git team/api"),
        (["store.git"], "store.git"),
        (["https://*"], "lib team/web"),
        (["*/team/w[aeiou]b"], "team/web"),
        (["TEAM/*"], ""),
        (["*pw*"], ""),
        (["ssh://example.org/store"], "store.git"),
        (["ap?", "[!a]?b"], "lib team/api team/web"),
    ],
)
def test_a_pattern_is_of_a_path_a_name_or_a_remote(forge: Path, patterns: list[str], names: str) -> None:
    assert " ".join(path for path, _ in below(forge, *patterns)) == names


def test_the_remotes_of_a_linked_worktree_are_its_repository_s(tmp_path: Path) -> None:
    made(tmp_path / "api", commit=True).git("worktree", "add", "-q", str(tmp_path / "aside"))
    Repo(tmp_path / "api").git("remote", "add", "origin", "https://example.org/acme/api.git")
    assert below(tmp_path, "*acme/api*") == [("api", "repository"), ("aside", "worktree")]


def test_a_walk_that_follows_links_is_told_by_these_tests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A planted bug."""
    look = discovery._look

    def following(path: str) -> discovery._Folder:
        found = look(path)
        links = [name for name in ("link",) if os.path.isdir(os.path.join(path, name))]
        return found._replace(folders=(*found.folders, *links))

    monkeypatch.setattr(discovery, "_look", following)
    quick(tmp_path / "elsewhere")
    (tmp_path / "root").mkdir()
    os.symlink(tmp_path / "elsewhere", tmp_path / "root" / "link")
    assert below(tmp_path / "root") != []
