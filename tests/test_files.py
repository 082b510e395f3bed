"""What stands in the place of one of our files: nothing waits for it, nothing is written through it."""

from __future__ import annotations

import os
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from mgit_hooks import files
from mgit_hooks.gatekeeper import staged
from mgit_hooks.git import gitfiles, opening
from mgit_hooks.installer import hookfiles
from mgit_hooks.installer.install import install
from mgit_hooks.journal import erasemark, exchange
from mgit_hooks.layout import locate
from mgit_hooks.recorder import held, upkeep

NAMES = (
    "spool/now",
    "draining",
    "starting",
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


@pytest.mark.parametrize("name", [name for name in NAMES if name.endswith(".new") or name in ("draining", "starting")])
def test_what_a_link_leads_to_is_not_emptied(repo, tmp_path: Path, name: str) -> None:  # type: ignore[no-untyped-def]
    place = recorded(repo) / name
    place.unlink(missing_ok=True)
    precious = tmp_path / "precious"
    precious.write_text("precious")
    place.symlink_to(precious)
    repo.git("commit", "-q", "--allow-empty", "-m", "Two")
    mgit(repo.path, "drain")
    assert precious.read_text() == "precious"


def in_place_of_a_file(place: Path, what: str) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.unlink(missing_ok=True)
    if what == "pipe":
        os.mkfifo(place)
    elif what == "device":
        place.symlink_to("/dev/zero")
    elif what == "folder":
        place.mkdir()
    else:
        place.touch()
        os.truncate(place, 1 << 40)


ODD = ("pipe", "device", "folder", "a file of a tebibyte")


@pytest.mark.parametrize("what", ODD)
def test_no_more_is_read_than_a_file_can_hold(tmp_path: Path, what: str) -> None:
    in_place_of_a_file(tmp_path / "odd", what)
    with pytest.raises(files.TooLarge if what == ODD[-1] else FileNotFoundError):
        files.read(str(tmp_path / "odd"), 1000)


def test_a_file_is_read_up_to_its_limit(tmp_path: Path) -> None:
    place = tmp_path / "file"
    place.write_bytes(b"x" * 1000)
    tracemalloc.start()
    try:
        assert files.read(str(place), 1000) == files.read(str(place), 1 << 30) == b"x" * 1000
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()
    with pytest.raises(files.TooLarge, match="File too large") as raised:
        files.read(str(place), 999)
    assert isinstance(raised.value, ValueError)
    assert raised.value.filename == str(place)


READERS: dict[str, Callable[[str], object]] = {
    "commondir": lambda folder: gitfiles.common_dir(folder) == folder,
    "gitdir": lambda folder: gitfiles.linked_worktree(folder) is None,
    "shallow": lambda folder: gitfiles.shallow_boundary(folder) == frozenset(),
    "MERGE_HEAD": lambda folder: gitfiles.merge_heads(folder) == (),
    "config": lambda folder: not opening._looks_beyond(folder),
    "HEAD": lambda folder: staged._first_line(f"{folder}/HEAD").strip("\0") == "",
    "hooks/pre-commit": lambda folder: not hookfiles.is_framework(f"{folder}/hooks/pre-commit"),
    "held.json": lambda folder: held.read(folder) == [],
    "compact.json": lambda folder: upkeep._refused(folder) == {},
    "journal.erasing": lambda folder: erasemark.pending(f"{folder}/journal") in ({}, None),
    "journal.erased": lambda folder: erasemark.remembered(f"{folder}/journal") == (frozenset(), frozenset()),
    "journal/restored-from": lambda folder: exchange.mark(f"{folder}/journal") is None,
}


@pytest.mark.parametrize("what", ODD[:3])
@pytest.mark.parametrize("name", READERS)
def test_what_is_no_file_counts_as_none(tmp_path: Path, name: str, what: str) -> None:
    in_place_of_a_file(tmp_path / name, what)
    assert READERS[name](str(tmp_path))


@pytest.mark.parametrize("name", [name for name in READERS if not name.startswith("journal/") and "/" not in name])
def test_a_file_of_a_tebibyte_fills_no_memory(tmp_path: Path, name: str) -> None:
    in_place_of_a_file(tmp_path / name, ODD[-1])
    try:
        told = READERS[name](str(tmp_path))
    except files.TooLarge as error:
        told = error.filename == str(tmp_path / name)
    assert told


@pytest.mark.parametrize("asked", [files.exists, files.lexists, files.is_file, files.is_folder, files.is_link])
def test_what_cannot_be_told_is_an_error(asked: Callable[[str], bool], tmp_path: Path) -> None:
    with pytest.raises(OSError, match="name too long"):
        asked(str(tmp_path / ("n" * 300)))


def test_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to("file")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "dangling").symlink_to("nothing")
    asked = (files.exists, files.lexists, files.is_file, files.is_folder, files.is_link)
    found = {
        name: tuple(ask(str(tmp_path / name)) for ask in asked)
        for name in ("file", "link", "loop", "dangling", "nothing", "file/below", "")
    }
    assert found == {
        "file": (True, True, True, False, False),
        "link": (True, True, True, False, True),
        "loop": (False, True, False, False, True),
        "dangling": (False, True, False, False, True),
        "nothing": (False, False, False, False, False),
        "file/below": (False, False, False, False, False),
        "": (True, True, False, True, False),
    }
