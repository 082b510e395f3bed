"""Each git command leaves exactly the right records: real git, drained at each step or only at the end."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from recording import Recording

from mgit_hooks.record import Oid


@pytest.fixture(params=["each", "once"])
def work(repo, request: pytest.FixtureRequest) -> Iterator[Recording]:  # type: ignore[no-untyped-def]
    """Drained after every git command, and only at the end: the records must be the same."""
    made = Recording(repo, every=request.param == "each")
    yield made
    made.check()


def sequence_editor(tmp_path: Path, script: str) -> str:
    """A GIT_SEQUENCE_EDITOR that runs ``sed`` with this script on the todo list."""
    return f"sed -i -e '{script}'"


def changes(work: Recording, oid: str) -> list[tuple[str, str]]:
    commit = work.of(oid).commit
    assert commit is not None
    assert commit.files is not None
    return [(change.index_status, change.filename) for change in commit.files]


# commit


def test_the_first_commit(work: Recording) -> None:
    first = work.commit("one")
    record = work.of(first)
    assert (record.event, record.source, record.worktree, record.branch) == ("commit", "hook", "main-worktree", "main")
    assert (record.gate.status, record.replaces, record.occurred_from) == ("none", (), "reflog")
    assert record.commit is not None
    assert record.occurred_at == record.commit.committer_date
    assert record.commit.parents == ()
    assert [m[:3] for m in record.refs or ()] == [("HEAD", None, first), ("refs/heads/main", None, first)]
    assert changes(work, first) == [("A", "one")]
    assert work.made() == ["commit one"]


def test_plain_commits(work: Recording) -> None:
    work.commit("one")
    work.git("commit", "-q", "--allow-empty", "-m", "empty")
    work.git("commit", "-q", "--allow-empty", "--allow-empty-message", "-m", "")
    nameless = work.head()
    work.write("one", "changed\n")
    work.git("commit", "-q", "-a", "-m", "all")
    every = work.head()
    work.write("one", "again\n")
    work.write("other", "not this one\n")
    work.git("add", "other")
    work.git("commit", "-q", "-m", "path", "--", "one")
    path = work.head()
    assert work.made() == ["commit one", "commit empty", "commit ", "commit all", "commit path"]
    assert work.of(nameless).commit.message == ""  # type: ignore[union-attr]
    assert changes(work, nameless) == []
    assert changes(work, every) == [("M", "one")]
    assert changes(work, path) == [("M", "one")]
    assert all(record.source == "hook" for record in work.records("commit"))
    assert work.git("diff", "--cached", "--name-only") == "other"


def test_no_verify_is_recorded_all_the_same(work: Recording) -> None:
    work.commit("one")
    quiet = work.commit("two", "--allow-empty", "--no-verify")
    assert work.of(quiet).event == "commit"


def test_kinds_of_change(work: Recording) -> None:
    work.write("plain", "".join(f"line {n}\n" for n in range(30)))
    work.write("script", "#!/bin/sh\n")
    os.symlink("plain", os.path.join(work.path, "link"))
    work.write("image", b"\0\1\2" * 100)
    work.git("add", "-A")
    first = work.commit("first", "--allow-empty")
    work.git("mv", "plain", "renamed")
    work.write("renamed", "".join(f"line {n}\n" for n in range(29)) + "other\n")
    Path(work.path, "script").chmod(0o755)
    os.unlink(os.path.join(work.path, "link"))
    work.write("link", "now a file\n")
    work.git("add", "-A")
    work.git("rm", "-q", "image")
    second = work.commit("second", "--allow-empty")
    one, two = work.of(first).commit, work.of(second).commit
    assert one is not None
    assert two is not None
    assert {c.filename: (c.index_status, c.new_mode, c.binary) for c in one.files or ()} == {
        "plain": ("A", "100644", False),
        "script": ("A", "100644", False),
        "link": ("A", "120000", False),
        "image": ("A", "100644", True),
    }
    assert {c.filename: (c.change_type, c.old_filename, c.old_mode, c.new_mode) for c in two.files or ()} == {
        "renamed": ("renamed", "plain", "100644", "100644"),
        "script": ("modified", None, "100644", "100755"),
        "link": ("typechange", None, "120000", "100644"),
        "image": ("deleted", None, "100644", None),
    }
    renamed = next(c for c in two.files or () if c.filename == "renamed")
    assert (renamed.additions, renamed.deletions) == (1, 1)


# amend


def test_amend(work: Recording) -> None:
    root = work.commit("root")
    old = work.commit("one")
    work.git("commit", "-q", "--amend", "-m", "better")
    new = work.head()
    work.git("commit", "-q", "--amend", "--allow-empty", "-m", "best")
    best = work.head()
    assert work.made() == ["commit root", "commit one", "amend better", "amend best"]
    assert work.of(new).replaces == (old,)
    assert work.of(best).replaces == (new,)
    assert work.of(best).commit.parents == (root,)  # type: ignore[union-attr]
    assert (work.of(best).source, work.of(best).branch) == ("hook", "main")


def test_amending_the_first_commit(work: Recording) -> None:
    old = work.commit("one")
    work.git("commit", "-q", "--amend", "-m", "better")
    assert work.of(work.head()).replaces == (old,)


# merge


def fork(work: Recording) -> tuple[Oid, Oid]:
    """main and topic, one commit each beyond their base."""
    work.commit("base")
    work.git("checkout", "-q", "-b", "topic")
    topic = work.commit("theirs")
    work.git("checkout", "-q", "main")
    return work.commit("ours"), topic


def clash(work: Recording) -> None:
    """main and topic, each with its own version of the file ``same``."""
    work.write("same", "base\n")
    work.git("add", "same")
    work.commit("base", "--allow-empty")
    work.git("checkout", "-q", "-b", "topic")
    work.write("same", "theirs\n")
    work.git("commit", "-q", "-a", "-m", "theirs")
    work.git("checkout", "-q", "main")
    work.write("same", "ours\n")
    work.git("commit", "-q", "-a", "-m", "ours")


def resolve(work: Recording) -> None:
    work.write("same", "both\n")
    work.git("add", "same")


def test_a_true_merge(work: Recording) -> None:
    ours, theirs = fork(work)
    work.git("merge", "-q", "-m", "join", "topic")
    record = work.of(work.head())
    assert (record.event, record.source, record.branch, record.gate.status) == ("merge", "hook", "main", "none")
    assert record.commit is not None
    assert record.commit.parents == (ours, theirs)
    assert [c.filename for c in record.commit.files or ()] == ["theirs"]
    assert work.made() == ["commit base", "commit theirs", "commit ours", "merge join"]


def test_a_fast_forward_makes_no_commit(work: Recording) -> None:
    base = work.commit("base")
    work.git("checkout", "-q", "-b", "topic")
    topic = work.commit("theirs")
    work.git("checkout", "-q", "main")
    work.git("merge", "-q", "--ff-only", "topic")
    assert work.made() == ["commit base", "commit theirs"]
    assert ("refs/heads/main", base, topic) in work.refs("ref-update")


def test_a_squash_is_a_commit(work: Recording) -> None:
    fork(work)
    work.git("merge", "-q", "--squash", "topic")
    work.git("commit", "-q", "-m", "squashed")
    assert work.made() == ["commit base", "commit theirs", "commit ours", "commit squashed"]


def test_an_octopus(work: Recording) -> None:
    work.commit("base")
    for name in ("a", "b", "c"):
        work.git("checkout", "-q", "-b", name, "main")
        work.commit(f"on {name}")
    work.git("checkout", "-q", "main")
    work.git("merge", "-q", "-m", "octopus", "a", "b", "c")
    record = work.of(work.head())
    assert record.event == "merge"
    assert len(record.commit.parents) == 3  # type: ignore[union-attr]


@pytest.mark.parametrize("conclude", [("commit", "-q", "--no-edit"), ("merge", "--continue")])
def test_a_merge_concluded_after_a_conflict(work: Recording, conclude: tuple[str, ...]) -> None:
    clash(work)
    work.fails("merge", "-q", "topic")
    resolve(work)
    work.git(*conclude)
    record = work.of(work.head())
    assert (record.event, record.source, record.branch) == ("merge", "hook", "main")
    assert len(record.commit.parents) == 2  # type: ignore[union-attr]


def test_an_aborted_merge_leaves_nothing(work: Recording) -> None:
    clash(work)
    work.fails("merge", "-q", "topic")
    work.git("merge", "--abort")
    assert work.made() == ["commit base", "commit theirs", "commit ours"]


# rebase


def test_rebase(work: Recording) -> None:
    ours, theirs = fork(work)
    work.git("checkout", "-q", "topic")
    second = work.commit("theirs too")
    work.git("rebase", "-q", "main")
    records = work.records("rebase")
    assert [r.commit.message for r in records if r.commit] == ["theirs\n", "theirs too\n"]
    assert [r.replaces for r in records] == [(theirs,), (second,)]
    assert records[0].commit.parents == (ours,)  # type: ignore[union-attr]
    assert {(r.source, r.gate.status, r.worktree) for r in records} == {("hook", "none", "main-worktree")}
    assert ("refs/heads/topic", second, work.head()) in work.refs("ref-update")
    assert len(work.made()) == 6


def test_rebase_with_a_conflict(work: Recording) -> None:
    clash(work)
    work.git("checkout", "-q", "topic")
    work.commit("more")
    old = (work.head("topic~1"), work.head("topic"))
    work.fails("rebase", "-q", "main")
    resolve(work)
    work.git("rebase", "--continue")
    assert work.made() == ["commit base", "commit theirs", "commit ours", "commit more", "rebase theirs", "rebase more"]
    assert [record.replaces for record in work.records("rebase")] == [(old[0],), (old[1],)]


def test_interactive_rebase(work: Recording, tmp_path: Path) -> None:
    work.commit("base")
    old = {name: work.commit(name) for name in ("keep", "fix", "squashed", "word", "changed", "gone")}
    todo = (
        "/fix/s/^pick/fixup/;/squashed/s/^pick/squash/;/word/s/^pick/reword/;/changed/s/^pick/edit/;/gone/s/^pick/drop/"
    )
    work.git(
        "rebase",
        "-q",
        "-i",
        "HEAD~6",
        GIT_SEQUENCE_EDITOR=sequence_editor(tmp_path, todo),
        GIT_EDITOR="sed -i -e s/word/phrase/",
    )
    work.write("changed", "edited\n")
    work.git("add", "changed")
    work.git("commit", "-q", "--amend", "--no-edit")
    work.git("rebase", "--continue")
    kept, phrase, changed = (work.head(f"HEAD~{n}") for n in (2, 1, 0))
    assert work.of(phrase).commit.message == "phrase\n"  # type: ignore[union-attr]
    replaced = {oid: set(work.of(oid).replaces or ()) for oid in (kept, phrase, changed)}
    # git also says which commits of its own, on the way, a fixup replaced
    assert replaced[kept] - set(old.values()) <= {r.commit.hash for r in work.records("rebase") if r.commit}
    assert replaced[kept] & set(old.values()) == {old["keep"], old["fix"], old["squashed"]}
    assert replaced[phrase] & set(old.values()) == {old["word"]}
    assert old["changed"] in replaced[changed]
    assert {record.event for record in work.records() if record.commit} <= {"commit", "rebase", "amend"}


def test_a_symbolic_ref_with_a_reflog_is_not_recorded_and_does_not_count_as_gone(work: Recording) -> None:
    one = work.commit("one")
    work.git("symbolic-ref", "refs/heads/alias", "refs/heads/main")
    work.git("update-ref", "-m", "through it", "refs/heads/alias", work.git("commit-tree", "-m", "two", "HEAD^{tree}"))
    assert work.git("reflog", "exists", "refs/heads/alias") == ""
    two = work.head()
    work.drain()
    work.git("symbolic-ref", "-d", "refs/heads/alias")
    work.check()
    assert ("refs/heads/main", one, two) in work.refs()
    assert "refs/heads/alias" not in {m.name for record in work.all() for m in record.refs or ()}


def test_aborted_rebase(work: Recording) -> None:
    clash(work)
    work.git("checkout", "-q", "topic")
    before = work.head()
    work.fails("rebase", "-q", "main")
    work.git("rebase", "--abort")
    assert work.head() == before
    assert work.made() == ["commit base", "commit theirs", "commit ours"]


def test_rebase_that_fast_forwards(work: Recording) -> None:
    work.commit("base")
    work.git("checkout", "-q", "-b", "topic")
    work.git("checkout", "-q", "main")
    ours = work.commit("ours")
    work.git("checkout", "-q", "topic")
    work.git("rebase", "-q", "main")
    assert work.head("topic") == ours
    assert work.made() == ["commit base", "commit ours"]


def test_rebase_onto(work: Recording) -> None:
    _, theirs = fork(work)
    work.git("checkout", "-q", "topic")
    second = work.commit("second")
    work.git("rebase", "-q", "--onto", "main", theirs)
    record = work.of(work.head())
    assert (record.event, record.replaces) == ("rebase", (second,))


def test_autosquash(work: Recording) -> None:
    work.commit("base")
    target = work.commit("target")
    work.commit("later")
    work.write("target", "mended\n")
    work.git("commit", "-q", "-a", "--fixup", target)
    fixup = work.head()
    work.git("rebase", "-q", "-i", "--autosquash", "HEAD~3", GIT_SEQUENCE_EDITOR="true")
    record = work.of(work.head("HEAD~1"))
    assert record.event == "rebase"
    assert set(record.replaces or ()) >= {target, fixup}


# cherry-pick, revert, am


def test_cherry_picks(work: Recording) -> None:
    work.commit("base")
    work.git("checkout", "-q", "-b", "topic")
    picked = [work.commit(name) for name in ("a", "b", "c")]
    work.git("checkout", "-q", "main")
    work.git("cherry-pick", "-x", picked[0])
    work.git("cherry-pick", f"{picked[0]}..{picked[2]}")
    assert work.made()[4:] == ["cherry-pick a", "cherry-pick b", "cherry-pick c"]
    assert {(r.source, r.replaces, r.gate.status, r.branch) for r in work.records("cherry-pick")} == {
        ("hook", (), "none", "main")
    }


def test_a_cherry_pick_that_fast_forwards(work: Recording) -> None:
    base = work.commit("base")
    work.git("checkout", "-q", "-b", "topic")
    picked = work.commit("a")
    work.git("checkout", "-q", "main")
    work.git("cherry-pick", "--ff", picked)
    assert work.made() == ["commit base", "commit a"]
    assert ("refs/heads/main", base, picked) in work.refs("ref-update")


@pytest.mark.parametrize("conclude", [("cherry-pick", "--continue"), ("commit", "-q", "--no-edit")])
def test_a_cherry_pick_continued(work: Recording, conclude: tuple[str, ...]) -> None:
    clash(work)
    work.fails("cherry-pick", "topic")
    resolve(work)
    work.git(*conclude)
    assert work.made()[-1] == "cherry-pick theirs"


def test_revert(work: Recording) -> None:
    work.commit("one")
    work.commit("two")
    work.git("revert", "--no-edit", "HEAD~1")
    assert work.made() == ["commit one", "commit two", 'revert Revert "one"']
    assert work.records("revert")[0].source == "hook"


@pytest.mark.parametrize("conclude", [("revert", "--continue"), ("commit", "-q", "--no-edit")])
def test_a_revert_continued(work: Recording, conclude: tuple[str, ...]) -> None:
    for content in ("one\n", "two\n", "three\n"):
        work.write("same", content)
        work.git("add", "same")
        work.commit(content.strip(), "--allow-empty")
    work.fails("revert", "--no-edit", "HEAD~1")
    resolve(work)
    work.git(*conclude)
    assert work.made()[-1] == 'revert Revert "two"'


def test_am(work: Recording, tmp_path: Path) -> None:
    work.commit("base")
    work.git("checkout", "-q", "-b", "topic")
    work.commit("a")
    work.commit("b")
    work.git("format-patch", "-q", "-o", str(tmp_path / "patches"), "main")
    work.git("checkout", "-q", "main")
    work.git(
        "am", "-q", *(str(path) for path in sorted((tmp_path / "patches").iterdir())), GIT_COMMITTER_NAME="Carrier"
    )
    assert work.made() == ["commit base", "commit a", "commit b", "am a", "am b"]
    assert {(r.source, r.branch) for r in work.records("am")} == {("hook", "main")}


# movements


def test_checkouts(work: Recording) -> None:
    first = work.commit("one")
    work.git("branch", "topic")
    second = work.commit("two")
    work.git("checkout", "-q", "topic")
    work.git("checkout", "-q", "-b", "new")
    work.git("checkout", "-q", "--detach", "main")
    work.git("switch", "-q", "topic")
    work.git("checkout", "-q", "main", "--", "two")
    moved = [(m.old_oid, m.new_oid) for r in work.records("checkout") for m in r.refs or () if m.name == "HEAD"]
    assert moved == [(second, first), (first, first), (first, second), (second, first)]
    assert ("refs/heads/topic", None, first) in work.refs()
    assert ("refs/heads/new", None, first) in work.refs()
    assert all(record.worktree == "main-worktree" for record in work.records("checkout"))


def test_a_commit_on_a_detached_head(work: Recording) -> None:
    work.commit("one")
    work.git("checkout", "-q", "--detach")
    second = work.commit("two")
    record = work.of(second)
    assert (record.event, record.branch) == ("commit", None)
    assert [m.name for m in record.refs or ()] == ["HEAD"]


def test_reset(work: Recording) -> None:
    first = work.commit("one")
    second = work.commit("two")
    work.git("reset", "-q", "--hard", "HEAD~1")
    work.git("reset", "-q", "--hard", second)
    assert [m for m in work.refs("ref-update") if m[0] == "HEAD"] == [("HEAD", second, first), ("HEAD", first, second)]
    assert work.made() == ["commit one", "commit two"]


def test_stash(work: Recording) -> None:
    work.commit("one")
    for content in ("first\n", "second\n", "third\n"):
        work.write("one", content)
        work.git("stash", "push", "-q", "-m", content.strip())
    stashed = work.head("stash")
    work.drain()  # what is dropped before any drain leaves no trace
    work.git("stash", "drop", "-q", "stash@{1}")
    work.git("stash", "pop", "-q")
    work.check()
    assert work.of(stashed).event == "import"
    assert any(m[0] == "refs/stash" and m[2] == stashed for record in work.records() for m in record.refs or ())
    assert [m for m in work.refs() if m[0] == "refs/stash"][-1][2] == work.head("stash")
    work.drain()
    work.git("stash", "drop", "-q")
    assert [m for m in work.refs() if m[0] == "refs/stash"][-1][2] is None


def test_branches_and_tags(work: Recording) -> None:
    first = work.commit("one")
    work.git("branch", "a")
    work.git("branch", "-m", "a", "b")
    work.git("branch", "keep")
    work.git("tag", "light")
    work.git("tag", "-a", "-m", "heavy", "heavy")
    heavy = work.head("heavy")
    work.git("branch", "-D", "b")
    work.git("tag", "-d", "light")
    told = work.refs()
    assert ("refs/heads/keep", None, first) in told
    assert ("refs/tags/heavy", None, heavy) in told
    assert work.made() == ["commit one"]
    if work.every:
        assert ("refs/heads/b", first, None) in told
        assert ("refs/tags/light", first, None) in told


def test_a_deleted_branch_keeps_its_commits_on_record(work: Recording) -> None:
    work.commit("one")
    work.git("checkout", "-q", "-b", "topic")
    lost = work.commit("lost")
    work.git("checkout", "-q", "main")
    work.git("branch", "-q", "-D", "topic")
    assert work.of(lost).event == "commit"


def test_notes_are_ref_updates(work: Recording) -> None:
    work.commit("one")
    work.git("notes", "add", "-m", "remember")
    work.git("notes", "append", "-m", "more")
    assert any(name == "refs/notes/commits" for name, _, _ in work.refs())


# worktrees and submodules


def test_worktrees(work: Recording, tmp_path: Path) -> None:
    work.commit("one")
    other = str(tmp_path / "beside")
    work.git("worktree", "add", "-q", "-b", "topic", other)
    Path(other, "there").write_text("x\n")
    work.git("-C", other, "add", "there")
    work.git("-C", other, "commit", "-q", "-m", "there")
    there = work.head("topic")
    work.git("-C", other, "commit", "-q", "--amend", "-m", "there, better")
    better = work.head("topic")
    here = work.commit("here")
    for oid, event, worktree, branch in (
        (there, "commit", "worktrees/beside", "topic"),
        (better, "amend", "worktrees/beside", "topic"),
        (here, "commit", "main-worktree", "main"),
    ):
        record = work.of(oid)
        assert (record.event, record.worktree, record.branch, record.source) == (event, worktree, branch, "hook")
    work.git("worktree", "remove", "--force", other)
    work.check()
    assert work.of(better).replaces == (there,)


def test_a_worktree_gone_before_any_drain_leaves_its_branch(work: Recording, tmp_path: Path) -> None:
    work.commit("one")
    other = str(tmp_path / "beside")
    work.git("worktree", "add", "-q", "-b", "topic", other)
    work.git("-C", other, "commit", "-q", "--allow-empty", "-m", "there")
    work.git("worktree", "remove", other)
    assert work.of(work.head("topic")).event == "commit"


def test_submodules(work: Recording, tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", str(tmp_path / "library")], check=True)
    library = ["git", "-C", str(tmp_path / "library")]
    subprocess.run([*library, "commit", "-q", "--allow-empty", "-m", "library"], check=True)
    work.git("submodule", "--quiet", "add", str(tmp_path / "library"), "sub")
    added = work.commit("add a submodule", "--allow-empty")
    inner = work.repo.__class__(Path(work.path, "sub"))
    Path(tmp_path, "inner").mkdir()
    work.install(inner.path)
    before = len(work.records())
    sub = Recording(inner, every=work.every)
    inside = sub.commit("inside")
    work.git("add", "sub")
    outside = work.commit("move the submodule", "--allow-empty")
    assert changes(work, added) == [("A", ".gitmodules"), ("A", "sub")]
    change = (work.of(outside).commit.files or ())[0]  # type: ignore[union-attr]
    assert (change.filename, change.new_mode, change.new_oid, change.size_bytes) == ("sub", "160000", inside, None)
    assert sub.of(inside).repository_name == "sub"
    assert sub.made() == ["commit inside"]
    assert len(work.records()) == before + 1
    sub.check()


# pushes and fetches


@pytest.fixture
def remote(work: Recording, bare) -> Recording:  # type: ignore[no-untyped-def]
    work.git("remote", "add", "origin", bare.path)
    return work


def test_pushes(remote: Recording, bare) -> None:  # type: ignore[no-untyped-def]
    work = remote
    one = work.commit("one")
    work.git("push", "-q", "origin", "main")
    two = work.commit("two")
    work.git("push", "-q", "origin", "main")
    work.git("reset", "-q", "--hard", one)
    three = work.commit("three")
    work.git("push", "-q", "--force", "origin", "main")
    work.git("branch", "a")
    work.git("branch", "b")
    work.git("push", "-q", "origin", "a", "b")
    work.git("push", "-q", "origin", ":a")
    told = [(*ref[1:4], ref.forced, ref.deleted) for record in work.pushes() for ref in record.push.refs]  # type: ignore[union-attr]
    main, a, b = ("refs/heads/main", "refs/heads/a", "refs/heads/b")
    assert told == [
        (one, main, None, False, False),
        (two, main, one, False, False),
        (three, main, two, True, False),
        (three, a, None, False, False),
        (three, b, None, False, False),
        (None, a, three, False, True),
    ]
    assert {(r.push.remote_name, r.push.remote_url, r.source) for r in work.pushes() if r.push} == {
        ("origin", bare.path, "hook")
    }
    assert {r.gate.status for r in work.pushes()} == {"none"}
    outcomes = work.records("push-outcome")
    confirmed = {r.detail["push"] for r in outcomes if r.detail}
    assert confirmed >= {record.seq for record in work.pushes()[:4]}


def test_a_push_that_the_remote_refuses_is_not_confirmed(remote: Recording, bare) -> None:  # type: ignore[no-untyped-def]
    work = remote
    work.commit("one")
    hook = Path(bare.path, "hooks", "pre-receive")
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    work.fails("push", "-q", "origin", "main")
    assert len(work.pushes()) == 1
    assert [record.push.confirmed for record in work.records("push-outcome") if record.push] == [False]


def test_credentials_in_a_url_reach_no_file_of_ours(remote: Recording, bare) -> None:  # type: ignore[no-untyped-def]
    work = remote
    work.commit("one")
    url = f"file://user:s3cr3t-token@localhost{bare.path}?token=s3cr3t-token"
    work.fails("push", "-q", url, "main")
    work.git("config", "remote.origin.pushurl", url)
    work.fails("push", "-q", "origin", "main")
    plain = f"file://{bare.path}"
    work.git("push", "-q", plain, "main")
    work.git("pull", "-q", plain, "main", GIT_REFLOG_ACTION=f"pull {url} main")
    work.git("commit", "-q", "--allow-empty", "-m", "x", GIT_REFLOG_ACTION=f"pull {url}")
    work.drain()
    assert len(work.pushes()) >= 1
    for folder, _, files in os.walk(work.location.mgit_dir):
        for name in files:
            assert b"s3cr3t" not in Path(folder, name).read_bytes(), name
    for record in work.records():
        assert "s3cr3t" not in repr(record)


def elsewhere(bare, tmp_path: Path, *messages: str):  # type: ignore[no-untyped-def]
    """Another clone that pushes commits of its own."""
    path = str(tmp_path / "elsewhere")
    if not os.path.isdir(path):
        subprocess.run(["git", "clone", "-q", bare.path, path], check=True, capture_output=True)
    for message in messages:
        Path(path, message).write_text("x\n")
        subprocess.run(["git", "-C", path, "add", message], check=True)
        subprocess.run(["git", "-C", path, "commit", "-q", "-m", message], check=True)
    subprocess.run(["git", "-C", path, "push", "-q", "origin", "HEAD:main"], check=True, capture_output=True)


def test_fetch_and_pull(remote: Recording, bare, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    work = remote
    work.commit("one")
    work.git("push", "-q", "-u", "origin", "main")
    elsewhere(bare, tmp_path, "fetched a", "fetched b")
    work.git("fetch", "-q")
    assert work.made() == ["commit one", "import fetched a", "import fetched b"]
    assert {record.source for record in work.records("import")} == {"fetch"}
    work.git("pull", "-q", "--ff-only")
    assert len(work.made()) == 3
    elsewhere(bare, tmp_path, "c")
    work.commit("mine")
    work.git("pull", "-q", "--no-rebase", "--no-edit")
    merged = work.of(work.head())
    assert (merged.event, merged.source, merged.branch) == ("merge", "hook", "main")
    work.git("push", "-q")
    subprocess.run(["git", "-C", str(tmp_path / "elsewhere"), "pull", "-q"], check=True, capture_output=True)
    elsewhere(bare, tmp_path, "d")
    mine = work.commit("mine too")
    work.git("pull", "-q", "--rebase")
    rebased = work.of(work.head())
    assert (rebased.event, rebased.replaces, rebased.branch) == ("rebase", (mine,), None)
    assert sorted(work.made()) == sorted(
        [
            "commit one", "import fetched a", "import fetched b", "import c", "commit mine", "import d",
            f"merge {merged.commit.message.splitlines()[0]}", "commit mine too", "rebase mine too",
        ]  # type: ignore[union-attr]
    )  # fmt: skip


def test_a_commit_without_hooks_is_told_by_its_reflog(work: Recording) -> None:
    work.commit("one")
    other = work.git("commit-tree", "-p", "HEAD", "-m", "by plumbing", "HEAD^{tree}")
    work.git("update-ref", "-m", "commit: by plumbing", "HEAD", other)
    record = work.of(other)
    assert (record.event, record.source, record.gate.status) == ("commit", "reconcile", "unobserved")


def test_a_commit_by_reset_to_a_new_object_is_an_import(work: Recording) -> None:
    work.commit("one")
    other = work.git("commit-tree", "-p", "HEAD", "-m", "by plumbing", "HEAD^{tree}")
    work.git("reset", "-q", "--hard", other)
    record = work.of(other)
    assert (record.event, record.replaces) == ("import", None)
