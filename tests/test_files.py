"""What stands in the place of one of our files: nothing waits for it, nothing is written through it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mgit_hooks.installer.install import install
from mgit_hooks.layout import locate

NAMES = (
    "spool/now",
    "draining",
    "state.json",
    "state.json.new",
    "held.json",
    "install.json",
    "gate/main-worktree",
    "logs/mgit.log",
    "journal/head",
    "journal/head.new",
    "journal/identity",
    "journal/00000001.seg",
)


def mgit(path: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mgit_hooks", *arguments]
    return subprocess.run(command, cwd=path, capture_output=True, text=True, timeout=30)


def recorded(repo) -> Path:  # type: ignore[no-untyped-def]
    repo.commit("One", a="1")
    install(locate(repo.path))
    mgit(repo.path, "drain")
    return Path(repo.path, ".git", "mgit")


@pytest.mark.parametrize("name", NAMES)
def test_a_pipe_in_the_place_of_a_file_holds_nobody_up(repo, name: str) -> None:  # type: ignore[no-untyped-def]
    place = recorded(repo) / name
    place.parent.mkdir(exist_ok=True)
    place.unlink(missing_ok=True)
    os.mkfifo(place)
    done = subprocess.run(
        ["git", "commit", "-q", "--allow-empty", "-m", "Two"], cwd=repo.path, capture_output=True, text=True, timeout=30
    )
    assert done.returncode == 0
    for command in ("drain", "status", "verify", "install"):
        done = mgit(repo.path, command)
        assert "Traceback" not in done.stderr
        assert "internal error" not in done.stderr
        assert done.returncode in (0, 1) or place.name.removesuffix(".new") in done.stderr


@pytest.mark.parametrize("name", [name for name in NAMES if name.endswith(".new") or name == "draining"])
def test_what_a_link_leads_to_is_not_emptied(repo, tmp_path: Path, name: str) -> None:  # type: ignore[no-untyped-def]
    place = recorded(repo) / name
    place.unlink(missing_ok=True)
    precious = tmp_path / "precious"
    precious.write_text("precious")
    place.symlink_to(precious)
    repo.git("commit", "-q", "--allow-empty", "-m", "Two")
    mgit(repo.path, "drain")
    assert precious.read_text() == "precious"
