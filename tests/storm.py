"""Everything at once: git and every command of ours, side by side, killed at random; and what must hold afterwards."""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from conftest import Repo
from recording import named

from mgit_hooks.errors import MgitError
from mgit_hooks.journal import bundle, reader
from mgit_hooks.journal.reader import Stored
from mgit_hooks.journal.verify import verify
from mgit_hooks.layout import Location, locate
from mgit_hooks.lock import exclusive
from mgit_hooks.record import COMMIT_EVENTS

_WORKTREES = 2
# Longer than any wait for a lock: who is still there then waits for ever.
_PATIENCE = 150.0
_CODES = {0, 1, 2, 128, 141, -signal.SIGKILL}
# What may lie in .git/mgit when nothing is at work. What a kill leaves beside it, the next one of its kind clears.
_LASTING = re.compile(
    r"journal/(\d{8}\.seg|identity|head|lock|beginning)|spool/.*|inputs?/.*|gate/.*|quarantine/.*\.bin"
    r"|checkpoints/journal-\d+-\w+\.\w+\.mgit|(index|looked)\.sqlite|state\.json|held\.json|held|compact\.json|install\.json"
    r"|journal\.erased|logs/.*|[\w.-]+\.log(\.\d)?|(drain|maintenance|index|install)\.lock|baseline"
    r"|metrics/(now(\.\d+)?|lock|metrics\.sqlite)"
)
# What `verify` must never say. That no anchor could be checked it may: all anchored records can be in archives.
_SPOILT = re.compile(r"damaged:|missing:|broken|put back|rewritten|went on without|another journal|this is no anchor")
_PASSING = re.compile(
    r"draining|starting|.*\.new(/.*)?|.*\.unpacked(/.*)?|.*\.tmp(/.*)?|(index|looked)\.sqlite-journal|journal\.erasing"
)


class Storm:
    """One repository with two worktrees and a remote, hooks and their background drains as users have them."""

    def __init__(self, folder: Path, seed: int, kills: float) -> None:
        self.random = random.Random(seed)
        self.kills = kills
        self.folder = folder
        self.repo = Repo(folder / "repo")
        self.faults: list[str] = []
        self.cases = 0
        self.killed = 0
        self.done = Counter[str]()
        self.secrets: set[str] = set()
        self._number = 0
        for each in ("away", "bundles"):
            (folder / each).mkdir(parents=True)
        subprocess.run(["git", "init", "-q", "-b", "main", self.repo.path], check=True)
        subprocess.run(["git", "init", "-q", "--bare", str(folder / "remote.git")], check=True)
        self.repo.git("config", "gc.auto", "0")
        self.repo.git("remote", "add", "origin", str(folder / "remote.git"))
        for number in range(12):
            self.repo.git("commit", "-q", "--allow-empty", "-m", f"before {number}")
        self.trees = [self.repo.path]
        for number in range(1, _WORKTREES):
            self.trees.append(str(folder / f"tree{number}"))
            self.repo.git("worktree", "add", "-q", "-b", f"w{number}-0", self.trees[-1])
        self.repo.git("checkout", "-q", "-b", "w0-0")
        self.must("init")

    @property
    def location(self) -> Location:
        return locate(self.repo.path)

    def must(self, *words: str) -> str:
        code, out = self.mgit(*words, kills=0.0)
        if code:
            self.faults.append(f"mgit-hooks {' '.join(words)}: {code}: {out}")
        return out

    def mgit(self, *words: str, kills: float | None = None, given: str = "") -> tuple[int, str]:
        command = [sys.executable, "-m", "mgit_hooks", "-C", self.random.choice(self.trees), "--no-pager", *words]
        code, out, err = self._run(command, self.kills if kills is None else kills, given)
        self.done[f"{words[0]} {code}"] += 1
        return code, out + err

    def _run(self, command: list[str], kills: float, given: str = "") -> tuple[int, str, str]:
        self.cases += 1
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, errors="replace"
        )
        assert process.stdin is not None
        process.stdin.write(given)
        process.stdin.close()
        process.stdin = None
        if self.random.random() < kills:
            try:
                # Most of a command's time is its start: later rather than sooner.
                out, err = process.communicate(timeout=self.random.uniform(0.1, 1.2))
            except subprocess.TimeoutExpired:
                process.kill()
                self.killed += 1
                out, err = process.communicate()
        else:
            try:
                out, err = process.communicate(timeout=_PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                out, err = process.communicate()
                self.faults.append(f"{command} has not ended after {_PATIENCE:.0f} s")
        if process.returncode not in _CODES or "Traceback" in err or "internal error" in err:
            self.faults.append(f"{' '.join(command[1:])}: {process.returncode}: {err}")
        return process.returncode, out, err

    # What is done

    def rage(self, seconds: float, commanders: int = 3) -> None:
        until = time.monotonic() + seconds
        threads = [threading.Thread(target=self._git, args=(until, number)) for number in range(_WORKTREES)]
        threads += [threading.Thread(target=self._command, args=(until,)) for _ in range(commanders)]
        if self.kills:
            threads.append(threading.Thread(target=self._kill_drains, args=(until,)))
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _git(self, until: float, number: int) -> None:
        branch = self.repo.git("-C", self.trees[number], "branch", "--show-current")
        while time.monotonic() < until:
            self._number += 1
            count = self._number
            secret = f"{self.random.getrandbits(64):016x}q"
            what = self.random.choice(("commit", "commit", "commit", "amend", "branch", "push", "delete"))
            words: tuple[tuple[str, ...], ...] = {
                "commit": (("commit", "-q", "--allow-empty", "-m", f"secret {secret} of {number}"),),
                "amend": (("commit", "-q", "--amend", "--allow-empty", "-m", f"amended {secret}"),),
                "branch": (("checkout", "-q", "-b", f"w{number}-{count}"),),
                "push": (("push", "-q", "--force", "origin", branch),),
                "delete": (("branch", "-q", f"gone{number}-{count}"), ("branch", "-q", "-D", f"gone{number}-{count}")),
            }[what]
            if what == "branch":
                branch = f"w{number}-{count}"
            for each in words:
                code, _, err = self._run(["git", "-C", self.trees[number], *each], 0.0)
                if code:
                    self.faults.append(f"git {' '.join(each)}: {code}: {err}")
            time.sleep(self.random.uniform(0, 0.2))

    def _command(self, until: float) -> None:
        doings: list[Callable[[], object]] = [getattr(self, name) for name in dir(self) if name.startswith("do_")]
        while time.monotonic() < until:
            self.random.choice(doings)()

    def _kill_drains(self, until: float) -> None:
        """Those that hooks have started: whoever holds the mark."""
        mark = Path(self.location.mgit_dir, "draining")
        while time.monotonic() < until:
            time.sleep(self.random.uniform(0.2, 2.0))
            try:
                pid = int(mark.read_text())
                if b"mgit" in Path(f"/proc/{pid}/cmdline").read_bytes():
                    os.kill(pid, signal.SIGKILL)
                    self.killed += 1
            except (OSError, ValueError):
                continue

    def do_compact(self) -> None:
        self.mgit("compact")

    def do_compact_all(self) -> None:
        self.mgit("compact", "--all")

    def do_checkpoint(self) -> None:
        self.mgit("checkpoint", "--keep", "2")

    def do_archive(self) -> None:
        if self.random.random() < 0.4:
            self.mgit("archive", str(self.folder / "away"), "--keep-size", self.random.choice(("5k", "20k")))

    def do_export(self) -> None:
        self.mgit("export")

    def do_bundle(self) -> None:
        self._number += 1
        path = str(self.folder / "bundles" / f"{self._number}-{self.random.getrandbits(40):x}.mgit")
        code, told = self.mgit("export", "--bundle", "-o", path)
        if code not in (0, -signal.SIGKILL) and "lost its end" in told:
            self.faults.append(f"export --bundle: {told}")

    def do_verify(self) -> None:
        code, told = self.mgit("verify", *self.random.choice(((), ("--anchor",))))
        if code == 1 and _SPOILT.search(told):
            self.faults.append(f"verify while others are at work: {told}")

    def do_log(self) -> None:
        self.mgit("log", "-n", "20")

    def do_log_path(self) -> None:
        self.mgit("log", "--since", "yesterday", "-n", "5")

    def do_show(self) -> None:
        self.mgit("show", self.random.choice(("HEAD", "1", "7")))

    def do_repair(self) -> None:
        self.mgit("repair", *self.random.choice(((), ("--records",), ("--dry-run",))))

    def do_erase(self) -> None:
        code, told = self.mgit("log", "-n", "30", "--json", kills=0.0)
        found = re.findall(r"secret ([0-9a-f]{16}q)", told) if code == 0 else []
        if len(found) > 4:
            # Not of the newest: git may still be at work on that commit, and bring its message once more.
            secret = self.random.choice(found[4:])
            code, _ = self.mgit("erase", "--containing", "--reason", "a test", "--by", "a test", given=secret)
            if code == 0:
                self.secrets.add(secret)

    def do_anchor(self) -> None:
        self.mgit("anchor", *self.random.choice(((), ("--file", str(self.folder / "anchors")))))

    def do_drain(self) -> None:
        self.mgit("drain")

    def do_backfill(self) -> None:
        self.mgit("backfill")

    def do_list(self) -> None:
        self.mgit(self.random.choice(("status", "doctor")))
        self.mgit("checkpoint", "--list")

    # What must hold

    def settle(self) -> None:
        """Wait until nobody is at work, and mend what kills have left."""
        mgit_dir = self.location.mgit_dir
        for name in ("drain.lock", "maintenance.lock", "journal/lock"):
            with exclusive(os.path.join(mgit_dir, name), wait=60.0) as held:
                if not held:
                    self.faults.append(f"{name} is held, and nobody is at work")
        self.must("drain")
        self.must("repair")
        self.must("backfill")
        self.must("anchor")
        self.must("anchor", "--file", str(self.folder / "anchors"))
        self.must("verify")
        self.must("verify", "--anchor", "--anchor", str(self.folder / "anchors"))
        self.faults += self._wrong()

    def _wrong(self) -> Iterator[str]:
        location = self.location
        report = verify(location.journal_dir)
        if report.mended:
            yield f"kills have cost records: {report.mended}"
        yield from self._bundles()
        every = {stored.seq: stored for stored in self._archived()}
        for stored in reader.records(location.journal_dir):
            if stored.seq in every and every[stored.seq].id != stored.id:
                yield f"there are two of record {stored.seq}"
            every[stored.seq] = stored
        if sorted(every) != list(range(1, report.head_seq + 1)):
            yield f"missing: {sorted(set(range(1, report.head_seq + 1)) - set(every))[:9]}"
        yield from self._commits(every)
        yield from self._traces(every)
        yield from self._leftovers()

    def _commits(self, every: dict[int, Stored]) -> Iterator[str]:
        found = [record for stored in every.values() if stored.payload and (record := stored.record())]
        erased = [each for r in found if r.event == "erase" for each in (r.detail or {})["erased"]]
        gone = {each["commit"] for each in erased}
        superseded = {record.supersedes for record in found}
        told = dict.fromkeys(named(self.location.common_dir, self.repo.git), "")
        for anchor in self.repo.git("rev-list", "refs/mgit/anchor").split():
            told.pop(anchor, None)
        made = Counter[str]()
        for record in found:
            if record.commit is not None and record.event in COMMIT_EVENTS and record.seq not in superseded:
                made[record.commit.hash] += 1
                told[record.commit.hash] = record.commit.message
        for oid, message in told.items():
            if made[oid] != 1 and not (made[oid] == 0 and oid in gone):
                yield f"{oid} has {made[oid]} records"
            if made[oid] and self.repo.git("log", "-1", "--format=%B", oid).strip() != message.strip():
                yield f"{oid} is said to say {message!r}"
            if made[oid] and oid in gone and not self._is_archived(oid):
                yield f"{oid} was erased and is on record again"

    def _archived(self) -> Iterator[Stored]:
        for path in sorted((self.folder / "away").glob("*.mgit")):
            with TemporaryDirectory() as scratch, bundle.unpacked(str(path), f"{scratch}/x") as (_, _, directory):
                yield from reader.records(directory)

    def _is_archived(self, oid: str) -> bool:
        """Whether an archive holds a record of it from before the erasure: that is out of the tool's reach."""
        return any(oid.encode() in (stored.payload or b"") for stored in self._archived())

    def _bundles(self) -> Iterator[str]:
        checkpoints = Path(self.location.mgit_dir, "checkpoints")
        paths = [*self.folder.glob("away/*.mgit"), *self.folder.glob("bundles/*.mgit"), *checkpoints.glob("*.mgit")]
        for path in paths:
            with TemporaryDirectory() as scratch:
                try:
                    bundle.check(str(path), f"{scratch}/x")
                except MgitError as error:
                    yield f"{path.name}: {error.message}"

    def _traces(self, every: dict[int, Stored]) -> Iterator[str]:
        """No secret that was erased stands anywhere in our folder, packed or plain."""
        mgit_dir = Path(self.location.mgit_dir)
        sought = {secret.encode() for secret in self.secrets}
        places: list[tuple[str, bytes]] = []
        for path in mgit_dir.rglob("*"):
            if path.is_file():
                places.append((str(path.relative_to(mgit_dir)), path.read_bytes()))
        for stored in reader.records(self.location.journal_dir):
            places.append((f"record {stored.seq}", stored.payload or b""))
        for path in mgit_dir.glob("checkpoints/*.mgit"):
            with TemporaryDirectory() as scratch, bundle.unpacked(str(path), f"{scratch}/x") as (_, _, directory):
                places += [(f"{path.name}, {s.seq}", s.payload or b"") for s in reader.records(directory)]
        for name, data in places:
            for secret in sought:
                if secret in data:
                    yield f"{secret.decode()} was erased and stands in {name}"

    def _leftovers(self) -> Iterator[str]:
        mgit_dir = Path(self.location.mgit_dir)
        for path in mgit_dir.rglob("*"):
            name = str(path.relative_to(mgit_dir))
            if path.is_file() and not _LASTING.fullmatch(name):
                yield f"left over: {name}"
        for path in (self.folder / "away").iterdir():
            if not path.name.endswith(".mgit") and not self.kills:
                yield f"left over: away/{path.name}"
