"""``mgit-hooks import``: the journal that ``export --bundle`` wrote, in a repository that has none."""

from __future__ import annotations

import argparse
import os

from mgit_hooks.copies import take_in
from mgit_hooks.journal import bundle
from mgit_hooks.layout import locate
from mgit_hooks.output import Output


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", help="a bundle, as 'export --bundle' and 'checkpoint' write them")
    parser.add_argument("--dry-run", action="store_true", help="read and verify all of it, and say what it holds")


def run(args: argparse.Namespace, out: Output) -> int:
    location = locate(args.directory)
    # "-C DIR" is as if the command had been started there
    path = os.path.normpath(os.path.join(args.directory, args.file))
    done = take_in(location, path, dry_run=args.dry_run)
    if args.json:
        out.json({**bundle.told(done), "imported": not args.dry_run})
    else:
        out.lines(bundle.words(done))
        if not args.dry_run:
            out.note("imported; hint: 'mgit-hooks backfill' records what this repository has beyond it")
    return 0
