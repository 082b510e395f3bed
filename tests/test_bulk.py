"""Commits captured by several processes: the same as by one, and no silence when one of them fails."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import histories
import pytest

from mgit_hooks.capture import bulk
from mgit_hooks.capture.capturer import Capturer
from mgit_hooks.errors import MgitError, ObjectError
from mgit_hooks.record import Commit, Oid

COUNT = 3 * bulk.CHUNK + 7


@pytest.fixture(scope="module")
def git_dir(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = str(tmp_path_factory.mktemp("bulk") / "r.git")
    os.system(f"git init -q --bare {path}")
    history = histories.History()
    last: list[int] = []
    for number in range(COUNT):
        last = [history.commit({b"n": (histories.REGULAR, b"%d\n" % number)}, parents=last, message=b"%d\n" % number)]
    history.write(path)
    return path


@pytest.fixture(scope="module")
def oids(git_dir: str) -> list[Oid]:
    capturer = Capturer(git_dir)
    return list(capturer.new_commits(capturer.references().values(), lambda _: False))


def message(commit: Commit) -> tuple[int, str]:
    return os.getpid(), commit.message


def refuse_the_last_but_one(commit: Commit) -> str:
    if commit.message == f"{COUNT - 2}\n":
        raise ObjectError("what is wrong", "what to do")
    return commit.message


def raise_what_does_not_pickle(commit: Commit) -> str:
    class Local(Exception):
        pass

    raise Local(commit.message)


def die(commit: Commit) -> str:
    if commit.message == f"{bulk.CHUNK + 5}\n":
        os.kill(os.getpid(), signal.SIGKILL)
    return commit.message


@pytest.mark.parametrize(("workers", "processes"), [(1, 1), (2, 2), (3, 3), (64, 4)])
def test_order_and_processes(git_dir: str, oids: list[Oid], workers: int, processes: int) -> None:
    made = list(bulk.capture(git_dir, oids, message, workers))
    assert [text for _, text in made] == [f"{number}\n" for number in range(COUNT)]
    pids = {pid for pid, _ in made}
    assert len(pids) == processes
    assert (os.getpid() in pids) == (workers == 1)


def test_few_commits_need_no_process(git_dir: str, oids: list[Oid]) -> None:
    assert {pid for pid, _ in bulk.capture(git_dir, oids[: bulk.CHUNK], message, 2)} == {os.getpid()}


def test_an_error_in_a_worker_is_raised_after_what_came_before(git_dir: str, oids: list[Oid]) -> None:
    made = bulk.capture(git_dir, oids, refuse_the_last_but_one, 2)
    assert [next(made) for _ in range(bulk.CHUNK)] == [f"{number}\n" for number in range(bulk.CHUNK)]
    with pytest.raises(ObjectError, match="what is wrong") as caught:
        list(made)
    assert caught.value.remedy == "what to do"


def test_an_error_that_cannot_travel_is_told_in_words(git_dir: str, oids: list[Oid]) -> None:
    with pytest.raises(MgitError, match="Local: 0"):
        list(bulk.capture(git_dir, oids, raise_what_does_not_pickle, 2))


def test_a_dead_worker_is_an_error(git_dir: str, oids: list[Oid]) -> None:
    with pytest.raises(MgitError, match="died"):
        list(bulk.capture(git_dir, oids, die, 2))


def test_a_missing_commit_is_an_error(git_dir: str, oids: list[Oid]) -> None:
    with pytest.raises(ObjectError, match="1111 is missing"):
        list(bulk.capture(git_dir, [*oids, Oid("1" * 40)], message, 2))


def test_leaving_early_ends_the_workers(git_dir: str, oids: list[Oid]) -> None:
    made = bulk.capture(git_dir, oids, message, 2)
    pid, _ = next(made)
    made.close()  # type: ignore[attr-defined]
    assert not Path("/proc", str(pid)).exists()
