"""Every source that docs/sources.md has a row for, really tried: what is on record is what git says, and the page."""

from __future__ import annotations

import os
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path

import pytest
from conftest import Repo
from kinds.gits import second_git
from reliability import Tally

from . import cases_commits, cases_others, cases_places, cases_refs  # noqa: F401
from .scene import CASES, Scene
from .test_traces import rows


def _has_scripts() -> bool:
    """Whether this git comes with the shell library of its commands that are scripts."""
    told = subprocess.run(["git", "--exec-path"], capture_output=True, text=True, check=True).stdout.strip()
    return os.path.exists(os.path.join(told, "git-sh-setup"))


_THERE = {
    "scripts": _has_scripts,
    "filter-repo": lambda: find_spec("git_filter_repo") is not None,
    "ssh-keygen": lambda: shutil.which("ssh-keygen") is not None,
    "dulwich": lambda: find_spec("dulwich") is not None,
    "replay": lambda: subprocess.run(["git", "replay", "-h"], capture_output=True).returncode == 129,
}


def tried(name: str, repo: Repo, every: bool) -> Scene:
    """The scene after a case, in which nothing is wrong."""
    case = CASES[name]
    for need in case.needs:
        if not _THERE[need]():
            pytest.skip(f"{need} is not there")
    work = Scene(repo, every=every)
    case.act(work)
    wrong = work.disagreements()
    assert wrong == [], "\n".join(wrong)
    work.check()
    assert work.told() == case.made
    cells = [cell.split(" / ") for cell in rows("What was done, and what is on record")[name]]
    assert list(work.facts()) == [cell[-1 if every else 0] for cell in cells]
    return work


def test_the_page_has_a_row_for_each_case_and_no_other() -> None:
    assert rows("What was done, and what is on record").keys() == CASES.keys()


@pytest.mark.parametrize("every", [True, False], ids=["each", "once"])
@pytest.mark.parametrize("name", CASES)
def test_a_source(repo: Repo, name: str, every: bool) -> None:
    tried(name, repo, every)


@pytest.mark.full
@pytest.mark.parametrize("every", [True, False], ids=["each", "once"])
@pytest.mark.parametrize("name", CASES)
def test_a_source_with_the_second_git(
    repo: Repo, name: str, every: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tally: Tally
) -> None:
    second_git().use(monkeypatch, tmp_path)
    tried(name, repo, every)
    tally.cases += 1
