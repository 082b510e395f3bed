"""Another user's process, and files that it may no more read or write: it says so, and nothing is the worse for it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from reliability import Tally

from faults.adverse import NOBODY
from faults.harness import Bench
from faults.scenes import CHANGED_BY, READ_BY, set_up

pytestmark = pytest.mark.skipif(os.name == "nt" or os.geteuid() != 0, reason="only root can become another user")


def give(top: Path, user: int) -> None:
    for folder, _, names in os.walk(top):
        for name in (".", *names):
            os.lchown(os.path.join(folder, name), user, user)


def ours(root: Path) -> Iterator[Path]:
    """Every file and folder of ours, and of git's what is read."""
    for place in (root / "mgit", root / "repo" / ".git" / "mgit"):
        if place.exists():
            yield from sorted((place, *place.rglob("*")))
    for name in ("logs", "logs/HEAD", "refs", "HEAD", "hooks", "hooks/post-commit"):
        path = root / "repo" / ".git" / name
        if path.exists():
            yield path


@pytest.mark.parametrize("mode", [0o000, 0o400], ids=["nothing", "reading"])
@pytest.mark.parametrize("name", ["append", "drain", "log"])
def test_lost_permission(bench: Bench, name: str, mode: int) -> None:
    tally = Tally()
    lose(bench, name, mode, tally)
    assert tally.cases


@pytest.mark.full
@pytest.mark.parametrize("mode", [0o000, 0o400], ids=["nothing", "reading"])
@pytest.mark.parametrize("name", [*CHANGED_BY, *READ_BY])
def test_lost_permission_of_each_command(bench: Bench, name: str, mode: int, tally: Tally) -> None:
    lose(bench, name, mode, tally)


def lose(bench: Bench, name: str, mode: int, tally: Tally) -> None:
    """Of one file or folder at a time: root's again, and for others nothing, or only to be read."""
    bench.base.chmod(0o755)
    scene = set_up(bench, name)
    bench.restore()
    for place in list(ours(bench.root)):
        bench.restore()
        give(bench.root, NOBODY)
        before = place.stat().st_mode
        os.chown(place, 0, 0)
        place.chmod(mode >> 6 | (0o1 if mode and place.is_dir() else 0))
        ended = bench.run(*scene.operation, user=NOBODY)
        if place.exists():
            place.chmod(before)
        give(bench.root, 0)
        tally.cases += 1
        tally.lost += [f"{place.relative_to(bench.root)}: {what}" for what in scene.judge(bench, ended)]
    tally.check()


@pytest.mark.parametrize("name", ["append", "drain", "compact", "repair", "log"])
def test_nothing_may_be_written(bench: Bench, name: str) -> None:
    """Every folder and file of ours may be read, and none written."""
    bench.base.chmod(0o755)
    scene = set_up(bench, name)
    bench.restore()
    give(bench.root, NOBODY)
    places = [(place, place.stat().st_mode) for place in ours(bench.root)]
    for place, mode in places:
        place.chmod(mode & 0o555)
    ended = bench.run(*scene.operation, user=NOBODY)
    for place, mode in places:
        if place.exists():
            place.chmod(mode)
    give(bench.root, 0)
    assert scene.judge(bench, ended) == []
    assert ended.status == (0 if name == "log" else 1 if name == "append" else 128), ended
