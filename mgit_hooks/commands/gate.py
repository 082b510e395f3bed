"""``mgit-hooks gate STAGE``: judge one hook's event for a hook manager (.pre-commit-hooks.yaml)."""

from __future__ import annotations

import argparse
import os

from mgit_hooks.gatekeeper import gate
from mgit_hooks.gatekeeper.candidate import STAGES
from mgit_hooks.gatekeeper.managed import git_process
from mgit_hooks.output import Output
from mgit_hooks.recorder.event import process


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "stage", choices=STAGES, metavar="STAGE", help="pre-commit, pre-merge-commit, commit-msg or pre-push"
    )
    parser.add_argument(
        "--ppid", type=_process, metavar="PID", help="the git process that runs the hook, as PID or PID.STARTED"
    )
    parser.add_argument("arguments", nargs="*", metavar="ARG", help="what git gave the hook")


def run(args: argparse.Namespace, out: Output) -> int:
    os.chdir(args.directory)
    git = git_process(args.stage, os.environ) if args.ppid is None else args.ppid
    return gate.framework(args.stage, git, args.arguments)


def _process(text: str) -> str:
    try:
        process(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text}' is not a process id") from None
    return text
