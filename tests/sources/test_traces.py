"""What leaves no trace is as docs/sources.md has it: not on record, unless reference-transaction was asked for."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from conftest import Repo

from mgit_hooks.record import Oid

from .cases_lost import LOST
from .scene import Scene

PAGE = Path(__file__).parents[2] / "docs" / "sources.md"
TRANSACTION = "reference-transaction"


def rows(heading: str) -> dict[str, list[str]]:
    """The rows of the first table under a heading of the page: the cells after the first one, by that."""
    section = PAGE.read_text().partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| ")][1:]
    cells = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
    return {first: rest for first, *rest in cells}


def found(repo: Repo, name: str, *asked_for: str) -> tuple[bool, bool]:
    """Whether any, and whether all of what the case did is on record after one drain at its end."""
    work = Scene(repo, every=False, asked_for=asked_for)
    work.commit("one")
    work.commit("two")
    work.git("branch", "again")
    work.git("tag", "moves", "HEAD~1")
    work.drain()
    movements, commits = LOST[name](work)
    every = work.all()
    work.check()
    told: set[tuple[str, Oid | None]] = {(m.name, m.new_oid) for r in every for m in r.refs or ()}
    told_by_hook = {(m.name, m.new_oid) for r in every if r.event == "ref-update" for m in r.refs or ()}
    recorded = {r.commit.hash for r in every if r.commit is not None}
    sought = [*((each in told and each in told_by_hook) for each in movements), *(oid in recorded for oid in commits)]
    return any(sought), all(sought)


@pytest.mark.parametrize("name", LOST)
def test_what_leaves_no_trace(repo: Repo, tmp_path: Path, name: str) -> None:
    [with_hook] = rows("What leaves no trace")[name]
    without = Repo(tmp_path / "without" / "repo")
    Path(without.path).parent.mkdir()
    repo.git("init", "-q", "-b", "main", without.path)
    assert not any(found(without, name)), "it is on record without the hook"
    any_of_it, all_of_it = found(repo, name, TRANSACTION)
    assert (any_of_it, all_of_it) == ((True, True) if with_hook == "on record" else (False, False))


def test_the_page_names_what_is_tried() -> None:
    assert list(rows("What leaves no trace")) == list(LOST)
