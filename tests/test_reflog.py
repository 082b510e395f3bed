"""Reading reflogs from where they were left, however git has rewritten them since."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from conftest import Repo
from hypothesis import given
from hypothesis import strategies as st

from mgit_hooks.git import reflog
from mgit_hooks.git.reflog import Place

A, B, C, D = ("a" * 40, "b" * 40, "c" * 40, "d" * 40)
ZERO = "0" * 40


def line(old: str, new: str, seconds: int = 1, message: str = "x") -> bytes:
    return f"{old} {new} Ada <ada@example.org> {seconds} +0130\t{message}\n".encode()


def moves(path: Path, place: Place | None = None) -> tuple[list[tuple[str | None, str | None, int]], Place]:
    entries, place = reflog.read("refs/heads/x", None, str(path), place)
    return [(entry.old_oid, entry.new_oid, entry.ordinal) for entry in entries], place


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "log"
    path.write_bytes(line(ZERO, A) + line(A, B, 2) + line(B, C, 3))
    return path


def test_an_entry(log: Path) -> None:
    entry = reflog.read("refs/heads/x", None, str(log), None)[0][0]
    assert entry == ("refs/heads/x", None, None, A, 1, "+0130", "x", 1)


def test_only_what_was_added(log: Path) -> None:
    told, place = moves(log)
    assert told == [(None, A, 1), (A, B, 1), (B, C, 1)]
    assert moves(log, place) == ([], place)
    with log.open("ab") as file:
        file.write(line(C, D, 4))
    assert moves(log, place)[0] == [(C, D, 1)]


def test_a_line_that_is_still_written(log: Path) -> None:
    _, place = moves(log)
    with log.open("ab") as file:
        file.write(line(C, D, 4)[:-10])
    assert moves(log, place) == ([], place)


@pytest.mark.parametrize("cut", [1, 2])
def test_an_expired_beginning(log: Path, cut: int) -> None:
    _, place = moves(log)
    log.write_bytes(b"".join(log.read_bytes().splitlines(keepends=True)[cut:]) + line(C, D, 4))
    assert moves(log, place)[0] == [(C, D, 1)]


def test_a_dropped_end(log: Path) -> None:
    """git stash drop: the newest line is gone, and another one comes."""
    _, place = moves(log)
    log.write_bytes(line(ZERO, A) + line(A, B, 2))
    told, shorter = moves(log, place)
    assert told == []
    log.write_bytes(log.read_bytes() + line(B, D, 4))
    assert moves(log, shorter)[0] == [(B, D, 1)]


def test_a_dropped_middle(log: Path) -> None:
    """git rewrites the old id of the line after the one that was dropped."""
    _, place = moves(log)
    log.write_bytes(line(ZERO, A) + line(A, C, 3) + line(C, D, 4))
    assert moves(log, place)[0] == [(C, D, 1)]


def test_a_reflog_that_is_another_one(log: Path) -> None:
    _, place = moves(log)
    log.write_bytes(line(ZERO, D, 9) + line(D, A, 9))
    assert moves(log, place)[0] == [(None, D, 1), (D, A, 1)]


def test_a_reflog_that_is_gone(log: Path) -> None:
    _, place = moves(log)
    log.unlink()
    assert moves(log, place) == ([], Place(0, ()))


def test_the_same_within_a_second_is_counted(log: Path) -> None:
    log.write_bytes((line(A, B, 5) + line(B, A, 5)) * 2 + line(A, B, 6))
    told, _ = moves(log)
    assert told == [(A, B, 1), (B, A, 1), (A, B, 2), (B, A, 2), (A, B, 1)]


@given(st.lists(st.sampled_from([(A, B), (B, A), (A, A)]), max_size=12), st.data())
def test_counting_does_not_hang_on_where_reading_began(pairs: list[tuple[str, str]], data: st.DataObject) -> None:
    import tempfile

    split = data.draw(st.integers(0, len(pairs)))
    lines = [line(old, new, 5 + number // 3) for number, (old, new) in enumerate(pairs)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "log")
        path.write_bytes(b"".join(lines[:split]))
        first, place = moves(path)
        path.write_bytes(b"".join(lines))
        assert first + moves(path, place)[0] == moves(path)[0]


def test_garbage_between(log: Path) -> None:
    log.write_bytes(b"garbage\n\n\xff\xfe\n" + line(A, B) + b"a b c\n" + line(B, C))
    assert moves(log)[0] == [(A, B, 1), (B, C, 1)]


def test_bytes_in_messages(log: Path) -> None:
    log.write_bytes(line(A, B)[:-2] + b"caf\xe9\n")
    entry = reflog.read("HEAD", "main-worktree", str(log), None)[0][0]
    assert os.fsencode(entry.message) == b"caf\xe9"


def test_a_place_keeps_no_message(log: Path) -> None:
    log.write_bytes(line(A, B, 1, "pull https://user:secret@host/x"))
    assert "secret" not in repr(moves(log)[1])


def test_before_the_last(log: Path) -> None:
    assert moves(log, reflog.before_last(str(log)))[0] == [(B, C, 1)]
    log.write_bytes(line(ZERO, A))
    assert moves(log, reflog.before_last(str(log)))[0] == [(None, A, 1)]


def test_paths(repo: Repo, tmp_path: Path) -> None:
    repo.commit("one")
    repo.git("branch", "deep/er")
    repo.git("worktree", "add", "-q", str(tmp_path / "beside"))
    repo.git("update-ref", "--create-reflog", "refs/mgit/own", "HEAD")
    common = os.path.join(repo.path, ".git")
    found = [(ref, worktree) for ref, worktree, _ in reflog.paths(common)]
    assert found[:2] == [("HEAD", "main-worktree"), ("HEAD", "worktrees/beside")]
    assert {ref for ref, _ in found[2:]} == {"refs/heads/main", "refs/heads/deep/er", "refs/heads/beside"}


def test_names_stay_apart() -> None:
    names = {reflog.ref_text(os.fsdecode(raw)) for raw in (b"refs/heads/\xe9", b"refs/heads/\xe8", b"refs/heads/e")}
    assert len(names) == 3
    assert all(name.encode() for name in names)


@pytest.mark.parametrize("id", ["z" * 40, "A" * 40, "a" * 41, "a" * 4000])
def test_what_is_no_id_makes_no_entry(log: Path, id: str) -> None:
    log.write_bytes(line(ZERO, A) + line(A, id) + line(id, B))
    assert moves(log)[0] == [(None, A, 1)]


def test_a_pipe_or_a_device_is_no_reflog(log: Path, tmp_path: Path) -> None:
    log.unlink()
    os.mkfifo(log)
    assert moves(log) == ([], Place(0, ()))
    device = tmp_path / "device"
    device.symlink_to("/dev/zero")
    assert moves(device) == ([], Place(0, ()))
