"""A file of any size takes the codec's own memory and at most 32 MiB more, both ways."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from reliability import Tally

from mgit_hooks import codecs, containers

from .typical import changesets

MIB = 1 << 20
MORE = 32 * MIB
# What the codecs take for themselves, packing and unpacking: xz as its manual says; zstd its window and tables
# (ZSTD_estimateCStreamSize), of levels 1, 6 and 9; deflate and snappy next to nothing.
OWN = {
    "lzma": {"fast": (9, 2), "balanced": (94, 9), "best": (674, 65)},
    "zstd": {"fast": (4, 1), "balanced": (10, 3), "best": (30, 5)},
}
# VmHWM, not ru_maxrss: that of a child begins with its parent's.
PROBE = """
import sys
from mgit_hooks.pipeline import DataCompressor, FileCompressor

def peak():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) * 1024

what, source, target, method, quality = sys.argv[1:]
compressor = FileCompressor(DataCompressor(method, quality))
compressor.compress_file(sys.argv[2] + ".small", source + ".warm", force=True)  # the libraries are no codec's window
compressor.check_file(source + ".warm", method=method)
before = peak()
if what == "pack":
    compressor.compress_file(source, target, force=True)
else:
    compressor.check_file(target, method=method)
print(peak() - before)
"""


def taken(what: str, source: Path, target: Path, method: str, quality: str) -> int:
    """Bytes of resident memory, at the most, beyond what the libraries take."""
    command = [sys.executable, "-c", PROBE, what, source, target, method, quality]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def generated(path: Path, size: int) -> Path:
    """A file of ``size`` bytes with holes between its records, and some noise that no codec gets the better of."""
    with path.open("wb") as file:
        for at in range(0, size, 32 * MIB):
            file.seek(at)
            file.write(changesets(MIB, seed=at) + os.urandom(MIB))
        file.truncate(size)
    path.with_name(f"{path.name}.small").write_bytes(changesets(1000))
    return path


def check(source: Path, method: str, quality: str) -> list[str]:
    """What takes more than it may."""
    target = source.with_name(f"{method}-{quality}")
    own = OWN.get(method, {}).get(quality, (1, 1))
    over = []
    for what, codecs_own in zip(("pack", "unpack"), own, strict=True):
        peak = taken(what, source, target, method, quality)
        if peak > codecs_own * MIB + MORE:
            over.append(f"{what} {method} {quality}: {peak / MIB:.0f} MiB, its own {codecs_own} MiB")
    target.unlink()
    return over


needs_proc = pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="the peak is read from /proc")


@needs_proc
@pytest.mark.parametrize("method", containers.METHODS)
def test_a_file_of_96_mib_takes_a_window_and_32_mib(tmp_path: Path, method: str) -> None:
    assert check(generated(tmp_path / "large", 96 * MIB), method, "fast") == []


@needs_proc
def test_a_codec_that_reads_the_whole_file_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The planted bug."""
    source = generated(tmp_path / "large", 96 * MIB)
    whole = PROBE.replace("import sys\n", "import sys\nfrom mgit_hooks.pipeline import packedfiles\n", 1).replace(
        "before = peak()", "packedfiles.PIECE = 1 << 30; before = peak()"
    )
    monkeypatch.setitem(globals(), "PROBE", whole)
    assert check(source, "zstd", "fast") != []


@needs_proc
@pytest.mark.full
@pytest.mark.parametrize("quality", codecs.QUALITIES)
@pytest.mark.parametrize("method", containers.METHODS)
def test_a_file_of_2_gib_takes_a_window_and_32_mib(tmp_path: Path, method: str, quality: str, tally: Tally) -> None:
    tally.cases = 2  # packed, and unpacked
    assert check(generated(tmp_path / "large", 2048 * MIB), method, quality) == []
