"""``mgit-hooks archive``: the oldest segments into a file elsewhere; what is left still proves what is there."""

from __future__ import annotations

import argparse
import os
import re

from mgit_hooks import archiving
from mgit_hooks.errors import UsageError
from mgit_hooks.journal import bundle
from mgit_hooks.layout import locate
from mgit_hooks.output import Output
from mgit_hooks.report import counted
from mgit_hooks.session import drain_first, require_journal

_SECONDS = {"h": 3600, "d": 86400, "w": 7 * 86400, "y": 365 * 86400}
_BYTES = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3}


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("directory_to", metavar="DIR", help="the folder that the archive goes to")
    parser.add_argument("--keep-newer", metavar="AGE", help="what is newer stays: 90d, 12h, 52w, 2y")
    parser.add_argument("--keep-size", metavar="SIZE", help="as much of the newest stays: 100m, 2g, 500k")


def run(args: argparse.Namespace, out: Output) -> int:
    location = locate(args.directory)
    newer = _measure(args.keep_newer, _SECONDS, "an age, such as 90d")
    size = _measure(args.keep_size, _BYTES, "a size, such as 100m")
    if newer is None and size is None:
        raise UsageError("nothing says what is to stay", "give --keep-newer AGE, --keep-size SIZE, or both")
    require_journal(location)
    drain_first(location, out)
    # "-C DIR" is as if the command had been started there
    directory = os.path.abspath(os.path.join(args.directory, args.directory_to))
    done = archiving.archive(location, directory, keep_newer=newer, keep_size=size)
    if args.json:
        out.json({"archived": None if done is None else bundle.told(done.checked)})
    elif done is None:
        out.line("nothing to archive")
    else:
        out.lines(bundle.words(done.checked))
        out.line(f"moved there: {counted(len(done.segments), 'segment')} of the journal")
    return 0


def _measure(text: str | None, units: dict[str, int], what: str) -> int | None:
    if text is None:
        return None
    match = re.fullmatch(r"([0-9]{1,12})([a-z]?)", text.lower())
    if match is None or match[2] not in units:
        raise UsageError(f"'{text}' is not {what}", f"units: {', '.join(unit or 'bytes' for unit in units)}")
    return int(match[1]) * units[match[2]]
