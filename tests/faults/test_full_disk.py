"""A disk that is really full, at a hundred sizes: what was reported is there, and when there is room it goes on."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest
from reliability import Tally

from faults.harness import Bench
from faults.scenes import Scene, set_up

_PAGE: Final = 4096  # a file system in memory gives room by the page
SIZES: Final = 100


@contextmanager
def small_disk(bench: Bench, pages: int) -> Iterator[None]:
    """The scene on a disk that has so many pages left."""
    bench.root.mkdir(exist_ok=True)
    mount("-t", "tmpfs", "-o", "size=64m,mode=0700", "none", str(bench.root))
    try:
        bench.restore(kept=True)
        free = subprocess.run(["df", "-B1", "--output=used", str(bench.root)], capture_output=True, text=True)
        used = int(free.stdout.split()[-1])
        mount("-o", f"remount,size={used + pages * _PAGE}", str(bench.root))
        yield
    finally:
        subprocess.run(["umount", "-l", str(bench.root)], check=True)


def mount(*options: str) -> None:
    if subprocess.run(["mount", *options], capture_output=True).returncode:
        pytest.skip("mounting a small file system takes root")


def fill(bench: Bench, scene: Scene, sizes: range, tally: Tally) -> int:
    """The number of sizes that were too small."""
    full = 0
    for pages in sizes:
        with small_disk(bench, pages):
            ended = bench.run(*scene.operation, **bench.more)
            full += ended.status != 0
            mount("-o", "remount,size=64m", str(bench.root))
            tally.cases += 1
            tally.lost += [f"{pages} pages left: {what}" for what in scene.judge(bench, ended)]
    return full


@pytest.mark.parametrize("name", ["fill", "drain", "compact", "repair", "install"])
def test_full_disks(bench: Bench, name: str) -> None:
    tally = Tally()
    assert fill(bench, set_up(bench, name), range(0, 40, 5), tally)
    tally.check()


# One small append needs no page of its own: ``fill`` is many of them.
@pytest.mark.full
@pytest.mark.parametrize("name", ["fill", "rotate", "drain", "compact", "repair", "install"])
def test_full_disks_of_a_hundred_sizes(bench: Bench, name: str, tally: Tally) -> None:
    assert fill(bench, set_up(bench, name), range(SIZES), tally)
    tally.check()


def test_a_write_error_that_is_swallowed_is_caught(bench: Bench) -> None:
    tally = Tally()
    bench.more["plant"] = "swallows write errors"
    fill(bench, set_up(bench, "fill"), range(8), tally)
    assert [what for what in tally.lost if "LOST" in what]


def test_where_it_may_not_mount_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(pytest.skip.Exception):
        mount("-t", "no-such-file-system", "none", str(tmp_path))
