"""Histories that are rewritten at random, with the truth of what became of what.

Each change has a number of its own, which is in the names of the two files that it adds, and nothing else touches
them. So whatever git does, a commit's changes are known by the files that it has and its parent has not: a link
between two commits is true where they have a change in common, or where git itself has told it.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Any

from recording import Recording

# Runs before our own post-rewrite, and writes down what git says.
_WITNESS = '#!/bin/sh\ncat >>"$(git rev-parse --path-format=absolute --git-common-dir)/../../told"\n'
_NUMBER = re.compile(r"change-(\d+)-")


class Lives:
    """One repository. ``step`` does one random rewrite, or commits something to be rewritten."""

    def __init__(self, repo: Any, seed: int) -> None:
        self.random = Random(seed)
        hook = Path(repo.path, ".git", "hooks", "post-rewrite")
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(_WITNESS)
        hook.chmod(0o755)
        self.work = Recording(repo)
        self.told: set[tuple[str, str]] = set()
        """(old, new), as git, or the tool that rewrote them, says."""
        self.upstream: set[tuple[str, str]] = set()
        """Those of ``told`` whose new one was there before: a rebase left the old one out, and names its HEAD."""
        self._in_reflogs: set[tuple[str, str]] = set()  # told by a reflog alone, and no drain has seen it
        self.changes: dict[str, frozenset[int]] = {}
        self.done: list[str] = []
        self._told = Path(repo.path).parent / "told"
        self._count = 0
        for _ in range(4):
            self.commit()

    def step(self, names: Sequence[str] = ()) -> None:
        name = self.random.choice(list(names or _OPERATIONS))
        self.done.append(name)
        _OPERATIONS[name](self)
        self._settle()
        self._look()
        self._some_drain()

    def drain(self) -> None:
        self.work.drain()
        self.told |= self._in_reflogs
        self._in_reflogs.clear()

    # The ground

    def git(self, *args: str, **env: str) -> str:
        """Whether git succeeds or stops is its own affair: a rebase may stop, and what it left is settled later."""
        done = self.work.repo.run(*args, check=False, **env)
        return os.fsdecode(done.stdout).strip()

    def commit(self, message: str = "") -> None:
        self._count += 1
        for half in "ab":
            self.work.write(f"change-{self._count}-{half}", f"{self._count}\n")
            self.git("add", f"change-{self._count}-{half}")
        self.git("commit", "-q", "-m", message or f"Change {self._count}")

    def _settle(self) -> None:
        """End what has stopped."""
        for _ in range(5):
            if not any(Path(self.work.path, ".git", name).exists() for name in ("rebase-merge", "rebase-apply")):
                break
            self.git("rebase", "--skip")
        self.git("rebase", "--abort")
        self.git("reset", "-q", "--hard")
        if not self.git("symbolic-ref", "-q", "HEAD"):
            self.git("checkout", "-q", "main")

    def _look(self) -> None:
        """Note what git has said, and what each commit that it still has changed."""
        if self._told.exists():
            for line in self._told.read_text().splitlines():
                old, new = line.split(" ")[:2]
                if old != new:  # an amend that changes nothing, within one second
                    if new in self.changes and (old, new) not in self.told:
                        self.upstream.add((old, new))
                    self.told.add((old, new))
        listed = self.git("log", "--all", "--reflog", "-m", "--first-parent", "--name-only", "--format=commit %H")
        for part in listed.split("commit ")[1:]:
            oid, _, files = part.partition("\n")
            self.changes[oid] = frozenset(map(int, _NUMBER.findall(files)))

    def _todo(self, *edits: str) -> dict[str, str]:
        return {"GIT_SEQUENCE_EDITOR": "sed -i " + " ".join(f"-e '{edit}'" for edit in edits)}

    # What is done

    def amend(self) -> None:
        self._amend()

    def amend_unseen(self) -> None:
        old = self.work.head()
        self._amend("-c", "core.hooksPath=/dev/null")
        if self.work.head() != old:
            self._in_reflogs.add((old, self.work.head()))

    def _amend(self, *options: str) -> None:
        self._count += 1
        self.git(*options, "commit", "-q", "--amend", "-m", f"Reworded {self._count}")

    def reset(self) -> None:
        self.git("reset", "-q", "--hard", f"HEAD~{self.random.randint(1, 2)}")

    def branch(self) -> None:
        self._count += 1
        self.git("branch", "-q", f"kept-{self._count}")

    def rebase(self) -> None:
        self._elsewhere()
        self.git("rebase", "-q", self.random.choice(("--apply", "--merge", "--no-ff")), "elsewhere")

    def _elsewhere(self) -> None:
        """A branch with a commit that this one has not."""
        self.git("checkout", "-q", "-B", "elsewhere", f"HEAD~{self.random.randint(1, 3)}")
        self.commit()
        self.git("checkout", "-q", "main")

    def by_hand(self) -> None:
        """A rebase with a todo list of chance."""
        words = ("pick", "pick", "reword", "squash", "fixup", "drop", "edit")
        edits = [f"{line}s/^pick/{self.random.choice(words)}/" for line in range(2, 5)]
        if self.random.random() < 0.3:
            edits.append("2{h;d};3{G}")
        self._elsewhere()
        self.git("rebase", "-q", "-i", "elsewhere", **self._todo(*edits))
        while Path(self.work.path, ".git", "rebase-merge").exists():
            self._some_drain()
            if self.random.random() < 0.3:
                self.git("commit", "-q", "--amend", "-m", "Edited")
            if self.random.random() < 0.1:
                self.git("rebase", "--abort")
                break
            head = self.work.head()
            self.git("rebase", "--continue")
            if head == self.work.head():
                break

    def autosquash(self) -> None:
        self.commit(f"{self.random.choice(('fixup', 'squash'))}! {self.git('log', '-1', '--format=%s', 'HEAD~1')}")
        self.git("rebase", "-q", "-i", "--autosquash", "HEAD~3")

    def execute(self) -> None:
        self.git("rebase", "-q", "--no-ff", "--exec", "git commit -q --amend -m Executed", "HEAD~2")

    def split(self) -> None:
        self._stop_at_a_commit()
        names = self.git("ls-files", "-o").splitlines()
        self.random.shuffle(names)
        for name in names[:-1]:
            self.git("add", name)
            self.git("commit", "-q", "-m", f"Only {name}")
        self._some_drain()
        self.git("add", "-A")
        self.git("commit", "-q", "-m", "The rest")
        self._some_drain()
        self.git("rebase", "--continue")

    def put_between(self) -> None:
        """Something else is committed where a rebase stopped at a commit, before it or after."""
        self._stop_at_a_commit()
        names = self.git("ls-files", "-o").splitlines()
        steps = [names, None]
        self.random.shuffle(steps)
        for step in steps:
            if step is None:
                self.commit()
            else:
                self.git("add", *step)
                self.git("commit", "-q", "-m", "The same again")
            self._some_drain()
        self.git("rebase", "--continue")

    def _stop_at_a_commit(self) -> None:
        forced = self.random.choice(((), ("--no-ff",)))
        self.git("rebase", "-q", "-i", *forced, "HEAD~2", **self._todo("1s/^pick/edit/"))
        self._some_drain()
        self.git("reset", "-q", "HEAD^")

    def _some_drain(self) -> None:
        if self.random.random() < 0.3:
            self.drain()

    def filter_branch(self) -> None:
        """A file, or all of one commit, goes out of the newest ones."""
        named = self.git("log", "-3", "--name-only", "--format=").split()
        pattern = self.random.choice(named or ["none"])
        if self.random.random() < 0.6:
            pattern = pattern[:-1] + "*"
        remove = f"git rm -q --cached --ignore-unmatch '{pattern}'"
        ends = {"FILTER_BRANCH_SQUELCH_WARNING": "1"}
        self.git("filter-branch", "-f", "--prune-empty", "--index-filter", remove, "HEAD~3..main", **ends)

    def filter_repo(self) -> None:
        """As git-filter-repo itself says what it did; what it threw away was looked at before."""
        self._look()
        self._in_reflogs.clear()  # it empties all reflogs
        one = self.random.randint(1, self._count)
        keep = ("--path", f"change-{one}-a", "--invert-paths")
        command = [sys.executable, "-m", "git_filter_repo", "--quiet", "--force", *keep]
        subprocess.run(command, cwd=self.work.path, capture_output=True, check=True)
        for line in Path(self.work.path, ".git", "filter-repo", "commit-map").read_text().splitlines()[1:]:
            old, new = line.split()
            if old != new and new.strip("0"):
                self.told.add((old, new))


_OPERATIONS: dict[str, Callable[[Lives], None]] = {
    "commit": Lives.commit, "amend": Lives.amend, "amend unseen": Lives.amend_unseen, "reset": Lives.reset,
    "branch": Lives.branch, "rebase": Lives.rebase, "rebase -i": Lives.by_hand, "autosquash": Lives.autosquash,
    "exec": Lives.execute, "split": Lives.split, "put between": Lives.put_between,
    "filter-branch": Lives.filter_branch, "filter-repo": Lives.filter_repo,
}  # fmt: skip
OPERATIONS = tuple(_OPERATIONS)
