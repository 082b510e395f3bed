"""Running an operation of power.acts, recorded."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from power.disk import Disk
from power.trace import Recording, content, record

_TESTS = Path(__file__).resolve().parents[1]
MODES = pytest.mark.parametrize("strict", [False, True], ids=["ordered", "strict"])


def act(name: str, root: Path, log: Path, *arguments: str) -> Recording:
    """What ``power.acts`` does to the files under ``root``, checked against what it left there."""
    command = [sys.executable, "-m", "power.acts", name, *arguments]
    made = record(str(root), command, log, {"PYTHONPATH": str(_TESTS)})
    disk = Disk(made, strict=True)
    for op in made.ops:
        disk.take(op)
    now = {path: found.data if found else None for path, found in disk.now().items()}
    there = content(str(root))
    assert {path: data for path, data in now.items() if not path.endswith("-shm")} == {
        path: data for path, data in there.items() if not path.endswith("-shm")
    }
    return made
