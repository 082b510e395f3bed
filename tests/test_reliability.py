"""The page that a full run writes says what was run, and what was not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from checkout import ROOT
from reliability import Reliability

_SUITE = """
import pytest

pytestmark = pytest.mark.full


@pytest.mark.parametrize("seed", [0, 1, 2, 7])
def test_sound(seed, tally):
    tally.cases += 250
    tally.check()


def test_of_one_seed(tally):
    tally.seed = 41
    tally.cases += 1


def test_silent(tally):
    tally.cases += 9
    tally.silent.append("bit 3")
    tally.check()


def test_lost(tally):
    tally.cases += 2
    tally.lost += ["record 1", "record 2"]
    tally.check()


def test_false(tally):
    tally.cases += 4
    tally.false.append("a record")
    tally.check()


@pytest.mark.parametrize("seed", [0, 1])
def test_passed_over(seed, tally):
    if seed:
        pytest.skip("no disk to mount")
    tally.cases += 3
    tally.skipped.append("4 MiB")


@pytest.mark.parametrize("number", [3])
def test_that_counts_nothing(number):
    pass


@pytest.mark.parametrize("part", [0, 2])
@pytest.mark.parametrize("name", ["a", "b"])
def test_in_parts(name, part, tally):
    tally.whole = (name, 90)
    tally.cases += 30


def test_that_fails():
    raise ValueError


@pytest.fixture
def broken():
    raise ValueError


def test_that_cannot_begin(broken):
    pass
"""


@pytest.fixture(scope="module", params=[0, 2], ids=["one process", "workers"])
def page(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("suite")
    (folder / "test_families.py").write_text(_SUITE)
    (folder / "conftest.py").write_text("from conftest_of_all import *\n")
    (folder / "conftest_of_all.py").write_text((ROOT / "tests" / "conftest.py").read_text())
    (folder / "pytest.ini").write_text("[pytest]\nmarkers = full: slow\n")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", str(request.param)]
    done = subprocess.run(
        [*command, "--reliability", "page.md", "-c", "pytest.ini", "--rootdir", "."],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT / "tests"), "PATH": "/usr/bin:/bin", "HOME": str(folder)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    return (folder / "page.md").read_text().splitlines()


@pytest.mark.parametrize(
    ("family", "cases", "skipped", "silent", "lost", "false", "failed", "seeds"),
    [
        ("test_sound", 1000, 0, 0, 0, 0, 0, "0 to 2, 7"),
        ("test_of_one_seed", 1, 0, 0, 0, 0, 0, "41"),
        ("test_silent", 9, 0, 1, 0, 0, 1, "–"),
        ("test_lost", 2, 0, 0, 2, 0, 1, "–"),
        ("test_false", 4, 0, 0, 0, 1, 1, "–"),
        ("test_passed_over", 3, 2, 0, 0, 0, 0, "0 to 1"),
        ("test_that_counts_nothing", 1, 0, 0, 0, 0, 0, "–"),
        ("test_in_parts of a", 60, 30, 0, 0, 0, 0, "–"),
        ("test_in_parts of b", 60, 30, 0, 0, 0, 0, "–"),
        ("test_that_fails", 0, 0, 0, 0, 0, 1, "–"),
        ("test_that_cannot_begin", 0, 0, 0, 0, 0, 1, "–"),
    ],
)
def test_each_family_is_counted(  # type: ignore[no-untyped-def]
    page: list[str], family: str, cases, skipped, silent, lost, false, failed, seeds: str
) -> None:
    (row,) = (line for line in page if line.startswith(f"| `test_families.py::{family}`"))
    told = [cell.strip() for cell in row.strip("|").split("|")][1:-2]
    assert told == [f"{cases:,}", *map(str, (skipped, silent, lost, false, failed)), seeds]


def test_the_page_says_of_which_commit_it_speaks(page: list[str]) -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("not run from a git checkout")
    head = subprocess.check_output(["git", "-C", str(ROOT), "rev-parse", "HEAD"], text=True).strip()
    changed = subprocess.check_output(
        ["git", "-C", str(ROOT), "status", "--porcelain", "--untracked-files=no", "--", ":!docs/reliability.md"],
        text=True,
    )
    rows = [line for line in page if line.startswith("| `test_families")]
    assert {line.split("|")[-2].strip() for line in rows} == {head[:10] + (" and changes" if changed else "")}
    (machine,) = (line for line in page if line.startswith("Python 3."))
    assert "git 2." in machine


def test_a_run_of_some_families_leaves_the_rows_of_the_others(tmp_path: Path) -> None:
    """Those of families that are there no more go."""
    path = tmp_path / "page.md"
    name = "tests/test_reliability.py::test_each_family_is_counted"
    kept = f"| `{name}` | 7 | 0 | 0 | 0 | 0 | 0 | 0 to 3 | 5 s | 0123456789 |"
    gone = kept.replace("test_each_family_is_counted", "test_that_was_renamed")
    part = kept.replace("is_counted`", "is_counted of one whole`")
    older = "| `tests/test_reliability.py::test_the_page_says_of_which_commit_it_speaks` | 7 | 0 | 0 | 5 s |"
    path.write_text(f"# Reliability\n\n{kept}\n{part}\n{gone}\n{older}\n")
    Reliability(path).pytest_sessionfinish()
    rows = [line for line in path.read_text().splitlines() if line.startswith("| `")]
    assert rows == [kept, part]
