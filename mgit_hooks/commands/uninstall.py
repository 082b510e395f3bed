"""``uninstall``: put back what was there before install."""

from __future__ import annotations

import argparse

from mgit_hooks.commands import frameworkmode
from mgit_hooks.display import escape
from mgit_hooks.files import is_folder
from mgit_hooks.installer import everywhere, everywherecheck
from mgit_hooks.installer.install import uninstall
from mgit_hooks.layout import locate
from mgit_hooks.output import Output


def configure(parser: argparse.ArgumentParser) -> None:
    frameworkmode.configure_mode(parser)
    parser.add_argument(
        "--global", action="store_true", dest="everywhere", help="take out what 'install --global' has put in"
    )


def run(args: argparse.Namespace, out: Output) -> int:
    if args.mode != "native":
        return frameworkmode.uninstall(args, out)
    if args.everywhere:
        return _everywhere(args, out)
    location = locate(args.directory)
    report = uninstall(location)
    if args.json:
        out.json(report.to_json())
        return 0
    for change in report.hooks:
        out.line(f"{change.action:<9} {change.hook}")
    for note in report.notes:
        out.note(escape(note))
    if not report.hooks:
        out.note(f"no hook in {escape(report.hooks_dir)} is ours")
    if is_folder(location.mgit_dir):
        out.note(f"what was recorded stays in {escape(location.mgit_dir)}")
        if everywherecheck.serves():
            out.note("'install --global' goes on recording here: 'mgit-hooks uninstall --global' ends that everywhere")
    return 0


def _everywhere(args: argparse.Namespace, out: Output) -> int:
    report = everywhere.uninstall()
    if args.json:
        out.json(report.to_json())
        return 0
    for change in report.hooks:
        out.line(f"{change.action:<9} {change.hook}")
    if not report.hooks:
        out.note(f"nothing of ours is in {escape(report.hooks_dir)}")
    return 0
