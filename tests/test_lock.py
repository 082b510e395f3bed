"""Locks: one holder at a time, among real processes, and none that outlives its process."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from mgit_hooks.errors import JournalError
from mgit_hooks.lock import exclusive, required

_HOLDER = """
import sys
from mgit_hooks.lock import exclusive
with exclusive(sys.argv[1]) as held:
    print(held, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "lock")


def holder(path: str) -> subprocess.Popen[str]:
    made = subprocess.Popen(
        [sys.executable, "-c", _HOLDER, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert made.stdout is not None
    assert made.stdout.readline() == "True\n"
    return made


def test_a_held_lock_is_not_to_be_had(path: str) -> None:
    other = holder(path)
    before = time.monotonic()
    with exclusive(path, wait=0.0) as held:
        assert not held
    with exclusive(path, wait=0.2) as held:
        assert not held
    assert time.monotonic() - before >= 0.2
    with pytest.raises(JournalError, match="the journal is in use"), required(path, "the journal", wait=0.0):
        pass
    other.communicate("")
    with exclusive(path, wait=0.0) as held:
        assert held


@pytest.mark.parametrize("wait", [None, 30.0])
def test_who_waits_gets_it_when_the_holder_ends(path: str, wait: float | None) -> None:
    other = holder(path)
    threading.Timer(0.1, other.kill).start()
    before = time.monotonic()
    with exclusive(path, wait=wait) as held:
        assert held
        assert time.monotonic() - before < 20
    other.communicate()


def test_a_killed_holder_leaves_no_lock(path: str) -> None:
    other = holder(path)
    other.kill()
    other.communicate()
    assert os.path.exists(path)
    with exclusive(path, wait=0.0) as held:
        assert held


def test_a_child_process_does_not_keep_it(path: str) -> None:
    with exclusive(path, wait=0.0) as held:
        assert held
        child = subprocess.Popen(["sleep", "30"], close_fds=False)
    try:
        with exclusive(path, wait=0.0) as held:
            assert held
    finally:
        child.kill()
        child.wait()


def test_who_waited_for_a_deleted_lock_file_takes_the_new_one(path: str) -> None:
    other = holder(path)
    results: list[bool] = []

    def wait() -> None:
        with exclusive(path, wait=5.0) as held:
            results.append(held)

    waiter = threading.Thread(target=wait)
    waiter.start()
    time.sleep(0.1)
    os.unlink(path)
    second = holder(path)  # holds the new file
    other.communicate("")  # lets go of the old one, which the waiter has open
    time.sleep(0.2)
    assert results == []
    second.communicate("")
    waiter.join()
    assert results == [True]


def test_the_lock_file_is_private(path: str) -> None:
    before = os.umask(0)
    try:
        with exclusive(path):
            pass
    finally:
        os.umask(before)
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
