"""Several files compressed at once, by a strategy. One that fails is told, and the others are done."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

from mgit_hooks.pipeline.planning import OptimizationStrategy, Workload

if TYPE_CHECKING:
    from mgit_hooks.bulk import Outcome, Plan
    from mgit_hooks.pipeline.results import CompressionResult

_MIB: Final = 1 << 20
# What a codec takes, and what else the work needs: docs/pipeline.md, tests/pipeline/test_memory.py.
_NEEDS: Final = {("lzma", "best"): 800 * _MIB, ("auto", "best"): 800 * _MIB, ("lzma", "balanced"): 192 * _MIB}
_NEEDS_AT_MOST: Final = 192 * _MIB
_SLOWEST: Final = _MIB
"""Bytes a second of the slowest codec on a slow machine: by it a time-out is long enough for the largest file."""


class Packing(NamedTuple):
    """How each file is to be compressed, as FileCompressor takes it."""

    method: str
    quality: str
    temperature: str = "warm"
    force: bool = False
    write_meta: bool = True
    verify: bool = False


def compress_one(
    path: str, packing: Packing, output: str | None = None, progress: Callable[[int, int], None] | None = None
) -> CompressionResult:
    """Raises as FileCompressor.compress_file."""
    from mgit_hooks.pipeline.compression import DataCompressor, FileCompressor

    compressor = FileCompressor(DataCompressor(packing.method, packing.quality, verify=packing.verify))
    return compressor.compress_file(
        path,
        output,
        temperature=packing.temperature,
        force=packing.force,
        write_meta=packing.write_meta,
        progress=progress,
    )


def planned(paths: Sequence[str], packing: Packing, strategy: OptimizationStrategy | str) -> Plan:
    """The numbers for these files: by how many they are, how large the largest is, and what the codec takes."""
    from mgit_hooks.pipeline.optimization import plan, resource_limits

    largest = max(map(_size, paths), default=0)
    need = _NEEDS.get((packing.method, packing.quality), _NEEDS_AT_MOST)
    return plan(strategy, Workload(len(paths), longest=largest / _SLOWEST, need=need), resource_limits())


def compress(paths: Sequence[str], packing: Packing, plan: Plan) -> Iterator[Outcome]:
    """In the order of the paths; the value of each is a CompressionResult."""
    from mgit_hooks import bulk
    from mgit_hooks.pipeline import compression  # noqa: F401 - once here, not once in each worker

    return bulk.run(paths, partial(compress_one, packing=packing), plan)


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:  # which its own worker will tell
        return 0
