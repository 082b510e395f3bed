"""A repository as it is now: as git says, to the letter; and nothing in it is touched."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import pwd
import subprocess
from collections.abc import Callable
from pathlib import Path

import pygit2
import pytest
from conftest import Repo
from kinds.gits import second_git

from mgit_hooks.changesets import FileChange, RepositoryChangeset, working
from mgit_hooks.git import plumbing, porcelain, worktree
from mgit_hooks.git.opening import open_backend
from mgit_hooks.git.place import place_of
from mgit_hooks.pipeline import validate_changeset
from mgit_hooks.record import readable

GIT = os.fsencode


def told_by_git(repo: Repo, *config: str) -> set[tuple[object, ...]]:
    """What git says of each changed path, read field by field as its manual has it."""
    settings = [word for each in ("core.fsmonitor=false", *config) for word in ("-c", each)]
    done = repo.run(
        *settings, "status", "--porcelain=v2", "-z", "-uall", "--ignore-submodules=none", GIT_OPTIONAL_LOCKS="0"
    )
    found: set[tuple[object, ...]] = set()
    fields = done.stdout.split(b"\0")[:-1]
    while fields:
        kind, _, rest = fields.pop(0).partition(b" ")
        if kind == b"?":
            found.add((rest, "?", "?", None, None, None, None))
            continue
        words = rest.split(b" ", {b"1": 7, b"2": 8, b"u": 9}[kind])
        old = fields.pop(0) if kind == b"2" else None
        xy = words[0].decode()
        modes = (words[3], words[5]) if kind == b"u" else (words[2], words[4])
        oid = words[7] if kind == b"u" else words[5]
        known = [None if not word.strip(b"0") else word.decode() for word in (*modes, oid)]
        found.add((words[-1], xy[0], xy[1], *known, old))
    return found


def told_by_us(changeset: RepositoryChangeset) -> set[tuple[object, ...]]:
    from base64 import b64decode

    def raw(name: str | None, encoded: str | None) -> bytes | None:
        return b64decode(encoded) if encoded else name.encode() if name is not None else None

    found: set[tuple[object, ...]] = set()
    for each in changeset.uncommitted_files or ():
        path, old = raw(each.filename, each.filename_bytes), raw(each.old_filename, each.old_filename_bytes)
        untracked = each.change_type == "untracked"
        letters = (path, each.index_status, each.worktree_status)
        found.add((*letters, *((None,) * 4 if untracked else (each.old_mode, each.new_mode, each.old_oid, old))))
    return found


def picture(folder: Path) -> dict[str, tuple[object, ...]]:
    """Every byte, mode, time and inode of what is in a folder. Of a shared index git renews the time, whoever
    reads it: it is thrown away when it is old."""
    found: dict[str, tuple[object, ...]] = {}
    for root, folders, files in os.walk(folder):
        for name in (*folders, *files):
            path = os.path.join(root, name)
            status = os.lstat(path)
            regular = os.path.isfile(path) and not os.path.islink(path)
            content = Path(path).read_bytes() if regular else None
            when = 0 if name.startswith("sharedindex.") else status.st_mtime_ns
            found[path] = (status.st_mode, status.st_ino, when, status.st_size, content)
    return found


# One kind of change each; what it leaves is held against git's own word.


def staged(repo: Repo) -> None:
    repo.write("new", "new\n")
    repo.write("a", "staged\n")
    repo.git("add", "-A")
    repo.git("rm", "-q", "b")


def in_the_worktree(repo: Repo) -> None:
    repo.write("a", "changed\n")
    os.unlink(Path(repo.path, "b"))


def in_both(repo: Repo) -> None:
    repo.write("a", "staged\n")
    repo.write("new", "one\n")
    repo.write("gone", "one\n")
    repo.git("add", "-A")
    repo.write("a", "and then changed\n")
    repo.write("new", "two\n")
    os.unlink(Path(repo.path, "gone"))
    repo.git("rm", "-q", "--cached", "b")


def renamed(repo: Repo) -> None:
    repo.git("mv", "long", "longer name")
    repo.write("longer name", "".join(f"line {number}\n" for number in range(41)))


def renamed_and_gone(repo: Repo) -> None:
    repo.git("mv", "long", "moved")
    os.unlink(Path(repo.path, "moved"))


def renamed_in_the_worktree(repo: Repo) -> None:
    os.rename(Path(repo.path, "long"), Path(repo.path, "later"))
    repo.git("add", "-N", "later")


def untracked(repo: Repo) -> None:
    repo.write("folder/deep/file", "1")
    repo.write("ignored/file", "1")
    repo.write(".gitignore", "ignored/\n*.log\n!kept.log\n")
    repo.write("x.log")
    repo.write("kept.log")
    repo.write("folder/.gitignore", "/only-here\n")
    repo.write("folder/only-here")


def links(repo: Repo) -> None:
    os.unlink(Path(repo.path, "a"))
    os.symlink("b", Path(repo.path, "a"))
    os.symlink("nowhere at all", Path(repo.path, "dangling"))
    os.unlink(Path(repo.path, "link"))
    repo.write("link", "a file now\n")


def modes(repo: Repo) -> None:
    os.chmod(Path(repo.path, "a"), 0o700)
    os.chmod(Path(repo.path, "b"), 0o700)
    repo.git("add", "b")


def a_folder_for_a_file(repo: Repo) -> None:
    os.unlink(Path(repo.path, "a"))
    repo.write("a/inner", "1")


def intent_to_add(repo: Repo) -> None:
    repo.write("promised", "not yet\n")
    repo.git("add", "-N", "promised")


def names(repo: Repo) -> None:
    for name in (
        b"with space",
        b" lead",
        b"trail ",
        b"new\nline",
        b"tab\t",
        b'qu"ote',
        b"\xff\xfe",
        b"-dash",
        b"a -> b",
    ):
        Path(os.fsdecode(os.path.join(GIT(repo.path), name))).write_bytes(name)
    repo.git("add", "-A")
    repo.git("commit", "-qm", "names")
    repo.git("mv", "new\nline", "R100 other\nline")
    repo.git("mv", os.fsdecode(b"\xff\xfe"), os.fsdecode(b"\xfe \xff"))
    repo.write("with space", "changed")
    repo.write("un tracked\n? x", "1")


def conflicts(repo: Repo) -> None:
    repo.git("checkout", "-qb", "side")
    repo.write("a", "theirs\n")
    repo.git("rm", "-q", "long")
    repo.write("both", "theirs\n")
    repo.git("add", "-A")
    repo.git("commit", "-qm", "theirs")
    repo.git("checkout", "-q", "main")
    repo.write("a", "ours\n")
    repo.write("long", "ours\n")
    repo.write("both", "ours\n")
    repo.git("add", "-A")
    repo.git("commit", "-qm", "ours")
    assert repo.run("merge", "side", check=False).returncode == 1


def submodule(repo: Repo) -> None:
    inner = Repo(Path(repo.path).parent / "inner")
    subprocess.run(["git", "init", "-q", inner.path], check=True)
    inner.commit("inner", {"x": "1"})
    repo.git("submodule", "--quiet", "add", inner.path, "sub")
    repo.git("submodule", "--quiet", "add", inner.path, "dirty one")
    repo.git("submodule", "--quiet", "add", inner.path, "same")
    repo.commit("with submodules")
    Repo(Path(repo.path, "sub")).commit("further", {"x": "2"})
    Path(repo.path, "dirty one", "x").write_text("3")


def other_repositories(repo: Repo) -> None:
    subprocess.run(["git", "init", "-q", Path(repo.path, "empty")], check=True)
    subprocess.run(["git", "init", "-q", Path(repo.path, "full")], check=True)
    Repo(Path(repo.path, "full")).commit("x", {"x": "1"})


def sparse(repo: Repo) -> None:
    repo.commit("folders", {"in/x": "1", "out/x": "1"})
    repo.git("sparse-checkout", "set", "--sparse-index", "in")
    repo.write("in/x", "2")


def split_index(repo: Repo) -> None:
    repo.git("update-index", "--split-index")
    repo.write("a", "changed\n")
    repo.git("add", "a")


def hidden(repo: Repo) -> None:
    repo.git("update-index", "--assume-unchanged", "a")
    repo.git("update-index", "--skip-worktree", "b")
    repo.write("a", "changed\n")
    repo.write("b", "changed\n")


def line_ends(repo: Repo) -> None:
    repo.commit(
        "attributes", {".gitattributes": "*.txt eol=crlf\n*.u text working-tree-encoding=UTF-16\n", "x.txt": "1\r\n"}
    )
    repo.write("y.u", "text\n".encode("utf-16"))
    repo.git("add", "-A")
    os.utime(Path(repo.path, "x.txt"), (1, 1))
    os.utime(Path(repo.path, "y.u"), (1, 1))


def touched(repo: Repo) -> None:
    os.utime(Path(repo.path, "a"), (1, 1))


def nothing(repo: Repo) -> None:
    """As it was committed."""


KINDS: list[Callable[[Repo], None]] = [
    staged, in_the_worktree, in_both, renamed, renamed_and_gone, renamed_in_the_worktree, untracked, links, modes,
    a_folder_for_a_file, intent_to_add, names, conflicts, submodule, other_repositories, sparse, split_index, hidden,
    line_ends, touched, nothing,
]  # fmt: skip


@pytest.fixture
def work(repo: Repo) -> Repo:
    repo.commit(
        "one",
        {"a": "a\n", "b": "b\n", "long": "".join(f"line {number}\n" for number in range(40)), "c d": "c\n"},
    )
    os.symlink("a", Path(repo.path, "link"))
    repo.commit("two")
    return repo


@pytest.mark.parametrize("change", KINDS, ids=lambda change: str(change.__name__))
def test_every_kind_of_change_is_as_git_says(work: Repo, change: Callable[[Repo], None]) -> None:
    change(work)
    before = picture(Path(work.path))
    found = working.read(work.path)
    assert picture(Path(work.path)) == before
    expected = told_by_git(work)
    assert told_by_us(found) == expected
    assert len(found.uncommitted_files or ()) == len(expected)
    assert (found.git_status, found.has_uncommitted_changes) == ("dirty" if expected else "clean", bool(expected))
    assert bool(expected) is (change not in (nothing, touched, hidden))
    assert validate_changeset(found, "strict").issues == ()
    for each in found.uncommitted_files or ():
        assert_is_of_the_file(Path(work.path), each)


def test_a_status_that_writes_would_be_seen(work: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bug that the picture is there for: a status that refreshes the index."""
    touched(work)
    before = picture(Path(work.path))
    real = plumbing.environment
    monkeypatch.setattr(plumbing, "environment", lambda base: {**real(base), "GIT_OPTIONAL_LOCKS": "1"})
    working.read(work.path)
    assert picture(Path(work.path)) != before


def assert_is_of_the_file(top: Path, change: FileChange) -> None:
    from base64 import b64decode

    name = b64decode(change.filename_bytes) if change.filename_bytes else change.filename.encode()
    path = os.path.join(GIT(top), name)
    if change.change_type == "deleted" or os.path.isdir(path) or not os.path.lexists(path):
        assert (change.size_bytes, change.content_hash) == (None, None)
        return
    content = os.readlink(path) if os.path.islink(path) else Path(os.fsdecode(path)).read_bytes()
    assert (change.size_bytes, change.content_hash) == (len(content), hashlib.sha256(content).hexdigest())


@pytest.mark.parametrize(
    ("change", "types"),
    [
        (staged, {"a": "modified", "b": "deleted", "new": "added"}),
        (in_both, {"a": "modified", "new": "added", "gone": "deleted", "b": "untracked"}),
        (renamed, {"longer name": "renamed"}),
        (renamed_and_gone, {"moved": "deleted"}),
        (renamed_in_the_worktree, {"later": "renamed"}),
        (links, {"a": "typechange", "dangling": "untracked", "link": "typechange"}),
        (conflicts, {"a": "unknown", "both": "unknown", "long": "unknown"}),
        (intent_to_add, {"promised": "added"}),
    ],
)
def test_the_type_says_what_became_of_the_file(
    work: Repo, change: Callable[[Repo], None], types: dict[str, str]
) -> None:
    change(work)
    found = working.read(work.path).uncommitted_files or ()
    assert {each.filename: each.change_type for each in found} == types


def test_copies_are_looked_for_where_git_does(work: Repo) -> None:
    work.write("copy of long", Path(work.path, "long").read_bytes())
    work.write("long", Path(work.path, "long").read_bytes() + b"more\n")
    work.git("add", "-A")
    assert {each.change_type for each in working.read(work.path).uncommitted_files or ()} == {"added", "modified"}
    work.git("config", "status.renames", "copies")
    found = working.read(work.path)
    assert told_by_us(found) == told_by_git(work)
    assert [(each.change_type, each.old_filename) for each in found.uncommitted_files or ()] == [
        ("copied", "long"),
        ("modified", None),
    ]


def test_no_configuration_hides_a_change(work: Repo) -> None:
    renamed(work)
    untracked(work)
    expected = told_by_git(work)
    for key, value in (
        ("status.renames", "false"), ("diff.renames", "false"), ("status.showUntrackedFiles", "no"),
        ("status.relativePaths", "true"), ("status.branch", "true"), ("status.showStash", "true"),
        ("color.status", "always"), ("core.quotePath", "true"), ("diff.ignoreSubmodules", "all"),
    ):  # fmt: skip
        work.git("config", key, value)
    assert told_by_us(working.read(work.path)) == expected


PROGRAM = "#!/bin/sh\necho ran >>{marker}\ncat\n"


def test_nothing_that_a_repository_names_is_run(work: Repo, tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_text(PROGRAM.format(marker=tmp_path / "ran"))
    program.chmod(0o700)
    work.commit("attributes", {".gitattributes": "*.f filter=ours diff=ours\n", "x.f": "1\n"})
    for key in ("filter.ours.clean", "filter.ours.smudge", "core.fsmonitor", "diff.ours.textconv", "diff.external"):
        work.git("config", key, str(program))
    work.git("config", "filter.ours.required", "true")
    for hook in ("post-index-change", "fsmonitor-watchman", "reference-transaction"):
        path = Path(work.path, ".git", "hooks", hook)
        path.parent.mkdir(exist_ok=True)
        path.write_text(PROGRAM.format(marker=tmp_path / "ran"))
        path.chmod(0o700)
    work.write("x.f", "2\n")
    work.write("a", "2\n")
    found = working.read(work.path)
    assert {each.filename for each in found.uncommitted_files or ()} == {"a", "x.f"}
    assert not (tmp_path / "ran").exists()
    work.run("status")
    assert (tmp_path / "ran").exists()  # planted as git would run it


@pytest.mark.parametrize("inside", [False, True], ids=["submodule", "submodule of a submodule"])
def test_nothing_that_a_submodule_names_is_run(work: Repo, tmp_path: Path, inside: bool) -> None:
    """git asks a submodule by a process of its own, which reads the submodule's configuration."""
    program = tmp_path / "program"
    program.write_text(PROGRAM.format(marker=tmp_path / "ran"))
    program.chmod(0o755)
    inner = Repo(tmp_path / "inner")
    subprocess.run(["git", "init", "-q", inner.path], check=True)
    inner.commit("inner", {".gitattributes": "*.f filter=theirs\n", "x.f": "1\n"})
    top, path = work, "sub"
    if inside:
        middle = Repo(tmp_path / "middle")
        subprocess.run(["git", "init", "-q", middle.path], check=True)
        middle.git("submodule", "--quiet", "add", inner.path, "deep")
        middle.commit("middle")
        work.git("submodule", "--quiet", "add", middle.path, "sub")
        work.git("submodule", "--quiet", "update", "--init", "--recursive")
        path = "sub/deep"
    else:
        work.git("submodule", "--quiet", "add", inner.path, "sub")
    work.commit("with a submodule")
    theirs = Repo(Path(top.path, path))
    for key in ("core.fsmonitor", "filter.theirs.clean"):
        theirs.git("config", key, str(program))
    for above in (work, Repo(Path(work.path, "sub"))):  # whose entries are listed to find the submodules
        above.git("config", "core.fsmonitor", str(program))
    theirs.write("x.f", "2\n")
    (only,) = working.read(work.path).uncommitted_files or ()
    assert (only.filename, only.worktree_status) == ("sub", "M")
    assert not (tmp_path / "ran").exists()
    work.run("status")
    assert (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("given", "attribute"),
    [
        ('[filter ""]\n\tclean = {program}\n', b"filter="),
        ('[filter "\udcff"]\n\tclean = {program}\n', b"filter=\xff"),
        ('[includeIf "hasconfig:remote.*.url:**"]\n\tpath = {included}\n', b"filter=ours"),
        ("[include]\n\tpath = ~{user}/{below}\n", b"filter=ours"),
    ],
    ids=["without a name", "a name of bytes", "a condition on remotes", "in somebody's home"],
)
def test_no_form_of_configuration_hides_a_filter(work: Repo, tmp_path: Path, given: str, attribute: bytes) -> None:
    """Forms that git reads and libgit2 does not."""
    program, included = tmp_path / "program", tmp_path / "included"
    program.write_text(PROGRAM.format(marker=tmp_path / "ran"))
    program.chmod(0o700)
    included.write_text(f'[filter "ours"]\n\tclean = {program}\n')
    work.git("config", "remote.origin.url", "https://example.invalid/x")
    me = pwd.getpwuid(os.getuid())
    below = os.path.relpath(included, os.path.realpath(me.pw_dir))
    text = given.format(program=program, included=included, user=me.pw_name, below=below)
    with open(os.path.join(work.path, ".git", "config"), "a", encoding="utf-8", errors="surrogateescape") as file:
        file.write(text)
    Path(work.path, ".git", "info").mkdir(exist_ok=True)
    Path(work.path, ".git", "info", "attributes").write_bytes(b"* " + attribute + b"\n")
    work.write("a", "2\n")
    assert working.read(work.path).git_status == "dirty"
    assert not (tmp_path / "ran").exists()
    work.run("status")
    assert (tmp_path / "ran").exists()


def test_a_submodule_that_only_git_reads_has_its_filters_known(work: Repo, tmp_path: Path) -> None:
    """Its `.git` file is longer than what is read by hand; another one may be someone else's, which git does not ask
    of a submodule."""
    program = tmp_path / "program"
    program.write_text(PROGRAM.format(marker=tmp_path / "ran"))
    program.chmod(0o700)
    store, inner = tmp_path / "store", Repo(os.path.join(work.path, "sub"))
    subprocess.run(["git", "init", "-q", f"--separate-git-dir={store}", inner.path], check=True)
    inner.commit("inner", {".gitattributes": "* filter=theirs\n", "x": "1\n"})
    inner.git("config", "filter.theirs.clean", str(program))
    work.git("add", "sub")
    work.commit("with a submodule")
    inner.write("x", "2\n")
    inner.write(".git", f"gitdir: {store}" + "\n" * 100_000)
    (tmp_path / "ran").unlink(missing_ok=True)
    assert [each.filename for each in working.read(work.path).uncommitted_files or ()] == ["sub"]
    assert not (tmp_path / "ran").exists()
    work.run("status")
    assert (tmp_path / "ran").exists()


def test_filters_are_known_however_deep_a_submodule_lies(tmp_path: Path) -> None:
    """A link from a submodule to the top is no way to look for ever."""
    at = tmp_path / "top"
    for depth in range(20):
        made = pygit2.init_repository(str(at))
        for name in ("s", "again"):
            made.index.add(pygit2.IndexEntry(name, pygit2.Oid(hex="1" * 40), pygit2.enums.FileMode.COMMIT))
        made.index.write()
        made.config[f"filter.f{depth}.clean"] = "false"
        os.symlink(tmp_path / "top", at / "again")
        at = at / "s"
    top = str(tmp_path / "top")
    with contextlib.closing(open_backend(os.path.join(top, ".git"))) as git:
        told = worktree.environment(top, git, None)
    assert {f"filter.f{depth}.clean" for depth in range(20)} <= set(told.values())


# Repositories of every kind


@pytest.mark.parametrize("store", ["store", "other/.git"])
def test_a_git_directory_elsewhere_has_its_worktree_where_the_git_file_is(tmp_path: Path, store: str) -> None:
    """libgit2 takes the folder above the git directory for the worktree."""
    git_dir, top = tmp_path / store, tmp_path / "top"
    git_dir.parent.mkdir(exist_ok=True)
    (git_dir.parent / "mine").write_text("nobody's business")
    subprocess.run(["git", "init", "-q", f"--separate-git-dir={git_dir}", top], check=True)
    repo = Repo(top)
    repo.commit("one", {"a": "1\n"})
    repo.write("a", "2\n")
    repo.write("new", "")
    found = working.read(repo.path)
    assert told_by_us(found) == told_by_git(repo)
    assert [each.filename for each in found.uncommitted_files or ()] == ["a", "new"]
    assert (found.repository_path, sorted(found.metadata or {})) == (repo.path, ["bare", "head"])
    if store == "store":  # git calls that no worktree
        assert (working.read(str(git_dir)).metadata or {})["bare"] is True


@pytest.mark.parametrize("places", [("packed-refs",), ("shallow",), ("info/attributes", "objects/info/alternates")])
def test_what_git_says_of_a_link_to_another_file_quotes_nothing_of_it(
    work: Repo, tmp_path: Path, places: tuple[str, ...]
) -> None:
    (tmp_path / "passwords").write_text("the=hunter2 user /hunter2\n")
    for place in places:
        path = Path(work.path, ".git", place)
        path.parent.mkdir(exist_ok=True)
        path.unlink(missing_ok=True)
        path.symlink_to(tmp_path / "passwords")
    if len(places) > 1:  # what only warns
        Path(work.path, ".git", "refs", "heads", "main").write_text("1" * 40)
    told = subprocess.run(["git", "-C", work.path, "status"], stderr=subprocess.PIPE, check=False)
    assert b"hunter2" in told.stderr
    found = working.read(work.path)
    assert (found.git_status, "hunter2" in str(found)) == ("error", False)


def test_an_error_has_no_credentials(work: Repo) -> None:
    work.git("config", "core.bigFileThreshold", "https://me:hunter2@host/x")
    found = working.read(work.path)
    assert found.git_status == "error"
    assert "'https://host/x' for 'core.bigfilethreshold'" in (found.error or "")


def test_a_git_file_is_followed_as_the_system_does(tmp_path: Path) -> None:
    """`link/..` is the folder that the link's target is in."""
    for name in ("far/real", "top/real"):
        subprocess.run(["git", "init", "-q", "--bare", tmp_path / name], check=True)
    (tmp_path / "far" / "in").mkdir()
    (tmp_path / "top" / "link").symlink_to(tmp_path / "far" / "in")
    (tmp_path / "top" / ".git").write_text("gitdir: link/../real\n")
    assert place_of(str(tmp_path / "top")).git_dir == str(tmp_path / "far" / "real")


def test_a_repository_without_a_commit(repo: Repo) -> None:
    repo.write("a", "1")
    repo.git("add", "a")
    found = working.read(repo.path)
    assert (found.current_branch, found.recent_commits, found.git_status) == ("main", (), "dirty")
    assert told_by_us(found) == told_by_git(repo)
    assert found.metadata == {"head": None, "bare": False}


def test_a_detached_head_has_no_branch(work: Repo) -> None:
    work.git("checkout", "-q", "--detach")
    found = working.read(work.path)
    assert (found.current_branch, found.git_status) == (None, "clean")
    assert found.metadata == {"head": work.git("rev-parse", "HEAD"), "bare": False}


def test_a_bare_repository_has_commits_and_no_worktree(work: Repo, tmp_path: Path) -> None:
    subprocess.run(["git", "clone", "-q", "--bare", work.path, tmp_path / "there.git"], check=True)
    found = working.read(str(tmp_path / "there.git"))
    assert (found.repository_name, found.git_status, found.uncommitted_files) == ("there", "clean", ())
    assert [commit.message for commit in found.recent_commits or ()] == ["two\n", "one\n"]
    assert (found.metadata or {})["bare"] is True


def test_a_linked_worktree_has_its_own_changes(work: Repo, tmp_path: Path) -> None:
    work.git("worktree", "add", "-q", "-b", "side", str(tmp_path / "linked one"))
    linked = Repo(tmp_path / "linked one")
    linked.write("only here", "1")
    found = working.read(linked.path)
    assert (found.repository_path, found.current_branch) == (linked.path, "side")
    assert told_by_us(found) == told_by_git(linked)
    assert working.read(work.path).git_status == "clean"


def test_a_worktree_that_is_elsewhere(work: Repo, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    work.git("config", "core.worktree", str(tmp_path / "elsewhere"))
    (tmp_path / "elsewhere" / "a").write_text("changed\n")
    found = working.read(work.path)
    assert {each.filename: each.worktree_status for each in found.uncommitted_files or ()} == {
        "a": "M", "b": "D", "c d": "D", "link": "D", "long": "D",
    }  # fmt: skip


def test_the_git_directory_stands_for_its_worktree(work: Repo) -> None:
    assert working.read(os.path.join(work.path, ".git")).repository_path == work.path


@pytest.mark.parametrize("formats", [("--object-format=sha256",), ("--ref-format=reftable",)])
def test_what_libgit2_refuses_is_read_by_git(
    tmp_path: Path, formats: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    second_git().use(monkeypatch, tmp_path)
    made = Repo(tmp_path / "repo")
    subprocess.run(["git", "init", "-q", "-b", "main", *formats, made.path], check=True)
    oid = made.commit("one", {"a": "1\n", "b": "2\n"})
    made.write("a", "changed\n")
    before = picture(Path(made.path))
    found = working.read(made.path)
    assert picture(Path(made.path)) == before
    assert told_by_us(found) == told_by_git(made)
    assert [(commit.hash, len(commit.files or ())) for commit in found.recent_commits or ()] == [(oid, 2)]
    assert validate_changeset(found, "strict").is_valid


# Commits


def test_the_last_commits_are_those_of_git_log(work: Repo) -> None:
    for number in range(6):
        when = f"{1_700_000_000 + number} +0000"
        work.git("checkout", "-qb", f"side{number}")
        work.commit(f"side {number}", {f"s{number}": "1"}, GIT_COMMITTER_DATE=when)
        work.git("checkout", "-q", "main")
        work.commit(f"main {number}", {f"m{number}": "1"}, GIT_COMMITTER_DATE=when)
        work.git("merge", "-q", "--no-edit", f"side{number}")
    for count in (0, 1, 10, 100):
        found = working.read(work.path, commits=count).recent_commits or ()
        assert [commit.hash for commit in found] == work.git("log", f"-{count}", "--format=%H").split()


def test_a_shallow_clone_ends_at_its_boundary(work: Repo, tmp_path: Path) -> None:
    work.commit("three")
    subprocess.run(["git", "clone", "-q", "--depth=2", f"file://{work.path}", tmp_path / "shallow"], check=True)
    found = working.read(str(tmp_path / "shallow"))
    assert [commit.boundary for commit in found.recent_commits or ()] == [None, True]
    assert "missing" not in (found.metadata or {})


def test_a_commit_that_is_not_there_is_named(work: Repo) -> None:
    gone = work.git("rev-parse", "HEAD~1")
    os.unlink(Path(work.path, ".git", "objects", gone[:2], gone[2:]))
    found = working.read(work.path)
    assert (found.metadata or {})["missing"] == [gone]
    assert [commit.message for commit in found.recent_commits or ()] == ["two\n"]


# What cannot be read


def assert_failed(found: RepositoryChangeset, why: str) -> None:
    assert (found.git_status, found.has_uncommitted_changes) == ("error", False)
    assert (found.uncommitted_files, found.recent_commits) == (None, None)
    assert why in (found.error or "")
    assert validate_changeset(found, "strict").is_valid


def test_a_repository_that_cannot_be_read_says_why(work: Repo, tmp_path: Path) -> None:
    assert_failed(working.read(str(tmp_path / "nothing")), "is not a git repository")
    assert_failed(working.read(os.path.join(work.path, "a")), "is not a git repository")
    Path(work.path, ".git", "HEAD").write_text("nonsense\n")
    assert_failed(working.read(work.path), "")
    Path(work.path, ".git", "HEAD").unlink()
    assert_failed(working.read(work.path), work.path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_someone_elses_repository_is_not_read_and_it_is_said_what_to_do(work: Repo) -> None:
    os.chown(work.path, 12345, 12345)
    os.chown(os.path.join(work.path, ".git"), 12345, 12345)
    found = working.read(work.path)
    assert_failed(found, "owned by someone else")
    assert "safe.directory" in (found.metadata or {})["hint"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_nor_where_git_reads_it(tmp_path: Path) -> None:
    for name, words in (("bare", ("--bare",)), ("work", ())):
        made = Repo(tmp_path / name)
        subprocess.run(["git", "init", "-q", "--object-format=sha256", *words, made.path], check=True)
        for path in (Path(made.path), *Path(made.path).rglob("*")):
            os.chown(path, 12345, 12345)
        assert_failed(working.read(made.path), "dubious ownership")


def test_a_folder_inside_of_a_repository_is_not_that_repository(work: Repo) -> None:
    work.write("folder/x", "1")
    assert_failed(working.read(os.path.join(work.path, "folder")), "is not a git repository")


def test_an_index_that_is_damaged_is_an_error_and_stays(work: Repo) -> None:
    index = Path(work.path, ".git", "index")
    index.write_bytes(index.read_bytes()[:70])
    before = picture(Path(work.path))
    assert_failed(working.read(work.path), "index")
    assert picture(Path(work.path)) == before


def test_no_other_repository_is_read_for_it(work: Repo, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    other = Repo(tmp_path / "other")
    subprocess.run(["git", "init", "-q", other.path], check=True)
    other.write("foreign", "1")
    for name, value in (("GIT_DIR", f"{other.path}/.git"), ("GIT_WORK_TREE", other.path), ("GIT_INDEX_FILE", "/x")):
        monkeypatch.setenv(name, value)
    found = working.read(work.path)
    assert (found.git_status, found.current_branch) == ("clean", "main")


def test_a_file_that_cannot_be_read_is_named(work: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    work.write("secret", "1")
    opened = working._opened

    def closed(path: bytes) -> int:
        if path.endswith(b"/secret"):  # nothing is unreadable to root
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
        return opened(path)

    monkeypatch.setattr(working, "_opened", closed)
    found = working.read(work.path)
    assert (found.metadata or {})["unreadable"] == [{"filename": "secret", "error": "Permission denied"}]
    assert [each.content_hash for each in found.uncommitted_files or ()] == [None]


@pytest.mark.parametrize("instead", ["nothing", "link", "pipe", "folder"])
@pytest.mark.parametrize("moment", ["before it is looked at", "before it is opened"])
def test_a_file_that_is_another_one_by_the_time_it_is_read_holds_nothing(
    work: Repo, monkeypatch: pytest.MonkeyPatch, instead: str, moment: str
) -> None:
    """git has named it; then it is gone, or what it must not be: a link out of the worktree, a pipe without end."""
    work.write("new", "1")
    name = "_held" if moment == "before it is looked at" else "_opened"
    real = getattr(working, name)

    def late(path: bytes) -> object:
        os.unlink(path)
        if instead == "link":
            os.symlink("/etc/passwd", path)
        elif instead == "pipe":
            os.mkfifo(path)
        elif instead == "folder":
            os.mkdir(path)
        return real(path)

    monkeypatch.setattr(working, name, late)
    (only,) = working.read(work.path).uncommitted_files or ()
    if instead == "link" and name == "_held":
        expected = hashlib.sha256(b"/etc/passwd").hexdigest()  # what it says, not what is there
    else:
        expected = None
    assert (only.filename, only.content_hash) == ("new", expected)


def test_a_repository_that_breaks_the_program_is_an_error_too(work: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ValueError("unexpected")

    monkeypatch.setattr("mgit_hooks.git.worktree.status", broken)
    assert_failed(working.read(work.path), "internal error: ValueError: unexpected")


@pytest.mark.parametrize(
    ("content", "why"),
    [(b"gitdir: /nowhere\n", "leads to /nowhere"), (b"nonsense", "does not say"), (b"x" * 100_000, "too large")],
)
def test_a_git_file_that_leads_nowhere(tmp_path: Path, content: bytes, why: str) -> None:
    (tmp_path / ".git").write_bytes(content)
    assert why in (working.read(str(tmp_path)).error or "").lower()


@pytest.mark.parametrize(
    "told",
    [b"x nonsense\0", b"1 .M N... 100644\0", b"? \0u AA\0", b"1 .M N... a b c d e f\0", b"2 R. N... 1 1 1 a b R1 x\0"],
)
def test_what_git_does_not_say_is_refused(told: bytes) -> None:
    with pytest.raises(ValueError, match=r"git status printed|invalid literal"):
        list(porcelain.entries(told))


def test_headers_are_passed_over() -> None:
    assert [entry.path for entry in porcelain.entries(b"# branch.oid (initial)\0? a\nb c\0")] == [b"a\nb c"]


def test_a_name_that_is_no_utf_8_keeps_its_bytes(work: Repo) -> None:
    Path(os.fsdecode(os.path.join(GIT(work.path), b"\xff"))).write_bytes(b"1")
    (only,) = working.read(work.path).uncommitted_files or ()
    assert (only.filename, only.filename_bytes) == readable(b"\xff")
