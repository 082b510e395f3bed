"""The options of ``diff``."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Final

from mgit_hooks.changesets.sweeping import WORKERS

COLLECTION: Final = "default"
CONTENT: Final = "sample"
CONTENTS: Final = ("none", "summary", "sample", "full")
MEMORY: Final = 100  # MiB
LEVELS: Final = ("basic", "standard", "strict")
OPTIMIZATIONS: Final = ("balanced", "performance", "efficiency", "throughput", "latency")
STRATEGIES: Final = ("ignore", "fallback", "checkpoint", "repair", "abort")


def configure(parser: argparse.ArgumentParser) -> None:
    _repositories(parser)
    _reading(parser)
    _keeping(parser)
    _judging(parser)
    _contents(parser)


def _repositories(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "path",
        nargs="?",
        default=".",
        metavar="PATH",
        help="in a repository, or a folder of repositories (default: .)",
    )
    parser.add_argument(
        "-r", "--recursive", action="store_true", help="all repositories at and below PATH, those inside others too"
    )
    parser.add_argument(
        "--discover-pattern",
        action="append",
        metavar="GLOB",
        help="only repositories of which the path, the name or a remote's URL fits; may be given again",
    )
    parser.add_argument(
        "--merge-discovered",
        action="store_true",
        help="those that the collection has too, wherever they are, and not only those at PATH",
    )


def _reading(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-c",
        "--concurrency",
        type=_number(1, 50),
        metavar="N",
        help=f"read so many repositories at a time at most, 1 to 50 (default: {WORKERS}, fewer on few processors)",
    )
    parser.add_argument(
        "--optimization-strategy",
        choices=OPTIMIZATIONS,
        metavar="STRATEGY",
        help=f"read many by the numbers of a strategy, which -v tells with their reasons: {', '.join(OPTIMIZATIONS)}",
    )
    parser.add_argument(
        "--batch-size",
        type=_number(1, 10_000),
        metavar="N",
        help="repositories that one process is handed at once, at most",
    )


def _keeping(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-o", "--output", metavar="FILE", help="write the lines to FILE, in the place of what it is")
    parser.add_argument(
        "-s", "--save-changeset", action="store_true", help="keep what was seen in a collection, by repository"
    )
    parser.add_argument(
        "-n",
        "--changeset-name",
        metavar="NAME",
        default=COLLECTION,
        help=f"the collection for -s and -i (default: {COLLECTION})",
    )
    parser.add_argument(
        "-i",
        "--incremental",
        action="store_true",
        help="tell only what is not as the collection has it, by content",
    )
    parser.add_argument(
        "--enable-compression",
        action="store_true",
        help="compress --output FILE and the saved collection as small as they get, and say what that saves",
    )


def _judging(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--validation-level", choices=LEVELS, help="judge each changeset, and tell the verdict in its line"
    )
    parser.add_argument(
        "--recovery-strategy",
        choices=STRATEGIES,
        metavar="STRATEGY",
        help="what becomes of an invalid changeset, or of a repository that cannot be read: "
        f"{', '.join(STRATEGIES)}; judges at level standard where no level is given",
    )


def _contents(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--embed-content", action="store_true", help="put contents of the changed files in")
    parser.add_argument(
        "--content-strategy",
        choices=CONTENTS,
        help=f"the most that a file gets (default: {CONTENT})",
    )
    parser.add_argument(
        "--content-memory-mb",
        type=_number(10, 1000),
        metavar="MB",
        help=f"of all contents together, 10 to 1000 (default: {MEMORY})",
    )


def _number(least: int, most: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        if not (text.isascii() and text.isdecimal() and len(text) < 10 and least <= int(text) <= most):
            raise argparse.ArgumentTypeError(f"{text!r} is not a number from {least} to {most}")
        return int(text)

    return number
