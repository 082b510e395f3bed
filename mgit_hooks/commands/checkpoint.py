"""``mgit-hooks checkpoint``: a generation of the journal, verified, that ``restore --from`` brings back."""

from __future__ import annotations

import argparse
import os

from mgit_hooks import checkpoints
from mgit_hooks.dates import local
from mgit_hooks.display import escape
from mgit_hooks.journal import bundle, generations
from mgit_hooks.journal.generations import Generation
from mgit_hooks.layout import locate
from mgit_hooks.output import Output
from mgit_hooks.report import counted
from mgit_hooks.session import drain_first, require_journal


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--to", metavar="DIR", help="write it into DIR, not into .git/mgit/checkpoints")
    parser.add_argument("--keep", metavar="N", help="how many generations to keep there, this one included")
    parser.add_argument("--list", action="store_true", help="say which generations there are, newest first")


def run(args: argparse.Namespace, out: Output) -> int:
    """Exit code 1 under ``--list`` where a generation cannot be read."""
    location = locate(args.directory)
    directory = generations.folder(location.mgit_dir)
    if args.to is not None:
        # "-C DIR" is as if the command had been started there
        directory = os.path.abspath(os.path.join(args.directory, args.to))
    if args.list:
        return show(generations.listed(directory), out)
    require_journal(location)
    drain_first(location, out)
    done = checkpoints.checkpoint(location, directory, {"keep_checkpoints": args.keep} if args.keep else {})
    if args.json:
        out.json({**bundle.told(done.checked), "seq": done.seq, "pruned": list(done.pruned)})
        return 0
    out.lines(bundle.words(done.checked))
    if done.pruned:
        out.line(f"removed {counted(len(done.pruned), 'older generation')}: {', '.join(done.pruned)}")
    return 0


def show(found: list[Generation], out: Output) -> int:
    if out.as_json:
        for each in found:
            out.json(each.to_json())
    else:
        out.lines(map(_line, found))
    return 1 if any(each.fault for each in found) else 0


def _line(each: Generation) -> str:
    if each.fault is not None:
        return f"{escape(each.name)}  unusable: {escape(each.fault)}"
    size = os.path.getsize(each.path)
    made_at = local(each.manifest.made_at) if each.manifest is not None else ""
    return f"{escape(each.name)}  up to record {each.last_seq}, {size} bytes, made {escape(made_at)}"
