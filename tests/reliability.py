"""Writes docs/reliability.md from a run of the full families: ``pytest -m full --reliability docs/reliability.md``.

A family is a test marked ``full``; what it ran it counts in the fixture ``tally``, or it is one case. A case
that was skipped counts as not done. ``silent``: a change to the bytes, or a failure of the system, that nothing
told of. ``lost``: a record that was reported and is neither there nor declared as missing, or one that no damage
touched and that is gone all the same. ``false``: a record that was read and that nobody wrote. Each fails the test.

The families take more than an hour together: a run writes the rows of those that it ran, each with its commit, and
leaves the others' as they are. A family whose tests are parts of several wholes has a row for each of these: one can
be run by itself, and is not done where a part of it was not run.
"""

from __future__ import annotations

import platform
import re
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

_TOP = Path(__file__).resolve().parents[1]


class Tally:
    """What one test of a family ran. Not a ``list`` of messages alone: the run adds them up."""

    def __init__(self) -> None:
        self.cases = 0
        self.silent: list[str] = []
        self.lost: list[str] = []
        self.false: list[str] = []
        self.skipped: list[str] = []
        self.seed: int | None = None  # of its chance: the test's parameter ``seed``, where it has one
        self.whole: tuple[str, int] | None = None  # of a family in parts: what this is a part of, a row of its own

    def check(self) -> None:
        """Fail the test where anything was silent, lost or false; to be called last."""
        counts = f"{len(self.silent)} silent, {len(self.lost)} lost, {len(self.false)} false"
        assert (self.silent[:5], self.lost[:5], self.false[:5]) == ([], [], []), counts

    def properties(self) -> dict[str, Any]:
        return {
            "cases": self.cases,
            "seed": self.seed,
            "silent": len(self.silent),
            "lost": len(self.lost),
            "false": len(self.false),
            "not_done": len(self.skipped),
            "whole": self.whole,
        }


class Family:
    def __init__(self) -> None:
        self.cases = 0
        self.silent = 0
        self.lost = 0
        self.false = 0
        self.skipped = 0
        self.failed = 0
        self.seconds = 0.0
        self.seeds: set[int] = set()
        self.whole: int | None = None

    def row(self, name: str, commit: str) -> str:
        undone = self.skipped if self.whole is None else max(self.whole - self.cases, 0)
        counts = (undone, self.silent, self.lost, self.false, self.failed)
        told = " | ".join(f"{count:,}" for count in counts)
        return f"| `{name}` | {self.cases:,} | {told} | {_ranges(self.seeds)} | {self.seconds:.0f} s | {commit} |"


class Reliability:
    """Collects, in the process that the workers report to, what each family ran."""

    def __init__(self, target: Path) -> None:
        self._target = target
        self._families: dict[str, Family] = {}
        self._before: dict[str, list[pytest.TestReport]] = {}  # the reports of a test before it tells what it counted

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if "full" not in report.keywords:
            return
        reports = self._before.setdefault(report.nodeid, [])
        reports.append(report)
        if report.when == "teardown":
            self._count(report.nodeid, self._before.pop(report.nodeid))

    def _count(self, test: str, reports: list[pytest.TestReport]) -> None:
        told: dict[str, Any] = dict(reports[-1].user_properties)
        part, cases = told.get("whole") or ("", None)
        name = test.partition("[")[0] + (f" of {part}" if part else "")
        family = self._families.setdefault(name, Family())
        family.seconds += sum(report.duration for report in reports)
        family.failed += sum(report.failed for report in reports)
        family.skipped += sum(report.skipped for report in reports) + (told.get("not_done") or 0)
        # What was counted before a test failed is told too; a test that counts nothing is one case, if it passed.
        passed = all(report.passed for report in reports[:-1])
        family.cases += (told.get("cases") or 0) if "cases" in told else int(passed)
        family.silent += told.get("silent") or 0
        family.lost += told.get("lost") or 0
        family.false += told.get("false") or 0
        family.whole = cases
        seed = told.get("seed")
        family.seeds |= set() if seed is None else {seed}

    def pytest_sessionfinish(self) -> None:
        rows = _earlier(self._target)
        rows |= {name: family.row(name, _commit()) for name, family in self._families.items()}
        self._target.write_text(_PAGE.format(rows="\n".join(rows[name] for name in sorted(rows)), **_machine()))


def _earlier(page: Path) -> dict[str, str]:
    """The rows of earlier runs, of families that are still there."""
    if not page.exists():
        return {}
    found = {match[1]: match[0] for match in re.finditer(r"^\| `([^`]+)` \|.*\|$", page.read_text(), re.MULTILINE)}
    return {name: row for name, row in found.items() if row.count("|") == 11 and _is_there(name)}


def _is_there(family: str) -> bool:
    path, _, test = family.partition(" of ")[0].partition("::")
    file = _TOP / path
    return file.is_file() and f"def {test}(" in file.read_text()


def _commit() -> str:
    changed = _git("status", "--porcelain", "--untracked-files=no", "--", ":!docs/reliability.md")
    return _git("rev-parse", "--short=10", "HEAD") + (" and changes" if changed else "")


def _ranges(numbers: Iterable[int]) -> str:
    """``1, 3 to 5``; a dash where there are none."""
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(f"{run[0]}" if len(run) == 1 else f"{run[0]} to {run[-1]}" for run in runs) or "–"


def _machine() -> dict[str, str]:
    return {"python": platform.python_version(), "git": _git("version").removeprefix("git version ")}


def _git(*args: str) -> str:
    done = subprocess.run(["git", "-C", _TOP, *args], capture_output=True, text=True)
    return done.stdout.strip() if not done.returncode else "unknown"


_PAGE = """# Reliability

The last full run of each of the slow test families, written by the run itself. All of them, or one:

```sh
pytest -m full --reliability docs/reliability.md
pytest -m full --reliability docs/reliability.md tests/power
```

Python {python}, git {git}.

| family | cases run | skipped | silent | lost | false | failed | seeds | time | commit |
|---|---|---|---|---|---|---|---|---|---|
{rows}

*Silent*: a change to the bytes, or a failure of the system, that nothing told of. *Lost*: a record that was reported
and is neither there nor declared as missing, or that is gone though nothing touched it. *False*: a record that was
read and that nobody wrote. *Failed*: tests that did not pass, for these reasons or any other. What was skipped counts
as not done, and so do the parts that were not run of a family in parts (*of* something). *Seeds*: what a family's
chance begins with; one without any leaves nothing to chance. The time is that of its tests one after the other. The
same families run in a bounded form with every `pytest`, and each has a planted bug that it must catch.
"""
