"""Each error that a system call may give, at every call that touches our files, once and for good."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

import pytest
from reliability import Tally

from faults.harness import HUNG, Bench, Call, spread
from faults.scenes import CHANGED_BY, READ_BY, Scene, set_up

PARTS = 6


def names(line: str) -> frozenset[str]:
    return frozenset(line.split())


_LOOKS: Final = names(
    "read pread64 stat lstat newfstatat fstat statx getdents64 lseek access faccessat faccessat2 readlink"
)
_READS: Final = names("stat newfstatat openat")
_WRITES: Final = names("write pwrite64 writev fsync fdatasync ftruncate truncate")
_NAMES: Final = names(
    "rename renameat renameat2 unlink unlinkat rmdir mkdir mkdirat chmod fchmod fchmodat link linkat utimensat"
)
_OPENS: Final = names("open openat")
# What the manual pages give each call, and a little more.
POSSIBLE: Final = {
    "EIO": _LOOKS | _WRITES | _NAMES | _OPENS | {"close", "flock", "fcntl"},
    "ENOSPC": _WRITES | _NAMES | _OPENS | {"close"},
    "EDQUOT": _WRITES | _NAMES | _OPENS | {"close"},
    "EINTR": _WRITES | _OPENS | {"read", "pread64", "close", "flock", "fcntl"},
    "EMFILE": _OPENS,
    "EROFS": _WRITES | _NAMES | _OPENS,
    "EACCES": _OPENS | _NAMES | {"stat", "lstat", "newfstatat", "access", "readlink", "fcntl", "getdents64"},
}
# What fails from then on too, where a fault is for good. Not what opens: strace cannot tell reading from writing.
_FOR_GOOD: Final = {"EIO": _LOOKS | _WRITES | _NAMES | _OPENS, "EROFS": _NAMES, "EACCES": _NAMES | _OPENS}


class Fault(NamedTuple):
    call: Call
    error: str
    when: str

    @property
    def words(self) -> str:
        return f"{self.error} {self.when} at {self.call.name} {self.call.nth} of {self.call.path}"


def faults(calls: list[Call]) -> Iterator[Fault]:
    locked = {call.path for call in calls if call.name == "flock"}
    for call in calls:
        for error, possible in POSSIBLE.items():
            if call.name not in possible:
                continue
            if call.name == "close" and call.path in locked:
                # strace does not make the call that fails, where Linux closes the file all the same: the lock stays.
                continue
            yield Fault(call, error, "once")
            if call.name == "close" or (call.name, error) == ("fcntl", "EACCES"):
                continue  # to a lock this error means that somebody holds it: waited for, and no fault
            if error == "EINTR":
                # Not for good: a call that is interrupted for ever is tried for ever, as Python does it (PEP 475).
                yield Fault(call, error, "often")
            elif call.name not in _LOOKS or error == "EIO":
                yield Fault(call, error, "for good")


def strike(bench: Bench, scene: Scene, planned: list[Fault], tally: Tally) -> None:
    """A child for each fault. One in which nothing was injected does not count."""
    for fault in planned:
        others = sorted(_FOR_GOOD.get(fault.error, _WRITES | _NAMES - {"unlink", "unlinkat"}))
        ended = bench.fail(fault.call, fault.error, others, fault.when, *scene.operation)
        if not ended.hits and ended.status != HUNG:
            tally.skipped.append(fault.words)
            continue
        tally.cases += 1
        tally.lost += [f"{fault.words}: {what}" for what in scene.judge(bench, ended)]


@pytest.mark.parametrize("name", [*CHANGED_BY, *READ_BY])
def test_some_errors_at_some_calls(traced: Bench, name: str) -> None:
    tally = Tally()
    scene = set_up(traced, name)
    planned = list(faults(spread(traced.calls(*scene.operation), 60)))
    strike(traced, scene, spread(planned, 10), tally)
    tally.check()
    assert tally.cases >= 8
    assert tally.skipped == []


@pytest.mark.full
@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("name", [*CHANGED_BY, *READ_BY])
def test_every_error_at_every_call(traced: Bench, name: str, part: int, tally: Tally) -> None:
    scene = set_up(traced, name)
    every = list(faults(traced.calls(*scene.operation)))
    planned = every[part::PARTS]
    tally.whole = (name, len(every))
    strike(traced, scene, planned, tally)
    tally.check()
    assert len(tally.skipped) <= len(planned) // 50


def test_a_repair_gives_up_no_commit_that_it_only_could_not_read(traced: Bench) -> None:
    tally = Tally()
    scene = set_up(traced, "repair")
    objects = [call for call in traced.calls(*scene.operation) if "/objects/" in call.path and call.name in _READS]
    strike(traced, scene, [Fault(call, "EIO", "once") for call in objects[-6:]], tally)
    tally.check()
    assert tally.cases >= 4


def test_a_planted_bug_is_caught(traced: Bench) -> None:
    tally = Tally()
    scene = set_up(traced, "append")
    traced.more["plant"] = "swallows write errors"
    writes = [call for call in traced.calls(*scene.operation) if call.name == "write" and call.path.endswith(".seg")]
    strike(traced, scene, [Fault(call, "ENOSPC", "once") for call in writes], tally)
    assert [what for what in tally.lost if "LOST" in what]
