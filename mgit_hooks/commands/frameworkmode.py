"""``install --mode pre-commit`` and its like: our hooks in the configuration that a hook manager reads."""

from __future__ import annotations

import argparse
import os
from typing import Final

from mgit_hooks import __version__
from mgit_hooks.display import escape
from mgit_hooks.errors import UsageError
from mgit_hooks.framework.manifest import BY_ID, LOCAL, USUAL, Source
from mgit_hooks.layout import locate
from mgit_hooks.output import Output

MODES: Final = ("native", "pre-commit")
_OTHERS: Final = (("shared", "--shared"), ("in_front", "--in-front"), ("asked_for", "--with"), ("server", "--server"),
                  ("everywhere", "--global"))  # fmt: skip
_OWN: Final = (("repo", "--repo"), ("rev", "--rev"), ("hooks", "--hooks"))


def configure_mode(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--mode",
        choices=MODES,
        default="native",
        help="native: in the hooks folder (the default); pre-commit: in .pre-commit-config.yaml, which prek reads too",
    )


def configure_source(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--repo",
        metavar="URL",
        help="with --mode pre-commit: where the manager fetches mgit-hooks from (default: it runs the installed one)",
    )
    parser.add_argument(
        "--rev", metavar="REV", help=f"with --repo, or to change the one that is there (default v{__version__})"
    )
    parser.add_argument(
        "--hooks",
        type=_ids,
        metavar="ID,...",
        help=f"with --mode pre-commit: these hooks (default: {','.join(USUAL)})",
    )


def require_native(args: argparse.Namespace) -> None:
    """Raises UsageError for what only ``--mode pre-commit`` takes."""
    given = [name for key, name in _OWN if getattr(args, key) is not None]
    if given:
        raise UsageError(f"{given[0]} goes with --mode pre-commit only", "add that, or leave it out")


def install(args: argparse.Namespace, out: Output) -> int:
    from mgit_hooks.framework import configfile
    from mgit_hooks.framework.adding import Wanted

    _refuse_others(args)
    location = locate(args.directory)
    wanted = Wanted(args.hooks or USUAL, _source(args), args.rev)
    try:
        report = configfile.install(location, wanted)
    except configfile.ByHand as error:
        for line in error.lines:
            out.note(line)
        raise
    if args.json:
        out.json(report.to_json())
        return 0
    name = escape(os.path.basename(report.file))
    out.line(f"{report.action:<9} {name}")
    for each in report.hooks:
        out.line(f"added     {each}")
    if report.rev is not None:
        out.line(f"rev       {escape(report.rev[1])}, was {escape(report.rev[0])}")
    for note in report.notes:
        out.note(escape(note))
    if report.action != "unchanged":
        out.note(f"next: git add {name} && pre-commit install (or prek install)")
        out.note("'mgit-hooks uninstall --mode pre-commit' takes them out again")
    return 0


def uninstall(args: argparse.Namespace, out: Output) -> int:
    from mgit_hooks.framework import configfile

    if args.everywhere:
        raise UsageError("--global goes with --mode native only", "leave one of them out")
    report = configfile.uninstall(locate(args.directory))
    if args.json:
        out.json(report.to_json())
        return 0
    name = escape(os.path.basename(report.file))
    if report.action == "absent":
        out.note(f"{name} has no hook of ours")
        return 0
    out.line(f"{report.action:<9} {name}")
    for each in report.hooks:
        out.line(f"removed   {each}")
    for note in report.notes:
        out.note(escape(note))
    out.note("the manager's own hooks in git's hooks folder stay: 'pre-commit uninstall' (or prek's) removes them")
    return 0


def _refuse_others(args: argparse.Namespace) -> None:
    given = [name for key, name in _OTHERS if getattr(args, key)]
    if given:
        raise UsageError(f"{given[0]} goes with --mode native only", "it is about git's hooks folder: leave one out")


def _source(args: argparse.Namespace) -> Source | None:
    from mgit_hooks import credentials

    if args.repo is None or args.repo == LOCAL:
        if args.repo == LOCAL and args.rev is not None:
            raise UsageError("--repo local has no revision", "leave --rev out")
        return None if args.repo is None else Source()
    for name, value in (("--repo", args.repo), ("--rev", args.rev)):
        if value is not None and (not value.strip() or value.startswith("-") or not value.isprintable()):
            raise UsageError(
                f"{name} cannot be '{escape(value)}'", "name what git can fetch, and a tag or commit of it"
            )
    if credentials.strip(args.repo) != args.repo:
        raise UsageError("--repo holds a password, and others read that file", "leave it to git to know the password")
    return Source(args.repo, args.rev or f"v{__version__}")


def _ids(text: str) -> tuple[str, ...]:
    given = dict.fromkeys(name.strip() for name in text.split(",") if name.strip())
    unknown = [name for name in given if name not in BY_ID]
    if unknown or not given:
        what = f"there is no hook '{unknown[0]}'" if unknown else "no hook is named"
        raise argparse.ArgumentTypeError(f"{what}; known are {', '.join(BY_ID)}")
    return tuple(name for name in BY_ID if name in given)
