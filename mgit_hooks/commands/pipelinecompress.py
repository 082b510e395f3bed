"""``pipeline compress``: one file into a standard container."""

from __future__ import annotations

import argparse

from mgit_hooks.codecs import QUALITIES
from mgit_hooks.commands.pipelinepaths import below
from mgit_hooks.containers import METHODS
from mgit_hooks.display import escape
from mgit_hooks.output import Output
from mgit_hooks.pipeline.choice import TEMPERATURES
from mgit_hooks.progress import progress


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--input-file", required=True, metavar="FILE", help="what to compress; it stays as it is")
    parser.add_argument(
        "--method",
        choices=(*METHODS, "auto"),
        default="auto",
        help="default: auto, by the file's size and what a sample of it gains",
    )
    parser.add_argument("--quality", choices=QUALITIES, default="balanced", help="default: balanced")
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
    from mgit_hooks.pipeline.compression import DataCompressor, FileCompressor

    compressor = FileCompressor(DataCompressor(args.method, args.quality, verify=args.verify))
    with progress("compressing", out, unit="bytes") as show:
        result = compressor.compress_file(
            below(args.directory, args.input_file),
            args.output_file and below(args.directory, args.output_file),
            temperature=args.temperature,
            force=args.force,
            write_meta=not args.no_meta,
            progress=show,
        )
    metadata = result.metadata
    if out.as_json:
        out.json(result.to_json())
        return 0
    how = metadata.get("reason", args.quality)
    out.line(
        f"{escape(metadata['output_file'])}: {result.original_size:,} bytes to "
        f"{result.compressed_size:,}, {result.space_saved_percent:.1f} % saved ({result.method}, {how})"
    )
    if "choice" in metadata:
        out.detail(f"mgit-hooks: {result.method}: {metadata['choice']}")
    return 0
