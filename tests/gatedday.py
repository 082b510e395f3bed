"""A day's work under a gate that refuses, and what the gate must have said of each commit of that day.

What must be on record is known from two witnesses, neither of them ours: the flags and the environment with which each
git was started, and hooks of the user's own, which were there before ours and write down in which process git ran
them, and on what. Nothing here reads a spool, a reflog or a record.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pygit2
from day import _OPERATIONS, Day

ARMED = """
[[rules]]
id = "no-bad-subject"
events = ["commit", "amend", "merge", "rebase", "cherry-pick", "revert", "am"]
strategy = "abort"
message = "Say something else."
schema.properties.commit.properties.message.pattern = "^(?!bad)"

[[rules]]
id = "no-bad-file"
events = ["commit", "amend", "merge", "rebase", "cherry-pick", "revert", "am"]
strategy = "abort"
message = "Keep it out."
schema.properties.commit.properties.files.items.properties.filename.pattern = "^(?!bad)"
"""

# What git's process was, is a field of our parent's, where ours stands between; the recorders give way to this one.
_WITNESS = """#!/bin/sh
hook=${0##*/}
hook=${hook%.mgit-chained}
[ -n "$DAY" ] || exit 0
git=$PPID head=-
case $hook in
post-*) head=$(git rev-parse HEAD) ;;
*) read -r _ _ _ git _ </proc/$PPID/stat ;;
esac
echo "$DAY $git $hook $head $1" >>"$DAY_WITNESS"
exit 0
"""
_HOOKS = ("pre-commit", "pre-merge-commit", "commit-msg", "post-commit", "post-merge", "post-applypatch")
_GATES = ("pre-commit", "pre-merge-commit", "commit-msg")
_NO_VERIFY = re.compile("--no-verify|-[aq]*n[aq]*")


class Act(NamedTuple):
    """One run of git: how it was started."""

    command: str
    goes_round: bool  # --no-verify
    skips: str | None  # MGIT=0, or what SKIP leaves out
    armed: bool
    known: frozenset[str]  # commits that were there before, for a merge and for what runs without hooks


class GatedDay(Day):
    """``expected`` has for each commit the states that are true of it: several, where several processes made it."""

    def __init__(self, seed: int, folder: Path) -> None:
        super().__init__(seed, folder)
        self.acts: dict[str, Act] = {}
        self.expected: dict[str, set[str]] = {}
        self.refusals = 0
        self.before_policy: Callable[[], object] = lambda: None
        self.armed = False
        self._read = 0
        self.witness = folder / "witness"
        self.witness.touch()
        for hook in _HOOKS:
            path = Path(self.path, ".git", "hooks", hook)
            path.parent.mkdir(exist_ok=True)
            path.write_text(_WITNESS)
            path.chmod(0o755)
        (folder / "rules.toml").write_text(ARMED)
        self.run(("config", "alias.ci", "commit"), self.path, {})

    @property
    def operations(self) -> dict[str, tuple[Callable[[Any, str], None], int]]:
        return _OPERATIONS | _GATED

    def step(self) -> str:
        if not self.armed and self.random.random() < 0.3:
            self.arm(True)
        return super().step()

    def arm(self, armed: bool) -> None:
        """Put the policy in force, or out of it. What waits is told before, as the background drain would have done."""
        self.before_policy()
        rules = str(self.folder / "rules.toml")
        self.run(("config", "mgit.rules", rules) if armed else ("config", "--unset-all", "mgit.rules"), self.path, {})
        self.armed = armed

    # How git is started

    def git(self, *args: str, at: str | None = None, editor: str = "true", sequence: str = "true") -> tuple[int, str]:
        chance = self.random.random()
        if args[0] == "commit" and chance < 0.2 and "-n" not in args:
            args = (args[0], "-n", *args[1:])
        elif args[0] == "merge" and chance < 0.2 and not args[1].startswith(("--abort", "--continue", "--skip")):
            args = (args[0], "--no-verify", *args[1:])
        elif args[0] in ("cherry-pick", "revert") and chance < 0.3 and not args[1].startswith("--"):
            args = (args[0], "-e", *args[1:])
        elif args[0] == "rebase" and "-i" in args and chance < 0.4:
            sequence = "sed -i -e '1s/^pick/reword/' -e '2s/^pick/edit/'"
        return super().git(*args, at=at, editor=editor, sequence=sequence)

    def run(self, args: Sequence[str], at: str, env: dict[str, str]) -> subprocess.CompletedProcess[bytes]:
        if args[0] not in _ACTING:
            return super().run(args, at, env)
        chance = self.random.random()
        more: dict[str, str] = {}
        options: tuple[str, ...] = ()
        if chance < 0.05:
            more = {"MGIT": "0", "MGIT_SKIP_REASON": "a fire"}
        elif chance < 0.08:
            more = {"SKIP": self.random.choice(("mgit-commit-msg", "mgit-validate", "mgit-validate,mgit-commit-msg"))}
        elif chance < 0.1:
            more = {"MGIT_SKIP": "no-bad-subject"}
        elif chance < 0.15:
            more = {
                "GIT_REFLOG_ACTION": self.random.choice(("rebase (pick)", "cherry-pick", "merge x", "am", "revert"))
            }
        elif chance < 0.2:
            options = ("-c", "core.hooksPath=/dev/null")
        return self.act((*options, *args), at, {**env, **more}, hooks=not options)

    def act(
        self, args: Sequence[str], at: str, env: dict[str, str], *, hooks: bool = True
    ) -> subprocess.CompletedProcess[bytes]:
        """Run git, and work out what follows from how it was run."""
        name = self.begin_act(args, at, env)
        before = self.head(at)
        done = super().run(args, at, {**env, "DAY": name, "DAY_WITNESS": str(self.witness)})
        self.look()
        if not hooks:
            self.unwitnessed(self.acts[name], before, at)
        # Whatever git makes of it: a pick that is continued ends with another status than a commit.
        self.refusals += done.stderr.count(b"mgit-hooks: commit refused")
        return done

    def begin_act(self, args: Sequence[str], at: str, env: dict[str, str]) -> str:
        words = args[2:] if args[0] == "-c" else args
        is_round = _NO_VERIFY if words[0] in ("commit", "ci") else re.compile("--no-verify")
        skips = "MGIT=0" if env.get("MGIT") == "0" else env.get("SKIP")
        # Without hooks HEAD may come to stand on what was there before, a stash's commits say.
        asked = words is not args or words[0] in ("merge", "pull", "rebase")
        known = frozenset(self.all_commits(at)) if asked else frozenset()
        name = str(len(self.acts))
        self.acts[name] = Act(words[0], any(map(is_round.fullmatch, words)), skips, self.armed, known)
        return name

    def head(self, at: str) -> str:
        return os.fsdecode(super().run(("rev-parse", "-q", "--verify", "HEAD"), at, {}).stdout).strip()

    def all_commits(self, at: str) -> list[str]:
        return os.fsdecode(super().run(("rev-list", "--all", "--reflog"), at, {}).stdout).split()

    # What follows

    def look(self) -> None:
        """Read what the witness has written since."""
        with open(self.witness) as file:
            file.seek(self._read)
            lines = file.read().splitlines()
            self._read = file.tell()
        gated: dict[tuple[str, str], list[str]] = {}
        for line in lines:
            name, process, hook, head, *first = line.split(" ")
            if hook in _GATES:
                gated.setdefault((name, process), []).append(hook)
                continue
            said = gated.pop((name, process), [])
            if hook != "post-merge" or (first[:1] != ["1"] and self.is_merge(name, head)):
                self.expected.setdefault(head, set()).add(self.state(name, hook, said))

    def is_merge(self, name: str, oid: str) -> bool:
        act = self.acts[name.rstrip("x")]
        parents = super().run(("rev-list", "--parents", "-1", oid), self.path, {}).stdout.split()
        return oid not in act.known and len(parents) > 2

    def state(self, name: str, hook: str, said: list[str]) -> str:
        """Of a commit that git ran ``hook`` on, in a process in which it had run the gates ``said``."""
        act = self.acts[name.rstrip("x")]
        if not act.armed:
            return "none"
        if said:
            assert said[-1] == "commit-msg", f"{said} in act {name}: {act}"
            return "skipped" if act.skips is not None and act.skips != "mgit-validate" else "passed"
        # "x" marks what the user has a rebase run.
        own = name.endswith("x") or act.command in ("commit", "ci", "merge")
        if hook == "post-applypatch" or not own:
            return "none"
        assert act.goes_round or name.endswith("x"), f"git ran no gate in act {name}: {act}"
        return "bypassed"

    def unwitnessed(self, act: Act, before: str, at: str) -> None:
        """Of the commits that a git without hooks made: on the way from where HEAD was, and known to nobody."""
        after = self.head(at)
        if not after or after == before:
            return
        span = (after, f"^{before}") if before else (after,)
        for oid in os.fsdecode(super().run(("rev-list", *span), at, {}).stdout).split():
            if oid not in act.known and oid not in self.expected:
                claim = {"none"} if act.command in ("rebase", "pull", "merge") else set()
                self.expected[oid] = {"unobserved"} | claim

    # What people do about a gate

    def commit_all(self, at: str) -> None:
        self.change(at)
        self.git("commit", "-q", *self.random.choice((("-a", "-n"), ("-a",), ("-an",))), "-m", self.word(), at=at)

    def commit_refused(self, at: str) -> None:
        """Refused, and then with -n: the same tree and message."""
        subject = f"bad {self.word()}"
        self.git("commit", "-q", "--allow-empty", "-m", subject, at=at)
        if self.random.random() < 0.7:
            self.git("commit", "-q", "-n", "--allow-empty", "-m", subject, at=at)

    def commit_bad_file(self, at: str) -> None:
        name = f"bad-{self.word()}"
        Path(at, name).write_text("x\n")
        self.git("add", name, at=at)
        self.git("commit", "-q", "-m", self.word(), at=at)
        if self.random.random() < 0.5:
            self.git("commit", "-q", "-n", "-m", self.word(), at=at)
        if Path(at, name).exists():
            self.git("rm", "-q", "-f", "--ignore-unmatch", name, at=at)
            self.git("commit", "-q", "-m", f"Without {name}", at=at)

    def aborted_editor(self, at: str) -> None:
        self.change(at)
        self.git("commit", "-q", "-a", at=at, editor="false")
        self.git("commit", "-q", "-a", "-n", "-m", self.word(), at=at)

    def alias(self, at: str) -> None:
        self.change(at)
        self.git("ci", "-q", "-a", *self.maybe("-n"), "-m", self.word(), at=at)

    def amends_within_a_second(self, at: str) -> None:
        for _ in range(2):
            args = ("commit", "-q", "--amend", "--allow-empty", *self.random.choice((("-n",), ())))
            words = self.random.choice((("--no-edit",), ("-m", f"Better {self.word()}")))
            self.act((*args, *words), at, {**self.dates(), "GIT_EDITOR": "true"})

    def reword(self, at: str) -> None:
        todo = "sed -i -e 's/^pick/reword/'"
        editor = f"sed -i -e '1s/$/ {self.word()}/'"
        self.git("rebase", "-q", "-i", "--autostash", "HEAD~2", at=at, sequence=todo, editor=editor)

    def edit(self, at: str) -> None:
        self.git("stash", "-q", at=at)
        self.git("rebase", "-q", "-i", "HEAD~2", at=at, sequence="sed -i -e '1s/^pick/edit/'")
        self.change(at)
        self.git("add", "-A", at=at)
        self.git("commit", "-q", *self.random.choice((("--amend", "--no-edit"), ("-m", self.word()))), at=at)
        if self.random.random() < 0.5:
            self.git("revert", "--no-edit", "HEAD", at=at)

    def rebase_exec(self, at: str) -> None:
        how = self.random.choice(("", "-n"))
        command = f"DAY=${{DAY}}x git commit -q --amend --allow-empty {how} -m 'Run {self.word()}'"
        self.git("rebase", "-q", "--autostash", "--exec", command, "HEAD~2", at=at)

    def rebase_merges(self, at: str) -> None:
        self.git("rebase", "-q", "-r", "--autostash", "--force-rebase", "HEAD~3", at=at)

    def rebase_by_patches(self, at: str) -> None:
        self.git("rebase", "-q", "--apply", "--autostash", self.branch(), at=at)

    def by_library(self, at: str) -> None:
        """A commit by libgit2, which runs no hooks, and logs what git would."""
        there = pygit2.Repository(at)
        if not there.head_is_unborn:
            who = pygit2.Signature("Ada", "ada@example.org", self.clock, 60)
            tip = there.head.target
            tree = there.get(tip).peel(pygit2.Commit).tree_id
            made = there.create_commit("HEAD", who, who, f"By library {self.word()}", tree, [tip])
            self.expected.setdefault(str(made), set()).add("unobserved")

    def by_plumbing(self, at: str) -> None:
        tree = self.ask("write-tree", at=at)
        code, made = self.git("commit-tree", "-p", "HEAD", "-m", f"By hand {self.word()}", tree, at=at)
        if code == 0 and tree:
            claim = self.random.choice(((), ("-m", "commit: By hand"), ("-m", "commit (amend): By hand")))
            self.git("update-ref", *claim, "HEAD", made, at=at)
            self.expected.setdefault(made, set()).add("unobserved" if claim else "none")

    def at_once(self, at: str) -> None:
        """Two commits in two worktrees at the same time, one of them around the gate."""
        if len(self.worktrees) < 2:
            return
        running = []
        for place, how in zip(self.random.sample(self.worktrees, 2), (("-n",), ()), strict=True):
            args = ("commit", "-q", "--allow-empty", *how, "-m", f"At once {self.word()}")
            name = self.begin_act(args, place, {})
            env = {**os.environ, **self.dates(), "DAY": name, "DAY_WITNESS": str(self.witness)}
            running.append(subprocess.Popen(["git", "-C", place, *args], env=env, stderr=subprocess.PIPE))
        for process in running:
            # What a refused commit left in the index is refused here too.
            self.refusals += process.communicate()[1].count(b"mgit-hooks: commit refused")
        self.look()

    def disarm(self, at: str) -> None:
        self.arm(False)


_ACTING = frozenset(("commit", "ci", "merge", "cherry-pick", "revert", "rebase", "am", "pull"))
_GATED: dict[str, tuple[Callable[[Any, str], None], int]] = {
    "commit -a": (GatedDay.commit_all, 12), "refused": (GatedDay.commit_refused, 8),
    "bad file": (GatedDay.commit_bad_file, 3), "aborted editor": (GatedDay.aborted_editor, 5),
    "alias": (GatedDay.alias, 4), "two amends": (GatedDay.amends_within_a_second, 8), "reword": (GatedDay.reword, 4),
    "edit": (GatedDay.edit, 4), "rebase --exec": (GatedDay.rebase_exec, 3), "rebase -r": (GatedDay.rebase_merges, 2),
    "rebase --apply": (GatedDay.rebase_by_patches, 2), "libgit2": (GatedDay.by_library, 4),
    "commit-tree": (GatedDay.by_plumbing, 3), "at once": (GatedDay.at_once, 3), "no policy": (GatedDay.disarm, 2),
}  # fmt: skip
