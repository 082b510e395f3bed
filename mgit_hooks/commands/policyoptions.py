"""The options of every command that judges: they go before environment and configuration files."""

from __future__ import annotations

import argparse

from mgit_hooks.judging.policy import STRATEGIES
from mgit_hooks.judging.validate import LEVELS


def configure(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("policy options")
    group.add_argument("--level", choices=LEVELS, help="how strictly to validate, whatever is configured")
    group.add_argument(
        "--strategy",
        choices=STRATEGIES,
        metavar="STRATEGY",
        help=f"what to do about what is invalid: {', '.join(STRATEGIES)}",
    )


def overrides(args: argparse.Namespace) -> dict[str, str]:
    given = {"level": args.level, "strategy": args.strategy}
    return {key: value for key, value in given.items() if value is not None}
