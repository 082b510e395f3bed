"""Commands that move refs: here, and by what comes from elsewhere."""

from __future__ import annotations

from pathlib import Path

from conftest import Repo

from .scene import Scene, case


@case("`git branch`: made, moved, deleted, deleted and made again")
def _(w: Scene) -> None:
    one = w.commit("one")
    w.commit("two")
    w.git("branch", "there")
    w.git("branch", "again")
    w.begin()
    w.git("branch", "new")
    w.git("branch", "-f", "new", one)
    w.git("branch", "-D", "there")
    w.git("branch", "-D", "again")
    w.git("branch", "again", one)


@case("`git branch -m` and `-c`")
def _(w: Scene) -> None:
    w.commit("one")
    w.git("branch", "topic")
    w.begin()
    w.git("branch", "-m", "topic", "renamed")
    w.git("branch", "-c", "main", "copied")
    w.git("branch", "-m", "trunk")


@case("`git checkout`, `-B`, `git switch`")
def _(w: Scene) -> None:
    one = w.commit("one")
    w.git("branch", "topic")
    w.commit("two")
    w.begin()
    w.git("checkout", "-q", "topic")
    w.git("checkout", "-q", "-B", "main", one)
    w.git("switch", "-q", "-c", "new")
    w.git("switch", "-q", "--detach", "topic")


@case("`git symbolic-ref`")
def _(w: Scene) -> None:
    w.commit("one")
    w.git("branch", "topic")
    w.begin()
    w.git("symbolic-ref", "-m", "by hand", "HEAD", "refs/heads/topic")
    w.git("symbolic-ref", "refs/heads/alias", "refs/heads/main")
    w.git("symbolic-ref", "-d", "refs/heads/alias")


@case("`git reset --soft`, `--mixed`, `--hard`, `--merge`, `--keep`, of paths", made="commit hook: one again")
def _(w: Scene) -> None:
    for name in ("one", "two", "three", "four", "five", "six"):
        w.commit(name)
    w.begin()
    for mode in ("--hard", "--merge", "--keep", "--mixed", "--soft"):
        w.git("reset", "-q", mode, "HEAD~1")
    w.git("reset", "-q", "--", "one")
    w.commit("one again", "-a")


@case("`git stash`: push, apply, pop, drop", made="import reconcile: index on main: ... one, WIP on main: ... one")
def _(w: Scene) -> None:
    w.commit("one")
    w.begin()
    w.write("one", "changed\n")
    w.git("stash", "push", "-q")
    w.git("stash", "apply", "-q")
    w.git("checkout", "-q", "-f")


@case(
    "`git stash` with several: drop, pop, `clear`, `branch`",
    made="import reconcile: "
    "index on main: ... one, WIP on main: ... one, index on main: ... one, WIP on main: ... one, "
    "index on main: ... one, WIP on main: ... one",
)
def _(w: Scene) -> None:
    w.commit("one")
    w.begin()
    for content in ("first", "second", "third"):
        w.write("one", f"{content}\n")
        w.git("stash", "push", "-q", GIT_COMMITTER_NAME=content)
    w.drain()
    w.git("stash", "drop", "-q", "stash@{1}")
    w.git("stash", "pop", "-q")
    w.git("checkout", "-q", "-f")
    w.git("stash", "branch", "from-stash")
    w.git("checkout", "-q", "-f", "main")


@case("`git stash clear`")
def _(w: Scene) -> None:
    w.commit("one")
    w.write("one", "changed\n")
    w.git("stash", "push", "-q")
    w.begin()
    w.git("stash", "clear")


@case("`git tag`: light, annotated, moved, deleted")
def _(w: Scene) -> None:
    one = w.commit("one")
    w.git("tag", "old")
    w.git("tag", "moves")
    w.commit("two")
    w.begin()
    w.git("tag", "light")
    w.git("tag", "-a", "-m", "A tag", "heavy")
    w.git("tag", "-a", "-m", "A tag of a tag", "nested", "heavy")
    w.git("tag", "-f", "moves")
    w.git("tag", "-d", "old")
    w.git("tag", "tree", f"{one}^{{tree}}")


@case("`git tag -s`", needs=("ssh-keygen",))
def _(w: Scene) -> None:
    w.commit("one")
    key = str(w.folder / "key")
    w.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key)
    w.begin()
    w.git("-c", "gpg.format=ssh", "-c", f"user.signingKey={key}", "tag", "-s", "-m", "Signed", "signed")


@case("`git commit -S`", made="commit hook: signed", needs=("ssh-keygen",))
def _(w: Scene) -> None:
    w.commit("one")
    key = str(w.folder / "key")
    w.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key)
    w.begin()
    signing = ("-c", "gpg.format=ssh", "-c", f"user.signingKey={key}")
    w.git(*signing, "commit", "-q", "-S", "--allow-empty", "-m", "signed")


@case(
    "`git notes`: add, append, remove, merge",
    made="import reconcile: Notes added by 'git notes add', Notes added by 'git notes append', "
    "Notes removed by 'git notes remove', Notes added by 'git notes add', Merged notes from refs/notes/other "
    "into refs/notes/commits",
)
def _(w: Scene) -> None:
    w.commit("one")
    two = w.commit("two")
    w.begin()
    w.git("notes", "add", "-m", "first")
    w.git("notes", "append", "-m", "more")
    w.git("notes", "remove")
    w.git("notes", "--ref", "other", "add", "-m", "theirs", f"{two}~1")
    w.git("notes", "merge", "-q", "other")


@case("`git replace` and `git bisect`", made="import reconcile: instead")
def _(w: Scene) -> None:
    one = w.commit("one")
    two = w.commit("two")
    w.commit("three")
    w.begin()
    instead = w.git("commit-tree", "-m", "instead", f"{one}^{{tree}}")
    w.git("replace", two, instead)
    w.drain()
    w.git("replace", "-d", two)
    w.git("bisect", "start")
    w.git("bisect", "bad")
    w.git("bisect", "good", one)
    w.git("bisect", "reset")


@case("`git update-ref -d` and `git pack-refs`")
def _(w: Scene) -> None:
    w.commit("one")
    w.git("branch", "gone")
    w.git("branch", "stays")
    w.begin()
    w.git("pack-refs", "--all")
    w.git("update-ref", "-d", "refs/heads/gone")


@case("`git reflog expire` and `delete`")
def _(w: Scene) -> None:
    for name in ("one", "two", "three"):
        w.commit(name)
    w.begin()
    w.git("reflog", "delete", "HEAD@{1}")
    w.git("reflog", "expire", "--expire=now", "--all")
    w.git("gc", "-q", "--prune=now")


def remote(w: Scene) -> Repo:
    """``origin``: a clone in which others work."""
    w.commit("one")
    other = w.elsewhere()
    w.git("remote", "add", "origin", other.path)
    w.git("fetch", "-q")
    return other


@case("`git fetch`: new branches, tags, forced updates, `--prune`", made="import fetch: theirs, side, theirs better")
def _(w: Scene) -> None:
    other = remote(w)
    w.begin()
    other.commit("theirs", {"theirs": "x"})
    other.git("checkout", "-q", "-b", "side")
    other.commit("side")
    other.git("tag", "-a", "-m", "A tag", "v1")
    w.git("fetch", "-q")
    w.drain()
    other.git("checkout", "-q", "main")
    other.git("commit", "-q", "--amend", "--allow-empty", "-m", "theirs better")
    w.git("fetch", "-q")
    w.drain()
    other.git("branch", "-D", "side")
    w.git("fetch", "-q", "--prune")


@case("`git fetch` into refs by refspec, of tags, `--refetch`", made="import fetch: theirs")
def _(w: Scene) -> None:
    other = remote(w)
    other.commit("theirs")
    other.git("tag", "v1")
    w.begin()
    w.git("fetch", "-q", "origin", "+refs/heads/*:refs/heads/from/*")
    w.git("fetch", "-q", "--tags")
    w.git("fetch", "-q", "--refetch")


@case("`git fetch URL`, which moves no ref")
def _(w: Scene) -> None:
    other = remote(w)
    other.commit("theirs")
    w.begin()
    w.git("fetch", "-q", other.path, "main")


@case("`git bundle`, fetched from", made="import fetch: theirs")
def _(w: Scene) -> None:
    other = remote(w)
    other.commit("theirs")
    other.git("bundle", "create", "-q", str(w.folder / "theirs.bundle"), "main")
    w.begin()
    w.git("fetch", "-q", str(w.folder / "theirs.bundle"), "main:refs/heads/bundled")


@case("`git pull`, fast-forward", made="import fetch: theirs")
def _(w: Scene) -> None:
    other = remote(w)
    other.commit("theirs")
    w.begin()
    w.git("pull", "-q", "--ff-only", "origin", "main")


@case("`git pull`, merge", made="import fetch: theirs; merge hook: Merge branch 'main' of ...")
def _(w: Scene) -> None:
    other = remote(w)
    other.commit("theirs", {"theirs": "x"})
    w.commit("ours")
    w.begin()
    w.git("pull", "-q", "--no-rebase", "--no-edit", "origin", "main", GIT_EDITOR="true", GIT_MERGE_AUTOEDIT="no")


@case("`git pull --rebase`, with autostash", made="import fetch: theirs; rebase hook: ours")
def _(w: Scene) -> None:
    other = remote(w)
    other.commit("theirs", {"theirs": "x"})
    w.commit("ours")
    w.write("ours", "not committed\n")
    w.begin()
    w.git("pull", "-q", "--rebase", "--autostash", "origin", "main")


@case("`git push`", made="")
def _(w: Scene) -> None:
    w.elsewhere("bare", bare=True)
    w.git("remote", "add", "origin", str(w.folder / "bare"))
    w.commit("one")
    w.git("push", "-q", "origin", "main:first")
    w.begin()
    w.git("push", "-q", "origin", "main")
    w.git("push", "-q", "origin", ":first")


@case("`git remote rename`, `set-head` and `remove`")
def _(w: Scene) -> None:
    remote(w)
    w.begin()
    w.git("remote", "set-head", "origin", "main")
    w.git("remote", "rename", "origin", "upstream")
    w.git("remote", "remove", "upstream")


@case("a push to here, without `install --server`", made="import reconcile: pushed")
def _(w: Scene) -> None:
    w.commit("one")
    other = w.elsewhere()
    oid = other.commit("pushed", {"pushed": "x"})
    w.begin()
    other.git("push", "-q", "origin", "main:topic")
    assert w.head("topic") == oid
    w.drain()


@case("a ref that somebody wrote into its file by hand", made="import reconcile: by hand")
def _(w: Scene) -> None:
    one = w.commit("one")
    w.begin()
    oid = w.git("commit-tree", "-p", one, "-m", "by hand", f"{one}^{{tree}}")
    Path(w.location.common_dir, "refs/heads/by-hand").write_text(f"{oid}\n")
    w.drain()
