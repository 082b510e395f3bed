"""Where the journal's tests write much."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def fast(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder in memory where there is one: damaged journals are written by the ten thousand."""
    parent = Path("/dev/shm") if os.path.isdir("/dev/shm") else tmp_path_factory.getbasetemp()
    made = parent / f"mgit-hooks-test-{os.getpid()}-{tmp_path_factory.mktemp('fast').name}"
    made.mkdir()
    yield made
    shutil.rmtree(made)
