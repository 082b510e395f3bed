"""``pipeline decompress``: a packed file brought back, or just checked."""

from __future__ import annotations

import argparse
import re

from mgit_hooks.commands.pipelinepaths import below
from mgit_hooks.containers import METHODS
from mgit_hooks.display import escape
from mgit_hooks.errors import UsageError
from mgit_hooks.output import Output
from mgit_hooks.progress import progress

_SIZE = re.compile(r"(\d+)([KMGT]?)")
_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--input-file", required=True, metavar="FILE", help="what to bring back; it stays as it is")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("-o", "--output-file", metavar="FILE", help="default: the input's name without its extension")
    where.add_argument("--output-dir", metavar="DIR", help="the folder of the output (default: the input's)")
    where.add_argument("--check", action="store_true", help="write nothing: is the file whole?")
    parser.add_argument("-f", "--force", action="store_true", help="replace an output that is there already")
    parser.add_argument(
        "--method",
        choices=METHODS,
        metavar="METHOD",
        help=f"{', '.join(METHODS)} (default: as the .meta, the name or the file itself says)",
    )
    parser.add_argument("--no-meta", action="store_true", help="leave INPUT.meta out of account")
    parser.add_argument(
        "--max-size",
        type=_bytes,
        default="4G",
        metavar="SIZE",
        help="refuse what holds more; K, M, G, T may follow; 0: any size (default: 4G)",
    )


def _bytes(text: str) -> int:
    found = _SIZE.fullmatch(text)
    if found is None:
        raise argparse.ArgumentTypeError(f"'{text}' is no size, as 500M is one")
    return int(found[1]) * _UNITS[found[2]]


def run(args: argparse.Namespace, out: Output) -> int:
    from mgit_hooks.pipeline.compression import FileCompressor

    if args.check and args.force:
        raise UsageError("--check writes nothing that --force could replace", "leave one of them out")
    path = below(args.directory, args.input_file)
    limit = args.max_size or None
    compressor = FileCompressor()
    with progress("decompressing", out, unit="bytes") as show:
        if args.check:
            found = compressor.check_file(
                path, method=args.method, use_meta=not args.no_meta, limit=limit, progress=show
            )
        else:
            found = compressor.decompress_file(
                path,
                None if args.output_file is None else below(args.directory, args.output_file),
                folder=None if args.output_dir is None else below(args.directory, args.output_dir),
                method=args.method,
                use_meta=not args.no_meta,
                force=args.force,
                limit=limit,
                progress=show,
            )
    if out.as_json:
        out.json(found._asdict())
        return 0
    name = escape(found.output_file or path)
    what = "whole" if args.check else f"from {found.compressed_size:,}"
    vouched = ", as its .meta says" if found.checked else ""
    out.line(f"{name}: {found.original_size:,} bytes {what} ({found.method}){vouched}")
    return 0
