"""A repository in which one source after the other is tried, and a table of what was tried."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

from conftest import Repo
from recording import Recording, standing

from mgit_hooks.record import COMMIT_EVENTS, Oid, Record

from .oracle import Oracle, disagreements


class Case(NamedTuple):
    """``name`` is the first cell of its row in docs/sources.md. ``needs`` is what must be there for it to run."""

    name: str
    act: Callable[[Scene], object]
    made: str
    needs: tuple[str, ...]


CASES: dict[str, Case] = {}
_DIFFERING = re.compile(r"\b[0-9a-f]{7}\b|(?<= )/\S+")  # abbreviated ids, paths


def case(name: str, made: str = "", *, needs: tuple[str, ...] = ()) -> Callable[[Callable[[Scene], object]], None]:
    """Register a case. ``made`` are the commits on record since ``begin``: ``EVENT SOURCE: SUBJECT, SUBJECT; ...``."""

    def register(act: Callable[[Scene], object]) -> None:
        assert name not in CASES
        CASES[name] = Case(name, act, made, needs)

    return register


class Scene(Recording):
    """A recorded repository with an oracle beside it, drained after each command or only at the end.

    ``begin`` ends the preparations: what is on record from there on is the case's.
    """

    def __init__(self, repo: Repo, *, every: bool, asked_for: tuple[str, ...] = ()) -> None:
        self.folder = Path(repo.path).parent
        self.first = 0
        super().__init__(repo, asked_for=asked_for)
        self.oracle = Oracle(self.location.common_dir)
        self.every = every

    def begin(self) -> None:
        self.drain()
        self.first = len(self.all())

    def drain(self) -> int:
        if hasattr(self, "oracle"):
            self.oracle.look()
        return super().drain()

    def elsewhere(self, name: str = "elsewhere", *, bare: bool = False) -> Repo:
        """A clone of this repository, without hooks, which is not recorded."""
        other = Repo(self.folder / name)
        self.repo.git("clone", "-q", *(("--bare",) if bare else ()), self.path, other.path)
        return other

    def fork(self) -> tuple[Oid, Oid]:
        """main and topic, two commits each beyond their base; main is checked out."""
        self.commit("base")
        self.git("checkout", "-q", "-b", "topic")
        self.commit("theirs")
        theirs = self.commit("theirs too")
        self.git("checkout", "-q", "main")
        return self.commit("ours"), theirs

    def clash(self) -> None:
        """main and topic, each with its own version of the file ``same``; topic has one more commit after it."""
        self.change("base", "base\n")
        self.git("checkout", "-q", "-b", "topic")
        self.change("theirs", "theirs\n")
        self.commit("theirs too")
        self.git("checkout", "-q", "main")
        self.change("ours", "ours\n")

    def change(self, message: str, content: str, name: str = "same") -> Oid:
        self.write(name, content)
        self.git("add", name)
        self.git("commit", "-q", "-m", message)
        return self.head()

    def resolve(self) -> None:
        self.write("same", "both\n")
        self.git("add", "same")

    def run(self, *command: str, check: bool = True, **env: str) -> str:
        """Another program than git, in the worktree."""
        environment = {**os.environ, **env}
        done = subprocess.run(command, cwd=self.path, capture_output=True, env=environment, stdin=subprocess.DEVNULL)
        assert done.returncode == 0 or not check, f"{command}: {done.stdout!r} {done.stderr!r}"
        self._ended()
        return os.fsdecode(done.stdout)

    def python(self, script: str, *args: str) -> None:
        """A program that uses git's objects and refs without git: libgit2, dulwich."""
        self.run(sys.executable, "-c", script, *args)

    def since(self) -> list[Record]:
        """The standing records of the case, each where the first one was that it stands in for."""
        every = self.all()
        place = {}
        for record in every:
            place[record.seq] = place.get(record.supersedes, record.seq)
        found = [record for record in standing(every) if record in every[self.first :]]
        return sorted(found, key=lambda record: place[record.seq] or 0)

    def facts(self) -> tuple[str, str, str]:
        """What a row of docs/sources.md says: events with source and time; gates; what is known of replacements."""
        found = self.since()
        words = sorted({f"{r.event} {r.source} {r.occurred_from or '-'}" for r in found})
        made = [r for r in found if r.commit is not None and r.event in COMMIT_EVENTS]
        gates = sorted({r.gate.status for r in made})
        rewritten = [r for r in made if r.event in ("amend", "rebase") or r.replaces]
        known = sorted({"no" if r.replaces is None else "yes" if r.replaces else "nothing" for r in rewritten})
        return "; ".join(words), ", ".join(gates), ", ".join(known)

    def told(self) -> str:
        """The commits since ``begin``, in the order of their records, in the form of ``Case.made``."""
        made = [r for r in self.since() if r.commit is not None and r.event in COMMIT_EVENTS]
        groups = groupby(made, lambda r: f"{r.event} {r.source}")
        return "; ".join(f"{words}: {', '.join(map(_subject, those))}" for words, those in groups)

    def disagreements(self) -> list[str]:
        self.drain()
        return disagreements(self.oracle, [record.to_json() for record in self.all()])


def _subject(record: Record) -> str:
    assert record.commit is not None
    return _DIFFERING.sub("...", record.commit.message.partition("\n")[0])


def exported(path: str) -> list[dict[str, Any]]:
    """What ``mgit-hooks export`` prints there."""
    command = [sys.executable, "-m", "mgit_hooks", "-C", path, "export"]
    return [json.loads(line) for line in subprocess.run(command, capture_output=True, check=True).stdout.splitlines()]
