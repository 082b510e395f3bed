"""Commands started without one of the standard streams."""

from __future__ import annotations

import subprocess
import sys

import pytest

from mgit_hooks.installer.install import install
from mgit_hooks.layout import locate
from mgit_hooks.recorder.drain import drain


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize("command", ["log", "verify", "status"])
def test_a_closed_stream_is_an_empty_one(repo, command: str, closed: str) -> None:  # type: ignore[no-untyped-def]
    repo.commit("One", a="1")
    install(locate(repo.path))
    drain(locate(repo.path), wait=30)
    line = f'"$1" -m mgit_hooks "$2" {closed}'
    done = subprocess.run(
        ["sh", "-c", line, "sh", sys.executable, command], cwd=repo.path, capture_output=True, text=True, timeout=30
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert bool(done.stdout) == (">&-" not in closed.replace("2>&-", ""))
