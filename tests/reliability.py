"""Writes docs/reliability.md from a run of the full families: ``pytest -m full --reliability docs/reliability.md``.

A family is a test marked ``full``; its cases are what it recorded as ``cases``, or the one that it is. A case
that was skipped counts as not done. In every family a silent change, a false record and a lost one each fail
the test, so ``failed`` is the number of those.
"""

from __future__ import annotations

import platform
import subprocess
from pathlib import Path

import pytest

_TOP = Path(__file__).resolve().parents[1]


class Family:
    def __init__(self) -> None:
        self.cases = 0
        self.skipped = 0
        self.failed = 0
        self.seconds = 0.0


class Reliability:
    """Collects, in the process that the workers report to, what each family ran."""

    def __init__(self, target: Path) -> None:
        self._target = target
        self._families: dict[str, Family] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if "full" not in report.keywords or not (report.when == "call" or report.skipped or report.failed):
            return
        family = self._families.setdefault(report.nodeid.partition("[")[0], Family())
        cases = int(dict(report.user_properties).get("cases", 1))
        family.seconds += report.duration
        if report.skipped:
            family.skipped += 1
        else:
            family.cases += cases
            family.failed += report.failed

    def pytest_sessionfinish(self) -> None:
        rows = [
            f"| `{name}` | {family.cases:,} | {family.skipped} | {family.failed} | {family.seconds:.0f} s |"
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

| family | cases run | skipped | failed | time |
|---|---|---|---|---|
{rows}

A change to the journal's bytes that is not found, a record that is false and one that is lost each fail the case.
What was skipped counts as not done. The same families run in a bounded form with every `pytest`.
"""
