"""``pipeline compress``: files into standard containers, several at once where several are given."""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING

from mgit_hooks.codecs import QUALITIES
from mgit_hooks.commands.pipelinepaths import below
from mgit_hooks.containers import EXTENSIONS, METHODS
from mgit_hooks.display import escape
from mgit_hooks.errors import MgitError, UsageError, reason
from mgit_hooks.output import Output
from mgit_hooks.pipeline.choice import TEMPERATURES
from mgit_hooks.pipeline.planning import OptimizationStrategy
from mgit_hooks.progress import progress

if TYPE_CHECKING:
    from mgit_hooks.bulk import Plan
    from mgit_hooks.pipeline.manyfiles import Packing
    from mgit_hooks.pipeline.results import CompressionResult


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--input-file",
        required=True,
        action="append",
        metavar="FILE",
        help="what to compress; it stays as it is; may be given again",
    )
    parser.add_argument(
        "--method",
        choices=(*METHODS, "auto"),
        metavar="METHOD",
        help=f"{', '.join(METHODS)}, or auto: by the file's size and what a sample of it gains (default: auto)",
    )
    parser.add_argument("--quality", choices=QUALITIES, help="default: balanced")
    parser.add_argument(
        "--optimization-strategy",
        choices=[str(each) for each in OptimizationStrategy],
        metavar="STRATEGY",
        help="several files: how many at a time, and by which codec and quality where those are not said: "
        + ", ".join(OptimizationStrategy),
    )
    parser.add_argument(
        "--temperature",
        choices=TEMPERATURES,
        default="warm",
        help="for auto: how soon it will be read again (default: warm)",
    )
    parser.add_argument(
        "-o",
        "--output-file",
        metavar="FILE",
        help="default: the input's name and .gz, .xz, .zlib, .sz, .zst or .compressed",
    )
    parser.add_argument("-f", "--force", action="store_true", help="replace an output that is there already")
    parser.add_argument("--no-meta", action="store_true", help="write no OUTPUT.meta beside it")
    parser.add_argument("--verify", action="store_true", help="read back what was written before it gets its name")


def run(args: argparse.Namespace, out: Output) -> int:
    """Exit code 1 where one of several failed; the others are done."""
    from mgit_hooks.pipeline.manyfiles import Packing

    paths = [below(args.directory, path) for path in args.input_file]
    several, strategy = len(paths) > 1, args.optimization_strategy
    if several and args.output_file is not None:
        raise UsageError("-o names one output, and there are several files", "leave it out")
    _require_apart(paths, args.method, force=args.force)
    packing = Packing(
        args.method or "auto",
        args.quality or "balanced",
        args.temperature,
        force=args.force,
        write_meta=not args.no_meta,
        verify=args.verify,
    )
    if not several and strategy is None:
        return _one(paths[0], args, packing, out)
    plan = _plan(paths, packing, strategy or str(OptimizationStrategy.BALANCED), out)
    if strategy is not None:  # what it says of codec and quality holds where nothing else does
        packing = packing._replace(method=args.method or plan.codec, quality=args.quality or plan.quality)
    return _many(paths, packing, plan, out) if several else _one(paths[0], args, packing, out)


def _require_apart(paths: list[str], method: str | None, *, force: bool) -> None:
    """No file is given twice. With --force, none has the name that another one's packed file, or its .meta, is to
    have: it would be replaced, maybe before it is packed."""
    from mgit_hooks.pipeline.packedmeta import EXTENSION

    given = [os.path.abspath(path) for path in paths]
    methods = METHODS if method in (None, "auto") else ("none", method)
    endings = [EXTENSIONS[each] + more for each in methods for more in ("", EXTENSION)]
    made = {path + ending for path in given for ending in endings} if force else set()
    seen: set[str] = set()
    for path, absolute in zip(paths, given, strict=True):
        if absolute in seen:
            raise UsageError(f"'{path}' is given twice", "give it once")
        if absolute in made:
            raise UsageError(f"'{path}' has the name of what another file may be packed into", "pack it by itself")
        seen.add(absolute)


def _plan(paths: list[str], packing: Packing, strategy: str, out: Output) -> Plan:
    from mgit_hooks.pipeline.manyfiles import planned
    from mgit_hooks.pipeline.optimization import words

    plan = planned(paths, packing, strategy)
    for line in words(strategy, plan):
        out.detail(f"mgit-hooks: {line}")
    return plan


def _one(path: str, args: argparse.Namespace, packing: Packing, out: Output) -> int:
    from mgit_hooks.pipeline.manyfiles import compress_one

    output = None if args.output_file is None else below(args.directory, args.output_file)
    with progress("compressing", out, unit="bytes") as show:
        result = compress_one(path, packing, output, show)
    _tell(result, out)
    return 0


def _many(paths: list[str], packing: Packing, plan: Plan, out: Output) -> int:
    from mgit_hooks.pipeline.manyfiles import compress

    failed = 0
    with progress("compressing", out) as show:
        for number, outcome in enumerate(compress(paths, packing, plan), 1):
            show(number, len(paths))
            if outcome.error is None:
                _tell(outcome.value, out)
            else:
                failed += 1
                _tell_failure(outcome.item, outcome.error, out)
    return 1 if failed else 0


def _tell_failure(path: str, error: Exception, out: Output) -> None:
    why = reason(error) if isinstance(error, (MgitError, OSError)) else f"{type(error).__name__}: {error}"
    if out.as_json:
        out.json({"input_file": path, "error": why})
    hint = getattr(error, "remedy", "")
    out.note(f"mgit-hooks: {escape(path)}: {escape(why)}" + (f"\nhint: {escape(hint)}" if hint else ""))


def _tell(result: CompressionResult, out: Output) -> None:
    metadata = result.metadata
    if out.as_json:
        out.json(result.to_json())
        return
    how = metadata.get("reason", metadata["quality"])
    out.line(
        f"{escape(metadata['output_file'])}: {result.original_size:,} bytes to "
        f"{result.compressed_size:,}, {result.space_saved_percent:.1f} % saved ({result.method}, {how})"
    )
    if "choice" in metadata:
        out.detail(f"mgit-hooks: {result.method}: {metadata['choice']}")
