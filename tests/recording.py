"""A repository that is recorded, and what must hold of its journal whatever was done in it."""

from __future__ import annotations

import os
import time
from collections import Counter
from pathlib import Path
from typing import Any

from mgit_hooks.git import reflog
from mgit_hooks.installer.install import install
from mgit_hooks.journal import identity, reader
from mgit_hooks.journal.cursor import Cursor
from mgit_hooks.journal.verify import verify
from mgit_hooks.layout import Location, locate
from mgit_hooks.record import COMMIT_EVENTS, Oid, Record
from mgit_hooks.recorder import spool
from mgit_hooks.recorder.drain import drain


class Recording:
    """Runs git with our stubs in place. ``every``: drain after each command, else only when asked.

    The stubs start no drain of their own: what is drained when is the test's to say.
    """

    def __init__(self, repo: Any, *, every: bool = False, asked_for: tuple[str, ...] = ()) -> None:
        self.repo = repo
        self.asked_for = asked_for
        self.path: str = repo.path
        self.every = every
        boot = Path(repo.path).parent / "boot.py"
        boot.touch()
        self.boot = str(boot)
        self.install(repo.path)
        self.drain()

    def install(self, path: str) -> None:
        install(locate(path), python="/bin/true", boot=self.boot, asked_for=self.asked_for)

    @property
    def location(self) -> Location:
        return locate(self.path)

    def git(self, *args: str, stdin: bytes | None = None, **env: str) -> str:
        out: str = self.repo.git(*args, stdin=stdin, **env)
        self._ended()
        return out

    def fails(self, *args: str, **env: str) -> str:
        done = self.repo.run(*args, check=False, **env)
        assert done.returncode != 0, f"git {' '.join(args)} was to fail"
        self._ended()
        return os.fsdecode(done.stdout + done.stderr)

    def _ended(self) -> None:
        if self.every:
            self.drain()

    def write(self, path: str, content: str | bytes = "") -> None:
        self.repo.write(path, content)

    def commit(self, message: str, *options: str, **env: str) -> Oid:
        """A commit of a file of its own, named after the message."""
        name = message.replace(" ", "-")
        if not options:
            self.write(name, f"{message}\n")
            self.git("add", name)
        self.git("commit", "-q", "-m", message, *options, **env)
        return self.head()

    def head(self, what: str = "HEAD") -> Oid:
        return Oid(self.repo.git("rev-parse", what))

    def drain(self) -> int:
        done = drain(self.location, wait=60.0)
        assert not done.busy
        return done.records

    def all(self) -> list[Record]:
        self.drain()
        return records(self.location.journal_dir)

    def records(self, *events: str) -> list[Record]:
        """The records that none supersedes, of these events or of all, oldest first."""
        return [record for record in standing(self.all()) if not events or record.event in events]

    def made(self) -> list[str]:
        """``EVENT SUBJECT`` of each commit on record, oldest first, imports included."""
        return [
            f"{record.event} {record.commit.message.partition(chr(10))[0]}"
            for record in self.records()
            if record.commit is not None
        ]

    def of(self, oid: str) -> Record:
        """The one record of a commit."""
        found = [record for record in self.records() if record.commit is not None and record.commit.hash == oid]
        assert len(found) == 1, f"{oid} has {len(found)} records"
        return found[0]

    def pushes(self) -> list[Record]:
        return self.records("push")

    def refs(self, *events: str) -> list[tuple[str, str | None, str | None]]:
        """(ref, old, new) of every movement in records of these events (default: those without a commit)."""
        chosen = events or ("ref-update", "checkout", "push-outcome")
        return [(m.name, m.old_oid, m.new_oid) for record in self.records(*chosen) for m in record.refs or ()]

    def check(self) -> None:
        """What must hold at any time: see ``faults``."""
        self.drain()
        found = faults(self.location)
        assert found == [], "\n".join(found)


def records(journal_dir: str) -> list[Record]:
    found = []
    for block in reader.blocks(journal_dir):
        assert isinstance(block, reader.Block), block
        for stored in block.stored():
            record = stored.record()
            assert record is not None
            found.append(record)
    return found


def standing(found: list[Record]) -> list[Record]:
    superseded = {record.supersedes for record in found}
    return [record for record in found if record.seq not in superseded]


def named(common_dir: str, git: Any) -> set[str]:
    """Every commit that a reflog or a ref of any worktree names and git has."""
    oids = {line.split()[0] for line in git("for-each-ref", "--format=%(objectname)").splitlines()}
    for log in reflog.every(common_dir):
        for entry in log.read(None)[0]:
            oids |= {oid for oid in (entry.old_oid, entry.new_oid) if oid}
    typed = git("cat-file", "--batch-check", stdin="".join(f"{oid}^{{commit}}\n" for oid in sorted(oids)).encode())
    return {line.split()[0] for line in typed.splitlines() if line.endswith("commit") or " commit " in line}


def faults(location: Location) -> list[str]:
    """What is wrong with the journal after a drain: doubled commits or movements, damage, leftovers, broken chains."""
    every = records(location.journal_dir)
    found = standing(every)
    wrong = []
    made = Counter(r.commit.hash for r in found if r.commit is not None and r.event in COMMIT_EVENTS)
    wrong += [f"{oid} has {count} records" for oid, count in made.items() if count != 1]
    moved = Counter(
        (r.worktree if m.name == "HEAD" else "", *m, r.occurred_at)
        for r in found
        if r.occurred_from == "reflog"
        for m in r.refs or ()
    )
    wrong += [f"{movement} is told {count} times" for movement, count in moved.items() if count != 1]
    wrong += broken_chains(every)
    report = verify(location.journal_dir)
    if not report.is_clean or report.torn_tail:
        wrong.append(f"verify: {report}")
    head = identity.read_head(location.journal_dir)
    if waiting := spool.waiting(location.spool_dir, Cursor(*head.cursor) if head and head.cursor else None):
        wrong.append(f"{waiting} lines wait in the spool")
    return wrong


def broken_chains(every: list[Record]) -> list[str]:
    """Movements of a ref that do not begin where the one before it ended.

    A record that stands in for another repeats its movements: those of the first one count. A HEAD may come
    out of nothing: git logs it so for a new root, and where its branch is renamed.
    """
    wrong = []
    found = [record for record in every if record.supersedes is None]
    last: dict[tuple[str | None, str], str | None] = {}
    for record in found:
        if record.event == "snapshot" and record.original is None and record.detail is not None:
            last |= {("", name): oid for name, oid in record.detail["refs"].items()}
        for movement in record.refs or ():
            key = (record.worktree if movement.name == "HEAD" else "", movement.name)
            reborn = movement.name == "HEAD" and movement.old_oid is None
            if key in last and last[key] != movement.old_oid and not reborn:
                wrong.append(f"record {record.seq}: {movement.name} was at {last[key]}, not {movement.old_oid}")
            last[key] = movement.new_oid
    return wrong


def wait_until(condition: Any, seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.02)
