"""``mgit-hooks restore``: a generation, or any bundle of this journal, brought back; what came after it follows."""

from __future__ import annotations

import argparse
import os

from mgit_hooks import restoring
from mgit_hooks.commands.checkpoint import show
from mgit_hooks.display import escape
from mgit_hooks.journal import bundle, generations
from mgit_hooks.layout import locate
from mgit_hooks.output import Output
from mgit_hooks.report import counted


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--from", dest="copy", metavar="NAME", help="a generation, or a bundle's file; without it, say what there is"
    )
    parser.add_argument("--force", action="store_true", help="even where the journal is clean, or another one")


def run(args: argparse.Namespace, out: Output) -> int:
    location = locate(args.directory)
    if args.copy is None:
        found = generations.listed(generations.folder(location.mgit_dir))
        if not found:
            out.note("mgit-hooks: there is no generation to restore")
            out.note("hint: 'mgit-hooks checkpoint' writes one; a bundle's file is restored with --from FILE")
        return show(found, out)
    # "-C DIR" is as if the command had been started there
    path = os.path.normpath(os.path.join(args.directory, args.copy))
    done = restoring.restore(location, restoring.named(location, args.copy, path), force=args.force)
    if args.json:
        told = {**bundle.told(done.checked), **done.outcome.to_json()}
        out.json({**told, "moved_aside": done.moved_aside, "recorded": done.recorded})
        return 0 if done.outcome.clean else 1
    out.lines(bundle.words(done.checked))
    if done.moved_aside is not None:
        out.line(f"moved aside: {escape(done.moved_aside)}")
    out.lines(done.outcome.actions)
    out.line(f"{counted(done.recorded, 'record')} taken in from what git, its reflogs and the hooks tell")
    return 0 if done.outcome.clean else 1
