"""``config``: the configuration in force and where each value came from."""

from __future__ import annotations

import argparse
import os
from typing import Any

from mgit_hooks.display import escape
from mgit_hooks.errors import UsageError
from mgit_hooks.files import is_folder
from mgit_hooks.judging import gateflag
from mgit_hooks.judging.config import Config, load
from mgit_hooks.judging.configlayers import ADDING, KEYS, Origin
from mgit_hooks.judging.rules import Rule
from mgit_hooks.judging.variables import slips
from mgit_hooks.layout import locate
from mgit_hooks.output import Output
from mgit_hooks.record import Json


def configure(parser: argparse.ArgumentParser) -> None:
    parser.usage = "%(prog)s [KEY] [OPTION ...]\n       %(prog)s explain KEY"
    parser.add_argument(
        "key", nargs="?", metavar="KEY", help=f"only this one: {', '.join(KEYS)}; or the word 'explain'"
    )
    parser.add_argument(
        "explained",
        nargs="?",
        metavar="KEY",
        help="explain: a key, or rules.ID; what it is, and all that was said of it",
    )
    parser.add_argument("--show-origin", action="store_true", help="say where each value came from")
    parser.add_argument(
        "--show-sources", action="store_true", help="list the files a value can come from: + is read, - is not there"
    )
    for key in KEYS:
        if key not in ADDING:
            parser.add_argument(
                f"--{key.replace('_', '-')}", metavar="VALUE", help=f"as if {key} were set on the command line"
            )


def run(args: argparse.Namespace, out: Output) -> int:
    if args.key == "explain":
        from mgit_hooks.commands.configexplain import explain

        return explain(args, out)
    if args.explained is not None:
        raise UsageError(f"'{args.explained}' is one word too many", "mgit-hooks config explain KEY")
    if args.key is not None and args.key not in KEYS:
        raise unknown(args.key)
    location = locate(args.directory)
    # A repository that keeps no records has no hooks to tell, and a question is not to begin any.
    read = gateflag.refresh if is_folder(location.mgit_dir) else load
    config = read(location, given(args))
    for slip in slips(os.environ):
        out.note(f"mgit-hooks: {escape(slip.message)}\nhint: {slip.remedy}")
    keys = KEYS if args.key is None else (args.key,)
    if out.as_json:
        out.json(_json(config, keys, args))
        return 0
    for key in keys:
        _print(config, key, args, out)
    if args.show_sources:
        for source in config.sources:
            out.line(f"{'+' if source.exists else '-'}{escape(source.path)}")
    return 0


def given(args: argparse.Namespace) -> dict[str, str]:
    """What the command line says of the configuration."""
    return {key: value for key in KEYS if (value := getattr(args, key, None)) is not None}


def unknown(key: str) -> UsageError:
    from difflib import get_close_matches

    near = get_close_matches(key, KEYS, 1)
    return UsageError(
        f"unknown key '{key}'", f"did you mean '{near[0]}'?" if near else f"known keys: {', '.join(KEYS)}"
    )


def _print(config: Config, key: str, args: argparse.Namespace, out: Output) -> None:
    if key == "rules":
        for rule in config.rules:
            _line(_rule_text(rule), Origin(rule.id, escape(rule.origin)), args, out)
        return
    if key == "extends":
        for name in config.extends:
            _line(name if args.key else f"extends={name}", config.origins[key], args, out)
        return
    value = getattr(config, key)
    text = str(value).lower() if isinstance(value, bool) else str(value)
    _line(text if args.key else f"{key}={text}", config.origins[key], args, out)


def _rule_text(rule: Rule) -> str:
    return f"rules.{rule.id}={rule.severity},{rule.strategy or 'default'}"


def _line(text: str, origin: Origin, args: argparse.Namespace, out: Output) -> None:
    if args.show_origin:
        out.line(f"{escape(where(origin))}\t{escape(text)}")
    else:
        out.line(escape(text))


def where(origin: Origin) -> str:
    if origin.path is None:
        return origin.source
    place = origin.path if origin.line is None else f"{origin.path}:{origin.line}"
    return place if origin.path.endswith(origin.source) else f"{origin.source} {place}"


def _json(config: Config, keys: tuple[str, ...], args: argparse.Namespace) -> Json:
    value: dict[str, Any] = {key: getattr(config, key) for key in keys}
    if "rules" in value:
        value["rules"] = [rule._asdict() for rule in config.rules]
    if args.show_origin:
        value["origins"] = {key: config.origins[key]._asdict() for key in keys}
    if args.show_sources:
        value["sources"] = [source._asdict() for source in config.sources]
    return value
