"""Every benchmark runs and prints its ratios. What the figures are is docs/performance.md's to say, not a test's."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

_TOP = Path(__file__).parent.parent / "benchmarks"
_SHARED = {"timing.py", "replays.py"}
_BENCHMARKS = sorted(path.name for path in _TOP.glob("*.py") if path.name not in _SHARED)
_RATIO = re.compile(r"^ratio (.+?) +([\d.,-]+) x \(([\d.,-]+) - ([\d.,-]+)\)", re.MULTILINE)
_RATIOS = {
    "backfill.py": 2,
    "check.py": 2,
    "commit.py": 6,
    "compression.py": 35,
    "diff.py": 8,
    "discovery.py": 4,
    "embedding.py": 3,
    "gate.py": 8,
    "growth.py": 13,
    "journal.py": 8,
    "lookup.py": 21,
    "many.py": 4,
    "metrics.py": 3,
    "rebase.py": 4,
    "refs.py": 36,
    "strategies.py": 41,
    "tree.py": 2,
}


def test_each_benchmark_is_known_here() -> None:
    assert set(_BENCHMARKS) == set(_RATIOS)


@pytest.mark.parametrize("name", _BENCHMARKS)
def test_runs_and_prints_its_ratios(name: str) -> None:
    beside = Path(sys.executable).parent
    if name == "commit.py" and not all(
        (beside / program).exists() or shutil.which(program) for program in ("prek", "pre-commit")
    ):
        pytest.skip("the yardsticks prek and pre-commit are not installed (pip install '.[bench]')")
    if name == "compression.py" and not all(map(shutil.which, ("gzip", "xz", "zstd"))):
        pytest.skip("the yardsticks gzip, xz and zstd are not installed")
    done = subprocess.run([sys.executable, _TOP / name, "--quick"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = _RATIO.findall(done.stdout)
    assert len(found) == _RATIOS[name], done.stdout
    for _, middle, low, high in found:
        assert float(low) <= float(middle) <= float(high)


def test_a_command_that_fails_is_no_figure() -> None:
    script = (
        "import sys; sys.path.insert(0, sys.argv[1]); import timing\n"
        "timing.run(('git', 'no-such-command'), {'PATH': '/usr/bin:/bin'})"
    )
    done = subprocess.run([sys.executable, "-c", script, _TOP], capture_output=True, text=True)
    assert done.returncode == 1
    assert "no-such-command: exit status 1" in done.stderr
    assert "is not a git command" in done.stderr
