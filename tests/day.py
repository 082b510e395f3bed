"""A day's work in git, by a seed: the same seed does the same things, to the commit's hash.

Run by itself, ``python tests/day.py SEED FOLDER`` leaves the repository of that day in FOLDER.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Any

_BEGAN = 1_988_150_400  # 2033-01-01: after any time at which recording can have begun
_WORDS = ("anchor", "beacon", "cobalt", "drift", "ember", "fjord", "glyph", "harbor", "island", "juniper", "kelp")
_TODO = "sed -i -e '2s/^pick/fixup/' -e '3s/^pick/squash/' -e '4s/^pick/drop/'"


class Day:
    """One repository with its remote and a second clone. ``step`` does one random operation."""

    def __init__(self, seed: int, folder: Path) -> None:
        self.random = Random(seed)
        self.folder = folder
        self.path = str(folder / "repo")
        self.remote = str(folder / "remote.git")
        self.clock = _BEGAN
        self.count = 0
        self.done: list[str] = []
        self.worktrees = [self.path]
        folder.mkdir(parents=True, exist_ok=True)
        self.git("init", "-q", "--bare", "-b", "main", self.remote, at=str(folder))
        self.git("init", "-q", "-b", "main", self.path, at=str(folder))
        self.git("remote", "add", "origin", self.remote)
        self.git("config", "gc.auto", "0")

    def begin(self) -> None:
        for name in _WORDS[:4]:
            self.write(self.path, f"{name}.txt")
        self.git("add", "-A")
        self.git("commit", "-q", "-m", "Begin")
        self.push("main")

    def step(self) -> str:
        """Do one operation; gives its name. Whatever is left half done (a conflict) is settled before."""
        names = list(self.operations)
        name = self.random.choices(names, [self.operations[name][1] for name in names])[0]
        at = self.random.choice(self.worktrees) if self.random.random() < 0.3 else self.path
        self.operations[name][0](self, at)
        self.settle(at)
        self.done.append(name)
        return name

    @property
    def operations(self) -> dict[str, tuple[Callable[[Any, str], None], int]]:
        """What is done, by its name, and how often."""
        return _OPERATIONS

    # The ground

    def git(self, *args: str, at: str | None = None, editor: str = "true", sequence: str = "true") -> tuple[int, str]:
        """Run git at the day's own time; its exit code and standard output."""
        self.clock += self.random.choice((0, 0, 0, 1, 1, 7))
        env = {"GIT_EDITOR": editor, "GIT_SEQUENCE_EDITOR": sequence, "GIT_MERGE_AUTOEDIT": "no", **self.dates()}
        done = self.run(args, at or self.path, env)
        return done.returncode, os.fsdecode(done.stdout).rstrip("\n")

    def dates(self) -> dict[str, str]:
        when = f"{self.clock} +0100"
        return {"GIT_AUTHOR_DATE": when, "GIT_COMMITTER_DATE": when}

    def run(self, args: Sequence[str], at: str, env: dict[str, str]) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            ["git", "-C", at, *args], capture_output=True, env={**os.environ, **env}, stdin=subprocess.DEVNULL
        )

    def ask(self, *args: str, at: str | None = None) -> str:
        return self.git(*args, at=at)[1]

    def settle(self, at: str) -> None:
        """End what a conflict has left open: now by resolving it, now by giving up."""
        for _ in range(20):
            git_dir = self.ask("rev-parse", "--absolute-git-dir", at=at)
            open_one = next(
                (
                    command
                    for mark, command in (
                        ("rebase-merge", "rebase"),
                        ("rebase-apply", "rebase"),
                        ("MERGE_HEAD", "merge"),
                        ("CHERRY_PICK_HEAD", "cherry-pick"),
                        ("REVERT_HEAD", "revert"),
                    )
                    if os.path.exists(os.path.join(git_dir, mark))
                ),
                None,
            )
            if open_one is None:
                return
            choice = self.random.random()
            if choice < 0.3:
                self.git(open_one, "--abort", at=at)
                continue
            for path in self.ask("diff", "--name-only", "--diff-filter=U", at=at).splitlines():
                self.write(at, path)
            self.git("add", "-A", at=at)
            if choice < 0.7 and open_one != "rebase":
                code, _ = self.git("commit", "-q", "--no-edit", "--allow-empty", at=at)
            else:
                code, _ = self.git(open_one, "--continue", at=at)
            if code and open_one != "merge":
                self.git(open_one, "--skip", at=at)

    def write(self, at: str, path: str) -> None:
        """New contents, of which a few lines are shared with everyone else's: some merges clash, most do not."""
        target = Path(at, path)
        target.parent.mkdir(parents=True, exist_ok=True)
        lines = target.read_text().splitlines() if target.is_file() and not target.is_symlink() else []
        lines = [line for line in lines if line[:1] not in "<=>"] or [f"{path} {n}" for n in range(12)]
        lines[self.random.randrange(len(lines))] = f"{path} {self.random.randrange(10**6)}"
        if target.is_symlink():
            target.unlink()
        target.write_text("\n".join(lines) + "\n")

    def word(self) -> str:
        self.count += 1
        return f"{self.random.choice(_WORDS)}-{self.count}"

    def branches(self) -> list[str]:
        return self.ask("for-each-ref", "--format=%(refname:short)", "refs/heads").splitlines()

    def branch(self) -> str:
        return self.random.choice(self.branches() or ["main"])

    def commitish(self) -> str:
        found = self.ask("rev-list", "--all", "--max-count=40").splitlines()
        return self.random.choice(found) if found else "HEAD"

    # What people do

    def change(self, at: str) -> None:
        kind = self.random.randrange(12)
        files = [name for name in sorted(os.listdir(at)) if name.endswith(".txt") and not Path(at, name).is_symlink()]
        some = self.random.choice(files) if files else "again.txt"
        if kind < 6:
            self.write(at, some)
        elif kind == 6:
            self.write(at, f"{self.word()}.txt")
        elif kind == 7 and len(files) > 2:
            Path(at, some).unlink()
        elif kind == 8 and files:
            self.git("mv", some, f"{self.word()}.txt", at=at)
        elif kind == 9:
            Path(at, f"{self.word()}.bin").write_bytes(self.random.randbytes(200) + b"\0")
        elif kind == 10 and files:
            Path(at, some).chmod(0o755 if self.random.random() < 0.5 else 0o644)
        else:
            Path(at, self.word()).symlink_to(some)

    def commit(self, at: str) -> None:
        for _ in range(self.random.randrange(1, 4)):
            self.change(at)
        self.git("add", "-A", at=at)
        self.git("commit", "-q", "-m", f"Work on {self.word()}", *self.maybe("--no-verify"), at=at)

    def maybe(self, *options: str) -> tuple[str, ...]:
        return options if self.random.random() < 0.2 else ()

    def empty_commit(self, at: str) -> None:
        self.git("commit", "-q", "--allow-empty", "--allow-empty-message", "-m", "", at=at)

    def amend(self, at: str) -> None:
        self.change(at)
        self.git("commit", "-q", "-a", "--amend", "-m", f"Better {self.word()}", at=at)

    def fixup(self, at: str) -> None:
        self.change(at)
        self.git("commit", "-q", "-a", "--fixup", "HEAD~1", at=at)
        self.git("rebase", "-q", "-i", "--autosquash", "--autostash", "HEAD~4", at=at)

    def new_branch(self, at: str) -> None:
        self.git("checkout", "-q", "-b", self.word(), *self.maybe(self.commitish()), at=at)

    def checkout(self, at: str) -> None:
        self.git("checkout", "-q", self.branch(), at=at)

    def detach(self, at: str) -> None:
        self.git("checkout", "-q", "--detach", self.commitish(), at=at)

    def make_branch(self, at: str) -> None:
        self.git("branch", self.word(), self.commitish(), at=at)

    def move_branch(self, at: str) -> None:
        self.git("branch", "-f", self.branch(), self.commitish(), at=at)

    def rename_branch(self, at: str) -> None:
        self.git("branch", "-m", self.branch(), self.word(), at=at)

    def delete_branch(self, at: str) -> None:
        if len(self.branches()) > 3:
            self.git("branch", "-D", self.branch(), at=at)

    def merge(self, at: str) -> None:
        self.git("merge", "-q", *self.random.choice(((), (), ("--no-ff",), ("--ff-only",))), self.branch(), at=at)

    def octopus(self, at: str) -> None:
        self.git("merge", "-q", self.branch(), self.branch(), at=at)
        self.git("reset", "-q", "--merge", at=at)

    def squash(self, at: str) -> None:
        if self.git("merge", "-q", "--squash", self.branch(), at=at)[0] == 0:
            self.git("commit", "-q", "--no-edit", at=at)
        else:
            self.git("reset", "-q", "--merge", at=at)

    def rebase(self, at: str) -> None:
        self.git("rebase", "-q", "--autostash", self.branch(), at=at)

    def rebase_onto(self, at: str) -> None:
        self.git("rebase", "-q", "--autostash", "--onto", self.branch(), "HEAD~2", at=at)

    def rebase_by_hand(self, at: str) -> None:
        self.git("rebase", "-q", "-i", "--autostash", "HEAD~5", at=at, sequence=_TODO)

    def reset(self, at: str) -> None:
        kind = self.random.choice(("--hard", "--hard", "--soft", "--mixed"))
        self.git("reset", "-q", kind, f"HEAD~{self.random.randrange(3)}", at=at)

    def reset_elsewhere(self, at: str) -> None:
        self.git("reset", "-q", "--hard", self.commitish(), at=at)

    def stash(self, at: str) -> None:
        self.change(at)
        self.git("stash", "push", "-q", *self.maybe("-u"), at=at)

    def unstash(self, at: str) -> None:
        number = self.random.randrange(2)
        self.git("stash", self.random.choice(("pop", "drop", "apply")), "-q", f"stash@{{{number}}}", at=at)
        self.git("checkout", "-q", "-f", at=at)

    def pick(self, at: str) -> None:
        self.git("cherry-pick", *self.maybe("-x"), self.commitish(), at=at)

    def pick_several(self, at: str) -> None:
        tip = self.branch()
        self.git("cherry-pick", f"{tip}~2..{tip}", at=at)

    def revert(self, at: str) -> None:
        self.git("revert", "--no-edit", f"HEAD~{self.random.randrange(3)}", at=at)

    def apply_mail(self, at: str) -> None:
        patch = self.folder / "patch"
        patch.write_text(self.ask("format-patch", "--stdout", "-1", self.commitish(), at=at) + "\n")
        if self.git("am", "-q", "-3", str(patch), at=at)[0]:
            self.git("am", "--abort", at=at)

    def push(self, *refs: str, force: bool = False) -> None:
        self.git("push", "-q", *(("--force",) if force else ()), "origin", *refs)

    def push_one(self, at: str) -> None:
        self.push(self.branch())

    def push_forced(self, at: str) -> None:
        self.push(self.branch(), force=True)

    def push_several(self, at: str) -> None:
        self.push(*dict.fromkeys((self.branch(), self.branch(), self.branch())), force=True)

    def push_deletion(self, at: str) -> None:
        there = self.ask("for-each-ref", "--format=%(refname:lstrip=3)", "refs/remotes/origin").splitlines()
        if len(there) > 2:
            self.push(f":{self.random.choice(there)}")

    def others_push(self) -> None:
        """Someone else's commit on a branch of the remote, made without any hook of ours."""
        there = self.ask("for-each-ref", "--format=%(refname)", "refs/heads", at=self.remote).splitlines()
        if there:
            ref = self.random.choice(there)
            tree = self.ask("rev-parse", f"{ref}^{{tree}}", at=self.remote)
            oid = self.ask("commit-tree", "-p", ref, "-m", f"Theirs {self.word()}", tree, at=self.remote)
            self.git("update-ref", ref, oid, at=self.remote)

    def fetch(self, at: str) -> None:
        self.others_push()
        self.git("fetch", "-q", *self.maybe("--prune"), at=at)

    def pull(self, at: str) -> None:
        self.others_push()
        how = self.random.choice(("--rebase", "--no-rebase", "--ff-only"))
        self.git("pull", "-q", how, "origin", self.branch(), at=at)

    def add_worktree(self, at: str) -> None:
        if len(self.worktrees) < 4:
            path = str(self.folder / self.word())
            name = os.path.basename(path)
            if self.git("worktree", "add", "-q", "-b", f"in-{name}", path, self.commitish(), at=at)[0] == 0:
                self.worktrees.append(path)

    def remove_worktree(self, at: str) -> None:
        if len(self.worktrees) > 1:
            path = self.random.choice(self.worktrees[1:])
            if self.git("worktree", "remove", "--force", path)[0] == 0:
                self.worktrees.remove(path)

    def tag(self, at: str) -> None:
        self.git("tag", *self.random.choice(((), ("-a", "-m", "A tag"))), self.word(), self.commitish(), at=at)

    def delete_tag(self, at: str) -> None:
        tags = self.ask("tag", at=at).splitlines()
        if tags:
            self.git("tag", "-d", self.random.choice(tags), at=at)

    def note(self, at: str) -> None:
        self.git("notes", "append", "-m", self.word(), self.commitish(), at=at)

    def pack(self, at: str) -> None:
        self.git("pack-refs", "--all", at=at)
        self.git("repack", "-q", "-d", at=at)


_OPERATIONS: dict[str, tuple[Callable[[Day, str], None], int]] = {
    "commit": (Day.commit, 30), "empty commit": (Day.empty_commit, 2), "amend": (Day.amend, 8),
    "fixup": (Day.fixup, 3), "checkout -b": (Day.new_branch, 6), "checkout": (Day.checkout, 8),
    "detach": (Day.detach, 2), "branch": (Day.make_branch, 3), "branch -f": (Day.move_branch, 2),
    "branch -m": (Day.rename_branch, 2), "branch -D": (Day.delete_branch, 2), "merge": (Day.merge, 8),
    "octopus": (Day.octopus, 1), "merge --squash": (Day.squash, 2), "rebase": (Day.rebase, 6),
    "rebase --onto": (Day.rebase_onto, 2), "rebase -i": (Day.rebase_by_hand, 3), "reset": (Day.reset, 3),
    "reset elsewhere": (Day.reset_elsewhere, 1), "stash": (Day.stash, 3), "unstash": (Day.unstash, 3),
    "cherry-pick": (Day.pick, 5), "cherry-pick range": (Day.pick_several, 2), "revert": (Day.revert, 3),
    "am": (Day.apply_mail, 2), "push": (Day.push_one, 6), "push --force": (Day.push_forced, 3),
    "push several": (Day.push_several, 1), "push deletion": (Day.push_deletion, 1), "fetch": (Day.fetch, 4),
    "pull": (Day.pull, 4), "worktree add": (Day.add_worktree, 2), "worktree remove": (Day.remove_worktree, 1),
    "tag": (Day.tag, 2), "tag -d": (Day.delete_tag, 1), "notes": (Day.note, 1), "pack": (Day.pack, 1),
}  # fmt: skip


def main(seed: int, folder: str) -> None:
    day = Day(seed, Path(folder))
    day.begin()
    for _ in range(200):
        day.step()
    print(day.path)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
