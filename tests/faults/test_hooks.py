"""git with our hooks, and every call on our files fails: git goes on, and the next drain knows all the same."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
import recording
from conftest import Repo

from faults.conftest import may_trace
from mgit_hooks.layout import Location

_FAILS = "openat,write,mkdir,unlink,rename,fsync,read"


@pytest.mark.parametrize("error", ["EIO", "ENOSPC", "EDQUOT", "EMFILE", "EROFS", "EACCES"])
@pytest.mark.parametrize("start", [1, 2, 4])
def test_git_goes_on(repo: Repo, tmp_path: Path, error: str, start: int) -> None:
    """From the first, second or fourth call of each kind on; some of those that come before succeed."""
    if not may_trace():
        pytest.skip("strace is not here, or may not trace")
    work = recording.Recording(repo)
    work.commit("one")
    work.drain()
    ours = _ours(work.location)
    repo.write("a", "a\n")
    repo.git("add", "a")
    log = tmp_path / "strace"
    injected = f"inject={_FAILS}:error={error}:when={start}+"
    traced = ["strace", "-f", "-qq", "-o", log, "-e", f"trace={_FAILS}", "-e", injected]
    git = ["git", "-C", repo.path, "commit", "-q", "-m", "two"]
    done = subprocess.run([*traced, *ours, *git], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    if start == 1:
        assert "(INJECTED)" in log.read_text()
    assert repo.git("log", "-1", "--format=%s") == "two"
    assert repo.git("status", "--porcelain") == ""
    repo.git("fsck", "--strict")
    assert work.of(work.head()).event == "commit"
    work.check()


def _ours(location: Location) -> list[str]:
    """Every name that a hook may use for a file of ours: strace knows a call by the path that is given to it."""
    names = {"", "/spool", "/spool/now", "/gate", "/gate/main-worktree", "/draining", "/drain.lock", "/journal"}
    names |= {f"/journal/{name}" for name in os.listdir(location.journal_dir)}
    tops = (location.mgit_dir, ".git/mgit", f"{os.path.dirname(location.mgit_dir)}/./mgit")
    return [word for top in tops for name in sorted(names) for word in ("-P", top + name)]
