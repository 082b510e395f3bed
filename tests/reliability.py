"""Writes docs/reliability.md from a run of the full families: ``pytest -m full --reliability docs/reliability.md``.

A family is a test marked ``full``; what it ran it counts in the fixture ``tally``, or it is one case. A case
that was skipped counts as not done. ``silent``: a change to the bytes, or a failure of the system, that nothing
told of. ``lost``: a record that was reported and is neither there nor declared as missing, or one that no damage
touched and that is gone all the same. Either fails the test; so does a record that is false.
"""

from __future__ import annotations

import platform
import subprocess
from pathlib import Path

import pytest

_TOP = Path(__file__).resolve().parents[1]


class Tally:
    """What one test of a family ran. Not a ``list`` of messages alone: the run adds them up."""

    def __init__(self) -> None:
        self.cases = 0
        self.silent: list[str] = []
        self.lost: list[str] = []
        self.skipped: list[str] = []

    def check(self) -> None:
        """Fail the test where anything was silent or lost; to be called last."""
        assert (self.silent[:5], self.lost[:5]) == ([], []), f"{len(self.silent)} silent, {len(self.lost)} lost"

    def properties(self) -> dict[str, int]:
        return {
            "cases": self.cases,
            "silent": len(self.silent),
            "lost": len(self.lost),
            "not_done": len(self.skipped),
        }


class Family:
    def __init__(self) -> None:
        self.cases = 0
        self.silent = 0
        self.lost = 0
        self.skipped = 0
        self.failed = 0
        self.seconds = 0.0


class Reliability:
    """Collects, in the process that the workers report to, what each family ran."""

    def __init__(self, target: Path) -> None:
        self._target = target
        self._families: dict[str, Family] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if "full" not in report.keywords:
            return
        family = self._families.setdefault(report.nodeid.partition("[")[0], Family())
        family.seconds += report.duration
        if report.skipped:
            family.skipped += 1
        elif report.failed:
            family.failed += 1
        elif report.when == "teardown":
            told: dict[str, int] = dict(report.user_properties)  # type: ignore[arg-type]
            family.cases += told.get("cases") or 1
            family.silent += told.get("silent", 0)
            family.lost += told.get("lost", 0)
            family.skipped += told.get("not_done", 0)

    def pytest_sessionfinish(self) -> None:
        rows = [
            f"| `{name}` | {family.cases:,} | {family.skipped} | {family.silent} | {family.lost} | {family.failed} |"
            f" {family.seconds:.0f} s |"
            for name, family in sorted(self._families.items())
        ]
        self._target.write_text(_PAGE.format(rows="\n".join(rows), commit=_git("rev-parse", "HEAD"), **_machine()))


def _machine() -> dict[str, str]:
    dirty = " and changes that are not committed" if _git("status", "--porcelain", "--untracked-files=no") else ""
    return {"python": platform.python_version(), "git": _git("version").removeprefix("git version "), "dirty": dirty}


def _git(*args: str) -> str:
    return subprocess.run(["git", "-C", _TOP, *args], capture_output=True, text=True, check=True).stdout.strip()


_PAGE = """# Reliability

The last full run of the slow test families, written by the run itself:

```sh
pytest -m full --reliability docs/reliability.md
```

Commit `{commit}`{dirty}, Python {python}, git {git}. Seeds are the parameters of each family, from 0 on.

| family | cases run | skipped | silent | lost | failed | time |
|---|---|---|---|---|---|---|
{rows}

*Silent*: a change to the bytes, or a failure of the system, that nothing told of. *Lost*: a record that was reported
and is neither there nor declared as missing, or that is gone though nothing touched it. *Failed*: tests that did
not pass, for these reasons or any other. What was skipped counts as not done. The same families run in a bounded
form with every `pytest`, and each has a planted bug that it must catch.
"""
