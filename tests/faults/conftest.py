"""The bench, in memory where there is a file system in memory: a case is a copy of a folder."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from faults import harness


@cache
def may_trace() -> bool:
    """Whether strace is there and may attach itself to a process of ours."""
    if sys.platform != "linux" or not shutil.which("strace"):
        return False
    return subprocess.run(["strace", "-o", os.devnull, "true"], capture_output=True).returncode == 0


@pytest.fixture
def base(tmp_path: Path) -> Iterator[Path]:
    folder = "/dev/shm" if os.access("/dev/shm", os.W_OK) else tmp_path
    made = Path(tempfile.mkdtemp(prefix="mgit-hooks-faults-", dir=folder))
    yield made
    shutil.rmtree(made)


@pytest.fixture
def bench(base: Path) -> Iterator[harness.Bench]:
    with harness.bench(base) as made:
        yield made


@pytest.fixture
def traced(bench: harness.Bench) -> harness.Bench:
    if not may_trace():
        pytest.skip("strace is not here, or may not trace")
    return bench
