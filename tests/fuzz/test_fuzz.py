"""Decoders against a fuzzer that is guided by coverage: no crash, no hang, no memory beyond the limit.

Each run is a process of its own (tests/fuzz/target.py). Where atheris has no build, mutants of the corpus are
driven without guidance; the full form then counts as not done.
"""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from journal.making import frames, segment_bytes, small
from reliability import Tally

from fuzz import target
from mgit_hooks.journal import blockformat, format

HAS_ATHERIS = find_spec("atheris") is not None
# How many decodes of each make the ten million of the full run, by what one costs.
RUNS = {
    "frame": 3_600_000,
    "block": 3_600_000,
    "line": 1_000_000,
    "record": 1_000_000,
    "sidecar": 500_000,
    "journal": 300_000,
}
LIMITS = ("-timeout=10", "-rss_limit_mb=512", "-malloc_limit_mb=300", "-max_len=4096", "-verbosity=1")


def corpus(name: str, folder: Path) -> Path:
    """What the real writers write: the fuzzer starts from there."""
    made = folder / f"corpus-{name}"
    made.mkdir()
    journal = small(folder / "small", 30, short=True)
    items = frames(journal)
    examples: list[bytes] = []
    if name == "frame":
        whole = segment_bytes(journal)
        examples = [whole[item.segment][item.offset : item.end] for item in items]
    elif name == "block":
        blocks = [item.frame for item in items if item.frame.kind == format.BLOCK]
        entries = [blockformat.new_entry(payload, bytes(16)) for payload in (format.MAGIC * 3, b"", b"x" * 70)]
        first = (format.Seq(1), format.GENESIS)
        blocks += [blockformat.block_frame(entries, *first, format.Cursor(1, 2), codec) for codec in (0, 1, 2)]
        blocks += [
            blockformat.block_frame(blockformat.block_entries(each), *first, None, codec)
            for each in blocks
            for codec in (0, 2)
        ]
        examples = [bytes((each.codec, each.records)) + b"\0\0" + each.body for each in blocks]
    elif name == "journal":
        examples = [
            b"\xff\x00".join(
                bytes((item.frame.kind % 4, item.frame.codec, item.frame.records, item.frame.first_seq & 255))
                + item.frame.body
                for item in items
            )
        ]
    elif name == "sidecar":
        examples = [Path(journal, side).read_bytes() for side in ("head", "identity")]
    elif name == "line":
        examples = [
            b"1\tpost-commit\t12\ta\tmain-worktree\t" + b"a" * 40,
            b"1\tpre-push\t12\to\tmain-worktree\t-\torigin\turl\trefs/heads/x "
            + b"1" * 40
            + b" refs/heads/x "
            + b"0" * 40,
            b"1\tpost-rewrite\t12\tu\tworktrees/w\t-\trebase\t" + b"1" * 40 + b" " + b"2" * 40 + b"%0A",
            b'1\tgate\t12\ta\tmain-worktree\t-\t{"stage":"commit-msg","status":"passed","issues":[]}',
        ]
    elif name == "record":
        sample = Path(__file__).resolve().parents[1] / "golden" / "v1-plain.json"
        examples = [line.encode() for line in re.findall(r'\{"event".*\}', json.dumps(json.loads(sample.read_text())))]
        examples.append(_RECORD)
    for number, example in enumerate(examples):
        (made / str(number)).write_bytes(example)
    return made


_RECORD = (
    b'{"event":"push","source":"hook","recorded_at":"2026-01-01T00:00:00Z","occurred_at":null,"occurred_from":null,'
    b'"repository_name":"r","worktree":null,"branch":"main","gate":{"status":"none","reason":null},"validation":'
    b'{"level":"standard","is_valid":true,"issues":[]},"recovery":[],"supersedes":null,"push":{"remote_name":"o",'
    b'"remote_url":null,"refs":[],"confirmed":null},"refs":[{"name":"HEAD","old_oid":null,"new_oid":null,"reason":"x"}]}'
)


def fuzz(
    name: str, runs: int, folder: Path, *, plant: str | None = None, seed: int = 1
) -> subprocess.CompletedProcess[str]:
    planted = ("--plant", plant) if plant else ()
    options = (f"-atheris_runs={runs}", f"-seed={seed}", f"-artifact_prefix={folder}/", *LIMITS)
    command = (sys.executable, target.__file__, name, *planted, *options, str(corpus(name, folder)))
    return subprocess.run(
        command, capture_output=True, text=True, cwd=folder, env={**os.environ, "PYTHONWARNINGS": "ignore"}
    )


def done(result: subprocess.CompletedProcess[str]) -> int:
    """How many decodes the fuzzer did; fails with what it found."""
    said = re.search(r"^Done (\d+) in", result.stderr, re.MULTILINE)
    assert result.returncode == 0, result.stderr[-4000:]
    assert said is not None, result.stderr[-4000:]
    return int(said[1])


@pytest.mark.parametrize("name", RUNS)
def test_a_short_run_finds_nothing(name: str, tmp_path: Path) -> None:
    if HAS_ATHERIS:
        assert done(fuzz(name, RUNS[name] // 400, tmp_path)) >= RUNS[name] // 400
        return
    dice = random.Random(1)
    examples = [path.read_bytes() for path in corpus(name, tmp_path).iterdir()]
    for _ in range(2000):
        target.TARGETS[name](mutant(dice, examples))


def mutant(dice: random.Random, examples: list[bytes]) -> bytes:
    data = bytearray(dice.choice(examples))
    for _ in range(dice.randint(1, 4)):
        at = dice.randrange(len(data) + 1)
        if dice.random() < 0.5 and at < len(data):
            data[at] ^= 1 << dice.randrange(8)
        elif dice.random() < 0.5:
            data[at : at + dice.randrange(20)] = b""
        else:
            data[at:at] = dice.randbytes(dice.randrange(9))
    return bytes(data)


@pytest.mark.skipif(not HAS_ATHERIS, reason="atheris has no build for this platform")
@pytest.mark.parametrize(("name", "bug"), [("block", "short-payload"), ("block", "unmasked"), ("sidecar", "any-value")])
def test_a_planted_bug_is_found(name: str, bug: str, tmp_path: Path) -> None:
    result = fuzz(name, 400_000, tmp_path, plant=bug)
    assert result.returncode != 0
    assert "Uncaught Python exception" in result.stdout + result.stderr


@pytest.mark.full
@pytest.mark.parametrize("name", RUNS)
def test_ten_million_decodes(name: str, tmp_path: Path, tally: Tally) -> None:
    if not HAS_ATHERIS:
        pytest.skip("atheris has no build for this platform")
    result = fuzz(name, RUNS[name], tmp_path, seed=20)
    tally.cases = done(result)
    shutil.rmtree(tmp_path / f"corpus-{name}")
