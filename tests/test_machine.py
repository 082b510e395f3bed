"""What the machine grants: the least of what processors, free memory and each control group say."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mgit_hooks.machine import Machine, machine

GIB = 1 << 30
CPUS = len(os.sched_getaffinity(0))


def laid_out(root: Path, files: dict[str, str]) -> Machine:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return machine(groups=str(root / "groups"), proc=str(root / "proc"))


FREE = {"proc/meminfo": f"MemTotal: {9 * GIB // 1024} kB\nMemAvailable: {4 * GIB // 1024} kB\n"}
SECOND = {**FREE, "proc/self/cgroup": "0::/user/mine\n"}
FIRST = {**FREE, "proc/self/cgroup": "4:memory:/jail\n1:cpu,cpuacct:/jail\n0::/\n"}


@pytest.mark.parametrize(
    ("files", "processors", "memory"),
    [
        (FREE, CPUS, 4 * GIB),
        ({**SECOND, "groups/user/mine/memory.max": "max\n", "groups/user/mine/memory.current": "5\n"}, CPUS, 4 * GIB),
        (
            {**SECOND, "groups/user/mine/memory.max": str(3 * GIB), "groups/user/mine/memory.current": str(GIB)},
            CPUS,
            2 * GIB,
        ),
        # A group above ours grants less than ours.
        ({**SECOND, "groups/user/memory.max": str(GIB), "groups/user/memory.current": "0"}, CPUS, GIB),
        ({**SECOND, "groups/user/memory.max": "5", "groups/user/memory.current": "9"}, CPUS, 0),
        ({**SECOND, "groups/user/mine/cpu.max": "100000 100000\n"}, 1, 4 * GIB),
        ({**SECOND, "groups/user/mine/cpu.max": "50000 100000\n"}, 1, 4 * GIB),
        ({**SECOND, "groups/user/mine/cpu.max": "max 100000\n"}, CPUS, 4 * GIB),
        ({**SECOND, "groups/user/mine/cpu.max": "900000000 100000\n"}, CPUS, 4 * GIB),
        (
            {**FIRST, "groups/memory/jail/memory.limit_in_bytes": str(GIB),
             "groups/memory/jail/memory.usage_in_bytes": "0"},
            CPUS,
            GIB,
        ),
        (
            {**FIRST, "groups/memory/jail/memory.limit_in_bytes": "9223372036854771712",
             "groups/memory/jail/memory.usage_in_bytes": "0"},
            CPUS,
            4 * GIB,
        ),
        ({"proc/self/cgroup": "0::/\n"}, CPUS, None),
    ],
)  # fmt: skip
def test_the_least_of_what_is_granted(
    files: dict[str, str], processors: int, memory: int | None, tmp_path: Path
) -> None:
    assert laid_out(tmp_path, files) == Machine(processors, memory)


def test_the_quota_of_the_first_version(tmp_path: Path) -> None:
    for controllers in ("cpu", "cpuacct"):
        folder = tmp_path / controllers / "groups" / controllers / "jail"
        folder.mkdir(parents=True)
        (folder / "cpu.cfs_quota_us").write_text("100000\n")
        (folder / "cpu.cfs_period_us").write_text("100000\n")
    proc = {"proc/self/cgroup": "1:cpu:/jail\n"}
    assert laid_out(tmp_path / "cpu", proc).processors == 1
    assert laid_out(tmp_path / "cpuacct", proc).processors == CPUS  # its group bears on nothing


def test_this_machine() -> None:
    found = machine()
    assert 1 <= found.processors <= CPUS
    assert found.memory is not None
    assert found.memory > 1 << 20
