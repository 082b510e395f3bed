"""What replaced what: each form of a rewrite by the real git and git-filter-repo, and a commit's whole life."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import Repo
from journal.making import append
from lives import Lives
from recording import Recording
from reliability import Tally

from mgit_hooks.encoding import encode
from mgit_hooks.errors import JournalError
from mgit_hooks.journal.database import open_index
from mgit_hooks.journal.lineage import lineage
from mgit_hooks.record import Oid, Record
from mgit_hooks.recorder import commitmap, drainpass, pairing, rewriting, splitting
from mgit_hooks.recorder.evidence import Evidence
from mgit_hooks.recorder.pairing import Look
from mgit_hooks.recorder.rebasing import Pair


@pytest.fixture(params=["each", "once"])
def work(repo: Any, request: pytest.FixtureRequest) -> Iterator[Recording]:
    """Drained after every git command, and only at the end: what is told of finished rewrites must be the same."""
    made = Recording(repo, every=request.param == "each")
    yield made
    made.check()


@pytest.fixture
def late(repo: Any) -> Iterator[Recording]:
    """Drained only where the test says so."""
    made = Recording(repo)
    yield made
    made.check()


def todo(*edits: str) -> dict[str, str]:
    """An environment in which an interactive rebase gets its todo list edited by sed."""
    return {"GIT_SEQUENCE_EDITOR": "sed -i " + " ".join(f"-e '{edit}'" for edit in edits)}


def replaces(work: Recording, *commits: str) -> list[set[str] | None]:
    found = [work.of(commit).replaces for commit in commits]
    return [None if olds is None else set(olds) for olds in found]


def life(mgit: Any, work: Recording, what: str) -> list[Any]:
    told = mgit("-C", work.path, "log", "--json", "--rewrites", what)
    assert told.code == 0, told.err
    return told.json


def subjects(found: list[Any]) -> list[str]:
    return [f"{each['event']} {each['commit']['message'].splitlines()[0]}" for each in found]


def filter_repo(work: Recording, *args: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "git_filter_repo", "--quiet", "--force", *args], cwd=work.path, capture_output=True
    )
    assert done.returncode == 0, done.stderr


# amend


def test_an_amend_that_no_hook_saw_is_linked(work: Recording) -> None:
    old = work.commit("one")
    work.git("-c", "core.hooksPath=/dev/null", "commit", "-q", "--amend", "-m", "better")
    record = work.of(work.head())
    assert (record.event, record.replaces, record.gate.status) == ("amend", (old,), "unobserved")


def test_of_a_rebase_that_no_hook_saw_nothing_tells(work: Recording, mgit: Any) -> None:
    base = work.commit("base")
    work.commit("part")
    work.git("checkout", "-q", "-b", "other", base)
    work.commit("elsewhere")
    work.git("-c", "core.hooksPath=/dev/null", "rebase", "-q", "other", "main")
    assert (work.of(work.head()).event, work.of(work.head()).replaces) == ("rebase", None)
    assert "in place of what, nothing tells" in mgit("-C", work.path, "log", "--rewrites", "HEAD").out
    assert "nothing tells" not in mgit("-C", work.path, "log", "--rewrites", base).out


def test_a_reflog_that_says_amend_of_what_is_no_sibling_links_nothing(work: Recording) -> None:
    work.commit("one")
    other = work.git("commit-tree", "-p", "HEAD", "-m", "by plumbing", "HEAD^{tree}")
    work.git("update-ref", "-m", "commit (amend): by plumbing", "HEAD", other)
    record = work.of(other)
    assert (record.event, record.replaces) == ("amend", None)


# rebase


def test_a_rebase_stopped_for_long_says_what_it_replaced_so_far(late: Recording) -> None:
    base = late.commit("base")
    olds = [late.commit(f"part {number}") for number in range(3)]
    late.git("checkout", "-q", "-b", "other", base)
    late.commit("elsewhere")
    late.git("checkout", "-q", "main")
    late.git("rebase", "-q", "-i", "other", **todo("2s/^pick/edit/"))
    stopped = late.head()
    assert replaces(late, late.head("HEAD^"), stopped) == [{olds[0]}, {olds[1]}]
    late.git("rebase", "--continue")
    count = len(late.all())
    assert replaces(late, late.head("HEAD~2"), stopped, late.head()) == [{olds[0]}, {olds[1]}, {olds[2]}]
    assert len(late.all()) == count
    assert not [record for record in late.all() if record.supersedes]  # post-rewrite said nothing new


def test_a_rebase_that_was_aborted_replaced_what_it_had_replaced(late: Recording, mgit: Any) -> None:
    base = late.commit("base")
    old = late.commit("part")
    late.commit("rest")
    late.git("checkout", "-q", "-b", "other", base)
    late.commit("elsewhere")
    late.git("checkout", "-q", "main")
    late.git("rebase", "-q", "-i", "other", **todo("2s/^pick/edit/"))
    new = late.head("HEAD^")
    late.drain()
    late.git("rebase", "--abort")
    assert replaces(late, new) == [{old}]
    found = life(mgit, late, new[:8])
    assert subjects(found) == ["commit part", "rebase part"]
    assert (found[0]["on"], found[1]["on"]) == (["refs/heads/main"], [])
    assert found[1]["dropped"]["ref"] == "HEAD"
    assert found[1]["dropped"]["reason"].startswith("rebase (abort)")


def test_what_was_skipped_is_not_replaced_while_the_rebase_goes_on(late: Recording) -> None:
    """git before 2.43 lists a skipped commit as replaced by the one that was picked before it, or is rebased onto."""
    base = late.commit("base")
    late.git("checkout", "-q", "-b", "other")
    for name in ("a", "c", "d"):
        late.write(name, "theirs\n")
    late.git("add", "a", "c", "d")
    onto = late.commit("theirs", "--no-edit")
    late.git("checkout", "-q", "-b", "topic", base)
    olds = [late.commit(name) for name in ("a", "b", "c", "d")]
    late.drain()
    late.fails("rebase", "other")
    late.fails("rebase", "--skip")
    late.drain()
    late.fails("rebase", "--skip")
    assert replaces(late, late.head(), onto) == [{olds[1]}, set()]
    late.git("rebase", "--skip")
    assert replaces(late, late.head(), onto) == [{olds[1]}, set()]


def test_a_chain_of_fixups_that_a_conflict_stopped(late: Recording) -> None:
    late.write("same", "base\n")
    late.git("add", "same")
    base = late.commit("base", "--allow-empty")
    late.write("same", "one\n")
    first = late.commit("first", "-a")
    late.write("same", "two\n")
    second = late.commit("second", "-a")
    late.write("same", "three\n")
    third = late.commit("third", "-a")
    late.git("checkout", "-q", "-b", "other", base)
    late.commit("elsewhere")
    late.git("checkout", "-q", "main")
    # third comes before second: each clashes with what is there
    late.fails("rebase", "-i", "other", **todo("3s/^pick/fixup/", "2s/^pick/fixup/", "2{h;d}", "3{G}"))
    picked = late.head()
    assert replaces(late, picked) == [{first}]
    late.write("same", "three\n")
    late.git("add", "same")
    late.fails("rebase", "--continue")
    both = late.head()
    assert replaces(late, both) == [{first, third, picked}]
    late.write("same", "two\n")
    late.git("add", "same")
    late.git("rebase", "--continue")
    assert set(late.of(late.head()).replaces or ()) >= {first, second, third}


@pytest.mark.parametrize("backend", ["--merge", "--apply"])
def test_each_backend_of_rebase(work: Recording, backend: str) -> None:
    base = work.commit("base")
    olds = [work.commit(f"part {number}") for number in range(2)]
    work.git("checkout", "-q", "-b", "other", base)
    work.commit("elsewhere")
    work.git("checkout", "-q", "main")
    work.git("rebase", "-q", backend, "other")
    assert replaces(work, work.head("HEAD^"), work.head()) == [{olds[0]}, {olds[1]}]


def test_merges_are_rebased_too(work: Recording) -> None:
    base = work.commit("base")
    work.git("checkout", "-q", "-b", "side")
    side = work.commit("side")
    work.git("checkout", "-q", "-b", "topic", base)
    ours = work.commit("ours")
    work.git("merge", "-q", "-m", "join", "side")
    merge = work.head()
    work.git("checkout", "-q", "-b", "other", base)
    work.commit("elsewhere")
    work.git("rebase", "-q", "--rebase-merges", "other", "topic")
    assert replaces(work, work.head(), work.head("HEAD^1"), work.head("HEAD^2")) == [{merge}, {ours}, {side}]


def test_squash_and_fixup_make_one_of_many(work: Recording, mgit: Any) -> None:
    work.commit("base")
    olds = [work.commit(f"part {number}") for number in range(4)]
    work.git("rebase", "-q", "-i", "HEAD~4", **todo("2s/^pick/fixup/", "3s/^pick/squash/"))
    final = work.head("HEAD^")
    assert set(work.of(final).replaces or ()) >= set(olds[:3])
    for each in (*olds[:3], final):
        found = life(mgit, work, each)
        assert {olds[0], olds[1], olds[2], final} <= {one["commit"]["hash"] for one in found}
        assert found[-1]["commit"]["hash"] == final
        assert found[-1]["on"] == ["refs/heads/main"]
    assert replaces(work, work.head()) == [{olds[3]}]


def test_exec_that_amends(work: Recording) -> None:
    base = work.commit("base")
    old = work.commit("part")
    work.git("checkout", "-q", "-b", "other", base)
    work.commit("elsewhere")
    work.git("checkout", "-q", "main")
    work.git("rebase", "-q", "--exec", "git commit -q --amend -m better", "other")
    amended = work.of(work.head())
    (middle,) = [oid for oid in amended.replaces or () if oid != old]
    assert amended.event == "amend"
    assert replaces(work, middle) == [{old}]


def test_a_repository_of_sha256(tmp_path: Path, mgit: Any) -> None:
    made = Repo(tmp_path / "repo")
    subprocess.run(["git", "init", "-q", "-b", "main", "--object-format=sha256", made.path], check=True)
    work = Recording(made)
    work.commit("base")
    olds = [work.commit(f"part {number}") for number in range(3)]
    work.git("rebase", "-q", "-i", "HEAD~3", **todo("2s/^pick/fixup/", "3s/^pick/edit/"))
    assert set(work.of(work.head("HEAD^")).replaces or ()) >= set(olds[:2])
    work.git("rebase", "--continue")
    old = work.head()  # git-filter-repo does not know SHA-256
    remove = "git rm -q --cached --ignore-unmatch base"
    work.git("filter-branch", "--index-filter", remove, "main", FILTER_BRANCH_SQUELCH_WARNING="1")
    assert replaces(work, work.head()) == [{old}]
    assert life(mgit, work, olds[2])[-1]["on"] == ["refs/heads/main"]


# One commit that became several


def split(work: Recording, *steps: Any) -> tuple[Oid, Oid]:
    """A rebase that stops at a commit of two files, with the steps done there; that commit, and the one it was."""
    work.commit("base")
    for name in ("a", "b"):
        work.write(name, f"{name}\n")
    work.git("add", "a", "b")
    old = work.commit("both", "--allow-empty")
    work.commit("rest")
    work.git("rebase", "-q", "-i", "HEAD~2", **todo("1s/^pick/edit/"))
    stopped = work.head()
    work.git("reset", "-q", "HEAD^")
    for step in steps:
        step()
    work.git("rebase", "--continue")
    return old, stopped


def part(work: Recording, name: str) -> Any:
    def made() -> None:
        work.git("add", name)
        work.git("commit", "-q", "-m", f"only {name}")

    return made


def test_the_parts_of_a_split_name_what_they_were(work: Recording, mgit: Any) -> None:
    old, _ = split(work, part(work, "a"), part(work, "b"))
    one, two = work.head("HEAD~2"), work.head("HEAD~1")
    assert replaces(work, one, two) == [{old}, {old}]
    for each in (old, one, two):
        assert [found["commit"]["hash"] for found in life(mgit, work, each)] == [old, one, two]


def test_a_part_that_does_more_than_the_whole_is_not_known_to_be_one(work: Recording) -> None:
    def more() -> None:
        work.write("c", "c\n")
        work.git("add", "a", "c")
        work.git("commit", "-q", "-m", "a and more")

    def less() -> None:
        work.git("rm", "-q", "c")
        work.git("add", "b")
        work.git("commit", "-q", "-m", "b and less")

    old, _ = split(work, more, less)  # together they end where the whole one ended
    assert replaces(work, work.head("HEAD~2"), work.head("HEAD~1")) == [None, {old}]


def test_a_commit_put_in_between_is_nobodys_part(work: Recording) -> None:
    def between() -> None:
        work.git("add", "a", "b")
        work.git("commit", "-q", "-m", "both again")
        work.write("c", "c\n")
        work.git("add", "c")
        work.git("commit", "-q", "-m", "new")

    old, _ = split(work, between)
    # git says that the last one is what became of it; of the other nobody can say
    assert replaces(work, work.head("HEAD~2"), work.head("HEAD~1")) == [None, {old}]


# Tools


def test_filter_repo(late: Recording, mgit: Any) -> None:
    late.commit("base")
    late.write("secret", "x\n")
    late.git("add", "secret")
    leaky = late.commit("only the secret", "--allow-empty")
    olds = [late.commit(f"part {number}") for number in range(2)]
    late.drain()
    filter_repo(late, "--path", "secret", "--invert-paths")
    assert replaces(late, late.head("HEAD^"), late.head()) == [{olds[0]}, {olds[1]}]
    assert late.of(late.head()).event == "import"
    found = life(mgit, late, olds[1][:10])
    assert [each["commit"]["hash"] for each in found] == [olds[1], late.head()]
    assert found[0]["on"] is None  # filter-repo has thrown it away
    (gone,) = life(mgit, late, leaky)
    assert (gone["on"], gone["dropped"]["reason"]) == (None, "git filter-repo left it out")
    assert late.drain() == 0


@pytest.mark.parametrize("drained", [True, False])
def test_filter_repo_twice_in_a_row(repo: Any, mgit: Any, drained: bool) -> None:
    late = Recording(repo)
    late.commit("base")
    old = late.commit("part")
    late.drain()
    filter_repo(late, "--path-rename", "part:piece")
    middle = late.head()
    if drained:
        late.drain()
        newer = late.commit("later")
        late.drain()
    filter_repo(late, "--path-rename", "piece:fragment")
    last = late.head("HEAD^") if drained else late.head()
    assert len({old, middle, last}) == 3
    # The second map has put both together; what it leaves out is known where the first was taken in.
    assert replaces(late, last) == [{old, middle} if drained else {old}]
    if drained:
        assert replaces(late, middle, late.head()) == [{old}, {newer}]
        assert {each["commit"]["hash"] for each in life(mgit, late, middle)} == {old, middle, last}


def test_filter_repo_of_what_was_put_back_is_no_step_from_the_first_result(late: Recording) -> None:
    late.commit("base")
    old = late.commit("part")
    late.git("branch", "kept")
    late.drain()
    filter_repo(late, "--partial", "--refs", "main", "--path-rename", "part:piece")
    middle = late.head()
    late.drain()
    late.git("reset", "-q", "--hard", "kept")
    late.drain()
    os.unlink(os.path.join(late.path, ".git", "filter-repo", "already_ran"))
    filter_repo(late, "--partial", "--refs", "main", "--path-rename", "part:fragment")
    assert middle != late.head()
    assert replaces(late, middle, late.head()) == [{old}, {old}]


def test_a_commit_map_that_comes_after_its_commits(late: Recording) -> None:
    late.commit("base")
    old = late.commit("part")
    late.drain()
    filter_repo(late, "--path-rename", "part:piece")
    path = Path(late.path, ".git", "filter-repo", "commit-map")
    told = path.read_bytes()
    path.unlink()
    assert replaces(late, late.head()) == [None]
    path.write_bytes(told)
    assert replaces(late, late.head()) == [{old}]
    assert late.of(late.head()).supersedes is not None
    # What was read is only remembered to save time.
    Path(late.location.mgit_dir, "rewriting.json").unlink()
    assert late.drain() == 0
    assert not commitmap.waits(late.location)


def test_what_was_read_is_remembered_only_once_it_is_on_record(
    late: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    late.commit("base")
    old = late.commit("part")
    late.drain()
    filter_repo(late, "--path-rename", "part:piece")

    def full_disk(*_: Any) -> int:
        raise JournalError("no space left", "make room")

    with monkeypatch.context() as patch:
        patch.setattr(drainpass, "record_all", full_disk)
        with pytest.raises(JournalError):
            late.drain()
    assert commitmap.waits(late.location)
    assert replaces(late, late.head()) == [{old}]


def test_backfill_reads_maps_and_replacements_that_were_there_before(repo: Any, mgit: Any) -> None:
    repo.commit("base", {"base": "x"})
    old = repo.commit("part", {"part": "x"})
    command = [sys.executable, "-m", "git_filter_repo", "--quiet", "--force", "--path-rename", "part:piece"]
    subprocess.run(command, cwd=repo.path, capture_output=True, check=True)
    new = repo.git("rev-parse", "HEAD")
    repo.git("replace", "--graft", new)
    shown = repo.git("rev-parse", f"refs/replace/{new}")
    work = Recording(repo)
    assert mgit("-C", repo.path, "backfill").code == 0
    assert replaces(work, new, shown) == [{old}, {new}]
    assert work.of(new).supersedes is None


def test_a_second_worktree_is_looked_at(late: Recording) -> None:
    base = late.commit("base")
    olds = [late.commit(f"part {number}") for number in range(2)]
    tree = os.path.join(os.path.dirname(late.path), "tree")
    late.git("worktree", "add", "-q", "-b", "topic", tree)
    late.git("checkout", "-q", "-b", "other", base)
    late.commit("elsewhere")
    edit = todo("2s/^pick/edit/")
    subprocess.run(["git", "-C", tree, "rebase", "-q", "-i", "other"], env={**os.environ, **edit}, check=True)
    new = late.git("-C", tree, "rev-parse", "HEAD")
    assert replaces(late, late.git("-C", tree, "rev-parse", "HEAD^"), new) == [{olds[0]}, {olds[1]}]


def test_filter_branch(work: Recording, mgit: Any) -> None:
    work.commit("base")
    work.write("secret", "x\n")
    work.git("add", "secret")
    leaky = work.commit("only the secret", "--allow-empty")
    olds = [work.commit(f"part {number}") for number in range(2)]
    work.git("branch", "old-copy")
    quiet = {"FILTER_BRANCH_SQUELCH_WARNING": "1"}
    remove = "git rm -q --cached --ignore-unmatch secret"
    work.git("filter-branch", "--prune-empty", "--index-filter", remove, "main", **quiet)
    assert replaces(work, work.head("HEAD^"), work.head()) == [{olds[0]}, {olds[1]}]
    found = life(mgit, work, olds[1])
    assert [each["on"] for each in found] == [["refs/heads/old-copy"], ["refs/heads/main"]]
    (kept,) = life(mgit, work, leaky)
    assert (kept["replaced_by"], kept["on"]) == ([], ["refs/heads/old-copy"])


def test_filter_branch_that_leaves_out_the_first_commits(late: Recording) -> None:
    """What stood on them are new roots."""
    for name in ("x", "y"):
        late.write("secret", name)
        late.git("add", "secret")
        late.commit(f"secret {name}", "--allow-empty")
    olds = [late.commit(f"part {number}") for number in range(2)]
    late.drain()
    remove = "git rm -q --cached --ignore-unmatch secret"
    late.git(
        "filter-branch", "--prune-empty", "--index-filter", remove, "main", FILTER_BRANCH_SQUELCH_WARNING="1"
    )  # fmt: skip
    assert late.git("rev-list", "--count", "main") == "2"
    assert replaces(late, late.head("HEAD^"), late.head()) == [{olds[0]}, {olds[1]}]


def test_filter_branch_of_a_detached_head_in_a_linked_worktree(late: Recording, tmp_path: Path) -> None:
    """It keeps where HEAD was without saying whose HEAD that is."""
    late.write("secret", "x")
    late.git("add", "secret")
    late.commit("secret", "--allow-empty")
    olds = [late.commit(f"part {number}") for number in range(2)]
    tree = str(tmp_path / "tree")
    late.git("worktree", "add", "-q", "--detach", tree)
    late.git("checkout", "-q", "--detach", "HEAD^")
    remove = "git rm -q --cached --ignore-unmatch secret"
    late.git("-C", tree, "filter-branch", "--index-filter", remove, "HEAD", FILTER_BRANCH_SQUELCH_WARNING="1")
    news = [late.git("-C", tree, "rev-parse", name) for name in ("HEAD^", "HEAD")]
    assert replaces(late, *news) == [{olds[0]}, {olds[1]}]


def test_what_follows_filter_branch_is_none_of_its_work(late: Recording) -> None:
    """The same message at the same time, on what took the place of the old parent."""
    when = {"GIT_AUTHOR_DATE": "1700000000 +0000", "GIT_COMMITTER_DATE": "1700000000 +0000"}
    late.write("secret", "x")
    late.git("add", "secret")
    late.commit("secret", "--allow-empty")
    late.git("commit", "-q", "--allow-empty", "-m", "Executed", **when)
    old = late.head()
    remove = "git rm -q --cached --ignore-unmatch secret"
    late.git("filter-branch", "--index-filter", remove, "main", FILTER_BRANCH_SQUELCH_WARNING="1")
    made = late.head()
    late.git("reset", "-q", "--hard", "HEAD^")
    late.write("other", "y")
    late.git("add", "other")
    late.git("commit", "-q", "-m", "Executed", **when)
    assert replaces(late, made, late.head()) == [{old}, set()]


def test_filter_branch_that_changes_messages_is_not_guessed(work: Recording) -> None:
    work.commit("base")
    work.commit("part")
    work.git("filter-branch", "--msg-filter", "sed s/part/piece/", "main", FILTER_BRANCH_SQUELCH_WARNING="1")
    assert replaces(work, work.head()) == [None]


def look(name: str, *parents: str, key: str = "") -> Look:
    return Look(Oid(name), tuple(map(Oid, parents)), (key or name[1:]).encode())


@pytest.mark.parametrize(
    ("olds", "news", "found"),
    [
        ([look("o1"), look("o2", "o1")], [look("n1"), look("n2", "n1")], {"o1": "n1", "o2": "n2"}),
        # o1 is left out: o2 stands on nothing, as its parent did; that is not told apart from a new root
        ([look("o1", "p"), look("o2", "o1")], [look("n2", "p")], {"o2": "n2"}),
        # the message of o1 was changed: what stands on it is not known to stand on what became of it
        ([look("o1", "p"), look("o2", "o1")], [look("nX", "p"), look("n2", "nX")], {}),
        # alike in all, and one of them is gone: which, nobody can tell
        ([look("o1", "p", key="k"), look("o2", "o1", key="k")], [look("n1", "p", key="k")], {}),
        (
            [look("o1", "p", key="k"), look("o2", "o1", key="k")],
            [look("n1", "p", key="k"), look("n2", "n1", key="k")],
            {"o1": "n1", "o2": "n2"},
        ),
        ([look("o1", "p", key="k"), look("o2", "p", key="k")], [look("n1", "p", key="k")], {}),
        ([look("o1", "p", key="k")], [look("n1", "p", key="k"), look("n2", "p", key="k")], {}),
        # the other way round than before
        ([look("o1", "p"), look("o2", "o1")], [look("n2", "p"), look("n1", "n2")], {}),
        (
            [look("o1"), look("o2", "o1"), look("o3", "o1"), look("o4", "o2", "o3")],
            [look("n1"), look("n2", "n1"), look("n3", "n1"), look("n4", "n2", "n3")],
            {"o1": "n1", "o2": "n2", "o3": "n3", "o4": "n4"},
        ),
    ],
)
def test_pairing(olds: list[Look], news: list[Look], found: dict[str, str]) -> None:
    assert dict(pairing.pairs(olds, news)) == found


def test_a_replacement_ref_says_what_is_shown_in_place_of_what(work: Recording, mgit: Any) -> None:
    work.commit("base")
    old = work.commit("part")
    work.git("replace", "--edit", old, GIT_EDITOR="sed -i -e s/part/piece/")
    new = work.git("rev-parse", f"refs/replace/{old}")
    assert new != old
    assert replaces(work, new) == [{old}]
    assert [each["commit"]["hash"] for each in life(mgit, work, old)] == [old, new]


def test_of_an_export_that_is_imported_again_nothing_tells(work: Recording) -> None:
    work.commit("base")
    work.commit("part")
    stream = work.git("fast-export", "main").replace("part", "task") + "\n"
    work.git("fast-import", "--quiet", "--force", stdin=stream.encode())
    new = work.head()
    assert (work.of(new).event, work.of(new).replaces) == ("import", None)


# A commit's whole life


def test_hundreds_of_amends_are_one_life(tmp_path: Path) -> None:
    append(str(tmp_path / "journal"), [record_of(number, [number - 1] if number else []) for number in range(1500)])
    with open_index(str(tmp_path), str(tmp_path / "journal")) as index:
        found = [kin.commit for kin in lineage(index, oid(700))]
    assert found == [oid(number) for number in range(1500)]


def oid(number: int) -> Oid:
    return Oid(f"{number + 1:040x}")


def record_of(number: int, replaced: list[int]) -> bytes:
    commit = {"hash": oid(number), "author_name": "Ada", "author_email": "ada@example.org", "files": []}
    said = {"event": "amend", "commit": commit, "replaces": [oid(each) for each in replaced]}
    return json.dumps({"occurred_at": None, "occurred_from": None, "worktree": None, "branch": None, **said}).encode()


@pytest.mark.parametrize(
    ("links", "order"),
    [
        ([[0]], [0]),
        ([[1], [0]], [0, 1]),
        ([[2], [0], [1], [2]], [0, 1, 2, 3]),
        ([[], [0], [0, 1], [2, 4], [3]], [0, 1, 2, 3, 4]),
    ],
)
def test_a_journal_with_links_in_a_circle_is_shown_all_the_same(
    tmp_path: Path, links: list[list[int]], order: list[int]
) -> None:
    append(str(tmp_path / "journal"), [record_of(number, olds) for number, olds in enumerate(links)])
    with open_index(str(tmp_path), str(tmp_path / "journal")) as index:
        for start in range(len(links)):
            assert [kin.commit for kin in lineage(index, oid(start))] == [oid(each) for each in order]


def test_what_was_dropped_and_by_what(late: Recording, mgit: Any) -> None:
    base = late.commit("base")
    gone = late.commit("gone")
    late.git("reset", "-q", "--hard", base)
    late.git("checkout", "-q", "-b", "topic")
    other = late.commit("other")
    late.git("checkout", "-q", "main")
    late.drain()
    late.git("branch", "-q", "-D", "topic")
    (first,), (second,) = life(mgit, late, gone), life(mgit, late, other)
    assert (first["on"], first["dropped"]["ref"]) == ([], "refs/heads/main")
    assert first["dropped"]["reason"] == f"reset: moving to {base}"
    assert (second["on"], second["dropped"]["ref"], second["dropped"]["reason"]) == ([], "refs/heads/topic", None)
    (kept,) = life(mgit, late, base)
    assert (kept["on"], kept["dropped"]) == (["refs/heads/main"], None)


def test_what_dropped_a_commit_is_not_guessed(late: Recording, mgit: Any) -> None:
    """A branch made and deleted between two drains: that HEAD went to another branch dropped nothing."""
    late.commit("base")
    late.git("checkout", "-q", "-b", "topic")
    other = late.commit("other")
    late.git("checkout", "-q", "main")
    late.git("branch", "-q", "-D", "topic")
    (found,) = life(mgit, late, other)
    assert (found["on"], found["dropped"]) == ([], None)
    assert "nothing tells what became of it" in mgit("-C", late.path, "log", "--rewrites", other).out


def test_a_detached_head_that_went_elsewhere(late: Recording, mgit: Any) -> None:
    late.commit("base")
    late.git("checkout", "-q", "--detach")
    loose = late.commit("loose")
    assert life(mgit, late, loose)[0]["on"] == ["HEAD"]
    late.git("checkout", "-q", "main")
    (found,) = life(mgit, late, loose)
    assert (found["on"], found["dropped"]["ref"]) == ([], "HEAD")


def test_what_a_rebase_left_out(late: Recording, mgit: Any) -> None:
    late.commit("base")
    left = late.commit("left out")
    late.commit("part")
    late.git("rebase", "-q", "-i", "HEAD~2", **todo("1s/^pick/drop/"))
    (found,) = life(mgit, late, left)
    assert found["on"] == []
    assert found["dropped"]["ref"] == "refs/heads/main"
    assert found["dropped"]["reason"].startswith("rebase (finish)")


def test_a_life_in_words(late: Recording, mgit: Any) -> None:
    late.commit("base")
    old = late.commit("part")
    late.git("commit", "-q", "--amend", "-m", "better")
    told = mgit("-C", late.path, "log", "--rewrites", old[:7]).out.splitlines()
    new = late.head()
    assert len(told) == 7
    assert f"{old[:10]} part" in told[0]
    assert told[1:3] == [
        "        Ada Lovelace, on main, gate none",
        f"        replaced by {new[:10]}",
    ]
    assert "amend" in told[3]
    assert f"{new[:10]} better" in told[3]
    assert told[4:] == [
        "        Ada Lovelace, on main, gate none",
        f"        in place of {old[:10]}",
        "        now on main",
    ]


def test_a_life_of_what_is_not_known(late: Recording, mgit: Any) -> None:
    late.commit("base")
    for what, code, said in (
        ("feedfeedfeed", 2, "neither a commit on record nor a revision"),
        (late.git("commit-tree", "-m", "loose", "HEAD^{tree}"), 1, "is not recorded"),
    ):
        told = mgit("-C", late.path, "log", "--rewrites", what)
        assert (told.code, said in told.err) == (code, True)
    assert mgit("-C", late.path, "log", "--rewrites", "HEAD", "-n", "1").code == 2
    assert mgit("-C", late.path, "log", "--rewrites", "HEAD", "a-file").code == 2


def test_an_erased_record_is_said_to_be_erased(repo: Any, mgit: Any) -> None:
    late = Recording(repo)
    late.commit("base")
    old = late.commit("part")
    late.git("commit", "-q", "--amend", "-m", "better")
    new = late.head()
    late.drain()
    assert mgit("-C", late.path, "erase", "--reason", "test", new).code == 0
    (kept,) = life(mgit, late, old)  # what was erased is linked no more
    assert kept["replaced_by"] == []
    told = mgit("-C", late.path, "log", "--rewrites", new).out
    assert (told.split()[1], new[:10] in told, "better" in told) == ("erased", True, False)


def put(work: Recording, like: Record, links: dict[int, list[int]]) -> None:
    """Records of commits that git never had, each with what it replaced."""
    assert like.commit is not None
    made = [
        like._replace(commit=like.commit._replace(hash=oid(new)), refs=None, replaces=tuple(map(oid, olds)))
        for new, olds in links.items()
    ]
    append(work.location.journal_dir, [encode(record) for record in made])


def test_a_beginning_that_several_commits_have_names_none(late: Recording, mgit: Any) -> None:
    put(late, late.of(late.commit("base")), {0: [100], 1: [101]})
    told = mgit("-C", late.path, "log", "--rewrites", "0000")
    assert (told.code, "is the beginning of 4 commits" in told.err) == (2, True)


def test_what_was_replaced_and_never_recorded_is_named(late: Recording, mgit: Any) -> None:
    put(late, late.of(late.commit("base")), {0: [7]})
    told = mgit("-C", late.path, "log", "--rewrites", oid(7))
    assert "not recorded" in told.out.splitlines()[0]
    assert [each["commit"]["hash"] for each in life(mgit, late, oid(7))] == [oid(0)]


# Rewrites at random, against the truth


def linked(lives: Lives) -> tuple[set[tuple[str, str]], set[str]]:
    """(old, new) of every link on record, and all commits on record."""
    lives.drain()
    found = [record for record in lives.work.records() if record.commit is not None]
    links = {(old, record.commit.hash) for record in found if record.commit for old in record.replaces or ()}
    return links, {record.commit.hash for record in found if record.commit}


def false_links(lives: Lives) -> list[str]:
    """Links on record between commits that have no change in common, and that git does not tell either."""
    links, _ = linked(lives)
    none: frozenset[int] = frozenset()
    return [
        f"{new} in place of {old}"
        for old, new in sorted(links - lives.told)
        if not lives.changes.get(old, none) & lives.changes.get(new, none)
    ]


def missing_links(lives: Lives) -> list[str]:
    """What was told of commits on record, and is not linked."""
    links, known = linked(lives)
    untold = lives.told - lives.upstream - links
    return [f"{new} in place of {old}" for old, new in sorted(untold) if new in known]


def lived(repo: Any, seed: int, steps: int, names: tuple[str, ...] = ()) -> Lives:
    lives = Lives(repo, seed)
    for _ in range(steps):
        lives.step(names)
    return lives


@pytest.mark.parametrize("seed", range(3))
def test_every_link_is_true_and_every_one_that_is_told_is_there(repo: Any, seed: int) -> None:
    lives = lived(repo, seed, 12)
    assert (false_links(lives), missing_links(lives)) == ([], []), lives.done
    assert linked(lives)[0]


@pytest.mark.full
@pytest.mark.parametrize("seed", range(100, 160))
def test_every_link_is_true_at_length(repo: Any, seed: int, tally: Tally) -> None:
    lives = lived(repo, seed, 60)
    tally.false += false_links(lives)
    tally.lost += missing_links(lives)
    tally.cases += len(linked(lives)[0])
    tally.check()


def all_that_was_made_at_a_stop(stop: Any, replaced: Any, objects: Any) -> list[Pair]:
    return [Pair(stop.at, made) for made in stop.made]


def by_place_alone(olds: Any, news: Any) -> list[Pair]:
    return [Pair(old.oid, new.oid) for old, new in zip(olds, news, strict=False)]


@pytest.mark.parametrize(
    ("planted", "what", "names", "found_by"),
    [
        (splitting, {"_parts": all_that_was_made_at_a_stop}, ("put between",), false_links),
        (pairing, {"pairs": by_place_alone}, ("commit", "filter-branch"), false_links),
        (commitmap, {"lines": lambda path: iter(())}, ("filter-repo",), missing_links),
        (rewriting, {"_amended": lambda *_: iter(())}, ("amend unseen",), missing_links),
        (Evidence, {"_rewrite": lambda *_: None}, ("rebase",), missing_links),
    ],
)
def test_a_planted_bug_is_found(
    repo: Any,
    monkeypatch: pytest.MonkeyPatch,
    planted: Any,
    what: dict[str, Any],
    names: tuple[str, ...],
    found_by: Any,
) -> None:
    for name, broken in what.items():
        monkeypatch.setattr(planted, name, broken)
    assert found_by(lived(repo, 5, 8, names))
