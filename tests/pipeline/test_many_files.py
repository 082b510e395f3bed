"""``pipeline compress`` of several files: at once, by a strategy, in order, and what fails costs itself only."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from mgit_hooks.pipeline import manyfiles
from mgit_hooks.pipeline.manyfiles import Packing, planned

TEXT = b'{"seq":1,"event":"commit","author_name":"Ada Lovelace"}\n' * 2000


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.chdir(tmp_path)
    for number in range(5):
        Path(f"{number}.jsonl").write_bytes(TEXT + str(number).encode())
    return [word for number in range(5) for word in ("--input-file", f"{number}.jsonl")]


@pytest.mark.parametrize(
    ("strategy", "extension", "quality"),
    [
        ("balanced", "zst", "balanced"),
        ("performance", "zst", "fast"),
        ("efficiency", "zst", "fast"),
        ("throughput", "zst", "fast"),
        ("latency", "sz", "fast"),
    ],
)
def test_the_strategy_says_codec_and_quality_and_why(
    files: list[str], mgit: Any, strategy: str, extension: str, quality: str
) -> None:
    told = mgit("pipeline", "compress", *files, "--optimization-strategy", strategy, "-v")
    assert told.code == 0
    assert [line.partition(":")[0] for line in told.out.splitlines()] == [
        f"{number}.jsonl.{extension}" for number in range(5)
    ]
    assert told.out.count(f", {quality})") == 5
    assert f"mgit-hooks: strategy {strategy}: " in told.err
    for number in ("workers", "batch", "prefetch", "timeout", "memory", "codec", "quality"):
        assert f"mgit-hooks: {number} " in told.err
    for number in range(5):
        back = mgit("pipeline", "decompress", "--input-file", f"{number}.jsonl.{extension}", "-o", f"back{number}")
        assert (back.code, Path(f"back{number}").read_bytes()) == (0, TEXT + str(number).encode())


def test_without_a_strategy_each_is_compressed_as_it_would_be_alone(files: list[str], mgit: Any) -> None:
    assert [line["method"] for line in mgit("pipeline", "compress", *files, "--json").json] == ["zstd"] * 5
    alone = mgit("pipeline", "compress", *files[:2], "-o", "alone", "--json").json[0]
    assert alone["compressed_size"] == Path("0.jsonl.zst").stat().st_size


def test_what_is_said_of_codec_and_quality_holds(files: list[str], mgit: Any) -> None:
    words = (*files, "--optimization-strategy", "latency", "--method", "gzip", "--quality", "best")
    for told in mgit("pipeline", "compress", *words, "--json").json:
        assert (told["method"], told["metadata"]["quality"]) == ("gzip", "best")


def test_a_strategy_holds_for_one_file_too(files: list[str], mgit: Any) -> None:
    told = mgit("pipeline", "compress", *files[:2], "-o", "named", "--optimization-strategy", "latency")
    assert told.out.startswith("named: ")
    assert "(snappy, fast)" in told.out


def test_one_that_fails_is_told_and_the_others_are_done(files: list[str], mgit: Any) -> None:
    os.unlink("1.jsonl")
    Path("3.jsonl.zst").write_text("mine")
    told = mgit("pipeline", "compress", *files, "--optimization-strategy", "throughput")
    assert told.code == 1
    assert [line.partition(":")[0] for line in told.out.splitlines()] == [
        "0.jsonl.zst", "2.jsonl.zst", "4.jsonl.zst",
    ]  # fmt: skip
    assert "mgit-hooks: 1.jsonl: " in told.err
    assert "mgit-hooks: 3.jsonl: '3.jsonl.zst' is there already\nhint: " in told.err
    assert Path("3.jsonl.zst").read_text() == "mine"
    lines = mgit("pipeline", "compress", *files, "--optimization-strategy", "throughput", "--json", "-f").json
    assert [line.get("input_file") for line in lines] == [None, "1.jsonl", None, None, None]
    assert "No such file" in lines[1]["error"]


def test_several_files_have_no_one_output(files: list[str], mgit: Any) -> None:
    told = mgit("pipeline", "compress", *files, "-o", "out")
    assert (told.code, told.out) == (2, "")


def test_the_plan_is_by_the_files(tmp_path: Path) -> None:
    large = tmp_path / "large"
    large.touch()
    os.truncate(large, 4 << 30)  # a hole: 4 GiB to read, and nothing on the disk
    paths = [str(large), str(tmp_path / "missing")]
    plan = planned(paths, Packing("lzma", "best"), "efficiency")
    assert plan.timeout == 20 * 4096
    assert plan.memory is not None
    assert plan.memory >= manyfiles._NEEDS["lzma", "best"]
    assert planned(paths[1:], Packing("lzma", "best"), "efficiency").timeout == 600
    assert planned(paths, Packing("zstd", "fast"), "efficiency").memory == 512 << 20


def test_no_file_is_given_twice_or_written_over_by_another_one(files: list[str], mgit: Any) -> None:
    for extra in (["--input-file", "./0.jsonl"], ["--force", "--input-file", "1.jsonl.zst.meta"]):
        Path("1.jsonl.zst.meta").write_bytes(TEXT)
        told = mgit("pipeline", "compress", *files, *extra)
        assert told.code == 2
        assert sorted(os.listdir()) == [
            *(f"{n}.jsonl" for n in (0, 1)),
            "1.jsonl.zst.meta",
            *(f"{n}.jsonl" for n in (2, 3, 4)),
        ]
    assert Path("1.jsonl.zst.meta").read_bytes() == TEXT
