"""``install``: write the hooks of this repository, or have a hook manager run them."""

from __future__ import annotations

import argparse

from mgit_hooks.commands import frameworkmode
from mgit_hooks.display import escape
from mgit_hooks.errors import UsageError
from mgit_hooks.git import plumbing
from mgit_hooks.installer import everywhere, stubs
from mgit_hooks.installer.install import install
from mgit_hooks.layout import Location, locate
from mgit_hooks.output import Output
from mgit_hooks.session import drain_first, require_readable


def configure(parser: argparse.ArgumentParser) -> None:
    frameworkmode.configure_mode(parser)
    frameworkmode.configure_source(parser)
    parser.add_argument(
        "--shared",
        action="store_true",
        help="write even to a hooks folder that others use too",
    )
    parser.add_argument(
        "--in-front",
        action="store_true",
        help="write to a folder of this repository's own, before the one that others use, and go on to that one",
    )
    parser.add_argument(
        "--with",
        action="append",
        default=[],
        choices=[hook for hook in stubs.ASKED_FOR if hook not in stubs.SERVER],
        dest="asked_for",
        help="write this hook as well, reference-transaction: what it tells and costs is in docs/sources.md",
        metavar="HOOK",
    )
    parser.add_argument(
        "--server",
        action="count",
        default=0,
        help="write the hooks that record and judge pushes to this repository as well; twice: though it is not bare",
    )
    parser.add_argument(
        "--global",
        action="store_true",
        dest="everywhere",
        help="in your configuration, once for all your repositories that keep records (git 2.54 or newer)",
    )


def run(args: argparse.Namespace, out: Output) -> int:
    if args.mode != "native":
        return frameworkmode.install(args, out)
    frameworkmode.require_native(args)
    if args.everywhere:
        return _everywhere(args, out)
    location = locate(args.directory)
    if args.server == 1 and location.root is not None:
        raise UsageError(
            f"{location.repository_path} is not a bare repository: nobody is to push to the branch that is checked out",
            "if it is pushed to all the same, say so twice: mgit-hooks install --server --server",
        )
    require_readable(location)
    asked_for = (*args.asked_for, *(stubs.SERVER if args.server else ()))
    report = install(location, allow_shared=args.shared, in_front=args.in_front, asked_for=asked_for)
    drain_first(location, out)  # recording begins now: with where all refs stand, not after the first commit
    if args.json:
        out.json(report.to_json())
        return 0
    for change in report.hooks:
        out.line(f"{change.action:<9} {change.hook}" + (", then the hook that was here" if change.chained else ""))
    for note in report.notes:
        out.note(escape(note))
    if args.server and _is_shared(location):
        out.note(
            "core.sharedRepository is set: pushes by other accounts than this one are not recorded (docs/server.md)"
        )
    if report.behind is not None:
        out.note(f"each of them goes on to the hook of its name in {escape(report.behind)}, if there is one")
    out.note(f"hooks are in {escape(report.hooks_dir)}; 'mgit-hooks uninstall' takes them out again")
    return 0


def _everywhere(args: argparse.Namespace, out: Output) -> int:
    if args.shared or args.in_front or args.asked_for or args.server:
        raise UsageError(
            "--global goes with none of --shared, --in-front, --with and --server",
            "run 'mgit-hooks install' with those in the repository that is to have them",
        )
    report = everywhere.install()
    if args.json:
        out.json(report.to_json())
        return 0
    for change in report.hooks:
        out.line(f"{change.action:<9} {change.hook}")
    out.note(f"your git configuration includes {escape(report.configuration)}")
    out.note("recorded is every repository that has a .git/mgit: run 'mgit-hooks backfill' in one to have it so")
    out.note("'mgit-hooks uninstall --global' takes all of it out again")
    return 0


def _is_shared(location: Location) -> bool:
    """Whether other accounts may push to it: the journal is for its owner alone."""
    told = plumbing.run(("config", "--get", "core.sharedRepository"), directory=location.git_dir)
    return told.stdout.strip().lower() not in (b"", b"umask", b"false", b"0")
