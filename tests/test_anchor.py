"""``anchor`` and ``verify --anchor``, with real git: the ref, a file, trailers."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import Repo
from journal import forging
from recording import Recording

from mgit_hooks.git import anchorref
from mgit_hooks.journal import identity
from mgit_hooks.journal.anchors import Anchor

REF = "refs/mgit/anchor"


@pytest.fixture
def work(repo: Repo) -> Recording:
    made = Recording(repo)
    made.commit("one")
    made.commit("two")
    made.drain()
    return made


def anchor(work: Recording, mgit: Any, *options: str) -> Any:
    told = mgit("-C", work.path, "anchor", "--json", *options)
    assert told.code == 0
    return told.json[0]


def check(work: Recording, mgit: Any, *where: str) -> tuple[int, list[str]]:
    options = [f"--anchor={each}" for each in where] or ["--anchor"]
    told = mgit("-C", work.path, "verify", "--json", *options)
    return told.code, [each["status"] for each in told.json[0]["anchors"]]


def test_the_ref_goes_forward_and_only_with_the_head(work: Recording, mgit: Any) -> None:
    first = anchor(work, mgit)
    assert (first["seq"], first["written"], first["ref"]) == (3, True, REF)
    assert anchor(work, mgit)["written"] is False
    work.commit("three")
    second = anchor(work, mgit)
    assert (second["seq"], second["written"]) == (4, True)
    assert work.repo.git("rev-list", "--parents", REF).splitlines() == [
        f"{second['commit']} {first['commit']}",
        first["commit"],
    ]
    told = json.loads(work.repo.git("show", f"{REF}:mgit-anchor.json"))
    assert told == {key: second[key] for key in ("journal", "seq", "id", "made_at")}
    assert work.repo.git("log", "-1", "--format=%an|%ae|%cn|%ce|%s", REF) == "mgit-hooks||mgit-hooks||Anchor record 4"
    assert work.repo.git("fsck", "--strict", "--no-dangling") == ""
    assert check(work, mgit) == (0, ["holds", "holds"])


def test_no_hook_runs_and_nothing_is_signed(work: Recording, mgit: Any) -> None:
    for name in ("reference-transaction", "post-commit"):
        hook = Path(work.path, ".git", "hooks", name)
        hook.write_text("#!/bin/sh\nexit 1\n")
        hook.chmod(hook.stat().st_mode | stat.S_IXUSR)
    for key, value in (("commit.gpgSign", "true"), ("gpg.program", "/bin/false"), ("i18n.commitEncoding", "latin1")):
        work.repo.git("config", key, value)
    made = anchor(work, mgit)
    raw = work.repo.git("cat-file", "commit", made["commit"])
    assert [line.split(" ")[0] for line in raw.splitlines()] == ["tree", "author", "committer", "", "Anchor"]


def test_the_anchor_can_be_pushed_and_checked_from_there(work: Recording, mgit: Any, bare: Repo) -> None:
    """The ref is what the owner can change too; what was pushed is not, if the remote takes only what goes forward."""
    bare.git("config", "receive.fsckObjects", "true")
    bare.git("config", "receive.denyNonFastForwards", "true")
    before = forging.kept(work.location.mgit_dir)
    work.commit("three")
    anchor(work, mgit)
    work.git("push", "-q", bare.path, REF)
    forging.put_back(work.location.mgit_dir, before)
    work.repo.git("update-ref", "-d", REF)
    assert mgit("-C", work.path, "verify").code == 0
    assert check(work, mgit) == (1, [])
    work.commit("another")
    work.repo.git("fetch", "-q", bare.path, REF)
    assert check(work, mgit, "FETCH_HEAD") == (1, ["rewritten"])
    anchor(work, mgit)
    assert "rejected" in work.fails("push", bare.path, REF)


def test_a_journal_that_was_put_back_is_told_of_when_it_is_anchored_again(work: Recording, mgit: Any) -> None:
    before = forging.kept(work.location.mgit_dir)
    work.commit("three")
    anchor(work, mgit)
    forging.put_back(work.location.mgit_dir, before)
    told = mgit("-C", work.path, "anchor")  # it has recorded the commit once more by then
    assert (told.code, "the journal has gone back" in told.err) == (0, True)
    assert check(work, mgit) == (1, ["holds", "rewritten"])
    assert "NOT clean" in mgit("-C", work.path, "verify", "--anchor").out


def test_two_at_once_lose_no_anchor(work: Recording, monkeypatch: pytest.MonkeyPatch, mgit: Any) -> None:
    """Between reading the ref and moving it another process anchors: git refuses, and we look again."""
    from mgit_hooks.journal.anchors import Anchor

    other = [Anchor("ab" * 16, 7, "cd" * 32, "2026-11-21T20:00:00+00:00")]
    real = anchorref._commit

    def meanwhile(*args: Any) -> str:
        if other:
            anchorref.write(work.location.common_dir, other.pop())
        return real(*args)

    monkeypatch.setattr(anchorref, "_commit", meanwhile)
    assert anchor(work, mgit)["written"]
    assert check(work, mgit) == (1, ["holds", "foreign"])


def test_a_file(work: Recording, mgit: Any, tmp_path: Path) -> None:
    for number in range(3):
        work.commit(f"more {number}")
        assert mgit("-C", work.path, "anchor", "--file", "../anchors.txt").code == 0
    path = tmp_path / "anchors.txt"
    assert len(path.read_text().splitlines()) == 3
    assert mgit("-C", work.path, "anchor", "--file=-").out.split()[0] == path.read_text().split()[-2]
    assert check(work, mgit, "../anchors.txt") == (0, ["holds"] * 3)
    path.write_text(path.read_text() + "no anchor\n# a remark\n")
    assert check(work, mgit, "../anchors.txt") == (1, ["holds"] * 3 + ["malformed"])
    assert "this is no anchor: no anchor" in mgit("-C", work.path, "verify", "--anchor", "../anchors.txt").out
    assert work.repo.git("for-each-ref", "refs/mgit") == ""


def test_a_file_that_takes_a_part_at_a_time(
    work: Recording, mgit: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.write
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", lambda descriptor, data: real(descriptor, data[:9]))
        assert mgit("-C", work.path, "anchor", "--file", str(tmp_path / "anchors")).code == 0
    assert check(work, mgit, str(tmp_path / "anchors")) == (0, ["holds"])


def test_a_file_that_cannot_be_written_or_is_not_there(work: Recording, mgit: Any) -> None:
    told = mgit("-C", work.path, "anchor", "--file", "no/such/folder")
    assert (told.code, told.err.count("\n")) == (128, 2)
    assert mgit("-C", work.path, "verify", "--anchor", "no/such/file").code == 2


def test_trailers(work: Recording, mgit: Any) -> None:
    trailer = mgit("-C", work.path, "anchor", "--trailer").out.strip()
    work.commit("three", "--allow-empty", "--trailer", trailer)
    work.commit("four", "--allow-empty", "--trailer", "Mgit-Anchor: mangled")
    assert check(work, mgit, "trailers") == (0, ["malformed", "holds"])
    assert check(work, mgit, "HEAD~2..HEAD~1") == (0, ["holds"])
    assert check(work, mgit, "main") == (0, ["malformed", "holds"])
    assert check(work, mgit, "HEAD~1..HEAD") == (1, ["malformed"])
    work.repo.git("config", "log.showSignature", "true")
    assert check(work, mgit, "trailers") == (0, ["malformed", "holds"])


def test_trailers_of_other_journals_are_said_and_no_finding(work: Recording, mgit: Any) -> None:
    foreign = f"Mgit-Anchor: {'ab' * 16}:3:{'cd' * 32}"
    work.commit("theirs", "--allow-empty", "--trailer", foreign)
    assert check(work, mgit, "trailers") == (1, ["foreign"])
    work.commit("ours", "--allow-empty", "--trailer", mgit("-C", work.path, "anchor", "--trailer").out.strip())
    assert check(work, mgit, "trailers") == (0, ["holds", "foreign"])
    assert "another journal, abababab" in mgit("-C", work.path, "verify", "--anchor", "trailers").out
    Path(work.path, "anchors").write_text(foreign)
    assert check(work, mgit, "anchors", "trailers") == (1, ["foreign", "holds", "foreign"])


def test_to_check_against_nothing_is_no_clean_result(work: Recording, mgit: Any) -> None:
    Path(work.path, "empty").touch()
    for where in (REF, "empty", "trailers", "HEAD"):
        told = mgit("-C", work.path, "verify", "--anchor", where)
        assert (told.code, f"nothing was checked: {where}" in told.out) == (1, True)
    told = mgit("-C", work.path, "verify", "--anchor", "--json")
    assert (told.code, "nothing was checked" in told.err) == (1, True)
    anchor(work, mgit)
    assert check(work, mgit, REF, "empty")[0] == 1


@pytest.mark.parametrize("where", ["nonsense", "--all", "HEAD..nonsense", "-x"])
def test_a_place_that_is_none(work: Recording, mgit: Any, where: str) -> None:
    told = mgit("-C", work.path, "verify", f"--anchor={where}")
    assert (told.code, told.err.count("\n")) == (2, 2)


def test_a_ref_without_an_anchor_in_it(work: Recording, mgit: Any) -> None:
    work.repo.git("update-ref", REF, "HEAD")
    assert check(work, mgit) == (1, ["malformed"])
    anchor(work, mgit)
    assert check(work, mgit) == (1, ["holds", "malformed", "malformed"])


def test_a_replaced_anchor_is_not_believed(work: Recording, mgit: Any) -> None:
    first = anchor(work, mgit)
    before = forging.kept(work.location.mgit_dir)
    work.commit("three")
    second = anchor(work, mgit)
    forging.put_back(work.location.mgit_dir, before)
    work.repo.git("replace", second["commit"], first["commit"])
    work.commit("another")
    assert check(work, mgit) == (1, ["rewritten", "holds"])


def test_the_drain_anchors_where_it_is_told_to_and_records_nothing_of_it(work: Recording, mgit: Any) -> None:
    assert work.repo.git("for-each-ref", "refs/mgit") == ""
    work.repo.git("config", "mgit.anchor", "ref")
    work.commit("three")
    assert work.drain() == 1
    assert check(work, mgit) == (0, ["holds"])
    before = identity.read_head(work.location.journal_dir)
    at = work.repo.git("rev-parse", REF)
    for _ in range(2):
        assert work.drain() == 0
    work.repo.git("pack-refs", "--all")
    assert work.drain() == 0
    assert (identity.read_head(work.location.journal_dir), work.repo.git("rev-parse", REF)) == (before, at)
    assert not any(name.startswith("refs/mgit/") for name, _, _ in work.refs())
    work.commit("four")
    work.drain()
    assert check(work, mgit) == (0, ["holds", "holds"])


def test_a_drain_that_cannot_anchor_records_all_the_same(work: Recording) -> None:
    work.repo.git("config", "mgit.anchor", "ref")
    Path(work.location.common_dir, "refs", "mgit").touch()
    work.commit("three")
    assert work.drain() == 1
    assert "was not anchored" in Path(work.location.mgit_dir, "logs", "mgit.log").read_text()


def test_a_worktrees_file_may_ask_for_anchors_and_not_stop_them(work: Recording, mgit: Any) -> None:
    work.write(".mgit-hooks.toml", 'anchor = "off"\n')
    work.repo.git("config", "mgit.anchor", "ref")
    assert mgit("-C", work.path, "config", "anchor").out == "ref\n"


def test_copied_cloned_and_moved(work: Recording, mgit: Any, tmp_path: Path) -> None:
    made = anchor(work, mgit)
    line = f"{made['journal']}:{made['seq']}:{made['id']}"
    (tmp_path / "anchor").write_text(line)
    shutil.copytree(work.path, tmp_path / "copy", symlinks=True)
    os.rename(work.path, tmp_path / "moved")
    clone = Repo(tmp_path / "clone")
    Repo(tmp_path / "moved").git("clone", "-q", str(tmp_path / "moved"), clone.path)
    assert mgit("-C", clone.path, "init", "-q").code == 0
    for name, status, code in (("copy", "holds", 0), ("moved", "holds", 0), ("clone", "foreign", 1)):
        repo = Repo(tmp_path / name)
        repo.commit("and on")
        told = mgit("-C", repo.path, "verify", "--json", "--anchor", "../anchor")
        assert (told.code, told.json[0]["anchors"][0]["status"]) == (code, status), name
    assert mgit("-C", str(tmp_path / "copy"), "verify", "--json").json[0]["journal"] != made["journal"]


@pytest.mark.parametrize(
    "content", ["[]", '"x"', "null", "1", "{", "[" * 60_000, '{"journal": [], "seq": {}, "id": 0}']
)
def test_whatever_stands_in_an_anchors_place_is_a_finding(work: Recording, mgit: Any, content: str) -> None:
    git = work.repo.git
    blob = git("hash-object", "-w", "--stdin", stdin=content.encode())
    tree = git("mktree", stdin=f"100644 blob {blob}\tmgit-anchor.json\n".encode())
    git("update-ref", REF, git("commit-tree", "-m", "x", tree))
    assert check(work, mgit) == (1, ["malformed"])
    assert anchor(work, mgit)["written"] is True  # and it keeps nobody from going on


def test_in_a_bare_repository_the_ref_is_no_file(bare: Repo, repo: Repo, mgit: Any) -> None:
    repo.commit("one")
    repo.git("push", "-q", bare.path, "main")
    assert mgit("-C", bare.path, "backfill").code == 0
    assert mgit("-C", bare.path, "anchor").code == 0
    assert os.path.isfile(os.path.join(bare.path, REF))
    assert mgit("-C", bare.path, "verify", "--anchor").code == 0


def test_backfill_records_no_anchor(work: Recording, mgit: Any) -> None:
    anchor(work, mgit)
    assert mgit("-C", work.path, "backfill").out.startswith("0 commits recorded")


def test_an_anchor_is_a_line_of_its_own(work: Recording, mgit: Any, tmp_path: Path) -> None:
    file = tmp_path / "anchors"
    file.write_text("# kept by hand")  # no newline: an editor's way, or a write that was cut off
    anchor(work, mgit, "--file", str(file))
    assert check(work, mgit, str(file)) == (0, ["holds"])


def test_what_is_no_file_of_anchors_is_left_alone(work: Recording, mgit: Any, tmp_path: Path) -> None:
    bundle = tmp_path / "journal.mgit"
    assert mgit("-C", work.path, "export", "--bundle", "-o", str(bundle)).code == 0
    before = bundle.read_bytes()
    told = mgit("-C", work.path, "anchor", "--file", str(bundle))
    assert (told.code, "a bundle" in told.err, bundle.read_bytes() == before) == (2, True, True)


def bounded(work: Recording, *command: str) -> tuple[int, str]:
    """Exit status and standard error of a command that has zeros without end to read, and neither time nor memory
    without end: nor have the git commands that it starts."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))

    with (
        open("/dev/zero", "rb") as zeros,
        subprocess.Popen(
            [sys.executable, "-m", "mgit_hooks", "-C", work.path, *command],
            stdin=zeros, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
            start_new_session=True, preexec_fn=limit,
        ) as process,
    ):  # fmt: skip
        try:
            _, said = process.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            raise
    return process.returncode, said


ODD_REFS: dict[str, Callable[[Path], object]] = {
    "a pipe": os.mkfifo,
    "a device": lambda path: path.symlink_to("/dev/zero"),
    "a file of a tebibyte": lambda path: (path.touch(), os.truncate(path, 1 << 40)),
}


@pytest.mark.parametrize(
    ("name", "command"),
    [
        (REF, ("verify", "--anchor")),
        (REF, ("anchor",)),
        ("refs/heads/odd", ("verify", "--anchor", "trailers")),
        ("refs/heads/odd", ("verify", "--anchor=refs/heads/odd")),
        ("FETCH_HEAD", ("verify", "--anchor=FETCH_HEAD")),
    ],
)
@pytest.mark.parametrize("odd", ODD_REFS)
def test_a_ref_that_git_could_not_read_is_refused(
    work: Recording, name: str, command: tuple[str, ...], odd: str
) -> None:
    """git itself waits for the one without end, and reads the others until there is no memory left."""
    anchorref.write(work.location.git_dir, Anchor("ab" * 16, 1, "cd" * 32, "2026-01-01T00:00:00+00:00"))
    path = Path(work.location.common_dir, name)
    path.unlink(missing_ok=True)
    ODD_REFS[odd](path)
    status, said = bounded(work, *command)
    assert status == 128
    assert said.splitlines()[0].startswith(f"mgit-hooks: {path} is ")
    assert "move it away" in said


def test_a_folder_in_a_refs_place_holds_no_anchor(work: Recording, mgit: Any) -> None:
    Path(work.location.common_dir, REF).mkdir(parents=True)
    told = mgit("-C", work.path, "verify", "--anchor")
    assert (told.code, f"nothing was checked: {REF} holds no anchor" in told.out) == (1, True)


@pytest.mark.parametrize("where", ["anchors", "-"])
def test_a_file_of_anchors_without_end_is_refused(work: Recording, tmp_path: Path, where: str) -> None:
    place = tmp_path / "anchors"
    place.touch()
    os.truncate(place, 1 << 40)
    named = where if where == "-" else str(place)
    status, said = bounded(work, "verify", "--anchor", named)
    assert (status, f"cannot read {named}: File too large" in said) == (2, True)
