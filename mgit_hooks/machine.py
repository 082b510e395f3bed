"""What this process may take of the machine: processors and memory, as the system and its control groups grant them."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from typing import NamedTuple

_GROUPS = "/sys/fs/cgroup"
_NO_LIMIT = 1 << 60  # version 1 of control groups says "none" by a number near the largest


class Machine(NamedTuple):
    """``processors`` that this process may run on at once; ``memory``, bytes that it may still take, None: unknown."""

    processors: int
    memory: int | None


def machine(*, groups: str = _GROUPS, proc: str = "/proc") -> Machine:
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quotas = [int(quota) for quota in _quotas(groups, proc) if quota >= 1]
    return Machine(min(usable, *quotas) if quotas else usable, _memory(groups, proc))


def _quotas(groups: str, proc: str) -> Iterator[float]:
    """Processors' worth of time that each control group above us grants; one that grants less than one gives one."""
    for folder in _folders(groups, proc, "cpu"):
        words = _words(os.path.join(folder, "cpu.max")) or [
            *_words(os.path.join(folder, "cpu.cfs_quota_us")),
            *_words(os.path.join(folder, "cpu.cfs_period_us")),
        ]
        if len(words) == 2 and all(word.isdecimal() for word in words) and int(words[1]):
            yield max(1.0, int(words[0]) / int(words[1]))


def _memory(groups: str, proc: str) -> int | None:
    left = [each for each in (_free(proc), *_left(groups, proc)) if each is not None]
    return max(min(left), 0) if left else None


def _free(proc: str) -> int | None:
    """What the system can give without swapping; all that there is where it does not say."""
    for line in _lines(os.path.join(proc, "meminfo")):
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    if sys.platform == "win32" or proc != "/proc":
        return None
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):
        return None


def _left(groups: str, proc: str) -> Iterator[int]:
    for folder in _folders(groups, proc, "memory"):
        for most, now in (("memory.max", "memory.current"), ("memory.limit_in_bytes", "memory.usage_in_bytes")):
            limit, used = (_words(os.path.join(folder, name)) for name in (most, now))
            if limit and used and limit[0].isdecimal() and used[0].isdecimal() and int(limit[0]) < _NO_LIMIT:
                yield int(limit[0]) - int(used[0])


def _folders(groups: str, proc: str, controller: str) -> Iterator[str]:
    """The folders of our control groups that bear on the controller, ours first, then those above it."""
    for line in _lines(os.path.join(proc, "self", "cgroup")):
        _, controllers, path = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        root = os.path.join(groups, controller) if controllers else groups
        inner = path.strip("/")
        while True:
            yield os.path.join(root, inner) if inner else root
            if not inner:
                break
            inner = os.path.dirname(inner)


def _lines(path: str) -> list[str]:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return file.read().splitlines()
    except OSError:
        return []


def _words(path: str) -> list[str]:
    return [word for line in _lines(path) for word in line.split()]
