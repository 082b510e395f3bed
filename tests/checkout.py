"""This project as it stands, uncommitted work included, as a repository that others can install from."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def shared_folder(factory: pytest.TempPathFactory) -> Path:
    """One folder for all processes of one test run."""
    base = factory.getbasetemp()
    return base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base


@contextmanager
def alone(path: Path) -> Iterator[None]:
    with open(path, "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def once(folder: Path, make: Callable[[Path], None]) -> Path:
    """``folder``, made by the first process that asks for it."""
    with alone(folder.parent / f"{folder.name}.lock"):
        if not folder.exists():
            made = folder.parent / f"{folder.name}.new"
            shutil.rmtree(made, ignore_errors=True)
            make(made)
            made.rename(folder)
    return folder


def copy_project(target: Path) -> None:
    """The files that git would take into a commit, in a repository of their own."""
    listed = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        capture_output=True,
        check=True,
    ).stdout
    for name in map(os.fsdecode, listed.split(b"\0")[:-1]):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)
    person = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
    for command in (["init", "-q"], ["add", "-A"], [*person, "commit", "-q", "-m", "As it stands"]):
        subprocess.run(["git", "-C", str(target), *command], check=True)
