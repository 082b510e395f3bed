"""The quick gate against the gate, under random policies, changes, messages, settings, environments and damage: where
the quick one lets through, the gate lets through with the very same verdict."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import Repo
from gateworld import Differs, World, new_policy, plain_message, run
from reliability import Tally

from mgit_hooks.gatekeeper import quick, remembered


@pytest.fixture
def made(repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[int], World]:
    repo.commit("one", {"a": "1\n", "old": "old\n" * 20, "dir/b": "b\n" * 20})
    repo.git("config", "mgit.rules", str(Path(repo.path, ".git", "rules.toml")))
    (tmp_path / "home").mkdir()
    (tmp_path / "home/gitconfig").write_text("[init]\n\tdefaultBranch = main\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "home/gitconfig"))
    monkeypatch.setenv("GIT_INDEX_FILE", os.path.join(repo.path, ".git/index"))
    monkeypatch.setenv("GIT_AUTHOR_DATE", "@1700000000 +0100")
    monkeypatch.setenv("MGIT_GATE_WAS", "a")
    monkeypatch.setattr(quick, "usable", False)
    monkeypatch.setattr(remembered, "_TICK", 0.0)
    monkeypatch.chdir(repo.path)

    def make(seed: int) -> World:
        world = World(repo, tmp_path, seed, monkeypatch)
        plain_message(world)
        new_policy(world)
        return world

    return make


@pytest.mark.parametrize("seed", range(1))
def test_the_quick_gate_never_answers_otherwise(made: Callable[[int], World], seed: int) -> None:
    world = run(made(seed), 45)
    assert world.quick > 10, "or this compares nothing"


@pytest.mark.full
@pytest.mark.parametrize("seed", range(1, 21))
def test_the_quick_gate_over_many_policies(made: Callable[[int], World], seed: int, tally: Tally) -> None:
    """A case is one that the quick gate answered; *silent* is one that the gate answers otherwise."""
    world = made(seed)
    try:
        run(world, 300)
    except Differs as error:
        tally.silent.append(str(error))
    tally.cases += world.quick
    tally.check()


PLANTED: dict[str, tuple[Any, str, Any]] = {
    "a change of files": (quick, "state", lambda path: (0, 0, 0, 0)),
    "the environment": (quick, "suits", lambda env: True),
    "an amend": (quick, "amends", lambda words: False),
    "what is in progress": (quick, "_STATES", frozenset()),
    "markers": (quick, "_may_have_markers", lambda content: False),
    "a change meanwhile": (remembered, "_is_recent", lambda was, started: False),
    "the message's cleaning": (quick, "clean", lambda raw, style: raw),
}


def misses(made: Callable[[int], World], monkeypatch: pytest.MonkeyPatch, name: str, steps: int) -> None:
    """Within so many steps of one of a few worlds: what a world comes to is for chance to say."""
    monkeypatch.setattr(*PLANTED[name])
    for seed in range(1, 6):
        try:
            run(made(seed), steps)
        except Differs:
            return
    pytest.fail(f"nothing told of {name}")


def test_a_change_that_is_not_noticed_is_told(made: Callable[[int], World], monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted."""
    misses(made, monkeypatch, "a change of files", 60)


@pytest.mark.full
@pytest.mark.parametrize("name", PLANTED)
def test_what_is_not_looked_at_is_told(
    made: Callable[[int], World], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Planted."""
    misses(made, monkeypatch, name, 600)
