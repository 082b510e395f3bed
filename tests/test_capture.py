"""What is recorded of one commit, in ordinary repositories and in damaged ones."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from base64 import b64decode
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mgit_hooks.capture import contents
from mgit_hooks.capture.capturer import Capturer
from mgit_hooks.errors import ObjectError
from mgit_hooks.git import plumbing
from mgit_hooks.git.library import Library
from mgit_hooks.git.twin import Twin
from mgit_hooks.record import Commit, FileChange, Oid

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
    assert commit.files == (FileChange("a.txt", None, "added", "A", ".", None, "100644", None, blob, 7, 2, 0, False),)
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
    assert [(change.index_status, change.old_filename, change.filename) for change in files] == [("R", "a", "moved")]
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


def clone(repo: Repo, tmp_path: Path, *options: str) -> Repo:
    made = type(repo)(tmp_path / "clone")
    repo.git("clone", "-q", "--no-local", *options, repo.path, made.path)
    return made


def test_shallow_boundary(repo: Repo, tmp_path: Path) -> None:
    oids = [repo.commit(f"Number {number}", {"a": f"{number}\n"}) for number in range(3)]
    shallow = capturer(clone(repo, tmp_path, "--depth=2"))
    assert list(shallow.new_commits([Oid(oids[2])], lambda _: False)) == oids[1:]
    assert shallow.missing == ()
    boundary, tip = shallow.commits([Oid(oids[1]), Oid(oids[2])])
    assert (boundary.parents, boundary.files, boundary.boundary, boundary.missing) == ((oids[0],), None, True, None)
    assert tip == capturer(repo).commit(Oid(oids[2]))


@pytest.mark.parametrize("format_extension", [False, True])
def test_partial_clone_fetches_nothing(repo: Repo, tmp_path: Path, format_extension: bool) -> None:
    """Blobs that were not fetched count as missing, in clones of both kinds that git has made."""
    repo.git("config", "uploadpack.allowFilter", "true")
    oid = Oid(repo.commit("One", {"a": "1\n"}))
    partial = clone(repo, tmp_path, "--filter=blob:none", "--no-checkout")
    if format_extension:
        partial.git("config", "extensions.partialClone", "origin")
    commit = capturer(partial).commit(oid)
    blob = repo.git("rev-parse", "HEAD:a")
    assert commit.missing == (blob,)
    assert commit.files is not None
    assert commit.files[0][9:13] == (None, None, None, None)
    assert blob not in partial.git("cat-file", "--batch-all-objects", "--batch-check")


def test_rename_with_missing_blobs(repo: Repo) -> None:
    repo.commit("One", {"old": "1\n2\n3\n"})
    repo.git("mv", "old", "new")
    oid = repo.commit("Two", {"new": "1\n2\n3\n4\n"})
    blob = repo.git("rev-parse", "HEAD~:old")
    Path(repo.path, ".git/objects", blob[:2], blob[2:]).unlink()
    commit = capturer(repo).commit(Oid(oid))
    assert commit.missing == (blob,)
    assert commit.files is not None
    new, old = commit.files
    assert (new.index_status, new.additions, new.size_bytes) == ("A", 4, 8)
    assert (old.index_status, old.deletions) == ("D", None)


def test_missing_old_blob_leaves_the_new_size(repo: Repo) -> None:
    repo.commit("One", {"a": "1\n"})
    blob = repo.git("rev-parse", "HEAD:a")
    oid = repo.commit("Two", {"a": "1\n2\n"})
    Path(repo.path, ".git/objects", blob[:2], blob[2:]).unlink()
    commit = capturer(repo).commit(Oid(oid))
    assert commit.files is not None
    assert (commit.missing, commit.files[0].size_bytes, commit.files[0].additions) == ((blob,), 4, None)


def test_missing_parent(repo: Repo) -> None:
    first = repo.commit("One", {"a": "1\n"})
    oid = repo.commit("Two", {"a": "2\n"})
    Path(repo.path, ".git/objects", first[:2], first[2:]).unlink()
    commit = capturer(repo).commit(Oid(oid))
    assert (commit.parents, commit.files, commit.missing) == ((first,), None, (first,))


def test_damaged_blob_counts_as_missing(repo: Repo) -> None:
    oid = repo.commit("One", {"a": "1\n"})
    blob = repo.git("rev-parse", "HEAD:a")
    path = Path(repo.path, ".git/objects", blob[:2], blob[2:])
    path.chmod(0o644)
    path.write_bytes(b"not zlib at all")
    assert capturer(repo).commit(Oid(oid)).missing == (blob,)


def written(repo: Repo, raw: bytes) -> Oid:
    return Oid(repo.git("hash-object", "-t", "commit", "-w", "--stdin", "--literally", stdin=raw))


EMPTY = b"tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\n"


@pytest.mark.parametrize(
    ("header", "name", "email", "date"),
    [
        (b"", "", "", ""),
        (b"author\n", "", "", ""),
        (b"author no brackets 1 +0000\n", "no brackets 1 +0000", "", ""),
        (b"author A <a@x> no date\n", "A", "a@x", ""),
        (b"author A <a@x> 1700000000\n", "A", "a@x", "2023-11-14T22:13:20+00:00"),
        (b"author A <a@x> 1700000000 +9999\n", "A", "a@x", "@1700000000 +9999"),
        (b"author A <a@x> 1700000000 +0060\n", "A", "a@x", "@1700000000 +0060"),
        (b"author A <a@x> 1700000000 \xff\n", "A", "a@x", "@1700000000 \ufffd"),
        (b"author A <a@x> 999999999999999 +0000\n", "A", "a@x", "@999999999999999 +0000"),
        (b"author A <a@x> -86400 -0100\n", "A", "a@x", "@-86400 -0100"),
        (b"author A <a@x> 253402300799 +0000\n", "A", "a@x", "9999-12-31T23:59:59+00:00"),
        (b"author A <a@x> 253402300800 +0000\n", "A", "a@x", "@253402300800 +0000"),
        (b"author A <b <c> d> 0 -0030\n", "A", "b <c", "@0 -0030"),
    ],
)
def test_malformed_author(repo: Repo, header: bytes, name: str, email: str, date: str) -> None:
    commit = capturer(repo).commit(written(repo, EMPTY + header + b"\nMessage\n"))
    assert (commit.author_name, commit.author_email, commit.date) == (name, email, date)
    assert (commit.message, commit.files) == ("Message\n", ())


@pytest.mark.parametrize("raw", [b"", b"\n\n", b"author A <a@x> 1 +0000\n\nNo tree\n"])
def test_commit_without_a_tree(repo: Repo, raw: bytes) -> None:
    oid = written(repo, raw)
    with pytest.raises(ObjectError, match="names no tree"):
        capturer(repo).commit(oid)
    assert not capturer(repo).new_commits([oid], lambda _: False)


def test_what_is_no_commit(repo: Repo) -> None:
    repo.commit("One", {"a": "1\n"})
    with pytest.raises(ObjectError, match="is not a commit"):
        capturer(repo).commit(Oid(repo.git("rev-parse", "HEAD:a")))


@pytest.mark.parametrize(
    ("header", "raw", "message", "has_bytes"),
    [
        (b"", b"caf\xc3\xa9", "café", False),
        (b"", b"caf\xe9", "caf\ufffd", True),
        (b"encoding ISO-8859-1\n", b"caf\xe9", "café", True),
        (b"encoding ISO-8859-1\n", b"plain", "plain", False),
        (b"encoding UTF-8\n", b"caf\xc3\xa9", "café", False),
        (b"encoding x-unheard-of\n", b"caf\xe9", "caf\ufffd", True),
        (b"encoding ascii\n", b"caf\xe9", "caf\ufffd", True),
        (b"encoding rot13\n", b"caf\xe9", "caf\ufffd", True),
        (b"encoding raw_unicode_escape\n", b"\\ud800\xe9", "\\ud800\ufffd", True),
        (b"encoding nul\0\n", b"caf\xe9", "caf\ufffd", True),
        (b"encoding Shift_JIS\n", "日本".encode("shift_jis"), "日本", True),
    ],
)
def test_encodings(repo: Repo, header: bytes, raw: bytes, message: str, has_bytes: bool) -> None:
    oid = written(repo, EMPTY + b"author A <a@x> 1 +0000\n" + header + b"\n" + raw)
    commit = capturer(repo).commit(oid)
    assert commit.message == message
    assert (b64decode(commit.message_bytes) if commit.message_bytes else None) == (raw if has_bytes else None)
    assert Commit.from_json(commit.to_json()) == commit


def test_signature_headers_are_not_people(repo: Repo) -> None:
    signed = b"gpgsig -----BEGIN\n author Mallory <m@x> 2 +0000\n parent 1\n -----END\n"
    raw = EMPTY + b"author A <a@x> 1 +0000\ncommitter C <c@x> 1 +0000\n" + signed + b"\nMessage\n\nauthor X <x@x> 3\n"
    commit = capturer(repo).commit(written(repo, raw))
    assert (commit.author_name, commit.committer_name, commit.parents) == ("A", "C", ())
    assert commit.message == "Message\n\nauthor X <x@x> 3\n"


@pytest.mark.parametrize(
    ("where", "text"),
    [
        (".gitattributes", "*.dat -diff\n*.nul diff\n"),
        ("sub/.gitattributes", "*.dat binary\n*.nul diff\n"),
        (".git/info/attributes", "*.dat -diff\n*.nul diff=mine\n"),
    ],
)
def test_attributes_say_what_is_text(repo: Repo, where: str, text: str) -> None:
    repo.git("config", "diff.mine.binary", "false")
    if where.startswith(".git/"):
        repo.write(where, text)
    else:
        repo.commit("Attributes", {where: text})
    oid = repo.commit("One", {"sub/a.dat": "text\n", "sub/b.nul": "a\0b\nc\n", "sub/c": "x\n", "d": "a\0b\n"})
    numstat = repo.git("show", "--numstat", "--format=", oid).splitlines()
    commit = capturer(repo).commit(Oid(oid))
    assert commit.files is not None
    ours = [
        f"{'-' if file.binary else file.additions}\t{'-' if file.binary else file.deletions}\t{file.filename}"
        for file in commit.files
    ]
    assert ours == numstat
    assert {file.filename: file.binary for file in commit.files} == {
        "d": True, "sub/a.dat": True, "sub/b.nul": False, "sub/c": False,
    }  # fmt: skip


def test_real_submodule(repo: Repo, tmp_path: Path) -> None:
    inner = type(repo)(tmp_path / "inner")
    repo.git("init", "-q", "-b", "main", inner.path)
    first, second = inner.commit("One", {"a": "1\n"}), inner.commit("Two", {"a": "2\n"})
    repo.git("submodule", "add", "-q", inner.path, "sub")
    added = repo.commit("Add it")
    repo.git("-C", "sub", "checkout", "-q", first)
    moved = repo.commit("Move it")
    files = [commit.files for commit in capturer(repo).commits([Oid(added), Oid(moved)])]
    assert files[0] is not None
    assert files[1] is not None
    gitlink = (None, "160000", None, second, None, 1, 0, False)
    assert files[0][1][5:13] == gitlink
    assert files[1][0][3:13] == ("M", ".", "160000", "160000", second, first, None, 1, 1, False)
    inside = Capturer(repo.git("-C", "sub", "rev-parse", "--absolute-git-dir"))
    assert inside.commit(Oid(second)).files == capturer(inner).commit(Oid(second)).files


def test_ten_thousand_files(repo: Repo) -> None:
    stream = b"commit refs/heads/main\ncommitter C <c@x> 1 +0000\ndata 4\nMany"
    for number in range(10_000):
        text = b"%d\n" % number
        stream += b"\nM 100644 inline d%d/f%d\ndata %d\n%s" % (number % 100, number, len(text), text)
    stream += b"\ncommit refs/heads/main\ncommitter C <c@x> 2 +0000\ndata 4\nMove\n"
    stream += b"R d7 e\nD d8/f8\nM 644 inline n\ndata 1\nx\n"
    repo.run("fast-import", "--quiet", stdin=stream)
    one = capturer(repo)
    many, move = one.commits(one.new_commits(one.references().values(), lambda _: False))
    assert many.files is not None
    assert move.files is not None
    assert len(many.files) == 10_000
    assert [sum(file.index_status == letter for file in move.files) for letter in "RAD"] == [100, 1, 1]


def test_folders_deeper_than_pythons_stack(repo: Repo) -> None:
    stream = b""
    for number in (1, 2):
        path = b"a/" * 3000 + b"f"
        stream += b"commit refs/heads/main\ncommitter C <c@x> %d +0000\ndata 1\nm\n" % number
        stream += b"M 100644 inline %s\ndata 2\n%d\n\n" % (path, number)
    repo.run("fast-import", "--quiet", stdin=stream)
    both = [Capturer(f"{repo.path}/.git", make) for make in (Library, Twin)]
    found = [one.commit(Oid(repo.git("rev-parse", "main"))) for one in both]
    assert found[0] == found[1]
    (file,) = found[0].files or ()
    assert (file.index_status, file.additions, file.deletions, len(file.filename)) == ("M", 1, 1, 6001)


def test_small_blobs_are_not_kept_without_end(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    """One holds a hundred times as much memory as the few bytes that are in it."""
    monkeypatch.setattr(contents, "_KEPT_BYTES", 64 * 1024)
    one = capturer(repo)
    oids = [Oid(repo.commit(f"Number {number}", {"small": f"{number}\n"})) for number in range(80)]
    found = [one.commit(oid) for oid in oids]
    assert [commit.files is not None and commit.files[0].additions for commit in found] == [1] * 80
    assert 2 <= len(one._contents._kept) <= 64


@pytest.mark.parametrize("room", [1500, 3000, 6 << 20])
def test_each_blob_of_many_commits_is_read_once_and_none_is_kept(
    repo: Repo, monkeypatch: pytest.MonkeyPatch, room: int
) -> None:
    """With less room than that some are read again, and the numbers are the same."""
    dice = random.Random(5)
    texts = {name: [f"{name} {line}" for line in range(30)] for name in "abcdef"}
    oids = []
    for number in range(40):
        for name in dice.sample(sorted(texts), 2):
            texts[name][dice.randrange(30)] = f"{number}\0" if dice.random() < 0.05 else f"{number}"
            repo.write(name, "\n".join(texts[name]))
        if number % 9 == 5:  # one is renamed, and comes back as another
            repo.git("add", "-A")
            name = sorted(texts)[number % 6]
            if Path(repo.path, name).exists():
                repo.git("mv", name, f"moved{number}")
        repo.git("add", "-A")
        repo.git("commit", "-q", "-m", str(number))
        oids.append(Oid(repo.git("rev-parse", "HEAD")))
    repo.git("repack", "-adq")
    alone = [capturer(repo).commit(oid) for oid in oids]
    monkeypatch.setattr(contents, "_KEPT_BYTES", room)
    one = capturer(repo)
    read: list[Oid] = []
    blob = one._git.blob
    monkeypatch.setattr(one._git, "blob", lambda oid: read.append(oid) or blob(oid))
    assert list(one.commits(oids)) == alone
    files = [file for commit in alone for file in commit.files or ()]
    renamed = {oid for file in files if file.old_filename for oid in (file.old_oid, file.new_oid)}
    again = [oid for oid in read if read.count(oid) > 1]
    if room == 6 << 20:
        assert set(again) <= renamed
        assert set(one._contents._kept) <= renamed
    else:
        assert set(again) - renamed


def peak_mib_of(script: str, *arguments: str) -> int:
    """What a fresh interpreter that runs ``script`` came to hold at most, where the system says so.

    VmHWM, not ru_maxrss: that of a child begins with its parent's.
    """
    if not os.path.isfile("/proc/self/status"):
        pytest.skip("there is no /proc")
    report = "\nprint(*(int(l.split()[1]) // 1024 for l in open('/proc/self/status') if l.startswith('VmHWM')))"
    done = subprocess.run((sys.executable, "-c", script + report, *arguments), check=True, capture_output=True)
    return int(done.stdout.split()[-1])


@pytest.mark.parametrize(
    ("line", "binary", "allowed"), [(b"a line of text, and another\n", False, 340), (b"\0" * 64, True, 340)]
)
def test_hundred_megabytes(repo: Repo, line: bytes, binary: bool, allowed: int) -> None:
    """The blob is held once by libgit2 (twice while it is inflated), and never copied into Python."""
    size = 100 * 1024 * 1024
    oid = Oid(repo.commit("Large", {"large": line * (size // len(line))}))
    commit = capturer(repo).commit(oid)
    assert commit.files is not None
    assert commit.files[0].size_bytes == size // len(line) * len(line)
    assert commit.files[0].additions == (None if binary else size // len(line))
    script = "import sys; from mgit_hooks.capture.capturer import Capturer; Capturer(sys.argv[1]).commit(sys.argv[2])"
    assert peak_mib_of(script, os.path.join(repo.path, ".git"), oid) < allowed
