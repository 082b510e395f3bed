"""Commands that make commits: each as users type it."""

from __future__ import annotations

import sys
from pathlib import Path

from .scene import Scene, case


def todo(script: str) -> dict[str, str]:
    """What makes ``rebase -i`` take the todo list that ``sed`` makes of git's own."""
    return {"GIT_SEQUENCE_EDITOR": f"sed -i -e '{script}'"}


@case("`git commit`", made="commit hook: one, two, three")
def _(w: Scene) -> None:
    w.begin()
    w.commit("one")
    w.commit("two", "--allow-empty")
    w.commit("three", "--allow-empty", "--no-verify")


@case("`git commit --amend`, `--no-edit`, `--reset-author`, `-C`", made="amend hook: better, better, better, one")
def _(w: Scene) -> None:
    one = w.commit("one")
    w.commit("two")
    w.begin()
    w.git("commit", "-q", "--amend", "-m", "better")
    w.write("two", "mended\n")
    w.git("commit", "-q", "-a", "--amend", "--no-edit")
    w.git("commit", "-q", "--amend", "--no-edit", "--reset-author", GIT_AUTHOR_NAME="Grace")
    w.git("commit", "-q", "--amend", "-C", one)


@case(
    "`git commit --fixup`, then `rebase --autosquash`",
    made="commit hook: fixup! one, amend! two; rebase hook: one; rebase reconcile: two; rebase hook: new words",
)
def _(w: Scene) -> None:
    w.commit("base")
    one = w.commit("one")
    two = w.commit("two")
    w.begin()
    w.write("one", "mended\n")
    w.git("commit", "-q", "-a", "--fixup", one)
    w.git("commit", "-q", "--allow-empty", "--fixup", f"reword:{two}", GIT_EDITOR="sed -i -e '3s/two/new words/'")
    w.git("rebase", "-q", "-i", "--autosquash", "HEAD~4", GIT_SEQUENCE_EDITOR="true")


@case("an interrupted `git commit`", made="commit hook: two")
def _(w: Scene) -> None:
    w.commit("one")
    w.begin()
    w.write("two", "two\n")
    w.git("add", "two")
    w.fails("commit", "-q", GIT_EDITOR="false")
    w.fails("commit", "-q", GIT_EDITOR="kill -9 $PPID; true")
    Path(w.location.git_dir, "index.lock").unlink(missing_ok=True)
    w.git("commit", "-q", "-m", "two")


@case("a commit on a detached HEAD", made="commit hook: two, three")
def _(w: Scene) -> None:
    w.commit("one")
    w.begin()
    w.git("checkout", "-q", "--detach")
    w.commit("two")
    w.commit("three")
    w.git("checkout", "-q", "main")


@case("an orphan branch: `checkout --orphan`, `switch --orphan`", made="commit hook: root, other")
def _(w: Scene) -> None:
    w.commit("one")
    w.begin()
    w.git("checkout", "-q", "--orphan", "alone")
    w.commit("root", "--allow-empty")
    w.git("switch", "-q", "--orphan", "empty")
    w.commit("other", "--allow-empty")


@case("`git merge`", made="merge hook: Merge branch 'topic'")
def _(w: Scene) -> None:
    w.fork()
    w.begin()
    w.git("merge", "-q", "--no-edit", "topic")


@case("`git merge` with conflicts, `--continue`, `--abort`", made="merge hook: Merge branch 'topic'")
def _(w: Scene) -> None:
    w.clash()
    w.begin()
    w.fails("merge", "-q", "topic")
    w.git("merge", "--abort")
    w.fails("merge", "-q", "topic")
    w.resolve()
    w.git("merge", "--continue")


@case("`git merge --squash`", made="commit hook: squashed")
def _(w: Scene) -> None:
    w.fork()
    w.begin()
    w.git("merge", "-q", "--squash", "topic")
    w.git("commit", "-q", "-m", "squashed")


@case("`git merge --ff-only`")
def _(w: Scene) -> None:
    w.commit("base")
    w.git("checkout", "-q", "-b", "topic")
    w.commit("theirs")
    w.git("checkout", "-q", "main")
    w.begin()
    w.git("merge", "-q", "--ff-only", "topic")


@case("an octopus merge", made="merge hook: octopus", needs=("scripts",))
def _(w: Scene) -> None:
    w.commit("base")
    for name in ("a", "b", "c"):
        w.git("checkout", "-q", "-b", name, "main")
        w.commit(f"on {name}")
    w.git("checkout", "-q", "main")
    w.commit("ours")
    w.begin()
    w.git("merge", "-q", "-m", "octopus", "a", "b", "c")


@case("`git cherry-pick`, of a range, with conflicts", made="cherry-pick hook: theirs too, theirs, theirs too")
def _(w: Scene) -> None:
    w.clash()
    w.begin()
    w.git("cherry-pick", "topic")
    w.git("reset", "-q", "--hard", "HEAD~1")
    w.fails("cherry-pick", "main..topic")
    w.resolve()
    w.git("cherry-pick", "--continue")
    w.git("reset", "-q", "--hard", "HEAD~2")
    w.fails("cherry-pick", "main..topic")
    w.git("cherry-pick", "--abort")


@case("`git cherry-pick --skip` and `--quit`", made="cherry-pick hook: theirs too")
def _(w: Scene) -> None:
    w.clash()
    w.begin()
    w.fails("cherry-pick", "main..topic")
    w.git("cherry-pick", "--skip")
    w.fails("cherry-pick", "topic~1")
    w.git("cherry-pick", "--quit")
    w.git("checkout", "-q", "-f")


@case(
    "`git revert`, of a range, with conflicts",
    made='revert hook: Revert "three", Revert "two"; commit hook: in the way; revert hook: Revert "one"',
)
def _(w: Scene) -> None:
    w.commit("base")
    for content in ("one", "two", "three"):
        w.change(content, f"{content}\n")
    w.begin()
    w.git("revert", "--no-edit", "HEAD~2..HEAD")
    w.change("in the way", "four\n")
    w.fails("revert", "--no-edit", "HEAD~5")
    w.resolve()
    w.git("revert", "--continue")


@case("`git rebase`", made="rebase hook: theirs, theirs too")
def _(w: Scene) -> None:
    w.fork()
    w.git("checkout", "-q", "topic")
    w.begin()
    w.git("rebase", "-q", "main")


@case("`git rebase --apply`", made="rebase hook: theirs, theirs too")
def _(w: Scene) -> None:
    w.fork()
    w.git("checkout", "-q", "topic")
    w.begin()
    w.git("rebase", "-q", "--apply", "main")


@case("`git rebase --apply` with a conflict, continued", made="rebase hook: theirs, theirs too")
def _(w: Scene) -> None:
    w.clash()
    w.git("checkout", "-q", "topic")
    w.begin()
    w.fails("rebase", "-q", "--apply", "main")
    w.resolve()
    w.git("rebase", "--continue")


@case("`git rebase --onto`", made="rebase hook: theirs too")
def _(w: Scene) -> None:
    w.fork()
    w.git("checkout", "-q", "topic")
    w.begin()
    w.git("rebase", "-q", "--onto", "main", "topic~1")


@case("`git rebase --exec`", made="rebase hook: theirs; commit hook: made by exec; rebase hook: theirs too")
def _(w: Scene) -> None:
    w.fork()
    w.git("checkout", "-q", "topic")
    w.begin()
    script = "git log -1 --format=%s | grep -q too || git commit -q --allow-empty -m 'made by exec'"
    w.git("rebase", "-q", "--exec", script, "main")


@case("`git rebase` with a conflict, continued", made="rebase hook: theirs, theirs too")
def _(w: Scene) -> None:
    w.clash()
    w.git("checkout", "-q", "topic")
    w.begin()
    w.fails("rebase", "-q", "main")
    w.resolve()
    w.git("rebase", "--continue")


@case("`git rebase --skip`", made="rebase hook: theirs too")
def _(w: Scene) -> None:
    w.clash()
    w.git("checkout", "-q", "topic")
    w.begin()
    w.fails("rebase", "-q", "main")
    w.git("rebase", "--skip")


@case("`git rebase --abort`", made="rebase reconcile: theirs too")
def _(w: Scene) -> None:
    w.clash()
    w.git("checkout", "-q", "topic")
    w.git("rebase", "-q", "-i", "HEAD~2", **todo("1{h;d};2G"))
    w.begin()
    w.fails("rebase", "-q", "main")
    w.git("rebase", "--abort")


@case(
    "`git rebase -i` with edit, split, reword, squash, fixup, fixup -C and drop",
    made="commit hook: first half, second half; rebase reconcile: word; rebase hook: other words; "
    "rebase reconcile: a; rebase hook: # This is a combination of 2 commits., # This is a combination of 3 commits., b",
)
def _(w: Scene) -> None:
    w.commit("base")
    for name in ("keep", "split", "word", "a", "fix", "b", "squashed", "gone"):
        w.commit(name)
    w.begin()
    script = "/ split/s/^pick/edit/;/ word/s/^pick/reword/;/ fix/s/^pick/fixup/;/ b$/s/^pick/fixup -C/;"
    script += "/ squashed/s/^pick/squash/;/ gone/s/^pick/drop/"
    w.git("rebase", "-q", "-i", "HEAD~8", **todo(script), GIT_EDITOR="true")
    w.git("reset", "-q", "HEAD~1")
    w.commit("first half")
    w.commit("second half")
    w.git("rebase", "--continue", GIT_EDITOR="sed -i -e 's/^word$/other words/'")


@case("`git rebase --rebase-merges`", made="rebase hook: theirs, theirs too, ours, Merge branch 'topic'")
def _(w: Scene) -> None:
    w.fork()
    w.git("merge", "-q", "--no-edit", "topic")
    w.git("branch", "base", "main~1^1~0")
    w.git("checkout", "-q", "-b", "upstream", "main~1~1")
    w.commit("moved on")
    w.git("checkout", "-q", "main")
    w.begin()
    w.git("rebase", "-q", "--rebase-merges", "upstream")


@case("`git rebase --update-refs`", made="rebase hook: theirs, theirs too")
def _(w: Scene) -> None:
    w.fork()
    w.git("branch", "part", "topic~1")
    w.git("checkout", "-q", "topic")
    w.begin()
    w.git("rebase", "-q", "--update-refs", "main")


@case("`git rebase --autostash`", made="rebase hook: theirs, theirs too")
def _(w: Scene) -> None:
    w.fork()
    w.git("checkout", "-q", "topic")
    w.write("base", "not committed\n")
    w.begin()
    w.git("rebase", "-q", "--autostash", "main")


@case("`git am`", made="am hook: theirs, theirs too")
def _(w: Scene) -> None:
    w.fork()
    patches = w.run("git", "format-patch", "-o", str(w.folder / "patches"), "main..topic").split()
    w.begin()
    w.git("am", "-q", *patches, GIT_COMMITTER_NAME="Carrier")


@case("`git am --3way` with a conflict, continued, skipped, aborted", made="am hook: theirs, theirs too, theirs too")
def _(w: Scene) -> None:
    w.clash()
    patches = w.run("git", "format-patch", "-o", str(w.folder / "patches"), "main..topic").split()
    w.begin()
    w.fails("am", "-q", "--3way", *patches)
    w.resolve()
    w.git("am", "--continue")
    w.git("reset", "-q", "--hard", "HEAD~2")
    w.fails("am", "-q", "--3way", *patches)
    w.git("am", "--skip", GIT_COMMITTER_NAME="Carrier")
    w.git("reset", "-q", "--hard", "HEAD~1")
    w.fails("am", "-q", "--3way", *patches)
    w.git("am", "--abort")


@case("`git filter-branch`", made="import reconcile: base, theirs, theirs too", needs=("scripts",))
def _(w: Scene) -> None:
    w.fork()
    w.git("checkout", "-q", "topic")
    w.begin()
    w.git("filter-branch", "-f", "--msg-filter", "cat; echo; echo Signed", "HEAD", FILTER_BRANCH_SQUELCH_WARNING="1")


@case("`git filter-repo`", made="import reconcile: base, ours, theirs, theirs too", needs=("filter-repo",))
def _(w: Scene) -> None:
    w.fork()
    w.begin()
    w.run(
        sys.executable,
        "-m",
        "git_filter_repo",
        "--force",
        "--quiet",
        "--message-callback",
        "return message + b'\\nSigned\\n'",
    )


@case("`git fast-import`", made="import reconcile: imported, and again")
def _(w: Scene) -> None:
    w.commit("one")
    w.begin()
    stream = "".join(
        f"commit refs/heads/imported\ncommitter A <a@example.org> {1700000000 + n} +0000\ndata {len(text)}\n{text}\n"
        for n, text in enumerate(("imported", "and again"))
    )
    w.git("fast-import", "--quiet", stdin=stream.encode())


@case("`git commit-tree` and `update-ref`, to a branch", made="import reconcile: by hand")
def _(w: Scene) -> None:
    one = w.commit("one")
    w.begin()
    oid = w.git("commit-tree", "-p", one, "-m", "by hand", f"{one}^{{tree}}")
    w.git("update-ref", "-m", "my reason", "refs/heads/main", oid, one)


@case(
    "`git update-ref` of a ref outside of heads, remotes and notes, with `--create-reflog` and without",
    made="import reconcile: logged, unlogged",
)
def _(w: Scene) -> None:
    one = w.commit("one")
    w.begin()
    logged, unlogged = (
        w.git("commit-tree", "-p", one, "-m", word, f"{one}^{{tree}}") for word in ("logged", "unlogged")
    )
    w.git("update-ref", "--create-reflog", "-m", "why", "refs/custom/logged", logged)
    w.git("update-ref", "refs/custom/unlogged", unlogged)


@case("`git update-ref --stdin`, a transaction", made="import reconcile: by hand")
def _(w: Scene) -> None:
    one = w.commit("one")
    w.git("branch", "gone")
    w.begin()
    oid = w.git("commit-tree", "-p", one, "-m", "by hand", f"{one}^{{tree}}")
    lines = (
        f"start\nupdate refs/heads/main {oid} {one}\ncreate refs/heads/new {oid}\ndelete refs/heads/gone\n"
        f"create refs/tags/t {one}\nprepare\ncommit\nstart\nupdate refs/heads/main {one} {oid}\nabort\n"
    )
    w.git("update-ref", "--stdin", stdin=lines.encode())


@case("`git replay`", made="import reconcile: theirs, theirs too", needs=("replay",))
def _(w: Scene) -> None:
    w.fork()
    w.begin()
    moved = w.git("replay", "--onto", "main", "main..topic")
    if moved:
        w.git("update-ref", "--stdin", stdin=f"{moved}\n".encode())
