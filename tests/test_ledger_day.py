"""Random days under a gate: no commit is accused that its gate let through, and none that went round it is missed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from random import Random

import pytest
from gatedday import GatedDay
from recording import records, standing
from reliability import Tally

from mgit_hooks.installer.install import install
from mgit_hooks.layout import Location, locate
from mgit_hooks.recorder import ledger
from mgit_hooks.recorder.drain import drain

ACCUSING = ("bypassed", "refused", "unobserved")


class Judge:
    """Runs a day, drains at random, and compares what is on record with what the day knows."""

    def __init__(self, seed: int, folder: Path) -> None:
        self.day = GatedDay(seed, folder)
        self.chance = Random(-seed - 1)
        install(locate(self.day.path))
        self.location: Location = locate(self.day.path)
        # The stubs see a drain that runs: what is drained when is for this test to say.
        self.mark = Path(self.location.mgit_dir, "draining")
        self.drain()
        self.day.before_policy = self.drain
        self.day.begin()
        self.day.arm(True)

    def drain(self) -> None:
        drain(self.location, wait=60.0)
        self.mark.write_text(str(os.getpid()))

    def killed_drain(self) -> None:
        self.mark.unlink()
        command = [sys.executable, "-m", "mgit_hooks", "-C", self.day.path, "drain", "-q"]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(self.chance.uniform(0.1, 0.8))
        process.send_signal(signal.SIGKILL)
        process.wait()
        self.mark.write_text(str(os.getpid()))

    def work(self, operations: int) -> None:
        for _ in range(operations):
            self.day.step()
            chance = self.chance.random()
            if chance < 0.06:
                self.drain()
            elif chance < 0.065:
                self.killed_drain()
        self.drain()

    def compare(self, tally: Tally) -> None:
        every = records(self.location.journal_dir)
        told = {record.commit.hash: record for record in standing(every) if record.commit is not None}
        for oid, record in told.items():
            status, true = record.gate.status, self.day.expected.get(oid, {"none"})
            if status not in true:
                subject = record.commit.message.partition("\n")[0]
                what = f"{oid} {record.event} {subject!r}: {status} ({record.gate.reason}), not {true}"
                (tally.false if status in ACCUSING else tally.lost).append(what)
        tally.lost += [f"{oid} is not on record" for oid in self.day.expected.keys() - told.keys()]
        refused = sum(record.event == "refused" for record in every)
        if refused != self.day.refusals:
            tally.lost.append(f"{refused} refusals are on record, not {self.day.refusals}")


def run(seed: int, operations: int, folder: Path, tally: Tally) -> Judge:
    judge = Judge(seed, folder)
    judge.work(operations)
    judge.compare(tally)
    tally.cases += operations
    return judge


def test_a_day_under_a_gate(tmp_path: Path) -> None:
    tally = Tally()
    judge = run(0, 60, tmp_path, tally)
    tally.check()
    states = set().union(*judge.day.expected.values())
    assert {"passed", "bypassed", "unobserved", "none"} <= states


@pytest.mark.full
@pytest.mark.parametrize("seed", range(1, 26))
def test_more_days_under_a_gate(seed: int, tmp_path: Path, tally: Tally) -> None:
    run(seed, 420, tmp_path, tally)
    tally.check()


def test_verdicts_matched_by_their_tree_alone_are_caught(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The planted bug: whoever judged this tree, in whatever process, has judged this commit."""

    def by_tree(self, commit, *more):  # type: ignore[no-untyped-def]
        for said in self._said:
            found = ledger.verdict_of(said)
            if found.tree == commit.tree:
                return ledger.Gate(found.status, found.reason)
        return honest(self, commit, *more)

    honest, taken = ledger.Ledger.commit, ledger.Ledger.__init__

    def noting(self, lines):  # type: ignore[no-untyped-def]
        self._said = [said for said in lines if said.hook == "gate"]
        taken(self, lines)

    monkeypatch.setattr(ledger.Ledger, "__init__", noting)
    monkeypatch.setattr(ledger.Ledger, "commit", by_tree)
    tally = Tally()
    run(0, 40, tmp_path, tally)
    assert tally.lost
