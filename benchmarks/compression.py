"""Compression: what typical changesets save, each on its own, and our files beside those of gzip, xz and zstd.

A changeset here is one commit as JSON, or ten of them, as `mgit-hooks export` writes them. The tools run at the level
of each quality (1, 6, 9), over all records of a history as one file. Sizes are bytes; time is whole processes, ours
with the start of the interpreter, the SHA-256 and the sync of the file, which the tools go without.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator, Mapping

import replays
import timing

from mgit_hooks.codecs import LEVELS, QUALITIES
from mgit_hooks.containers import EXTENSIONS
from mgit_hooks.pipeline.compression import DataCompressor

TOOLS = {"gzip": "gzip", "lzma": "xz", "zstd": "zstd"}


def main() -> None:
    parser = timing.options(__doc__, rounds=5)
    args = parser.parse_args()
    missing = [tool for tool in TOOLS.values() if shutil.which(tool) is None]
    if missing:
        sys.exit(f"the yardsticks are not installed: {', '.join(missing)}")
    with timing.scratch() as folder:
        env = timing.environment(folder)
        for name, path in replays.histories(folder, env, quick=args.quick):
            timing.run((*timing.MGIT, "backfill", "-q", "-C", path), env)
            lines = os.path.join(folder, f"{name.replace(' ', '-')}.jsonl")
            timing.run((*timing.MGIT, "export", "-C", path), env, output=lines)
            print(f"history '{name}': {os.path.getsize(lines) / 1e6:.1f} MB of JSON lines")
            _changesets(lines)
            for method in TOOLS:
                for quality in QUALITIES:
                    _beside(method, quality, lines, env, 1 if args.quick else args.rounds)


def _changesets(lines: str) -> None:
    for count in (1, 10):
        for method, quality in (("gzip", "balanced"), *(("auto", quality) for quality in QUALITIES)):
            compressor = DataCompressor(method, quality)
            found = [compressor.compress_data(raw) for raw in _each(lines, count)]
            stored, original = sum(each.compressed_size for each in found), sum(each.original_size for each in found)
            what = f"{count} a changeset ({original / len(found):,.0f} bytes), {method} {quality}: stored / JSON"
            timing.say_ratio(what, [stored], [original], "< 0.5")


def _each(lines: str, count: int) -> Iterator[bytes]:
    """The commits' lines, ``count`` together."""
    held: list[bytes] = []
    with open(lines, "rb") as file:
        for line in file:
            if b'"commit":{' in line:
                held.append(line)
            if len(held) == count:
                yield b"".join(held)
                held.clear()


def _beside(method: str, quality: str, lines: str, env: Mapping[str, str], rounds: int) -> None:
    tool = f"{TOOLS[method]} -{LEVELS[quality]}"
    theirs = f"{lines}.theirs"
    command = (*timing.MGIT, "pipeline", "compress", "--input-file", lines, "-f", "--method", method)
    took = timing.interleave(
        {
            "ours": lambda: timing.run((*command, "--quality", quality), env),
            "theirs": lambda: timing.run((*tool.split(), "-c", lines), env, output=theirs),
        },
        rounds,
    )
    sizes = [os.path.getsize(each) for each in (lines + EXTENSIONS[method], theirs)]
    timing.say_ratio(f"{method} {quality} / {tool}: size", sizes[:1], sizes[1:])
    timing.say_ratios(f"{method} {quality} / {tool}: time", took["ours"], took["theirs"])


if __name__ == "__main__":
    main()
